"""Messages on the screen: rows, views that stand still, what is missing, what the client says."""

import re
from unittest import TestCase

from chat.client import events
from chat.client.conversation import KEPT
from chat.messages import Entry, User
from tests.tui_builders import (
    BEN,
    CHEN,
    EPOCH,
    ME,
    NOON,
    Screen,
    ScriptedClient,
    entry,
    lively,
    room,
)


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

    def test_a_day_begins_once_though_what_was_deleted_has_no_time(self) -> None:
        day = 86_400_000
        gone = [Entry(each, deleted=True, conversation="#lobby") for each in (1, 3, 4, 6)]
        log = [gone[0], entry(2), *gone[1:3], entry(5), gone[3], entry(7, time=NOON + day)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=7, read=7)}
        text = "\n".join(Screen(client, (80, 24)).text())
        self.assertEqual(text.count("This message was deleted."), 4)
        self.assertEqual(re.findall(r"2023-11-\d\d|1970", text), ["2023-11-14", "2023-11-15"])

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

    def test_who_types_has_the_focus_whatever_the_terminal_said_before(self) -> None:
        screen = lively()
        screen.press("focus out")
        screen.client.say(entry(8))
        screen.type("x")
        self.assertIn(("read", ("#lobby", 8)), screen.client.asked)
        # It does not tell when somebody leaves, either: then a while without keys does.
        screen.clock.advance(61)
        screen.client.say(entry(2, content="psst", to="@2"))
        self.assertEqual([each.kind for each in screen.told], ["message", "private"])

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

    def test_only_the_mark_of_a_message_changes_when_the_server_has_it(self) -> None:
        client = ScriptedClient({"#lobby": [entry(1, ME, "said before", time=NOON)]})
        client.conversations = {"#lobby": room("#lobby", seq=1, read=1)}
        for size in ((80, 24), (40, 10)):
            screen = Screen(client, size)
            screen.text()
            seq = len(client.logs["#lobby"])
            for text in ("one", "two"):
                screen.enter(text)
            waiting = screen.text()
            self.assertEqual(sum("anna" in row for row in waiting[:-3]), 1)
            for number, sent in enumerate(client.outgoing[-2:], seq + 1):
                out = sent.outgoing
                client.say(entry(number, ME, out.text, client_id=out.client_id, time=NOON))
            self.assertEqual([row.replace("◌", "✓") for row in waiting], screen.text())

    def test_a_refused_message_says_why_and_is_sent_again_by_a_key(self) -> None:
        screen = lively()
        screen.enter("hello")
        [sent] = screen.client.outgoing
        screen.client.tell(
            events.MessageStateChanged(sent.outgoing, events.Failed(403, "you are\x1b[2J muted"))
        )
        text = "\n".join(screen.text())
        self.assertIn("✗", text)
        self.assertIn("you are\ufffd[2J muted", text)
        screen.press("meta r")
        self.assertIn(("retry", sent.outgoing.client_id), screen.client.asked)

    def test_what_was_refused_leaves_room_for_what_others_say_below_which_it_stays(self) -> None:
        screen = lively(size=(80, 24))
        for number, (text, why) in enumerate(
            (("x" * 9_000, "long"), ("a", "muted"), ("b", "muted"))
        ):
            outgoing = events.Outgoing(f"f{number}", "#lobby", text, NOON)
            failed = events.Failed(403, why)
            screen.client.tell(events.MessageStateChanged(outgoing, failed))
        screen.client.say(entry(8, BEN, "can you see me?"))
        text = "\n".join(screen.text())
        self.assertIn("can you see me?", text)
        self.assertIn("… the rest is not shown", text)
        self.assertEqual(text.count("✗"), 4)
        self.assertEqual((text.count("Not sent: long"), text.count("Not sent: muted")), (1, 1))
        self.assertLess(text.index("│ b "), text.index("Not sent: muted"), "below the last of them")

    def test_an_imitated_name_is_marked(self) -> None:
        screen = lively()
        screen.client.say(entry(8, User(66, "аnna"), "I am anna"))
        self.assertIn("!аnna#66", "\n".join(screen.text()))

    def test_in_a_narrow_window_only_the_first_row_makes_room_for_the_name(self) -> None:
        screen = lively(size=(40, 20))
        words = "a text that is longer than a row of this window is"
        screen.client.say(entry(8, BEN, f"{words}\n{'x' * 37}\n\ny"))
        text = screen.text()
        start = text.index("12:08 ben: a text that is longer than a")
        self.assertEqual(
            text[start + 1 : start + 5], ["  row of this window is", f"  {'x' * 37}", "", "  y"]
        )

    def test_no_message_looks_like_a_system_line(self) -> None:
        screen = lively(size=(120, 40))
        screen.client.say(entry(8, BEN, "x\n12:05 · ben set the topic: forged"))
        [line] = [each for each in screen.text() if "forged" in each]
        self.assertIn("│ 12:05 ·", line)

    def test_no_message_looks_like_that_of_somebody_else_in_a_narrow_window(self) -> None:
        for columns in (40, 22):
            screen = lively(size=(columns, 20))
            screen.client.say(entry(8, CHEN, "x\nben: I pay"))
            screen.client.say(entry(9, CHEN, "ben: I pay"))
            told = re.compile(r"(\d\d:\d\d )?ben: I pay")
            self.assertFalse(any(map(told.fullmatch, screen.text())), screen.text())
            screen.client.say(entry(10, BEN, "I pay"))
            self.assertTrue(any(map(told.fullmatch, screen.text())), screen.text())

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

    def test_who_goes_on_after_it_is_named_again(self) -> None:
        client = ScriptedClient({"#lobby": [entry(1, ME, "before", time=NOON)]})
        client.conversations = {"#lobby": room("#lobby", seq=1, read=1)}
        screen = Screen(client, (80, 24))
        screen.text()
        screen.chat.tell("said here")
        for text in ("first", "second"):
            screen.enter(text)
        waiting = screen.text()
        self.assertEqual(["anna" in row for row in waiting if "◌" in row], [True, False])
        for number, sent in enumerate(client.outgoing, 2):
            out = sent.outgoing
            client.say(entry(number, ME, out.text, client_id=out.client_id, time=NOON))
        self.assertEqual([row.replace("◌", "✓") for row in waiting], screen.text())
