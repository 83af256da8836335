"""Who may connect: how many, how fast, from where, and for how long without logging in."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from chat.server.guard.addresses import Networks, counted_as
from chat.server.guard.buckets import TokenBucket
from chat.server.settings import Settings

if TYPE_CHECKING:
    from chat.server.context import Context
    from chat.server.network.connection import Connection
    from chat.server.session import Session

__all__ = ["Gate"]

TOLD_AT_ONCE: Final = 32
"""Connections above the limit that are told why they are closed, at one time."""

WHILE_SERVED: Final = 3
"""How many times the time to log in a connection has whose request is being served when that is
over: not any number, since it could make one request after the other."""

UNFINISHED_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of incomplete frames on all connections without a login together: 4,096 of the longest
frames would be four times that."""

SERVED_A_TURN: Final = 8
"""Frames of strangers in one turn of the reactor, as many as connections are let in. When hundreds
sent all that each may at once, everybody else waited for seconds."""

ADDRESSES: Final = 65_536
"""Addresses whose rate is remembered, the newest."""


class Gate:
    """Knows every open connection until it is closed.

    :ivar inside: all of them, oldest first.
    """

    def __init__(self, context: "Context") -> None:
        self._context = context
        self.inside: dict[Connection, None] = {}
        self._strangers: dict[Connection, None] = {}
        self._unfinished = 0
        self._per_address: Counter[str] = Counter()
        self._rates: OrderedDict[str, TokenBucket] = OrderedDict()
        self._exempt = Networks()
        self._settings: Settings | None = None
        self._served = 0
        self._queue: deque[Session] = deque()

    def lets_in(self, host: str) -> bool:
        """Whether to accept another connection from ``host``. If not, it is closed at once, without
        a reason.

        Sending a reason takes a moment in which the connection still counts, so only the first few
        above the limit get one (``enter``).
        """
        settings = self._current()
        if settings.connections and len(self.inside) >= settings.connections + TOLD_AT_ONCE:
            return False
        if self._is_exempt(host) or not settings.connection_rate[0]:
            return True
        return not self._rate(counted_as(host)).take()

    def enter(self, connection: "Connection") -> str:
        """Count a connection that was accepted.

        :returns: the key of the sentence with which it is to be closed; empty when it may stay.
        """
        settings, origin = self._current(), counted_as(connection.address)
        self._per_address[origin] += 1
        self.inside[connection] = None
        self._strangers[connection] = None
        most = settings.connections_per_address
        if settings.connections and len(self.inside) > settings.connections:
            return "too-many-connections"
        if most and self._per_address[origin] > most and not self._is_exempt(connection.address):
            return "too-many-from-address"
        return ""

    def leave(self, connection: "Connection") -> None:
        """A connection is closed."""
        self.inside.pop(connection, None)
        self._strangers.pop(connection, None)
        self._unfinished -= connection.unfinished
        origin = counted_as(connection.address)
        self._per_address[origin] -= 1
        if not self._per_address[origin]:
            del self._per_address[origin]

    def crowded_out(self) -> "list[Connection]":
        """The connections without a login that have to go because there are too many of them: the
        oldest, but none that is being served. A real client logs in at once; these only occupy
        places."""
        most = self._current().strangers
        if not most or len(self._strangers) <= most:
            return []
        return self._oldest(most)

    def has_to_wait(self, session: "Session") -> bool:
        """Whether a frame of a connection without a login has to wait, because as many as are
        allowed were served in this turn of the reactor. Then ``session.go_on`` is called in a later
        turn, in the order of the waiting."""
        if not self._served:
            self._context.clock.callLater(0, self._next_turn)
        self._served += 1
        if self._served <= SERVED_A_TURN:
            return False
        self._queue.append(session)
        return True

    def _next_turn(self) -> None:
        waiting = len(self._queue)
        self._served = min(waiting, SERVED_A_TURN)
        if self._served:
            self._context.clock.callLater(0, self._next_turn)
        for _ in range(self._served):
            self._queue.popleft().go_on(True)

    def hold(self, more: int) -> "list[Connection]":
        """Count ``more`` bytes of unfinished frames of connections without a login.

        :returns: the connections to close because all of these frames together take too much
            memory.
        """
        self._unfinished += more
        kept = self._unfinished
        gone: list[Connection] = []
        for connection in self._strangers if kept > UNFINISHED_BYTES else ():
            if connection.unfinished and not connection.closing:
                gone.append(connection)
                kept -= connection.unfinished
                if kept <= UNFINISHED_BYTES:
                    break
        return gone

    def _oldest(self, most: int) -> "list[Connection]":
        """The oldest connections without a login, as many as there are above ``most``."""
        gone: list[Connection] = []
        for connection in list(self._strangers):
            if connection.session.user is not None or connection.closing:
                del self._strangers[connection]
            elif not connection.session.busy:
                del self._strangers[connection]
                gone.append(connection)
            if len(self._strangers) <= most:
                break
        return gone

    def overdue(self, now: float) -> "Iterator[Connection]":
        """The connections whose time to log in is over.

        A connection that is being served at that moment gets more time: it is not the client's
        fault when its password waits for a thread.

        :param now: in the clock's seconds.
        """
        allowed = self._current().login_seconds
        for connection in list(self._strangers):
            session, waited = connection.session, now - connection.connected_at
            if session.user is not None or connection.closing:
                del self._strangers[connection]
            elif not allowed or waited < allowed:
                break
            elif not session.busy or waited >= allowed * WHILE_SERVED:
                del self._strangers[connection]
                yield connection

    def _current(self) -> Settings:
        """The settings in force. What is derived from them is made anew when they have changed."""
        settings = self._context.settings
        if settings is not self._settings:
            self._settings = settings
            self._exempt = Networks(settings.exempt)
            self._rates.clear()
        return settings

    def _is_exempt(self, host: str) -> bool:
        return host == "local" or host in self._exempt

    def _rate(self, origin: str) -> TokenBucket:
        bucket = self._rates.get(origin)
        if bucket is None:
            rate = self._current().connection_rate
            bucket = self._rates[origin] = TokenBucket(*rate, self._context.clock.seconds)
            if len(self._rates) > ADDRESSES:
                self._rates.popitem(last=False)
        self._rates.move_to_end(origin)
        return bucket
