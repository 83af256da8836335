"""Search results: from this machine at once, from the server as it answers, page by page."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from chat.messages import Entry

if TYPE_CHECKING:
    from chat.client.api import SearchPage

__all__ = ["PAGE", "Found"]

PAGE = 50
"""Results asked for at a time, two screens of them."""

AskServer = Callable[[int, int], Awaitable["SearchPage"]]
AskCache = Callable[[int, int], Awaitable[Sequence[Entry]]]
"""Results older than a moment in ms, 0 for the newest, without the first so many."""


class Found:
    """The results so far, newest first, each once.

    :param server: None while there is no connection.
    :param cache: None where nothing is kept on this machine.
    :ivar here_only: the server has not said yet what it has.
    """

    def __init__(self, server: AskServer | None, cache: AskCache | None) -> None:
        self.entries: list[Entry] = []
        self.searching = False
        self.here_only = True
        self._server = server
        self._cache = cache
        self._rest = self._cached = (0, 0)

    @property
    def more(self) -> bool:
        """Whether there may be older ones."""
        return self._server is not None or self._cache is not None

    async def look(self, changed: Callable[[], None]) -> None:
        """Get another page from each source.

        :raises ClientError: the server gave none; this machine can still be searched.
        """
        if self.searching:
            return
        self.searching = True
        try:
            await self._look_here()
            changed()
            await self._ask_server()
        finally:
            self.searching = False
            changed()

    async def _look_here(self) -> None:
        if self._cache is None:
            return
        before, skip = self._cached
        page = await self._cache(before, skip)
        self._add(page)
        if len(page) < PAGE:
            self._cache = None
        else:
            # Many messages may have the same time.
            last = page[-1].time
            same = sum(each.time == last for each in page)
            self._cached = last + 1, same + (skip if last + 1 == before else 0)

    async def _ask_server(self) -> None:
        if self._server is None:
            return
        asking, self._server, self.here_only = self._server, None, True
        page = await asking(*self._rest)
        self.here_only = False
        self._add(page.entries)
        if page.more:
            self._server, self._rest = asking, (page.before, page.skip)

    def _add(self, entries: Sequence[Entry]) -> None:
        known = {(each.conversation, each.seq) for each in self.entries}
        self.entries += [e for e in entries if (e.conversation, e.seq) not in known]
        self.entries.sort(key=lambda each: -each.time)
