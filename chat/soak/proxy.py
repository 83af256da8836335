"""A proxy between server and store that can cut, swallow and clog, for each sort of connection."""

from typing import Any, Literal, cast

from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["Proxy", "Sort"]

Sort = Literal["commands", "bus", "posts"]
Trouble = Literal["", "cut", "hole", "clog"]


def _sort(said: bytes) -> Sort | None:
    """What sort of connection it is, as far as these bytes tell."""
    if b"HELLO\r\n" in said[:64]:
        return "bus"
    return "posts" if b"\r\nWAIT\r\n" in said else None


class _Store(Protocol):
    """The side towards the store."""

    def __init__(self, front: "_Front") -> None:
        self.front = front

    def dataReceived(self, data: bytes) -> None:
        if self.front.trouble != "hole":
            cast(ITCPTransport, self.front.transport).write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        cast(ITCPTransport, self.front.transport).abortConnection()


class _Front(Protocol):
    """The side towards the server.

    A connection is the bus as soon as it asks for RESP3, and the one for posts (``--durability
    replicated``) as soon as it waits for a replica.
    """

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.behind: _Store | None = None
        self.early = b""
        self.sort: Sort = "commands"
        self.stuck: Trouble = ""

    @property
    def trouble(self) -> Trouble:
        return self.stuck or self.proxy.troubles[self.sort]

    def connectionMade(self) -> None:
        self.proxy.connections.add(self)
        endpoint = UNIXClientEndpoint(self.proxy.reactor, self.proxy.target)
        connected = connectProtocol(endpoint, _Store(self))
        connected.addCallbacks(self._opened, lambda _: self.cut())

    def _opened(self, behind: _Store) -> None:
        self.behind = behind
        cast(ITCPTransport, behind.transport).write(self.early)

    def dataReceived(self, data: bytes) -> None:
        if self.sort == "commands" and (sort := _sort(data)):
            self.sort = sort
            self.heed()
        if self.trouble == "hole":
            return
        if self.trouble == "cut":
            self.cut()
        elif self.behind is None:
            self.early += data
        else:
            cast(ITCPTransport, self.behind.transport).write(data)

    def heed(self) -> None:
        """Do what the trouble of this sort asks for."""
        behind: Any = self.behind.transport if self.behind is not None else None
        if self.trouble == "cut":
            self.cut()
        elif behind is not None and self.trouble == "clog":
            behind.pauseProducing()
        elif behind is not None and not behind.disconnecting:
            behind.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.proxy.connections.discard(self)
        if self.behind is not None:
            cast(ITCPTransport, self.behind.transport).abortConnection()

    def cut(self) -> None:
        cast(ITCPTransport, self.transport).abortConnection()


class Proxy(Factory):
    """Listens for one server in front of the store's socket.

    :ivar troubles: what is wrong with each sort of connection: ``cut`` closes them, new ones as
        well; ``hole`` swallows every byte in both directions; ``clog`` reads nothing from the
        store.
    """

    noisy = False

    def __init__(self, reactor: Any, path: str, target: str) -> None:
        self.reactor = reactor
        self.path = path
        self.target = target
        self.connections: set[_Front] = set()
        self.troubles: dict[Sort, Trouble] = {"commands": "", "bus": "", "posts": ""}
        self._port: Any = None

    async def start(self) -> None:
        """Listen."""
        self._port = await UNIXServerEndpoint(self.reactor, self.path).listen(self)

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        for front in tuple(self.connections):
            front.cut()
        if self._port is not None:
            await self._port.stopListening()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Front(self)

    def set(self, sort: Sort, trouble: Trouble) -> None:
        """Begin a disturbance, or end it with an empty one. A connection that was in a hole has
        lost bytes, and is cut when the hole ends."""
        before, self.troubles[sort] = self.troubles[sort], trouble
        for front in tuple(self.connections):
            if front.sort == sort:
                if before == "hole" and not trouble:
                    front.cut()
                else:
                    front.heed()

    def leave(self, sort: Sort) -> None:
        """End a disturbance for new connections only."""
        for front in self.connections:
            if front.sort == sort:
                front.stuck = self.troubles[sort]
        self.troubles[sort] = ""
