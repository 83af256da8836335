"""Who is connected: accepts sockets, gives each a session, ends those that are silent or stuck."""

from collections import Counter
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chat import messages
from chat.codec import encode
from chat.server import tracing
from chat.server.addresses import counted_as
from chat.server.connection import Connection
from chat.server.context import Context
from chat.server.delivery.fanout import FanOut
from chat.server.delivery.registry import Registry
from chat.server.session import Session
from chat.store.interface import StoreError

__all__ = ["ChatFactory"]

TICK_SECONDS: Final = 1.0
TOLD_AT_ONCE: Final = 32
"""Connections above the limit that are told why they are closed, at one time."""

SWEEP_TICKS: Final = 5
"""Ticks between looks at every connection: at 20,000 of them a look takes some milliseconds."""


class ChatFactory(Factory):
    """Makes connections and knows them all.

    :ivar registry: the users online here, and the rooms they hear.
    """

    noisy = False
    _log = Logger()

    def __init__(self, context: Context) -> None:
        self.context = context
        self.clock = context.clock
        self.registry: Registry = context.registry
        self.fanout: FanOut = context.fanout
        self.connections: dict[Connection, None] = {}
        self._per_address: Counter[str] = Counter()
        self._count = 0
        self._ticks = 0
        self._new: dict[Connection, None] = {}
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
        """Make the protocol of a new connection; one too many is told so and closed.

        Being told takes a moment, in which the connection counts: a crowd of them is not told.
        """
        most = self.context.settings.connections
        if most and len(self.connections) >= most + TOLD_AT_ONCE:
            return None
        address = getattr(addr, "host", None) or "local"
        connection = Connection(self, address)
        self._count += 1
        connection.session = Session(self.context, connection, f"{self._count:x}")
        connection.factory = self
        return connection

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        settings = self.context.settings
        address = counted_as(connection.address)
        self._per_address[address] += 1
        self.connections[connection] = None
        self._new[connection] = None
        tracing.opened(connection.session)
        if settings.connections and len(self.connections) > settings.connections:
            self._turn_away(connection, "too-many-connections")
        elif (
            settings.connections_per_address
            and self._per_address[address] > settings.connections_per_address
        ):
            self._turn_away(connection, "too-many-from-address")

    def _turn_away(self, connection: Connection, key: str) -> None:
        self.context.tally.goodbyes[key] += 1
        sentence = self.context.phrases(key)
        connection.send(encode(messages.ErrorMes(429, sentence, "", 10.0)))
        connection.close()

    def disconnected(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.pop(connection, None)
        self._new.pop(connection, None)
        address = counted_as(connection.address)
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]
        tracing.closed(connection.session)
        connection.session.connection_lost()

    # Now and then ----------------------------------------------------------------------------

    async def _tick(self) -> None:
        self._ticks += 1
        self._end_late_logins()
        if self._ticks % SWEEP_TICKS == 0:
            self._sweep()
        try:
            await self.fanout.tick()
            if self._ticks % SWEEP_TICKS == 0 and self.connections:
                _, total = await self.context.presence.online_ids(1)
                self.context.online.set_total(total)
        except StoreError as error:
            self._log.debug("the store is away: {why}", why=error)
        except Exception:
            self._log.failure("a tick failed")

    def _end_late_logins(self) -> None:
        """Close connections that had their time to log in; the oldest stand first."""
        allowed = self.context.settings.login_seconds
        now = self.clock.seconds()
        for connection in list(self._new):
            if connection.session.user is not None or connection.closing:
                del self._new[connection]
            elif allowed and now - connection.connected_at >= allowed:
                del self._new[connection]
                self.context.tally.goodbyes["login-late"] += 1
                connection.session.emit(messages.ErrorMes(401, self.context.phrases("login-late")))
                connection.close()
            else:
                break

    def _sweep(self) -> None:
        """End what is silent or stuck."""
        settings, now = self.context.settings, self.clock.seconds()
        for connection in list(self.connections):
            if connection.closing:
                continue
            stalled = connection.stalled_since
            if stalled is not None:
                if settings.stalled_seconds and now - stalled >= settings.stalled_seconds:
                    self.context.tally.goodbyes["stalled"] += 1
                    connection.abort()
                continue
            silent = now - connection.heard
            if (
                settings.silence_seconds
                and silent >= settings.silence_seconds
                and connection.session.voice.is_current
            ):
                connection.session.bye(403, "silent", 1.0)

    # The end ---------------------------------------------------------------------------------

    def say_goodbye(self, spread: Any) -> None:
        """Tell everybody that the server goes down, and when to come back.

        :param spread: gives seconds, another number for each, so that not all come at once.
        """
        for connection in list(self.connections):
            connection.session.bye(503, "going-down", spread())
