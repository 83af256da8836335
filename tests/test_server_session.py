"""What one client may do in which state, in the order in which it asks; and when its time is up."""

import struct
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from chat.messages import ORIGINAL_REQUESTS
from chat.server.session import LONG
from chat.store.accounts import Account
from chat.store.errors import FateUnknown, StoreUnavailable, UnknownUser
from chat.store.keys import Keys
from chat.store.posting import FORGOTTEN_SECONDS, Posting
from tests.hall import Guest, Hall
from tests.peers import enveloped, framed

LOBBY = "r:lobby"


def codes(guest: Guest) -> list[int]:
    """The codes of all that it was told, in order."""
    return [each.data["code"] for each in guest.frames if "code" in each.data]


def ids(guest: Guest) -> list[str | None]:
    """The ids of all replies, in order."""
    return [each.id for each in guest.frames]


class OrderTest(SynchronousTestCase):
    def test_one_request_is_served_after_the_other(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.people.slow = True
        guest.send("OnlineMes", "first")
        for number in range(10):
            guest.send("PingMes", f"then {number}")
        self.assertEqual(guest.frames, [])
        hall.people.answer()
        self.assertEqual(ids(guest), ["first", *(f"then {number}" for number in range(10))])

    def test_a_message_waits_for_the_request_before_it(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.people.slow = True
        guest.send("OnlineMes")
        guest.send("SmsMes", to="#lobby", content="afterwards")
        hall.clock.advance(0)
        self.assertTrue(hall.posting.idle)
        hall.people.answer()
        hall.clock.advance(0)
        self.assertFalse(hall.posting.idle)

    def test_with_a_buffer_of_0_nobody_is_told_that_too_much_waits(self) -> None:
        for limit, is_told in ((0, False), (1, True)):
            transport = Hall(send_buffer=limit).stranger().transport
            self.assertEqual(transport.producer is not None, is_told)

    def test_of_more_messages_than_may_wait_for_the_store_the_last_are_refused(self) -> None:
        hall = Hall()
        store: Any = hall.scripts
        hall.context.posting = Posting(hall.clock, store, Keys(), 7, most_waiting=2)
        guest = hall.guest(1, LOBBY)
        for name in ("one", "two", "three"):
            guest.send("SmsMes", to="#lobby", content="hi", clientId=name)
        refused = [(each.data["code"], each.data["clientId"]) for each in guest.frames]
        self.assertEqual(refused, [(503, "three")])

    def test_a_message_of_which_nothing_is_ever_heard_is_not_awaited_for_ever(self) -> None:
        hall = Hall()
        hall.guest(1, LOBBY).send("SmsMes", to="#lobby", content="hi", clientId="one")
        hall.clock.advance(0)
        for seconds, awaited in ((FORGOTTEN_SECONDS, {LOBBY}), (0.1, set())):
            hall.clock.advance(seconds)
            self.successResultOf(hall.tick())
            self.assertEqual(hall.posting.awaited(), awaited)

    def test_behind_a_long_frame_none_waits_and_behind_a_shorter_one_some_do(self) -> None:
        for size, state in ((LONG - 1, "producing"), (LONG, "paused")):
            hall = Hall()
            guest = hall.guest(1, LOBBY)
            hall.people.slow = True
            guest.send("OnlineMes", "first")
            ping = enveloped("PingMes", {}, id="x")
            padded = enveloped("PingMes", {"x": "y" * (size - len(ping) - 10)}, id="x")
            self.assertEqual(len(padded), size)
            guest.receive(framed(padded))
            self.assertEqual(guest.transport.producerState, state)
            guest.receive(framed(padded))
            self.assertLessEqual(len(guest.session._waiting or ()), 2 if state != "paused" else 1)
            hall.people.answer()
            for _ in range(5):
                hall.clock.advance(0)
            self.assertEqual(ids(guest), ["first", "x", "x"])

    def test_long_frames_are_read_no_faster_than_they_count(self) -> None:
        hall = Hall(light_rate=(10, 5.0))
        guest = hall.guest(1, LOBBY)
        request = enveloped("OnlineMes", {"x": "y" * 10 * LONG}, id="x")
        guest.receive(framed(request))
        self.assertEqual(guest.transport.producerState, "producing")
        guest.receive(framed(request))
        self.assertEqual(guest.transport.producerState, "paused")
        hall.clock.advance(1.9)
        self.assertEqual(guest.transport.producerState, "paused")
        hall.clock.advance(0.1)
        self.assertEqual(guest.transport.producerState, "producing")
        self.assertEqual(ids(guest), ["x", "x"], "they are served all the same")

    def test_who_sends_without_waiting_is_not_read_for_a_while_and_loses_nothing(self) -> None:
        hall = Hall(request_rate=(0, 0.0))
        guest = hall.guest(1, LOBBY)
        hall.people.slow = True
        guest.send("OnlineMes", "first")
        everything = [f"then {number}" for number in range(500)]
        guest.receive(b"".join(framed(enveloped("PingMes", {}, id=each)) for each in everything))
        self.assertEqual(guest.transport.producerState, "paused")
        hall.people.answer()
        for _ in range(100):
            hall.clock.advance(0)
        self.assertEqual(guest.transport.producerState, "producing")
        self.assertEqual(ids(guest), ["first", *everything])

    def test_what_waits_is_not_served_as_long_as_the_client_does_not_read(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.people.slow = True
        guest.send("OnlineMes", "first")
        for number in range(10):
            guest.send("PingMes", f"then {number}")
        guest.transport.fill_up()
        hall.people.answer()
        self.assertEqual(ids(guest), ["first"], "what is under way is answered")
        guest.transport.drain()
        answered = [each for each in ids(guest) if each is not None]
        self.assertEqual(answered, ["first", *(f"then {number}" for number in range(10))])
        hall.clock.advance(0)
        self.assertEqual(guest.transport.producerState, "producing")

    def test_what_waits_is_dropped_when_the_client_leaves(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.people.slow = True
        guest.send("OnlineMes")
        guest.send("SmsMes", to="#lobby", content="never said")
        guest.session.connection.connectionLost()
        hall.people.answer()
        hall.clock.advance(0)
        self.assertTrue(hall.posting.idle)

    def test_who_is_gone_is_waited_for_by_no_stop(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.say(LOBBY, "goodbye", by=guest, heard=False)
        self.assertFalse(hall.posting.settled)
        guest.session.connection.connectionLost()
        self.assertTrue(hall.posting.settled)
        other = hall.guest(2, LOBBY)
        hall.say(LOBBY, "not yet", by=other, heard=False)
        self.assertFalse(hall.posting.settled)


class RefusedTest(SynchronousTestCase):
    def test_before_the_login_nothing_is_served(self) -> None:
        guest = Hall().stranger()
        guest.send("OnlineMes", "1")
        guest.send("SmsMes", "2", to="#lobby", content="x", clientId="c")
        guest.send("AckMes", "3", conversation="#lobby")
        guest.send("PingMes", "4")
        kinds = [each.type for each in guest.frames]
        self.assertEqual(kinds, ["OnlineResMes", "SmsResMes", "ErrorMes", "PongMes"])
        self.assertEqual(codes(guest), [401, 401, 401])

    def test_what_is_done_is_said_to_be_although_the_store_went_away_behind_it(self) -> None:
        """503 says that nothing was done: whoever asked again was told that they may not."""

        async def gone(*_: object) -> None:
            raise StoreUnavailable("just now")

        async def done(*_: object, **__: object) -> int:
            return 7

        async def found(who: object) -> Account:
            if who == 0 or isinstance(who, str):
                raise UnknownUser("nobody yet")
            return Account(1, "ann", "phc")

        hall = Hall(registrations_per_address=0)
        guest, stranger = hall.guest(1, "r:cooks"), hall.stranger()
        context: Any = hall.context
        hall.bus.fence = hall.bus.tell = gone  # type: ignore[method-assign,assignment]
        hall.log.start_marks = gone  # type: ignore[attr-defined]
        context.rooms.set_topic = done
        context.accounts = SimpleNamespace(
            find=found, register=done, set_password=done, add_device=gone
        )
        context.limits = SimpleNamespace(spend=done, refund=done)
        context.guesses = SimpleNamespace(attempt=done, right=done)
        context.passwords = SimpleNamespace(hash=done, verify=done)
        guest.send("TopicMes", conversation="#cooks", topic="soup")
        guest.send("LeaveMes", conversation="#cooks")
        guest.send("PasswordMes", userPwd="the old one", newPwd="the new one")
        user = {"userId": 0, "userName": "bob", "userPwd": "a good one", "userStatus": 0}
        stranger.send("RegisterMes", version=2, user=user)
        self.assertEqual((codes(guest), codes(stranger)), ([200, 200, 200], [200]))
        self.assertEqual(guest.session.rooms, set())

    def test_an_error_that_nobody_foresaw_is_logged_and_the_client_told(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        hall.people.failure = ZeroDivisionError("a mistake of ours")
        guest.send("OnlineMes", "1")
        guest.send("OnlineMes", "2")
        self.assertEqual(codes(guest), [503, 200])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("mistake of ours", guest.frames[0].data["error"])

    def test_the_stores_troubles_have_their_codes(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        for failure in (StoreUnavailable("away", 3.0), FateUnknown("slow")):
            hall.people.failure = failure
            guest.send("OnlineMes")
        self.assertEqual(codes(guest), [503, 504])
        self.assertEqual(guest.frames[0].data["retryAfter"], 3.0)

    def test_a_budget_is_spent_and_fills_up_again(self) -> None:
        hall = Hall(rate=(2, 4.0))
        guest = hall.guest(1, LOBBY)
        for _ in range(3):
            guest.send("SmsMes", to="#lobby", content="x")
        self.assertEqual(codes(guest), [429])
        self.assertAlmostEqual(guest.frames[0].data["retryAfter"], 0.25)
        hall.clock.advance(0.25)
        guest.send("SmsMes", to="#lobby", content="x")
        self.assertEqual(codes(guest), [429])

    def test_a_wait_is_said_in_whole_seconds_and_never_shorter_than_it_is(self) -> None:
        for per_second, said in ((4.0, "wait 1 s."), (0.4, "wait 3 s."), (0.002, "wait 9 min.")):
            guest = Hall(rate=(1, per_second)).guest(1, LOBBY)
            for _ in range(2):
                guest.send("SmsMes", to="#lobby", content="x")
            self.assertIn(said, guest.frames[0].data["error"])

    def test_over_the_budget_the_store_is_asked_about_repetitions_alone(self) -> None:
        hall = Hall(rate=(1, 1.0))
        guest = hall.guest(1, LOBBY)
        posts = []
        hall.posting.post = posts.append
        for number in range(2):
            guest.send("SmsMes", to="#lobby", content="x", clientId=f"c{number}")
        self.assertEqual([each.refusal for each in posts], [0, 429])

    def test_what_proves_to_be_no_repetition_is_to_be_sent_when_the_next_may_be(self) -> None:
        hall = Hall(rate=(1, 4.0))
        guest = hall.guest(1, LOBBY)
        for number in range(2):
            guest.send("SmsMes", to="#lobby", content="x", clientId=f"c{number}")
        hall.clock.advance(0)
        hall.scripts.answer(1, [-429])
        hall.clock.advance(0)
        (refused,) = guest.frames
        self.assertEqual((refused.data["clientId"], refused.data["code"]), ("c1", 429))
        self.assertAlmostEqual(refused.data["retryAfter"], 0.25)

    def test_what_is_too_fast_puts_nobody_on_anybodys_list(self) -> None:
        hall = Hall(rate=(1, 1.0))
        guest = hall.guest(1, LOBBY)
        listed = []

        async def find(who: int) -> None:
            """Everybody exists."""

        async def is_blocked(cid: str) -> bool:
            return False

        async def contact(*users: int) -> None:
            listed.append(users)

        context: Any = hall.context
        context.accounts = SimpleNamespace(find=find)
        context.moderation = SimpleNamespace(is_blocked=is_blocked)
        context.conversations.contact = contact
        guest.send("SmsMes", to="#lobby", content="the one that is allowed")
        guest.send("SmsMes", to="@2", content="x", clientId="1")
        self.assertEqual(listed, [])
        hall.clock.advance(1)
        guest.send("SmsMes", to="@2", content="x", clientId="2")
        self.assertEqual(listed, [(1, 2)])

    def test_a_search_counts_by_what_is_read_for_it(self) -> None:
        for messages, at_once in ((100, 40), (1_000, 14), (10_000, 4)):
            hall = Hall(request_rate=(40, 0.001), user_request_rate=(0, 0.0))
            guest = hall.guest(1, LOBBY)
            for _ in range(messages):
                hall.log.append(LOBBY, guest.session.author, "hay")
            for _ in range(at_once + 1):
                guest.send("SearchMes", text="needle", conversation="#lobby")
            self.assertEqual(codes(guest), [200] * at_once + [429], messages)

    def test_too_many_refusals_end_the_connection(self) -> None:
        hall = Hall(refusals=3)
        guest = hall.guest(1, LOBBY)
        for _ in range(10):
            guest.send("Nonsense")
        self.assertEqual([each.type for each in guest.frames], ["ErrorMes"] * 3 + ["ByeMes"])
        self.assertEqual(codes(guest)[-1], 429)
        self.assertTrue(guest.transport.disconnecting)

    def test_refusals_in_the_course_of_time_are_forgiven(self) -> None:
        hall = Hall(refusals=3)
        guest = hall.guest(1, LOBBY)
        for _ in range(20):
            guest.send("Nonsense")
            hall.clock.advance(6)
        self.assertFalse(guest.transport.disconnecting)

    def test_after_a_bad_length_nothing_is_heard(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        guest.receive(struct.pack(">I", 0) + framed(enveloped("PingMes", {})))
        guest.send("PingMes")
        self.assertEqual(codes(guest), [413])
        self.assertTrue(guest.transport.disconnecting)


class SearchTest(SynchronousTestCase):
    def test_it_ends_though_more_have_one_time_than_can_be_skipped(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY)
        for _ in range(20):
            hall.log.append(LOBBY, guest.session.author, "x")
        hall.log.entries[LOBBY] = [
            replace(each, json=each.json.replace(b'"time":%d}' % each.seq, b'"time":1}'))
            for each in hall.log.entries[LOBBY]
        ]

        async def seek(cid: str, moment: int) -> int:
            return 20 if moment > 1 else 0

        pages, rest = 0, {"before": 0, "skip": 0}
        with (
            patch("chat.server.requests.reading.MOST_SCANNED", 3),
            patch("chat.server.requests.searching.MOST_SCANNED", 3),
            patch.object(hall.log, "seek", seek),
        ):
            while rest:
                guest.send("SearchMes", text="not found", conversation="#lobby", **rest)
                page = guest.frames[-1].data
                rest = {name: page[name] for name in rest} if page.get("more") else {}
                pages += 1
                self.assertLess(pages, 10)
        self.assertEqual(pages, 3)


class OriginalTest(SynchronousTestCase):
    def test_no_refusal_has_words_that_it_does_not_know(self) -> None:
        hall = Hall()
        guest = hall.guest(1, LOBBY, original=True)
        guest.receive(framed(b"no envelope") + framed(enveloped("OnlineMes", {}, id="1")))
        guest.send("PingMes", "2")
        for kind in ORIGINAL_REQUESTS:
            guest.send(kind, "3", user=7, content=7, userId="x")
        guest.send("SmsMes", "4", content="")
        self.assertEqual(len(guest.frames), 4 + len(ORIGINAL_REQUESTS))
        for told in guest.frames:
            self.assertEqual((told.type, told.id, told.data["userId"]), ("SmsMes", None, 0))
            self.assertTrue(told.data["content"].startswith("[系统] "))

    def test_a_bad_length_ends_it_without_a_word(self) -> None:
        guest = Hall().guest(1, LOBBY, original=True)
        guest.receive(struct.pack(">I", 2**32 - 1))
        self.assertEqual(guest.frames, [])
        self.assertTrue(guest.transport.disconnecting)


class TimeTest(SynchronousTestCase):
    def hall(self, **settings: float) -> Hall:
        hall = Hall(**settings)
        hall.factory.start()
        self.addCleanup(hall.factory.stop)
        return hall

    def pass_time(self, hall: Hall, seconds: int) -> None:
        hall.clock.pump([1.0] * seconds)

    def test_a_stranger_has_ten_seconds(self) -> None:
        hall = self.hall()
        stranger, member = hall.stranger(), hall.guest(1, LOBBY)
        self.pass_time(hall, 9)
        self.assertEqual(stranger.frames, [])
        self.pass_time(hall, 2)
        self.assertEqual(codes(stranger), [401])
        self.assertTrue(stranger.transport.disconnecting)
        self.assertFalse(member.transport.disconnecting)

    def test_silence_ends_a_current_client_and_no_original_one(self) -> None:
        hall = self.hall()
        silent, talking = hall.guest(1, LOBBY), hall.guest(2, LOBBY)
        original = hall.guest(3, LOBBY, original=True)
        for _ in range(5):
            self.pass_time(hall, 32)
            talking.send("PingMes")
        self.assertEqual([each.type for each in silent.frames], ["ByeMes"])
        self.assertEqual(codes(silent), [503], "who was asleep is to come back")
        self.assertTrue(silent.transport.disconnecting)
        self.assertFalse(talking.transport.disconnecting)
        self.assertFalse(original.transport.disconnecting)

    def test_whom_the_server_does_not_listen_to_is_not_silent(self) -> None:
        hall = self.hall()
        held = hall.guest(1, LOBBY)
        held.session.connection.pause_reading()
        self.pass_time(hall, 400)
        held.session.connection.resume_reading()
        self.pass_time(hall, 140)
        self.assertEqual(held.frames, [])
        self.pass_time(hall, 20)
        self.assertEqual(codes(held), [503])

    def test_a_minute_without_progress_ends_a_reader(self) -> None:
        hall = self.hall()
        stuck, slow = hall.guest(1, LOBBY), hall.guest(2, LOBBY)
        stuck.transport.fill_up()
        for _ in range(7):
            slow.transport.fill_up()
            self.pass_time(hall, 10)
            slow.transport.drain()
        self.assertTrue(stuck.transport.disconnecting)
        self.assertFalse(slow.transport.disconnecting)

    def test_nought_switches_each_of_them_off(self) -> None:
        hall = self.hall(login_seconds=0, silence_seconds=0, stalled_seconds=0)
        stranger, silent, stuck = hall.stranger(), hall.guest(1, LOBBY), hall.guest(2, LOBBY)
        stuck.transport.fill_up()
        self.pass_time(hall, 1_000)
        for guest in (stranger, silent, stuck):
            self.assertFalse(guest.transport.disconnecting)

    def test_at_the_end_everybody_is_told_when_to_come_back(self) -> None:
        hall = self.hall()
        guest, original = hall.guest(1, LOBBY), hall.guest(2, LOBBY, original=True)
        hall.factory.say_goodbye(iter([1.0, 2.0]).__next__)
        (bye,) = guest.frames
        self.assertEqual((bye.type, bye.data["code"], bye.data["retryAfter"]), ("ByeMes", 503, 1.0))
        self.assertEqual(original.frames, [])
        for each in (guest, original):
            self.assertTrue(each.transport.disconnecting)
