"""Conversations on a real store: numbers, permission, history, marks, the end of a message."""

import json
from collections.abc import Awaitable, Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chat.server.requests import searching
from chat.store.bus import Event
from chat.store.conversations import TOUCHED_AT_ONCE, Mark
from chat.store.entries import Author, epoch_count
from chat.store.errors import NotAllowed, TooMany, Unknown
from chat.store.keys import LOBBY_CID
from chat.store.scripts import Script, load
from chat.store.tide import raise_generation
from tests.store_builders import Sender, Store

BOB = Author(5, "bob")
EVE = Author(9, "eve")


class PostingTests(TestCase):
    async def test_numbers_follow_each_other_whoever_posts(self) -> None:
        store = await Store.start(self)
        other = await Store.start(self, store.valkey, server=78)
        await store.bus.hold_rooms([LOBBY_CID])
        for turn in range(20):
            store.say(LOBBY_CID, f"a{turn}")
            other.say(LOBBY_CID, f"b{turn}", author=EVE)
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 40)
        self.assertEqual([h.seq for h in store.heard.headers(LOBBY_CID)], list(range(1, 41)))

    async def test_the_same_client_id_has_one_number_on_any_server(self) -> None:
        store = await Store.start(self)
        other = await Store.start(self, store.valkey, server=78)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "once", "id-1")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        again, elsewhere = store.say(LOBBY_CID, "once", "id-1"), other.say(LOBBY_CID, "x", "id-1")
        await again.answered
        await elsewhere.answered
        self.assertEqual([seq for _, seq in again.repeated + elsewhere.repeated], [1, 1])
        page = await store.conversations.history(5, LOBBY_CID)
        self.assertEqual([entry.seq for entry in page.entries], [1])

    async def test_a_repetition_is_known_on_the_next_day_too_and_no_longer(self) -> None:
        number = await self.numbering()
        expected = {
            20_000: (("a", 1), ("a", 1)),
            20_001: (("a", 1), ("b", 2), ("a", 1)),
            20_002: (("b", 2), ("a", 3), ("b", 2)),
            20_005: (("b", 4), ("a", 5), ("b", 4)),
        }
        for day, posts in expected.items():
            for client_id, seq in posts:
                at = day * 86_400 + 1
                self.assertEqual((at, client_id, await number(at, client_id)), (at, client_id, seq))

    async def test_a_repetition_is_known_though_the_clock_was_set_back_before_midnight(
        self,
    ) -> None:
        number = await self.numbering()
        midnight = 20_000 * 86_400
        self.assertEqual(await number(midnight - 1, "a"), 1)
        self.assertEqual(await number(midnight + 1, "b"), 2)
        for at in (midnight - 2, midnight - 3_600, midnight + 2):
            self.assertEqual((at, await number(at, "b")), (at, 2))
            self.assertEqual((at, await number(at, "a")), (at, 1))

    async def numbering(self) -> Callable[[int, str], Awaitable[int]]:
        """What posts to the lobby at a time of the store's clock, and tells the number."""
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        script = load("post")
        # The store's clock is a list here, which the test sets.
        text = script.text.replace("redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, 1)")
        self.patch(store.posting, "_script", Script("post", text))
        said: list[str] = []

        async def number(at: int, client_id: str) -> int:
            store.valkey.ask("DEL", "clock")
            store.valkey.ask("RPUSH", "clock", at, 0)
            sender, count = store.say(LOBBY_CID, client_id, client_id), len(said)
            heard = store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) > count)
            await DeferredList([heard, sender.answered], fireOnOneCallback=True)
            if not sender.repeated:
                said.append(client_id)
                return len(said)
            return sender.repeated[0][1]

        return number

    async def test_another_user_may_use_the_same_client_id(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "mine", "id-1")
        store.say(LOBBY_CID, "mine too", "id-1", author=EVE)
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 2)

    async def test_a_repetition_is_found_although_it_may_only_be_looked_up(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "once", "id-1")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        known = store.say(LOBBY_CID, "once", "id-1", refusal=429)
        new = store.say(LOBBY_CID, "new", "id-2", refusal=429)
        await known.answered
        await new.answered
        self.assertEqual([seq for _, seq in known.repeated], [1])
        self.assertEqual([code for _, code in new.refused], [429])

    async def test_a_repetition_is_answered_even_after_its_sender_left(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        await store.bus.hold_rooms(["r:tea"])
        store.say("r:tea", "bye", "id-1")
        await store.heard.until(lambda: len(store.heard.headers("r:tea")) == 1)
        await store.rooms.leave(BOB, "#tea")
        again = store.say("r:tea", "bye", "id-1")
        await again.answered
        self.assertEqual([seq for _, seq in again.repeated], [2])

    async def test_who_is_no_member_is_refused_and_the_rest_of_the_batch_is_not(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(EVE, "#tea", "", 0)
        await store.bus.hold_rooms([LOBBY_CID])
        sender = Sender()
        store.say("r:tea", "let me in", sender=sender)
        store.say("r:nowhere", "hello?", sender=sender)
        store.say(LOBBY_CID, "here")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        await store.bus.fence()
        self.assertEqual([code for _, code in sender.refused], [403, 404])

    async def test_a_private_message_reaches_both_under_the_partners_name(self) -> None:
        store = await Store.start(self)
        store.bus.hold_user(5)
        await store.bus.fence()
        store.bus.hold_user(9)
        await store.bus.fence()
        store.say("p:5:9", "psst")
        await store.heard.until(lambda: len(store.heard.publications) == 2)
        names = {
            user_id: json.loads(json.loads(publication.frames[4:])["data"])["conversation"]
            for user_id, publication in store.heard.publications
        }
        self.assertEqual(names, {5: "@9", 9: "@5"})

    async def test_a_note_to_oneself_is_published_once(self) -> None:
        store = await Store.start(self)
        store.bus.hold_user(5)
        await store.bus.fence()
        store.say("p:5:5", "milk")
        await store.heard.until(lambda: len(store.heard.publications) == 1)
        await store.bus.fence()
        self.assertEqual(len(store.heard.publications), 1)

    async def test_a_full_store_refuses_what_is_new_and_still_reads(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "before", "id-1")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        store.valkey.ask("CONFIG", "SET", "maxmemory", "1")
        refused = store.say(LOBBY_CID, "too much", "id-2")
        await refused.answered
        self.assertEqual([code for _, code in refused.refused], [503])
        store.valkey.ask("CONFIG", "SET", "maxmemory", "0")
        store.say(LOBBY_CID, "after", "id-3")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 2)
        page = await store.conversations.history(5, LOBBY_CID)
        self.assertEqual([entry.seq for entry in page.entries], [1, 2])

    async def test_without_a_store_a_post_is_refused_at_once(self) -> None:
        store = await Store.start(self)
        store.valkey.kill()
        await store.heard.until(lambda: store.heard.losses > 0)
        refused = store.say(LOBBY_CID, "hello?")
        await refused.answered
        self.assertEqual([code for _, code in refused.refused], [503])

    async def test_a_post_that_a_dead_store_never_answered_is_of_unknown_fate(self) -> None:
        store = await Store.start(self, deadline=0.5)
        store.valkey.freeze()
        sent = store.say(LOBBY_CID, "did you hear me?")
        await sent.answered
        store.valkey.thaw()
        self.assertEqual([code for _, code in sent.refused], [504])
        self.assertTrue(store.posting.settled, "it has its answer: nobody waits")


class EpochTests(TestCase):
    async def test_of_several_who_notice_a_loss_one_begins_a_new_epoch(self) -> None:
        store = await Store.start(self)
        first = store.valkey.ask("GET", store.keys.generation()).decode()
        counts = [epoch_count(first), epoch_count(first) + 5, epoch_count(first)]
        raised = [await store.conversations.generation_after(count) for count in counts]
        # The second knew of more epochs than the store did: it has lost some of those as well.
        self.assertEqual([epoch_count(each) for each in raised], [2, 7, 7])
        self.assertEqual(raised[1], raised[2])

    async def test_a_raised_generation_begins_a_new_epoch_above_the_known_numbers(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "one")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        await raise_generation(store.redis, store.keys)
        store.say(LOBBY_CID, "two")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 2)
        (_, old), (_, new) = store.heard.publications
        self.assertNotEqual(old.epoch, new.epoch)
        self.assertEqual((old.epoch_first, new.epoch_first), (1, 2))

    async def test_history_of_another_epoch_tells_the_current_one_and_no_entries(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "one")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        old = (await store.conversations.history(5, LOBBY_CID)).epoch
        await raise_generation(store.redis, store.keys)
        page = await store.conversations.history(5, LOBBY_CID, epoch=old)
        self.assertEqual((page.entries, page.epoch_first), ([], 2))
        self.assertNotEqual(page.epoch, old)

    async def test_a_mark_of_an_older_epoch_counts_up_to_its_end(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "one")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        epoch = store.heard.publications[0][1].epoch
        # As if numbers up to 7 had been given out, and lost with the old epoch.
        await store.conversations.mark({(5, LOBBY_CID): Mark(epoch, 1, 7, 7)})
        await raise_generation(store.redis, store.keys)
        page, _ = await store.conversations.page(5)
        self.assertEqual((page[LOBBY_CID].delivered, page[LOBBY_CID].read), (1, 1))


