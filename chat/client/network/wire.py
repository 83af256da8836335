"""One connection to a server: frames in and out, replies matched by id, liveness by pings."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat import codec
from chat.client.errors import BadServer, ClientError, FateUnknown, NotConnected, Refused
from chat.messages import (
    ANSWERS,
    ErrorMes,
    LoginMes,
    Message,
    PasswordMes,
    PingMes,
    PongMes,
    RegisterMes,
    Request,
)

__all__ = ["Wire"]

FRAME_LIMIT = 1 << 20
"""Bytes. A server's own limit is an option; this only keeps nonsense from filling the memory."""

PING_AFTER = 50.0
"""Seconds of silence in either direction. The server wants a sign of life every 60 s."""

PONG_WITHIN = 20.0
SLICE = 0.001
"""Seconds of work on what has come in one turn of the reactor. In a flood, one read can bring
hundreds of messages; whoever presses a key meanwhile should not have to wait for all of them."""

LOOK_EVERY = 8
"""Frames between two looks at the clock."""

DOUBT_AFTER, DOUBT_WITHIN = 5.0, 10.0
"""Seconds that a request waits without a word from the server, before it is pinged; and seconds for
the answer to that. A network that is gone does not say so, and a server answers in 5."""

REPLY_WITHIN = 30.0
"""Seconds. A server gives its own store 5; what takes longer than this will not come."""

PATIENT = (LoginMes, RegisterMes, PasswordMes, PingMes)
"""Requests that raise no doubt: passwords wait for their hashing, and a ping has its own time."""

FAREWELLS = frozenset({401, 413, 429})
"""Codes of an ErrorMes that answers no request: behind it the server hangs up."""

WORDLESS = "the server hung up without a word (if it speaks TLS, write tls: before its name)"
"""So OpenSSL answers what is no TLS at all."""

_Answer = TypeVar("_Answer", bound=Message)


