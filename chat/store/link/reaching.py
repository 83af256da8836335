"""How to reach the store now: plain or TLS, at a fixed place or where Sentinels say."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from chat.store.errors import CannotStart
from chat.store.link.address import TLS, Address
from chat.store.link.sentinel import MasterWatch, Place, Sentinels

__all__ = ["endpoint", "master_watch"]

CONNECT_SECONDS: Final = 5
"""A store on one's own network that takes longer than this is away (Twisted's default is 30)."""

PEM_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)


def endpoint(
    reactor: Any, address: Address, leads_to: Callable[[Place], None]
) -> IStreamClientEndpoint:
    """An endpoint for the store at ``address``: each ``connect`` goes to where the store is then.

    :param leads_to: told the host and port whenever Sentinels were asked.
    :raises CannotStart: a file that its TLS part names can't be read, or used.
    """
    if address.path:
        return UNIXClientEndpoint(reactor, address.path, timeout=CONNECT_SECONDS)
    if address.tls is not None:
        _check(address.tls)
    if not address.sentinels:
        return _towards(reactor, address.tls, address.host, address.port)
    towards = partial(_towards, reactor, address.tls)
    return _ByWayOfSentinels(_sentinels(reactor, address), towards, leads_to)


def _check(tls: TLS) -> None:
    """Read the files now, so that mistakes show at the start."""
    try:
        tls_options(tls, "host")
    except (OSError, ValueError) as error:
        raise CannotStart(f"--store: {error}") from None


def master_watch(reactor: Any, address: Address, moved: Callable[[Place], None]) -> MasterWatch:
    """What calls ``moved`` when the store is somewhere else; without Sentinels it never does."""
    return MasterWatch(reactor, _sentinels(reactor, address), moved)


def _sentinels(reactor: Any, address: Address) -> Sentinels:
    return Sentinels(
        reactor,
        [_towards(reactor, address.tls, host, port) for host, port in address.sentinels],
        address.master,
        address.sentinel_user,
        address.sentinel_password,
    )


def _towards(reactor: Any, tls: TLS | None, host: str, port: int) -> IStreamClientEndpoint:
    plain = HostnameEndpoint(reactor, host, port, timeout=CONNECT_SECONDS)
    return plain if tls is None else _Secured(plain, tls, host)


@implementer(IStreamClientEndpoint)
class _Secured:
    """Connects with TLS. The files are read each time, since certificates are renewed in place."""

    def __init__(self, plain: IStreamClientEndpoint, tls: TLS, host: str) -> None:
        self._plain = plain
        self._tls = tls
        self._host = host

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        secured = wrapClientTLS(tls_options(self._tls, self._host), self._plain)
        connected: IProtocol = await secured.connect(factory)
        return connected


@implementer(IStreamClientEndpoint)
class _ByWayOfSentinels:
    """Asks where the store is, each time, and connects to it there."""

    def __init__(
        self, sentinels: Sentinels, towards: Any, leads_to: Callable[[Place], None]
    ) -> None:
        self._sentinels = sentinels
        self._towards = towards
        self._leads_to = leads_to

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        master = await self._sentinels.find()
        self._leads_to(master)
        connected: IProtocol = await self._towards(*master).connect(factory)
        return connected


def tls_options(tls: TLS, host: str) -> Any:
    """What Twisted needs to know to connect to ``host`` as ``tls`` says; reads its files.

    :raises OSError, ValueError: one of them can't be read, or holds something else.
    """
    from twisted.internet.ssl import (
        Certificate,
        PrivateCertificate,
        optionsForClientTLS,
        trustRootFromCertificates,
    )

    try:
        ours = None
        if tls.certificate:
            pem = Path(tls.certificate).read_bytes()
            ours = PrivateCertificate.loadPEM(
                pem + (b"\n" + Path(tls.key).read_bytes() if tls.key else b"")
            )
        trusted = None
        if tls.ca:
            trusted = trustRootFromCertificates(
                [Certificate.loadPEM(pem) for pem in _certificates(tls.ca)]
            )
    except OSError as error:
        raise OSError(f"cannot read {error.filename}: {error.strerror}") from None
    except Exception as error:  # OpenSSL's own exceptions have no public names.
        raise ValueError(f"the store's cert, key or ca holds no PEM: {error}") from None
    return optionsForClientTLS(tls.name or host, trusted, ours)


def _certificates(path: str) -> Iterable[bytes]:
    found = PEM_CERTIFICATE.findall(Path(path).read_bytes())
    if not found:
        raise ValueError(f"{path} has no certificate")
    return found
