"""What /doctor finds out about terminal, locale and server, and what it makes of it."""

import locale
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Examined", "examine"]

SLOW_SECONDS = 0.5
"""A round trip above which writing feels slow."""

SKEWED_SECONDS = 30.0
"""A difference of clocks above which the times of messages mislead."""


@dataclass(frozen=True)
class Examined:
    """What was measured. ``round_trip`` in seconds, None when the server did not answer.
    ``columns`` is 0 where there is no screen.
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


def examine(
    found: Examined, environ: Mapping[str, str] = os.environ
) -> Iterator[tuple[bool, str, dict[str, object]]]:
    """Findings: whether it is well, the key of its sentence, the values that go in."""
    term = environ.get("TERM", "")
    size: dict[str, object] = {"columns": found.columns, "rows": found.rows}
    if found.columns:
        yield found.columns >= 60 and found.rows >= 14, "doctor-size", size
        colours: dict[str, object] = {"term": term, "colours": found.colours}
        yield bool(term) and term != "dumb", "doctor-term", colours
    charset = locale.getpreferredencoding(False)
    yield charset.lower().replace("-", "") == "utf8", "doctor-charset", {"charset": charset}
    yield not found.ascii_glyphs, "doctor-glyphs" if not found.ascii_glyphs else "doctor-ascii", {}
    yield True, "doctor-emoji-full" if found.full_emoji else "doctor-emoji-text", {}
    if found.round_trip is None:
        yield False, "doctor-no-server", {}
    else:
        milliseconds = round(found.round_trip * 1000)
        yield (
            found.round_trip < SLOW_SECONDS,
            "doctor-server",
            {
                "n": milliseconds,
                "durability": found.durability or "?",
            },
        )
        seconds = round(found.clock_offset)
        yield abs(seconds) < SKEWED_SECONDS, "doctor-clock", {"n": seconds}
    yield True, "doctor-log", {"log": found.log}
