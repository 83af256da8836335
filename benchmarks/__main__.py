"""The command ``python -m benchmarks``: starts servers and load, prints tables, writes JSON."""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Missing, check_cores, describe
from benchmarks.report import report
from benchmarks.runner import raise_open_files, run
from benchmarks.scenarios import Scenario, full, quick
from benchmarks.servers import OPTIONS, PEERS, Chatroom, Program

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit status."""
    wanted = _parser().parse_args(arguments)
    scenarios = [
        each for each in (quick() if wanted.quick else full()) if re.search(wanted.only, each.name)
    ]
    if wanted.list:
        print("\n".join(each.name for each in scenarios))
        return 0
    if wanted.show:
        print(report(json.loads(wanted.show.read_text())))
        return 0
    try:
        check_cores()
    except Missing as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    results = _measure(scenarios, wanted)
    print(report(results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short: about a minute")
    parser.add_argument("--only", default="", metavar="REGEX", help="scenarios whose name matches")
    parser.add_argument("--no-peers", action="store_true", help="leave ngircd and inspircd out")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, for their median")
    parser.add_argument("--name", default="", help="of the file in benchmarks/results")
    parser.add_argument("--list", action="store_true", help="name the scenarios and leave")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print the tables of a JSON file")
    return parser


def _measure(scenarios: Sequence[Scenario], wanted: argparse.Namespace) -> dict[str, Any]:
    """Run everything, and write what is known after each run."""
    raise_open_files()
    left_out: list[str] = []
    versions = _versions(left_out, peers=not wanted.no_peers)
    results: dict[str, Any] = {
        "machine": describe(),
        "versions": versions,
        "options": dict(OPTIONS),
        "quick": wanted.quick,
        "runs": [],
        "left_out": left_out,
    }
    target = RESULTS / f"{wanted.name or time.strftime('%Y-%m-%d-%H%M%S')}.json"
    target.parent.mkdir(exist_ok=True)
    print("options:", " ".join(f"--{name} {value}" for name, value in OPTIONS.items()))
    for scenario in scenarios:
        for program in scenario.programs:
            if program in PEERS and program.name not in versions:
                continue
            for _ in range(wanted.repeat):
                _run_one(scenario, program, results)
                target.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {target}\n")
    return results


def _run_one(scenario: Scenario, program: type[Program], results: dict[str, Any]) -> None:
    print(f"{scenario.name:20} {program.name:22}", end=" ", flush=True)
    started = time.monotonic()
    try:
        results["runs"].append(run(scenario, program))
        print(f"{time.monotonic() - started:5.1f} s", flush=True)
    except Missing as error:
        results["left_out"].append(f"{scenario.name}, {program.name}: {error}")
        print(f"left out: {error}", flush=True)


def _versions(left_out: list[str], *, peers: bool) -> dict[str, str]:
    """Who takes part, and in which version."""
    found = {Chatroom.name: Chatroom.version()}
    for program in PEERS if peers else ():
        try:
            found[program.name] = program.version()
        except Missing as error:
            left_out.append(str(error))
    return found


if __name__ == "__main__":
    sys.exit(main())
