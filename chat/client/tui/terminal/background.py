"""Finds out whether a terminal is light: asks it, and filters its answer from the input."""

import re
from collections.abc import Callable
from typing import Final

__all__ = ["ASK", "Background"]

ASK: Final = "\x1b]11;?\x1b\\"
"""OSC 11 of xterm: which colour is behind everything. Who does not know it says nothing."""

_ANSWER = re.compile(
    rb"\x1b\]11;rgba?:([0-9a-f]+)/([0-9a-f]+)/([0-9a-f]+)[^\x07\x1b]*(?:\x07|\x1b\\)", re.IGNORECASE
)
_BEGUN = re.compile(rb"\x1b\]1(?:1(?:;[^\x07\x1b]{0,40}\x1b?)?)?\Z")

_WEIGHTS: Final = (0.2126, 0.7152, 0.0722)
"""How much red, green and blue make of what looks bright (ITU-R BT.709)."""


class Background:
    """Waits for the answer to ``ASK``.

    :param told: called once, with whether it is light.
    """

    def __init__(self, told: Callable[[bool], None]) -> None:
        self._told: Callable[[bool], None] | None = told
        self._begun = b""

    def take(self, data: bytes) -> bytes:
        """What came from the terminal, without the answer. An answer that is incomplete is kept
        back."""
        if self._told is None:
            return data
        data, self._begun = self._begun + data, b""
        answer = _ANSWER.search(data)
        if answer is None:
            begun = _BEGUN.search(data)
            if begun is not None:
                data, self._begun = data[: begun.start()], begun[0]
            return data
        told, self._told = self._told, None
        parts = (int(part, 16) / (16 ** len(part) - 1) for part in answer.groups())
        told(sum(weight * part for weight, part in zip(_WEIGHTS, parts, strict=True)) > 0.5)
        return data[: answer.start()] + data[answer.end() :]
