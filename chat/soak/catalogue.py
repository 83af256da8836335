"""Which faults and worlds there are, and which faults can happen in which world."""

from pathlib import Path
from typing import Any, Final

from chat.soak import faults, trace
from chat.soak.faults import Fault
from chat.soak.watched import FAILOVERS, WatchedWorld
from chat.soak.workers import WORKER_FAULTS, WorkersWorld
from chat.soak.world import Plan, World

__all__ = ["ALL", "WORLDS", "faults_for", "world_for"]

ALL: Final[tuple[type[Fault], ...]] = (*faults.ALL, *FAILOVERS, *WORKER_FAULTS)

KINDS: Final[dict[str, type[World]]] = {
    "external": World,
    "embedded": World,
    "workers": WorkersWorld,
    "watched": WatchedWorld,
    "replicated": WatchedWorld,
}
WORLDS: Final = tuple(KINDS)


def world_for(reactor: Any, home: Path, plan: Plan, record: trace.Recorder, seed: int) -> World:
    """The world that a plan asks for, not started yet."""
    return KINDS[plan.kind](reactor, home, plan, record, seed)


def faults_for(world: World, names: frozenset[str]) -> list[Fault]:
    """The faults of these names that can happen in a world that has started."""
    return [each(world) for each in ALL if each.name in names and world.plan.kind in each.where]
