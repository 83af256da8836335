"""Picking messages: what is copied, opened, inspected, answered, deleted and taken back."""

import base64
import os
import signal
from unittest import TestCase
from unittest.mock import patch

from twisted.internet.defer import Deferred

from chat.client import events
from chat.client.tui.outside import MOST_COPIED, clipboard, edited, link_opener
from chat.client.tui.panes.layout import Pane
from chat.messages import User
from tests.tui_builders import BEN, ME, Screen, ScriptedClient, entry, lively, room


def talk(*contents: str, size: tuple[int, int] = (80, 24)) -> Screen:
    """A lobby in which ben said this."""
    log = [entry(seq, BEN, content) for seq, content in enumerate(contents, 1)]
    client = ScriptedClient({"#lobby": log})
    client.conversations = {"#lobby": room("#lobby", len(log), len(log))}
    screen = Screen(client, size)
    screen.text()
    return screen


class CommandTests(TestCase):
    """What keys do with messages can be written as well."""

    def test_what_is_taken_back_stands_where_the_command_stood(self) -> None:
        screen = lively()
        for typed in ("too soon", "/undo"):
            screen.enter(typed)
        self.assertEqual(screen.desk.composer.editor.text, "too soon")

    def test_a_message_is_looked_at_closely_the_last_one_or_theirs(self) -> None:
        for typed, wanted in (("/inspect", "Message 7"), ("/inspect ben", "Message 6")):
            screen = lively()
            self.assertIn(wanted, "\n".join(screen.enter(typed)))
        screen.press("esc")
        self.assertIn(
            "No message of dora is loaded here.", "\n".join(screen.enter("/inspect dora"))
        )

    def test_links_are_listed(self) -> None:
        screen = talk("https://example.org/a", "https://example.org/b")
        self.assertIn("Links", "\n".join(screen.enter("/links")))


class PickingTests(TestCase):
    def test_each_message_is_one_line_with_nothing_around_it(self) -> None:
        screen = talk("one", "two words " * 12, "first\nsecond")
        text = screen.press("meta v")
        self.assertIn("12:01 ben: one", text)
        place = text.index("12:03 ben: first second")
        self.assertTrue(text[place - 2].startswith("12:02 ben: two words"))
        self.assertRegex(text[place - 1], r"^      (two|words) ")
        self.assertFalse([line for line in text[1:20] if "│" in line])

    def test_who_picked_the_newest_is_at_the_end_afterwards_however_long_it_is(self) -> None:
        screen = talk("before", "\n".join(f"of many words line {each}" * 3 for each in range(40)))
        for key in ("esc", "y"):
            self.assertNotIn("line 39", "\n".join(screen.press("meta v")))
            self.assertIn("line 39", "\n".join(screen.press(key)))
            self.assertTrue(screen.desk.messages.at_end)
        screen.press("meta v", "up", "esc")
        self.assertFalse(screen.desk.messages.at_end)

    def test_no_row_of_a_message_looks_like_the_line_of_somebody_else(self) -> None:
        for size in ((80, 24), (40, 10), (20, 10)):
            room_left = size[0] - len("12:01 ben: ")
            screen = talk("x" * room_left + " 12:02 anna: I never said that", size=size)
            rows = screen.press("meta v")
            where = next(at for at, row in enumerate(rows) if "12:01 ben: x" in row)
            self.assertIn("12:02 anna:", rows[where + 1])
            self.assertTrue(rows[where + 1].startswith("      12:02"), rows)

    def test_y_copies_the_newest_in_view_as_it_was_written(self) -> None:
        screen = talk("one", "\tif x:\n\t\treturn  # tabs stay")
        screen.press("meta v", "y")
        self.assertEqual(screen.copied, ["\tif x:\n\t\treturn  # tabs stay"])
        self.assertIs(screen.desk.active, Pane.COMPOSER)
        self.assertIn("│", "\n".join(screen.text()))

    def test_going_up_and_down_picks_what_somebody_said(self) -> None:
        screen = lively()
        screen.press("meta v", "up", "up", "y")
        self.assertIn("and I bring the slides", screen.copied[0])
        screen.press("meta v", "up", "up", "down", "y")
        self.assertIn("a long line", screen.copied[1])

    def test_several_are_copied_with_names_and_times_if_wanted(self) -> None:
        screen = talk("one", "two", "three")
        screen.press("meta v", " ", "up", "y")
        self.assertEqual(screen.copied, ["ben: two\nben: three"])
        screen.press("meta v", "up", " ", "down", "Y")
        quoted = "[2023-11-14 12:02] ben: two\n[2023-11-14 12:03] ben: three"
        self.assertEqual(screen.copied[1], quoted)

    def test_the_picked_message_is_always_in_view(self) -> None:
        screen = talk(*(f"message {n} " + "word " * (n % 50) for n in range(1, 120)), size=(60, 16))
        screen.press("meta v")
        for step in (-1, 1):
            for _ in range(118):
                text = "\n".join(screen.press("up" if step < 0 else "down"))
                (picked,) = screen.desk.messages.picked
                self.assertRegex(text, rf"message {picked.seq}\b")

    def test_a_deleted_message_cannot_be_picked_any_more(self) -> None:
        screen = talk("one", "two")
        screen.press("meta v")
        screen.client.say(entry(3, kind="redact", target=2))
        screen.press("up", "y")
        self.assertEqual(screen.copied, ["one"])

    def test_nothing_there_is_said(self) -> None:
        self.assertIn("There is no message here.", "\n".join(talk().press("meta v")))

    def test_letters_do_what_the_hints_say_and_never_land_in_the_composer(self) -> None:
        screen = talk("one")
        text = screen.press("meta v", "z", "w")
        self.assertIn("y copy", text[-1])
        self.assertEqual(screen.desk.composer.editor.text, "")

    def test_a_click_picks_the_message_under_it(self) -> None:
        screen = talk("one", "two", "three")
        row = next(at for at, line in enumerate(screen.text()) if "two" in line)
        screen.root.mouse_event(screen.size, "mouse press", 1, 40, row, True)
        self.assertEqual([each.content for each in screen.desk.messages.picked], ["two"])

    def test_deleting_asks_first(self) -> None:
        screen = talk("one", "two")
        screen.press("meta v", "d", "enter")
        self.assertNotIn(("redact", ("#lobby", 2)), screen.client.asked)
        screen.press("d", "down", "enter")
        self.assertIn(("redact", ("#lobby", 2)), screen.client.asked)


