"""The start menu, and the forms to log in and to register, with passwords hidden."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chat.client.language.words import Words
from chat.client.text import clip, fold, graphemes, width
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row
from chat.client.tui.panes.editor import Editor
from chat.client.tui.panes.pane import Pane

__all__ = ["Field", "Form", "Menu", "MenuItem", "asked", "first_menu"]

MENU_HEAD, FORM_HEAD = 4, 2
"""Rows above the first item, and above the first field; a field takes two."""

AT_FIRST = ("menu-login", "menu-register", "menu-server", "menu-language", "menu-leave")
"""What there is to choose before anything is known of a server."""

HIDDEN = frozenset({"field-password", "field-old-password", "field-new-password", "field-repeat"})
"""Questions for a password."""

COLUMNS = 56
"""Of the block in the middle of the screen."""


@dataclass(frozen=True)
class MenuItem:
    """A line of the menu: the key of its words, and what it does."""

    key: str
    do: Callable[[], None]


@dataclass
class Field:
    """One question of a form."""

    label: str
    editor: Editor = field(default_factory=Editor)
    hidden: bool = False


def asked(words: Words, *keys: str) -> list[Field]:
    """Questions by the keys of their words; what is typed into some of them is hidden."""
    return [Field(words(key), Editor(raw=key in HIDDEN), key in HIDDEN) for key in keys]


class _Centred(Pane):
    """Rows in the middle of the screen."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.message = ""
        self.bad = False
        self._cursor: tuple[int, int] | None = None
        self._first = 0
        """The row of the screen in which the block begins."""
        self._seen: Sequence[int] = ()
        """The rows of the block that stand there."""
        self._needed = 0
        """The row of the block that has to be seen where there is no room for all of it: what only
        separates, and then what is above it, goes before what is said at the end."""

    def say(self, message: str, bad: bool = False) -> None:
        """Show a sentence below; ``bad``: something went wrong."""
        self.message, self.bad = self.look.line(message), bad
        self.changed()

    def _block(self, columns: int) -> tuple[list[Row], tuple[int, int] | None]:
        raise NotImplementedError

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        inner = max(1, min(COLUMNS, columns))
        rows, cursor = self._block(inner)
        for line in fold(self.message, inner) if self.message else []:
            rows.append([("error" if self.bad else "system", line)])
        self._seen = self._seen_of(rows, height)
        left, self._first = (columns - inner) // 2, max(0, (height - len(rows)) // 2)
        below = self._seen.index(cursor[1]) if cursor else 0
        self._cursor = (cursor[0] + left, self._first + below) if cursor else None
        indent = (None, " " * left)
        above: list[Row] = [[] for _ in range(self._first)]
        return [*above, *[[indent, *rows[at]] for at in self._seen]]

    def _seen_of(self, rows: Sequence[Row], height: int) -> Sequence[int]:
        """The indexes of those of ``rows`` for which there is room."""
        if len(rows) <= height:
            return range(len(rows))
        full = [at for at, row in enumerate(rows) if row]
        return full[max(0, min(len(full) - height, full.index(self._needed))) :]

    def _pointed_at(self, row: int) -> int:
        """The row of the block that is in a row of the screen; -1 for none."""
        at = row - self._first
        return self._seen[at] if 0 <= at < len(self._seen) else -1

    def place(self, columns: int, height: int) -> tuple[int, int] | None:
        return self._cursor

    def _centre(self, role: str, text: str, columns: int) -> Row:
        text = clip(text, columns)
        return [(None, " " * ((columns - width(text)) // 2)), (role, text)]


class Menu(_Centred):
    """What can be done before somebody is logged in."""

    def __init__(self, look: Look, items: Callable[[], Sequence[MenuItem]]) -> None:
        super().__init__(look)
        self.items = items
        self.selected = 0
        self.server = ""

    def _block(self, columns: int) -> tuple[list[Row], tuple[int, int] | None]:
        words = self.look.words
        items = self.items()
        self.selected %= len(items)
        rows: list[Row] = [self._centre("prompt", "chatroom", columns)]
        rows.append(self._centre("dim", words("tagline"), columns))
        rows.append(self._centre("label", self.look.line(self.server), columns))
        rows.append([])
        labels = [words(each.key) for each in items]
        room = min(columns, max(width(each) for each in labels) + 6)
        indent = (None, " " * ((columns - room) // 2))
        for place, (number, label) in enumerate(zip(self.numbers(), labels, strict=True)):
            text = clip(f"  {number}  {label} ", room)
            role = "selected" if place == self.selected else None
            rows.append([indent, (role, text + " " * (room - width(text)))])
        rows.append([])
        self._needed = MENU_HEAD + self.selected
        return rows, None

    def numbers(self) -> Sequence[int]:
        """The number of each item. The last one, which leaves, is 0: whatever comes and goes before
        it, no other item gets a number that may be on its way to be pressed."""
        return [*range(1, len(self.items())), 0]

    def move(self, step: int) -> None:
        self.selected = (self.selected + step) % len(self.items())
        self.changed()

    def click(self, row: int) -> None:
        """Do what stands in a row of the screen."""
        self.choose(self._pointed_at(row) - MENU_HEAD)

    def select(self, key: str) -> None:
        """Select the item whose words are ``key``, if there is one."""
        keys = [each.key for each in self.items()]
        if key in keys:
            self.selected = keys.index(key)
            self.changed()

    def choose_number(self, number: int) -> bool:
        """Do the item that has a number; whether there is one."""
        numbers = self.numbers()
        if number not in numbers:
            return False
        self.choose(numbers.index(number))
        return True

    def choose(self, place: int | None = None) -> None:
        """Do what is selected, or the item at ``place``."""
        items = self.items()
        place = self.selected if place is None else place
        if 0 <= place < len(items):
            self.selected = place
            self.changed()
            items[place].do()


class Form(_Centred):
    """Some fields; ``submit`` gets their texts, ``cancel`` leaves."""

    def __init__(
        self,
        look: Look,
        heading: str,
        fields: Sequence[Field],
        submit: Callable[[Sequence[str]], None],
        cancel: Callable[[], None],
    ) -> None:
        super().__init__(look)
        self.heading = heading
        self.fields = fields
        self.submit = submit
        self.cancel = cancel
        self.selected = next(
            (at for at, each in enumerate(fields) if not each.editor.text), len(fields) - 1
        )
        self.busy = False

    def _block(self, columns: int) -> tuple[list[Row], tuple[int, int] | None]:
        rows: list[Row] = [[("prompt", self.heading)], []]
        label_room = min(columns // 2, max(width(each.label) for each in self.fields) + 2)
        room = max(2, columns - label_room)
        cursor = None
        for place, each in enumerate(self.fields):
            label = clip(each.label, label_room - 1)
            shown, column = self._shown(each, room)
            if place == self.selected:
                cursor = (label_room + column, len(rows))
                self._needed = len(rows)
            rows.append([
                ("label", label + " " * (label_room - width(label))),
                ("field", shown + " " * max(0, room - width(shown))),
            ])  # fmt: skip
            rows.append([])
        rows.append([("hint", clip(self.look.words("form-hint"), columns))])
        return rows, cursor

    def _shown(self, each: Field, room: int) -> tuple[str, int]:
        """The end of a field's text that fits, and the cursor's column in it."""
        before = list(graphemes(each.editor.text[: each.editor.cursor]))
        after = list(graphemes(each.editor.text[each.editor.cursor :]))
        mask = self.look.glyphs.mask
        drawn = [mask if each.hidden else self.look.line(part) for part in before]
        rest = [mask if each.hidden else self.look.line(part) for part in after]
        while drawn and width("".join(drawn)) >= room:
            drawn.pop(0)
        text = "".join(drawn)
        return clip(text + "".join(rest), room, ""), width(text)

    # Keys

    def move(self, step: int) -> None:
        self.selected = (self.selected + step) % len(self.fields)
        self.changed()

    def click(self, row: int) -> None:
        """Go to the field in a row of the screen."""
        place, between = divmod(self._pointed_at(row) - FORM_HEAD, 2)
        if not between and 0 <= place < len(self.fields):
            self.selected = place
            self.changed()

    def again(self, place: int) -> None:
        """Select the field at ``place``, to be mended. A hidden one nobody can mend: it is emptied,
        and so is the one that repeats it."""
        self.selected = place
        for each in self.fields[place:] if self.fields[place].hidden else ():
            each.editor.load("")
        self.changed()

    def insert(self, text: str) -> None:
        """Type or paste into the selected field; a newline ends it."""
        self.fields[self.selected].editor.insert(text.split("\n")[0])
        self.changed()

    def edit(self, name: str) -> None:
        self.fields[self.selected].editor.do(name)
        self.changed()

    def choose(self) -> None:
        """Go to the next field; from the last, submit."""
        if self.busy:
            return
        if self.selected < len(self.fields) - 1:
            self.move(1)
        else:
            self.submit([each.editor.text for each in self.fields])


def first_menu(look: Look) -> Menu:
    """The menu as it is at first, to be seen before anything can be chosen."""
    return Menu(look, lambda: [MenuItem(key, lambda: None) for key in AT_FIRST])
