"""What to write so that a terminal shows the next frame: the changed cells, and scrolling."""

import operator
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from itertools import chain

from chat.client.text import JOINER, graphemes, is_printable, width
from chat.client.tui.terminal.pen import PLAIN, Brush, Pen, pen_of

__all__ = ["Painter"]

GAP = 4
"""Unchanged columns that are written again rather than jumped over: a jump takes as many bytes."""

ERASED = 12
"""Blank columns from which on erasing them, and moving on, is shorter than writing spaces."""

SCROLLED = 3
"""Rows that must have moved alike, for scrolling to be tried."""

PENS = 4_096
"""Attributes whose pens are remembered: each link is one."""

HIDDEN_FROM = 200
"""Characters of a frame from which on the cursor is hidden meanwhile, lest it be seen running."""

# Every terminal draws these one or two columns wide as Unicode has it, and each by itself: Latin,
# Greek, Cyrillic, punctuation, arrows, lines, our signs, kana, Chinese, Hangul, full width.
_UNSURE = re.compile(
    "[^\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u058f\u1e00-\u1fff\u2010-\u2027"
    "\u2030-\u205e\u20a0-\u20bf\u2190-\u2199\u2500-\u25ff\u2713\u2717\u3001-\u3029\u3030-\u3098"
    "\u309b-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uffdc\ufffd]"
)

_SPELT = str.maketrans("…↑↓←→×·•–—‘’“”", "~^v<>x.*--''\"\"")
"""Signs, each of one column, and what stands for them in ASCII."""

_DIFFERENT = re.compile(rb"\x01+(?:\x00{1,%d}\x01+)*" % GAP)
"""Columns that differ, marked by a 1, and what is written again between them."""

_HALF = "\0"
"""Stands in a line's text for the second column of a wide character."""


class _Line:
    """One row of a frame: a character and a pen for each column. Both are empty where terminals may
    disagree about the width of some character."""

    __slots__ = ("blank_from", "key", "pens", "row", "runs", "text")

    def __init__(self, row: object, runs: Sequence[tuple[Pen, str]]) -> None:
        self.row = row
        self.runs = runs
        self.text = ""
        self.pens: list[Pen] = []
        self.blank_from = 0
        self.key = max((text for _, text in runs), key=lambda text: len(text.strip()), default="")
        if not any(_UNSURE.search(text) for _, text in runs):
            self._spread()

    def _spread(self) -> None:
        parts: list[str] = []
        for pen, text in self.runs:
            if not text.isascii():
                text = "".join(map(_cells, text))
            parts.append(text)
            blank = pen.blank
            if blank is pen or " " not in text:
                self.pens += [pen] * len(text)
            else:
                # The text colour of a space is not seen.
                self.pens += [blank if each == " " else pen for each in text]
        self.text = "".join(parts)
        at = len(self.text)
        while at and self.text[at - 1] == " " and self.pens[at - 1] is PLAIN:
            at -= 1
        self.blank_from = at


@lru_cache(maxsize=4096)
def _cells(character: str) -> str:
    """The cells of a character in a line's text; kept, since a text in Chinese asks for many at
    each key."""
    return character + _HALF if width(character) == 2 else character


class Painter:
    """Remembers what the terminal shows.

    :param style: the escape sequence that makes a terminal draw with an attribute of a canvas.
    :param ascii: the terminal has no signs but those of ASCII: what has one like it is drawn so.
    """

    def __init__(self, style: Callable[[Hashable], str], ascii: bool = False) -> None:
        self._style = style
        self._ascii = ascii
        self._pens: dict[Hashable, Pen] = {None: PLAIN}
        self._shown: list[_Line] = []
        self._columns = 0
        self._brush = Brush()

    def forget(self) -> None:
        """The terminal may show anything, or attributes are drawn differently from now on."""
        self._shown = []
        self._pens.clear()

    def paint(
        self,
        rows: Sequence[Sequence[tuple[Hashable, str]]],
        columns: int,
        cursor: tuple[int, int] | None,
    ) -> str:
        """What turns the terminal's present picture into ``rows``, each of exactly ``columns``.

        :param rows: attributes and printable text.
        :param cursor: column and row, None for none.
        """
        start = ""
        if len(self._shown) != len(rows) or self._columns != columns:
            start = self._brush.clear()
            self._columns = columns
            self._shown = [_Line(None, [(PLAIN, " " * columns)])] * len(rows)
        lines = [
            shown if row is shown.row else self._line(row, shown)
            for row, shown in zip(rows, self._shown, strict=True)
        ]
        painted, after = self._cheaper(lines)
        self._brush, self._shown = after, lines
        hidden = after.show(False) if len(painted) >= HIDDEN_FROM else ""
        return start + hidden + painted + after.point(cursor) + after.show(cursor is not None)

    def _line(self, row: Sequence[tuple[Hashable, str]], shown: _Line) -> _Line:
        runs = [(self._pen(attribute), _safe(text)) for attribute, text in row if text]
        if self._ascii:
            runs = [(pen, text.translate(_SPELT)) for pen, text in runs]
        if shown.runs != runs:
            return _Line(row, runs)
        shown.row = row
        return shown

    def _pen(self, attribute: Hashable) -> Pen:
        found = self._pens.get(attribute)
        if found is None:
            if len(self._pens) >= PENS:
                self._pens.clear()
            found = self._pens[attribute] = pen_of(self._style(attribute))
        return found

    # Scrolling

    def _cheaper(self, lines: list[_Line]) -> tuple[str, Brush]:
        """Write what differs, or scroll first: whichever takes fewer bytes."""
        brush = self._brush.copy()
        painted = _differences(self._shown, lines, brush)
        moved = _moved(self._shown, lines)
        if moved is None:
            return painted, brush
        top, bottom, by = moved
        other = self._brush.copy()
        shown = self._scrolled(top, bottom, by)
        scrolled = other.scroll(top, bottom, by, len(lines)) + _differences(shown, lines, other)
        return (scrolled, other) if len(scrolled) < len(painted) else (painted, brush)

    def _scrolled(self, top: int, bottom: int, by: int) -> list[_Line]:
        """What the terminal shows after rows ``top`` to ``bottom`` have been scrolled up by
        ``by``."""
        shown = self._shown
        empty = [_Line(None, [(PLAIN, " " * self._columns)])] * abs(by)
        inside = shown[top : bottom + 1]
        inside = [*inside[by:], *empty] if by > 0 else [*empty, *inside[:by]]
        return [*shown[:top], *inside, *shown[bottom + 1 :]]