class LinksOnScreenTests(TestCase):
    def test_the_real_target_is_shown_before_anything_is_opened(self) -> None:
        screen = talk("go to https://аpple.com/login now")
        text = "\n".join(screen.press("meta o"))
        self.assertIn("https://xn--pple-43d.com/login", text)
        self.assertIn("Opening it contacts xn--pple-43d.com.", text)
        self.assertEqual(screen.opened, [])
        screen.press("enter")
        self.assertEqual(screen.opened, ["https://xn--pple-43d.com/login"])

    def test_of_several_one_is_chosen_the_newest_first(self) -> None:
        screen = talk("http://old.example", "http://new.example and http://newer.example")
        text = "\n".join(screen.press("meta o"))
        self.assertLess(text.index("http://new.example"), text.index("http://old.example\n"))
        screen.press("down", "down", "enter", "down", "enter")
        self.assertEqual(screen.copied, ["http://old.example"])

    def test_of_a_picked_message_only_its_own(self) -> None:
        screen = talk("http://old.example", "http://new.example")
        screen.press("meta v", "up", "o", "enter")
        self.assertEqual(screen.opened, ["http://old.example"])

    def test_without_links_it_says_so(self) -> None:
        self.assertIn("There are no links here.", "\n".join(talk("none").press("meta o")))


class InspectorTests(TestCase):
    def test_who_when_number_and_delivery(self) -> None:
        client = ScriptedClient({"@2": [entry(1, ME, "hello 你好", to="@2", client_id="c-77")]})
        client.conversations = {"#lobby": room("#lobby"), "@2": room("@2", 1, 1)}
        screen = Screen(client)
        screen.press("meta 2")
        screen.client.tell(events.ReceiptMoved("@2", 2, "e1", 1, 0))
        text = "\n".join(screen.press("meta i"))
        for part in ("anna  #1", "2023-11-14 12:01:00.000 +0000", "1 of epoch e1", "characters: 8",
                     "bytes: 12", "it has reached the other side", "c-77"):  # fmt: skip
            self.assertIn(part, text)

    def test_what_a_message_hides_and_who_imitates(self) -> None:
        screen = talk("one")
        screen.client.say(entry(2, User(9, "bеn"), "\u3000look\u202e\u200b here"))
        text = "\n".join(screen.press("meta i"))
        self.assertIn("looks like somebody else's name", text)
        self.assertIn("draw nothing or more than they should: 2", text)

    def test_where_a_link_leads_and_what_is_known_of_a_message_is_whole_at_any_width(self) -> None:
        target = f"https://example.org/{'very/' * 30}long?to=evil.example"
        for size in ((80, 24), (20, 40)):
            for keys in (("meta o",), ("meta i",)):
                screen = talk(target, size=size)
                text = "".join(each.strip(" │") for each in screen.press(*keys))
                self.assertIn(target, text, (size, keys))
            screen = talk(target, size=size)
            screen.press("meta o", "down", "enter")
            self.assertEqual(screen.copied, [target])

    def test_a_link_is_named_with_where_it_leads(self) -> None:
        self.assertIn("xn--pple-43d.com", "\n".join(talk("https://аpple.com/").press("meta i")))


