"""When each fault happens: first one by one, then at random and together; all from one seed."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chat.soak import trace
from chat.soak.faults import Fault
from chat.soak.settings import Settings
from chat.soak.world import World

__all__ = ["BACK_SECONDS", "Schedule", "seconds_late"]

CALM_SECONDS: Final = 2.0
"""Time after a fault and its recovery before the next one."""

BACK_SECONDS: Final = 10.0
"""Service is back this long after a fault's end, or a promise is broken."""

GIVE_UP_SECONDS: Final = 40.0


class Schedule:
    """Lets faults happen in one world until its time is over.

    :param settings: how long faults may last, and what comes after them.
    :param progress: gets a line after each fault.
    :ivar back: for each sort of fault, the seconds after each until every server served again.
    """

    _log = Logger()

    def __init__(
        self,
        world: World,
        faults: Sequence[Fault],
        settings: Settings,
        until: float,
        progress: Callable[[str], None],
    ) -> None:
        self._progress = progress
        self._world = world
        self._faults = list(faults)
        self._longest = settings.longest
        self._late_after = settings.back
        self._until = until
        self._random = random.Random(world.random.random())
        self._under_way: set[Fault] = set()
        self._last_end = 0.0
        self.back: dict[str, list[float]] = {fault.name: [] for fault in faults}
        self.problems: list[str] = []

    async def run(self) -> None:
        """Each fault alone, however long that takes; then pairs that touch different things."""
        rounds = 0
        while self._faults and not self._over:
            rounds += 1
            order = list(self._faults)
            self._random.shuffle(order)
            while order and (rounds == 1 or not self._over):
                await self._together(self._take(order, 1 if rounds == 1 else 2))

    @property
    def _over(self) -> bool:
        return self._world.record.now() >= self._until

    def _take(self, order: list[Fault], most: int) -> list[Fault]:
        """The next fault, and others that can happen at the same time."""
        chosen = [order.pop()]
        for fault in list(order):
            if len(chosen) >= most:
                break
            if not any(fault.touches & other.touches for other in chosen):
                order.remove(fault)
                chosen.append(fault)
        return chosen

    async def _together(self, faults: list[Fault]) -> None:
        world = self._world
        world.calm = False
        await DeferredList([Deferred.fromCoroutine(self._one(fault)) for fault in faults])
        await deferLater(world.reactor, CALM_SECONDS / 2)
        world.calm = True
        await deferLater(world.reactor, CALM_SECONDS / 2)

    async def _one(self, fault: Fault) -> None:
        world, record = self._world, self._world.record
        longest = self._longest * fault.share
        seconds = self._random.uniform(min(1.0, longest), longest)
        record(trace.Fault(record.now(), world.name, fault.name, True, fault.lossy_since()))
        self._under_way.add(fault)
        try:
            await fault.happen(self._random, seconds)
        except Exception as error:
            self._log.failure("the fault {name} went wrong", name=fault.name)
            self.problems.append(f"{world.name}: {fault.name} could not be injected: {error!r}")
        self._under_way.discard(fault)
        ended = self._last_end = record.now()
        record(trace.Fault(ended, world.name, fault.name, False, fault.lossy_since()))
        await self._back(fault, ended)

    async def _back(self, fault: Fault, ended: float) -> None:
        """Wait until every server accepts messages that were sent after ``ended``."""
        world = self._world
        accepted = world.figures.last_accepted

        def silent() -> list[str]:
            names = [server.name for server in world.servers]
            return [name for name in names if accepted.get(name, 0.0) <= ended]

        await world.until(lambda: not silent() or self._late(ended) > GIVE_UP_SECONDS)
        seconds = self._late(ended)
        line = f"{world.name} {fault.name}: over at {ended:.1f} s, back {seconds:.1f} s later"
        self._progress(line)
        self.back[fault.name].append(round(seconds, 2))
        if seconds > self._late_after:
            self.problems.append(f"{line}; not at all: {silent()}" if silent() else line)

    def _late(self, ended: float) -> float:
        others = math.inf if self._under_way else self._last_end
        return seconds_late(self._world.record.now(), ended, others)


def seconds_late(now: float, ended: float, others: float) -> float:
    """How late service is back after a fault that ``ended``.

    If the service was not back in time, the seconds count from the end of the last fault beside it:
    the end of one fault can't be seen while another lasts.

    :param others: when that fault ended; infinite while one lasts.
    """
    if now - ended <= BACK_SECONDS:
        return now - ended
    return max(0.0, now - max(ended, others))
