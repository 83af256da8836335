"""Answers on the screen: what is written is one, what is answered stands above it, and is found."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from chat.client import events
from chat.client.conversation import Conversation, Notice
from chat.client.language.words import LANGUAGES
from chat.client.model import Model
from chat.client.text import width
from chat.client.tui.drafts import Drafts
from chat.client.tui.panes.draw import plain
from chat.client.tui.panes.entries import EntryRows
from chat.client.tui.panes.layout import Pane
from chat.client.tui.themes import ASCII, UNICODE
from chat.messages import Entry, User
from tests.test_text import NASTY
from tests.test_tui_mouse import click
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
    look,
    room,
)

CORNER = "┌"


def talk(*log: Entry, size: tuple[int, int] = (80, 24), language: str = "en") -> Screen:
    """A lobby in which this was said, and #cats beside it."""
    client = ScriptedClient({"#lobby": log})
    last = log[-1].seq
    client.conversations = {"#lobby": room("#lobby", last, last), "#cats": room("#cats")}
    screen = Screen(client, size, language)
    screen.text()
    return screen


def quotes(screen: Screen) -> list[str]:
    """The rows that say what is answered, from their corner on."""
    return [row[row.index(CORNER) :] for row in screen.text() if CORNER in row]


class WritingTests(TestCase):
    def test_what_is_written_answers_what_was_picked_until_it_is_sent(self) -> None:
        screen = talk(entry(1, BEN, "tea?"), entry(2, CHEN, "coffee?"))
        text = screen.press("meta v", "up", "r")
        self.assertIs(screen.desk.active, Pane.COMPOSER)
        self.assertEqual(text[-3], f"{CORNER} Answer to ben: tea?  (Esc ends it)")
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.enter("with milk")
        self.assertIn(("send", ("#lobby", "with milk", 1)), screen.client.asked)
        self.assertNotIn("Answer to", "\n".join(screen.text()))
        screen.enter("and sugar")
        self.assertIn(("send", ("#lobby", "and sugar")), screen.client.asked)

    def test_esc_takes_it_back_before_it_leads_to_the_newest(self) -> None:
        screen = talk(*(entry(seq) for seq in range(1, 60)))
        screen.press("meta v", *["up"] * 40, "r")
        screen.type("never mind")
        text = "\n".join(screen.press("esc"))
        self.assertNotIn("Answer to", text)
        self.assertIn("never mind", text)
        self.assertFalse(screen.desk.messages.at_end)
        screen.press("esc")
        self.assertTrue(screen.desk.messages.at_end)
        screen.press("enter")
        self.assertIn(("send", ("#lobby", "never mind")), screen.client.asked)

    def test_ctrl_c_takes_the_text_first_then_the_answer_and_leaves_only_then(self) -> None:
        screen = talk(entry(1, BEN, "tea?"))
        screen.press("meta v", "r")
        screen.type("yes")
        self.assertIn("Answer to", "\n".join(screen.press("ctrl c")))
        self.assertNotIn("Answer to", "\n".join(screen.press("ctrl c")))
        screen.press("ctrl c")
        self.assertFalse(screen.left)
        screen.press("ctrl c")
        self.assertTrue(screen.left)

    def test_it_belongs_to_the_draft_of_its_conversation(self) -> None:
        screen = talk(entry(1, BEN, "tea?"))
        screen.press("meta v", "r")
        screen.type("with")
        self.assertNotIn("Answer to", "\n".join(screen.press("meta 2")))
        screen.enter("in #cats")
        self.assertIn(("send", ("#cats", "in #cats")), screen.client.asked)
        self.assertIn("Answer to ben", "\n".join(screen.press("meta 1")))
        screen.enter(" milk")
        self.assertIn(("send", ("#lobby", "with milk", 1)), screen.client.asked)

    def test_a_command_meanwhile_leaves_it_and_sends_nothing_as_an_answer(self) -> None:
        screen = talk(entry(1, BEN, "tea?"))
        screen.press("meta v", "r")
        screen.enter("/whois ben")
        self.assertIn("Answer to ben", "\n".join(screen.text()))
        screen.enter("/msg #lobby no answer")
        self.assertIn(("send", ("#lobby", "no answer")), screen.client.asked)
        self.assertIn("Answer to ben", "\n".join(screen.text()))

    def test_with_a_disk_that_is_full_it_is_still_an_answer(self) -> None:
        screen = talk(entry(1, BEN, "tea?"))
        send = screen.client.send
        screen.press("meta v", "r")

        def fail(*_: object, **more: object) -> None:
            raise OSError(28, "No space left on device")

        screen.client.send = fail  # type: ignore[assignment, method-assign]
        for typed in ("yes", "/reply ben yes"):
            screen.enter(typed)
            self.assertIn("Answer to ben", "\n".join(screen.text()))
            self.assertEqual(screen.desk.composer.editor.text, "yes")
            screen.press("ctrl u", "esc")
        screen.enter("/reply ben yes")
        screen.client.send = send  # type: ignore[method-assign]
        screen.press("enter")
        self.assertIn(("send", ("#lobby", "yes", 1)), screen.client.asked)

    def test_the_row_is_there_at_every_size_beside_text_and_cursor(self) -> None:
        for columns, rows in ((20, 6), (40, 10), (60, 14), (120, 40)):
            screen = talk(entry(1, CHEN, "下午三点开会好吗？" * 5), size=(columns, rows))
            screen.press("meta v", "r")
            text = screen.type("好 yes")
            (shown,) = [at for at, row in enumerate(text) if CORNER in row]
            self.assertIn("陈", text[shown])
            self.assertLessEqual(width(text[shown]), columns)
            self.assertEqual(text[shown + 1], "› 好 yes")
            canvas = screen.root.render(screen.size, focus=True)
            self.assertEqual(canvas.cursor, (8, shown + 1))
            click(screen, "yes")
            screen.type("|")
            self.assertEqual(screen.desk.composer.editor.text, "好 |yes")

    def test_a_long_text_grows_below_it(self) -> None:
        screen = talk(entry(1, BEN, "tea?"), size=(40, 24))
        screen.press("meta v", "r")
        text = screen.type("a text that takes some rows of this small window to be written down")
        at = next(at for at, row in enumerate(text) if CORNER in row)
        self.assertEqual(text[at + 1][:10], "› a text t")
        self.assertTrue(text[at + 2].startswith("  "))

    def test_what_is_answered_may_be_hostile_deleted_or_not_loaded(self) -> None:
        evil = "\x1b]0;owned\x07\u202eevil\nrow"
        screen = talk(entry(1, User(7, evil), evil), entry(2, CHEN))
        screen.press("meta v", "up", "r")
        (row,) = quotes(screen)
        self.assertIn("evil row", row)
        self.assertTrue(row.isprintable())
        screen.client.say(entry(3, kind="redact", target=1))
        self.assertIn("This message was deleted.", quotes(screen)[0])
        screen.chat.answer(12_345)
        self.assertIn("a message that is not loaded here", quotes(screen)[0])

    def test_a_number_that_is_given_out_anew_is_answered_no_longer(self) -> None:
        screen = talk(entry(1), entry(2))
        screen.press("meta v", "r")
        screen.client.tell(events.EpochChanged("#lobby", "e2", 3))
        self.assertEqual(screen.chat.answering, 2)
        screen.client.tell(events.EpochChanged("#lobby", "e3", 2))
        self.assertEqual(screen.chat.answering, 0)

    def test_what_was_taken_back_is_the_answer_that_it_was(self) -> None:
        screen = talk(entry(1, BEN, "tea?"))
        screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "gone")))
        screen.press("meta v", "r")
        screen.enter("wiht milk")
        screen.press("meta x")
        self.assertEqual(
            (screen.chat.answering, screen.desk.composer.editor.text), (1, "wiht milk")
        )
        screen = talk(entry(1, BEN, "tea?"), entry(2, ME, "wiht milk", reply=1))
        screen.press("meta x", "down", "enter")
        self.assertEqual(
            (screen.chat.answering, screen.desk.composer.editor.text), (1, "wiht milk")
        )


