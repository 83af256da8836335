"""One fault at a time on the whole system: what people see, and that nothing accepted is lost."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import deque
from pathlib import Path
from statistics import median
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chat.soak.processes import ask, limit_files, newest_file, resident
from chat.soak.wire import Frames, pack
from tests.patience import PATIENCE
from tests.process import ServerProcess
from tests.valkey import Valkey
from tests.valkey import start_for as valkey_for

LOBBY = "#lobby"
QUICK = ("--rate", "0", "--request-rate", "0", "--refusals", "0")


class Peer:
    """A client in its simplest form: blocking, one message after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._frames = Frames()
        self._messages: deque[tuple[str, dict[str, Any]]] = deque()

    def send(self, kind: str, /, **data: Any) -> None:
        """Send a message."""
        self.socket.sendall(pack(kind, data))

    def wait_for(self, kind: str) -> dict[str, Any]:
        """The next message of a type; others that come before it are kept for later.

        :raises EOFError: the server has closed.
        """
        for position, (found, data) in enumerate(self._messages):
            if found == kind:
                del self._messages[position]
                return data
        while received := self.socket.recv(1 << 18):
            self._messages += [message[:2] for message in self._frames.feed(received)]
            if any(found == kind for found, _ in self._messages):
                return self.wait_for(kind)
        raise EOFError

    def ask(self, kind: str, /, **data: Any) -> dict[str, Any]:
        """Send a request and wait for its reply."""
        self.send(kind, **data)
        return self.wait_for(f"{kind.removesuffix('Mes')}ResMes")

    def enter(self, name: str) -> dict[str, Any]:
        """Register if need be, and log in."""
        self.ask("RegisterMes", version=2, user={"userName": name, "userPwd": "secret"})
        return self.ask("LoginMes", version=2, userName=name, userPwd="secret", device=name)


def say(peer: Peer, text: str, to: str = LOBBY) -> dict[str, Any]:
    """Say something once; its first answer."""
    return peer.ask("SmsMes", to=to, content=text, clientId=text.replace(" ", "-")[:64])


def insist(peer: Peer, text: str, to: str = LOBBY) -> dict[str, Any]:
    """Say something as a good client does: again, with the same name, until it is accepted."""
    give_up = time.monotonic() + PATIENCE
    while (answer := say(peer, text, to))["code"] != 200:
        if answer["code"] not in (503, 504) or time.monotonic() > give_up:
            raise AssertionError(answer)
        time.sleep(min(answer["retryAfter"] or 0.1, 0.2))
    return answer


def log_of(peer: Peer, conversation: str = LOBBY, limit: int = 200) -> list[str]:
    """The texts of a conversation; its numbers are checked to be 1, 2, 3, …"""
    texts: list[str] = []
    while True:
        page = peer.ask("HistoryMes", conversation=conversation, after=len(texts), limit=limit)
        assert page["code"] == 200, page
        for entry in page["messages"]:
            assert entry["seq"] == len(texts) + 1, entry
            texts.append(entry["content"])
        if not page["more"]:
            return texts


def heard(peer: Peer, count: int) -> list[tuple[int, str]]:
    """The next ``count`` entries that are pushed."""
    pushes = [peer.wait_for("SmsMes") for _ in range(count)]
    return [(push["seq"], push["content"]) for push in pushes]


class Case(SynchronousTestCase):
    def store(self, *arguments: str) -> Valkey:
        """A store that keeps what it has accepted."""
        return valkey_for(self, "--appendonly", "yes", *arguments)

    def server(self, store: Valkey | None = None, *options: str) -> ServerProcess:
        where = ("--store", store.url) if store is not None else ()
        return ServerProcess.start_for(self, *QUICK, *where, *options)

    def store_ends(self, server: ServerProcess) -> None:
        """Wait for the end of a store whose server was killed."""
        try:
            pid = int((server.home / "data" / "store.pid").read_text())
        except FileNotFoundError:  # It takes that file along.
            return
        give_up = time.monotonic() + PATIENCE
        while resident(pid) and time.monotonic() < give_up:
            time.sleep(0.01)

    def enter(self, server: ServerProcess, name: str) -> Peer:
        peer = Peer(server.port)
        self.addCleanup(peer.socket.close)
        self.assertEqual(peer.enter(name)["code"], 200)
        return peer


