"""Who is connected: accepts sockets, gives each a session, ends those that are silent or stuck."""

from secrets import token_hex
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chat import messages
from chat.codec import encode
from chat.server.context import Context
from chat.server.guard.gate import Gate
from chat.server.network.connection import Connection
from chat.server.session import Session
from chat.server.watching import tracing
from chat.store.errors import StoreError

__all__ = ["ChatFactory"]

TICK_SECONDS: Final = 1.0
TOLD_A_SECOND: Final = 32
"""Strangers who are told why they have to make room."""

SWEEP_TICKS: Final = 5
"""Ticks between looks at every connection: at 20,000 of them a look takes some milliseconds."""


class ChatFactory(Factory):
    """Makes connections and knows them all."""

    noisy = False
    _log = Logger()

    def __init__(self, context: Context) -> None:
        self.context = context
        self.clock = context.clock
        self._gate = Gate(context)
        self.connections = self._gate.inside
        # Sessions are named in events that all servers hear: theirs must not have the same names.
        self._name = token_hex(4)
        self._count = 0
        self._ticks = 0
        self._told = 0
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = context.clock

    # Life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look after connections."""
        self._ticking.start(TICK_SECONDS, now=False)

    def stop(self) -> None:
        """Look after nothing any more."""
        if self._ticking.running:
            self._ticking.stop()
        self.context.online.stop()
        self.context.marks.stop()

    # Connections -----------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """Make the protocol of a new connection; None closes it at once."""
        address = getattr(addr, "host", None) or "local"
        if not self._gate.lets_in(address):
            self.context.tally.goodbyes["not-let-in"] += 1
            return None
        connection = Connection(self, address)
        self._count += 1
        connection.session = Session(self.context, connection, f"{self._name}.{self._count:x}")
        return connection

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        tracing.opened(connection.session)
        refusal = self._gate.enter(connection)
        if refusal:
            self._turn_away(connection, refusal)
        self._make_room(self._gate.crowded_out())

    def _turn_away(self, connection: Connection, key: str) -> None:
        self.context.tally.goodbyes[key] += 1
        sentence = self.context.phrases(key)
        connection.send(encode(messages.ErrorMes(429, sentence, "", 10.0)))
        connection.close()

    def unfinished(self, more: int) -> None:
        """The incomplete frames of connections without a login take ``more`` bytes more; some may
        have to go."""
        self._make_room(self._gate.hold(more))

    def has_to_wait(self, session: Session) -> bool:
        """See ``Gate.has_to_wait``."""
        return self._gate.has_to_wait(session)

    def _make_room(self, strangers: list[Connection]) -> None:
        """Close connections without telling them why: writing to a crowd takes longer than its next
        attempt."""
        for stranger in strangers:
            self._told += 1
            if self._told <= TOLD_A_SECOND:
                self._turn_away(stranger, "too-many-strangers")
            else:
                self.context.tally.goodbyes["too-many-strangers"] += 1
                stranger.abort()

    def disconnected(self, connection: Connection) -> None:
        """A connection is gone."""
        self._gate.leave(connection)
        tracing.closed(connection.session)
        connection.session.connection_lost()

    # Now and then ----------------------------------------------------------------------------

    async def _tick(self) -> None:
        self._ticks += 1
        self._told = 0
        try:
            self._end_late_logins()
            if self._ticks % SWEEP_TICKS == 0:
                self._sweep()
            await self.context.fanout.tick()
            if self._ticks % SWEEP_TICKS == 0:
                _, total = await self.context.presence.online_ids(1)
                self.context.online.set_total(total)
        except StoreError as error:
            self._log.debug("the store is away: {why}", why=error)
        except Exception:
            self._log.failure("a tick failed")

    def _end_late_logins(self) -> None:
        """Close connections that had their time to log in."""
        for connection in self._gate.overdue(self.clock.seconds()):
            session = connection.session
            session.emit(messages.ErrorMes(401, session.phrase("login-late")))
            connection.close()

    def _sweep(self) -> None:
        """End what is silent or stuck."""
        settings, now = self.context.settings, self.clock.seconds()
        for connection in list(self.connections):
            if connection.closing:
                continue
            if connection.behind:
                if settings.stalled_seconds and connection.stalled() >= settings.stalled_seconds:
                    self.context.tally.goodbyes["stalled"] += 1
                    connection.abort()
                continue
            if connection.paused:  # It is this server that does not read.
                continue
            silent = now - connection.heard
            if (
                settings.silence_seconds
                and silent >= settings.silence_seconds
                and connection.session.dialect.is_current
            ):
                connection.session.bye(503, "silent", 1.0)  # who was asleep comes back

    # The end ---------------------------------------------------------------------------------

    def say_goodbye(self, spread: Any) -> None:
        """Tell everybody that the server goes down, and when to come back.

        :param spread: gives seconds, another number for each, so that not all come at once.
        """
        for connection in list(self.connections):
            connection.session.bye(503, "going-down", spread())
