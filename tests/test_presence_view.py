"""What presence costs those who hear of it: bounded, whatever happens."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.messages import User
from chat.server.delivery.presence import MOST_AT_ONCE, REMEMBERED, RESET_SECONDS, TELL_SECONDS
from chat.store.errors import StoreUnavailable
from tests.hall import Guest, Hall

A_STORM = 5_000
FIRST = 1_000
ONLINE, OFFLINE = 0, 1


def come(hall: Hall, count: int, first: int = FIRST, status: int = ONLINE) -> None:
    """So many users come online, or go."""
    for user_id in range(first, first + count):
        hall.context.online.changed(User(user_id, f"u{user_id}", status))


def told(guest: Guest) -> list[dict[str, Any]]:
    """What a current client was told of presence since it was last asked."""
    found = [frame.data for frame in guest.frames if frame.type == "PresenceMes"]
    guest.frames.clear()
    return found


def storm(hall: Hall, seconds: int) -> None:
    """Many log in, evenly, and the clock says so to the server as it goes on."""
    steps = 50 * seconds
    for step in range(steps):
        come(hall, A_STORM // steps, FIRST + step * A_STORM // steps)
        hall.context.online.set_total((step + 1) * A_STORM // steps)
        hall.clock.advance(seconds / steps)


class StormTest(SynchronousTestCase):
    """Thousands log in at once."""

    def test_a_storm_costs_a_connection_four_writes_a_second(self) -> None:
        for limit in (0, 2_000):
            for seconds in (1, 4):
                hall = Hall(scope_limit=limit)
                current, original = hall.guest(1), hall.guest(2, original=True)
                storm(hall, seconds)
                self.assertLessEqual(current.transport.writes, 4 * seconds)
                self.assertGreater(current.transport.writes, 0)
                self.assertLessEqual(original.transport.writes, seconds)

    def test_an_original_client_hears_of_everybody_in_one_write(self) -> None:
        hall = Hall()
        original = hall.guest(2, original=True)
        come(hall, 1_500)
        hall.clock.advance(1)
        self.assertEqual(original.transport.writes, 1)
        self.assertEqual([each.data["userId"] for each in original.frames], [*range(1000, 2500)])

    def test_the_storm_makes_the_list_be_paged_once_in_five_seconds(self) -> None:
        hall = Hall(scope_limit=0)
        guest = hall.guest(1)
        for _ in range(int(2 * RESET_SECONDS / TELL_SECONDS)):
            come(hall, MOST_AT_ONCE + 1)
            hall.clock.advance(TELL_SECONDS)
        self.assertEqual(len(told(guest)), 2)
        hall.clock.advance(RESET_SECONDS)
        self.assertEqual([each["reset"] for each in told(guest)], [True])
        hall.clock.advance(RESET_SECONDS)
        self.assertEqual(told(guest), [])


class OverflowTest(SynchronousTestCase):
    """More than one PresenceMes can say."""

    def test_as_many_as_a_message_takes_are_named(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        come(hall, MOST_AT_ONCE)
        hall.clock.advance(TELL_SECONDS)
        (news,) = told(guest)
        self.assertEqual(len(news["users"]), MOST_AT_ONCE)
        self.assertFalse(news["reset"])

    def test_one_more_is_an_overflow_and_told_as_one(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        come(hall, MOST_AT_ONCE + 1)
        hall.clock.advance(TELL_SECONDS)
        (news,) = told(guest)
        self.assertEqual((news["users"], news["reset"]), ([], True))

    def test_who_comes_and_goes_in_between_counts_once(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        for status in (ONLINE, OFFLINE, ONLINE) * 10:
            come(hall, MOST_AT_ONCE, status=status)
        hall.clock.advance(TELL_SECONDS)
        self.assertEqual(len(told(guest)), 1)

    def test_what_a_frame_does_not_take_is_told_by_a_reset(self) -> None:
        hall = Hall(frame_limit=8_192)
        guest = hall.guest(1)
        come(hall, MOST_AT_ONCE)
        for _ in range(2):
            hall.clock.advance(TELL_SECONDS)
        first, second = told(guest)
        self.assertTrue(0 < len(first["users"]) < MOST_AT_ONCE)
        self.assertTrue(second["reset"])

    def test_changes_go_on_being_told_while_a_reset_waits_for_its_time(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        for _ in range(2):
            come(hall, MOST_AT_ONCE + 1)
            hall.clock.advance(TELL_SECONDS)
        told(guest)
        come(hall, 1, status=OFFLINE)
        hall.clock.advance(TELL_SECONDS)
        (news,) = told(guest)
        self.assertEqual([each["userId"] for each in news["users"]], [FIRST])


class ScopeTest(SynchronousTestCase):
    """``all`` while few are online, ``watched`` above that."""

    def test_every_change_of_scope_is_told_by_a_reset(self) -> None:
        hall = Hall(scope_limit=100)
        guest = hall.guest(1)
        for total, scope in ((101, "watched"), (90, "all"), (101, "watched")):
            hall.context.online.set_total(total)
            hall.clock.advance(TELL_SECONDS)
            (news,) = told(guest)
            self.assertEqual((news["scope"], news["reset"]), (scope, True))

    def test_a_number_that_moves_around_the_limit_changes_nothing(self) -> None:
        hall = Hall(scope_limit=100)
        guest = hall.guest(1)
        for total in (100, 99, 100):
            hall.context.online.set_total(total)
            hall.clock.advance(RESET_SECONDS)
        self.assertEqual(told(guest), [])
        for total in (101, 91, 100, 91, 101):
            hall.context.online.set_total(total)
            hall.clock.advance(RESET_SECONDS)
        self.assertEqual([each["scope"] for each in told(guest)], ["watched"])

    def test_in_scope_watched_one_hears_of_whom_one_watches_and_of_nobody_else(self) -> None:
        hall = Hall(scope_limit=100)
        guest, original = hall.guest(1), hall.guest(2, original=True)
        hall.context.online.set_total(101)
        hall.clock.advance(1)
        told(guest)
        hall.context.online.watch(guest.session, frozenset([FIRST + 7]))
        come(hall, A_STORM)
        hall.clock.advance(1)
        (news,) = told(guest)
        self.assertEqual([each["userId"] for each in news["users"]], [FIRST + 7])
        self.assertEqual(news["scope"], "watched")
        self.assertEqual(original.frames, [])

    def test_who_looks_elsewhere_takes_nobody_else_s_eyes_away(self) -> None:
        hall = Hall(scope_limit=100)
        looking, leaving = guests = hall.guest(1), hall.guest(2)
        hall.context.online.set_total(101)
        hall.clock.advance(1)
        for guest in guests:
            told(guest)
            hall.context.online.watch(guest.session, frozenset([FIRST]))
        hall.context.online.watch(leaving.session, frozenset())
        come(hall, 1)
        hall.clock.advance(1)
        self.assertEqual([len(told(guest)) for guest in guests], [1, 0])
        self.assertEqual(looking.session.watched, {FIRST})


class ListTest(SynchronousTestCase):
    """A reset has everybody page the list at the same time."""

    def ask(self, hall: Hall, guests: list[Guest]) -> int:
        """Everybody asks for the first page; how often the store was asked."""
        before = hall.people.asked
        for guest in guests:
            guest.send("OnlineMes", "page", after=0, limit=500)
        for guest in guests:
            answers = [each for each in guest.frames if each.id == "page"]
            self.assertEqual([each.data["code"] for each in answers], [200])
            guest.frames.clear()
        return hall.people.asked - before

    def test_after_a_reset_a_page_is_read_once_for_all(self) -> None:
        hall = Hall()
        guests = [hall.guest(user_id) for user_id in range(1, 21)]
        self.assertEqual(self.ask(hall, guests), 20)
        hall.context.online.resynchronise()
        hall.clock.advance(TELL_SECONDS)
        self.assertEqual(self.ask(hall, guests), 1)
        # What was told since then is in no page that was read before.
        hall.clock.advance(TELL_SECONDS)
        self.assertEqual(self.ask(hall, guests), 1)
        hall.clock.advance(RESET_SECONDS)
        self.assertEqual(self.ask(hall, guests), 20)

    def test_who_asks_while_it_is_read_waits_for_the_same_page(self) -> None:
        hall = Hall()
        guests = [hall.guest(user_id) for user_id in range(1, 21)]
        hall.context.online.resynchronise()
        hall.clock.advance(TELL_SECONDS)
        hall.people.slow = True
        for guest in guests:
            guest.send("OnlineMes", "page", after=0, limit=500)
        self.assertEqual(hall.people.asked, 1)
        hall.people.answer()
        for guest in guests:
            self.assertIn("page", [each.id for each in guest.frames])

    def test_a_page_that_cannot_be_read_is_refused_to_all_and_tried_again(self) -> None:
        hall = Hall()
        guests = [hall.guest(user_id) for user_id in range(1, 4)]
        hall.context.online.resynchronise()
        hall.clock.advance(TELL_SECONDS)
        hall.people.slow, hall.people.failure = True, StoreUnavailable("away", 1.0)
        for guest in guests:
            guest.send("OnlineMes", "page", after=0, limit=500)
        hall.people.answer()
        for guest in guests:
            answers = [each.data["code"] for each in guest.frames if each.id == "page"]
            self.assertEqual(answers, [503])
            guest.frames.clear()
        hall.people.slow = False
        hall.clock.advance(TELL_SECONDS)
        self.assertEqual(self.ask(hall, guests), 1)


class LoginListTest(SynchronousTestCase):
    """Who is online, as a login is told it, and what changes until the client is live."""

    def listed(self, hall: Hall, user_id: int = 7, limit: int = 1_000) -> tuple[list[int], int]:
        ids, update = self.successResultOf(
            Deferred.fromCoroutine(hall.context.online.online_ids(limit, user_id))
        )
        return list(ids), update

    def test_in_a_storm_it_is_read_once_for_each_update_and_never_old(self) -> None:
        hall = Hall()
        presence = hall.people
        presence.ids = [5, 7]
        self.assertEqual(self.listed(hall), ([5, 7], 0))
        presence.ids = [5, 6, 7, 9]
        come(hall, 1, 6)
        self.assertEqual(self.listed(hall), ([5, 6, 7], 0))
        come(hall, 1, 5, OFFLINE)
        self.assertEqual(self.listed(hall), ([6, 7], 0))
        self.assertEqual(presence.asked, 1)
        hall.clock.advance(TELL_SECONDS)
        self.assertEqual(self.listed(hall), ([5, 6, 7, 9], 1))

    def test_whoever_comes_counts_before_that_is_heard(self) -> None:
        for online, scope in ((99, "all"), (100, "watched")):
            hall = Hall(scope_limit=100)
            hall.people.ids = [*range(1, online + 1)]
            self.listed(hall, 1)
            self.assertEqual(hall.context.online.scope, "all")
            self.assertEqual(self.listed(hall, 500)[0], [*range(1, online + 1), 500])
            self.assertEqual(hall.context.online.scope, scope)

    def test_who_was_given_it_before_an_update_is_told_what_that_said(self) -> None:
        hall = Hall()
        guest = hall.arriving(1)
        _, update = self.listed(hall)
        come(hall, 1, 6)
        hall.clock.advance(TELL_SECONDS)
        self.assertEqual(told(guest), [])
        hall.context.online.add(guest.session, update)
        (said,) = told(guest)
        self.assertEqual([each["userId"] for each in said["users"]], [6])
        come(hall, 1, 7)
        hall.clock.advance(TELL_SECONDS)
        (said,) = told(guest)
        self.assertEqual([each["userId"] for each in said["users"]], [7])

    def test_each_generation_is_told_what_it_missed_in_its_own_words(self) -> None:
        hall = Hall()
        current, original = hall.arriving(1), hall.arriving(2, original=True)
        _, update = self.listed(hall)
        come(hall, 3, 1)
        hall.clock.advance(TELL_SECONDS)
        for guest in (current, original):
            hall.context.online.add(guest.session, update)
        self.assertEqual([each.type for each in current.frames], ["PresenceMes"])
        said = [(each.type, each.data["userId"]) for each in original.frames]
        self.assertEqual(said, [("NotifyUserStatusMes", 1), ("NotifyUserStatusMes", 3)])

    def test_who_took_too_long_pages_the_list(self) -> None:
        for late, reset in ((REMEMBERED, False), (REMEMBERED + 1, True)):
            hall = Hall()
            guest = hall.arriving(1)
            _, update = self.listed(hall)
            for number in range(late):
                come(hall, 1, 100 + number)
                hall.clock.advance(TELL_SECONDS)
            hall.context.online.add(guest.session, update)
            (said,) = told(guest)
            self.assertEqual((said["reset"], len(said["users"])), (reset, 0 if reset else late))
