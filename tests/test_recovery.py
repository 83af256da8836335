"""What the bus did not bring is read from the log: once, in order, in the right epoch."""

import math

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.server.delivery.recovery import ANSWER_SECONDS, CONTACT_SECONDS
from chat.server.delivery.registry import Cursor
from chat.server.joining import enter_room
from chat.store.bus import Event
from chat.store.errors import StoreUnavailable
from tests.hall import Hall


class EpochTests(SynchronousTestCase):
    def _cursor(self, epoch: str, position: int) -> Cursor:
        cursor = Cursor()
        cursor.begin_epoch(epoch, 1)
        cursor.position = position
        return cursor

    def test_a_newer_epoch_gives_its_numbers_out_anew(self) -> None:
        cursor = self._cursor("1.aa", 10)
        cursor.begin_epoch("2.bb", 8)
        self.assertEqual((cursor.position, cursor.epoch, cursor.epoch_first), (7, "2.bb", 8))

    def test_a_newer_epoch_above_what_was_delivered_takes_nothing_back(self) -> None:
        cursor = self._cursor("1.aa", 10)
        cursor.begin_epoch("2.bb", 11)
        self.assertEqual(cursor.position, 10)

    def test_an_older_epoch_is_late_news(self) -> None:
        cursor = self._cursor("10.aa", 10)
        cursor.begin_epoch("9.bb", 3)
        self.assertEqual((cursor.position, cursor.epoch), (10, "10.aa"))

    def test_the_first_epoch_that_is_heard_of_is_taken(self) -> None:
        cursor = Cursor()
        cursor.begin_epoch("3.cc", 5)
        self.assertEqual((cursor.position, cursor.epoch, cursor.epoch_first), (None, "3.cc", 5))


