"""The topmost widget: menu, form or main screen, a popup over it, and where each key goes."""

from collections.abc import Callable
from typing import Protocol

import urwid
from twisted.logger import Logger

from chat.client.text import is_character
from chat.client.tui.commands.actions import Actions
from chat.client.tui.commands.keys import WHEEL as WHEEL_KEY
from chat.client.tui.commands.keys import action
from chat.client.tui.desk import Desk
from chat.client.tui.panes.composer import Paste
from chat.client.tui.panes.draw import Drawn, canvas, joined, overlaid, stacked
from chat.client.tui.panes.forms import Form, Menu
from chat.client.tui.panes.popups import FRAME_COLUMNS, FRAME_FROM, Popup

__all__ = ["Root"]


ATTENDED_SECONDS = 60.0
"""For how long a key says that somebody is there."""

WHEEL = {4: -3, 5: 3}
"""Buttons that are the wheel's, and how many rows it moves."""


class Watcher(Protocol):
    """Wants to know what happens on the screen."""

    def key(self, key: str, before: str | None) -> None:
        """Somebody has pressed a key.

        :param before: the text that it continues when it writes, None when it does something else.
        """

    def mouse(self, button: int, column: int, row: int) -> None:
        """Somebody pressed a button of the mouse."""

    def size(self, columns: int, rows: int) -> None:
        """The screen has this size from now on."""