class CommandTests(TestCase):
    def screen(self) -> Screen:
        return talk(entry(1, BEN, "tea?"), entry(2, CHEN, "咖啡？"), entry(3, ME, "hm"))

    def test_the_newest_of_others_somebodys_last_or_that_of_a_number_is_answered(self) -> None:
        for typed, seq in (
            ("/reply", 2), ("/reply ben", 1), ("/re @Ben:", 1), ("/回复 陈晓明", 2),
            ("/reply 3", 3), ("/reply @1", 3),
        ):  # fmt: skip
            screen = self.screen()
            screen.enter(typed)
            self.assertEqual(screen.chat.answering, seq, typed)
            screen.enter("said")
            self.assertIn(("send", ("#lobby", "said", seq)), screen.client.asked, typed)

    def test_a_text_behind_it_is_sent_at_once(self) -> None:
        screen = self.screen()
        screen.enter("/reply ben with milk, please")
        self.assertIn(("send", ("#lobby", "with milk, please", 1)), screen.client.asked)
        self.assertEqual(screen.chat.answering, 0)
        screen.paste("/reply ben\n  two\n  rows")
        screen.press("enter")
        self.assertIn(("send", ("#lobby", "two\n  rows", 1)), screen.client.asked)

    def test_while_another_conversation_is_being_opened_it_waits_as_messages_do(self) -> None:
        screen = self.screen()
        screen.client.slow = Deferred()
        screen.enter("/msg ben")
        for typed in ("/reply 陈晓明 a secret", "/reply"):
            text = "\n".join(screen.enter(typed))
            self.assertIn("One moment", text)
            self.assertEqual(screen.desk.composer.editor.text, typed)
            screen.press("ctrl u")
        self.assertEqual((screen.client.outgoing, screen.chat.answering), ([], 0))

    def test_once_more_takes_it_back(self) -> None:
        screen = self.screen()
        for wanted in (2, 0, 2):
            screen.enter("/reply")
            self.assertEqual(screen.chat.answering, wanted)

    def test_who_said_nothing_and_what_is_not_there_is_said(self) -> None:
        for typed in (
            "/reply dora yes",
            "/reply 4 yes",
            "/reply 0",
            "/reply ９９９９９９９９９９９９９９９９９９９",
        ):
            screen = self.screen()
            self.assertIn("No message of", "\n".join(screen.enter(typed)), typed)
            self.assertEqual(screen.client.outgoing, [])
            self.assertEqual(screen.desk.composer.editor.text, typed)
            self.assertEqual(screen.chat.answering, 0)
        client = ScriptedClient({"#lobby": []})
        client.conversations = {"#lobby": room("#lobby")}
        self.assertIn("There is no message here.", "\n".join(Screen(client).enter("/reply")))


