# The part of txredisapi 1.6 that chat.store.link.redis uses; the package itself has no annotations.
from collections.abc import Callable
from typing import Any

import hiredis
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

class RedisError(Exception): ...
class ConnectionError(RedisError): ...
class ResponseError(RedisError): ...
class InvalidData(RedisError): ...

class BaseRedisProtocol(Protocol):
    factory: RedisFactory  # type: ignore[assignment]  # Twisted declares an optional one
    transport: ITCPTransport  # type: ignore[assignment]  # Twisted declares an optional one
    def connectionMade(self) -> Deferred[None]: ...  # type: ignore[override]  # a generator
    def connectionLost(self, reason: Failure = ...) -> None: ...
    def dataReceived(self, data: bytes, unpause: bool = ...) -> None: ...
    def execute_command(self, *args: Any, **kwargs: Any) -> Deferred[Any]: ...
    def select(self, index: int) -> Deferred[Any]: ...

class HiredisProtocol(BaseRedisProtocol):
    _reader: hiredis.Reader

RedisProtocol = HiredisProtocol

class SubscriberProtocol(HiredisProtocol): ...

class RedisFactory(Factory):
    initialDelay: float
    maxDelay: float
    dbid: int | None
    pool: list[BaseRedisProtocol]
    protocol: Callable[..., BaseRedisProtocol]  # type: ignore[assignment]  # Twisted's is optional
    def __init__(
        self,
        uuid: str | None,
        dbid: int | None,
        poolsize: int,
        isLazy: bool = ...,
        handler: Callable[[RedisFactory], Any] = ...,
        charset: str | None = ...,
        password: str | None = ...,
        replyTimeout: float | None = ...,
        convertNumbers: bool = ...,
        username: str | None = ...,
    ) -> None: ...
    def startConnecting(self, endpoint: IStreamClientEndpoint) -> None: ...
    def stopTrying(self) -> Deferred[Any]: ...
    def disconnect(self) -> Deferred[Any]: ...
    def buildProtocol(self, addr: IAddress | None) -> BaseRedisProtocol: ...
    def addConnection(self, conn: BaseRedisProtocol) -> None: ...
    def connectionError(self, why: str) -> None: ...
