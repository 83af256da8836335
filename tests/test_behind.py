"""Sessions that do not read: they cost nothing, and are told what they missed when they do."""

from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.messages import Conversation
from chat.server.delivery.feed import MOST_HELD
from chat.server.delivery.missed import CATCH_UP
from chat.server.joining import enter_room
from chat.store.bus import Event
from chat.store.errors import StoreUnavailable
from tests.hall import Guest, Hall
from tests.hall_store import EPOCH

ROOM, NAME = "r:cooks", "#cooks"
LOBBY = "r:lobby"


def begin_to_catch_up(hall: Hall, guest: Guest, *rooms: str) -> None:
    """The client did not read while something was said in ``rooms``, and now it has read all. What
    it missed is being read from the log until that answers."""
    guest.transport.fill_up()
    for room in rooms:
        hall.say(room, "missed")
    hall.log.slow = True
    guest.transport.drain()


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
        begin_to_catch_up(hall, guest, LOBBY)
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
        begin_to_catch_up(hall, guest, ROOM)
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
        begin_to_catch_up(hall, guest, ROOM)
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
        begin_to_catch_up(hall, guest, ROOM)
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

    def test_a_room_that_is_being_entered_is_told_by_its_reply_first(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.guest(2, ROOM)
        hall.say(ROOM, "before the joining")

        async def join(*how: object) -> None:
            guest.transport.fill_up()

        hall.bus.slow = True
        with patch.object(hall.context.rooms, "join", join):
            guest.send("JoinMes", conversation=NAME)
        hall.say(LOBBY, "missed")
        hall.bus.answer()  # It is a member now, and hears the room.
        hall.say(ROOM, "not in the reply's number")
        guest.transport.drain()
        hall.say(LOBBY, "while it is entered")
        hall.bus.slow = False
        hall.bus.answer()
        hall.say(ROOM, "afterwards")
        told = [each.data.get("content", each.type) for each in guest.frames]
        self.assertEqual(told[0], "JoinResMes")
        self.assertEqual(guest.frames[0].data["seq"], 1)
        self.assertEqual(guest.numbers(NAME), [2, 3])
        self.assertEqual(guest.numbers("#lobby"), [1, 2])

    def test_a_reply_that_comes_while_catching_up_brings_nothing_twice(self) -> None:
        for joins_first in (True, False):
            hall = Hall()
            guest = hall.guest(1, ROOM)
            begin_to_catch_up(hall, guest, ROOM)
            hall.clock.advance(0)
            hall.say(ROOM, "while the log is read")
            if not joins_first:
                hall.bus.slow = True
                hall.log.answer()
                hall.bus.slow = False
            guest.send("JoinMes", conversation=NAME)
            self.assertIn("JoinResMes", [each.type for each in guest.frames])
            hall.log.answer()
            hall.bus.answer()
            hall.say(ROOM, "afterwards")
            self.assertEqual(guest.numbers(NAME), [1, 2, 3], joins_first)

    def test_an_answer_is_owed_in_a_room_that_is_entered_meanwhile(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        guest.transport.fill_up()
        described = hall.log.one

        async def one(user_id: int, cid: str) -> Conversation:
            hall.say(cid, "mine", by=guest, client_id="c1")
            return await described(user_id, cid)

        hall.log.one = one  # type: ignore[method-assign]
        snapshot, _ = self.successResultOf(Deferred.fromCoroutine(enter_room(guest.session, ROOM)))
        guest.transport.drain()
        (answer,) = (each.data for each in guest.frames if each.type == "SmsResMes")
        self.assertEqual((snapshot.seq, answer["seq"], answer["duplicate"]), (1, 1, True))

    def test_what_happens_while_catching_up_is_told_behind_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.guest(2, ROOM)
        begin_to_catch_up(hall, guest, ROOM)
        hall.bus.slow = True
        for event in ("left", "joined"):
            hall.fanout.event(1, Event(event, ROOM))
        hall.log.answer()
        self.assertEqual(guest.contents(), [])
        hall.bus.slow = False
        for _ in range(3):
            hall.bus.answer()
        told = [each.data["gone"] for each in guest.frames if each.type == "ConversationMes"]
        self.assertEqual(told, [True, False])
        hall.say(ROOM, "heard")
        self.assertEqual(guest.numbers(NAME), [2])

    def test_of_rooms_that_one_is_taken_out_of_meanwhile_nothing_more_is_told(self) -> None:
        hall = Hall()
        rooms = ROOM, "r:bakers"
        guest = hall.guest(1, *rooms)
        hall.guest(2, *rooms)
        begin_to_catch_up(hall, guest, *rooms)
        for room in rooms:
            hall.fanout.event(1, Event("left", room))
            hall.say(room, "not for them any more")
        hall.log.slow = False
        hall.log.answer()
        self.assertEqual(guest.contents(), [])

    def test_nor_if_one_joins_them_again(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        hall.guest(2, ROOM)
        begin_to_catch_up(hall, guest, ROOM)
        hall.clock.advance(0)
        hall.fanout.event(1, Event("left", ROOM))
        guest.send("JoinMes", conversation=NAME)
        hall.log.answer()
        hall.say(ROOM, "afterwards")
        self.assertEqual(guest.numbers(NAME), [2])

    def test_falling_behind_again_while_catching_up(self) -> None:
        hall = Hall()
        guest = hall.guest(1, ROOM)
        begin_to_catch_up(hall, guest, ROOM)
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
