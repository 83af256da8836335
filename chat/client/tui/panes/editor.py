"""The text being written: a cursor, words, a kill ring, undo and history, without a screen."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import wcwidth

from chat.client.text import MARK_CATEGORIES, WIDE_SPACE, clean, graphemes, width

__all__ = ["EDITS", "Editor"]

UNDO_STEPS = 200
KILLS = 20
HISTORY = 500
"""How far back one can go; each is far more than anybody does."""


@dataclass
class Editor:
    """A text and a cursor in it, an index into ``text`` that is never inside a character.

    :ivar raw: what is typed is not cleaned, only kept in one line: for passwords.
    """

    text: str = ""
    cursor: int = 0
    history: list[str] = field(default_factory=list)
    raw: bool = False
    _place: int | None = None
    _kept: str = ""
    _undo: list[tuple[str, int]] = field(default_factory=list)
    _redo: list[tuple[str, int]] = field(default_factory=list)
    _typing: bool = False
    _kills: list[str] = field(default_factory=list)
    _yanked: tuple[int, int] | None = None

    # Changing

    def insert(self, text: str) -> None:
        """Put cleaned ``text`` at the cursor. A mark is joined to the letter before it, since Thai,
        Hindi and others are typed one after the other."""
        marks = text and unicodedata.category(text[0]) in MARK_CATEGORIES
        start = self._before(self.cursor) if marks else self.cursor
        letter = self.text[start : self.cursor]
        text = self._cleaned(letter + text)
        if text == letter:
            return
        typing = len(text) <= len(letter) + 1 and not text[-1].isspace()
        self._change(
            self.text[:start] + text + self.text[self.cursor :],
            start + len(text),
            joined=typing and self._typing,
        )
        self._typing = typing

    def replace(self, text: str) -> None:
        """Replace the text by ``text``, with the cursor at its end."""
        text = self._cleaned(text)
        self._change(text, len(text))

    def put_instead(self, start: int, text: str) -> None:
        """Replace what is between ``start`` and the cursor by ``text``."""
        self._change(self.text[:start] + text + self.text[self.cursor :], start + len(text))
        self._typing = False

    def _cleaned(self, text: str) -> str:
        if self.raw:
            return text.replace("\n", "")
        # A wide space, shown as two narrow ones, is sent as it was typed.
        return WIDE_SPACE.join(clean(part, emoji=True) for part in text.split(WIDE_SPACE))

    def take(self) -> str:
        """Return the text and clear the editor; the text goes into the history."""
        text = self.text
        self._remember()
        self.load("")
        return text

    def put_aside(self, text: str) -> None:
        """Replace the text by ``text``; what was there goes into the history."""
        self._remember()
        self.replace(text)

    def _remember(self) -> None:
        if self.text.strip() and self.history[-1:] != [self.text]:
            self.history.append(self.text)
            del self.history[:-HISTORY]

    def load(self, text: str) -> None:
        """Start afresh with ``text``, as after switching to another conversation."""
        self.text = self._cleaned(text)
        self.cursor = len(self.text)
        self._place, self._kept = None, ""
        self._undo.clear()
        self._redo.clear()
        self._typing = False

    def do(self, edit: str) -> bool:
        """Carry out one of ``EDITS``.

        :returns: whether there was anything to do.
        """
        before = (self.text, self.cursor)
        yanked = self._yanked
        EDITS[edit](self)
        self._typing = False
        if self._yanked == yanked:
            self._yanked = None
        return before != (self.text, self.cursor)

    def _change(self, text: str, cursor: int, joined: bool = False) -> None:
        if not joined:
            self._undo.append((self.text, self.cursor))
            del self._undo[:-UNDO_STEPS]
        self._redo.clear()
        self.text, self.cursor = text, min(cursor, len(text))
        self._yanked = None

    def _kill(self, start: int, end: int) -> None:
        if start < end:
            self._kills.append(self.text[start:end])
            del self._kills[:-KILLS]
            self._change(self.text[:start] + self.text[end:], start)

    # Moving

    def go(self, place: int) -> None:
        """Put the cursor at ``place``, where a character begins or the text ends."""
        self.cursor = place
        self._typing, self._yanked = False, None

    @property
    def recalled(self) -> bool:
        """Whether the text is an older one, as it was brought back."""
        older = self._place is not None and self.text == self.history[self._place]
        return older and self.cursor == len(self.text)

    def _before(self, place: int) -> int:
        return wcwidth.grapheme_boundary_before(self.text, place) if place > 0 else 0

    def _after(self, place: int) -> int:
        part = next(graphemes(self.text[place : place + 64]), "")
        return place + len(part)

    def _word_before(self, place: int) -> int:
        while place > 0 and not self.text[place - 1].isalnum():
            place -= 1
        while place > 0 and self.text[place - 1].isalnum():
            place -= 1
        return place

    def _word_after(self, place: int) -> int:
        while place < len(self.text) and not self.text[place].isalnum():
            place += 1
        while place < len(self.text) and self.text[place].isalnum():
            place += 1
        return place

    def _space_before(self, place: int) -> int:
        while place > 0 and self.text[place - 1].isspace():
            place -= 1
        while place > 0 and not self.text[place - 1].isspace():
            place -= 1
        return place

    def _line_start(self, place: int) -> int:
        return self.text.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        found = self.text.find("\n", place)
        return len(self.text) if found < 0 else found

    # The edits, by the names that the table of keys uses

    def left(self) -> None:
        self.cursor = self._before(self.cursor)

    def right(self) -> None:
        self.cursor = self._after(self.cursor)

    def word_left(self) -> None:
        self.cursor = self._word_before(self.cursor)

    def word_right(self) -> None:
        self.cursor = self._word_after(self.cursor)

    def line_start(self) -> None:
        self.cursor = self._line_start(self.cursor)

    def line_end(self) -> None:
        self.cursor = self._line_end(self.cursor)

    def backspace(self) -> None:
        start = self._before(self.cursor)
        if start < self.cursor:
            self._change(self.text[:start] + self.text[self.cursor :], start)

    def delete(self) -> None:
        end = self._after(self.cursor)
        if end > self.cursor:
            self._change(self.text[: self.cursor] + self.text[end:], self.cursor)

    def newline(self) -> None:
        self.insert("\n")

    def kill_end(self) -> None:
        end = self._line_end(self.cursor)
        self._kill(self.cursor, max(end, self.cursor + (self.text[end : end + 1] == "\n")))

    def kill_start(self) -> None:
        self._kill(self._line_start(self.cursor), self.cursor)

    def kill_word(self) -> None:
        self._kill(self.cursor, self._word_after(self.cursor))

    def kill_word_back(self) -> None:
        self._kill(self._word_before(self.cursor), self.cursor)

    def kill_space_back(self) -> None:
        self._kill(self._space_before(self.cursor), self.cursor)

    def yank(self) -> None:
        if self._kills:
            start, text = self.cursor, self._kills[-1]
            self._change(self.text[:start] + text + self.text[start:], start + len(text))
            self._yanked = (start, start + len(text))

    def yank_older(self) -> None:
        if self._yanked is not None and self._kills:
            start, end = self._yanked
            self._kills.insert(0, self._kills.pop())
            text = self._kills[-1]
            self._change(self.text[:start] + text + self.text[end:], start + len(text))
            self._yanked = (start, start + len(text))

    def swap(self) -> None:
        middle = self.cursor if self.cursor < len(self.text) else self._before(self.cursor)
        start, end = self._before(middle), self._after(middle)
        if start < middle < end:
            text = self.text
            swapped = text[middle:end] + text[start:middle]
            self._change(text[:start] + swapped + text[end:], end)

    def undo(self) -> None:
        if self._undo:
            self._redo.append((self.text, self.cursor))
            self.text, self.cursor = self._undo.pop()

    def redo(self) -> None:
        if self._redo:
            self._undo.append((self.text, self.cursor))
            self.text, self.cursor = self._redo.pop()

    def clear(self) -> None:
        if self.text:
            self._change("", 0)

    def up(self) -> None:
        """An older text of the history."""
        self._browse(-1)

    def down(self) -> None:
        """A newer one; what was begun is the newest."""
        self._browse(1)

    def _browse(self, step: int) -> None:
        place = len(self.history) if self._place is None else self._place
        target = place + step
        if not 0 <= target <= len(self.history):
            return
        if self._place is None:
            self._kept = self.text
        unsent = target == len(self.history)
        text = self._kept if unsent else self.history[target]
        self._change(text, len(text))
        self._place = None if unsent else target

    # Drawing

    def rows(self, columns: int, show: Callable[[str], str]) -> tuple[list[str], int, int]:
        """The text in rows of at most ``columns``, and the cursor's column and row.

        :param show: how one character is drawn.
        """
        rows: list[list[str]] = []
        at = 0, 0
        for place, shown, column, row in self._laid(columns, show):
            if row == len(rows):
                rows.append([])
            rows[row].append(shown)
            if place <= self.cursor:
                at = column, row
        return ["".join(each) for each in rows], *at

    def place_at(self, column: int, row: int, columns: int, show: Callable[[str], str]) -> int:
        """Where in the text the character stands that is drawn there, or the last before it."""
        laid = self._laid(columns, show)
        return max(place for place, _, at, on in laid if (on, at) <= (row, column))

    def _laid(
        self, columns: int, show: Callable[[str], str]
    ) -> Iterator[tuple[int, str, int, int]]:
        """Each character: where it stands in the text, how it is drawn, in which column and row;
        behind them the end of the text, as if it were one."""
        columns = max(2, columns)
        place = column = row = 0
        for part in graphemes(self.text):
            if part == "\n":
                yield place, "", min(column, columns - 1), row
                column, row = 0, row + 1
            else:
                shown = show(part)
                size = width(shown)
                if not 0 < size <= columns:
                    shown, size = "?", 1
                if column + size > columns:
                    column, row = 0, row + 1
                yield place, shown, column, row
                column += size
            place += len(part)
        if column >= columns:
            # Only for the cursor: otherwise a full row needs no empty one below it.
            column, row = (0, row + 1) if self.cursor >= place else (columns - 1, row)
        yield place, "", column, row


EDITS: dict[str, Callable[[Editor], None]] = {
    name: getattr(Editor, name)
    for name in (
        "left", "right", "word_left", "word_right", "line_start", "line_end", "backspace",
        "delete", "newline", "kill_end", "kill_start", "kill_word", "kill_word_back",
        "kill_space_back", "yank", "yank_older", "swap", "undo", "redo", "clear", "up", "down",
    )
}  # fmt: skip
"""What a key can do to the text, by the name that the table of keys uses."""
