"""Marks links for the terminal (OSC 8), across all the rows that a link is wrapped over."""

import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import urwid

from chat.client.links import Link, find_links
from chat.client.tui.panes.draw import Run

__all__ = ["marked"]


def marked(text: str, lines: Sequence[str], role: str | None) -> list[Sequence[Run]]:
    """The rows that ``text`` was folded into, as runs in which links are marked.

    :param role: the colour of what is not a link.
    """
    links = list(find_links(text))
    rows: list[Sequence[Run]] = []
    place = 0
    for line in lines:
        found = text.find(line, place) if links else -1
        if found < 0:
            # The row isn't literally in the text: a character too wide for it was replaced.
            rows.append([(role, line)])
            continue
        place = found + len(line)
        rows.append(list(_runs(line, found, links, role)))
    return rows


def _runs(line: str, start: int, links: Sequence[Link], role: str | None) -> Iterator[Run]:
    done = 0
    for link in links:
        first, last = max(link.start - start, done), min(link.end - start, len(line))
        if first < last:
            if done < first:
                yield role, line[done:first]
            yield _attribute(link.target), line[first:last]
            done = last
    # Even if it is empty: a row is filled up in the colour that it ends with.
    yield role, line[done:]


@lru_cache(maxsize=1024)
def _attribute(target: str) -> urwid.LayeredAttr:
    """The colour of links, with the target of this one; the terminal treats its parts as one
    link."""
    link = urwid.Hyperlink(target, id=f"{zlib.crc32(target.encode()):x}")
    return urwid.LayeredAttr(urwid.AttrSpec("inherit", "inherit", hyperlink=link), "link")
