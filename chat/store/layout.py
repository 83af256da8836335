"""Which layout the keys of a store have: what a later version has written is left alone."""

from typing import Final

from chat.store.errors import CannotStart
from chat.store.keys import Keys
from chat.store.link.redis import Redis

__all__ = ["LAYOUT", "check_layout", "stored_layout"]

LAYOUT: Final = 2
"""One more whenever an earlier version could not read what this one writes: since 2 there are
answers and edits, which those before took for damaged."""


async def stored_layout(redis: Redis, keys: Keys) -> int:
    """The layout that a store says it has, 0 where it says nothing.

    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    return int(await redis.call("GET", keys.layout()) or 0)


async def check_layout(redis: Redis, keys: Keys) -> None:
    """See that this version knows the store's layout, and have the store say which it has from
    now on.

    :raises CannotStart: a later version has written the store.
    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    found = await stored_layout(redis, keys)
    if found > LAYOUT:
        raise CannotStart(
            f"A later version of chatroom has written the store: its layout is {found}, and this "
            f"version knows {LAYOUT}. Start that version, or restore a backup from before it."
        )
    if found < LAYOUT:
        await redis.call("SET", keys.layout(), LAYOUT)
