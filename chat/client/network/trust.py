"""Whom a client trusts over TLS: authorities, or a certificate that its user has accepted."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chat.client.private import write_private

__all__ = ["AUTHORITIES", "KnownServers", "Trust", "fingerprint_of"]

_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")


@dataclass(frozen=True)
class Trust:
    """What must be true of a server's certificate: an authority vouches for it, or it is the known
    one.

    :ivar ca: a PEM file with the authorities; None for those of the system.
    :ivar fingerprint: SHA-256 of a certificate that is accepted whoever has signed it; empty for
        none.
    """

    ca: Path | None = None
    fingerprint: str = ""


AUTHORITIES: Final = Trust()
"""Those of the system, and nobody else."""


def fingerprint_of(text: str) -> str:
    """A SHA-256 in the form of ``openssl x509 -fingerprint -sha256``, however it was copied.

    :raises ValueError: it is not a SHA-256.
    """
    digits = re.sub(r"(?i)^sha-?256(\s+fingerprint)?\s*[=:]", "", text.strip())
    digits = re.sub(r"[:\s]", "", digits).upper()
    written = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    if not _FINGERPRINT.fullmatch(written):
        raise ValueError(f"{text!r} is no SHA-256 of a certificate")
    return written


class KnownServers:
    """The certificates that this person has accepted, one for each server, in a file.

    :param path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fingerprint(self, server: str) -> str:
        """What was accepted for ``server``, "" when nothing was."""
        return self._read().get(server, "")

    def accept(self, server: str, fingerprint: str) -> None:
        """Accept this certificate of ``server`` from now on.

        :raises OSError: it could not be written.
        """
        known = {**self._read(), server: fingerprint}
        write_private(self.path, json.dumps(known, indent=1, sort_keys=True).encode())

    def _read(self) -> dict[str, str]:
        """What the file says; what is damaged in it was never accepted."""
        try:
            known = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        pairs = known.items() if isinstance(known, dict) else ()
        return {str(server): each for server, each in pairs if _is_fingerprint(each)}


def _is_fingerprint(value: object) -> bool:
    return isinstance(value, str) and _FINGERPRINT.fullmatch(value) is not None
