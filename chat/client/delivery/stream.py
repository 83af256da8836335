"""Messages as an async iterator: they wait, up to a limit, until they are asked for."""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from twisted.internet.defer import Deferred

from chat.client.errors import ClientError, Closed
from chat.client.events import EpochChanged, MessageArrived
from chat.client.network.asker import ASK_AGAIN, is_final
from chat.messages import Entry

__all__ = ["LIMIT", "Stream"]

LIMIT = 10_000
"""Entries that wait for a slow reader. What comes beyond that is fetched again when it is asked
for."""

Fetch = Callable[[str, int], Awaitable[tuple[Entry, ...]]]


class Stream:
    """Ends when the client is closed; raises ``Closed`` when the server has ended it for good.

    :param wanted: whether an entry is to be given to the reader.
    :param fetch: reads a page of a conversation above a number, oldest first.
    :param sleep: waits for some seconds.
    :param limit: the most entries that wait.
    """

    def __init__(
        self,
        wanted: Callable[[Entry], bool],
        fetch: Fetch,
        sleep: Callable[[float], Awaitable[None]],
        limit: int = LIMIT,
    ) -> None:
        self._wanted = wanted
        self._fetch = fetch
        self._sleep = sleep
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._behind: dict[str, _Behind] = {}
        self._waiting: Deferred[None] | None = None
        self._end: Closed | None = None

    def put(self, event: MessageArrived | EpochChanged) -> None:
        """An entry was handed out, or entries were taken back by a new epoch."""
        if isinstance(event, EpochChanged):
            self._entries = deque(each for each in self._entries if not _is_undone(each, event))
            behind = self._behind.get(event.conversation)
            if behind is not None:
                behind.after = min(behind.after, event.epoch_first - 1)
                behind.last = behind.after
            return
        entry = event.entry
        behind = self._behind.get(entry.conversation)
        if behind is not None:
            behind.last = entry.seq
        elif len(self._entries) >= self._limit:
            self._behind[entry.conversation] = _Behind(entry.seq - 1, entry.seq)
        elif self._wanted(entry):
            self._entries.append(entry)
            self._wake()

    def finish(self, end: Closed) -> None:
        """Nothing more will come."""
        self._end = end
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Entry:
        while not self._entries:
            if self._end is not None and self._end.code:
                raise self._end
            if self._end is not None:
                raise StopAsyncIteration
            if self._behind:
                await self._catch_up(*next(iter(self._behind.items())))
            else:
                self._waiting = Deferred()
                await self._waiting
        return self._entries.popleft()

    async def _catch_up(self, conversation: str, behind: "_Behind") -> None:
        """Fetch one page of what exceeded the limit."""
        after = behind.after
        try:
            page = await self._fetch(conversation, after)
        except ClientError as error:
            if not is_final(error):
                await self._pause()
                return
            page = ()
        if behind.after != after:
            return
        # Entries above that are still to be handed out.
        left_out = [entry for entry in page if entry.seq <= behind.last]
        self._entries += [entry for entry in left_out if self._wanted(entry)]
        behind.after = left_out[-1].seq if left_out else behind.last
        if behind.after >= behind.last:
            del self._behind[conversation]

    async def _pause(self) -> None:
        if self._end is None:
            with suppress(Closed):  # The end is raised when the next entry is asked for.
                await self._sleep(ASK_AGAIN)


def _is_undone(entry: Entry, event: EpochChanged) -> bool:
    """Whether an entry no longer exists, because its number is given out anew."""
    return entry.conversation == event.conversation and entry.seq >= event.epoch_first


class _Behind:
    """A conversation of which everything above ``after``, up to ``last``, was left out."""

    def __init__(self, after: int, last: int) -> None:
        self.after = after
        self.last = last
