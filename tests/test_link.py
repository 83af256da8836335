"""The connection that comes back: when it tries, when it waits, when it gives up."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chat.client.errors import FateUnknown, Refused
from chat.client.events import Connected, Connecting, ConnectionState, LoggedIn, Stopped, Waiting
from chat.client.network.address import endpoint_for, server_string, shown
from chat.client.network.link import LONGEST_WAIT, QUICK_WAIT, SHORTEST_WAIT, WAKE_WITHIN, Link
from chat.client.network.wire import (
    DOUBT_AFTER,
    DOUBT_WITHIN,
    PING_AFTER,
    PONG_WITHIN,
    REPLY_WITHIN,
    Wire,
)
from chat.messages import (
    ByeMes,
    Entry,
    ErrorMes,
    LoginMes,
    LoginResMes,
    Message,
    PasswordMes,
    PasswordResMes,
    PingMes,
    Request,
    SmsMes,
    SmsResMes,
)
from tests.fake_server import FakeConnection, FakeNet, FakeServer


class LinkCase(SynchronousTestCase):
    """A link to a fake server, in memory and on a clock of its own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.server = FakeServer()
        self.net = FakeNet(self.server)
        self.states: list[ConnectionState] = []
        self.pushed: list[Message] = []
        self.chance = 0.5
        self.stopped = 0.0
        """Seconds for which the machine was stopped, and its steady clock with it."""
        self.credentials: LoginMes | None = LoginMes(2, user_id=100, user_pwd="wonderland")
        self.link = Link(
            self.clock,
            self.net,
            self.greet,
            self.pushed.append,
            self.states.append,
            lambda: self.chance,
            lambda: self.clock.seconds() + self.stopped,
        )
        self.addCleanup(self.finish)

    def finish(self) -> None:
        self.link.stop()
        self.net.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def greet(self, wire: Wire) -> bool:
        if self.credentials is None:
            return False
        reply = await wire.ask(self.credentials, LoginResMes)
        if reply.code != 200:
            raise Refused(reply.code, reply.error, reply.retry_after)
        return True

    def start(self) -> None:
        self.link.start()
        self.net.flush()

    def advance(self, seconds: float) -> None:
        """Let time pass and everything arrive, as it would in a world that never sleeps."""
        while seconds > 0:
            step = min(seconds, 1.0)
            self.clock.advance(step)
            self.net.flush()
            seconds -= step

    def kinds(self) -> list[type[Any]]:
        return [type(state) for state in self.states]

    def waiting(self) -> Waiting:
        state = self.link.state
        assert isinstance(state, Waiting), state
        return state


