"""The popup with the results of a search."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from chat.client.errors import ClientError
from chat.client.text import acted, clip, graphemes, width
from chat.client.tui.found import Found
from chat.client.tui.panes.draw import Row, plain
from chat.client.tui.panes.popups import MOST_COLUMNS, Choice, Popup, narrowed
from chat.messages import Entry

if TYPE_CHECKING:
    from chat.client.tui.chat import Chat

__all__ = ["MORE", "SearchPopup", "excerpt"]

BEFORE = 3
"""Where a message is too long for its row, what was sought stands behind a third of it."""

LEAST_TEXT = 12
"""Columns of what was said, before which time, place and name give way on a narrow screen."""

MORE: Final = "more"
"""The value of the row that asks for older results."""

CHARACTERS = 10
"""More than are drawn in one column, marks and joiners included."""


def excerpt(text: str, sought: str, columns: int, ellipsis: str) -> Row:
    """As much of ``text`` as a row may have, so that what was sought is in it, and stands out: all
    of it, or the first of its words that is there."""
    wanted = (re.search(re.escape(each), text, re.IGNORECASE) for each in (sought, *sought.split()))
    start, end = next((found.span() for found in wanted if found), (0, 0))
    before, hit, after = text[:start], text[start:end], clip(text[end:], columns, ellipsis)
    if width(before + hit) + bool(after) > columns:
        before = ellipsis + _end(before, columns // BEFORE)
    whole = before + hit + after
    if width(whole) != width(before) + width(hit) + width(after):
        return [(None, whole)]  # what was sought is only a part of what is drawn as one
    return [(None, before), ("prompt", hit), (None, after)]


def _end(text: str, columns: int) -> str:
    """The last words of ``text`` that fit, or of a word longer than that its end."""
    kept: list[str] = []
    for part in reversed(list(graphemes(text[-CHARACTERS * columns :]))):
        columns -= width(part)
        if columns < 0:
            break
        kept.insert(0, part)
    end = "".join(kept)
    return end.partition(" ")[2] if " " in end.rstrip() else end


class SearchPopup(Popup):
    """Results to choose from; the last row asks for older ones.

    :param text: what was searched.
    :param title_of: what a conversation is called, None where there is only one.
    :param open_entry: called with what was chosen.
    :param redraw: called when the chat has brought something.
    """

    texts = True

    def __init__(
        self,
        chat: "Chat",
        found: Found,
        text: str,
        title_of: Callable[[str], str] | None,
        open_entry: Callable[[Entry], None],
        redraw: Callable[[], None],
    ) -> None:
        super().__init__(chat.look, "", self._rows, self._chosen)
        self._chat = chat
        self._found = found
        self._text = text
        self._title_of = title_of
        self._open = open_entry
        self._redraw = redraw

    def title(self) -> str:
        words = self.look.words
        if self._found.searching and not self._found.entries:
            return words("searching", text=self.look.line(self._text))
        key = "search-title-more" if self._found.more else "search-title"
        if self._found.here_only and not self._found.searching:
            key = "search-title-here"
        return words(key, n=len(self._found.entries), text=self.look.line(self._text))

    def go_on(self) -> None:
        """Look for a page more."""
        self._chat.spawn(self._go_on())

    async def _go_on(self) -> None:
        try:
            await self._found.look(self._came)
        except ClientError:
            if not self._found.entries:
                raise

    def _came(self) -> None:
        self.renew()
        self._redraw()

    def _rows(self, typed: str) -> Sequence[Choice]:
        rows = narrowed([self._hit(each) for each in self._found.entries], typed)
        if not self._found.more or self._found.searching:
            return rows
        return [*rows, Choice([("hint key", f" {self.look.words('search-older')}")], MORE)]

    def _hit(self, entry: Entry) -> Choice:
        look = self.look
        moment = look.when(entry.time)
        text = look.line(acted(entry.content))
        text = plain(excerpt(text, self._text, MOST_COLUMNS, look.glyphs.ellipsis))
        where = self._title_of(entry.conversation) if self._title_of is not None else ""
        who = self._chat.name_of(entry.user_id, entry.user_name)
        return Choice(
            [
                (None, " "),
                ("dim", f"{moment:%m-%d %H:%M} "),
                ("dim", f"{where} " if where else ""),
                (look.colour(entry.user_id), f"{who} "),
                (None, text),
            ],
            entry,
        )

    def item_row(self, item: object, columns: int) -> Row:
        assert isinstance(item, Choice)
        if isinstance(item.value, Entry):
            *lead, (_, text) = item.row
            while len(lead) > 1 and columns - width(plain(lead)) < LEAST_TEXT:
                del lead[1]
            room = columns - width(plain(lead))
            item = Choice([*lead, *excerpt(text, self._text, room, self.look.glyphs.ellipsis)])
        return super().item_row(item, columns)

    def _chosen(self, value: object) -> None:
        if value == MORE:
            self.go_on()
        elif isinstance(value, Entry):
            self._open(value)
