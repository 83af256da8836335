"""Where a store is and how to log in there: a URL as a frozen value."""

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

__all__ = ["TLS", "Address", "with_password", "written"]

DEFAULT_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
SCHEMES: Final = ("redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel")


@dataclass(frozen=True)
class TLS:
    """How a store's certificate is judged, and what it gets to see of ours.

    :ivar ca: a PEM file with the authorities that are believed; empty for the system's.
    :ivar certificate: a PEM file with our own certificate, for a store that wants one.
    :ivar key: a PEM file with its private key; empty when ``certificate`` holds it too.
    :ivar name: what the store's certificate must be for; empty for the host that is connected to.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    name: str = ""


@dataclass(frozen=True)
class Address:
    """A store's address: a Unix socket when ``path`` is set, else ``host`` and ``port``, unless
    there are ``sentinels``, which know where the store called ``master`` is at the moment.

    :ivar tls: None for a connection in the clear.
    :ivar sentinel_user: with ``sentinel_password``, for Sentinels that want a login.
    """

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TLS | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read a store's URL::

            redis://[user:password@]host[:port][/db]             rediss:// with TLS
            redis+unix:///path[?db=0]
            redis+sentinel://[user:password@]host[:port][,host[:port]...]/name[/db]
                                                                 rediss+sentinel:// with TLS

        With TLS the query may say ``ca``, ``cert``, ``key`` (files) and ``name``; with Sentinels
        ``sentinel-user`` and ``sentinel-password``.

        :raises ValueError: with one sentence for the person who wrote the URL.
        """
        parts = _split(url)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"The store's URL must start with {_listed(SCHEMES)}.")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        tls = _tls(query) if parts.scheme.startswith("rediss") else None
        if parts.scheme.endswith("sentinel"):
            where = _behind_sentinels(parts, query)
        elif parts.scheme == "redis+unix":
            where = _socket(parts, query)
        else:
            where = _host(parts)
        if query:
            raise ValueError(f"The store's URL says {next(iter(query))}, which means nothing here.")
        return cls(**where, **_login(parts), tls=tls)

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return bool(self.path) or (not self.sentinels and self.host in HERE)

    def __str__(self) -> str:
        """For a log: without user and password."""
        if self.path:
            return f"redis+unix://{self.path}?db={self.db}"
        secure = "rediss" if self.tls else "redis"
        if self.sentinels:
            hosts = ",".join(written(*each) for each in self.sentinels)
            return f"{secure}+sentinel://{hosts}/{self.master}/{self.db}"
        return f"{secure}://{written(self.host, self.port)}/{self.db}"


def with_password(url: str, password: str) -> str:
    """A store's URL with the password that was kept apart from it.

    :raises ValueError: it has one, or can't be read.
    """
    parts = _split(url)
    login, _, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        raise ValueError("The store's URL has a password of its own.")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def _split(url: str) -> SplitResult:
    """The parts of a URL that may have several hosts: ``urlsplit`` of newer Pythons refuses one in
    brackets behind another (gh-105704), so hosts are read one by one, later."""
    scheme, mark, rest = url.partition("://")
    hosts = re.split("[/?#]", rest, maxsplit=1)[0]
    return urlsplit(f"{scheme}{mark}{rest[len(hosts) :]}")._replace(netloc=hosts)


def _listed(schemes: tuple[str, ...]) -> str:
    *most, last = (f"{scheme}://" for scheme in schemes)
    return f"{', '.join(most)} or {last}"


def written(host: str, port: int) -> str:
    """A place in a network as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _login(parts: SplitResult) -> dict[str, Any]:
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if username and password is None:
        raise ValueError("The store's URL names a user but no password.")
    return {"username": username, "password": password}


def _host(parts: SplitResult) -> dict[str, Any]:
    host, port = _host_and_port(parts.netloc.rpartition("@")[2], DEFAULT_PORT)
    if not host:
        raise ValueError(f"The store's URL names no host: {parts.scheme}://host:port/db.")
    return {"host": host, "port": port, "db": _database(parts.path.strip("/"))}


def _socket(parts: SplitResult, query: dict[str, str]) -> dict[str, Any]:
    if len(parts.path) < 2:
        raise ValueError("The store's URL names no socket: redis+unix:///path?db=0.")
    return {"path": unquote(parts.path), "db": _database(query.pop("db", ""))}


def _behind_sentinels(parts: SplitResult, query: dict[str, str]) -> dict[str, Any]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    sentinels = tuple(_host_and_port(each, SENTINEL_PORT) for each in hosts)
    name, _, db = parts.path.strip("/").partition("/")
    if not name or not all(host for host, _ in sentinels):
        raise ValueError(
            "The store's URL must name the Sentinels and the store that they watch: "
            f"{parts.scheme}://host1,host2,host3/name."
        )
    user, password = query.pop("sentinel-user", None), query.pop("sentinel-password", None)
    if user and password is None:
        raise ValueError("The store's URL has a sentinel-user but no sentinel-password.")
    return {
        "sentinels": sentinels,
        "master": unquote(name),
        "db": _database(db),
        "sentinel_user": user,
        "sentinel_password": password,
    }


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        return parts.hostname or "", parts.port or default
    except ValueError:
        raise ValueError("The store's URL has a host or port that cannot be read.") from None


def _tls(query: dict[str, str]) -> TLS:
    tls = TLS(*(query.pop(name, "") for name in ("ca", "cert", "key", "name")))
    if tls.key and not tls.certificate:
        raise ValueError("The store's URL names a key but no cert that it belongs to.")
    return tls


def _database(text: str) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        return int(text)
    raise ValueError("The store's URL names a database that is no number.")
