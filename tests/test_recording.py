"""A recording lives through the same again: every screen of it, whatever happened."""

import io
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client import events
from chat.client.api import ChatClient
from chat.client.errors import ClientError, FateUnknown, NotConnected, Refused, Untrusted
from chat.client.files.cache import Cache
from chat.client.text import clean, width
from chat.client.tui.drafts import HUSHED, OPEN, Drafts
from chat.client.tui.recording.player import print_screens
from chat.client.tui.recording.recorder import Recorder
from chat.client.tui.recording.replay import Replay, read_tape
from chat.client.tui.recording.tape import (
    BadTape,
    answers,
    error_from,
    error_to,
    event_from,
    event_to,
)
from chat.client.tui.recording.veil import veiled
from chat.messages import User
from tests.test_text import NASTY
from tests.test_tui import ALL_KEYS, hostile_event
from tests.test_tui_history import FollowedClient, long_log
from tests.tui_builders import BEN, CHEN, ME, NOON, Screen, ScriptedClient, entry, room

SENDABLE = NASTY.map(lambda text: text.encode(errors="ignore").decode())
"""What can come from a server: half of a surrogate pair gets through no decoder of JSON."""


class RecordingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rec", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.path = self.home / "session"
        self.clock = Clock()

    def screen(self, size: tuple[int, int] = (80, 24), veil: bool = False) -> Screen:
        """A screen that is recorded, with something to read."""
        client = ScriptedClient({"#lobby": long_log(), "#cats": [entry(1, to="#cats")]})
        client.conversations = {
            "#lobby": room("#lobby", 250, 240),
            "#cats": room("#cats", 1, 1, "all about cats"),
            "@2": room("@2", 0, 0),
        }
        recorder = Recorder(self.path, self.clock.seconds, veil)
        drafts = Drafts(self.home / "drafts")
        screen = Screen(client, size, recorder=recorder, drafts=drafts)
        screen.text()
        return screen

    def last(self) -> list[str]:
        """The last screen of the recording."""
        output = io.StringIO()
        print_screens(self.path, output)
        return output.getvalue().rstrip("\n").split("\n")

    def assert_same(self, screen: Screen) -> None:
        shown = [line.rstrip() for line in screen.text()]
        while shown and not shown[-1]:
            shown.pop()
        self.assertEqual(self.last(), shown)


