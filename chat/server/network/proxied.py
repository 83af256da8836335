"""The PROXY protocol, versions 1 and 2: a trusted balancer says whose connection this is."""

import struct
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chat.server.guard.addresses import Networks

__all__ = ["BadHeader", "ProxiedFactory", "parse_header"]

HEADER_SECONDS: Final = 5.0
"""A balancer sends its header with the first packet."""

V1_START: Final = b"PROXY "
V1_LIMIT: Final = 107
"""Bytes of a line, its end included (the protocol's specification, section 2.1)."""

V2_START: Final = b"\r\n\r\n\0\r\nQUIT\n"
V2_LIMIT: Final = 4_096
"""Bytes behind the head; what is beyond the addresses (TLVs) is skipped."""

_V2_HEAD = struct.Struct(">12sBBH")
_TCP4 = struct.Struct(">4s4sHH")
_TCP6 = struct.Struct(">16s16sHH")


class BadHeader(ValueError):
    """These bytes begin no header of the PROXY protocol."""


Told = IPv4Address | IPv6Address | None


def parse_header(data: bytes) -> tuple[Told, int] | None:
    """Who connected to the balancer, and how many bytes said so; None while more have to come.

    The address is None where the balancer speaks for itself (LOCAL, as its health checks do) or
    does not know (UNKNOWN).

    :raises BadHeader: it can't become a header any more.
    """
    if data.startswith(V2_START[: len(data)]):
        return _version_2(data)
    if data.startswith(V1_START[: len(data)]):
        return _version_1(data)
    raise BadHeader


def _version_1(data: bytes) -> tuple[Told, int] | None:
    end = data.find(b"\r\n", 0, V1_LIMIT)
    if end < 0:
        if len(data) >= V1_LIMIT:
            raise BadHeader
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return None, end + 2
    try:
        _, family, source, _, port, _ = (word.decode("ascii") for word in words)
        return _told(family, source, int(port)), end + 2
    except ValueError:
        raise BadHeader from None


def _told(family: str, host: str, port: int) -> Told:
    """:raises ValueError: it is no such address."""
    version = {"TCP4": 4, "TCP6": 6}.get(family)
    if ip_address(host).version != version or not 0 <= port <= 65_535:
        raise ValueError
    kind = IPv4Address if version == 4 else IPv6Address
    return kind("TCP", host, port)


def _version_2(data: bytes) -> tuple[Told, int] | None:
    if len(data) < _V2_HEAD.size:
        return None
    _, command, family, size = _V2_HEAD.unpack_from(data)
    if command not in (0x20, 0x21) or size > V2_LIMIT:
        raise BadHeader
    end = _V2_HEAD.size + size
    if len(data) < end:
        return None
    layout = {0x11: _TCP4, 0x21: _TCP6}.get(family)
    if command == 0x20 or layout is None:
        return None, end
    if size < layout.size:
        raise BadHeader
    source, _, port, _ = layout.unpack_from(data, _V2_HEAD.size)
    name = "TCP4" if layout is _TCP4 else "TCP6"
    return _told(name, str(ip_address(source)), port), end


@implementer(IProtocolFactory, ILoggingContext)
class ProxiedFactory:
    """Stands before a factory, and tells it where clients of trusted balancers really are.

    Everybody else is served as ever: whoever sends a header without being trusted has sent
    something that is no frame.

    :param trusted: where balancers are. Whoever is there has to send a header.
    """

    def __init__(self, clock: IReactorTime, inner: IProtocolFactory, trusted: Networks) -> None:
        self.clock = clock
        self.inner = inner
        self._trusted = trusted

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        if getattr(addr, "host", "") in self._trusted:
            return _Header(self, addr)
        return self.inner.buildProtocol(addr)

    def logPrefix(self) -> str:
        """What Twisted calls it in the log."""
        return "chatroom"

    def doStart(self) -> None:
        """A port begins to listen."""

    def doStop(self) -> None:
        """A port has stopped."""


class _Header(Protocol):
    """Reads the header, and lets the real protocol take its place in the transport.

    So the transport stays the one that the port made, with all that it can do (``FrameServer``).
    """

    log = Logger()

    def __init__(self, factory: ProxiedFactory, balancer: IAddress) -> None:
        self._proxied = factory
        self._balancer = balancer
        self._data = b""
        self._late: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._late = self._proxied.clock.callLater(HEADER_SECONDS, self._give_up)

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        self._data += data
        try:
            found = parse_header(self._data)
        except BadHeader:
            self.log.warn("no PROXY header from {balancer}", balancer=self._balancer)
            transport.abortConnection()
            return
        if found is None:
            return
        told, size = found
        self._be_on_time()
        inner = self._proxied.inner.buildProtocol(told or self._balancer)
        if inner is None:
            transport.loseConnection()
            return
        transport.protocol = inner
        inner.makeConnection(transport)
        if len(self._data) > size:
            inner.dataReceived(self._data[size:])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._be_on_time()

    def _give_up(self) -> None:
        self._late = None
        transport: Any = self.transport
        transport.abortConnection()

    def _be_on_time(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()
