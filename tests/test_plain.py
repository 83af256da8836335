"""The linear mode: lines as they are typed, what is said and when; in a terminal and in a pipe."""

import os
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client.errors import Refused
from chat.client.events import Waiting
from chat.client.language.words import LANGUAGES, Words
from chat.client.model import Model
from chat.client.notify import Came
from chat.client.plain.asking import MenuAsking
from chat.client.plain.keyboard import Keyboard
from chat.client.plain.page import PATIENCE, Page
from chat.client.plain.telling import LAST, MOST, PAGE, News
from chat.client.plain.typed import MOST as LONGEST_LINE
from chat.client.plain.typed import Happened, Key, TypedLine
from chat.client.plain.verbs import PlainVerbs
from chat.client.text import is_character
from chat.client.tui.commands.table import find
from chat.client.tui.history import AGAIN
from chat.client.tui.panes.forms import Menu, MenuItem
from chat.messages import Conversation, Entry
from chat.names import BadName, user_name
from tests.tui_builders import BEN, CHEN, ME, Screen, ScriptedClient, entry, look, room


class MenuTests(TestCase):
    def test_a_number_chooses_and_what_is_none_of_them_is_said_to_be_none(self) -> None:
        chosen: list[str] = []
        keys = ("menu-login", "menu-leave")
        items = [MenuItem(key, lambda key=key: chosen.append(key)) for key in keys]
        said: list[str] = []
        asking = MenuAsking(look(), Menu(look(), lambda: items), said.append, silent=False)
        for typed in ("2", "3", "x", "-1", "9" * 5_000):
            asking.answer(typed)
        self.assertEqual((chosen, len(said)), ([], 5))
        for typed in ("0", " 1 ", "０"):
            asking.answer(typed)
        self.assertEqual(chosen, ["menu-leave", "menu-login", "menu-leave"])

    def test_of_a_menu_only_what_is_new_is_said(self) -> None:
        keys = ["menu-login", "menu-leave"]
        menu = Menu(look(), lambda: [MenuItem(each, lambda: None) for each in keys])
        said: list[str] = []
        asking = MenuAsking(look(), menu, said.append, silent=False)
        for more, wanted in (
            ([], ["1  Log in", "0  Leave"]),
            (["menu-start-server"], ["2  Start a server here"]),
            (["menu-offline"], ["2  Read what is here, without the server"]),
            ([], []),
        ):
            keys[1:-1] = more
            said.clear()
            asking.changed()
            self.assertEqual(said, wanted)


class MoreTests(TestCase):
    def test_more_says_so_where_there_is_none_at_the_moment(self) -> None:
        client = ScriptedClient({"#lobby": [entry(seq) for seq in range(1, 251)]})
        client.conversations = {"#lobby": room("#lobby", seq=250, read=250)}
        screen = Screen(client)
        screen.text()
        said: list[str] = []
        news = News(screen.chat.model, screen.look, said.append, set())
        news.tell()
        verbs = PlainVerbs(screen.chat, screen.desk, screen, news)
        more, later = find("more"), "cannot be had at the moment"
        assert more is not None
        while "message 151" not in "\n".join(said):
            verbs.run(more, "")
        client.trouble = Refused(503, "the store is away")
        for expected in ("the store is away", later, later):
            screen.chat.note = ""
            verbs.run(more, "")
            self.assertIn(expected, screen.chat.note)
        client.trouble = None
        screen.clock.advance(AGAIN)
        verbs.run(more, "")
        self.assertIn("message 150", said[-1])


class AnswerTests(TestCase):
    def test_what_a_command_answers_has_the_punctuation_of_its_language(self) -> None:
        for language, wanted in (
            ("en", ("From: ben  #2", "/quit: leave")),
            ("zh", ("发送者：ben  #2", "/quit：退出（/退出）")),
        ):
            client = ScriptedClient({"#lobby": [entry(1)]})
            client.conversations = {"#lobby": room("#lobby", seq=1, read=1)}
            screen = Screen(client, language=language)
            screen.text()
            news = News(screen.chat.model, screen.look, lambda text: None, set())
            verbs = PlainVerbs(screen.chat, screen.desk, screen, news)
            for name in ("help", "inspect"):  # some fifty are kept
                command = find(name)
                assert command is not None
                verbs.run(command, "")
            told = [each.text for each in screen.chat.model.conversations["#lobby"].notices]
            for each in wanted:
                self.assertIn(each, told)