class ReplayTests(RecordingTestCase):
    def test_reading_writing_and_commands_are_lived_through_again(self) -> None:
        screen = self.screen()
        screen.press("page up", "page up", "page up")
        screen.client.say(entry(251, CHEN, "@anna 早上好"))
        self.assert_same(screen)
        screen.press("esc")
        screen.enter("hello")
        self.assert_same(screen)
        screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "no route")))
        self.assert_same(screen)
        screen.enter("/join cats")
        screen.type("/search message 1")
        screen.press("enter", "down", "down")
        self.assert_same(screen)
        screen.size = (120, 30)
        screen.press("esc", "meta v", "up", "i")
        self.assert_same(screen)

    def test_the_readers_time_is_kept_wherever_the_machine_stands(self) -> None:
        with patch.dict(os.environ, TZ="America/St_Johns"):
            self.addCleanup(time.tzset)
            time.tzset()
            self.assert_same(self.screen())

    def test_the_time_is_that_of_the_recording(self) -> None:
        screen = self.screen()
        self.clock.advance(3)
        screen.clock.advance(3)
        screen.press("f1")
        self.clock.advance(5.5)
        screen.press("esc")
        replay = Replay(read_tape(self.path))
        moments = {round(at, 2) for at, _ in replay.screens()}
        self.assertEqual(max(moments), 8.5)
        self.assertIn(3.0, moments)

    def test_answers_are_lived_through_again_also_where_texts_are_masked(
        self,
    ) -> None:
        screen = self.screen()
        screen.press("meta v", "up", "r")
        screen.enter("yes")
        self.assert_same(screen)
        screen.client.say(entry(251, CHEN, "早上好", reply=7))
        screen.text()
        screen.press("meta v", "a", "r")
        self.assert_same(screen)
        screen.chat.save_drafts()
        self.path.unlink()
        screen = self.screen(veil=True)
        self.assertEqual(screen.chat.answering, 7)
        self.assertIn("┌ Answer to: a message that is not loaded here", "\n".join(self.last()))

    def test_what_came_out_of_the_cache_does_so_again(self) -> None:
        client = FollowedClient()
        cache = Cache(Clock(), self.home / "history.db", maybeDeferred)
        self.successResultOf(Deferred.fromCoroutine(cache.open()))
        cache.follow(client)  # type: ignore[arg-type]  # scripted
        cache.logged_in(ME)
        client.hand_out(*long_log())
        client.conversations["#lobby"] = room("#lobby", 250, 1)
        client.tell(events.ConversationsListed())
        known = self.successResultOf(Deferred.fromCoroutine(cache.close()))
        known = self.successResultOf(Deferred.fromCoroutine(cache.open()))
        client.state = events.Waiting(5, 5, "nobody answers")
        recorder = Recorder(self.path, self.clock.seconds)
        screen = Screen(client, cache=cache, known=known, recorder=recorder)
        screen.text()
        screen.press("page up", "page up")
        self.assert_same(screen)
        self.assertIn("message 2", "\n".join(self.last()))

    def test_an_editor_outside_is_not_asked_again(self) -> None:
        screen = self.screen()
        screen.type("begun")
        screen.press("ctrl x", "ctrl e")
        replay = Replay(read_tape(self.path))
        for _ in replay.screens():
            pass
        self.assertEqual(replay.desk.composer.editor.text, "begun edited")

    @given(
        st.lists(
            st.one_of(
                st.sampled_from([key for key in ALL_KEYS if key != "ctrl q"]),
                st.characters(exclude_categories=["Cs"]),
                st.tuples(SENDABLE, st.integers(0, 40)),
                st.tuples(st.integers(1, 130), st.integers(1, 40)),
            ),
            max_size=12,
        )
    )
    @settings(max_examples=20, deadline=None)
    def test_any_session_ends_with_the_same_screen(self, steps: list) -> None:  # type: ignore[type-arg]
        self.path.unlink(missing_ok=True)
        screen = self.screen()
        screen.may_fail = True
        for step in steps:
            if isinstance(step, str):
                screen.press(step)
            elif isinstance(step[0], int):
                screen.size = step
                screen.text()
            else:
                screen.client.tell(hostile_event(*step))
                screen.text()
        self.assert_same(screen)
        self.flushLoggedErrors()


