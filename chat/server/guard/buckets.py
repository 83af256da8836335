"""How often something may happen: a token bucket and a window, both pure."""

from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["TokenBucket", "Window"]

ROUNDING: Final = 1e-9
"""Seconds that count as no time: a client that waited as long as it was told is not refused again.
"""


class TokenBucket:
    """Allows a burst at once, and after it a steady rate; unused time fills it up again.

    It keeps one number, the time at which the bucket will be full again (the generic cell rate
    algorithm of ITU-T I.371), because every message asks it.

    :param burst: how many at once, 0 for no limit.
    :param per_second: how many a second after that, 0 for no limit.
    :param seconds: the current time.
    """

    __slots__ = ("_full_at", "_interval", "_seconds", "_tolerance")

    def __init__(self, burst: int, per_second: float, seconds: Callable[[], float]) -> None:
        self._interval = 1 / per_second if burst and per_second else 0.0
        self._tolerance = self._interval * (burst - 1) + ROUNDING
        self._seconds = seconds
        self._full_at = 0.0

    def take(self) -> float:
        """Take one, if there is one.

        :returns: 0.0 when it was taken, else the seconds until there will be one.
        """
        now = self._seconds()
        full_at = self._full_at
        if full_at < now:
            full_at = now
        wait = full_at - now - self._tolerance
        if wait <= 0.0:
            self._full_at = full_at + self._interval
            return 0.0
        return wait + ROUNDING

    def overdraw(self, count: int = 1) -> float:
        """Take ``count`` in any case.

        :returns: the seconds until none is owed, 0.0 if none is.
        """
        now = self._seconds()
        full_at = self._full_at
        if full_at < now:
            full_at = now
        taken = self._interval * count
        self._full_at = full_at + taken
        return max(0.0, min(self._full_at - now - self._tolerance - self._interval, taken))


class Window:
    """Notices when something happens ``most`` times within ``seconds``.

    :param most: how many times, 0 for never.
    :param clock: the current time.
    """

    __slots__ = ("_clock", "_most", "_seconds", "_times")

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._times: deque[float] | None = None  # Made when needed: a deque takes 700 bytes.

    def add(self) -> bool:
        """Count that it happened.

        :returns: whether that was once too often.
        """
        if not self._most:
            return False
        if self._times is None:
            self._times = deque(maxlen=self._most)
        now = self._clock()
        self._times.append(now)
        return len(self._times) == self._most and now - self._times[0] < self._seconds