class SpokenTests(TestCase):
    def test_nobody_can_be_called_as_one_is_who_answers_or_has_edited(self) -> None:
        keys = ("answers", "answers-you", "answers-unknown", "answers-deleted", "plain-to-you")
        for language in LANGUAGES:
            words = Words(language)
            said = [words(key, who="ben", whom="anna") for key in keys]
            said.append(words("plain-edited", who="ben", text="").partition(":")[0])
            for each in said:
                self.assertRaises(BadName, user_name, each)


class GoTests(TestCase):
    def test_who_goes_where_they_are_hears_that_they_are_there(self) -> None:
        client = ScriptedClient()
        client.conversations = {"#lobby": room("#lobby")}
        screen = Screen(client)
        screen.text()
        news = News(screen.chat.model, screen.look, lambda text: None, set())
        verbs = PlainVerbs(screen.chat, screen.desk, screen, news)
        command = find("go")
        assert command is not None
        for typed in ("lobby", "#lob", "1"):
            screen.chat.note = ""
            verbs.run(command, typed)
            self.assertEqual(screen.chat.note, "You are in #lobby.")


class TypedTests(TestCase):
    def lines(self, data: bytes) -> list[str]:
        return [each.text for each in TypedLine().feed(data) if each.key is Key.LINE]

    def test_a_line_is_what_was_typed_less_what_was_taken_back(self) -> None:
        self.assertEqual(self.lines("helo\x7flo 你好\x7f们\r".encode()), ["hello 你们"])
        self.assertEqual(self.lines(b"all wrong\x15right\n"), ["right"])
        self.assertEqual(self.lines(b"one wrong \x17two\x17\x17\x17right\n"), ["right"])
        self.assertEqual(self.lines(b"one wrong \x17right\n"), ["one right"])
        self.assertEqual(self.lines(b"\x7f\x7f\rx\r"), ["", "x"])

    def test_what_is_joined_stays_so(self) -> None:
        family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
        self.assertEqual(self.lines(f"{family}e\u0301\r".encode()), [f"{family}e\u0301"])
        self.assertEqual(self.lines(f"a{family}\x7fb\r".encode()), ["ab"])

    def test_keys_that_move_mean_nothing(self) -> None:
        self.assertEqual(self.lines(b"a\x1b[Ab\x1b[1;5Cc\x1bOPd\x1bxe\x1b[200~f\r"), ["abcdef"])

    def test_up_brings_back_what_was_typed_before_and_down_what_was_begun(self) -> None:
        line = TypedLine()
        seen = [
            (each.key, line.text) for each in line.feed(b"one\rtwo\rtwo\r \rth\x1b[A\x1bOA\x1b[A")
        ]
        self.assertEqual(seen[-2:], [(Key.AGAIN, "two"), (Key.AGAIN, "one")])
        seen = [(each.key, line.text) for each in line.feed(b"\x1b[B\x1b[B\x1b[B")]
        self.assertEqual(seen, [(Key.AGAIN, "two"), (Key.AGAIN, "th")])
        self.assertEqual([each.text for each in line.feed(b"\x1b[A!\r")][-1], "two!")

    def test_no_password_comes_back(self) -> None:
        line = TypedLine(hidden=True)
        list(line.feed(b"secret\r"))
        line.hidden = False
        self.assertEqual(list(line.feed(b"\x1b[A")), [])

    def test_what_is_echoed_goes_back_by_columns(self) -> None:
        line = TypedLine()
        happened = list(line.feed("字\x7f".encode()))
        self.assertEqual(happened, [Happened(Key.ECHO, "字"), Happened(Key.ECHO, "\b \b" * 2)])

    def test_what_is_hidden_is_not_echoed(self) -> None:
        line = TypedLine(hidden=True)
        self.assertEqual({each.text for each in line.feed(b"secret\x7f")}, {""})
        self.assertEqual(line.text, "secre")

    def test_ends_and_interruptions(self) -> None:
        kinds = [each.key for each in TypedLine().feed(b"\x04\x03\x0cx\x04")]
        self.assertEqual(kinds, [Key.END, Key.INTERRUPT, Key.AGAIN, Key.ECHO])

    def test_a_line_has_an_end(self) -> None:
        self.assertEqual(self.lines(b"x" * (LONGEST_LINE + 5) + b"\r"), ["x" * LONGEST_LINE])

    @given(st.lists(st.binary(max_size=8)))
    def test_any_bytes_in_any_pieces_make_printable_lines(self, pieces: list[bytes]) -> None:
        whole, cut = TypedLine(), TypedLine()
        expected = [each.text for each in whole.feed(b"".join(pieces)) if each.key is Key.LINE]
        found = [h.text for each in pieces for h in cut.feed(each) if h.key is Key.LINE]
        self.assertEqual(found, expected)
        self.assertTrue(all(is_character(each) or each == "\u200d" for each in "".join(found)))

    def test_every_space_is_one(self) -> None:
        self.assertEqual(self.lines("好\u3000的\xa0x\r".encode()), ["好\u3000的\xa0x"])


