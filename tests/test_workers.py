"""Several processes behind one port: they talk, die, come back, drain, and leave nobody behind."""

import contextlib
import errno
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from chat.server.options import Options
from chat.server.service import ChatService
from chat.server.settings import Settings
from chat.server.tap import makeService
from chat.server.workers.crew import Crew
from chat.server.workers.overview import Overview
from chat.server.workers.supervising import SupervisingService, share_of
from chat.server.workers.worker import Orders
from chat.store.embedded.pauses import LONGEST
from chat.store.errors import CannotStart
from tests.patience import PATIENCE
from tests.peers import Closed, CurrentPeer
from tests.process import CHEAP, TWISTD, ServerProcess
from tests.server import GENEROUS, check_log

LOBBY = "#lobby"

FEW_FILES = 256
"""A soft limit, as some systems have it, that many workers' pipes would reach."""


ACTIVATED = f"""
import os, sys
os.dup2(int(sys.argv.pop(1)), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="chat")
{TWISTD}
"""
"""A start as systemd makes it that has opened the socket itself (``sd_listen_fds(3)``)."""


def lives(pid: int) -> bool:
    """Whether a process lives and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    """A process's children, the oldest first."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers(pid: int) -> list[int]:
    """Those of them that are workers."""
    found = []
    for child in children(pid):
        with contextlib.suppress(FileNotFoundError):
            if b"chat.server.workers.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def until(happened: Callable[[], bool]) -> None:
    """Wait for something outside that can't be waited on."""
    give_up = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def no_process(*arguments: Any, **options: Any) -> None:
    """What ``spawnProcess`` does where as many processes run as may."""
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class WorkersTest(SynchronousTestCase):
    """``--workers`` from outside."""

    def server(self, *options: str, workers: int = 2) -> ServerProcess:
        server = ServerProcess.start_for(self, "--workers", str(workers), *GENEROUS, *options)
        for number in range(1, workers + 1):
            server.wait_for_log(rf"worker {number}: chat.store.link.pubsub.*Connected")
        return server

    def enter(self, server: ServerProcess, name: str) -> CurrentPeer:
        """Somebody who is logged in, and registered just before that if need be."""
        peer = CurrentPeer(server.port)
        self.addCleanup(peer.close)
        peer.register(userName=name, userPwd="secret-pw")
        peer.log_in(userName=name, userPwd="secret-pw", device="here")
        return peer

    def page(self, path: Path, name: str) -> tuple[int, str]:
        """A page on a Unix socket: its status and its body."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(f"GET /{name} HTTP/1.0\r\n\r\n".encode())
            with client.makefile("rb") as answer:
                head, _, body = answer.read().decode().partition("\r\n\r\n")
        return int(head.split(" ", 2)[1]), body

    def test_their_supervisor_may_have_as_many_files_open_as_there_may_be(self) -> None:
        server = ServerProcess.start_for(
            self, "--workers", "2", *GENEROUS, open_files=(FEW_FILES, 4_096)
        )
        soft, _ = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(soft, 4_096)

    def test_they_serve_a_socket_that_systemd_has_opened(self) -> None:
        home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, home)
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        command = [sys.executable, "-c", ACTIVATED, str(listening.fileno()), "-n", "--pidfile="]
        command += ["chatroom", "--listen", "systemd:domain=INET:index=0", "--workers", "2"]
        server = subprocess.Popen(
            [*command, "--data", str(home / "data"), *CHEAP],
            pass_fds=[listening.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        peer = CurrentPeer(listening.getsockname()[1])
        listening.close()
        try:
            self.assertEqual(peer.register(userName="ann", userPwd="secret-pw")["code"], 200)
        finally:
            peer.close()
            server.terminate()
            server.communicate(timeout=PATIENCE)

    def test_one_page_tells_how_they_are(self) -> None:
        home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, home)
        server = self.server("--metrics", f"unix:{home}/m")
        everything = home / "m.3"
        until(lambda: self.page(everything, "readyz") == (200, "2 of 2 workers let clients in\n"))
        for each in ("m", "m.2"):
            self.assertIn("chatroom_accepted_total", self.page(home / each, "metrics")[1])
        self.assertEqual(self.page(everything, "workers"), (200, '[{"targets": []}]'))
        self.assertIn("chatroom_worker_restarts_total 0.0", self.page(everything, "metrics")[1])
        os.kill(workers(server.process.pid)[0], signal.SIGKILL)
        restarted = "chatroom_worker_restarts_total 1.0"
        until(lambda: restarted in self.page(everything, "metrics")[1])
        until(lambda: self.page(everything, "readyz")[1].startswith("2 of 2"))

    def test_clients_talk_whichever_worker_they_are_on_and_outlive_one(self) -> None:
        server = self.server()
        peers = {name: self.enter(server, name) for name in map("user{}".format, range(24))}
        for peer in peers.values():
            peer.post(LOBBY, f"hello from {peer.at}")
        for peer in peers.values():
            for other in set(peers.values()) - {peer}:
                peer.hears(f"hello from {other.at}")
        victim, survivor = workers(server.process.pid)
        os.kill(victim, signal.SIGKILL)
        cut_off = {name for name, peer in peers.items() if self.is_cut_off(peer)}
        # One in 2^23 runs has all of them on one worker.
        self.assertTrue(0 < len(cut_off) < len(peers), cut_off)
        # Those on the other worker have noticed nothing; those of the dead one get in at once.
        speaker = peers[min(set(peers) - cut_off)]
        speaker.post(LOBBY, "is anybody there")
        for name in cut_off:
            peers[name] = self.enter(server, name)
            self.assertEqual(len(peers[name].whole_history(LOBBY)), len(peers) + 1)
            peers[name].post(speaker.at, "in private from " + name)
            speaker.hears("in private from " + name)
        server.wait_for_log("Worker . ended with -9 and is started again")
        until(lambda: len(workers(server.process.pid)) == 2)
        self.assertIn(survivor, workers(server.process.pid))

    def test_an_address_gets_hardly_more_connections_than_from_one_process(self) -> None:
        most = 100
        server = self.server(
            "--connections-per-address", str(most), "--connection-rate", "0",
            "--exempt", "192.0.2.1",
        )  # fmt: skip
        let_in = 0
        for number in range(2 * most):
            peer = CurrentPeer(server.port)
            self.addCleanup(peer.close)
            let_in += not self.is_cut_off(peer)
            if number < most:
                self.assertEqual(let_in, number + 1)
        self.assertLessEqual(let_in, 144)

    def is_cut_off(self, peer: CurrentPeer) -> bool:
        try:
            peer.ping()
        except (Closed, ConnectionError):
            return True
        return False

    def test_stopping_drains_all_and_ends_the_store_last(self) -> None:
        server = self.server()
        mine = children(server.process.pid)
        self.assertEqual(len(mine), 3)  # two workers and the store
        peers = [self.enter(server, f"user{number}") for number in range(6)]
        asked = [(peer, peer.send("SmsMes", to=LOBBY, content="last")) for peer in peers]
        for peer, request in asked:
            peer.reply(request)
        server.process.terminate()
        for peer in peers:
            self.assertGreater(peer.expect("ByeMes", code=503)["retryAfter"], 0)
            peer.read_to_the_end()
            peer.close()
        self.assertTrue(server.ended_in_order(), server.log)
        self.assertEqual([pid for pid in mine if lives(pid)], [])
        check_log(server.log)
        self.assertNotIn("is started again", server.log)
        server.start()
        self.assertEqual(self.enter(server, "user0").conversation(LOBBY)["seq"], len(peers))

    def test_a_supervisor_that_is_killed_leaves_nobody_behind_and_the_port_free(self) -> None:
        server = self.server()
        mine = children(server.process.pid)
        peer = self.enter(server, "alice")
        server.kill()
        self.assertGreater(peer.expect("ByeMes", code=503)["retryAfter"], 0)
        peer.close()
        until(lambda: not any(map(lives, mine)))
        socket.create_server(("127.0.0.1", server.port)).close()

    def test_a_second_server_does_not_get_the_port_that_workers_share(self) -> None:
        server = self.server()
        taken = f"tcp:{server.port}:interface=127.0.0.1"
        second = ServerProcess("--workers", "2", "--listen", taken)
        self.addCleanup(second.remove)
        second.begin()
        self.assertEqual(second.ended(), 1)

    def test_a_unix_socket_is_shared_and_stays_while_workers_come_and_go(self) -> None:
        path = Path(tempfile.mkdtemp(dir="/tmp")) / "chat"
        self.addCleanup(shutil.rmtree, path.parent)
        server = self.server("--listen", f"unix:{path}:mode=600")
        os.kill(workers(server.process.pid)[0], signal.SIGTERM)
        server.wait_for_log("Worker 1 ended with 0 and is started again")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(path))
            client.sendall(b"\0\0\0\0")
            self.assertIn(b"413", client.recv(1000))

    def test_every_worker_speaks_tls_with_the_same_certificate(self) -> None:
        server = self.server("--self-signed")
        self.assertRegex(server.log, r"Listening on 127\.0\.0\.1:\d+ with TLS")
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        seen = set()
        for _ in range(8):
            with (
                socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain,
                anybody.wrap_socket(plain) as client,
            ):
                client.sendall(b"\0\0\0\0")
                self.assertIn(b"413", client.recv(1000))
                seen.add(client.getpeercert(binary_form=True))
        self.assertEqual(len(seen), 1)

    def test_other_options_reach_the_workers_while_they_run(self) -> None:
        home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, home)
        (home / "toml").write_text('log-level = "info"\n')
        server = self.server("--config", str(home / "toml"))
        (home / "toml").write_text('log-level = "info"\ncontent-limit = 5\n')
        server.process.send_signal(signal.SIGHUP)
        for number in (1, 2):
            server.wait_for_log(rf"worker {number}.*options that changed: 1")
        for name in map("user{}".format, range(4)):
            reply = self.enter(server, name).ask("SmsMes", to=LOBBY, content="too long")
            self.assertEqual(reply["code"], 413)

    def test_what_keeps_a_worker_from_starting_is_one_sentence_and_status_1(self) -> None:
        server = ServerProcess("--workers", "2", "--store", "rediss://127.0.0.1?ca=/no/such")
        self.addCleanup(server.remove)
        server.begin()
        self.assertEqual(server.ended(), 1)
        said = r"\Achatroom: a worker does not start: .*cannot read /no/such.*\n\Z"
        self.assertRegex(server.errors, said)

    def test_in_the_background_everything_is_in_one_log(self) -> None:
        home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, home)
        words = ["chatroom", "--workers", "2", "--listen", "tcp:0:interface=127.0.0.1"]
        words = ["--logfile=log", "--pidfile=pid", *words, "--data", str(home / "data")]
        subprocess.run(
            [sys.executable, "-c", TWISTD, *words], cwd=home, check=True, timeout=PATIENCE
        )
        log = home / "log"
        until(lambda: log.exists() and "Listening on" in log.read_text())
        pid = int((home / "pid").read_text())
        mine = children(pid)
        os.kill(pid, signal.SIGTERM)
        until(lambda: not lives(pid))
        self.assertEqual([each for each in mine if lives(each)], [])
        self.assertRegex(log.read_text(), r"worker \d: .*Main loop terminated")
        check_log(log.read_text())


class StopWhileStartingTest(TestCase):
    """Within this process, whose reactor and children show what was left behind."""

    async def test_at_whatever_moment_it_is_stopped_nothing_is_left_behind(self) -> None:
        before = set(children(os.getpid()))
        for milliseconds in (0, 5, 40, 150, 500, 1500):
            home = Path(tempfile.mkdtemp(dir="/tmp"))
            self.addCleanup(shutil.rmtree, home)
            settings = Settings(
                data=home / "data", listen=("tcp:0:interface=127.0.0.1",), workers=2
            )
            service = SupervisingService(reactor, settings)
            service.privilegedStartService()
            service.startService()
            await deferLater(reactor, milliseconds / 1000)
            await service.stopService()
            self.assertEqual(set(children(os.getpid())) - before, set())
            self.assertEqual(service.listeners.addresses, [])


class PrivilegedPortTest(TestCase):
    async def test_all_sockets_of_a_port_are_there_before_rights_are_given_up(self) -> None:
        """Below 1024 there would be none any more, once twistd's ``--uid`` holds."""
        settings = Settings(data=Path("/tmp"), listen=("tcp:0:interface=127.0.0.1",), workers=3)
        service = SupervisingService(reactor, settings)
        service.privilegedStartService()
        (address,) = service.listeners.addresses
        place = f"0100007F:{address.port:04X}"
        lines = map(str.split, Path("/proc/net/tcp").read_text().splitlines())
        listening = [line for line in lines if (line[1], line[3]) == (place, "0A")]
        await service.listeners.close()
        self.assertEqual(len(listening), 3)


