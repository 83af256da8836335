"""Rows of coloured text become canvases of exactly the size asked for, whatever the text holds."""

from collections.abc import Hashable, Sequence

import urwid

from chat.client.text import JOINER, ascii_only, clip, width

__all__ = ["Row", "Run", "canvas", "exact", "plain"]

Run = tuple[Hashable, str]
"""A colour's name in the theme (None for the terminal's own), which a link may lie over, and
cleaned text."""

Row = Sequence[Run]


def plain(row: Row) -> str:
    """The text of a row."""
    return "".join(text for _, text in row)


def exact(row: Row, columns: int) -> Row:
    """``row`` in exactly ``columns`` columns: cut, or filled up in the colour of its last run.

    Runs that don't add up (a mark that joins across two of them) are redrawn in ASCII.
    """
    if columns <= 0:
        return ()
    text = plain(row)
    used = width(text)
    if not text.replace(JOINER, "").isprintable():
        # Whoever made this row forgot to clean it: nothing but printable text passes here.
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
) -> urwid.TextCanvas:
    """Draw ``rows`` from the top into ``columns`` by ``height``; what is missing is blank."""
    texts: list[bytes] = []
    attributes: list[list[tuple[Hashable, int]]] = []
    for row in rows[:height]:
        encoded = [(attribute, text.encode()) for attribute, text in exact(row, columns)]
        texts.append(b"".join(text for _, text in encoded))
        attributes.append([(attribute, len(text)) for attribute, text in encoded if text])
    blank = b" " * columns
    while len(texts) < height:
        texts.append(blank)
        attributes.append([(None, columns)] if columns else [])
    if cursor is not None and not (0 <= cursor[0] < columns and 0 <= cursor[1] < height):
        cursor = None
    return urwid.TextCanvas(texts, attributes, cursor=cursor, maxcol=columns, check_width=False)