class ComingBackTest(LinkCase):
    def test_it_connects_and_logs_in(self) -> None:
        self.start()
        self.assertEqual(self.kinds(), [Connecting, LoggedIn])

    def test_a_lost_connection_is_shown_at_once_and_comes_back(self) -> None:
        self.start()
        self.net.cut()
        self.assertEqual(self.waiting().reason, "the connection was lost")
        self.advance(self.waiting().seconds)
        self.assertEqual(self.kinds()[-3:], [Waiting, Connecting, LoggedIn])

    def test_the_waits_double_and_grow_with_the_time_away_up_to_30_seconds(self) -> None:
        self.net.down = True
        self.start()
        for chance in (0.0, 0.3, 1.0):
            self.chance = chance
            waits = []
            for _ in range(24):
                self.advance(self.waiting().seconds)
                waits.append(self.waiting().seconds)
            self.assertTrue(all(SHORTEST_WAIT <= wait <= LONGEST_WAIT for wait in waits), waits)
            self.assertEqual(waits, sorted(waits))
        self.assertEqual(waits[-1], LONGEST_WAIT)

    def test_whoever_was_away_for_a_while_is_back_in_half_as_long_again(self) -> None:
        for seconds in (2.0, 6.0, 20.0):
            self.setUp()
            self.chance = 1.0
            self.start()
            self.net.down = True
            self.net.cut()
            self.advance(seconds)
            self.net.down = False
            self.advance(max(QUICK_WAIT, seconds / 2))
            self.assertIsInstance(self.link.state, LoggedIn, seconds)

    def test_waiting_says_when_the_next_try_is(self) -> None:
        self.net.down = True
        self.start()
        state = self.waiting()
        self.assertEqual(state.until, self.clock.seconds() + state.seconds)
        self.assertIn("refused", state.reason)

    def test_reconnect_now_does_not_wait(self) -> None:
        self.net.down = True
        self.start()
        self.net.down = False
        self.link.reconnect_now()
        self.net.flush()
        self.assertIsInstance(self.link.state, LoggedIn)
        self.assertEqual(self.net.attempts, 2)

    def test_reconnect_now_changes_nothing_while_all_is_well(self) -> None:
        self.start()
        self.link.reconnect_now()
        self.net.flush()
        self.assertEqual(self.net.attempts, 1)

    def test_reconnect_now_tries_once_more_what_was_given_up_but_not_what_was_closed(self) -> None:
        for code in (409, 495):
            self.start()
            self.link.stop("not trying again", code)
            self.link.reconnect_now()
            self.net.flush()
            self.assertIsInstance(self.link.state, LoggedIn, code)
            self.link.stop()
            self.link.reconnect_now()
            self.net.flush()
            self.assertIsInstance(self.link.state, Stopped, code)

    def test_a_connection_that_lasted_starts_again_with_the_shortest_wait(self) -> None:
        self.net.down = True
        self.start()
        self.advance(100)
        self.net.down = False
        self.advance(31)
        self.assertIsInstance(self.link.state, LoggedIn)
        self.advance(6)
        self.net.cut()
        self.assertEqual(self.waiting().seconds, SHORTEST_WAIT)

    def test_a_server_that_drops_everybody_after_the_login_is_not_hammered(self) -> None:
        self.start()
        for _ in range(10):
            self.net.cut()
            self.advance(self.waiting().seconds)
        self.net.cut()
        self.assertGreater(self.waiting().seconds, 10)

    def test_stop_ends_everything_in_every_state(self) -> None:
        self.link.stop("first")
        self.assertEqual(self.link.state, Stopped("first"))
        self.start()
        self.link.stop()
        self.net.flush()
        self.assertEqual(self.server.connections, [])
        self.net.down = True
        self.start()
        self.link.stop()
        self.advance(100)
        self.assertEqual((self.net.attempts, self.link.state), (2, Stopped()))

    def test_who_is_told_of_a_state_may_act_on_it(self) -> None:
        heard: list[ConnectionState] = []

        def changed(state: ConnectionState) -> None:
            heard.append(state)
            if isinstance(state, LoggedIn):
                self.link.stop("seen enough")

        self.link._changed = changed
        self.start()
        self.assertEqual(heard, [Connecting(), LoggedIn(), Stopped("seen enough")])


class NobodyTest(LinkCase):
    def test_without_credentials_it_is_only_connected(self) -> None:
        self.credentials = None
        self.start()
        self.assertEqual(self.link.state, Connected())

    def test_the_server_may_end_that_and_nobody_tries_again(self) -> None:
        self.credentials = None
        self.start()
        self.net.cut()
        self.advance(100)
        self.assertIsInstance(self.link.state, Stopped)
        self.assertEqual(self.net.attempts, 1)

    def test_start_logs_in_on_the_connection_that_is_there(self) -> None:
        self.credentials = None
        self.start()
        self.credentials = LoginMes(2, user_id=100, user_pwd="wonderland")
        self.start()
        self.assertIsInstance(self.link.state, LoggedIn)
        self.assertEqual(self.net.attempts, 1)


class RefusedTest(LinkCase):
    def test_a_wrong_password_stops_it(self) -> None:
        self.credentials = LoginMes(2, user_id=100, user_pwd="guess")
        self.start()
        self.assertEqual(self.link.state, Stopped("wrong password", 403))
        self.assertEqual(self.server.connections, [])

    def test_a_busy_server_is_asked_again_after_as_long_as_it_says(self) -> None:
        self.server.handlers[LoginMes] = lambda c, r: LoginResMes(503, "busy", retry_after=7)
        self.start()
        self.assertGreaterEqual(self.waiting().seconds, 7)
        del self.server.handlers[LoginMes]
        self.advance(self.waiting().seconds)
        self.assertIsInstance(self.link.state, LoggedIn)

    def test_after_a_first_success_only_what_is_certain_stops_it(self) -> None:
        self.start()
        self.server.handlers[LoginMes] = lambda c, r: LoginResMes(505, "something")
        self.net.cut()
        self.advance(20)
        self.assertIsInstance(self.link.state, Waiting)
        self.server.handlers[LoginMes] = lambda c, r: LoginResMes(403, "password changed")
        self.advance(60)
        self.assertEqual(self.link.state, Stopped("password changed", 403))

    def test_a_server_that_never_answers_the_login_is_left(self) -> None:
        self.server.handlers[LoginMes] = lambda c, r: None
        self.start()
        self.advance(32)
        reasons = [state.reason for state in self.states if isinstance(state, Waiting)]
        self.assertEqual(reasons, ["the server did not answer in time"])

    def test_a_server_that_speaks_something_else_is_left(self) -> None:
        self.server.handlers[LoginMes] = lambda c, r: c.transport.write(b"HTTP/1.1 400 Bad")
        self.start()
        self.assertIn("does not speak this protocol", self.waiting().reason)