class FileTests(RecordingTestCase):
    def test_only_its_owner_can_read_it_and_none_is_written_over(self) -> None:
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.screen()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        with self.assertRaises(FileExistsError):
            Recorder(self.path, self.clock.seconds)

    def test_a_line_that_a_crash_cut_off_is_left_out(self) -> None:
        self.screen().press("f1")
        whole = read_tape(self.path)
        with self.path.open("ab") as file:
            file.write(b'[3.0,"ke')
        self.assertEqual(read_tape(self.path), whole)

    def test_what_is_no_recording_is_told(self) -> None:
        self.screen().press("f1")
        good = self.path.read_bytes()
        head, first = good.split(b"\n")[:2]
        other = good.replace(b'"chatroom-recording":1', b'"chatroom-recording":99')
        for bad, wrong in (
            (b"", "tape-none"),
            (b"not json\n", "tape-none"),
            (b"{}\n", "tape-none"),
            (other, "tape-version"),
            (head + b"\n[]\n", "tape-line"),
            (head + b'\n[1.0,"event","NoSuchEvent",{}]\n', "tape-line"),
            (head + b'\n[1.0,"event","MessageArrived",{"entry":7}]\n', "tape-line"),
            (head + b'\n[1.0,"size","",[1]]\n', "tape-line"),
            (head + b'\n[1.0,"answer","Nobody.x.1",1]\n', "tape-line"),
            (head + b"\n" + first.replace(b'"state"', b'"mouse"') + b"\n", "tape-line"),
        ):
            self.path.write_bytes(bad)
            with self.assertRaises(BadTape) as raised:
                print_screens(self.path, io.StringIO())
            values = {"line": 2} if wrong == "tape-line" else {}
            self.assertEqual((raised.exception.key, raised.exception.values), (wrong, values), bad)

    def test_without_a_chat_there_is_no_recording_and_no_file(self) -> None:
        recorder = Recorder(self.path, lambda: 0.0)
        self.assertFalse(recorder.close())
        self.assertFalse(self.path.exists())
        recorder = self.screen().root.watcher
        assert isinstance(recorder, Recorder)
        self.assertTrue(recorder.close())
        self.assertTrue(self.path.exists())

    def test_a_full_disk_ends_the_recording_and_nothing_else(self) -> None:
        screen = self.screen()
        recorder = screen.root.watcher
        assert isinstance(recorder, Recorder)
        os.dup2(os.open("/dev/full", os.O_WRONLY), recorder._file.fileno())
        screen.type("hello")
        self.assertIn("hello", "\n".join(screen.text()))
        self.assertTrue(recorder._file.closed)

    def test_a_password_that_is_typed_into_a_form_is_not_written_down(self) -> None:
        from chat.client.tui.panes.forms import Field, Form

        screen = self.screen()
        fields = [Field("Password", hidden=True)]
        screen.root.show(Form(screen.look, "x", fields, lambda values: None, lambda: None))
        for key in "Pa55":
            screen.root.keypress(screen.size, key)
        self.assertNotIn(b'"key","5"', self.path.read_bytes())


class VeilTests(RecordingTestCase):
    def test_a_masked_recording_has_no_word_of_anybody_and_plays_all_the_same(self) -> None:
        screen = self.screen(veil=True)
        screen.client.say(entry(251, CHEN, "早上好 to ALL of you, 42!"))
        screen.enter("the plan is secret")
        screen.client.tell(events.ConversationChanged(room("#cats", 1, 1, "a hidden topic")))
        screen.enter("/search message 1")
        screen.type("message")
        found = "\n".join(self.last())
        self.assertIn("so far: xxxxxxx 0", found)
        self.assertNotIn("Nothing found", found)
        screen.press("esc")
        screen.paste("pasted words")
        screen.press("ctrl x", "ctrl e")
        last = "\n".join(self.last())
        self.assertIn("字字字 xx XXX xx xxx, 00!", last)
        self.assertIn("xxx xxxx xx xxxxxx", last)
        self.assertIn("xxxxxx xxxxx xxxxxx", last)
        written = self.path.read_text()
        for each in ("message 2", "早上好", "ALL of", "plan", "hidden", "edited"):
            self.assertNotIn(each, written)
        typed = "".join(each.of for each in read_tape(self.path).lines if each.what == "key")
        for each in ("secret", "message", "pasted"):
            self.assertNotIn(each, typed)

    def test_it_begins_where_one_was_with_a_draft_that_nobody_can_read(self) -> None:
        kept = {OPEN: "#cats", HUSHED: "#cats", "#cats": "half a thought"}
        Drafts(self.home / "drafts").save(kept)
        self.screen(veil=True)
        last = "\n".join(self.last())
        self.assertIn("#cats (hushed)  xxx xxxxx xxxx", last)
        self.assertIn("xxxx x xxxxxxx", last)

    def test_commands_and_names_can_be_read_in_a_masked_recording(self) -> None:
        screen = self.screen(veil=True)
        screen.type("/join dogs")
        screen.press("enter", "ctrl k")
        screen.enter("cat")
        lines = read_tape(self.path).lines
        typed = "".join(each.of for each in lines if each.what == "key" and len(each.of) == 1)
        self.assertEqual(typed, "/join xxxxcat")
        self.assertIn("#cats", "\n".join(self.last()))

    def test_what_is_typed_right_behind_an_esc_is_masked_as_well(self) -> None:
        screen = self.screen(veil=True)
        screen.press("meta q", *"uite", "meta b", "h")
        self.assertEqual(screen.desk.composer.editor.text, "hquite")
        self.assertIn("xxxxxx", "\n".join(self.last()))
        typed = [each.of for each in read_tape(self.path).lines if each.what == "key"]
        self.assertEqual(typed, ["esc", *"xxxxx", "meta b", "x"])
        before = len(typed)
        screen.press("meta v", "meta q", "ctrl k", "meta q", "ctrl k", "meta 1")
        typed = [each.of for each in read_tape(self.path).lines if each.what == "key"][before:]
        self.assertEqual(typed, ["meta v", "esc", "x", "ctrl k", "esc", "x", "ctrl k", "meta 1"])

    def test_a_password_behind_the_command_is_never_written_down(self) -> None:
        screen = self.screen()
        screen.type("/password Pa55w0rd")
        typed = "".join(each.of for each in read_tape(self.path).lines if each.what == "key")
        self.assertEqual(typed, "/password Xx00x0xx")

    @given(NASTY)
    @example("\u115fa letter that draws nothing")
    def test_what_is_masked_is_as_wide_as_it_was_and_shares_no_word(self, text: str) -> None:
        was, now = (clean(each).split("\n") for each in (text, veiled(text)))
        self.assertEqual([*map(width, now)], [*map(width, was)])
        self.assertFalse(set(veiled(text)) - set(text) - set("xX0字"))