class ServerTest(Case):
    def test_killed_it_loses_nothing_and_a_repetition_elsewhere_gets_the_same_number(self) -> None:
        store = self.store()
        first, second = self.server(store), self.server(store)
        alice = self.enter(first, "alice")
        answers = [say(alice, f"a{number}") for number in range(5)]
        alice.send("SmsMes", to=LOBBY, content="in flight", clientId="in-flight")
        first.kill()
        again = self.enter(second, "alice")
        for number, answer in enumerate(answers):
            repeated = say(again, f"a{number}")
            self.assertEqual((repeated["seq"], repeated["duplicate"]), (answer["seq"], True))
            self.assertEqual(repeated["epoch"], answer["epoch"])
        insist(again, "in flight")
        self.assertEqual(log_of(again), [f"a{number}" for number in range(5)] + ["in flight"])

    def test_stopped_for_a_while_it_delivers_what_was_said_elsewhere_meanwhile(self) -> None:
        store = self.store()
        first, second = self.server(store), self.server(store)
        alice, bob = self.enter(first, "alice"), self.enter(second, "bob")
        first.process.send_signal(signal.SIGSTOP)
        for number in range(20):
            say(bob, f"b{number}")
        first.process.send_signal(signal.SIGCONT)
        self.assertEqual(heard(alice, 20), [(n + 1, f"b{n}") for n in range(20)])

    def test_a_rolling_restart_refuses_nothing_for_good(self) -> None:
        store = self.store()
        servers = [self.server(store), self.server(store)]
        for number, server in enumerate(servers):
            peer = self.enter(server, "alice")
            for each in range(50):
                peer.send(
                    "SmsMes", to=LOBBY, content=f"{number} {each}", clientId=f"{number}.{each}"
                )
            server.process.terminate()
            self.assertEqual(peer.wait_for("ByeMes")["code"], 503)
            other = self.enter(servers[1 - number], "alice")
            for each in range(50):
                answer = other.ask(
                    "SmsMes", to=LOBBY, content=f"{number} {each}", clientId=f"{number}.{each}"
                )
                self.assertEqual(answer["code"], 200)
            server.ended()
            server.start()
        said = log_of(self.enter(servers[0], "alice"))
        self.assertEqual(said, [f"{number} {each}" for number in range(2) for each in range(50)])


