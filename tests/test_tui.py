"""The screen without a terminal: what is drawn, what keys do, at every size and with any text."""

import unicodedata
from dataclasses import replace
from typing import NoReturn
from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.client import events
from chat.client.conversation import KEPT
from chat.client.tui.commands import COMMANDS, Kind, find, parse
from chat.client.tui.composer import Paste
from chat.client.tui.doctor import Examined, examine
from chat.client.tui.draw import canvas
from chat.client.tui.editor import EDITS, Editor
from chat.client.tui.keys import CONTEXTS, KEYS, action
from chat.client.tui.layout import Pane, arrange
from chat.client.tui.people import OnlinePane
from chat.client.tui.themes import ASCII, ROLES, THEMES
from chat.client.tui.verbs import Verbs
from chat.client.words import LANGUAGES, Words
from chat.messages import Conversation, User
from tests.test_text import NASTY
from tests.tui_builders import (
    BEN,
    CHEN,
    EPOCH,
    ME,
    NOON,
    Screen,
    ScriptedClient,
    entry,
    failures,
    lively,
    room,
)

ALL_KEYS = sorted({key for each in KEYS for key in each.keys})
SIZES = st.tuples(st.integers(1, 130), st.integers(1, 40))


def hostile_event(text: str, number: int) -> events.Event:
    """An event whose every string is ``text``."""
    user = User(number % 5 + 1, text, number % 4)
    return (
        events.MessageArrived(entry(number + 1, user, text or "x"), False, True),
        events.MessageArrived(entry(number + 1, user, text, kind="topic"), False, True),
        events.PresenceChanged((user,), "all", False),
        events.ConversationChanged(room("#" + text, seq=number, topic=text)),
        events.ConnectionChanged(events.Waiting(3, 3, text)),
        events.ConnectionChanged(events.LoggedIn()),
        events.ErrorArrived(400, text, text),
        events.EpochChanged("#lobby", text, number),
        events.GapSkipped("#lobby", 1, number, bool(number % 2)),
        events.ReceiptMoved("@2", 2, EPOCH, number, number),
        events.MessageStateChanged(
            events.Outgoing(text, "#lobby", text, NOON), events.Failed(413, text)
        ),
    )[number % 11]


class AnyStateTests(TestCase):
    @given(
        st.lists(
            st.one_of(
                st.sampled_from(ALL_KEYS),
                st.characters(),
                st.tuples(NASTY, st.integers(0, 40)),
                SIZES,
            ),
            max_size=25,
        )
    )
    @settings(max_examples=150, deadline=None)
    def test_any_events_and_keys_and_sizes_leave_a_screen_that_draws(self, steps: list) -> None:  # type: ignore[type-arg]
        screen = lively()
        for step in steps:
            if isinstance(step, str):
                screen.press(step)
            elif isinstance(step[0], int):
                screen.size = step
            else:
                screen.client.tell(hostile_event(*step))
            for line in screen.text():
                bad = [each for each in line if unicodedata.category(each)[0] == "C"]
                self.assertEqual(bad, [])

    def test_every_small_size_draws(self) -> None:
        screen = lively()
        for columns in range(1, 66, 3):
            for rows in range(1, 14):
                screen.size = (columns, rows)
                screen.text()

    @given(st.lists(st.tuples(st.none(), st.text(max_size=20)), max_size=5), st.integers(0, 25))
    @settings(max_examples=200, deadline=None)
    def test_a_row_of_uncleaned_text_is_made_harmless(self, row: list, columns: int) -> None:  # type: ignore[type-arg]
        drawn = canvas([row], columns, 1).decoded_text[0]
        self.assertTrue(drawn.replace("\u200d", "").isprintable(), drawn)


class BrokenPaneTests(SynchronousTestCase):
    def test_a_pane_that_fails_says_so_and_the_others_go_on(self) -> None:
        screen = lively(size=(120, 30))

        class BrokenPane(OnlinePane):
            def items(self) -> NoReturn:
                raise RuntimeError("broken")

        screen.desk.online = BrokenPane(screen.look, screen.chat.model)
        screen.may_fail = True
        text = "\n".join(screen.text())
        self.assertIn("This part could not", text)
        self.assertIn("good morning", text)
        self.assertIn("broken", failures()[0])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))


