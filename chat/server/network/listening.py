"""Where the server listens: bound first, so that a port in use fails before anything starts."""

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    ILoggingContext,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from chat.server.guard.addresses import Networks
from chat.server.kinds import PLAIN
from chat.server.network.proxied import ProxiedFactory
from chat.server.network.transport import tune
from chat.store.errors import CannotStart

__all__ = ["Listeners", "listen", "written"]

BACKLOG: Final = 4_096
"""Connections that wait to be accepted; with Twisted's 50 a storm of clients loses its first
packets and waits seconds to send them again. The kernel cuts it at ``net.core.somaxconn``."""

ACCEPTED_AT_ONCE: Final = 8
"""Connections taken in one turn of the reactor. Twisted takes a hundred, and more each time when
more wait: when 3,000 came at once, others' messages took half a second, and a tenth with this."""


class Listeners:
    """The ports of a server: ``bind`` reserves them, ``open`` lets clients in.

    :param transport: what a connection accepted over TCP is made of, None for Twisted's own.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, endpoints: Sequence[str], transport: type[tcp.Server] | None = None
    ) -> None:
        self._reactor = reactor
        self._endpoints = endpoints
        self._transport = transport
        self._doors: list[_Door] = []
        self._ports: list[IListeningPort] = []
        self._copies: list[socket.socket] = []

    def bind(self) -> None:
        """Bind every address. Until ``open``, clients that connect wait in the kernel's queue.

        :raises CannotStart: one of the addresses can't be bound; then none is.
        """
        for endpoint in self._endpoints:
            door = _Door()
            try:
                bound = listen(self._reactor, endpoint, door)
            except CannotStart:
                Deferred.fromCoroutine(self.close())
                raise
            self._ports.append(bound)
            self._doors.append(door)
            if isinstance(bound, FileDescriptor):
                bound.stopReading()
            if isinstance(bound, tcp.Port) and "backlog=" not in endpoint:
                bound.socket.listen(BACKLOG)
            if isinstance(bound, tcp.Port):
                _accept_few(bound)
            if self._transport is not None and type(bound) is tcp.Port:
                bound.transport = self._transport
                tune(bound.socket)

    def open(
        self,
        factory: IProtocolFactory,
        tls: IOpenSSLServerConnectionCreator | None = None,
        trusted: Networks | None = None,
    ) -> None:
        """Let clients in, and log where.

        :param factory: makes the protocols of their connections.
        :param tls: what TLS is spoken with, on all ports that others can reach and that were not
            asked for as plain ones; None when endpoints are used just as they were written.
        :param trusted: the networks of load balancers, which say first of all whose connection it
            is. This does not work on an endpoint that brings its own TLS, which would read those
            bytes.
        """
        inside = None if tls is None else _TlsFactory(tls, False, factory)
        for endpoint, port, door in zip(self._endpoints, self._ports, self._doors, strict=True):
            door.inner = inside if inside and _is_to_encrypt(endpoint, port) else factory
            if trusted is not None and not _encrypts(port):
                door.inner = ProxiedFactory(self._reactor, door.inner, trusted)
            if isinstance(port, FileDescriptor):
                port.startReading()
        self.announce(inside is not None)

    def announce(self, tls: bool) -> None:
        """Log where clients are let in.

        :param tls: TLS is spoken where the endpoint leaves that to us.
        """
        for endpoint, port in zip(self._endpoints, self._ports, strict=True):
            encrypts = _encrypts(port) or (tls and _is_to_encrypt(endpoint, port))
            self._tell(endpoint, port.getHost(), encrypts)

    def _tell(self, endpoint: str, address: IAddress, encrypts: bool) -> None:
        self.log.info(
            "Listening on {address}{tls}{hint}",
            address=written(address),
            tls=" with TLS" if encrypts else "",
            hint=_hint(endpoint, address),
        )
        if not encrypts and _reachable(address):
            self.log.warn(
                "NOT ENCRYPTED: on {address} everybody on the way can read passwords and messages; "
                "give --tls-cert FILE and --tls-key FILE, or --self-signed",
                address=written(address),
            )

    async def close(self) -> None:
        """Listen no more."""
        ports, self._ports = self._ports, []
        for copy in self._copies:
            copy.close()
        await DeferredList([maybeDeferred(port.stopListening) for port in ports])

    def share(self, count: int) -> list[list[socket.socket]]:
        """The sockets that each of ``count`` processes inherits, in the order of the endpoints.

        On Linux each process gets a socket of its own for a TCP port, and the kernel spreads the
        clients evenly. Elsewhere, and on Unix sockets, all accept from the same one, and the
        quickest gets the client: of 400 clients that came at once, four processes got 211, 148, 23
        and 18.

        :raises CannotStart: an endpoint has no socket that could be shared.
        """
        shares: list[list[socket.socket]] = [[] for _ in range(count)]
        for endpoint, port in zip(self._endpoints, self._ports, strict=True):
            if not isinstance(port, tcp.Port):
                raise CannotStart(f"cannot share with workers what listens on {endpoint}")
            port._shouldShutdown = False  # Closing it here must not close it for those who inherit.
            for number, share in enumerate(shares):
                share.append(self._another(port.socket) if number else port.socket)
        return shares

    def _another(self, bound: socket.socket) -> socket.socket:
        """A second socket on the same port where the system spreads clients fairly, else the same
        socket.

        A server that is started later does not ask for sharing when it binds, and is refused.
        """
        if sys.platform != "linux" or bound.family == socket.AF_UNIX:
            return bound
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other = socket.socket(bound.family)
        self._copies.append(other)
        other.setblocking(False)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(bound.getsockname())
        other.listen(BACKLOG)
        return other

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens, port numbers that the system picked included."""
        return [port.getHost() for port in self._ports]


