"""Waits for several things at a time, where each is needed."""

from collections.abc import Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList

__all__ = ["all_of"]

_T = TypeVar("_T")


async def all_of(works: Iterable[Deferred[_T]]) -> list[_T]:
    """Wait for several things at a time, until all have ended.

    :returns: their results, in their order.
    :raises BaseException: what the first of those raised that failed.
    """
    results: list[tuple[bool, Any]] = await DeferredList(list(works), consumeErrors=True)
    for succeeded, result in results:
        if not succeeded:
            result.raiseException()
    return [result for _, result in results]
