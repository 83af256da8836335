"""What comes from a terminal: letters the short way, everything else through urwid's parser."""

import os
import pty
import select
from collections.abc import Callable
from unittest import TestCase

import urwid

from chat.client.tui.terminal.screen import Terminal
from tests.patience import PATIENCE

ALARM = 1


class Watches:
    """The part of an event loop that a screen needs for its input."""

    def __init__(self) -> None:
        self.watched: dict[int, Callable[[], None]] = {}
        self.due: Callable[[], None] | None = None

    def watch_file(self, descriptor: int, callback: Callable[[], None]) -> int:
        self.watched[descriptor] = callback
        return descriptor

    def remove_watch_file(self, handle: int) -> bool:
        return self.watched.pop(handle, None) is not None

    def alarm(self, seconds: float, callback: Callable[[], None]) -> int:
        self.due = callback
        return ALARM

    def remove_alarm(self, handle: int) -> bool:
        self.due = None
        return True


class TerminalTests(TestCase):
    def setUp(self) -> None:
        urwid.set_encoding("utf-8")
        self.person, program = pty.openpty()
        self.addCleanup(os.close, self.person)
        self.side = os.fdopen(program, "r+b", buffering=0)
        self.addCleanup(self.side.close)
        self.terminal = Terminal(self.side, self.side)
        self.addCleanup(os.close, self.terminal.output.fileno())
        self.terminal.start()
        self.addCleanup(self.terminal.stop)
        self.loop, self.keys = Watches(), list[object]()
        self.terminal.hook_event_loop(self.loop, lambda keys, raw: self.keys.extend(keys))

    def type(self, data: bytes) -> None:
        os.write(self.person, data)
        self.loop.watched[self.side.fileno()]()

    def test_letters_come_one_by_one(self) -> None:
        self.type(b"a")
        self.type("bc é 你好".encode())
        self.assertEqual(self.keys, list("abc é 你好"))

    def test_a_character_that_comes_in_two_parts_is_one(self) -> None:
        first, *rest = "你".encode()
        self.type(bytes([first]))
        self.assertEqual(self.keys, [])
        self.type(bytes(rest))
        self.type(b"!")
        self.assertEqual(self.keys, ["你", "!"])

    def test_what_a_reader_sees_as_one_character_is_one_key(self) -> None:
        family, accented = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "e\u0301"
        self.type(f"a{family}{accented}👍🏽".encode())
        self.assertEqual(self.keys, ["a", family, accented, "👍🏽"])

    def test_keys_with_names_have_them_whole_or_in_parts(self) -> None:
        self.type(b"\x1b[A\x01x\r")
        for each in (b"\x1b", b"[", b"B", b"y"):
            self.type(each)
        self.assertEqual(self.keys, ["up", "ctrl a", "x", "enter", "down", "y"])

    def test_a_letter_behind_escape_is_one_key_with_it_until_time_is_up(self) -> None:
        self.type(b"\x1b")
        self.type(b"b")
        self.assertEqual(self.keys, ["meta b"])
        self.type(b"\x1b")
        assert self.loop.due is not None
        self.loop.due()
        self.type(b"b")
        self.assertEqual(self.keys, ["meta b", "esc", "b"])

    def test_a_paste_is_told_from_typing(self) -> None:
        self.type(b"\x1b[200~one")
        self.type(b"two\x1b[201~")
        self.assertEqual(self.keys, ["begin paste", *"onetwo", "end paste"])

    def test_what_the_terminal_says_of_its_background_is_no_key(self) -> None:
        told: list[bool] = []
        self.terminal.on_light = told.append
        answers = ((b"rgb:ffff/f000/ffff\x07", True), (b"rgba:20/20/20/ff\x1b\\", False))
        for answer, light in answers:
            answer = b"\x1b]11;" + answer
            for cut in (3, 4, 7, len(answer) - 1, len(answer)):
                self.terminal.ask_background()
                self.type(b"a" + answer[:cut])
                self.type(answer[cut:] + b"b")
                self.type(b"c")
                self.assertEqual((self.keys, told), (list("abc"), [light]))
                self.keys.clear()
                told.clear()

    def test_keys_are_keys_while_an_answer_is_waited_for(self) -> None:
        self.terminal.ask_background()
        for each in (b"x", b"\x1b]", b"1", "你".encode(), b"\x1b[A"):
            self.type(each)
        self.assertEqual(self.keys, ["x", "meta ]", "1", "你", "up"])

    def told_until(self, end: bytes) -> bytes:
        """What the terminal was told up to ``end``."""
        self.terminal.flush()
        told = b""
        while end not in told:
            self.assertTrue(select.select([self.person], [], [], PATIENCE)[0], told)
            told += os.read(self.person, 1)
        return told

    def test_the_window_has_its_title_until_the_program_ends_or_rests(self) -> None:
        keep, title, old = b"\x1b[22;2t", b"\x1b]2;(3) chatroom\x1b\\", b"\x1b[23;2t"
        self.told_until(keep)
        for _ in range(2):
            self.terminal.entitle("(3) chatroom")
        self.told_until(title)
        self.terminal.stop()
        self.assertNotIn(title, self.told_until(old))
        self.terminal.start()
        self.told_until(keep + title)

    def test_what_is_no_text_does_no_harm(self) -> None:
        self.type(b"\xff\xfe")
        self.type(b"z")
        self.assertEqual(self.keys[-1], "z")
