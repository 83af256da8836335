"""A flood in one read: taken in bit by bit, whole, in order, and before the connection's end."""

from unittest import TestCase

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chat import codec
from chat.client.network.wire import LOOK_EVERY, SLICE, Wire
from chat.messages import Message, SmsPush

MANY = 10 * LOOK_EVERY


class FloodTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.cost = 1.5 * SLICE / LOOK_EVERY
        self.got: list[object] = []
        self.transport = StringTransport()
        self.wire = Wire(self.clock, self.push, lambda wire, reason: self.got.append("end"))
        self.wire.makeConnection(self.transport)

    def push(self, message: Message) -> None:
        """Taking in a message takes its time."""
        assert isinstance(message, SmsPush)
        self.got.append(message.seq)
        self.clock.rightNow += self.cost

    def flood(self) -> None:
        frames = [codec.encode(SmsPush(each, conversation="#lobby")) for each in range(MANY)]
        self.wire.dataReceived(b"".join(frames))

    def test_it_stops_for_others_and_reads_no_more_until_it_is_done(self) -> None:
        self.flood()
        self.assertEqual(len(self.got), LOOK_EVERY)
        self.assertEqual(self.transport.producerState, "paused")
        self.clock.advance(0)
        self.assertEqual(self.got, list(range(MANY)))
        self.assertEqual(self.transport.producerState, "producing")

    def test_what_costs_nothing_is_taken_in_at_once(self) -> None:
        self.cost = 0
        self.flood()
        self.assertEqual(self.got, list(range(MANY)))
        self.assertEqual(self.transport.producerState, "producing")

    def test_what_came_before_the_end_is_taken_in_before_it(self) -> None:
        self.flood()
        self.wire.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.got, [*range(MANY), "end"])
        self.clock.advance(100)
        self.assertEqual(len(self.got), MANY + 1)


class LifeTests(TestCase):
    def test_a_server_that_is_heard_while_a_ping_waits_is_alive(self) -> None:
        for speaks, lost in ((True, False), (False, True)):
            clock, transport = Clock(), StringTransport()
            wire = Wire(clock, lambda message: None, lambda wire, reason: None)
            wire.makeConnection(transport)
            wire.check(3.0)
            clock.advance(2.9)
            if speaks:
                wire.dataReceived(codec.encode(SmsPush(1, conversation="#lobby")))
            clock.advance(0.2)
            self.assertEqual(transport.disconnecting, lost)
            wire.connectionLost(Failure(ConnectionLost()))
            self.assertEqual(clock.getDelayedCalls(), [])
