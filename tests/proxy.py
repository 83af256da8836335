"""A proxy before a store's socket, which can cut connections and hold answers back."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, cast
from unittest import TestCase

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["Proxy"]


class _Behind(Protocol):
    """The side towards the store."""

    def __init__(self, front: "_Front") -> None:
        self.front = front

    def dataReceived(self, data: bytes) -> None:
        if not self.front.proxy.holding:
            cast(ITCPTransport, self.front.transport).write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.front in self.front.proxy.connections:
            self.front.cut()


class _Front(Protocol):
    """The side towards the client."""

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.behind: _Behind | None = None
        self.early = b""

    def connectionMade(self) -> None:
        self.proxy.connections.add(self)
        self.proxy.accepted += 1
        if self.proxy.refusals:
            self.proxy.refusals -= 1
            self.cut()
            return
        endpoint = UNIXClientEndpoint(reactor, self.proxy.target)
        connected = connectProtocol(endpoint, _Behind(self))
        connected.addCallbacks(self._opened, lambda _: self.cut())

    def _opened(self, behind: _Behind) -> None:
        self.behind = behind
        cast(ITCPTransport, behind.transport).write(self.early)

    def dataReceived(self, data: bytes) -> None:
        if self.behind is None:
            self.early += data
        else:
            cast(ITCPTransport, self.behind.transport).write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.proxy.connections.discard(self)
        if self.behind is not None:
            cast(ITCPTransport, self.behind.transport).loseConnection()

    def cut(self) -> None:
        cast(ITCPTransport, self.transport).abortConnection()


class Proxy(Factory):
    """Passes everything on, until told otherwise.

    :ivar holding: answers are thrown away; requests still reach the store.
    :ivar refusals: so many new connections are closed at once.
    :ivar accepted: how many connections came so far.
    """

    noisy = False

    def __init__(self, target: str) -> None:
        self.target = target
        self.directory = tempfile.mkdtemp(prefix="px", dir="/tmp")
        self.path = str(Path(self.directory) / "s")
        self.connections: set[_Front] = set()
        self.holding = False
        self.refusals = 0
        self.accepted = 0

    @classmethod
    async def start_for(cls, test: TestCase, target: str) -> "Proxy":
        """Listen before the store at ``target``, a Unix socket, until ``test`` ends."""
        proxy = cls(target)
        test.addCleanup(shutil.rmtree, proxy.directory, ignore_errors=True)
        port: Any = await UNIXServerEndpoint(reactor, proxy.path).listen(proxy)
        test.addCleanup(port.stopListening)
        test.addCleanup(proxy.cut)
        return proxy

    @property
    def url(self) -> str:
        """What a client of the proxy connects to."""
        return f"redis+unix://{self.path}"

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Front(self)

    def inject(self, data: bytes) -> None:
        """Answer every client something that the store did not say."""
        for connection in self.connections:
            cast(ITCPTransport, connection.transport).write(data)

    def cut(self) -> None:
        """Abort every connection."""
        for connection in tuple(self.connections):
            connection.cut()
