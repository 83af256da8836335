"""How long things take, counted into buckets: cheap enough to be done for every batch."""

from bisect import bisect_left
from typing import Final

__all__ = ["BOUNDS", "Timing"]

BOUNDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper ends in seconds: fine around the milliseconds of a good day, up to the store's deadline."""


class Timing:
    """A histogram of seconds, read by whoever shows it.

    :ivar counts: how many fell into each bucket of ``BOUNDS``, and into the one above them all.
    :ivar total: the sum of all that was taken, in seconds.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def take(self, seconds: float) -> None:
        """Count one; a clock that was set back counts as nothing."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
