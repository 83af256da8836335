"""Searching logs: the newest entries of several conversations first, a bounded number of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

import msgspec

from chat.messages import SmsPush
from chat.store.conversations import Conversations
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
    """

    entries: list[bytes] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    rest: Place | None = None


class _Source:
    """One conversation, read backwards a page at a time.

    :param listed: it stands on the user's list, where there may be one that does not exist yet, or
        that the user is in no more: nothing is found there.
    """

    def __init__(self, conversations: Conversations, user_id: int, cid: str, listed: bool) -> None:
        self._conversations = conversations
        self._listed = listed
        self._user_id = user_id
        self._cid = cid
        self.conversation = cid_name(cid, user_id)
        self._next: int | None = 0
        self._read: deque[tuple[SmsPush, bytes]] = deque()

    async def start_before(self, moment: int) -> None:
        """Begin with the newest entry that is older than ``moment``."""
        # Below 1 there is nothing, but who may not read is told so there too.
        self._next = await self._conversations.seek(self._cid, moment) + 1

    async def newest(self) -> SmsPush | None:
        """The next entry to look at, None at the beginning of the conversation."""
        while not self._read and self._next is not None:
            try:
                page = await self._conversations.history(
                    self._user_id, self._cid, before=self._next, limit=PAGE
                )
            except (NotAllowed, Unknown):
                if not self._listed:
                    raise
                return None
            self._next = page.entries[0].seq if page.more else None
            for entry in reversed(page.entries):
                if entry.json:
                    json = entry.for_user(self._user_id)
                    self._read.append((msgspec.json.decode(json, type=SmsPush), json))
        return self._read[0][0] if self._read else None

    def take(self) -> bytes:
        """The JSON of the entry that ``newest`` gave; the one before it is next."""
        _, json = self._read.popleft()
        name = msgspec.json.encode(self.conversation)
        return b'%b,"conversation":%b}' % (json[:-1], name)


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
    sources = {cid: _Source(conversations, user_id, cid, listed) for cid in cids}
    heads: list[tuple[int, str]] = []
    for cid, source in sources.items():
        if start.before:
            await source.start_before(start.before)
        await _push(heads, source, cid)
    found = Found()
    moment, looked = start.before - 1, 0
    for _ in range(MOST_SCANNED + start.skip):
        if not heads:
            return found
        moment, looked = _at(heads, moment, looked)
        if len(found.entries) == limit:
            break
        source = sources[cid := heappop(heads)[1]]
        head, json = await source.newest(), source.take()
        new = looked >= start.skip or moment + 1 != start.before
        if new and head is not None and not head.kind and wanted in head.content.casefold():
            found.entries.append(json)
            found.places.append(Place(moment + 1, looked))
        looked += 1
        await _push(heads, source, cid)
    if heads:
        moment, looked = _at(heads, moment, looked)
        found.rest = Place(moment + 1, looked)
    return found


def _at(heads: list[tuple[int, str]], moment: int, looked: int) -> tuple[int, int]:
    """When the next entry was written, and how many of that ms have been looked at: ``looked``
    when it is still ``moment``."""
    time = -heads[0][0]
    return time, looked if time == moment else 0


async def _push(heads: list[tuple[int, str]], source: _Source, cid: str) -> None:
    """Put a source's next entry on the heap, the newest entry of all on top."""
    head = await source.newest()
    if head is not None:
        heappush(heads, (-head.time, cid))
