"""The faults, one class each: it causes the fault, lets it last, and ends it."""

import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import ClassVar, Final

from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from chat.soak import trace
from chat.soak.processes import (
    Server,
    ask,
    copy_directory,
    limit_files,
    newest_file,
)
from chat.soak.proxy import Sort, Trouble
from chat.soak.world import World

__all__ = ["ALL", "Fault"]


EVERYWHERE: Final = frozenset({"external", "embedded", "workers", "watched", "replicated"})


class Fault:
    """Something that goes wrong.

    :cvar name: its name on the command line.
    :cvar where: the kinds of worlds in which it can happen.
    :cvar share: how much of the longest time for a fault this one may last.
    :ivar touches: what no other fault may touch at the same time.
    """

    name: ClassVar[str]
    where: ClassVar[frozenset[str]] = frozenset({"external", "embedded", "workers"})
    touches: frozenset[str] = frozenset()
    share: ClassVar[float] = 0.4

    def __init__(self, world: World) -> None:
        self.world = world

    async def happen(self, chance: random.Random, seconds: float) -> None:
        """Cause it for about ``seconds``; returns when everything is as it should be again."""
        raise NotImplementedError

    def lossy_since(self) -> float:
        """Since when accepted messages may be lost; below 0 when none may be."""
        return -1.0

    async def wait(self, seconds: float) -> None:
        """Let it last."""
        await deferLater(self.world.reactor, seconds)

    def store_pid(self) -> int:
        """The process id of the world's store."""
        world = self.world
        if world.store is not None:
            return world.store.pid
        return int((world.data / "store.pid").read_text())

    def store_socket(self) -> str:
        """Where the world's store listens."""
        world = self.world
        return world.store.path if world.store is not None else str(world.data / "store.sock")

    def append_only(self) -> Path:
        """The directory of the store's append-only files."""
        world = self.world
        return world.store.append_only if world.store is not None else world.data / "appendonlydir"