class StoreTest(Case):
    def test_killed_it_costs_a_503_at_once_and_no_connection_no_message_no_epoch(self) -> None:
        store = self.store()
        server = self.server(store)
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        before = say(alice, "before")
        heard(bob, 1)
        store.kill()
        answer = say(alice, "during")
        while answer["code"] == 504:  # the loss was not noticed yet
            answer = say(alice, "during")
        self.assertEqual(answer["code"], 503)
        self.assertGreater(answer["retryAfter"], 0)
        store.start()
        after = insist(alice, "during")
        self.assertEqual(after["epoch"], before["epoch"])
        self.assertEqual(heard(bob, 1), [(2, "during")])
        self.assertEqual(log_of(bob), ["before", "during"])

    def test_stopped_it_costs_a_504_within_the_deadline_and_the_message_is_there_once(self) -> None:
        store = self.store()
        server = self.server(store, "--store-deadline", "1")
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        store.freeze()
        answer = say(alice, "during")  # while it is frozen: only the deadline can have ended that
        store.thaw()
        self.assertEqual(answer["code"], 504)
        self.assertEqual(insist(alice, "during")["seq"], 1)
        insist(alice, "after")
        self.assertEqual(heard(bob, 2), [(1, "during"), (2, "after")])

    def test_an_embedded_one_that_is_killed_is_brought_back_with_everything(self) -> None:
        server = self.server()
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        before = say(alice, "before")
        os.kill(int((server.home / "data" / "store.pid").read_text()), signal.SIGKILL)
        after = insist(alice, "after")
        self.assertEqual((after["seq"], after["epoch"]), (2, before["epoch"]))
        self.assertEqual(heard(bob, 2), [(1, "before"), (2, "after")])

    def test_on_a_full_disk_it_refuses_and_is_read_and_takes_more_when_there_is_room(self) -> None:
        server = self.server()
        alice = self.enter(server, "alice")
        say(alice, "before")
        store = int((server.home / "data" / "store.pid").read_text())
        file = newest_file(server.home / "data" / "appendonlydir")
        # The store's launcher is Python, which ignores SIGXFSZ: a write over the limit just fails.
        limit_files(store, file.stat().st_size + 100)
        refused = self.refusal(alice)
        self.assertEqual(log_of(alice)[0], "before")
        self.assertEqual(alice.ask("ConversationsMes")["code"], 200)
        limit_files(store, None)
        insist(alice, refused)
        self.assertEqual(log_of(alice).count(refused), 1)

    def test_what_ended_with_the_store_on_a_full_disk_is_lost_in_a_new_epoch(self) -> None:
        for end in (self.stop, self.kill):
            server = self.server()
            alice = self.enter(server, "alice")
            say(alice, "before")
            file = newest_file(server.home / "data" / "appendonlydir")
            store = int((server.home / "data" / "store.pid").read_text())
            limit_files(store, file.stat().st_size + 100)
            accepted = say(alice, "x" * 300)  # The store notices when it has answered.
            self.refusal(alice)
            end(server)
            server.start()
            again = self.enter(server, "alice")
            self.assertEqual(log_of(again), ["before"])  # else this tests nothing
            after = say(again, "after")
            self.assertEqual(after["seq"], accepted["seq"])
            self.assertNotEqual(after["epoch"], accepted["epoch"])
            server.stop()
            server.start()
            self.assertEqual(say(self.enter(server, "alice"), "more")["epoch"], after["epoch"])

    def stop(self, server: ServerProcess) -> None:
        """End a server and its store as a service manager does."""
        server.stop()

    def kill(self, server: ServerProcess) -> None:
        """End a server as ``kill -9`` does, and wait for the end of its store."""
        server.kill()
        self.store_ends(server)

    def test_a_gap_that_a_full_disk_left_is_closed_when_it_starts_again(self) -> None:
        server = self.server()
        alice = self.enter(server, "alice")
        before = say(alice, "before")
        pid = int((server.home / "data" / "store.pid").read_text())
        path = str(server.home / "data" / "store.sock")
        self.rewrite(path)
        ask(path, "ACL", "SETUSER", "default", "-bgrewriteaof")  # or there is no gap for long
        after = self.make_gap(alice, pid, newest_file(server.home / "data" / "appendonlydir"))
        os.kill(pid, signal.SIGKILL)
        again = insist(alice, "again")
        self.assertEqual((again["seq"], again["epoch"]), (after + 1, before["epoch"]))
        self.assertRegex(server.log, "Closed 1 gaps")

    def test_after_a_full_disk_a_store_of_ones_own_writes_its_file_anew(self) -> None:
        store = self.store()
        alice = self.enter(self.server(store), "alice")
        say(alice, "before")
        self.rewrite(store.path)
        assert store.process is not None
        file = newest_file(store.directory / "appendonlydir")
        last = self.make_gap(alice, store.process.pid, file)
        give_up = time.monotonic() + PATIENCE
        while file.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        store.kill()
        store.start()
        self.assertEqual(insist(alice, "again")["seq"], last + 1)

    def make_gap(self, peer: Peer, pid: int, file: Path) -> int:
        """Let the disk be full and have room again; the last number that was given out.

        Valkey leaves a gap in a file that a rewrite began (``chat/store/rewriting.py``).
        """
        limit_files(pid, file.stat().st_size + 100)
        refused = self.refusal(peer)
        limit_files(pid, None)
        with file.open("rb") as opened:
            last: int = insist(peer, refused)["seq"]
            self.assertIn(b"\0" * 50, opened.read())  # else this tests nothing
        return last

    def rewrite(self, path: str) -> None:
        """Let a store write its file anew, and wait until it has."""
        ask(path, "BGREWRITEAOF")
        self.wait_for_rewrite(path)

    def wait_for_rewrite(self, path: str) -> None:
        """Wait until a store writes its file anew no more."""
        give_up = time.monotonic() + PATIENCE
        while b"aof_rewrite_in_progress:0" not in ask(path, "INFO", "persistence"):
            if time.monotonic() > give_up:
                raise AssertionError("the store does not rewrite its file")
            time.sleep(0.01)

    def test_damaged_entries_of_a_log_are_shown_as_deleted_and_their_page_is_whole(self) -> None:
        store = self.store()
        server = self.server(store)
        alice = self.enter(server, "alice")
        for number in range(5):
            say(alice, f"text {number}")
        key = "ch:c:{r:lobby}:log"
        entries = store.ask("XRANGE", key, "-", "+")
        store.ask("DEL", key)
        names, kept = zip(*((name, fields[1]) for name, fields in entries), strict=True)
        wrong = [kept[1].replace(b'"text', b'"t\xff\xfext'), b"junk", kept[3][:20]]
        for name, value in zip(names, [kept[0], *wrong, kept[4]], strict=True):
            store.ask("XADD", key, name, "e", value)
        page = alice.ask("HistoryMes", conversation=LOBBY, after=0)
        texts = [each.get("content") or each.get("deleted") for each in page["messages"]]
        self.assertEqual(texts, ["text 0", True, True, True, "text 4"])
        self.assertEqual([each["seq"] for each in page["messages"]], [1, 2, 3, 4, 5])
        self.assertRegex(server.log, "Entry 2 of r:lobby can't be read")

    def test_a_joining_that_was_cut_short_is_no_membership(self) -> None:
        store = self.store()
        server = self.server(store)
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        alice.ask("JoinMes", conversation="#secret")
        bob_id = bob.ask("LookupMes", userName="bob")["user"]["userId"]
        bob.socket.close()
        store.ask("ZADD", f"ch:u:{{{bob_id}}}:convs", 0, "r:secret")
        again = self.enter(server, "bob")
        say(alice, "not for bob", "#secret")
        say(alice, "for everybody")
        self.assertEqual(heard(again, 1), [(1, "for everybody")])

    def test_who_leaves_a_room_of_which_they_are_no_member_any_more_hears_nothing(self) -> None:
        store = self.store()
        server = self.server(store)
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        for peer in (alice, bob):
            peer.ask("JoinMes", conversation="#cooks")
        bob_id = bob.ask("LookupMes", userName="bob")["user"]["userId"]
        store.ask("HDEL", "ch:c:{r:cooks}:members", bob_id)
        self.assertEqual(bob.ask("LeaveMes", conversation="#cooks")["code"], 403)
        say(alice, "not for bob", "#cooks")
        say(alice, "for everybody")
        self.assertEqual(heard(bob, 1), [(1, "for everybody")])

    def refusal(self, peer: Peer) -> str:
        """Say things until one is refused; which one."""
        give_up = time.monotonic() + PATIENCE
        number = 0
        while time.monotonic() < give_up:
            number += 1
            answer = say(peer, f"{number} {'x' * 300}")
            if answer["code"] == 503:
                self.assertGreater(answer["retryAfter"], 0)
                return f"{number} {'x' * 300}"
            time.sleep(0.01)
        raise AssertionError("nothing was refused")

    def test_at_its_memory_limit_it_refuses_and_is_read_and_takes_more_later(self) -> None:
        store = self.store()
        alice = self.enter(self.server(store), "alice")
        before = say(alice, "before")
        store.ask("CONFIG", "SET", "maxmemory", "1")
        answer = say(alice, "during")
        self.assertEqual(answer["code"], 503)
        self.assertGreater(answer["retryAfter"], 0)
        self.assertEqual(log_of(alice), ["before"])
        # Its marks can't be written, which comes first where there is room.
        alice.send("AckMes", conversation=LOBBY, epoch=before["epoch"], read=1)
        listed = alice.ask("ConversationsMes")
        self.assertEqual([each["seq"] for each in listed["conversations"]], [1])
        store.ask("CONFIG", "SET", "maxmemory", "0")
        self.assertEqual(insist(alice, "during")["seq"], 2)