class Wire(Protocol):
    """One connection, from the moment it is open to its end.

    :param push: is called with everything that is no reply, in the order it came.
    :param lost: is called once, with a sentence, when the connection has ended.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        push: Callable[[Message], None],
        lost: Callable[["Wire", str], None],
    ) -> None:
        self._clock = clock
        self._push = push
        self._lost = lost
        self._reader = codec.FrameReader(FRAME_LIMIT)
        self._bodies: deque[bytes] = deque()
        self._rest: IDelayedCall | None = None
        self._paused = False
        self._waiting: dict[str, _Waiting] = {}
        self._last_id = 0
        self._open = False
        self._answered = False
        self._why = ""
        self._farewell = ""
        self._heard = self._said = clock.seconds()
        self._quiet: IDelayedCall | None = None
        self._doubt: IDelayedCall | None = None
        self._ends: list[Deferred[None]] = []

    # What the link and the client call ----------------------------------------------------------

    async def ask(self, request: Request, answer: type[_Answer]) -> _Answer:
        """Send a request and wait for its reply, whatever its code is.

        :raises Refused: an ErrorMes came for it.
        :raises FateUnknown: the connection ended, or 30 s passed, without a reply.
        :raises NotConnected: the connection had ended before; nothing was sent.
        :raises BadServer: the reply is of another kind.
        """
        try:
            reply = await self._request(request, REPLY_WITHIN)
        except FateUnknown:
            self.check()
            raise
        if isinstance(reply, ErrorMes):
            raise Refused(reply.code, reply.error, reply.retry_after)
        if not isinstance(reply, answer):
            raise BadServer(f"the server answered {type(request).__name__} with something else")
        return reply

    def tell(self, message: Message) -> None:
        """Send something that has no reply; without a connection it is dropped."""
        if self._open:
            self._write(codec.encode(message))

    def check(self, within: float = PONG_WITHIN) -> None:
        """Send a ping. If nothing comes for ``within`` seconds, the connection is ended."""
        if self._open:
            asked = Deferred.fromCoroutine(self._check(within))
            asked.addErrback(lambda failure: failure.trap(ClientError))

    def close(self) -> None:
        """End the connection after everything that was written."""
        if self._open and self.transport is not None:
            self.transport.loseConnection()

    def ended(self) -> Deferred[None]:
        """Fires when the connection has ended; at once if it has already."""
        end: Deferred[None] = Deferred()
        if self._open:
            self._ends.append(end)
        else:
            end.callback(None)
        return end

    def abort(self, why: str) -> None:
        """End the connection at once; ``why`` is the sentence that ``lost`` is called with."""
        if self._open and self.transport is not None:
            self._why = self._why or why
            self.transport.abortConnection()  # type: ignore[attr-defined]  # TCP, TLS, Unix

    # What Twisted calls --------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._open = True
        self._heard = self._said = self._clock.seconds()
        self._quiet = self._clock.callLater(PING_AFTER, self._ping_when_quiet)

    def dataReceived(self, data: bytes) -> None:
        self._heard = self._clock.seconds()
        self._answered = True
        try:
            bodies = self._reader.feed(data)
        except codec.FrameTooLarge:
            self.abort("what answers there does not speak this protocol")
            return
        self._bodies += bodies
        if self._rest is None:
            self._work(SLICE)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._work()
        self._open = False
        for timer in (self._quiet, self._doubt):
            if timer is not None and timer.active():
                timer.cancel()
        waiting, self._waiting = self._waiting, {}
        lost = "the connection was lost" if self._answered else WORDLESS
        sentence = self._why or self._farewell or lost
        for each in waiting.values():
            each.fail(FateUnknown(sentence))
        self._lost(self, sentence)
        ends, self._ends = self._ends, []
        for end in ends:
            end.callback(None)

    # Inside ------------------------------------------------------------------------------------

    def _work(self, seconds: float = math.inf) -> None:
        """Handle what has come, for a limited time; the rest in the reactor's next turn."""
        self._rest = None
        until = self._clock.seconds() + seconds
        while self._bodies and not self._why:
            for _ in range(min(LOOK_EVERY, len(self._bodies))):
                if not self._why:
                    self._frame_received(self._bodies.popleft())
            if self._clock.seconds() >= until:
                break
        late = bool(self._bodies) and self._open and not self._why
        if late:
            self._rest = self._clock.callLater(0, self._work, SLICE)
        if late is not self._paused and self._open:
            self._paused = late
            transport: Any = self.transport
            transport.pauseProducing() if late else transport.resumeProducing()

    def _frame_received(self, body: bytes) -> None:
        try:
            message, request_id = codec.decode(body, ANSWERS)
        except codec.BadMessage as error:
            # A newer server may push types that are not known here: they are not for us.
            self.log.debug("ignored a frame: {error}", error=error)
            self._answer(error.request_id, BadServer(f"an unreadable reply: {error}"))
            return
        if isinstance(message, ErrorMes) and request_id is None and message.code in FAREWELLS:
            self._farewell = message.error
        if not self._answer(request_id, message) and not isinstance(message, PongMes):
            self._push(message)

    def _answer(self, request_id: str | None, result: Message | ClientError) -> bool:
        waiting = self._waiting.pop(request_id, None) if request_id is not None else None
        if waiting is None:
            return False
        if isinstance(result, ClientError):
            waiting.fail(result)
        else:
            waiting.succeed(result)
        return True

    def _request(self, request: Request, within: float) -> Deferred[Message]:
        if not self._open:
            raise NotConnected("there is no connection")
        self._last_id += 1
        request_id = str(self._last_id)
        data = codec.encode(request, request_id)
        timer = self._clock.callLater(within, self._overdue, request_id)
        waiting = _Waiting(timer, isinstance(request, PATIENT))
        self._waiting[request_id] = waiting
        if self._doubt is None and not waiting.patient:
            self._have_doubts()
        self._write(data)
        return waiting.deferred

    def _overdue(self, request_id: str) -> None:
        waiting = self._waiting.pop(request_id)
        waiting.fail(FateUnknown("the server did not answer in time"))

    def _write(self, data: bytes) -> None:
        self._said = self._clock.seconds()
        if self.transport is not None:
            self.transport.write(data)

    def _ping_when_quiet(self) -> None:
        now = self._clock.seconds()
        silence = now - min(self._heard, self._said)
        if silence >= PING_AFTER:
            self.check()
            silence = 0.0
        self._quiet = self._clock.callLater(PING_AFTER - silence, self._ping_when_quiet)

    def _have_doubts(self) -> None:
        """Look later whether something has come by then."""
        self._doubt = self._clock.callLater(DOUBT_AFTER, self._doubted, self._clock.seconds())

    def _doubted(self, since: float) -> None:
        self._doubt = None
        if all(each.patient for each in self._waiting.values()):
            return
        if self._heard <= since:
            self.check(DOUBT_WITHIN)
        else:
            self._have_doubts()

    async def _check(self, within: float) -> None:
        asked = self._clock.seconds()
        try:
            await self._request(PingMes(), within)
        except FateUnknown:
            if self._heard <= asked:
                self.abort("the server gives no sign of life")


class _Waiting:
    """A request that waits for its reply, until its time is over.

    :ivar patient: the reply may take long; that says nothing about the connection.
    """

    def __init__(self, timer: IDelayedCall, patient: bool) -> None:
        self.patient = patient
        self.deferred: Deferred[Message] = Deferred()
        self._timer = timer

    def succeed(self, message: Message) -> None:
        self._stop()
        self.deferred.callback(message)

    def fail(self, error: Exception) -> None:
        self._stop()
        self.deferred.errback(error)

    def _stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()
