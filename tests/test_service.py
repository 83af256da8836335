"""The server as a process: how it starts, what it says when it cannot, and how it stops."""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from threading import Timer

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

import chat
from chat.server.network.listening import Listeners
from chat.server.options import Options
from chat.server.process.background import WAIT_SECONDS, InBackground
from chat.server.process.lifecycle import Lifecycle
from chat.server.process.starting import SPARE_FILES
from chat.server.service import ChatService
from chat.server.settings import Settings
from tests.patience import PATIENCE
from tests.peers import Closed, CurrentPeer
from tests.process import TWISTD, ServerProcess, twistd
from tests.server import check_log
from tests.valkey import Valkey
from tests.valkey import start_for as valkey_for

SIGNALS = """
import os, signal
from twisted.internet import reactor
from twisted.logger import globalLogPublisher
from chat.server.process.starting import calm_signals

logged = []
globalLogPublisher.addObserver(lambda event: logged.append(str(event.get("log_format"))))

def told():
    return [each for each in logged if "SIGTERM" in each]

def begin():
    before = signal.getsignal(signal.SIGTERM)
    calm_signals(reactor, lambda: False)()
    undone.append(signal.getsignal(signal.SIGTERM) == before)
    calm_signals(reactor, lambda: False)
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):  # Python calls handlers between two of its steps.
        early.extend(told())

early, undone = [], []
reactor.callWhenRunning(begin)
reactor.run()
assert undone == [True]
assert not early
assert len(told()) == 1
"""

PAGE = (Path(__file__).parent.parent / "docs" / "operating.rst").read_text(encoding="utf-8")
LOBBY = "#lobby"
PASSWORD = "xyzzy-password"


def store_of(server: ServerProcess) -> int:
    """The process id of a server's embedded store."""
    return int((server.home / "data" / "store.pid").read_text())


def lives(pid: int) -> bool:
    """Whether a process lives and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end_in_the_background(pid: int) -> None:
    """Stop a server that is nobody's child, and for which nobody can wait."""
    os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + PATIENCE
    while lives(pid):
        if time.monotonic() > give_up:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


class ServerCase(SynchronousTestCase):
    def directory(self) -> Path:
        made = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(made.cleanup)
        return Path(made.name)

    def server(self, *options: str, open_files: tuple[int, int] | None = None) -> ServerProcess:
        return ServerProcess.start_for(self, *options, open_files=open_files)

    def begun(self, *options: str) -> ServerProcess:
        """A server that was started, and nobody has waited for it yet."""
        server = ServerProcess(*options)
        self.addCleanup(server.remove)
        server.begin()
        return server

    def peer(self, server: ServerProcess) -> CurrentPeer:
        """A connection that ends with the test."""
        peer = CurrentPeer(server.port)
        self.addCleanup(peer.close)
        return peer

    def enter(self, server: ServerProcess, name: str = "alice") -> CurrentPeer:
        """Somebody who is logged in, and registered just before that if need be."""
        peer = self.peer(server)
        peer.register(userName=name, userPwd=PASSWORD)
        reply = peer.log_in(userName=name, userPwd=PASSWORD, device="here")
        self.assertEqual(reply["code"], 200, reply)
        return peer


class Waiting(Lifecycle):
    """A server whose store is away."""

    async def start(self, parts: contextlib.AsyncExitStack) -> None:
        await Deferred()


class InBackgroundTest(SynchronousTestCase):
    """What twistd's process in front reads from its pipe."""

    def test_who_waits_for_the_store_for_long_is_waited_for_no_longer(self) -> None:
        reactor, (hears, says) = MemoryReactorClock(), os.pipe()
        self.addCleanup(os.close, hears)
        standard_error = os.dup(2)
        self.addCleanup(lambda: (os.dup2(standard_error, 2), os.close(standard_error)))
        service = InBackground(
            reactor,
            Waiting(reactor, Settings(), Listeners(reactor, [])),
            twistd := {"statusPipe": says},
        )
        self.addCleanup(signal.alarm, 0)
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self.addCleanup(service.stopService)  # or what this test logs is hidden in all later ones
        service.privilegedStartService()
        service.startService()
        self.assertEqual(twistd, {})  # or twistd would tell by itself
        reactor.run()
        reactor.advance(WAIT_SECONDS - 0.1)
        os.set_blocking(hears, False)
        self.assertRaises(BlockingIOError, os.read, hears, 100)
        reactor.advance(0.1)
        self.assertEqual(os.read(hears, 100), b"0")
        self.assertEqual(os.read(hears, 100), b"")


