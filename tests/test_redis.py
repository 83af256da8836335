"""The connections to the store, against a real one: they come back, and every call ends."""

import socket
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat.store.errors import FateUnknown, StoreUnavailable
from chat.store.link import pubsub
from chat.store.link.address import TLS, Address
from chat.store.link.pubsub import Subscriber
from chat.store.link.redis import Redis, RedisReplyError
from chat.store.scripts import Script, load
from tests.connections import connected_to, starting, usable
from tests.patience import PATIENCE
from tests.proxy import Proxy
from tests.valkey import Valkey, start_for


def counted_writes(test: TestCase) -> list[bytes]:
    """What is written to sockets from now on, a call of the kernel each."""
    writes: list[bytes] = []
    send = socket.socket.send

    def counting(to: socket.socket, data: bytes) -> int:
        writes.append(bytes(data))
        return send(to, data)

    test.patch(socket.socket, "send", counting)
    return writes


class Changes:
    """What a Redis said about itself, and a way to wait for the next change."""

    def __init__(self, redis: Redis) -> None:
        self.seen: list[bool] = []
        self._waiting: list[tuple[bool, Deferred[None]]] = []
        redis.on_change(self._changed)

    def _changed(self, connected: bool) -> None:
        self.seen.append(connected)
        waiting, self._waiting = self._waiting, []
        for wanted, waiter in waiting:
            if wanted == connected:
                waiter.callback(None)
            else:
                self._waiting.append((wanted, waiter))

    def next(self, connected: bool) -> Deferred[None]:
        """Fires at the next change to ``connected``."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((connected, waiter))
        return waiter.addTimeout(PATIENCE, reactor)


class Web(Factory):
    """A server of another kind, which says so to whoever says anything."""

    def __init__(self) -> None:
        self.often: Deferred[None] = Deferred()
        self._greeted = 0

    def buildProtocol(self, addr: object) -> Protocol:
        self._greeted += 1
        if self._greeted == 12:
            self.often.callback(None)
        return WebSite()


class WebSite(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Listener:
    """A Subscriber that writes down what it is told."""

    def __init__(self, test: TestCase, url: str, ping_every: float = 3.0) -> None:
        self.heard: list[tuple[bytes, bytes] | str] = []
        self._next: list[Deferred[None]] = []
        self.subscriber = Subscriber(
            reactor,
            Address.parse(url),
            on_message=self._message,
            on_batch_end=lambda: self.heard.append("end"),
            on_connected=lambda: self._said("connected"),
            on_lost=lambda: self._said("lost"),
            ping_every=ping_every,
        )
        self.subscriber.start()
        test.addCleanup(lambda: Deferred.fromCoroutine(self.subscriber.stop()))

    def _message(self, channel: bytes, payload: bytes) -> None:
        if payload == b"bad":
            raise RuntimeError("a bad message")
        self.heard.append((channel, payload))

    def _said(self, what: str) -> None:
        self.heard.append(what)
        waiters, self._next = self._next, []
        for waiter in waiters:
            waiter.callback(None)

    async def until(self, what: str, times: int = 1) -> None:
        """Wait for the ``times``-th ``connected`` or ``lost``."""
        while self.heard.count(what) < times:
            waiter: Deferred[None] = Deferred()
            self._next.append(waiter)
            await waiter.addTimeout(PATIENCE, reactor)

    @property
    def messages(self) -> list[tuple[bytes, bytes]]:
        """The messages alone."""
        return [each for each in self.heard if isinstance(each, tuple)]


class CallsTest(TestCase):
    """Calls and their answers."""

    async def test_a_text_of_digits_stays_text(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        await redis.call("SET", "k", "007")
        self.assertEqual(await redis.call("GET", "k"), b"007")

    async def test_bytes_and_integers_arrive_as_they_are(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        await redis.call("RPUSH", b"\xff\x00", b"\r\n", 2**53 - 1, "é")
        answer = await redis.call("LRANGE", b"\xff\x00", 0, -1)
        self.assertEqual(answer, [b"\r\n", b"9007199254740991", b"\xc3\xa9"])

    async def test_answers_belong_to_their_calls(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        answers = await gatherResults([redis.call("ECHO", number) for number in range(1000)])
        self.assertEqual(answers, [b"%d" % number for number in range(1000)])

    async def test_a_call_without_a_store_fails_at_once(self) -> None:
        redis = starting(self, "redis+unix:///tmp/no-such-directory/s")
        self.failureResultOf(redis.call("PING"), StoreUnavailable)

    async def test_a_call_too_many_fails_and_the_others_go_on(self) -> None:
        redis = await connected_to(self, start_for(self).url, most_in_flight=2)
        first, second = redis.call("PING"), redis.call("PING")
        self.failureResultOf(redis.call("PING"), StoreUnavailable)
        self.assertEqual(await gatherResults([first, second]), [b"PONG", b"PONG"])
        self.assertEqual(await redis.call("PING"), b"PONG")

    async def test_an_error_reply_has_its_code(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        await redis.call("SET", "k", "text")
        error = await self.assertFailure(redis.call("LPUSH", "k", 1), RedisReplyError)
        self.assertEqual(error.code, "WRONGTYPE")

    async def test_a_store_without_memory_refuses_and_nothing_happened(self) -> None:
        valkey = start_for(self)
        redis = await connected_to(self, valkey.url)
        valkey.ask("CONFIG", "SET", "maxmemory", 1)
        await self.assertFailure(redis.call("SET", "k", 1), StoreUnavailable)
        script = Script("set", "return redis.call('SET', KEYS[1], 1)")
        await self.assertFailure(redis.script(script, [b"k"]), StoreUnavailable)
        self.assertIsNone(await redis.call("GET", "k"))

    async def test_a_replica_refuses_and_nothing_happened(self) -> None:
        valkey = start_for(self)
        redis = await connected_to(self, valkey.url)
        valkey.ask("REPLICAOF", "127.0.0.1", "1")
        await self.assertFailure(redis.call("SET", "k", 1), StoreUnavailable)

    async def test_stop_waits_for_the_calls_under_way(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        answer = redis.call("ECHO", "last")
        await redis.stop()
        self.assertEqual(self.successResultOf(answer), b"last")
        self.failureResultOf(redis.call("PING"), StoreUnavailable)

    async def test_stop_ends_the_wait_for_a_connection(self) -> None:
        redis = starting(self, "redis+unix:///tmp/no-such-directory/s")
        waiting = usable(redis)
        await redis.stop()
        self.failureResultOf(waiting, StoreUnavailable)


class ScriptsTest(TestCase):
    """Scripts by their hash."""

    async def test_a_script_gets_its_keys_and_arguments(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        script = Script("echo", "return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}")
        answer = await redis.script(script, [b"a", b"b"], [7])
        self.assertEqual(answer, [b"a", b"b", b"7", 2, 1])

    async def test_scripts_run_after_the_store_forgot_them_in_the_order_of_the_calls(self) -> None:
        valkey = start_for(self)
        redis = await connected_to(self, valkey.url)
        script = Script("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])")
        await redis.script(script, [b"k"], [0])
        valkey.ask("SCRIPT", "FLUSH")
        lengths = await gatherResults([redis.script(script, [b"k"], [n]) for n in range(1, 50)])
        self.assertEqual(lengths, list(range(2, 51)))
        self.assertEqual(await redis.call("LRANGE", "k", 0, 2), [b"0", b"1", b"2"])

    async def test_a_new_connection_begins_with_the_scripts_used_before(self) -> None:
        valkey = start_for(self)
        redis = await connected_to(self, valkey.url)
        script = Script("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])")
        await redis.script(script, [b"k"], ["a"])
        back = Changes(redis).next(True)
        valkey.kill()
        valkey.start()
        await back
        self.assertEqual(await redis.call("SCRIPT", "EXISTS", script.sha1), [1])

    async def test_an_error_inside_a_script_is_an_error_reply(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        script = Script("wrong", "return redis.call('LPUSH', 'k')")
        await self.assertFailure(redis.script(script, []), RedisReplyError)

    def test_a_script_is_known_by_the_sha1_of_its_text(self) -> None:
        self.assertEqual(Script("x", "return 1").sha1, b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db")

    def test_a_script_that_does_not_exist_cannot_be_loaded(self) -> None:
        self.assertRaises(FileNotFoundError, load, "no-such-script")


class LossesTest(TestCase):
    """Connections that break, and come back."""

    async def test_a_connection_cut_in_the_middle_of_a_call_leaves_its_fate_unknown(self) -> None:
        valkey = start_for(self)
        proxy = await Proxy.start_for(self, valkey.path)
        redis = await connected_to(self, proxy.url)
        changes = Changes(redis)
        proxy.holding = True
        calls = [redis.call("INCR", "k"), redis.call("INCR", "k")]
        while valkey.ask("GET", "k") != b"2":
            await Deferred.fromCoroutine(turn())
        back = changes.next(True)
        proxy.cut()
        for call in calls:
            await self.assertFailure(call, FateUnknown)
        self.failureResultOf(redis.call("PING"), StoreUnavailable)
        proxy.holding = False
        await back
        self.assertEqual(await redis.call("GET", "k"), b"2")
        self.assertEqual(changes.seen, [False, True])

    async def test_it_comes_back_after_the_store_was_killed(self) -> None:
        valkey = start_for(self)
        redis = await connected_to(self, valkey.url)
        changes = Changes(redis)
        lost, back = changes.next(False), changes.next(True)
        valkey.kill()
        await lost
        self.assertFalse(redis.connected)
        valkey.start()
        await back
        self.assertEqual(await redis.call("PING"), b"PONG")

    async def test_a_store_that_does_not_answer_in_time_is_left(self) -> None:
        valkey = start_for(self)
        redis = await connected_to(self, valkey.url, deadline=0.5)
        changes = Changes(redis)
        back = changes.next(True)
        valkey.freeze()
        calls = [redis.call("INCR", "k") for _ in range(3)]
        for call in calls:
            await self.assertFailure(call, FateUnknown)
        self.failureResultOf(redis.call("PING"), StoreUnavailable)
        valkey.thaw()
        await back
        self.assertEqual(await redis.call("PING"), b"PONG")

    async def test_answers_that_waited_while_this_process_stood_still_are_read(self) -> None:
        redis = await connected_to(self, start_for(self).url, deadline=0.5)
        await redis.call("PING")
        answer = redis.call("PING")
        time.sleep(0.8)  # this process stands still, past the deadline
        self.assertEqual(await answer, b"PONG")

    async def test_calls_one_after_the_other_outlive_the_first_ones_deadline(self) -> None:
        redis = await connected_to(self, start_for(self).url, deadline=1.0)
        changes = Changes(redis)
        end = time.monotonic() + 1.3
        while time.monotonic() < end:
            await redis.call("PING")
        self.assertEqual(changes.seen, [])

    async def test_after_an_answer_that_nobody_asked_for_it_connects_anew(self) -> None:
        proxy = await Proxy.start_for(self, start_for(self).path)
        redis = await connected_to(self, proxy.url)
        lost, back = Changes(redis).next(False), Changes(redis).next(True)
        proxy.inject(b"+OK\r\n")
        await lost
        await back
        self.assertEqual(await redis.call("PING"), b"PONG")

    async def test_what_is_no_store_is_said_once_and_is_no_failure(self) -> None:
        web = Web()
        port = reactor.listenTCP(0, web, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        at = f"127.0.0.1:{port.getHost().port}"
        with capturedLogs() as logs:
            starting(self, f"redis://{at}")
            Listener(self, f"redis://{at}")
            starting(self, f"redis+sentinel://{at}/main")
            await web.often.addTimeout(PATIENCE, reactor)
        whys = [str(each["why"]) for each in logs if "why" in each]
        self.assertEqual(len([why for why in whys if "is no Redis" in why]), 2, whys)
        self.assertEqual(len([why for why in whys if "is no Sentinel" in why]), 1, whys)

    async def test_a_listener_that_fails_keeps_nobody_from_hearing(self) -> None:
        redis = starting(self, start_for(self).url)
        redis.on_change(lambda connected: 1 // 0)
        changes = Changes(redis)
        await changes.next(True)
        await redis.stop()
        self.assertEqual(changes.seen, [True, False])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class HandshakeTest(TestCase):
    """Passwords, databases, and trouble before a connection is usable."""

    async def test_it_uses_the_password_and_the_database(self) -> None:
        valkey = start_for(self)
        valkey.ask("CONFIG", "SET", "requirepass", "p@ss word")
        url = f"redis+unix://:p%40ss%20word@{valkey.path}?db=3"
        redis = await connected_to(self, url)
        await redis.call("SET", "k", 1)
        self.assertIn(b"db=3", await redis.call("CLIENT", "LIST"))

    async def test_it_uses_the_user_name(self) -> None:
        valkey = start_for(self)
        valkey.ask("ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all")
        redis = await connected_to(self, f"redis+unix://ann:secret@{valkey.path}")
        self.assertEqual(await redis.call("ACL", "WHOAMI"), b"ann")

    async def test_after_a_refused_password_it_goes_on_trying(self) -> None:
        valkey = start_for(self)
        valkey.ask("CONFIG", "SET", "requirepass", "other")
        proxy = await Proxy.start_for(self, valkey.path)
        redis = starting(self, proxy.url.replace("://", "://:right@"))
        while proxy.accepted < 2:
            await Deferred.fromCoroutine(turn())
        self.assertFalse(redis.connected)
        admin = await connected_to(self, f"redis+unix://:other@{valkey.path}")
        await admin.call("CONFIG", "SET", "requirepass", "right")
        await usable(redis)

    async def test_after_connections_cut_during_the_handshake_it_goes_on_trying(self) -> None:
        proxy = await Proxy.start_for(self, start_for(self).path)
        proxy.refusals = 3
        await connected_to(self, proxy.url)
        self.assertEqual(proxy.accepted, 4)

    async def test_a_store_still_reading_its_file_is_not_usable_yet(self) -> None:
        valkey = start_for(self, "--appendonly", "yes", "--enable-debug-command", "yes")
        fill = "for n = 1, 4000 do redis.call('SET', 'k' .. n, 'x') end"
        valkey.ask("EVAL", fill, 0)
        valkey.ask("CONFIG", "SET", "key-load-delay", 100)  # microseconds for each command
        admin = await connected_to(self, valkey.url)
        reloading = admin.call("DEBUG", "LOADAOF")
        redis = starting(self, valkey.url)
        await usable(redis)
        self.assertEqual(self.successResultOf(reloading), b"OK")
        self.assertEqual(await redis.call("GET", "k4000"), b"x")


class SubscriberTest(TestCase):
    """Messages, confirmations and fences."""

    async def test_many_channels_and_fences_at_once_are_all_answered(self) -> None:
        valkey = start_for(self)
        listener = Listener(self, valkey.url)
        await listener.until("connected")
        subscriber = listener.subscriber
        confirmed = subscriber.subscribe(b"a", b"b", b"c")
        fences = [subscriber.fence(), subscriber.fence()]
        more = subscriber.subscribe(b"d", b"a")
        subscriber.unsubscribe(b"c", b"never")
        await gatherResults([confirmed, *fences, more, subscriber.fence()])
        redis = await connected_to(self, valkey.url)
        counts = [await redis.call("PUBLISH", name, "007") for name in "abcd"]
        await subscriber.fence()
        self.assertEqual(counts, [1, 1, 0, 1])
        self.assertEqual(listener.messages, [(b"a", b"007"), (b"b", b"007"), (b"d", b"007")])

    async def test_what_was_published_before_a_fence_is_handled_when_it_fires(self) -> None:
        valkey = start_for(self)
        listener = Listener(self, valkey.url)
        await listener.until("connected")
        await listener.subscriber.subscribe(b"a")
        redis = await connected_to(self, valkey.url)
        for number in range(20):
            await gatherResults([redis.call("PUBLISH", "a", number) for _ in range(50)])
            await listener.subscriber.fence()
            self.assertEqual(len(listener.messages), 50 * (number + 1))
            self.assertEqual(listener.heard[-1], "end")

    async def test_fences_of_one_turn_share_one_ping(self) -> None:
        valkey = start_for(self)
        listener = Listener(self, valkey.url, ping_every=PATIENCE)
        await listener.until("connected")
        await listener.subscriber.fence()
        before = pings(valkey)
        await gatherResults([listener.subscriber.fence() for _ in range(10)])
        self.assertEqual(pings(valkey) - before, 1)

    async def test_calls_of_one_turn_leave_together_but_for_who_can_not_wait(self) -> None:
        valkey = start_for(self)
        subscriber = Listener(self, valkey.url, ping_every=PATIENCE).subscriber
        await subscriber.when_connected()
        await subscriber.fence()
        writes = counted_writes(self)
        alone = subscriber.call(b"ECHO", b"1", at_once=True)
        self.assertEqual(len(writes), 1)
        await alone
        later = [subscriber.call(b"ECHO", b"%d" % number) for number in range(2, 5)]
        later.append(subscriber.call(b"ECHO", b"5", at_once=True))  # not before the others
        self.assertEqual(len(writes), 1)
        self.assertEqual(await gatherResults(later), [b"2", b"3", b"4", b"5"])
        self.assertEqual(len(writes), 2)

    async def test_a_message_that_cannot_be_handled_drops_nothing_else(self) -> None:
        valkey = start_for(self)
        listener = Listener(self, valkey.url)
        await listener.until("connected")
        await listener.subscriber.subscribe(b"a")
        for text in ("one", "bad", "two"):
            valkey.ask("PUBLISH", "a", text)
        await listener.subscriber.fence()
        self.assertEqual(listener.messages, [(b"a", b"one"), (b"a", b"two")])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_a_channel_that_is_forbidden_fails_and_the_others_work(self) -> None:
        valkey = start_for(self)
        rules = ["on", ">secret", "+@all", "~*", "resetchannels", "&open"]
        valkey.ask("ACL", "SETUSER", "ann", *rules)
        listener = Listener(self, f"redis+unix://ann:secret@{valkey.path}")
        await listener.until("connected")
        forbidden = listener.subscriber.subscribe(b"open", b"shut")
        allowed = listener.subscriber.subscribe(b"open")
        await self.assertFailure(forbidden, RedisReplyError)
        await allowed

    async def test_without_a_connection_it_fails_at_once(self) -> None:
        listener = Listener(self, "redis+unix:///tmp/no-such-directory/s")
        self.failureResultOf(listener.subscriber.subscribe(b"a"), StoreUnavailable)
        await self.assertFailure(listener.subscriber.fence(), StoreUnavailable)

    async def test_what_is_under_way_fails_with_the_connection(self) -> None:
        proxy = await Proxy.start_for(self, start_for(self).path)
        listener = Listener(self, proxy.url)
        await listener.until("connected")
        proxy.holding = True
        confirmed, fence = listener.subscriber.subscribe(b"a", b"b"), listener.subscriber.fence()
        await Deferred.fromCoroutine(turn())
        proxy.cut()
        await self.assertFailure(confirmed, StoreUnavailable)
        await self.assertFailure(fence, StoreUnavailable)
        self.assertEqual(listener.heard, ["connected", "lost"])

    async def test_a_silent_store_is_left_and_found_again(self) -> None:
        valkey = start_for(self)
        listener = Listener(self, valkey.url, ping_every=0.4)
        await listener.until("connected")
        valkey.freeze()
        await listener.until("lost")
        valkey.thaw()
        await listener.until("connected", times=2)
        await listener.subscriber.subscribe(b"a")
        valkey.ask("PUBLISH", "a", "x")
        await listener.subscriber.fence()
        self.assertEqual(listener.messages, [(b"a", b"x")])

    async def test_a_store_that_answers_pings_is_kept(self) -> None:
        valkey = start_for(self)
        listener = Listener(self, valkey.url, ping_every=0.4)
        await listener.until("connected")
        while pings(valkey) < 3:
            await Deferred.fromCoroutine(turn())
        self.assertEqual(listener.heard, ["connected"])

    async def test_a_store_that_stood_still_as_long_as_this_process_is_kept(self) -> None:
        valkey, looks = start_for(self), 0
        look = pubsub._Subscription._ping

        def look_at_the_last_moment(subscription: pubsub._Subscription) -> None:
            nonlocal looks
            looks += 1
            if looks == 2:
                valkey.thaw()
            look(subscription)

        self.patch(pubsub, "SECOND_LOOK", PATIENCE)
        self.patch(pubsub._Subscription, "_ping", look_at_the_last_moment)
        listener = Listener(self, valkey.url, ping_every=0.1)
        await listener.until("connected")
        valkey.freeze()
        await listener.subscriber.fence()
        self.assertGreaterEqual(looks, 2)
        self.assertEqual(listener.heard, ["connected"])


def pings(valkey: Valkey) -> int:
    """How many PINGs the store has answered so far."""
    for line in valkey.ask("INFO", "commandstats").splitlines():
        if line.startswith(b"cmdstat_ping:calls="):
            return int(line.split(b"=")[1].split(b",")[0])
    return 0


async def turn() -> None:
    """Let the reactor look at its sockets once."""
    waiter: Deferred[None] = Deferred()
    reactor.callLater(0.001, waiter.callback, None)
    await waiter


class AddressTest(SynchronousTestCase):
    """Where a store is."""

    def test_urls_say_where_the_store_is(self) -> None:
        for url, expected in {
            "redis://h": Address("h"),
            "redis://h:1/2": Address("h", 1, db=2),
            "redis://[::1]:7": Address("::1", 7),
            "redis://:p%2Fw@h": Address("h", password="p/w"),
            "redis://u:p@h/": Address("h", username="u", password="p"),
            "redis+unix:///a%20b/s": Address(path="/a b/s"),
            "redis+unix://u:p@/s?db=4": Address(path="/s", db=4, username="u", password="p"),
            "rediss://h": Address("h", tls=TLS()),
            "rediss://h?ca=/a%20b&cert=c&key=k&name=n": Address(
                "h", tls=TLS("/a b", "c", "k", "n")
            ),
            "redis+sentinel://a,b:7,[::1]/m": Address(
                sentinels=(("a", 26379), ("b", 7), ("::1", 26379)), master="m"
            ),
            "rediss+sentinel://u:p@a/m/3?sentinel-user=s&sentinel-password=w": Address(
                sentinels=(("a", 26379),),
                master="m",
                db=3,
                username="u",
                password="p",
                tls=TLS(),
                sentinel_user="s",
                sentinel_password="w",
            ),
        }.items():
            self.assertEqual(Address.parse(url), expected, url)

    def test_a_url_that_is_none_gets_one_sentence(self) -> None:
        for url, word in {
            "": "start with",
            "http://h": "start with",
            "redis://": "host",
            "redis://h:port": "port",
            "redis://[::1": "host",
            "redis://h/x": "database",
            "redis+unix://": "socket",
            "redis+unix:///s?db=-1": "database",
            "redis://u@h": "password",
            "redis://h?ca=/x": "ca",
            "rediss://h?key=/x": "cert",
            "rediss://h?verify=no": "verify",
            "redis+sentinel://a,b": "name",
            "redis+sentinel://a,,b/m": "name",
            "redis+sentinel://a:x/m": "port",
            "redis+sentinel://a/m?sentinel-user=u": "sentinel-password",
        }.items():
            error = self.assertRaises(ValueError, Address.parse, url)
            self.assertIn(word, str(error), url)

    def test_a_password_is_shown_nowhere(self) -> None:
        address = Address.parse("redis://u:hidden@h")
        self.assertNotIn("hidden", f"{address} {address!r}")
        self.assertEqual(str(Address("::1", 7)), "redis://[::1]:7/0")
        address = Address.parse("rediss+sentinel://u:hidden@a,b/m?sentinel-password=hidden")
        self.assertNotIn("hidden", repr(address))
        self.assertEqual(str(address), "rediss+sentinel://a:26379,b:26379/m/0")