class ComparisonTests(SynchronousTestCase):
    def fail_once(self, hall: Hall) -> list[int]:
        """The store is away when it is first asked where a conversation stood; the moments it is
        asked for."""
        moments: list[int] = []

        async def seek(cid: str, moment: int) -> int:
            moments.append(moment)
            if len(moments) == 1:
                raise StoreUnavailable("just then")
            return 0

        self.patch(hall.log, "seek", seek)
        return moments

    def test_after_a_loss_many_conversations_are_read_at_once(self) -> None:
        """One after the other, a busy store would keep everybody waiting for as long as all."""
        hall = Hall()
        rooms = [f"r:room{number}" for number in range(10)]
        guests = [hall.guest(user_id, *rooms) for user_id in range(1, 11)]
        private = [f"p:{user_id}:99" for user_id in range(1, 11)]
        for cid in private:
            hall.say(cid, "before")
        hall.fanout.lost(0)
        for cid in (*rooms, *private):
            hall.say(cid, f"missed in {cid}", heard=False)
        hall.log.slow = True
        back = Deferred.fromCoroutine(hall.fanout.came_back())
        self.assertEqual(hall.log.waiting, 10, "all rooms")
        hall.log.answer()
        self.assertEqual(hall.log.waiting, 10, "all private conversations")
        hall.log.answer()
        self.successResultOf(back)
        for user_id, guest in enumerate(guests, 1):
            missed = [*(f"missed in {cid}" for cid in rooms), f"missed in p:{user_id}:99"]
            self.assertEqual(sorted(guest.contents()), sorted(["before", *missed]))

    def test_a_conversation_that_its_list_has_as_older_than_the_loss_is_compared_too(self) -> None:
        """The list is written later than the entry, and never by a server that was killed."""
        hall = Hall()
        guest = hall.guest(1)
        hall.clock.advance(1_000)
        ages = {"p:1:2": 60, "p:1:3": 62}
        for cid, age in ages.items():
            hall.say(cid, "before")
            hall.log.listed[cid] = (1_000 - age) * 1_000
        hall.fanout.lost(0)
        for cid in ages:
            hall.say(cid, f"missed in {cid}", heard=False)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(guest.contents(), ["before", "before", "missed in p:1:2"])

    def test_a_snapshot_that_was_read_before_all_is_compared_is_read_again(self) -> None:
        """A store that lost numbers may have to wait for a replica before it can say so."""
        hall = Hall()
        guest = hall.guest(1)
        hall.say("r:room", "in the log of the new store")
        hall.fanout.lost(0)
        entering = Deferred.fromCoroutine(enter_room(guest.session, "r:room"))
        self.assertNoResult(entering)
        hall.say("r:room", "said before all is compared", heard=False)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(self.successResultOf(entering)[0].seq, 2)

    def test_what_moved_is_told_when_all_has_been_compared(self) -> None:
        hall = Hall()
        guest = hall.guest(1, "r:room")
        hall.fanout.lost(0)
        hall.fanout.event(1, Event("changed", "r:room"))
        self.assertEqual(guest.frames, [])
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertIn("ConversationMes", [each.type for each in guest.frames])

    def test_a_request_is_answered_though_the_comparison_does_not_end(self) -> None:
        """Without a replica that must confirm, it waits for one."""
        hall = Hall()
        recovery = hall.context.fanout.recovery
        hall.guest(1, "r:room")
        hall.fanout.lost(0)

        async def read() -> str:
            return "a page"

        def asked(within: float) -> Deferred[str]:
            return Deferred.fromCoroutine(recovery.steady(read, lambda: (), within))

        event, request = asked(math.inf), asked(ANSWER_SECONDS)
        hall.clock.advance(ANSWER_SECONDS - 0.1)
        self.assertNoResult(request)
        hall.clock.advance(0.1)
        self.failureResultOf(request, StoreUnavailable)
        hall.clock.advance(60)
        self.assertNoResult(event)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(self.successResultOf(event), "a page")
        self.assertEqual(self.successResultOf(asked(ANSWER_SECONDS)), "a page")

    def test_a_loss_while_all_is_compared_has_all_compared_again(self) -> None:
        hall = Hall()
        guest = hall.guest(1, "r:room")
        hall.fanout.lost(0)
        hall.say("r:room", "missed", heard=False)
        hall.log.slow = True
        back = Deferred.fromCoroutine(hall.fanout.came_back())
        hall.fanout.lost(0)
        hall.log.slow = False
        hall.log.answer()
        self.successResultOf(back)
        self.assertTrue(hall.fanout.recovery.under_way)
        hall.say("r:room", "missed as well", heard=False)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertFalse(hall.fanout.recovery.under_way)
        self.assertEqual(guest.contents(), ["missed", "missed as well"])

    def test_of_several_losses_the_first_counts(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        hall.clock.advance(1_000)
        hall.say("p:1:2", "before")
        hall.log.listed["p:1:2"] = 995_000
        hall.fanout.lost(0)
        hall.say("p:1:2", "missed", heard=False)
        hall.clock.advance(200)
        hall.fanout.lost(0)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(guest.contents(), ["before", "missed"])

    def test_what_could_not_be_taken_up_after_a_loss_is_so_from_there_though_another_followed(
        self,
    ) -> None:
        hall = Hall()
        guest = hall.guest(1)
        moments = self.fail_once(hall)
        hall.log.listed["p:1:2"] = 0
        hall.clock.advance(1_000)
        hall.fanout.lost(0)
        hall.say("p:1:2", "missed", heard=False)
        hall.say("p:1:2", "heard")
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        hall.clock.advance(100)
        hall.fanout.lost(0)
        self.successResultOf(hall.tick())
        self.assertEqual(moments, [999_000, 999_000])
        self.assertEqual(guest.contents(), ["missed", "heard"])

    def test_what_nobody_here_has_any_more_keeps_no_later_loss_from_counting(self) -> None:
        hall = Hall()
        gone, guest = hall.guest(1), hall.guest(3)
        moments = self.fail_once(hall)
        hall.clock.advance(1_000)
        hall.fanout.lost(0)
        hall.say("p:1:2", "missed", heard=False)
        hall.log.listed["p:1:2"] = 1_000_000
        back = Deferred.fromCoroutine(hall.fanout.came_back())
        self.failureResultOf(back, StoreUnavailable)
        hall.registry.remove(gone.session)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        hall.clock.advance(100)
        hall.fanout.lost(0)
        hall.say("p:3:4", "missed", heard=False)
        hall.log.listed["p:3:4"] = 1_100_000
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(moments, [999_000, 1_099_000])
        self.assertEqual(guest.contents(), ["missed"])

    def test_that_two_are_on_each_others_lists_is_not_believed_for_ever_nor_after_a_loss(
        self,
    ) -> None:
        """The store may have lost it, and another server may have deleted one of them."""
        hall = Hall()
        contacts = hall.context.contacts
        contacts["p:1:2"] = None
        hall.fanout.lost(0)
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(contacts, {})
        contacts["p:1:2"] = None
        hall.clock.advance(CONTACT_SECONDS)
        self.successResultOf(hall.tick())
        self.assertEqual(contacts, {"p:1:2": None})
        hall.clock.advance(1)
        self.successResultOf(hall.tick())
        self.assertEqual(contacts, {})

    def test_a_private_conversation_that_began_during_the_loss_is_heard_from_its_beginning(
        self,
    ) -> None:
        hall = Hall()
        guest = hall.guest(1)
        hall.fanout.lost(0)
        hall.say("p:1:2", "missed", heard=False)
        hall.say("p:1:2", "heard, before anything is compared")
        self.successResultOf(Deferred.fromCoroutine(hall.fanout.came_back()))
        self.assertEqual(guest.contents(), ["missed", "heard, before anything is compared"])

    def test_without_a_loss_it_is_read_once(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        hall.log.asked = 0
        self.successResultOf(Deferred.fromCoroutine(enter_room(guest.session, "r:room")))
        self.assertEqual(hall.log.asked, 1)
