"""What went wrong, in the reader's words: the library and the network say it in English only."""

from collections.abc import Sequence
from typing import Final

from chat.client.errors import BadServer, FateUnknown, NotConnected, Refused
from chat.client.words import Words
from chat.names import BadName, check_password, user_name

__all__ = ["account_flaw", "login_sentence", "reason", "sentence"]

_REASONS: Final[Sequence[tuple[str, str]]] = (
    ("refused by other side", "reason-refused"),
    ("No such file or directory", "reason-refused"),
    ("DNS lookup failed", "reason-host"),
    ("hostname lookup", "reason-host"),
    ("timed out", "reason-timeout"),
    ("timeout", "reason-timeout"),
    ("did not answer in time", "reason-timeout"),
    ("Network is unreachable", "reason-network"),
    ("No route to host", "reason-network"),
    ("no sign of life", "reason-silent"),
    ("asleep", "reason-asleep"),
    ("connection was lost", "reason-lost"),
    ("hung up without a word", "reason-wordless"),
    ("does not speak this protocol", "reason-stranger"),
)
"""Parts of what Twisted and the link say, and the key of what a person is told instead."""

_AT_LOGIN: Final = {403: "wrong-password", 500: "no-such-user"}


def reason(text: str, words: Words) -> str:
    """Why there is no connection; what is not known stays as it was said."""
    return next((words(key) for part, key in _REASONS if part in text), text)


def sentence(error: Exception, words: Words) -> str:
    """What is said of an error. The server's own words are its own."""
    match error:
        case Refused():
            return str(error)
        case FateUnknown():
            return words("fate-unknown")
        case BadServer():
            return words("bad-server", reason=str(error))
        case NotConnected():
            return words("not-connected")
        case _:
            return str(error)


def login_sentence(error: Refused, words: Words) -> str:
    """What is said of a login that was refused."""
    key = _AT_LOGIN.get(error.code)
    return words(key) if key else str(error)


def account_flaw(error: Refused, name: str, password: str, words: Words) -> str:
    """What the reader can mend of an account that was refused; empty when that isn't known.

    Judged after the server has: its limits may be others.
    """
    if error.code == 505:
        return words("name-taken")
    try:
        user_name(name)
        check_password(password)
    except BadName as flaw:
        key = str(flaw)
        return words(key) if key in words else ""
    return ""
