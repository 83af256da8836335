"""What lies over the screen for a while: lists to choose from, help, questions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chat.client.text import clip, fold, pad, width
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row, Run, plain, shortened
from chat.client.tui.panes.pane import ListPane, meant

__all__ = [
    "FRAME_COLUMNS",
    "FRAME_FROM",
    "MOST_COLUMNS",
    "Choice",
    "Popup",
    "in_columns",
    "narrowed",
    "room",
    "told",
]

FRAME_FROM = (60, 14)
"""Columns and rows below which a popup takes the whole screen."""

FRAME_COLUMNS = 6
"""What it leaves free on a larger one, its frame included."""

MOST_COLUMNS = 90

NAME_COLUMNS = 24
"""Most columns of the names in a list; what is longer stands out of it."""


@dataclass(frozen=True)
class Choice:
    """One row of a popup. ``value`` None: it only informs. ``find``: what typing searches."""

    row: Row
    value: object = None
    find: str = ""


class Popup(ListPane):
    """A titled box of choices, narrowed by typing.

    :param choices: given what was typed, what there is.
    :param choose: called with the value of the row that is chosen.
    :param least: columns that it has at the least, if the screen has.
    :cvar texts: whether the rows are what people wrote.
    """

    texts = False

    def __init__(
        self,
        look: Look,
        title: str,
        choices: Callable[[str], Sequence[Choice]],
        choose: Callable[[object], None],
        least: int = 44,
    ) -> None:
        super().__init__(look)
        self._title = title
        self._choices = choices
        self.choose = choose
        self._least = least
        self._known: tuple[str, Sequence[Choice]] | None = None
        self._wanted: tuple[int, int] | None = None

    def title(self) -> str:
        return self._title

    def items(self) -> Sequence[Choice]:
        if self._known is None or self._known[0] != self.filter:
            self._known = (self.filter, self._choices(self.filter))
        return self._known[1]

    def renew(self) -> None:
        """There are other choices now."""
        self._known = self._wanted = None
        self.changed()

    def item_row(self, item: object, columns: int) -> Row:
        assert isinstance(item, Choice)
        return shortened(item.row, columns, self.look.glyphs.ellipsis)

    def size(self, columns: int, rows: int) -> tuple[int, int]:
        """How large the popup is on a screen of this size; what is typed does not change it."""
        if self._wanted is None:
            choices = self._choices("")
            widest = max([width(plain(each.row)) for each in choices] + [width(self._title) + 2])
            wide = min(max(self._least, widest + 1), MOST_COLUMNS)
            self._wanted = wide, max(3, len(choices) + 2)
        return min(columns, self._wanted[0]), min(rows, self._wanted[1])

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        rows = list(super().rows_of(columns, height, focus))
        if not self.items():
            rows.append([("dim", clip(f" {self.look.words('nothing-found')}", columns))])
        return rows


def narrowed(choices: Sequence[Choice], typed: str) -> Sequence[Choice]:
    """Those of ``choices`` that contain every word typed, or meant by it."""
    words = [(word, meant(word)) for word in typed.casefold().split()]
    folded = [((each.find or plain(each.row)).casefold(), each) for each in choices]
    return [
        each
        for text, each in folded
        if all(word in text or narrow in text for word, narrow in words)
    ]


def in_columns(
    rows: Sequence[tuple[str, str, object]], columns: int, least: int = 0
) -> list[Choice]:
    """Choices, each a name, what there is to say of it, and a value; the second below one another.

    :param columns: of the screen; :param least: of the names, where a third of those is enough.
    """
    widest = max((width(name) for name, _, _ in rows), default=0)
    column = min(max(least, widest), NAME_COLUMNS, columns // 3)
    return [
        Choice([(None, f" {pad(name, column) if about else name}  "), ("dim", about)], value)
        for name, about, value in rows
    ]


def room(columns: int) -> int:
    """How many columns a popup may have on a screen of so many."""
    return min(columns - FRAME_COLUMNS if columns >= FRAME_FROM[0] else columns, MOST_COLUMNS)


def told(lead: Run, run: Run, columns: int) -> Iterator[Choice]:
    """``run`` behind ``lead`` in as many rows as it takes in ``columns``, which only inform; in one
    where there are no columns."""
    role, text = run
    indent = width(lead[1])
    lines = fold(text, columns - indent) if columns > indent else [text]
    for line in lines:
        yield Choice([lead, (role, line)])
        lead = (None, " " * indent)
