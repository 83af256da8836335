"""Replaces texts by others of the same shape, so that a recording can be shared."""

import unicodedata
from typing import Any, Final

from chat.client.text import clean, width
from chat.client.tui.commands.table import find

__all__ = ["secret", "veiled", "veiled_texts"]

TEXTS: Final = frozenset({"content", "text", "topic"})
"""The members of entries, conversations and messages on their way in which people write."""

WIDE: Final = "字"
SECRET_ARGUMENTS: Final = frozenset({"password"})
"""The verbs of commands behind which somebody may write a password, although none is wanted."""


def veiled(text: str) -> str:
    """``text`` with other letters and digits of the same width.

    Spaces, signs and invisible characters stay, for these are what goes wrong on screens.
    """
    return "".join(_veiled(each) for each in text)


def _veiled(character: str) -> str:
    if not width(clean(character)):
        return character
    if unicodedata.east_asian_width(character) in "WF":
        return WIDE if character.isalnum() else character
    if character.isdecimal():
        return "0"
    if character.isalpha():
        return "X" if character.isupper() else "x"
    return character


def veiled_texts(data: Any) -> Any:
    """JSON in which everything that people wrote is veiled; names, numbers and times stay."""
    if isinstance(data, dict):
        return {
            name: veiled(value) if name in TEXTS and isinstance(value, str) else veiled_texts(value)
            for name, value in data.items()
        }
    return [veiled_texts(each) for each in data] if isinstance(data, list | tuple) else data


def secret(before: str, veil: bool) -> bool:
    """Whether what is typed after ``before`` must not be recorded as it is.

    :param veil: what people write is veiled; the name of a command is recorded all the same.
    """
    if not before.startswith("/"):
        return veil
    name, space, _ = before[1:].partition(" ")
    command = find(name)
    hidden = command is not None and command.verb in SECRET_ARGUMENTS
    return bool(space) and (veil or hidden)
