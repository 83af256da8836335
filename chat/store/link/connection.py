"""What all connections to the store have in common, with corrections of txredisapi."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar, cast

import hiredis
import txredisapi
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chat.store.errors import StoreError, StoreUnavailable
from chat.store.link.address import Address
from chat.store.link.login import check_login, login_commands
from chat.store.link.reaching import endpoint

__all__ = ["Answer", "Owner", "RedisReplyError", "Word", "error_of", "fail_all", "pack"]

REFUSALS: Final = frozenset(
    {"OOM", "MISCONF", "READONLY", "LOADING", "NOREPLICAS", "BUSY", "MASTERDOWN", "CLUSTERDOWN"}
)
"""First words of the error replies that mean: not now, and nothing was written."""

Word = bytes | str | int
Answer = Deferred[Any]

pack = cast(Callable[[tuple[Word, ...]], bytes], hiredis.pack_command)
"""A command as the store reads it (hiredis' own annotation knows tuples of one only)."""


class RedisReplyError(StoreError):
    """The store has answered with an error that is not temporary.

    :ivar code: its first word, such as ``WRONGTYPE`` or ``ERR``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


def error_of(reply: txredisapi.ResponseError) -> StoreError:
    """What an error reply means: StoreUnavailable if it is temporary, else RedisReplyError."""
    error = RedisReplyError(str(reply))
    return StoreUnavailable(str(reply)) if error.code in REFUSALS else error


def fail_all(answers: Iterable[Answer], error: Callable[[], StoreError]) -> None:
    """Let all of them fail, each with an error of its own."""
    for answer in answers:
        answer.errback(error())


class _Factory(txredisapi.RedisFactory):
    """One connection, which is opened again for as long as its owner wants."""

    log = Logger()
    initialDelay = 0.05
    maxDelay = 2

    def __init__(self, owner: "Owner[Any]", address: Address) -> None:
        super().__init__(None, address.db, 1, charset=None, convertNumbers=False)
        self._owner = owner
        self.protocol = owner.make

    def stopTrying(self) -> Deferred[Any]:
        """Go on trying: txredisapi gives up for ever when AUTH or SELECT fails, or is
        interrupted."""
        return succeed(None)

    def addConnection(self, conn: txredisapi.BaseRedisProtocol) -> None:
        """Hand over a connection that is authenticated and has chosen its database."""
        super().addConnection(conn)
        if conn in self.pool:
            self._owner.ready(conn)

    def connectionError(self, why: str) -> None:
        """The store has refused the login; the next attempt follows."""
        self._owner.complain(why.partition(f"dbid={self.dbid}: ")[2] or why)


@implementer(IStreamClientEndpoint)
class _Telling:
    """Tells its owner of each failed attempt to connect; txredisapi only tries again."""

    def __init__(
        self, endpoint: IStreamClientEndpoint, failed: Callable[[Failure], Failure]
    ) -> None:
        self._endpoint = endpoint
        self._failed = failed

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        connected: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connected.addErrback(self._failed)


_Kind = TypeVar("_Kind", bound=txredisapi.BaseRedisProtocol)


class Owner(Generic[_Kind]):
    """Keeps one connection: opens it, knows whether it is usable, closes it.

    :ivar quiet: its failures are not logged, because a store that is being started is not there
        yet.
    :ivar silent: the last connection did not end, but nothing came over it any more.
    :ivar place: the host and port that the Sentinels named when it was made; None without
        Sentinels.
    """

    log = Logger()
    quiet = False

    def __init__(self, reactor: Any, address: Address) -> None:
        self.reactor = reactor
        self.address = address
        self._connection: _Kind | None = None
        self._latest: _Kind | None = None
        self._factory: _Factory | None = None
        self.problem = ""
        self.silent = False
        self.place: tuple[str, int] | None = None

    @property
    def connected(self) -> bool:
        """Whether the store answers on this connection."""
        return self._connection is not None

    def start(self) -> None:
        """Connect, and again after every loss, until ``stop``."""
        self._factory = _Factory(self, self.address)
        way = endpoint(self.reactor, self.address, self._leads_to)
        self._factory.startConnecting(_Telling(way, self._not_connected))

    async def stop(self) -> None:
        """Close the connection, and do not open it again."""
        factory, self._factory = self._factory, None
        if factory is not None:
            await factory.disconnect()

    def make(self, *arguments: Any, **options: Any) -> _Kind:
        """Make the protocol of a new connection, and remember it."""
        self._latest = self.build(*arguments, **options)
        return self._latest

    def build(self, *arguments: Any, **options: Any) -> _Kind:
        """Make the protocol of a new connection; the arguments are txredisapi's."""
        raise NotImplementedError

    def ready(self, connection: _Kind) -> None:
        """The connection can be used now."""
        self._connection = connection
        self.problem = ""
        if not self.quiet:
            self.log.info("Connected to the store at {address}", address=self.address)
        self.changed(True)

    def lost(self, connection: "_Kind", silent: bool) -> None:
        """The connection can't be used any more. May be called twice."""
        if connection is self._connection:
            self._connection = None
            self.silent = silent
            if self._factory is not None and not self.quiet:
                self.log.warn("Lost the store at {address}", address=self.address)
            self.changed(False)

    def _leads_to(self, place: tuple[str, int]) -> None:
        self.place = place

    def closed(self, connection: "_Kind", reason: Failure) -> None:
        """A connection has ended. Where TLS failed, only ``reason`` tells why."""
        if connection is not self._connection and not reason.check(
            ConnectionDone, ConnectionLost, ConnectionAborted
        ):
            self.complain(str(reason.value) or repr(reason.value))

    def _not_connected(self, failure: Failure) -> Failure:
        if self._factory is not None:
            self.complain(failure.getErrorMessage())
        return failure

    def complain(self, why: str) -> None:
        """Log why there is no connection, once for each reason, however often it is tried."""
        if why != self.problem and not self.quiet:
            self.problem = why
            self.log.warn("{address}: {why}", address=self.address, why=why)

    def changed(self, connected: bool) -> None:
        """Tell those who want to know."""
        raise NotImplementedError

    def guarded(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Call a function. An exception in it is logged, and does not drop the connection."""
        try:
            callback(*arguments)
        except Exception:
            self.log.failure("A callback of the store's connection failed")


def greet(protocol: txredisapi.BaseRedisProtocol, address: Address) -> Answer:
    """Log in; what txredisapi takes for SELECT, the last step of its handshake."""
    answers = [protocol.execute_command(*words) for words in login_commands(address)]
    return DeferredList(answers, consumeErrors=True).addCallback(
        lambda results: check_login(address, [_error_or_value(each) for _, each in results])
    )


def _error_or_value(result: Any) -> Any:
    return result.value if isinstance(result, Failure) else result
