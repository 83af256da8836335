"""What every pane has: a title, rows of exactly its size, and a guard around them."""

from collections.abc import Sequence

import urwid

from chat.client.text import clip, width
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Drawn, Row, canvas, plain
from chat.names import canonical_user_name

__all__ = ["ListPane", "Pane", "meant", "painted"]


class Pane(urwid.Widget):
    """A box that draws itself from rows. A row that can't be made never takes the screen down."""

    _sizing = frozenset([urwid.BOX])
    _selectable = True

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def title(self) -> str:
        """The text of the first row; empty for a pane without a title."""
        return ""

    def aside(self, role: str) -> Row:
        """The text at the end of the title, with its colour; asked after ``rows_of``."""
        return ()

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        """The rows below the title, at most ``height``."""
        raise NotImplementedError

    def place(self, columns: int, height: int) -> tuple[int, int] | None:
        """Where the cursor is, counted from the row below the title; None for no cursor."""
        return None

    def changed(self) -> None:
        """Draw anew the next time."""
        self._invalidate()

    def render(self, size: tuple[int, int], focus: bool = False) -> Drawn:  # type: ignore[override]  # always a box
        columns, height = size
        try:
            rows = list(self._titled(columns, height, focus))
            cursor = self.place(columns, height - self._head()) if focus else None
        except Exception:
            _log_failure("a pane could not draw itself")
            rows, cursor = [[("error", self.look.words("undrawn"))]], None
        if cursor is not None:
            cursor = (cursor[0], cursor[1] + self._head())
        return canvas(rows, columns, height, cursor)

    def _head(self) -> int:
        return 1 if self.title() else 0

    def _titled(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        title = self.title()
        if not title:
            return self.rows_of(columns, height, focus)
        rows = self.rows_of(columns, height - 1, focus)
        role = "title focus" if focus else "title"
        aside = self.aside(role)
        room = max(0, columns - width(plain(aside)))
        text = clip(f" {title}", room, self.look.glyphs.ellipsis)
        return [[(role, text + " " * (room - width(text))), *aside], *rows]

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]  # always a box
        return key


class ListPane(Pane):
    """A pane whose rows can be chosen among, and narrowed by typing."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.selected = 0
        self.top = 0
        self.filter = ""
        self._shown = 1

    def items(self) -> Sequence[object]:
        """What can be chosen, as narrowed by ``filter``."""
        raise NotImplementedError

    def item_row(self, item: object, columns: int) -> Row:
        """The row for one of ``items``."""
        raise NotImplementedError

    def chosen(self) -> object | None:
        """The selected item, None when there is nothing."""
        items = self.items()
        return items[min(self.selected, len(items) - 1)] if items else None

    def select(self, place: int) -> None:
        """Select the item at ``place``, or the nearest one."""
        self.selected = max(0, min(place, len(self.items()) - 1))
        self.changed()

    def move(self, step: int) -> None:
        self.select(min(self.selected, max(0, len(self.items()) - 1)) + step)

    def page(self, direction: int) -> None:
        self.move(direction * max(1, self._shown - 1))

    def type(self, character: str) -> None:
        """Narrow the list by one more character."""
        self.filter += character
        self.selected = 0
        self.changed()

    def unfilter(self, all_of_it: bool = False) -> bool:
        """Take back what narrows the list.

        :returns: whether there was something.
        """
        if not self.filter:
            return False
        self.filter = "" if all_of_it else self.filter[:-1]
        self.select(self.selected)
        return True

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        items = self.items()
        head: list[Row] = [[("prompt", "/"), ("field", self.filter)]] if self.filter else []
        self._shown = room = max(0, height - len(head))
        self.selected = max(0, min(self.selected, len(items) - 1))
        self.top = max(0, min(self.top, self.selected, len(items) - room))
        self.top = max(self.top, self.selected - room + 1, 0)
        rows = head
        for place, item in enumerate(items[self.top : self.top + room], self.top):
            row = self._guarded(item, columns)
            if focus and place == self.selected:
                row = painted(row, "selected", columns)
            rows.append(row)
        return rows

    def _guarded(self, item: object, columns: int) -> Row:
        try:
            return self.item_row(item, columns)
        except Exception:
            _log_failure("a row could not be drawn")
            return [("error", "?")]

    def item_at(self, row: int) -> int:
        """The place of the item that row ``row``, counted below the title, shows."""
        return self.top + row - (1 if self.filter else 0)


def meant(typed: str) -> str:
    """``typed`` in small and narrow letters, as it is to be found: an input method for Chinese can
    write them all wide, and an enumeration comma for the slash of a command."""
    narrow = canonical_user_name(typed)
    return f"/{narrow[1:]}" if narrow.startswith("\u3001") else narrow


def painted(row: Row, role: str, columns: int) -> Row:
    """The text of ``row`` in one colour, up to the edge."""
    text = plain(row)
    return [(role, text + " " * max(0, columns - width(text)))]


def _log_failure(what: str) -> None:
    from twisted.logger import Logger  # the first screen is drawn before Twisted is loaded

    Logger(__name__).failure(what)
