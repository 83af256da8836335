"""The screen without a terminal: what is drawn, what keys do, at every size and with any text."""

import unicodedata
from typing import NoReturn
from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.client import events
from chat.client.tui.commands.keys import CONTEXTS, KEYS, action
from chat.client.tui.commands.switcher import MOST
from chat.client.tui.commands.table import COMMANDS, Kind, find, parse
from chat.client.tui.commands.verbs import Verbs
from chat.client.tui.panes.draw import canvas
from chat.client.tui.panes.editor import EDITS
from chat.client.tui.panes.layout import Pane, arrange
from chat.client.tui.panes.people import OnlinePane
from chat.client.tui.panes.popups import Choice, Popup
from chat.client.tui.terminal.paint import Painter
from chat.client.tui.themes import ASCII, ROLES, THEMES, UNICODE
from chat.messages import User
from tests.pty_screen import CONTROL
from tests.test_text import NASTY
from tests.tui_builders import (
    BEN,
    EPOCH,
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
        events.MessageArrived(
            entry(number + 1, user, text or "x", reply=number * 3 % 8), False, True
        ),
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
            events.Outgoing(text, "#lobby", text, NOON, number % 9), events.Failed(413, text)
        ),
        events.Invited("#" + text, number, text),
        events.Blocked(number % 5 + 1, text, bool(number % 2)),
    )[number % 13]


def flood_into(screen: Screen, text: str, count: int) -> None:
    """``count`` messages of two people in the open conversation, as fast as a program writes."""
    conversation = screen.chat.model.current
    assert conversation is not None
    start, last = conversation.newest + 1, conversation.entries[-1:]
    time = last[0].time if last else NOON
    for each in range(count):
        user = User(2 + each % 2, text, 0)
        said = entry(
            start + each, user, text, conversation.name, time=time + each, reply=each % 3 and each
        )
        screen.client.tell(events.MessageArrived(said, False, True))


def painted(screen: Screen, painter: Painter) -> str:
    """What is written to the terminal for the screen as it is now, but for what every screen's
    program writes: where the cursor goes, in which colours, what is scrolled."""
    canvas = screen.root.render(screen.size, focus=True)
    return CONTROL.sub("", painter.paint(canvas.lines, screen.size[0], canvas.cursor))


class AnyStateTests(TestCase):
    @given(
        st.lists(
            st.one_of(
                st.sampled_from(ALL_KEYS),
                st.characters(),
                st.tuples(NASTY, st.integers(0, 40)),
                st.tuples(st.just("flood"), NASTY, st.integers(1, 60)),
                SIZES,
            ),
            max_size=25,
        )
    )
    @settings(max_examples=75, deadline=None)
    def test_any_events_and_keys_and_sizes_leave_a_screen_that_draws(self, steps: list) -> None:  # type: ignore[type-arg]
        screen, painter = lively(), Painter(lambda attribute: "\x1b[0;39;49m")
        for step in steps:
            if isinstance(step, str):
                screen.press(step)
            elif step[0] == "flood":
                flood_into(screen, *step[1:])
            elif isinstance(step[0], int):
                screen.size = step
            else:
                screen.client.tell(hostile_event(*step))
            for line in screen.text():
                bad = [each for each in line if unicodedata.category(each)[0] == "C"]
                self.assertEqual(bad, [])
            written = painted(screen, painter)
            self.assertTrue(written.isprintable(), written)

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

    def test_whom_it_lists_it_watches_where_the_login_says_that_it_must(self) -> None:
        for scope, watched in (("all", []), ("watched", [("watch", (1, 2, 3))])):
            client = ScriptedClient()
            client.scope = scope
            Screen(client, (120, 24)).text()
            asked = [each for each in client.asked if each[0] == "watch"]
            self.assertEqual(asked, watched, scope)

    def test_whom_one_has_scrolled_to_is_watched_and_not_anew_at_each_step(self) -> None:
        client = ScriptedClient()
        client.scope = "watched"
        client.people = [User(n, f"someone{n:04}", 0) for n in range(1, 1_001)]
        screen = Screen(client, (120, 24))
        screen.text()
        screen.desk.focus_on(Pane.ONLINE)
        for _ in range(200):
            screen.press("down")
        asked = [whom for what, whom in client.asked if what == "watch"]
        self.assertEqual([len(each) for each in asked], [200, 200])
        shown = [each for each in screen.text() if "someone0190" in each]
        self.assertEqual((len(shown), 190 in asked[-1]), (1, True))

    def test_a_tiny_window_shows_a_sentence(self) -> None:
        self.assertEqual(lively(size=(30, 3)).text()[0], "The window is too small.")
        self.assertEqual(lively(size=(12, 3)).text(), ["The window", "is too", "small."])


