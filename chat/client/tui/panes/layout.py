"""Which panes there are at which window size, as one pure function."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["Layout", "Pane", "arrange"]

WIDE = 100
"""Columns from which on three panes stand beside one another."""

MIDDLE = 60
"""Columns from which on two do."""

SMALLEST = (20, 6)
"""Columns and rows below which nothing useful can be shown."""

HINTS_FROM = 14
"""Rows from which on the last one is given to hints."""

COMPOSER_ROWS = 8
"""Most rows that the composer grows to."""


class Pane(Enum):
    """What can have the focus."""

    CONVERSATIONS = "conversations"
    MESSAGES = "messages"
    ONLINE = "online"
    COMPOSER = "composer"


@dataclass(frozen=True)
class Layout:
    """Columns of each pane, 0 for one that isn't shown; rows of panes, composer and hints."""

    left: int
    centre: int
    right: int
    panes: int
    composer: int
    hints: int
    too_small: bool = False


def arrange(
    columns: int,
    rows: int,
    focus: Pane,
    wanted_rows: int = 1,
    hidden: frozenset[Pane] = frozenset(),
) -> Layout:
    """Divide a terminal. One column stands between two panes, one row is the status line.

    :param wanted_rows: how many rows the composer's text takes.
    :param hidden: panes that the user has put away; the focused one is shown all the same.
    """
    if columns < SMALLEST[0] or rows < SMALLEST[1]:
        return Layout(0, 0, 0, 0, 0, 0, too_small=True)
    hints = 1 if rows >= HINTS_FROM else 0
    composer = max(1, min(wanted_rows, COMPOSER_ROWS, (rows - hints - 1) // 2))
    panes = rows - 1 - hints - composer
    left, right = _sides(columns, focus, hidden - {focus})
    centre = columns - sum(each + 1 for each in (left, right) if each)
    if columns < MIDDLE and (left or right):
        left, centre, right = (columns, 0, 0) if left else (0, 0, columns)
    return Layout(left, centre, right, panes, composer, hints)


def _sides(columns: int, focus: Pane, hidden: frozenset[Pane]) -> tuple[int, int]:
    left = 0 if Pane.CONVERSATIONS in hidden else 1
    right = 0 if Pane.ONLINE in hidden else 1
    if columns >= WIDE:
        side = min(28, 20 + (columns - WIDE) // 10)
        return left * side, right * side
    if columns >= MIDDLE:
        if focus is Pane.ONLINE or (right and not left):
            return 0, 20
        return left * 20, 0
    return int(focus is Pane.CONVERSATIONS), int(focus is Pane.ONLINE)
