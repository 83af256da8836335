"""Sees again and again whether a server answers, while the menu says that none does."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chat.client.errors import Untrusted

__all__ = ["Knocking"]

EVERY = 2.0
"""Seconds between two tries: a server that somebody starts is there before one looks back."""


class Knocking:
    """Tries from ``begin`` on until a server answers, or nobody waits for one any more.

    :param clock: what Twisted calls a reactor.
    :param reach: connects to the server and raises if nobody answers; ``Untrusted`` is an answer.
    :param waits: whether somebody waits at the menu; None for not at this moment.
    :param opened: called when a server answers.
    """

    def __init__(
        self,
        clock: Any,
        reach: Callable[[], Coroutine[Any, Any, None]],
        waits: Callable[[], bool | None],
        opened: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._reach = reach
        self._waits = waits
        self._opened = opened
        self._going = False

    def begin(self) -> None:
        """Try in a moment, and then again and again."""
        if not self._going:
            self._going = True
            self._clock.callLater(EVERY, self._knock)

    def _knock(self) -> None:
        self._going = False
        waits = self._waits()
        if waits is None:
            self.begin()
        elif waits:
            self._going = True
            Deferred.fromCoroutine(self._reach()).addBoth(self._knocked)

    def _knocked(self, result: object) -> None:
        self._going = False
        answered = not isinstance(result, Failure) or result.check(Untrusted)
        if answered and self._waits():
            self._opened()
        else:
            self.begin()