class TapeTests(SynchronousTestCase):
    def test_every_event_comes_back_as_it_was(self) -> None:
        message = events.Outgoing("c1", "#lobby", "hi", NOON)
        for event in (
            events.ConnectionChanged(events.Waiting(5, 7, "why")),
            events.ConnectionChanged(events.Stopped("x", 403)),
            events.ConnectionChanged(events.LoggedIn()),
            events.ConversationsListed(),
            events.ConversationChanged(room("#lobby", 3, 1, "topic")),
            events.MessageArrived(entry(1, BEN, "hi"), False, True),
            events.MessageStateChanged(message, events.Stored("#lobby", "e1", 3, NOON)),
            events.MessageStateChanged(message, events.Failed(413, "too large")),
            events.MessageStateChanged(message, events.Queued()),
            events.GapFilled("#lobby", 1, 2),
            events.GapSkipped("#lobby", 1, 2, True),
            events.EpochChanged("#lobby", "e2", 5),
            events.ReceiptMoved("@2", 2, "e1", 3, 1),
            events.PresenceChanged((User(1, "anna", 0),), "all", True),
            events.ErrorArrived(400, "no", "SmsMes"),
            events.Invited("#cats", 2, "ben"),
            events.Blocked(2, "ben", True),
        ):
            name = type(event).__name__
            self.assertEqual(event_from(name, event_to(event, 2.0), 2.0), event)

    def test_a_moment_to_come_is_as_far_away_as_it_was(self) -> None:
        event = events.ConnectionChanged(events.Waiting(5, 105, "why"))
        again = event_from("ConnectionChanged", event_to(event, 100.0), 7.0)
        self.assertEqual(again, events.ConnectionChanged(events.Waiting(5, 12, "why")))

    def test_errors_come_back_too(self) -> None:
        refused = error_from(error_to(Refused(429, "slow down", 2.5)))
        assert isinstance(refused, Refused)
        self.assertEqual((refused.code, refused.retry_after), (429, 2.5))
        self.assertIsInstance(error_from(error_to(NotConnected("x"))), NotConnected)
        self.assertIsInstance(error_from(error_to(FateUnknown("x"))), FateUnknown)
        other = error_from(error_to(Untrusted("aa", "", "why")))
        self.assertIsInstance(other, ClientError)
        self.assertIn("aa", str(other))

    def test_every_call_that_asks_the_world_is_one_that_is_answered(self) -> None:
        for name in ("history", "search", "online", "send", "lookup", "moderate", "join"):
            self.assertTrue(answers(ChatClient, name), name)
        for name in ("listen", "conversations", "mark_read", "user", "positions"):
            self.assertFalse(answers(ChatClient, name), name)
        self.assertTrue(answers(Cache, "page"))
        self.assertFalse(answers(Cache, "keep"))