class BackOffTest(TestCase):
    """A worker that dies at once, again and again."""

    def crew(self, clock: Clock, *does: str) -> Crew:
        spawn: Any = reactor

        class Timed:
            """The clock's time, and real processes."""

            def __getattr__(self, name: str) -> Any:
                return getattr(clock, name, None) or getattr(spawn, name)

        code = "import os, time; " + "; ".join(does)
        orders = Orders(Settings(), checked=True)
        crew = Crew(Timed(), [[]], lambda number: orders, [sys.executable, "-S", "-c", code])
        self.addCleanup(lambda: Deferred.fromCoroutine(crew.stop()))
        return crew

    async def test_it_is_started_less_and_less_often(self) -> None:
        clock = Clock()
        crew = self.crew(clock, "os.write(3, b'ready\\n')")
        await crew.start()
        pauses = []
        for _ in range(9):
            await crew._places[0].process.ended
            (call,) = clock.getDelayedCalls()
            pauses.append(round(call.getTime() - clock.seconds(), 3))
            clock.advance(pauses[-1])
        self.assertEqual(pauses, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST, LONGEST])

    async def test_one_that_lived_long_is_brought_back_at_once(self) -> None:
        clock = Clock()
        crew = self.crew(clock, "os.write(3, b'ready\\n')", "os.read(0, 1)", "os.read(0, 1 << 20)")
        await crew.start()
        for _ in range(3):
            process = crew._places[0].process
            clock.advance(31)
            process.signal("KILL")
            await process.ended
            (call,) = clock.getDelayedCalls()
            self.assertAlmostEqual(call.getTime() - clock.seconds(), 0.05)
            clock.advance(0.05)

    async def test_one_that_never_lets_clients_in_is_why_the_server_does_not_start(self) -> None:
        crew = self.crew(Clock(), "os.write(2, b'chatroom: because\\n')")
        error = await self.assertFailure(Deferred.fromCoroutine(crew.start()), CannotStart)
        self.assertEqual(str(error), "a worker does not start: because")

    async def test_one_for_which_there_is_no_process_at_first_is_started_later(self) -> None:
        clock = Clock()
        crew = self.crew(clock, "os.write(3, b'ready\\n')", "os.read(0, 1)", "os.read(0, 1 << 20)")
        await crew.start()
        scarce = self.patch(crew.reactor, "spawnProcess", no_process)
        crew._places[0].process.signal("KILL")
        await crew._places[0].process.ended
        clock.advance(0.05)
        self.assertEqual(crew.serving, 0)
        scarce.restore()
        clock.advance(0.1)
        await crew._places[0].process.settled
        self.assertEqual(crew.serving, 1)

    async def test_no_process_at_all_is_why_the_server_does_not_start(self) -> None:
        crew = self.crew(Clock())
        self.patch(crew.reactor, "spawnProcess", no_process)
        error = await self.assertFailure(Deferred.fromCoroutine(crew.start()), CannotStart)
        self.assertEqual(
            str(error), f"a worker does not start: there is no process: {os.strerror(errno.EAGAIN)}"
        )

    async def test_one_that_does_not_end_is_killed(self) -> None:
        clock = Clock()
        crew = self.crew(
            clock, "import signal", "signal.signal(15, signal.SIG_IGN)",
            "os.write(3, b'ready\\n')", "time.sleep(60)",
        )  # fmt: skip
        await crew.start()
        process = crew._places[0].process
        stopped = Deferred.fromCoroutine(crew.stop())
        clock.advance(30)
        await stopped
        self.assertFalse(process.alive)


