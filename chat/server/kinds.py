"""How an option's value is written, parsed and checked: one small value per kind of option."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

__all__ = [
    "COST",
    "ENDPOINT",
    "FILE",
    "FLAG",
    "LIMIT",
    "MAYBE_ENDPOINT",
    "NETWORKS",
    "PATH",
    "PLAIN",
    "PREFIX",
    "RATE",
    "RETENTION",
    "SECONDS",
    "SPAN",
    "STORE",
    "WORKERS",
    "YES_NO",
    "Kind",
    "choice",
    "number",
    "parts_of",
]

MOST: Final = 2**31 - 1
"""No option has use for a larger whole number."""

PLAIN: Final = "plain:"
"""Stands before an endpoint that speaks no TLS although there is a certificate."""

SOME_NETWORKS: Final = "addresses and networks such as 10.0.0.0/8,2001:db8::1"

MOST_MEMORY: Final = 4 * 1024 * 1024
"""KiB of memory for one password (4 GiB): more is a mistake in writing."""


@dataclass(frozen=True)
class Kind:
    """One way of writing values.

    :ivar form: how a value looks, for ``--help``.
    :ivar what: what a value must be, for the sentence about one that is not.
    :ivar read: from text to the value; raises ValueError.
    :ivar write: the other way round.
    :ivar quoted: in TOML it must be a string.
    :ivar several: it may be given more than once; ``read`` takes one at a time.
    :ivar explains: the errors of ``read`` say themselves what is wrong.
    :ivar flag: on the command line it stands alone, and means yes.
    """

    form: str
    what: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    quoted: bool = False
    several: bool = False
    explains: bool = False
    flag: bool = False


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MOST):
        raise ValueError
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if not (text.isascii() and math.isfinite(value) and 0 <= value <= MOST):
        raise ValueError
    return value


def _span(text: str) -> float:
    value = _fraction(text)
    if not value:
        raise ValueError
    return value


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _list(values: tuple[float, ...]) -> str:
    return ",".join(map(_short, values))


def _words(values: tuple[str, ...]) -> str:
    return " ".join(values)


def number(least: int, off: bool = True) -> Kind:
    """A whole number of at least ``least``; ``off``: or 0, which switches the limit off."""
    what = f"a whole number of at least {least}" + (", or 0 for no limit" if off else "")

    def read(text: str) -> int:
        value = _whole(text)
        if value < least and not (off and value == 0):
            raise ValueError
        return value

    return Kind("N", what, read)


def choice(*words: str) -> Kind:
    """One of ``words``."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind("|".join(words), " or ".join(words), read, quoted=True)


def parts_of(endpoint: str) -> list[str]:
    """An endpoint taken apart at its colons, but for those with a backslash."""
    return re.split(r"(?<!\\):", endpoint)


def _endpoint(text: str) -> str:
    from twisted.internet.endpoints import serverFromString

    no_reactor: Any = None  # Parsing does not use the reactor, which may not be chosen yet.
    try:
        serverFromString(no_reactor, text.removeprefix(PLAIN))
    except TypeError:  # A parser is called with the parts as its arguments.
        raise ValueError(f"{text!r} is no endpoint to listen on (wrong parts)") from None
    except Exception as error:  # Every parser raises errors of its own.
        detail = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{text!r} is no endpoint to listen on ({detail})") from None
    return text


def _endpoint_or_none(text: str) -> str:
    return _endpoint(text) if text else ""


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    try:
        text.encode()  # The path is written into files, and given to the store.
        return Path(text).expanduser().absolute()
    except (RuntimeError, UnicodeEncodeError):  # ``~name`` of a user without a home, or not UTF-8
        raise ValueError from None


def _file(text: str) -> Path | None:
    return _path(text) if text else None


def _prefix(text: str) -> str:
    # No braces: they mark the part of a key that a cluster hashes.
    if not re.fullmatch(r"[!-z|~]{1,32}", text):
        raise ValueError
    return text


def _store(text: str) -> str:
    from chat.store.link.address import Address, with_password

    if text:
        # The password may be in a file, so a user without one is no mistake.
        alone = re.fullmatch(r"[^/]*//[^/:@]+@.*", text)
        Address.parse(with_password(text, "x") if alone else text)
    return text


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError
    return text == "yes"


def _networks(text: str) -> tuple[str, ...]:
    written = tuple(each.strip() for each in text.split(",")) if text.strip() else ()
    try:
        for each in written:
            ip_network(each)
    except ValueError as error:  # Such as: 10.0.0.1/8 has host bits set.
        raise ValueError(f"{error}; write {SOME_NETWORKS}") from None
    return written


def _rate(text: str) -> tuple[int, float]:
    if text == "0":
        return (0, 0.0)
    burst, _, per_second = text.partition(",")
    if not (_whole(burst) and _fraction(per_second)):
        raise ValueError
    return (_whole(burst), _fraction(per_second))


def _cost(text: str) -> tuple[int, int, int]:
    passes, kib, lanes = map(_whole, text.split(","))
    if not (1 <= passes <= 1000 and 1 <= lanes <= 64 and 8 * lanes <= kib <= MOST_MEMORY):
        raise ValueError
    return (passes, kib, lanes)


def _retention(text: str) -> tuple[float, int]:
    days, comma, messages = text.partition(",")
    return (_fraction(days), _whole(messages) if comma else 0)


MOST_WORKERS: Final = 256


def _workers(text: str) -> int:
    if _whole(text) > MOST_WORKERS:
        raise ValueError
    return int(text)


LIMIT: Final = Kind("N", "a whole number", _whole)
SECONDS: Final = Kind("SECONDS", "a number of seconds", _fraction, _short)
SPAN: Final = Kind("SECONDS", "a number of seconds above 0", _span, _short)
ENDPOINT: Final = Kind(
    "ENDPOINT", "text such as tcp:8889", _endpoint, _words, quoted=True, several=True, explains=True
)
MAYBE_ENDPOINT: Final = Kind(
    "ENDPOINT", "text such as tcp:9464", _endpoint_or_none, quoted=True, explains=True
)
PATH: Final = Kind("DIR", "a directory's path", _path, quoted=True)
FILE: Final = Kind(
    "FILE", "a file's path", _file, lambda value: str(value) if value else "", quoted=True
)
PREFIX: Final = Kind(
    "TEXT", "1 to 32 ASCII characters without spaces and braces", _prefix, quoted=True
)
STORE: Final = Kind("URL", "text such as redis://host", _store, quoted=True, explains=True)
WORKERS: Final = Kind("N", f"a number of processes, at most {MOST_WORKERS}", _workers)
YES_NO: Final = Kind("yes|no", "yes or no", _yes_no, lambda value: "yes" if value else "no")
FLAG: Final = replace(YES_NO, flag=True)
NETWORKS: Final = Kind("NETWORK[,...]", SOME_NETWORKS, _networks, ",".join, explains=True)
RATE: Final = Kind(
    "BURST,PER_SECOND", "a burst and a rate a second such as 20,5, or 0 for no limit", _rate, _list
)
COST: Final = Kind(
    "PASSES,KIB,LANES",
    "passes (at most 1000), KiB of memory (8 for each lane or more) and lanes (at most 64) "
    "such as 2,19456,1",
    _cost,
    _list,
)
RETENTION: Final = Kind(
    "DAYS[,MESSAGES]", "days, or days and messages, such as 30 or 0,100000", _retention, _list
)
