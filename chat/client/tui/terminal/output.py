"""Writes to the terminal without ever waiting for it: a slow line must not block the program."""

import os
import select
from collections.abc import Callable
from typing import Any

__all__ = ["Output"]

PATIENCE = 1.0
"""Seconds that the end of the program waits for a terminal to take what restores it."""


class Output:
    """Writes to a terminal as fast as it takes it.

    The terminal is opened once more, because non-blocking mode would hold for every process that
    shares the open file, such as the shell. What is not a terminal is written to as it is,
    blocking.

    :param descriptor: of the terminal.
    :ivar drained: called when everything that had to wait was taken.
    """

    def __init__(self, descriptor: int) -> None:
        self.drained: Callable[[], None] = lambda: None
        self._reactor: Any = None
        self._left = bytearray()
        self._gone = self._waiting = False
        try:
            flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            self._descriptor = os.open(os.ttyname(descriptor), flags)
        except OSError:
            self._descriptor = descriptor

    @property
    def busy(self) -> bool:
        """Whether the terminal has not yet taken everything."""
        return self._waiting

    def attach(self, reactor: Any) -> None:
        """From now on write what is not taken at once when ``reactor`` says that the terminal is
        ready; until then, writing blocks."""
        # Imported here, because the first screen does not need it.
        from twisted.internet.interfaces import IWriteDescriptor
        from zope.interface import directlyProvides

        directlyProvides(self, IWriteDescriptor)
        self._reactor = reactor

    # What urwid calls

    def write(self, text: str) -> None:
        """Keep ``text`` until ``flush``."""
        self._left += text.encode("utf-8", "replace")

    def flush(self) -> None:
        """Write as much as is taken now; the rest follows by itself."""
        if not self._waiting and self._left:
            self.doWrite()
            if self._left and self._reactor is not None:
                self._waiting = True
                self._reactor.addWriter(self)
            elif self._left:
                self.finish()

    def finish(self) -> None:
        """Wait until everything is written, for a second at most."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while self._left and not self._gone and poll.poll(1000 * PATIENCE):
            self.doWrite()
        self._left.clear()
        self._rest()

    # What the reactor calls

    def fileno(self) -> int:
        return self._descriptor

    def doWrite(self) -> None:
        try:
            del self._left[: os.write(self._descriptor, self._left)]
        except BlockingIOError:
            return
        except OSError:
            # The window was closed. SIGHUP tells so, too, and ends the program in order.
            self._gone = True
            self._left.clear()
        if not self._left and self._waiting:
            self._rest()
            self.drained()

    def connectionLost(self, reason: object) -> None:
        """The reactor has found the descriptor unusable."""
        self._gone = True
        self._left.clear()
        self._rest()

    def logPrefix(self) -> str:
        return "terminal"

    def _rest(self) -> None:
        if self._waiting:
            self._waiting = False
            self._reactor.removeWriter(self)
