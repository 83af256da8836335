"""A server that says anything at all: the client goes on, draws, and can be closed."""

import json
import random
from typing import Any, get_args, get_type_hints

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat import codec, messages
from chat.client.api import ChatClient
from chat.client.plain.telling import News
from chat.messages import ANSWERS, Message
from tests.fake_server import FakeConnection, FakeNet, FakeServer
from tests.test_hostile import EVIL, harmful
from tests.tui_builders import Screen, failures, look

SEEDS = range(4)
STEPS = 40
ASKED = 30
"""Requests that are answered in a step; then this server falls silent."""

HUGE = int("9" * 4_300)
"""As long as a number can be for Python to write it: one more has a digit too many."""

NUMBERS = (*range(8), 100, 101, -1, 2**53, 2**53 - 1, 2**63, 10**17, HUGE, -HUGE)
TEXTS = ("", "a", "bob", EVIL, "x" * 3_000, "字" * 500, "e" + "\u0301" * 300, "{who}", "\n" * 40)
OTHERS = (None, True, 1.5, "x", [], {}, [[]], -1, 1e300, {"userId": 1})
SAID: dict[str, tuple[object, ...]] = {
    "code": (*[200] * 9, 400, 403, 404, 409, 413, 429, 500, 503, 504, 505, 506, 0, HUGE),
    "retryAfter": (0, 0, 0.1, 5, -1, 1e308, HUGE),
    "conversation": (*["#lobby", "@101"] * 5, "", "#", "@", "@-1", "x", "#LOBBY", "@1:2",
                     f"#{EVIL}", f"@{EVIL}", "#" + "x" * 600, "# a"),
    "epoch": ("e1", "e1", "e2", "", EVIL),
    "kind": ("", "", "redact", "erase", "topic", "join", "leave", "role", "kick", "ban", "mute",
             "slow", "private", "invite", "news", EVIL),
    "action": ("ban", "mute", "invite", "of a newer server", EVIL),
    "time": (1_700_000_000_000, *NUMBERS),
}  # fmt: skip
PUSHED = ("SmsMes", "SmsMes", "SmsMes", "ConversationMes", "PresenceMes", "ReceiptMes", "ErrorMes",
          "InvitationMes", "BlockedMes", "SmsResMes", "NotifyUserStatusMes")  # fmt: skip
TYPED = (
    "/rooms",
    "/who",
    "/whois 6",
    "/devices",
    "/sanctions",
    "/invitations",
    "/block",
    "/list",
    "/search a",
    "/catchup",
    "/join #cats",
    "/leave",
    "/msg bob hi",
    "hello",
    "/doctor",
)
KEYS = ("ctrl k", "enter", "esc", "down", "up", "page up", "meta v", "meta o", "meta x", "meta a",
        "tab", "f1", "home", "end", "meta 2", "i")  # fmt: skip


