"""What retention does not keep goes also from where nobody writes or reads any more."""

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from chat.soak.processes import ask
from chat.store.entries import Author
from chat.store.keys import LOBBY_CID, Keys, private_cid, room_cid
from chat.store.limits import Limits
from chat.store.retention import AT_A_TIME, Retention
from tests.party import Party
from tests.process import ServerProcess
from tests.store_builders import Store

DONE = "What retention does not keep was taken away everywhere"

MANY = 200
"""More than one call takes away from a conversation."""


class RetentionTest(TestCase):
    async def talked(self, *cids: str, messages: int = MANY) -> Store:
        """A store in which so much was said in each conversation, all of it a while ago."""
        store = await Store.start(self)
        await store.bus.hold_rooms(cids)
        for number in range(messages):
            for cid in cids:
                store.say(cid, f"message {number}")
        for cid in cids:
            await store.heard.until(lambda cid=cid: len(store.heard.headers(cid)) == messages)
        await deferLater(reactor, 0.002)
        return store

    def retention(self, store: Store, messages: int = 0, ms: int = 0) -> Retention:
        limits = Limits(store.redis, store.keys)
        return Retention(reactor, store.redis, store.keys, limits, (messages, ms))

    def left(self, store: Store, cid: str = LOBBY_CID) -> tuple[int, int]:
        """The lowest number that may be read, and the blocks that the store has of the log."""
        first = int(store.valkey.ask("HGET", store.keys.meta(cid), "first"))
        return first, store.valkey.ask("XLEN", store.keys.log(cid))

    async def test_what_is_too_old_goes_though_nobody_looks(self) -> None:
        store = await self.talked(LOBBY_CID)
        await self.retention(store, ms=1).sweep()
        self.assertEqual(self.left(store), (MANY + 1, 0))
        store.say(LOBBY_CID, "and on")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == MANY + 1)
        page = await store.conversations.history(5, LOBBY_CID)
        self.assertEqual([each.seq for each in page.entries], [MANY + 1])

    async def test_what_is_young_enough_stays(self) -> None:
        store = await self.talked(LOBBY_CID)
        before = self.left(store)
        await self.retention(store, ms=3_600_000).sweep()
        self.assertEqual(self.left(store), before)

    async def test_of_too_many_the_newest_stay(self) -> None:
        store = await self.talked(LOBBY_CID)
        await self.retention(store, messages=5).sweep()
        self.assertEqual(self.left(store)[0], MANY - 4)
        page = await store.conversations.history(5, LOBBY_CID, after=0)
        self.assertEqual([each.seq for each in page.entries], list(range(MANY - 4, MANY + 1)))

    async def test_all_conversations_are_gone_through(self) -> None:
        store = await Store.start(self)
        names = [f"#room-{number}" for number in range(AT_A_TIME + 5)]
        for name in names:
            await store.rooms.join(Author(5, "bob"), name, "", 0)
        await deferLater(reactor, 0.002)
        await self.retention(store, ms=1).sweep()
        self.assertEqual({self.left(store, room_cid(name)) for name in names}, {(2, 0)})

    async def test_in_a_full_store_it_ends_and_takes_nothing(self) -> None:
        store = await self.talked(LOBBY_CID)
        before = self.left(store)
        store.valkey.ask("CONFIG", "SET", "maxmemory", "1")
        await self.retention(store, ms=1).sweep()
        self.assertEqual(self.left(store), before)

    async def test_of_several_servers_one_does_it_in_an_hour(self) -> None:
        store = await self.talked(LOBBY_CID)
        one, other = self.retention(store, ms=1), self.retention(store, ms=1)
        await one.sweep_in_turn()
        self.assertEqual(self.left(store), (MANY + 1, 0))
        store.say(LOBBY_CID, "and on")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == MANY + 1)
        await deferLater(reactor, 0.002)
        await other.sweep_in_turn()
        self.assertEqual(self.left(store), (MANY + 1, 1))

    async def test_it_ends_in_the_middle_when_the_server_does(self) -> None:
        store = await self.talked(LOBBY_CID)
        retention = self.retention(store, ms=1)
        retention.stop()
        with capturedLogs() as said:
            await retention.sweep_in_turn()
        self.assertEqual(self.left(store)[0], 1)
        self.assertNotIn(DONE, [each["log_format"] for each in said])

    def test_a_server_does_it_when_it_starts(self) -> None:
        directory = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(directory.cleanup)
        config = Path(directory.name) / "chatroom.toml"
        config.touch()
        server = ServerProcess.start_for(self, "--config", str(config))
        with Party(server.port) as party:
            ann, ben = party.current(), party.current()
            ann.post(ben.at, "between us")
        server.stop()
        config.write_text("retention = 0.0000001")  # days, 8 ms
        server.start()
        server.wait_for_log(DONE)
        log = Keys().log(private_cid(ann.user_id, ben.user_id))
        self.assertEqual(ask(str(server.home / "data" / "store.sock"), "XLEN", log.decode()), 0)