class StartTest(ServerCase):
    def test_a_port_in_use_is_one_sentence_and_status_1(self) -> None:
        home = self.directory()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            words = ["chatroom", "--listen", endpoint, "--data", str(home / "data")]
            done = twistd("-n", "--pidfile=", *words, cwd=home)
            self.assertEqual(done.returncode, 1)
            sentence = f"chatroom: cannot listen: Address already in use ({endpoint})\n"
            self.assertEqual(done.stderr, sentence)
            done = twistd("--logfile=log", *words, cwd=home)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith(sentence), done.stderr)
        # The process in the background says so to the one in front, then takes its file away, and
        # then writes its last words.
        said = sentence.removeprefix("chatroom: ")
        give_up = time.monotonic() + PATIENCE
        while said not in (home / "log").read_text() and time.monotonic() < give_up:
            os.sched_yield()
        self.assertIn(said, (home / "log").read_text())
        self.assertEqual(os.listdir(home), ["log"])

    def test_a_log_that_cannot_be_written_is_one_sentence_and_status_1(self) -> None:
        home = self.directory()
        words = ("--logfile=nowhere/log", "chatroom", "--data", str(home / "data"))
        done = twistd(*words, cwd=home)
        said = f"chatroom: cannot use {home}/nowhere/log: No such file or directory\n"
        self.assertEqual((done.returncode, done.stderr), (1, said))

    def test_in_the_foreground_no_file_keeps_the_same_command_from_working_again(self) -> None:
        home = self.directory()
        (home / "twistd.pid").write_text(str(os.getpid()))  # of a killed one, and in use again
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            words = ["-n", "chatroom", "--listen", endpoint, "--data", str(home / "data")]
            done = twistd(*words, cwd=home)
        self.assertIn("cannot listen: Address already in use", done.stderr)

    def test_a_reactor_that_was_chosen_is_the_one(self) -> None:
        home = self.directory()
        own = "DirectReactor" if hasattr(select, "epoll") else "Reactor"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            words = ["chatroom", "--listen", endpoint, "--data", str(home / "data")]
            for chosen, name in ([], own), (["--reactor=select"], "SelectReactor"):
                done = twistd("-n", "--pidfile=", *chosen, *words, cwd=home)
                self.assertRegex(done.stdout, rf"reactor class: .*{name}\.")

    def test_a_data_directory_in_use_is_one_sentence_and_status_1(self) -> None:
        server = self.server()
        words = ["--listen", "tcp:0:interface=127.0.0.1", "--data", str(server.home / "data")]
        done = twistd("-n", "--pidfile=", "chatroom", *words, cwd=server.home)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"\Achatroom: .*{server.home}/data.*\n\Z")
        done = twistd("--logfile=other", "--pidfile=pid", "chatroom", *words, cwd=server.home)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"\Achatroom: .*{server.home}/data.*\nAn error has occurred")
        self.enter(server)

    def test_twisteds_other_runner_starts_it_too(self) -> None:
        home = self.directory()
        words = [sys.executable, "-m", "twisted", "--log-format=text", "chatroom"]
        words += ["--listen", "tcp:0:interface=127.0.0.1", "--data", str(home / "data")]
        with subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE, text=True) as twist:
            assert twist.stdout is not None
            too_late = Timer(PATIENCE, twist.kill)
            too_late.start()
            heard = next((line for line in twist.stdout if "Listening on 127.0.0.1" in line), "")
            twist.terminate()
            twist.stdout.read()
            too_late.cancel()
        self.assertTrue(heard)

    def test_in_the_background_it_serves_when_its_command_has_ended(self) -> None:
        home = self.directory()
        words = ["chatroom", "--listen", f"unix:{home / 'door'}", "--data", str(home / "data")]
        # Until the end of its standard error, which the server has let go.
        done = twistd("--logfile=log", "--pidfile=pid", *words, cwd=home)
        try:
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("Listening on", (home / "log").read_text())
        finally:
            pid = int((home / "pid").read_text())
            end_in_the_background(pid)

    def test_a_standard_error_that_is_closed_makes_no_difference(self) -> None:
        home = self.directory()
        words = ["--logfile=log", "--pidfile=pid", "chatroom", "--data", str(home / "data")]
        words += ["--listen", f"unix:{home / 'door'}"]
        command = ["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, "-c", TWISTD, *words]
        done = subprocess.run(command, cwd=home, timeout=PATIENCE, check=False)
        pid = int((home / "pid").read_text())
        try:
            self.assertEqual(done.returncode, 0)
        finally:
            end_in_the_background(pid)
        self.assertIn("Server Shut Down", (home / "log").read_text())
        check_log((home / "log").read_text())

    def test_the_files_of_the_embedded_store_are_those_of_a_store_of_ones_own(self) -> None:
        server = self.server()
        sent = self.enter(server).post("#lobby", "moves along")
        server.stop()
        store = Valkey("--appendonly", "yes")
        self.addCleanup(store.stop)
        files = server.home / "data" / "appendonlydir"
        shutil.copytree(files, store.directory / "appendonlydir")
        store.start()
        (entry,) = self.enter(self.server("--store", store.url)).whole_history("#lobby")
        self.assertEqual((entry["content"], entry["epoch"]), ("moves along", sent["epoch"]))

    def test_the_log_says_where_it_listens_and_where_it_keeps_things(self) -> None:
        server = self.server()
        self.assertIn(f"--listen tcp:{server.port} opens it to others", server.log)
        self.assertIn(f"Everything is kept in {server.home / 'data'}", server.log)

    def test_a_start_at_which_nothing_is_wrong_warns_of_nothing(self) -> None:
        server = self.server()
        self.assertNotRegex(server.log, "#(warn|error|critical)")

    def test_without_its_store_it_waits_and_can_be_stopped(self) -> None:
        valkey = valkey_for(self)
        valkey.kill()
        server = self.begun("--store", valkey.url)
        server.wait_for_log(f"Waiting for the store at {re.escape(valkey.url)}")
        server.process.terminate()
        self.assertTrue(server.ended_in_order(), server.log)

    def test_a_store_that_comes_late_is_used(self) -> None:
        valkey = valkey_for(self)
        valkey.kill()
        server = self.begun("--store", valkey.url)
        server.wait_for_log(f"Waiting for the store at {re.escape(valkey.url)}")
        valkey.start()
        server.wait_until_listening()
        self.enter(server)
        self.assertFalse((server.home / "data").exists())
        self.assertIn("appendonly is off", server.log)

    def test_a_store_that_does_not_permit_it_is_one_sentence_and_status_1(self) -> None:
        valkey = valkey_for(self)
        words = ["chatroom", "--store", f"redis+unix://chat:pw@{valkey.path}"]
        for command in ("eval", "publish"):
            valkey.ask("ACL", "SETUSER", "chat", "on", ">pw", "~*", "&*", "+@all", f"-{command}")
            done = twistd("-n", "--pidfile=", *words, "--listen", "tcp:0", cwd=self.directory())
            self.assertEqual(done.returncode, 1)
            said = rf"(?i)\Achatroom: The store refuses .*: NOPERM .*{command}.*\n\Z"
            self.assertRegex(done.stderr, said)
            self.assertNotIn("Traceback", done.stdout)

    def test_a_cluster_is_one_sentence_and_status_1(self) -> None:
        """Whatever it says to commands: without slots that it can't be asked now."""
        valkey = valkey_for(self, "--cluster-enabled", "yes")
        words = ["chatroom", "--store", valkey.url, "--listen", "tcp:0"]
        done = twistd("-n", "--pidfile=", *words, cwd=self.directory())
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Achatroom: The store is a cluster, .*\n\Z")

    def test_what_the_page_for_operators_asks_of_the_store_is_needed_and_suffices(self) -> None:
        (line,) = re.findall(r"^ +ACL (SETUSER .*)$", PAGE, re.MULTILINE)
        words = line.replace("PASSWORD", "pw").split()
        valkey = valkey_for(self)
        valkey.ask("ACL", *[word for word in words if word != "&ch:*"])
        server = self.begun("--store", f"redis+unix://chat:pw@{valkey.path}")
        server.wait_for_log("the bus can't be restored yet: NOPERM .* channel")
        give_up = time.monotonic() + PATIENCE
        while valkey.ask("ACL", "LOG")[0][1] < 3 and time.monotonic() < give_up:
            time.sleep(0.02)  # how often it was refused, and nobody is told when
        valkey.ask("ACL", "LOG", "RESET")
        valkey.ask("ACL", *words)
        server.wait_until_listening()
        alice, bob = self.enter(server), self.enter(server, "bob")
        for conversation in (LOBBY, "#room", "@bob"):
            if conversation == "#room":
                for each in (alice, bob):
                    each.get("JoinMes", conversation=conversation)
            alice.post(conversation, f"said in {conversation}")
            bob.hears(f"said in {conversation}")
        alice.get("ModerateMes", conversation="#room", action="mute", userId=bob.user_id)
        self.assertEqual(valkey.ask("ACL", "LOG"), [])
        self.assertEqual(server.log.count("NOPERM"), 1)


class StopWhileStartingTest(TestCase):
    """Within this process, whose reactor shows what was left behind."""

    async def stopped_after(self, seconds: float, *options: str) -> None:
        from twisted.internet import reactor

        home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, home)
        parsed = Options()
        parsed.parseOptions(["--listen", "tcp:0:interface=127.0.0.1", *options])
        settings = replace(parsed.settings, data=home / "data")
        service = ChatService(reactor, settings)
        service.privilegedStartService()
        service.startService()
        await deferLater(reactor, seconds)
        await service.stopService()
        pid = home / "data" / "store.pid"
        self.assertFalse(pid.exists() and lives(int(pid.read_text())))
        self.assertEqual(service.listeners.addresses, [])

    async def test_at_whatever_moment_it_is_stopped_nothing_is_left_behind(self) -> None:
        for milliseconds in (0, 1, 5, 20, 40, 80, 150):
            await self.stopped_after(milliseconds / 1000)

    async def test_a_store_that_is_away_does_not_keep_it_from_stopping(self) -> None:
        for milliseconds in (0, 1, 20, 100):
            await self.stopped_after(milliseconds / 1000, "--store", "redis+unix:///nowhere/s")


