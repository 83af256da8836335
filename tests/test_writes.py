"""What is gathered for a connection leaves once and in order, whatever comes in between."""

import contextlib
import socket
from typing import Any, Final
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chat.server.delivery import writes
from chat.server.network.connection import CLOSING_SECONDS, Connection
from chat.server.network.transport import FrameServer, QueuedFrameServer
from tests.hall import Hall

CLIENTS: Final = 3
SOCKET_BUFFER: Final = 1
"""Linux gives 4,608: two long frames are too many, and of a longer one a part is taken."""


class Poller:
    """The part of a reactor that transports know; it turns when it is told to."""

    def __init__(self, clock: Clock) -> None:
        self.callLater = clock.callLater
        self._readers: set[Any] = set()
        self._writers: set[Any] = set()
        self.addReader, self.removeReader = self._readers.add, self._readers.discard
        self.addWriter, self.removeWriter = self._writers.add, self._writers.discard

    def turn(self) -> None:
        """Let every transport read and write that would."""
        for which, act in ((self._readers, "doRead"), (self._writers, "doWrite")):
            for each in tuple(which):
                if each in which and (why := getattr(each, act)()):
                    self.removeReader(each)
                    self.removeWriter(each)
                    each.connectionLost(Failure(why))


class Client:
    """One client: what it should get, and what it got.

    :ivar ended: when the server closed the connection or lost it, None while it is open.
    :ivar cut_off: what was on its way then need not have come.
    """

    def __init__(self, hall: Hall, poller: Poller, transport: type[FrameServer]) -> None:
        ours, self.socket = socket.socketpair()
        for each in (ours, self.socket):
            each.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        address = IPv4Address("TCP", "192.0.2.1", 1)
        self.connection: Connection = hall.factory.buildProtocol(address)
        port, nothing = (address.host, address.port), None
        self.connection.makeConnection(
            transport(ours, self.connection, port, nothing, 0, poller)  # type: ignore[arg-type]
        )
        self.due, self.got = b"", b""
        self.ended: float | None = None
        self.cut_off = False

    def read(self, size: int = 1 << 16) -> None:
        """Take what has come, or some of it."""
        with contextlib.suppress(OSError):
            self.got += self.socket.recv(size)


class Play:
    """Everything that may happen to what is gathered, one thing after the other."""

    def __init__(self, transports: list[type[FrameServer]]) -> None:
        self.hall = Hall(send_buffer=8_192, connections_per_address=0)
        self.poller = Poller(self.hall.clock)
        self.clients = [Client(self.hall, self.poller, each) for each in transports]
        self.writes = self.hall.context.writes
        self._frames = 0

    def frame(self, size: int) -> bytes:
        """One that is like no other."""
        self._frames += 1
        return (b"%d." % self._frames).ljust(size, b".") + b"\n"

    def due(self, client: Client, data: bytes) -> None:
        if client.ended is None:
            client.due += data

    # What may happen -------------------------------------------------------------------------

    def one(self, who: int, size: int) -> None:
        client, data = self.clients[who], self.frame(size)
        self.due(client, data)
        self.writes.add(client.connection, data)

    def all(self, but: set[int], size: int, patiently: bool) -> None:
        data = self.frame(size)
        others = {self.clients[who].connection for who in but}
        for client in self.clients:
            if client.connection not in others:
                self.due(client, data)
        everybody = [client.connection for client in self.clients]
        self.writes.add_to_all(everybody, data, others, patiently=patiently)

    def now(self, who: int, size: int) -> None:
        client, data = self.clients[who], self.frame(size)
        self.due(client, data)
        client.connection.send(data)

    def flush(self, who: int) -> None:
        self.clients[who].connection.flush()

    def turn(self, more: bool) -> None:
        with patch.object(type(self.hall.posting), "has_more", more):
            self.writes.turn_ended()

    def wait(self, seconds: float) -> None:
        self.hall.clock.advance(seconds)

    def poll(self) -> None:
        self.poller.turn()

    def read(self, who: int, size: int) -> None:
        self.clients[who].read(size)

    def close(self, who: int) -> None:
        self._end(who, self.clients[who].connection.close)

    def abort(self, who: int) -> None:
        self.clients[who].cut_off = True
        self._end(who, self.clients[who].connection.abort)

    def lose(self, who: int) -> None:
        client = self.clients[who]
        if not client.connection.transport.connected:  # type: ignore[union-attr]
            return
        client.cut_off = True
        lost = client.connection.transport.connectionLost  # type: ignore[union-attr]
        self._end(who, lambda: lost(Failure(CONNECTION_DONE)))

    def _end(self, who: int, how: Any) -> None:
        client = self.clients[who]
        if client.ended is None:
            client.ended = self.hall.clock.seconds()
            how()

    def finish(self) -> None:
        """Let all that is under way arrive."""
        self.wait(writes.PATIENCE_SECONDS)
        self.wait(writes.GATHER_SECONDS)
        self.turn(more=False)
        before = -1
        while before < (before := sum(len(client.got) for client in self.clients)):
            self.poll()
            for client in self.clients:
                client.read()

    def clean_up(self) -> None:
        for who, client in enumerate(self.clients):
            self.abort(who)
            client.socket.close()
        self.wait(CLOSING_SECONDS)


WHO: Final = st.integers(0, CLIENTS - 1)
SIZES: Final = st.sampled_from([10, 40, 2_000, 6_000])
THINGS: Final = st.one_of(
    st.tuples(st.just("one"), WHO, SIZES),
    st.tuples(st.just("all"), st.sets(WHO, max_size=2), SIZES, st.booleans()),
    st.tuples(st.just("now"), WHO, SIZES),
    st.tuples(st.just("turn"), st.booleans()),
    st.tuples(
        st.just("wait"), st.sampled_from([0, writes.GATHER_SECONDS, writes.PATIENCE_SECONDS])
    ),
    st.tuples(st.just("poll")),
    st.tuples(st.just("read"), WHO, st.sampled_from([1_000, 5_000])),
    st.tuples(st.sampled_from(["flush", "close", "abort", "lose"]), WHO),
)


class WritesTest(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from([FrameServer, QueuedFrameServer]), min_size=CLIENTS, max_size=CLIENTS
        ),
        st.lists(THINGS, min_size=10, max_size=60),
    )
    def test_each_connection_has_its_frames_once_and_in_order(
        self, transports: list[type[FrameServer]], things: list[tuple[Any, ...]]
    ) -> None:
        with patch.object(writes, "MANY", 2), patch.object(writes, "PATIENCE_BYTES", 100):
            play = Play(transports)
            try:
                for what, *how in things:
                    getattr(play, what)(*how)
                play.finish()
                for client in play.clients:
                    self.check(play, client)
            finally:
                play.clean_up()

    def check(self, play: Play, client: Client) -> None:
        waited = 0.0 if client.ended is None else play.hall.clock.seconds() - client.ended
        if client.cut_off or waited >= CLOSING_SECONDS:
            self.assertEqual(client.got, client.due[: len(client.got)])
        else:
            self.assertEqual(client.got, client.due)
