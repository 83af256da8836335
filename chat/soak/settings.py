"""The settings of one run of the soak."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is told.

    :ivar rate: messages a second in all worlds.
    :ivar longest: seconds that a fault may last.
    :ivar back: seconds after the end of a fault in which service has to be back.
    """

    seconds: float
    seed: int
    faults: frozenset[str]
    users: int
    rate: float
    servers: int
    longest: float
    back: float
    worlds: tuple[str, ...]
    result: Path | None
    keep: Path | None
