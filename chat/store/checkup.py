"""Checks whether a store that somebody else set up is configured to keep a chat server's data."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from chat.store.errors import CannotStart
from chat.store.keys import Keys
from chat.store.link.connection import RedisReplyError
from chat.store.link.redis import Redis
from chat.store.scripts import load

__all__ = ["complaints", "forgets", "memory", "try_commands"]

PUBSUB_HARD: Final = 256 << 20
PUBSUB_SOFT: Final = 64 << 20
PUBSUB_SECONDS: Final = 60
"""What a subscriber may leave unread before the store cuts it off: a burst to everybody."""


NAMES: Final = (
    "maxmemory-policy", "maxmemory", "appendonly", "appendfsync", "client-output-buffer-limit",
    "min-replicas-to-write", "cluster-enabled",
)  # fmt: skip

OLDEST: Final = (6, 2)
"""Of Redis; Valkey tells which one it descends from. ``ZADD GT`` and ``XTRIM MINID`` are so old."""


async def complaints(redis: Redis, durability: str = "everysec") -> list[str]:
    """What is wrong with the store's settings, one sentence each, for whoever runs the server.

    :param durability: what clients are promised.
    :raises CannotStart: with these settings the store would lose what is accepted, or not work at
        all.
    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    await _refuse_too_old(redis)
    try:
        pairs = [await redis.call("CONFIG", "GET", name) for name in NAMES]
    except RedisReplyError as error:
        return [f"The store does not show its settings ({error}), so they could not be checked."]
    values = [pair[1].decode() if pair else "" for pair in pairs]
    settings = dict(zip(NAMES, values, strict=True))
    for sentence in _reasons_against(settings, durability):
        raise CannotStart(sentence)
    return list(_complaints(settings))


async def _refuse_too_old(redis: Redis) -> None:
    """:raises CannotStart: the store is too old for our scripts."""
    try:
        version = (await redis.info("server")).get("redis_version", "")
    except RedisReplyError:
        return  # Not everybody may ask for it.
    number = re.match(r"(\d+)\.(\d+)", version)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        raise CannotStart(f"The store is Redis {version}: 6.2 or later, or Valkey, is needed.")


async def try_commands(redis: Redis, keys: Keys) -> None:
    """Find out at the start that somebody renamed a command or does not permit it, and not when
    the first message is sent.

    :raises RedisReplyError: the text names the command.
    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    for _ in ("by its text", "by its hash"):
        await redis.script(load("permitted"), [keys.trial()], [keys.trial()])


async def forgets(redis: Redis) -> bool:
    """Whether the store may lose the last it was told when its machine loses power. It may, unless
    it says that everything is on its disk before it answers.

    :raises StoreUnavailable, FateUnknown: the store is away.
    """
    try:
        pairs = [await redis.call("CONFIG", "GET", name) for name in ("appendonly", "appendfsync")]
    except RedisReplyError:
        return True
    return [pair[1:] for pair in pairs] != [[b"yes"], [b"always"]]


def _reasons_against(settings: Mapping[str, str], durability: str) -> Iterator[str]:
    policy, limit = settings["maxmemory-policy"], settings["maxmemory"]
    if policy != "noeviction" and limit not in ("0", ""):
        yield (
            f"The store's maxmemory-policy is {policy}: when its maxmemory is used up it throws "
            "messages and accounts away. Set it to noeviction."
        )
    if settings["cluster-enabled"] == "yes":
        yield "The store is a cluster, which is not supported: use one store, with Sentinels."
    if durability == "always" and (settings["appendonly"], settings["appendfsync"]) != (
        "yes", "always",
    ):  # fmt: skip
        yield (
            "The store does not keep --durability always. "
            "Set its appendonly to yes and its appendfsync to always."
        )
    if durability == "replicated" and settings["min-replicas-to-write"] in ("0", ""):
        yield (
            "The store does not keep --durability replicated: cut off from all replicas it would "
            "go on accepting. Set its min-replicas-to-write to 1."
        )


def _complaints(settings: Mapping[str, str]) -> Iterator[str]:
    policy = settings["maxmemory-policy"]
    if policy != "noeviction":
        yield (
            f"The store's maxmemory-policy is {policy}: with a maxmemory it would throw messages "
            "and accounts away. Set it to noeviction."
        )
    if settings["appendonly"] != "yes":
        yield (
            "The store's appendonly is off: what it holds may be lost when it ends. Set it to yes."
        )
    elif settings["appendfsync"] == "no":
        yield (
            "The store's appendfsync is no: a power cut may cost half a minute and not a second. "
            "Set it to everysec."
        )
    if not _suffices(settings["client-output-buffer-limit"]):
        yield (
            "The store's client-output-buffer-limit for pubsub is below 256mb 64mb 60: "
            "it may cut a busy server off."
        )


def _suffices(limits: str) -> bool:
    """Whether the limit for pub/sub is wide enough; 0 is none at all."""
    words = limits.split()
    if "pubsub" not in words:
        return True
    start = words.index("pubsub") + 1
    hard, soft, seconds = map(int, words[start : start + 3])
    soft_is_wide = soft == 0 or (soft >= PUBSUB_SOFT and seconds >= PUBSUB_SECONDS)
    return (hard == 0 or hard >= PUBSUB_HARD) and soft_is_wide


async def memory(redis: Redis) -> dict[str, int]:
    """Bytes of memory: ``used`` by the store, its ``limit``, and those of its ``machine``. What
    does not exist, or is not told, is left out.

    :raises StoreError: the store is away, or does not tell.
    """
    told = await redis.info("memory")
    names = {"used": "used_memory", "limit": "maxmemory", "machine": "total_system_memory"}
    sizes = {what: int(told.get(name, 0)) for what, name in names.items()}
    return {what: size for what, size in sizes.items() if size}