class ByeTest(LinkCase):
    def test_going_down_is_waited_for_as_long_as_the_server_says(self) -> None:
        self.start()
        self.server.last.bye(503, "restarting", retry_after=4)
        self.net.flush()
        self.assertEqual(self.waiting().reason, "restarting")
        self.assertTrue(4 <= self.waiting().seconds <= 5)

    def test_a_server_that_is_full_is_heard_out_and_left_alone_for_as_long_as_it_says(self) -> None:
        def full(connection: FakeConnection, request: Message) -> None:
            connection.reply(ErrorMes(429, "there are too many", retry_after=10))
            connection.transport.loseConnection()

        self.server.handlers[LoginMes] = full
        self.start()
        self.assertEqual(self.waiting().reason, "there are too many")
        self.assertTrue(10 <= self.waiting().seconds <= 12)
        del self.server.handlers[LoginMes]
        self.advance(12)
        self.net.cut()
        self.assertEqual(self.waiting().reason, "the connection was lost", "that is over")

    def test_replaced_and_suspended_do_not_come_back(self) -> None:
        for code in (409, 403):
            self.start()
            self.server.last.bye(code, "go away")
            self.net.flush()
            self.advance(100)
            self.assertEqual(self.link.state, Stopped("go away", code))

    def test_who_is_told_when_to_come_back_does_so_whatever_the_code(self) -> None:
        self.start()
        self.server.last.bye(403, "nothing was heard", retry_after=1)
        self.net.flush()
        self.assertEqual(self.waiting().reason, "nothing was heard")

    def test_the_goodbye_is_passed_on(self) -> None:
        self.start()
        self.server.last.bye(503, "restarting", 1)
        self.net.flush()
        self.assertEqual(self.pushed, [ByeMes(503, "restarting", 1)])


class SignOfLifeTest(LinkCase):
    def test_silence_is_broken_by_a_ping_every_50_seconds(self) -> None:
        self.start()
        self.advance(PING_AFTER - 1)
        self.assertEqual(self.server.of(PingMes), [])
        self.advance(2)
        self.assertEqual(len(self.server.of(PingMes)), 1)
        self.advance(2 * PING_AFTER + 2)
        self.assertEqual(len(self.server.of(PingMes)), 3)
        self.assertIsInstance(self.link.state, LoggedIn)

    def test_no_pong_in_20_seconds_ends_the_connection(self) -> None:
        self.start()
        self.server.handlers[PingMes] = lambda c, r: None
        self.advance(PING_AFTER + PONG_WITHIN - 1)
        self.assertIsInstance(self.link.state, LoggedIn)
        self.advance(2)
        self.assertEqual(self.states[2].reason, "the server gives no sign of life")  # type: ignore[union-attr]

    def test_who_only_talks_notices_that_nobody_answers(self) -> None:
        self.start()
        self.server.handlers[PingMes] = lambda c, r: None
        wire = self.link.wire
        for _ in range(75):
            assert wire is not None
            wire.tell(PingMes())
            self.advance(1)
        self.assertNotEqual(self.link.wire, wire)

    def test_a_request_without_an_answer_makes_it_look(self) -> None:
        self.start()
        self.server.handlers[LoginMes] = lambda c, r: None
        self.server.handlers[PingMes] = lambda c, r: None
        assert self.link.wire is not None
        outcome = Deferred.fromCoroutine(self.link.wire.ask(LoginMes(2), LoginResMes))
        self.advance(31)
        self.failureResultOf(outcome)
        self.assertEqual(len(self.server.of(PingMes)), 1)

    def ask(self, request: Request, answer: type[Message]) -> "Deferred[Message]":
        """Ask what the server will not answer."""
        self.server.handlers[type(request)] = lambda c, r: None
        assert self.link.wire is not None
        asked = Deferred.fromCoroutine(self.link.wire.ask(request, answer))
        asked.addErrback(lambda failure: failure.trap(FateUnknown) and None)
        return asked

    def test_a_network_that_is_gone_is_noticed_soon_by_who_says_something(self) -> None:
        self.start()
        self.server.handlers[PingMes] = lambda c, r: None
        self.ask(SmsMes("#lobby", "x"), SmsResMes)
        self.advance(DOUBT_AFTER + DOUBT_WITHIN - 1)
        self.assertIsInstance(self.link.state, LoggedIn)
        self.advance(3)
        self.assertEqual(self.net.attempts, 2)

    def test_a_server_that_takes_its_time_is_asked_once_and_kept(self) -> None:
        self.start()
        self.ask(SmsMes("#lobby", "x"), SmsResMes)
        self.advance(REPLY_WITHIN - 1)
        self.assertEqual((len(self.server.of(PingMes)), self.net.attempts), (1, 1))

    def test_who_hears_something_has_no_doubts(self) -> None:
        self.start()
        self.ask(SmsMes("#lobby", "x"), SmsResMes)
        for _ in range(5):
            self.advance(DOUBT_AFTER - 1)
            self.server.last.push(Entry(1, conversation="#lobby"))
            self.net.flush()
        self.assertEqual(self.server.of(PingMes), [])

    def test_a_password_is_waited_for(self) -> None:
        self.start()
        self.ask(PasswordMes("old", "new"), PasswordResMes)
        self.advance(REPLY_WITHIN - 1)
        self.assertEqual(self.server.of(PingMes), [])

    def test_who_doubts_the_connection_can_have_it_tried(self) -> None:
        self.start()
        self.link.reconnect_now()
        self.advance(WAKE_WITHIN + 2)
        self.assertEqual((len(self.server.of(PingMes)), self.net.attempts), (1, 1))
        self.server.handlers[PingMes] = lambda c, r: None
        self.link.reconnect_now()
        self.advance(WAKE_WITHIN + 2)
        self.assertEqual(self.net.attempts, 2)


