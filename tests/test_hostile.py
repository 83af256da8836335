"""Names, rooms, topics, messages and errors from enemies, in every place where they are shown."""

import io
import unicodedata
from collections.abc import Sequence
from typing import Any
from unittest import TestCase

from twisted.internet.task import Clock

from chat.client import events
from chat.client.cli.printing import Printer
from chat.client.errors import Refused
from chat.client.language.cli_words import Phrases
from chat.client.plain.page import Page
from chat.client.plain.telling import News
from chat.messages import Conversation, Entry, Invitation, Room, Sanction, Session, User
from tests.tui_builders import (
    BEN,
    ME,
    NOON,
    Screen,
    ScriptedClient,
    entry,
    failures,
    look,
    room,
)

EVIL = "E\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u2066\u200b\u2028\x00\r\n12:00 anna: I said that\x85"
"""Sets the title, a colour, clears the screen, turns the line round, and forges another line."""

TWIN = User(9, "аnna", 0)
"""Somebody whose first letter is Cyrillic."""

SIZES = ((40, 10), (80, 24), (120, 40))

VIEWS: Sequence[Sequence[str]] = (
    (),
    ("/rooms",), ("/who",), ("/whois 6",), ("/devices",), ("/sanctions",), ("/invitations",),
    ("/block",), ("/topic",), ("/list",), ("/search anna",), ("/searchall anna",), ("/catchup",),
    ("/delete",), ("/topic x",), ("/leave",), ("/revoke x",), ("/report 6",), ("/doctor",),
    ("ctrl k",), ("ctrl k", "down", "enter"), ("meta v",), ("meta v", "i"), ("meta v", "y"),
    ("meta v", "d"), ("meta v", "r"), ("meta o",), ("meta o", "enter"), ("meta x",), ("meta a",),
    ("shift tab",), ("shift tab", "shift tab", "shift tab"), ("page up",), ("f1",),
)  # fmt: skip
"""Keys and commands after which somebody else's words are before one."""


class Enemy(ScriptedClient):
    """Answers everything with what an enemy would have answered; ``text`` is in all of it."""

    def __init__(self, text: str, who: User) -> None:
        said = f"@anna {text} https://example.org/{text} anna"
        log = [
            entry(1, ME, text),
            entry(2, who, said),
            entry(3, who, text, kind="topic"),
            entry(4, who, text, kind="ban", target=5, target_name=text, seconds=60),
            entry(5, who, said, time=NOON + 86_400_000),
        ]
        name = f"#{text}"
        inside = [
            Entry(1, "e", "", who.user_id, who.user_name, said, NOON, conversation="@6"),
        ]
        super().__init__({"#lobby": log, "@6": inside, name: [entry(1, who, said, to=name)]})
        self._text, self._who, self.asked_blocks = text, who, 0
        self.people = [ME, who]
        self.conversations = {
            "#lobby": room("#lobby", 5, 1, text),
            name: room(name, 1, 0, text),
            f"@{who.user_id}": Conversation(
                f"@{who.user_id}", "e", 1, 1, 1, 0, 0, user_name=who.user_name
            ),
        }

    async def lookup(self, who: int | str) -> User:
        return self._who

    async def blocks(self) -> list[User]:
        self.asked_blocks += 1
        return [self._who] if self.asked_blocks > 1 else []

    async def rooms(self) -> list[Room]:
        return [Room(f"#{self._text}", self._text, 3)]

    async def members(self, room: str) -> list[User]:
        return self.people

    async def sanctions(self, room: str) -> list[Sanction]:
        return [Sanction("ban", self._who.user_id, self._who.user_name, NOON)]

    async def invitations(self) -> list[Invitation]:
        return [Invitation(f"#{self._text}", self._who.user_id, self._who.user_name)]

    async def sessions(self) -> list[Session]:
        return [Session(self._text, NOON, NOON, True)]

    async def _refuse(self, *arguments: object) -> Any:
        raise Refused(403, self._text)

    redact = leave = set_topic = revoke = report = _refuse


def enemy_screen(text: str, who: User, size: tuple[int, int]) -> Screen:
    screen = Screen(Enemy(text, who), size)
    # The name of whoever is imitated was seen before that of the imitator.
    screen.text()
    return screen


def go(screen: Screen, view: Sequence[str]) -> str:
    for each in view:
        if each.startswith("/"):
            screen.type(each)
            each = "enter"
        screen.press(each)
    return "\n".join(screen.text())


def harmful(text: str) -> list[str]:
    return [each for each in text if unicodedata.category(each)[0] == "C" and each != "\n"]


