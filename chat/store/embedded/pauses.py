"""How long to wait before a process that died is started again."""

from typing import Final

__all__ = ["LONGEST", "Pauses"]

FIRST: Final = 0.05
LONGEST: Final = 5.0
"""Seconds, doubled each time."""

SOUND: Final = 30.0
"""What lived for so many seconds is brought back after the first pause again."""


class Pauses:
    """The pauses between the lives of one process."""

    def __init__(self) -> None:
        self._next = FIRST

    def after(self, lived: float) -> float:
        """Seconds to wait after a life of ``lived`` seconds."""
        pause = FIRST if lived > SOUND else self._next
        self._next = min(2 * pause, LONGEST)
        return pause
