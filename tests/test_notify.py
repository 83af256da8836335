"""What is worth a sound: the rules, do not disturb, and what reaches the terminal or a program."""

import errno
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import TestCase

from hypothesis import given
from twisted.internet import reactor
from twisted.internet.process import reapProcessHandlers
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase as AsyncTestCase

from chat.client.notify import DEFAULT_RULES, Came, Quiet, Rule, actions_for, in_span
from chat.client.tui.notifier import GAP_SECONDS, Notifier, osc, run_command
from chat.client.tui.options import ScreenOptions
from tests.test_text import NASTY

NOON = datetime(2026, 3, 3, 12, 0)
MENTION = Came("mention", "#ops", "ben", "@anna the deploy is done")


class RuleTests(TestCase):
    def test_without_rules_of_ones_own_only_what_is_for_the_reader_rings(self) -> None:
        for kind, wanted in (("mention", ("bell",)), ("private", ("bell",)), ("message", ())):
            came = Came(kind, "#ops", "ben", "hello")
            self.assertEqual(actions_for(DEFAULT_RULES, came), wanted)

    def test_each_part_of_a_rule_must_fit_and_an_empty_one_does(self) -> None:
        for rule, fits in (
            (Rule(()), True),
            (Rule((), kinds=("mention", "private")), True),
            (Rule((), kinds=("message",)), False),
            (Rule((), conversations=("#OPS",)), True),
            (Rule((), conversations=("#o*", "#x")), True),
            (Rule((), conversations=("#cats",)), False),
            (Rule((), people=("Ben",)), True),
            (Rule((), people=("b?n",)), True),
            (Rule((), people=("chen",)), False),
            (Rule((), words=("outage", "DEPLOY")), True),
            (Rule((), words=("outage",)), False),
            (Rule((), ("mention",), ("#ops",), ("chen",)), False),
        ):
            self.assertEqual(rule.fits(MENTION), fits, rule)

    def test_the_first_rule_that_fits_decides(self) -> None:
        rules = (Rule((), people=("ben",)), Rule(("bell",)))
        self.assertEqual(actions_for(rules, MENTION), ())
        self.assertEqual(actions_for(rules[::-1], MENTION), ("bell",))
        self.assertEqual(actions_for((), MENTION), ())


class QuietTests(TestCase):
    def test_a_span_may_go_over_midnight(self) -> None:
        for span, hour, within in (
            ("22:00-07:00", 23, True),
            ("22:00-07:00", 6, True),
            ("22:00-07:00", 7, False),
            ("22:00-07:00", 21, False),
            ("12:00-13:00", 12, True),
            ("12:00-13:00", 13, False),
        ):
            moment = datetime(2026, 3, 3, hour).time()
            self.assertEqual(in_span(span, moment), within, (span, hour))

    def test_what_is_no_span_is_an_error(self) -> None:
        for wrong in ("", "22:00", "22-7", "25:00-07:00", "07:00-07:00", "a-b"):
            with self.assertRaises(ValueError, msg=wrong):
                in_span(wrong, NOON.time())

    def test_for_some_minutes_for_good_and_no_longer(self) -> None:
        quiet = Quiet()
        self.assertFalse(quiet.holds(NOON))
        quiet.begin(NOON, 30)
        self.assertTrue(quiet.holds(NOON + timedelta(minutes=29)))
        self.assertFalse(quiet.holds(NOON + timedelta(minutes=30)))
        quiet.begin(NOON, None)
        self.assertTrue(quiet.holds(NOON + timedelta(days=300)))
        quiet.end()
        self.assertFalse(quiet.holds(NOON))

    def test_ended_within_the_daily_span_it_comes_back_the_next_day(self) -> None:
        quiet = Quiet("12:00-13:00")
        self.assertTrue(quiet.holds(NOON))
        quiet.end()
        self.assertFalse(quiet.holds(NOON))
        self.assertFalse(quiet.holds(NOON + timedelta(hours=2)))
        self.assertTrue(quiet.holds(NOON + timedelta(days=1)))


class NotifierTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.quiet = Quiet()
        self.written: list[str] = []
        self.ran: list[Sequence[str]] = []

    def notifier(self, *do: str, command: Sequence[str] = ()) -> Notifier:
        return Notifier(
            self.clock,
            ScreenOptions(notify=[Rule(do)], command=command),
            self.quiet,
            lambda: NOON,
            self.written.append,
            self.ran.append,
        )

    def test_a_flood_is_one_bell(self) -> None:
        notifier = self.notifier("bell")
        for _ in range(100):
            notifier.came(MENTION)
        self.assertEqual(self.written, ["\a"])
        self.clock.advance(GAP_SECONDS)
        notifier.came(MENTION)
        self.assertEqual(self.written, ["\a", "\a"])

    def test_nothing_is_heard_while_nobody_is_to_be_disturbed(self) -> None:
        self.quiet.begin(NOON, 5)
        self.notifier("bell", "desktop", "command", command=["x"]).came(MENTION)
        self.assertEqual((self.written, self.ran), ([], []))

    def test_a_note_says_who_where_and_what(self) -> None:
        self.notifier("desktop").came(MENTION)
        (note,) = self.written
        self.assertIn("9;ben #ops: @anna the deploy is done", note)

    def test_a_name_gives_no_terminal_an_order(self) -> None:
        for who in ("4;3;50", "6;x", "1", "٣;x"):
            notifier = self.notifier("desktop")
            notifier.came(Came("private", "@6", who, "hello"))
            self.assertIn(f"9; {who}: hello", self.written.pop())

    def test_a_command_gets_its_places_filled_and_no_shell_reads_them(self) -> None:
        command = ["say", "-v", "{who} in {where}", "{text}", "{other}"]
        came = Came("message", "#ops", "{text}", "--help; rm -rf /\x1b[2J")
        self.notifier("command", command=command).came(came)
        self.assertEqual(
            self.ran,
            [["say", "-v", "{text} in #ops", " --help; rm -rf /\ufffd[2J", "{other}"]],
        )

    def test_without_a_command_none_is_run(self) -> None:
        self.notifier("command").came(MENTION)
        self.assertEqual(self.ran, [])

    @given(NASTY, NASTY)
    def test_nothing_that_others_write_ends_the_note_or_begins_anything_else(
        self, who: str, text: str
    ) -> None:
        self.setUp()
        self.notifier("desktop").came(Came("message", who, who, text))
        (note,) = self.written
        inner = note.removeprefix("\x1b]").removesuffix("\x1b\\")
        self.assertTrue(inner.replace("\u200d", "").isprintable(), note)

    def test_multiplexers_are_asked_to_pass_it_on(self) -> None:
        self.assertEqual(osc("9;x", {"TERM": "xterm"}), "\x1b]9;x\x1b\\")
        self.assertEqual(osc("9;x", {"TMUX": "1"}), "\x1bPtmux;\x1b\x1b]9;x\a\x1b\\")
        self.assertEqual(osc("9;x", {"TERM": "screen"}), "\x1bP\x1b]9;x\a\x1b\\")


class CommandTests(AsyncTestCase):
    async def test_a_program_is_run_one_at_a_time_and_what_it_prints_is_seen_nowhere(self) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as directory:
            path = Path(directory) / "heard"
            code = "import sys; print('noise'); open(sys.argv[1], 'a').write(sys.argv[2])"
            run = run_command(reactor)
            run([sys.executable, "-c", code, str(path), "one"])
            run([sys.executable, "-c", code, str(path), "two"])
            while not (path.exists() and path.read_text()):
                await deferLater(reactor, 0.02, lambda: None)
            # Until its end is known here nothing else is begun.
            while path.read_text() == "one":
                run([sys.executable, "-c", code, str(path), "three"])
                await deferLater(reactor, 0.02, lambda: None)
            self.assertEqual(path.read_text(), "onethree")
            while reapProcessHandlers:
                await deferLater(reactor, 0.02, lambda: None)

    def test_one_for_which_there_is_no_process_keeps_no_later_one_from_running(self) -> None:
        class Scarce:
            """A reactor whose system has no process to give, once."""

            spawned = 0

            def spawnProcess(self, *arguments: Any, **options: Any) -> None:
                self.spawned += 1
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        scarce = Scarce()
        run = run_command(scarce)
        for _ in range(2):
            run([sys.executable, "-c", ""])
        self.assertEqual(scarce.spawned, 2)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    def test_a_program_that_is_not_there_is_logged(self) -> None:
        said: list[LogEvent] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        run_command(reactor)(["/no/such/program"])
        self.assertIn("/no/such/program", formatEvent(said[-1]))