class Root(urwid.Widget):
    """Shows one of the three, and a popup. Nothing that a key causes raises out of here."""

    _sizing = frozenset([urwid.BOX])
    _selectable = True
    log = Logger()

    def __init__(self, leave: Callable[[], None], seconds: Callable[[], float]) -> None:
        super().__init__()
        self.shown: Menu | Form | Desk | None = None
        self.popup: Popup | None = None
        self.actions: Actions | None = None
        self.focused = True
        self.watcher: Watcher | None = None
        self._size = (0, 0)
        self._tells_focus = False
        self._seconds = seconds
        self._last_key = seconds()
        self._leave = leave
        self._paste = Paste()

    def watched_by(self, watcher: Watcher) -> None:
        """Tell ``watcher`` from now on; first of all the size."""
        self.watcher = watcher
        watcher.size(*self._size)

    def attended(self, now: float) -> bool:
        """Whether somebody is at the screen. Where the terminal does not report its focus, that is
        somebody who has pressed a key just now."""
        return self.focused and (self._tells_focus or now - self._last_key < ATTENDED_SECONDS)

    def show(self, widget: Menu | Form | Desk, actions: Actions | None = None) -> None:
        """Show something else.

        :param actions: the keys of a main screen.
        """
        self.shown, self.actions, self.popup = widget, actions, None
        self._invalidate()

    def pop_up(self, popup: Popup | None) -> None:
        """Show a popup over everything; None to take it away."""
        self.popup = popup
        self._invalidate()

    def changed(self) -> None:
        """Draw everything anew the next time."""
        if self.shown is not None:
            self.shown.changed()
        if self.popup is not None:
            self.popup.changed()
        self._invalidate()

    # Drawing

    def render(self, size: tuple[int, int], focus: bool = False) -> Drawn:  # type: ignore[override]  # always a box
        columns, rows = size
        resized, self._size = size != self._size, size
        if self.watcher is not None and resized:
            self.watcher.size(columns, rows)
        if self.shown is None:
            return canvas([], columns, rows)
        if isinstance(self.shown, Desk):
            self.shown.covered = self.popup is not None
        under = self.shown.render(size, focus)
        if self.popup is None:
            return stacked([under])
        if resized:
            self.popup.renew()  # Its rows were made for another width.
        left, top, *_ = self._frame(self.popup, columns, rows)
        return overlaid(self._framed(self.popup, columns, rows), under, left, top)

    @staticmethod
    def _framed(popup: Popup, columns: int, rows: int) -> Drawn:
        """The popup with a frame around it, where there is room for one."""
        if columns < FRAME_FROM[0] or rows < FRAME_FROM[1]:
            return popup.render((columns, rows), True)
        width, height = popup.size(columns - FRAME_COLUMNS, rows - 3)
        glyphs = popup.look.glyphs
        side = canvas([[("rule", glyphs.bar)]] * height, 1, height)
        middle = popup.render((width, height), True)
        box = joined([side, middle, side])
        foot = canvas([[("rule", glyphs.rule * (width + 2))]], width + 2, 1)
        return stacked([box, foot])

    @staticmethod
    def _frame(popup: Popup, columns: int, rows: int) -> tuple[int, int, int, int]:
        """Where a popup is on the screen: left, top, and its size with the frame."""
        if columns < FRAME_FROM[0] or rows < FRAME_FROM[1]:
            return 0, 0, columns, rows
        width, height = popup.size(columns - FRAME_COLUMNS, rows - 3)
        return (columns - width - 2) // 2, (rows - height - 1) // 2, width + 2, height + 1

    # Keys

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]  # always a box
        self._last_key = self._seconds()
        # What is written into a form may be a password.
        if self.watcher is not None and not isinstance(self.shown, Form):
            self.watcher.key(key, self._before(key))
        try:
            return None if self._press(key) or self._press_apart(key) else key
        except Exception:
            self.log.failure("the key {key} could not be handled", key=key)
            return key

    def _before(self, key: str) -> str | None:
        """The text that ``key`` would continue; None when it does something else than write."""
        if self.popup is not None and not key.startswith("meta "):
            return "" if self.popup.texts else None
        return self.actions.before(key) if self.actions is not None else None

    def _press(self, key: str) -> bool:
        if key in ("focus in", "focus out"):
            self.focused = key == "focus in"
            self._tells_focus = True
            self.changed()
            return True
        if not self.focused:
            # Whoever types has the focus. The multiplexer may be in another terminal by now.
            self.focused, self._tells_focus = True, False
            self.changed()
        pasted = self._paste.take(key)
        if pasted is not None:
            if pasted:
                self._pasted(pasted)
            return True
        if self.popup is not None:
            return self._press_popup(self.popup, key.removeprefix(WHEEL_KEY))
        if self.actions is not None:
            return self.actions.press(key)
        key = key.removeprefix(WHEEL_KEY)
        if isinstance(self.shown, Menu):
            return self._press_menu(self.shown, key)
        if isinstance(self.shown, Form):
            return self._press_form(self.shown, key)
        return False

    def _press_apart(self, key: str) -> bool:
        """Press Esc and a letter that came as one key, if that key means nothing.

        A letter that follows Esc at once reaches a program as one key with it. This way what is
        typed right after leaving something loses no letter.
        """
        letter = key.removeprefix("meta ")
        if letter == key or not is_character(letter):
            return False
        self._press("esc")
        return self._press(key) or self._press(letter)

    def _pasted(self, text: str) -> None:
        if self.popup is not None:
            self.popup.type(text.replace("\n", " "))
        elif isinstance(self.shown, Form):
            self.shown.insert(text)
        elif self.actions is not None:
            self.actions.paste(text)

    def _press_popup(self, popup: Popup, key: str) -> bool:
        match action("popup", key):
            case "select_up":
                popup.move(-1)
            case "select_down":
                popup.move(1)
            case "select_page_up":
                popup.page(-1)
            case "select_page_down":
                popup.page(1)
            case "select_first":
                popup.select(0)
            case "select_last":
                popup.select(len(popup.items()))
            case "choose":
                self._choose(popup)
            case "close":
                self.pop_up(None)
            case "unfilter":
                popup.unfilter()
            case "unfilter_all":
                popup.unfilter(all_of_it=True)
            case "quit":
                self._leave()
            case _ if not is_character(key):
                return False
            case _:
                popup.type(key)
        self._invalidate()
        return True

    def _choose(self, popup: Popup) -> None:
        items = popup.items()
        if items:
            popup.choose(items[min(popup.selected, len(items) - 1)].value)
        else:
            self.pop_up(None)

    def _press_menu(self, menu: Menu, key: str) -> bool:
        match action("form", key):
            case "select_up":
                menu.move(-1)
            case "select_down":
                menu.move(1)
            case "choose":
                menu.choose()
            case "quit":
                self._leave()
            case _ if len(key) == 1 and key.isdecimal():  # a Chinese keyboard may write them wide
                menu.choose_number(int(key))
            case _ if key == "q":
                self._leave()
            case _:
                return False
        return True

    def _press_form(self, form: Form, key: str) -> bool:
        match action("form", key):
            case "select_up":
                form.move(-1)
            case "select_down":
                form.move(1)
            case "choose":
                form.choose()
            case "close":
                form.cancel()
            case "quit":
                self._leave()
            case _:
                edit = action("composer", key) or ""
                if edit.startswith("edit "):
                    form.edit(edit.removeprefix("edit "))
                elif is_character(key):
                    form.insert(key)
                else:
                    return False
        return True

    def mouse_event(  # type: ignore[override]  # always a box
        self, size: tuple[int, int], event: str, button: int, col: int, row: int, focus: bool
    ) -> bool:
        if event != "mouse press":
            return False
        self._last_key = self._seconds()
        if self.watcher is not None:
            self.watcher.mouse(button, col, row)
        try:
            return self._press_mouse(size, button, col, row)
        except Exception:
            self.log.failure("a mouse event could not be handled")
            return False

    def _press_mouse(self, size: tuple[int, int], button: int, column: int, row: int) -> bool:
        if self.popup is not None:
            self._click_popup(self.popup, size, button, column, row)
        elif isinstance(self.shown, Menu | Form):
            if button == 1:
                self.shown.click(row)
        elif self.actions is not None:
            return self.actions.mouse(button, column, row)
        return True

    def _click_popup(
        self, popup: Popup, size: tuple[int, int], button: int, column: int, row: int
    ) -> None:
        """The wheel scrolls, a click chooses, a click on a hint is the key that it names, and a
        click beside the popup closes it."""
        if button in WHEEL:
            popup.move(WHEEL[button])
        elif button == 1:
            left, top, width, height = self._frame(popup, *size)
            if not (left <= column < left + width and top <= row < top + height):
                hinted = self.shown.hint_at(column, row) if isinstance(self.shown, Desk) else ""
                self._press_popup(popup, hinted or "esc")
            elif row > top and (place := popup.item_at(row - top - 1)) < len(popup.items()):
                popup.select(place)
                self._choose(popup)
        self._invalidate()