class Liar:
    """Makes up what a server may say, out of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def message(self, kind: type[Message], **true: object) -> str:
        """The data of a message of that kind, with ``true`` in it."""
        return json.dumps({**self._members(kind), **true})

    def _members(self, kind: type[msgspec.Struct]) -> dict[str, object]:
        hints = get_type_hints(kind)
        names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        return {
            wire: self._value(wire, hints[name])
            for name, wire in names
            if self.chance.random() > 0.15
        }

    def _value(self, name: str, hint: Any) -> object:
        if self.chance.random() < 0.004:
            return self.chance.choice(OTHERS)
        if name in SAID:
            return self.chance.choice(SAID[name])
        inner = [each for each in get_args(hint) if each not in (type(None), ...)]
        if inner and type(None) in get_args(hint):
            return None if self.chance.random() < 0.3 else self._value(name, inner[0])
        if inner:
            return [self._value("", inner[0]) for _ in range(self.chance.choice((0, 1, 2, 20)))]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self._members(hint)
        return self.chance.choice({int: NUMBERS, str: TEXTS, bool: (False, True)}.get(hint, (0, 1)))


class LyingConnection(FakeConnection):
    """Answers a login well, and everything else with lies, late, twice, or not at all."""

    def __init__(self, server: "LyingServer") -> None:
        super().__init__(server)
        self._liar = server.liar
        self._budget = server

    def dataReceived(self, data: bytes) -> None:
        for body in self._reader.feed(data):
            request, request_id = codec.decode(body, messages.REQUESTS)
            self._budget.left -= 1
            if self._budget.left > 0:
                self._answer(request, request_id)

    def _answer(self, request: Message, request_id: str | None) -> None:
        chance = self._liar.chance.random()
        kind = type(request).__name__.removesuffix("Mes") + "ResMes"
        if isinstance(request, messages.LoginMes):
            me = {"userId": 100, "userName": "alice", "userStatus": 0}
            self.say(kind, request_id, code=200, user=me, token="token-100")
        elif kind == "PingResMes":
            self.say("PongMes", request_id)
        elif kind in ANSWERS and chance > 0.05:
            kind = "ErrorMes" if chance < 0.15 else kind
            self.say(kind, "777" if chance > 0.95 else request_id)

    def say(self, kind: str, request_id: str | None = None, **true: object) -> None:
        data = self._liar.message(ANSWERS[kind], **true)
        envelope = {"type": kind, "data": data, "id": request_id}
        self.transport.write(codec.frame(json.dumps(envelope).encode()))


class LyingServer(FakeServer):
    """:ivar left: how many requests it still answers."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.liar = Liar(chance)
        self.left = ASKED

    def buildProtocol(self, addr: object) -> LyingConnection:
        return LyingConnection(self)


class Afternoon:
    """Somebody's client at such a server, with the screen that they use it by."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.server = LyingServer(self.chance)
        self.net = FakeNet(self.server)
        self.client = ChatClient(self.clock, endpoint=self.net, device="d", random=lambda: 0.0)
        login = Deferred.fromCoroutine(self.client.log_in("alice", "wonderland"))
        login.addErrback(lambda failure: None)
        while self.client.user is None:
            self.server.left = ASKED
            self.pass_time(30)
        client: Any = self.client
        self.told: list[str] = []
        self.screen = Screen(client, self.chance.choice(((20, 5), (80, 24), (120, 40))))
        self.news = News(self.screen.chat.model, look(), self.told.append, set())

    def pass_time(self, seconds: float) -> None:
        self.net.flush()
        self.clock.advance(seconds)
        self.net.flush()

    def step(self) -> str:
        """Something happens. Return what is on the screen then, and what the linear mode says."""
        self.server.left = ASKED
        what = self.chance.random()
        if what < 0.6 and self.server.connections:
            kind = self.chance.choice(PUSHED if what < 0.55 else list(ANSWERS))
            self.server.last.say(kind)  # type: ignore[attr-defined]
        elif what < 0.78:
            self.screen.press(*self.chance.choice(TYPED), "enter")
        elif what < 0.96:
            self.screen.press(self.chance.choice(KEYS))
        elif self.server.connections:
            self.server.last.cut()
        self.pass_time(self.chance.choice((0, 0.1, 2, 10)))
        self.told.clear()
        self.news.tell()
        return "\n".join([*self.screen.text(), *self.told])


class HostileServerTests(SynchronousTestCase):
    def test_whatever_it_says_the_screen_draws_and_nothing_goes_wrong_behind_it(self) -> None:
        for seed in SEEDS:
            failures()
            afternoon = Afternoon(seed)
            for step in range(STEPS):
                shown = afternoon.step()
                self.assertEqual(harmful(shown), [], (seed, step))
                self.assertEqual(failures(), [], (seed, step))
                self.assertGreater(afternoon.server.left, 0, f"{seed} {step}: asked for ever")
            closed = Deferred.fromCoroutine(afternoon.client.close())
            afternoon.pass_time(4)
            self.successResultOf(closed)