class QuotingTests(TestCase):
    def test_whom_and_what_a_message_answers_stands_above_it(self) -> None:
        log = (
            entry(1, CHEN, "今天下午三点开会，\n请带上周的报告"),
            entry(2, BEN, "I can't", reply=1),
            entry(3, BEN, "/me is ill"),
            entry(4, ME, "get well", reply=3),
        )
        for columns, row in ((80, "                 "), (40, "")):
            screen = talk(*log, size=(columns, 24))
            text = screen.text()
            first = f"{row}{CORNER} 陈晓明: 今天下午三点开会， 请带上周的报告".strip()
            at = next(at for at, each in enumerate(text) if first[:20] in each)
            self.assertIn("I can't", text[at + 1])
            self.assertIn("ben", text[at + 1])
            at = next(at for at, each in enumerate(text) if f"{CORNER} ben: * is ill" in each)
            self.assertIn("get well", text[at + 1])

    def test_the_corner_joins_the_bar_and_no_message_can_put_one_there(self) -> None:
        forged = f"x\n{CORNER} chen: I pay\n{CORNER} y"
        for columns in (120, 80, 40, 22):
            screen = talk(entry(1, BEN, forged), entry(2, ME, "ok", reply=1), size=(columns, 24))
            screen.desk.hidden = frozenset({Pane.CONVERSATIONS, Pane.ONLINE})
            text = screen.text()
            (real,) = [at for at, row in enumerate(text) if f"{CORNER} ben: x" in row]
            place = text[real].index(CORNER)
            if "│" in text[real + 1]:
                self.assertEqual(text[real + 1].index("│"), place)
            for row in text[:real]:
                self.assertNotEqual(row[place : place + 1], CORNER, row)

    def test_it_is_one_row_however_long_and_wide_that_is(self) -> None:
        for columns in range(20, 120, 7):
            for glyphs in (UNICODE, ASCII):
                client = ScriptedClient(
                    {"#lobby": [entry(1, User(9, "长" * 32), "字" * 500), entry(2, reply=1)]}
                )
                client.conversations = {"#lobby": room("#lobby", 2, 2)}
                screen = Screen(client, (columns, 20), glyphs=glyphs)
                screen.desk.hidden = frozenset({Pane.CONVERSATIONS, Pane.ONLINE})
                text = screen.text()
                found = [row for row in text if f" {glyphs.answer} " in row]
                self.assertEqual(len(found), 1, text)
                self.assertLessEqual(width(found[0]), columns)
                self.assertIn("字", found[0])
                self.assertIn(glyphs.ellipsis, found[0])

    def test_what_cannot_be_shown_is_a_sentence_in_both_languages(self) -> None:
        for language in LANGUAGES:
            words = look(language).words
            log = (
                entry(4, BEN, kind="topic", content="tea"), entry(5, CHEN, "gone soon"),
                entry(6, CHEN, "unheard"), entry(7, reply=1), entry(8, reply=4), entry(9, reply=5),
                entry(10, reply=6), entry(11, reply=11), entry(12, reply=2**53 - 1),
            )  # fmt: skip
            screen = talk(*log, language=language)
            self.assertIn("gone soon", quotes(screen)[2])
            screen.client.say(entry(13, kind="redact", target=5))
            screen.client.tell(events.Blocked(CHEN.user_id, CHEN.user_name, True))
            unknown = f"{CORNER} {words('answered-unknown')}"
            self.assertEqual(quotes(screen), [
                unknown,
                f"{CORNER} {words('entry-topic', who='ben', what='tea')}",
                f"{CORNER} {words('deleted')}",
                f"{CORNER} {words('blocked-message', who='陈晓明')}",
                unknown, unknown,
            ])  # fmt: skip

    def test_what_is_edited_is_quoted_as_it_is_by_now_and_answers_what_it_did(self) -> None:
        log = [entry(1, CHEN, "tea?"), entry(2, BEN, "yse", reply=1), entry(3, ME, "ok", reply=2)]
        screen = talk(*log)
        screen.client.say(entry(4, CHEN, "milk?", kind="edit", target=1))
        screen.client.say(entry(5, BEN, "yes", kind="edit", target=2))
        self.assertEqual(quotes(screen), [f"{CORNER} 陈晓明: milk?", f"{CORNER} ben: yes"])

    def test_while_a_message_is_edited_what_is_answered_waits_with_what_was_begun(self) -> None:
        screen = talk(entry(1, ME, "tae?"), entry(2, BEN, "what?"))
        screen.press("meta v", "r")
        screen.type("I mean")
        screen.press("meta v", "up", "e")
        self.assertNotIn("Answer to", "\n".join(screen.text()))
        screen.press("esc")
        self.assertIn("Answer to ben: what?", "\n".join(screen.text()))
        screen.press("enter")
        self.assertIn(("send", ("#lobby", "I mean", 2)), screen.client.asked)

    def test_who_was_deleted_is_quoted_no_longer(self) -> None:
        screen = talk(entry(1, CHEN, "my secret"), entry(2, BEN, "what?", reply=1))
        self.assertIn("my secret", quotes(screen)[0])
        screen.client.say(entry(3, User(0, "x"), kind="erase", target=CHEN.user_id))
        text = "\n".join(screen.text())
        self.assertNotIn("my secret", text)
        self.assertIn(f"{CORNER} This message was deleted.", text)

    def test_an_answer_has_its_name_and_who_goes_on_after_it_not(self) -> None:
        log = [entry(1, BEN, "one", time=NOON), entry(2, BEN, "two", time=NOON, reply=1),
               entry(3, BEN, "three", time=NOON)]  # fmt: skip
        for size in ((80, 24), (40, 24)):
            text = talk(*log, size=size).text()
            self.assertEqual([row for row in text if "ben" in row and "two" in row][:1] != [], True)
            self.assertFalse([row for row in text if "ben" in row and "three" in row])

    def test_only_the_mark_of_an_answer_changes_when_the_server_has_it(self) -> None:
        for size in ((80, 24), (40, 12)):
            screen = talk(entry(1, BEN, "tea?", time=NOON), size=size)
            screen.press("meta v", "r")
            screen.enter("with milk")
            waiting = screen.text()
            self.assertIn("◌", "\n".join(waiting))
            self.assertEqual(len(quotes(screen)), 1)
            out = screen.client.outgoing[-1].outgoing
            screen.client.say(
                entry(2, ME, out.text, client_id=out.client_id, time=NOON, reply=out.reply)
            )
            self.assertEqual([row.replace("◌", "✓") for row in waiting], screen.text())

    def test_picked_messages_are_one_line_each_and_blocked_ones_a_sentence(self) -> None:
        screen = talk(entry(1, BEN, "tea?"), entry(2, CHEN, "yes", reply=1))
        text = screen.press("meta v")
        at = text.index("12:01 ben: tea?")
        self.assertEqual(text[at + 1], "12:02 陈晓明 answers ben: yes")
        screen.press("esc")
        screen.client.tell(events.Blocked(CHEN.user_id, CHEN.user_name, True))
        self.assertEqual(quotes(screen), [])

    @given(NASTY, NASTY, st.integers(1, 130), st.sampled_from([UNICODE, ASCII]), st.booleans())
    @settings(max_examples=200, deadline=None)
    def test_any_name_and_text_is_quoted_in_one_row_of_any_width(
        self, name: str, text: str, columns: int, glyphs: object, emoji: bool
    ) -> None:
        model = Model()
        model.me = ME
        conversation = Conversation("#lobby")
        for each in (entry(1, User(9, name), text), entry(2, BEN, "x", reply=1)):
            conversation.put(each, ME.user_id, None)
        chosen = look("zh", glyphs) if emoji else look("en", glyphs)  # type: ignore[arg-type]
        drawn = EntryRows(model, chosen, columns)
        first, *others = drawn.own(conversation, 1, apart=False)
        self.assertLessEqual(width(plain(first)), max(columns, 3))
        self.assertTrue(others)
        self.assertTrue(plain(first).isprintable())


