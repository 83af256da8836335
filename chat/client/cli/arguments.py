"""Converts and checks the values of ``chatroom``'s options; and prints its version."""

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = [
    "Command",
    "Version",
    "entry_number",
    "fingerprint",
    "number",
    "read_as_text",
    "seconds",
    "speed",
]

# A wrong value raises ValueError; argparse puts the function's name into its sentence.


class Command(argparse.ArgumentParser):
    """The parser of one command, whose options may be between its arguments.

    argparse by itself takes ``send '#lobby' --json hi`` for a command without a text, and ``hi``
    for something unknown (https://github.com/python/cpython/issues/59317).
    """

    _mixing = False

    def parse_known_args(  # type: ignore[override]  # typeshed has an overload for each way to call
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        found, rest = super().parse_known_args(args, namespace)
        if self._mixing or not rest or any(each.startswith("-") for each in rest):
            return found, rest
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args)
        finally:
            self._mixing = False


class Version(argparse.Action):
    """Prints the installed version, and exits. It is looked up only then, which takes longer than
    everything else that other commands do before their first word."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print("chatroom", version("chatroom"))
        parser.exit()


def speed(text: str) -> float:
    """How much faster than the original to play."""
    value = float(text)
    if not 0.01 <= value <= 1000:
        raise ValueError
    return value


def seconds(text: str) -> float:
    """A time to wait; not ``nan``, and nothing that no clock reaches."""
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError
    return value


def fingerprint(text: str) -> str:
    """A SHA-256 in hexadecimal digits, however it is written; empty for none."""
    from chat.client.network.trust import fingerprint_of

    return fingerprint_of(text) if text else ""


def number(text: str) -> int:
    """A whole number, 0 or more, that a server would take (protocol, Envelopes)."""
    value = int(text)
    if not 0 <= value < 2**53:
        raise ValueError
    return value


def entry_number(text: str) -> int:
    """The number of a message, 1 or more."""
    value = number(text)
    if not value:
        raise ValueError
    return value


def read_as_text(options: argparse.Namespace) -> bool:
    """Take all arguments for UTF-8, whatever the locale says.

    :returns: whether they are UTF-8, so that they can be sent. (A file may be called anything.)
    """
    try:
        for name, value in vars(options).items():
            if isinstance(value, str):
                setattr(options, name, _text(value))
            elif isinstance(value, list):
                setattr(options, name, [_text(each) for each in value])
    except UnicodeError:
        return False
    return True


def _text(given: str) -> str:
    """:raises UnicodeError: it is not UTF-8."""
    return given.encode(errors="surrogateescape").decode()
