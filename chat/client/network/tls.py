"""TLS to a server whose certificate is checked before anything is said to it."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from chat.client.errors import BadServer, Untrusted
from chat.client.network.trust import Trust

__all__ = ["TlsEndpoint"]

HANDSHAKE_SECONDS: Final = 30.0

REASONS: Final = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "the server made it itself",
    19: "the server made it itself",
    20: "nobody knows who vouches for it",
    21: "nobody knows who vouches for it",
}
"""OpenSSL's codes (x509_vfy.h) for what happens to real people, in words."""


@implementer(IStreamClientEndpoint)
class TlsEndpoint:
    """Connects by TLS 1.2 or later, to a name or an address, over IPv4 or IPv6.

    :param trust: which certificates to accept.
    :raises ValueError: there are no certificates in ``trust.ca``.
    """

    def __init__(self, reactor: Any, host: str, port: int, trust: Trust) -> None:
        self._reactor = reactor
        self._host = host
        self._trust = trust
        self._tcp = HostnameEndpoint(reactor, host, port)
        _context(trust.ca)  # mistakes in the file show now

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        """Fires with the protocol when the server has proved who it is; before that nothing is sent
        to it.

        Fails with Untrusted when it has not, with BadServer when what answers does not speak TLS.
        """
        proof = _Proof(self._reactor, self._host, self._trust, factory)
        tls = TLSMemoryBIOFactory(proof, True, Factory.forProtocol(lambda: proof))
        connecting: Deferred[Any] = self._tcp.connect(tls)
        return connecting.addCallback(lambda _: proof.given)


@implementer(IHandshakeListener, IOpenSSLClientConnectionCreator)
class _Proof(Protocol):
    """Stands in a connection until its certificate was judged, then gives its place to the real
    protocol.

    :ivar given: fires with the protocol that took its place.
    """

    def __init__(self, clock: Any, host: str, trust: Trust, factory: IProtocolFactory) -> None:
        self._clock = clock
        self._host = host
        self._trust = trust
        self._factory = factory
        self._errors: list[int] = []
        self._late: IDelayedCall | None = None
        self.given: Deferred[Any] | None = Deferred(lambda _: self._cancelled())

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """What Twisted asks for at the beginning of the connection."""
        context = _context(self._trust.ca)
        # Any certificate is accepted for the moment, so it can be shown; see handshakeCompleted.
        context.set_verify(SSL.VERIFY_PEER, self._looked_at)
        connection = SSL.Connection(context, None)
        if not _is_address(self._host):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection

    def _looked_at(self, _: Any, __: Any, error: int, depth: int, good: int) -> bool:
        if not good:
            self._errors.append(error)
        return True

    def connectionMade(self) -> None:
        self._late = self._clock.callLater(HANDSHAKE_SECONDS, self._give_up)

    def handshakeCompleted(self) -> None:
        """The keys are agreed on, nothing was said yet."""
        tls: Any = self.transport
        self._be_on_time()
        try:
            self._judge(tls.getHandle())
        except Untrusted:
            self._fail(Failure())
            tls.abortConnection()
            return
        given, self.given = self.given, None
        wire = self._factory.buildProtocol(tls.getPeer())
        if wire is None or given is None:
            tls.abortConnection()
            return
        tls.wrappedProtocol = wire
        wire.makeConnection(tls)
        given.callback(wire)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._be_on_time()
        if reason.check(SSL.Error):
            reason = Failure(BadServer(f"no TLS is spoken there ({_last_words(reason)})"))
        self._fail(reason)

    def _judge(self, connection: SSL.Connection) -> None:
        certificate: Any = connection.get_peer_certificate()
        shown = certificate.to_cryptography().fingerprint(SHA256()).hex(":").upper()
        why = self._doubt(connection)
        if why and shown != self._trust.fingerprint:
            raise Untrusted(shown, self._trust.fingerprint, why)

    def _doubt(self, connection: SSL.Connection) -> str:
        """Why nobody vouches for the server, "" when somebody does."""
        if self._errors:
            return REASONS.get(self._errors[0], f"OpenSSL's error {self._errors[0]}")
        try:
            if _is_address(self._host):
                verify_ip_address(connection, self._host)
            else:
                verify_hostname(connection, self._host)
        except (VerificationError, CertificateError):
            return f"it is not for {self._host}"
        return ""

    def _give_up(self) -> None:
        self._fail(Failure(BadServer("the TLS handshake took too long")))
        self._abort()

    def _cancelled(self) -> None:
        """Nobody waits any more: whoever gave it up says why, by CancelledError."""
        self.given = None
        self._abort()

    def _abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _fail(self, reason: Failure) -> None:
        given, self.given = self.given, None
        if given is not None:
            given.errback(reason)

    def _be_on_time(self) -> None:
        late, self._late = self._late, None
        if late is not None and late.active():
            late.cancel()


def _context(ca: Path | None) -> SSL.Context:
    """:raises ValueError: there are no certificates in ``ca``."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    if ca is None:
        context.set_default_verify_paths()
        return context
    try:
        context.load_verify_locations(str(ca))
    except SSL.Error:
        raise ValueError(f"there are no certificates to be read in {ca}") from None
    return context


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _last_words(reason: Failure) -> str:
    """The last part of OpenSSL's list of (library, function, reason)."""
    words = getattr(reason.value, "args", ())
    return str(words[0][-1][-1]) if words and words[0] else "it only hung up"