class ToMeTests(TestCase):
    def test_an_answer_to_ones_own_message_is_to_oneself(self) -> None:
        for reply, kind in ((1, "message"), (2, "mention"), (9, "message")):
            screen = talk(entry(1, BEN, "tea?"), entry(2, ME, "yes"), entry(3, CHEN))
            screen.press("meta 2", "focus out")
            screen.client.say(entry(4, BEN, "with milk?", reply=reply))
            self.assertEqual([each.kind for each in screen.told], [kind])
            mentions = screen.chat.model.conversations["#lobby"].mentions
            self.assertEqual(mentions, {4} if kind == "mention" else set())

    def test_it_counts_where_a_room_is_hushed_and_in_the_bar_of_who_reads_further_up(self) -> None:
        screen = talk(*(entry(seq, ME if seq == 50 else BEN) for seq in range(1, 60)))
        screen.press("page up", "page up")
        screen.client.say(entry(60, BEN, "to you", reply=50))
        screen.client.say(entry(61, BEN, "to another", reply=49))
        self.assertIn("2 new (1 mention you)", "\n".join(screen.text()))
        screen.enter("/hush")
        screen.press("meta 2")
        screen.client.say(entry(62, BEN, "to you", reply=50))
        screen.client.say(entry(63, BEN, "to another", reply=49))
        self.assertEqual(screen.chat.model.conversations["#lobby"].calling, 2)

    def test_in_a_flood_what_answers_oneself_is_seen(self) -> None:
        log = [entry(1, ME, "question")]
        log += [entry(seq, BEN, f"line {seq}", time=NOON + 600_000 + seq,
                      reply=1 if seq == 40 else seq - 1) for seq in range(2, 80)]  # fmt: skip
        text = "\n".join(talk(*log, size=(80, 40)).text())
        self.assertIn("line 40", text)
        self.assertNotIn("line 20", text)
        self.assertIn("(F4)", text)

    def test_between_two_people_an_answer_stands_out_from_no_other_message(self) -> None:
        for to, mentions in (("#lobby", {2}), ("@2", set())):
            client = ScriptedClient({to: [entry(1, ME, "tea?", to=to)]})
            client.conversations = {"#lobby": room("#lobby"), to: room(to, 1, 1)}
            screen = Screen(client)
            screen.chat.open(to)
            screen.text()
            screen.press("focus out")
            screen.client.say(entry(2, BEN, "yes, please", to=to, reply=1))
            self.assertEqual(screen.chat.model.conversations[to].mentions, mentions)
            self.assertEqual(screen.told[0].kind, "mention" if mentions else "private")
            drawn = screen.root.render(screen.size, focus=True)
            role = next(role for row in drawn.lines for role, text in row if "yes, please" in text)
            self.assertEqual(role, "mention" if mentions else None)

    def test_what_one_answers_oneself_is_no_mention(self) -> None:
        screen = talk(entry(1, ME, "tea?"))
        screen.press("meta 2", "focus out")
        screen.client.say(entry(2, ME, "nobody?", reply=1))
        self.assertEqual(screen.chat.model.unread(), (0, 0))


