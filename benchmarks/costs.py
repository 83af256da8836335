"""What each thing costs servers and store: processor time, commands, bytes, memory; one by one.

Three servers on one store, at light load: nothing waits for anything, so nothing is done in
batches. Busy servers do it cheaper, never dearer. Whatever else the machine does makes everything
dearer for a while, so all is tried in turns, and each figure is the median of its rounds.
"""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.task import LoopingCall, deferLater

from benchmarks.crowd import Crowd, Member, gather
from benchmarks.deployment import Deployment
from chat import messages

__all__ = ["OPTIONS", "ROUNDS", "SERVERS", "Laboratory", "Used"]

OPTIONS: Final = {"lobby": "closed", "offline-grace": "0.5", "scope-limit": "1"}
"""As on a large installation: no lobby, and presence by watching."""

SERVERS: Final = 3
FIRST_USER: Final = 1_000
HERE, THERE = 600, 20
"""Users on the first server, and on the second."""

LARGE: Final = 120
"""Members of the room by which a delivery is told from the message."""

COMERS: Final = 60
"""Who log in again in a round."""

SIZE: Final = 100
ROUNDS: Final = 5
"""Rates are low: each thing is done by a process that has slept since the last, as it is where
many servers share little work. At hundreds a second it costs a third less."""

SECONDS: Final = 2.0
SETTLE: Final = 0.5

Raw = dict[str, float]


class Used:
    """Seconds of processor time by server, and the store's; what the store was asked for.

    :ivar commands: that it ran, those in scripts included; ``scripts``: that it was sent.
    """

    def __init__(self, servers: list[float], store: float, commands: float, scripts: float) -> None:
        self.servers = servers
        self.store = store
        self.commands = commands
        self.scripts = scripts

    def each(self, name: str, count: int) -> Raw:
        """The same for one of ``count`` things, in us."""
        per = 1e6 / count
        return {
            f"{name}, server": self.servers[0] * per,
            f"{name}, other server": self.servers[1] * per,
            f"{name}, store": self.store * per,
            f"{name}, commands": self.commands / count,
            f"{name}, scripts": self.scripts / count,
        }