class OptionsTest(SynchronousTestCase):
    """What ``--workers`` means."""

    def options(self, *words: str) -> Options:
        options = Options()
        options.parseOptions([*words, "--data", tempfile.gettempdir()])
        return options

    def test_one_worker_is_no_worker_and_no_number_is_as_many_as_cores(self) -> None:
        self.assertIsInstance(makeService(self.options()), ChatService)
        self.assertIsInstance(makeService(self.options("--workers", "2")), SupervisingService)
        cores = len(os.sched_getaffinity(0))
        kind = ChatService if cores == 1 else SupervisingService
        self.assertIsInstance(makeService(self.options("--workers", "0")), kind)

    def test_what_holds_for_the_whole_server_is_shared_out(self) -> None:
        share = share_of(Settings(connections=10, hashing_threads=2, hashing_queue=0), 1, 4)
        self.assertEqual((share.connections, share.hashing_threads, share.hashing_queue), (3, 1, 0))

    def test_who_keeps_a_limit_of_an_address_keeps_it_on_each_worker(self) -> None:
        alone = Settings(connections_per_address=200, connection_rate=(200, 20.0), strangers=4_096)
        self.assertEqual(share_of(alone, 1, 1), alone)
        share = share_of(alone, 1, 4)
        # 50 of 200 are to be expected, 72 come once in a thousand years of such crowds.
        self.assertEqual(share.connections_per_address, 72)
        self.assertEqual(share.connection_rate, (72, 7.2))
        self.assertEqual(share.strangers, 1_120)
        # Too few to be spread: all of them may be on one worker.
        few = share_of(Settings(connections_per_address=5), 1, 4)
        self.assertEqual(few.connections_per_address, 5)
        off = Settings(connections_per_address=0, connection_rate=(0, 0.0), strangers=0)
        share = share_of(off, 1, 4)
        self.assertEqual((share.connections_per_address, share.strangers), (0, 0))
        self.assertEqual(share.connection_rate, (0, 0.0))

    def test_one_user_has_the_same_on_each_worker(self) -> None:
        given = Settings()
        share = share_of(given, 2, 4)
        self.assertEqual((share.user_rate, share.rate), (given.user_rate, given.rate))

    def test_prometheus_is_told_where_each_worker_has_its_figures_and_where_they_are_counted(
        self,
    ) -> None:
        request = Request(DummyChannel(), False)
        request.requestHeaders.setRawHeaders("host", ["chat.example.org:9467"])
        theirs = ["tcp:9464", "tcp:interface=10.0.0.7:port=9465", "unix:/run/m"]
        told = Overview(reactor, "tcp:9467", theirs, lambda: None)
        self.assertEqual(
            json.loads(told._workers(request)),
            [{"targets": ["chat.example.org:9464", "10.0.0.7:9465", "chat.example.org:9467"]}],
        )
        one = [r"tcp:1:interface=fd00\:\:7"]
        further = Overview(reactor, r"tcp:9467:interface=\:\:", one, lambda: None)
        self.assertEqual(
            json.loads(further._workers(request)),
            [{"targets": ["[fd00::7]:1", "chat.example.org:9467"]}],
        )
        self.assertEqual(told._readyz(request), b"0 of 3 workers let clients in\n")
        self.assertEqual(request.code, 503)

    def test_each_worker_shows_its_figures_on_a_port_of_its_own(self) -> None:
        for given, third in {
            "": "",
            "tcp:9100:interface=127.0.0.1": "tcp:9102:interface=127.0.0.1",
            "tcp:0": "tcp:0",
            "tcp:port=9100:interface=10.0.0.7": "tcp:port=9102:interface=10.0.0.7",
            r"tcp:interface=fd00\:\:7:port=9100": r"tcp:interface=fd00\:\:7:port=9102",
            "unix:/run/chat/metrics": "unix:/run/chat/metrics.3",
            r"unix:address=/run/a\:b=c:mode=600": r"unix:address=/run/a\:b=c.3:mode=600",
        }.items():
            self.assertEqual(share_of(Settings(metrics=given), 1, 3).metrics, given)
            self.assertEqual(share_of(Settings(metrics=given), 3, 3).metrics, third)