class GoingTests(TestCase):
    def long(self, size: tuple[int, int] = (80, 24)) -> Screen:
        """Three hundred messages, of which the newest hundred are here; an answer to an answer."""
        log = [entry(seq, time=NOON + seq * 2_000) for seq in range(1, 301)]
        log[49] = entry(50, CHEN, "the first question", time=NOON + 100_000)
        log[99] = entry(100, BEN, "the second question", time=NOON + 200_000, reply=50)
        log[299] = entry(300, CHEN, "the answer", time=NOON + 600_000, reply=100)
        return talk(*log, size=size)

    def test_a_key_goes_from_answer_to_answer_however_far_up(self) -> None:
        screen = self.long()
        self.assertIn("not loaded here", quotes(screen)[0])
        screen.press("meta v", "a")
        self.assertEqual([each.seq for each in screen.desk.messages.picked], [100])
        self.assertIn("the second question", "\n".join(screen.text()))
        screen.press("a")
        self.assertEqual([each.seq for each in screen.desk.messages.picked], [50])
        self.assertIn("answers no other", "\n".join(screen.press("a")))
        screen.press("r")
        screen.enter("so long ago")
        self.assertIn(("send", ("#lobby", "so long ago", 50)), screen.client.asked)

    def test_what_is_gone_to_is_seen_below_whatever_stands_above_it_and_stays_in_view(self) -> None:
        log = [entry(1, CHEN, "the question"), entry(2), entry(3, BEN, "the answer", reply=1)]
        for keys in (("meta v", "a"), ()):
            screen = talk(*log, size=(40, 10))
            screen.chat.model.conversations["#lobby"].notices = [
                Notice(0, f"told {number}", NOON) for number in range(20)
            ]
            for number in range(4, 60):
                screen.client.say(entry(number, reply=1 if number == 59 else 0))
            if keys:
                screen.press(*keys)
            else:
                click(screen, CORNER)
            self.assertIn("the question", "\n".join(screen.text()))
            screen.press("r" if keys else "x")
            self.assertIn("the question", "\n".join(screen.text()))

    def test_who_goes_on_from_what_was_gone_to_stays_there(self) -> None:
        screen = talk(entry(1, CHEN, "the question"), *(entry(seq) for seq in range(2, 60)),
                      entry(60, BEN, "the answer", reply=1), entry(61))  # fmt: skip
        screen.press("meta v", "up", "a", "esc")
        self.assertIn("the question", "\n".join(screen.text()))
        self.assertFalse(screen.desk.messages.at_end)

    def test_a_click_on_what_is_quoted_goes_there(self) -> None:
        for size in ((80, 24), (40, 12)):
            screen = self.long(size)
            click(screen, CORNER)
            self.assertFalse(screen.desk.messages.picking)
            self.assertIn("the second question", "\n".join(screen.text()))
            click(screen, f"{CORNER} 陈" if CORNER + " 陈" in "\n".join(screen.text()) else CORNER)
            self.assertIn("the first question", "\n".join(screen.text()))
            screen.press("meta end")
            self.assertIn(f"{CORNER} ben: the second", "\n".join(screen.text()))

    def test_a_click_beside_it_picks_as_ever(self) -> None:
        screen = self.long()
        click(screen, "the answer")
        self.assertEqual([each.seq for each in screen.desk.messages.picked], [300])

    def test_what_is_gone_is_said(self) -> None:
        for reply, said in (
            (1, "not there any more"), (5, "This message was deleted."), (99, "any more"),
            (6, "ben set the topic"),
        ):  # fmt: skip
            log = (
                entry(5), entry(6, kind="topic"), entry(7, BEN, "said"), entry(8, reply=reply)
            )  # fmt: skip
            for keys in (("meta v", "a"), ()):
                screen = talk(*log)
                screen.client.say(entry(9, kind="redact", target=5))
                screen.press(*keys)
                if not keys:
                    click(screen, CORNER)
                self.assertIn(said, screen.chat.note, (reply, keys))

    def test_without_a_connection_that_is_said(self) -> None:
        screen = self.long()
        screen.client.state = events.Waiting(5, 5, "gone")
        screen.press("meta v", "a")
        self.assertIn("no connection", screen.chat.note)

    def test_the_inspector_says_what_is_answered(self) -> None:
        screen = talk(entry(1, BEN, "tea?"), entry(2, CHEN, "yes", reply=1))
        self.assertRegex("\n".join(screen.press("meta i")), r"Answers +1  ben: tea\?")


