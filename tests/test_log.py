"""How a conversation's log keeps its entries: in blocks, which nobody notices who reads it."""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chat.store.accounts import Accounts
from chat.store.administration import Administration
from chat.store.entries import Author, LoggedEntry
from chat.store.errors import Unknown
from chat.store.keys import LOBBY_CID
from tests.store_builders import Sender, Store

BLOCK: Final = 8
"""Entries that lie together at most (``scripts/log.lua``)."""

AUTHORS: Final = (Author(5, "bob"), Author(6, "ann"))
BOB = AUTHORS[0]


def raw(store: Store) -> list[tuple[int, int, bytes]]:
    """What the store itself keeps of the lobby's log: first number, number of entries and bytes of
    each block, then the same of each entry that is kept apart."""
    blocks = [
        (int(name.partition(b"-")[0]), len(fields) // 2, b"".join(fields))
        for name, fields in store.valkey.ask("XRANGE", store.keys.log(LOBBY_CID), "-", "+")
    ]
    apart = store.valkey.ask("ZRANGE", store.keys.apart(LOBBY_CID), 0, -1, "WITHSCORES")
    return blocks + [(int(seq), 1, kept) for kept, seq in zip(apart[::2], apart[1::2], strict=True)]


class Walk:
    """Talks, edits, takes away, and knows what should be left.

    :ivar texts: what was said and is still to be read, by number.
    :ivar authors: who said it.
    :ivar seq: the newest number.
    """

    def __init__(self, test: TestCase, store: Store, seed: int, kept: int = 0) -> None:
        self.test = test
        self.store = store
        self.random = Random(seed)
        self.kept = kept
        self.texts: dict[int, str] = {}
        self.authors: dict[int, Author] = {}
        self.seq = 0
        self.said = 0

    @property
    def first(self) -> int:
        """The lowest number that may be read."""
        return max(1, self.seq - self.kept + 1) if self.kept else 1

    async def talk(self) -> None:
        """Both say something, in one call of the store."""
        for _ in range(self.random.randint(1, 2 * BLOCK + 3)):
            self.said += 1
            self.seq += 1
            author = self.authors[self.seq] = self.random.choice(AUTHORS)
            self.texts[self.seq] = f"text {self.said}."
            self.store.say(LOBBY_CID, f"text {self.said}.", f"id-{self.said}", author=author)
        await self.heard()

    async def redact(self) -> None:
        """Somebody takes something back, which is an entry."""
        readable = [seq for seq in self.texts if seq >= self.first]
        if readable:
            seq = self.random.choice(readable)
            await self.store.rooms.redact(self.authors[seq], LOBBY_CID, seq)
            del self.texts[seq]
            self.seq += 1
            await self.heard()

    async def edit(self) -> None:
        """Somebody has something say something else, which is an entry."""
        readable = [seq for seq in self.texts if seq >= self.first]
        if readable:
            seq = self.random.choice(readable[-BLOCK:])
            self.said += 1
            self.texts[seq] = f"text {self.said}."
            await self.store.editing.edit(self.authors[seq], LOBBY_CID, seq, self.texts[seq])
            self.seq += 1
            await self.heard()

    async def heard(self) -> None:
        """Wait for the newest number."""
        await self.store.heard.until(
            lambda: any(h.seq == self.seq for h in self.store.heard.headers(LOBBY_CID)[-1:])
        )

    async def look(self) -> None:
        """Pages in both directions, the newest entry, and what lies in the store itself."""
        after = self.random.randint(0, self.seq)
        before = self.random.randint(after + 1, self.seq + 1)
        limit = self.random.randint(1, 3 * BLOCK)
        history = self.store.conversations.history
        page = await history(5, LOBBY_CID, after=after, before=before, limit=limit)
        start = max(after + 1, self.first)
        self._compare(page.entries, range(start, min(start + limit, before)))
        page = await history(5, LOBBY_CID, before=before, limit=limit, most_bytes=10**6)
        self._compare(page.entries, range(max(before - limit, self.first), before))
        (place,) = await self.store.conversations.positions(5, [LOBBY_CID], newest=True)
        assert place is not None
        self.test.assertEqual((place.first, place.seq), (self.first, self.seq))
        kept = raw(self.store)
        told = b"".join(each for _, _, each in kept)
        for number in range(1, self.said + 1):
            if f"text {number}." not in self.texts.values():
                self.test.assertNotIn(b'"text %d."' % number, told)
        self.test.assertTrue(all(seq + count > self.first for seq, count, _ in kept))

    def _compare(self, entries: Sequence[LoggedEntry], numbers: range) -> None:
        self.test.assertEqual([entry.seq for entry in entries], list(numbers))
        for entry in entries:
            if entry.seq in self.authors:
                text = self.texts.get(entry.seq)
                self.test.assertEqual(text is None, not entry.json, entry.seq)
                if text is not None:
                    self.test.assertIn(f'"content":"{text}"'.encode(), entry.json)

    async def seek(self) -> None:
        """Every moment is found; what is gone counts as older."""
        page = await self.store.conversations.read(LOBBY_CID, after=0, limit=10**6)
        times = {entry.seq: entry.time for entry in page.entries if entry.json}
        for moment in sorted({time + late for time in times.values() for late in (0, 1)}):
            later = [seq for seq, time in times.items() if time >= moment]
            found = await self.store.conversations.seek(LOBBY_CID, moment)
            self.test.assertEqual(found, min(later) - 1 if later else self.seq)


class BlockTests(TestCase):
    async def walk(self, seed: int, kept: int = 0) -> Walk:
        store = await Store.start(self, retention=(kept, 0))
        await store.bus.hold_rooms([LOBBY_CID])
        walk = Walk(self, store, seed, kept)
        await walk.talk()
        for _ in range(40):
            await walk.random.choice((walk.talk, walk.edit, walk.edit, walk.redact, walk.redact))()
            await walk.look()
        return walk

    async def test_who_reads_sees_no_blocks_whatever_was_taken_away(self) -> None:
        for seed in range(8):
            with self.subTest(seed=seed):
                await (await self.walk(seed)).seek()

    async def test_what_retention_drops_is_gone_with_its_block(self) -> None:
        for seed, kept in ((10, 5), (11, 30)):
            with self.subTest(seed=seed):
                await self.walk(seed, kept)

    async def test_what_one_wrote_is_erased_and_what_others_wrote_is_not(self) -> None:
        walk = await self.walk(20)
        store = walk.store
        store.say(LOBBY_CID, "the last word", author=BOB)
        walk.seq += 1
        walk.texts[walk.seq], walk.authors[walk.seq] = "the last word", BOB
        await walk.heard()
        accounts = Accounts(store.redis, store.keys)
        for author in AUTHORS:
            await accounts.register(author.user_id, author.name, "", "")
        office = Administration(store.redis, store.keys, accounts, store.conversations)
        mine = [seq for seq, author in walk.authors.items() if author is BOB and seq in walk.texts]
        written = [entry.seq async for _, entry in office.written_by(5)]
        self.assertEqual([seq for seq in written if seq in walk.authors], mine)
        await office.erase(5, Author(0, "#server"))
        for seq in mine:
            del walk.texts[seq]
        walk.seq += 1
        await walk.heard()
        self.assertTrue(walk.texts)
        for _ in range(10):
            await walk.look()

    async def test_erased_is_also_what_retention_hides_and_lies_with_what_it_keeps(self) -> None:
        store = await Store.start(self, retention=(3, 0))
        await store.bus.hold_rooms([LOBBY_CID])
        for number in range(BLOCK):
            store.say(LOBBY_CID, f"{number}", author=AUTHORS[number % 2])
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == BLOCK)
        accounts = Accounts(store.redis, store.keys)
        await accounts.register(BOB.user_id, BOB.name, "", "")
        office = Administration(store.redis, store.keys, accounts, store.conversations)
        await office.erase(BOB.user_id, Author(0, "#server"))
        kept = b"".join(each for _, _, each in raw(store))
        self.assertNotIn(b'"bob"', kept)
        self.assertIn(b'"ann"', kept)

    async def test_eight_lie_together_and_the_ninth_begins_another_block(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        for number in range(BLOCK + 1):
            store.say(LOBBY_CID, f"{number}")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == BLOCK + 1)
        self.assertEqual([(seq, count) for seq, count, _ in raw(store)], [(1, 8), (9, 1)])

    async def test_of_a_block_that_is_taken_away_one_by_one_nothing_is_left(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        for number in range(BLOCK):
            store.say(LOBBY_CID, f"{number}")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == BLOCK)
        for seq in (4, 1, 8, 2, 3, 7, 5, 6):
            await store.rooms.redact(BOB, LOBBY_CID, seq)
        self.assertEqual([seq for seq, _, _ in raw(store)], list(range(9, 17)))