class HostileTextTests(TestCase):
    def test_nothing_of_it_reaches_the_screen_wherever_one_looks(self) -> None:
        for size in SIZES:
            for view in VIEWS:
                with self.subTest(view, size=size):
                    screen = enemy_screen(EVIL, User(6, EVIL, 0), size)
                    text = go(screen, view)
                    self.assertEqual(harmful(text), [])
                    self.assertEqual(failures(), [])
                    if not view:
                        self.assertIn("owned", text)

    def test_nothing_of_it_reaches_the_screen_whatever_happens(self) -> None:
        happenings: Sequence[events.Event] = (
            events.ConnectionChanged(events.Waiting(3, 3, EVIL)),
            events.ConnectionChanged(events.Stopped(EVIL, 0)),
            events.ErrorArrived(400, EVIL, EVIL),
            events.Invited(f"#{EVIL}", 6, EVIL),
            events.MessageStateChanged(
                events.Outgoing("c", "#lobby", "x", NOON), events.Failed(413, EVIL)
            ),
            events.MessageArrived(
                entry(6, BEN, EVIL, kind="ban", target=ME.user_id, target_name=EVIL), False, True
            ),
            events.ConversationChanged(Conversation("#lobby", gone=True)),
        )
        screen = enemy_screen(EVIL, User(6, EVIL, 0), (120, 40))
        for each in happenings:
            screen.client.tell(each)
            self.assertEqual(harmful("\n".join(screen.text())), [], each)

    def test_a_message_never_begins_a_row_as_another_message_does(self) -> None:
        forged = "12:00 anna: I said that"
        for size in SIZES:
            screen = enemy_screen(f"x\n{forged}", User(6, "mallory", 0), size)
            for row in screen.text():
                self.assertFalse(row.startswith(forged), row)

    def test_what_is_copied_holds_nothing_that_a_shell_or_a_terminal_obeys(self) -> None:
        screen = enemy_screen(EVIL, User(6, EVIL, 0), (80, 24))
        for keys in (("meta v", "y"), ("meta v", " ", "up", "Y"), ("meta v", " ", "up", "y")):
            screen.press(*keys)
            self.assertEqual(harmful(screen.copied[-1].replace("\t", "")), [])

    def test_it_is_told_without_a_screen_in_printable_lines_none_of_which_is_forged(self) -> None:
        screen = enemy_screen(EVIL, User(6, EVIL, 0), (80, 24))
        written: list[str] = []
        clock = Clock()
        page = Page(clock, written.append, interactive=True)
        news = News(screen.chat.model, screen.look, page.say, set())
        news.tell()
        screen.client.tell(events.ConnectionChanged(events.Waiting(3, 3, EVIL)))
        news.tell()
        screen.chat.open(f"#{EVIL}")
        screen.text()
        news.tell()
        clock.advance(0)
        text = "".join(written).replace("\r", "\n")
        self.assertIn("owned", text)
        self.assertEqual(harmful(text), [])
        self.assertNotIn("\n12:00 anna", text)

    def test_the_command_line_of_a_note_and_the_note_itself_are_printable(self) -> None:
        screen = enemy_screen(EVIL, User(6, EVIL, 0), (80, 24))
        screen.root.focused = False
        screen.client.say(entry(6, User(6, EVIL, 0), f"@anna {EVIL}"))
        (came,) = screen.told
        self.assertEqual(harmful(came.who + came.conversation), [])


class CommandLineTests(TestCase):
    def test_everything_that_is_printed_is_one_line_of_what_can_be_printed(self) -> None:
        who = User(6, EVIL, 0)
        kinds = ("", "redact", "topic", "join", "leave", "kick", "announce", "ban", "role", EVIL)
        for as_json in (False, True):
            output = io.StringIO()
            printer = Printer(output, as_json, Phrases("en"))
            printer.user(who)
            printer.sanction(Sanction("ban", 6, EVIL, NOON))
            printer.value({EVIL: EVIL}, EVIL)
            for number, kind in enumerate(kinds, 1):
                said = entry(number, who, EVIL, to=EVIL, kind=kind, target_name=EVIL)
                printer.entry(said, EVIL)
            lines = output.getvalue().split("\n")[:-1]
            self.assertGreaterEqual(len(lines), 3 + len(kinds) - 1)
            self.assertEqual([harmful(line) for line in lines], [[]] * len(lines))
            self.assertFalse([each for each in lines if each.startswith("12:00 anna")])

    def test_a_time_that_no_calendar_has_is_dashes(self) -> None:
        output = io.StringIO()
        printer = Printer(output, False, Phrases("en"))
        for time in (10**15, 10**30, -(10**30)):
            printer.entry(entry(1, BEN, "x", time=time), "#lobby")
            printer.sanction(Sanction("ban", 6, "x", time))
        lines = output.getvalue().splitlines()
        self.assertEqual(lines[-2:], ["-" * 19 + " #lobby ben: x", "ban 6 x -> " + "-" * 19])
        self.assertEqual(len(lines), 6)


class ImitatorTests(TestCase):
    def test_a_name_like_ones_own_is_marked_wherever_it_stands(self) -> None:
        views = (
            *((), ("/who",), ("/whois 9",), ("/sanctions",), ("/invitations",), ("/block",)),
            *(("/search https",), ("ctrl k",), ("meta v",), ("/list",)),
            ("ctrl k", "а", "enter"),
        )
        for view in views:
            with self.subTest(view):
                screen = enemy_screen("so", TWIN, (120, 40))
                text = go(screen, view)
                self.assertIn("!аnna#9", text)
                self.assertEqual(text.replace("!аnna#9", "").count("аnna"), 0, text)

    def test_a_room_whose_letters_are_mixed_is_marked(self) -> None:
        screen = Screen(Enemy("lоbby", User(6, "mallory", 0)), (120, 40))
        for view in ((), ("/rooms",), ("ctrl k",), ("/go lоbby",)):
            text = go(screen, view)
            self.assertIn("!#lоbby", text)
            self.assertEqual(text.replace("!#lоbby", "").count("#lоbby"), 0, text)
            screen.press("esc", "ctrl u")

    def test_and_so_it_is_in_notes_and_in_the_plain_mode(self) -> None:
        screen = enemy_screen("so", TWIN, (80, 24))
        screen.root.focused = False
        screen.client.say(entry(2, TWIN, "it is me", to="@9"))
        self.assertEqual({screen.told[-1].who, screen.told[-1].conversation}, {"!аnna#9"})
        said: list[str] = []
        screen.chat.open("@9")
        screen.text()
        News(screen.chat.model, look(), said.append, set()).tell()
        self.assertIn("You are in !аnna#9.", said)
        self.assertTrue(any("!аnna#9: it is me" in each for each in said), said)
