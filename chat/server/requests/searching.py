"""Searching logs: the newest entries of several conversations first, a bounded number of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

import msgspec

from chat.messages import SmsPush
from chat.store.conversations import Conversations
from chat.store.keys import cid_name

__all__ = ["Found", "search"]

MOST_SCANNED: Final = 5_000
"""Entries that one request looks at: some 25 ms of the server's time, in pieces of one."""

PAGE: Final = 200


@dataclass
class Found:
    """What a search came to.

    :ivar entries: JSON, with its conversation, newest first; ``times`` are theirs.
    :ivar before: where the search stopped, to go on from there while there is ``more``.
    """

    entries: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    more: bool = False
    before: int = 0


class _Source:
    """One conversation, read backwards a page at a time."""

    def __init__(self, conversations: Conversations, user_id: int, cid: str) -> None:
        self._conversations = conversations
        self._user_id = user_id
        self._cid = cid
        self.conversation = cid_name(cid, user_id)
        self._next: int | None = 0
        self._read: deque[tuple[SmsPush, bytes]] = deque()

    async def start_before(self, moment: int) -> None:
        """Begin with the newest entry that is older than ``moment``."""
        seq = await self._conversations.seek(self._cid, moment)
        self._next = seq + 1 if seq else None

    async def newest(self) -> SmsPush | None:
        """The next entry to look at, None at the beginning of the conversation."""
        while not self._read and self._next is not None:
            page = await self._conversations.history(
                self._user_id, self._cid, before=self._next, limit=PAGE
            )
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
    text: str,
    before: int,
    limit: int,
) -> Found:
    """Find messages that contain ``text``, whatever its case.

    :param before: ms since 1970, exclusive; 0 for now.
    :raises Unknown: one conversation does not exist.
    :raises NotAllowed: the user is no member of one.
    """
    wanted = text.casefold()
    sources = [_Source(conversations, user_id, cid) for cid in cids]
    if before:
        for source in sources:
            await source.start_before(before)
    found = Found()
    heads: list[tuple[int, int]] = []
    for number in range(len(sources)):
        await _push(heads, sources, number)
    for _ in range(MOST_SCANNED):
        if not heads:
            return found
        if len(found.entries) == limit:
            break
        time, number = -heads[0][0], heappop(heads)[1]
        head = await sources[number].newest()
        json = sources[number].take()
        if head is not None and not head.kind and wanted in head.content.casefold():
            found.entries.append(json)
            found.times.append(time)
        await _push(heads, sources, number)
    found.more = bool(heads)
    if heads:
        # The next page begins with what is next here, unless that would be this page again.
        next_time = -heads[0][0]
        found.before = next_time + 1 if next_time + 1 != before else next_time
    return found


async def _push(heads: list[tuple[int, int]], sources: list[_Source], number: int) -> None:
    """Put a source's next entry on the heap, the newest entry of all on top."""
    head = await sources[number].newest()
    if head is not None:
        heappush(heads, (-head.time, number))
