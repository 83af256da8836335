"""One run: worlds are built, talk, are broken, settle, and are judged."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from chat.soak import report, trace
from chat.soak.catalogue import faults_for, world_for
from chat.soak.ending import finish
from chat.soak.judge import Judge
from chat.soak.schedule import Schedule
from chat.soak.settings import Settings
from chat.soak.world import Plan, World

__all__ = ["run"]

MEMORY_SECONDS: Final = 5.0
EMBEDDED_SHARE: Final = 0.34


async def run(reactor: Any, settings: Settings) -> int:
    """Run a soak, and print how it ended.

    :returns: 0 when every promise was kept, else 1.
    """
    home = Path(tempfile.mkdtemp(prefix="soak", dir="/tmp"))
    began = reactor.seconds()
    record = trace.Recorder(home / "trace.jsonl", lambda: round(reactor.seconds() - began, 4))
    court = Judge()
    record.listeners.append(court.take)
    worlds = [
        world_for(reactor, home / plan.name, plan, record, settings.seed)
        for plan in _plans(settings)
    ]
    memory: dict[str, list[int]] = {}
    watching = LoopingCall(_measure, worlds, memory)
    watching.clock = reactor
    problems: list[str] = []
    schedules: list[Schedule] = []
    try:
        await _all([world.start() for world in worlds])
        watching.start(MEMORY_SECONDS)
        schedules = await _load(settings, worlds)
        for schedule in schedules:
            problems += schedule.problems
        for found in await _all([finish(world) for world in worlds]):
            problems += found
    finally:
        if watching.running:
            watching.stop()
        await _all([world.stop() for world in worlds])
        record.close()
    for world in worlds:
        problems += world.problems
        for server in world.servers:
            problems += [f"{server.name} logged: {line}" for line in server.crashes()[:3]]
    violations = court.finish()
    result = report.Result.of(settings, worlds, schedules, memory, record, violations, problems)
    _tell(settings, result, record, violations, home)
    return 0 if result.clean else 1


def _plans(settings: Settings) -> list[Plan]:
    """The worlds of a run, each with its share of users and load."""
    plans = []
    for kind in settings.worlds:
        alone = kind in ("embedded", "workers")
        share = _share(kind, settings.worlds)
        users = max(3, round(settings.users * share))
        servers = 1 if alone else settings.servers
        plans.append(Plan(kind[:2], servers, users, settings.rate * share, kind))
    return plans


def _share(kind: str, kinds: tuple[str, ...]) -> float:
    """A world's part of users and load: the embedded one's is fixed, the others' are equal."""
    if len(kinds) == 1:
        return 1.0
    if kind == "embedded":
        return EMBEDDED_SHARE
    rest = 1 - EMBEDDED_SHARE if "embedded" in kinds else 1.0
    return rest / sum(each != "embedded" for each in kinds)


async def _load(settings: Settings, worlds: list[World]) -> list[Schedule]:
    """Let everybody talk, and faults happen, for as long as the run lasts."""
    schedules = []
    for world in worlds:
        until = world.record.now() + settings.seconds
        faults = faults_for(world, settings.faults)
        schedules.append(Schedule(world, faults, settings, until, _progress))
        world.talk(True)
    end: Deferred[None] = deferLater(worlds[0].reactor, settings.seconds)
    await _all([schedule.run() for schedule in schedules])
    await end
    return schedules


async def _all(works: list[Any]) -> list[Any]:
    return list(await gatherResults([Deferred.fromCoroutine(work) for work in works]))


def _progress(line: str) -> None:
    print(line, flush=True)


def _measure(worlds: list[World], memory: dict[str, list[int]]) -> None:
    for world in worlds:
        for server in world.servers:
            memory.setdefault(server.name, []).append(server.memory())


def _tell(
    settings: Settings,
    result: "report.Result",
    record: trace.Recorder,
    violations: list[Any],
    home: Path,
) -> None:
    print(report.summary(result), flush=True)
    if violations:
        print(report.story(violations[0], record.path), flush=True)
    if settings.result is not None:
        document = msgspec.json.format(msgspec.json.encode(result), indent=2)
        settings.result.write_bytes(document + b"\n")
    if settings.keep is not None:
        shutil.copytree(home, settings.keep, dirs_exist_ok=True, ignore=_no_sockets)
    shutil.rmtree(home, ignore_errors=True)


def _no_sockets(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if Path(directory, name).is_socket()}
