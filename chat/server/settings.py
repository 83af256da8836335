"""Every option of the server as one frozen value: name, default, kind and meaning."""

import os
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from chat.server.kinds import (
    COST,
    ENDPOINT,
    FILE,
    FLAG,
    LIMIT,
    MAYBE_ENDPOINT,
    NETWORKS,
    PATH,
    PREFIX,
    RATE,
    RETENTION,
    SECONDS,
    SPAN,
    STORE,
    WORKERS,
    YES_NO,
    Kind,
    choice,
    number,
)

__all__ = ["Settings", "default_data_directory", "options"]


def default_data_directory() -> Path:
    """Where the embedded store lives: ``$XDG_DATA_HOME/chatroom/server``.

    :raises ValueError: there is no home to put it in.
    """
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not base.is_absolute():  # The standard has relative paths ignored.
        try:
            base = Path.home() / ".local" / "share"
        except RuntimeError:  # a container's user, whom no file names
            why = "data: this user has no home directory: name another one (--data)"
            raise ValueError(why) from None
    return base / "chatroom" / "server"


def _option(kind: Kind, default: Any, help_text: str) -> Any:
    """A field; ``help_text`` is what ``--help`` and the documentation say of it."""
    return field(default=default, metadata=_about(kind, help_text))


def _live(kind: Kind, default: Any, help_text: str) -> Any:
    """A field that is looked at whenever it matters, and so can change while the server runs."""
    return field(default=default, metadata=_about(kind, help_text, live=True))