class KeptTests(TestCase):
    def test_what_was_being_answered_is_so_again_at_the_next_start(self) -> None:
        with TemporaryDirectory(dir="/tmp") as home:
            path = Path(home) / "drafts"
            screen = lively(drafts=Drafts(path))
            screen.press("meta v", "up", "r")
            screen.type("I will")
            screen.press("meta 2", "meta 1")
            self.assertTrue(screen.chat.moved)
            screen.chat.save_drafts()
            self.assertFalse(screen.chat.moved)
            screen = lively(drafts=Drafts(path))
            self.assertEqual(screen.chat.answering, 6)
            self.assertIn("Answer to ben", "\n".join(screen.text()))
            screen.enter("")
            self.assertIn(("send", ("#lobby", "I will", 6)), screen.client.asked)
            screen.chat.save_drafts()
            self.assertEqual(lively(drafts=Drafts(path)).chat.answering, 0)

    def test_what_goes_into_a_pipe_answers_nothing_that_was_begun_elsewhere(self) -> None:
        with TemporaryDirectory(dir="/tmp") as home:
            path = Path(home) / "drafts"
            screen = lively(drafts=Drafts(path))
            screen.press("meta v", "r")
            screen.chat.save_drafts()
            piped = lively(drafts=Drafts(path, stay=False))
            self.assertEqual(piped.chat.answering, 0)
            piped.chat.save_drafts()
            self.assertEqual(lively(drafts=Drafts(path)).chat.answering, 7)

    def test_a_file_of_an_older_version_answers_nothing(self) -> None:
        with TemporaryDirectory(dir="/tmp") as home:
            path = Path(home) / "drafts"
            path.write_text('{"#lobby": "begun", "open": "#lobby"}')
            screen = lively(drafts=Drafts(path))
            self.assertEqual(
                (screen.chat.answering, screen.desk.composer.editor.text), (0, "begun")
            )

    def test_what_waits_in_the_outbox_is_drawn_as_the_answer_it_is(self) -> None:
        screen = talk(entry(1, BEN, "tea?"))
        outgoing = events.Outgoing("c", "#lobby", "with milk", NOON, 1)
        screen.client.tell(events.MessageStateChanged(outgoing, events.Queued()))
        self.assertEqual(quotes(screen), [f"{CORNER} ben: tea?"])
        stored = events.Stored("#lobby", EPOCH, 2, NOON)
        screen.client.tell(events.MessageStateChanged(outgoing, stored))
        self.assertEqual(quotes(screen), [])
