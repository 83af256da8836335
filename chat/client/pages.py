"""Pages of entries, as ``ChatClient.history`` and ``ChatClient.search`` return them."""

from dataclasses import dataclass

from chat.messages import Entry

__all__ = ["HistoryPage", "SearchPage"]


@dataclass(frozen=True)
class HistoryPage:
    """A page of a conversation, oldest first.

    :ivar entries: each with its ``conversation``.
    :ivar epoch: the epoch of the conversation, whose first number is ``epoch_first``.
    :ivar first: the lowest number that the server keeps.
    :ivar more: there is more in the direction that was asked for.
    """

    entries: tuple[Entry, ...]
    epoch: str
    epoch_first: int
    first: int
    more: bool


@dataclass(frozen=True)
class SearchPage:
    """What a search found, newest first.

    :ivar before, skip: the arguments of the search for the next page, when there is ``more``.
    """

    entries: tuple[Entry, ...]
    more: bool
    before: int
    skip: int = 0
