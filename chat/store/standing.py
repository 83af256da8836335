"""Where a conversation stands: what the store says of it, decoded, and as one user sees it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from chat.messages import Conversation, Entry
from chat.store.entries import logged, read_entry
from chat.store.keys import LOBBY_CID, cid_name

__all__ = ["Position", "describe", "is_member", "is_open", "mark_numbers", "position_of"]

LAST_CONTENT_LIMIT: Final = 200
"""Bytes of UTF-8 that are kept of the content of *conv*'s ``last`` (protocol, Values)."""


class Position(msgspec.Struct, frozen=True):
    """Where a conversation stands, as the user sees it for whom it was read.

    :ivar role: the user's role in a room, empty for none.
    :ivar last: the newest entry as JSON, when it was asked for.
    :ivar slow: seconds between two messages of one member, 0 for no limit.
    :ivar private: only members may know that the room exists.
    """

    seq: int
    first: int
    epoch: str
    epoch_first: int
    topic: str
    role: str
    last: bytes
    slow: int = 0
    private: bool = False


def position_of(answer: Sequence[Any], user_id: int) -> Position:
    """A position as ``scripts/standing.lua`` tells it."""
    seq, first, epoch, epoch_first, topic, member, number, kept, rules = answer
    last = logged(number, kept).for_user(user_id) if kept else b""
    slow, private = _rules(rules)
    return Position(
        seq, first, epoch.decode(), epoch_first, topic.decode(),
        member.partition(b":")[0].decode(), last, slow, private,
    )  # fmt: skip


def _rules(rules: bytes) -> tuple[int, bool]:
    """Slow mode in seconds, and whether a room is private (``scripts/rules.lua``)."""
    if not rules or rules.startswith(b"x"):
        return 0, False
    slow, private, _ = rules.split(b":")
    return int(slow) // 1000, private == b"1"


def is_open(cid: str) -> int:
    """1 when everybody who can name the conversation is a member: the lobby, and private
    conversations."""
    return 1 if cid == LOBBY_CID or cid.startswith("p:") else 0


def is_member(cid: str, position: Position) -> bool:
    """Whether the user whom ``position`` was read for is in the conversation."""
    return bool(position.role) or is_open(cid) == 1


def describe(
    cid: str, user_id: int, position: Position, mark: bytes, partner_name: str
) -> Conversation:
    """A conversation as a member sees it, ``mark`` being theirs in the store's words."""
    delivered, read = mark_numbers(mark, position.epoch, position.epoch_first)
    return Conversation(
        conversation=cid_name(cid, user_id),
        epoch=position.epoch,
        epoch_first=position.epoch_first,
        seq=position.seq,
        first=position.first,
        delivered=delivered,
        read=read,
        topic=position.topic,
        role=position.role,
        last=_shortened(position.last) if position.last else None,
        user_name=partner_name,
        slow=position.slow,
        private=position.private,
    )


def mark_numbers(mark: bytes, epoch: str, epoch_first: int) -> tuple[int, int]:
    """Delivered and read of a stored mark. A mark of an older epoch counts as at most the end of
    that."""
    if not mark:
        return 0, 0
    its_epoch, delivered, read = mark.rsplit(b":", 2)
    if its_epoch.decode() == epoch:
        return int(delivered), int(read)
    return min(int(delivered), epoch_first - 1), min(int(read), epoch_first - 1)


def _shortened(entry: bytes) -> Entry:
    last = read_entry(entry)
    content = last.content.encode()
    if len(content) <= LAST_CONTENT_LIMIT:
        return last
    cut = content[:LAST_CONTENT_LIMIT].decode(errors="ignore")
    return msgspec.structs.replace(last, content=cut, cut=True)
