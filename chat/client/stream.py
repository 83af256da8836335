"""Messages as an async iterator: what was handed out waits until somebody asks for it."""

from collections import deque

from twisted.internet.defer import Deferred

from chat.client.errors import Closed
from chat.messages import Entry

__all__ = ["Stream"]


class Stream:
    """Ends when the client is closed; raises ``Closed`` when the server has ended it for good."""

    def __init__(self, own: bool, every_kind: bool) -> None:
        self._own = own
        self._every_kind = every_kind
        self._entries: deque[Entry] = deque()
        self._waiting: Deferred[None] | None = None
        self._end: Closed | None = None

    def put(self, entry: Entry, mine: bool) -> None:
        """An entry was handed out; it is kept when it is of the wanted sort."""
        if (mine and not self._own) or (not self._every_kind and (entry.kind or entry.deleted)):
            return
        self._entries.append(entry)
        self._wake()

    def finish(self, end: Closed) -> None:
        """Nothing will come any more."""
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
            self._waiting = Deferred()
            await self._waiting
        return self._entries.popleft()
