"""A world: servers that share one store, the users on them, and what they say to each other."""

import math
import random
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from chat.soak import trace
from chat.soak.copies import answering
from chat.soak.device import Account, Device, Message
from chat.soak.link import connect
from chat.soak.original import Original
from chat.soak.processes import Server, Store, newest_file
from chat.soak.proxy import Proxy
from chat.soak.wanderer import Wanderer

__all__ = ["Figures", "Plan", "World"]

TICK_SECONDS: Final = 0.05
SLOW_TICKS: Final = 5
ACK_TICKS: Final = 30
MOST_WAITING: Final = 24
"""Messages in an outbox: a person who gets no answer stops writing at some point."""

ROOM_SIZE: Final = 6
LOBBY_SHARE: Final = 0.06
ROOM_SHARE: Final = 0.54
REPEATED: Final = 0.01
"""Messages that were accepted and are sent again, from whichever device of the user."""

EDITED: Final = 0.02
"""Messages that are edited, some of them again and again, from whichever device of the user."""

REDACTED: Final = 0.005
"""Messages whose text is taken away again."""

ANSWERS: Final = 0.2
"""Messages that answer another one, where anything was said before."""

ORIGINAL: Final = 0.005
"""Messages that come from an original client."""

NEW_PARTNER: Final = 0.03
WRONG: Final = 0.01
"""Messages that every server must refuse."""

PASSWORD: Final = "correct horse"
LONGEST: Final = 4096
"""Bytes of the longest ordinary content."""


@dataclass(frozen=True)
class Plan:
    """How large a world is.

    :ivar kind: one of ``catalogue.WORLDS``.
    :ivar rate: messages a second.
    """

    name: str
    servers: int
    users: int
    rate: float
    kind: str

    @property
    def embedded(self) -> bool:
        """Whether its one server has a store of its own."""
        return self.kind in ("embedded", "workers")


@dataclass
class Figures:
    """What a run counts. Times in seconds since its beginning."""

    accepted: int = 0
    calm_made: int = 0
    calm_accepted: int = 0
    latencies: list[float] = field(default_factory=list)
    last_accepted: dict[str, float] = field(default_factory=dict)