class ServerKilled(Fault):
    """``kill -9`` of a server, which comes back."""

    name = "server-kill"
    where = EVERYWHERE
    touches = frozenset({"server", "store-of-server"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        server = chance.choice(self.world.servers)
        await server.kill()
        await self.wait(min(seconds, 2.0))
        await start(server)


class ServerRestarted(Fault):
    """SIGTERM, one server after the other, and each comes back: a rolling restart."""

    name = "server-restart"
    where = EVERYWHERE
    touches = frozenset({"server", "store-of-server"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        for server in self.world.servers:
            code = await server.stop()
            if code not in (0, -signal.SIGTERM):  # twistd dies of the signal when it is done
                raise RuntimeError(f"{server.name} ended with {code} after SIGTERM")
            await start(server)


class ServerStopped(Fault):
    """SIGSTOP of a server, and SIGCONT."""

    name = "server-stop"
    where = EVERYWHERE
    share = 1.0
    touches = frozenset({"server"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        server = chance.choice(self.world.servers)
        assert server.child is not None
        server.child.signal(signal.SIGSTOP)
        await self.wait(seconds)
        server.child.signal(signal.SIGCONT)


class StoreKilled(Fault):
    """``kill -9`` of the store; an embedded one is brought back by its server."""

    name = "store-kill"
    touches = frozenset({"store"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        store = self.world.store
        if store is None:
            signal_process(self.store_pid(), signal.SIGKILL)
            return
        await store.kill()
        await self.wait(min(seconds, 3.0))
        await store.start()


class StoreStopped(Fault):
    """SIGSTOP of the store, and SIGCONT."""

    name = "store-stop"
    share = 1.0
    touches = frozenset({"store"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        pid = self.store_pid()
        signal_process(pid, signal.SIGSTOP)
        await self.wait(seconds)
        signal_process(pid, signal.SIGCONT)


class _Linked(Fault):
    """A disturbance between a server and its store."""

    where = frozenset({"external"})
    sort: ClassVar[Sort]
    trouble: ClassVar[Trouble]

    async def happen(self, chance: random.Random, seconds: float) -> None:
        proxy = chance.choice(self.world.proxies)
        proxy.set(self.sort, self.trouble)
        await self.wait(seconds)
        proxy.set(self.sort, "")


class CommandsCut(_Linked):
    """The connection for commands is cut, and new ones too."""

    name = "commands-cut"
    sort, trouble = "commands", "cut"
    touches = frozenset({"commands"})


class CommandsSwallowed(_Linked):
    """Every byte on the connection for commands vanishes."""

    name = "commands-hole"
    sort, trouble = "commands", "hole"
    touches = frozenset({"commands"})


class BusCut(_Linked):
    """The connection for pub/sub is cut, and new ones too."""

    name = "bus-cut"
    sort, trouble = "bus", "cut"
    touches = frozenset({"bus"})


class BusSwallowed(_Linked):
    """Every byte on the connection for pub/sub vanishes."""

    name = "bus-hole"
    sort, trouble = "bus", "hole"
    touches = frozenset({"bus"})


class BusOverflown(Fault):
    """A server does not read the bus, and the store disconnects it when its buffer is full."""

    name = "bus-overflow"
    where = frozenset({"external"})
    touches = frozenset({"bus", "store"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        proxy = chance.choice(self.world.proxies)
        limit = ("CONFIG", "SET", "client-output-buffer-limit")
        ask(self.store_socket(), *limit, "pubsub 16kb 8kb 1")
        proxy.set("bus", "clog")
        await self.wait(seconds)
        proxy.set("bus", "")
        ask(self.store_socket(), *limit, "pubsub 256mb 64mb 60")


class ClientStalled(Fault):
    """A client stops reading while much is sent to it, and then reads on."""

    name = "client-stall"
    where = EVERYWHERE
    touches = frozenset({"client-stall"})
    messages: ClassVar[int] = 300
    size: ClassVar[int] = 12_000

    async def happen(self, chance: random.Random, seconds: float) -> None:
        world = self.world
        device = chance.choice(world.devices)
        link = device.link
        others = [other for other in world.devices if other.account != device.account]
        if link is None:
            return
        world.record(trace.Stalled(world.record.now(), link.number))
        link.stop_reading()
        talker = chance.choice(others)
        for _ in range(self.messages):
            world.say(talker, f"@{device.account.user_id}", self.size)
        await self.wait(seconds)
        link.read_on()


class ClientCut(Fault):
    """A client vanishes in the middle of a frame."""

    name = "client-cut"
    where = EVERYWHERE
    touches = frozenset({"client-cut"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        devices = [d for d in self.world.devices if d.link is not None and not d.link.paused]
        for device in chance.sample(devices, min(3, len(devices))):
            if device.link is not None:
                content = "this must never arrive"
                device.link.cut_in_a_frame("SmsMes", to="#lobby", content=content, clientId="x")


class DiskFull(Fault):
    """The store can't extend its file for a while."""

    name = "disk-full"
    touches = frozenset({"store", "store-of-server"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        pid = self.store_pid()
        limit_files(pid, newest_file(self.append_only()).stat().st_size + 100)
        await self.wait(seconds)
        limit_files(pid, None)


class MemoryFull(Fault):
    """The store is at its ``maxmemory``."""

    name = "memory-full"
    touches = frozenset({"store", "store-of-server"})

    async def happen(self, chance: random.Random, seconds: float) -> None:
        ask(self.store_socket(), "CONFIG", "SET", "maxmemory", "1")
        await self.wait(seconds)
        ask(self.store_socket(), "CONFIG", "SET", "maxmemory", "0")


class _Lossy(Fault):
    """Something that may lose numbers which were given out."""

    touches = frozenset({"store", "server", "store-of-server", "commands", "bus"})

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._since = 0.0

    def lossy_since(self) -> float:
        return self._since

    async def down(self) -> None:
        """Kill the store; an embedded one together with its server, which would restart it."""
        if self.world.store is not None:
            await self.world.store.kill()
            return
        pid = self.store_pid()
        await self.world.servers[0].kill()
        signal_process(pid, signal.SIGKILL)

    async def up(self) -> None:
        """Start again what is down."""
        if self.world.store is not None:
            await self.world.store.start()
        else:
            await start(self.world.servers[0])


class RolledBack(_Lossy):
    """The store starts from an earlier copy of its files."""

    name = "rollback"

    async def happen(self, chance: random.Random, seconds: float) -> None:
        world = self.world
        kept = world.home / "kept"
        source = world.store.append_only if world.store is not None else world.data
        self._since = world.record.now()
        copy_directory(source, kept)
        await self.wait(seconds / 2)
        await self.down()
        shutil.rmtree(source)
        kept.rename(source)
        await self.up()


class TornTail(_Lossy):
    """The store's file ends in the middle of a command."""

    name = "torn-tail"
    most: ClassVar[int] = 2_000

    async def happen(self, chance: random.Random, seconds: float) -> None:
        self._since = max(0.0, self.world.record.now() - 30.0)
        await self.down()
        file = newest_file(self.append_only())
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.truncate(max(0, size - chance.randint(3, self.most)))
        await self.up()


class TornMiddle(_Lossy):
    """Bytes in the middle of the store's file are changed: it is refused, repaired, and started."""

    name = "torn-middle"
    where = frozenset({"embedded"})
    back: ClassVar[int] = 60_000

    async def happen(self, chance: random.Random, seconds: float) -> None:
        self._since = 0.0
        world, server = self.world, self.world.servers[0]
        await self.down()
        file = newest_file(self.append_only())
        content = file.read_bytes()
        # Behind the registrations, without which nobody could ever come back.
        start = len(content) - chance.randint(self.back // 2, self.back)
        start = max(start, min(world.settled, len(content) * 3 // 4))
        # Where a command begins: within a text other bytes would just be another text.
        with file.open("r+b") as opened:
            opened.seek(content.index(b"\r\n*", start) + 2)
            opened.write(b"\xff" * 40)
        code = await server.start()
        if code != 1:
            raise RuntimeError(f"with a damaged file the server started, or ended with {code}")
        words = ["-m", "chat.store.embedded.repair", str(world.data)]
        _, said, status = await getProcessOutputAndValue(sys.executable, words, env=None)
        if status:
            raise RuntimeError(f"the repair failed: {said!r}")
        await self.up()


async def start(server: Server) -> None:
    """Start a server.

    :raises RuntimeError: it does not.
    """
    code = await server.start()
    if code:
        raise RuntimeError(f"{server.name} ended with {code}: see {server.log}")


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal to one process.

    :raises ProcessLookupError: it is not there; 0 would be everybody here.
    """
    if pid <= 0:
        raise ProcessLookupError
    os.kill(pid, number)


ALL: Final[tuple[type[Fault], ...]] = (
    ServerKilled, ServerRestarted, ServerStopped, StoreKilled, StoreStopped, CommandsCut,
    CommandsSwallowed, BusCut, BusSwallowed, BusOverflown, ClientStalled, ClientCut, DiskFull,
    MemoryFull, RolledBack, TornTail, TornMiddle,
)  # fmt: skip
