"""Notices that this machine stood still: it slept, or it is a virtual machine that was paused."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Suspension"]

TICK = 10.0
"""Seconds between two looks at the clocks."""

SHORTEST = 10.0
"""Seconds that a clock must be ahead; with less, the machine was just busy."""


class Suspension:
    """Compares two clocks from ``watch`` until ``stop``.

    :param clock: the one whose timers may have stood still.
    :param now: the time of day in seconds, which may go on while ``clock`` stands still.
    :param woke: told by how many seconds a clock was ahead.
    """

    def __init__(
        self, clock: IReactorTime, now: Callable[[], float], woke: Callable[[float], None]
    ) -> None:
        self._clock = clock
        self._now = now
        self._woke = woke
        self._tick: IDelayedCall | None = None

    def watch(self) -> None:
        """Look every now and then."""
        if self._tick is None:
            clocks = self._clock.seconds(), self._now()
            self._tick = self._clock.callLater(TICK, self._look, *clocks)

    def stop(self) -> None:
        """Look no more."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _look(self, steady: float, wall: float) -> None:
        self._tick = None
        self.watch()
        ahead = max(self._clock.seconds() - steady, self._now() - wall) - TICK
        if ahead >= SHORTEST:
            self._woke(ahead)
