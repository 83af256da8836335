"""Embedded stores for tests, with a directory each."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat.store.embedded import aof
from chat.store.embedded.valkey import EmbeddedStore
from tests.connections import connected_to

__all__ = ["filled", "new_directory", "started"]


def new_directory(test: TestCase | SynchronousTestCase, name: str = "d") -> Path:
    """A directory that does not exist yet, in one that ends with the test."""
    top = Path(tempfile.mkdtemp(prefix="em", dir="/tmp"))
    test.addCleanup(shutil.rmtree, top, ignore_errors=True)
    return top / name


async def started(
    test: TestCase, directory: Path, *arguments: Any, **options: Any
) -> EmbeddedStore:
    """An embedded store that ends with the test."""
    store = EmbeddedStore(reactor, directory, *arguments, **options)
    test.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
    await store.start()
    return store


async def filled(test: TestCase, directory: Path, **options: Any) -> Path:
    """Run a store once and write a hundred keys and a transaction; returns its file."""
    store = await started(test, directory, **options)
    redis = await connected_to(test, store.address)
    for number in range(100):
        await redis.call("SET", f"k{number}", "x" * 50)
    await redis.call("EVAL", "redis.call('SET', 'a', 1) return redis.call('SET', 'b', 2)", 0)
    await redis.stop()
    await store.stop()
    return aof.newest_files(directory / "appendonlydir")[-1]
