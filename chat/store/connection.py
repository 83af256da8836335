"""What all connections to the store have in common, and what txredisapi gets wrong, mended."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar, cast

import hiredis
import txredisapi
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.store.address import Address
from chat.store.interface import StoreError, StoreUnavailable

__all__ = ["Answer", "Owner", "RedisReplyError", "Word", "error_of", "fail_all", "pack"]

FULL: Final = frozenset({"MISCONF", "OOM", "READONLY"})
"""First words of the error replies of a store that can't be written to, and can be read."""

REFUSALS: Final = frozenset(
    {"OOM", "MISCONF", "READONLY", "LOADING", "NOREPLICAS", "BUSY", "MASTERDOWN", "CLUSTERDOWN"}
)
"""First words of the error replies that mean: not now, and nothing was written."""

Word = bytes | str | int
Answer = Deferred[Any]

pack = cast(Callable[[tuple[Word, ...]], bytes], hiredis.pack_command)
"""A command as the store reads it (hiredis' own annotation knows tuples of one only)."""


class RedisReplyError(StoreError):
    """The store answered with an error that is no refusal for the moment.

    :ivar code: its first word, such as ``WRONGTYPE`` or ``ERR``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


def error_of(reply: txredisapi.ResponseError) -> StoreError:
    error = RedisReplyError(str(reply))
    return StoreUnavailable(str(reply)) if error.code in REFUSALS else error


def fail_all(answers: Iterable[Answer], error: Callable[[], StoreError]) -> None:
    for answer in answers:
        answer.errback(error())


class _Factory(txredisapi.RedisFactory):
    """One connection which is opened again for as long as its owner wants."""

    log = Logger()
    initialDelay = 0.05
    maxDelay = 2

    def __init__(self, owner: "Owner[Any]", address: Address) -> None:
        super().__init__(
            None, address.db, 1, charset=None, convertNumbers=False,
            username=address.username, password=address.password,
        )  # fmt: skip
        self._owner = owner
        self._address = address
        self._complaint = ""
        self.protocol = owner.build

    def stopTrying(self) -> Deferred[Any]:
        """Go on: txredisapi gives up for ever when AUTH or SELECT fails, or is cut short."""
        return succeed(None)

    def addConnection(self, conn: txredisapi.BaseRedisProtocol) -> None:
        """Hand over a connection that is authenticated and has chosen its database."""
        super().addConnection(conn)
        if conn in self.pool:
            self._complaint = ""
            self._owner.ready(conn)

    def connectionError(self, why: str) -> None:
        """Say once why the store would not have us; the next attempt follows."""
        if why != self._complaint:
            self._complaint = why
            self.log.warn("{address}: {why}", address=self._address, why=why)


_Kind = TypeVar("_Kind", bound=txredisapi.BaseRedisProtocol)


class Owner(Generic[_Kind]):
    """Keeps one connection: starts it, knows whether it is usable, stops it."""

    log = Logger()

    def __init__(self, reactor: Any, address: Address) -> None:
        self.reactor = reactor
        self.address = address
        self._connection: _Kind | None = None
        self._factory: _Factory | None = None

    @property
    def connected(self) -> bool:
        """Whether the store answers on this connection."""
        return self._connection is not None

    def start(self) -> None:
        """Connect, and again after every loss, until ``stop``."""
        self._factory = _Factory(self, self.address)
        self._factory.startConnecting(self.address.endpoint(self.reactor))

    async def stop(self) -> None:
        """Close the connection and stay away."""
        factory, self._factory = self._factory, None
        if factory is not None:
            await factory.disconnect()

    def build(self, *arguments: Any, **options: Any) -> _Kind:
        """Make the protocol of a new connection; the arguments are txredisapi's."""
        raise NotImplementedError

    def ready(self, connection: _Kind) -> None:
        """The connection can be used."""
        self._connection = connection
        self.log.info("Connected to the store at {address}", address=self.address)
        self.changed(True)

    def lost(self, connection: "_Kind") -> None:
        """The connection can't be used any more; may be told twice."""
        if connection is self._connection:
            self._connection = None
            if self._factory is not None:
                self.log.warn("Lost the store at {address}", address=self.address)
            self.changed(False)

    def changed(self, connected: bool) -> None:
        """Tell whoever wants to know."""
        raise NotImplementedError

    def guarded(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call; what goes wrong in there is logged and no reason to drop the connection."""
        try:
            callback(*arguments)
        except Exception:
            self.log.failure("A callback of the store's connection failed")


def select_and_ping(protocol: txredisapi.BaseRedisProtocol, index: int) -> Answer:
    """SELECT, the last step of txredisapi's handshake, and one more: a store that is still
    reading its file takes SELECT and refuses PING."""
    selected = protocol.execute_command(b"SELECT", index)
    selected.addCallback(lambda _: protocol.execute_command(b"PING"))
    return selected.addErrback(_unless_it_reads)


def _unless_it_reads(why: Failure) -> Failure | None:
    """A store that refuses PING because its disk or its memory is full can still be read."""
    said = why.getErrorMessage().partition(" ")[0]
    return None if said in FULL else why
