"""Notices a store that went back in time, before anything is written to it again.

Every batch of messages, and every server now and then, counts one number in the store upwards.
A server remembers the highest that it saw, also on its own disk where it has one. A store that
comes back with a lower one was rolled back, and numbers that were given out may be given out
again: the generation is raised in the same step.

Two kinds of loss need not show in the counts of the servers that come back first. A replica that
takes over may lack the last of what its predecessor was told: another replication id tells that.
And a store whose machine lost power may lack its last second: another run id tells that, unless the
machine is this one, which goes on, or this server saw the store's process end. (That closes its
connections; a machine without power says nothing.)
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from chat.store.entries import epoch_count
from chat.store.errors import StoreError
from chat.store.keys import Keys
from chat.store.link.redis import Redis
from chat.store.scripts import load

__all__ = ["Tide", "raise_generation"]

EVERY_SECONDS: Final = 3.0
RAISED: Final = {
    1: "The store went back in time",
    2: "Another store has taken over",
    3: "The store's machine may have lost power",
}

AGAIN_SECONDS: Final = 0.1
"""Until the next count on a connection where the first one failed."""

NOTE_EVERY: Final = 20
"""Counts between two notes on the disk: one a minute."""


async def raise_generation(redis: Redis, keys: Keys) -> None:
    """Say in the store that numbers which were given out may be lost.

    :raises StoreError: it could not be written.
    """
    await redis.script(load("generation"), [keys.generation()], [secrets.token_hex(3), ""])


class Tide:
    """This server's memory of how far the store has counted.

    :ivar problem: why the last count, which is a write, failed; empty when it did not.
    :ivar round_trip: how long the last count took, in seconds.
    :ivar forgets: whether the store may lose its last second when its machine loses power; None
        while that is not known, and then later counts decide.
    :ivar lost_something: called when a new epoch has begun, whoever noticed the loss.
    :ivar boot: identifies the last start of the store's machine, where that is ours; else empty.
    :param note: the file to remember the count in across restarts, None where the store is shared.
    """

    log = Logger()

    def __init__(self, reactor: Any, redis: Redis, keys: Keys, note: Path | None = None) -> None:
        self._reactor = reactor
        self._redis = redis
        self._keys = keys
        self._note = note
        self._seen = self._noted()
        self._generation = 0
        self._run = b""
        self._watched: list[Redis] = []
        self._uncounted: set[Redis] = set()
        self._pauses: set[Deferred[None]] = set()
        self.forgets: bool | None = False
        self.boot = ""
        self.lost_something: Callable[[], None] = lambda: None
        self.problem = "it has not been written to yet"
        self.round_trip = 0.0
        self._counts = 0
        self._loop = LoopingCall(self._count)
        self._loop.clock = reactor
        self.watch(redis)

    @property
    def judged(self) -> bool:
        """Whether the store behind every connection has been judged. Until then nothing may get a
        number: it could be one that was given out before, in the same epoch."""
        return not self._uncounted

    def watch(self, redis: Redis) -> None:
        """Count first on each new connection of ``redis``, before anybody can write through it."""

        def changed(connected: bool) -> None:
            if connected:
                self._uncounted.add(redis)
                Deferred.fromCoroutine(self._judge(redis))

        self._watched.append(redis)
        redis.on_change(changed)

    async def _judge(self, redis: Redis) -> None:
        """Count until it has worked, or the connection is lost.

        A replica that has just taken over may refuse writes at first, for want of a replica of its
        own. When it takes them, this write has to be the first one.
        """
        while redis.connected and not await self._count(redis):
            pause: Deferred[None] = deferLater(self._reactor, AGAIN_SECONDS)
            self._pauses.add(pause)
            try:
                await pause
            except CancelledError:
                return
            finally:
                self._pauses.discard(pause)
        self._uncounted.discard(redis)

    def rose(self, count: int) -> None:
        """Somebody else counted: every batch of messages does."""
        self._seen = max(self._seen, count)

    def start(self) -> None:
        """Begin to count."""
        self._loop.start(EVERY_SECONDS, now=False)

    def stop(self) -> None:
        """Count no more, and remember how far it was."""
        if self._loop.running:
            self._loop.stop()
        for pause in tuple(self._pauses):
            pause.cancel()
        self._write_note()

    async def _count(self, redis: Redis | None = None) -> bool:
        """Count, and judge the store by the answer.

        :returns: whether the store could be written to.
        """
        keys = [self._keys.tide(), self._keys.generation(), self._keys.master()]
        asked = self._reactor.seconds()
        try:
            random = secrets.token_hex(3).encode()
            forgets = b"" if self.forgets is None else int(self.forgets)
            ended = b"" if any(each.silent for each in self._watched) else self._run
            arguments: list[bytes | int] = [self._seen, random, self._generation, forgets]
            arguments += [ended, self.boot.encode()]
            answer = await (redis or self._redis).script(load("tide"), keys, arguments)
        except StoreError as error:
            if not self.problem:  # What a full disk did not take may be lost with the store.
                self._write_note()
            self.problem = str(error)
            self.log.debug("The tide could not be counted: {why}", why=error)
            return False
        count, why, epoch, self._run = answer
        self.problem, self.round_trip = "", self._reactor.seconds() - asked
        if why:
            self.log.critical("{what}; a new epoch begins everywhere", what=RAISED[why])
        self._seen = max(self._seen, count)
        if epoch:
            self._heard_of(epoch_count(epoch.decode()))
        self._counts += 1
        if why or self._counts % NOTE_EVERY == 1:  # The first note reserves its place on the disk.
            self._write_note()
        return True

    def _heard_of(self, generation: int) -> None:
        before, self._generation = self._generation, max(self._generation, generation)
        if 0 < before < generation:
            self.lost_something()

    def _noted(self) -> int:
        with suppress(OSError, ValueError):
            return int(self._note.read_text()) if self._note else 0
        return 0

    def _write_note(self) -> None:
        if self._note is None or not self._seen:
            return
        # Overwritten in place and always of one length, so it needs no room on a full disk.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        with suppress(OSError), open(os.open(self._note, flags, 0o600), "wb", buffering=0) as file:
            file.write(b"%020d" % self._seen)
