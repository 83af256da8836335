"""Messages that are not stored yet: what survives a disconnect, a restart, a full disk."""

import contextlib
import json
import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat import messages as m
from chat.client.delivery.outbox import FORGOTTEN_AFTER, Outbox, OutboxBusy
from chat.client.events import Failed, Queued, Sending, Stored
from tests import fake_server
from tests.api_case import ApiCase


@contextlib.contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """No file can be written beyond so many bytes: what still fits is written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class OutboxCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "deep" / "outbox.jsonl"

    def open(self) -> Outbox:
        outbox = Outbox(str(self.path))
        self.addCleanup(outbox.close)
        return outbox

    def texts(self, outbox: Outbox) -> list[str]:
        return [kept.message.text for kept in outbox.pending()]


class OutboxTest(OutboxCase):
    def test_what_was_added_is_there_after_a_restart_in_its_order(self) -> None:
        outbox = self.open()
        messages = [outbox.add("#lobby", text, 5.0) for text in ("one", "two", "three")]
        outbox.close()
        self.assertEqual([kept.message for kept in self.open().pending()], messages)

    def test_what_a_message_answers_is_kept_and_older_files_answer_nothing(self) -> None:
        outbox = self.open()
        messages = [outbox.add("#lobby", f"to {seq}", 5.0, reply=seq) for seq in (0, 12)]
        outbox.close()
        with self.path.open("ab") as file:
            file.write(b'{"op":"add","client_id":"old","to":"#lobby","text":"x","written":1}\n')
            file.write(
                b'{"op":"add","client_id":"no","to":"#x","text":"x","written":1,"reply":[]}\n'
            )
        for _ in range(2):
            outbox = self.open()
            kept = [each.message for each in outbox.pending()]
            self.assertEqual(kept[:2], messages)
            self.assertEqual([(each.client_id, each.reply) for each in kept[2:]], [("old", 0)])
            outbox.close()

    def test_a_killed_process_leaves_everything(self) -> None:
        outbox = self.open()
        outbox.add("#lobby", "one", 5.0)
        child = os.fork()
        if child == 0:
            outbox.add("#lobby", "two", 6.0)
            os.kill(os.getpid(), 9)
        os.waitpid(child, 0)
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["one", "two"])

    def test_what_is_done_is_gone_and_the_file_is_empty_again(self) -> None:
        outbox = self.open()
        message = outbox.add("#lobby", "one", 5.0)
        outbox.done(message.client_id)
        self.assertEqual(self.path.read_bytes(), b"")

    def test_only_the_owner_can_read_it(self) -> None:
        self.open().add("#lobby", "one", 5.0)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)

    def test_one_that_others_could_read_is_closed_to_them(self) -> None:
        self.path.parent.mkdir()
        self.path.touch(mode=0o644)
        self.open()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_two_programs_cannot_have_it_at_once(self) -> None:
        outbox = self.open()
        with self.assertRaises(OutboxBusy):
            Outbox(self.path)
        outbox.close()
        self.open()

    def test_a_torn_line_at_the_end_costs_only_itself(self) -> None:
        outbox = self.open()
        outbox.add("#lobby", "one", 5.0)
        outbox.close()
        with self.path.open("ab") as file:
            file.write(b'{"op": "add", "client_id": "x", "te')
        outbox = self.open()
        outbox.add("#lobby", "two", 5.0)
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["one", "two"])

    def test_a_disk_that_is_full_says_so_and_keeps_the_file_whole(self) -> None:
        outbox = self.open()
        outbox.add("#lobby", "one", 5.0)
        before = self.path.read_bytes()
        with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.assertRaises(OSError, outbox.add, "#lobby", "two", 5.0)
        self.assertEqual(self.texts(outbox), ["one"])
        self.assertEqual(self.path.read_bytes(), before)

    def test_what_is_done_is_done_where_no_further_file_can_be_made(self) -> None:
        outbox = self.open()
        first, second = (outbox.add("#lobby", text, 5.0) for text in ("one", "two"))
        self.path.with_name(self.path.name + ".new").mkdir()
        with patch("chat.client.delivery.outbox.REWRITE_AFTER", 1):
            outbox.done(first.client_id)
        self.assertEqual([kept.message for kept in outbox.pending()], [second])
        outbox.close()
        self.assertEqual([kept.message for kept in self.open().pending()], [second])

    def test_a_new_file_that_has_its_place_is_the_one_that_is_written_to(self) -> None:
        outbox = self.open()
        first, _ = (outbox.add("#lobby", text, 5.0) for text in ("one", "two"))
        no_more_files = patch("chat.disk.sync", side_effect=OSError)
        with patch("chat.client.delivery.outbox.REWRITE_AFTER", 1), no_more_files:
            outbox.done(first.client_id)
        outbox.add("#lobby", "three", 5.0)
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["two", "three"])

    def test_of_a_line_that_only_partly_fits_on_the_disk_nothing_stays(self) -> None:
        outbox = self.open()
        outbox.add("#lobby", "one", 5.0)
        before = self.path.read_bytes()
        with disk_with_room_for(len(before) + 10):
            self.assertRaises(OSError, outbox.add, "#lobby", "two", 5.0)
        self.assertEqual(self.path.read_bytes(), before)
        outbox.add("#lobby", "three", 5.0)
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["one", "three"])

    def test_a_file_that_cannot_be_written_anew_stays_as_it_is(self) -> None:
        outbox = self.open()
        for text in ("one", "two"):
            outbox.add("#lobby", text, 5.0)
        outbox.close()
        with disk_with_room_for(self.path.stat().st_size - 1):
            outbox = self.open()
        self.assertEqual(self.texts(outbox), ["one", "two"])
        outbox.add("#lobby", "three", 5.0)
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["one", "two", "three"])

    def test_half_a_new_file_that_a_crash_has_left_is_no_part_of_the_next(self) -> None:
        outbox = self.open()
        outbox.add("#lobby", "stored long ago", 5.0)
        outbox.close()
        self.path.rename(self.path.with_name(self.path.name + ".new"))
        outbox = self.open()
        outbox.add("#lobby", "one", 5.0)
        outbox.close()
        outbox = self.open()
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["one"])

    def test_the_file_does_not_grow_with_what_is_done(self) -> None:
        outbox = self.open()
        outbox.add("#lobby", "stays", 5.0)
        for number in range(1_500):
            outbox.done(outbox.add("#lobby", f"{number}", 5.0).client_id)
        self.assertLess(self.path.stat().st_size, 150_000)
        outbox.close()
        self.assertEqual(self.texts(self.open()), ["stays"])

    def test_ids_are_made_once_and_differ(self) -> None:
        outbox = self.open()
        ids = {outbox.add("#lobby", "x", 5.0).client_id for _ in range(100)}
        self.assertEqual(len(ids), 100)
        self.assertTrue(all(1 <= len(each) <= 64 for each in ids))

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.sampled_from(["add", "tried", "failed", "again", "done", "reopen"])),
        st.text(),
    )
    def test_a_restart_at_any_moment_changes_nothing(self, steps: list[str], text: str) -> None:
        self.path.unlink(missing_ok=True)
        outbox = Outbox(self.path)
        for step in steps:
            known = [kept.message.client_id for kept in outbox.pending()]
            if step == "add":
                outbox.add("@bob", text, 1.5)
            elif step == "reopen":
                before = outbox.pending()
                outbox.close()
                outbox = Outbox(self.path)
                self.assertEqual(outbox.pending(), before)
            elif known and step == "failed":
                outbox.failed(known[0], Failed(403, text))
            elif known:
                getattr(outbox, step)(known[0])
        outbox.close()

    @given(st.binary(max_size=200))
    def test_a_file_with_anything_in_it_can_be_opened(self, data: bytes) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_bytes(data)
        outbox = Outbox(self.path)
        outbox.add("#lobby", "one", 5.0)
        outbox.close()

    @given(st.dictionaries(st.sampled_from(["op", "client_id", "to", "text", "code"]), st.text()))
    def test_lines_that_make_no_sense_are_left_out(self, line: dict[str, str]) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps({"op": "failed", **line}) + "\n")
        Outbox(self.path).close()


class RestartTest(ApiCase, OutboxCase):
    """The client library with an outbox in a file: the program ends and starts again."""

    def setUp(self) -> None:
        OutboxCase.setUp(self)
        ApiCase.setUp(self)

    def restart(self) -> None:
        self.done(self.client.close())
        if self.outbox is not None:
            self.outbox.close()
        self.outbox = self.open()
        self.client = self.new_client(outbox=self.outbox)

    outbox: Outbox | None = None

    def test_what_was_written_offline_is_sent_by_the_next_start(self) -> None:
        self.restart()
        self.client.send("#lobby", "one")
        self.client.send("#lobby", "two")
        self.restart()
        self.assertEqual([each.state for each in self.client.outgoing], [Queued(), Queued()])
        self.log_in()
        self.assertEqual(self.heard(), ["one", "two"])
        self.assertEqual(self.client.outgoing, [])

    def test_what_was_stored_is_not_there_any_more(self) -> None:
        self.restart()
        self.log_in()
        self.done(self.client.send("#lobby", "one").stored())
        self.restart()
        self.assertEqual(self.client.outgoing, [])

    def test_what_was_sent_without_an_answer_is_sent_again_under_the_same_id(self) -> None:
        self.restart()
        self.log_in()

        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
        self.client.send("#lobby", "once")
        self.net.flush()
        self.restart()
        self.assertEqual([each.state for each in self.client.outgoing], [Sending()])
        del self.server.handlers[m.SmsMes]
        self.log_in()
        self.assertEqual(self.client.outgoing, [])
        self.assertEqual([e.content for e in self.server.places["#lobby"].entries], ["once"])

    def test_what_the_server_may_have_forgotten_is_not_repeated_by_itself(self) -> None:
        self.restart()
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        self.client.send("#lobby", "old")
        self.net.flush()
        self.clock.advance(FORGOTTEN_AFTER + 60)
        self.restart()
        (old,) = self.client.outgoing
        assert isinstance(old.state, Failed)
        self.assertEqual(old.state.code, 504)
        self.clock.advance(-FORGOTTEN_AFTER)  # somebody sets the clock back
        self.restart()
        (old,) = self.client.outgoing
        self.assertIsInstance(old.state, Failed)
        del self.server.handlers[m.SmsMes]
        self.log_in()
        self.assertEqual(self.heard(), [])
        self.assertTrue(self.client.retry(old.outgoing.client_id))
        self.net.flush()
        self.assertIsInstance(old.state, Stored)

    def test_what_somebody_wants_sent_all_the_same_waits_as_long_as_it_takes(self) -> None:
        self.restart()
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        self.client.send("#lobby", "old")
        self.net.flush()
        for expected in (Failed, Queued):
            self.clock.advance(FORGOTTEN_AFTER + 60)
            self.restart()
            (old,) = self.client.outgoing
            self.assertIsInstance(old.state, expected)
            self.client.retry(old.outgoing.client_id)
        del self.server.handlers[m.SmsMes]
        self.log_in()
        self.assertEqual(self.heard(), ["old"])

    def test_what_a_page_has_was_stored_though_nobody_answered_in_time(self) -> None:
        self.restart()
        self.log_in()

        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
        self.client.send("#lobby", "old")
        self.net.flush()
        self.clock.advance(FORGOTTEN_AFTER + 60)
        self.restart()
        self.log_in()
        (old,) = self.client.outgoing
        self.assertIsInstance(old.state, Failed)
        self.done(self.client.history("#lobby"))
        self.assertIsInstance(old.state, Stored)
        self.restart()
        self.assertEqual(self.client.outgoing, [])

    def test_what_was_never_tried_is_sent_however_old_it_is(self) -> None:
        self.restart()
        self.client.send("#lobby", "old")
        self.clock.advance(10 * FORGOTTEN_AFTER)
        self.restart()
        self.log_in()
        self.assertEqual(self.heard(), ["old"])

    def test_a_refused_message_is_still_there_to_be_retried(self) -> None:
        self.restart()
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(403, "muted")
        self.client.send("#lobby", "hm")
        self.net.flush()
        self.restart()
        self.assertEqual([each.state for each in self.client.outgoing], [Failed(403, "muted")])

    def test_what_is_being_retried_has_failed_no_more_after_a_restart(self) -> None:
        self.restart()
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(403, "muted")
        sent = self.client.send("#lobby", "hm")
        self.net.flush()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        self.assertTrue(self.client.retry(sent.outgoing.client_id))
        self.net.flush()
        self.restart()
        self.assertEqual([each.state for each in self.client.outgoing], [Sending()])
