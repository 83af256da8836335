"""One connection of the soak: frames out, messages in, replies to whoever asked."""

from collections.abc import Callable
from itertools import count
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from chat.soak import trace
from chat.soak.wire import Frames, pack

__all__ = ["Link", "Refused", "connect"]

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 15.0
"""A request without an answer: the connection is as good as dead."""

_numbers = count(1)


class Refused(Exception):
    """A request was answered with another code than 200.

    :ivar code, retry_after: as in the reply.
    """

    def __init__(self, kind: str, code: int, retry_after: float) -> None:
        super().__init__(f"{kind}: {code}")
        self.code = code
        self.retry_after = retry_after


class Link(Protocol):
    """A connection to a server.

    :ivar number: its name in the trace.
    :ivar gone: fires when it is lost.
    :ivar paused: it is not read, on purpose.
    """

    transport: ITCPTransport

    def __init__(
        self, reactor: Any, received: Callable[["Link", str, dict[str, Any]], None]
    ) -> None:
        self._reactor = reactor
        self._received = received
        self._frames = Frames()
        self._asked: dict[str, Deferred[dict[str, Any]]] = {}
        self.number = next(_numbers)
        self.gone: Deferred[None] = Deferred()
        self.paused = False
        self.lost = False
        self.retry_after = 0.0
        self.heard = self.pinged = reactor.seconds()

    @property
    def largest(self) -> int:
        """Bytes of the largest frame that came."""
        return self._frames.largest

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def opened(self, record: trace.Recorder, user: int, device: str, server: str) -> None:
        """Record that it is open."""
        record(trace.Opened(record.now(), self.number, user, device, server))

    def dataReceived(self, data: bytes) -> None:
        self.heard = self._reactor.seconds()
        for kind, members, request_id in self._frames.feed(data):
            asked = self._asked.pop(request_id, None) if request_id else None
            if asked is None:
                self._received(self, kind, members)
            elif members.get("code", 200) == 200:
                asked.callback(members)
            else:
                error = Refused(kind, members["code"], members.get("retryAfter", 0.0))
                asked.errback(error)

    def tell(self, kind: str, /, **data: Any) -> None:
        """Send a message whose reply, if any, is handled like a push."""
        self.transport.write(pack(kind, data))

    def ask(self, kind: str, /, **data: Any) -> Deferred[dict[str, Any]]:
        """Send a request; fires with the data of its reply.

        Fails with Refused, or with ConnectionLost.
        """
        request_id = f"q{next(_numbers)}"
        asked: Deferred[dict[str, Any]] = Deferred()
        if self.lost:
            asked.errback(ConnectionLost())
            return asked
        self._asked[request_id] = asked
        timer = self._reactor.callLater(ANSWER_SECONDS, self.abort)

        def answered(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            return result

        asked.addBoth(answered)
        self.transport.write(pack(kind, data, request_id))
        return asked

    def cut_in_a_frame(self, kind: str, /, **data: Any) -> None:
        """Send the first half of a message, and disconnect."""
        whole = pack(kind, data)
        self.transport.write(whole[: len(whole) // 2])
        self.transport.loseConnection()

    def stop_reading(self) -> None:
        """Leave what comes to the kernel, until ``read_on``."""
        self.paused = True
        cast(IPushProducer, self.transport).pauseProducing()

    def read_on(self) -> None:
        """Read again."""
        if self.paused and not self.lost:
            self.paused = False
            self.heard = self._reactor.seconds()
            cast(IPushProducer, self.transport).resumeProducing()

    def abort(self) -> None:
        """Close at once."""
        if not self.lost:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.errback(ConnectionLost())
        self.gone.callback(None)


async def connect(
    reactor: Any, port: int, received: Callable[[Link, str, dict[str, Any]], None]
) -> Link:
    """Connect to a server of this machine.

    :raises ConnectError: nobody listens there.
    """
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=CONNECT_SECONDS)
    return cast(Link, await connectProtocol(endpoint, Link(reactor, received)))