class RefusedTests(TestCase):
    """A number that goes backwards is what the store refuses by itself."""

    async def answers(self, store: Store, ids: Sequence[str]) -> list[Any]:
        """Post these in one call; the codes or numbers that were answered."""
        heard, senders = len(store.heard.headers(LOBBY_CID)), []
        for client_id in ids:
            senders.append(store.say(LOBBY_CID, client_id, client_id))
        await store.bus.fence()
        await deferLater(reactor, 0)  # Refusals are told when the turn of the answer ends.
        self.assertTrue(store.posting.idle)
        accepted = [header.seq for header in store.heard.headers(LOBBY_CID)[heard:]]
        return [*map(_answer, senders), accepted]

    async def test_all_of_a_block_are_refused_and_none_is_marked(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        ids = [f"id-{number}" for number in range(BLOCK + 2)]
        self.assertEqual(await self.answers(store, ["one", "two"]), [None, None, [1, 2]])
        store.valkey.ask("HSET", store.keys.meta(LOBBY_CID), "seq", 0)
        refused = await self.answers(store, [ids[0], *ids])
        self.assertEqual(refused, [503] * (BLOCK + 3) + [[]])
        store.valkey.ask("HSET", store.keys.meta(LOBBY_CID), "seq", 2)
        accepted = await self.answers(store, ids)
        self.assertEqual(accepted, [None] * (BLOCK + 2) + [list(range(3, BLOCK + 5))])

    async def test_who_was_refused_in_slow_mode_need_not_wait(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        await self.answers(store, ["one"])
        store.valkey.ask("HSET", store.keys.meta(LOBBY_CID), "rules", "60000:0:0", "seq", 0)
        self.assertEqual(await self.answers(store, ["two"]), [503, []])
        store.valkey.ask("HSET", store.keys.meta(LOBBY_CID), "seq", 1)
        self.assertEqual(await self.answers(store, ["two", "three"]), [None, 403, [2]])

    async def test_a_repetition_in_the_same_call_has_the_number_of_the_first(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        answered = await self.answers(store, ["a", "b", "a", "c", "b", "a"])
        self.assertEqual(answered, [None, None, 1, None, 2, 1, [1, 2, 3]])


class DamagedTests(TestCase):
    """An entry that is no entry, as somebody may leave it who writes to the store by hand."""

    answers = RefusedTests.answers

    async def start(self) -> Store:
        """A store with three messages of bob's, the first two of which can't be read."""
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        log = store.keys.log(LOBBY_CID)
        for number, client_id in enumerate(("one", "two", "three"), 1):
            self.assertEqual(await self.answers(store, [client_id]), [None, [number]])
        ((_, fields),) = store.valkey.ask("XRANGE", log, "3-0", "3-0")
        store.valkey.ask("DEL", log)
        for name, value in (("1-0", b"junk"), ("2-0", fields[1][:20]), ("3-0", fields[1])):
            store.valkey.ask("XADD", log, name, "e", value)
        return store

    async def test_its_repetition_is_answered_and_all_others_are_accepted(self) -> None:
        store = await self.start()
        answered = await self.answers(store, ["four", "one", "five", "two"])
        self.assertEqual(answered, [None, 1, None, 2, [4, 5]])
        self.assertEqual(await self.answers(store, ["six"]), [None, [6]])

    async def test_it_can_no_more_be_taken_back_than_what_is_gone(self) -> None:
        store = await self.start()
        for seq in (1, 2):
            with self.assertRaises(Unknown):
                await store.rooms.redact(BOB, LOBBY_CID, seq)
        await store.rooms.redact(BOB, LOBBY_CID, 3)

    async def test_it_can_no_more_be_edited_than_what_is_gone(self) -> None:
        store = await self.start()
        for seq in (1, 2):
            with self.assertRaises(Unknown):
                await store.editing.edit(BOB, LOBBY_CID, seq, "again")
        await store.editing.edit(BOB, LOBBY_CID, 3, "edited")
        log, apart = store.keys.log(LOBBY_CID), store.keys.apart(LOBBY_CID)
        for junk in (b"", b"junk", b"\xff" * 9, b"\x00" * 20):
            newest = int(store.valkey.ask("HGET", store.keys.meta(LOBBY_CID), "seq"))
            store.valkey.ask("XDEL", log, f"{newest}-0")
            store.valkey.ask("ZADD", apart, newest, junk)
            await store.editing.edit(BOB, LOBBY_CID, 3, f"edited after {newest}")
        page = await store.conversations.history(5, LOBBY_CID)
        self.assertIn(b'"edited after %d"' % newest, page.entries[2].json)
        store.valkey.ask("XDEL", log, f"{newest + 1}-0")
        store.valkey.ask("ZADD", apart, newest + 1, b"more junk")
        await store.rooms.redact(BOB, LOBBY_CID, 3)

    async def test_it_keeps_nobody_from_being_erased(self) -> None:
        store = await self.start()
        accounts = Accounts(store.redis, store.keys)
        await accounts.register(BOB.user_id, BOB.name, "", "")
        office = Administration(store.redis, store.keys, accounts, store.conversations)
        self.assertEqual(await office.erase(BOB.user_id, Author(0, "#server")), 1)
        self.assertNotIn(b'"bob"', b"".join(each for _, _, each in raw(store)))


def _answer(sender: Sender) -> int | None:
    """The code, or the number that was given before; None where its publication answers."""
    for code in sender.refused:
        return code[1]
    for again in sender.repeated:
        return again[1]
    return None
