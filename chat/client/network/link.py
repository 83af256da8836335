"""One connection that reconnects: opens, logs in, watches, waits and tries again."""

import random as _random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.client.errors import ClientError, Refused, Untrusted
from chat.client.events import Connected, Connecting, ConnectionState, LoggedIn, Stopped, Waiting
from chat.client.network.suspension import Suspension
from chat.client.network.wire import FAREWELLS, Wire
from chat.messages import ByeMes, ErrorMes, Message

__all__ = ["Link"]

SHORTEST_WAIT = 0.25
QUICK_WAIT = 3.0
LONGEST_WAIT = 30.0
"""Seconds between two tries. Each failure doubles the bound, and chance picks a time below it, so
that the clients of a server that died do not all come back at one moment. While no server answers
at all, the bound is ``QUICK_WAIT`` or half the time since the loss, whichever is longer: when a
server has restarted, everybody is back after at most half as long again as it was gone."""

STEADY_AFTER = 5.0
"""Seconds logged in after which the next loss starts again with the shortest wait."""

SLEEP = 150.0
"""Seconds that this machine stood still after which the server has given a connection up for
certain (it ends a silence of 150 s). After a shorter time it is tried with a quick ping."""

WAKE_WITHIN = 3.0
"""Seconds for the answer to that quick ping."""

FOR_GOOD = frozenset({403, 409, 500})
"""Codes after which coming back is no use: not allowed, replaced by another login, no such user."""

AT_FIRST = FOR_GOOD | {400, 401, 404, 413, 505, 506}
"""The same, for a login that has never succeeded."""

DISTRUSTED = 495
"""A code of our own for a certificate that proves nothing: trying again would not help."""

_P = ParamSpec("_P")


class _Inputs(Protocol):
    """What can happen to a link."""

    def start(self) -> None: ...
    def opened(self, wire: Wire) -> None: ...
    def unreachable(self, reason: str) -> None: ...
    def welcomed(self) -> None: ...
    def nobody(self) -> None: ...
    def refused(self, error: Refused) -> None: ...
    def lost(self, reason: str) -> None: ...
    def due(self) -> None: ...
    def hurry(self) -> None: ...
    def woke(self, ahead: float) -> None: ...
    def stop(self, reason: str, code: int) -> None: ...
    def distrust(self, error: Untrusted) -> None: ...