class TakeBackTests(TestCase):
    def test_the_text_of_what_has_not_left_comes_back_to_be_mended(self) -> None:
        screen = talk("one")
        screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "gone")))
        screen.enter("a mistkae")
        screen.type("next")
        text = "\n".join(screen.press("meta x"))
        self.assertIn(("withdraw", "c2"), screen.client.asked)
        self.assertEqual(screen.desk.composer.editor.text, "a mistkae\nnext")
        self.assertIn("It was not sent", text)

    def test_what_has_left_is_deleted_first_and_only_if_that_is_wanted(self) -> None:
        screen = talk("one")
        self.assertIn("nothing of yours", "\n".join(screen.press("meta x")))
        screen.client.say(entry(2, ME, "said too soon"))
        screen.client.say(entry(3, BEN, "what?"))
        screen.type("and")
        text = "\n".join(screen.press("meta x"))
        self.assertIn("Delete it for all?", text)
        self.assertIn("said too soon", text)
        screen.press("enter")
        self.assertNotIn(("redact", ("#lobby", 2)), screen.client.asked)
        self.assertEqual(screen.desk.composer.editor.text, "and")
        screen.press("meta x", "down", "enter")
        self.assertIn(("redact", ("#lobby", 2)), screen.client.asked)
        self.assertEqual(screen.desk.composer.editor.text, "said too soon\nand")

    def test_it_comes_back_to_where_it_was_said_also_when_one_has_gone_elsewhere(self) -> None:
        screen = talk("one")
        screen.client.say(entry(2, ME, "said too soon"))
        screen.client.tell(events.ConversationChanged(room("#cats")))
        screen.client.slow = Deferred()
        screen.type("begun")
        screen.press("meta x", "down", "enter", "meta 2")
        self.assertEqual(screen.chat.model.open, "#cats")
        screen.client.slow.callback(None)
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.press("meta 1")
        self.assertEqual(screen.desk.composer.editor.text, "said too soon\nbegun")

    def test_what_looks_like_a_command_comes_back_as_what_says_it(self) -> None:
        for typed in ("//quit", "///x", "hello"):
            screen = talk("one")
            screen.client.say(entry(2, ME, typed.removeprefix("/")))
            screen.press("meta x", "down", "enter")
            self.assertEqual(screen.desk.composer.editor.text, typed)
            screen.press("enter")
            said = ("send", ("#lobby", typed.removeprefix("/")))
            self.assertIn(said, screen.client.asked, "it was no command")
            self.assertFalse(screen.left)


class OutsideTests(TestCase):
    def test_the_clipboard_gets_exactly_the_text(self) -> None:
        written = clipboard("你好\n\x1b]0;x\x07", {"TERM": "xterm"})
        self.assertTrue(written.startswith("\x1b]52;c;") and written.endswith("\x1b\\"))
        inner = written.removeprefix("\x1b]52;c;").removesuffix("\x1b\\")
        self.assertEqual(base64.b64decode(inner).decode(), "你好\n\x1b]0;x\x07")

    def test_what_no_terminal_takes_is_not_written(self) -> None:
        self.assertTrue(clipboard("x" * MOST_COPIED, {}))
        self.assertEqual(clipboard("x" * (MOST_COPIED + 1), {}), "")
        self.assertEqual(clipboard("", {}), "")

    def test_tmux_is_asked_both_ways(self) -> None:
        written = clipboard("x", {"TMUX": "1"})
        self.assertEqual(written.count("52;c;eA=="), 2)
        self.assertIn("\x1bPtmux;", written)

    def test_without_a_window_system_no_program_opens_links(self) -> None:
        self.assertIsNone(link_opener({"PATH": "/usr/bin"}))


class ChordTests(TestCase):
    def test_ctrl_x_ctrl_e_opens_the_editor_and_ctrl_x_alone_does_nothing(self) -> None:
        screen = talk("one")
        screen.type("begun")
        screen.press("ctrl x", "a")
        self.assertEqual(screen.desk.composer.editor.text, "begun")
        screen.press("ctrl x", "ctrl e")
        self.assertEqual(screen.desk.composer.editor.text, "begun edited")
        screen.type(" on")
        self.assertEqual(screen.desk.composer.editor.text, "begun edited on")

    def test_a_ctrl_c_in_the_editor_and_how_it_ended_are_its_own(self) -> None:
        # Whoever is started behind an `&` of a script ignores it from the beginning.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        script = "kill -INT $PPID; printf more >> $1; exit 3"
        with patch.dict(os.environ, {"VISUAL": f"sh -c '{script}' --"}):
            self.assertEqual(edited("begun and "), ("begun and more", 3))
        with self.assertRaises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    def test_an_editor_that_is_not_there_is_said(self) -> None:
        screen = talk("one")
        screen.type("begun")
        missing = FileNotFoundError(2, "No such file or directory", "vi")
        with patch.object(screen, "edit_outside", side_effect=missing):
            shown = "\n".join(screen.press("ctrl x", "ctrl e"))
        self.assertIn("could not be used: vi: No such file", shown)
        self.assertEqual(screen.desk.composer.editor.text, "begun")
