"""Connections to a store that end with the test."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chat.store.link.address import Address
from chat.store.link.redis import Redis
from tests.patience import PATIENCE

__all__ = ["connected_to", "starting", "usable"]


def starting(test: TestCase, store: str | Address, **options: Any) -> Redis:
    """A connection on its way.

    :param store: where it leads, as a URL or an address.
    :param options: Redis' own.
    """
    address = Address.parse(store) if isinstance(store, str) else store
    redis = Redis(reactor, address, **options)
    redis.start()
    test.addCleanup(lambda: Deferred.fromCoroutine(redis.stop()))
    return redis


def usable(redis: Redis) -> Deferred[None]:
    """Fires when ``redis`` is connected."""
    return Deferred.fromCoroutine(redis.when_connected()).addTimeout(PATIENCE, reactor)


async def connected_to(test: TestCase, store: str | Address, **options: Any) -> Redis:
    """A connection that is made."""
    redis = starting(test, store, **options)
    await usable(redis)
    return redis