class Distracted:
    """Takes lines, but for one."""

    hidden = False
    talking = True

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.stumbles = 0

    def take(self, typed: list[str]) -> None:
        if "bad" in typed:
            raise ZeroDivisionError
        self.taken += typed

    def stumbled(self) -> None:
        self.stumbles += 1

    def interrupt(self) -> None:
        self.taken.append("interrupt")

    def end(self) -> None:
        self.taken.append("end")

    def ready(self) -> Deferred[None]:
        return succeed(None)


class KeyboardTests(SynchronousTestCase):
    def test_what_goes_wrong_with_a_line_is_told_and_the_next_one_is_heard(self) -> None:
        reading, writing = os.pipe()
        for each in (reading, writing):
            self.addCleanup(os.close, each)
        person = Distracted()
        keyboard = Keyboard(Clock(), reading, Page(Clock(), lambda text: None, True), person)
        for typed in (b"bad\r", b"good\r"):
            os.write(writing, typed)
            keyboard.doRead()
        self.assertEqual((person.taken, person.stumbles), (["good"], 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_presses_esc_loses_no_letter_and_makes_no_command_a_message(self) -> None:
        reading, writing = os.pipe()
        for each in (reading, writing):
            self.addCleanup(os.close, each)
        person = Distracted()
        keyboard = Keyboard(Clock(), reading, Page(Clock(), lambda text: None, True), person)
        for typed in (b"\x1b", b"/msg ben psst\r", b"a\x1bfb\x1b[", b"1;5Cc\r"):
            os.write(writing, typed)
            keyboard.doRead()
        self.assertEqual(person.taken, ["/msg ben psst", "abc"])


class PageTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.written = ""
        self.page = Page(self.clock, self.write, interactive=True)
        self.page.ask("> ")
        self.taken()

    def write(self, text: str) -> None:
        self.written += text

    def taken(self) -> str:
        self.clock.advance(0)
        written, self.written = self.written, ""
        return written

    def test_what_is_said_stands_where_the_prompt_was_and_the_prompt_below(self) -> None:
        self.page.say("hello")
        self.page.say("a\nb")
        self.assertEqual(self.taken(), "\rhello\na\n  b\n> ")

    def test_what_is_shorter_than_the_prompt_blanks_the_rest_of_it(self) -> None:
        self.page.ask("#lobby> ")
        self.taken()
        self.page.say("hi")
        self.assertEqual(self.taken(), "\rhi      \n#lobby> ")

    def test_a_begun_line_is_not_interrupted(self) -> None:
        self.page.echo("h", "h")
        self.page.say("news")
        self.assertEqual(self.taken(), "h")
        self.page.entered()
        self.assertEqual(self.taken(), "\nnews\n> ")

    def test_but_not_for_ever_and_then_it_stands_there_again(self) -> None:
        self.page.echo("h", "h")
        self.page.say("news")
        self.clock.advance(PATIENCE - 1)
        self.page.echo("i", "hi")
        self.clock.advance(PATIENCE - 1)
        self.assertEqual(self.taken(), "hi")
        self.clock.advance(1)
        self.assertEqual(self.taken(), "\rnews\n> hi")

    def test_what_was_taken_back_waits_no_longer(self) -> None:
        self.page.echo("h", "h")
        self.page.say("news")
        self.page.echo("\b \b", "")
        self.assertEqual(self.taken(), "h\b \b\rnews\n> ")

    def test_in_a_pipe_there_is_no_prompt_and_nothing_is_echoed(self) -> None:
        page = Page(self.clock, self.write, interactive=False)
        page.ask("> ")
        page.echo("h", "h")
        page.entered()
        page.say("hello")
        self.assertEqual(self.taken(), "hello\n")

    def test_nothing_that_is_said_can_do_more_than_be_read(self) -> None:
        self.page.say("\x1b[2J\u202e\x07x")
        self.assertEqual(self.taken(), "\r\ufffd[2J\ufffdx\n> ")


class NewsTests(TestCase):
    def setUp(self) -> None:
        self.model = Model()
        self.said: list[str] = []
        self.own: set[str] = set()
        self.news = News(self.model, look(), self.said.append, self.own)

    def enter(self, count: int, read: int) -> None:
        """The lobby with ``count`` messages, ``read`` of them read."""
        self.log = [entry(each, BEN) for each in range(1, count + 1)]
        states: list[Conversation] = [room("#lobby", seq=count, read=read)]
        self.model.logged_in(ME, states)
        self.model.page("#lobby", self.log[-60:], 1)
        self.news.tell()

    def taken(self) -> list[str]:
        """What messages were said, by their numbers."""
        said = [each.rpartition("message ")[2] for each in self.said if "message " in each]
        self.said.clear()
        return said

    def come(self, *entries: Entry) -> None:
        for each in entries:
            self.model.entry("#lobby", each)
        self.news.tell()

    def test_who_comes_hears_the_last_ones_and_then_each_once(self) -> None:
        self.enter(30, 30)
        self.assertIn("You are in #lobby.", self.said)
        self.assertEqual(self.taken(), [str(each) for each in range(31 - LAST, 31)])
        self.come(entry(31, BEN))
        self.news.tell()
        self.assertEqual(self.taken(), ["31"])

    def test_what_was_deleted_with_its_time_is_not_from_1970(self) -> None:
        self.enter(2, 2)
        self.said.clear()
        self.come(Entry(3, deleted=True), entry(4, BEN))
        self.assertEqual([each[:5] for each in self.said], ["This ", "12:04"])
        self.assertNotIn("1970", "".join(self.said))

    def test_unread_ones_are_said_and_older_ones_told_of(self) -> None:
        self.enter(30, 18)
        self.assertEqual(self.taken(), [str(each) for each in range(19, 31)])
        self.model.show("@2")
        self.news.tell()
        self.setUp()
        self.enter(60, 10)
        self.assertIn(f"Unread and older: {50 - MOST}", "\n".join(self.said))
        self.assertEqual(len(self.taken()), MOST)
        self.assertEqual(self.news.missed_from, 11)

    def test_older_ones_are_said_when_asked_for_until_the_beginning(self) -> None:
        self.enter(20, 20)
        self.taken()
        self.assertIsNone(self.news.older())
        self.assertEqual(self.taken(), [str(each) for each in range(16 - PAGE, 16)])
        self.news.older()
        self.assertEqual(self.taken(), ["1", "2", "3", "4", "5"])
        self.news.older()
        self.assertEqual(self.said, ["This is where the conversation begins."])

    def test_what_is_not_here_is_wished_for(self) -> None:
        self.enter(90, 90)
        while (wish := self.news.older()) is None:
            pass
        self.assertEqual(wish.before, 31)

    def test_whom_somebody_answers_is_said(self) -> None:
        self.enter(2, 2)
        self.said.clear()
        self.come(
            entry(3, ME, "tea?"), entry(4, CHEN, "yes", reply=3), entry(5, BEN, "no", reply=4),
            entry(6, ME, "why?", reply=5), entry(7, BEN, "@anna so", reply=900),
        )  # fmt: skip
        self.come(entry(8, kind="redact", target=5), entry(9, CHEN, "hm", reply=5))
        self.assertEqual([each[6:] for each in self.said], [
            "anna: tea?", "陈晓明 answers you: yes", "ben answers 陈晓明: no",
            "anna answers ben: why?", "ben answers an earlier message, to you: @anna so",
            "陈晓明 answers a deleted message: hm",
        ])  # fmt: skip

    def test_whoever_comes_where_an_answer_is_begun_is_told(self) -> None:
        self.enter(2, 2)
        self.model.conversation("#lobby").answering = 2
        self.said.clear()
        News(self.model, look(), self.said.append, set()).tell()
        self.assertIn("What you write next answers ben: message 2", "\n".join(self.said))

    def test_who_edits_is_heard_with_the_new_text_by_who_has_heard_the_old_one(self) -> None:
        self.enter(3, 3)
        self.said.clear()
        self.come(entry(4, BEN, "new", kind="edit", target=2))
        self.assertEqual(self.said, ["12:04 ben (edited): new"])
        self.come(Entry(5, "e1", "edit", BEN.user_id, target=2))
        # What comes together is said once, as it is by now.
        self.said.clear()
        self.come(entry(6, CHEN, "old"), entry(7, CHEN, "@anna!", kind="edit", target=6))
        self.assertEqual(self.said, ["12:06 陈晓明, to you: @anna! (edited)"])
        self.come(entry(8, CHEN, "and again, @anna", kind="edit", target=6))
        self.assertEqual(self.said[1:], ["12:08 陈晓明, to you (edited): and again, @anna"])
        self.said.clear()
        self.news.around(6)
        self.assertIn("12:06 陈晓明, to you: and again, @anna (edited)", self.said)
        self.assertNotIn("(edited):", "".join(self.said))
        self.model.blocked_are(frozenset({CHEN.user_id}))
        self.said.clear()
        self.come(entry(9, CHEN, "hello?", kind="edit", target=6))
        self.assertEqual(self.said, [])

    def test_what_was_typed_here_is_not_said_again(self) -> None:
        self.enter(1, 1)
        self.taken()
        self.own.add("c1")
        self.come(entry(2, ME, client_id="c1"), entry(3, ME, client_id="c2"))
        self.assertEqual(self.taken(), ["3"])
        self.assertEqual(self.own, set())

    def test_who_is_spoken_to_and_where_something_is_new_is_told_in_words(self) -> None:
        self.enter(1, 1)
        self.come(entry(2, CHEN, "@anna look"))
        self.assertEqual(self.said[-1], "12:02 陈晓明, to you: @anna look")
        self.said.clear()
        for kind in ("private", "mention", "message", "message"):
            self.news.elsewhere(Came(kind, "#cats", "ben", "psst"))
        self.assertEqual(len(self.said), 3)
        self.assertEqual(self.said[0], "Private, from ben: psst")

    def test_a_loss_is_told_once_and_that_it_is_over(self) -> None:
        self.enter(1, 1)
        self.said.clear()
        before = self.model.link
        for seconds in (1.0, 2.0, 4.0):
            self.model.link = Waiting(seconds, seconds, "no answer")
            self.news.tell()
        self.assertEqual(len(self.said), 1)
        self.model.link = before
        self.news.tell()
        self.assertEqual(len(self.said), 2)
