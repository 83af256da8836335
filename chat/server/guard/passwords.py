"""argon2id password hashes, made in a few threads behind a queue that is bounded and fair."""

import base64
import os
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import ARGON2_VERSION
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from chat.server.guard.fair_queue import FairQueue
from chat.store.errors import StoreUnavailable

__all__ = ["Asker", "Busy", "Passwords"]

RETRY_AFTER: Final = 2.0
"""Seconds: about what two threads need for a full queue of 256 at 20 ms each."""

_Result = TypeVar("_Result")


class Busy(StoreUnavailable):
    """Too many passwords wait already: this one was not looked at, and nothing happened (503)."""


class Asker(Protocol):
    """Who sent a password."""

    @property
    def origin(self) -> str:
        """Where the password came from, as limits count it."""

    @property
    def closed(self) -> bool:
        """Whether nobody waits for the result any more."""


class _Ourselves(NamedTuple):
    origin: str = ""
    closed: bool = False


OURSELVES: Final = _Ourselves()


class Passwords:
    """Hashes and verifies passwords without blocking the reactor.

    Origins take turns, so that one that sends very many passwords neither delays the others nor
    keeps them out. A password for whose result nobody waits any more is not worked on.

    :param reactor: where the threads deliver their results.
    :param cost: passes, KiB of memory, lanes.
    :param threads: how many passwords are worked on at once.
    :param queue: how many more may wait, 0 for any number.
    :ivar decoy: a PHC string that no password matches. It is verified in the place of that of a
        user who does not exist, so that the time it takes does not reveal who does.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        cost: tuple[int, int, int],
        threads: int,
        queue: int,
    ) -> None:
        passes, kib, lanes = cost
        self._reactor = reactor
        self._hasher = PasswordHasher(passes, kib, lanes)
        self.decoy = _decoy(passes, kib, lanes)
        self._pool = ThreadPool(0, threads, "passwords")
        self._threads = threads
        self._working = 0
        self._queue: FairQueue[tuple[Asker, Deferred[None]]] = FairQueue(queue)
        self._stopping = False
        self._idle: list[Deferred[None]] = []

    @property
    def waiting(self) -> int:
        """How many passwords are being worked on or wait."""
        return self._working + len(self._queue)

    def start(self) -> None:
        """Let the threads begin."""
        self._pool.start()

    async def stop(self) -> None:
        """Finish what is being worked on, refuse what only waits, end the threads."""
        self._stopping = True
        while self._queue:
            self._queue.take()[1].errback(Busy("the server is stopping", RETRY_AFTER))
        if self._working:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        self._pool.stop()

    async def hash(self, password: str, asker: Asker = OURSELVES) -> str:
        """Return a new PHC string of ``password``.

        :raises Busy: too many wait, or the server is stopping.
        """
        secret = _bytes(password)
        return await self._in_thread(asker, lambda: self._hasher.hash(secret))

    async def verify(self, password: str, phc: str, asker: Asker = OURSELVES) -> bool:
        """Whether ``phc`` was made of ``password``; a broken PHC string is made of none.

        :raises Busy: too many wait, or the server is stopping.
        """
        secret = _bytes(password)
        return await self._in_thread(asker, lambda: self._matches(phc, secret))

    def needs_rehash(self, phc: str) -> bool:
        """Whether ``phc`` was made at another cost than passwords are hashed at now."""
        try:
            return self._hasher.check_needs_rehash(phc)
        except ValueError:
            return True

    def _matches(self, phc: str, secret: bytes) -> bool:
        try:
            return self._hasher.verify(phc, secret)
        except (VerificationError, ValueError):
            return False

    async def _in_thread(self, asker: Asker, work: Callable[[], _Result]) -> _Result:
        await self._thread(asker)
        try:
            return await deferToThreadPool(self._reactor, self._pool, work)
        finally:
            self._pass_on()

    async def _thread(self, asker: Asker) -> None:
        """Wait for one of the threads.

        :raises Busy: too many wait, nobody waits for the result any more, or the server is
            stopping.
        """
        if self._stopping:
            raise Busy("the server is stopping", RETRY_AFTER)
        if self._working < self._threads:
            self._working += 1
            return
        turn: Deferred[None] = Deferred()
        gone = self._queue.add(asker.origin, (asker, turn))
        if gone is not None:
            gone[1].errback(Busy("too many passwords are waiting", RETRY_AFTER))
        await turn

    def _pass_on(self) -> None:
        """A thread is free: give it to the next one that waits."""
        while self._queue:
            asker, turn = self._queue.take()
            if not asker.closed:
                turn.callback(None)
                return
            turn.errback(Busy("nobody waits for it any more", RETRY_AFTER))
        self._working -= 1
        if not self._working:
            waiters, self._idle = self._idle, []
            for waiter in waiters:
                waiter.callback(None)


def _bytes(password: str) -> bytes:
    """A password as bytes, whatever characters it has: it may only fail by being wrong."""
    return password.encode(errors="surrogatepass")


def _decoy(passes: int, kib: int, lanes: int) -> str:
    """A PHC string that no password matches, as costly to verify as a real one."""

    def field(size: int) -> str:
        return base64.b64encode(os.urandom(size)).rstrip(b"=").decode()

    cost = f"m={kib},t={passes},p={lanes}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${field(16)}${field(32)}"
