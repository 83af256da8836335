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
    """Serves each event where it is found. What an event means is decided by Twisted, as always."""

    def __init__(self) -> None:
        super().__init__()
        self._endings: list[Callable[[], None]] = []

    def at_turn_end(self, function: Callable[[], None]) -> None:
        """Call ``function`` when all events of this turn have been served. If that moment has
        begun, it is called at the end of the next turn."""
        self._endings.append(function)

    def doPoll(self, timeout: float | None) -> None:
        """Wait for up to ``timeout`` seconds, None for as long as it takes, and serve what has
        happened."""
        if self._endings:
            timeout = 0
        known: dict[int, Any] = self._selectables
        for descriptor, event in self._poller.poll(timeout, len(known)):
            selectable = known.get(descriptor)
            if selectable is None:  # An earlier event of this turn has closed it.
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
