"""A world whose store has a replica and three Sentinels, and what can happen to it."""

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from twisted.internet.task import deferLater

from chat.soak.faults import Fault
from chat.soak.processes import Child, Server, free_ports, spawn
from chat.soak.sentinels import Sentinels, said
from chat.soak.world import World
from chat.store.embedded.valkey import find_program

__all__ = ["FAILOVERS", "StoreGroup", "WatchedWorld"]

DOWN_MILLISECONDS: Final = 2500
"""Silence after which a Sentinel thinks that the store is down: more than a busy machine takes."""

FAILOVER_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05
BEHIND_SECONDS: Final = 1.0
"""How far a replica may be behind."""

NOTHING_ACCEPTED: Final = 1e9
"""In place of the time since which what was accepted may be gone: epochs change, nothing goes."""


class _Member:
    """One of the two stores."""

    def __init__(self, reactor: Any, home: Path, number: int, port: int) -> None:
        self._reactor = reactor
        self.port = port
        self._home = home / f"store{number}"
        self._home.mkdir()
        self.path = str(self._home / "socket")
        self.child: Child | None = None

    def start(self, options: list[str]) -> None:
        """Start it, and do not wait."""
        self.child = Child(self._home / "out")
        words = [find_program(), "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--unixsocket", self.path, "--dir", str(self._home), "--save", ""]
        words += ["--appendonly", "yes", "--logfile", str(self._home / "log")]
        words += ["--client-output-buffer-limit", "pubsub 256mb 64mb 60"]
        words += ["--repl-diskless-sync-delay", "0", *options]
        spawn(self._reactor, self.child, words, self._home)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.child is not None:
            self.child.signal(number)

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            await self.child.ended()

    def says(self, *words: str) -> Any:
        """Its answer, None when there is none."""
        return said(self.path, *words)

    def is_master(self) -> bool:
        """Whether it believes to be the master."""
        role = self.says("ROLE")
        return bool(role) and role[0] == b"master"

    def is_in_step(self) -> bool:
        """Whether it is a replica that has everything its master has."""
        return b"master_link_status:up" in (self.says("INFO", "replication") or b"")


class StoreGroup:
    """Two stores, one the replica of the other, and three Sentinels.

    :param options: for both stores.
    """

    def __init__(self, reactor: Any, home: Path, options: list[str]) -> None:
        self._reactor = reactor
        self._home = home
        self._options = options
        first, second, *ports = free_ports(5)
        self.master = _Member(reactor, home, 0, first)
        self._members = (self.master, _Member(reactor, home, 1, second))
        self.sentinels = Sentinels(home, ports, DOWN_MILLISECONDS)
        self._watchers: list[Child] = []

    @property
    def replica(self) -> _Member:
        """The one that is not the master."""
        return next(each for each in self._members if each is not self.master)

    async def start(self) -> None:
        """Start all, and wait until the Sentinels know what there is to know.

        :raises RuntimeError: that takes too long.
        """
        self.master.start(self._options)
        await self._until(self.master.is_master)
        await self.add_replica()
        for number, command in enumerate(self.sentinels.commands(self.master.port)):
            watcher = Child(self._home / f"sentinel{number}.out")
            spawn(self._reactor, watcher, command, self._home)
            self._watchers.append(watcher)
        await self._until(self.sentinels.hurry)
        await self._until(self.sentinels.know_all)

    async def add_replica(self) -> None:
        """Start the other one as the master's replica, and wait until it is in step."""
        follow = ["--replicaof", "127.0.0.1", str(self.master.port)]
        self.replica.start([*self._options, *follow])
        await self._until(self.replica.is_in_step)

    async def taken_over(self) -> None:
        """Wait until the Sentinels have made the replica the master."""
        new = self.replica
        await self._until(lambda: self.sentinels.master_port() == new.port and new.is_master())
        self.master = new

    async def follow(self) -> None:
        """Make an old master that lives a replica (Sentinels take ten seconds), and wait."""
        self.replica.says("REPLICAOF", "127.0.0.1", str(self.master.port))
        await self._until(self.replica.is_in_step)

    async def stop(self) -> None:
        """End all."""
        for watcher in self._watchers:
            watcher.signal(signal.SIGKILL)
            await watcher.ended()
        for member in self._members:
            await member.kill()

    async def _until(self, done: Callable[[], bool]) -> None:
        give_up = self._reactor.seconds() + FAILOVER_SECONDS
        while not done():
            if self._reactor.seconds() > give_up:
                raise RuntimeError(f"the stores do not come to rest: see {self._home}")
            await deferLater(self._reactor, LOOK_SECONDS)


class WatchedWorld(World):
    """Servers that find their store through Sentinels."""

    async def start_store(self) -> None:
        replicated = self.plan.kind == "replicated"
        options = ["--min-replicas-to-write", "1"] if replicated else []
        self.group = StoreGroup(self.reactor, self.home, options)
        await self.group.start()
        self._server_options = {"store": self.group.sentinels.url}
        if replicated:
            self._server_options["durability"] = "replicated"

    async def add_server(self, number: int) -> None:
        name = f"{self.name}{number + 1}"
        self.servers.append(Server(self.reactor, self.home, name, self._server_options))

    async def stop(self) -> None:
        await super().stop()
        await self.group.stop()


class _Failover(Fault):
    """The Sentinels make the replica the master."""

    where = frozenset({"watched", "replicated"})
    touches = frozenset({"store"})

    def __init__(self, world: World) -> None:
        super().__init__(world)
        assert isinstance(world, WatchedWorld)
        self.group = world.group
        self._since = 0.0

    def lossy_since(self) -> float:
        if self.world.plan.kind == "replicated":
            return NOTHING_ACCEPTED
        return max(0.0, self.world.record.now() - BEHIND_SECONDS)


class MasterKilled(_Failover):
    """``kill -9`` of the master, which comes back as a replica."""

    name: ClassVar[str] = "failover"

    async def happen(self, chance: random.Random, seconds: float) -> None:
        await self.group.master.kill()
        await self.group.taken_over()
        await self.wait(min(seconds, 2.0))
        await self.group.add_replica()


class MasterStopped(_Failover):
    """SIGSTOP of the master until there is another one, then SIGCONT: for a while there are two."""

    name: ClassVar[str] = "failover-stop"

    async def happen(self, chance: random.Random, seconds: float) -> None:
        old = self.group.master
        old.signal(signal.SIGSTOP)
        await self.group.taken_over()
        old.signal(signal.SIGCONT)
        await self.wait(min(seconds, 2.0))
        await self.group.follow()


class ReplicaBehind(_Failover):
    """A replica that has missed the last seconds takes over: what only the master had is lost."""

    name: ClassVar[str] = "failover-late"

    async def happen(self, chance: random.Random, seconds: float) -> None:
        master, replica = self.group.master, self.group.replica
        replica.signal(signal.SIGSTOP)
        # What has been sent to it would still be read; from here on nothing is sent.
        master.says("CLIENT", "KILL", "TYPE", "replica")
        await self.wait(min(seconds, 2.0))
        await master.kill()
        replica.signal(signal.SIGCONT)
        await self.group.taken_over()
        await self.group.add_replica()


FAILOVERS: Final[tuple[type[Fault], ...]] = (MasterKilled, MasterStopped, ReplicaBehind)
