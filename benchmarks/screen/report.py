"""The screen's figures beside those of other clients, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.screen.figures import BACK_PATIENCE, MANY, OUTAGE
from benchmarks.screen.programs import PROGRAMS
from benchmarks.screen.typist import COLUMNS, ROWS

__all__ = ["FIGURES", "GOALS", "report"]

FIGURES: Final = Path(__file__).parent.parent / "results" / "screen.json"
"""The run that the docs show."""


@dataclass(frozen=True)
class Goal:
    """A figure: what it is, its unit, and what is wanted of ours at most, where that is said."""

    what: str
    wanted: float | None = None


GOALS: Final = {
    "first-text": Goal("first text after start, ms", 250),
    "first-text-cpu": Goal("  processor time until then, ms"),
    "first-messages": Goal("messages on the screen after start, ms", 1000),
    "memory-start": Goal("memory at start, MB", 45),
    "memory-many": Goal(f"memory after {MANY:,} messages, MB", 60),
    "idle-p50": Goal("key to echo, ms: idle, p50", 1),
    "idle-p99": Goal("  idle, p99", 3),
    "key-cpu": Goal("  processor time of a key, ms"),
    "2000-p50": Goal("  at 2,000 messages a second, p50", 1),
    "2000-p99": Goal("  at 2,000 messages a second, p99", 15),
    "10000-p50": Goal("  at 10,000 messages a second, p50", 2),
    "10000-p99": Goal("  at 10,000 messages a second, p99", 20),
    "10000-rate": Goal("  messages a second taken of those 10,000"),
    "bytes-20": Goal("bytes to the terminal per message, 20/s", 300),
    "bytes-500": Goal("  500/s", 100),
    "idle-cpu": Goal("processor time when idle, ms per second", 0.05),
    "loss-shown": Goal("loss of the server shown after, ms", 100),
    "back": Goal(f"back after {OUTAGE:.0f} s of outage, s", 3),
}


def report(results: Mapping[str, Any]) -> str:
    """The figures side by side, and the goals of ours; below, how fast the machine was."""
    figures: Mapping[str, Mapping[str, float]] = results["figures"]
    versions = results["versions"]
    lines = [
        f"{f'a terminal of {COLUMNS} by {ROWS}':44}" + "".join(f"{name:>11}" for name in figures),
        f"{'':44}" + "".join(f"{versions.get(name, ''):>11}" for name in figures) + f"{'goal':>7}",
    ]
    for name, goal in GOALS.items():
        values = "".join(_cell(found.get(name)) for found in figures.values())
        ours = figures.get(PROGRAMS[0].name, {}).get(name, 0)
        above = " above" if goal.wanted is not None and ours > goal.wanted else ""
        wanted = "" if goal.wanted is None else f"{goal.wanted:7g}"
        lines.append(f"{goal.what:44}{values}{wanted}{above}")
    began = ", ".join(f"{name} {value:.0f} ms" for name, value in results["beginnings"].items())
    return "\n".join(
        [*lines, f"-: never, or not within {BACK_PATIENCE:.0f} s", f"Python alone: {began}", ""]
    )


def _cell(value: float | None) -> str:
    return f"{'-':>11}" if value is None else f"{value:11.3g}" if value < 1000 else f"{value:11.0f}"
