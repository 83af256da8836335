"""The transport that writes at once: every byte as Twisted's, and whole frames where it must."""

import contextlib
import random
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from chat.codec import frame
from chat.server.network.listening import Listeners
from chat.server.network.transport import (
    KEEP_ALIVE,
    FrameServer,
    QueuedFrameServer,
    not_at_once,
    write_whole_frames,
)
from tests.hall import Hall
from tests.patience import PATIENCE


class Accepted(Protocol):
    """The server's end of a connection."""

    def __init__(self) -> None:
        self.lost: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class Accepting(Factory):
    noisy = False

    def __init__(self) -> None:
        self.accepted: Deferred[Accepted] = Deferred()

    def buildProtocol(self, addr: Any) -> Protocol:
        protocol = Accepted()
        reactor.callLater(0, self.accepted.callback, protocol)
        return protocol


@implementer(IPushProducer)
class Told:
    """Writes down what a transport tells its producer."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class TransportCase(TestCase):
    transport: type[FrameServer] = FrameServer

    async def connected(self, receive_buffer: int = 0) -> tuple[Accepted, socket.socket]:
        """Both ends of a connection; the client's is an ordinary socket that does not block."""
        factory = Accepting()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        port.transport = self.transport
        self.addCleanup(port.stopListening)
        client = socket.socket()
        self.addCleanup(client.close)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port.getHost().port))
        protocol = await factory.accepted
        self.addCleanup(self.end, protocol, client)
        protocol.transport.setTcpNoDelay(True)
        return protocol, client

    async def end(self, protocol: Accepted, client: socket.socket) -> None:
        client.close()
        protocol.transport.abortConnection()
        await protocol.lost

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the reactor turn until ``condition`` holds."""
        give_up = reactor.seconds() + PATIENCE
        while not condition():
            self.assertLess(reactor.seconds(), give_up)
            await deferLater(reactor, 0)

    async def received(self, client: socket.socket, size: int) -> bytes:
        """The next bytes, read as they come."""
        data = bytearray()

        def enough() -> bool:
            with contextlib.suppress(BlockingIOError):
                data.extend(client.recv(65536))
            return len(data) >= size

        await self.until(enough)
        return bytes(data)


class DirectWritesTest(TransportCase):
    async def test_what_is_written_is_there_before_the_reactor_turns(self) -> None:
        server, client = await self.connected()
        server.transport.write(b"at once")
        client.settimeout(PATIENCE)  # of the kernel; the reactor stands still meanwhile
        self.assertEqual(client.recv(100), b"at once")

    async def test_every_byte_comes_once_and_in_order_however_full_the_socket_is(self) -> None:
        server, client = await self.connected(receive_buffer=8192)
        dice = random.Random(7)
        server.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        written, read = bytearray(), bytearray()
        for number in range(3_000):
            data = bytes([number % 251]) * dice.randrange(1, 4_000)
            server.transport.write(data)
            written += data
            if dice.random() < 0.1:
                await deferLater(reactor, 0)
            with contextlib.suppress(BlockingIOError):
                read += client.recv(dice.randrange(1, 3_500))
        read += await self.received(client, len(written) - len(read))
        self.assertEqual(read, written)

    async def test_the_way_straight_to_the_socket_is_shut_while_anything_waits(self) -> None:
        server, client = await self.connected(receive_buffer=8192)
        transport: Any = server.transport
        self.assertEqual(transport.direct is not_at_once, self.transport is QueuedFrameServer)
        size = 0
        while transport.direct is not not_at_once:
            transport.write(b"z" * 10_000)
            size += 10_000
            self.assertLess(size, 50_000_000)
        await self.received(client, size)
        if self.transport is FrameServer:
            await self.until(lambda: transport.direct is not not_at_once)

    async def test_nothing_goes_straight_to_a_socket_that_is_being_closed(self) -> None:
        for close in ("loseConnection", "loseWriteConnection", "abortConnection"):
            server, _ = await self.connected()
            transport: Any = server.transport
            getattr(transport, close)()
            self.assertIs(transport.direct, not_at_once)

    async def test_a_producer_is_paused_above_the_buffer_and_resumed_when_it_is_empty(self) -> None:
        server, client = await self.connected(receive_buffer=8192)
        told = Told()
        server.transport.bufferSize = 100_000
        server.transport.registerProducer(told, True)
        size = 0
        while not told.calls:
            server.transport.write(b"x" * 10_000)
            size += 10_000
            self.assertLess(size, 50_000_000)
        self.assertEqual(told.calls, ["pause"])
        await self.received(client, size)
        await self.until(lambda: len(told.calls) > 1)
        self.assertEqual(told.calls, ["pause", "resume"])

    async def test_what_was_written_before_closing_arrives(self) -> None:
        server, client = await self.connected(receive_buffer=8192)
        server.transport.write(b"y" * 3_000_000)
        server.transport.loseConnection()
        self.assertEqual(len(await self.received(client, 3_000_000)), 3_000_000)
        await server.lost
        self.assertEqual(client.recv(10), b"")

    async def test_writing_to_somebody_who_is_gone_raises_nothing(self) -> None:
        server, client = await self.connected()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        for _ in range(3):
            server.transport.write(b"anybody there?")
        await server.lost
        server.transport.write(b"nobody")


class QueuedWritesTest(DirectWritesTest):
    """The same with everything queued; only when bytes leave is another matter."""

    transport = QueuedFrameServer

    async def test_what_is_written_is_there_before_the_reactor_turns(self) -> None:
        server, client = await self.connected()
        server.transport.write(b"at the next turn")
        self.assertRaises(BlockingIOError, client.recv, 100)
        self.assertEqual(await self.received(client, 1), b"at the next turn")


class WholeFramesTest(TransportCase):
    async def whole(self, receive_buffer: int) -> tuple[Accepted, socket.socket, list[int]]:
        """A connection whose frames go out whole, and the counts that it tells of."""
        server, client = await self.connected(receive_buffer)
        sent: list[int] = []
        self.assertTrue(write_whole_frames(server.transport, sent.append))
        self.assertIs(server.transport.direct, not_at_once)
        return server, client, sent

    async def read_as_go(self, client: socket.socket, frames: list[bytes]) -> None:
        """One recv for the length, one for the body, and now and then a pause."""
        dice = random.Random(3)
        for expected in frames:
            while dice.random() < 0.3:
                await deferLater(reactor, 0)
            found: list[bytes] = []

            def header(found: list[bytes] = found) -> bool:
                try:
                    found.append(client.recv(4))
                except BlockingIOError:
                    return False
                return True

            await self.until(header)
            self.assertEqual(found[0], expected[:4])
            (size,) = struct.unpack(">I", found[0])
            self.assertEqual(client.recv(size), expected[4:])

    async def frames_come_whole(self, receive_buffer: int) -> None:
        server, client, sent = await self.whole(receive_buffer)
        dice = random.Random(5)
        frames = [frame(bytes([n % 256]) * dice.randrange(1, 8_096)) for n in range(400)]
        for start in range(0, 400, 20):
            server.transport.write(b"".join(frames[start : start + 20]))
        await self.read_as_go(client, frames)
        self.assertEqual(sum(sent), 400)

    async def test_to_a_reader_with_a_small_buffer(self) -> None:
        await self.frames_come_whole(16_384)

    async def test_to_a_reader_with_an_ordinary_buffer(self) -> None:
        await self.frames_come_whole(0)

    async def test_when_far_more_is_written_than_goes_out_at_once(self) -> None:
        server, client, sent = await self.whole(4_000_000)
        frames = [frame(b"z" * 7_777)] * 200
        server.transport.write(b"".join(frames))
        await self.read_as_go(client, frames)
        self.assertEqual(sum(sent), 200)

    async def test_only_what_has_gone_out_is_told(self) -> None:
        server, client, sent = await self.whole(16_384)
        frames = [frame(b"%03d" % n + b"w" * 5_000) for n in range(100)]
        server.transport.write(b"".join(frames))
        await self.until(lambda: server.transport not in reactor.getWriters())
        self.assertTrue(0 < sum(sent) < 30, "some fit, most do not")
        await self.read_as_go(client, frames)
        self.assertEqual(sum(sent), 100)

    async def test_nothing_is_busy_while_somebody_does_not_read(self) -> None:
        server, client, _ = await self.whole(16_384)
        server.transport.write(frame(b"v" * 5_000) * 100)
        await self.until(lambda: server.transport not in reactor.getWriters())
        await self.received(client, 100 * 5_004)

    async def test_closing_waits_until_the_last_frame_is_out(self) -> None:
        server, client, _ = await self.whole(16_384)
        frames = [frame(b"u" * 6_000)] * 30
        server.transport.write(b"".join(frames))
        server.transport.loseConnection()
        await self.read_as_go(client, frames)
        await server.lost
        self.assertEqual(client.recv(10), b"")

    async def test_a_frame_that_was_cut_in_two_all_the_same_is_the_last_thing_said(self) -> None:
        """Its other half, sent later, would be read as the head of another frame."""
        server, _, sent = await self.whole(0)
        whole = server.transport.socket

        class Cutting:
            """A kernel that takes half of what it has said that it has room for."""

            def send(self, data: bytes) -> int:
                return int(whole.send(data[: len(data) // 2]))

            def __getattr__(self, name: str) -> Any:
                return getattr(whole, name)

        server.transport.socket = Cutting()
        server.transport.write(frame(b"s" * 6_000) * 2)
        server.transport.socket = whole
        await self.until(lambda: server.lost.called)
        self.assertEqual(sent, [])

    async def test_a_reader_that_vanishes_while_frames_wait_ends_the_connection(self) -> None:
        server, client, _ = await self.whole(16_384)
        server.transport.write(frame(b"t" * 6_000) * 30)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        server.transport.write(frame(b"one more"))
        await server.lost

    def test_other_transports_say_that_they_cannot(self) -> None:
        self.assertFalse(write_whole_frames(object(), lambda count: None))


class SocketTest(TestCase):
    """What the kernel is told of each connection."""

    async def test_the_kernel_sends_at_once_and_notices_a_machine_that_is_gone(self) -> None:
        for transport in (FrameServer, None):
            await self.look_at_an_accepted_socket(transport)

    async def look_at_an_accepted_socket(self, own: type[FrameServer] | None) -> None:
        hall = Hall()
        listeners = Listeners(reactor, ["tcp:0:interface=127.0.0.1"], own)
        listeners.bind()
        self.addCleanup(lambda: Deferred.fromCoroutine(listeners.close()))
        listeners.open(hall.factory)
        (address,) = listeners.addresses
        client = socket.create_connection(("127.0.0.1", address.port))
        while not hall.factory.connections:
            await deferLater(reactor, 0)
        (connection,) = hall.factory.connections
        transport: Any = connection.transport
        self.assertIs(type(transport), own or tcp.Server)
        option = transport.socket.getsockopt
        self.assertTrue(option(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assertTrue(option(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name):
                self.assertEqual(option(socket.IPPROTO_TCP, getattr(socket, name)), value, name)
        client.close()
        while hall.factory.connections:
            await deferLater(reactor, 0)