class World:
    """Servers, their store and their users.

    :param record: takes everything that connections are told.
    :ivar calm: no fault is under way, and none was a moment ago.
    :ivar talking: whether people say things now.
    :ivar problems: what went wrong in the soak itself.
    :ivar settled: bytes of an embedded store's file when everybody was registered.
    """

    def __init__(
        self, reactor: Any, home: Path, plan: Plan, record: trace.Recorder, seed: int
    ) -> None:
        self.reactor = reactor
        self.home = home
        self.plan = plan
        self.name = plan.name
        self.record = record
        self.random = random.Random(f"{seed} {plan.name}")
        self.figures = Figures()
        self.calm = True
        self.store: Store | None = None
        self.proxies: list[Proxy] = []
        self.servers: list[Server] = []
        self.accounts: list[Account] = []
        self.devices: list[Device] = []
        self.settled = 0
        self.wanderers: list[Wanderer] = []
        self.originals: list[Original] = []
        self.rooms: dict[str, list[Account]] = {}
        self._last_said: dict[int, Message] = {}
        self._numbers = count(1)
        self._ticks = 0
        self.talking = False
        self.problems: list[str] = []
        self._owed = 0.0
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor
        self._ended: Deferred[Any] | None = None

    # Building --------------------------------------------------------------------------------

    def _settled_size(self) -> int:
        """How large the store's file is before the load; 0 while a rewrite replaces it."""
        try:
            return newest_file(self.data / "appendonlydir").stat().st_size
        except (ValueError, OSError):
            return 0

    async def start(self) -> None:
        """Start store and servers, register the users, connect their devices."""
        self.home.mkdir()
        await self.start_store()
        for number in range(self.plan.servers):
            await self.add_server(number)
        for server in self.servers:
            await server.start()
        await self._people()
        await self._guests()
        if self.store is None:
            self.settled = self._settled_size()
        for device in self.devices:
            device.start()
        for original in self.originals:
            original.start()
        self._ended = self._loop.start(TICK_SECONDS)
        await self.until(lambda: all(device.link for device in self.devices), 20.0)

    async def start_store(self) -> None:
        """Start what the servers share."""
        if not self.plan.embedded:
            self.store = Store(self.reactor, self.home)
            await self.store.start()

    async def add_server(self, number: int) -> None:
        """Make a server, and what stands between it and the store."""
        name = f"{self.name}{number + 1}"
        if self.store is None:
            options = {"data": str(self.data)}
        else:
            proxy = Proxy(self.reactor, str(self.home / f"proxy{number}"), self.store.path)
            await proxy.start()
            self.proxies.append(proxy)
            options = {"store": f"redis+unix://{proxy.path}"}
        self.servers.append(Server(self.reactor, self.home, name, options))

    @property
    def data(self) -> Path:
        """The embedded store's directory."""
        return self.home / "data"

    async def _people(self) -> None:
        """Register everybody, and let each join rooms."""
        for number in range(self.plan.users):
            await self._register(f"{self.name}{number}")
        rooms = max(1, self.plan.users * 2 // ROOM_SIZE)
        for number in range(rooms):
            members = self.random.sample(self.accounts, min(ROOM_SIZE, len(self.accounts)))
            self.rooms[f"#room{number}"] = members
        for account in self.accounts:
            await self._join(account)
            devices = 2 if self.random.random() < 0.5 else 1
            for number in range(devices):
                name = f"{account.name}-{number + 1}"
                turn = len(self.devices)
                # Half of them show when their server is back, the others where else one can go.
                faithful = turn // len(self.servers) % 2 == 0
                self.devices.append(Device(self, account, name, turn, faithful))

    async def _guests(self) -> None:
        """Register those who belong to no room: a wanderer, and a user of an original client."""
        talkers = len(self.accounts)
        for name in ("wanderer", "original"):
            await self._register(f"{self.name}-{name}")
        wanderer, original = self.accounts[talkers:]
        del self.accounts[talkers:]
        device = Device(self, wanderer, wanderer.name, len(self.devices))
        self.wanderers.append(Wanderer(self, device))
        self.devices.append(device)
        self.originals.append(Original(self, original, 0))

    async def _register(self, name: str) -> None:
        link = await connect(self.reactor, self.servers[0].port, lambda *_: None)
        user = {"userName": name, "userPwd": PASSWORD}
        answer = await link.ask("RegisterMes", version=2, user=user)
        self.accounts.append(Account(self.name, answer["userId"], name, PASSWORD))
        link.abort()

    async def _join(self, account: Account) -> None:
        link = await connect(self.reactor, self.servers[0].port, lambda *_: None)
        await link.ask(
            "LoginMes", version=2, userName=account.name, userPwd=PASSWORD, device="setup"
        )
        for room, members in self.rooms.items():
            if account in members:
                await link.ask("JoinMes", conversation=room)
        link.abort()

    async def stop(self) -> None:
        """End everybody and everything.

        :raises BaseException: why nobody has talked any more.
        """
        if self._loop.running:
            self._loop.stop()
        for device in self.devices:
            await device.stop()
        for original in self.originals:
            await original.stop()
        await gatherResults([Deferred.fromCoroutine(s.stop()) for s in self.servers])
        for proxy in self.proxies:
            await proxy.stop()
        if self.store is not None:
            await self.store.kill()
        if self._ended is not None:
            await self._ended

    # What devices ask ------------------------------------------------------------------------

    def port_of(self, turn: int) -> tuple[str, int]:
        server = self.servers[turn % len(self.servers)]
        return server.name, server.port or 1

    def accepted(self, device: Device, message: Message) -> None:
        figures, now = self.figures, self.record.now()
        figures.accepted += 1
        self._last_said[device.account.user_id] = message
        before = figures.last_accepted.get(device.server, 0.0)
        figures.last_accepted[device.server] = max(message.sent, before)
        if message.calm:
            figures.calm_accepted += 1
            figures.latencies.append(now - message.made)

    def given_up(self, message: Message) -> None:
        self.figures.calm_made -= message.calm

    def spawn(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(
            lambda failure: self.problems.append(f"{self.name}: {failure.value!r} in the soak")
        )

    # Talking ---------------------------------------------------------------------------------

    def talk(self, on: bool) -> None:
        """Begin to talk, or stop."""
        self.talking = on

    def _tick(self) -> None:
        self._ticks += 1
        if self.talking:
            self._owed += self.plan.rate * TICK_SECONDS * self.random.uniform(0.5, 1.5)
            while self._owed >= 1:
                self._owed -= 1
                self._say_something()
        if self._ticks % SLOW_TICKS == 0:
            for device in self.devices:
                device.tick()
            for wanderer in self.wanderers:
                wanderer.tick()
        if self._ticks % ACK_TICKS == 0:
            for device in self.devices:
                device.acknowledge()

    def _say_something(self) -> None:
        device = self.random.choice(self.devices[: -len(self.wanderers)])
        if len(device.outbox) >= MOST_WAITING or not device.wanted:
            return
        chance = self.random.random()
        if chance < WRONG:
            self._say_wrong(device)
        elif chance < WRONG + REPEATED:
            self._repeat(device)
        elif chance < WRONG + REPEATED + EDITED:
            self.spawn(self._edit(device))
        elif chance < WRONG + REPEATED + EDITED + REDACTED:
            self._redact(device)
        elif chance < WRONG + REPEATED + EDITED + REDACTED + ORIGINAL:
            self.originals[0].say(f"{self.name}original-{next(self._numbers)}")
        else:
            self.say(device, self._somewhere(device.account))

    def _somewhere(self, account: Account) -> str:
        chance = self.random.random()
        rooms = [room for room, members in self.rooms.items() if account in members]
        if chance < LOBBY_SHARE or not rooms:
            return "#lobby"
        if chance < LOBBY_SHARE + ROOM_SHARE:
            return self.random.choice(rooms)
        # A few partners each, so that conversations grow, and now and then somebody new.
        reach = 20 if self.random.random() < NEW_PARTNER else 2
        place = self.accounts.index(account) + self.random.randint(-reach, reach)
        return f"@{self.accounts[place % len(self.accounts)].user_id}"

    def say(self, device: Device, to: str, size: int = 0) -> Message:
        """Let a device say something of ``size`` bytes; 0: something ordinary."""
        key = f"{self.name}{device.account.user_id}-{next(self._numbers)}"
        length = size or int(self.random.expovariate(1 / 60)) % LONGEST
        conv = device.account.canonical(to)
        copy = device.copies.all.get(conv)
        reply = 0
        if copy is not None and copy.seq and self.random.random() < ANSWERS:
            reply = self.random.randint(1, copy.seq)
            key = answering(key, reply)
        content = f"{key} {'.' * length}"
        message = Message(key, to, conv, content, self.record.now(), self.calm, reply=reply)
        self.figures.calm_made += self.calm
        device.say(message)
        return message

    def _say_wrong(self, device: Device) -> None:
        """Send something that has to be refused."""
        account = device.account
        foreign = [room for room, members in self.rooms.items() if account not in members]
        choices = [("#nowhere", ""), ("#lobby", "." * 17_000), ("#lobby", "\0")]
        choices += [(room, "") for room in foreign[:1]]
        to, extra = self.random.choice(choices)
        key = f"{self.name}{account.user_id}-{next(self._numbers)}"
        conv = account.canonical(to)
        device.say(Message(key, to, conv, f"{key} {extra}", self.record.now(), False))

    def _repeat(self, device: Device) -> None:
        """Send this user's newest message again, from this device."""
        link, last = device.link, self._last_said.get(device.account.user_id)
        if link is None or link.paused or last is None or last.key in device.outbox:
            return
        device.repeat(link, last)

    async def _edit(self, device: Device) -> None:
        """Have what this user said last say something else, unless that may have another number by
        now. What is in doubt is not edited again: it might come to pass behind that."""
        user = device.account.user_id
        last = self._last_said.pop(user, None)
        if last is None or not last.seq:
            return
        for _ in range(self.random.randint(1, 3)):
            if not self.calm or not await device.edit(last):
                return
        self._last_said.setdefault(user, last)

    def _redact(self, device: Device) -> None:
        """Delete the last message of this user, unless that may have another number by now."""
        last = self._last_said.pop(device.account.user_id, None)
        if last is not None and last.seq and self.calm:
            self.spawn(device.redact(last))

    # Waiting ---------------------------------------------------------------------------------

    async def until(self, done: Any, seconds: float = math.inf) -> bool:
        """Wait until ``done()``, and no longer than ``seconds``.

        :returns: whether it is done.
        """
        give_up = self.reactor.seconds() + seconds
        while not done():
            if self.reactor.seconds() > give_up:
                return False
            await deferLater(self.reactor, TICK_SECONDS)
        return True

    def members(self, conv: str) -> Iterable[Device]:
        """The devices that hear a conversation."""
        name = conv.partition(":")[2]
        if name == "#lobby":
            return self.devices
        if name.startswith("#"):
            ids = {account.user_id for account in self.rooms[name]}
        else:
            ids = {int(part) for part in name[1:].split(":")}
        return [device for device in self.devices if device.account.user_id in ids]
