"""The help, made from the tables of keys and commands."""

from collections.abc import Iterator, Sequence

from chat.client.language.words import Words
from chat.client.text import fold, width
from chat.client.tui.commands.keys import CONTEXTS, KEYS, key_name
from chat.client.tui.commands.picked import Stage
from chat.client.tui.commands.table import COMMANDS, Command, find
from chat.client.tui.desk import Desk
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row
from chat.client.tui.panes.popups import Choice, Popup, narrowed, room

__all__ = ["about", "choices", "command_usage", "lines", "show"]

KEY_COLUMNS = 24
NARROW_COLUMNS = 14
"""The same on a screen of less than ``NARROW``, where only the first key of each is shown."""

NARROW = 60

TINY = 30
"""Columns of a screen below which keys have no column of their own."""


def command_usage(command: Command, words: Words) -> str:
    """``/join #room [topic]``."""
    name = f"/{command.names[0]}"
    return f"{name} {words(command.arguments)}" if command.arguments else name


def about(command: Command, words: Words) -> str:
    """What it does; for a Chinese reader with its Chinese name."""
    named = next((each for each in command.names if not each.isascii()), "")
    help = words(command.help)
    return f"{help}（/{named}）" if named and words.language == "zh" else help


def _key_lines(context: str, words: Words) -> Iterator[tuple[str, str]]:
    for each in KEYS:
        if each.context == context and each.help:
            names = [key_name(key) for key in each.keys]
            if each.action == "go_1":
                names = ["Alt-1..9"]
            yield ", ".join(names), words(each.help)


def lines(words: Words, first: str = "composer") -> Iterator[tuple[str, str]]:
    """Pairs of a key or command and what it does; a heading has an empty second part.

    :param first: the context whose keys come before all others; or ``commands``.
    """
    for context in sorted((*CONTEXTS, "commands"), key=lambda each: each != first):
        if context == "commands":
            found = [(command_usage(each, words), about(each, words)) for each in COMMANDS]
        else:
            found = list(_key_lines(context, words))
        if found:
            yield words(f"context-{context}"), ""
            yield from found


def show(desk: Desk, stage: Stage, first: str) -> None:
    """Show the help in a popup, which typing narrows; a command that is chosen is put into the
    composer.

    :param first: as for ``lines``.
    """

    def found(typed: str) -> Sequence[Choice]:
        return narrowed(choices(desk.look, first, desk.columns), typed)

    def chosen(value: object) -> None:
        stage.pop_up(None)
        if isinstance(value, Command):
            desk.write(f"/{value.names[0]} ")

    title = desk.look.words("help-title")
    stage.pop_up(Popup(desk.look, title, found, chosen))


def choices(look: Look, first: str, columns: int) -> Sequence[Choice]:
    """The help as rows of a popup on a screen of so many columns. What has no room in one row goes
    on in the next; typing finds all rows of it together, a command by its other names, too."""
    found = []
    for left, right in lines(look.words, first):
        if not right:
            found.append(Choice([("prompt", f" {left}")]))
            continue
        shown = left if columns >= NARROW else left.partition(", ")[0]
        command = find(left[1:].split(" ")[0]) if left.startswith("/") else None
        names = " ".join([left, right, *(command.names if command else ())])
        found += [Choice(row, command, names) for row in _rows(shown, right, room(columns))]
    return found


def _rows(left: str, right: str, columns: int) -> Iterator[Row]:
    """A key or command and what it does, beside one another where there is room for that."""
    keys = KEY_COLUMNS if columns >= room(NARROW) else NARROW_COLUMNS if columns >= TINY else 0
    row: Row = [("hint key", f"  {left}")]
    space = max(1, keys - width(left))
    rest = columns - 2 - width(left) - space
    if width(right) > rest and width(left) >= keys:
        yield from ([("hint key", f"  {each}")] for each in fold(left, columns - 2))
        row, space, rest = [], 4, columns - 4
    first, *others = fold(right, rest)
    yield [*row, (None, " " * space), (None, first)]
    for each in others:
        yield [(None, " " * (columns - rest)), (None, each)]