class ConversationsTests(TestCase):
    def setUp(self) -> None:
        client = ScriptedClient()
        names = ["#lobby", *(f"#room{number:02}" for number in range(40))]
        client.conversations = {name: room(name) for name in names}
        self.screen = Screen(client, (80, 24))

    def test_the_one_that_is_open_is_seen_among_any_number(self) -> None:
        for name in ("#room35", "#lobby"):
            rows = self.screen.enter(f"/go {name}")
            self.assertTrue(any(row.startswith(f"› {name}") for row in rows), name)
        self.screen.press("meta up", "shift tab")  # one up is the last of all
        self.screen.press("up", "enter")
        self.assertEqual(self.screen.chat.model.open, "#room38")

    def test_what_is_unread_out_of_view_is_counted_at_the_end_of_the_title(self) -> None:
        client = ScriptedClient()
        names = [f"#room-{number:02}" for number in range(60)]
        client.conversations = {
            name: room(name, seq=number % 2, read=0) for number, name in enumerate(names)
        }
        for glyphs, up, down in ((UNICODE, "↑", "↓"), (ASCII, "^", "v")):
            screen = Screen(client, (80, 24), glyphs=glyphs)
            self.assertEqual(screen.text()[0][:20].split(), ["Conversations", f"{down}20"])
            screen.chat.open("#room-40")
            self.assertEqual(screen.text()[0][:20].split()[1:], [f"{up}10", f"{down}10"])
        role = screen.desk.conversations.aside("title")[0][0]
        self.assertEqual(role, "title")
        client.say(entry(1, BEN, "@anna look", to="#room-59"))
        self.assertEqual(screen.desk.conversations.aside("title")[1], ("mention", f" {down}10"))
        screen.press("shift tab", "home")
        self.assertEqual(screen.text()[0][:20].split()[1], f"{down}20")
        screen.type("room-5")
        self.assertEqual(screen.text()[0][:20].split(), ["Conversations"])

    def test_where_something_is_begun_is_marked_but_not_where_one_is(self) -> None:
        for language in ("en", "zh"):
            screen = lively(language)
            screen.type("half a thought")
            self.assertNotIn("✎", "\n".join(screen.text()))
            [row] = [each for each in screen.press("meta 2") if "#lobby" in each]
            self.assertRegex(row, "1 #lobby +✎│")
            screen.press("meta 1", "ctrl u", "meta 2")
            self.assertNotIn("✎", "\n".join(screen.text()))

    def test_the_first_nine_have_the_digit_that_opens_them(self) -> None:
        rows = self.screen.press("meta 4")
        self.assertEqual([row[0] for row in rows[1:12]], list("123›56789  "))
        self.screen.press("shift tab")
        row = self.screen.type("room07")[2]
        self.assertTrue(row.startswith("9 #room07"), row)


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

    def test_the_countdown_and_its_key_are_seen_in_the_smallest_window(self) -> None:
        for language, wanted in (("en", "again in 17 s (F5)"), ("zh", "17 秒后重试（F5）")):
            screen = lively(language, size=(20, 6))
            until = screen.clock.seconds() + 17
            screen.client.tell(events.ConnectionChanged(events.Waiting(17, until, "no route")))
            self.assertIn(f" {wanted}", screen.text())

    def test_one_can_read_and_write_while_offline(self) -> None:
        screen = lively()
        screen.text()
        screen.client.tell(events.ConnectionChanged(events.Connecting()))
        text = "\n".join(screen.enter("hello"))
        self.assertIn("◌", text)
        self.assertIn("good morning", text)


class StatusTests(TestCase):
    """The line above the composer, where there is little room."""

    def test_what_is_unread_is_counted_on_the_smallest_screen(self) -> None:
        screen = lively(size=(20, 6))
        self.assertIn(" online  (13)  anna", screen.text())

    def test_what_is_said_needs_its_room_more_than_ones_name(self) -> None:
        screen = lively(size=(40, 10))
        screen.chat.say("what is said here is as wide as a row")
        self.assertEqual(screen.text()[-2], " what is said here is as wide as a row")
        screen.chat.say("short")
        self.assertRegex(screen.text()[-2], "^ online . short +anna$")

    def test_what_went_wrong_can_be_read_where_the_line_is_too_short_for_it(self) -> None:
        for size in ((40, 10), (80, 24)):
            screen = lively(size=size)
            long = " ".join(["it has gone wrong"] * 4)
            screen.chat.say(long)
            self.assertNotIn("· it has", "\n".join(screen.text()), "nothing has gone wrong")
            screen.chat.say("short", bad=True)
            self.assertNotIn("· short", "\n".join(screen.text()))
            screen.chat.say(long, bad=True)
            told = " ".join("\n".join(screen.text()).split())
            self.assertIn(long, told)

    def test_the_next_thing_that_is_done_ends_what_was_said_of_the_last(self) -> None:
        screen = lively()
        for typed in ("/go nowhere", "hello"):
            text = "\n".join(screen.enter(typed))
            self.assertEqual("no conversation called nowhere" in text, typed != "hello")

    def test_that_there_is_no_connection_is_said_no_longer_than_it_holds(self) -> None:
        screen = lively()
        screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "no route")))
        self.assertIn("try again when it is back", "\n".join(screen.enter("/readall")))
        screen.client.tell(events.ConnectionChanged(events.LoggedIn()))
        self.assertNotIn("try again when it is back", "\n".join(screen.text()))

    def test_a_connection_that_is_lost_takes_the_place_of_what_went_well(self) -> None:
        for bad, wanted in ((False, "connection lost"), (True, "wrong")):
            screen = lively()
            screen.chat.say("wrong" if bad else "well", bad)
            screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "no route")))
            text = "\n".join(screen.text())
            self.assertIn(wanted, text)
            self.assertNotIn(" well", text)


