"""The mouse: everything that can be done with a key on what is seen can be pointed at."""

from collections.abc import Callable
from unittest import TestCase

from chat.client.text import width
from chat.client.tui.panes.editor import Editor
from chat.client.tui.panes.forms import Field, Form, Menu, MenuItem
from chat.client.tui.panes.layout import Pane
from chat.client.tui.root import Root
from tests.tui_builders import Screen, lively, look


def click(screen: Screen, wanted: str, button: int = 1, aside: int = 0) -> list[str]:
    """Press a button on the first place where ``wanted`` stands."""
    for row, line in enumerate(screen.text()):
        if wanted in line:
            column = width(line[: line.index(wanted)]) + aside
            screen.root.mouse_event(screen.size, "mouse press", button, column, row, True)
            return screen.text()
    raise AssertionError(f"{wanted!r} is not on the screen:\n" + "\n".join(screen.text()))


class MouseTests(TestCase):
    def test_a_conversation_and_a_person_are_opened(self) -> None:
        screen = lively(size=(120, 30))
        click(screen, "#cats")
        self.assertEqual(screen.chat.model.open, "#cats")
        click(screen, "● ben  ")
        self.assertEqual(screen.chat.model.open, "@2")

    def test_the_wheel_scrolls_messages_and_lists(self) -> None:
        screen = lively(size=(120, 12))
        click(screen, "@anna", button=4)
        self.assertFalse(screen.desk.messages.at_end)
        click(screen, "Alt-End newest", button=5)
        self.assertTrue(screen.desk.messages.at_end)

    def test_arrows_that_a_terminal_made_of_the_wheel_scroll_and_leave_what_is_written(
        self,
    ) -> None:
        screen = lively(size=(120, 12))
        screen.enter("sent before")
        screen.type("half")
        screen.press(*["wheel up"] * 3)
        self.assertFalse(screen.desk.messages.at_end)
        self.assertEqual(screen.desk.composer.editor.text, "half")
        screen.press(*["wheel down"] * 3)
        self.assertTrue(screen.desk.messages.at_end)
        screen.press("up")
        self.assertEqual(screen.desk.composer.editor.text, "sent before")
        screen.press("ctrl k", *["wheel down"] * 2)
        assert screen.root.popup is not None
        self.assertEqual(screen.root.popup.selected, 2)
        screen.press("esc", "shift tab", *["wheel down"] * 2)
        self.assertEqual(screen.desk.conversations.selected, 2)

    def test_the_bar_leads_back_to_the_newest(self) -> None:
        screen = lively(size=(120, 12))
        screen.press("page up")
        click(screen, "Alt-End newest")
        self.assertTrue(screen.desk.messages.at_end)

    def test_a_hint_is_the_key_that_it_names(self) -> None:
        screen = lively()
        self.assertIn("Help", "\n".join(click(screen, "F1 help")))
        screen.press("esc")
        self.assertIn("Go to", "\n".join(click(screen, "go to …")))
        screen.type("cats")
        click(screen, "Enter choose")
        self.assertEqual(screen.chat.model.open, "#cats")
        self.assertIsNone(screen.root.popup)

    def test_a_popup_is_chosen_from_scrolled_and_closed_by_pointing_beside_it(self) -> None:
        screen = lively(size=(100, 30))
        screen.press("ctrl k")
        click(screen, "#lobby  ", button=5)
        assert screen.root.popup is not None
        self.assertEqual(screen.root.popup.selected, 3)
        click(screen, "12 unread")
        self.assertIsNone(screen.root.popup)
        self.assertEqual(screen.chat.model.open, "#cats")
        screen.press("ctrl k")
        screen.root.mouse_event(screen.size, "mouse press", 1, 0, 0, True)
        self.assertIsNone(screen.root.popup)
        self.assertEqual(screen.chat.model.open, "#cats")

    def test_the_cursor_goes_where_one_points_in_the_text(self) -> None:
        screen = lively(size=(40, 20))
        screen.type("你好妙 and a text that is folded into two rows")
        click(screen, "妙")
        screen.type("|")
        self.assertIn("你好|妙", screen.desk.composer.editor.text)
        click(screen, "two rows", aside=4)
        screen.type("|")
        self.assertIn("two |rows", screen.desk.composer.editor.text)
        click(screen, "two |rows", aside=20)
        screen.type("!")
        self.assertTrue(screen.desk.composer.editor.text.endswith("rows!"))

    def test_pointing_at_a_pane_gives_it_the_focus(self) -> None:
        screen = lively()
        screen.press("shift tab")
        screen.root.mouse_event(screen.size, "mouse press", 1, 10, 22, True)
        self.assertIs(screen.desk.active, Pane.COMPOSER)


class StartMouseTests(TestCase):
    SIZE = (80, 24)

    def root(self, shown: Menu | Form) -> Root:
        root = Root(lambda: None, lambda: 0.0)
        root.show(shown)
        return root

    def press(self, root: Root, wanted: str) -> None:
        lines = root.render(self.SIZE).decoded_text
        row = next(at for at, line in enumerate(lines) if wanted in line)
        column = lines[row].index(wanted)
        root.mouse_event(self.SIZE, "mouse press", 1, column, row, True)

    def test_the_menu(self) -> None:
        done: list[str] = []

        def item(key: str) -> MenuItem:
            do: Callable[[], None] = lambda: done.append(key)  # noqa: E731
            return MenuItem(key, do)

        keys = ("menu-login", "menu-register", "menu-leave")
        root = self.root(Menu(look(), lambda: [item(key) for key in keys]))
        self.press(root, "Register")
        self.press(root, "Leave")
        self.press(root, "chatroom")
        self.assertEqual(done, ["menu-register", "menu-leave"])
        for key in ("1", "\uff12", "3", "4", "x", "0"):
            root.keypress(self.SIZE, key)
        self.assertEqual(done[2:], ["menu-login", "menu-register", "menu-leave"])

    def test_the_fields_of_a_form(self) -> None:
        fields = [Field("Name", Editor("anna")), Field("Password", Editor("x"), hidden=True)]
        form = Form(look(), "Log in", fields, lambda values: None, lambda: None)
        root = self.root(form)
        self.press(root, "Name")
        self.assertEqual(form.selected, 0)
        self.press(root, "Password")
        self.assertEqual(form.selected, 1)
        self.press(root, "Log in")
        self.assertEqual(form.selected, 1)
