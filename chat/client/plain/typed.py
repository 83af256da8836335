"""A line being typed, whose cursor only moves back over the last character; and earlier lines."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from chat.client.text import JOINER, graphemes, is_character, width

__all__ = ["Happened", "Key", "TypedLine"]

MOST = 65_536
"""Characters of a line: more than a message may have, so that it is refused and not sent cut."""


KEPT = 100
"""Lines that come back with an arrow."""

_ARROWS = {"[A": -1, "OA": -1, "[B": 1, "OB": 1}
"""What up and down send behind an ESC, and how many lines on they lead."""


class Key(Enum):
    """What somebody at the keyboard has done."""

    ECHO = "echo"
    LINE = "line"
    END = "end"
    INTERRUPT = "interrupt"
    AGAIN = "again"


@dataclass(frozen=True)
class Happened:
    """``text``: what is to be echoed, or the line that is finished."""

    key: Key
    text: str = ""


@dataclass
class TypedLine:
    """Turns bytes from a terminal into lines.

    :ivar hidden: nothing is echoed, as for a password.
    """

    text: str = ""
    hidden: bool = False
    _before: list[str] = field(default_factory=list)
    _place: int = 0
    _begun: str = ""
    _escape: str = ""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def feed(self, data: bytes) -> Iterator[Happened]:
        """What some bytes mean, in their order. A character may be cut in two between calls."""
        for character in self._decoder.decode(data):
            happened = self._take(character)
            if happened is not None:
                yield happened

    def rest(self) -> None:
        """Nothing has come right after an ESC: so it was that key, and not the start of another
        one."""
        if self._escape == "\x1b":
            self._escape = ""

    def _take(self, character: str) -> Happened | None:
        if self._escape:
            return self._skip(character)
        match character:
            case "\x1b":
                self._escape = character
                return None
            case "\r" | "\n":
                return Happened(Key.LINE, self._finished())
            case "\x7f" | "\b":
                return self._rub_out(len(self.text) - len(self._last()))
            case "\x15":
                return self._rub_out(0)
            case "\x17":
                return self._rub_out(self.text.rstrip().rfind(" ") + 1)
            case "\x03":
                return Happened(Key.INTERRUPT)
            case "\x04":
                return None if self.text else Happened(Key.END)
            case "\x0c" | "\x12":
                return Happened(Key.AGAIN)
            case "\t":
                character = " "
        if not (is_character(character) or character == JOINER) or len(self.text) >= MOST:
            return None
        self.text += character
        return self._echo(character)

    def _finished(self) -> str:
        text, self.text = self.text, ""
        if text.strip() and not self.hidden and self._before[-1:] != [text]:
            self._before = [*self._before[1 - KEPT :], text]
        self._place = len(self._before)
        return text

    def _recall(self, step: int) -> Happened | None:
        """Go to an older line, or a newer one; the newest is what was being typed."""
        place = self._place + step
        if self.hidden or not 0 <= place <= len(self._before):
            return None
        if self._place == len(self._before):
            self._begun = self.text
        self._place = place
        self.text = [*self._before, self._begun][place]
        return Happened(Key.AGAIN)

    def _echo(self, text: str) -> Happened:
        return Happened(Key.ECHO, "" if self.hidden else text)

    def _last(self) -> str:
        return next(iter(list(graphemes(self.text))[-1:]), "")

    def _rub_out(self, start: int) -> Happened:
        """Take back what was typed from ``start`` on."""
        rubbed, self.text = self.text[start:], self.text[:start]
        return self._echo(_back_over(rubbed))

    def _skip(self, character: str) -> Happened | None:
        """Handle a key that sends ``ESC [ … letter``, ``ESC O letter`` or ``ESC letter``: of these
        only two arrows mean something here."""
        self._escape += character
        begun = self._escape[1] in "[O"
        if begun and not (len(self._escape) > 2 and (character.isalpha() or character == "~")):
            return None
        key, self._escape = self._escape[1:], ""
        return self._recall(_ARROWS[key]) if key in _ARROWS else None


def _back_over(text: str) -> str:
    """Blank what is before the cursor: every terminal can go back by a column."""
    return "\b \b" * width(text)
