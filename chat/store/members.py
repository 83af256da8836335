"""Lists of a room's members: read in pieces, kept as long as somebody pages through them."""

from bisect import bisect_right
from typing import Any, Final, NamedTuple

from chat.messages import User
from chat.store.keys import Keys
from chat.store.link.redis import Redis

__all__ = ["MemberLists", "as_user"]

PIECE: Final = 500
"""Members that are read at once: below half a millisecond of the store's time."""

KEPT_SECONDS: Final = 10.0
"""How long a list is kept for the pages behind the first; a later one reads the list again."""


class _List(NamedTuple):
    """The members of a room as they were at a time, by user id."""

    read_at: float
    user_ids: list[int]
    members: dict[int, bytes]


class MemberLists:
    """Pages of the members of rooms, which the store keeps in a hash without an order.

    The first page reads the whole list. The pages behind it are cut from what was read, so that
    paging through thousands of members does not take the square of their number.

    :param clock: IReactorTime.
    """

    def __init__(self, clock: Any, redis: Redis, keys: Keys) -> None:
        self._clock = clock
        self._redis = redis
        self._keys = keys
        self._lists: dict[str, _List] = {}

    async def page(self, cid: str, after: int, limit: int) -> tuple[list[User], bool]:
        """The members of a room above the user id ``after``; more?"""
        self._forget_old()
        known = self._lists.get(cid)
        if known is None or not after:
            known = await self._read(cid)
        start = bisect_right(known.user_ids, after)
        shown = known.user_ids[start : start + limit]
        more = len(known.user_ids) > start + limit
        if more:
            self._lists[cid] = known
        return [as_user(each, known.members[each]) for each in shown], more

    async def _read(self, cid: str) -> _List:
        began = self._clock.seconds()
        members: dict[int, bytes] = {}
        cursor = b"0"
        while True:
            key = self._keys.members(cid)
            cursor, flat = await self._redis.call("HSCAN", key, cursor, "COUNT", PIECE)
            members.update(zip(map(int, flat[::2]), flat[1::2], strict=True))
            if cursor == b"0":
                return _List(began, sorted(members), members)

    def _forget_old(self) -> None:
        now = self._clock.seconds()
        for cid in [cid for cid, it in self._lists.items() if now - it.read_at >= KEPT_SECONDS]:
            del self._lists[cid]


def as_user(user_id: int, member: bytes) -> User:
    """A member as others see them, of what the room's hash has under their id."""
    role, _, name = member.decode().split(":", 2)
    return User(user_id, name, role=role)
