"""Menus, forms and lists to choose from, asked line by line."""

import re
from collections.abc import Callable

from chat.client.tui.look import Look
from chat.client.tui.panes.draw import plain
from chat.client.tui.panes.forms import Form, Menu
from chat.client.tui.panes.popups import Popup

__all__ = ["Asking", "FormAsking", "MenuAsking", "PopupAsking"]

SHOWN = 30
"""Choices listed at a time: who is read to needn't hear more to see that more must be typed."""

Say = Callable[[str], None]


class Asking:
    """Something that is asked of the user, and wants a line.

    :ivar prompt: what is shown before the line.
    :ivar hidden: the line must not be seen.
    """

    prompt = ""
    hidden = False

    def changed(self) -> None:
        """What is asked about may have changed: print what is new."""

    def answer(self, line: str) -> None:
        """Take the line."""
        raise NotImplementedError

    def give_up(self) -> None:
        """The user wants to leave it."""


class MenuAsking(Asking):
    """A menu with numbered lines.

    :param silent: print no choices until something has gone wrong.
    """

    def __init__(self, look: Look, menu: Menu, say: Say, silent: bool) -> None:
        self._silent = silent
        self._look = look
        self._menu = menu
        self._say = say
        self._message = ""
        self._offered: list[str] = []
        self.prompt = look.words("plain-number")

    def changed(self) -> None:
        self._silent = self._silent and not self._menu.bad
        items = () if self._silent else self._menu.items()
        labels = [self._look.words(each.key) for each in items]
        numbered = zip(self._menu.numbers(), labels, strict=False)  # none while it is silent
        known, self._offered = self._offered, [f"{number}  {each}" for number, each in numbered]
        for each in self._offered:
            if each not in known:
                self._say(each)
        if self._menu.message and self._menu.message != self._message:
            self._say(self._menu.message)
        self._message = self._menu.message

    def answer(self, line: str) -> None:
        typed = line.strip()
        number = int(typed) if typed.isdecimal() and len(typed) == 1 else -1
        if typed and not self._menu.choose_number(number):
            numbers = " ".join(map(str, self._menu.numbers()))
            self._say(self._look.words("plain-which-item", numbers=numbers))


class FormAsking(Asking):
    """A form: one field after the other, and again from the first when something was wrong."""

    def __init__(self, look: Look, form: Form, say: Say) -> None:
        self._look = look
        self._form = form
        self._say = say
        self._message = ""
        self._place = 0
        self._ask()
        say(look.words("plain-form", heading=form.heading))

    def _ask(self) -> None:
        field = self._form.fields[self._place]
        known = f" [{field.editor.text}]" if field.editor.text and not field.hidden else ""
        self.prompt = self._look.words("plain-field", label=f"{field.label}{known}")
        self.hidden = field.hidden

    def changed(self) -> None:
        if self._form.message != self._message:
            self._message = self._form.message
            if self._message:
                self._say(self._message)

    def answer(self, line: str) -> None:
        if self._form.busy:
            return
        field = self._form.fields[self._place]
        if not line and not field.editor.text:
            self._form.cancel()
            return
        if line:
            field.editor.load(line)
        self._place += 1
        if self._place == len(self._form.fields):
            # A hidden text is asked for again when something was wrong with it.
            values = [each.editor.text for each in self._form.fields]
            for each in self._form.fields:
                if each.hidden:
                    each.editor.load("")
            self._place = 0
            self._ask()
            self._form.submit(values)
        else:
            self._ask()

    def give_up(self) -> None:
        self._form.cancel()


class PopupAsking(Asking):
    """A list: a number chooses, other text narrows it, an empty line leaves it."""

    def __init__(self, look: Look, popup: Popup, say: Say, leave: Callable[[], None]) -> None:
        self._look = look
        self._popup = popup
        self._say = say
        self._leave = leave
        self._said: list[str] = []
        self.prompt = look.words("plain-choose")

    def changed(self) -> None:
        # No columns: a screen reader, or a pipe, needs only a separator.
        rows = [re.sub(" {3,}", "  ", plain(each.row).strip()) for each in self._popup.items()]
        lines = [self._popup.title(), *(f"{at}  {row}" for at, row in enumerate(rows[:SHOWN], 1))]
        if len(rows) > SHOWN:
            lines.append(self._look.words("plain-narrow", n=len(rows) - SHOWN))
        if lines != self._said:
            self._said = lines
            for each in lines:
                self._say(each)

    def answer(self, line: str) -> None:
        items = self._popup.items()
        typed = line.strip()
        place = _place(typed, len(items))
        if not typed:
            self._leave()
        elif place is not None:
            self._popup.choose(items[place].value)
        else:
            self._popup.filter = typed
            self._popup.renew()
            self.changed()

    def give_up(self) -> None:
        self._leave()


def _place(typed: str, count: int) -> int | None:
    """The index of the choice that was typed as a number from 1 to ``count``; None for anything
    else."""
    number = int(typed) if typed.isdecimal() and len(typed) <= len(str(count)) else 0
    return number - 1 if 1 <= number <= count else None
