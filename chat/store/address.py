"""Where a store is: a URL as a frozen value; importing this starts no reactor."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

__all__ = ["Address"]

DEFAULT_PORT: Final = 6379
CONNECT_SECONDS: Final = 5
"""A store on one's own network that takes longer than this is away (Twisted's default is 30)."""


@dataclass(frozen=True)
class Address:
    """A store's address: a Unix socket when ``path`` is set, else ``host`` and ``port``."""

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read ``redis://[user:password@]host[:port][/db]`` or ``redis+unix:///path[?db=0]``.

        :raises ValueError: with one sentence for the person who wrote the URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("The store's URL has a host or port that cannot be read.") from None
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if username and password is None:
            raise ValueError("The store's URL names a user but no password.")
        match parts.scheme:
            case "redis" if parts.hostname:
                db = _database(parts.path.strip("/"))
                return cls(parts.hostname, port or DEFAULT_PORT, "", db, username, password)
            case "redis":
                raise ValueError("The store's URL names no host: redis://host:port/db.")
            case "redis+unix" if len(parts.path) > 1:
                db = _database(parse_qs(parts.query).get("db", [""])[0])
                return cls("", DEFAULT_PORT, unquote(parts.path), db, username, password)
            case "redis+unix":
                raise ValueError("The store's URL names no socket: redis+unix:///path?db=0.")
        raise ValueError("The store's URL must start with redis:// or redis+unix://.")

    def endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """How to connect to it."""
        if self.path:
            return UNIXClientEndpoint(reactor, self.path, timeout=CONNECT_SECONDS)
        return HostnameEndpoint(reactor, self.host, self.port, timeout=CONNECT_SECONDS)

    def __str__(self) -> str:
        """For a log: without user and password."""
        if self.path:
            return f"redis+unix://{self.path}?db={self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis://{host}:{self.port}/{self.db}"


def _database(text: str) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        return int(text)
    raise ValueError("The store's URL names a database that is no number.")
