"""The command ``python -m benchmarks.screen``: terminal clients timed before a talkative server."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Missing, describe, free_port
from benchmarks.screen.figures import BACK_PATIENCE, MANY, OUTAGE, Figures, Server
from benchmarks.screen.programs import PROGRAMS, Program
from benchmarks.screen.typist import COLUMNS, ROWS, percentile

__all__ = ["main"]

RESULTS: Final = Path(__file__).parent.parent / "results"


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


def beginnings() -> dict[str, float]:
    """Milliseconds that Python takes by itself, and with what every screen of ours needs: how fast
    the machine is just now."""
    found = {}
    for name, code in (
        ("pass", "pass"),
        ("urwid", "import urwid"),
        ("reactor", "import urwid; from twisted.internet import reactor"),
    ):
        times = []
        for _ in range(5):
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(1000 * (time.monotonic() - began))
        found[name] = percentile(times, 0.5)
    return found


def measured(kind: type[Program], seconds: float) -> dict[str, float]:
    """The figures of one program.

    :raises Missing: it does not do what it should.
    """
    home = Path(tempfile.mkdtemp(prefix="screen-", dir="/tmp"))
    port = free_port()
    server = Server(kind.kind, port)
    try:
        return Figures(kind(home, port), server, seconds).measure()
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)


def version_of(kind: type[Program]) -> str:
    """What the program says it is."""
    if kind is PROGRAMS[0]:
        return "here"
    said = subprocess.run([kind.name, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", said.stdout)
    return found[0] if found else ""


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """The figures side by side, and the goals of ours."""
    lines = [f"{'':44}" + "".join(f"{name:>12}" for name in figures) + f"{'goal':>8}"]
    for name, goal in GOALS.items():
        values = "".join(_cell(found.get(name)) for found in figures.values())
        ours = figures.get(PROGRAMS[0].name, {}).get(name, 0)
        above = "  above" if goal.wanted is not None and ours > goal.wanted else ""
        wanted = "" if goal.wanted is None else f"{goal.wanted:8g}"
        lines.append(f"{goal.what:44}{values}{wanted}{above}")
    return "\n".join([*lines, f"-: never, or not within {BACK_PATIENCE:.0f} s"])


def _cell(value: float | None) -> str:
    return f"{'-':>12}" if value is None else f"{value:12.3g}" if value < 1000 else f"{value:12.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screen", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each of the measurements")
    parser.add_argument("--only", default=".", help="programs, by a regular expression")
    parser.add_argument("--name", default="", help="of the file in benchmarks/results")
    wanted = parser.parse_args(arguments)
    results: dict[str, Any] = {"machine": describe(), "seconds": wanted.seconds}
    results["beginnings"] = beginnings()
    figures: dict[str, dict[str, float]] = {}
    results["versions"], results["figures"] = {}, figures
    for kind in PROGRAMS:
        if not re.search(wanted.only, kind.name) or not kind.there():
            continue
        print(f"{kind.name} …", file=sys.stderr, flush=True)
        try:
            figures[kind.name] = measured(kind, wanted.seconds)
            results["versions"][kind.name] = version_of(kind)
        except Missing as error:
            print(f"benchmarks.screen: {kind.name}: {error}", file=sys.stderr)
    print(f"a terminal of {COLUMNS} by {ROWS}\n{table(figures)}")
    print("python alone:", ", ".join(f"{k} {v:.0f} ms" for k, v in results["beginnings"].items()))
    if wanted.name:
        target = RESULTS / f"{wanted.name}.json"
        target.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if PROGRAMS[0].name in figures or wanted.only != "." else 1


if __name__ == "__main__":
    sys.exit(main())
