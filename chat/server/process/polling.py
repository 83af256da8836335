"""Twisted's epoll reactor without a log context around each event; imported only with epoll.

Twisted names the connection in a context of the log before it serves it. That takes 3.6 us, as much
as reading the message, and nothing of ours ever asks for that name.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log

__all__ = ["DirectReactor"]


class DirectReactor(EPollReactor):
    """Serves events where it finds them; what each of them means Twisted decides as ever."""

    def __init__(self) -> None:
        super().__init__()
        self._endings: list[Callable[[], None]] = []

    def at_turn_end(self, function: Callable[[], None]) -> None:
        """Call ``function`` when the events of this turn have been served, or those of the next
        where this is asked at the end of one."""
        self._endings.append(function)

    def doPoll(self, timeout: float | None) -> None:
        """Wait up to ``timeout`` seconds, None for as long as it takes, and serve what happened."""
        if self._endings:
            timeout = 0
        known: dict[int, Any] = self._selectables
        for descriptor, event in self._poller.poll(timeout, len(known)):
            selectable = known.get(descriptor)
            if selectable is None:  # The one served before it has closed it.
                continue
            try:
                self._doReadOrWrite(selectable, descriptor, event)
            except Exception:  # One connection's trouble is not the others'.
                log.err()
        endings, self._endings = self._endings, []
        for function in endings:
            try:
                function()
            except Exception:
                log.err()

    doIteration = doPoll