class _TlsFactory(TLSMemoryBIOFactory):
    """Twisted's TLS factory, which can also turn a client away before the handshake.

    It encrypts at once. Twisted's usual protocol gathers writes until the reactor's next turn, but
    our connections have done that already, and it took a third of the time of each write.
    """

    protocol = TLSMemoryBIOProtocol

    def buildProtocol(self, addr: IAddress | None) -> Any:
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


@implementer(IProtocolFactory, ILoggingContext)
class _Door:
    """Stands in for the real factory, which is made only when the store is there."""

    inner: IProtocolFactory | None = None

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        return None if self.inner is None else self.inner.buildProtocol(addr)

    def logPrefix(self) -> str:
        """What Twisted calls it in the log."""
        return "chatroom"

    def doStart(self) -> None:
        """A port begins to listen."""

    def doStop(self) -> None:
        """A port has stopped."""


def _accept_few(port: tcp.Port) -> None:
    """Accept ``ACCEPTED_AT_ONCE`` connections in a turn of the reactor, however many wait."""

    def take() -> None:
        port.numberAccepts = ACCEPTED_AT_ONCE
        tcp.Port.doRead(port)

    port.doRead = take  # type: ignore[method-assign]


def _encrypts(port: IListeningPort) -> bool:
    """Whether the endpoint itself speaks TLS."""
    return isinstance(getattr(port, "factory", None), TLSMemoryBIOFactory)


def _is_to_encrypt(endpoint: str, port: IListeningPort) -> bool:
    """Whether it is our task to speak TLS on this endpoint."""
    return not _encrypts(port) and not endpoint.startswith((PLAIN, "unix:"))


def listen(reactor: Any, endpoint: str, factory: IProtocolFactory) -> IListeningPort:
    """Listen now.

    :raises CannotStart: the address can't be bound.
    """
    place = serverFromString(reactor, endpoint.removeprefix(PLAIN))
    bound = _result(place.listen(factory))
    if isinstance(bound, Failure) and _left_behind(bound):
        bound = _result(place.listen(factory))
    if isinstance(bound, Failure):
        raise CannotStart(f"cannot listen: {_reason(bound)} ({endpoint})")
    port: IListeningPort = bound
    return port


def _result(listening: Deferred[IListeningPort]) -> Any:
    """The result of an endpoint's ``listen``, which all of Twisted's know at once."""
    results: list[Any] = [Failure(CannotStart("this kind of endpoint takes its time"))]
    listening.addBoth(results.append)
    return results[-1]


def _left_behind(failure: Failure) -> bool:
    """Remove what a killed server has left of a Unix socket.

    Twisted's lock beside the socket names a process. In a container the next process may have the
    same number, and a zombie counts as alive. So a server counts as running only if it answers.

    :returns: whether something was removed, so that binding is worth another try.
    """
    path = _locked(failure)
    if not path or _is_answered(path):
        return False
    if Path(path).is_socket():
        Path(path).unlink(missing_ok=True)
    Path(path + ".lock").unlink(missing_ok=True)
    return True


def _locked(failure: Failure) -> str:
    """The path of the Unix socket that is locked by another process; empty when that is not the
    reason."""
    error: Any = failure.value
    is_locked = isinstance(error, CannotListenError) and isinstance(error.socketError, str)
    return os.fsdecode(error.port) if is_locked else ""


def _is_answered(path: str) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # Too many connections wait there already, or we may not connect.
            return True
    return True


def _reason(failure: Failure) -> str:
    error: object = failure.value
    if _locked(failure):
        return os.strerror(errno.EADDRINUSE)
    if isinstance(error, CannotListenError):
        error = error.socketError
    return (isinstance(error, OSError) and error.strerror) or str(error)


def written(address: IAddress) -> str:
    """An address as people write it."""
    match address:
        case IPv4Address(host=host, port=port):
            return f"{host}:{port}"
        case IPv6Address(host=host, port=port):
            return f"[{host}]:{port}"
        case UNIXAddress(name=bytes() as name):
            return name.decode(errors="replace")
    return str(address)


def _hint(endpoint: str, address: IAddress) -> str:
    """How to open to others an address that only this machine can reach."""
    if _reachable(address) or not isinstance(address, IPv4Address | IPv6Address):
        return ""
    kind = endpoint.removeprefix(PLAIN).partition(":")[0]
    return f", for this machine only; --listen {kind}:{address.port} opens it to others"


def _reachable(address: IAddress) -> bool:
    """Whether other machines can connect to an address."""
    if not isinstance(address, IPv4Address | IPv6Address):
        return False
    return not ipaddress.ip_address(address.host.partition("%")[0]).is_loopback