class LayoutTests(TestCase):
    def test_three_panes_from_100_columns_two_from_60_one_below(self) -> None:
        for columns, panes in ((200, 3), (100, 3), (99, 2), (60, 2), (59, 1), (20, 1)):
            found = arrange(columns, 24, Pane.COMPOSER)
            widths = [each for each in (found.left, found.centre, found.right) if each]
            self.assertEqual(len(widths), panes, columns)
            self.assertEqual(sum(widths) + panes - 1, columns)

    def test_the_focused_pane_is_always_shown(self) -> None:
        for columns in (40, 80, 120):
            found = arrange(columns, 24, Pane.ONLINE, hidden=frozenset({Pane.ONLINE}))
            self.assertGreater(found.right, 0)

    @given(SIZES, st.sampled_from(list(Pane)), st.integers(1, 50))
    @settings(deadline=None)
    def test_rows_add_up(self, size: tuple[int, int], focus: Pane, wanted: int) -> None:
        found = arrange(*size, focus, wanted)
        if not found.too_small:
            self.assertEqual(found.panes + 1 + found.composer + found.hints, size[1])
            self.assertGreater(found.panes, 0)

    def test_a_tiny_window_shows_a_sentence(self) -> None:
        self.assertEqual(lively(size=(30, 3)).text()[0], "The window is too small.")