class Laboratory:
    """Servers, a store and users, on whom things are tried out.

    :ivar idle: what a second without anything takes, once that is known.
    """

    def __init__(self, reactor: Any, deployment: Deployment) -> None:
        self.reactor = reactor
        self.deployment = deployment
        self.crowd = Crowd(reactor, deployment.ports)
        self.idle: Raw = {}
        self._count = 0
        self._here: list[Member] = []
        self._there: list[Member] = []
        self._sizes: Raw = {}
        self._acked = LARGE  # the entries of all who joined

    # Trying --------------------------------------------------------------------------------------

    async def use(self, work: Callable[[], Awaitable[object]]) -> Used:
        """Do something, let it come to rest; what it took beside idling."""
        processes = [*self.deployment.servers, self.deployment.store]
        before = [_cpu(process.pid) for process in processes]
        commands, scripts = self._commands(), self._scripts()
        began = self.reactor.seconds()
        await work()
        await deferLater(self.reactor, SETTLE)
        seconds = self.reactor.seconds() - began
        used = [_cpu(process.pid) - was for process, was in zip(processes, before, strict=True)]
        commands, scripts = self._commands() - commands, self._scripts() - scripts
        if not self.idle:
            return Used(used[:-1], used[-1], commands, scripts)
        server = self.idle["server"] * seconds / 1e6
        return Used(
            [each - server for each in used[:-1]],
            used[-1] - self.idle["store"] * seconds / 1e6,
            commands - self.idle["commands"] * seconds * SERVERS,
            scripts - self.idle["scripts"] * seconds * SERVERS,
        )

    async def steadily(
        self, per_second: float, seconds: float, act: Callable[[int], object]
    ) -> int:
        """Do something at a rate; how often it was done."""
        done = 0

        def some(count: int) -> None:
            nonlocal done
            for _ in range(count):
                act(done)
                done += 1

        loop = LoopingCall.withCount(some)
        loop.clock = self.reactor
        loop.start(1 / per_second, now=False)
        await deferLater(self.reactor, seconds)
        loop.stop()
        return done

    async def try_out(
        self, name: str, per_second: float, act: Callable[[int], object], rest: float = 0.0
    ) -> Raw:
        """Do something at a rate for a while; what one of them takes."""
        done = 0

        async def work() -> None:
            nonlocal done
            done = await self.steadily(per_second, SECONDS, act)
            await deferLater(self.reactor, rest)

        return (await self.use(work)).each(name, done)

    def say(self, member: Member, to: str) -> None:
        """Let somebody say something; nobody waits for the answer."""
        self._count += 1
        member.send(messages.SmsMes(to=to, content="x" * SIZE, client_id=f"c{self._count}"))

    async def come_again(self, member: Member, port: int) -> None:
        """Let somebody who left come to a server."""
        self.crowd.members[member.user_id] = member
        await member.come(port)

    async def room(self, name: str, members: Sequence[Member]) -> None:
        """Put members into a room."""
        for start in range(0, len(members), 50):
            batch = members[start : start + 50]
            await gather([each.ask(messages.JoinMes(conversation=name)) for each in batch])

    # Before the rounds ---------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make users, rooms and contacts; find out how much memory they take."""
        first, second = self.deployment.servers[:2]
        empty = self._memory()
        members = await self.crowd.register(FIRST_USER, HERE + THERE, first.port)
        registered, resident = self._memory(), first.memory()
        self._here, self._there = members[:HERE], members[HERE:]
        await self.crowd.log_in(self._here, first.port)
        self._sizes = {
            "store, bytes of an account": (registered - empty) / len(members),
            "store, bytes of a session": (self._memory() - registered) / HERE,
            "server, KiB of a connection": (first.memory() - resident) / HERE,
        }
        await self.crowd.log_in(self._there, second.port)
        await self.room("#alone", self._here[:2])
        await self.room("#large", self._here[:LARGE])
        await self.room("#far", [self._here[0], self._there[0]])
        for number in range(COMERS):
            self._talk_in_private(number)  # the first message makes the contact

    def _memory(self) -> int:
        return int(self.deployment.store.figures("memory")["used_memory"])

    # A round -------------------------------------------------------------------------------------

    async def round(self) -> Raw:
        """Everything once."""
        self.idle = {}
        used = await self.use(lambda: deferLater(self.reactor, SECONDS))
        per = 1e6 / (SECONDS + SETTLE)
        self.idle = {
            "server": statistics.mean(used.servers) * per, "store": used.store * per,
            "commands": used.commands * per / 1e6 / SERVERS,
            "scripts": used.scripts * per / 1e6 / SERVERS,
        }  # fmt: skip
        found = {f"idle, {name}": amount for name, amount in self.idle.items()}
        found |= await self.try_out("alone", 40, lambda n: self.say(self._here[n % 2], "#alone"))
        found |= await self.try_out("large", 20, lambda n: self.say(self._here[n], "#large"))
        out = self._bytes_to(1)
        found |= await self.try_out("far", 40, lambda _: self.say(self._here[0], "#far"))
        found["far, bytes"] = (self._bytes_to(1) - out) / (40 * SECONDS)
        found |= await self.try_out("private", 60, self._talk_in_private)
        self._acked += 1
        found |= await self.try_out("ack", LARGE / SECONDS, self._ack, rest=2.2)
        found |= (await self.use(self._come)).each("login", COMERS)
        return found

    def _talk_in_private(self, number: int) -> None:
        partner = self._here[LARGE + COMERS + number % COMERS]
        self.say(self._here[LARGE + number % COMERS], f"@{partner.user_id}")

    def _ack(self, number: int) -> None:
        message = messages.AckMes(conversation="#large", read=self._acked, delivered=self._acked)
        self._here[number % LARGE].send(message)

    async def _come(self) -> None:
        comers = self._here[-COMERS:]
        for member in comers:
            member.leave()
        await deferLater(self.reactor, 1.2)  # so that they are offline
        for member in comers:
            await self.come_again(member, self.deployment.ports[0])

    # After them ----------------------------------------------------------------------------------

    def costs(self, rounds: Sequence[Raw]) -> dict[str, float]:
        """What the rounds come to."""
        told = [_told_apart(each) for each in rounds]
        return {
            **{name: statistics.median(each[name] for each in told) for name in told[0]},
            "store, bytes of a message": self._bytes_of_a_message("r:alone"),
            **self._sizes,
        }

    def _bytes_of_a_message(self, cid: str) -> float:
        """What a room's log takes, and the marks of two days by which repetitions are known."""
        ask = self.deployment.store.ask
        log = f"ch:c:{{{cid}}}:log"
        marks = ask("KEYS", f"ch:c:{{{cid}}}:dd:*")
        taken = [ask("MEMORY", "USAGE", key, "SAMPLES", 0) for key in (log, *marks)]
        return float(sum(taken) / int(ask("HGET", f"ch:c:{{{cid}}}:meta", "seq")))

    # What the store says -------------------------------------------------------------------------

    def _clients(self) -> list[dict[str, str]]:
        """Each connection of the servers."""
        lines = self.deployment.store.ask("CLIENT", "LIST").decode().splitlines()
        found = [dict(each.split("=", 1) for each in line.split() if "=" in each) for line in lines]
        return [each for each in found if each["cmd"] != "client|list"]

    def _commands(self) -> int:
        return sum(int(each["tot-cmds"]) for each in self._clients())

    def _scripts(self) -> int:
        said = self.deployment.store.figures("commandstats").get("cmdstat_evalsha", "calls=0")
        return int(said.partition("calls=")[2].partition(",")[0])

    def _bytes_to(self, server: int) -> int:
        """What the store has sent to a server."""
        ports = _local_ports(self.deployment.servers[server].pid)
        its = [each for each in self._clients() if int(each["addr"].rpartition(":")[2]) in ports]
        return sum(int(each["tot-net-out"]) for each in its)


