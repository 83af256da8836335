"""Budgets that hold across all servers: so many attempts in so many seconds."""

from chat.store.errors import TooMany
from chat.store.keys import Keys
from chat.store.link.redis import Redis
from chat.store.scripts import load

__all__ = ["Limits"]


class Limits:
    """Counts in periods that begin with the first attempt and end together for all of them.

    A period's end gives the whole budget back, so twice the budget fits around it; what is meant
    to be rare stays rare, and one small number per client is all there is to keep.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def spend(self, purpose: str, who: str, most: int, seconds: float) -> None:
        """Take one from the budget of ``most`` in ``seconds`` that ``who`` has for ``purpose``.

        :param most: 0 for no limit.
        :raises TooMany: it is used up; ``retry_after`` says for how many seconds.
        """
        if not most:
            return
        key = self._keys.limit(purpose, who)
        left = await self._redis.script(load("limit_spend"), [key], [most, int(seconds * 1000)])
        if left:
            raise TooMany(f"the budget for {purpose} is used up", retry_after=left / 1000)

    async def refund(self, purpose: str, who: str) -> None:
        """Give one back: the attempt was not one that counts."""
        await self._redis.script(load("limit_refund"), [self._keys.limit(purpose, who)])
