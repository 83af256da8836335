"""A store behind Sentinels: found, lost, found again; a new epoch where it may have forgotten."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chat.store.interface import StoreError
from chat.store.keys import Keys
from chat.store.reaching import master_watch
from chat.store.redis import Address, Redis
from chat.store.tide import Tide
from tests.sentinels import Group
from tests.valkey import Valkey

SOON = 20.0


class SentinelTest(TestCase):
    """One group for the whole story: it takes a second to come up."""

    def connecting(self, url: str) -> Redis:
        redis = Redis(reactor, Address.parse(url), deadline=10.0)
        self.addCleanup(lambda: Deferred.fromCoroutine(redis.stop()))
        watch = master_watch(reactor, redis.address, redis.drop)
        self.addCleanup(watch.stop)
        watch.start()
        return redis

    async def reach(self, redis: Redis, store: Valkey) -> None:
        """Wait until calls get to ``store``."""
        wanted = run_id(store)
        give_up = reactor.seconds() + SOON  # type: ignore[attr-defined]
        while reactor.seconds() < give_up:  # type: ignore[attr-defined]
            try:
                info = await redis.call("INFO", "server")
                if wanted in info:
                    return
            except StoreError:
                pass
            await deferLater(reactor, 0.02)
        raise AssertionError("never got there")

    async def test_the_master_is_found_and_followed_however_it_changes(self) -> None:
        group = await deferToThread(Group.start_for, self)
        redis = self.connecting(group.url)
        tide = Tide(reactor, redis, Keys())
        redis.start()
        first, second = group.stores
        await self.reach(redis, first)
        await tide._count()
        self.assertEqual(second.ask("INFO", "replication").count(b"role:slave"), 1)

        first.kill()
        await self.reach(redis, second)
        await tide._count()
        # Nothing was lost as far as counts go, and yet nobody can know that.
        self.assertTrue(generation(second).startswith(b"1."))
        before = generation(second)
        await tide._count()
        self.assertEqual(generation(second), before)

        # The old one comes back as a replica: nobody takes it for the master.
        first.start()
        first.ask("REPLICAOF", "127.0.0.1", group.store_ports[1])  # Sentinels take 10 s for that
        await self.reach(redis, second)

        # One that is only frozen is still connected to: the watch is what tells.
        await deferToThread(
            group._until, lambda: b"state=online" in second.ask("INFO", "replication")
        )
        second.freeze()
        await self.reach(redis, first)
        second.thaw()
        await tide._count()
        self.assertTrue(generation(first).startswith(b"2."))
        self.flushLoggedErrors()

    async def test_a_login_for_the_sentinels_is_used_and_a_wrong_name_is_said(self) -> None:
        group = await deferToThread(Group.start_for, self)
        for port in group.sentinel_ports:
            group.ask_sentinel(port, "ACL", "SETUSER", "default", "resetpass", ">secret")
        good = self.connecting(group.url + "?sentinel-password=secret")
        good.start()
        await self.reach(good, group.stores[0])
        for url in (group.url, group.url.replace("/chat", "/other") + "?sentinel-password=secret"):
            bad = self.connecting(url)
            bad.start()
            await deferLater(reactor, 0.3)
            self.assertFalse(bad.connected)


def run_id(store: Valkey) -> bytes:
    line = next(line for line in store.ask("INFO", "server").splitlines() if b"run_id" in line)
    return bytes(line)


def generation(store: Valkey) -> bytes:
    return store.ask("GET", Keys().generation()) or b""
