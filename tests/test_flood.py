"""Floods: what one connection, one user and one address may do, and how strangers make room."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from chat.server.guard import gate
from chat.server.guard.budgets import USERS, Budgets
from chat.server.session import LONG
from tests.hall import CountingTransport, Guest, Hall
from tests.party import Party
from tests.peers import enveloped, framed
from tests.process import ServerProcess

ROOM = "r:here"


class LightFramesTest(SynchronousTestCase):
    """Pings and marks are free; who sends thousands is read more slowly."""

    def test_up_to_the_burst_they_are_served_at_once_and_then_one_by_one(self) -> None:
        hall = Hall(light_rate=(5, 10.0))
        guest = hall.guest(1)
        guest.receive(framed(enveloped("PingMes", {})) * 12)
        self.assertEqual(self.pongs(guest), 6, "the one over it is served, and ends the reading")
        for served in (7, 8, 9):
            hall.clock.advance(0.1)
            self.assertEqual(self.pongs(guest), served)
        hall.clock.pump([0.1] * 10)
        self.assertEqual(self.pongs(guest), 12, "nothing is lost")

    def test_nought_is_no_limit(self) -> None:
        guest = Hall(light_rate=(0, 0.0)).guest(1)
        guest.receive(framed(enveloped("PingMes", {})) * 2_000)
        self.assertEqual(self.pongs(guest), 2_000)

    def test_a_long_frame_counts_for_each_kibibyte_whatever_it_says(self) -> None:
        for size, served in ((LONG - 1, 12), (4 * LONG, 9)):
            hall = Hall(light_rate=(40, 10.0))
            guest = hall.guest(1)
            short = len(enveloped("PingMes", {"x": ""}))
            ping = enveloped("PingMes", {"x": "y" * (size - short)})
            self.assertEqual(len(ping), size)
            guest.receive(framed(ping) * 12)
            self.assertEqual(self.pongs(guest), served, size)
            hall.clock.pump([0.1] * 20)
            self.assertEqual(self.pongs(guest), 12, "nothing is lost")

    def test_who_is_gone_is_not_read_again(self) -> None:
        hall = Hall(request_rate=(5, 10.0))
        guest = hall.stranger()
        guest.receive(framed(enveloped("PingMes", {})) * 12)
        guest.session.connection.connectionLost()
        hall.clock.pump([0, 0.1, 0.1])
        self.assertEqual(self.pongs(guest), 6)
        self.assertEqual(hall.clock.getDelayedCalls(), [])

    def test_a_strangers_are_held_to_the_rate_of_requests(self) -> None:
        hall = Hall(light_rate=(1_000, 500.0), request_rate=(5, 10.0))
        guest = hall.stranger()
        guest.receive(framed(enveloped("PingMes", {})) * 12)
        self.assertEqual(self.pongs(guest), 6)
        hall.clock.advance(0.1)
        self.assertEqual(self.pongs(guest), 7)
        hall.clock.pump([0.1] * 10)
        self.assertEqual(self.pongs(guest), 12, "nothing is lost")

    def pongs(self, guest: Guest) -> int:
        return sum(frame.type == "PongMes" for frame in guest.frames)


class StrangersInTurnTest(SynchronousTestCase):
    """What they may do at once, all of them do in turn, a little in each of the reactor's."""

    def test_so_many_frames_are_served_in_a_turn_and_the_next_is_anothers(self) -> None:
        hall = Hall()
        strangers = [hall.stranger() for _ in range(20)]
        for number, each in enumerate(strangers):
            each.receive(b"".join(self.ping(f"{number}-{which}") for which in range(2)))
        served, turns = self.ids(strangers), []
        turns.append(len(served))
        while len(served) < 40:
            self.turn(hall)
            now = self.ids(strangers)
            turns.append(len(now) - len(served))
            served = now
            self.assertLess(len(turns), 20)
        self.assertLessEqual(max(turns), gate.SERVED_A_TURN)
        self.assertGreaterEqual(sum(turns[:3]), 20)
        for number, each in enumerate(strangers):
            self.assertEqual(self.ids([each]), [f"{number}-0", f"{number}-1"])
        hall.clock.advance(0)
        self.assertEqual(hall.clock.getDelayedCalls(), [])

    def test_who_is_logged_in_waits_for_none_of_them(self) -> None:
        hall = Hall()
        guest = hall.guest(1)
        for each in [hall.stranger() for _ in range(20)]:
            each.receive(self.ping("stranger"))
        guest.receive(b"".join(self.ping(f"{number}") for number in range(30)))
        self.assertEqual(self.ids([guest]), [f"{number}" for number in range(30)])

    def test_who_waits_stands_in_the_queue_once_and_is_served_in_order(self) -> None:
        hall = Hall()
        queue = hall.factory._gate._queue
        strangers = [hall.stranger() for _ in range(2 * gate.SERVED_A_TURN)]
        for each in strangers:
            each.receive(self.ping("a"))
        last = strangers[-1]
        last.session.connection.resumeProducing()  # as when it has read what it was sent
        last.receive(self.ping("b") + self.ping("c"))
        self.assertEqual([*queue].count(last.session), 1)
        for _ in range(6):
            self.turn(hall)
        self.assertEqual(self.ids([last]), ["a", "b", "c"])

    def test_what_was_sent_behind_a_login_waits_its_turn_too(self) -> None:
        hall = Hall()
        guest = hall.stranger()
        guest.session.busy = True
        everything = [f"{number}" for number in range(2 * gate.SERVED_A_TURN + 1)]
        guest.receive(b"".join(map(self.ping, everything)))
        guest.session.go_on()
        self.assertEqual(self.ids([guest]), everything[: gate.SERVED_A_TURN])
        hall.clock.pump([0, 0])
        self.assertEqual(self.ids([guest]), everything)

    def test_who_is_gone_before_the_turn_comes_leaves_nothing(self) -> None:
        hall = Hall()
        strangers = [hall.stranger() for _ in range(10)]
        for each in strangers:
            each.receive(self.ping("a") * 3)
        for each in strangers:
            each.session.connection.connectionLost()
        hall.clock.pump([0] * 5)
        self.assertEqual(len(self.ids(strangers)), gate.SERVED_A_TURN)
        self.assertEqual(hall.clock.getDelayedCalls(), [])

    def turn(self, hall: Hall) -> None:
        """One turn of the reactor; the clock's own ``advance`` goes on with what that brings."""
        now = hall.clock.seconds()
        for call in [each for each in hall.clock.calls if each.getTime() <= now]:
            hall.clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)

    def ping(self, request_id: str) -> bytes:
        return framed(enveloped("PingMes", {}, id=request_id))

    def ids(self, guests: list[Guest]) -> list[str]:
        return [frame.id or "" for each in guests for frame in each.frames]


