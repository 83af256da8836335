"""The composer: draws the editor, completes words, and takes a paste as one edit."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from chat.client.language.emoji import emoji_called
from chat.client.text import clean_line, clip, is_character, width
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row
from chat.client.tui.panes.editor import Editor
from chat.client.tui.panes.pane import Pane

__all__ = ["Completion", "Composer", "Paste"]

PROMPT_COLUMNS = 2

_NAMED_EMOJI = re.compile(r"(?<![!-~])(?:(?<!\w)|(?=:[^!-~])):([^\s:]+):$")
"""What stands right behind a letter, as in ``12:30:`` or ``镜像:python:3.11``, names none; but
Chinese has no spaces, so a Chinese name may."""

PASTED = {"enter": "\n", "ctrl j": "\n", "tab": "\t"}
"""Keys that are characters of a paste."""

PASTE_ENDS = ("end paste", "ctrl c")
"""The end of a paste is lost with a connection. What swallows all keys ends with this one, too."""


@dataclass
class Completion:
    """Cycles through the candidates for what is before the cursor."""

    start: int
    candidates: Sequence[str]
    place: int = -1
    shown: str = ""


_ROWS = {"up": -1, "down": 1}

Candidates = Callable[[str, str], Iterable[str]]
"""What completes a word: what stands before it, and the word."""


class Composer(Pane):
    """What is being written. ``hint`` is shown in its place while it is empty, ``above`` in a row
    above it, where there is one."""

    def __init__(self, look: Look, candidates: Candidates) -> None:
        super().__init__(look)
        self.editor = Editor()
        self.hint = ""
        self.above = ""
        self._candidates = candidates
        self.completion: Completion | None = None
        self._top = 0
        self._columns = PROMPT_COLUMNS + 2
        self._height = 1
        self._meant = (-1, 0)
        """Where going by rows has led, and which column in each row is meant."""
        self._known: tuple[object, tuple[list[str], int, int]] | None = None

    def _show(self, part: str) -> str:
        # Asked for each character at each key: most of them are plain.
        return part if part.isascii() and part.isprintable() else _drawn(part, self.look.emoji)

    def wanted_rows(self, columns: int) -> int:
        """How many rows the text takes in ``columns`` columns, and what is above it."""
        rows = len(self._folded(columns)[0]) if self.editor.text else 1
        return rows + bool(self.above)

    def _led(self, height: int) -> int:
        """How many of so many rows are above the text: the text goes first."""
        return int(bool(self.above) and height > 1)

    def _folded(self, columns: int) -> tuple[list[str], int, int]:
        """The text as rows, and the cursor's place. Kept, since each drawing asks three times."""
        key = (self.editor.text, self.editor.cursor, columns, self.look)
        if self._known is None or self._known[0] != key:
            rows = self.editor.rows(columns - PROMPT_COLUMNS, self._show)
            self._known = (key, rows)
        return self._known[1]

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        self._columns, self._height = columns, height
        ellipsis = self.look.glyphs.ellipsis
        led = [[("dim", clip(self.above, columns, ellipsis))]][: self._led(height)]
        return [*led, *self._written(columns, height - len(led))]

    def _written(self, columns: int, height: int) -> Sequence[Row]:
        prompt = ("prompt", f"{self.look.glyphs.prompt} ")
        if not self.editor.text:
            hint = clip(self.hint, max(0, columns - PROMPT_COLUMNS), self.look.glyphs.ellipsis)
            return [[prompt, ("hint", hint)]]
        rows, _, row = self._folded(columns)
        self._top = max(0, min(self._top, row, len(rows) - height))
        self._top = max(self._top, row - height + 1)
        lead = [prompt if number == 0 else (None, "  ") for number in range(len(rows))]
        drawn = list(zip(lead, rows, strict=True))[self._top : self._top + height]
        return [[start, (None, text)] for start, text in drawn]

    def place(self, columns: int, height: int) -> tuple[int, int] | None:
        _, column, row = self._folded(columns)
        return column + PROMPT_COLUMNS, max(0, row - self._top) + self._led(height)

    def point(self, column: int, row: int) -> None:
        """Put the cursor where somebody points, or at the end of that row."""
        row = max(0, row - self._led(self._height)) + self._top
        self._put(max(0, column - PROMPT_COLUMNS), row)
        self.changed()

    def _put(self, column: int, row: int) -> None:
        """Put the cursor before what is drawn there."""
        columns = self._columns - PROMPT_COLUMNS
        self.editor.go(self.editor.place_at(column, row, columns, self._show))

    def _by_row(self, step: int) -> bool:
        """Go a row up or down, where there is one: a line may take several. What was brought back
        just now is passed over, or a long text would stand in the way of those before it."""
        rows, column, row = self._folded(self._columns)
        if self.editor.recalled or not 0 <= row + step < len(rows):
            return False
        place, wanted = self._meant
        wanted = wanted if place == self.editor.cursor else column
        self._put(wanted, row + step)
        self._meant = self.editor.cursor, wanted
        return True

    # Changing

    def insert(self, text: str) -> None:
        """Type or paste ``text``."""
        self.completion = None
        self.editor.insert(text)
        self.changed()

    def type(self, key: str) -> None:
        """Type one character. The second colon makes an emoji of a ``:name:``, which undo brings
        back."""
        self.insert(key)
        named = _NAMED_EMOJI.search(self.editor.text[: self.editor.cursor]) if key == ":" else None
        emoji = emoji_called(named[1]) if named else ""
        if named and emoji:
            self.editor.put_instead(named.start(), emoji)

    def edit(self, name: str) -> None:
        """One of ``editor.EDITS``."""
        self.completion = None
        if not (name in _ROWS and self._by_row(_ROWS[name])):
            self._meant = (-1, 0)
            self.editor.do(name)
        self.changed()

    @property
    def choosing(self) -> bool:
        """Whether there are several candidates, one of which is in the text."""
        return self.completion is not None and len(self.completion.candidates) > 1

    def complete(self, step: int = 1) -> bool:
        """Complete what is before the cursor, each time with the candidate ``step`` further.

        :returns: whether there was one.
        """
        found = self.completion or self._look_up()
        if not found.candidates:
            return False
        found.place = (found.place + step) % len(found.candidates)
        word = found.candidates[found.place]
        self.editor.put_instead(found.start, word)
        found.shown = word
        self.completion = found
        self.changed()
        return True

    def begun(self) -> tuple[str, str]:
        """What is before the word at the cursor, and that word as far as it is written."""
        before = self.editor.text[: self.editor.cursor]
        start = max(map(before.rfind, " \n\u3000")) + 1
        # Chinese is written without spaces: a name or an emoji may follow it at once.
        mark = max(map(before.rfind, ":@\uff1a\uff20"))
        if mark > start and not before[mark - 1].isascii():
            start = mark
        return before[:start], before[start:]

    def _look_up(self) -> Completion:
        before, word = self.begun()
        return Completion(len(before), list(self._candidates(before, word)))

    def choices(self, columns: int) -> str:
        """The candidates in one line, with the one that is in the text in brackets."""
        found = self.completion
        if found is None or not self.choosing:
            return ""
        shown = []
        for place, each in enumerate(found.candidates):
            text = each.strip()
            shown.append(f"[{text}]" if place == found.place else text)
        line = "  ".join(shown)
        if width(line) > columns:
            line = "  ".join(shown[max(0, found.place - 1) :])
        return clip(line, columns, self.look.glyphs.ellipsis)


@lru_cache(maxsize=1024)
def _drawn(part: str, emoji: bool) -> str:
    """One character as it is drawn; a text in Chinese asks for each of its own at each key."""
    return clean_line(part, emoji)


@dataclass
class Paste:
    """Collects a bracketed paste, which urwid hands over key by key."""

    _parts: list[str] | None = field(default=None)

    def take(self, key: str) -> str | None:
        """Take one key.

        :returns: None when it is to be treated as a key; else the text of a finished paste, or
            empty while one is being collected.
        """
        if key == "begin paste":
            self._parts = []
            return ""
        if self._parts is None:
            return "" if key == "end paste" else None
        if key in PASTE_ENDS:
            text = "".join(self._parts)
            self._parts = None
            return text
        character = PASTED.get(key, key)
        if len(character) == 1 or is_character(character):
            self._parts.append(character)
        return ""
