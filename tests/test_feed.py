"""Delivery: each entry once and in order, holes in the numbers filled from the log."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.store.entries import Page
from chat.store.errors import StoreUnavailable
from tests.hall import Hall
from tests.hall_store import EPOCH

ROOM, NAME = "r:cooks", "#cooks"
LOBBY = "r:lobby"


class LiveTest(SynchronousTestCase):
    def test_all_that_one_turn_brings_leaves_as_one_write(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        entries = [hall.log.append(ROOM, hall.guest(2).session.author, "x") for _ in range(50)]
        before = guest.transport.writes
        hall.publish(ROOM, entries)
        self.assertEqual(guest.transport.writes, before + 1)
        self.assertEqual(guest.numbers(NAME), list(range(1, 51)))

    def test_what_a_socket_does_not_take_at_once_follows_the_ordinary_way(self) -> None:
        def some(data: bytes) -> int:
            guest.transport.io.write(data[:5])
            return 5

        def none(data: bytes) -> int:
            raise BlockingIOError

        def gone(data: bytes) -> int:
            raise ConnectionResetError

        hall = Hall()
        before, guest, after = (hall.guest(who, ROOM) for who in (1, 2, 3))
        for each in (before, after):
            each.session.connection.wire = SimpleNamespace(direct=each.transport.io.write)
        for direct in (some, none, gone):
            guest.session.connection.wire = SimpleNamespace(direct=direct)
            hall.say(ROOM, direct.__name__)
        for each in (before, guest, after):
            self.assertEqual(each.contents(), ["some", "none", "gone"])

    def test_only_who_is_in_a_room_hears_it(self) -> None:
        hall = Hall()
        inside, outside = hall.guest(1, ROOM, LOBBY), hall.guest(2, LOBBY)
        hall.say(ROOM, "psst")
        hall.say(LOBBY, "hello")
        self.assertEqual(inside.contents(), ["psst", "hello"])
        self.assertEqual(outside.contents(), ["hello"])

    def test_the_answer_stands_in_place_of_the_push_and_other_devices_know_their_own(self) -> None:
        hall = Hall()
        one, two, other = hall.guest(1, ROOM), hall.guest(1, ROOM), hall.guest(2, ROOM)
        hall.say(ROOM, "before")
        hall.say(ROOM, "mine", by=one, client_id="c1")
        hall.say(ROOM, "after")
        self.assertEqual([each.type for each in one.frames], ["SmsMes", "SmsResMes", "SmsMes"])
        answer = one.frames[1]
        self.assertEqual((answer.id, answer.data["clientId"]), ("id-of-the-request", "c1"))
        self.assertEqual(two.frames[1].data["clientId"], "c1")
        self.assertNotIn("clientId", other.frames[1].data)
        for guest in (one, two, other):
            self.assertEqual(guest.numbers(NAME), [1, 2, 3])

    def test_a_private_entry_has_the_name_that_each_side_knows(self) -> None:
        hall = Hall()
        one, other = hall.guest(3), hall.guest(8)
        hall.say("p:3:8", "to three", by=other)
        hall.say("p:3:8", "to eight", by=one)
        self.assertEqual(one.numbers("@8"), [1, 2])
        self.assertEqual(other.numbers("@3"), [1, 2])
        self.assertEqual([each.type for each in one.frames], ["SmsMes", "SmsResMes"])
        self.assertEqual([each.type for each in other.frames], ["SmsResMes", "SmsMes"])

    def test_what_was_delivered_already_is_dropped(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        for _ in range(3):
            hall.say(ROOM, "x")
        hall.publish(ROOM, hall.log.entries[ROOM][1:])
        hall.publish(ROOM, hall.log.entries[ROOM][:1])
        self.assertEqual(guest.numbers(NAME), [1, 2, 3])

    def test_who_leaves_hears_no_more(self) -> None:
        hall = Hall()
        guest, other = hall.guest(1, ROOM), hall.guest(2, ROOM)
        hall.say(ROOM, "with you")
        hall.registry.remove_from_room(guest.session, ROOM)
        hall.say(ROOM, "without you")
        self.assertEqual(guest.contents(), ["with you"])
        self.assertEqual(other.contents(), ["with you", "without you"])

    def test_one_broken_connection_does_not_disturb_the_others(self) -> None:
        hall = Hall()
        guests = [hall.guest(user_id, ROOM) for user_id in (1, 2, 3)]

        def broken(data: bytes) -> None:
            raise RuntimeError("this transport is broken")

        guests[0].transport.write = broken
        hall.say(ROOM, "still there?")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        for guest in guests[1:]:
            self.assertEqual(guest.contents(), ["still there?"])


class HoleTest(SynchronousTestCase):
    def test_a_hole_is_read_from_the_log_before_what_comes_after_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.say(ROOM, "heard")
        for _ in range(3):
            hall.say(ROOM, "lost", heard=False)
        hall.say(ROOM, "heard again")
        self.assertEqual(guest.numbers(NAME), [1, 2, 3, 4, 5])
        self.assertEqual(hall.log.reads, 1)

    def test_what_comes_while_a_hole_is_read_comes_once(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.log.slow = True
        hall.say(ROOM, "lost", heard=False)
        for _ in range(4):
            hall.say(ROOM, "heard while the log is read")
        self.assertEqual(guest.frames, [])
        hall.log.answer()
        hall.say(ROOM, "heard afterwards")
        hall.log.answer()
        self.assertEqual(guest.numbers(NAME), [1, 2, 3, 4, 5, 6])

    def test_a_hole_that_could_not_be_read_is_tried_again(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.log.failure = StoreUnavailable()
        hall.say(ROOM, "lost", heard=False)
        hall.say(ROOM, "heard")
        self.assertEqual(guest.frames, [])
        self.successResultOf(hall.tick())
        self.assertEqual(guest.numbers(NAME), [1, 2])

    def test_an_answer_that_was_lost_is_found_in_the_log(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.say(ROOM, "lost", by=guest, client_id="c1", heard=False)
        hall.say(ROOM, "heard")
        self.assertEqual([each.type for each in guest.frames], ["SmsResMes", "SmsMes"])
        self.assertEqual(guest.frames[0].data["clientId"], "c1")

    def test_an_answer_from_the_log_names_the_epoch_in_which_it_was_accepted(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.say(ROOM, "lost", by=guest, client_id="c1", heard=False)

        def page(cid: str, after: int, limit: int) -> Page:
            return Page("2.fedcba", 2, 1, 2, hall.log.entries[cid][after:], False)

        with patch.object(hall.log, "page", page):
            hall.say(ROOM, "the first of the next epoch")
        answer = guest.frames[0].data
        self.assertEqual((answer["seq"], answer["epoch"], answer["epochFirst"]), (1, EPOCH, 1))

    def test_numbers_that_are_given_out_anew_while_a_hole_is_read_are_read_again(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        for _ in range(4):
            hall.say(ROOM, "of the first epoch")
        asked = []

        def page(cid: str, after: int, limit: int) -> Page:
            asked.append(after)
            found = [each for each in hall.log.entries[cid][:3] if each.seq > after]
            return Page("2.fedcba", 3, 1, 3, found, False)

        hall.say(ROOM, "lost", heard=False)
        with patch.object(hall.log, "page", page):
            hall.say(ROOM, "heard")
        self.assertEqual(asked[:2], [4, 2])
        self.assertEqual(guest.numbers(NAME), [1, 2, 3, 4, 3])

    def test_what_was_heard_while_the_last_page_of_a_hole_was_read_is_in_the_next(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        pages = iter([2, 3])

        def page(cid: str, after: int, limit: int) -> Page:
            newest = next(pages)
            return Page(EPOCH, 1, 1, newest, hall.log.entries[cid][after:newest], False)

        hall.log.slow = True
        hall.say(ROOM, "lost", heard=False)
        hall.say(ROOM, "heard")
        hall.say(ROOM, "heard, but not in the page that is under way")
        with patch.object(hall.log, "page", page):
            hall.log.answer()
            hall.log.answer()
        self.assertEqual(guest.numbers(NAME), [1, 2, 3])

    def test_a_long_hole_is_read_in_pages(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        for _ in range(450):
            hall.say(ROOM, "lost", heard=False)
        hall.say(ROOM, "heard")
        self.assertEqual(guest.numbers(NAME), list(range(1, 452)))


STEPS = st.lists(
    st.sampled_from(
        ["say", "say", "say", "lose", "mine", "repeat", "fill", "drain", "hold", "release",
         "slow", "answer", "answer"]
    ),
    max_size=60,
)  # fmt: skip


class AnySequenceTest(SynchronousTestCase):
    @given(STEPS)
    def test_each_entry_comes_once_and_in_order_whatever_happens(self, steps: list[str]) -> None:
        hall = Hall()
        guest, witness = hall.guest(1, ROOM), hall.guest(2, ROOM)
        held = full = False
        mine = 0
        for step in steps:
            match step:
                case "say":
                    hall.say(ROOM, "x")
                case "lose":
                    hall.say(ROOM, "x", heard=False)
                case "mine":
                    mine += 1
                    hall.say(ROOM, "x", by=guest, client_id=f"c{mine}")
                case "repeat" if hall.log.entries[ROOM]:
                    hall.publish(ROOM, hall.log.entries[ROOM][-3:])
                case "fill" if not full:
                    full = True
                    guest.transport.fill_up()
                case "drain" if full:
                    full = False
                    guest.transport.drain()
                case "hold" if not held:
                    held = True
                    hall.feed(guest).hold()
                case "release" if held:
                    held = False
                    hall.feed(guest).release({}, frozenset())
                case "slow":
                    hall.log.slow = True
                case "answer":
                    hall.log.answer()
        self.settle(hall, guest, held, full)
        everything = list(range(1, len(hall.log.entries[ROOM]) + 1))
        self.assertEqual(witness.numbers(NAME), everything)
        self.assertEqual(guest.numbers(NAME), everything)
        answers = [each for each in guest.frames if each.type == "SmsResMes"]
        self.assertEqual([each.data["clientId"] for each in answers],
                         [f"c{number}" for number in range(1, mine + 1)])  # fmt: skip

    def settle(self, hall: Hall, guest: Any, held: bool, full: bool) -> None:
        """Whatever was begun comes to its end, and one more entry shows the last hole."""
        if held:
            hall.feed(guest).release({}, frozenset())
        if full:
            guest.transport.drain()
        hall.log.slow = False
        hall.log.answer()
        hall.say(ROOM, "the last word")
        hall.log.answer()