class RollbackTest(Case):
    def test_a_store_that_lost_numbers_gets_one_new_epoch_and_gives_no_number_twice(self) -> None:
        store = self.store()
        server = self.server(store)
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        kept = say(alice, "kept")
        copy = store.directory / "copy"
        shutil.copytree(store.directory / "appendonlydir", copy)
        lost = [say(alice, f"lost {number}") for number in range(3)]
        store.kill()
        shutil.rmtree(store.directory / "appendonlydir")
        copy.rename(store.directory / "appendonlydir")
        store.start()
        after = insist(alice, "after")
        self.assertNotEqual(after["epoch"], lost[0]["epoch"])
        self.assertEqual((after["seq"], after["epochFirst"]), (2, 2))
        page = bob.ask("HistoryMes", conversation=LOBBY, epoch=kept["epoch"], after=4)
        self.assertEqual((page["epoch"], page["epochFirst"]), (after["epoch"], 2))
        self.assertEqual(page["messages"], [])
        self.assertEqual(log_of(bob), ["kept", "after"])
        self.assertEqual(insist(alice, "more")["epoch"], after["epoch"])

    def test_a_conversation_that_did_not_exist_yet_begins_a_new_epoch_too(self) -> None:
        store = self.store()
        server = self.server(store)
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        copy = store.directory / "copy"
        shutil.copytree(store.directory / "appendonlydir", copy)
        lost = [say(alice, f"lost-{number}", "@bob") for number in range(3)]
        conversation = bob.wait_for("SmsMes")["conversation"]
        heard(bob, 2)
        store.kill()
        shutil.rmtree(store.directory / "appendonlydir")
        copy.rename(store.directory / "appendonlydir")
        store.start()
        after = insist(alice, "after", "@bob")
        self.assertNotEqual(after["epoch"], lost[0]["epoch"])
        self.assertEqual(log_of(bob, conversation), ["after"])

    def test_a_torn_tail_is_cut_and_a_new_epoch_begins(self) -> None:
        server = self.server()
        before = [say(self.enter(server, "alice"), f"a{number}") for number in range(3)]
        server.kill()
        self.store_ends(server)
        file = newest_file(server.home / "data" / "appendonlydir")
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size - 10)
        server.start()
        alice = self.enter(server, "alice")
        after = say(alice, "after")
        self.assertNotEqual(after["epoch"], before[0]["epoch"])
        self.assertEqual(log_of(alice)[-1], "after")
        self.assertEqual(log_of(alice)[:2], ["a0", "a1"])

    def test_a_torn_middle_is_refused_until_it_is_repaired(self) -> None:
        server = self.server()
        before = [say(self.enter(server, "alice"), f"a{number}") for number in range(30)]
        server.kill()
        self.store_ends(server)
        file = newest_file(server.home / "data" / "appendonlydir")
        content = file.read_bytes()
        with file.open("r+b") as opened:
            opened.seek(content.index(b"\r\n*", content.index(b'"content":"a20"')) + 2)
            opened.write(b"\xff" * 20)
        server.begin()
        self.assertEqual(server.ended(), 1)
        told = re.search(r"what is before that byte is kept by: (.+)", server.log)
        assert told is not None, server.log
        # Where no environment is active, as in that of a service.
        repaired = subprocess.run(
            told[1], shell=True, env={}, capture_output=True, text=True, timeout=PATIENCE, cwd="/"
        )
        self.assertEqual(repaired.returncode, 0, repaired.stderr)
        server.start()
        alice = self.enter(server, "alice")
        after = say(alice, "after")
        self.assertNotEqual(after["epoch"], before[0]["epoch"])
        self.assertEqual(log_of(alice)[:20], [f"a{number}" for number in range(20)])


