"""Syncs the embedded store's file to the disk once a second, in place of the store itself.

Left to itself with ``appendfsync everysec``, Valkey puts off *writing* to its file for as long as
a sync of it is under way, and answers its clients meanwhile: a ``kill -9`` of the store in those
milliseconds would lose what was accepted. With ``appendfsync no`` it writes before it answers,
always, and what only a power cut could still take is brought to the disk from here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from chat.disk import sync

__all__ = ["Flusher"]

EVERY_SECONDS: Final = 1.0


class Flusher:
    """Syncs the store's newest file whenever it has grown.

    :param files: lists the files that make up the store's data, the one that grows last.
    """

    log = Logger()

    def __init__(self, reactor: Any, files: Callable[[], Sequence[Path]]) -> None:
        self._reactor = reactor
        self._files = files
        self._flushed: tuple[Path, int] | None = None
        self._loop = LoopingCall(self.flush)
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin to flush, once a second."""
        if not self._loop.running:
            self._loop.start(EVERY_SECONDS, now=False)

    def stop(self) -> None:
        """Flush no more; the store syncs its file itself when it ends."""
        if self._loop.running:
            self._loop.stop()

    async def flush(self) -> None:
        """Sync what was written since the last time, in a thread."""
        try:
            files = self._files()
            grown = files[-1], files[-1].stat().st_size
        except (OSError, IndexError):  # it is being replaced: next time
            return
        if grown == self._flushed:
            return
        pool = self._reactor.getThreadPool()
        # A rewrite has begun another file; the one before may not be synced either.
        known = self._flushed is not None and self._flushed[0] == grown[0]
        paths = files[-1:] if known else files
        synced: Deferred[None] = deferToThreadPool(self._reactor, pool, _sync, paths)
        try:
            await synced
        except OSError as error:
            self.log.error("The store's file can't be brought to the disk: {why}", why=error)
        else:
            self._flushed = grown


def _sync(paths: Sequence[Path]) -> None:
    for path in paths:
        sync(path)
