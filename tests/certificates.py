"""Certificates for a test: an authority of its own, and whoever it vouches for."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

__all__ = ["Authority"]


NOTHING = dict.fromkeys(
    (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip
SIGNS = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **NOTHING)


class Authority:
    """Issues certificates into ``directory``; each file is PEM.

    :ivar path: its own certificate.
    :param above: the authority that vouches for this one; none but itself, when None.
    """

    def __init__(
        self, directory: Path, name: str = "authority", above: "Authority | None" = None
    ) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = above or self
        builder = signer._builder(self._name, self._key)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(SIGNS, critical=True)
        self.path = directory / f"{name}.pem"
        self.path.write_bytes(signer._signed(builder))

    def issue(self, name: str, *, expired: bool = False, weak: bool = False) -> Path:
        """A file with a certificate for a host, or an IP address, and its key behind it.

        :param weak: with a key that is shorter than OpenSSL takes since 3.2.
        """
        strong = ec.generate_private_key(ec.SECP256R1())
        key = rsa.generate_private_key(65_537, 1024) if weak else strong
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        try:
            host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            host = x509.DNSName(name)
        builder = self._builder(subject, key, expired).add_extension(
            x509.SubjectAlternativeName([host]), critical=False
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self._directory / f"{name}.pem"
        path.write_bytes(self._signed(builder) + secret)
        return path

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
        expired: bool = False,
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        days = -1 if expired else 1
        # Python 3.13 takes none that do not name the keys.
        subjects = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuers = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(subjects, critical=False)
            .add_extension(issuers, critical=False)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)
