"""Accounts, devices and tokens, against a real store."""

from hashlib import sha256

from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from chat.names import MAX_USER_ID
from chat.store.accounts import PICKED_ABOVE, TOKEN_LIFE, Accounts
from chat.store.administration import Administration
from chat.store.bus import Event, payload
from chat.store.conversations import Conversations
from chat.store.entries import Author
from chat.store.errors import NameTaken, Unknown
from chat.store.keys import Keys
from chat.store.link.redis import Redis
from tests.connections import connected_to
from tests.store_builders import Store
from tests.valkey import Valkey, start_for

KEYS = Keys("t:")


def digest(token: str) -> bytes:
    """What the store knows of a token."""
    return sha256(token.encode()).digest()


class AccountsCase(TestCase):
    """A store and accounts in it."""

    valkey: Valkey
    redis: Redis
    accounts: Accounts

    async def setUp(self) -> None:
        self.valkey = start_for(self)
        self.redis = await connected_to(self, self.valkey.url)
        self.accounts = Accounts(self.redis, KEYS)

    def failing(self, coroutine: object, *kinds: type[Exception]) -> Deferred[Exception]:
        """Fires with the error when ``coroutine`` fails as it should."""
        return self.assertFailure(Deferred.fromCoroutine(coroutine), *kinds)

    def calls(self) -> int:
        """How many commands the store has answered so far, but for those that scripts called."""
        stats = self.valkey.ask("INFO", "commandstats").split()
        return sum(
            int(line.split(b"calls=")[1].split(b",")[0])
            for line in stats
            if line.startswith((b"cmdstat_eval", b"cmdstat_evalsha"))
        )


class RegisterTest(AccountsCase):
    """Who gets which id and which name."""

    async def test_a_deletion_that_was_cut_short_takes_no_name_from_who_has_it_since(self) -> None:
        conversations = Conversations(self.redis, KEYS, self.accounts.names)
        administration = Administration(self.redis, KEYS, self.accounts, conversations)
        for user_id in (100, 200):
            await self.accounts.register(user_id, "Zoë", "", "")
            if user_id == 100:
                self.valkey.ask("DEL", KEYS.name("zoë"))  # That far it came.
        await administration.erase(100, Author(0, "#server"))
        await self.failing(self.accounts.find(100), Unknown)
        self.assertEqual((await self.accounts.find("zoë")).user_id, 200)
        await administration.erase(200, Author(0, "#server"))
        self.assertEqual(self.valkey.ask("EXISTS", KEYS.name("zoë")), 0)

    async def test_what_was_registered_is_found_by_id_and_by_any_spelling_of_the_name(self) -> None:
        self.assertEqual(await self.accounts.register(100, "Zoë", "$argon2id$…", "f"), 100)
        by_id = await self.accounts.find(100)
        self.assertEqual((by_id.user_id, by_id.name, by_id.sex), (100, "Zoë", "f"))
        self.assertEqual(by_id.password, "$argon2id$…")
        self.assertEqual(by_id.created, by_id.last_seen)
        seconds = int(self.valkey.ask("TIME")[0])
        self.assertApproximates(by_id.created / 1000, seconds, 60)
        self.assertEqual(await self.accounts.find("ZOË"), by_id)

    async def test_nobody_is_found_where_nobody_is(self) -> None:
        await self.failing(self.accounts.find(100), Unknown)
        await self.failing(self.accounts.find("ann"), Unknown)

    async def test_an_id_belongs_to_the_first(self) -> None:
        await self.accounts.register(100, "ann", "p", "")
        error = await self.failing(self.accounts.register(100, "bob", "p", ""), NameTaken)
        self.assertEqual(str(error), "id")
        self.assertEqual((await self.accounts.find(100)).name, "ann")
        await self.failing(self.accounts.find("bob"), Unknown)

    async def test_a_name_belongs_to_the_first_in_every_spelling(self) -> None:
        await self.accounts.register(100, "Straße", "p", "")
        for spelling in ("Straße", "STRASSE", "ｓｔｒａｓｓｅ"):
            error = await self.failing(self.accounts.register(101, spelling, "p", ""), NameTaken)
            self.assertEqual(str(error), "name")
        await self.failing(self.accounts.find(101), Unknown)

    async def test_of_many_who_want_one_name_at_once_one_gets_it(self) -> None:
        wanting = [
            Deferred.fromCoroutine(self.accounts.register(0, "ann", "p", "")) for _ in "12345"
        ]
        results = await DeferredList(wanting, consumeErrors=True)
        self.assertEqual(sorted(got for got, _ in results), [False] * 4 + [True])

    async def test_picked_ids_are_new_and_pass_over_those_that_people_picked(self) -> None:
        await self.accounts.register(PICKED_ABOVE + 2, "ann", "p", "")
        picked = [await self.accounts.register(0, name, "p", "") for name in ("bob", "cid")]
        self.assertEqual(picked, [PICKED_ABOVE + 1, PICKED_ABOVE + 3])

    async def test_an_empty_name_becomes_the_fallback(self) -> None:
        await self.accounts.register(7, "", "p", "")
        self.assertEqual((await self.accounts.find(7)).name, "user7")
        picked = await self.accounts.register(0, "", "p", "")
        self.assertEqual((await self.accounts.find(picked)).name, f"user{picked}")

    async def test_a_fallback_name_that_is_taken_is_passed_over(self) -> None:
        await self.accounts.register(7, f"user{PICKED_ABOVE + 1}", "p", "")
        self.assertEqual(await self.accounts.register(0, "", "p", ""), PICKED_ABOVE + 2)
        await self.accounts.register(8, "user9", "p", "")
        await self.failing(self.accounts.register(9, "", "p", ""), NameTaken)

    async def test_the_largest_id_stays_exact(self) -> None:
        await self.accounts.register(MAX_USER_ID, "max", "p", "")
        self.assertEqual((await self.accounts.find("max")).user_id, MAX_USER_ID)
        await self.accounts.add_device(MAX_USER_ID, "d", digest("t"), 0)
        self.assertEqual((await self.accounts.resume(digest("t")))[0].user_id, MAX_USER_ID)

    async def test_names_are_those_of_who_exists(self) -> None:
        await self.accounts.register(1, "007x", "p", "")
        await self.accounts.register(3, "cid", "p", "")
        self.assertEqual(await self.accounts.names([3, 2, 1]), {1: "007x", 3: "cid"})
        self.assertEqual(await self.accounts.names([]), {})


