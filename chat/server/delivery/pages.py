"""Pages of the online list, read once for all who ask for them at the same time."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["SharedPages"]

T = TypeVar("T")


class _Page(Generic[T]):
    """A page that is being read, or was; ``waiters`` is None once it is there."""

    __slots__ = ("result", "waiters")

    def __init__(self) -> None:
        self.result: T | Failure
        self.waiters: list[Deferred[T]] | None = []

    def came(self, result: T | Failure) -> None:
        self.result = result
        waiters, self.waiters = self.waiters or [], None
        for waiter in waiters:
            waiter.callback(result)  # a Failure is an errback

    def given(self) -> Deferred[T]:
        waiter: Deferred[T] = Deferred()
        if self.waiters is None:
            waiter.callback(self.result)
        else:
            self.waiters.append(waiter)
        return waiter


class SharedPages(Generic[T]):
    """The pages that were read since ``forget``.

    :param read: reads a page: the users above a user id, so many of them.
    """

    def __init__(self, read: Callable[[int, int], Coroutine[Any, Any, T]]) -> None:
        self._read = read
        self._pages: dict[tuple[int, int], _Page[T]] = {}

    async def page(self, after: int, limit: int) -> T:
        """A page, as it was when it was first asked for.

        :raises StoreError: it can't be read.
        """
        key = (after, limit)
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = _Page()
            Deferred.fromCoroutine(self._read(after, limit)).addBoth(page.came)
        if page.waiters is None and not isinstance(page.result, Failure):
            return page.result
        return await page.given()

    def forget(self) -> None:
        """Read pages anew from now on."""
        self._pages.clear()
