"""The client library against the real server: what two users on three devices see of each other."""

import json
import os
import runpy
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chat.client.api import ChatClient, Closed, Refused
from chat.client.events import (
    ConnectionChanged,
    ConversationChanged,
    ConversationsListed,
    EpochChanged,
    Event,
    LoggedIn,
    MessageArrived,
    PresenceChanged,
    ReceiptMoved,
    Stopped,
    Stored,
)
from chat.messages import Entry
from tests.cli_case import ROOT, Program
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.server import GENEROUS

_PASSWORD = "correct horse"


class Device:
    """A client and all that it was told."""

    def __init__(self, server: str, name: str, device: str, **options: Any) -> None:
        self.name = name
        self.client = ChatClient(reactor, server, device=device, random=lambda: 0.0, **options)
        self.events: list[Event] = []
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self.client.listen(self._heard)

    async def enter(self, register: bool = False) -> "Device":
        if register:
            await self.client.register(self.name, _PASSWORD)
        await self.client.log_in(self.name, _PASSWORD)
        return self

    def _heard(self, event: Event) -> None:
        self.events.append(event)
        due = [each for each in self._waiting if each[0]()]
        self._waiting = [each for each in self._waiting if each not in due]
        for _, deferred in due:
            deferred.callback(None)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for an event after which ``happened`` is true."""
        if not happened():
            deferred: Deferred[None] = Deferred()
            self._waiting.append((happened, deferred))
            await deferred

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def entries(self, conversation: str) -> list[Entry]:
        arrived = (event.entry for event in self.of(MessageArrived))
        return [entry for entry in arrived if entry.conversation == conversation]

    def texts(self, conversation: str) -> list[str]:
        return [each.content for each in self.entries(conversation) if not each.kind]

    async def hears(self, conversation: str, text: str) -> None:
        await self.until(lambda: text in self.texts(conversation))


class WholeCase(TestCase):
    def setUp(self) -> None:
        self.server = ServerProcess.start_for(self, *GENEROUS, "--listen", "unix:listen")
        self.address = f"unix:{self.server.home / 'listen'}"

    async def device(
        self, name: str, device: str, register: bool = False, **options: Any
    ) -> Device:
        made = Device(self.address, name, device, **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.client.close()))
        return await made.enter(register)

    async def trio(self) -> tuple[Device, Device, Device]:
        """Alice on two devices, Bob on one."""
        alice = await self.device("alice", "desk", register=True)
        phone = await self.device("alice", "phone")
        bob = await self.device("bob", "desk", register=True)
        return alice, phone, bob


class TalkTest(WholeCase):
    async def test_the_lobby_reaches_everybody_once_and_in_one_order(self) -> None:
        devices = await self.trio()
        sent = [
            device.client.send("#lobby", f"{device.name} {number}")
            for number in range(20)
            for device in (devices[0], devices[2])
        ]
        for each in sent:
            await each.stored()
        for device in devices:
            await device.until(lambda device=device: len(device.texts("#lobby")) == 40)
            seqs = [entry.seq for entry in device.entries("#lobby")]
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + 40)))
        self.assertEqual(*(device.texts("#lobby") for device in devices[:2]))
        self.assertEqual(*(device.texts("#lobby") for device in devices[1:]))

    async def test_a_private_conversation_has_receipts_and_marks_in_step(self) -> None:
        alice, _, bob = await self.trio()
        phone = await self.device("alice", "second phone", acknowledge=False)
        assert alice.client.user is not None
        assert bob.client.user is not None
        to_bob, to_alice = f"@{bob.client.user.user_id}", f"@{alice.client.user.user_id}"
        stored = await alice.client.send("@bob", "psst").stored()
        self.assertEqual(stored.conversation, to_bob)
        await bob.hears(to_alice, "psst")
        await phone.hears(to_bob, "psst")
        bob.client.mark_read(to_alice)
        for device in (alice, phone):
            await device.until(lambda device=device: (to_bob, 1) in self.read(device))
        bob.client.send("@alice", "yes?")
        await alice.hears(to_bob, "yes?")
        alice.client.mark_read(to_bob)
        await phone.until(lambda: phone.client.conversations[to_bob].read == 2)

    def read(self, device: Device) -> list[tuple[str, int]]:
        return [(receipt.conversation, receipt.read) for receipt in device.of(ReceiptMoved)]

    async def test_a_room_its_topic_a_deletion_and_a_search(self) -> None:
        alice, phone, bob = await self.trio()
        await alice.client.join("#tea", "leaves")
        await phone.until(lambda: "#tea" in phone.client.conversations)
        await bob.client.join("#Tea")
        await alice.client.set_topic("#tea", "water")
        stored = await bob.client.send("#tea", "a regrettable word").stored()
        await phone.hears("#tea", "a regrettable word")
        found = await alice.client.search("regrettable")
        self.assertEqual([entry.seq for entry in found.entries], [stored.seq])
        await bob.client.redact("#tea", stored.seq)
        await phone.until(lambda: "redact" in [e.kind for e in phone.entries("#tea")])
        page = await alice.client.history("#tea")
        self.assertTrue(next(e for e in page.entries if e.seq == stored.seq).deleted)
        self.assertEqual(alice.client.conversations["#tea"].topic, "water")
        self.assertEqual([u.user_name for u in await alice.client.members("#tea")],
                         ["alice", "bob"])  # fmt: skip
        self.assertIn("#tea", [room.conversation for room in await alice.client.rooms()])
        await bob.client.leave("#tea")
        self.assertEqual((await self.failure(bob.client.history("#tea"))).code, 403)

    async def failure(self, work: Any) -> Refused:
        try:
            await work
        except Refused as error:
            return error
        raise AssertionError("not refused")

    async def test_history_pages_to_the_first_message_and_back(self) -> None:
        alice = await self.device("alice", "desk", register=True)
        client = alice.client
        for number in range(1, 251):
            client.send("#lobby", str(number))
        await alice.until(lambda: len(alice.texts("#lobby")) == 250)
        newest = await client.history("#lobby", limit=200)
        older = await client.history("#lobby", before=newest.entries[0].seq, limit=200)
        again = await client.history("#lobby", after=older.entries[-1].seq, limit=200)
        texts = [entry.content for entry in older.entries + newest.entries]
        self.assertEqual(texts, [str(number) for number in range(1, 251)])
        self.assertEqual((older.more, again.entries), (False, newest.entries))

    async def test_presence_is_told_and_listed(self) -> None:
        alice, _, bob = await self.trio()
        self.assertEqual([u.user_name for u in await alice.client.online()], ["alice", "bob"])
        await bob.client.set_status(busy=True)
        await alice.until(lambda: ("bob", 2) in self.seen(alice))
        await bob.client.close()
        await alice.until(lambda: ("bob", 1) in self.seen(alice))
        self.assertEqual((await alice.client.lookup("bob")).user_status, 1)

    def seen(self, device: Device) -> list[tuple[str, int]]:
        changes = [user for event in device.of(PresenceChanged) for user in event.users]
        return [(user.user_name, user.user_status) for user in changes]

    async def test_a_changed_password_ends_the_other_devices(self) -> None:
        alice, phone, _ = await self.trio()
        await alice.client.change_password(_PASSWORD, "a better one")
        await phone.until(lambda: isinstance(phone.client.state, Stopped))
        state = phone.of(ConnectionChanged)[-1].state
        self.assertEqual(state.code, 403)
        self.assertIsInstance(alice.client.state, LoggedIn)
        devices = [each.device for each in await alice.client.sessions()]
        self.assertEqual(devices, ["desk"])

    async def test_the_same_device_again_replaces_the_first(self) -> None:
        alice, _, _ = await self.trio()
        await self.device("alice", "desk")
        await alice.until(lambda: isinstance(alice.client.state, Stopped))
        with self.assertRaises(Closed) as caught:
            await alice.client.rooms()
        self.assertEqual(caught.exception.code, 409)

    async def test_more_conversations_than_a_login_lists_are_all_known_and_followed(self) -> None:
        alice, _, bob = await self.trio()
        for number in range(120):
            await alice.client.join(f"#room{number}")
        await bob.client.join("#room0")
        phone = await self.device("alice", "third")
        await phone.until(lambda: len(phone.client.conversations) == 121)
        await phone.until(lambda: bool(phone.of(ConversationsListed)))
        await bob.client.send("#room0", "hello").stored()
        await phone.hears("#room0", "hello")

    async def test_one_who_was_away_gets_what_was_missed(self) -> None:
        alice, _, bob = await self.trio()
        await bob.client.close()
        await alice.client.send("#lobby", "where are you?").stored()
        later = await self.device("bob", "desk", missed=True)
        await later.hears("#lobby", "where are you?")

    async def test_a_message_that_ends_the_connection_is_given_up_and_holds_nobody_up(
        self,
    ) -> None:
        alice = await self.device("alice", "desk", register=True)
        sent = [alice.client.send("#lobby", text) for text in ("a", "x" * 70_000, "b")]
        stored = [await sent[0].stored(), await sent[2].stored()]
        self.assertEqual([each.conversation for each in stored], ["#lobby", "#lobby"])
        refused = await self.assertFailure(Deferred.fromCoroutine(sent[1].stored()), Refused)
        self.assertEqual(refused.code, 413)
        self.assertLessEqual(len(alice.of(ConnectionChanged)), 12)

    async def test_the_example_bot_answers_and_says_nothing_in_the_lobby(self) -> None:
        alice = await self.device("alice", "desk", register=True)
        await alice.client.register("echo", _PASSWORD)
        await alice.client.send("@echo", "said before it came").stored()
        bot = runpy.run_path(str(ROOT / "examples" / "echo_bot.py"))
        self.patch(os, "environ", {**os.environ, "CHATROOM_PASSWORD": _PASSWORD})
        running = Deferred.fromCoroutine(bot["echo"](reactor, "echo", self.address))
        running.addErrback(lambda failure: failure.trap(CancelledError))
        stored = await alice.client.send("@echo", "hello").stored()
        await alice.until(lambda: len(alice.texts(stored.conversation)) == 4)
        await alice.client.send("#lobby", "not you").stored()
        self.assertEqual(
            sorted(alice.texts(stored.conversation)),
            ["hello", "hello", "said before it came", "said before it came"],
        )
        running.cancel()


class KilledTest(WholeCase):
    async def test_nothing_is_lost_doubled_or_out_of_order_when_the_server_is_killed(self) -> None:
        alice, phone, bob = await self.trio()
        await bob.client.join("#tea")
        await alice.client.join("#tea")
        await phone.until(lambda: "#tea" in phone.client.conversations)
        sent = []
        for number in range(300):
            sent.append(alice.client.send("#tea", f"alice {number}"))
            sent.append(bob.client.send("#tea", f"bob {number}"))
        for times in (1, 2):
            await bob.until(lambda times=times: len(bob.texts("#tea")) >= 100 * times)
            await deferToThread(self.kill_and_start)
        for each in sent:
            self.assertIsInstance(await each.stored(), Stored)
        for device in (alice, phone, bob):
            await device.until(lambda device=device: len(device.texts("#tea")) >= 600)
            self.judge(device)
        self.assertEqual(alice.texts("#tea"), bob.texts("#tea"))
        self.assertEqual(phone.texts("#tea"), bob.texts("#tea"))
        drops = [e for e in bob.of(ConnectionChanged) if isinstance(e.state, LoggedIn)]
        self.assertEqual(len(drops), 3)
        self.assertEqual([e for e in bob.of(ConversationChanged) if e.conversation.gone], [])

    def kill_and_start(self) -> None:
        self.server.kill()
        self.server.start()

    async def test_a_restored_backup_takes_back_what_it_does_not_know(self) -> None:
        alice, phone, bob = await self.trio()
        data, backup = self.server.home / "data", self.server.home / "backup"
        for number in range(5):
            await alice.client.send("#lobby", f"kept {number}").stored()
        await deferToThread(self.server.stop)
        shutil.copytree(data, backup, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
        await deferToThread(self.server.start)
        for number in range(5):
            await bob.client.send("#lobby", f"lost {number}").stored()
        for device in (alice, phone, bob):
            await device.hears("#lobby", "lost 4")
        await deferToThread(self.server.stop)
        shutil.rmtree(data)
        backup.rename(data)
        await deferToThread(self.server.start)
        await bob.client.send("#lobby", "new").stored()
        for device in (alice, phone, bob):
            await device.hears("#lobby", "new")
            (changed,) = device.of(EpochChanged)
            self.assertEqual(changed.epoch_first, 6)
            self.assertEqual(device.entries("#lobby")[-1].seq, 6)
            self.assertEqual(device.client.positions["#lobby"].seq, 6)

    def judge(self, device: Device) -> None:
        seqs = [entry.seq for entry in device.entries("#tea")]
        self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))))
        for name in ("alice", "bob"):
            own = [text for text in device.texts("#tea") if text.startswith(name)]
            self.assertEqual(own, [f"{name} {number}" for number in range(300)])


class CommandTest(WholeCase):
    def setUp(self) -> None:
        super().setUp()
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def begin(self, *words: str) -> Program:
        program = Program(self.home, words, {"CHATROOM_PASSWORD": _PASSWORD})
        self.addCleanup(program.remove)
        return program

    async def command(self, *words: str, given: bytes = b"") -> str:
        status, out, errors = await self.begin(*words).end(given)
        self.assertEqual((status, errors), (0, ""))
        return out

    async def test_who_is_one_too_many_is_told_so(self) -> None:
        server = ServerProcess.start_for(self, *GENEROUS, "--connections", "1")
        first = CurrentPeer(server.port)
        self.addCleanup(first.close)
        first.ping()
        there = ("--server", f"127.0.0.1:{server.port}", "--user", "ann", "--timeout", "1")
        for words, status in (("who",), 3), (("register", "ann"), 4):
            done = await self.begin(*words, *there).end()
            self.assertEqual(done[:2], (status, ""))
            self.assertIn("There are too many connections. Try again later.", done[2])

    async def test_pipes_in_and_pipes_out_over_the_death_of_the_server(self) -> None:
        await self.command("register", "alice", "--server", self.address)
        bob = ("--profile", "bob")
        await self.command(*bob, "register", "bob", "--server", self.address)
        await self.command(*bob, "send", "#lobby", "before")
        tail = self.begin("tail", "--json", "-n", "9", "--count", "4")
        self.assertEqual(json.loads(await tail.line())["content"], "before")
        await self.command(*bob, "send", "@alice", "-", given="你好\n".encode())
        self.assertEqual(json.loads(await tail.line())["content"], "你好")
        self.server.kill()
        sending = self.begin(*bob, "send", "#lobby", "--lines", "--timeout", "60")
        await deferToThread(self.server.start)
        self.assertEqual(await sending.end(b"one\ntwo\nthree\n"), (0, "", ""))
        status, out, errors = await tail.end()
        self.assertEqual((status, errors), (0, ""))
        told = [json.loads(line)["content"] for line in out.splitlines()]
        self.assertEqual(told, ["one", "two", "three"])
        self.assertIn("bob online", await self.command(*bob, "who"))
        self.assertEqual(len((await self.command("history", "#lobby")).splitlines()), 4)
