"""The file of what was said: found again, searched, and forgotten when it must be."""

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client.events import Position
from chat.client.files.cache_file import CacheFile, erase
from chat.client.files.cache_values import Batch
from chat.messages import Conversation, Entry
from tests.tui_builders import BEN, CHEN, ME, entry, room


class CacheFileTests(TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cache", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.path = self.home / "deep" / "history.db"

    def file(self, **options: Any) -> CacheFile:
        opened = CacheFile(self.path, **options)
        self.addCleanup(opened.close)
        return opened

    def filled(self, *entries: Entry, **options: Any) -> CacheFile:
        """A file of ours with these entries."""
        file = self.file(**options)
        file.log_in(ME)
        self.put(file, *entries)
        return file

    def put(self, file: CacheFile, *entries: Entry) -> None:
        newest: dict[str, int] = {}
        for each in entries:
            newest[each.conversation] = max(newest.get(each.conversation, 0), each.seq)
        positions = {name: Position("e1", seq) for name, seq in newest.items()}
        states = {name: room(name) for name in newest}
        file.write(Batch(entries=list(entries), states=states, positions=positions))

    def seqs(self, file: CacheFile, name: str = "#lobby") -> list[int]:
        return [each.seq for each in file.page(name, 0, 10_000)]

    def found(self, file: CacheFile, text: str, name: str = "", before: int = 0) -> list[int]:
        return [each.seq for each in file.search(text, name, before, 50)]

    def bytes_on_disk(self) -> bytes:
        return b"".join(each.read_bytes() for each in self.path.parent.iterdir())

    # Keeping

    def test_what_was_written_is_there_at_the_next_start(self) -> None:
        file = self.filled(entry(1), entry(2, CHEN, "早上好"), entry(1, to="@2"))
        state = Conversation("#lobby", "e1", 1, 2, 1, 0, 1, "a topic")
        file.write(Batch(states={"#lobby": state}))
        file.close()
        file = self.file()
        known = file.known()
        assert known is not None
        self.assertEqual((known.user.user_id, known.user.user_name), (ME.user_id, ME.user_name))
        self.assertEqual(known.conversations, [state, room("@2")])
        self.assertEqual(known.positions["#lobby"], Position("e1", 2))
        self.assertEqual(
            [(e.conversation, e.seq) for e in known.unread], [("#lobby", 2), ("@2", 1)]
        )
        self.assertEqual(file.page("#lobby", 0, 9), (entry(1), entry(2, CHEN, "早上好")))

    def test_what_a_message_answers_is_kept_and_goes_with_its_text(self) -> None:
        file = self.filled(entry(1), entry(2, CHEN, "to ben", reply=1), entry(3, CHEN, reply=2))
        self.put(file, entry(4, CHEN, kind="redact", target=3))
        file.close()
        page = self.file().page("#lobby", 0, 10)
        self.assertEqual([each.reply for each in page], [0, 1, 0, 0])
        self.assertTrue(page[2].deleted)

    def test_pages_are_the_newest_below_a_number_oldest_first(self) -> None:
        file = self.filled(*(entry(seq) for seq in range(1, 21)), entry(7, to="#cats"))
        self.assertEqual([e.seq for e in file.page("#lobby", 0, 3)], [18, 19, 20])
        self.assertEqual([e.seq for e in file.page("#lobby", 18, 3)], [15, 16, 17])
        self.assertEqual([e.seq for e in file.page("#lobby", 3, 9)], [1, 2])
        self.assertEqual(file.page("#lobby", 1, 9), ())
        self.assertEqual(file.page("#dogs", 0, 9), ())

    def test_nobody_else_can_read_it(self) -> None:
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.filled(entry(1))
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)
        for each in self.path.parent.iterdir():
            self.assertEqual(stat.S_IMODE(each.stat().st_mode), 0o600, each)

    def test_another_user_finds_nothing_of_the_one_before(self) -> None:
        file = self.filled(entry(1, content="secret"))
        file.block([7])
        file.log_in(BEN)
        self.assertIsNone(file.known())
        self.assertEqual((self.seqs(file), self.found(file, "secret")), ([], []))

    def test_a_broken_file_and_one_of_another_layout_are_made_anew(self) -> None:
        self.path.parent.mkdir()
        self.path.write_bytes(b"no database at all" * 1000)
        file = self.filled(entry(1))
        self.assertEqual(self.seqs(file), [1])
        file.close()
        with sqlite3.connect(self.path) as base:
            base.execute("PRAGMA user_version = 99")
        base.close()
        self.assertIsNone(self.file().known())

    def changed(self, how: str) -> CacheFile:
        """A file of ours in which somebody, or a failing disk, has changed something."""
        erase(self.path)
        self.filled(*(entry(seq) for seq in range(1, 300))).close()
        with sqlite3.connect(self.path) as base:
            base.execute(how)
        base.close()
        return self.file()

    def test_a_file_with_a_row_that_makes_no_sense_at_the_start_is_made_anew(self) -> None:
        for how in (
            "UPDATE fact SET value = x'ff' WHERE name = 'user'",
            """UPDATE conversation SET state = '{"conversation":"#lobby","newer":1}'""",
            "UPDATE conversation SET state = 5",
            "UPDATE conversation SET seq = 'x'",
            "DROP TABLE entry",
        ):
            with self.subTest(how):
                file = self.changed(how)
                self.assertIsNone(file.known())
                file.log_in(ME)
                self.put(file, entry(1))
                self.assertEqual(self.seqs(file), [1])
                file.close()
                self.assertIsNotNone(self.file().known())

    def test_an_entry_that_makes_no_sense_is_as_if_it_were_not_here(self) -> None:
        file = self.changed("UPDATE entry SET body = x'ff' WHERE id % 2")
        known = file.known()
        assert known is not None
        self.assertEqual(len(known.unread), 200 - 100)
        self.assertEqual(len(file.page("#lobby", 0, 300)), 149)
        self.assertEqual(len(self.found(file, "message")), 25)
        gone = entry(301, ME, kind="redact", target=1), entry(302, kind="erase", target=BEN.user_id)
        self.put(file, *gone)
        left = [each.seq for each in file.page("#lobby", 0, 300) if each.content]
        self.assertEqual(left, [301, 302])

    def test_a_file_in_which_any_byte_was_changed_can_be_opened_and_used(self) -> None:
        self.filled(*(entry(seq) for seq in range(1, 300))).close()
        whole, chance = self.path.read_bytes(), random.Random(5)
        for _ in range(40):
            erase(self.path)
            changed = bytearray(whole)
            for at in chance.sample(range(len(whole)), 200):
                changed[at] = chance.randrange(256)
            self.path.write_bytes(changed)
            with suppress(sqlite3.Error), closing(CacheFile(self.path)) as file:
                file.known()
                file.page("#lobby", 0, 300)
                file.search("message", "", 0, 50)

    def test_a_batch_that_fails_leaves_what_was_there(self) -> None:
        file = self.filled(entry(1))
        with self.assertRaises(OverflowError):
            self.put(file, entry(2), entry(3, time=1 << 70))
        self.assertEqual(self.seqs(file), [1])
        self.put(file, entry(2))
        self.assertEqual(self.seqs(file), [1, 2])

    def test_what_was_written_survives_the_death_of_the_program_at_any_moment(self) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(self.path)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        with writer.stdout as output:
            for _ in range(10):
                written = int(output.readline())
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            rest = output.read().split()
        file = self.file()
        known = file.known()
        assert known is not None
        position = known.positions["#lobby"].seq
        self.assertGreaterEqual(position, int(rest[-1]) if rest else written)
        self.assertEqual(self.seqs(file), list(range(1, position + 1)))
        self.assertEqual(len(file.search("message", "", 0, 100_000)), position)

    # Bounds

    def test_the_newest_numbers_of_a_conversation_are_kept(self) -> None:
        file = self.filled(*(entry(seq) for seq in range(1, 21)), kept=10)
        self.assertEqual(self.seqs(file), list(range(11, 21)))
        self.put(file, entry(21))
        self.assertEqual(self.seqs(file), list(range(12, 22)))
        self.assertEqual(len(file.search("message", "", 0, 99)), 10)

    def test_a_file_that_is_too_large_keeps_less_of_each_conversation(self) -> None:
        wide = [entry(seq, content=f"{seq} " * 300) for seq in range(1, 201)]
        self.filled(*wide, *(entry(seq, to="#cats") for seq in range(1, 4)), kept=200).close()
        size = self.path.stat().st_size
        file = self.file(kept=200, most_bytes=size)
        self.assertEqual(len(self.seqs(file)), 200)
        file.close()
        file = self.file(kept=200, most_bytes=size // 2)
        self.assertIn(len(self.seqs(file)), (50, 100))
        self.assertEqual((self.seqs(file)[-1], self.seqs(file, "#cats")), (200, [1, 2, 3]))

    # Forgetting

    def test_a_deletion_takes_the_text_off_the_disk(self) -> None:
        file = self.filled(entry(1, content="xylophone"), *(entry(seq) for seq in range(2, 9)))
        self.assertIn(b"xylophone", self.bytes_on_disk())
        self.put(file, entry(9, kind="redact", target=1))
        (first, *_) = file.page("#lobby", 0, 9)
        self.assertEqual((first.seq, first.deleted, first.content), (1, True, ""))
        self.assertEqual(self.found(file, "xylophone"), [])
        self.assertNotIn(b"xylophone", self.bytes_on_disk())

    def test_a_deletion_holds_against_a_page_that_was_read_before_it(self) -> None:
        file = self.filled(entry(9, kind="redact", target=1))
        self.put(file, entry(1, content="xylophone"), entry(2))
        self.assertTrue(file.page("#lobby", 0, 9)[0].deleted)
        self.assertEqual(self.found(file, "xylophone"), [])
        self.assertEqual(self.found(file, "message"), [2])

    def test_of_a_user_who_is_deleted_everything_goes_and_of_others_nothing(self) -> None:
        file = self.filled(
            entry(1, CHEN, "xylophone"), entry(2, content="message"), entry(3, CHEN, "xylophone"),
            entry(4, kind="kick", target=CHEN.user_id, target_name="xylophone"),
            entry(1, CHEN, "message", to="#cats"),
        )  # fmt: skip
        erasure = entry(6, kind="erase", target=CHEN.user_id)
        self.put(file, entry(5, CHEN, "xylophone"), erasure, entry(7, CHEN, "message"))
        gone = [each.seq for each in file.page("#lobby", 0, 9) if each.deleted]
        self.assertEqual(gone, [1, 3, 4, 5])
        self.assertEqual(self.found(file, "message", "#lobby"), [7, 2])
        self.assertEqual(self.found(file, "message", "#cats"), [1])
        self.assertNotIn(b"xylophone", self.bytes_on_disk())

    def test_the_server_says_that_an_entry_is_deleted(self) -> None:
        file = self.filled(entry(1, content="xylophone"))
        self.put(file, Entry(1, deleted=True, conversation="#lobby"))
        self.assertTrue(file.page("#lobby", 0, 9)[0].deleted)
        self.assertEqual(self.found(file, "xylophone"), [])

    def test_a_new_epoch_drops_what_never_was(self) -> None:
        file = self.filled(*(entry(seq) for seq in range(1, 10)), entry(8, to="#cats"))
        again = entry(5, content="anew")
        positions = {"#lobby": Position("e2", 5)}
        file.write(Batch(drops=[("#lobby", 5)], entries=[again], positions=positions))
        self.assertEqual(self.seqs(file), [1, 2, 3, 4, 5])
        self.assertEqual(file.page("#lobby", 0, 1), (again,))
        self.assertEqual(self.found(file, "message", "#lobby"), [4, 3, 2, 1])
        self.assertEqual(self.seqs(file, "#cats"), [8])

    def test_what_is_dropped_is_off_the_disk(self) -> None:
        file = self.filled(entry(1, content="xylophone"), entry(2))
        file.write(Batch(drops=[("#lobby", 1)]))
        self.assertNotIn(b"xylophone", self.bytes_on_disk())

    def test_a_batch_that_fails_leaves_no_place_for_one_conversation_in_another(self) -> None:
        file = self.filled(entry(1))
        beyond = {"#tea": Position("e1", 1 << 70)}
        with self.assertRaises(OverflowError):
            file.write(Batch(entries=[entry(1, to="#tea")], positions=beyond))
        self.put(file, entry(2, to="#cats"))
        self.put(file, entry(3, to="#tea"))
        self.assertEqual([self.seqs(file, name) for name in ("#cats", "#tea")], [[2], [3]])

    def test_a_conversation_that_one_is_no_longer_in_is_forgotten(self) -> None:
        file = self.filled(entry(1), entry(1, content="xylophone", to="#cats"))
        file.forget("#cats")
        known = file.known()
        assert known is not None
        self.assertEqual(set(known.positions), {"#lobby"})
        self.assertEqual(self.found(file, "xylophone"), [])
        self.assertNotIn(b"xylophone", self.bytes_on_disk())
        self.put(file, entry(2, to="#cats"))
        self.assertEqual(self.seqs(file, "#cats"), [2])

    def test_erased_nothing_is_left(self) -> None:
        file = self.filled(entry(1))
        file.close()
        erase(self.path)
        self.assertEqual(list(self.path.parent.iterdir()), [])

    # Searching

    def test_words_are_found_by_how_they_begin_whatever_their_case_and_accents(self) -> None:
        file = self.filled(
            entry(1, content="The Release is ready"),
            entry(2, content="released: café, don't wait"),
            entry(3, content="nothing of the kind"),
        )
        self.assertEqual(self.found(file, "release"), [2, 1])
        self.assertEqual(self.found(file, "RELEASE ready"), [1])
        self.assertEqual(self.found(file, "cafe don't"), [2])
        self.assertEqual(self.found(file, "ease"), [])

    def test_chinese_is_found_by_any_run_of_characters(self) -> None:
        file = self.filled(
            entry(1, content="今天的会议改到下午三点"),
            entry(2, content="三点半开会，deploy之后"),
            entry(3, content="点三个菜"),
        )
        self.assertEqual(self.found(file, "三点"), [2, 1])
        self.assertEqual(self.found(file, "会"), [2, 1])
        self.assertEqual(self.found(file, "会议"), [1])
        self.assertEqual(self.found(file, "点三"), [3])
        self.assertEqual(self.found(file, "deploy之后"), [2])
        self.assertEqual(self.found(file, "开会 depl"), [2])

    def test_a_text_without_words_is_found_as_it_stands(self) -> None:
        file = self.filled(entry(1, content="fine :)"), entry(2, content="100%"), entry(3))
        self.assertEqual(self.found(file, ":)"), [1])
        self.assertEqual(self.found(file, "%"), [2])

    def test_a_search_keeps_to_its_conversation_and_goes_on_below_a_moment(self) -> None:
        file = self.filled(*(entry(seq) for seq in range(1, 6)), entry(9, to="#cats"))
        self.assertEqual(self.found(file, "message"), [9, 5, 4, 3, 2, 1])
        self.assertEqual(self.found(file, "message", "#lobby"), [5, 4, 3, 2, 1])
        self.assertEqual(self.found(file, "message", "#lobby", entry(3).time), [2, 1])
        self.assertEqual(self.found(file, "message", "#dogs"), [])

    def test_only_what_somebody_said_is_found(self) -> None:
        file = self.filled(entry(1, kind="topic", content="release"), entry(2, content="release"))
        self.assertEqual(self.found(file, "release"), [2])

    def test_no_text_is_a_mistake_in_a_search(self) -> None:
        file = self.filled(entry(1), entry(2, content='say "hello" AND (NOT) wait*'))
        self.assertEqual(self.found(file, '"hello" AND (NOT) wait*'), [2])

        @given(st.text(max_size=20))
        @settings(max_examples=100, deadline=None)
        def search(text: str) -> None:
            file.search(text, "#lobby", 0, 5)

        search()

    def test_states_without_entries_are_kept_too(self) -> None:
        file = self.filled()
        file.write(Batch(states={"@2": room("@2", seq=4, read=4)}))
        known = file.known()
        assert known is not None
        self.assertEqual([each.conversation for each in known.conversations], ["@2"])
        self.assertEqual(known.positions, {})


_WRITER = """
import sys
from pathlib import Path
from chat.client.files.cache_file import CacheFile
from chat.client.files.cache_values import Batch
from chat.client.events import Position
from tests.tui_builders import ME, entry, room

file = CacheFile(Path(sys.argv[1]))
file.log_in(ME)
file.write(Batch(states={"#lobby": room("#lobby")}))
for seq in range(1, 100_000):
    file.write(Batch(entries=[entry(seq)], positions={"#lobby": Position("e1", seq)}))
    print(seq, flush=True)
"""
