"""A client of the library at a server in memory, on a clock of its own."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client.api import ChatClient, Refused
from chat.client.events import (
    Event,
    MessageArrived,
)
from tests.fake_server import FakeNet, FakeServer

__all__ = ["ApiCase"]

_T = TypeVar("_T")


class ApiCase(SynchronousTestCase):
    """Alice's client, on a clock of its own, at a fake server."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.server = FakeServer()
        self.net = FakeNet(self.server)
        self.events: list[Event] = []
        self.client = self.new_client()
        self.addCleanup(self.finish)

    def new_client(self, **options: Any) -> ChatClient:
        client = ChatClient(
            self.clock, endpoint=self.net, device="test", random=lambda: 0.0, **options
        )
        client.listen(self.events.append)
        return client

    def finish(self) -> None:
        self.done(self.client.close())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def start(self, work: Coroutine[Any, Any, _T]) -> "Deferred[_T]":
        started = Deferred.fromCoroutine(work)
        self.net.flush()
        return started

    def done(self, work: Coroutine[Any, Any, _T]) -> _T:
        result: _T = self.successResultOf(self.start(work))
        return result

    def refused(self, work: Coroutine[Any, Any, Any]) -> Refused:
        error: Refused = self.failureResultOf(self.start(work), Refused).value
        return error

    def log_in(self) -> None:
        self.done(self.client.log_in("alice", "wonderland"))
        self.net.flush()

    def advance(self, seconds: float) -> None:
        while seconds > 0:
            self.clock.advance(min(seconds, 1.0))
            self.net.flush()
            seconds -= 1.0

    def say(self, name: str, *contents: str) -> None:
        for content in contents:
            self.server.say(name, content)
        self.net.flush()

    def unheard(self, name: str, *contents: str) -> None:
        """Said while the push of it gets lost."""
        self.server.lose = lambda entry: True
        self.say(name, *contents)
        self.server.lose = lambda entry: False

    def of(self, kind: type[_T]) -> list[_T]:
        return [event for event in self.events if isinstance(event, kind)]

    def heard(self, name: str = "#lobby") -> list[str]:
        arrived = [event.entry for event in self.of(MessageArrived)]
        return [entry.content for entry in arrived if entry.conversation == name]