class BusTest(Case):
    def test_cut_it_comes_back_and_nothing_said_elsewhere_meanwhile_is_missed(self) -> None:
        store = self.store()
        first = self.server(store)
        line = store.ask("CLIENT", "LIST", "TYPE", "pubsub").decode()
        alice = self.enter(first, "alice")
        second = self.server(store)
        bob = self.enter(second, "bob")
        epoch = say(bob, "b0")["epoch"]
        first.process.send_signal(signal.SIGSTOP)  # or it would be back before anything is said
        store.ask("CLIENT", "KILL", "ID", line.removeprefix("id=").partition(" ")[0])
        for number in range(1, 10):
            self.assertEqual(say(bob, f"b{number}")["epoch"], epoch)
        first.process.send_signal(signal.SIGCONT)
        self.assertEqual(heard(alice, 10), [(n + 1, f"b{n}") for n in range(10)])
        self.assertEqual(say(bob, "after")["epoch"], epoch)

    def test_the_last_message_arrives_although_its_publication_was_lost(self) -> None:
        """The store throws a server out that read too slowly, and nothing more is said."""
        store = self.store()
        store.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 128kb 1")
        first, second = self.server(store), self.server(store)
        alice, bob = self.enter(first, "alice"), self.enter(second, "bob")
        first.process.send_signal(signal.SIGSTOP)
        said = [f"{number} {'x' * 4_000}" for number in range(200)]
        for number, text in enumerate(said):
            bob.ask("SmsMes", to=LOBBY, content=text, clientId=str(number))
        first.process.send_signal(signal.SIGCONT)
        self.assertEqual(heard(alice, 200), list(enumerate(said, 1)))
        self.assertRegex(first.log, "Lost the store")

    def test_what_began_long_before_the_loss_was_seen_is_told_from_its_beginning(self) -> None:
        """What a server reads just before it sees the loss may be old: it waited in the kernel."""
        store = self.store()
        store.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 128kb 64kb 1")
        first, second = self.server(store), self.server(store)
        alice, bob = self.enter(first, "alice"), self.enter(second, "bob")
        first.process.send_signal(signal.SIGSTOP)
        for number in range(30):
            say(bob, f"{number} {'x' * 15_000}")
        say(bob, "the first word", "@alice")
        time.sleep(1.2)  # longer than clocks are allowed to differ
        first.process.send_signal(signal.SIGCONT)
        pushes = [alice.wait_for("SmsMes") for _ in range(31)]
        self.assertIn((1, "the first word"), [(each["seq"], each["content"]) for each in pushes])

    def test_a_private_message_of_the_last_moment_arrives_too(self) -> None:
        """Before anything else has noted that this conversation moved."""
        store = self.store()
        first = self.server(store)
        line = store.ask("CLIENT", "LIST", "TYPE", "pubsub").decode()
        second = self.server(store)
        alice, bob = self.enter(first, "alice"), self.enter(second, "bob")
        say(bob, "before", "@alice")
        first.process.send_signal(signal.SIGSTOP)
        store.ask("CLIENT", "KILL", "ID", line.removeprefix("id=").partition(" ")[0])
        say(bob, "during", "@alice")
        second.kill()  # which would have noted it within a second
        first.process.send_signal(signal.SIGCONT)
        self.assertEqual(heard(alice, 2), [(1, "before"), (2, "during")])

    def test_who_comes_while_all_is_compared_is_told_nothing_old(self) -> None:
        store = self.store()
        crowded = ("--registrations-per-address", "0", "--logins-per-account", "0")
        first = self.server(store, *crowded, "--logins-per-address", "0")
        line = store.ask("CLIENT", "LIST", "TYPE", "pubsub").decode()
        second = self.server(store)
        crowd = [f"user{number}" for number in range(30)]
        for name in crowd:
            self.enter(first, name)
        bob = self.enter(second, "bob")
        for name in crowd:
            say(bob, f"before-{name}", f"@{name}")
        first.process.send_signal(signal.SIGSTOP)
        store.ask("CLIENT", "KILL", "ID", line.removeprefix("id=").partition(" ")[0])
        for name in crowd:
            say(bob, f"during-{name}", f"@{name}")
        first.process.send_signal(signal.SIGCONT)
        late = Peer(first.port)
        self.addCleanup(late.socket.close)
        login = {"userName": crowd[-1], "userPwd": "secret", "device": "another"}
        while (welcome := late.ask("LoginMes", version=2, **login))["code"] != 200:
            self.assertEqual(welcome["code"], 503)
        insist(bob, "after", f"@{crowd[-1]}")
        told = {each["seq"] for each in welcome["conversations"]}
        self.assertEqual((told, heard(late, 1)), ({0, 2}, [(3, "after")]))


