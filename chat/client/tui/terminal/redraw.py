"""When to draw: at once for a key, otherwise as often as the eye and the line can follow."""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["FRAME", "LONGEST", "PACE", "Redraw"]

_Handled = TypeVar("_Handled")

FRAME = 1 / 30
"""Seconds at least between two drawings that nobody waits for."""

LONGEST = 0.3
"""Seconds after which the next one comes, however much the last one wrote."""

PACE = 5_000
"""Bytes a second, about what a modem carried: a frame of more makes the next one wait. Who reads
can't follow a screen that is new thirty times a second, and whoever is far away, over a thin
line, would see all of it later and later."""


class Redraw:
    """Coalesces requests to draw. ``soon`` costs nothing when a drawing is due already.

    :param clock: of Twisted: ``seconds`` and ``callLater``.
    :param draw: draws, given True everything that may have changed, else what a key has changed;
        returns how many bytes it wrote.
    :param free: whether the terminal has taken everything that was written; call ``drained`` when
        it has.
    """

    def __init__(self, clock: Any, draw: Callable[[bool], int], free: Callable[[], bool]) -> None:
        self._clock = clock
        self._draw = draw
        self._free = free
        self._due: Any = None
        self._next = -1.0
        self._stale = self._unpainted = self._in_key = False

    def soon(self) -> None:
        """Something has changed: draw when it is time; if a key did it, right after the key."""
        self._stale = True
        if self._due is None and not self._in_key:
            wait = max(0.0, self._next - self._clock.seconds())
            self._due = self._clock.callLater(wait, self.now)

    def now(self) -> None:
        """Draw everything at once."""
        self.cancel()
        self._paint()

    def after(self, handle: Callable[[], _Handled]) -> _Handled:
        """Handle keys, and draw what they have changed.

        What else has changed waits for its time, so that in a flood somebody who types need not
        wait.
        """
        waited, self._stale, self._in_key = self._stale, False, True
        try:
            return handle()
        finally:
            self._in_key = False
            if self._stale:
                self.now()
            else:
                self._stale = waited
                self._paint(everything=False)

    def drained(self) -> None:
        """The terminal can take more."""
        if self._unpainted:
            self.now()

    def cancel(self) -> None:
        """Draw no more, until asked again."""
        if self._due is not None:
            if self._due.active():
                self._due.cancel()
            self._due = None

    def _paint(self, everything: bool = True) -> None:
        self._unpainted = not self._free()
        if self._unpainted:
            return
        if everything:
            self._stale = False
        written = self._draw(everything)
        wait = min(LONGEST, max(FRAME, written / PACE))
        self._next = max(self._next, self._clock.seconds() + wait)
