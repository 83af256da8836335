"""How far users are: gathered, written together, and never forgotten while the store is away."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.server.delivery.marks import LOOK_SECONDS, WRITE_SECONDS, Marks
from chat.server.delivery.registry import Cursor
from chat.store.conversations import Mark
from chat.store.entries import Author
from chat.store.errors import StoreUnavailable
from tests.hall import Hall
from tests.hall_store import EPOCH

Written = dict[tuple[int, str], tuple[int, int, str]]


class Kept:
    """What the store is told of marks: delivered, read and the session; nothing while ``away``."""

    def __init__(self) -> None:
        self.away = False
        self.calls: list[Written] = []

    async def mark(self, marks: Mapping[tuple[int, str], Mark]) -> None:
        """Take them.

        :raises StoreUnavailable: it is away.
        """
        if self.away:
            raise StoreUnavailable("as told")
        self.calls.append({k: (m.delivered, m.read, m.session) for k, m in marks.items()})


class MarksTest(SynchronousTestCase):
    def setUp(self) -> None:
        hall = Hall()
        self.clock = hall.clock
        self.store = Kept()
        context: Any = hall.context
        context.conversations = self.store
        self.marks = Marks(context)
        self.cursor = Cursor()
        self.cursor.begin_epoch(EPOCH, 1)
        self.cursor.position = 9

    def move(self, user_id: int = 1, cid: str = "r:tea", **how: Any) -> None:
        """Somebody is this far."""
        self.marks.move(user_id, cid, self.cursor, **how)

    def hall(self, said: int = 0) -> Hall:
        """A server whose store tells what marks it was given; ben has said something to ann."""
        hall = Hall()
        log: Any = hall.log
        log.mark = self.store.mark
        for _ in range(said):
            hall.log.append("p:1:2", Author(2, "ben"), "said long ago")
        return hall

    def test_those_of_many_users_are_one_call(self) -> None:
        self.move(1, delivered=3, session="a")
        self.move(2, read=4, session="b")
        self.clock.advance(LOOK_SECONDS)
        both: Written = {(1, "r:tea"): (3, 0, "a"), (2, "r:tea"): (4, 4, "b")}
        self.assertEqual(self.store.calls, [both])

    def test_those_of_a_conversation_that_was_not_heard_of_here_move_as_well(self) -> None:
        hall = self.hall(said=5)
        guest = hall.guest(1)
        guest.send("AckMes", conversation="@2", epoch=EPOCH, read=3)
        hall.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "p:1:2"): (3, 3, guest.session.key)}])

    def test_they_take_nothing_for_heard_that_is_on_its_way(self) -> None:
        hall = self.hall(said=5)
        guest = hall.guest(1)
        coming = hall.log.append("p:1:2", Author(2, "ben"), "said just now")
        guest.send("AckMes", conversation="@2", epoch=EPOCH, read=5)
        hall.publish("p:1:2", [coming])
        self.assertEqual(guest.contents(), ["said just now"])
        hall.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "p:1:2"): (5, 5, guest.session.key)}])

    def test_they_take_nothing_for_heard_that_was_missed(self) -> None:
        hall = self.hall()
        guest = hall.guest(1)
        hall.log.append("p:1:2", Author(2, "ben"), "said long ago")
        hall.fanout.lost(0)
        hall.log.append("p:1:2", Author(2, "ben"), "said while nothing was heard")
        guest.send("AckMes", conversation="@2", epoch=EPOCH, read=1)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertIn("said while nothing was heard", guest.contents())
        hall.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "p:1:2"): (1, 1, guest.session.key)}])

    def test_nobody_is_further_than_the_conversation(self) -> None:
        self.move(delivered=10, read=99)
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "r:tea"): (9, 9, "")}])

    def test_those_of_one_user_are_written_every_two_seconds_at_most(self) -> None:
        self.move(read=1)
        self.clock.advance(LOOK_SECONDS)
        self.move(read=2)
        self.clock.pump([LOOK_SECONDS] * 7)
        self.assertEqual(len(self.store.calls), 1)
        self.clock.pump([LOOK_SECONDS] * 2)
        self.assertEqual(self.store.calls[1:], [{(1, "r:tea"): (2, 2, "")}])

    def test_two_sessions_that_moved_the_same_marks_are_both_told(self) -> None:
        self.move(read=1, session="a")
        self.move(read=2, session="a")
        self.move(user_id=2, read=1, session="a")
        self.move(user_id=2, read=2, session="b")
        self.clock.advance(LOOK_SECONDS)
        (written,) = self.store.calls
        self.assertEqual([each[2] for each in written.values()], ["a", ""])

    def test_marks_of_an_epoch_before_are_not_mixed_with_those_of_the_next(self) -> None:
        self.move(read=5)
        self.cursor.begin_epoch("2.fedcba", 3)
        self.move(read=2)
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "r:tea"): (2, 2, "")}])

    def test_who_acknowledges_numbers_of_an_epoch_before_has_those_below_the_next(self) -> None:
        hall = Hall()
        guest = hall.guest(1, "r:tea")
        cursor = hall.registry.rooms["r:tea"]
        cursor.begin_epoch("2.fedcba", 4)
        cursor.position = 9
        log: Any = hall.log
        log.mark = self.store.mark
        for epoch, read in ((EPOCH, 3), ("2.fedcba", 6), ("", 6)):
            guest.send("AckMes", conversation="#tea", epoch=epoch, read=6, delivered=6)
            hall.clock.advance(WRITE_SECONDS)
            (marks,) = self.store.calls.pop().values()
            self.assertEqual(marks[:2], (read, read), epoch)

    def test_nor_are_those_that_the_store_did_not_take(self) -> None:
        answer: Deferred[None] = Deferred()

        async def mark(marks: object) -> None:
            await answer

        self.move(read=5)
        with patch.object(self.store, "mark", mark):
            writing = Deferred.fromCoroutine(self.marks.flush())
        self.cursor.begin_epoch("2.fedcba", 3)
        self.move(read=2)
        answer.errback(StoreUnavailable("as told"))
        self.failureResultOf(writing, StoreUnavailable)
        self.clock.advance(WRITE_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "r:tea"): (2, 2, "")}])

    def test_what_the_store_did_not_take_is_written_with_what_came_meanwhile(self) -> None:
        self.move(delivered=7, read=2, session="a")
        self.move(cid="r:other", read=5, session="a")
        self.store.away = True
        failed = Deferred.fromCoroutine(self.marks.flush())
        self.failureResultOf(failed, StoreUnavailable)
        self.assertTrue(self.marks.waits(1))
        self.move(delivered=3, read=3, session="a")
        self.store.away = False
        self.clock.advance(WRITE_SECONDS)
        again: Written = {(1, "r:tea"): (7, 3, "a"), (1, "r:other"): (5, 5, "a")}
        self.assertEqual(self.store.calls, [again])
        self.assertFalse(self.marks.waits(1))

    def test_what_came_while_the_store_failed_is_not_undone_by_it(self) -> None:
        answer: Deferred[None] = Deferred()

        async def mark(marks: object) -> None:
            await answer

        taken, self.store.mark = self.store.mark, mark  # type: ignore[method-assign, assignment]
        self.move(delivered=7, read=2, session="a")
        writing = Deferred.fromCoroutine(self.marks.flush())
        self.move(delivered=3, read=3, session="b")
        self.store.mark = taken  # type: ignore[method-assign]
        answer.errback(StoreUnavailable("as told"))
        self.failureResultOf(writing, StoreUnavailable)
        self.clock.advance(WRITE_SECONDS)
        self.assertEqual(self.store.calls, [{(1, "r:tea"): (7, 3, "")}])
