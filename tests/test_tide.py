"""A store that went back in time is noticed by every server, once, before anything is written."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from chat.store.errors import FateUnknown, StoreError
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.redis import Redis
from chat.store.tide import AGAIN_SECONDS, NOTE_EVERY, Tide
from tests.valkey import Valkey, start_for


async def _failure(answer: Deferred[Any]) -> Exception | None:
    try:
        await answer
    except StoreError as error:
        return error
    return None


class TideTests(TestCase):
    async def _server(
        self,
        valkey: Valkey,
        note: Path | None = None,
        forgets: bool | None = False,
        boot: str = "",
        deadline: float = 5.0,
    ) -> Tide:
        redis = Redis(reactor, Address.parse(valkey.url), deadline=deadline)
        tide = Tide(Clock(), redis, Keys(), note)
        tide.forgets, tide.boot = forgets, boot
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

    async def test_a_store_that_takes_no_writes_yet_is_judged_by_its_first(self) -> None:
        valkey = start_for(self)
        valkey.ask("CONFIG", "SET", "min-replicas-to-write", "1")  # as one that has taken over
        tide = await self._server(valkey)
        clock: Any = tide._reactor
        self.assertFalse(tide.judged)
        clock.advance(AGAIN_SECONDS)
        await tide._redis.call("PING")
        self.assertFalse(tide.judged)
        valkey.ask("CONFIG", "SET", "min-replicas-to-write", "0")
        clock.advance(AGAIN_SECONDS)
        await tide._redis.call("PING")
        self.assertTrue(tide.judged)
        self.assertEqual(valkey.ask("GET", Keys().tide()), b"1")

    async def test_who_stops_asks_no_store_again(self) -> None:
        valkey = start_for(self)
        valkey.ask("CONFIG", "SET", "min-replicas-to-write", "1")
        tide = await self._server(valkey)
        clock: Any = tide._reactor
        tide.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

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

    async def test_every_server_hears_that_something_was_lost_whoever_noticed_it(self) -> None:
        valkey = start_for(self)
        valkey.ask("SET", Keys().generation(), "1.abc")
        one, other = [await self._server(valkey) for _ in range(2)]
        heard: list[Tide] = []
        for tide in (one, other):
            await tide._count()
            tide.lost_something = partial(heard.append, tide)
        valkey.ask("SET", Keys().tide(), 0)
        for tide in (one, other) * 2:
            await tide._count()
        self.assertEqual(heard, [one, other])

    async def test_a_machine_that_was_started_again_may_have_lost_what_nobody_saw(self) -> None:
        valkey = start_for(self, "--appendonly", "yes")
        servers = [await self._server(valkey, forgets=True, boot="first")]
        before = self._generation(valkey)
        for forgets, boot, is_new in (
            (True, "first", False),  # only the process was
            (False, "second", False),  # all is on its disk
            (None, "third", False),  # nobody knows yet
            (True, "third", True),
            (True, "", True),  # on another machine, and never seen before
        ):
            for each in servers:
                await each._redis.stop()
            valkey.kill()
            valkey.start()
            servers = [await self._server(valkey, forgets=forgets, boot=boot)]
            raised = self._generation(valkey)
            self.assertEqual(raised != before, is_new, (forgets, boot))
            servers.append(await self._server(valkey, forgets=forgets, boot=boot))
            for each in servers:
                await each._count()
            self.assertEqual(self._generation(valkey), raised)
            before = raised
        self.flushLoggedErrors()

    async def test_who_does_not_know_yet_leaves_it_to_be_judged_later(self) -> None:
        valkey = start_for(self, "--appendonly", "yes")
        await (await self._server(valkey, forgets=True, boot="first"))._redis.stop()
        before = self._generation(valkey)
        valkey.kill()
        valkey.start()
        tide = await self._server(valkey, forgets=None, boot="second")
        self.assertEqual(self._generation(valkey), before)
        tide.forgets = True
        await tide._count()
        self.assertNotEqual(self._generation(valkey), before)
        self.flushLoggedErrors()

    async def test_who_saw_the_process_end_knows_that_its_machine_went_on(self) -> None:
        valkey = start_for(self, "--appendonly", "yes")
        tide = await self._server(valkey, forgets=True, deadline=0.5)
        await self._again(valkey, tide)
        before = self._generation(valkey)
        await self._again(valkey, tide)
        self.assertEqual(self._generation(valkey), before)
        # One that said nothing any more may have been without power.
        valkey.freeze()
        self.assertIsInstance(await _failure(tide._redis.call("PING")), FateUnknown)
        await self._again(valkey, tide)
        self.assertNotEqual(self._generation(valkey), before)
        self.flushLoggedErrors()

    async def _again(self, valkey: Valkey, tide: Tide) -> None:
        """Start a store again, and wait until a server that was connected has counted."""
        valkey.kill()
        while tide._redis.connected:
            await deferLater(reactor, 0.005)
        valkey.start()
        await tide._redis.when_connected()
        await tide._count()

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

    async def test_a_note_is_written_now_and_then_for_a_server_that_is_killed(self) -> None:
        note = Path(tempfile.mkdtemp()) / "tide"
        tide = await self._server(start_for(self), note)
        while tide._counts < NOTE_EVERY:
            await tide._count()
        self.assertEqual(int(note.read_text()), 1)
        await tide._count()
        self.assertEqual(int(note.read_text()), NOTE_EVERY + 1)

    async def test_what_was_seen_is_noted_at_once_when_the_store_refuses(self) -> None:
        valkey, note = start_for(self), Path(tempfile.mkdtemp()) / "tide"
        tide = await self._server(valkey, note)
        await tide._count()
        tide.rose(5)
        valkey.ask("CONFIG", "SET", "maxmemory", "1")
        self.assertFalse(await tide._count())
        self.assertEqual(int(note.read_text()), 5)

    async def test_a_note_takes_no_room_but_that_of_the_last_one(self) -> None:
        note = Path(tempfile.mkdtemp()) / "tide"
        tide = await self._server(start_for(self), note)
        tide.rose(9)
        tide.stop()
        before = note.stat()
        tide.rose(10**15)
        tide.stop()
        self.assertEqual(int(note.read_text()), 10**15)
        self.assertEqual((note.stat().st_ino, note.stat().st_size), (before.st_ino, before.st_size))

    async def test_a_note_that_can_not_be_read_is_no_note(self) -> None:
        valkey = start_for(self)
        note = Path(tempfile.mkdtemp()) / "tide"
        note.write_text("what?")
        self.assertTrue(await (await self._server(valkey, note))._count())
