"""Delivery: each entry once and in order, to the live, the held back and those far behind."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.messages import Conversation
from chat.server.attendance import enter_room, replay
from chat.server.delivery.feed import MOST_HELD, Feed
from chat.server.delivery.missed import CATCH_UP
from chat.store.bus import Event
from chat.store.entries import Page
from chat.store.errors import NotAllowed, StoreUnavailable
from chat.store.post import Post
from chat.store.posting import OUTSIDE_SECONDS
from tests.hall import Guest, Hall
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


class HeldTest(SynchronousTestCase):
    def test_what_comes_during_the_login_follows_it_and_nothing_old_does(self) -> None:
        hall = Hall()
        for _ in range(5):
            hall.say(ROOM, "long ago")
        guest = hall.arriving(1, ROOM)
        hall.say(ROOM, "during the login")
        hall.say(ROOM, "during the login as well")
        self.assertEqual(guest.frames, [])
        hall.feed(guest).release({ROOM: 6})
        hall.say(ROOM, "afterwards")
        self.assertEqual(guest.numbers(NAME), [7, 8])

    def test_who_is_taken_out_of_a_room_during_the_login_hears_nothing_of_it(self) -> None:
        hall = Hall()
        guest = hall.arriving(1, ROOM)
        session = guest.session
        user, session.user = session.user, None
        hall.say(ROOM, "before")
        hall.fanout.event(1, Event("left", ROOM))
        hall.say(ROOM, "after")
        session.user = user
        hall.feed(guest).release({})
        session.tell_postponed_events()
        self.assertEqual(guest.contents(), [])
        self.assertTrue(guest.frames[-1].data["gone"])

    def test_what_is_said_while_an_original_client_gets_what_it_missed_comes_once(self) -> None:
        hall = Hall()
        for number in range(3):
            hall.say(LOBBY, f"missed {number}", heard=False)
        guest = hall.arriving(1, LOBBY, original=True)
        hall.say(LOBBY, "said since")  # after the snapshot, before the log is read
        snapshot = Conversation("#lobby", EPOCH, 1, seq=3, delivered=0)
        replayed = Deferred.fromCoroutine(replay(guest.session, {LOBBY: snapshot}))
        self.successResultOf(replayed)
        hall.feed(guest).release({LOBBY: 3})
        self.assertEqual(
            guest.contents(), ["missed 0", "missed 1", "missed 2", "said since"]
        )  # fmt: skip

    def test_what_an_original_client_has_is_not_missed_where_entries_before_it_are_gone(
        self,
    ) -> None:
        hall = Hall()
        for number in range(1, 4):
            hall.say(LOBBY, f"number {number}", heard=False)
        del hall.log.entries[LOBBY][1]
        guest = hall.arriving(1, LOBBY, original=True)
        snapshot = Conversation("#lobby", EPOCH, 1, seq=3, delivered=1)
        replayed = Deferred.fromCoroutine(replay(guest.session, {LOBBY: snapshot}))
        self.successResultOf(replayed)
        hall.feed(guest).release({LOBBY: 3})
        self.assertEqual(guest.contents(), ["number 3"])

    def test_a_room_that_was_given_up_while_it_was_joined_is_not_heard(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.feed(guest).hold()
        hall.registry.add_to_room(guest.session, ROOM).position = 0
        hall.say(ROOM, "not for us yet")
        hall.registry.remove_from_room(guest.session, ROOM)
        hall.feed(guest).release({}, frozenset([ROOM]))
        self.assertEqual(guest.contents(), [])

    def test_what_one_said_in_a_room_that_is_being_entered_or_was_left_is_answered(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.guest(2, ROOM)
        self.assertEqual(hall.say(ROOM, "not here any more", by=guest, client_id="a"), 1)
        for client_id, leaving in (("b", False), ("c", True)):
            hall.feed(guest).hold()
            hall.registry.add_to_room(guest.session, ROOM)
            seq = hall.say(ROOM, "older than the snapshot", by=guest, client_id=client_id)
            if leaving:
                hall.registry.remove_from_room(guest.session, ROOM)
            hall.feed(guest).release({ROOM: seq}, frozenset([ROOM]))
        self.assertEqual([frame.type for frame in guest.frames], ["SmsResMes"] * 3)
        for seq, (client_id, frame) in enumerate(zip("abc", guest.frames, strict=True), 1):
            answer = {"code": 200, "clientId": client_id, "seq": seq, "duplicate": True}
            self.assertLessEqual(answer.items(), frame.data.items())

    def test_what_nobody_here_hears_is_answered_soon_and_what_is_only_late_later(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        for cid, seconds in ((ROOM, 1), (LOBBY, 10)):
            hall.say(cid, "stored, and not published here", by=guest, client_id="a", heard=False)
            hall.clock.advance(seconds)
            self.successResultOf(hall.tick())
            self.assertEqual(guest.frames, [], cid)
            hall.clock.advance(0.1)
            self.successResultOf(hall.tick())
            (answer,) = guest.frames
            self.assertEqual((answer.type, answer.data["code"]), ("SmsResMes", 200))
            guest.frames.clear()

    def test_who_writes_to_a_room_that_was_joined_elsewhere_just_now_hears_it_first(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        guest.send("SmsMes", to=NAME, content="here as well", clientId="a")
        self.assertIn(ROOM, guest.session.rooms)
        self.assertEqual([frame.type for frame in guest.frames], ["ConversationMes"])

    def test_who_goes_while_a_room_is_entered_leaves_nothing_behind(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        subscribed: Deferred[None] = Deferred()
        with patch.object(hall.bus, "hold_rooms", lambda cids: subscribed):
            entering = Deferred.fromCoroutine(enter_room(guest.session, ROOM))
        guest.session.connection_lost()
        subscribed.callback(None)
        self.failureResultOf(entering, NotAllowed)
        self.assertNotIn(ROOM, hall.registry.rooms)

    def test_joining_holds_the_other_rooms_back_and_loses_nothing_of_them(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.say(ROOM, "before the joining", heard=False)
        self.assertTrue(hall.feed(guest).hold())
        hall.registry.add_to_room(guest.session, ROOM).position = 1
        hall.say(LOBBY, "meanwhile in the lobby")
        hall.say(ROOM, "meanwhile in the room")
        hall.feed(guest).release({ROOM: 2, LOBBY: 1}, frozenset([ROOM]))
        hall.say(ROOM, "afterwards")
        self.assertEqual(guest.numbers("#lobby"), [1])
        self.assertEqual(guest.numbers(NAME), [3])

    def joining_twice(self) -> tuple[Hall, Guest, Feed]:
        """Somebody in the lobby who is held back, twice, for one room."""
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        feed = hall.feed(guest)
        self.assertTrue(feed.hold(), "another device has joined the room, which is to be told")
        self.assertTrue(feed.hold(), "and this one joins it")
        hall.registry.add_to_room(guest.session, ROOM).position = 0
        return hall, guest, feed

    def test_who_is_held_back_twice_is_so_until_the_second_release(self) -> None:
        hall, guest, feed = self.joining_twice()
        feed.release({}, frozenset())  # The first could not be told: the store was away.
        hall.say(ROOM, "the reply's number has it")
        hall.say(ROOM, "the reply's number does not")
        hall.say(LOBBY, "meanwhile in the lobby")
        self.assertEqual(guest.frames, [], "nothing before the reply")
        feed.release({ROOM: 1}, frozenset([ROOM]))
        self.assertEqual(guest.numbers(NAME), [2])
        self.assertEqual(guest.numbers("#lobby"), [1])

    def test_a_joining_is_told_first_though_another_one_of_the_same_room_fails(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        described, elsewhere = hall.log.one, Deferred[None]()

        async def one(user_id: int, cid: str) -> Conversation:
            hall.log.one = joined_here  # type: ignore[method-assign]
            await elsewhere
            raise AssertionError

        async def joined_here(user_id: int, cid: str) -> Conversation:
            hall.say(ROOM, "meanwhile")
            return await described(user_id, cid)

        hall.log.one = one  # type: ignore[method-assign]
        hall.fanout.event(1, Event("joined", ROOM))
        guest.send("JoinMes", conversation=NAME)
        elsewhere.errback(StoreUnavailable("the bus was lost"))
        hall.say(ROOM, "afterwards")
        told = [each.data.get("content", each.type) for each in guest.frames]
        self.assertEqual(told, ["JoinResMes", "afterwards"])

    def test_what_another_joining_told_is_not_given_before_the_reply_to_this_one(self) -> None:
        hall, guest, feed = self.joining_twice()
        for content in ("told", "between the two", "afterwards"):
            hall.say(ROOM, content)
        feed.release({ROOM: 1}, frozenset([ROOM]))
        feed.give_older({ROOM: 2}, frozenset())
        feed.release({ROOM: 2}, frozenset())
        self.assertEqual(guest.numbers(NAME), [2, 3])

    def test_a_post_that_the_log_brought_before_its_answer_is_answered_soon(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        session = guest.session
        hall.say(ROOM, "lost", heard=False)
        second = hall.log.append(ROOM, hall.guest(2).session.author, "shows the hole")
        post = Post(session, ROOM, session.author, "mine", "c1", "r1")
        hall.posting.post(post)
        hall.clock.advance(0)
        hall.log.append(ROOM, session.author, "mine", "c1")
        hall.publish(ROOM, [second])
        hall.scripts.answer(3)
        hall.clock.advance(OUTSIDE_SECONDS + 0.1)
        self.successResultOf(hall.tick())
        answers = [each.data for each in guest.frames if each.type == "SmsResMes"]
        self.assertEqual([each["seq"] for each in answers], [3])

    def test_who_is_behind_is_held_by_nobody(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "not read")
        self.assertFalse(hall.feed(guest).hold())
        guest.transport.drain()
        self.assertEqual(guest.numbers(NAME), [1])

    def test_what_is_said_while_one_joins_a_room_again_is_none_the_less_told(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        described = hall.log.one

        async def one(user_id: int, cid: str) -> Conversation:
            hall.say(ROOM, "meanwhile")
            return await described(user_id, cid)

        hall.log.one = one  # type: ignore[method-assign]
        hall.fanout.event(1, Event("joined", ROOM))
        self.assertEqual(guest.contents(), ["meanwhile"])
        guest.send("JoinMes", conversation=NAME)
        self.assertEqual(guest.contents(), ["meanwhile"] * 2)

    def test_what_the_numbers_of_a_reply_have_comes_before_it_and_the_rest_behind(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        described = hall.log.one

        async def one(user_id: int, cid: str) -> Conversation:
            hall.say(ROOM, "meanwhile")
            found = await described(user_id, cid)
            hall.say(ROOM, "afterwards")
            return found

        hall.log.one = one  # type: ignore[method-assign]
        guest.send("JoinMes", conversation=NAME)
        told = [each.data.get("content", each.type) for each in guest.frames]
        self.assertEqual(told, ["meanwhile", "JoinResMes", "afterwards"])

    def test_more_than_can_be_held_is_read_from_the_log_instead(self) -> None:
        hall = Hall()
        guest = hall.arriving(1, ROOM)
        author = hall.guest(2).session.author
        entries = [hall.log.append(ROOM, author, "x") for _ in range(MOST_HELD + 50)]
        hall.publish(ROOM, entries)
        hall.feed(guest).release({ROOM: MOST_HELD})
        self.assertEqual(guest.numbers(NAME), list(range(MOST_HELD + 1, MOST_HELD + 51)))

    def test_nor_is_anything_lost_then_of_what_was_heard_before(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        self.assertTrue(hall.feed(guest).hold(), "its list of conversations is read")
        hall.say(LOBBY, "mine", by=guest, client_id="c1")
        author = hall.guest(2).session.author
        hall.publish(LOBBY, [hall.log.append(LOBBY, author, "x") for _ in range(MOST_HELD)])
        hall.feed(guest).release({LOBBY: MOST_HELD + 1}, frozenset())
        self.assertEqual(guest.numbers("#lobby"), [1, MOST_HELD + 1])
        self.assertEqual(guest.frames[0].data["clientId"], "c1")

    def test_who_stops_reading_while_held_back_is_behind_when_let_go(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.feed(guest).hold()
        guest.transport.fill_up()
        hall.feed(guest).release({}, frozenset())
        hall.say(ROOM, "not read")
        self.assertEqual(guest.frames, [])
        guest.transport.drain()
        self.assertEqual(guest.contents(), ["not read"])


class BehindTest(SynchronousTestCase):
    def test_whoever_does_not_read_costs_nothing_and_catches_up_from_the_log(self) -> None:
        hall = Hall()
        guest, other = hall.guest(1, ROOM), hall.guest(2, ROOM)
        hall.say(ROOM, "read")
        guest.transport.fill_up()
        for _ in range(CATCH_UP):
            hall.say(ROOM, "not read")
        self.assertEqual(guest.numbers(NAME), [1])
        self.assertEqual(other.numbers(NAME), list(range(1, CATCH_UP + 2)))
        guest.transport.drain()
        hall.say(ROOM, "live again")
        self.assertEqual(guest.numbers(NAME), list(range(1, CATCH_UP + 3)))
        resets = [each for each in guest.frames if each.type == "PresenceMes"]
        self.assertEqual([each.data["reset"] for each in resets], [True])

    def test_of_marks_that_move_meanwhile_the_last_is_told_afterwards(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        for number in range(1, 51):
            hall.fanout.event(1, Event("mark", ROOM, EPOCH, read=number))
            hall.fanout.event(1, Event("receipt", "p:1:2", EPOCH, 2, number, number))
        self.assertEqual(guest.frames, [])
        hall.say(ROOM, "not read")
        guest.transport.drain()
        kinds = [each.type for each in guest.frames if each.type != "PresenceMes"]
        self.assertEqual(kinds, ["SmsMes", "ConversationMes", "ReceiptMes"])
        self.assertEqual(guest.frames[-1].data["read"], 50)
        hall.fanout.event(1, Event("mark", ROOM, EPOCH, read=51))
        self.assertEqual(guest.frames[-1].type, "ConversationMes", "live again")

    def test_a_room_that_is_left_and_joined_meanwhile_is_heard_afterwards(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        for event in ("left", "joined"):
            hall.fanout.event(1, Event(event, ROOM))
        hall.say(ROOM, "not read")
        guest.transport.drain()
        told = [each.data for each in guest.frames if each.type == "ConversationMes"]
        self.assertEqual([(each.get("gone"), each.get("seq")) for each in told],
                         [(True, 0), (False, 1)])  # fmt: skip
        hall.say(ROOM, "heard")
        self.assertEqual(guest.numbers(NAME), [2])

    def test_a_room_that_was_left_meanwhile_and_is_joined_here_first_stays_joined(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM, LOBBY)
        guest.transport.fill_up()
        hall.fanout.event(1, Event("left", ROOM))
        hall.say(LOBBY, "missed")
        hall.log.slow = True
        guest.transport.drain()
        hall.clock.advance(0)
        guest.send("JoinMes", conversation=NAME)
        self.assertIn("JoinResMes", [each.type for each in guest.frames])
        hall.log.answer()
        hall.say(ROOM, "heard")
        self.assertEqual(guest.numbers(NAME), [1])

    def test_who_does_not_read_is_sent_away_all_the_same(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.fanout.event(1, Event("ended", reason="suspended"))
        self.assertTrue(guest.transport.disconnecting)

    def test_no_more_is_told_of_what_was_missed_than_may_wait(self) -> None:
        hall = Hall(send_buffer=5_000)
        guest = hall.guest(1, ROOM, LOBBY)
        guest.transport.fill_up()
        for _ in range(CATCH_UP):
            hall.say(ROOM, "x" * 500)
            hall.say(LOBBY, "x" * 500)
        guest.transport.drain()
        # Which of them comes first is anybody's guess.
        second, first = sorted((guest.numbers(NAME), guest.numbers("#lobby")), key=len)
        self.assertEqual(second, [CATCH_UP], "at the least the newest of each")
        self.assertEqual(first, [*range(CATCH_UP + 1 - len(first), CATCH_UP + 1)])
        self.assertTrue(1 < len(first) < 11, first)
        hall.say(ROOM, "live again")
        self.assertEqual(guest.numbers(NAME)[-1], CATCH_UP + 1)

    def test_an_original_client_gets_its_whole_replay_since_it_can_fetch_nothing(self) -> None:
        hall = Hall(send_buffer=1_000, replay=10)
        guest = hall.guest(1, LOBBY, original=True)
        guest.transport.fill_up()
        for _ in range(10):
            hall.say(LOBBY, "x" * 500)
        guest.transport.drain()
        self.assertEqual(len(guest.contents()), 10)

    def test_numbers_that_were_given_out_anew_meanwhile_are_told(self) -> None:
        hall = Hall()
        guest, other = hall.guest(1, ROOM), hall.guest(2, ROOM)
        for _ in range(5):
            hall.say(ROOM, "of the first epoch")
        guest.transport.fill_up()
        del hall.log.entries[ROOM][3:]
        hall.registry.rooms[ROOM].begin_epoch("2.fedcba", 4)
        with patch("tests.hall.EPOCH", "2.fedcba"), patch("tests.hall_store.EPOCH", "2.fedcba"):
            hall.say(ROOM, "of the second")
            guest.transport.drain()
            hall.say(ROOM, "live again")
        for each in (guest, other):
            self.assertEqual(each.numbers(NAME), [1, 2, 3, 4, 5, 4, 5])

    def test_all_of_them_are_though_by_now_there_are_more_than_before(self) -> None:
        hall = Hall()
        guest, original = hall.guest(1, LOBBY), hall.guest(2, LOBBY, original=True)
        for number in range(1, 6):
            hall.say(LOBBY, f"{number} of the first epoch")
        for each in (guest, original):
            each.transport.fill_up()
        del hall.log.entries[LOBBY][3:]
        hall.registry.rooms[LOBBY].begin_epoch("2.fedcba", 4)
        with patch("tests.hall.EPOCH", "2.fedcba"), patch("tests.hall_store.EPOCH", "2.fedcba"):
            for number in range(4, 8):
                hall.say(LOBBY, f"{number} of the second")
            for each in (guest, original):
                each.transport.drain()
        second = [f"{number} of the second" for number in range(4, 8)]
        self.assertEqual(guest.contents()[5:], second)
        self.assertEqual(original.contents()[5:], second)

    def test_of_a_long_absence_only_the_newest_is_told(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM, LOBBY)
        guest.transport.fill_up()
        for _ in range(CATCH_UP + 1):
            hall.say(ROOM, "too many")
        hall.say(LOBBY, "just one")
        guest.transport.drain()
        hall.say(ROOM, "live again")
        self.assertEqual(guest.numbers(NAME), [CATCH_UP + 1, CATCH_UP + 2])
        self.assertEqual(guest.numbers("#lobby"), [1])

    def test_an_original_client_gets_the_newest_up_to_its_replay(self) -> None:
        hall = Hall(replay=3)
        guest = hall.guest(1, LOBBY, original=True)
        guest.transport.fill_up()
        for number in range(10):
            hall.say(LOBBY, f"missed {number}")
        guest.transport.drain()
        hall.say(LOBBY, "live again")
        self.assertEqual(guest.contents(), ["missed 7", "missed 8", "missed 9", "live again"])

    def test_answers_that_are_owed_come_in_their_place(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        for number in range(3):
            hall.say(ROOM, "said before reading on", by=guest, client_id=f"c{number}")
        guest.transport.fill_up()
        hall.say(ROOM, "of somebody else")
        hall.say(ROOM, "stored, and the answer does not fit", by=guest, client_id="c3")
        hall.say(ROOM, "of somebody else")
        guest.transport.drain()
        kinds = [each.type for each in guest.frames if each.type != "PresenceMes"]
        self.assertEqual(kinds, ["SmsResMes"] * 3 + ["SmsMes", "SmsResMes", "SmsMes"])
        self.assertEqual(guest.numbers(NAME), [1, 2, 3, 4, 5, 6])

    def test_an_answer_is_owed_however_long_the_absence(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "mine", by=guest, client_id="c1")
        for _ in range(CATCH_UP + 10):
            hall.say(ROOM, "too many")
        guest.transport.drain()
        answers = [each.data["seq"] for each in guest.frames if each.type == "SmsResMes"]
        self.assertEqual(answers, [1])
        self.assertEqual(guest.numbers(NAME), [1, CATCH_UP + 11])

    def test_an_answer_is_owed_in_a_room_that_was_left_meanwhile(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "mine", by=guest, client_id="c1")
        hall.fanout.event(1, Event("left", ROOM))
        guest.transport.drain()
        answers = [each.data["seq"] for each in guest.frames if each.type == "SmsResMes"]
        self.assertEqual(answers, [1])

    def test_an_answer_that_was_owed_comes_once(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        for content in ("of the first absence", "of the second"):
            guest.transport.fill_up()
            hall.say(ROOM, "mine", by=guest, client_id="c")
            for _ in range(CATCH_UP + 1):
                hall.say(ROOM, content)
            guest.transport.drain()
        answers = [each.data["seq"] for each in guest.frames if each.type == "SmsResMes"]
        self.assertEqual(answers, [1, CATCH_UP + 3])

    def test_what_comes_while_catching_up_comes_after_it_and_once(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "missed")
        hall.log.slow = True
        guest.transport.drain()
        hall.say(ROOM, "while the log is read")
        self.assertEqual(guest.frames, [])
        hall.log.answer()
        hall.say(ROOM, "afterwards")
        self.assertEqual(guest.numbers(NAME), [1, 2, 3])

    def test_more_than_can_be_held_while_catching_up_tells_nothing_twice_elsewhere(self) -> None:
        hall = Hall()
        guest, author = hall.guest(1, ROOM, LOBBY), hall.guest(2).session.author
        heard = CATCH_UP + 1
        hall.publish(LOBBY, [hall.log.append(LOBBY, author, "heard") for _ in range(heard)])
        guest.transport.fill_up()
        hall.say(ROOM, "missed")
        hall.log.slow = True
        guest.transport.drain()
        hall.publish(ROOM, [hall.log.append(ROOM, author, "x") for _ in range(MOST_HELD + 1)])
        hall.log.slow = False
        hall.log.answer()
        self.assertEqual(guest.numbers(NAME), [1, MOST_HELD + 2])
        self.assertEqual(guest.numbers("#lobby"), list(range(1, heard + 1)))

    def test_catching_up_tells_nothing_that_comes_again(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "missed")
        hall.say(ROOM, "in the log, and the bus lost it", heard=False)
        guest.transport.drain()
        hall.say(ROOM, "afterwards")
        self.assertEqual(guest.numbers(NAME), [1, 2, 3])

    def test_a_room_entered_while_catching_up_is_told_from_there_on(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "missed")
        hall.log.slow = True
        guest.transport.drain()
        described = hall.log.one

        async def one(user_id: int, cid: str) -> Conversation:
            hall.say(cid, "already heard, and in the snapshot")
            return await described(user_id, cid)

        hall.log.one = one  # type: ignore[method-assign]
        snapshot, _ = self.successResultOf(
            Deferred.fromCoroutine(enter_room(guest.session, "r:bakers"))
        )
        hall.log.answer()
        hall.say("r:bakers", "afterwards")
        self.assertEqual((snapshot.seq, guest.numbers("#bakers")), (1, [2]))

    def test_falling_behind_again_while_catching_up(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "missed")
        hall.log.slow = True
        guest.transport.drain()
        guest.transport.fill_up()
        hall.say(ROOM, "missed as well")
        hall.log.answer()
        hall.say(ROOM, "missed once more")
        guest.transport.drain()
        hall.log.answer()
        self.assertEqual(guest.numbers(NAME), [1, 2, 3])

    def test_a_store_that_is_away_sends_a_late_reader_away_too(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        guest.transport.fill_up()
        hall.say(ROOM, "missed")
        hall.log.failure = StoreUnavailable()
        guest.transport.drain()
        self.assertEqual([each.data["code"] for each in guest.frames], [503])
        self.assertEqual(guest.frames[0].type, "ByeMes")


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
                    held = hall.feed(guest).hold()
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