class MessagesTests(TestCase):
    def test_history_loads_while_one_scrolls_until_the_beginning(self) -> None:
        log = [entry(each, time=NOON + each * 2_000) for each in range(1, 501)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=500, read=500)}
        screen = Screen(client, (80, 24))
        screen.text()
        for _ in range(60):
            text = screen.press("page up")
        self.assertIn("This is where the conversation begins", "\n".join(text))
        self.assertEqual(len(screen.chat.model.conversation("#lobby").entries), 500)
        for _ in range(60):
            text = screen.press("page down")
        self.assertIn("message 500", "\n".join(text))
        self.assertTrue(screen.desk.messages.at_end)

    def test_the_view_stands_still_while_messages_come(self) -> None:
        log = [entry(each, time=NOON + each * 2_000) for each in range(1, 200)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=199, read=199)}
        screen = Screen(client, (80, 24))
        screen.text()
        before = screen.press("page up")
        screen.client.say(entry(200, content="@anna look"))
        screen.client.say(entry(201))
        after = screen.text()
        self.assertIn("2 new (1 mention you)", "\n".join(after))
        self.assertEqual([line[20:] for line in before[1:20]], [line[20:] for line in after[1:20]])
        self.assertIn("message 201", "\n".join(screen.press("meta end")))

    def test_the_view_stands_still_while_older_messages_are_put_above(self) -> None:
        log = [entry(each, time=NOON + each * 2_000) for each in range(1, 400)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=399, read=399)}
        screen = Screen(client, (80, 24))
        screen.text()
        for _ in range(3):
            before = screen.press("page up")
        screen.chat.model.page("#lobby", log[:250], first=1)
        self.assertEqual(screen.text(), before)

    def test_memory_is_bounded_while_a_flood_is_watched(self) -> None:
        screen = lively()
        for number in range(8, 2 * KEPT):
            screen.client.tell(events.MessageArrived(entry(number), False, True))
        screen.text()
        self.assertLess(len(screen.chat.model.conversation("#lobby").entries), KEPT + KEPT // 4)
        self.assertEqual(screen.chat.model.conversation("#lobby").entries[-1].seq, 2 * KEPT - 1)

    def test_a_hole_is_shown_and_fetched(self) -> None:
        client = ScriptedClient({"#lobby": [entry(each) for each in range(1, 31)]})
        client.conversations = {"#lobby": room("#lobby", seq=30, read=30)}
        screen = Screen(client)
        screen.text()
        del screen.chat.model.conversation("#lobby").entries[20:28]
        screen.chat.model.link = events.Connecting()
        self.assertIn("not loaded yet: 8", "\n".join(screen.text()))
        screen.chat.model.link = events.LoggedIn()
        self.assertNotIn("not loaded", "\n".join(screen.text()))

    def test_read_means_seen_at_the_end_with_the_focus_in_the_terminal(self) -> None:
        screen = lively()
        screen.press("focus out")
        screen.client.asked.clear()
        screen.client.say(entry(8))
        screen.text()
        self.assertEqual(screen.client.asked, [])
        self.assertEqual(screen.chat.model.conversation("#lobby").unread, 1)
        screen.press("focus in")
        self.assertIn(("read", ("#lobby", 8)), screen.client.asked)

    def test_a_key_goes_to_the_first_unread_message_however_far_above(self) -> None:
        log = [entry(each, time=NOON + each * 2_000) for each in range(1, 1001)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=1000, read=300)}
        screen = Screen(client, (80, 24))
        screen.text()
        text = screen.press("meta u")
        place = next(at for at, line in enumerate(text) if "new messages" in line)
        self.assertIn("message 301", text[place + 1])

    def test_writing_counts_as_reading_and_the_server_is_told(self) -> None:
        screen = lively()
        screen.client.say(entry(8, ME, "mine"))
        screen.text()
        self.assertIn(("read", ("#lobby", 8)), screen.client.asked)

    def test_the_divider_stands_below_what_one_wrote_oneself(self) -> None:
        log = [entry(1), entry(2, ME), entry(3, content="unread")]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=3, read=1)}
        text = Screen(client).text()
        place = next(at for at, line in enumerate(text) if "new messages" in line)
        self.assertIn("unread", text[place + 1])

    def test_the_divider_stands_above_what_came_while_one_looked_away(self) -> None:
        screen = lively()
        screen.press("meta 2", "meta 1")
        self.assertNotIn("new messages", "\n".join(screen.text()))
        screen.press("focus out")
        screen.client.say(entry(8, content="while away"))
        text = screen.press("focus in")
        place = next(at for at, line in enumerate(text) if "while away" in line)
        self.assertIn("new messages", text[place - 1])

    def test_nothing_is_told_while_somebody_looks(self) -> None:
        screen = lively()
        screen.text()
        screen.client.say(entry(8, content="@anna"))
        self.assertEqual(screen.told, [])
        screen.press("focus out")
        screen.client.say(entry(9, content="hello"))
        screen.client.say(entry(10, content="@anna"))
        screen.client.say(entry(2, content="psst", to="@2"))
        self.assertEqual([each.kind for each in screen.told], ["message", "mention", "private"])
        self.assertEqual(screen.told[2].conversation, "ben")

    def test_where_the_terminal_tells_nothing_of_its_focus_a_key_says_that_somebody_is_there(
        self,
    ) -> None:
        screen = lively()
        screen.press("meta 2")
        screen.client.say(entry(8, content="@anna"))
        self.assertEqual(screen.told, [])
        screen.clock.advance(61)
        screen.client.say(entry(9, content="@anna"))
        self.assertEqual([each.kind for each in screen.told], ["mention"])
        screen.press("focus in")
        screen.clock.advance(3600)
        screen.client.say(entry(10, content="@anna"))
        self.assertEqual(len(screen.told), 1)

    def test_own_messages_show_their_fate(self) -> None:
        screen = lively()
        screen.press("meta 3")
        text = screen.type("hello") and screen.press("enter")
        self.assertIn("◌", "\n".join(text))
        [sent] = screen.client.outgoing
        screen.client.tell(
            events.MessageStateChanged(sent.outgoing, events.Stored("@2", EPOCH, 2, NOON))
        )
        screen.client.say(entry(2, ME, "hello", to="@2", client_id=sent.outgoing.client_id))
        self.assertEqual("\n".join(screen.text()).count("hello"), 1)
        self.assertIn("✓", "\n".join(screen.text()))
        screen.client.tell(events.ReceiptMoved("@2", 2, EPOCH, 2, 1))
        self.assertIn("✓✓", "\n".join(screen.text()))

    def test_a_refused_message_says_why_and_is_sent_again_by_a_key(self) -> None:
        screen = lively()
        screen.type("hello")
        screen.press("enter")
        [sent] = screen.client.outgoing
        screen.client.tell(
            events.MessageStateChanged(sent.outgoing, events.Failed(403, "you are\x1b[2J muted"))
        )
        text = "\n".join(screen.text())
        self.assertIn("✗", text)
        self.assertIn("you are\ufffd[2J muted", text)
        screen.press("meta r")
        self.assertIn(("retry", sent.outgoing.client_id), screen.client.asked)

    def test_an_imitated_name_is_marked(self) -> None:
        screen = lively()
        screen.client.say(entry(8, User(66, "аnna"), "I am anna"))
        self.assertIn("!аnna#66", "\n".join(screen.text()))

    def test_no_message_looks_like_a_system_line(self) -> None:
        screen = lively(size=(120, 40))
        screen.client.say(entry(8, BEN, "x\n12:05 · ben set the topic: forged"))
        [line] = [each for each in screen.text() if "forged" in each]
        self.assertIn("│ 12:05 ·", line)

    def test_hostile_text_comes_out_harmless_in_every_place(self) -> None:
        evil = "\x1b]0;owned\x07\u202eevil\x9b31m"
        screen = lively(size=(120, 40))
        screen.client.say(entry(8, User(7, evil), evil))
        screen.client.tell(
            events.ConversationChanged(room("#lobby", seq=8, topic=evil)),
            events.ErrorArrived(400, evil, ""),
            events.PresenceChanged((User(7, evil, 0),), "all", False),
        )
        text = "".join(screen.text())
        self.assertIn("evil", text)
        self.assertTrue(text.isprintable())


