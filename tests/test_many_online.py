"""A hundred thousand users online: no call about them holds up the store."""

from collections.abc import Awaitable, Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from chat.messages import User
from chat.store.keys import Keys
from chat.store.presence import Presence
from tests.connections import connected_to
from tests.valkey import start_for

KEYS = Keys("t:")
MANY = 100_000
DEAD = "dead#1"
ON_THE_DEAD = 6_000

LONGEST = 1_500
"""What a call may cost on the average of calls alike, in users that come: some 7 ms, or as long as
a slower machine takes for as many. It is the store's processor time, for by the clock on the wall
a call takes as long as others keep the core."""

FILL = """
for id = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('ZADD', KEYS[1], id, id)
  redis.call('HSET', KEYS[2], id, '0:somebody-' .. id)
end
"""


class ManyOnlineTest(TestCase):
    """One server among many users, most of whom are elsewhere."""

    async def setUp(self) -> None:
        self.valkey = start_for(self)
        for start in range(1, MANY, 10_000):
            self.valkey.ask("EVAL", FILL, 2, KEYS.online(), KEYS.statuses(), start, start + 9_999)
        self.longest = LONGEST * self.spent() / MANY
        self.redis = await connected_to(self, self.valkey.url)
        self.presence = Presence(reactor, self.redis, KEYS, "here")
        await self.presence.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.presence.stop()))

    async def all_pages(self) -> int:
        """Page through the list; how many are on it."""
        found, last, more = 0, 0, True
        while more:
            users, total, more = await self.presence.online(last, 500)
            self.assertEqual(total, MANY)
            self.assertGreater(users[0].user_id, last)
            found, last = found + len(users), users[-1].user_id
        return found

    async def come_and_go(self) -> None:
        """Some log in, are busy, are free again."""
        for user_id in range(7, MANY, MANY // 20):
            user = User(user_id, f"somebody-{user_id}")
            await self.presence.enter(user, f"s{user_id}", "desk", 0)
            await self.presence.set_status(user, f"s{user_id}", 2)
            await self.presence.set_status(user, f"s{user_id}", 0)

    async def list_ids(self) -> None:
        """What a login's reply lists."""
        for _ in range(20):
            await self.presence.online_ids(5_000)

    async def look_at_some(self) -> None:
        """What WatchMes asks for."""
        for first in range(1, MANY, MANY // 20):
            await self.presence.statuses(range(first, first + 200))

    async def bury(self) -> None:
        """Clean up after the server that died."""
        await self.presence._clean(DEAD)

    async def let_a_server_die(self) -> None:
        """It had many users."""
        other = Presence(reactor, self.redis, KEYS, "dead")
        await other._renew("start")
        users = [User(MANY + number, f"u{number}") for number in range(1, ON_THE_DEAD + 1)]
        entering = [other.enter(user, f"s{user.user_id}", "desk", 0) for user in users]
        await DeferredList(map(Deferred.fromCoroutine, entering))

    def info(self, section: str) -> dict[str, str]:
        lines = self.valkey.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def spent(self) -> float:
        """Milliseconds of processor time that the store took to run commands."""
        cpu = self.info("cpu")
        return 1000 * sum(float(cpu[f"used_cpu_{which}_main_thread"]) for which in ("user", "sys"))

    async def each(self, work: Callable[[], Awaitable[object]], command: str) -> float:
        """Milliseconds of the store's for each call of a command, of which the work is made."""
        self.valkey.ask("CONFIG", "RESETSTAT")
        before = self.spent()
        await work()
        spent = self.spent() - before
        calls = self.info("commandstats")[f"cmdstat_{command}"].partition("calls=")[2]
        return spent / int(calls.partition(",")[0])

    async def test_the_whole_list_is_paged_and_no_page_holds_up_the_store(self) -> None:
        self.assertEqual(await self.all_pages(), MANY)
        self.assertLess(await self.each(self.all_pages, "evalsha"), self.longest)

    async def test_coming_going_and_looking_hold_up_nobody(self) -> None:
        self.assertLess(await self.each(self.come_and_go, "evalsha"), self.longest)
        self.assertLess(await self.each(self.list_ids, "zrange"), self.longest)
        self.assertLess(await self.each(self.look_at_some, "hmget"), self.longest)

    async def test_cleaning_up_after_a_server_holds_up_nobody(self) -> None:
        await self.let_a_server_die()
        self.assertLess(await self.each(self.bury, "evalsha"), self.longest)
        self.assertEqual((await self.presence.online(MANY, 10))[0], [])
