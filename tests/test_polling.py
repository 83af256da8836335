"""The reactor that serves events without the log's context."""

import select
import socket
from unittest import SkipTest

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


@implementer(IReadDescriptor)
class Reader:
    """One end of a pair of sockets; what it does when something has come is ``work``."""

    def __init__(self, work: object = None) -> None:
        self.end, self.other = socket.socketpair()
        self.work = work
        self.read = b""
        self.lost: list[Failure] = []

    def fileno(self) -> int:
        return self.end.fileno()

    def logPrefix(self) -> str:
        return "reader"

    def doRead(self) -> object:
        self.read += self.end.recv(100)
        return self.work() if callable(self.work) else self.work

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)


class DirectReactorTest(SynchronousTestCase):
    def setUp(self) -> None:
        if not hasattr(select, "epoll"):
            raise SkipTest("this system has no epoll")
        from chat.server.process.polling import DirectReactor

        self.reactor = DirectReactor()
        self.addCleanup(self.reactor._poller.close)
        self.addCleanup(self.reactor.waker.connectionLost, None)

    def reader(self, work: object = None) -> Reader:
        reader = Reader(work)
        self.addCleanup(reader.end.close)
        self.addCleanup(reader.other.close)
        self.reactor.addReader(reader)
        self.addCleanup(self.reactor.removeReader, reader)
        reader.other.send(b"something")
        return reader

    def test_all_that_something_came_for_are_served(self) -> None:
        readers = [self.reader() for _ in range(3)]
        self.reactor.doIteration(0)
        self.assertEqual([reader.read for reader in readers], [b"something"] * 3)

    def test_nothing_is_served_when_nothing_came(self) -> None:
        reader = self.reader()
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual(reader.read, b"something")

    def test_trouble_is_logged_and_only_whose_it_is_is_lost(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError("boom")

        bad, good = self.reader(fail), self.reader()
        self.reactor.doIteration(0)
        self.assertEqual(good.read, b"something")
        self.assertEqual(good.lost, [])
        self.assertIsInstance(bad.lost[0].value, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_trouble_at_the_end_of_one_is_not_the_others(self) -> None:
        def fail(reason: Failure) -> None:
            raise ZeroDivisionError("boom")

        bad, good = self.reader(ConnectionDone()), self.reader()
        bad.connectionLost = fail  # type: ignore[method-assign]
        self.reactor.doIteration(0)
        self.assertEqual(good.read, b"something")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_was_closed_by_the_one_before_is_not_served(self) -> None:
        readers: list[Reader] = []

        def close_the_other() -> None:
            for reader in readers:
                if not reader.read:
                    self.reactor.removeReader(reader)

        readers += [self.reader(close_the_other), self.reader(close_the_other)]
        self.reactor.doIteration(0)
        self.assertEqual(sorted(reader.read for reader in readers), [b"", b"something"])

    def test_the_end_of_a_turn_comes_when_all_were_served(self) -> None:
        order: list[str] = []

        def serve() -> None:
            order.append("served")
            self.reactor.at_turn_end(lambda: order.append("end"))

        for _ in range(2):
            self.reader(serve)
        self.reactor.doIteration(0)
        self.assertEqual(order, ["served", "served", "end", "end"])

    def test_what_is_asked_for_between_turns_or_at_the_end_of_one_waits_for_no_event(self) -> None:
        ends: list[int] = []

        def end(more: int) -> None:
            ends.append(more)
            if more:
                self.reactor.at_turn_end(lambda: end(more - 1))

        self.reactor.at_turn_end(lambda: end(1))
        self.reactor.doIteration(None)
        self.assertEqual(ends, [1])
        self.reactor.doIteration(None)
        self.assertEqual(ends, [1, 0])

    def test_trouble_at_the_end_of_a_turn_is_logged_and_keeps_nothing_from_its_end(self) -> None:
        ends: list[str] = []

        def fail() -> None:
            raise ZeroDivisionError("boom")

        self.reactor.at_turn_end(fail)
        self.reactor.at_turn_end(lambda: ends.append("end"))
        self.reactor.doIteration(0)
        self.assertEqual(ends, ["end"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