class Link:
    """Keeps one connection to a server.

    :param clock: for timers; also tells the time, in seconds.
    :param endpoint: where the server is.
    :param greet: awaited on each new connection, to log in. It returns whether somebody is logged
        in now; False when there is nobody to log in yet. What it raises decides whether to try
        again.
    :param push: called with each message that is not a reply.
    :param changed: called with each new state.
    :param random: a number from 0 to 1.
    :param now: the time of day in seconds, which goes on while ``clock`` stands still, as in a
        virtual machine that is stopped. By default ``clock``'s time.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        greet: Callable[[Wire], Coroutine[Any, Any, bool]],
        push: Callable[[Message], None],
        changed: Callable[[ConnectionState], None],
        random: Callable[[], float] = _random.random,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.state: ConnectionState = Stopped()
        self.wire: Wire | None = None
        """The connection while one is open, logged in or not."""
        self._clock = clock
        self._endpoint = endpoint
        self._greet = greet
        self._push = push
        self._changed = changed
        self._random = random
        self._failures = 0
        self._away_since = 0.0
        self._since = 0.0
        self._was_welcome = False
        self._bye: ByeMes | None = None
        self._attempt: Deferred[Any] | None = None
        self._retry: IDelayedCall | None = None
        self._suspension = Suspension(clock, now or clock.seconds, self._woke)
        self._news: deque[ConnectionState] = deque()
        self._depth = 0
        self._machine: _Inputs = _machine(self)

    # What the client calls -----------------------------------------------------------------------

    def start(self) -> None:
        """Connect; or log in on a connection on which nobody is logged in yet."""
        self._do(self._machine.start)

    def reconnect_now(self) -> None:
        """Try again at once, instead of waiting.

        A connection that is open is checked, and given up after some seconds. A link that had
        stopped is started once more: the reason may be gone.
        """
        given_up = isinstance(self.state, Stopped) and self.state.code
        self._do(self._machine.start if given_up else self._machine.hurry)

    def stop(self, reason: str = "", code: int = 0) -> None:
        """Close the connection, and do not open another one until ``start``."""
        self._do(self._machine.stop, reason, code)

    # Steps of the machine ------------------------------------------------------------------------

    def _do(self, happen: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Give the state machine an input, and tell of the new states when it has settled.

        Whoever is told may well cause the next input. Its states are told afterwards, so that
        everybody hears of all states in their order.
        """
        self._depth += 1
        try:
            happen(*args, **kwargs)
            while self._depth == 1 and self._news:
                self._changed(self._news.popleft())
        finally:
            self._depth -= 1

    def _show(self, state: ConnectionState) -> None:
        self.state = state
        self._news.append(state)

    def _begin(self) -> None:
        self._failures = 0
        self._was_welcome = False
        self._connect()

    def _begin_afresh(self, ahead: float) -> None:
        """The machine has slept: earlier failures no longer count."""
        self._failures = 0
        self._connect_now()

    def _connect_now(self) -> None:
        self._let_go("")
        self._connect()

    def _connect(self) -> None:
        self._bye = None
        self._suspension.watch()
        self._show(Connecting())
        factory = Factory.forProtocol(lambda: Wire(self._clock, self._pushed, self._lost))
        attempt = self._attempt = self._endpoint.connect(factory)
        attempt.addCallbacks(self._opened, self._unreachable)
        attempt.addErrback(lambda failure: self.log.failure("a connection's start", failure))

    def _not_there(self, reason: str) -> None:
        self._wait(reason, reached=False)

    def _distrusted(self, error: Untrusted) -> None:
        self._let_go("")
        self._show(Stopped(str(error), DISTRUSTED, error))

    def _take(self, wire: Wire) -> None:
        self.wire = wire
        self._begin_greeting(wire)

    def _greet_somebody(self) -> None:
        self._was_welcome = False
        self._show(Connecting())
        assert self.wire is not None
        self._begin_greeting(self.wire)

    def _begin_greeting(self, wire: Wire) -> None:
        greeting = Deferred.fromCoroutine(self._greet(wire))
        greeting.addCallbacks(self._greeted, self._not_greeted, (wire,), errbackArgs=(wire,))
        greeting.addErrback(lambda failure: self.log.failure("a login", failure))

    def _nobody(self) -> None:
        self._show(Connected())

    def _up(self) -> None:
        self._since = self._clock.seconds()
        self._was_welcome = True
        self._show(LoggedIn())

    def _wait(self, reason: str, at_least: float = 0.0, reached: bool = True) -> None:
        now = self._clock.seconds()
        if not self._failures:
            self._away_since = now
        bound = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(self._failures, 20))
        if not reached:
            bound = min(bound, max(QUICK_WAIT, (now - self._away_since) / 2))
        self._failures += 1
        seconds = SHORTEST_WAIT + (bound - SHORTEST_WAIT) * self._random()
        # Those whom the server sent away with the same number come back spread over a fifth.
        seconds = max(seconds, at_least * (1 + self._random() / 5))
        self._retry = self._clock.callLater(seconds, self._do, self._machine.due)
        self._show(Waiting(seconds, now + seconds, reason))

    def _ended(self, reason: str) -> None:
        """The connection has ended: wait and come back, unless the server has said not to."""
        bye, self._bye = self._bye, None
        if bye is not None and bye.code in FOR_GOOD and not bye.retry_after:
            self._do(self._machine.stop, bye.error, bye.code)
        elif bye is not None:
            self._wait(bye.error or reason, bye.retry_after)
        else:
            self._wait(reason)

    def _broken(self, reason: str) -> None:
        """The same where somebody was logged in. A connection that lasted resets the back-off."""
        if self._clock.seconds() - self._since >= STEADY_AFTER:
            self._failures = 0
        self._ended(reason)

    def _turned_away(self, error: Refused) -> None:
        for_good = FOR_GOOD if self._was_welcome else AT_FIRST
        hopeless = error.code == 429 and not error.retry_after
        if error.code in for_good or (hopeless and not self._was_welcome):
            self._do(self._machine.stop, str(error), error.code)
        else:
            self._let_go(str(error))
            self._wait(str(error), error.retry_after)

    def _stopped(self, reason: str, code: int = 0) -> None:
        self._let_go("")
        self._show(Stopped(reason, code))

    def _let_go(self, why: str) -> None:
        """Forget the connection, and stop everything that is under way."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close() if not why else wire.abort(why)
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        self._suspension.stop()

    def _try_the_wire(self, ahead: float = 0.0) -> None:
        self._failures = 0
        if self.wire is not None:
            if ahead >= SLEEP:
                self.wire.abort("this machine was asleep")
            else:
                self.wire.check(WAKE_WITHIN)

    # What happens outside ------------------------------------------------------------------------

    def _opened(self, wire: Wire) -> None:
        self._attempt = None
        self._do(self._machine.opened, wire)

    def _unreachable(self, failure: Failure) -> None:
        if self._attempt is None:
            return  # It was cancelled; each endpoint reports that in its own way.
        self._attempt = None
        if isinstance(failure.value, Untrusted):
            self._do(self._machine.distrust, failure.value)
        else:
            self._do(self._machine.unreachable, failure.getErrorMessage())

    def _greeted(self, welcome: bool, wire: Wire) -> None:
        if wire is self.wire:
            self._do(self._machine.welcomed if welcome else self._machine.nobody)

    def _not_greeted(self, failure: Failure, wire: Wire) -> None:
        if wire is not self.wire:
            return
        if isinstance(failure.value, Refused):
            self._do(self._machine.refused, failure.value)
            return
        if failure.check(ClientError) is None:
            self.log.failure("a login failed", failure)
        wire.abort(failure.getErrorMessage())

    def _pushed(self, message: Message) -> None:
        match message:
            case ByeMes():
                self._bye = message
            case ErrorMes(code, error, _, retry_after) if code in FAREWELLS:
                if not isinstance(self.state, LoggedIn):
                    self._bye = ByeMes(code, error, retry_after)
            case _:
                pass
        self._push(message)

    def _lost(self, wire: Wire, reason: str) -> None:
        if wire is self.wire:
            self.wire = None
            self._do(self._machine.lost, reason)

    def _woke(self, ahead: float) -> None:
        self._do(self._machine.woke, ahead)


def _step(
    method: Callable[Concatenate[Link, _P], None],
) -> Callable[Concatenate[_Inputs, Link, _P], None]:
    """A method of the link, as the machine calls it."""
    return lambda inputs, link, /, *args, **kwargs: method(link, *args, **kwargs)


def _build() -> Callable[[Link], _Inputs]:
    """The state machine: in which state, at which input, what is done, and the next state."""
    builder = TypeMachineBuilder(_Inputs, Link)
    off = builder.state("off")
    opening = builder.state("opening")
    greeting = builder.state("greeting")
    anonymous = builder.state("anonymous")
    up = builder.state("up")
    waiting = builder.state("waiting")

    off.upon(_Inputs.start).to(opening)(_step(Link._begin))
    opening.upon(_Inputs.opened).to(greeting)(_step(Link._take))
    opening.upon(_Inputs.unreachable).to(waiting)(_step(Link._not_there))
    opening.upon(_Inputs.distrust).to(off)(_step(Link._distrusted))
    opening.upon(_Inputs.woke).to(opening)(_step(Link._begin_afresh))
    greeting.upon(_Inputs.welcomed).to(up)(_step(Link._up))
    greeting.upon(_Inputs.nobody).to(anonymous)(_step(Link._nobody))
    greeting.upon(_Inputs.refused).to(waiting)(_step(Link._turned_away))
    greeting.upon(_Inputs.lost).to(waiting)(_step(Link._ended))
    greeting.upon(_Inputs.woke).loop()(_step(Link._try_the_wire))
    anonymous.upon(_Inputs.start).to(greeting)(_step(Link._greet_somebody))
    anonymous.upon(_Inputs.lost).to(off)(_step(Link._stopped))
    up.upon(_Inputs.lost).to(waiting)(_step(Link._broken))
    up.upon(_Inputs.woke).loop()(_step(Link._try_the_wire))
    up.upon(_Inputs.hurry).loop()(_step(Link._try_the_wire))
    waiting.upon(_Inputs.due).to(opening)(_step(Link._connect))
    waiting.upon(_Inputs.hurry).to(opening)(_step(Link._connect_now))
    waiting.upon(_Inputs.woke).to(opening)(_step(Link._begin_afresh))
    for state in (off, opening, greeting, anonymous, up, waiting):
        state.upon(_Inputs.stop).to(off)(_step(Link._stopped))

    # These may come at any time. All else comes of a connection, an attempt or a timer, and whoever
    # leaves the state that has it lets go of it first.
    for state in (opening, greeting, up, waiting):
        state.upon(_Inputs.start).loop().returns(None)
    for state in (off, opening, greeting, anonymous):
        state.upon(_Inputs.hurry).loop().returns(None)
    anonymous.upon(_Inputs.woke).loop().returns(None)
    return builder.build()


_machine = _build()
