"""Deletes what retention does not keep where nobody writes or reads any more, once an hour."""

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from chat.store.errors import StoreError, TooMany
from chat.store.keys import Keys
from chat.store.limits import Limits
from chat.store.link.redis import Redis
from chat.store.scanning import scan
from chat.store.scripts import load

__all__ = ["Retention"]

EVERY_SECONDS: Final = 3_600.0
AT_A_TIME: Final = 20
"""Conversations that one call looks at: it takes the store a millisecond."""

REST_SECONDS: Final = 0.01
"""Between two calls: others come first, and a million conversations take ten minutes."""


class Retention:
    """Sweeps through all conversations. (Where somebody writes or reads, what is too old is deleted
    then.)

    :param kept: entries of a conversation, and for how many ms; 0 for no limit.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, redis: Redis, keys: Keys, limits: Limits, kept: tuple[int, int]
    ) -> None:
        self._reactor = reactor
        self._redis = redis
        self._keys = keys
        self._limits = limits
        self._kept = kept
        self._stopped = False
        self._loop = LoopingCall(self.sweep_in_turn)
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin, where not everything is kept."""
        if any(self._kept):
            self._loop.start(EVERY_SECONDS)

    def stop(self) -> None:
        """End, even in the middle of a sweep: the next one finds what is left."""
        self._stopped = True
        if self._loop.running:
            self._loop.stop()

    async def sweep_in_turn(self) -> None:
        """Sweep, unless another server on this store has done so within the hour."""
        try:
            await self._limits.spend("retention", "all", 1, EVERY_SECONDS * 0.9)
            if await self.sweep():
                self._log.info("What retention does not keep was taken away everywhere")
        except TooMany:
            pass
        except StoreError as error:
            self._log.info("What retention does not keep stays for another hour: {why}", why=error)

    async def sweep(self) -> bool:
        """Go through all conversations once.

        :returns: whether it came to the end.
        :raises StoreUnavailable, FateUnknown: the store is away.
        """
        async for found in scan(self._redis, self._keys.meta("0")):
            for start in range(0, len(found), AT_A_TIME):
                left: Sequence[str] = found[start : start + AT_A_TIME]
                while left:
                    if self._stopped:
                        return False
                    left = await self._sweep(left)
                    await deferLater(self._reactor, REST_SECONDS)
        return True

    async def _sweep(self, cids: Sequence[str]) -> Sequence[str]:
        """Delete a part of what is too old in each of some conversations.

        :returns: those in which more may be too old.
        """
        keys = self._keys
        names = [part(cid) for cid in cids for part in (keys.meta, keys.log, keys.apart)]
        more = await self._redis.script(load("sweep"), names, self._kept)
        return [cids[place] for place in more]