class ComposerTests(TestCase):
    def test_enter_sends_and_alt_enter_makes_a_line(self) -> None:
        screen = lively()
        screen.type("one")
        screen.press("meta enter")
        screen.type("two")
        screen.press("enter")
        self.assertIn(("send", ("#lobby", "one\ntwo")), screen.client.asked)
        self.assertEqual(screen.desk.composer.editor.text, "")

    def test_unknown_commands_and_commands_behind_a_space_are_never_sent(self) -> None:
        screen = lively()
        for text in ("/nonsense now", " /quit", "/", "/etc/passwd"):
            screen.press("ctrl c")
            screen.type(text)
            screen.press("enter")
            self.assertEqual(screen.desk.composer.editor.text, text)
        self.assertEqual([what for what, _ in screen.client.asked if what == "send"], [])

    def test_two_slashes_say_one(self) -> None:
        screen = lively()
        screen.type("//etc/passwd")
        screen.press("enter")
        self.assertIn(("send", ("#lobby", "/etc/passwd")), screen.client.asked)

    def test_quit_in_both_spellings_leaves(self) -> None:
        for text in ("/q", "/quit", "/Q"):
            screen = lively()
            screen.type(text)
            screen.press("enter")
            self.assertTrue(screen.left, text)

    def test_a_draft_stays_with_its_conversation(self) -> None:
        screen = lively()
        screen.type("for the lobby")
        screen.press("meta 2")
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.type("for cats")
        screen.press("meta 1")
        self.assertEqual(screen.desk.composer.editor.text, "for the lobby")
        screen.press("meta 2")
        self.assertEqual(screen.desk.composer.editor.text, "for cats")

    def test_a_short_paste_is_one_edit_and_sends_nothing(self) -> None:
        screen = lively()
        screen.paste("a\nb\nc")
        self.assertEqual(screen.desk.composer.editor.text, "a\nb\nc")
        screen.press("ctrl _")
        self.assertEqual(screen.desk.composer.editor.text, "")
        self.assertEqual([what for what, _ in screen.client.asked if what == "send"], [])

    def test_a_long_paste_asks_first(self) -> None:
        screen = lively()
        text = "\n".join(f"line {each}" for each in range(200))
        self.assertIn("Paste 200 lines?", "\n".join(screen.paste(text)))
        screen.press("esc")
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.paste(text)
        screen.press("enter")
        self.assertEqual(screen.desk.composer.editor.text, text)

    def test_an_escape_in_a_paste_stays_text(self) -> None:
        screen = lively()
        screen.press("begin paste", "a", "esc", "ctrl q", "b", "end paste")
        self.assertEqual(screen.desk.composer.editor.text, "ab")
        self.assertFalse(screen.left)

    def test_tab_completes_commands_and_names_and_goes_round(self) -> None:
        screen = lively()
        screen.type("/jo")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "/join ")
        screen.press("ctrl c")
        screen.type("@")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "@陈晓明: ")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "@ben: ")

    def test_tab_completes_emoji_by_name_in_both_languages(self) -> None:
        screen = lively()
        for typed, wanted in (
            (":roc", "🚀"),
            (":火箭", "🚀"),
            ("well :+1", "well 👍"),
            ("好的:赞", "好的👍"),
            ("今晚@be", "今晚@ben "),
            (":nosuchname", ":nosuchname"),
            ("12:30", "12:30"),
        ):
            screen.type(typed)
            screen.press("tab")
            self.assertEqual(screen.desk.composer.editor.text, wanted)
            screen.press("ctrl c")
        screen.type(":cat")
        self.assertIn("[🐱]", screen.press("tab")[-1])
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "😺")

    def test_up_browses_and_keeps_the_unsent_line(self) -> None:
        screen = lively()
        for text in ("first", "second"):
            screen.type(text)
            screen.press("enter")
        screen.type("unsent")
        screen.press("up", "up")
        self.assertEqual(screen.desk.composer.editor.text, "first")
        screen.press("down", "down")
        self.assertEqual(screen.desk.composer.editor.text, "unsent")

    def test_it_grows_to_eight_rows_and_keeps_the_cursor_in_view(self) -> None:
        screen = lively()
        screen.paste("1\n2\n3\n4\n5")
        screen.press("meta enter", "6", "meta enter", "7", "meta enter", "8", "meta enter", "9")
        drawn = screen.root.render(screen.size, focus=True)
        self.assertEqual(screen.desk.layout.composer, 8)
        assert drawn.cursor is not None
        self.assertEqual(drawn.decoded_text[drawn.cursor[1]].strip(), "9")


