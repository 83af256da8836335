"""Rows of coloured text become canvases of exactly the requested size, whatever the text holds."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Literal

import urwid

from chat.client.text import ascii_only, clip, graphemes, is_printable, width

__all__ = ["Drawn", "Row", "Run", "canvas", "exact", "joined", "overlaid", "plain", "shortened",
           "stacked"]  # fmt: skip

Run = tuple[Hashable, str]
"""A colour's name in the theme (None for the terminal's own), which a link may lie over, and
cleaned text."""

Row = Sequence[Run]


def plain(row: Row) -> str:
    """The text of a row."""
    return "".join(text for _, text in row)


def shortened(row: Row, columns: int, ellipsis: str) -> Row:
    """``row``, cut so that ``ellipsis`` fits behind it, to show that it is cut."""
    if width(plain(row)) <= columns:
        return row
    return [*_cut(row, max(0, columns - width(ellipsis))), (None, ellipsis)]


def exact(row: Row, columns: int) -> Row:
    """``row`` in exactly ``columns`` columns: cut, or filled up in the colour of its last run.

    Runs that don't add up, because a mark joins across two of them, are redrawn in ASCII.
    """
    if columns <= 0:
        return ()
    text = plain(row)
    used = width(text)
    if not is_printable(text):
        # This row was not cleaned: nothing but printable text passes here.
        row = [(attribute, ascii_only(each)) for attribute, each in row]
        used = sum(len(each) for _, each in row)
    elif not text.isascii() and used != sum(width(each) for _, each in row):
        row = [(attribute, ascii_only(each)) for attribute, each in row]
        used = sum(len(each) for _, each in row)
    if used > columns:
        row = _cut(row, columns)
        used = width(plain(row))
    if used < columns:
        row = [*row, (row[-1][0] if row else None, " " * (columns - used))]
    if width(plain(row)) == columns:
        return row
    return [(None, ascii_only(plain(row))[:columns].ljust(columns))]


def _cut(row: Row, columns: int) -> Row:
    kept: list[Run] = []
    for attribute, text in row:
        size = width(text)
        if size > columns:
            kept.append((attribute, clip(text, columns, "")))
            break
        kept.append((attribute, text))
        columns -= size
    return kept


def canvas(
    rows: Sequence[Row], columns: int, height: int, cursor: tuple[int, int] | None = None
) -> "Drawn":
    """Draw ``rows`` from the top into ``columns`` by ``height``; missing rows are blank."""
    lines = [exact(row, columns) for row in rows[:height]]
    lines += [exact((), columns)] * (height - len(lines))
    if cursor is not None and not (0 <= cursor[0] < columns and 0 <= cursor[1] < height):
        cursor = None
    return Drawn(lines, columns, cursor)


class Drawn(urwid.Canvas):
    """A canvas of rows. Put together of others it has their rows, and nobody looks into those:
    what stays as it was from one key to the next is the same object, and known to be the same.

    :ivar lines: its rows, each of exactly as many columns as it has.
    :param parts: of what it is made. urwid keeps canvases only as long as somebody else does.
    """

    def __init__(
        self,
        lines: Sequence[Row],
        columns: int,
        cursor: tuple[int, int] | None = None,
        parts: Sequence["Drawn"] = (),
    ) -> None:
        super().__init__()
        self.lines = lines
        self.parts = tuple(parts)
        self.cacheable = not parts
        self._columns = columns
        self.set_cursor(cursor)

    def cols(self) -> int:
        return self._columns

    def rows(self) -> int:
        return len(self.lines)

    def content(
        self, *trimmed: object, **more: object
    ) -> Iterator[list[tuple[Hashable, Literal["0", "U"] | None, bytes]]]:
        """As urwid has it; always of the whole canvas."""
        for row in self.lines:
            yield [(attribute, None, text.encode()) for attribute, text in row]


def stacked(parts: Sequence[Drawn]) -> Drawn:
    """Canvases below one another; the cursor is that of the one that has it."""
    lines = [row for part in parts for row in part.lines]
    cursor, above = None, 0
    for part in parts:
        if part.cursor is not None:
            cursor = (part.cursor[0], part.cursor[1] + above)
        above += part.rows()
    return Drawn(lines, parts[0].cols(), cursor, parts)


def joined(parts: Sequence[Drawn]) -> Drawn:
    """Canvases of one height beside one another, without a cursor."""
    rows = zip(*(part.lines for part in parts), strict=True)
    lines = [[run for row in each for run in row] for each in rows]
    return Drawn(lines, sum(part.cols() for part in parts), None, parts)


def overlaid(over: Drawn, under: Drawn, left: int, top: int) -> Drawn:
    """``over`` on top of ``under``, without a cursor."""
    columns = under.cols()
    right = left + over.cols()
    lines = list(under.lines)
    for number, row in enumerate(over.lines, top):
        before, after = exact(lines[number], left), _behind(lines[number], right)
        lines[number] = [*before, *row, *exact(after, columns - right)]
    return Drawn(lines, columns, None, (over, under))


def _behind(row: Row, columns: int) -> Row:
    """What of ``row`` is behind its first ``columns``; half of a wide character is blank."""
    kept: list[Run] = []
    for attribute, part in ((attribute, each) for attribute, run in row for each in graphemes(run)):
        if columns <= 0:
            kept.append((attribute, part))
        else:
            columns -= width(part)
            if columns < 0:
                kept.append((attribute, " "))
    return kept
