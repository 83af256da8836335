"""A world whose one server is several processes, and what can happen to them."""

import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from chat.soak.faults import Fault, signal_process
from chat.soak.world import World

__all__ = ["WORKER_FAULTS", "WorkersWorld"]

COUNT: Final = 3
BACK_SECONDS: Final = 20.0


class WorkersWorld(World):
    """A server with ``--workers`` and the store that it brings."""

    async def add_server(self, number: int) -> None:
        await super().add_server(number)
        self.servers[-1].options["workers"] = str(COUNT)

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        child = self.servers[0].child
        found = []
        with suppress(OSError):
            pid = child.pid if child is not None else 0
            for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                if b"chat.server.workers.worker" in Path(f"/proc/{each}/cmdline").read_bytes():
                    found.append(int(each))
        return found


class WorkerKilled(Fault):
    """``kill -9`` of one worker, which is brought back; the others go on."""

    name: ClassVar[str] = "worker-kill"
    where = frozenset({"workers"})
    touches = frozenset({"server"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        world = self.world
        assert isinstance(world, WorkersWorld)
        signal_process(chance.choice(world.workers()), signal.SIGKILL)
        await self.wait(min(seconds, 1.0))
        if not await world.until(lambda: len(world.workers()) == COUNT, BACK_SECONDS):
            raise RuntimeError("the worker was not brought back")


WORKER_FAULTS: Final[tuple[type[Fault], ...]] = (WorkerKilled,)
