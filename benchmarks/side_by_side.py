"""``python -m benchmarks.side_by_side``: one, two and four servers on one store, as ratios.

All of them and the load share this machine's cores, whichever are free: with two cores, two servers
can't have one each beside the store and the load, and where others work too, several processes get
more of the machine than one. So the processor time that a message costs stands beside what came
through, and what that leaves possible where each server and the store have a core of their own.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.__main__ import RESULTS
from benchmarks.machine import Missing, describe, on
from benchmarks.runner import raise_open_files, run
from benchmarks.scenarios import Scenario, full
from benchmarks.servers import OPTIONS, Chatroom, Program

__all__ = ["FIGURES", "Several", "main", "report"]

FIGURES: Final = RESULTS / "side-by-side.json"
"""Those that the documentation shows."""

COUNTS: Final = (1, 2, 4)
ROUNDS: Final = 3
NAMES: Final = ("light", "private-8", "fan-out-500-8")
"""A few messages a second, for latency; as many as go through, in private and in a large room."""


class Several(Chatroom):
    """``--workers``: so many servers behind one port, with the store that they bring."""

    count = 1

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__({**(options or {}), "workers": str(self.count)})

    def command(self) -> list[str]:
        cores = ",".join(map(str, range(os.cpu_count() or 1)))
        return ["taskset", "-c", cores, *super().command()]

    def answers(self) -> bool:
        if not super().answers():
            return False
        workers = self._workers()
        self.pids += workers
        return len(workers) == (self.count if self.count > 1 else 0)

    def _workers(self) -> list[int]:
        parent = self.pids[0]
        found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(each) for each in found if int(each) not in self.pids]


class TwoServers(Several):
    """Two of them."""

    name = "2 servers"
    count = 2


class FourServers(Several):
    """Four of them."""

    name = "4 servers"
    count = 4


PROGRAMS: Final[tuple[type[Program], ...]] = (Several, TwoServers, FourServers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write what came of it; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.side_by_side", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of everything, for medians")
    parser.add_argument("--seconds", type=float, default=3.0, help="that each run is measured")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print a table of earlier runs")
    parser.add_argument("--name", default="side-by-side", help="of the file in benchmarks/results")
    wanted = parser.parse_args(arguments)
    if wanted.show:
        print(report(json.loads(wanted.show.read_text())))
        return 0
    raise_open_files()
    scenarios = [_lasting(each, wanted.seconds) for each in full() if each.name in NAMES]
    result: dict[str, Any] = {"machine": describe(), "options": dict(OPTIONS), "runs": []}
    target = RESULTS / f"{wanted.name}.json"
    for scenario, program in [(s, p) for s in scenarios for p in PROGRAMS] * wanted.rounds:
        try:
            result["runs"].append(run(scenario, program))
        except Missing as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
        target.write_text(json.dumps(result, indent=1) + "\n")
    print(report(result))
    return 0


def report(measured: Mapping[str, Any]) -> str:
    """The table: medians of all rounds, and what they are to those of one server."""
    runs = measured["runs"]
    lines = [
        "                          told           CPU us for each      with a core each",
        "what           servers  a second  ratio  servers  store    a second  ratio   p50 ms   p99",
    ]
    for name in NAMES:
        alone: tuple[float, float] | None = None
        for count in COUNTS:
            found = [_figures(run["result"]) for run in runs if _is_of(run, name, count)]
            rate, ours, store, p50, p99 = map(statistics.median, zip(*found, strict=True))
            possible = 1e6 * min(count / ours, 1 / store)
            alone = alone or (rate, possible)
            lines.append(
                f"{name:<15}{count:>7}{rate:>10.0f}{rate / alone[0]:>7.2f}{ours:>9.2f}{store:>7.2f}"
                f"{possible:>12.0f}{possible / alone[1]:>7.2f}{p50:>9.1f}{p99:>6.0f}"
            )
    return "\n".join([*lines, "", on(measured["machine"])])


def _is_of(run: Mapping[str, Any], name: str, count: int) -> bool:
    return bool(run["scenario"] == name and run["options"]["workers"] == str(count))


def _figures(result: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    """Messages told to somebody a second; processor time of the servers and of the store for each,
    in us; half of the times that a message took, and 99 of 100, in ms."""
    told, seconds = result["told"], result["seconds"]
    first, store, *others = (each * 1e6 / told for each in result["cpu"])
    return told / seconds, first + sum(others), store, result["p50_ms"], result["p99_ms"]


def _lasting(scenario: Scenario, seconds: float) -> Scenario:
    return replace(scenario, words={**scenario.words, "seconds": seconds})


if __name__ == "__main__":
    sys.exit(main())
