"""Budgets across servers, against a real store."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from chat.store.errors import TooMany
from chat.store.keys import Keys
from chat.store.limits import Limits
from tests.connections import connected_to
from tests.valkey import Valkey, start_for


class LimitsTest(TestCase):
    """So many attempts in so many seconds."""

    valkey: Valkey
    limits: Limits

    async def setUp(self) -> None:
        self.valkey = start_for(self)
        redis = await connected_to(self, self.valkey.url)
        self.limits = Limits(redis, Keys("t:"))

    async def spend(self, times: int, who: str = "ann", most: int = 3, seconds: float = 60) -> int:
        """How many of so many attempts were let through, all made at once."""
        attempts = [
            Deferred.fromCoroutine(self.limits.spend("login", who, most, seconds))
            for _ in range(times)
        ]
        results = await DeferredList(attempts, consumeErrors=True)
        for spent, result in results:
            self.assertTrue(spent or result.check(TooMany), result)
        return sum(spent for spent, _ in results)

    async def test_a_budget_is_spent_once(self) -> None:
        self.assertEqual(await self.spend(10), 3)
        self.assertEqual(await self.spend(1), 0)

    async def test_everybody_and_every_purpose_has_a_budget(self) -> None:
        await self.spend(3)
        self.assertEqual(await self.spend(3, who="bob"), 3)
        await self.limits.spend("register", "ann", 1, 60)

    async def test_it_says_how_long_to_wait(self) -> None:
        await self.spend(3)
        attempt = Deferred.fromCoroutine(self.limits.spend("login", "ann", 3, 60))
        error = await self.assertFailure(attempt, TooMany)
        self.assertTrue(50 < error.retry_after <= 60, error.retry_after)

    async def test_the_budget_is_whole_again_after_the_period(self) -> None:
        self.assertEqual(await self.spend(4, seconds=0.5), 3)
        while self.valkey.ask("EXISTS", "t:limit:login:ann"):
            await deferLater(reactor, 0.005)
        self.assertEqual(await self.spend(4), 3)

    async def test_nobody_waits_longer_than_the_period_where_the_clock_was_set_back(self) -> None:
        await self.spend(3)
        # What was spent ends when the store's clock is that late again.
        self.valkey.ask("PEXPIRE", "t:limit:login:ann", 7 * 86_400_000)
        self.assertEqual(await self.spend(4), 3)
        self.assertLess(self.valkey.ask("PTTL", "t:limit:login:ann"), 60_001)

    async def test_what_is_given_back_can_be_spent_again(self) -> None:
        await self.spend(3)
        await self.limits.refund("login", "ann")
        self.assertEqual(await self.spend(3), 1)

    async def test_giving_back_more_than_was_spent_makes_nobody_richer(self) -> None:
        await self.limits.refund("login", "ann")
        await self.spend(1)
        for _ in range(5):
            await self.limits.refund("login", "ann")
        self.assertEqual(await self.spend(10), 3)
        self.assertLess(self.valkey.ask("PTTL", "t:limit:login:ann"), 60_001)

    async def test_nought_is_no_limit(self) -> None:
        self.assertEqual(await self.spend(50, most=0), 50)