class SleepTest(LinkCase):
    def test_after_a_long_sleep_it_reconnects_at_once(self) -> None:
        self.start()
        self.clock.advance(3600)
        self.net.flush()
        self.advance(2)
        self.assertEqual(self.net.attempts, 2)
        self.assertIsInstance(self.link.state, LoggedIn)

    def test_a_machine_that_was_stopped_with_its_clock_is_told_by_the_time_of_day(self) -> None:
        for stopped, attempts in ((9.0, 1), (3600.0, 2)):
            self.start()
            self.stopped += stopped
            self.advance(12)
            self.assertEqual(self.net.attempts, attempts)
        self.stopped -= 3600.0
        self.advance(12)
        self.assertEqual(self.net.attempts, 2, "a clock that was set back is no sleep")

    def test_after_a_nap_the_connection_is_tried_and_kept(self) -> None:
        self.start()
        self.clock.advance(40)
        self.net.flush()
        self.assertEqual(len(self.server.of(PingMes)), 1)
        self.advance(10)
        self.assertEqual(self.net.attempts, 1)

    def test_after_a_nap_a_dead_connection_is_given_up_within_seconds(self) -> None:
        self.start()
        self.server.handlers[PingMes] = lambda c, r: None
        self.clock.advance(40)
        self.net.flush()
        self.advance(5)
        self.assertEqual(self.net.attempts, 2)

    def test_who_waits_when_the_machine_wakes_up_tries_at_once(self) -> None:
        self.net.down = True
        self.chance = 1.0
        self.start()
        while self.waiting().seconds < LONGEST_WAIT:
            self.advance(self.waiting().seconds)
        self.net.down = False
        self.clock.advance(21)
        self.net.flush()
        self.assertIsInstance(self.link.state, LoggedIn)

    def test_who_was_connecting_when_the_machine_slept_begins_with_the_shortest_wait(self) -> None:
        self.net.down = True
        self.start()
        self.advance(100)
        self.net = self.link._endpoint = net = SlowNet(self.server)
        while isinstance(self.link.state, Waiting):
            self.advance(1)
        self.clock.advance(60)
        net.down = True
        net.answer()
        self.assertEqual(self.waiting().seconds, SHORTEST_WAIT)