class StrangersTest(SynchronousTestCase):
    """Over the cap the stranger goes who has held a place for longest and said nothing."""

    def setUp(self) -> None:
        self.hall = Hall(strangers=3)

    def gone(self, guests: list[Guest]) -> list[int]:
        return [at for at, each in enumerate(guests) if each.session.connection.closing]

    def test_the_oldest_has_to_go_and_is_told_why(self) -> None:
        guests = [self.hall.stranger() for _ in range(3)]
        self.assertEqual(self.gone(guests), [])
        guests += [self.hall.stranger() for _ in range(2)]
        self.assertEqual(self.gone(guests), [0, 1])
        self.assertEqual(guests[0].frames[0].data["code"], 429)

    def test_who_is_logged_in_or_logging_in_stays(self) -> None:
        inside = [self.hall.guest(7, ROOM), self.hall.guest(8, ROOM)]
        busy = self.hall.stranger()
        busy.session.busy = True
        idle = [self.hall.stranger() for _ in range(3)]
        self.assertEqual(self.gone([*inside, busy, *idle]), [3])

    def test_whose_login_is_looked_at_when_the_time_is_over_has_some_more(self) -> None:
        hall = Hall(login_seconds=10.0)
        busy, idle = hall.stranger(), hall.stranger()
        busy.session.busy = True
        for seconds, gone in ((9.9, []), (0.1, [1]), (19.9, [1]), (0.1, [0, 1])):
            hall.clock.advance(seconds)
            hall.factory._end_late_logins()
            self.assertEqual(self.gone([busy, idle]), gone)

    def test_what_they_have_sent_of_frames_takes_so_much_room_and_no_more(self) -> None:
        self.patch(gate, "UNFINISHED_BYTES", 1_000)
        hall = Hall(strangers=0)
        silent, *guests = [hall.stranger() for _ in range(5)]
        part = b"\0\0\x10\0" + b"x" * 396
        known = hall.guest(7, ROOM)
        known.receive(b"\0\0\x10\0" + b"x" * 4_000)
        for number, each in enumerate(guests):
            each.receive(part)
            self.assertEqual(self.gone(guests), list(range(max(0, number - 1))))
        self.assertEqual(self.gone([silent, known]), [])
        guests[2].receive(b"x" * 3_000)
        self.assertEqual(self.gone(guests), [0, 1, 2], "the oldest that holds anything")
        for each in guests[3], silent:
            each.session.connection.connectionLost()
        again = hall.stranger()
        again.receive(part)
        again.session.connection.connectionLost()
        again = hall.stranger()
        again.receive(part * 2)
        self.assertEqual(self.gone([again]), [], "who went left their room to others")

    def test_nought_is_no_limit(self) -> None:
        hall = Hall(strangers=0)
        self.assertEqual(self.gone([hall.stranger() for _ in range(50)]), [])