def _about(kind: Kind, help_text: str, live: bool = False) -> dict[str, Any]:
    return {"kind": kind, "help": help_text, "live": live}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options in the order of ``--help``; ``send_buffer`` is ``--send-buffer`` there.

    0 switches a limit off, unless its text says what 0 means. Those made by ``_live`` can change
    while the server runs (``chat.server.process.reloading``), the others with its next start.
    """

    listen: tuple[str, ...] = _option(
        ENDPOINT,
        ("tcp:8889:interface=127.0.0.1",),
        "where to listen; may be repeated; plain:ENDPOINT speaks no TLS though others do",
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=_about(FILE, "use TLS with the certificate (and its chain) in this PEM file"),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=_about(FILE, "the certificate's private key, if it is in a file of its own"),
    )
    self_signed: bool = _option(
        FLAG, False, "use TLS with a certificate that the server makes and keeps below --data"
    )
    workers: int = _option(
        WORKERS, 1, "processes that share the ports and the store; 0: one per core"
    )
    data: Path = field(
        default_factory=default_data_directory,
        metadata=_about(
            PATH, "where the embedded store lives; below $XDG_DATA_HOME if that is set"
        ),
    )
    store: str = _option(STORE, "", "a Redis or Valkey to use instead of the embedded store")
    store_password_file: Path | None = field(
        default=None,
        metadata=_about(FILE, "the password of that store, kept apart from its URL"),
    )
    prefix: str = _option(PREFIX, "ch:", "prefix of every key in the store")
    durability: str = _option(
        choice("everysec", "always", "replicated"),
        "everysec",
        "when a message is accepted: a second before it is on disk, once it is, once a replica of "
        "the store has it",
    )
    language: str = _live(choice("zh", "en"), "en", "language of error messages")
    log_level: str = _live(
        choice("debug", "info", "warn", "error"), "info", "the least that is written to the log"
    )
    log_format: str = _option(
        choice("text", "json"), "text", "format of the log: text, or one JSON object a line"
    )
    metrics: str = _option(
        MAYBE_ENDPOINT,
        "",
        "where /metrics, /healthz and /readyz are, such as tcp:9464; keep it private",
    )
    argon2: tuple[int, int, int] = _option(
        COST, (2, 19_456, 1), "argon2id cost of a password; renewed at login"
    )
    retention: tuple[float, int] = _option(
        RETENTION, (0.0, 0), "how long, and how many of, a conversation's messages are kept"
    )
    replay: int = _live(
        LIMIT, 50, "missed messages that an original client gets at login, of each kind; 0: none"
    )

    lobby: str = _option(
        choice("open", "read-only", "closed"),
        "open",
        "whether #lobby is open to all, read-only, or absent",
    )

    frame_limit: int = _option(number(4096), 65_536, "largest frame, in bytes")
    content_limit: int = _live(LIMIT, 16_384, "longest message, in bytes of UTF-8")
    name_limit: int = _live(LIMIT, 32, "longest user or room name, in characters; never above 512")
    password_shortest: int = _live(LIMIT, 6, "shortest new password, in characters")
    password_longest: int = _live(LIMIT, 128, "longest new password, in characters")
    refuse_common_passwords: bool = _live(
        FLAG, False, "refuse the 30,000 commonest passwords, and the user's name, as new ones"
    )
    rooms: int = _live(LIMIT, 200, "rooms that a user may be in")
    devices: int = _live(LIMIT, 10, "devices that a user may have online")
    login_seconds: float = _live(SECONDS, 10.0, "time that a connection has to log in")
    silence_seconds: float = _live(SECONDS, 150.0, "silence after which a client is gone")
    rate: tuple[int, float] = _live(RATE, (20, 5.0), "SmsMes on one connection")
    user_rate: tuple[int, float] = _live(
        RATE, (40, 10.0), "SmsMes of one user on all devices; off with rate 0"
    )
    request_rate: tuple[int, float] = _live(RATE, (40, 10.0), "other requests on one connection")
    user_request_rate: tuple[int, float] = _live(
        RATE,
        (200, 20.0),
        "other requests of one user on all devices; off with request-rate 0",
    )
    light_rate: tuple[int, float] = _live(
        RATE,
        (1_000, 500.0),
        "AckMes and PingMes before a connection is read more slowly; off with request-rate 0",
    )
    refusals: int = _live(LIMIT, 100, "refusals in 10 seconds that end a connection")
    connections: int = _live(LIMIT, 0, "connections in all")
    connections_per_address: int = _live(LIMIT, 200, "connections from one address")
    connection_rate: tuple[int, float] = _live(RATE, (200, 20.0), "new connections of one address")
    exempt: tuple[str, ...] = _live(
        NETWORKS,
        ("127.0.0.0/8", "::1"),
        "networks to which the two limits of connections from one address do not apply",
    )
    strangers: int = _live(
        LIMIT, 4_096, "connections without a login; beyond that the oldest is closed"
    )
    proxy_from: tuple[str, ...] = _option(
        NETWORKS, (), "load balancers that give client addresses by the PROXY protocol"
    )
    registration: str = _live(
        choice("open", "closed", "invitation"),
        "open",
        "who may register: all, none, or with a code",
    )
    registrations_per_address: int = _live(LIMIT, 20, "registrations an hour from one address")
    logins_per_account: int = _live(
        LIMIT, 10, "wrong passwords for an account from one address before growing delays"
    )
    logins_per_address: int = _live(
        LIMIT, 60, "wrong passwords in 5 minutes from one address before growing delays"
    )
    logins_in_all: int = _live(
        LIMIT, 100, "wrong passwords for an account in 5 minutes before new addresses get one try"
    )
    send_buffer: int = _live(LIMIT, 262_144, "bytes kept for a client that does not read")
    stalled_seconds: float = _live(SECONDS, 60.0, "time without progress that ends such a client")
    scope_limit: int = _live(
        LIMIT, 2_000, "users online above which clients hear only of users that they watch"
    )
    offline_grace: float = _live(SECONDS, 5.0, "time before a user who vanished is offline")
    lease: float = _option(
        SPAN, 10.0, "time after which a silent server is considered dead; the same on all"
    )
    hashing_threads: int = _option(number(1, off=False), 2, "threads that hash passwords")
    hashing_queue: int = _option(LIMIT, 256, "passwords that may wait for a thread")
    store_deadline: float = _option(SPAN, 5.0, "time that a call to the store may take")
    direct_writes: bool = _option(
        YES_NO, True, "write to a socket at once when nothing is waiting to be sent"
    )

    def __post_init__(self) -> None:
        """:raises ValueError: two options contradict each other."""
        if self.password_longest and self.password_shortest > self.password_longest:
            raise ValueError(
                "password-shortest and password-longest: no password is both "
                f"{self.password_shortest} characters long and at most {self.password_longest}"
            )
        if self.durability == "replicated" and not self.store:
            raise ValueError("durability: only a store of your own has replicas (store)")
        if self.tls_cert and self.self_signed:
            raise ValueError("tls-cert and self-signed: which certificate is it to be?")
        if self.tls_key and not self.tls_cert:
            raise ValueError("tls-key: the certificate is missing (tls-cert)")

    def user_rates(self) -> tuple[tuple[int, float], tuple[int, float]]:
        """What one user may do on all devices together: messages, and other requests.

        Who switches off what one connection may do has a use for none of them.
        """
        return (
            self.user_rate if self.rate[0] else (0, 0.0),
            self.user_request_rate if self.request_rate[0] else (0, 0.0),
        )


def options() -> dict[str, Field[Any]]:
    """The options by their names on the command line and in the TOML file."""
    return {each.name.replace("_", "-"): each for each in fields(Settings)}
