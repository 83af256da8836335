"""Looks whether a store that somebody else set up keeps what a chat server entrusts to it."""

from typing import Final

from chat.store.connection import RedisReplyError
from chat.store.redis import Redis

__all__ = ["complaints"]

PUBSUB_HARD: Final = 256 << 20
PUBSUB_SOFT: Final = 64 << 20
PUBSUB_SECONDS: Final = 60
"""What a subscriber may leave unread before the store cuts it off: a burst to everybody."""


async def complaints(redis: Redis) -> list[str]:
    """What is wrong with the store's settings, one sentence each for whoever runs the server.

    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    names = ("maxmemory-policy", "appendonly", "client-output-buffer-limit")
    try:
        pairs = [await redis.call("CONFIG", "GET", name) for name in names]
    except RedisReplyError as error:
        return [f"The store does not show its settings ({error}), so they could not be checked."]
    policy, append_only, limits = (pair[1].decode() if pair else "" for pair in pairs)
    found = []
    if policy != "noeviction":
        found.append(
            f"The store's maxmemory-policy is {policy}: it may throw messages and accounts away. "
            "Set it to noeviction."
        )
    if append_only != "yes":
        found.append(
            "The store's appendonly is off: what it holds may be lost when it ends. Set it to yes."
        )
    if not _suffices(limits):
        found.append(
            "The store's client-output-buffer-limit for pubsub is below 256mb 64mb 60: "
            "it may cut a busy server off."
        )
    return found


def _suffices(limits: str) -> bool:
    """Whether the limit for pub/sub is wide enough; 0 is none at all."""
    words = limits.split()
    if "pubsub" not in words:
        return True
    start = words.index("pubsub") + 1
    hard, soft, seconds = map(int, words[start : start + 3])
    soft_is_wide = soft == 0 or (soft >= PUBSUB_SOFT and seconds >= PUBSUB_SECONDS)
    return (hard == 0 or hard >= PUBSUB_HARD) and soft_is_wide
