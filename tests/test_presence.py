"""Who is online, with several servers on one real store."""

import json
from collections.abc import Awaitable, Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from chat.messages import User
from chat.names import MAX_USER_ID
from chat.store.errors import StoreError
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.pubsub import Subscriber
from chat.store.link.redis import Redis
from chat.store.presence import LEASE_SECONDS, RENEWALS, Presence
from tests.connections import connected_to
from tests.patience import PATIENCE
from tests.proxy import Proxy
from tests.valkey import Valkey, start_for

KEYS = Keys("t:")
RENEW_SECONDS = LEASE_SECONDS * RENEWALS
ANN, BOB = User(1, "ann", 0), User(2, "bob", 0)
ONLINE, OFFLINE, BUSY = 0, 1, 2


class Node:
    """One server's presence, with a clock of its own."""

    def __init__(self, redis: Redis, name: str, alone: bool = False) -> None:
        self.clock = Clock()
        self.redis = redis
        self.presence = Presence(self.clock, redis, KEYS, name, alone=alone)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for this server, and what it does meanwhile come to its end."""
        while seconds > 0:
            step = min(seconds, RENEW_SECONDS)
            seconds -= step
            self.clock.advance(step)
            # Renewals come one after the other: this one is behind whatever the clock started.
            await quietly(self.presence.tend())


async def quietly(work: Awaitable[object]) -> None:
    """What a server that lost its store goes through."""
    try:
        await work
    except StoreError:
        return


class PresenceCase(TestCase):
    """A store, and any number of servers."""

    valkey: Valkey

    async def setUp(self) -> None:
        self.valkey = start_for(self)
        self.news: list[tuple[int, int, str]] = []

    async def connect(self, url: str = "") -> Redis:
        """A connection to the store."""
        return await connected_to(self, url or self.valkey.url)

    async def node(self, name: str, alone: bool = False, url: str = "") -> Node:
        """A server that has started and stops with the test."""
        node = Node(await self.connect(url), name, alone)
        await node.presence.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(node.presence.stop()))
        return node

    async def listen(self) -> Subscriber:
        """Write down in ``news`` what is published."""
        reader = Node(await self.connect(), "reader").presence
        reader.watch(
            lambda user: self.news.append((user.user_id, user.user_status, user.user_name))
        )
        connected: Deferred[None] = Deferred()
        subscriber = Subscriber(
            reactor,
            Address.parse(self.valkey.url),
            on_message=lambda _, payload: reader.published(payload),
            on_batch_end=lambda: None,
            on_connected=lambda: connected.callback(None),
            on_lost=lambda: None,
        )
        subscriber.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(subscriber.stop()))
        await connected
        await subscriber.subscribe(KEYS.presence_channel())
        return subscriber

    async def expect_news(self, subscriber: Subscriber, *news: tuple[int, int, str]) -> None:
        """What was published since the last time is ``news``."""
        await subscriber.fence()
        self.assertEqual(self.news, list(news))
        self.news.clear()

    def run_out(self, node: Node) -> None:
        """A server has not renewed its lease for longer than it lasts."""
        self.valkey.ask("ZADD", KEYS.nodes(), "XX", 1, node.presence.node)

    def left_over(self) -> list[bytes]:
        """The keys that presence left in the store."""
        return sorted(self.valkey.ask("KEYS", "t:*"))


class SessionsTest(PresenceCase):
    """Sessions come, change and go."""

    async def test_the_first_session_makes_a_user_online_and_the_last_offline(self) -> None:
        one, other = await self.node("one"), await self.node("other")
        news = await self.listen()
        await one.presence.enter(ANN, "s1", "laptop", ONLINE)
        await other.presence.enter(ANN, "s1", "phone", ONLINE)
        await self.expect_news(news, (1, ONLINE, "ann"))
        self.assertEqual(await other.presence.online_devices(1), {"laptop", "phone"})
        await one.presence.leave(ANN, "s1")
        await self.expect_news(news)
        self.assertEqual(await one.presence.online_devices(1), {"phone"})
        await other.presence.leave(ANN, "s1")
        await self.expect_news(news, (1, OFFLINE, "ann"))
        self.assertEqual(await one.presence.statuses([1]), {1: OFFLINE})

    async def test_the_best_status_of_all_sessions_counts(self) -> None:
        node, news = await self.node("one"), await self.listen()
        presence = node.presence
        await presence.enter(ANN, "a", "laptop", BUSY)
        await presence.enter(ANN, "b", "phone", BUSY)
        await presence.set_status(ANN, "b", ONLINE)
        await presence.set_status(ANN, "a", ONLINE)
        await presence.set_status(ANN, "b", BUSY)
        self.assertEqual(await presence.statuses([1]), {1: ONLINE})
        await presence.set_status(ANN, "a", BUSY)
        await self.expect_news(news, (1, BUSY, "ann"), (1, ONLINE, "ann"), (1, BUSY, "ann"))

    async def test_leaving_twice_is_leaving_once(self) -> None:
        node, news = await self.node("one"), await self.listen()
        await node.presence.enter(ANN, "a", "laptop", ONLINE)
        await node.presence.leave(ANN, "a")
        await node.presence.leave(ANN, "a")
        await node.presence.set_status(ANN, "a", ONLINE)
        await self.expect_news(news, (1, ONLINE, "ann"), (1, OFFLINE, "ann"))

    async def test_the_list_is_paged_by_user_id(self) -> None:
        presence = (await self.node("one")).presence
        for user_id in (30, 4, MAX_USER_ID, 100):
            await presence.enter(User(user_id, f"n:{user_id}"), f"s{user_id}", "d", ONLINE)
        await presence.set_status(User(30, "n:30"), "s30", BUSY)
        users, total, more = await presence.online(0, 3)
        self.assertEqual([each.user_id for each in users], [4, 30, 100])
        self.assertEqual((total, more), (4, True))
        self.assertEqual(users[1], User(30, "n:30", BUSY))
        users, total, more = await presence.online(100, 3)
        self.assertEqual([each.user_id for each in users], [MAX_USER_ID])
        self.assertEqual((total, more), (4, False))

    async def test_statuses_of_some(self) -> None:
        presence = (await self.node("one")).presence
        await presence.enter(ANN, "a", "d", BUSY)
        self.assertEqual(await presence.statuses([2, 1]), {1: BUSY, 2: OFFLINE})
        self.assertEqual(await presence.statuses([]), {})

    async def test_any_name_and_the_largest_id_come_through(self) -> None:
        presence, news = (await self.node("one")).presence, await self.listen()
        user = User(MAX_USER_ID, 'ö"\\/:机', 0)
        await presence.enter(user, "a/b", "d:e", ONLINE)
        await self.expect_news(news, (MAX_USER_ID, ONLINE, user.user_name))
        self.assertEqual(await presence.online_devices(MAX_USER_ID), {"d:e"})
        await presence.leave(user, "a/b")
        await self.expect_news(news, (MAX_USER_ID, OFFLINE, user.user_name))

    async def test_a_session_takes_the_place_of_one_that_left_without_a_word(self) -> None:
        node, news = await self.node("one"), await self.listen()
        await node.presence.enter(ANN, "a", "d", ONLINE)
        await node.presence.enter(ANN, "b", "d", ONLINE, instead="a")
        self.assertEqual(await node.presence.sessions(1), {f"{node.presence.node}/b": "d"})
        await node.presence.leave(ANN, "a")
        await self.expect_news(news, (1, ONLINE, "ann"))
        await node.presence.stop()
        self.assertEqual(self.left_over(), [])

    async def test_one_whose_place_could_not_be_taken_is_told_of_later(self) -> None:
        node = await self.node("one")
        await node.presence.enter(ANN, "a", "d", ONLINE)

        async def fails(*_: object) -> list[int]:
            raise StoreError("away")

        with self.assertRaises(StoreError):
            await node.presence.enter(ANN, "b", "d", ONLINE, instead="a", tell=fails)
        await node.pass_time(RENEW_SECONDS)
        self.assertEqual(await node.presence.sessions(1), {})

    async def test_an_enter_is_one_script(self) -> None:
        presence = (await self.node("one")).presence
        await presence.enter(ANN, "a", "d", ONLINE)
        before = self.valkey.ask("INFO", "commandstats")
        await presence.enter(BOB, "b", "d", ONLINE)
        after = self.valkey.ask("INFO", "commandstats")
        self.assertEqual(scripts(after) - scripts(before), 1)


def scripts(stats: bytes) -> int:
    """How many scripts the store has run."""
    lines = [line for line in stats.splitlines() if line.startswith(b"cmdstat_eval")]
    return sum(int(line.split(b"calls=")[1].split(b",")[0]) for line in lines)


class LeaseTest(PresenceCase):
    """Servers that end, well or badly, and those who clean up."""

    async def crowd(self, node: Node, count: int) -> None:
        """Users on a server."""
        users = [User(number, f"u{number}") for number in range(1, count + 1)]
        entering = [node.presence.enter(user, f"s{user.user_id}", "d", ONLINE) for user in users]
        await DeferredList(map(Deferred.fromCoroutine, entering))

    async def test_stop_takes_all_sessions_away_and_leaves_nothing(self) -> None:
        node = await self.node("one")
        await self.crowd(node, 450)
        news = await self.listen()
        await node.presence.stop()
        await news.fence()
        self.assertEqual(sorted(self.news)[-1], (450, OFFLINE, "u450"))
        self.assertEqual(len(self.news), 450)
        self.assertEqual(self.left_over(), [])

    async def test_stop_waits_for_a_start_and_none_comes_after_it(self) -> None:
        node = Node(await self.connect(), "one")
        start = Deferred.fromCoroutine(node.presence.start())
        await node.presence.stop()
        await start
        self.assertEqual((node.clock.getDelayedCalls(), self.left_over()), ([], []))
        with self.assertRaises(StoreError):
            await node.presence.start()
        self.assertEqual((node.clock.getDelayedCalls(), self.left_over()), ([], []))

    async def test_a_dead_servers_users_go_offline_two_hundred_a_call(self) -> None:
        dead, survivor = await self.node("dead"), await self.node("survivor")
        await self.crowd(dead, 450)
        await survivor.presence.enter(ANN, "here", "d", ONLINE)
        self.run_out(dead)
        payloads: list[bytes] = []
        news = await self.listen()
        news.on_message = lambda _, payload: payloads.append(payload)
        await survivor.pass_time(LEASE_SECONDS + RENEW_SECONDS)
        await news.fence()
        self.assertTrue(all(len(json.loads(payload)) <= 200 for payload in payloads))
        self.assertEqual(sum(len(json.loads(payload)) for payload in payloads), 449)
        users, total, _ = await survivor.presence.online(0, 10)
        self.assertEqual((users, total), ([ANN], 1))
        self.assertEqual(self.valkey.ask("ZRANGE", KEYS.nodes(), 0, -1), [b"survivor#1"])

    async def test_a_lease_that_is_renewed_is_left_alone(self) -> None:
        one, other = await self.node("one"), await self.node("other")
        await one.presence.enter(ANN, "a", "d", ONLINE)
        before = self.valkey.ask("ZSCORE", KEYS.nodes(), "one#1")
        await deferLater(reactor, 0.005)  # the store's clock has milliseconds
        await one.pass_time(RENEW_SECONDS)
        self.assertGreater(float(self.valkey.ask("ZSCORE", KEYS.nodes(), "one#1")), float(before))
        await other.pass_time(2 * LEASE_SECONDS)
        self.assertEqual(await other.presence.statuses([1]), {1: ONLINE})

    async def test_a_lease_ends_by_the_stores_clock(self) -> None:
        before = self.now()
        node = await self.node("one")
        after = self.now()
        end = int(self.valkey.ask("ZSCORE", KEYS.nodes(), node.presence.node))
        self.assertIn(end - 10_000, range(before, after + 1))

    def now(self) -> int:
        """The store's clock, in ms."""
        seconds, micros = self.valkey.ask("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def test_a_lease_that_ran_out_unnoticed_is_simply_renewed(self) -> None:
        node, news = await self.node("one"), await self.listen()
        await node.presence.enter(ANN, "a", "d", ONLINE)
        self.run_out(node)
        await node.pass_time(RENEW_SECONDS)
        await self.expect_news(news, (1, ONLINE, "ann"))
        self.assertEqual(node.presence.node, "one#1")

    async def test_a_clock_that_was_set_back_keeps_no_dead_server_alive(self) -> None:
        dead, survivor = await self.node("dead"), await self.node("survivor")
        await dead.presence.enter(ANN, "a", "d", ONLINE)
        other = await self.node("other")  # whose lease is another one, for it is newer

        def ends(node: Node) -> int:
            return int(self.valkey.ask("ZSCORE", KEYS.nodes(), node.presence.node)) - self.now()

        for node, seconds in ((dead, 3_600), (survivor, 3_600), (other, 60)):
            end = self.now() + seconds * 1_000
            self.valkey.ask("ZADD", KEYS.nodes(), end, node.presence.node)
        await survivor.pass_time(RENEW_SECONDS)
        for node in (dead, survivor):
            self.assertLessEqual(ends(node), 10_000)
        self.assertGreater(ends(other), 10_000)

    async def test_a_clock_that_was_set_forward_ends_no_lease_of_who_is_there(self) -> None:
        one, other, news = await self.node("one"), await self.node("other"), await self.listen()
        await other.presence.enter(ANN, "a", "d", ONLINE)
        for node in (one, other):
            node.clock.advance(LEASE_SECONDS)  # It is not as if they had just begun.
            await node.presence.tend()
        for node in (one, other):
            self.run_out(node)
        for node in (one, other, one, other):
            await node.pass_time(RENEW_SECONDS)
        await self.expect_news(news, (1, ONLINE, "ann"))
        self.assertEqual(other.presence.node, "other#1")
        self.run_out(other)
        await one.pass_time(LEASE_SECONDS)
        await self.expect_news(news, (1, 1, "ann"))

    async def test_a_server_that_was_cleaned_up_comes_again_with_its_sessions(self) -> None:
        slow, survivor = await self.node("slow"), await self.node("survivor")
        await slow.presence.enter(ANN, "a", "d", ONLINE)
        await slow.presence.enter(BOB, "b", "d", ONLINE)
        await slow.presence.set_status(BOB, "b", BUSY)
        self.run_out(slow)
        await survivor.pass_time(LEASE_SECONDS + RENEW_SECONDS)
        self.assertEqual((await survivor.presence.online(0, 9))[1], 0)
        await slow.pass_time(RENEW_SECONDS)
        self.assertEqual(slow.presence.node, "slow#2")
        self.assertEqual(await survivor.presence.statuses([1, 2]), {1: ONLINE, 2: BUSY})

    async def test_who_enters_a_server_that_was_cleaned_up_is_online_all_the_same(self) -> None:
        slow, survivor = await self.node("slow"), await self.node("survivor")
        await slow.presence.enter(ANN, "a", "d", ONLINE)
        self.run_out(slow)
        await survivor.pass_time(LEASE_SECONDS + RENEW_SECONDS)
        entering = [
            slow.presence.enter(BOB, "b", "d", ONLINE),
            slow.presence.enter(BOB, "c", "e", 2),
        ]
        await DeferredList(map(Deferred.fromCoroutine, entering))
        self.assertEqual(await survivor.presence.statuses([1, 2]), {1: ONLINE, 2: ONLINE})
        await slow.presence.leave(BOB, "b")
        self.assertEqual(await survivor.presence.statuses([2]), {2: BUSY})

    async def test_a_status_set_on_a_server_that_was_cleaned_up_counts(self) -> None:
        slow, survivor = await self.node("slow"), await self.node("survivor")
        await slow.presence.enter(ANN, "a", "d", ONLINE)
        self.run_out(slow)
        await survivor.pass_time(LEASE_SECONDS + RENEW_SECONDS)
        await slow.presence.set_status(ANN, "a", BUSY)
        self.assertEqual(await survivor.presence.statuses([1]), {1: BUSY})

    async def test_who_leaves_while_that_is_found_out_leaves_no_ghost(self) -> None:
        other, slow = await self.node("other"), await self.node("slow")
        await slow.presence.enter(ANN, "a", "laptop", ONLINE)
        self.run_out(slow)
        await other.pass_time(LEASE_SECONDS + RENEW_SECONDS)
        changing = Deferred.fromCoroutine(slow.presence.set_status(ANN, "a", BUSY))
        await slow.presence.leave(ANN, "a")
        await changing
        self.assertEqual(await other.presence.statuses([1]), {1: OFFLINE})

    async def test_what_is_half_cleaned_up_is_never_renewed(self) -> None:
        slow = await self.node("slow")
        await slow.presence.enter(ANN, "a", "d", ONLINE)
        self.valkey.ask("ZADD", KEYS.nodes(), "XX", 0, slow.presence.node)
        await slow.pass_time(RENEW_SECONDS)
        self.assertEqual(slow.presence.node, "slow#2")
        await slow.pass_time(LEASE_SECONDS + RENEW_SECONDS)
        self.assertEqual(self.valkey.ask("ZRANGE", KEYS.nodes(), 0, -1), [b"slow#2"])
        self.assertEqual(await slow.presence.statuses([1]), {1: ONLINE})

    async def test_whoever_is_alone_ends_all_other_leases_at_the_start(self) -> None:
        before = await self.node("before")
        await self.crowd(before, 250)
        after = await self.node("after", alone=True)
        self.assertEqual((await after.presence.online(0, 9))[1], 0)
        self.assertEqual(self.left_over(), [KEYS.nodes()])
        self.assertEqual(self.valkey.ask("ZRANGE", KEYS.nodes(), 0, -1), [b"after#1"])


class OutageTest(PresenceCase):
    """The store goes away and comes back."""

    async def away(self, redis: Redis, cause: Callable[[], None]) -> None:
        """Make a connection lose its store."""
        lost: Deferred[None] = Deferred()
        redis.on_change(lambda connected: None if connected or lost.called else lost.callback(None))
        cause()
        await lost.addTimeout(PATIENCE, reactor)

    async def test_after_an_outage_everybody_gets_time_to_renew(self) -> None:
        proxy = await Proxy.start_for(self, self.valkey.path)
        one, other = await self.node("one"), await self.node("other", url=proxy.url)
        await one.presence.enter(ANN, "a", "d", ONLINE)
        await other.pass_time(LEASE_SECONDS)
        await self.away(other.redis, proxy.cut)
        await other.redis.when_connected()
        self.run_out(one)
        await other.pass_time(LEASE_SECONDS - 1)
        self.assertEqual(await other.presence.statuses([1]), {1: ONLINE})
        await other.pass_time(RENEW_SECONDS)
        self.assertEqual(await other.presence.statuses([1]), {1: OFFLINE})

    async def test_who_left_meanwhile_is_offline_afterwards(self) -> None:
        proxy = await Proxy.start_for(self, self.valkey.path)
        node = await self.node("one", url=proxy.url)
        await node.presence.enter(ANN, "a", "d", ONLINE)
        proxy.refusals = 2
        await self.away(node.redis, proxy.cut)
        await node.presence.leave(ANN, "a")
        self.assertEqual(self.valkey.ask("ZCARD", KEYS.online()), 1)
        await node.redis.when_connected()
        await node.pass_time(RENEW_SECONDS)
        self.assertEqual(self.valkey.ask("ZCARD", KEYS.online()), 0)

    async def test_an_enter_of_unknown_fate_leaves_no_ghost(self) -> None:
        proxy = await Proxy.start_for(self, self.valkey.path)
        node = await self.node("one", url=proxy.url)
        await node.presence.enter(BOB, "b", "d", ONLINE)
        proxy.holding = True
        entering = Deferred.fromCoroutine(node.presence.enter(ANN, "a", "d", ONLINE))
        while self.valkey.ask("ZCARD", KEYS.online()) < 2:
            await deferLater(reactor, 0.001)
        proxy.holding = False
        proxy.cut()
        await self.assertFailure(entering, StoreError)
        await node.redis.when_connected()
        await node.pass_time(RENEW_SECONDS)
        self.assertEqual(await node.presence.statuses([1, 2]), {1: OFFLINE, 2: ONLINE})

    async def test_a_store_that_lost_everything_is_filled_again(self) -> None:
        node = await self.node("one")
        for number in range(250):
            await node.presence.enter(User(number + 1, f"u{number}"), f"s{number}", "d", ONLINE)
        self.valkey.ask("FLUSHALL")
        await node.pass_time(RENEW_SECONDS)
        self.assertEqual((await node.presence.online(0, 9))[1], 250)

    async def test_after_a_loss_who_is_here_is_online_and_who_has_gone_is_not(self) -> None:
        """A failover, or a backup, may take back who came last, or that somebody went."""
        node = await self.node("one")
        for user in (ANN, BOB):
            await node.presence.enter(user, f"s{user.user_id}", "d", ONLINE)
        await node.presence.leave(BOB, "s2")
        for key, words in {
            KEYS.online(): ("ZREM", 1), KEYS.statuses(): ("HDEL", 1), KEYS.sessions(1): ("DEL",),
            KEYS.node_sessions("one#1"): ("SREM", "1/s1"),
        }.items():  # fmt: skip
            self.valkey.ask(words[0], key, *words[1:])
        await Node(node.redis, "one").presence.enter(BOB, "s2", "d", ONLINE)
        self.assertEqual(await node.presence.statuses([1, 2]), {1: OFFLINE, 2: ONLINE})
        node.presence.come_again()
        await node.pass_time(RENEW_SECONDS)
        self.assertEqual(await node.presence.statuses([1, 2]), {1: ONLINE, 2: OFFLINE})
        self.assertEqual(self.valkey.ask("ZRANGE", KEYS.nodes(), 0, -1), [b"one#2"])

    async def test_the_lease_is_renewed_as_soon_as_the_store_is_back(self) -> None:
        proxy = await Proxy.start_for(self, self.valkey.path)
        node = await self.node("one", url=proxy.url)
        await self.away(node.redis, proxy.cut)
        self.run_out(node)
        await node.redis.when_connected()
        while float(self.valkey.ask("ZSCORE", KEYS.nodes(), "one#1")) < 10:
            await deferLater(reactor, 0.001)

    async def test_stop_without_a_store_is_no_error(self) -> None:
        node = await self.node("one")
        await self.away(node.redis, self.valkey.kill)
        await node.presence.stop()