class TokenTest(AccountsCase):
    """Devices, their tokens, and how they end."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.accounts.register(1, "ann", "p", "")

    async def add(self, *devices: str, most: int = 0) -> None:
        """Devices of ann whose tokens are called like them."""
        for device in devices:
            await self.accounts.add_device(1, device, digest(device), most)

    async def devices(self) -> list[str]:
        """The devices of ann."""
        return sorted(each.device for each in await self.accounts.devices(1))

    async def lives(self, token: str) -> bool:
        """Whether a token is good for a login."""
        try:
            await self.accounts.resume(digest(token))
        except Unknown:
            return False
        return True

    async def test_a_token_says_whose_it_is_and_where(self) -> None:
        await self.add("laptop")
        account, device, _ = await self.accounts.resume(digest("laptop"))
        self.assertEqual((account.user_id, account.name, device), (1, "ann", "laptop"))
        self.assertEqual(account.password, "p")

    async def test_a_login_by_token_is_one_script(self) -> None:
        await self.add("laptop")
        before = self.calls()
        await self.accounts.resume(digest("laptop"))
        self.assertEqual(self.calls() - before, 1)

    async def test_an_unknown_token_is_nobodys(self) -> None:
        self.assertFalse(await self.lives("laptop"))

    async def test_a_new_token_replaces_the_devices_older_one(self) -> None:
        await self.add("laptop")
        first = (await self.accounts.devices(1))[0]
        await self.accounts.add_device(1, "laptop", digest("new"), 1)
        self.assertEqual(await self.lives("laptop"), False)
        self.assertTrue(await self.lives("new"))
        [second] = await self.accounts.devices(1)
        self.assertEqual(second.since, first.since)

    async def test_of_too_many_devices_those_that_rested_the_longest_are_forgotten(self) -> None:
        for device in ("a", "b", "c"):
            await self.add(device, most=3)
            now = self.store_time()
            while self.store_time() == now:
                pass  # devices of one millisecond have rested equally long
        await self.accounts.seen(1, "a")
        await self.add("c", most=3)
        self.assertEqual(await self.devices(), ["a", "b", "c"])
        await self.add("d", most=3)
        self.assertEqual(await self.devices(), ["a", "c", "d"])
        self.assertEqual([await self.lives(each) for each in "abcd"], [True, False, True, True])
        await self.add("e", most=1)
        self.assertEqual(await self.devices(), ["e"])

    async def test_a_device_whose_token_has_ended_makes_room(self) -> None:
        await self.add("a", "b")
        self.valkey.ask("DEL", KEYS.token(digest("a")))
        self.assertEqual(await self.devices(), ["b"])
        await self.add("c", most=2)
        self.assertEqual(await self.devices(), ["b", "c"])

    async def test_a_token_lives_from_its_last_use(self) -> None:
        await self.add("a")
        key = KEYS.token(digest("a"))
        full = TOKEN_LIFE * 1000
        for use in (self.accounts.resume(digest("a")), self.accounts.seen(1, "a")):
            self.valkey.ask("PEXPIRE", key, 60_000)
            await use
            self.assertGreater(self.valkey.ask("PTTL", key), full - 60_000)

    def store_time(self) -> int:
        """Milliseconds since 1970 by the store's clock."""
        seconds, microseconds = self.valkey.ask("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def test_being_seen_moves_the_devices_time_and_the_users(self) -> None:
        await self.add("a")
        [first] = await self.accounts.devices(1)
        while self.store_time() <= first.last_seen:
            pass  # the store's clock has milliseconds
        await self.accounts.seen(1, "a")
        [device] = await self.accounts.devices(1)
        self.assertGreater(device.last_seen, first.last_seen)
        self.assertEqual((await self.accounts.find(1)).last_seen, device.last_seen)

    async def test_being_seen_brings_no_revoked_device_back(self) -> None:
        await self.add("a")
        await self.accounts.revoke(1, "a")
        await self.accounts.seen(1, "a")
        await self.accounts.seen(99, "a")
        self.assertEqual(await self.devices(), [])
        await self.failing(self.accounts.find(99), Unknown)

    async def test_a_revoked_device_is_gone_with_its_token(self) -> None:
        await self.add("a", "b")
        await self.accounts.revoke(1, "a")
        self.assertFalse(await self.lives("a"))
        self.assertEqual(await self.devices(), ["b"])
        await self.failing(self.accounts.revoke(1, "a"), Unknown)

    async def test_all_can_be_revoked_and_no_key_stays(self) -> None:
        await self.add("a", "b", "")
        await self.accounts.revoke_all(1)
        self.assertEqual(await self.devices(), [])
        self.assertEqual(self.valkey.ask("KEYS", "t:tok:*"), [])

    async def test_a_new_password_ends_all_tokens_but_one(self) -> None:
        await self.add("a", "b", "c")
        await self.accounts.set_password(1, "new", "b")
        self.assertEqual((await self.accounts.find(1)).password, "new")
        self.assertEqual([await self.lives(token) for token in "abc"], [False, True, False])
        await self.accounts.set_password(1, "newer", "")
        self.assertFalse(await self.lives("b"))

    async def test_a_password_hashed_anew_ends_no_token(self) -> None:
        await self.add("a")
        await self.accounts.set_password(1, "same", None)
        self.assertEqual((await self.accounts.find(1)).password, "same")
        self.assertTrue(await self.lives("a"))

    async def test_a_password_takes_the_place_only_of_the_one_that_was_proven(self) -> None:
        await self.add("a")
        old = (await self.accounts.find(1)).password
        self.assertTrue(await self.accounts.set_password(1, "new", None, old))
        for keep in (None, "", "a"):
            self.assertFalse(await self.accounts.set_password(1, "older", keep, old))
        self.assertEqual((await self.accounts.find(1)).password, "new")
        self.assertTrue(await self.lives("a"))

    async def test_whose_tokens_end_hears_so_in_the_same_step(self) -> None:
        """Else sessions would go on where the server that was asked dies just then, and who asks
        again is told that there is no such device."""
        store = await Store.start(self, self.valkey)
        store.bus.hold_user(1)
        accounts = Accounts(store.redis, store.keys)
        administration = Administration(store.redis, store.keys, accounts, store.conversations)
        await accounts.register(1, "ann", "old", "")
        for device in "ab":
            await accounts.add_device(1, device, digest(device), 0)
        gone = Event("ended", device="a", reason="logged-out")
        await accounts.revoke(1, "a", payload(gone))
        await self.failing(accounts.revoke(1, "a", payload(gone)), Unknown)
        changed = Event("ended", session="mine", reason="password-changed")
        await accounts.set_password(1, "new", "", "old", payload(changed))
        await accounts.set_password(1, "newer", "", "old", payload(changed))
        await administration.end_sessions(1)
        await administration.reset_password(1, "newest")
        await store.bus.fence()
        all_gone, reset = (
            Event("ended", reason="logged-out"),
            Event("ended", reason="password-changed"),
        )
        told = [event for _, event in store.heard.events]
        self.assertEqual(told, [gone, changed, all_gone, reset])

    async def test_nobody_has_no_password(self) -> None:
        await self.failing(self.accounts.set_password(99, "p", None), Unknown)
        await self.failing(self.accounts.find(99), Unknown)

    async def test_names_of_devices_are_just_text(self) -> None:
        await self.add("007", "a:b", "机器 %d")
        self.assertEqual(await self.devices(), ["007", "a:b", "机器 %d"])
        _, device, _ = await self.accounts.resume(digest("机器 %d"))
        self.assertEqual(device, "机器 %d")
