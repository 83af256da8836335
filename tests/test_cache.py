"""What follows a client and remembers: every event reaches the file, in order and in batches."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client import events
from chat.client.events import Position
from chat.client.files import cache as cache_module
from chat.client.files.cache import BATCH, WRITE_EVERY, Cache, Known
from chat.client.files.cache_file import CacheFile
from chat.messages import Conversation, Entry
from tests.tui_builders import BEN, ME, ScriptedClient, entry, room


class FollowedClient(ScriptedClient):
    """Hands out entries, and knows how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self.positions: dict[str, Position] = {}
        for name in ("#lobby", "#cats", "@2"):
            self.conversations[name] = room(name)
            self.positions[name] = Position("e1", 0)

    def hand_out(self, *entries: Entry) -> None:
        for each in entries:
            self.positions[each.conversation] = Position("e1", each.seq)
            self.tell(events.MessageArrived(each, False, True))


class CacheTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cache", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.clock = Clock()
        self.client = FollowedClient()
        self.calls: list[str] = []
        self.held: list[Deferred[None]] | None = None
        self.cache, _ = self.opened()
        self.cache.follow(self.client)  # type: ignore[arg-type]  # scripted
        self.cache.logged_in(ME)
        self.client.tell(events.ConversationsListed())
        self.clock.advance(WRITE_EVERY)

    def run_now(self, work: Callable[..., Any], *args: Any) -> "Deferred[Any]":
        """In place of a thread: at once, or when the test lets it go on."""
        self.calls.append(work.__name__)
        if self.held is None:
            return maybeDeferred(work, *args)
        waiting: Deferred[None] = Deferred()
        self.held.append(waiting)
        return waiting.addCallback(lambda _: work(*args))

    def let_go(self) -> None:
        held, self.held = self.held or [], None
        for each in held:
            each.callback(None)

    def result(self, work: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def opened(self) -> tuple[Cache, Known | None]:
        cache = Cache(self.clock, self.home / "history.db", self.run_now)
        return cache, self.result(cache.open())

    def again(self) -> Known:
        """What the next start finds."""
        self.result(self.cache.close())
        self.cache, known = self.opened()
        assert known is not None
        return known

    def seqs(self, name: str = "#lobby") -> list[int]:
        return [each.seq for each in self.result(self.cache.page(name, 0, 100))]

    def test_what_came_is_there_at_the_next_start_with_how_far_it_was(self) -> None:
        self.client.hand_out(entry(1), entry(2))
        known = self.again()
        self.assertEqual(known.user, ME.__class__(ME.user_id, ME.user_name))
        self.assertEqual(known.positions["#lobby"], Position("e1", 2))
        names = {each.conversation for each in known.conversations}
        self.assertEqual(names, {"#lobby", "#cats", "@2"})
        self.assertEqual(self.seqs(), [1, 2])

    def test_a_thousand_entries_are_one_batch_a_second_later(self) -> None:
        self.calls.clear()
        self.client.hand_out(*(entry(seq) for seq in range(1, 1001)))
        self.assertEqual(self.calls, [])
        self.clock.advance(WRITE_EVERY)
        self.assertEqual(self.calls, ["write"])
        self.clock.advance(60)
        self.assertEqual((self.calls, self.clock.getDelayedCalls()), (["write"], []))

    def test_a_page_of_history_is_kept_where_it_is_known_as_of_when_it_is_right(self) -> None:
        self.client.hand_out(entry(9))
        self.cache.keep([entry(5), entry(6), entry(1, to="#elsewhere")])
        self.assertEqual(self.seqs(), [5, 6, 9])
        self.assertEqual(self.seqs("#elsewhere"), [])

    def test_a_deletion_reaches_what_waits_and_what_is_on_the_disk(self) -> None:
        self.client.hand_out(entry(1), entry(2))
        self.clock.advance(WRITE_EVERY)
        self.client.hand_out(entry(3), entry(4, kind="redact", target=1))
        self.client.hand_out(entry(5, kind="redact", target=3))
        deleted = [e.seq for e in self.result(self.cache.page("#lobby", 0, 9)) if e.deleted]
        self.assertEqual(deleted, [1, 3])

    def test_a_deletion_counts_for_a_page_that_is_just_being_read(self) -> None:
        self.client.hand_out(entry(1), entry(2))
        self.clock.advance(WRITE_EVERY)
        self.held = []
        reading = Deferred.fromCoroutine(self.cache.page("#lobby", 0, 9))
        self.client.hand_out(entry(3, kind="redact", target=1))
        self.let_go()
        found = self.successResultOf(reading)
        self.assertEqual([(e.seq, e.deleted) for e in found[:2]], [(1, True), (2, False)])

    def test_a_new_epoch_drops_what_waits_and_what_is_on_the_disk(self) -> None:
        self.client.hand_out(entry(1), entry(2), entry(3))
        self.clock.advance(WRITE_EVERY)
        self.client.hand_out(entry(4), entry(1, to="#cats"))
        self.client.positions["#lobby"] = Position("e2", 1)
        self.client.tell(events.EpochChanged("#lobby", "e2", 2))
        self.client.positions["#lobby"] = Position("e2", 2)
        self.client.tell(events.MessageArrived(entry(2, content="anew"), False, True))
        self.assertEqual((self.seqs(), self.seqs("#cats")), ([1, 2], [1]))
        self.assertEqual(self.result(self.cache.page("#lobby", 0, 1))[0].content, "anew")
        self.assertEqual(self.again().positions["#lobby"], Position("e2", 2))

    def test_behind_a_hole_that_stays_nothing_old_is_trusted(self) -> None:
        self.client.hand_out(entry(1), entry(2), entry(1, to="#cats"))
        self.client.tell(events.GapSkipped("#lobby", 3, 2000, True))
        self.client.hand_out(entry(2001))
        self.assertEqual((self.seqs(), self.seqs("#cats")), ([2001], [1]))

    def test_what_retention_took_on_the_server_is_kept_here(self) -> None:
        self.client.hand_out(entry(1))
        self.client.tell(events.GapSkipped("#lobby", 2, 9, False))
        self.client.hand_out(entry(10))
        self.assertEqual(self.seqs(), [1, 10])

    def test_a_conversation_that_one_leaves_is_forgotten(self) -> None:
        self.client.hand_out(entry(1), entry(1, to="#cats"))
        self.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        self.assertEqual((self.seqs("#cats"), self.seqs()), ([], [1]))
        self.assertEqual(set(self.again().positions), {"#lobby", "@2"})

    def test_one_that_is_no_longer_listed_at_the_next_login_too(self) -> None:
        self.client.hand_out(entry(1), entry(1, to="#cats"))
        self.again()
        self.cache.follow(self.client)  # type: ignore[arg-type]  # scripted
        del self.client.conversations["#cats"]
        self.client.tell(events.ConversationsListed())
        self.assertEqual((self.seqs("#cats"), self.seqs()), ([], [1]))

    def test_topics_and_marks_are_there_at_the_next_start(self) -> None:
        self.client.hand_out(entry(1), entry(2))
        self.client.conversations["#lobby"] = room("#lobby", seq=2, read=1, topic="cats")
        self.client.tell(events.ConversationChanged(self.client.conversations["#lobby"]))
        known = self.again()
        self.assertIn(room("#lobby", seq=2, read=1, topic="cats"), known.conversations)
        self.assertEqual([each.seq for each in known.unread], [2])

    def test_before_the_list_is_complete_nothing_is_written(self) -> None:
        self.result(self.cache.close())
        self.cache = Cache(self.clock, self.home / "another.db", self.run_now)
        self.assertIsNone(self.result(self.cache.open()))
        self.cache.follow(self.client)  # type: ignore[arg-type]  # scripted
        self.client.hand_out(entry(1, to="@2"))
        self.clock.advance(WRITE_EVERY)
        self.assertIsNone(self.again_in("another.db"))
        self.cache.follow(self.client)  # type: ignore[arg-type]  # scripted
        self.cache.logged_in(ME)
        self.client.hand_out(entry(2, to="@2"))
        self.client.tell(events.ConversationsListed())
        known = self.again_in("another.db")
        assert known is not None
        self.assertEqual(len(known.conversations), 3)

    def again_in(self, name: str) -> Known | None:
        """What the next start finds in another file."""
        self.result(self.cache.close())
        self.cache = Cache(self.clock, self.home / name, self.run_now)
        return self.result(self.cache.open())  # type: ignore[no-any-return]  # of a coroutine

    def test_begun_anew_it_knows_nothing(self) -> None:
        self.client.hand_out(entry(1))
        self.result(self.cache.close())
        self.cache = Cache(self.clock, self.home / "history.db", self.run_now)
        self.result(self.cache.begin())
        self.assertEqual(self.seqs(), [])

    def test_erased_it_leaves_nothing_and_keeps_nothing(self) -> None:
        self.client.hand_out(entry(1))
        self.result(self.cache.erase())
        self.client.hand_out(entry(2))
        self.clock.advance(WRITE_EVERY)
        self.assertEqual(list(self.home.iterdir()), [])
        self.assertEqual(self.seqs(), [])

    def test_closed_before_it_is_erased_it_leaves_nothing_either(self) -> None:
        self.client.hand_out(entry(1))
        self.result(self.cache.close())
        self.result(self.cache.erase())
        self.assertEqual(list(self.home.iterdir()), [])

    def test_many_entries_are_written_at_once_and_wait_only_for_the_batch_before_them(self) -> None:
        self.held, self.calls = [], []
        self.client.hand_out(*(entry(seq) for seq in range(1, BATCH)))
        self.assertEqual(self.calls, [])
        self.client.hand_out(entry(BATCH))
        self.assertEqual(self.calls, ["write"])
        self.client.hand_out(*(entry(seq) for seq in range(BATCH + 1, 3 * BATCH)))
        self.clock.pump([WRITE_EVERY] * 3)
        self.assertEqual(self.calls, ["write"])
        for _ in range(2):
            self.held.pop().callback(None)
            self.clock.advance(WRITE_EVERY)
        self.assertEqual(self.calls, ["write", "write"])
        self.held = None
        self.assertEqual(self.seqs()[-1], 3 * BATCH - 1)

    def test_a_search_finds_what_has_just_come(self) -> None:
        self.client.hand_out(entry(1, content="早上好"), entry(2, BEN))
        found = self.result(self.cache.search("上好", "", 0, 9))
        self.assertEqual([each.seq for each in found], [1])

    def test_a_disk_that_fails_costs_the_cache_and_nothing_else(self) -> None:
        self.client.hand_out(entry(1))
        self.clock.advance(WRITE_EVERY)

        def full(file: CacheFile, batch: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        self.patch(CacheFile, "write", full)
        self.client.hand_out(entry(2), entry(3, kind="redact", target=1))
        self.clock.advance(WRITE_EVERY)
        self.client.hand_out(entry(4))
        self.assertEqual((self.seqs(), self.clock.getDelayedCalls()), ([], []))
        self.assertEqual(self.result(self.cache.search("message", "", 0, 9)), ())
        self.result(self.cache.close())
        # What is on the disk says itself as of when it is right.
        self.cache, known = self.opened()
        assert known is not None
        self.assertEqual(known.positions["#lobby"], Position("e1", 1))

    def test_a_number_that_has_no_room_ends_the_cache_and_leaves_no_hole_in_it(self) -> None:
        self.client.hand_out(entry(1))
        self.clock.advance(WRITE_EVERY)
        self.client.hand_out(entry(2, time=2**63))
        self.clock.advance(WRITE_EVERY)
        self.client.hand_out(entry(3))
        self.clock.advance(WRITE_EVERY)
        self.result(self.cache.close())
        self.cache, known = self.opened()
        assert known is not None
        self.assertEqual(known.positions["#lobby"], Position("e1", 1))
        self.assertEqual(self.seqs(), [1])

    def test_a_place_that_cannot_be_written_is_no_cache(self) -> None:
        (self.home / "taken").write_text("a file")
        self.cache = Cache(self.clock, self.home / "taken" / "history.db", self.run_now)
        self.assertIsNone(self.result(self.cache.open()))
        self.cache.follow(self.client)  # type: ignore[arg-type]  # scripted
        self.client.hand_out(entry(1))
        self.assertEqual(self.seqs(), [])

    def test_a_disk_that_hangs_holds_a_bounded_number_of_entries(self) -> None:
        self.patch(cache_module, "MOST_WAITING", 10)
        self.held = []
        self.client.hand_out(*(entry(seq) for seq in range(1, 11)))
        self.assertEqual(len(self.cache._entries), 10)
        self.client.hand_out(entry(11), entry(12))
        self.assertEqual(self.cache._entries, [])
