"""What /doctor finds out about terminal, locale and server, and what it concludes."""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Examined", "examine"]

SLOW_SECONDS = 0.5
"""A round trip above which writing feels slow."""

SKEWED_SECONDS = 30.0
"""A difference of clocks above which the times of messages mislead."""


@dataclass(frozen=True)
class Examined:
    """What was measured.

    :ivar round_trip: in seconds, None when the server did not answer.
    :ivar columns: 0 without a screen.
    """

    columns: int
    rows: int
    colours: int
    full_emoji: bool
    ascii_glyphs: bool
    round_trip: float | None
    clock_offset: float
    durability: str
    log: str
    term: str
    charset: str


Finding = tuple[bool, str, dict[str, object]]
"""Whether it is well, the key of its sentence, the values that go in. Where something is wrong, the
sentence says what can be done."""


def examine(found: Examined) -> Iterator[Finding]:
    """What there is to say about the terminal, the locale and the server."""
    if found.columns:
        size = {"columns": found.columns, "rows": found.rows}
        yield _finding("doctor-size", found.columns >= 60 and found.rows >= 14, **size)
        well = found.term not in ("", "dumb")
        yield _finding("doctor-term", well, term=found.term or "?", colours=found.colours)
    well = found.charset.lower().replace("-", "") == "utf8"
    yield _finding("doctor-charset", well, charset=found.charset)
    yield not found.ascii_glyphs, "doctor-glyphs" if not found.ascii_glyphs else "doctor-ascii", {}
    yield True, "doctor-emoji-full" if found.full_emoji else "doctor-emoji-text", {}
    yield from _server(found)
    yield True, "doctor-log", {"log": found.log}


def _server(found: Examined) -> Iterator[Finding]:
    if found.round_trip is None:
        yield False, "doctor-no-server", {}
        return
    values = {"n": round(found.round_trip * 1000), "durability": found.durability or "?"}
    yield _finding("doctor-server", found.round_trip < SLOW_SECONDS, **values)
    seconds = abs(found.clock_offset)
    yield _finding("doctor-clock", seconds < SKEWED_SECONDS, n=round(seconds))


def _finding(key: str, well: bool, **values: object) -> Finding:
    return well, key if well else f"{key}-bad", values
