"""What goes to a terminal that takes it slowly, or not at all."""

import os
import pty
import tty
from unittest import TestCase

from chat.client.tui.terminal.output import Output


class Writers:
    """The part of a reactor that an output needs."""

    def __init__(self) -> None:
        self.known: list[object] = []

    def addWriter(self, writer: object) -> None:
        self.known.append(writer)

    def removeWriter(self, writer: object) -> None:
        self.known.remove(writer)


class OutputTests(TestCase):
    def setUp(self) -> None:
        self.person, program = pty.openpty()
        tty.setraw(program)
        self.program = program
        self.addCleanup(os.close, program)
        self.reactor = Writers()
        self.drained = 0
        self.output = Output(program)
        self.output.attach(self.reactor)
        self.output.drained = self.note
        self.addCleanup(os.close, self.output.fileno())

    def note(self) -> None:
        self.drained += 1

    def read(self, size: int = 1) -> bytes:
        """What the terminal was given: ``size`` bytes at least, which may come in pieces."""
        got = b""
        while len(got) < size:
            got += os.read(self.person, 65_536)
        return got

    def hang_up(self) -> None:
        os.close(self.person)

    def test_what_fits_is_written_at_once(self) -> None:
        self.output.write("hello 你好")
        self.output.flush()
        self.assertEqual(self.read(12).decode(), "hello 你好")
        self.assertEqual((self.output.busy, self.reactor.known, self.drained), (False, [], 0))
        self.hang_up()

    def test_what_does_not_fit_follows_in_order_and_nobody_waits_for_it(self) -> None:
        text = "".join(f"{each:06}" for each in range(50_000))
        self.output.write(text)
        self.output.flush()
        self.assertTrue(self.output.busy)
        self.output.write("the end")
        self.output.flush()
        got = b""
        while len(got) < len(text) + 7:
            got += self.read()
            if self.output.busy:
                self.output.doWrite()
        self.assertEqual(got.decode(), text + "the end")
        self.assertEqual((self.output.busy, self.reactor.known, self.drained), (False, [], 1))
        self.hang_up()

    def test_the_shell_still_waits_for_its_terminal(self) -> None:
        self.assertTrue(os.get_blocking(self.program))
        self.assertFalse(os.get_blocking(self.output.fileno()))
        self.hang_up()

    def test_a_closed_window_takes_everything_and_keeps_nobody(self) -> None:
        self.output.write("x" * 300_000)
        self.output.flush()
        self.hang_up()
        self.output.doWrite()
        self.assertFalse(self.output.busy)
        self.output.write("goodbye")
        self.output.finish()

    def test_the_end_waits_for_what_is_taken_and_no_longer(self) -> None:
        self.output.write("x" * 1_000)
        self.output.finish()
        self.assertEqual(len(self.read(1_000)), 1_000)
        self.output.write("x" * 300_000)
        self.output.finish()
        self.assertEqual((self.output.busy, self.reactor.known), (False, []))
        self.hang_up()
