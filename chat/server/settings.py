"""Every option of the server as one frozen value: name, default, unit and meaning."""

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

__all__ = ["Settings", "default_data_directory"]


def default_data_directory() -> Path:
    """Where the embedded store lives: ``$XDG_DATA_HOME/chatroom/server``."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "chatroom" / "server"


def _option(default: Any, help_text: str) -> Any:
    """A field; ``help_text`` is what ``--help`` and the documentation say of it."""
    metadata = {"help": help_text}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options in the order of ``--help``; ``listen_on`` is ``--listen-on`` on the command line.

    0 switches a limit off.
    """

    listen: tuple[str, ...] = _option(
        ("tcp:8889:interface=127.0.0.1",), "Twisted endpoint to listen on; may be repeated"
    )
    data: Path = _option(default_data_directory, "directory of the embedded store")
    store: str = _option("", "redis://… or redis+unix://… instead of the embedded store")
    prefix: str = _option("ch:", "what every key in the store starts with")
    durability: str = _option("everysec", "everysec or always: how soon the store is on disk")
    language: str = _option("en", "zh or en: the language of error texts")
    argon2: tuple[int, int, int] = _option(
        (2, 19456, 1), "argon2id cost of a password: passes, KiB of memory, lanes"
    )
    retention_days: float = _option(0.0, "days that messages are kept, 0 for ever")
    retention_messages: int = _option(0, "messages that a conversation keeps, 0 for all")
    replay: int = _option(50, "missed messages an original client gets at login, of each sort")

    frame_limit: int = _option(65_536, "largest frame, in bytes")
    content_limit: int = _option(16_384, "longest message, in bytes of UTF-8")
    name_limit: int = _option(32, "longest user or room name, in characters")
    password_shortest: int = _option(6, "shortest new password, in characters")
    password_longest: int = _option(128, "longest new password, in characters")
    rooms: int = _option(200, "rooms that a user may be in")
    devices: int = _option(10, "devices that a user may have")
    login_seconds: float = _option(10.0, "seconds a connection has to log in")
    silence_seconds: float = _option(150.0, "seconds of silence after which a client is gone")
    rate: tuple[int, float] = _option((20, 5.0), "SmsMes: burst, then how many a second")
    request_rate: tuple[int, float] = _option(
        (40, 10.0), "other requests: burst, then how many a second"
    )
    refusals: int = _option(100, "refusals in 10 seconds that end a connection")
    connections: int = _option(0, "connections in all")
    connections_per_address: int = _option(0, "connections from one address")
    registrations_per_address: int = _option(20, "registrations an hour from one address")
    logins_per_address: int = _option(60, "failed logins in 5 minutes from one address")
    logins_per_account: int = _option(20, "failed logins in 5 minutes on one account")
    send_buffer: int = _option(262_144, "bytes kept for a client that does not read")
    stalled_seconds: float = _option(60.0, "seconds without progress that end such a client")
    scope_limit: int = _option(2_000, "users online above which presence is only for who watches")
    offline_grace: float = _option(5.0, "seconds before a user who vanished is offline")
    hashing_threads: int = _option(2, "threads that hash passwords")
    hashing_queue: int = _option(256, "passwords that may wait for a thread")
    store_deadline: float = _option(5.0, "seconds a call to the store may take")
    direct_writes: bool = _option(True, "write to a socket at once while its buffer is empty")


def option_names() -> tuple[str, ...]:
    """The options as they are written on the command line and in the TOML file."""
    return tuple(each.name.replace("_", "-") for each in fields(Settings))
