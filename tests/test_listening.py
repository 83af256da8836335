"""Ports are bound first and opened last; the log hides what is below its level."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Server
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from chat.server.network.listening import Listeners
from chat.server.process.logs import RETRIES, log_from
from chat.store.errors import CannotStart
from tests.patience import PATIENCE
from tests.process import ServerProcess

LOOPBACK = "tcp:0:interface=127.0.0.1"


class Greeter(Protocol):
    """Says what its transport is made of."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(type(transport).__name__.encode())
        transport.loseConnection()


class OwnServer(Server):
    """A transport of our own, with a name to be seen."""


class Collector(Protocol):
    """Gathers what comes until the connection ends."""

    def __init__(self) -> None:
        self.data = b""
        self.closed: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(self.data)


@implementer(ILogObserver)
class Seen:
    """Keeps the events that get through."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def where(self) -> list[str]:
        """What was said about listening."""
        return [f"{each['address']}{each['hint']}" for each in self.events if "hint" in each]


def port_of(listeners: Listeners) -> int:
    address = listeners.addresses[0]
    assert isinstance(address, IPv4Address)
    return address.port


class ListenersTest(TestCase):
    def listeners(self, *endpoints: str, transport: type[Server] | None = None) -> Listeners:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        made = Listeners(reactor, endpoints, transport)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.close()))
        return made

    def socket_path(self) -> str:
        directory = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, directory)
        return f"{directory}/s"

    def opened(self, *endpoints: str) -> tuple[Listeners, list[str]]:
        """Listeners that let clients in, and what they said about it."""
        seen = Seen()
        listeners = self.listeners(*endpoints)
        self.patch(Listeners, "log", Logger(observer=seen))
        listeners.bind()
        listeners.open(Factory.forProtocol(Greeter))
        return listeners, seen.where()

    def connect(self, port: int) -> Collector:
        from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

        collector = Collector()
        connectProtocol(TCP4ClientEndpoint(self.reactor, "127.0.0.1", port), collector)
        return collector

    def test_a_crowd_is_let_in_little_by_little(self) -> None:
        listeners = self.listeners(LOOPBACK)
        listeners.bind()
        let_in: list[Any] = []
        factory = Factory.forProtocol(Greeter)
        factory.buildProtocol = let_in.append  # type: ignore[method-assign,assignment]
        listeners.open(factory)
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", port_of(listeners)))
            self.addCleanup(client.close)
        counts = []
        for _ in range(4):
            listeners._ports[0].doRead()  # type: ignore[attr-defined]
            counts.append(len(let_in))
        self.assertEqual(counts, [8, 16, 20, 20])

    async def test_who_comes_before_it_is_open_waits_and_is_served(self) -> None:
        listeners = self.listeners(LOOPBACK, transport=OwnServer)
        listeners.bind()
        collector = self.connect(port_of(listeners))
        with socket.create_connection(("127.0.0.1", port_of(listeners))) as other:
            other.setblocking(False)
            for _ in range(5):
                await self.next_turn()
            self.assertRaises(BlockingIOError, other.recv, 1)
            listeners.open(Factory.forProtocol(Greeter))
            self.assertEqual(await collector.closed, b"OwnServer")

    def next_turn(self) -> Deferred[None]:
        turned: Deferred[None] = Deferred()
        self.reactor.callLater(0, turned.callback, None)
        return turned

    async def test_after_closing_nobody_gets_in(self) -> None:
        listeners, _ = self.opened(LOOPBACK)
        port = port_of(listeners)
        await listeners.close()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        await listeners.close()

    async def test_a_port_in_use_is_one_sentence_and_frees_the_others(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            path = self.socket_path()
            endpoint = f"tcp:{port}:interface=127.0.0.1"
            listeners = self.listeners(f"unix:{path}", endpoint)
            with self.assertRaises(CannotStart) as caught:
                listeners.bind()
        expected = f"cannot listen: Address already in use ({endpoint})"
        self.assertEqual(str(caught.exception), expected)
        self.assertEqual(listeners.addresses, [])
        await self.next_turn()
        self.assertFalse(Path(path).exists())

    def test_a_unix_socket_on_which_somebody_listens_is_in_use(self) -> None:
        path = self.socket_path()
        endpoint = f"unix:{path}"
        self.opened(endpoint)
        with self.assertRaises(CannotStart) as caught:
            self.listeners(endpoint).bind()
        expected = f"cannot listen: Address already in use ({endpoint})"
        self.assertEqual(str(caught.exception), expected)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)

    def test_what_a_killed_server_left_of_its_unix_socket_is_in_nobodys_way(self) -> None:
        path = self.socket_path()
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
        # The number of a process that is alive: as in a container, where all begin with 1.
        Path(path + ".lock").symlink_to(str(os.getpid()))
        self.assertEqual(self.opened(f"unix:{path}")[1], [path])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)

    def test_a_host_that_is_not_here_is_one_sentence(self) -> None:
        for endpoint in ("tcp:0:interface=192.0.2.1", "tcp:70000", "unix:/does/not/exist/s"):
            with self.assertRaises(CannotStart) as caught:
                self.listeners(endpoint).bind()
            self.assertIn(endpoint, str(caught.exception))

    def test_it_says_where_it_listens_and_how_to_let_others_in(self) -> None:
        listeners, said = self.opened(LOOPBACK)
        port = port_of(listeners)
        self.assertEqual(
            said,
            [f"127.0.0.1:{port}, for this machine only; --listen tcp:{port} opens it to others"],
        )

    def test_what_others_can_reach_needs_no_hint(self) -> None:
        listeners, said = self.opened("tcp:0")
        self.assertEqual(said, [f"0.0.0.0:{port_of(listeners)}"])

    def test_who_comes_through_a_unix_socket_counts_as_others_do(self) -> None:
        path = self.socket_path()
        ServerProcess.start_for(self, "--listen", f"unix:{path}", "--connections", "1")
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            for each in (first, second):
                each.settimeout(PATIENCE)
                each.connect(path)
            self.assertIn(b"429", second.recv(1_000))

    def test_a_unix_socket_is_said_as_its_path(self) -> None:
        path = self.socket_path()
        self.assertEqual(self.opened(f"unix:{path}")[1], [path])


class LogFromTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.seen = Seen()
        self.publisher = LogPublisher(self.seen)
        self.log = Logger(observer=self.publisher)

    def test_only_the_level_and_above_get_through(self) -> None:
        log_from("warn", self.publisher)
        for level in LogLevel.iterconstants():
            self.log.emit(level, "x")
        levels = [event["log_level"].name for event in self.seen.events]
        self.assertEqual(levels, ["warn", "error", "critical"])

    def test_that_a_store_is_still_away_is_not_said_over_and_over(self) -> None:
        retries = Logger(RETRIES, observer=self.publisher)
        undo = log_from("info", self.publisher)
        retries.info("Scheduling retry 7")
        self.assertEqual(self.seen.events, [])
        undo()
        log_from("debug", self.publisher)
        retries.info("Scheduling retry 8")
        self.assertEqual(len(self.seen.events), 1)

    def test_undoing_it_lets_everything_through_again(self) -> None:
        log_from("error", self.publisher)()
        self.log.debug("x")
        self.assertEqual(len(self.seen.events), 1)


class EndPlainlyTest(SynchronousTestCase):
    def test_what_cannot_start_ends_without_a_traceback_and_the_rest_with_one(self) -> None:
        for raised, said in {
            "CannotStart('no room')": r"\Achatroom: no room\n\Z",
            "ValueError('a bug')": r"\ATraceback [\s\S]*ValueError: a bug\n\Z",
            "KeyboardInterrupt": r"\A\Z",
        }.items():
            code = (
                "from chat.server.process.starting import end_plainly\n"
                "from chat.store.errors import CannotStart\n"
                f"end_plainly(); raise {raised}"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
            )
            self.assertEqual(done.returncode, -signal.SIGINT if "Key" in raised else 1)
            self.assertRegex(done.stderr, said)
