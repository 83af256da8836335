"""What comes while a session logs in or joins a room: held back, and given behind the reply."""

from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.messages import Conversation
from chat.server.attendance import replay
from chat.server.delivery.feed import MOST_HELD, Feed
from chat.server.joining import enter_room
from chat.store.bus import Event
from chat.store.errors import NotAllowed, StoreUnavailable
from chat.store.post import Post
from chat.store.posting import OUTSIDE_SECONDS
from tests.hall import Guest, Hall
from tests.hall_store import EPOCH

ROOM, NAME = "r:cooks", "#cooks"
LOBBY = "r:lobby"


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
        hall.feed(guest).hold()
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
        feed.hold()  # Another device has joined the room, which is to be told,
        feed.hold()  # and this one joins it.
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

    def test_who_is_behind_and_held_back_catches_up_when_neither_is_so_any_more(self) -> None:
        for reads_first in (True, False):
            hall = Hall()
            guest = hall.guest(1, ROOM)
            guest.transport.fill_up()
            hall.say(ROOM, "not read")
            hall.feed(guest).hold()
            if reads_first:
                guest.transport.drain()
            else:
                hall.feed(guest).release({}, frozenset())
            hall.say(ROOM, "not told either")
            self.assertEqual(guest.frames, [])
            if reads_first:
                hall.feed(guest).release({}, frozenset())
            else:
                guest.transport.drain()
            self.assertEqual(guest.numbers(NAME), [1, 2])

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

    def test_a_private_conversation_that_begins_meanwhile_is_told_before_its_marks(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.feed(guest).hold()
        hall.say("p:1:2", "the first")
        hall.fanout.event(1, Event("mark", "p:1:2", EPOCH, read=1))
        hall.feed(guest).release({}, frozenset())
        kinds = [each.type for each in guest.frames]
        self.assertEqual(kinds, ["SmsMes", "ConversationMes"])

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
        hall.feed(guest).hold()  # its list of conversations is read
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
