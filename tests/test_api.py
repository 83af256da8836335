"""The client library against a server in memory: logging in, asking, iterating over messages."""

from typing import Any

from twisted.internet.defer import Deferred

from chat import messages as m
from chat.client.api import ClientError, Closed, NotConnected, Position, Refused
from chat.client.delivery.hub import Hub
from chat.client.delivery.stream import Stream
from chat.client.events import (
    ConversationsListed,
    EpochChanged,
    ErrorArrived,
    LoggedIn,
    MessageArrived,
    PresenceChanged,
    Queued,
    ReceiptMoved,
    Stopped,
)
from tests import fake_server
from tests.api_case import ApiCase
from tests.fake_server import FakeConnection


class LoginTest(ApiCase):
    def test_logging_in_gives_the_user_and_the_conversations(self) -> None:
        self.say("#lobby", "before")
        user = self.done(self.client.log_in("alice", "wonderland"))
        self.assertEqual((user.user_id, user.user_name), (100, "alice"))
        self.assertEqual(self.client.conversations["#lobby"].seq, 1)
        self.assertEqual(self.client.durability, "everysec")
        self.assertEqual(self.client.content_limit, 100)
        self.assertIn(ConversationsListed(), self.events)

    def test_by_id_or_by_name(self) -> None:
        self.done(self.client.log_in(100, "wonderland"))
        self.assertEqual(self.server.of(m.LoginMes)[0].user_id, 100)

    def test_a_wrong_password_is_refused_with_the_servers_words(self) -> None:
        error = self.refused(self.client.log_in("alice", "guess"))
        self.assertEqual((error.code, str(error)), (403, "wrong password"))
        self.assertIsInstance(self.client.state, Stopped)

    def test_as_many_devices_as_may_be_is_a_refusal_like_others(self) -> None:
        full = m.LoginResMes(429, error="Too many devices.")
        self.server.handlers[m.LoginMes] = lambda c, r: full
        self.assertEqual(self.refused(self.client.log_in("alice", "wonderland")).code, 429)
        self.assertIsInstance(self.client.state, Stopped)

    def test_what_one_user_has_written_is_not_sent_by_another(self) -> None:
        self.log_in()
        self.net.cut()
        self.client.send("#lobby", "by alice")
        self.done(self.client.close())
        bob = m.LoginResMes(200, user=m.User(2, "bob"))
        self.server.handlers[m.LoginMes] = lambda c, r: bob
        self.assertEqual(self.refused(self.client.log_in("bob", "builder")).code, 403)
        self.assertEqual(self.server.of(m.SmsMes), [])

    def test_after_a_refusal_one_can_try_again(self) -> None:
        self.refused(self.client.log_in("alice", "guess"))
        self.log_in()
        self.assertIsInstance(self.client.state, LoggedIn)

    def test_who_does_not_exist_yet_registers_and_logs_in(self) -> None:
        self.assertEqual(self.refused(self.client.log_in("carol", "lewis-carroll")).code, 500)
        carol = self.done(self.client.register("carol", "lewis-carroll"))
        user = self.done(self.client.log_in("carol", "lewis-carroll"))
        self.assertEqual(user.user_id, carol)

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

    def test_who_logs_out_without_a_connection_does_not_come_back_either(self) -> None:
        self.log_in()
        self.net.down = True
        self.net.cut()
        self.failureResultOf(self.start(self.client.log_out()), NotConnected)
        self.net.down = False
        self.advance(60)
        self.assertEqual(self.server.connections, [])

    def test_nor_does_who_was_to_log_other_devices_out_with_this_one(self) -> None:
        self.log_in()
        self.net.down = True
        self.net.cut()
        self.failureResultOf(self.start(self.client.log_out(devices=["old"])), NotConnected)
        self.net.down = False
        self.advance(60)
        self.assertEqual(self.server.connections, [])

    def test_what_waits_when_one_logs_out_is_not_sent_any_more(self) -> None:
        self.log_in()
        too_fast = m.SmsResMes(429, retry_after=1)
        self.server.handlers[m.SmsMes] = lambda c, r: too_fast
        message = self.client.send("#lobby", "later")
        self.net.flush()
        self.server.handlers[m.LogoutMes] = lambda c, r: None
        leaving = self.start(self.client.log_out())
        self.advance(3)
        self.assertEqual(len(self.server.of(m.SmsMes)), 1)
        self.assertIsInstance(message.state, Queued)
        self.net.cut()
        self.failureResultOf(leaving, ClientError)

    def test_a_device_that_has_no_session_any_more_stops_no_logout_of_others(self) -> None:
        self.log_in()
        self.server.handlers[m.RevokeMes] = lambda c, r: m.RevokeResMes(
            code=404 if r.device == "gone" else 200
        )
        self.done(self.client.log_out(devices=["gone", "old"]))
        self.assertEqual([each.device for each in self.server.of(m.RevokeMes)], ["gone", "old"])
        self.assertEqual(len(self.server.of(m.LogoutMes)), 1)

    def test_a_changed_password_gives_the_token_for_the_next_login(self) -> None:
        self.log_in()
        self.assertEqual(self.done(self.client.change_password("wonderland", "x" * 9)), "token-new")
        self.server.handlers[m.LoginMes] = lambda c, r: None
        self.net.cut()
        self.advance(1)
        self.assertEqual(self.server.of(m.LoginMes)[-1].token, "token-new")


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

    def test_who_asks_before_the_login_may_do_something_else_after_it(self) -> None:
        self.say("#lobby", "missed")
        self.client = self.new_client(missed=True)
        messages: Any = self.client.messages()
        self.log_in()
        self.done(self.client.join("#tea"))
        self.assertEqual(self.done(anext(messages)).content, "missed")

    def test_what_was_dealt_with_is_a_position_to_go_on_from(self) -> None:
        self.say("#lobby", "one", "two", "three")
        self.client = self.new_client(missed=True)
        messages: Any = self.client.messages()
        self.log_in()
        one = self.done(anext(messages))
        self.done(self.client.close())
        self.client = self.new_client(positions={"#lobby": Position(one.epoch, one.seq)})
        messages = self.client.messages()
        self.log_in()
        self.assertEqual([self.done(anext(messages)).content for _ in "23"], ["two", "three"])

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

    def test_what_is_pushed_behind_the_page_of_a_slow_reader_is_heard_once(self) -> None:
        self.log_in()
        messages: Any = self.client.messages()
        messages._limit = 1
        self.say("#lobby", "1", "2")
        self.unheard("#lobby", "3")
        heard = [self.done(anext(messages)).content for _ in "12"]
        third = self.start(anext(messages))
        self.say("#lobby", "4")
        self.advance(2)
        heard += [self.successResultOf(third).content, self.done(anext(messages)).content]
        self.say("#lobby", "5")
        heard.append(self.done(anext(messages)).content)
        self.assertEqual(heard, ["1", "2", "3", "4", "5"])

    def test_a_slow_reader_goes_back_as_far_as_a_new_epoch_says(self) -> None:
        self.log_in()
        messages: Any = self.client.messages()
        messages._limit = 1
        self.say("#lobby", *map(str, range(1, 301)))
        heard = [self.done(anext(messages)).content for _ in range(2)]
        self.server.places["#lobby"].roll_back(150, "e2")
        self.say("#lobby", "other 151", "other 152")
        heard += [self.done(anext(messages)).content for _ in range(150)]
        self.assertEqual(heard, [*map(str, range(1, 151)), "other 151", "other 152"])

    def test_who_reads_is_told_nothing_that_a_new_epoch_undid_before(self) -> None:
        self.log_in()
        messages = self.client.messages()
        self.say("#lobby", "1", "2", "3")
        self.say("@101", "aside")
        self.server.places["#lobby"].roll_back(1, "e2")
        self.say("#lobby", "other 2")
        heard = [self.done(anext(messages)).content for _ in range(3)]
        self.assertEqual(heard, ["1", "aside", "other 2"])

    def test_a_slow_reader_is_told_nothing_of_a_page_that_a_new_epoch_undid_on_its_way(
        self,
    ) -> None:
        def entry(epoch: str, seq: int) -> m.Entry:
            return m.Entry(seq, epoch, content=f"{epoch} {seq}", conversation="#lobby")

        page: Deferred[tuple[m.Entry, ...]] = Deferred()

        async def fetch(conversation: str, after: int) -> tuple[m.Entry, ...]:
            return await page

        stream = Stream(lambda each: True, fetch, Hub(self.clock).sleep, limit=1)
        for seq in (1, 2, 3):
            stream.put(MessageArrived(entry("e1", seq), False, True))
        self.assertEqual(self.done(anext(stream)).content, "e1 1")
        second = self.start(anext(stream))
        stream.put(EpochChanged("#lobby", "e2", 2))
        page.callback((entry("e1", 2), entry("e1", 3)))
        self.assertNoResult(second)
        stream.put(MessageArrived(entry("e2", 2), False, True))
        self.assertEqual(self.successResultOf(second).content, "e2 2")

    def test_a_slow_reader_misses_nothing_however_long_the_store_is_away(self) -> None:
        self.log_in()
        messages: Any = self.client.messages()
        messages._limit = 1
        self.say("#lobby", "1", "2", "3")
        self.assertEqual(self.done(anext(messages)).content, "1")
        self.server.handlers[m.HistoryMes] = lambda c, r: m.HistoryResMes(code=503, retry_after=40)
        second = self.start(anext(messages))
        self.advance(100)
        asked = len(self.server.of(m.HistoryMes))
        self.assertTrue(1 < asked < 200, asked)
        self.assertNoResult(second)
        del self.server.handlers[m.HistoryMes]
        self.advance(2)
        self.assertEqual(self.successResultOf(second).content, "2")
        self.assertEqual(self.done(anext(messages)).content, "3")

    def test_a_slow_reader_does_without_what_the_server_cannot_say(self) -> None:
        self.log_in()
        messages: Any = self.client.messages()
        messages._limit = 1
        self.say("#lobby", "1", "2")
        self.server.handlers[m.HistoryMes] = lambda c, r: m.PongMes(1)
        self.assertEqual(self.done(anext(messages)).content, "1")
        third = self.start(anext(messages))
        self.say("#lobby", "3")
        self.assertEqual(self.successResultOf(third).content, "3")

    def test_it_ends_when_the_client_is_closed_while_nothing_can_be_fetched(self) -> None:
        self.log_in()
        self.server.handlers[m.HistoryMes] = lambda c, r: m.HistoryResMes(code=503, retry_after=40)
        messages: Any = self.client.messages()
        messages._limit = 1

        async def bot() -> list[str]:
            return [message.content async for message in messages]

        self.say("#lobby", "1", "2", "3")
        running = self.start(bot())
        self.advance(10)
        self.done(self.client.close())
        self.assertEqual(self.successResultOf(running), ["1"])

    def test_it_ends_when_the_client_is_closed(self) -> None:
        self.log_in()

        async def bot() -> list[str]:
            return [message.content async for message in self.client.messages()]

        running = self.start(bot())
        self.say("#lobby", "one")
        self.done(self.client.close())
        self.assertEqual(self.successResultOf(running), ["one"])


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

    def test_a_busy_server_is_asked_less_and_less_often_and_not_for_ever(self) -> None:
        self.log_in()
        self.server.handlers[m.RoomsMes] = lambda c, r: m.ErrorMes(503, "the store is away")
        asking = self.start(self.client.rooms())
        self.advance(8)
        self.assertLess(len(self.server.of(m.RoomsMes)), 7)
        self.assertNoResult(asking)
        self.advance(32)
        self.assertEqual(self.failureResultOf(asking, Refused).value.code, 503)

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

    def test_all_conversations_are_there_when_the_whole_list_has_come(self) -> None:
        for name in ("#lobby", "#tea", "@101"):
            self.say(name, "there")
        self.server.listed_at_login = 1
        self.server.handlers[m.ConversationsMes] = lambda connection, request: None
        self.log_in()
        waiting = Deferred.fromCoroutine(self.client.all_conversations())
        self.assertNoResult(waiting)
        del self.server.handlers[m.ConversationsMes]
        self.net.cut()
        self.advance(1)
        self.assertEqual(set(self.successResultOf(waiting)), {"#lobby", "#tea", "@101"})
        self.assertEqual(len(self.done(self.client.all_conversations())), 3)

    def test_nobody_waits_for_the_list_of_a_client_that_is_closed(self) -> None:
        self.say("#lobby", "there")
        self.server.listed_at_login = 0
        self.server.handlers[m.ConversationsMes] = lambda connection, request: None
        self.log_in()
        waiting = Deferred.fromCoroutine(self.client.all_conversations())
        self.done(self.client.close())
        self.failureResultOf(waiting, Closed)

    def test_joining_follows_the_room_and_leaving_ends_it(self) -> None:
        self.log_in()
        self.server.place("#tea").append(self.server.users[101], "old")
        joined = self.done(self.client.join("#tea", "all about it"))
        self.assertEqual((joined.seq, joined.topic), (1, "all about it"))
        self.say("#tea", "new")
        self.assertEqual(self.heard("#tea"), ["new"])
        self.done(self.client.leave("#tea"))
        self.assertNotIn("#tea", self.client.conversations)

    def test_a_room_whose_name_only_the_server_has_room_for_in_its_rules_can_be_left(self) -> None:
        self.log_in()
        name = "#\U0003fffd"  # What no Unicode of today has a character for.
        self.done(self.client.join(name))
        self.done(self.client.leave(name))
        self.assertNotIn(name, self.client.conversations)

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

    def test_why_a_server_hangs_up_on_a_request_is_told_as_it_says(self) -> None:
        def full(connection: fake_server.FakeConnection, request: m.Message) -> None:
            connection.reply(m.ErrorMes(429, "there are too many", retry_after=10))
            connection.transport.loseConnection()

        self.server.handlers[m.RegisterMes] = full
        registering = self.start(self.client.register("bob", "builder"))
        self.assertEqual(self.failureResultOf(registering).getErrorMessage(), "there are too many")

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

    def test_the_scope_of_presence_is_that_of_the_login_until_another_is_told(self) -> None:
        self.assertEqual(self.client.scope, "all")
        welcome = m.LoginResMes(200, user=m.User(100, "alice"), scope="watched")
        self.server.handlers[m.LoginMes] = lambda c, r: welcome
        self.log_in()
        self.assertEqual(self.client.scope, "watched")
        self.server.last.reply(m.PresenceMes((), "all", True))
        self.net.flush()
        self.assertEqual(self.client.scope, "all")

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
