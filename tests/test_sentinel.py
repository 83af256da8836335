"""A store behind Sentinels: found, lost, found again; a new epoch where it may have forgotten."""

from typing import Any

import hiredis
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat.server.assembly import ChatServer
from chat.server.settings import Settings
from chat.soak.processes import ask, free_ports
from chat.store.errors import StoreError
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.reaching import master_watch
from chat.store.link.redis import Redis
from chat.store.link.sentinel import MasterWatch, Sentinels
from chat.store.tide import Tide
from tests.patience import PATIENCE
from tests.sentinels import Group
from tests.valkey import Valkey, start_for


class SentinelTest(TestCase):
    """One group for the whole story: it takes a second to come up."""

    def connecting(self, url: str) -> Redis:
        redis = Redis(reactor, Address.parse(url), deadline=10.0)
        self.addCleanup(lambda: Deferred.fromCoroutine(redis.stop()))
        watch = master_watch(reactor, redis.address, lambda place: redis.drop())
        self.addCleanup(watch.stop)
        watch.start()
        return redis

    async def test_the_master_is_found_and_followed_however_it_changes(self) -> None:
        group = await deferToThread(Group.start_for, self)
        redis = self.connecting(group.url)
        tide = Tide(reactor, redis, Keys())
        redis.start()
        first, second = group.stores
        await reach(redis, first)
        await tide._count()
        self.assertEqual(second.ask("INFO", "replication").count(b"role:slave"), 1)

        first.kill()
        await reach(redis, second)
        await tide._count()
        # Nothing was lost as far as counts go, and yet nobody can know that.
        self.assertTrue(generation(second).startswith(b"1."))
        before = generation(second)
        await tide._count()
        self.assertEqual(generation(second), before)

        # The old one comes back as a replica: nobody takes it for the master.
        first.start()
        first.ask("REPLICAOF", "127.0.0.1", group.store_ports[1])  # Sentinels take 10 s for that
        await reach(redis, second)

        # One that is only frozen is still connected to: the watch is what tells.
        await deferToThread(
            group._until, lambda: b"state=online" in second.ask("INFO", "replication")
        )
        second.freeze()
        await reach(redis, first)
        second.thaw()
        await tide._count()
        self.assertTrue(generation(first).startswith(b"2."))
        self.flushLoggedErrors()

    async def test_a_login_for_the_sentinels_is_used_and_a_wrong_name_is_said(self) -> None:
        group = await deferToThread(Group.start_for, self)
        for port in group.sentinels.ports:
            ask(port, "ACL", "SETUSER", "default", "resetpass", ">secret")
        good = self.connecting(group.url + "?sentinel-password=secret")
        good.start()
        await reach(good, group.stores[0])
        other = group.url.replace("/chat", "/other") + "?sentinel-password=secret"
        for url, why in ((group.url, "NOAUTH"), (other, "No such master")):
            bad, said = self.connecting(url), DeferredQueue[LogEvent]()
            bad.log = Logger(observer=said.put)  # type: ignore[misc]  # one for all otherwise
            bad.start()
            self.assertIn(why, formatEvent(await said.get()))
            self.assertFalse(bad.connected)


class WatchTest(SynchronousTestCase):
    def test_who_stops_looking_asks_nobody_any_more(self) -> None:
        reactor = MemoryReactorClock()
        asked = [TCP4ClientEndpoint(reactor, "127.0.0.1", port) for port in (1, 2)]
        watch = MasterWatch(reactor, Sentinels(reactor, asked, "chat"), self.fail)
        watch.start()
        self.assertEqual(len(reactor.connectors), 2)
        watch.stop()
        self.assertTrue(all(each.stoppedConnecting for each in reactor.connectors))
        self.assertEqual(reactor.getDelayedCalls(), [])


async def reach(redis: Redis, store: Valkey) -> None:
    """Wait until calls get to ``store``."""
    wanted = run_id(store)
    give_up = reactor.seconds() + PATIENCE  # type: ignore[attr-defined]
    while reactor.seconds() < give_up:  # type: ignore[attr-defined]
        try:
            info = await redis.call("INFO", "server")
            if wanted in info:
                return
        except StoreError:
            pass
        await deferLater(reactor, 0.02)
    raise AssertionError("never got there")


class _Sentinel(Protocol):
    """Says of whatever it is asked where its factory's store is."""

    def dataReceived(self, data: bytes) -> None:
        factory: Any = self.factory
        assert self.transport is not None
        said = ("ip", "127.0.0.1", "port", str(factory.port), "config-epoch", "1")
        self.transport.write(hiredis.pack_command(said))  # type: ignore[arg-type]


class AgreementTest(TestCase):
    """All connections of a server lead to the same store."""

    async def test_the_first_that_finds_the_new_store_takes_the_others_along(self) -> None:
        ports = free_ports(2)
        old, new = (start_for(self, "--port", str(port)) for port in ports)
        sentinel: Any = Factory.forProtocol(_Sentinel)
        sentinel.port = ports[0]
        listening: Any = reactor.listenTCP(0, sentinel, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(listening.stopListening)
        url = f"redis+sentinel://127.0.0.1:{listening.getHost().port}/chat"
        server = ChatServer(reactor, Settings(store=url), Address.parse(url))
        self.addCleanup(server.factory.stop)
        redis, pipe = server._redis, server.context.bus.pipe
        for each in (redis, pipe):
            self.addCleanup(lambda each=each: Deferred.fromCoroutine(each.stop()))
            each.start()
            await reach(each, old)

        sentinel.port = ports[1]
        await pipe.subscribe(b"anything")
        old.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await reach(pipe, new)
        # The old one would still answer it, and would be believed.
        await reach(redis, new)

        # Whoever is told of the move afterwards has nothing to leave.
        server._store_moved(("127.0.0.1", ports[1]))
        self.assertTrue(redis.connected)
        self.assertTrue(pipe.connected)


def run_id(store: Valkey) -> bytes:
    line = next(line for line in store.ask("INFO", "server").splitlines() if b"run_id" in line)
    return bytes(line)


def generation(store: Valkey) -> bytes:
    return store.ask("GET", Keys().generation()) or b""