class EditorTests(TestCase):
    @given(
        st.lists(st.one_of(st.sampled_from(sorted(EDITS)), NASTY), max_size=30),
        st.integers(1, 20),
    )
    @settings(max_examples=200, deadline=None)
    def test_any_edits_leave_a_cursor_inside_the_text_and_on_the_screen(
        self, steps: list[str], columns: int
    ) -> None:
        editor = Editor()
        for step in steps:
            if step in EDITS:
                editor.do(step)
            else:
                editor.insert(step)
            self.assertLessEqual(0, editor.cursor)
            self.assertLessEqual(editor.cursor, len(editor.text))
            rows, column, row = editor.rows(columns, lambda part: part)
            self.assertLess(row, len(rows))
            self.assertLessEqual(column, max(columns, 2))

    def test_cutting_and_putting_back(self) -> None:
        editor = Editor()
        editor.insert("one two three")
        editor.do("kill_space_back")
        editor.do("kill_space_back")
        self.assertEqual(editor.text, "one ")
        editor.do("yank")
        self.assertEqual(editor.text, "one two ")
        editor.do("yank_older")
        self.assertEqual(editor.text, "one three")

    def test_undo_takes_back_a_run_of_typing_at_once_and_redo_brings_it_back(self) -> None:
        editor = Editor()
        for each in "hello":
            editor.insert(each)
        editor.do("kill_start")
        editor.do("undo")
        self.assertEqual(editor.text, "hello")
        editor.do("undo")
        self.assertEqual(editor.text, "")
        editor.do("redo")
        self.assertEqual(editor.text, "hello")

    def test_the_cursor_steps_over_whole_characters(self) -> None:
        editor = Editor()
        editor.insert("e\u0323\u0301x")
        editor.do("left")
        editor.do("backspace")
        self.assertEqual(editor.text, "x")


class ListsTests(TestCase):
    def test_f2_and_f3_show_and_hide_their_panes_at_every_width(self) -> None:
        for columns, at_first in ((120, True), (80, False), (40, False)):
            screen = lively(size=(columns, 24))
            for shown in (not at_first, at_first, not at_first, at_first):
                text = "\n".join(screen.press("f3"))
                self.assertEqual("Online (3)" in text, shown, columns)
        for columns, at_first in ((120, True), (80, True), (40, False)):
            screen = lively(size=(columns, 24))
            for shown in (not at_first, at_first, not at_first):
                text = "\n".join(screen.press("f2"))
                self.assertEqual("Conversations" in text, shown, columns)
        screen = lively(size=(80, 24))
        screen.press("f3", "f3")
        screen.size = (120, 24)
        self.assertIn("Online (3)", "\n".join(screen.text()), "it was not put away")

    def test_enter_on_a_person_opens_a_private_conversation(self) -> None:
        screen = lively(size=(120, 30))
        screen.press("shift tab", "shift tab", "shift tab")
        screen.type("陈")
        screen.press("enter")
        self.assertEqual(screen.chat.model.open, "@3")
        screen.type("hi")
        screen.press("enter")
        self.assertIn(("send", ("@3", "hi")), screen.client.asked)

    def test_the_online_list_has_a_mark_and_a_word(self) -> None:
        text = lively(size=(120, 30)).text()
        [line] = [each for each in text if "● ben" in each and "online" in each]
        self.assertTrue(line.endswith("online"))
        self.assertTrue(any("◐ 陈晓明" in each and each.endswith("busy") for each in text))

    def test_the_switcher_finds_conversations_people_and_commands(self) -> None:
        screen = lively()
        screen.press("ctrl k")
        screen.type("cat")
        screen.press("enter")
        self.assertEqual(screen.chat.model.open, "#cats")
        screen.press("ctrl k")
        self.assertIn("/topic", "\n".join(screen.type("top")))

    def test_help_can_be_searched(self) -> None:
        screen = lively()
        screen.press("f1")
        text = "\n".join(screen.type("newest"))
        self.assertIn("Alt-End", text)
        self.assertNotIn("/join", text)


