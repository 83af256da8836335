"""The client library sends: each message once, whatever fails, and its state is known."""

from typing import Any
from unittest.mock import patch

from chat import messages as m
from chat.client.api import Closed, Refused
from chat.client.delivery.outbox import FORGOTTEN_AFTER
from chat.client.delivery.sender import AT_A_TIME
from chat.client.events import (
    Failed,
    MessageArrived,
    MessageStateChanged,
    Queued,
    Sending,
    Stored,
    Withdrawn,
)
from chat.codec import FRAME_LIMIT, ID_LIMIT, LENGTH_SIZE, encode
from tests import fake_server
from tests.api_case import ApiCase
from tests.fake_server import FakeConnection


class SendTest(ApiCase):
    def states(self) -> list[Any]:
        return [event.state for event in self.of(MessageStateChanged)]

    def test_a_message_goes_from_queued_to_stored(self) -> None:
        self.log_in()
        sent = self.client.send("#lobby", "hello", "my-own")
        stored = self.done(sent.stored())
        self.assertEqual(repr(sent), f"<SentMessage my-own to #lobby: {stored}>")
        self.assertEqual((stored.conversation, stored.seq), ("#lobby", 1))
        self.assertEqual(self.states(), [Queued(), Sending(), stored])
        self.assertEqual(self.client.outgoing, [])

    def test_an_answer_goes_out_as_one_and_is_handed_out_as_one(self) -> None:
        self.log_in()
        self.assertIn("reply", self.client.features)
        self.say("#lobby", "who is there?")
        self.done(self.client.send("#lobby", "I am", reply=1).stored())
        self.server.say("#lobby", "me too", reply=2)
        self.done(self.client.send("#lobby", "to nobody").stored())
        self.assertEqual([each.reply for each in self.server.of(m.SmsMes)], [1, 0])
        arrived = [event.entry for event in self.of(MessageArrived)]
        self.assertEqual([(each.content, each.reply) for each in arrived], [
            ("who is there?", 0), ("I am", 1), ("me too", 2), ("to nobody", 0),
        ])  # fmt: skip
        page = self.done(self.client.history("#lobby"))
        self.assertEqual([each.reply for each in page.entries], [0, 1, 2, 0])

    def test_an_answer_that_is_sent_again_answers_what_it_did(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
        self.client.send("#lobby", "once", reply=7)
        self.net.flush()
        self.net.cut()
        del self.server.handlers[m.SmsMes]
        self.advance(2)
        self.assertEqual([each.reply for each in self.server.of(m.SmsMes)], [7, 7])
        (arrived,) = self.of(MessageArrived)
        self.assertEqual((arrived.entry.content, arrived.entry.reply), ("once", 7))

    def test_what_is_no_number_of_a_message_is_not_answered(self) -> None:
        for reply in (-1, m.LARGEST + 1):
            with self.assertRaises(ValueError):
                self.client.send("#lobby", "x", reply=reply)
        self.assertEqual(self.client.outgoing, [])
        self.client.send("#lobby", "x", reply=m.LARGEST)

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

        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        self.net.cut()
        del self.server.handlers[m.SmsMes]
        self.advance(2)
        self.assertIsInstance(sent.state, Stored)
        first, second = self.server.of(m.SmsMes)
        self.assertEqual(first.client_id, second.client_id)
        self.assertEqual(self.heard(), ["once"])

    def test_what_the_server_may_have_forgotten_is_not_repeated_after_a_long_absence(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        lost = self.client.send("@101", "lost")
        self.net.flush()
        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
        stored = self.client.send("#lobby", "once")
        self.net.flush()
        del self.server.handlers[m.SmsMes]
        self.net.down = True
        self.net.cut()
        self.clock.advance(FORGOTTEN_AFTER + 60)
        self.server.known.clear()
        late = self.client.send("#other", "written meanwhile")
        self.net.down = False
        self.advance(60)
        assert isinstance(lost.state, Failed)
        self.assertEqual(lost.state.code, 504)
        self.assertIsInstance(stored.state, Stored)
        self.assertIsInstance(late.state, Stored)
        self.assertEqual(self.heard(), ["once"])
        self.assertTrue(self.client.retry(lost.outgoing.client_id))
        self.net.flush()
        self.assertIsInstance(lost.state, Stored)

    def test_what_was_written_long_ago_is_repeated_soon_after_its_first_try(self) -> None:
        self.net.down = True
        old = self.client.send("#lobby", "old")
        self.clock.advance(FORGOTTEN_AFTER + 60)
        self.net.down = False
        self.server.handlers[m.SmsMes] = lambda c, r: None
        self.log_in()
        del self.server.handlers[m.SmsMes]
        self.net.cut()
        self.advance(5)
        self.assertIsInstance(old.state, Stored)

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

    def test_a_wait_below_nothing_is_none(self) -> None:
        """The reactor takes no such time; the clock of these tests does."""
        self.assertEqual(Refused(503, retry_after=-1).retry_after, 0)

    def test_what_goes_wrong_here_is_not_tried_again_without_a_pause(self) -> None:
        self.log_in()
        tries = []

        async def fail(message: m.SmsMes) -> m.SmsResMes:
            tries.append(message)
            raise ZeroDivisionError

        with patch.object(self.client._session.sender, "_ask", fail):
            self.client.send("#lobby", "at last")
            self.advance(0.5)
            self.assertEqual(len(tries), 1)
            self.advance(1)
            self.assertEqual(len(tries), 2)
        self.advance(2)
        self.assertEqual(self.heard(), ["at last"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_what_is_no_text_is_asked_by_nobody_and_waited_for_by_nobody(self) -> None:
        self.log_in()
        with self.assertRaises(UnicodeEncodeError):
            self.client.send("#\udcff", "x")
        failed = self.start(self.client.set_topic("#lobby", "\udcff"))
        self.failureResultOf(failed, UnicodeEncodeError)
        self.assertEqual(self.server.of(m.SmsMes) + self.server.of(m.TopicMes), [])

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

        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
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
        self.assertFalse(self.client.retry(sent.outgoing.client_id), "it has not failed")

    def test_a_message_that_is_not_there_is_neither_taken_back_nor_retried(self) -> None:
        self.assertFalse(self.client.withdraw("id-of-nothing"))
        self.assertFalse(self.client.retry("id-of-nothing"))

    def test_an_id_that_no_server_takes_is_refused_here(self) -> None:
        with self.assertRaises(ValueError):
            self.client.send("#lobby", "hello", client_id="two words")
        self.assertEqual(self.client.outgoing, [])

    def test_the_answer_to_a_message_that_is_not_there_changes_nothing(self) -> None:
        self.log_in()
        self.server.last.reply(m.SmsResMes(200, "", "id-of-nothing", "#lobby", "1.aa", 1, 1, 1), "")
        self.net.flush()
        self.assertEqual((self.client.outgoing, self.heard()), ([], []))
        self.assertEqual(self.flushLoggedErrors(), [])

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

    def test_two_messages_under_one_id_are_one(self) -> None:
        one, two = (self.client.send("#lobby", "once", client_id="id-1") for _ in range(2))
        self.assertIs(one, two)
        self.log_in()
        self.advance(1)
        self.assertEqual(self.heard(), ["once"])

    def test_a_late_refusal_is_no_proof_that_it_was_stored(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(504, client_id=r.client_id)
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        name = sent.outgoing.client_id
        self.server.last.reply(m.SmsResMes(503, "away", client_id=name), "1")
        self.net.flush()
        self.assertEqual(sent.state, Sending())
        del self.server.handlers[m.SmsMes]
        self.advance(2)
        self.assertEqual(self.heard(), ["once"])

    def test_a_refusal_behind_the_acceptance_takes_nothing_back(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        sent = self.client.send("#lobby", "once")
        self.net.flush()
        connection, name = self.server.last, sent.outgoing.client_id
        asked = connection.request_id
        stored = m.SmsResMes(200, "", name, "#lobby", "1.aa", 1, 1, 1)
        connection.reply(stored, "of the request before")
        connection.reply(m.SmsResMes(403, "muted since", name), asked)
        self.net.flush()
        self.assertIsInstance(sent.state, Stored)
        self.assertEqual(self.client.outgoing, [])

    def test_a_message_longer_than_usual_is_tried_once_before_it_is_given_up(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        # Under the short request ids of a test all of it fits, under the longest just this much.
        empty = encode(m.SmsMes("", "#room0", "c" * 32), "1" * ID_LIMIT)
        most = FRAME_LIMIT - (len(empty) - LENGTH_SIZE)
        usual, longer = (self.client.send(f"#room{more}", "x" * (most + more)) for more in (0, 1))
        self.net.flush()
        self.assertEqual(len(self.server.of(m.SmsMes)), 2)
        self.net.cut()
        self.advance(5)
        self.assertEqual([each.to for each in self.server.of(m.SmsMes)[2:]], ["#room0"])
        self.assertEqual(usual.state, Sending())
        assert isinstance(longer.state, Failed)
        self.assertEqual(longer.state.code, 413)

    def test_after_a_moment_of_the_stores_nothing_is_slow(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(503, client_id=r.client_id)
        sent = [self.client.send(f"#room{number}", "hello") for number in range(8)]
        self.net.flush()
        del self.server.handlers[m.SmsMes]
        self.advance(1)
        self.assertEqual({type(each.state) for each in sent}, {Stored})

    def test_what_is_refused_for_the_moment_waits_again_and_can_be_taken_back(self) -> None:
        self.log_in()
        for code, state, possible in ((503, Queued(), True), (504, Sending(), False)):
            self.server.handlers[m.SmsMes] = lambda c, r, code=code: m.SmsResMes(
                code, client_id=r.client_id
            )
            sent = self.client.send(f"#room{code}", "hello")
            self.net.flush()
            self.assertEqual(sent.state, state, "after 504 it may have been stored")
            self.assertEqual(self.client.withdraw(sent.outgoing.client_id), possible)
            self.advance(1)

    def test_a_server_that_does_not_say_how_long_to_wait_is_not_asked_at_once(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(503, client_id=r.client_id)
        self.client.send("#lobby", "hello")
        for _ in range(9):
            self.net.flush()
            self.clock.advance(0.1)
        self.net.flush()
        self.assertEqual(len(self.server.of(m.SmsMes)), 1)

    def test_however_well_it_goes_no_more_than_a_burst_is_on_its_way(self) -> None:
        self.log_in()
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(503, client_id=r.client_id)
        self.client.send("#lobby", "one at a time from here on")
        self.net.flush()
        del self.server.handlers[m.SmsMes]
        self.advance(2)
        for number in range(5):  # each that is accepted doubles how many may be
            self.done(self.client.send("#lobby", f"{number}").stored())
        self.server.received.clear()
        self.server.handlers[m.SmsMes] = lambda c, r: None
        for number in range(2 * AT_A_TIME):
            self.client.send(f"#room{number}", "hello")
        self.net.flush()
        self.assertEqual(len(self.server.of(m.SmsMes)), AT_A_TIME)


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

    def test_what_was_read_while_the_connection_was_dead_already_is_said_again(self) -> None:
        self.log_in()
        self.say("#lobby", "one", "two")
        self.client.mark_read("#lobby")
        self.advance(2)
        self.assertEqual(self.acks()[-1], ("#lobby", 2, 2))  # into a network that is gone
        self.server.received.clear()
        self.net.cut()
        self.advance(2)
        self.assertEqual(self.acks(), [("#lobby", 2, 2)])
        self.assertEqual(self.client.conversations["#lobby"].read, 2)

    def test_a_reader_who_wants_no_marks_moved_moves_none(self) -> None:
        self.client = self.new_client(acknowledge=False)
        self.log_in()
        self.say("#lobby", "one")
        self.advance(2)
        self.assertEqual(self.acks(), [])