class PopupTests(TestCase):
    def test_one_goes_to_both_ends_of_it_and_takes_back_what_was_typed(self) -> None:
        screen = lively()
        self.assertNotIn("/quit", "\n".join(screen.press("f1")))
        self.assertIn("/quit", "\n".join(screen.press("end")))
        self.assertIn("Composer", "\n".join(screen.press("home")))
        self.assertNotIn("Composer", "\n".join(screen.press(*"doctor")))
        self.assertIn("Composer", "\n".join(screen.press("ctrl u")))

    def test_what_it_lists_is_made_once_for_what_is_typed_however_often_it_is_drawn(self) -> None:
        screen, made = lively(), []

        def choices(typed: str) -> list[Choice]:
            made.append(typed)
            return [Choice([(None, f" row {typed}")])]

        screen.pop_up(Popup(screen.desk.look, "Rows", choices, lambda value: None))
        for _ in range(3):
            screen.text()
        screen.type("ab")
        self.assertEqual(made, ["", "", "ab"])  # the second one for its size

    def test_what_an_input_method_writes_wide_is_found(self) -> None:
        for keys, wanted in (
            (("f1", *"／禁言"), "禁止某人发言"),
            (("f1", *"、禁言"), "禁止某人发言"),
            (("ctrl k", *"、禁言"), "禁止某人发言"),
            (("shift tab", *"＃ｃａｔ"), "#cats"),
            (("shift tab", "shift tab", "shift tab", *"Ｂｅ"), "ben"),
        ):
            shown = lively("zh", size=(120, 24)).press(*keys)
            self.assertIn(wanted, "\n".join(shown), keys)
            self.assertNotIn("没有找到", "\n".join(shown), keys)

    def test_its_rows_are_as_wide_as_the_window_is_also_when_that_becomes_another(self) -> None:
        screen = lively(size=(120, 40))
        screen.press("f1")
        for size in ((40, 20), (120, 40), (40, 20)):
            screen.size = size
            fresh = lively(size=size)
            self.assertEqual(screen.text(), fresh.press("f1"))
        screen = lively(size=(120, 40))
        screen.press("meta i")
        screen.size = (24, 20)
        self.assertNotIn("\u2026", "\n".join(screen.text()))

    def test_of_thousands_of_people_only_so_many_are_listed_and_each_is_found(self) -> None:
        screen = lively()
        screen.text()
        screen.chat.model.people_are([User(n, f"someone{n}", 0) for n in range(100, 5_100)])
        screen.press("ctrl k")
        assert screen.root.popup is not None
        self.assertEqual(len(screen.root.popup.items()), MOST)
        self.assertIn(" someone4321  ", "\n".join(screen.type("one4321")))


class TablesTests(TestCase):
    def test_every_key_leads_to_something_that_exists(self) -> None:
        screen = lively()
        places = {
            "popup": {"select_up", "select_down", "select_page_up", "select_page_down",
                      "select_first", "select_last", "choose", "close", "unfilter", "unfilter_all",
                      "quit"},
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
            if each.verb:
                self.assertTrue(callable(getattr(Verbs, each.verb)), each)
            else:
                self.assertIs(parse(f"/{each.names[0]} x").kind, Kind.MESSAGE)
            self.assertIs(find(each.names[0].upper()), each)

    def test_every_theme_has_every_role(self) -> None:
        for name, theme in THEMES.items():
            self.assertEqual(set(theme.styles), set(ROLES), name)
            self.assertEqual(len(theme.palette()), len(ROLES))

    def test_ascii_glyphs_are_ascii(self) -> None:
        screen = Screen(size=(120, 30), glyphs=ASCII)
        screen.client.say(entry(1, BEN, "plain"))
        self.assertTrue("".join(screen.text()).replace("…", "").replace("陈晓明", "").isascii())
