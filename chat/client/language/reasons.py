"""Why there is no connection, or a message was not sent: the library says it in English only."""

from collections.abc import Sequence
from typing import Final

from chat.client.language.words import Words

__all__ = ["reason"]

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
    ("no TLS is spoken", "reason-no-tls"),
    ("the server made it itself", "reason-self-made"),
    ("nobody knows who vouches", "reason-no-authority"),
    ("it is not valid yet", "reason-not-yet"),
    ("it has expired", "reason-over"),
    ("it is not for ", "reason-another"),
    ("too long ago to be repeated", "reason-doubtful"),
    ("longer than the server takes", "reason-too-long"),
)
"""Parts of what Twisted, the library and TLS say, and the key of what a person is told instead."""


def reason(text: str, words: Words) -> str:
    """The same in the reader's language; what is not known stays as it was said."""
    return next((words(key) for part, key in _REASONS if part in text), text)
