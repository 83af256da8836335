"""The way between a server and its store in trouble: commands and pub/sub, each by itself."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chat.soak.link import Link, Refused, connect
from chat.soak.processes import Server, Store, free_ports
from chat.soak.proxy import Proxy
from tests.patience import PATIENCE
from tests.valkey import Valkey

DEADLINE = 2.0
AT_ONCE = 1.2
"""Seconds, below the deadline of a call to the store: nobody waited for that."""

OPTIONS = {"store-deadline": str(DEADLINE)}


class Person:
    """Somebody who is logged in, and what is pushed to them."""

    def __init__(self) -> None:
        self.pushed: list[tuple[int, str]] = []
        self.rooms: set[str] = set()
        self.link: Link
        self._waiting: tuple[int, Deferred[None]] | None = None

    @classmethod
    async def enter(cls, server: Server, name: str, device: str = "") -> "Person":
        """Log somebody in, whom ``device`` makes somebody known."""
        person = cls()
        person.link = link = await connect(reactor, server.port, person._received)
        user = {"userName": name, "userPwd": "secret"}
        if not device:
            await link.ask("RegisterMes", version=2, user=user)
        await link.ask("LoginMes", version=2, device=device or name, **user)
        return person

    def _received(self, link: Link, kind: str, data: dict[str, Any]) -> None:
        if kind == "ConversationMes":
            self.rooms.add(data["conversation"])
        if kind == "SmsMes":
            self.pushed.append((data["seq"], data["content"]))
        if self._waiting is not None and len(self.pushed) >= self._waiting[0]:
            waiting, self._waiting = self._waiting[1], None
            waiting.callback(None)

    async def hears(self, count: int) -> list[tuple[int, str]]:
        """Wait until so many messages were pushed; all of them."""
        if len(self.pushed) < count:
            waiting: Deferred[None] = Deferred()
            self._waiting = count, waiting
            await waiting.addTimeout(PATIENCE, reactor)
        return self.pushed

    async def say(self, text: str) -> dict[str, Any]:
        """Say something in the lobby, once.

        :raises Refused: it was.
        """
        name = text.replace(" ", "-")
        return await self.link.ask("SmsMes", to="#lobby", content=text, clientId=name)

    async def insist(self, text: str) -> int:
        """Say something until it is accepted; its number."""
        give_up = reactor.seconds() + PATIENCE
        while True:
            try:
                return int((await self.say(text))["seq"])
            except Refused as error:
                if error.code not in (503, 504) or reactor.seconds() > give_up:
                    raise
                await deferLater(reactor, 0.1)

    async def log(self) -> list[str]:
        """What was said in the lobby."""
        page = await self.link.ask("HistoryMes", conversation="#lobby", limit=200)
        return [entry["content"] for entry in page["messages"]]


class Case(TestCase):
    options = OPTIONS

    async def set_up(self) -> None:
        """Alice is on a server behind a proxy, bob on one without."""
        home = Path(tempfile.mkdtemp(prefix="ln", dir="/tmp"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        path = await self.start_store(home)
        self.proxy = Proxy(reactor, str(home / "proxy"), path)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.proxy.stop()))
        await self.proxy.start()
        first = await self._server(home, "first", self.proxy.path)
        self.second = second = await self._server(home, "second", path)
        self.alice = await Person.enter(first, "alice")
        self.bob = await Person.enter(second, "bob")
        self.addCleanup(self.alice.link.abort)
        self.addCleanup(self.bob.link.abort)

    async def start_store(self, home: Path) -> str:
        """Start what the servers share; its socket."""
        store = Store(reactor, home)
        self.addCleanup(lambda: Deferred.fromCoroutine(store.kill()))
        await store.start()
        return store.path

    async def _server(self, home: Path, name: str, path: str) -> Server:
        server = Server(reactor, home, name, {**self.options, "store": f"redis+unix://{path}"})
        self.addCleanup(lambda: Deferred.fromCoroutine(server.kill()))
        self.assertEqual(await server.start(), 0)
        return server

    async def refused(self, asked: Any) -> tuple[int, float]:
        """The code of a refusal and the seconds that it took; it says when to come back."""
        since = reactor.seconds()
        try:
            answer = await asked
        except Refused as error:
            self.assertGreater(error.retry_after, 0)
            return error.code, reactor.seconds() - since
        raise AssertionError(answer)

    async def refused_at_once(self, ask: Callable[[], Any]) -> None:
        """The server refuses, and waits for nothing."""
        code, seconds = await self.refused(ask())
        while code == 504:  # it had not noticed yet
            code, seconds = await self.refused(ask())
        self.assertEqual(code, 503)
        self.assertLess(seconds, AT_ONCE)


class CommandsTests(Case):
    async def test_cut_all_is_refused_at_once_and_comes_back_by_itself(self) -> None:
        await self.set_up()
        await self.alice.say("before")
        self.proxy.set("commands", "cut")
        await self.refused_at_once(lambda: self.alice.say("during"))
        await self.refused_at_once(self.alice.log)
        self.assertEqual(await self.bob.log(), ["before"])
        self.proxy.set("commands", "")
        self.assertEqual(await self.alice.insist("during"), 2)
        self.assertEqual(await self.bob.hears(2), [(1, "before"), (2, "during")])

    async def test_swallowed_a_question_stays_open_and_the_rest_is_refused_at_once(self) -> None:
        await self.set_up()
        await self.alice.say("before")
        self.proxy.set("commands", "hole")
        code, seconds = await self.refused(self.alice.log())
        self.assertEqual(code, 504)
        self.assertLess(seconds, DEADLINE + AT_ONCE)
        await self.refused_at_once(self.alice.log)
        await self.refused_at_once(lambda: self.alice.say("during"))
        self.proxy.set("commands", "")
        self.assertEqual(await self.alice.insist("during"), 2)
        self.assertEqual(await self.bob.hears(2), [(1, "before"), (2, "during")])


class BusTests(Case):
    async def test_cut_nothing_is_accepted_and_what_others_say_arrives_later(self) -> None:
        await self.set_up()
        self.proxy.set("bus", "cut")
        await self.bob.say("elsewhere")
        await self.refused_at_once(lambda: self.alice.say("here"))
        self.assertEqual(await self.alice.log(), ["elsewhere"])
        self.proxy.set("bus", "")
        self.assertEqual(await self.alice.hears(1), [(1, "elsewhere")])
        self.assertEqual(await self.alice.insist("here"), 2)

    async def test_cut_a_room_that_was_joined_elsewhere_meanwhile_is_heard_from_then_on(
        self,
    ) -> None:
        await self.set_up()
        self.proxy.set("bus", "cut")
        phone = await Person.enter(self.second, "alice", device="phone")
        self.addCleanup(phone.link.abort)
        await self.refused_at_once(lambda: self.alice.say("here"))
        await phone.link.ask("JoinMes", conversation="#new")
        self.proxy.set("bus", "")
        give_up = reactor.seconds() + PATIENCE
        while "#new" not in self.alice.rooms and reactor.seconds() < give_up:
            await deferLater(reactor, 0.02)
        await phone.link.ask("SmsMes", to="#new", content="hello", clientId="hello")
        self.assertEqual(await self.alice.hears(1), [(2, "hello")])

    async def test_swallowed_that_is_noticed_and_the_last_message_arrives(self) -> None:
        await self.set_up()
        self.proxy.set("bus", "hole")
        await self.bob.say("into the hole")
        self.proxy.leave("bus")
        self.assertEqual(await self.alice.hears(1), [(1, "into the hole")])
        self.assertEqual(await self.alice.insist("after"), 2)


class PostsTests(Case):
    """``--durability replicated``: posts have a connection of their own, on which WAIT stands."""

    options: ClassVar = {**OPTIONS, "durability": "replicated"}

    async def start_store(self, home: Path) -> str:
        (port,) = free_ports(1)
        store = Valkey("--port", str(port), "--appendonly", "yes", "--min-replicas-to-write", "1",
                       "--repl-diskless-sync-delay", "0")  # fmt: skip
        replica = Valkey("--replicaof", "127.0.0.1", str(port))
        for each in (store, replica):
            self.addCleanup(each.stop)
            await deferToThread(each.start)
        while b"state=online" not in store.ask("INFO", "replication"):
            await deferLater(reactor, 0.01)
        return store.path

    async def in_doubt(self) -> Deferred[Any]:
        """Alice's second message is stored, and her server hears no more of that."""
        await self.set_up()
        await self.alice.say("before")
        self.proxy.set("posts", "clog")
        asked: Deferred[Any] = Deferred.fromCoroutine(self.alice.say("in doubt"))
        self.assertEqual((await self.bob.hears(2))[1], (2, "in doubt"))
        # Others go on: what was said elsewhere comes, and questions are answered.
        welcome = await self.alice.link.ask("OnlineMes")
        (alice,) = (each["userId"] for each in welcome["users"] if each["userName"] == "alice")
        await self.bob.link.ask("SmsMes", to=f"@{alice}", content="private", clientId="private")
        self.assertEqual(await self.alice.hears(1), [(1, "private")])
        self.assertEqual(await self.alice.log(), ["before", "in doubt"])
        self.assertFalse(asked.called)
        return asked

    async def it_is_there_once(self) -> None:
        self.assertEqual(await self.alice.insist("in doubt"), 2)
        self.assertEqual(await self.bob.insist("after"), 3)
        self.assertEqual(await self.alice.log(), ["before", "in doubt", "after"])
        self.assertEqual(await self.alice.hears(3), [(1, "private"), (2, "in doubt"), (3, "after")])

    async def test_cut_that_nobody_is_told_200_and_the_repetition_has_the_same_number(self) -> None:
        asked = await self.in_doubt()
        self.proxy.set("posts", "cut")
        code, seconds = await self.refused(asked)
        self.assertEqual(code, 504)
        self.assertLess(seconds, AT_ONCE)
        self.proxy.set("posts", "")
        await self.it_is_there_once()

    async def test_hung_that_is_504_within_the_deadline_and_another_is_made(self) -> None:
        asked = await self.in_doubt()
        self.proxy.leave("posts")
        code, seconds = await self.refused(asked)
        self.assertEqual(code, 504)
        self.assertLess(seconds, DEADLINE + AT_ONCE)
        await self.it_is_there_once()
