"""The bus: what is heard of it, and after a loss it tries to catch up until it has."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chat.store import bus as bus_module
from chat.store.bus import Bus
from chat.store.errors import StoreUnavailable
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.redis import Redis
from tests.store_builders import Heard, Store
from tests.valkey import start_for


class Clumsy(Heard):
    """Fails in a way that nobody has thought of, the first time."""

    async def came_back(self) -> None:
        await super().came_back()
        if self.returns == 1:
            raise RuntimeError("nobody has thought of this")


class RestoringTest(TestCase):
    async def test_after_an_error_nobody_has_thought_of_it_tries_again(self) -> None:
        self.patch(bus_module, "SURPRISED_SECONDS", 0.01)
        address, keys = Address.parse(start_for(self).url), Keys()
        anything: Any = reactor
        redis = Redis(anything, address)
        bus = Bus(anything, address, keys, redis)
        bus.listener = heard = Clumsy()
        for part in (redis, bus):
            part.start()
            self.addCleanup(lambda part=part: Deferred.fromCoroutine(part.stop()))
        await heard.until(lambda: heard.returns == 2)
        (error,) = self.flushLoggedErrors(RuntimeError)
        self.assertIn("nobody has thought of this", error.getErrorMessage())
        bus.hold_user(1)
        await bus.fence()
        self.assertTrue(bus.ready)


class HoldingTest(TestCase):
    async def test_what_the_store_does_not_let_us_hear_is_not_heard(self) -> None:
        store = await Store.start(self)
        store.valkey.ask("ACL", "SETUSER", "default", "resetchannels")
        store.bus.hold_user(1)
        self.assertFalse(store.bus.hold_room("r:tea"))
        with self.assertRaises(StoreUnavailable):
            await store.bus.hold_rooms(["r:tea"])
        await store.bus.fence()
        self.assertFalse(store.bus.hears(1, []))
        store.valkey.ask("ACL", "SETUSER", "default", "allchannels")
        store.bus.hold_user(1)
        self.assertFalse(store.bus.hears(1, []))
        await store.bus.fence()
        self.assertTrue(store.bus.hears(1, []))
        self.assertFalse(store.bus.hears(1, ["r:tea"]))
        self.assertFalse(store.bus.hold_room("r:tea"))
        await store.bus.fence()
        self.assertTrue(store.bus.hears(1, ["r:tea"]))
        self.assertTrue(store.bus.hold_room("r:tea"))

    async def test_without_the_store_nothing_is_heard(self) -> None:
        store = await Store.start(self)
        await store.bus.stop()
        store.bus.hold_user(1)
        self.assertFalse(store.bus.hears(1, []))
        with self.assertRaises(StoreUnavailable):
            await store.bus.hold_rooms(["r:tea"])
