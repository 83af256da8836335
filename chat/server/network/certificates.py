"""The certificate that TLS connections are served with, read again when its files change."""

import contextlib
import datetime
import ipaddress
import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from chat.disk import private_directory
from chat.store.errors import CannotStart

__all__ = ["Certificates", "fingerprint", "self_signed"]

LOOK_SECONDS: Final = 2.0
"""Between two looks at the files. What looks the same twice is read: a program that renews a
certificate replaces two files, one after the other."""

SELF_SIGNED_DAYS: Final = 3_650
"""Clients remember the very certificate, so that a short life would only make them ask again."""

WARN_DAYS: Final = 7
DAY: Final = 86_400.0


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """The certificate and its key, for every handshake from now on.

    TLS 1.2 or later, with the ciphers that Twisted keeps up to date. Connections that are open keep
    the certificate they were opened with.

    :param clock: for looking at the files from time to time.
    :param certificate: a PEM file, the server's certificate first, then its chain.
    :param key: a PEM file with its private key, not encrypted.
    :ivar ends: until when the certificate is valid.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._context: SSL.Context | None = None
        self._seen: Any = None
        self._read: Any = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self.ends: datetime.datetime | None = None
        self._warning = LoopingCall(self._warn)
        self._warning.clock = clock

    def check(self) -> None:
        """Read the files.

        :raises CannotStart: they can't be used; the text says why.
        """
        try:
            self._load()
        except ValueError as error:
            raise CannotStart(f"TLS: {error}") from None

    def start(self) -> None:
        """Read the files, and watch them until ``stop``: for new ones in their place, and once a
        day for how long the certificate is still valid.

        :raises CannotStart: they can't be used; the text says why.
        """
        self.check()
        self._looking.start(LOOK_SECONDS, now=False)
        self._warning.start(DAY, now=False)

    def stop(self) -> None:
        """Watch the files no longer; what was read is still served."""
        for each in (self._looking, self._warning):
            if each.running:
                each.stop()

    def reload(self) -> None:
        """Read the files again. If they can't be used, the log says so, and nothing changes."""
        try:
            self._load()
        except ValueError as error:
            self.log.error("TLS: the certificate is not replaced: {why}", why=error)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """What Twisted asks for at the beginning of each connection."""
        assert self._context is not None
        return SSL.Connection(self._context, None)

    def _look(self) -> None:
        before, self._seen = self._seen, self._stamps()
        if self._seen == before and self._seen != self._read:
            self.reload()

    def _stamps(self) -> Any:
        return tuple(_stamp(path) for path in self._files)

    def _load(self) -> None:
        self._read = self._stamps()
        try:
            chain, key = _certificates(self._files[0]), _key(self._files[1])
            if chain[0].public_key() != key.public_key():
                raise ValueError(f"{self._files[1]} is not the key of {self._files[0]}")
            self._context = _context(chain, key)
        except UnsupportedAlgorithm as error:
            raise ValueError(f"{self._files[1]} is of no use for TLS ({error})") from None
        except SSL.Error as error:
            why = error.args[0][-1][-1]  # (library, function, reason), such as a key too small
            raise ValueError(f"OpenSSL refuses {self._files[0]} ({why})") from None
        self._tell(chain[0])

    def _tell(self, certificate: x509.Certificate) -> None:
        self.log.info("The certificate's SHA-256: {digest}", digest=fingerprint(certificate))
        self.ends = certificate.not_valid_after_utc
        self._warn()

    def _warn(self) -> None:
        """Log a warning in the certificate's last week: whatever renews it may have failed."""
        if self.ends and (self.ends - datetime.datetime.now(datetime.UTC)).days < WARN_DAYS:
            self.log.warn(
                "The certificate is valid until {when:%Y-%m-%d %H:%M} UTC", when=self.ends
            )


def _context(chain: Sequence[x509.Certificate], key: Any) -> SSL.Context:
    """:raises SSL.Error: OpenSSL takes them for too weak, or can't use keys of this kind."""
    options = CertificateOptions(
        privateKey=crypto.PKey.from_cryptography_key(key),
        certificate=crypto.X509.from_cryptography(chain[0]),
        extraCertChain=[crypto.X509.from_cryptography(each) for each in chain[1:]],
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    return options.getContext()


def fingerprint(certificate: x509.Certificate) -> str:
    """A certificate's SHA-256 as ``openssl x509 -fingerprint -sha256`` writes it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def self_signed(directory: Path) -> Path:
    """The file with the server's own certificate and key, which is made now if there is none.

    One file (mode 0600) for both. The first one that is there stays, so several servers that start
    at once on one directory serve the same certificate.

    :param directory: where it is kept, as ``tls.pem``.
    :raises CannotStart: it can't be written.
    """
    path = directory / "tls.pem"
    try:
        private_directory(directory)
        if not path.exists():
            _write(path, _made())
    except OSError as error:
        raise CannotStart(f"TLS: cannot write {path}: {error.strerror}") from None
    return path


def _made() -> bytes:
    """A new key, and a certificate signed by it, in PEM form."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chatroom")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    key = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key + certificate.public_bytes(serialization.Encoding.PEM)


def _names() -> list[x509.GeneralName]:
    """The names of this machine. Clients that remember the certificate itself do not check them."""
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    with contextlib.suppress(ValueError):  # the machine's name may contain anything
        names.append(x509.DNSName(socket.gethostname()))
    return names


def _write(path: Path, data: bytes) -> None:
    """Write a whole file for its owner alone, unless another process was quicker."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(beside, path)
    beside.unlink()


def _stamp(path: Path) -> tuple[int, int, int]:
    """A value that changes with a file; empty when there is no file."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_ino, found.st_size
    return 0, 0, 0


def _certificates(path: Path) -> Sequence[x509.Certificate]:
    content = _content(path)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ValueError(f"{path} has no certificate in PEM form") from None


def _key(path: Path) -> Any:
    content = _content(path)
    try:
        return serialization.load_pem_private_key(content, None)
    except TypeError:
        raise ValueError(f"the key in {path} is encrypted") from None
    except ValueError:
        raise ValueError(f"{path} has no private key in PEM form") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