class GateTest(SynchronousTestCase):
    """Numbers and rates of connections from one address."""

    def come(self, hall: Hall, host: str = "192.0.2.1") -> Guest | None:
        connection = hall.factory.buildProtocol(IPv4Address("TCP", host, 1))
        if connection is None:
            return None
        connection.makeConnection(transport := CountingTransport())
        return Guest(connection.session, transport)

    def test_an_address_has_so_many_connections(self) -> None:
        hall = Hall(connections_per_address=2)
        came = [self.come(hall) for _ in range(3)]
        closing = [each is not None and each.session.connection.closing for each in came]
        self.assertEqual(closing, [False, False, True])
        for host in ("192.0.2.2", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.9"):
            other = self.come(hall, host)
            assert other is not None
            self.assertFalse(other.session.connection.closing, host)
        assert came[0] is not None
        for each in came[0], came[2]:
            assert each is not None
            each.session.connection.connectionLost()
        again = self.come(hall)
        assert again is not None
        self.assertFalse(again.session.connection.closing)

    def test_an_address_comes_so_often_and_is_closed_without_a_word(self) -> None:
        hall = Hall(connection_rate=(3, 1.0))
        self.assertEqual([self.come(hall) is None for _ in range(5)], [False] * 3 + [True] * 2)
        self.assertIsNotNone(self.come(hall, "192.0.2.2"))
        self.assertEqual(hall.context.tally.goodbyes["not-let-in"], 2)
        hall.clock.advance(1)
        self.assertEqual([self.come(hall) is None for _ in range(2)], [False, True])
        self.assertEqual([self.come(hall, "127.0.0.1") for _ in range(9)].count(None), 0)

    def test_of_very_many_addresses_those_that_came_last_are_remembered(self) -> None:
        self.patch(gate, "ADDRESSES", 2)
        hall = Hall(connection_rate=(1, 1.0))
        first, second, third = (f"192.0.2.{number}" for number in (1, 2, 3))
        came = (first, second, first, third, first, second)
        refused = [self.come(hall, host) is None for host in came]
        self.assertEqual(refused, [False, False, True, False, True, False])

    def test_nobody_need_be_exempt(self) -> None:
        hall = Hall(connection_rate=(3, 1.0), exempt=())
        self.assertEqual([self.come(hall, "127.0.0.1") for _ in range(5)].count(None), 2)

    def test_other_settings_count_from_then_on(self) -> None:
        hall = Hall(connection_rate=(3, 1.0))
        for _ in range(5):
            self.come(hall)
        for rate, refused in (((0, 0.0), 0), ((7, 1.0), 2)):
            hall.context.settings = Hall(connection_rate=rate).context.settings
            self.assertEqual([self.come(hall) for _ in range(9)].count(None), refused)


class BudgetsTest(SynchronousTestCase):
    def test_a_user_has_one_that_outlives_the_devices_and_not_everybody_is_remembered(self) -> None:
        hall = Hall(user_rate=(2, 1.0))
        budgets = Budgets(hall.context)
        first = budgets.of(1)
        self.assertEqual([first.talk.take() == 0 for _ in range(3)], [True, True, False])
        self.assertIs(budgets.of(1), first)
        for user_id in range(2, USERS + 1):
            budgets.of(user_id)
        self.assertIs(budgets.of(1), first, "they are as many as there is room for")
        budgets.of(USERS + 1)
        budgets.of(USERS + 2)
        self.assertIs(budgets.of(1), first)
        self.assertEqual(len(budgets._of), USERS)

    def test_nought_is_no_limit_and_so_is_one_for_connections_alone(self) -> None:
        for settings in ({"user_rate": (0, 0.0)}, {"rate": (0, 0.0)}):
            budget = Budgets(Hall(**settings).context).of(1)
            self.assertEqual({budget.talk.take() for _ in range(500)}, {0.0})
        for settings in ({"user_request_rate": (0, 0.0)}, {"request_rate": (0, 0.0)}):
            budget = Budgets(Hall(**settings).context).of(1)
            self.assertEqual({budget.requests.take() for _ in range(500)}, {0.0})


class DevicesTest(SynchronousTestCase):
    """From outside: several devices, one user."""

    def codes(self, peers: list[Any], count: int, kind: str, **data: Any) -> list[int]:
        sent = [(peer, peer.send(kind, **data)) for _ in range(count) for peer in peers]
        return [peer.reply(each).data["code"] for peer, each in sent]

    def test_devices_of_a_user_share_a_budget_and_coming_again_does_not_renew_it(self) -> None:
        server = ServerProcess.start_for(
            self, "--rate", "20,0.1", "--user-rate", "30,0.1", "--user-request-rate", "30,0.1"
        )
        with Party(server.port) as party:
            user = party.user()
            peers = [party.current(user) for _ in range(3)]
            codes = self.codes(peers, 20, "SmsMes", to="#lobby", content="flood")
            self.assertEqual(codes.count(200), 30)
            for peer in peers:
                peer.close()
            again = [party.current(user) for _ in range(2)]
            self.assertEqual(self.codes(again, 2, "SmsMes", to="#lobby", content="x").count(200), 0)
            history = self.codes(again, 20, "HistoryMes", conversation="#lobby")
            self.assertEqual(history.count(200), 30)
            self.assertEqual(self.codes(again, 1, "StatusMes", status=2), [429, 429])
            other = party.current()
            self.assertEqual(
                self.codes([other], 20, "SmsMes", to="#lobby", content="x"), [200] * 20
            )
