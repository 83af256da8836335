"""Moderation on a real store: who may write, by the rules of the conversation."""

from unittest.mock import patch

from twisted.internet.defer import DeferredList
from twisted.trial.unittest import TestCase

from chat.messages import User
from chat.store.entries import Author, LoggedEntry
from chat.store.errors import Unknown
from chat.store.keys import LOBBY_CID
from chat.store.moderation import Moderation
from tests.store_builders import Sender, Store

BOB = Author(5, "bob")
EVE = Author(9, "eve")
ROOM = "r:tea"
OPERATOR = Author(0, "#server")


async def rules(store: Store, cid: str, **fields: str) -> None:
    """Write what stands against whom, as the store keeps it."""
    flat = [word for field, value in fields.items() for word in (field, value)]
    await store.redis.call("HSET", store.keys.meta(cid), *flat)


async def post(store: Store, cid: str, author: Author, client_id: str = "") -> Sender:
    """Post and wait for the answer, or for the publication."""
    heard = len(store.heard.headers(cid))
    sender = store.say(cid, "hello", client_id, author=author)
    stored = store.heard.until(lambda: len(store.heard.headers(cid)) > heard)
    await DeferredList([sender.answered, stored], fireOnOneCallback=True)
    return sender


class RulesTests(TestCase):
    async def test_who_is_muted_is_refused_until_the_end_and_others_are_not(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        await post(store, LOBBY_CID, BOB)
        await rules(store, LOBBY_CID, rules="0:0:0", m9="0:1:5:eve")
        refused = await post(store, LOBBY_CID, EVE)
        self.assertEqual([code for _, code in refused.refused], [403])
        self.assertEqual(refused.reasons, [("muted", 0)])
        self.assertEqual((await post(store, LOBBY_CID, BOB)).refused, [])
        await rules(store, LOBBY_CID, m9="9000000000000:1:5:eve")
        ((reason, wait),) = (await post(store, LOBBY_CID, EVE)).reasons
        self.assertEqual(reason, "muted")
        self.assertGreater(wait, 86_400)
        await rules(store, LOBBY_CID, m9="1:1:5:eve")
        self.assertEqual((await post(store, LOBBY_CID, EVE)).refused, [])

    async def test_a_repetition_is_answered_although_its_sender_was_muted_since(self) -> None:
        store = await Store.start(self)
        await store.bus.hold_rooms([LOBBY_CID])
        await post(store, LOBBY_CID, EVE, "id-1")
        await rules(store, LOBBY_CID, rules="0:0:0", m9="0:1:5:eve")
        again = store.say(LOBBY_CID, "hello", "id-1", author=EVE)
        await again.answered
        self.assertEqual([seq for _, seq in again.repeated], [1])
        refused = await post(store, LOBBY_CID, EVE, "id-2")
        self.assertEqual(len(refused.refused), 1)
        await rules(store, LOBBY_CID, m9="1:1:5:eve")
        self.assertEqual((await post(store, LOBBY_CID, EVE, "id-2")).repeated, [])

    async def test_slow_mode_holds_for_members_and_not_for_moderators(self) -> None:
        store = await Store.start(self)
        for author in (BOB, EVE):
            await store.rooms.join(author, "#tea", "", 0)
        await store.bus.hold_rooms([ROOM])
        await rules(store, ROOM, rules="60000:0:0")
        for _ in range(2):
            self.assertEqual((await post(store, ROOM, BOB)).refused, [])
        self.assertEqual((await post(store, ROOM, EVE)).refused, [])
        second = await post(store, ROOM, EVE)
        self.assertEqual([code for _, code in second.refused], [403])
        ((reason, wait),) = second.reasons
        self.assertEqual(reason, "slow-mode")
        self.assertTrue(50 < wait <= 60, wait)
        long_ago = str(int(await store.redis.call("HGET", store.keys.meta(ROOM), "s9")) - 60_000)
        in_an_hour = str(int(long_ago) + 3_600_000)
        for wrote in (long_ago, in_an_hour):  # The second is of a clock that was set back since.
            await rules(store, ROOM, s9=wrote)
            self.assertEqual((await post(store, ROOM, EVE)).refused, [])
        self.assertEqual((await post(store, ROOM, EVE)).reasons[0][0], "slow-mode")

    async def test_a_private_room_is_not_there_for_a_stranger(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        await rules(store, ROOM, rules="0:1:0")
        refused = await post(store, ROOM, EVE)
        self.assertEqual([code for _, code in refused.refused], [404])
        with self.assertRaises(Unknown):
            await store.conversations.history(9, ROOM)

    async def test_a_member_of_a_private_room_reads_from_the_joining_on(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        await store.bus.hold_rooms([ROOM])
        await post(store, ROOM, BOB)
        await store.rooms.join(EVE, "#tea", "", 0)
        await post(store, ROOM, BOB)
        await rules(store, ROOM, rules="0:1:0")
        page = await store.conversations.history(9, ROOM)
        self.assertEqual([entry.seq for entry in page.entries], [3, 4])
        self.assertEqual((page.first, page.more), (3, False))
        self.assertEqual((await store.conversations.history(9, ROOM, after=0)).entries[0].seq, 3)
        self.assertEqual((await store.conversations.one(9, ROOM)).first, 3)
        self.assertEqual((await store.conversations.one(5, ROOM)).first, 1)

    async def test_what_was_said_while_a_room_was_private_stays_with_who_was_there(self) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0)
        await store.bus.hold_rooms([ROOM])
        await post(store, ROOM, BOB)
        await rules(store, ROOM, rules="0:0:2")
        await post(store, ROOM, BOB)
        await store.rooms.join(EVE, "#tea", "", 0)
        page = await store.conversations.history(9, ROOM)
        self.assertEqual([entry.seq for entry in page.entries], [3, 4])
        page = await store.conversations.history(5, ROOM)
        self.assertEqual([entry.seq for entry in page.entries], [1, 2, 3, 4])

    async def test_who_takes_over_a_private_room_that_all_left_reads_nothing_of_it(
        self,
    ) -> None:
        store = await Store.start(self)
        await store.rooms.join(BOB, "#tea", "", 0, private=True)
        await store.bus.hold_rooms([ROOM])
        await post(store, ROOM, BOB)
        await store.rooms.leave(BOB, "#tea")
        await store.rooms.join(EVE, "#tea", "", 0)
        page = await store.conversations.history(9, ROOM, after=0)
        self.assertEqual([entry.seq for entry in page.entries], [4], "the own joining alone")
        self.assertFalse((await store.conversations.positions(9, [ROOM]))[0].private)

    async def test_neither_writes_to_the_other_after_a_block(self) -> None:
        store = await Store.start(self)
        cid = await store.conversations.contact(5, 9)
        store.bus.hold_user(5)
        await store.bus.fence()
        store.say(cid, "hi", author=EVE)
        await store.heard.until(lambda: len(store.heard.headers(cid, 5)) == 1)
        await rules(store, cid, rules="x:5:")
        by_blocked = await post(store, cid, EVE)
        self.assertEqual(by_blocked.reasons, [("blocked", 0)])
        self.assertEqual((await post(store, cid, BOB)).reasons, [("blocking", 0)])
        self.assertEqual(len((await store.conversations.history(9, cid)).entries), 1)


class RolesTests(TestCase):
    async def test_only_where_an_owner_goes_all_members_are_looked_at_for_another(self) -> None:
        store = await Store.start(self)
        moderation = Moderation(store.redis, store.keys, store.conversations)
        for author in (BOB, EVE):
            await store.rooms.join(author, "#tea", "", 0)
        looked = []
        for who, role in ((EVE, "moderator"), (EVE, "member"), (EVE, "owner"), (EVE, "member")):
            store.valkey.ask("CONFIG", "RESETSTAT")
            await moderation.act(OPERATOR, ROOM, role, User(who.user_id, who.name))
            looked.append(b"cmdstat_hgetall" in store.valkey.ask("INFO", "commandstats"))
        self.assertEqual(looked, [False, False, False, True])

    async def test_a_room_without_members_is_on_no_list_when_it_becomes_public(self) -> None:
        store = await Store.start(self)
        moderation = Moderation(store.redis, store.keys, store.conversations)
        await store.rooms.join(BOB, "#tea", "", 0)
        for members in (1, 0):
            for action in ("private", "public"):
                await moderation.act(OPERATOR, ROOM, action)
            listed, _ = await store.rooms.listed("", 10)
            self.assertEqual(len(listed), members)
            if members:
                await store.rooms.leave(BOB, "#tea")


class InvitationsTests(TestCase):
    async def test_a_ban_takes_an_invitation_away_that_does_not_come_back_with_its_end(
        self,
    ) -> None:
        store = await Store.start(self)
        moderation = Moderation(store.redis, store.keys, store.conversations)
        await store.rooms.join(BOB, "#tea", "", 0, True)
        eve = User(EVE.user_id, EVE.name)
        for action in ("invite", "ban", "unban"):
            await moderation.act(BOB, ROOM, action, eve)
            listed = await moderation.invitations(EVE.user_id)
            self.assertEqual(len(listed), action == "invite", action)
        with self.assertRaises(Unknown):
            await store.rooms.join(EVE, "#tea", "", 0)

    async def test_a_user_has_a_list_of_200_and_the_newest_is_on_it(self) -> None:
        store = await Store.start(self)
        moderation = Moderation(store.redis, store.keys, store.conversations)
        await store.rooms.join(BOB, "#tea", "", 0, True)
        key = store.keys.invited(EVE.user_id)
        for known, listed in ((199, 200), (200, 200)):
            flat = [word for each in range(known) for word in (f"r:{each:03}", "1:x")]
            await store.redis.call("DEL", key)
            await store.redis.call("HSET", key, *flat)
            for _ in range(2):
                await moderation.act(BOB, ROOM, "invite", User(EVE.user_id, EVE.name))
                found = [each.conversation for each in await moderation.invitations(EVE.user_id)]
                self.assertEqual(len(found), listed)
                self.assertIn("#tea", found)


class ReportsTests(TestCase):
    async def test_of_very_many_the_newest_are_kept(self) -> None:
        most, sent, node = 100, 350, 100  # a stream is cut between its nodes, 100 entries each
        store = await Store.start(self)
        moderation = Moderation(store.redis, store.keys, store.conversations)
        with patch("chat.store.moderation.REPORTS_KEPT", most):
            for seq in range(sent):
                entry = LoggedEntry(seq, EVE.user_id, b"", b"{}")
                await moderation.report(BOB, ROOM, entry, "spam")
        kept = [fields for _, fields in store.valkey.ask("XRANGE", store.keys.reports(), "-", "+")]
        numbers = [int(fields[fields.index(b"seq") + 1]) for fields in kept]
        self.assertEqual(numbers, list(range(sent))[-len(numbers) :])
        self.assertTrue(most <= len(numbers) < most + node, len(numbers))
