"""A store that went back in time is noticed by every server, once, before anything is written."""

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chat.store.keys import Keys
from chat.store.redis import Address, Redis
from chat.store.tide import Tide
from tests.valkey import Valkey, start_for


class TideTests(TestCase):
    async def _server(self, valkey: Valkey, note: Path | None = None) -> Tide:
        redis = Redis(reactor, Address.parse(valkey.url))
        tide = Tide(Clock(), redis, Keys(), note)
        redis.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(redis.stop()))
        await redis.when_connected()
        await redis.call("PING")
        return tide

    def _generation(self, valkey: Valkey) -> bytes:
        found: bytes = valkey.ask("GET", Keys().generation())
        return found

    async def test_a_store_that_only_went_on_keeps_its_generation(self) -> None:
        valkey = start_for(self)
        valkey.ask("SET", Keys().generation(), "1.abc")
        tide = await self._server(valkey)
        await tide._count()
        await (await self._server(valkey))._count()
        self.assertEqual(self._generation(valkey), b"1.abc")

    async def test_a_store_that_went_back_gets_a_new_generation_once(self) -> None:
        valkey = start_for(self)
        valkey.ask("SET", Keys().generation(), "7.abc")
        one, other = await self._server(valkey), await self._server(valkey)
        for _ in range(5):
            await one._count()
            await other._count()
        valkey.ask("SET", Keys().tide(), 2)
        await one._count()
        raised = self._generation(valkey)
        await other._count()
        await one._count()
        self.assertTrue(raised.startswith(b"8."))
        self.assertEqual(self._generation(valkey), raised)
        self.flushLoggedErrors()

    async def test_what_was_noted_on_the_disk_outlives_the_server(self) -> None:
        valkey = start_for(self)
        valkey.ask("SET", Keys().generation(), "7.abc")
        note = Path(tempfile.mkdtemp()) / "tide"
        before = await self._server(valkey, note)
        for _ in range(3):
            await before._count()
        before.stop()
        valkey.ask("SET", Keys().tide(), 1)
        await self._server(valkey, note)
        self.assertTrue(self._generation(valkey).startswith(b"8."))
        self.flushLoggedErrors()

    async def test_a_note_that_can_not_be_read_is_no_note(self) -> None:
        valkey = start_for(self)
        note = Path(tempfile.mkdtemp()) / "tide"
        note.write_text("what?")
        await (await self._server(valkey, note))._count()