def _moved(shown: Sequence[_Line], lines: Sequence[_Line]) -> tuple[int, int, int] | None:
    """The rows, first and last, that seem to have moved up, and by how many (negative for down)."""
    changed = [at for at, line in enumerate(lines) if line is not shown[at]]
    if len(changed) < SCROLLED:
        return None
    before = {shown[at].key: at for at in range(len(shown)) if not shown[at].key.isspace()}
    pairs = [(at, before[lines[at].key]) for at in changed if lines[at].key in before]
    votes = Counter(old - new for new, old in pairs if old != new)
    if not votes:
        return None
    by, count = votes.most_common(1)[0]
    if count < SCROLLED:
        return None
    rows = [each for new, old in pairs if old - new == by for each in (new, old)]
    return min(rows), max(rows), by


def _safe(text: str) -> str:
    """``text`` without control characters. Rows are made clean; this is for a mistake."""
    if is_printable(text):
        return text
    return "".join(each if each.isprintable() or each == JOINER else "?" for each in text)


# Writing what differs -----------------------------------------------------------------------------


def _differences(shown: Sequence[_Line], lines: Sequence[_Line], brush: Brush) -> str:
    out: list[str] = []
    for row, (old, new) in enumerate(zip(shown, lines, strict=True)):
        if old is new or old.runs == new.runs:
            continue
        if not new.text:
            _whole(new, row, brush, out)
        elif not old.text:
            _span(new, 0, len(new.text), row, brush, out)
        else:
            for start, end in _spans(old, new):
                _span(new, start, end, row, brush, out)
    return "".join(out)


def _spans(old: _Line, new: _Line) -> list[tuple[int, int]]:
    """The columns that differ, close ones joined."""
    letters = map(operator.ne, old.text, new.text)
    pens = map(operator.is_not, old.pens, new.pens)
    return [each.span() for each in _DIFFERENT.finditer(bytes(map(operator.or_, letters, pens)))]


def _span(line: _Line, start: int, end: int, row: int, brush: Brush, out: list[str]) -> None:
    """Write columns ``start`` to ``end`` of a line that every terminal draws alike."""
    columns = len(line.text)
    stop = min(end, line.blank_from) if columns - line.blank_from >= ERASED // 2 else end
    while start > 0 and line.text[start] == _HALF:
        start -= 1
    at = start
    while at < stop:
        pen = line.pens[at]
        until = at
        while until < stop and line.pens[until] is pen:
            until += 1
        text = line.text[at:until]
        if pen is PLAIN and len(text) >= ERASED and text.isspace():
            out.append(brush.erase(at, row, len(text)))
        else:
            out.append(brush.write(at, row, pen, text.replace(_HALF, ""), len(text), columns))
        at = until
    if stop < end:
        out.append(brush.erase_line(max(start, stop), row))


def _whole(line: _Line, row: int, brush: Brush, out: list[str]) -> None:
    """Write a line with characters that may be drawn wider or narrower than they should.

    After each of these the cursor is positioned anew, so that only the character itself is drawn
    wrong.
    """
    at = 0
    columns = sum(width(text) for _, text in line.runs)
    parts = chain.from_iterable(
        ((pen, each) for each in _sure_parts(text)) for pen, text in line.runs
    )
    for pen, text in parts:
        size = width(text)
        out.append(brush.write(at, row, pen, text, size, columns))
        at += size
        if _UNSURE.search(text):
            brush.lost()


def _sure_parts(text: str) -> list[str]:
    """``text``, cut after every part about which terminals disagree."""
    parts: list[str] = []
    sure = ""
    for each in graphemes(text):
        sure += each
        if _UNSURE.search(each):
            parts.append(sure)
            sure = ""
    return [*parts, sure] if sure else parts