class HistoryTests(TestCase):
    async def _talked(self, count: int) -> Store:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        for number in range(1, count + 1):
            store.say(LOBBY_CID, f"message {number}")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == count)
        return store

    async def test_pages_back_meet_without_a_hole_or_a_double(self) -> None:
        store = await self._talked(25)
        seen: list[int] = []
        before, more = 0, True
        while more:
            page = await store.conversations.history(5, LOBBY_CID, before=before, limit=10)
            seen = [entry.seq for entry in page.entries] + seen
            before, more = page.entries[0].seq, page.more
        self.assertEqual(seen, list(range(1, 26)))

    async def test_pages_forward_meet_without_a_hole_or_a_double(self) -> None:
        store = await self._talked(25)
        seen: list[int] = []
        more = True
        while more:
            after = seen[-1] if seen else 0
            page = await store.conversations.history(5, LOBBY_CID, after=after, limit=10)
            seen += [entry.seq for entry in page.entries]
            more = page.more
        self.assertEqual(seen, list(range(1, 26)))

    async def test_a_page_of_so_many_bytes_meets_the_next_one_in_both_directions(self) -> None:
        store = await self._talked(70)
        for seq in (1, 30, 31, 32, 70):
            await store.rooms.redact(BOB, LOBBY_CID, seq)
        history, everything = store.conversations.history, list(range(1, 76))
        for most in (1, 200, 1_000, 1_000_000):
            back: list[int] = []
            before, more = 0, True
            while more:
                page = await history(5, LOBBY_CID, before=before, limit=60, most_bytes=most)
                back = [entry.seq for entry in page.entries] + back
                before, more = page.entries[0].seq, page.more
            self.assertEqual(back, everything)
            forth: list[int] = [0]
            more = True
            while more:
                page = await history(5, LOBBY_CID, after=forth[-1], limit=60, most_bytes=most)
                forth += [entry.seq for entry in page.entries]
                more = page.more
            self.assertEqual(forth[1:], everything)
        for most, sizes in ((1, {1}), (1_000_000, {60})):
            page = await history(5, LOBBY_CID, after=2, limit=60, most_bytes=most)
            self.assertEqual({len(page.entries)}, sizes)

    async def test_both_bounds_are_exclusive_and_the_oldest_come_first(self) -> None:
        store = await self._talked(10)
        page = await store.conversations.history(5, LOBBY_CID, after=3, before=9, limit=3)
        self.assertEqual(([e.seq for e in page.entries], page.more), ([4, 5, 6], True))
        page = await store.conversations.history(5, LOBBY_CID, after=3, before=7, limit=3)
        self.assertEqual(([e.seq for e in page.entries], page.more), ([4, 5, 6], False))
        page = await store.conversations.history(5, LOBBY_CID, before=1)
        self.assertEqual((list(page.entries), page.more), ([], False))

    async def test_a_redacted_entry_keeps_its_number_and_loses_its_text(self) -> None:
        store = await self._talked(3)
        await store.rooms.redact(BOB, LOBBY_CID, 2)
        page = await store.conversations.history(5, LOBBY_CID)
        texts = [entry.for_user(5) for entry in page.entries]
        self.assertEqual(texts[1], b'{"seq":2,"deleted":true}')
        self.assertNotIn(b"message 2", b"".join(texts))
        self.assertEqual(json.loads(texts[3])["target"], 2)

    async def test_nobody_redacts_what_others_said_nor_what_happened(self) -> None:
        store = await self._talked(1)
        with self.assertRaises(NotAllowed):
            await store.rooms.redact(EVE, LOBBY_CID, 1)
        with self.assertRaises(Unknown):
            await store.rooms.redact(BOB, LOBBY_CID, 99)
        await store.rooms.redact(BOB, LOBBY_CID, 1)
        with self.assertRaises(NotAllowed):
            await store.rooms.redact(BOB, LOBBY_CID, 2)

    async def test_a_store_that_takes_no_writes_is_read_though_something_is_too_old(self) -> None:
        store = await Store.start(self, retention=(0, 1))
        await store.bus.hold_rooms([LOBBY_CID])
        for content in ("old", "older than a millisecond as well"):
            store.say(LOBBY_CID, content)
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 2)
        await deferLater(reactor, 0.002)
        store.valkey.ask("CONFIG", "SET", "maxmemory", "1")
        page = await store.conversations.history(5, LOBBY_CID)
        self.assertEqual((page.entries, page.first, page.seq), ([], 3, 2))
        self.assertGreater(store.valkey.ask("XLEN", store.keys.log(LOBBY_CID)), 0)
        store.valkey.ask("CONFIG", "SET", "maxmemory", "0")
        self.assertEqual((await store.conversations.history(5, LOBBY_CID)).first, 3)
        self.assertEqual(store.valkey.ask("XLEN", store.keys.log(LOBBY_CID)), 0)

    async def test_retention_drops_the_oldest_and_says_what_is_first(self) -> None:
        store = await Store.start(self, retention=(4, 0))
        await store.bus.hold_rooms([LOBBY_CID])
        for number in range(1, 11):
            store.say(LOBBY_CID, f"message {number}")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 10)
        page = await store.conversations.history(5, LOBBY_CID, after=0)
        self.assertEqual(([e.seq for e in page.entries], page.first), ([7, 8, 9, 10], 7))

    async def test_a_moment_is_found_by_bisection(self) -> None:
        store = await self._talked(9)
        times = [header.time for header in store.heard.headers(LOBBY_CID)]
        self.assertEqual(await store.conversations.seek(LOBBY_CID, times[0]), 0)
        self.assertEqual(await store.conversations.seek(LOBBY_CID, times[-1] + 1), 9)

    async def test_a_line_of_a_list_that_is_no_conversation_spoils_no_search(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.say(LOBBY_CID, "a needle")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        await store.rooms.join(EVE, "#tea", "", 0)
        cids = [LOBBY_CID, await store.conversations.contact(5, 9), "r:tea"]
        start = searching.Place(0, 0)
        found = await searching.search(store.conversations, 5, cids, True, "needle", start, 10)
        self.assertEqual(len(found.entries), 1)
        for cid, error in zip(cids[1:], (Unknown, NotAllowed), strict=True):
            search = searching.search(store.conversations, 5, [cid], False, "needle", start, 10)
            await self.assertFailure(Deferred.fromCoroutine(search), error)

    async def test_a_search_gets_past_more_of_one_moment_than_it_looks_at_in_one_request(
        self,
    ) -> None:
        store = await self._talked(9)
        self.patch(searching, "MOST_SCANNED", 2)
        seen: list[bytes] = []
        place: searching.Place | None = searching.Place(0, 0)
        while place is not None and len(seen) <= 9:
            found = await searching.search(
                store.conversations, 5, [LOBBY_CID], True, "message", place, 10
            )
            self.assertTrue(found.entries or found.rest is None)
            seen += found.entries
            place = found.rest
        self.assertEqual(len(set(seen)), 9)


class RoomTests(TestCase):
    async def test_who_leaves_here_and_joins_there_is_in_a_room_that_is_on_the_list_or_in_neither(
        self,
    ) -> None:
        store = await Store.start(self)
        other = await Store.start(self, store.valkey, server=78)
        members, listed = store.keys.members("r:tea"), store.keys.conversations(5)
        for _ in range(10):
            await store.rooms.join(BOB, "#tea", "", 0)
            left = Deferred.fromCoroutine(store.rooms.leave(BOB, "#tea"))
            await Deferred.fromCoroutine(other.rooms.join(BOB, "#tea", "", 0))
            await left
            is_in = store.valkey.ask("HEXISTS", members, 5) == 1
            self.assertEqual(store.valkey.ask("ZSCORE", listed, "r:tea") is not None, is_in)

    async def test_who_makes_a_room_owns_it_and_hands_it_on_when_leaving(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "leaves", 0)
        await store.rooms.join(EVE, "#tea", "ignored", 0)
        mine = await store.conversations.one(5, "r:tea")
        hers = await store.conversations.one(9, "r:tea")
        self.assertEqual((mine.role, hers.role, hers.topic), ("owner", "member", "leaves"))
        await store.rooms.leave(BOB, "#tea")
        self.assertEqual((await store.conversations.one(9, "r:tea")).role, "owner")

    async def test_joining_is_caught_up_with_everything_before_it(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        await store.rooms.join(EVE, "#tea", "", 0)
        hers = await store.conversations.one(9, "r:tea")
        self.assertEqual((hers.seq, hers.delivered, hers.read), (2, 2, 2))

    async def test_who_joined_is_told_to_all_devices_in_the_same_step(self) -> None:
        """Else they would not hear the room where the server that was asked dies just then."""
        store = await Store.start(self)
        store.bus.hold_user(BOB.user_id)
        await store.bus.hold_rooms(["r:tea"])
        for session in ("one", "another"):
            await store.rooms.join(BOB, "#tea", "", 0, session=session)
        await store.bus.fence()
        self.assertEqual(
            store.heard.events,
            [(BOB.user_id, Event("joined", "r:tea", session=each)) for each in ("one", "another")],
        )

    async def test_that_one_left_is_told_before_one_can_join_again(self) -> None:
        """Else what is told late takes out whoever has joined on another device meanwhile."""
        store = await Store.start(self)
        store.bus.hold_user(BOB.user_id)
        await store.bus.hold_rooms(["r:tea"])
        await store.rooms.join(BOB, "#tea", "", 0)
        joined_when_told: list[int] = []
        told = store.heard.until(
            lambda: any(event.event == "left" for _, event in store.heard.events)
        ).addCallback(lambda _: joined_when_told.append(len(store.heard.headers("r:tea"))))
        await store.rooms.leave(BOB, "#tea", "a session")
        await store.rooms.join(BOB, "#tea", "", 0)
        await told
        self.assertEqual(joined_when_told, [2])
        left = BOB.user_id, Event("left", "r:tea", session="a session")
        self.assertEqual(store.heard.events[1], left)

    async def test_an_empty_room_is_not_listed(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        rooms, _ = await store.rooms.listed("", 10)
        self.assertEqual([(room.conversation, room.members) for room in rooms], [("#tea", 1)])
        await store.rooms.leave(BOB, "#tea")
        self.assertEqual(await store.rooms.listed("", 10), ([], False))

    async def test_rooms_are_paged_by_name(self) -> None:
        store = await Store.start(self)
        for name in ("#c", "#a", "#b"):
            await store.rooms.join(BOB, name, "", 0)
        first, more = await store.rooms.listed("", 2)
        self.assertEqual(([room.conversation for room in first], more), (["#a", "#b"], True))
        rest, more = await store.rooms.listed("#b", 2)
        self.assertEqual(([room.conversation for room in rest], more), (["#c"], False))

    async def test_the_limit_of_rooms_holds_on_both_sides(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#one", "", 2)
        await store.rooms.join(BOB, "#two", "", 2)
        with self.assertRaises(TooMany):
            await store.rooms.join(BOB, "#three", "", 2)
        await store.rooms.join(BOB, "#two", "", 2)
        await store.rooms.join(BOB, "#three", "", 0)

    async def test_who_joins_several_at_once_gets_no_more_rooms_than_that(self) -> None:
        one = await Store.start(self)
        other = await Store.start(self, one.valkey, server=78)
        joining = [
            Deferred.fromCoroutine(store.rooms.join(BOB, f"#{number}", "", 3))
            for number, store in enumerate((one, other) * 3)
        ]
        outcomes = await DeferredList(joining, consumeErrors=True)
        self.assertEqual([done for done, _ in outcomes].count(True), 3)
        self.assertEqual(len(await one.conversations.rooms_of(BOB.user_id)), 1 + 3)

    async def test_only_who_runs_a_room_sets_its_topic(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        await store.rooms.join(EVE, "#tea", "", 0)
        await store.rooms.set_topic(BOB, "r:tea", "green")
        with self.assertRaises(NotAllowed):
            await store.rooms.set_topic(EVE, "r:tea", "black")
        self.assertEqual((await store.conversations.one(9, "r:tea")).topic, "green")

    async def test_members_are_paged_by_id_for_members_only(self) -> None:
        store = await Store.start(self)
        for user_id in (30, 4, 17):
            await store.rooms.join(Author(user_id, f"u{user_id}"), "#tea", "", 0)
        page, more = await store.rooms.members(4, "r:tea", 4, 1)
        self.assertEqual(([user.user_id for user in page], more), ([17], True))
        with self.assertRaises(NotAllowed):
            await store.rooms.members(5, "r:tea", 0, 10)
        with self.assertRaises(Unknown):
            await store.rooms.members(5, "r:coffee", 0, 10)


class MarkTests(TestCase):
    async def test_marks_never_go_back_and_tell_the_partner(self) -> None:
        store = await Store.start(self)
        store.bus.hold_user(9)
        await store.bus.fence()
        await store.conversations.contact(5, 9)
        await store.conversations.mark({(5, "p:5:9"): Mark("e", 1, 3, 2)})
        await store.conversations.mark({(5, "p:5:9"): Mark("e", 1, 2, 1)})
        await store.bus.fence()
        told = [(event.event, event.delivered, event.read) for _, event in store.heard.events]
        self.assertEqual(told, [("receipt", 3, 2)])

    async def test_what_is_read_is_delivered(self) -> None:
        store = await Store.start(self)
        store.bus.hold_user(5)
        await store.bus.fence()
        await store.conversations.mark({(5, LOBBY_CID): Mark("e", 1, 0, 4)})
        await store.bus.fence()
        self.assertEqual([event.delivered for _, event in store.heard.events], [4])

    async def test_lists_are_newest_first_and_paged(self) -> None:
        store = await Store.start(self)
        later = 1 << 42  # ms since 1970: after any contact was made
        for partner, time in ((7, 100), (8, 300), (9, 200)):
            cid = await store.conversations.contact(5, partner)
            await store.conversations.touch({cid: later + time})
        first, more = await store.conversations.ids(5, "", 3)
        self.assertEqual((first, more), ([LOBBY_CID, "p:5:8", "p:5:9"], True))
        self.assertEqual(await store.conversations.ids(5, "p:5:9", 3), (["p:5:7"], False))
        self.assertEqual(await store.conversations.ids(5, "p:1:5", 3), ([], False))

    async def test_a_list_goes_on_behind_a_room_that_was_left_meanwhile(self) -> None:
        store = await Store.start(self)
        await store.conversations.contact(5, 7)
        for room in ("#a", "#b", "#c"):
            await store.rooms.join(BOB, room, "", 0)
        self.assertEqual((await store.conversations.ids(5, "p:5:7", 2))[0], ["r:c", "r:b"])
        await store.rooms.leave(BOB, "#b")
        self.assertEqual(await store.conversations.ids(5, "r:b", 3), (["r:a"], False))
        self.assertEqual((await store.conversations.ids(5, "r:x", 3))[0], ["r:c", "r:a"])
        self.assertEqual(await store.conversations.rooms_of(5), [LOBBY_CID, "r:a", "r:c"])

    async def test_a_list_goes_on_behind_a_room_that_was_left_in_a_full_store(self) -> None:
        store = await Store.start(self)
        await store.conversations.contact(5, 7)
        for room in ("#a", "#b", "#c"):
            await store.rooms.join(BOB, room, "", 0)
        await store.rooms.leave(BOB, "#b")
        store.valkey.ask("CONFIG", "SET", "maxmemory", "1")
        rest = await store.conversations.ids(5, "r:b", 3)
        self.assertEqual(rest, (["r:c", "r:a"], False))  # better one twice than one not at all

    async def test_however_many_private_conversations_moved_all_get_their_places(self) -> None:
        store = await Store.start(self)
        later, many = 1 << 42, 2 * TOUCHED_AT_ONCE + 1
        cids = [await store.conversations.contact(5, 5 + each) for each in range(many)]
        moved = {cid: later + number for number, cid in enumerate(cids)}
        await store.conversations.touch({**moved, "p:5:9999": later})  # which is on no list
        listed, _ = await store.conversations.ids(5, "", many + 2)
        self.assertEqual(listed, [LOBBY_CID, *reversed(cids)])


class BusTests(TestCase):
    async def test_after_a_loss_every_channel_is_heard_again(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        store.valkey.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await store.heard.until(lambda: store.heard.returns == 2)
        store.say(LOBBY_CID, "still there?")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)

    async def test_who_gives_a_channel_back_hears_it_no_more(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        await store.bus.hold_rooms([LOBBY_CID])
        store.bus.release_room(LOBBY_CID)
        store.say(LOBBY_CID, "one holder left")
        await store.heard.until(lambda: len(store.heard.headers(LOBBY_CID)) == 1)
        store.bus.release_room(LOBBY_CID)
        store.say(LOBBY_CID, "nobody")
        await store.bus.fence()
        await store.conversations.positions(5, [LOBBY_CID])
        await store.bus.fence()
        self.assertEqual(len(store.heard.headers(LOBBY_CID)), 1)


class TwoLossesTests(TestCase):
    async def test_who_was_away_during_two_losses_learns_of_the_lower_one(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        heard, epochs = store.heard, []
        for count in (1, 2, 3):
            store.say(LOBBY_CID, f"message {count}")
            await heard.until(lambda count=count: len(heard.headers(LOBBY_CID)) == count)
            epochs.append(heard.publications[-1][1].epoch)
            await raise_generation(store.redis, store.keys)
        page = await store.conversations.history(5, LOBBY_CID, epoch=epochs[0])
        self.assertEqual((list(page.entries), page.epoch_first), ([], 2))
        page = await store.conversations.history(5, LOBBY_CID, epoch=epochs[1])
        self.assertEqual(page.epoch_first, 3)
        page = await store.conversations.history(5, LOBBY_CID, epoch="7.nobody")
        self.assertEqual(page.epoch_first, 1)