class ClientTest(Case):
    def test_cut_in_the_middle_of_a_frame_it_has_said_nothing(self) -> None:
        server = self.server()
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        whole = pack("SmsMes", {"to": LOBBY, "content": "half a frame", "clientId": "half"})
        body = whole[4:] + b" " * 50  # all that it says stands in what does arrive
        alice.socket.sendall(len(body).to_bytes(4, "big") + body[:-50])
        alice.socket.close()
        say(bob, "still here")
        self.assertEqual(log_of(bob), ["still here"])

    def test_that_does_not_read_costs_a_bounded_amount_and_nobody_else_notices(self) -> None:
        server = self.server(None, "--send-buffer", "65536")
        alice, bob = self.enter(server, "alice"), self.enter(server, "bob")
        carol = self.enter(server, "carol")
        bob.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        text = "x" * 16_000
        before, took = resident(server.process.pid), []
        count = 700
        for number in range(count):
            since = time.monotonic()
            alice.ask("SmsMes", to=LOBBY, content=text, clientId=str(number))
            self.assertEqual(carol.wait_for("SmsMes")["seq"], number + 1)
            took.append(time.monotonic() - since)
        grown = resident(server.process.pid) - before
        # What it would have to keep is 11 MB, less what the kernel takes.
        self.assertLess(grown, 3 << 20)
        self.assertLess(median(took[-100:]), 10 * median(took[:20]))
        seen = 0
        while seen < count:
            seen = max(seen, bob.wait_for("SmsMes")["seq"])
        self.assertEqual(len(log_of(bob, limit=4)), count)


class ProcessesTest(Case):
    def test_nothing_is_left_running(self) -> None:
        server = self.server()
        pid = int((server.home / "data" / "store.pid").read_text())
        server.kill()
        give_up = time.monotonic() + PATIENCE
        while resident(pid) and time.monotonic() < give_up:
            time.sleep(0.01)
        # Where nobody takes the dead away it stays in /proc, without memory.
        self.assertEqual(resident(pid), 0)
