"""A session begins: all that the user is in is heard from then on, or nothing has happened."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from chat.messages import Conversation, User
from chat.names import MAX_USER_ID
from chat.server.attendance import Identity, enter
from chat.server.delivery.dialects import ORIGINAL
from chat.server.joining import enter_room
from chat.store.accounts import Account
from chat.store.arriving import Arrival, Proof
from chat.store.bus import Event
from chat.store.errors import NotAllowed, StoreUnavailable
from chat.store.keys import LOBBY_CID, cid_name
from tests.hall import Guest, Hall
from tests.hall_store import EPOCH, Doorbell

ROOM, NAME = "r:cooks", "#cooks"


class Subscriptions(Doorbell):
    """Those of one server.

    :ivar confirmed: whether the store has confirmed them.
    """

    confirmed = True

    def hold_user(self, user_id: int) -> None:
        """One session more hears a user."""

    def hold_room(self, cid: str) -> bool:
        """One session more hears a room, as others do already."""
        return True

    def hears(self, user_id: int, cids: Iterable[str]) -> bool:
        """Whether they are all confirmed."""
        return self.confirmed

    def settled(self) -> Deferred[None]:
        """Nothing is kept back."""
        return succeed(None)


class Porter:
    """Says of everybody that they are in one room.

    :ivar meanwhile: what happens before the answer is here.
    :ivar arrival: what they are told to be in.
    :ivar names: those of the sessions that came, as the store knows them.
    """

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.names: list[str] = []
        self.arrival = Arrival({ROOM: Conversation(NAME, EPOCH, 1, seq=5)}, False, [ROOM])

    async def enter(self, user: User, proof: Proof, session: str, *_: Any, **__: Any) -> Arrival:
        """A user comes in."""
        self.names.append(session)
        self.meanwhile()
        return self.arrival


class LoginTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.hall = Hall()
        self.porter = Porter()
        self.bus = self.hall.context.bus = Subscriptions()  # type: ignore[assignment]
        context: Any = self.hall.context
        context.arrivals, context.conversations.in_all_lists = self.porter, []

    def log_in(self, user_id: int) -> tuple[Guest, Deferred[None]]:
        """A client proves to be a user."""
        guest = self.hall.stranger()
        return guest, Deferred.fromCoroutine(enter(guest.session, self.identity(user_id), "1"))

    def identity(self, user_id: int) -> Identity:
        """What proves it."""
        return Identity(Account(user_id, f"name{user_id}", ""), "desk", "token")

    def test_all_rooms_are_heard_above_where_the_reply_says_that_they_stand(self) -> None:
        for _ in range(5):
            self.hall.say(ROOM, "before")
        guest, entered = self.log_in(1)
        self.successResultOf(entered)
        (reply,) = guest.frames
        self.assertEqual([each["seq"] for each in reply.data["conversations"]], [5])
        self.hall.say(ROOM, "the next")
        self.assertEqual(guest.numbers(NAME), [6])

    def test_a_room_that_the_user_is_taken_out_of_meanwhile_is_not_heard(self) -> None:
        self.porter.meanwhile = lambda: self.hall.fanout.event(1, Event("left", ROOM))
        guest, entered = self.log_in(1)
        self.successResultOf(entered)
        reply, told = guest.frames
        self.assertEqual((reply.type, reply.data["conversations"]), ("LoginResMes", []))
        self.assertTrue(told.data["gone"])
        self.assertEqual(guest.session.rooms, set())

    def test_without_the_subscriptions_nobody_is_in(self) -> None:
        self.bus.confirmed = False
        guest, entered = self.log_in(1)
        self.failureResultOf(entered, StoreUnavailable)
        self.assertIsNone(guest.session.user)
        self.assertEqual(self.hall.registry.users, {})
        self.assertEqual(guest.frames, [])

    def test_who_came_in_at_the_second_attempt_does_not_leave_with_the_first(self) -> None:
        self.bus.confirmed = False
        guest, entered = self.log_in(1)
        for _ in range(2):
            self.failureResultOf(entered, StoreUnavailable)
            entered = Deferred.fromCoroutine(enter(guest.session, self.identity(1), "2"))
        self.failureResultOf(entered, StoreUnavailable)
        self.bus.confirmed = True
        self.successResultOf(Deferred.fromCoroutine(enter(guest.session, self.identity(1), "3")))
        *failed, here = self.porter.names
        self.assertEqual(guest.session.key, here)
        self.assertEqual(len({*failed, here}), 4)

    def test_what_was_heard_for_a_login_that_failed_is_told_to_nobody(self) -> None:
        """Nor does it end the next one: a password that was right then was judged after it."""
        self.bus.confirmed = False
        self.porter.meanwhile = lambda: [
            self.hall.fanout.event(1, each)
            for each in (
                Event("invited", ROOM, user_id=7, reason="somebody"),
                Event("ended", reason="password-changed"),
            )
        ]
        guest, entered = self.log_in(1)
        self.failureResultOf(entered, StoreUnavailable)
        self.bus.confirmed, self.porter.meanwhile = True, list
        self.successResultOf(Deferred.fromCoroutine(enter(guest.session, self.identity(2), "2")))
        self.assertEqual([each.type for each in guest.frames], ["LoginResMes"])

    def test_an_original_client_that_goes_while_what_it_missed_is_read_is_gone(self) -> None:
        for _ in range(5):
            self.hall.say(LOBBY_CID, "missed")
        lobby = Conversation("#lobby", EPOCH, 1, seq=5)
        self.porter.arrival = Arrival({LOBBY_CID: lobby}, False, [LOBBY_CID])
        self.hall.log.slow = True
        guest = self.hall.stranger()
        guest.session.dialect = ORIGINAL
        entered = Deferred.fromCoroutine(enter(guest.session, self.identity(1), None))
        self.assertNoResult(entered)
        guest.session.connection.connectionLost()
        self.hall.log.answer()
        self.successResultOf(entered)
        self.assertEqual(self.hall.registry.users, {})

    def test_of_very_many_who_are_online_oneself_is_never_left_out(self) -> None:
        self.hall.people.ids = [2, 3, 4, 5]
        with patch("chat.server.attendance.LISTED_USERS", 3):
            for user_id, listed in ((9, [9, 2, 3]), (3, [2, 3, 4])):
                guest, entered = self.log_in(user_id)
                self.successResultOf(entered)
                self.assertEqual(guest.frames[0].data["UsersId"], listed)

    def test_who_is_online_leaves_room_in_a_small_frame_for_conversations(self) -> None:
        context = self.hall.context
        context.settings = replace(context.settings, frame_limit=4_096)
        self.hall.people.ids = list(range(MAX_USER_ID - 1_000, MAX_USER_ID))
        guest, entered = self.log_in(1)
        self.successResultOf(entered)
        (reply,) = guest.frames
        self.assertLessEqual(len(reply.body), 4_096)
        self.assertTrue(len(reply.data["UsersId"]) > 10)
        self.assertEqual(len(reply.data["conversations"]), 1)


class DepartureTest(SynchronousTestCase):
    def test_each_is_told_to_the_store_after_some_grace_and_none_when_all_go_at_once(self) -> None:
        for stopping, told in ((False, [1]), (True, [])):
            hall = Hall(offline_grace=5.0)
            left: list[int] = []

            async def seen(user_id: int, device: str) -> None:
                """They were here until now."""

            async def leave(user: User, session: str, left: list[int] = left) -> None:
                left.append(user.user_id)

            context: Any = hall.context
            context.accounts = SimpleNamespace(seen=seen)
            context.presence.leave = leave
            context.stopping = stopping
            hall.guest(1, ROOM).session.connection.connectionLost()
            hall.clock.advance(4.9)
            self.assertEqual(left, [])
            hall.clock.advance(0.1)
            self.assertEqual(left, told)


class RoomTest(SynchronousTestCase):
    def test_who_is_taken_out_of_a_room_while_it_is_entered_is_not_in(self) -> None:
        hall = Hall()
        hall.guest(1, ROOM)
        guest = hall.guest(2)
        hall.log.slow = True
        hall.say(ROOM, "lost", heard=False)
        hall.say(ROOM, "its hole is read, and the snapshot waits for that")
        entering = Deferred.fromCoroutine(enter_room(guest.session, ROOM))
        self.assertNoResult(entering)
        hall.fanout.event(2, Event("left", ROOM))
        hall.log.answer()
        self.failureResultOf(entering, NotAllowed)

    def test_nothing_of_a_room_is_heard_behind_the_answer_that_one_has_left_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.bus.slow = True
        guest.send("LeaveMes", conversation=NAME)
        hall.say(ROOM, "numbered before the leaving, and heard after the store's answer")
        hall.fanout.event(1, Event("left", ROOM, session=guest.session.key))
        hall.bus.answer()
        hall.say(ROOM, "later")
        self.assertEqual([each.type for each in guest.frames], ["SmsMes", "LeaveResMes"])

    def test_a_mark_in_a_room_that_one_has_left_is_not_told_as_if_one_were_in_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.fanout.event(1, Event("mark", ROOM))
        hall.fanout.event(1, Event("left", ROOM))
        hall.fanout.event(1, Event("mark", ROOM))
        self.assertEqual([each.data["gone"] for each in guest.frames], [False, True])

    def test_nor_in_one_that_is_being_entered(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        hall.bus.slow = True
        hall.fanout.event(1, Event("joined", ROOM))
        hall.fanout.event(1, Event("mark", ROOM))
        hall.bus.answer()
        self.assertEqual([each.type for each in guest.frames], ["ConversationMes"])

    def test_nothing_of_a_room_that_is_being_entered_is_told_with_a_list_that_has_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        hall.bus.slow = True
        hall.fanout.event(1, Event("joined", ROOM))
        hall.say(ROOM, "before one is told of the room")
        hall.feed(guest).hold()
        hall.feed(guest).give_older({ROOM: 1}, frozenset())
        hall.feed(guest).release({ROOM: 1}, frozenset())
        self.assertEqual(guest.frames, [])
        hall.bus.answer()
        self.assertEqual([each.type for each in guest.frames], ["ConversationMes", "SmsMes"])

    def test_a_list_has_no_room_of_which_one_was_told_that_one_left_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM, LOBBY_CID)

        async def listed(*_: object) -> tuple[dict[str, Conversation], bool]:
            hall.fanout.event(1, Event("left", ROOM))
            return {
                each: Conversation(cid_name(each, 1)) for each in (LOBBY_CID, ROOM, "p:1:2")
            }, False

        with patch.object(hall.log, "page", listed):
            guest.send("ConversationsMes")
        gone, reply = guest.frames
        self.assertEqual((gone.type, gone.data["gone"]), ("ConversationMes", True))
        names = [each["conversation"] for each in reply.data["conversations"]]
        self.assertEqual(names, ["#lobby", "@2"])

    def test_that_one_was_taken_out_just_now_is_told_behind_the_answer_that_one_is_in(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        telling: Deferred[None] = Deferred()
        self.patch(hall.bus, "tell", lambda *_: telling)
        guest.send("JoinMes", conversation=NAME)
        hall.fanout.event(1, Event("left", ROOM))
        telling.callback(None)
        self.assertEqual([each.type for each in guest.frames], ["JoinResMes", "ConversationMes"])

    def test_that_one_left_before_one_joined_takes_nobody_out_however_late_it_is_heard(
        self,
    ) -> None:
        hall = Hall()
        guest = hall.guest(1)
        hall.bus.slow = True
        guest.send("JoinMes", conversation=NAME)
        hall.fanout.event(1, Event("left", ROOM))
        hall.bus.answer()
        self.assertEqual(guest.session.rooms, {ROOM})