def _told_apart(it: Raw) -> dict[str, float]:
    """The costs that a round's figures are made of; differences are those of one round."""
    delivery = (it["large, server"] - it["alone, server"]) / (LARGE - 2)
    return {
        "server, idle second": it["idle, server"],
        "server, room message": it["alone, server"] - delivery,
        "server, private message": it["private, server"],
        "server, publication": it["far, other server"] - delivery,
        "server, delivery": delivery,
        "server, ack": it["ack, server"],
        "server, login and logout": it["login, server"],
        "server, login and logout elsewhere": it["login, other server"],
        "store, idle second": it["idle, store"],
        "store, room message": it["alone, store"],
        "store, private message": it["private, store"],
        "store, publication to one more server": it["far, store"] - it["alone, store"],
        "store, ack": it["ack, store"],
        "store, login and logout": it["login, store"],
        "store, scripts of a room message": it["alone, scripts"],
        "store, commands of an idle server": it["idle, commands"],
        "store, commands of a room message": it["alone, commands"],
        "store, commands of a private message": it["private, commands"],
        "store, commands of an ack": it["ack, commands"],
        "store, commands of a login and logout": it["login, commands"],
        "bus, bytes of a message": it["far, bytes"],
    }


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process, by the kernel's finest clock."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _local_ports(pid: int) -> set[int]:
    """The local ports of a process's connections."""
    targets = [entry.readlink().as_posix() for entry in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {target[8:-1] for target in targets if target.startswith("socket:[")}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(each[1].rpartition(":")[2], 16) for each in lines if each[9] in inodes}
