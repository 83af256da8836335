"""The client library hands out every message once and in order, whatever gets lost."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from twisted.trial.unittest import SynchronousTestCase

from chat import messages as m
from chat.client.api import Refused
from chat.client.delivery.track import FRUITLESS
from chat.client.events import (
    ConnectionChanged,
    ConversationChanged,
    EpochChanged,
    Event,
    GapFilled,
    GapSkipped,
    MessageArrived,
    Position,
    Stopped,
    Stored,
)
from tests import fake_server
from tests.api_case import ApiCase
from tests.fake_server import FakeConnection


class HandingOutTest(ApiCase):
    def test_a_lost_push_is_fetched_before_the_next_is_handed_out(self) -> None:
        self.log_in()
        self.say("#lobby", "one")
        self.unheard("#lobby", "two", "three")
        self.say("#lobby", "four")
        self.assertEqual(self.heard(), ["one", "two", "three", "four"])
        self.assertEqual(self.of(GapFilled), [GapFilled("#lobby", 2, 3)])

    def test_what_was_said_before_the_first_login_is_history(self) -> None:
        self.say("#lobby", "old")
        self.log_in()
        self.say("#lobby", "new")
        self.assertEqual(self.heard(), ["new"])

    def test_what_was_said_while_the_connection_was_gone_follows(self) -> None:
        self.log_in()
        self.say("#lobby", "one")
        self.net.cut()
        self.say("#lobby", *[str(number) for number in range(500)])
        self.say("#new room", "first")
        self.advance(1)
        self.say("#lobby", "last")
        self.assertEqual(self.heard(), ["one", *map(str, range(500)), "last"])

    def test_a_device_goes_on_where_it_was(self) -> None:
        self.say("#lobby", "one", "two", "three")
        self.client = self.new_client(positions={"#lobby": Position("e1", 1)})
        self.log_in()
        self.assertEqual(self.heard(), ["two", "three"])
        self.assertEqual(self.client.positions, {"#lobby": Position("e1", 3)})

    def test_what_is_pushed_before_its_conversation_is_listed_is_handed_out(self) -> None:
        def listed(connection: FakeConnection, request: m.ConversationsMes) -> m.Message:
            self.server.say("#room", "while the list is read")
            return fake_server.conversations(connection, request)

        self.say("#room", "before")
        self.server.listed_at_login = 1
        self.server.handlers[m.ConversationsMes] = listed
        for missed, heard in ((False, 1), (True, 3)):
            self.events.clear()
            self.client = self.new_client(missed=missed)
            self.log_in()
            self.assertEqual(self.heard("#room")[-1], "while the list is read")
            self.assertEqual(len(self.heard("#room")), heard)
            self.done(self.client.close())

    def test_nor_is_it_when_that_is_so_after_a_lost_connection(self) -> None:
        def listed(connection: FakeConnection, request: m.ConversationsMes) -> m.Message:
            self.server.say("#new", "while the list is read")
            return fake_server.conversations(connection, request)

        self.client = self.new_client(missed=True)
        self.server.listed_at_login = 1
        self.log_in()
        self.net.cut()
        self.say("#new", "one", "two")
        self.server.handlers[m.ConversationsMes] = listed
        self.advance(2)
        self.assertEqual(self.heard("#new"), ["one", "two", "while the list is read"])

    def test_who_comes_again_to_a_room_does_not_go_on_where_they_left_it(self) -> None:
        self.say("#room", "one", "two")
        self.client = self.new_client(positions={"#room": Position("e1", 1)})
        self.log_in()
        self.server.last.reply(m.ConversationMes(conversation="#room", gone=True))
        self.unheard("#room", "said while they were not in it")
        joined = self.server.place("#room").conversation()
        self.server.last.reply(m.ConversationMes(**asdict(joined)))
        self.say("#room", "four")
        self.assertEqual(self.heard("#room"), ["two", "four"])

    def test_who_wants_what_was_missed_gets_it_from_the_delivered_mark_on(self) -> None:
        self.say("#lobby", "one", "two")
        self.client = self.new_client(missed=True)
        self.log_in()
        self.assertEqual(self.heard(), ["one", "two"])

    def test_more_than_wanted_is_left_to_history(self) -> None:
        self.say("#lobby", *map(str, range(1, 101)))
        self.client = self.new_client(positions={"#lobby": Position("e1", 0)}, fill_limit=2)
        self.log_in()
        self.assertEqual(self.heard(), ["99", "100"])
        self.assertEqual(self.of(GapSkipped), [GapSkipped("#lobby", 1, 98, kept=True)])

    def test_a_conversation_that_begins_is_followed_from_its_first_message(self) -> None:
        self.log_in()
        self.unheard("@101", "psst")
        self.say("@101", "are you there?")
        self.assertEqual(self.heard("@101"), ["psst", "are you there?"])
        self.assertEqual(self.client.conversations["@101"].user_name, "bob")

    def test_all_conversations_are_known_even_when_there_are_more_than_a_login_lists(self) -> None:
        self.server.listed_at_login = 2
        for number in range(7):
            self.say(f"#room{number}", "old")
        self.log_in()
        self.assertEqual(len(self.client.conversations), 8)
        self.unheard("#room6", "lost")
        self.say("#room6", "new")
        self.assertEqual(self.heard("#room6"), ["lost", "new"])

    def moving(self, name: str, content: str) -> None:
        """Somebody writes while the next list is read: that conversation moves to its front."""

        def conversations(connection: FakeConnection, request: m.ConversationsMes) -> m.Message:
            del self.server.handlers[m.ConversationsMes]
            places = self.server.places
            lobby, moved = places.pop("#lobby"), places.pop(name)
            self.server.places = {"#lobby": lobby, name: moved, **places}
            self.server.say(name, content)
            return fake_server.conversations(connection, request)

        self.server.handlers[m.ConversationsMes] = conversations

    def test_what_is_said_in_a_conversation_while_the_list_is_read_makes_it_no_new_one(
        self,
    ) -> None:
        self.server.listed_at_login = 2
        for number in range(101, 107):
            self.say(f"@{number}", "old")
        self.moving("@105", "new")
        self.log_in()
        self.assertEqual(self.heard("@105"), ["new"])
        self.assertEqual(len(self.client.conversations), 7)

    def test_nor_is_it_gone_where_something_was_missed_before_it(self) -> None:
        self.server.listed_at_login = 3
        for number in range(101, 107):
            self.say(f"@{number}", "old")
        self.log_in()
        self.net.cut()
        self.unheard("@105", "missed")
        self.moving("@105", "new")
        self.advance(1)
        self.assertEqual(self.heard("@105"), ["missed", "new"])
        self.assertEqual(
            [each for each in self.of(ConversationChanged) if each.conversation.gone], []
        )

    def test_a_list_is_read_however_long_the_store_was_away(self) -> None:
        self.server.listed_at_login = 2
        for number in range(5):
            self.say(f"#room{number}", "old")
        away = m.ErrorMes(503, "the store is away", retry_after=1)
        self.server.handlers[m.ConversationsMes] = lambda c, r: away
        self.log_in()
        every = self.start(self.client.all_conversations())
        self.advance(60)
        self.assertNoResult(every)
        del self.server.handlers[m.ConversationsMes]
        self.advance(20)
        self.assertEqual(len(self.successResultOf(every)), 6)

    def test_a_list_that_is_refused_keeps_nobody_waiting_and_makes_nothing_gone(self) -> None:
        self.server.listed_at_login = 2
        for number in range(5):
            self.say(f"#room{number}", "old")
        self.log_in()
        self.server.handlers[m.ConversationsMes] = lambda c, r: m.ErrorMes(400, "no such request")
        self.net.cut()
        self.advance(1)
        self.assertEqual(len(self.done(self.client.all_conversations())), 6)
        self.say("@101", "hello", "are you there?")
        self.assertEqual(self.heard("@101"), ["hello", "are you there?"])

    def test_a_list_that_a_lost_connection_interrupted_makes_nothing_gone(self) -> None:
        self.server.listed_at_login = 2
        for number in range(5):
            self.say(f"#room{number}", "old")
        self.log_in()
        whole = dict(self.client.conversations)
        self.net.cut()
        answer = self.server.handlers
        answer[m.ConversationsMes] = lambda c, r: (
            m.ErrorMes(503, "the store is away", retry_after=3)
            if r.after == "#room2"
            else fake_server.conversations(c, r)
        )
        self.advance(2)  # the second page is to be asked for again
        self.net.cut()
        answer[m.ConversationsMes] = lambda c, r: (
            None if r.after == "#room0" else fake_server.conversations(c, r)
        )
        self.events.clear()
        self.advance(5)
        self.assertEqual(self.client.conversations, whole)
        self.assertEqual(self.of(ConversationChanged), [])

    def test_a_room_that_is_gone_after_an_absence_is_gone_here(self) -> None:
        self.say("#old", "x")
        self.log_in()
        del self.server.places["#old"]
        self.net.cut()
        self.advance(1)
        self.assertNotIn("#old", self.client.conversations)
        gone = [event.conversation for event in self.of(ConversationChanged)][-1]
        self.assertEqual((gone.conversation, gone.gone), ("#old", True))

    def test_a_rollback_seen_at_login_takes_back_and_fetches_anew(self) -> None:
        self.log_in()
        self.say("#lobby", "one", "two", "lost")
        self.net.cut()
        self.server.places["#lobby"].roll_back(2, "e2")
        self.say("#lobby", "other")
        self.advance(1)
        self.assertEqual(self.heard(), ["one", "two", "lost", "other"])
        self.assertEqual(self.of(EpochChanged), [EpochChanged("#lobby", "e2", 3)])
        self.assertEqual(self.client.conversations["#lobby"].epoch, "e2")
        self.assertEqual(self.client.positions["#lobby"], Position("e2", 3))

    def test_a_rollback_seen_in_a_push_takes_back_and_fetches_anew(self) -> None:
        self.log_in()
        self.say("#lobby", "one", "two", "lost")
        self.server.places["#lobby"].roll_back(2, "e2")
        self.say("#lobby", "three", "four")
        self.assertEqual(self.heard(), ["one", "two", "lost", "three", "four"])
        self.assertEqual(len(self.of(EpochChanged)), 1)

    def test_a_rollback_seen_in_the_answer_to_ones_own_message(self) -> None:
        self.log_in()
        self.say("#lobby", "one", "lost")
        self.server.places["#lobby"].roll_back(1, "e2")
        self.done(self.client.send("#lobby", "mine").stored())
        self.net.flush()
        self.assertEqual(self.heard(), ["one", "lost", "mine"])
        self.assertEqual(self.of(EpochChanged), [EpochChanged("#lobby", "e2", 2)])

    def test_a_conversation_that_a_rollback_undid_is_forgotten_and_begins_anew(self) -> None:
        self.log_in()
        self.say("@101", "one", "two")
        del self.server.places["@101"]
        asked = self.start(self.client.history("@101"))
        self.failureResultOf(asked, Refused)
        self.assertNotIn("@101", self.client.conversations)
        self.assertNotIn("@101", self.client.positions)
        self.server.place("@101").epoch = "e2"
        self.say("@101", "anew")
        self.assertEqual(self.heard("@101"), ["one", "two", "anew"])
        self.assertEqual(self.client.positions["@101"], Position("e2", 1))

    def test_a_hole_in_a_conversation_that_is_gone_is_given_up_with_it(self) -> None:
        self.log_in()
        self.say("@101", "one")
        self.unheard("@101", "two")
        late = self.server.place("@101").append(self.server.users[101], "three")
        del self.server.places["@101"]
        self.server.deliver(late)
        self.net.flush()
        self.assertEqual(self.heard("@101"), ["one"])
        self.assertNotIn("@101", self.client.conversations)

    def test_a_hole_is_closed_in_a_room_that_was_left_and_joined_while_another_was(self) -> None:
        self.say("#room", "old")
        self.log_in()
        answers = []
        self.server.handlers[m.HistoryMes] = lambda c, r: answers.append((c.request_id, r))
        self.unheard("#room", "lost")
        self.say("#room", "found")
        self.done(self.client.leave("#room"))
        self.done(self.client.join("#room"))
        del self.server.handlers[m.HistoryMes]
        self.unheard("#room", "lost again")
        self.say("#room", "found again")
        for request_id, _ in answers:
            self.server.last.reply(m.HistoryResMes(code=403, error="no member"), request_id)
        self.net.flush()
        self.assertEqual(self.heard("#room"), ["lost again", "found again"])

    def test_a_server_too_busy_for_history_is_asked_again(self) -> None:
        self.log_in()
        self.server.handlers[m.HistoryMes] = lambda c, r: m.ErrorMes(429, "slow", retry_after=2)
        self.unheard("#lobby", "one")
        self.say("#lobby", "two")
        self.assertEqual(self.heard(), [])
        del self.server.handlers[m.HistoryMes]
        self.advance(3)
        self.assertEqual(self.heard(), ["one", "two"])

    def test_a_server_that_keeps_back_what_it_announced_is_not_asked_in_a_hurry(self) -> None:
        self.log_in()
        self.server.handlers[m.HistoryMes] = lambda c, r: m.HistoryResMes(epoch="e1", first=1)
        self.unheard("#lobby", "one")
        self.say("#lobby", "two")
        for asked in range(1, FRUITLESS):
            self.assertEqual((len(self.server.of(m.HistoryMes)), self.heard()), (asked, []))
            self.advance(1)
        self.assertEqual(len(self.server.of(m.HistoryMes)), FRUITLESS)
        self.assertEqual(self.heard(), ["two"])
        self.assertEqual(self.of(GapSkipped), [GapSkipped("#lobby", 1, 1, False)])

    def test_a_hole_is_closed_however_long_the_store_was_away(self) -> None:
        self.log_in()
        for answer in (m.HistoryResMes(code=503, error="the store is away"), None):
            self.server.handlers[m.HistoryMes] = lambda c, r, answer=answer: answer
            self.unheard("#lobby", "one")
            self.say("#lobby", "two")
            self.advance(100)
            self.assertEqual(self.heard(), [])
            del self.server.handlers[m.HistoryMes]
            self.advance(40)
            self.assertEqual(self.heard(), ["one", "two"])
            self.events.clear()

    def test_what_comes_while_a_hole_is_filled_makes_no_further_request(self) -> None:
        self.log_in()
        self.server.handlers[m.HistoryMes] = lambda c, r: None
        self.unheard("#lobby", "one")
        self.say("#lobby", "two", "three", "four")
        self.assertEqual(len(self.server.of(m.HistoryMes)), 1)

    def test_a_hundred_holes_are_fetched_a_few_at_a_time(self) -> None:
        for number in range(100):
            self.say(f"#room{number}", "old")
        self.log_in()
        self.server.handlers[m.HistoryMes] = lambda c, r: None
        for number in range(100):
            self.unheard(f"#room{number}", "lost")
            self.say(f"#room{number}", "new")
        self.assertLessEqual(len(self.server.of(m.HistoryMes)), 4)

    def test_kinds_and_redactions_are_handed_out_as_they_are(self) -> None:
        self.log_in()
        self.server.say("#lobby", "Tea", kind="topic")
        self.server.say("#lobby", "?", kind="something new")
        self.net.flush()
        kinds = [event.entry.kind for event in self.of(MessageArrived)]
        self.assertEqual(kinds, ["topic", "something new"])
        self.assertEqual(self.client.conversations["#lobby"].topic, "Tea")

    def test_a_listener_that_fails_harms_nobody(self) -> None:
        def broken(event: Event) -> None:
            raise RuntimeError("broken listener")

        stop = self.client.listen(broken)
        self.client.listen(self.events.append)
        self.log_in()
        self.say("#lobby", "one")
        stop()
        self.assertEqual(self.heard(), ["one", "one"])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))

    def test_who_stopped_listening_hears_nothing(self) -> None:
        heard: list[Event] = []
        stop = self.client.listen(heard.append)
        stop()
        stop()
        self.log_in()
        self.assertEqual(heard, [])


STEPS = st.lists(
    st.sampled_from(["say", "lose", "send", "cut", "refuse", "mute", "works", "wait", "roll back"]),
    max_size=40,
)


class AnythingTest(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(STEPS, st.integers(0, 2**32))
    def test_whatever_fails_everything_ends_as_on_the_server(
        self, steps: list[str], seed: int
    ) -> None:
        case = ApiCase()
        case.setUp()
        case.log_in()
        chance = random.Random(seed)
        sent = []

        def mute(connection: FakeConnection, request: m.SmsMes) -> None:
            if chance.random() < 0.5:
                fake_server.send(connection, request)

        for step in steps:
            match step:
                case "say":
                    case.say("#lobby", f"said {chance.random()}")
                case "lose":
                    case.unheard("#lobby", f"lost {chance.random()}")
                case "send":
                    sent.append(case.client.send("#lobby", f"mine {chance.random()}"))
                case "cut":
                    case.net.cut()
                case "refuse":
                    case.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(503, "no")
                case "mute":
                    case.server.handlers[m.SmsMes] = mute
                case "works":
                    case.server.handlers.clear()
                case "wait":
                    case.advance(chance.random() * 5)
                case "roll back":
                    self.roll_back(case)
        case.server.handlers.clear()
        case.advance(60)
        case.net.cut()
        case.advance(60)
        self.judge(case)
        self.assertTrue(all(isinstance(each.state, Stored) for each in sent))
        self.assertEqual(len(case.server.of(m.LoginMes)), case.net.attempts)
        case.finish()

    def roll_back(self, case: ApiCase) -> None:
        """The last entry is lost; one that was ours is forgotten together with its id."""
        place = case.server.places["#lobby"]
        if place.seq and place.epoch == "e1":
            place.roll_back(place.seq - 1, "e2")
            case.server.known = {
                key: entry for key, entry in case.server.known.items() if entry.seq <= place.seq
            }

    def judge(self, case: ApiCase) -> None:
        kept: list[m.Entry] = []
        for event in case.events:
            match event:
                case MessageArrived(entry):
                    self.assertEqual(entry.seq, len(kept) + 1)
                    kept.append(entry)
                case EpochChanged(_, _, first):
                    del kept[first - 1 :]
                case GapSkipped() | ConnectionChanged(Stopped()):
                    self.fail(f"{event}")
                case _:
                    pass
        log = case.server.places["#lobby"].entries
        self.assertEqual([e.content for e in kept], [e.content for e in log])
        mine = [e.content for e in log if e.user_id == 100]
        self.assertEqual(len(mine), len(set(mine)))
