"""Pages of the online list, each read once for all who ask for it at the same time."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chat.messages import OnlineResMes

__all__ = ["SharedPages"]


class _Page:
    """One page that is being read, or was; ``waiters`` is None once it is there."""

    __slots__ = ("result", "waiters")

    def __init__(self) -> None:
        self.result: OnlineResMes | Failure
        self.waiters: list[Deferred[OnlineResMes]] | None = []

    def came(self, result: OnlineResMes | Failure) -> None:
        self.result = result
        waiters, self.waiters = self.waiters or [], None
        for waiter in waiters:
            waiter.callback(result)  # a Failure is an errback

    def given(self) -> "Deferred[OnlineResMes]":
        waiter: Deferred[OnlineResMes] = Deferred()
        if self.waiters is None:
            waiter.callback(self.result)
        else:
            self.waiters.append(waiter)
        return waiter


class SharedPages:
    """What was read since ``forget``.

    :param read: reads a page above a user id, of so many users.
    """

    def __init__(self, read: Callable[[int, int], Coroutine[Any, Any, OnlineResMes]]) -> None:
        self._read = read
        self._pages: dict[tuple[int, int], _Page] = {}

    async def page(self, after: int, limit: int) -> OnlineResMes:
        """The page, as it was when somebody first asked for it.

        :raises StoreError: it can't be read.
        """
        key = (after, limit)
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = _Page()
            Deferred.fromCoroutine(self._read(after, limit)).addBoth(page.came)
        return await page.given()

    def forget(self) -> None:
        """What is asked for from now on is read anew."""
        self._pages.clear()
