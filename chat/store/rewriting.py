"""Has the store rewrite its file after a failed write, which may have left a gap in it.

Valkey and Redis open the file that a rewrite begins without O_APPEND (``aof.c``,
``rewriteAppendOnlyFileBackground``). When a write to it falls short, on a full disk, they cut the
file back but not their place in it, and write on behind a gap of zeros. Nothing is lost, and yet
the next start refuses the file. A rewrite leaves the gap behind.
"""

from typing import Any, Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.store.errors import StoreUnavailable
from chat.store.link.redis import Redis, RedisReplyError

__all__ = ["Rewriting"]

AGAIN_SECONDS: Final = 2.0
"""Between two attempts, while another rewrite is under way."""


class Rewriting:
    """Asks the store for one rewrite each time that it accepts messages again."""

    _log = Logger()

    def __init__(self, reactor: Any, redis: Redis) -> None:
        self._reactor = reactor
        self._redis = redis

    def ask(self) -> None:
        """Ask the store, until it has answered."""
        self._redis.call(b"BGREWRITEAOF").addCallbacks(self._begun, self._not_begun)

    def _begun(self, _: object) -> None:
        self._log.info("The store takes messages again, and writes its file anew")

    def _not_begun(self, why: Failure) -> None:
        if why.check(StoreUnavailable) or "already in progress" in why.getErrorMessage():
            self._reactor.callLater(AGAIN_SECONDS, self.ask)
        elif why.check(RedisReplyError):
            self._log.warn(
                "The store refused BGREWRITEAOF ({why}): its file may have a gap, with which it "
                "does not start again", why=why.getErrorMessage(),
            )  # fmt: skip