class SlowNet(FakeNet):
    """Lets nobody in until it is told to; who is called back is told so as by a TCP endpoint."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(server)
        self._asked: list[tuple[Deferred[Any], IProtocolFactory]] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        asked: Deferred[Any] = Deferred(
            lambda called: called.errback(ConnectingCancelledError(UNIXAddress("nowhere")))
        )
        self._asked.append((asked, factory))
        return asked

    def answer(self) -> None:
        waiting, self._asked = self._asked, []
        for asked, factory in waiting:
            if not asked.called:  # or nobody wants to know any more
                super().connect(factory).chainDeferred(asked)


class AnythingTest(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.sampled_from([
                "start", "stop", "hurry", "answer", "flush", "cut", "down", "nap", "sleep", "wait",
                "refuse", "mute", "works", "bye", "nobody",
            ]),
            min_size=20,
            max_size=60,
        )
    )  # fmt: skip
    def test_whatever_happens_it_logs_in_when_it_can(self, steps: list[str]) -> None:
        case = LinkCase()
        case.setUp()
        case.net = case.link._endpoint = net = SlowNet(case.server)
        credentials = case.credentials
        for step in steps:
            match step:
                case "start":
                    case.link.start()
                case "stop":
                    case.link.stop()
                case "hurry":
                    case.link.reconnect_now()
                case "answer":
                    net.answer()
                case "flush":
                    net.flush()
                case "cut":
                    net.cut()
                case "down":
                    net.down = not net.down
                case "nap" | "sleep":
                    case.stopped += 30 if step == "nap" else 1_000
                    case.clock.advance(10)
                case "wait":
                    case.clock.advance(3)
                case "refuse":
                    case.server.handlers[LoginMes] = lambda c, r: LoginResMes(503, "no")
                case "mute":
                    case.server.handlers[LoginMes] = lambda c, r: None
                case "works":
                    case.server.handlers.clear()
                case "bye" if case.server.connections:
                    case.server.last.bye(409)
                case "nobody":
                    case.credentials = None if case.credentials else credentials
        self.assertEqual(self.flushLoggedErrors(), [])
        case.server.handlers.clear()
        case.credentials, net.down = credentials, False
        for _ in range(3):
            case.link.start()
            for _ in range(60):
                case.advance(1)
                net.answer()
                net.flush()
        self.assertEqual(case.link.state, LoggedIn())
        self.assertEqual(len(case.server.connections), 1)
        case.finish()
        self.assertEqual(self.flushLoggedErrors(), [])


class AddressTest(SynchronousTestCase):
    def test_short_forms_are_written_out(self) -> None:
        for written, meant in {
            "": "tcp:127.0.0.1:8889",
            "chat.example": "tcp:chat.example:8889",
            "chat.example:9": "tcp:chat.example:9",
            "127.0.0.1:9": "tcp:127.0.0.1:9",
            "[::1]:9": r"tcp:\:\:1:9",
            "[::1]": r"tcp:\:\:1:8889",
            "tcp:chat.example:9": "tcp:chat.example:9",
            "tcp:[::1]:9": r"tcp:\:\:1:9",
            "tls:chat.example": "tls:chat.example:8889",
            "tls:[::1]:9": r"tls:\:\:1:9",
            "unix:/tmp/x": "unix:/tmp/x",
        }.items():
            self.assertEqual(server_string(written), meant)
            self.assertEqual(server_string(meant), meant)

    def test_a_person_is_shown_an_address_that_can_be_written_again(self) -> None:
        for kept, seen in {
            "tcp:127.0.0.1:8889": "tcp:127.0.0.1:8889",
            r"tcp:\:\:1:9": "tcp:[::1]:9",
            "tls:[fd00::7]": "tls:[fd00::7]:8889",
            "unix:/tmp/x": "unix:/tmp/x",
        }.items():
            self.assertEqual(shown(kept), seen)
            self.assertEqual(server_string(seen), server_string(kept))

    def test_an_address_becomes_an_endpoint(self) -> None:
        reactor = MemoryReactorClock()
        self.assertIsInstance(endpoint_for(reactor, "chat.example:9"), HostnameEndpoint)
        self.assertIsInstance(endpoint_for(reactor, "[::1]:9"), HostnameEndpoint)
        self.assertIsInstance(endpoint_for(reactor, "unix:/tmp/x"), UNIXClientEndpoint)

    def test_a_port_that_there_is_not_is_no_other_one(self) -> None:
        reactor = MemoryReactorClock()
        for port in ("0", "65536", "74425", "9" * 5000):
            for written in (f"chat.example:{port}", f"tls:[::1]:{port}"):
                self.assertRaises(ValueError, endpoint_for, reactor, written)
        for port in ("1", "65535"):
            endpoint_for(reactor, f"chat.example:{port}")

    @given(st.text(max_size=30))
    def test_anything_else_is_one_clear_error(self, text: str) -> None:
        try:
            endpoint_for(MemoryReactorClock(), text)
        except ValueError as error:
            self.assertIn("no server address", str(error))