class StopTest(ServerCase):
    def test_whoever_stops_what_stops_already_does_no_harm(self) -> None:
        code = (
            "from twisted.internet import reactor; from chat.server.process.starting import stop;"
            "stop(reactor); reactor.callWhenRunning(lambda: (stop(reactor), stop(reactor)));"
            "reactor.run(); stop(reactor)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_signal_waits_its_turn_lest_it_wait_for_what_it_interrupts(
        self,
    ) -> None:
        command = [sys.executable, "-c", SIGNALS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_stopping_says_goodbye_and_ends_the_store(self) -> None:
        server = self.server()
        store = store_of(server)
        peer = self.enter(server)
        server.process.send_signal(signal.SIGTERM)
        bye = peer.expect("ByeMes", code=503)
        self.assertGreater(bye["retryAfter"], 0)
        peer.read_to_the_end()
        peer.close()
        self.assertTrue(server.ended_in_order(), server.log)
        self.assertFalse(lives(store))
        self.assertNotIn("Traceback", server.log)

    def test_who_is_in_a_hurry_may_say_so_more_than_once(self) -> None:
        server = self.server()
        peer = self.enter(server)
        with server.frozen():
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGINT)
        peer.expect("ByeMes", code=503)
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGTERM)
        peer.read_to_the_end()
        peer.close()
        self.assertIn(server.ended(), (-signal.SIGTERM, -signal.SIGINT))
        check_log(server.log)

    def test_what_was_asked_before_the_stop_is_answered(self) -> None:
        server = self.server("--rate", "0")
        peer = self.enter(server)
        asked = [
            peer.send("SmsMes", to=LOBBY, content="x", clientId=str(number))
            for number in range(200)
        ]
        self.assertEqual(peer.reply(asked[0]).data["code"], 200)
        server.process.send_signal(signal.SIGTERM)
        peer.read_to_the_end()
        accepted = peer.numbers(LOBBY)
        self.assertEqual(accepted, list(range(1, len(accepted) + 1)))
        self.assertTrue(server.ended_in_order(), server.log)
        server.start()
        self.assertEqual(self.enter(server).conversation(LOBBY)["seq"], len(accepted))

    def test_another_version_that_is_installed_meanwhile_is_for_the_next_start(self) -> None:
        place = self.directory()
        package = place / "chat"
        shutil.copytree(Path(chat.__file__).parent, package)
        server = ServerProcess(environment={"PYTHONPATH": str(place)})
        self.addCleanup(server.remove)
        server.start()
        for script in (package / "store" / "scripts").glob("*.lua"):
            script.write_text("return redis.error_reply('ERR of another version')")
        peer = self.enter(server)
        for kind in ("JoinMes", "LeaveMes"):
            self.assertEqual(peer.ask(kind, conversation="#room")["code"], 200, kind)

    def test_every_request_that_came_before_the_stop_is_answered(self) -> None:
        server = self.server("--request-rate", "0")
        peer = self.enter(server)
        joins = [("JoinMes", {"conversation": f"#room{number}"}) for number in range(50)]
        asked = peer.send_together(*joins)
        self.assertEqual(peer.reply(asked[0]).data["code"], 200)
        server.process.send_signal(signal.SIGTERM)
        peer.read_to_the_end()
        self.assertEqual([peer.reply(each).data["code"] for each in asked[1:]], [200] * 49)
        peer.expect("ByeMes", code=503)
        self.assertTrue(server.ended_in_order(), server.log)

    def test_a_killed_server_comes_back_with_everything_it_accepted(self) -> None:
        server = self.server()
        sent = self.enter(server).post(LOBBY, "still here")
        server.kill()
        server.start()
        page = self.enter(server).get("HistoryMes", conversation=LOBBY)
        self.assertEqual([each["content"] for each in page["messages"]], ["still here"])
        self.assertEqual(page["epoch"], sent["epoch"])


