"""The members of large rooms: paged in order, and read once for all the pages."""

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from chat.store.members import KEPT_SECONDS, PIECE, MemberLists
from tests.store_builders import Store

MANY = 4 * PIECE + 7
CID = "r:tea"


class MemberListTest(TestCase):
    """A room with more members than one call reads."""

    async def setUp(self) -> None:
        self.store = await Store.start(self)
        self.clock = Clock()
        self.lists = MemberLists(self.clock, self.store.redis, self.store.keys)
        self.add(range(MANY, 0, -1))

    def add(self, user_ids: range) -> None:
        """They are members now."""
        words = [word for each in user_ids for word in (each, f"member:{each}:u:{each}")]
        self.store.valkey.ask("HSET", self.store.keys.members(CID), *words)

    def read(self) -> int:
        """How often the store was asked for members since the last time."""
        lines = self.store.valkey.ask("INFO", "commandstats").decode().splitlines()
        self.store.valkey.ask("CONFIG", "RESETSTAT")
        found = [line for line in lines if line.startswith("cmdstat_hscan:")]
        return int(found[0].partition("calls=")[2].partition(",")[0]) if found else 0

    async def all_pages(self) -> list[int]:
        """Page through the whole list."""
        found: list[int] = []
        more = True
        while more:
            users, more = await self.lists.page(CID, found[-1] if found else 0, PIECE)
            self.assertLessEqual(len(users), PIECE)
            self.assertTrue(all(user.user_name == f"u:{user.user_id}" for user in users))
            found += [user.user_id for user in users]
        return found

    async def test_every_member_is_on_one_page_in_order(self) -> None:
        self.assertEqual(await self.all_pages(), list(range(1, MANY + 1)))

    async def test_all_pages_together_read_the_members_once(self) -> None:
        await self.lists.page(CID, 0, MANY)
        once = self.read()
        self.assertGreater(once, 1)  # in pieces
        await self.all_pages()
        self.assertEqual(self.read(), once)

    async def test_whoever_begins_again_sees_who_came_and_who_goes_on_does_not(self) -> None:
        await self.lists.page(CID, 0, PIECE)
        self.add(range(MANY + 1, MANY + 2))
        (last,), more = await self.lists.page(CID, MANY - 1, PIECE)
        self.assertEqual((last.user_id, more), (MANY, False))
        self.assertEqual((await self.all_pages())[-1], MANY + 1)

    async def test_a_list_is_not_kept_for_ever(self) -> None:
        await self.lists.page(CID, 0, PIECE)
        self.add(range(MANY + 1, MANY + 2))
        self.clock.advance(KEPT_SECONDS)
        users, _ = await self.lists.page(CID, MANY - 1, PIECE)
        self.assertEqual([user.user_id for user in users], [MANY, MANY + 1])
