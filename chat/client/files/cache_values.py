"""What the cache's file is given to write, and what it knows at the start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chat.client.events import Position
from chat.messages import Conversation, Entry, User

__all__ = ["Batch", "Known"]


@dataclass(frozen=True)
class Known:
    """What the file held at the start.

    :ivar unread: entries above the read marks, oldest first.
    :ivar blocked: the ids of those whom the user has blocked.
    """

    user: User
    conversations: Sequence[Conversation]
    positions: Mapping[str, Position]
    unread: Sequence[Entry]
    blocked: Sequence[int] = ()


@dataclass
class Batch:
    """What is to be written in one step, in this order.

    :ivar drops: for a conversation, the number from which on its entries are to be forgotten.
    :ivar entries: each with its ``conversation``.
    :ivar states: of conversations.
    :ivar positions: of conversations; what comes after a position is in a later batch, including
        what takes an earlier entry back.
    """

    drops: list[tuple[str, int]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    states: Mapping[str, Conversation] = field(default_factory=dict)
    positions: Mapping[str, Position] = field(default_factory=dict)