OPEN_FILES = 128
ROOM = OPEN_FILES - SPARE_FILES
"""Connections that a server with so many open files takes."""


class OpenFilesTest(ServerCase):
    def test_the_soft_limit_is_raised_to_the_hard_one(self) -> None:
        server = self.server(open_files=(200, 300))
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max open files\s+300\s+300")

    def test_with_too_few_it_does_not_start_and_says_how_many_it_takes(self) -> None:
        for few in (20, SPARE_FILES):
            server = ServerProcess(open_files=(few, few))
            self.addCleanup(server.remove)
            server.begin()
            self.assertEqual(server.ended(), 1)
            self.assertIn(f"chatroom: Only {few} files may be open", server.errors)
            self.assertNotIn("Traceback", server.log)

    def test_one_too_many_is_told_so_and_the_others_notice_nothing(self) -> None:
        server = self.server(open_files=(OPEN_FILES, OPEN_FILES))
        first = self.enter(server)
        crowd = [self.peer(server) for _ in range(2 * OPEN_FILES)]
        turned_away = crowd[ROOM - 1 :]
        self.assertEqual(turned_away[0].expect("ErrorMes")["code"], 429)
        for peer in turned_away:
            peer.read_to_the_end()
        first.post(LOBBY, "hello")
        for peer in crowd:
            peer.close()
        self.assertEqual(self.newcomer(server), 200)
        self.assertNotIn("Traceback", server.log)

    def newcomer(self, server: ServerProcess) -> int:
        """The code that somebody new gets, once there is room again."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            with contextlib.suppress(Closed, ConnectionError):
                return int(self.peer(server).register(userName="bob", userPwd=PASSWORD)["code"])
        raise AssertionError("nobody gets in any more")


class LogTest(ServerCase):
    def test_no_password_token_or_text_gets_into_the_log(self) -> None:
        server = self.server("--log-level", "debug", "--store-deadline", "1")
        peer = self.enter(server)
        peer.ask("LoginMes", version=2, userName="alice", userPwd="xyzzy-wrong", device="d")
        peer.post(LOBBY, "xyzzy-text")
        peer.post("@alice", "xyzzy-text")
        peer.ask("JoinMes", conversation="#room", topic="xyzzy-topic")
        peer.ask("SearchMes", text="xyzzy-text")
        peer.ask("SmsMes", to=17, content="xyzzy-text", clientId={"xyzzy-text": 1})
        os.kill(store_of(server), signal.SIGKILL)
        peer.ask("SmsMes", to=LOBBY, content="xyzzy-text", clientId="3")
        peer.ask("PasswordMes", userPwd=PASSWORD, newPwd="xyzzy-new")
        peer.close()  # or the server would wait for what may still become of its message
        server.wait_for_log("The store ended")
        server.stop()
        self.assertNotIn("xyzzy", server.log)
        self.assertNotIn(peer.welcome["token"], server.log)


class CostTest(ServerCase):
    def test_idle_it_uses_next_to_no_time(self) -> None:
        server = self.server()
        self.enter(server)
        before = self.seconds_used(server)
        time.sleep(2)  # what is measured is a time in which nothing happens
        self.assertLess((self.seconds_used(server) - before) / 2, 0.02)

    def seconds_used(self, server: ServerProcess) -> float:
        fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