class NoticeTests(TestCase):
    def place(self, screen: Screen, *parts: str) -> None:
        """These stand on the screen, in this order."""
        text = "\n".join(screen.text())
        places = [text.index(part) for part in parts]
        self.assertEqual(places, sorted(places), text)

    def test_what_was_said_in_an_empty_conversation_stays_before_what_comes(self) -> None:
        client = ScriptedClient({"#lobby": []})
        client.conversations = {"#lobby": room("#lobby")}
        screen = Screen(client, (80, 24))
        screen.chat.tell("welcome")
        self.place(screen, "begins", "welcome")
        screen.client.say(entry(1, content="the first"))
        screen.chat.tell("in between")
        screen.client.say(entry(2, content="the second"))
        self.place(screen, "welcome", "the first", "in between", "the second")

    def test_it_stands_where_it_was_said_although_an_entry_there_went(self) -> None:
        screen = lively()
        screen.press("meta 2")
        screen.client.say(entry(12, to="#cats"))
        screen.chat.tell("said here")
        screen.client.say(entry(14, content="later", to="#cats"))
        self.place(screen, "message 12", "said here", "later")


class CommandTests(TestCase):
    def test_join_leave_msg_and_rooms_do_what_they_say(self) -> None:
        screen = lively()
        for text in ("/join cats", "/leave #cats", "/msg 陈晓明 hello there"):
            screen.type(text)
            screen.press("enter")
        for asked in (("join", "#cats"), ("leave", "#cats"), ("send", ("@3", "hello there"))):
            self.assertIn(asked, screen.client.asked)
        self.assertEqual(screen.chat.model.open, "@3")
        screen.type("/rooms")
        self.assertIn("all about cats", "\n".join(screen.press("enter")))

    def test_a_room_can_be_private_from_the_beginning_and_its_title_says_so(self) -> None:
        screen = lively()
        screen.type("/join -private tea leaves")
        text = screen.press("enter")
        self.assertIn(("join", ("#tea", True)), screen.client.asked)
        self.assertIn("#tea (private)  leaves", text[0])
        screen.client.say(entry(1, to="#tea", kind="public"))
        self.assertIn("#tea  leaves", screen.text()[0])
        screen.client.say(entry(2, to="#tea", kind="private"))
        self.assertIn("(private)", screen.text()[0])
        screen.client.logs["#dogs"] = []
        screen.type("/join -private #dogs")
        self.assertIn("everybody may join it", "\n".join(screen.press("enter")))
        screen.type("/join -private")
        self.assertIn("[-private] #room [topic]", "\n".join(screen.press("enter")))

    def test_devices_are_listed_and_which_of_them_is_this_one(self) -> None:
        screen = lively()
        screen.type("/devices")
        text = "\n".join(screen.press("enter"))
        self.assertIn("desk  online  2023-11-14 12:00  (this one)", text)
        self.assertRegex(text, r"phone  offline  2023-11-14 12:00\n")

    def test_an_invitation_stays_to_be_read(self) -> None:
        screen = lively()
        screen.client.tell(events.Invited("#cats", BEN.user_id, BEN.user_name))
        screen.clock.advance(60)
        self.assertIn("ben invites you to #cats: /join #cats", "\n".join(screen.text()))

    def test_the_commands_of_moderators_ask_for_what_they_say(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        wanted = {
            "/kick Ben": ("moderate", ("#lobby", "kick", "Ben", 0, "")),
            "/kick @2 too loud": ("moderate", ("#lobby", "kick", 2, 0, "too loud")),
            "/ban Ben 1d12h spam": ("moderate", ("#lobby", "ban", "Ben", 129_600, "spam")),
            "/ban Ben spam": ("moderate", ("#lobby", "ban", "Ben", 0, "spam")),
            "/mute Ben 90": ("moderate", ("#lobby", "mute", "Ben", 90, "")),
            "/unmute Ben": ("moderate", ("#lobby", "unmute", "Ben", 0, "")),
            "/role Ben moderator": ("moderate", ("#lobby", "moderator", "Ben", 0, "")),
            "/invite Ben": ("moderate", ("#lobby", "invite", "Ben", 0, "")),
            "/slow 30s": ("slow", ("#lobby", 30)),
            "/slow off": ("slow", ("#lobby", 0)),
            "/private": ("private", ("#lobby", True)),
            "/public": ("private", ("#lobby", False)),
            "/block Ben": ("block", ("Ben", True)),
            "/unblock Ben": ("block", ("Ben", False)),
        }
        for text, asked in wanted.items():
            screen.type(text)
            screen.press("enter")
            self.assertEqual(screen.client.asked[-1], asked, text)
        for text, said in {
            "/role Ben king": "The roles are", "/slow soon": "is no time", "/sanctions": "muted",
            "/invitations": "/join #cats", "/block": "0 blocked", "/report nobody x": "nobody",
        }.items():  # fmt: skip
            screen.type(text)
            self.assertIn(said, "\n".join(screen.press("enter")), text)

    def test_a_report_and_a_deletion_are_about_their_last_message(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        log = screen.client.logs["#lobby"]
        screen.client.say(entry(log[-1].seq + 1, BEN, "rude"))
        screen.client.say(entry(log[-1].seq + 1, CHEN, "hm"))
        screen.type("/report ben it is rude")
        screen.press("enter")
        said = screen.client.logs["#lobby"][-2].seq
        self.assertEqual(screen.client.asked[-1], ("report", ("#lobby", said, "it is rude")))
        screen.type(f"/del {BEN.user_name}")
        screen.press("enter")
        self.assertEqual(screen.client.asked[-1], ("redact", ("#lobby", said)))

    def test_what_somebody_who_is_blocked_says_in_a_room_is_not_shown(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        log = screen.client.logs["#lobby"]
        screen.client.say(entry(log[-1].seq + 1, BEN, "something awful"))
        self.assertIn("something awful", "\n".join(screen.text()))
        screen.type(f"/block {BEN.user_name}")
        text = "\n".join(screen.press("enter"))
        self.assertNotIn("something awful", text)
        self.assertIn("is blocked", text)
        screen.type(f"/unblock {BEN.user_name}")
        self.assertIn("something awful", "\n".join(screen.press("enter")))
        for block in (True, False):  # by another device of the same person
            screen.client.tell(events.Blocked(BEN.user_id, BEN.user_name, block))
            self.assertEqual("something awful" not in "\n".join(screen.text()), block)

    def test_who_is_taken_out_of_a_room_reads_by_whom_and_why(self) -> None:
        screen = lively()
        screen.chat.model.state(room("#cats", 3))
        screen.chat.open("#cats")
        kicked = entry(
            4, BEN, "too loud", to="#cats", kind="ban", target=ME.user_id, target_name="me",
            seconds=3600,
        )  # fmt: skip
        screen.client.say(kicked)
        self.assertIn("banned me for 1h (too loud)", "\n".join(screen.text()))
        screen.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        self.assertIn("banned you from #cats for 1h (too loud)", "\n".join(screen.text()))

    def test_what_is_typed_while_a_command_is_on_its_way_goes_where_it_leads(self) -> None:
        screen = lively()
        screen.client.slow = Deferred()
        screen.type("/msg ben hello")
        screen.press("enter")
        screen.type("and one more thing")
        screen.press("enter")
        self.assertNotIn("send", [what for what, _ in screen.client.asked])
        screen.client.slow.callback(None)
        screen.press("enter")
        self.assertIn(("send", ("@2", "and one more thing")), screen.client.asked)
        self.assertEqual(screen.chat.model.conversation("#lobby").draft, "")

    def test_a_command_without_what_it_needs_says_how_it_is_written(self) -> None:
        screen = lively()
        screen.type("/msg")
        self.assertIn("/msg name [text]", "\n".join(screen.press("enter")))

    def test_a_command_can_be_told_from_a_message(self) -> None:
        for text, kind in (
            ("hello", Kind.MESSAGE),
            ("/join #x", Kind.COMMAND),
            ("/JOIN #x", Kind.COMMAND),
            ("/nope", Kind.UNKNOWN),
            ("  /quit", Kind.BEHIND_SPACE),
            (" /usr/bin", Kind.MESSAGE),
            ("   ", Kind.NOTHING),
        ):
            self.assertIs(parse(text).kind, kind, text)
        self.assertEqual(parse("//x").text, "/x")

    def test_the_doctor_tells_what_is_well_and_what_is_not(self) -> None:
        screen = lively(size=(59, 30))
        screen.type("/doctor")
        text = "\n".join(screen.press("enter"))
        self.assertIn("✗ The window is 59 by 30: from 60 by 14 on", text)
        self.assertIn("✓ The server answers in 0 ms", text)
        self.assertIn("the.log", text)

    def test_what_the_doctor_finds_has_its_limits_and_its_words(self) -> None:
        well = Examined(60, 14, 256, False, False, 0.49, 29.9, "always", "a.log")
        ill = Examined(60, 13, 256, True, True, 0.51, -31.0, "", "a.log")
        self.assertEqual([key for good, key, _ in examine(well, {"TERM": "xterm"}) if not good], [])
        wrong = {key for good, key, _ in examine(ill, {"TERM": "dumb"}) if not good}
        wanted = ("size-bad", "term-bad", "ascii", "server-bad", "clock-bad")
        self.assertEqual(wrong, {f"doctor-{each}" for each in wanted})
        away = [key for good, key, _ in examine(replace(well, round_trip=None)) if not good]
        self.assertIn("doctor-no-server", away)
        for language in LANGUAGES:
            for found in (well, ill):
                for _, key, values in examine(found, {}):
                    self.assertNotIn("{", Words(language)(key, **values))

    def test_search_finds_and_goes_there(self) -> None:
        log = [entry(each, time=NOON + each * 2_000) for each in range(1, 400)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=399, read=399)}
        screen = Screen(client, (80, 24))
        screen.text()
        screen.type("/search message 42")
        self.assertIn("1 found", "\n".join(screen.press("enter")))
        text = "\n".join(screen.press("enter"))
        self.assertIn("message 42", text)
        self.assertNotIn("message 399", text)


class ConnectionTests(TestCase):
    def test_the_countdown_is_shown_and_a_key_tries_now(self) -> None:
        screen = lively(size=(120, 30))
        until = screen.clock.seconds() + 7
        screen.client.tell(events.ConnectionChanged(events.Waiting(7, until, "no route")))
        self.assertIn("again in 7 s (F5 now): no route", "\n".join(screen.text()))
        screen.clock.advance(2)
        self.assertIn("again in 5 s", "\n".join(screen.text()))
        screen.press("f5")
        self.assertIn(("reconnect", None), screen.client.asked)

    def test_one_can_read_and_write_while_offline(self) -> None:
        screen = lively()
        screen.text()
        screen.client.tell(events.ConnectionChanged(events.Connecting()))
        screen.type("hello")
        text = "\n".join(screen.press("enter"))
        self.assertIn("◌", text)
        self.assertIn("good morning", text)


class TablesTests(TestCase):
    def test_every_key_leads_to_something_that_exists(self) -> None:
        screen = lively()
        places = {
            "popup": {"select_up", "select_down", "select_page_up", "select_page_down", "choose",
                      "close", "unfilter", "quit"},
            "form": {"select_up", "select_down", "choose", "close", "quit", "redraw"},
        }  # fmt: skip
        for each in KEYS:
            self.assertIn(each.context, CONTEXTS)
            kind, _, rest = each.action.partition(" ")
            if each.context in places:
                self.assertIn(each.action, places[each.context])
            elif kind == "edit":
                self.assertIn(rest, EDITS)
            elif not kind.startswith("go_"):
                self.assertIn(kind, screen.actions.names, each)

    def test_no_key_means_two_things_in_one_place(self) -> None:
        for context in CONTEXTS:
            keys = [key for each in KEYS if each.context == context for key in each.keys]
            self.assertEqual(len(keys), len(set(keys)), context)
            for key in keys:
                self.assertIsNotNone(action(context, key))

    def test_every_command_has_a_verb_and_its_own_names(self) -> None:
        names = [name for each in COMMANDS for name in each.names]
        self.assertEqual(len(names), len(set(names)))
        for each in COMMANDS:
            self.assertTrue(callable(getattr(Verbs, each.verb)), each)
            self.assertIs(find(each.names[0].upper()), each)

    def test_every_theme_has_every_role(self) -> None:
        for name, theme in THEMES.items():
            self.assertEqual(set(theme.styles), set(ROLES), name)
            self.assertEqual(len(theme.palette()), len(ROLES))

    def test_ascii_glyphs_are_ascii(self) -> None:
        screen = Screen(size=(120, 30), glyphs=ASCII)
        screen.client.say(entry(1, BEN, "plain"))
        self.assertTrue("".join(screen.text()).replace("…", "").replace("陈晓明", "").isascii())


class PasteTests(TestCase):
    def test_keys_outside_a_paste_are_left_alone(self) -> None:
        paste = Paste()
        self.assertIsNone(paste.take("a"))
        self.assertEqual(paste.take("begin paste"), "")
        self.assertEqual(paste.take("enter"), "")
        self.assertEqual(paste.take("end paste"), "\n")
        self.assertIsNone(paste.take("enter"))
