"""Searches logs: several conversations at once, newest entries first, a bounded number of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

import msgspec

from chat.messages import Entry
from chat.store.conversations import Conversations
from chat.store.entries import read_entry
from chat.store.errors import NotAllowed, Unknown
from chat.store.keys import cid_name

__all__ = ["MOST_SCANNED", "Found", "Place", "search"]

MOST_SCANNED: Final = 5_000
"""Entries that one request looks at: some 25 ms of the server's time, in pieces of one."""

PAGE: Final = 200


class Place(NamedTuple):
    """Where a search goes on: below ``before``, without the first ``skip`` of the ms just below it.

    Many messages may have one time: a batch of them is stored in one step.
    """

    before: int
    skip: int


@dataclass
class Found:
    """What a search came to.

    :ivar entries: JSON, with its conversation, newest first; ``places`` are theirs.
    :ivar rest: where the search stopped, to go on from there; None when all was looked at.
    :ivar read: how many entries were read for it.
    """

    entries: list[bytes] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    rest: Place | None = None
    read: int = 0


class _Source:
    """One conversation, read backwards a page at a time.

    :param listed: it stands on the user's list, where there may be one that does not exist yet, or
        that the user is in no more: nothing is found there.
    """

    def __init__(self, conversations: Conversations, user_id: int, cid: str, listed: bool) -> None:
        self._conversations = conversations
        self._listed = listed
        self._user_id = user_id
        self.cid = cid
        self._conversation = cid_name(cid, user_id)
        self._next: int | None = 0
        self.read = 0
        self._read: deque[tuple[Entry, bytes]] = deque()

    async def start_before(self, moment: int) -> None:
        """Begin with the newest entry that is older than ``moment``."""
        # There is nothing below 1, but users who may not read are told so in any case.
        self._next = await self._conversations.seek(self.cid, moment) + 1

    async def newest(self) -> Entry | None:
        """The next entry to look at, None at the beginning of the conversation."""
        while not self._read and self._next is not None:
            try:
                page = await self._conversations.history(
                    self._user_id, self.cid, before=self._next, limit=PAGE
                )
            except (NotAllowed, Unknown):
                if not self._listed:
                    raise
                return None
            self._next = page.entries[0].seq if page.more else None
            self.read += len(page.entries)
            for entry in reversed(page.entries):
                if entry.json:
                    json = entry.for_user(self._user_id)
                    self._read.append((read_entry(json), json))
        return self._read[0][0] if self._read else None

    def take(self) -> tuple[Entry, bytes]:
        """The entry that ``newest`` gave, and its JSON; the one before it is next."""
        entry, json = self._read.popleft()
        name = msgspec.json.encode(self._conversation)
        return entry, b'%b,"conversation":%b}' % (json[:-1], name)


class _Merged:
    """Several conversations, read backwards as one."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._heads: list[tuple[int, str]] = []
        """A heap of the entries that come next, the newest of all on top."""
        self._taken = Place(0, 0)

    async def add(self, source: _Source) -> None:
        """Read this one too, from where it stands."""
        self._sources[source.cid] = source
        head = await source.newest()
        if head is not None:
            heappush(self._heads, (-head.time, source.cid))

    @property
    def read(self) -> int:
        """How many entries were read so far."""
        return sum(source.read for source in self._sources.values())

    @property
    def place(self) -> Place | None:
        """Where the next entry is found again; None at the end."""
        if not self._heads:
            return None
        before = 1 - self._heads[0][0]
        return Place(before, self._taken.skip + 1 if before == self._taken.before else 0)

    async def take(self, place: Place) -> tuple[Entry, bytes]:
        """The next entry, and its JSON; the one before it is next.

        :param place: where it is.
        """
        source = self._sources[heappop(self._heads)[1]]
        taken, self._taken = source.take(), place
        await self.add(source)
        return taken


async def search(
    conversations: Conversations,
    user_id: int,
    cids: Sequence[str],
    listed: bool,
    text: str,
    start: Place,
    limit: int,
) -> Found:
    """Find messages that contain ``text``, whatever its case.

    :param listed: ``cids`` are the user's list; else those that the client named.
    :param start: ``before`` in ms since 1970, 0 for now.
    :raises Unknown: one that was named does not exist.
    :raises NotAllowed: the user is no member of one that was named.
    """
    wanted = text.casefold()
    merged = _Merged()
    for cid in cids:
        source = _Source(conversations, user_id, cid, listed)
        if start.before:
            await source.start_before(start.before)
        await merged.add(source)
    found = Found()
    for _ in range(MOST_SCANNED + start.skip):
        place = merged.place
        if place is None or len(found.entries) == limit:
            break
        entry, json = await merged.take(place)
        new = place.before != start.before or place.skip >= start.skip
        if new and not entry.kind and wanted in entry.content.casefold():
            found.entries.append(json)
            found.places.append(place)
    found.rest, found.read = merged.place, merged.read
    return found
