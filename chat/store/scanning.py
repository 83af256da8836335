"""Finds all ids for which the store has a key of some kind, without holding it up."""

from collections.abc import AsyncIterator
from typing import Final

from chat.store.keys import around
from chat.store.link.redis import Redis

__all__ = ["scan"]

SCANNED: Final = 1_000
"""Keys that one SCAN looks at: the store does nothing else for a fraction of a millisecond."""

PATTERN: Final = str.maketrans({char: f"\\{char}" for char in "\\*?[]"})


async def scan(redis: Redis, key: bytes) -> AsyncIterator[list[str]]:
    """Find the ids of all keys like ``key``, in pages. An id whose key is written meanwhile may
    come twice.

    :param key: such a key with the id 0.
    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    before, after = (part.decode() for part in around(key))
    pattern = f"{before.translate(PATTERN)}*{after}"
    cursor = b"0"
    while True:
        cursor, found = await redis.call("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
        if found:
            yield [each.decode()[len(before) : -len(after)] for each in found]
        if cursor == b"0":
            return
