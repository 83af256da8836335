"""The client library against a server in memory: what a bot or a screen can rely on."""

import random
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat import messages as m
from chat.client.api import ChatClient, Closed, NotConnected, Refused
from chat.client.events import (
    ConnectionChanged,
    ConversationChanged,
    ConversationsListed,
    EpochChanged,
    ErrorArrived,
    Event,
    Failed,
    GapFilled,
    GapSkipped,
    LoggedIn,
    MessageArrived,
    MessageStateChanged,
    Position,
    PresenceChanged,
    Queued,
    ReceiptMoved,
    Sending,
    Stopped,
    Stored,
    Withdrawn,
)
from tests import fake_server
from tests.fake_server import FakeConnection, FakeNet, FakeServer

_T = TypeVar("_T")


class ApiCase(SynchronousTestCase):
    """Alice's client, on a clock of its own, at a fake server."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.server = FakeServer()
        self.net = FakeNet(self.server)
        self.events: list[Event] = []
        self.client = self.new_client()
        self.addCleanup(self.finish)

    def new_client(self, **options: Any) -> ChatClient:
        client = ChatClient(
            self.clock, endpoint=self.net, device="test", random=lambda: 0.0, **options
        )
        client.listen(self.events.append)
        return client

    def finish(self) -> None:
        self.done(self.client.close())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def start(self, work: Coroutine[Any, Any, _T]) -> "Deferred[_T]":
        started = Deferred.fromCoroutine(work)
        self.net.flush()
        return started

    def done(self, work: Coroutine[Any, Any, _T]) -> _T:
        result: _T = self.successResultOf(self.start(work))
        return result

    def refused(self, work: Coroutine[Any, Any, Any]) -> Refused:
        error: Refused = self.failureResultOf(self.start(work), Refused).value
        return error

    def log_in(self) -> None:
        self.done(self.client.log_in("alice", "wonderland"))
        self.net.flush()

    def advance(self, seconds: float) -> None:
        while seconds > 0:
            self.clock.advance(min(seconds, 1.0))
            self.net.flush()
            seconds -= 1.0

    def say(self, name: str, *contents: str) -> None:
        for content in contents:
            self.server.say(name, content)
        self.net.flush()

    def unheard(self, name: str, *contents: str) -> None:
        """Said while the push of it gets lost."""
        self.server.lose = lambda entry: True
        self.say(name, *contents)
        self.server.lose = lambda entry: False

    def of(self, kind: type[_T]) -> list[_T]:
        return [event for event in self.events if isinstance(event, kind)]

    def heard(self, name: str = "#lobby") -> list[str]:
        arrived = [event.entry for event in self.of(MessageArrived)]
        return [entry.content for entry in arrived if entry.conversation == name]


class LoginTest(ApiCase):
    def test_logging_in_gives_the_user_and_the_conversations(self) -> None:
        self.say("#lobby", "before")
        user = self.done(self.client.log_in("alice", "wonderland"))
        self.assertEqual((user.user_id, user.user_name), (100, "alice"))
        self.assertEqual(self.client.conversations["#lobby"].seq, 1)
        self.assertEqual(self.client.durability, "everysec")
        self.assertIn(ConversationsListed(), self.events)

    def test_by_id_or_by_name(self) -> None:
        self.done(self.client.log_in(100, "wonderland"))
        self.assertEqual(self.server.of(m.LoginMes)[0].user_id, 100)

    def test_a_wrong_password_is_refused_with_the_servers_words(self) -> None:
        error = self.refused(self.client.log_in("alice", "guess"))
        self.assertEqual((error.code, str(error)), (403, "wrong password"))
        self.assertIsInstance(self.client.state, Stopped)

    def test_after_a_refusal_one_can_try_again(self) -> None:
        self.refused(self.client.log_in("alice", "guess"))
        self.log_in()
        self.assertIsInstance(self.client.state, LoggedIn)

    def test_one_try_fails_at_once_when_nobody_answers(self) -> None:
        self.net.down = True
        login = self.start(self.client.log_in("alice", "wonderland", timeout=0))
        self.assertIn("refused", str(self.failureResultOf(login, NotConnected).value))
        self.assertIsInstance(self.client.state, Stopped)
        again = self.start(self.client.log_in("alice", "wonderland", timeout=0))
        self.failureResultOf(again, NotConnected)
        self.assertEqual(self.net.attempts, 2)

    def test_within_a_timeout_it_tries_again_and_again(self) -> None:
        self.net.down = True
        login = self.start(self.client.log_in("alice", "wonderland", timeout=10))
        self.advance(5)
        self.assertNoResult(login)
        self.net.down = False
        self.advance(1)
        self.successResultOf(login)

    def test_a_timeout_ends_the_tries(self) -> None:
        self.net.down = True
        login = self.start(self.client.log_in("alice", "wonderland", timeout=10))
        self.advance(11)
        self.failureResultOf(login, NotConnected)
        attempts = self.net.attempts
        self.advance(100)
        self.assertEqual(self.net.attempts, attempts)

    def test_registering_and_logging_in_use_one_connection(self) -> None:
        self.assertEqual(self.done(self.client.register("carol", "secret1")), 102)
        self.done(self.client.log_in("carol", "secret1"))
        self.assertEqual(self.net.attempts, 1)

    def test_a_name_that_is_taken_is_refused(self) -> None:
        self.assertEqual(self.refused(self.client.register("bob", "secret1")).code, 505)

    def test_coming_back_uses_the_token_and_the_password_is_forgotten(self) -> None:
        self.log_in()
        self.net.cut()
        self.advance(1)
        first, second = self.server.of(m.LoginMes)
        self.assertEqual((first.user_pwd, first.token), ("wonderland", ""))
        self.assertEqual((second.user_pwd, second.token), ("", "token-100"))
        self.assertEqual(self.client.token, "token-100")

    def test_the_servers_clock_is_known(self) -> None:
        self.clock.advance(7)
        self.log_in()
        self.assertAlmostEqual(self.client.clock_offset, -7)

    def test_closing_ends_what_waits_for_its_next_try(self) -> None:
        self.log_in()
        self.server.handlers[m.RoomsMes] = lambda c, r: m.RoomsResMes(code=503, retry_after=9)
        rooms = self.start(self.client.rooms())
        self.done(self.client.close())
        self.failureResultOf(rooms, Closed)

    def test_requests_without_a_login_say_so(self) -> None:
        self.failureResultOf(self.start(self.client.rooms()), NotConnected)

    def test_replaced_by_another_login_ends_everything_with_the_reason(self) -> None:
        self.log_in()
        waiting = self.start(anext(self.client.messages()))
        self.server.last.bye(409, "logged in elsewhere")
        self.net.flush()
        self.assertEqual(self.failureResultOf(waiting, Closed).value.code, 409)
        self.failureResultOf(self.start(self.client.rooms()), Closed)

    def test_logging_out_ends_the_session_for_good(self) -> None:
        self.log_in()
        self.done(self.client.log_out())
        self.advance(60)
        self.assertEqual((self.net.attempts, self.server.connections), (1, []))
        self.assertEqual(len(self.server.of(m.LogoutMes)), 1)

    def test_a_changed_password_gives_the_token_for_the_next_login(self) -> None:
        self.log_in()
        self.assertEqual(self.done(self.client.change_password("wonderland", "x" * 9)), "token-new")
        self.server.handlers[m.LoginMes] = lambda c, r: None
        self.net.cut()
        self.advance(1)
        self.assertEqual(self.server.of(m.LoginMes)[-1].token, "token-new")


class SendTest(ApiCase):
    def states(self) -> list[Any]:
        return [event.state for event in self.of(MessageStateChanged)]

    def test_a_message_goes_from_queued_to_stored(self) -> None:
        self.log_in()
        sent = self.client.send("#lobby", "hello")
        stored = self.done(sent.stored())
        self.assertEqual((stored.conversation, stored.seq), ("#lobby", 1))
        self.assertEqual(self.states(), [Queued(), Sending(), stored])
        self.assertEqual(self.client.outgoing, [])

    def test_ones_own_message_is_handed_out_at_its_place(self) -> None:
        self.log_in()
        self.say("#lobby", "one")
        self.done(self.client.send("#lobby", "two").stored())
        self.say("#lobby", "three")
        self.assertEqual(self.heard(), ["one", "two", "three"])
        self.assertEqual([event.mine for event in self.of(MessageArrived)], [False, True, False])

    def test_offline_it_waits_and_is_sent_in_order_after_the_login(self) -> None:
        for text in ("one", "two", "three"):
            self.client.send("#lobby", text)
        self.assertEqual({type(state) for state in self.states()}, {Queued})
        self.log_in()
        self.advance(1)
        self.assertEqual(self.heard(), ["one", "two", "three"])

    def test_an_answer_that_is_lost_makes_it_send_again_under_the_same_id(self) -> None:
        self.log_in()

        def store_and_say_nothing(connection: FakeConnection, request: m.SmsMes) -> None:
            fake_server.send(connection, request)

        self.server.handlers[m.SmsMes] = store_and_say_nothing
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        self.net.cut()
        del self.server.handlers[m.SmsMes]
        self.advance(2)
        self.assertIsInstance(sent.state, Stored)
        first, second = self.server.of(m.SmsMes)
        self.assertEqual(first.client_id, second.client_id)
        self.assertEqual(self.heard(), ["once"])

    def test_a_busy_server_is_asked_again_after_as_long_as_it_says(self) -> None:
        self.log_in()
        for code in (503, 429):
            self.server.handlers[m.SmsMes] = lambda c, r, code=code: m.SmsResMes(
                code, "later", client_id=r.client_id, retry_after=5
            )
            sent = self.client.send("#lobby", f"at last {code}")
            self.net.flush()
            tries = len(self.server.of(m.SmsMes))
            self.advance(4)
            self.assertEqual(len(self.server.of(m.SmsMes)), tries)
            del self.server.handlers[m.SmsMes]
            self.advance(2)
            self.assertIsInstance(sent.state, Stored)

    def test_an_unknown_fate_is_found_out_with_the_same_id(self) -> None:
        self.log_in()

        def unknown(connection: FakeConnection, request: m.SmsMes) -> m.SmsResMes:
            del self.server.handlers[m.SmsMes]
            fake_server.send(connection, request)
            return m.SmsResMes(504, "fate unknown", client_id=request.client_id)

        self.server.handlers[m.SmsMes] = unknown
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        self.assertEqual(sent.state, Sending())
        self.advance(2)
        self.assertIsInstance(sent.state, Stored)
        self.assertEqual(self.heard(), ["once"])

    def test_an_unknown_fate_that_turns_out_well_by_itself_is_believed(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(504, client_id=r.client_id)
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        request = self.server.of(m.SmsMes)[0]
        reply = fake_server.send(self.server.last, request)
        self.server.last.reply(reply, "1")
        self.net.flush()
        self.assertIsInstance(sent.state, Stored)
        self.assertEqual(self.heard(), ["once"])
        self.advance(3)
        self.assertEqual(len(self.server.of(m.SmsMes)), 1)

    def test_a_late_answer_and_the_answer_to_the_repetition_are_one_message(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(504, client_id=r.client_id)
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        self.advance(2)
        first, second = self.server.of(m.SmsMes)
        for request, request_id in ((first, "late"), (second, self.server.last.request_id)):
            self.server.last.reply(fake_server.send(self.server.last, request), request_id)
            self.net.flush()
            self.assertIsInstance(sent.state, Stored)
        self.assertEqual(self.heard(), ["once"])

    def test_a_message_that_comes_out_of_the_history_is_stored(self) -> None:
        self.log_in()

        def store_and_say_nothing(connection: FakeConnection, request: m.SmsMes) -> None:
            fake_server.send(connection, request)

        self.server.handlers[m.SmsMes] = store_and_say_nothing
        sent = self.client.send("#lobby", "mine")
        self.net.flush()
        self.say("#lobby", "next")
        self.assertEqual(self.heard(), ["mine", "next"])
        self.assertIsInstance(sent.state, Stored)
        self.assertEqual(self.client.outgoing, [])

    def test_waiting_for_a_message_ends_with_the_client(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        sent = self.client.send("#lobby", "hello")
        waiting = self.start(sent.stored())
        self.done(self.client.close())
        self.failureResultOf(waiting, Closed)
        self.assertEqual(self.client.outgoing, [sent])

    def test_refused_for_good_it_stays_and_can_be_retried_or_dropped(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(403, "you are muted")
        sent = self.client.send("#lobby", "hm")
        self.assertEqual(self.refused(sent.stored()).code, 403)
        self.assertEqual(sent.state, Failed(403, "you are muted"))
        self.assertEqual(self.client.outgoing, [sent])
        del self.server.handlers[m.SmsMes]
        self.assertTrue(self.client.retry(sent.outgoing.client_id))
        self.net.flush()
        self.assertIsInstance(sent.state, Stored)
        self.assertFalse(self.client.retry(sent.outgoing.client_id))

    def test_a_refused_message_does_not_stop_the_next(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: (
            m.SmsResMes(413, "too large") if r.content == "big" else fake_server.send(c, r)
        )
        self.client.send("#lobby", "big")
        self.client.send("#lobby", "small")
        self.net.flush()
        self.assertEqual(self.heard(), ["small"])

    def test_it_can_be_taken_back_while_it_was_not_sent(self) -> None:
        sent = self.client.send("#lobby", "oops")
        self.assertTrue(self.client.withdraw(sent.outgoing.client_id))
        self.assertEqual(sent.state, Withdrawn())
        self.assertEqual(self.refused(sent.stored()).code, 0)
        self.log_in()
        self.assertEqual(self.server.of(m.SmsMes), [])

    def test_it_cannot_be_taken_back_once_it_was_sent(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        sent = self.client.send("#lobby", "oops")
        self.assertFalse(self.client.withdraw(sent.outgoing.client_id))

    def test_text_that_is_no_utf8_is_refused_here(self) -> None:
        with self.assertRaises(ValueError):
            self.client.send("#lobby", "\ud800")
        self.assertEqual(self.client.outgoing, [])

    def test_a_slow_conversation_does_not_hold_up_another(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: (
            None if r.to == "#slow" else fake_server.send(c, r)
        )
        self.client.send("#slow", "waits")
        self.client.send("#lobby", "passes")
        self.net.flush()
        self.assertEqual(self.heard(), ["passes"])

    def test_a_pipeline_does_not_wait_for_each_answer(self) -> None:
        self.client = self.new_client(pipeline=8)
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        for number in range(10):
            self.client.send("#lobby", str(number))
        self.net.flush()
        self.assertEqual(len(self.server.of(m.SmsMes)), 8)

    def test_a_server_at_its_limit_is_not_flooded_with_what_it_refuses(self) -> None:
        self.log_in()
        accepted: list[float] = []
        refusals: list[float] = []

        def five_a_second(connection: FakeConnection, request: m.SmsMes) -> m.Message:
            now = self.clock.seconds()
            if len([at for at in accepted if at > now - 1]) >= 5:
                refusals.append(now)
                return m.SmsResMes(429, client_id=request.client_id, retry_after=0.2)
            accepted.append(now)
            return fake_server.send(connection, request)

        self.server.handlers[m.SmsMes] = five_a_second
        for number in range(60):
            self.client.send(f"#room{number % 20}", str(number))
        for _ in range(320):
            self.clock.advance(0.05)
            self.net.flush()
        self.assertEqual(len(accepted), 60)
        self.assertLess(len(refusals), 45)


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

    def test_a_server_too_busy_for_history_is_asked_again(self) -> None:
        self.log_in()
        self.server.handlers[m.HistoryMes] = lambda c, r: m.ErrorMes(429, "slow", retry_after=2)
        self.unheard("#lobby", "one")
        self.say("#lobby", "two")
        self.assertEqual(self.heard(), [])
        del self.server.handlers[m.HistoryMes]
        self.advance(3)
        self.assertEqual(self.heard(), ["one", "two"])

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


class IterationTest(ApiCase):
    def test_messages_of_others_come_one_by_one(self) -> None:
        self.log_in()
        messages = self.client.messages()
        self.say("#lobby", "one")
        self.done(self.client.send("#lobby", "mine").stored())
        self.server.say("#lobby", "Tea", kind="topic")
        waiting = [self.done(anext(messages)).content]
        later = self.start(anext(messages))
        self.say("#lobby", "two")
        self.assertEqual([*waiting, self.successResultOf(later).content], ["one", "two"])

    def test_own_messages_and_other_kinds_come_when_asked_for(self) -> None:
        self.log_in()
        messages = self.client.messages(own=True, every_kind=True)
        self.done(self.client.send("#lobby", "mine").stored())
        self.server.say("#lobby", "Tea", kind="topic")
        self.net.flush()
        self.assertEqual([self.done(anext(messages)).content for _ in range(2)], ["mine", "Tea"])

    def test_what_was_missed_is_there_for_who_asks_right_after_the_login(self) -> None:
        self.say("#lobby", "missed")
        self.client = self.new_client(missed=True)

        async def bot() -> str:
            await self.client.log_in("alice", "wonderland")
            async for message in self.client.messages():
                return message.content
            return ""

        self.assertEqual(self.done(bot()), "missed")

    def test_a_slow_reader_misses_nothing_and_keeps_no_more_than_the_limit(self) -> None:
        self.log_in()
        messages: Any = self.client.messages()
        messages._limit = 10
        said = [str(number) for number in range(500)]
        self.say("#lobby", *said[:300])
        self.say("@101", "aside")
        self.assertEqual(len(messages._entries), 10)
        heard = [self.done(anext(messages)).content for _ in range(250)]
        self.say("#lobby", *said[300:])
        heard += [self.done(anext(messages)).content for _ in range(251)]
        self.assertEqual([each for each in heard if each != "aside"], said)
        self.assertIn("aside", heard)
        self.say("#lobby", "live again")
        self.assertEqual(self.done(anext(messages)).content, "live again")

    def test_a_slow_reader_goes_back_as_far_as_a_new_epoch_says(self) -> None:
        self.log_in()
        messages: Any = self.client.messages()
        messages._limit = 1
        self.say("#lobby", *map(str, range(1, 301)))
        heard = [self.done(anext(messages)).content for _ in range(2)]
        self.server.places["#lobby"].roll_back(150, "e2")
        self.say("#lobby", "other 151", "other 152")
        heard += [self.done(anext(messages)).content for _ in range(201)]
        self.assertEqual(heard, [*map(str, range(1, 202)), "other 151", "other 152"])

    def test_it_ends_when_the_client_is_closed(self) -> None:
        self.log_in()

        async def bot() -> list[str]:
            return [message.content async for message in self.client.messages()]

        running = self.start(bot())
        self.say("#lobby", "one")
        self.done(self.client.close())
        self.assertEqual(self.successResultOf(running), ["one"])


class MarksTest(ApiCase):
    def acks(self) -> list[tuple[str, int | None, int | None]]:
        return [(a.conversation, a.delivered, a.read) for a in self.server.of(m.AckMes)]

    def test_what_was_handed_out_is_acknowledged_once_a_second_at_most(self) -> None:
        self.log_in()
        for number in range(30):
            self.say("#lobby", str(number))
            self.clock.advance(0.1)
            self.net.flush()
        self.advance(2)
        self.assertTrue(3 <= len(self.acks()) <= 5, self.acks())
        self.assertEqual(self.acks()[-1], ("#lobby", 30, None))

    def test_conversations_do_not_wait_for_one_another(self) -> None:
        self.log_in()
        self.say("#lobby", "one")
        self.clock.advance(0.01)
        self.say("#lobby", "two")
        self.say("@101", "hello")
        self.clock.advance(0.01)
        self.net.flush()
        self.assertEqual([each[0] for each in self.acks()], ["#lobby", "@101"])

    def test_reading_moves_the_mark_and_the_conversation(self) -> None:
        self.log_in()
        self.say("#lobby", "one", "two")
        self.client.mark_read("#lobby", 1)
        self.client.mark_read("#lobby")
        self.client.mark_read("#lobby", 1)
        self.advance(2)
        self.assertEqual(self.acks()[-1][2], 2)
        self.assertEqual(self.client.conversations["#lobby"].read, 2)

    def test_what_is_due_is_sent_before_closing(self) -> None:
        self.log_in()
        self.say("#lobby", "one")
        self.done(self.client.close())
        self.assertEqual(self.acks(), [("#lobby", 1, None)])

    def test_a_mark_that_the_server_did_not_get_is_sent_after_the_next_login(self) -> None:
        self.log_in()
        self.say("#lobby", "one")
        self.net.cut()
        self.advance(2)
        self.assertEqual(self.acks(), [("#lobby", 1, None)])

    def test_a_reader_who_wants_no_marks_moved_moves_none(self) -> None:
        self.client = self.new_client(acknowledge=False)
        self.log_in()
        self.say("#lobby", "one")
        self.advance(2)
        self.assertEqual(self.acks(), [])


class RequestTest(ApiCase):
    def test_history_pages_both_ways(self) -> None:
        self.say("#lobby", *map(str, range(1, 10)))
        self.log_in()
        page = self.done(self.client.history("#lobby", limit=3))
        self.assertEqual([entry.seq for entry in page.entries], [7, 8, 9])
        self.assertTrue(page.more)
        page = self.done(self.client.history("#lobby", before=7, limit=10))
        self.assertEqual([entry.seq for entry in page.entries], [1, 2, 3, 4, 5, 6])
        self.assertFalse(page.more)
        page = self.done(self.client.history("#lobby", after=2, limit=2))
        self.assertEqual([entry.seq for entry in page.entries], [3, 4])
        self.assertEqual({entry.conversation for entry in page.entries}, {"#lobby"})

    def test_history_of_what_does_not_exist_is_refused(self) -> None:
        self.log_in()
        self.assertEqual(self.refused(self.client.history("#nowhere")).code, 404)

    def test_everybody_online_is_paged_and_is_true_at_the_end(self) -> None:
        for number in range(200, 210):
            self.server.users[number] = m.User(number, f"user{number}x", 0)
        self.server.page = 4
        self.log_in()
        pages = 0

        def page_and_change(connection: FakeConnection, request: m.OnlineMes) -> m.Message:
            nonlocal pages
            pages += 1
            if pages == 2:
                connection.reply(m.PresenceMes((m.User(100, "alice", 2), m.User(101, "bob", 1))))
            return fake_server._online(connection, request)

        self.server.handlers[m.OnlineMes] = page_and_change
        users = self.done(self.client.online())
        self.assertEqual([user.user_id for user in users], [100, *range(200, 210)])
        self.assertEqual(users[0].user_status, 2)

    def test_no_more_pages_of_who_is_online_are_asked_for_than_are_enough(self) -> None:
        for number in range(200, 300):
            self.server.users[number] = m.User(number, f"user{number}x", 0)
        self.server.page = 4
        self.log_in()
        self.assertEqual(len(self.done(self.client.online(enough=9))), 12)
        self.assertEqual(len(self.done(self.client.online(enough=8))), 8)
        self.assertGreater(len(self.done(self.client.online())), 100)

    def test_joining_follows_the_room_and_leaving_ends_it(self) -> None:
        self.log_in()
        self.server.place("#tea").append(self.server.users[101], "old")
        joined = self.done(self.client.join("#tea", "all about it"))
        self.assertEqual((joined.seq, joined.topic), (1, "all about it"))
        self.say("#tea", "new")
        self.assertEqual(self.heard("#tea"), ["new"])
        self.done(self.client.leave("#tea"))
        self.assertNotIn("#tea", self.client.conversations)

    def test_what_the_screen_watches_and_the_status_are_said_again_after_a_reconnect(self) -> None:
        self.log_in()
        self.done(self.client.watch([101, 102]))
        self.done(self.client.set_status(busy=True))
        self.net.cut()
        self.advance(1)
        self.assertEqual([each.users for each in self.server.of(m.WatchMes)], [(101, 102)] * 2)
        self.assertEqual([each.status for each in self.server.of(m.StatusMes)], [2, 2])

    def test_a_request_that_loses_its_connection_has_an_unknown_fate(self) -> None:
        self.log_in()
        self.server.handlers[m.TopicMes] = lambda c, r: None
        topic = self.start(self.client.set_topic("#lobby", "Tea"))
        self.net.cut()
        self.assertIn("lost", self.failureResultOf(topic).getErrorMessage())

    def test_pushes_become_events(self) -> None:
        self.log_in()
        connection = self.server.last
        connection.reply(m.PresenceMes((m.User(101, "bob", 1),), "all", True))
        connection.reply(m.ReceiptMes("@101", 101, "e1", 4, 3))
        connection.reply(m.ErrorMes(400, "what?", "AckMes"))
        connection.reply(m.ConversationMes("#lobby", gone=True))
        self.net.flush()
        self.assertIn(PresenceChanged((m.User(101, "bob", 1),), "all", True), self.events)
        self.assertIn(ReceiptMoved("@101", 101, "e1", 4, 3), self.events)
        self.assertIn(ErrorArrived(400, "what?", "AckMes"), self.events)
        self.assertEqual(dict(self.client.conversations), {})

    def test_a_type_that_is_not_known_here_is_ignored(self) -> None:
        self.log_in()
        self.server.last.transport.write(fake_server.codec.frame(b'{"type":"NewMes","data":"{}"}'))
        self.say("#lobby", "one")
        self.assertEqual(self.heard(), ["one"])

    def test_marks_of_another_device_move_here_and_never_back(self) -> None:
        self.log_in()
        self.say("#lobby", "one", "two")
        self.client.mark_read("#lobby")
        self.server.last.reply(m.ConversationMes("#lobby", "e1", 1, 2, 1, 1, 1, "Tea"))
        self.net.flush()
        found = self.client.conversations["#lobby"]
        self.assertEqual((found.topic, found.read, found.seq), ("Tea", 2, 2))

    def test_a_number_ahead_of_its_push_is_no_hole(self) -> None:
        self.log_in()
        self.server.last.reply(m.ConversationMes("#lobby", "e1", 1, 1, 1))
        self.say("#lobby", "one")
        self.assertEqual(self.server.of(m.HistoryMes), [])
        self.assertEqual(self.heard(), ["one"])


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
