"""The command ``python -m benchmarks.screen``: terminal clients timed before a talkative server."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Missing, describe, free_port
from benchmarks.screen.figures import Figures, Server
from benchmarks.screen.programs import PROGRAMS, Program
from benchmarks.screen.report import FIGURES, report
from benchmarks.screen.typist import percentile

__all__ = ["main"]

BEGINNINGS: Final = {
    "nothing": "pass",
    "urwid": "import urwid",
    "urwid and Twisted's reactor": "import urwid; from twisted.internet import reactor",
}


def beginnings() -> dict[str, float]:
    """Milliseconds that Python takes for next to nothing, and for what every screen on these
    libraries needs: how fast the machine is just now."""
    found = {}
    for name, code in BEGINNINGS.items():
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
    print(report(results))
    if wanted.name:
        target = FIGURES.with_name(f"{wanted.name}.json")
        target.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if PROGRAMS[0].name in figures or wanted.only != "." else 1


if __name__ == "__main__":
    sys.exit(main())
