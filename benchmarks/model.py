"""The command ``python -m benchmarks.model``: what an installation of a size needs, in a table.

The table is made of measured costs, which stand in ``results/costs.json``. ``--measure`` measures
them again, and then predicts a run of another kind, which they were not taken from, and makes it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from benchmarks.costs import OPTIONS, ROUNDS, SERVERS, Laboratory
from benchmarks.deployment import Deployment
from benchmarks.machine import Missing, describe
from benchmarks.needs import COSTS, needs, said
from benchmarks.proof import Life
from benchmarks.runner import raise_open_files

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, after measuring if that was asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure again, three minutes")
    parser.add_argument("--file", type=Path, default=COSTS, help="where the costs are kept")
    wanted = parser.parse_args(arguments)
    if wanted.measure:
        try:
            _measure(wanted.file)
        except Missing as error:
            print(f"model: {error}", file=sys.stderr)
            return 1
    print(said(json.loads(wanted.file.read_text())))
    return 0


def _measure(file: Path) -> None:
    raise_open_files()
    found: dict[str, Any] = {"machine": describe()}
    with Deployment(SERVERS, OPTIONS) as deployment:
        try:
            react(lambda reactor: Deferred.fromCoroutine(_find(reactor, deployment, found)))
        except SystemExit as end:
            if end.code:
                raise Missing("the run broke off") from None
    file.write_text(json.dumps(found, indent=1) + "\n")


async def _find(reactor: Any, deployment: Deployment, found: dict[str, Any]) -> None:
    laboratory = Laboratory(reactor, deployment)
    life = Life(laboratory)
    await laboratory.prepare()
    await life.prepare()
    rounds = []
    for _ in range(ROUNDS):
        rounds.append(await laboratory.round())
        await life.round()
    costs = laboratory.costs(rounds)
    # What idling takes is subtracted from what was measured.
    at_work = {name: 0.0 if "idle" in name else it for name, it in costs.items()}
    predicted = needs(at_work, life.load)
    found["costs"] = {name: round(value, 1) for name, value in costs.items()}
    found["load"] = vars(life.load)
    found["proof"] = {
        "cores busy in servers": [predicted.servers, life.servers / life.seconds],
        "cores busy in the store": [predicted.store, life.store / life.seconds],
    }


if __name__ == "__main__":
    sys.exit(main())
