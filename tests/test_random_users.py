"""Users who do anything at any time, on two servers: what they are told is what the lists say."""

import itertools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from random import Random
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import IPushProducer, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.knowledge import Data, Difference, Knowledge, Marks
from tests.party import Party, User
from tests.patience import PATIENCE
from tests.peers import Frame, enveloped
from tests.server import GENEROUS, serving
from tests.valkey import running

SEEDS = range(1, 7)
STEPS = 120
"""Of each device: with ten of them enough for each two steps to meet each other."""

USERS = 5
ROOMS = 2
GO_HOME = 3
"""Devices: both of the last user's, and one of another's, who is there nevertheless."""

SHOWN = 3
"""Of things that are wrong: the others mostly follow from the first."""

NO_ANSWER: Data = {"code": 0}
"""What a request is answered when its connection is lost."""

_Doing = Coroutine[Deferred[Any], Any, None]
_unique = itertools.count(1)


class Connection(Int32StringReceiver):
    """One connection: requests with replies; all that comes goes to what it knows first.

    :ivar lost: it has ended.
    :ivar gone: fires then.
    """

    transport: ITCPTransport
    MAX_LENGTH = 2**20

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.lost = False
        self.gone: Deferred[None] = Deferred()
        self._ids = itertools.count(1)
        self._asked: dict[str, Deferred[Data]] = {}

    def connectionMade(self) -> None:
        if isinstance(self.transport.getPeer(), IPv4Address):
            self.transport.setTcpNoDelay(True)

    def stringReceived(self, string: bytes) -> None:
        frame = Frame.parse(string)
        self.knowledge.hear(frame)
        if frame.id is not None:
            self._asked.pop(frame.id).callback(frame.data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.callback(NO_ANSWER)
        self.gone.callback(None)

    def ask(self, kind: str, /, **data: Any) -> Deferred[Data]:
        """Send a request; fires with the data of its reply."""
        asked: Deferred[Data] = Deferred()
        if self.lost:
            asked.callback(NO_ANSWER)
            return asked
        request_id = f"r{next(self._ids)}"
        self._asked[request_id] = asked
        self.knowledge.asks(request_id, kind, data)
        self.sendString(enveloped(kind, data, id=request_id))
        return asked.addTimeout(PATIENCE, reactor)

    def acknowledge(self, name: str, marks: Marks) -> None:
        """Say how far one is."""
        self.knowledge.acknowledges(name, marks)
        read = {"delivered": marks.delivered, "read": marks.read}
        self.sendString(enveloped("AckMes", {"conversation": name, **read}))

    async def pages(self, kind: str, member: str, last: str) -> list[Data]:
        """All of a list.

        :param member: of the reply, which has the items.
        :param last: of the last item, after which the next page begins.
        """
        items: list[Data] = []
        more: dict[str, Any] = {}
        while True:
            page = await self.ask(kind, **more)
            assert page["code"] == 200, page
            items += page[member]
            if not page["more"]:
                return items
            more = {"after": items[-1][last]}

    async def history(self, name: str) -> list[Data]:
        """All that is kept of a conversation, the newest page first."""
        entries: list[Data] = []
        before = 0
        while True:
            page = await self.ask("HistoryMes", conversation=name, before=before, limit=200)
            assert page["code"] == 200, page
            entries += page["messages"]
            if not page["more"]:
                return entries
            before = page["messages"][0]["seq"]


class Device:
    """One device, which does what chance tells it."""

    def __init__(self, crowd: "Crowd", user: User, number: int) -> None:
        self.name = f"{user.name}/{number}"
        self.crowd = crowd
        self.user = user
        self.random = Random(f"{crowd.seed}/{self.crowd.users.index(user)}/{number}")
        self.token = ""
        self.connection: Connection

    # Coming and going ------------------------------------------------------------------------

    async def enter(self) -> None:
        """Connect to either server and log in, however often it takes."""
        while not await self._try_to_enter():
            pass

    async def _try_to_enter(self) -> bool:
        server = self.random.choice((0, 1))
        name, wrong = f"{self.name} on server {server}", self.crowd.wrong.append
        knowledge = Knowledge(name, self.user.user_id, wrong, self.crowd.longest > 0)
        connected = connectProtocol(self.crowd.endpoints[server], Connection(knowledge))
        self.connection = cast(Connection, await connected)
        self.crowd.connections.append(self.connection)
        who = {"userId": self.user.user_id, "userPwd": self.user.password}
        proof = {"token": self.token} if self.token else who
        reply = await self.connection.ask("LoginMes", version=2, device=self.name, **proof)
        if reply["code"] == 200:
            self.token = reply["token"]
            blocks = await self.connection.ask("BlocksMes")
            knowledge.blocks.read(blocks.get("users", []))
            return True
        # Another device has ended all tokens, or the connection was ended under the login.
        assert (self.token and reply["code"] == 403) or reply == NO_ANSWER, (self.name, reply)
        self.token = ""
        return False

    async def live(self) -> None:
        """Do this and that."""
        await self.enter()
        for _ in range(STEPS):
            if self.connection.lost:
                await self.enter()
            often = self.crowd.often
            (step,) = self.random.choices(list(often), list(often.values()))
            await step(self)
            self.crowd.check()

    # What is done ----------------------------------------------------------------------------

    def room(self) -> str:
        return self.random.choice(self.crowd.rooms)

    def somebody(self) -> int:
        return self.random.choice(self.crowd.users).user_id

    def say(self, to: str) -> Deferred[Data]:
        text, answers = (
            f"text-{next(_unique)}",
            self.random.choice([{}, {"reply": 1}, {"reply": 9}]),
        )
        content = text + "." * self.random.choice([0, self.crowd.longest])
        return self.connection.ask("SmsMes", to=to, content=content, clientId=text, **answers)

    async def talk(self) -> None:
        await self.say(self.random.choice([*self.crowd.rooms, "#lobby"]))

    async def tell(self) -> None:
        await self.say(f"@{self.somebody()}")

    async def talk_without_pause(self) -> None:
        to = [self.room(), f"@{self.somebody()}"]
        many = self.random.randint(2, 12)
        await gatherResults([self.say(self.random.choice(to)) for _ in range(many)])

    async def join(self) -> None:
        private, topic = self.random.random() < 0.3, f"topic-{next(_unique)}"
        await self.connection.ask("JoinMes", conversation=self.room(), private=private, topic=topic)

    async def leave(self) -> None:
        await self.connection.ask("LeaveMes", conversation=self.room())

    async def come_and_go_at_once(self) -> None:
        room = self.room()
        kinds = ("JoinMes", "LeaveMes", "JoinMes")
        asked = [self.connection.ask(kind, conversation=room) for kind in kinds]
        await gatherResults([*asked, self.say(room)])

    async def set_topic(self) -> None:
        topic = f"topic-{next(_unique)}"
        await self.connection.ask("TopicMes", conversation=self.room(), topic=topic)

    async def moderate(self) -> None:
        action = self.random.choice(ACTIONS)
        members: Data = {"slow": {"seconds": 1}, "private": {}, "public": {}}.get(
            action, {"userId": self.somebody()}
        )
        await self.connection.ask("ModerateMes", conversation=self.room(), action=action, **members)

    async def end_slow(self) -> None:
        await self.connection.ask("ModerateMes", conversation=self.room(), action="slow", seconds=0)

    async def redact(self) -> None:
        room = self.room()
        known = self.connection.knowledge.conversations.get(room)
        if known and known.newest:
            seq = self.random.randint(max(1, known.newest - 10), known.newest)
            await self.connection.ask("RedactMes", conversation=room, seq=seq)

    async def edit(self) -> None:
        room = self.room()
        known = self.connection.knowledge.conversations.get(room)
        if known and known.newest:
            seq = self.random.randint(max(1, known.newest - 10), known.newest)
            said = {"seq": seq, "content": f"edited {next(_unique)}"}
            await self.connection.ask("EditMes", conversation=room, **said)

    async def block(self) -> None:
        yes = self.random.random() < 0.4
        await self.connection.ask("BlockMes", userId=self.somebody(), block=yes)

    async def acknowledge(self) -> None:
        known = self.connection.knowledge.conversations
        for name in self.random.sample(sorted(known), min(3, len(known))):
            newest = known[name].newest
            read = max(0, newest - self.random.randint(0, 3))
            self.connection.acknowledge(name, Marks(newest, read))

    async def change_status(self) -> None:
        await self.connection.ask("StatusMes", status=self.random.choice([0, 2]))

    async def list_conversations(self) -> None:
        await self.connection.ask("ConversationsMes")

    async def hang_up(self) -> None:
        transport = self.connection.transport
        self.random.choice([transport.loseConnection, transport.abortConnection])()
        await self.connection.gone

    async def log_out(self) -> None:
        await self.connection.ask("LogoutMes", everywhere=self.random.random() < 0.3)
        self.token = ""
        await self.connection.gone

    async def not_read(self) -> None:
        """Ask for this and that, and read nothing for a while."""
        reading = cast(IPushProducer, self.connection.transport)
        reading.pauseProducing()
        steps = self.random.choices([Device.join, Device.leave, Device.list_conversations], k=3)
        asked = [Deferred.fromCoroutine(step(self)) for step in steps]
        for _ in range(self.random.choice(TURNS)):
            await deferLater(reactor, 0)
        if not self.connection.lost:
            reading.resumeProducing()
        await gatherResults(asked)

    # What is true ----------------------------------------------------------------------------

    async def settle(self) -> None:
        """Ask until what was told is what the lists say."""
        give_up = reactor.seconds() + PATIENCE
        while found := await self._differences():
            if reactor.seconds() > give_up:
                self._complain(found)
        if found := await self._misheard():
            self._complain(found)

    def _complain(self, found: list[Difference]) -> None:
        for each in found:
            self.connection.knowledge.complain(each)
        self.crowd.check()

    async def _differences(self) -> list[Difference]:
        connection, knowledge = self.connection, self.connection.knowledge
        online = await connection.pages("OnlineMes", "users", "userId")
        blocked = await connection.pages("BlocksMes", "users", "userId")
        listed = await self._listed()
        return [
            *knowledge.online.differences(online),
            *knowledge.blocks.differences(blocked),
            *knowledge.differences(listed),
        ]

    async def _listed(self) -> dict[str, Data]:
        listed = await self.connection.pages("ConversationsMes", "conversations", "conversation")
        return {each["conversation"]: each for each in listed}

    async def _misheard(self) -> list[Difference]:
        found: list[Difference] = []
        for name, listed in (await self._listed()).items():
            history = await self.connection.history(name)
            found += self.connection.knowledge.conversations[name].misheard(listed, history)
        return found


OFTEN: dict[Callable[[Device], _Doing], float] = {
    Device.talk: 10, Device.moderate: 10, Device.join: 8, Device.tell: 5, Device.acknowledge: 8,
    Device.talk_without_pause: 4, Device.leave: 4, Device.come_and_go_at_once: 3,
    Device.hang_up: 3, Device.change_status: 2, Device.list_conversations: 4, Device.redact: 2,
    Device.set_topic: 2, Device.edit: 3, Device.end_slow: 1, Device.block: 1,
    Device.enter: 0.5,  # while it is here: the older connection is told that it is replaced
    Device.log_out: 0.3,
}  # fmt: skip
"""How often a device does what."""

SELDOM_READ = {**OFTEN, Device.not_read: 5, Device.talk_without_pause: 10, Device.talk: 15}
"""The same of those who do not always read."""

TURNS = (10, 100, 500)
"""Of the reactor, in which nothing is read: what the others say meanwhile is more than the kernel
takes, or is not."""

SEND_BUFFER = 5_000
LONG = 12_000
"""Bytes."""

ACTIONS = (
    "kick", "kick", "ban", "unban", "unban", "mute", "unmute", "unmute", "invite", "invite",
    "uninvite", "owner", "moderator", "member", "private", "public", "slow",
)  # fmt: skip
"""What takes something away has to be taken back often enough, or nobody could do anything."""


class Crowd:
    """Users, each with two devices.

    :param port: of the server at which they register.
    :ivar endpoints: of both servers.
    :ivar often: how often each of them does what.
    :ivar longest: characters more in what they say.
    :ivar wrong: what was told that is not so.
    """

    def __init__(
        self,
        seed: int,
        port: int,
        endpoints: Sequence[IStreamClientEndpoint],
        often: Mapping[Callable[[Device], _Doing], float] = OFTEN,
        longest: int = 0,
    ) -> None:
        self.seed = seed
        self.endpoints = endpoints
        self.often = often
        self.longest = longest
        self.connections: list[Connection] = []
        self.wrong: list[str] = []
        with Party(port) as party:
            self.users = [party.user() for _ in range(USERS)]
            self.rooms = [party.room() for _ in range(ROOMS)]
        self.devices = [Device(self, user, number) for user in self.users for number in (1, 2)]

    def check(self) -> None:
        """:raises AssertionError: something is wrong."""
        if self.wrong:
            raise AssertionError(f"seed {self.seed}: " + "\n".join(self.wrong[:SHOWN]))

    async def live(self) -> None:
        """Let everybody do what they do, all at once, and some of them go home."""
        await _all(device.live() for device in self.devices)
        await _all(
            device.hang_up() for device in self.devices[-GO_HOME:] if not device.connection.lost
        )

    async def settle(self) -> None:
        """Those who stayed have been told what is true."""
        stayed = self.devices[:-GO_HOME]
        await _all(device.enter() for device in stayed if device.connection.lost)
        for device in stayed:
            await device.settle()
        self.check()

    async def go_home(self) -> None:
        """Nobody is connected any more."""
        for each in self.connections:
            each.transport.abortConnection()
            await each.gone


async def _all(doings: Iterable[_Doing]) -> None:
    """Do them all, at the same time, and to the end: what fails is raised when nobody goes on."""
    started = [Deferred.fromCoroutine(each) for each in doings]
    for succeeded, result in await DeferredList(started, consumeErrors=True):
        if not succeeded:
            cast(Failure, result).raiseException()


class RandomUsersTest(TestCase):
    def setUp(self) -> None:
        store = self.enterContext(running())
        options = (*GENEROUS, "--send-buffer", str(SEND_BUFFER), "--listen", "unix:listen")
        self.servers = [
            self.enterContext(serving(*options, "--store", store.url)) for _ in range(2)
        ]

    async def test_what_everybody_was_told_is_what_the_lists_and_the_history_say(self) -> None:
        ports = [each.port for each in self.servers]
        endpoints = [TCP4ClientEndpoint(reactor, "127.0.0.1", port) for port in ports]
        for seed in SEEDS:
            await self.live(Crowd(seed, ports[0], endpoints))

    async def test_so_it_is_where_they_do_not_always_read(self) -> None:
        """On Unix sockets, which take far less than the loopback's."""
        paths = [str(each.home / "listen") for each in self.servers]
        endpoints = [UNIXClientEndpoint(reactor, path) for path in paths]
        late = 0
        for seed in SEEDS[:4]:
            crowd = Crowd(seed, self.servers[0].port, endpoints, SELDOM_READ, LONG)
            await self.live(crowd)
            late += sum(each.knowledge.left_out for each in crowd.connections)
        self.assertGreater(late, 0, "none of them was ever behind")

    async def live(self, crowd: Crowd) -> None:
        """Let them live, and compare."""
        try:
            await crowd.live()
            await crowd.settle()
        finally:
            await crowd.go_home()
