"""Editing on the screen: what stands in the composer, what is sent, and what is shown of it."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase

from twisted.internet.defer import Deferred

from chat.client import events
from chat.client.api import Refused
from chat.client.tui.commands.table import parse
from chat.client.tui.drafts import Drafts
from chat.client.tui.panes.layout import Pane
from chat.messages import Conversation
from tests.test_client_edits import edit
from tests.tui_builders import BEN, ME, NOON, Screen, ScriptedClient, entry, room


def mine(
    *contents: str, size: tuple[int, int] = (80, 24), language: str = "en", **more: Any
) -> Screen:
    """A lobby in which I said this, and ben something before it."""
    log = [entry(1, BEN, "what did you say?")]
    log += [entry(seq, ME, content) for seq, content in enumerate(contents, 2)]
    client = ScriptedClient({"#lobby": log})
    client.conversations = {
        "#lobby": room("#lobby", len(log), len(log)), "#cats": room("#cats")
    }  # fmt: skip
    screen = Screen(client, size, language, **more)
    screen.text()
    return screen


def written(screen: Screen) -> str:
    return screen.desk.composer.editor.text


class ScreenTests(TestCase):
    def test_the_last_message_is_written_anew_and_what_was_begun_comes_back(self) -> None:
        screen = mine("a mistkae")
        screen.type("and by the way")
        text = "\n".join(screen.press("meta v", "e"))
        self.assertIn("Editing (Enter sends, Esc leaves it as it is): a mistkae", text)
        self.assertEqual(written(screen), "a mistkae")
        screen.press(*["backspace"] * 3)
        screen.enter("ake")
        self.assertEqual(screen.client.asked[-1], ("edit", ("#lobby", 2, "a mistake")))
        self.assertEqual(written(screen), "and by the way")
        self.assertNotIn("Editing", "\n".join(screen.text()))
        screen.client.say(edit(3, 2, "a mistake", user=ME))
        self.assertIn("a mistake (edited)", "\n".join(screen.text()))

    def test_the_command_does_it_too_and_with_a_text_at_once(self) -> None:
        screen = mine("one", "two")
        screen.client.say(entry(4, BEN, "three"))
        screen.enter("/edit")
        self.assertEqual(written(screen), "two")
        screen.press("esc")
        self.assertEqual(written(screen), "")
        screen.enter("/edit four  five")
        self.assertEqual(screen.client.asked[-1], ("edit", ("#lobby", 3, "four  five")))

    def test_esc_leaves_it_as_it_is_and_ctrl_c_does_so_once_nothing_is_written(self) -> None:
        for keys in (["esc"], ["ctrl c", "ctrl c"]):
            screen = mine("one")
            screen.type("begun")
            screen.press("meta v", "e", *keys)
            self.assertEqual(written(screen), "begun")
            self.assertFalse(screen.left)
            self.assertNotIn("edit", [what for what, _ in screen.client.asked])

    def test_what_was_written_instead_is_brought_back_by_the_key_for_that(self) -> None:
        for keys in (["esc"], ["meta v", "up", "r"], ["meta v", "up", "e"]):
            screen = mine("one", "two")
            screen.press("meta v", "e")
            screen.type(", which was long")
            screen.press(*keys)
            self.assertNotEqual(written(screen), "two, which was long", keys)
            screen.press("up")
            self.assertEqual(written(screen), "two, which was long", keys)
        screen = mine("one")
        screen.press("meta v", "e", "esc", "up")
        self.assertEqual(written(screen), "", "nothing else was written")

    def test_a_text_that_was_not_changed_is_not_sent(self) -> None:
        screen = mine("/me waves")
        screen.enter("/edit")
        self.assertEqual(written(screen), "/me waves")
        screen.press("enter")
        self.assertEqual(written(screen), "")
        self.assertNotIn("edit", [what for what, _ in screen.client.asked])

    def test_nor_one_that_another_window_has_changed_or_the_composer_shows_otherwise(self) -> None:
        for content in ("one", "a\ttab", "/help is a command"):
            screen = mine(content)
            screen.type("begun")
            screen.press("meta v", "e")
            screen.client.say(edit(3, 2, "changed elsewhere", user=ME))
            screen.chat.keep_draft(written(screen))
            self.assertEqual(screen.chat.model.conversation("#lobby").begun, "begun")
            screen.press("enter")
            self.assertNotIn("edit", [what for what, _ in screen.client.asked])
            self.assertEqual(written(screen), "begun")

    def test_what_begins_with_a_slash_is_said_as_it_was(self) -> None:
        screen = mine("/help is a command")
        screen.enter("/edit")
        self.assertEqual(written(screen), "//help is a command")
        screen.enter(", too")
        sent = ("#lobby", 2, "/help is a command, too")
        self.assertEqual(screen.client.asked[-1], ("edit", sent))

    def test_refused_or_without_a_connection_the_reason_is_said_and_the_text_stays(self) -> None:
        screen = mine("one")
        screen.type("begun")
        screen.press("meta v", "e")
        screen.type(", two")
        screen.client.trouble = Refused(403, "You may not write here at present.")
        self.assertIn("You may not write here", "\n".join(screen.press("enter")))
        self.assertEqual(written(screen), "one, two")
        screen.client.trouble = None
        screen.client.state = events.Waiting(5, 5, "gone")
        text = "\n".join(screen.press("enter"))
        self.assertIn("Editing", text)
        self.assertEqual(written(screen), "one, two")
        screen.client.state = events.LoggedIn()
        screen.press("enter")
        self.assertEqual(written(screen), "begun")

    def test_while_it_is_on_its_way_it_can_be_written_on_or_left(self) -> None:
        screen = mine("one")
        screen.enter("/edit")
        screen.client.slow = Deferred()
        screen.enter(" two")
        screen.clock.advance(1)
        self.assertIn("Waiting for the server", "\n".join(screen.text()))
        screen.type(" three")
        screen.client.slow.callback(None)
        self.assertEqual(written(screen), "one two three")
        screen.client.slow = Deferred()
        screen.press("enter")
        screen.press("esc")
        screen.type("something new")
        screen.client.slow.callback(None)
        self.assertEqual(written(screen), "something new")

    def test_commands_and_nothing_at_all_are_no_text(self) -> None:
        screen = mine("one")
        screen.enter("/edit")
        for typed in ("/quit", "", "/zebra"):
            screen.press("ctrl u")
            screen.enter(typed)
            self.assertEqual(written(screen), typed)
        self.assertFalse(screen.left)
        screen.press("ctrl u")
        self.assertIn("This edits a message", "\n".join(screen.press("enter")))
        self.assertNotIn("send", [what for what, _ in screen.client.asked])

    def test_only_what_is_ones_own_and_has_been_sent(self) -> None:
        screen = mine()
        for typed in ("/edit", "/edit something"):
            self.assertIn("Only a message of your own", "\n".join(screen.enter(typed)))
        text = "\n".join(screen.press("meta v", "e"))
        self.assertIn("Only a message of your own", text)
        screen.press("esc")
        screen.enter("just said")
        self.assertIn("/undo brings it back", "\n".join(screen.enter("/edit something")))
        self.assertNotIn("edit", [what for what, _ in screen.client.asked])

    def test_it_waits_where_it_was_begun_and_no_draft_is_lost(self) -> None:
        directory = tempfile.mkdtemp(prefix="drafts", dir="/tmp")
        self.addCleanup(shutil.rmtree, directory)
        path = Path(directory) / "drafts"
        screen = mine("one", drafts=Drafts(path))
        screen.type("begun")
        screen.press("meta v", "e", "meta 2", "meta 1")
        screen.chat.save_drafts()
        self.assertEqual(json.loads(path.read_text())["#lobby"], "begun")
        screen.type(" two")
        screen.press("meta 2")
        self.assertEqual((screen.chat.model.open, written(screen)), ("#cats", ""))
        self.assertNotIn("Editing", "\n".join(screen.text()))
        screen.chat.keep_draft(written(screen))
        screen.chat.save_drafts()
        self.assertEqual(json.loads(path.read_text())["#lobby"], "one two\nbegun")
        screen.press("meta 1")
        self.assertEqual(written(screen), "one two")
        screen.press("enter")
        self.assertEqual(screen.client.asked[-1], ("edit", ("#lobby", 2, "one two")))
        self.assertEqual(written(screen), "begun")

    def test_who_is_taken_out_of_the_room_meanwhile_keeps_what_was_begun(self) -> None:
        screen = mine()
        screen.client.say(entry(1, ME, "meow", to="#cats"))
        screen.press("meta 2")
        screen.type("begun")
        screen.press("meta v", "e")
        screen.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        screen.text()
        self.assertEqual((screen.chat.model.open, written(screen)), ("#lobby", ""))
        screen.press("meta 2", "esc")
        self.assertEqual(written(screen), "begun")

    def test_a_message_that_is_deleted_meanwhile_is_still_in_the_composer(self) -> None:
        screen = mine("one")
        screen.enter("/edit")
        screen.client.say(entry(3, ME, kind="redact", target=2))
        self.assertIn("as it is): This message was deleted.", "\n".join(screen.text()))
        screen.client.trouble = Refused(404, "There is no such message.")
        screen.type(" more")
        self.assertIn("no such message", "\n".join(screen.press("enter")))
        self.assertEqual(written(screen), "one more")

    def test_the_mark_is_whole_at_any_width_and_dim_where_the_text_is_not(self) -> None:
        said = "很久以前 there was a longer text, 它有很多字"
        for language, mark in (("en", "(edited)"), ("zh", "（已编辑）")):
            for columns in range(20, 60):
                screen = mine(size=(columns, 24), language=language)
                screen.client.say(entry(2, BEN, said, edited=9))
                shown = "".join("".join(screen.text()).split())
                self.assertIn("".join(mark.split()), shown.replace("│", ""), (language, columns))
            screen = mine(size=(90, 24), language=language)
            screen.client.say(entry(2, BEN, "short", edited=9))
            rows = [row for row in screen.text() if "short" in row]
            self.assertIn("short (edited)" if language == "en" else "short（已编辑）", rows[0])
            self.assertTrue(rows[0].split("│")[-1].strip().startswith("short"), rows)
            self.assertIn(f"short{' ' if language == 'en' else ''}{mark}", rows[0])

    def test_no_day_is_announced_on_which_only_something_was_changed(self) -> None:
        tomorrow = NOON + 86_400_000
        screen = mine("one")
        screen.client.say(edit(3, 2, "two", user=ME, time=tomorrow))
        screen.client.say(entry(4, BEN, kind="redact", target=1, time=tomorrow))
        self.assertNotIn("2023-11-15", "\n".join(screen.text()))
        screen.client.say(entry(5, BEN, "good morning", time=tomorrow + 1))
        text = screen.text()
        at = next(row for row, line in enumerate(text) if "good morning" in line)
        self.assertIn("2023-11-15", text[at - 1])

    def test_an_edit_moves_nobody_who_reads_or_has_it_selected(self) -> None:
        screen = mine(*(f"message number {n}" for n in range(2, 60)), size=(60, 14))
        screen.press("page up", "page up")
        before = screen.text()
        screen.client.say(edit(60, 59, "something else", user=ME))
        self.assertEqual(screen.text()[:9], before[:9])
        screen.press("meta n", "meta v", "up", "up")
        (picked,) = screen.desk.messages.picked
        screen.client.say(edit(61, picked.seq, "what is selected", user=ME))
        self.assertIn("what is selected", "\n".join(screen.text()))
        screen.press("y")
        self.assertEqual(screen.copied, ["what is selected"])

    def test_the_inspector_says_when_it_was_edited(self) -> None:
        screen = mine("one")
        screen.client.say(edit(3, 2, "two", user=ME))
        text = "\n".join(screen.enter("/inspect"))
        self.assertRegex(text, r"Edited\s+2023-11-14 12:03:00  by entry 3")

    def test_what_it_is_stands_above_it_and_a_click_finds_its_place(self) -> None:
        screen = mine("first line\nsecond line")
        text = screen.enter("/edit")
        at = next(row for row, line in enumerate(text) if "Editing" in line)
        self.assertIn("first line", text[at + 1])
        self.assertIn("second line", text[at + 2])
        screen.root.mouse_event(screen.size, "mouse press", 1, 2, at + 1, True)
        self.assertEqual(screen.desk.composer.editor.cursor, 0)
        screen.root.mouse_event(screen.size, "mouse press", 1, 2, at + 2, True)
        self.assertEqual(screen.desk.composer.editor.cursor, len("first line\n"))
        screen.root.mouse_event(screen.size, "mouse press", 1, 2, at, True)
        self.assertEqual(screen.desk.composer.editor.cursor, 0)
        self.assertIs(screen.desk.active, Pane.COMPOSER)

    def test_on_the_smallest_screen_the_text_is_seen(self) -> None:
        for size in ((20, 6), (20, 7), (40, 9)):
            screen = mine("one", size=size)
            screen.enter("/edit")
            screen.type(" two")
            self.assertIn("one two", "\n".join(screen.text()))

    def test_the_command_is_known_by_its_names(self) -> None:
        for typed in ("/edit", "/correct", "/编辑", "、更正"):
            self.assertEqual(getattr(parse(typed).command, "verb", ""), "edit", typed)
