"""The messages kept on this machine: written as they come, read and searched without a server."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chat.client.events import (
    ConversationChanged,
    ConversationsListed,
    EpochChanged,
    Event,
    GapSkipped,
    MessageArrived,
)
from chat.client.files.cache_file import CacheFile, erase
from chat.client.files.cache_values import Batch, Known
from chat.messages import Entry, User

if TYPE_CHECKING:
    from chat.client.api import ChatClient

__all__ = ["Cache", "Known", "in_thread"]

WRITE_EVERY = 1.0
"""Seconds that an entry may wait: what a crash forgets is fetched again at the next start."""

BATCH = 2_000
"""Entries from which on they don't wait: in a flood a second's worth would be megabytes."""

MOST_WAITING = 50_000
"""Entries waiting for a disk that does not come back; above it nothing more is kept."""

_T = TypeVar("_T")

Run = Callable[..., "Deferred[Any]"]
"""Calls a function with arguments, where a slow disk holds nobody up, and gives what it returns."""


def in_thread(reactor: Any) -> Run:
    """A function that runs work in one of the reactor's threads; ``Cache`` asks for one thing at a
    time."""
    from twisted.internet.threads import deferToThreadPool

    return lambda work, *args: deferToThreadPool(reactor, reactor.getThreadPool(), work, *args)


class Cache:
    """Follows a ``ChatClient``, and answers from a ``CacheFile``.

    If the file can't be used any more, that is logged; then it behaves as if it were empty, and
    nothing else fails.

    :param path: of the file.
    :param run: runs the work on the file.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, path: Path, run: Run) -> None:
        self._clock = clock
        self._path = path
        self._run = run
        self._turns = DeferredLock()
        self._file: CacheFile | None = None
        self._client: ChatClient | None = None
        self._listed_before: set[str] = set()
        self._whole = False
        """Whether all conversations are in the file, or about to be: never only some of them."""
        self._drops: list[tuple[str, int]] = []
        self._entries: list[Entry] = []
        self._touched: set[str] = set()
        self._due: IDelayedCall | None = None
        self._deaf: Callable[[], None] = lambda: None
        self._taken_back: Counter[str] = Counter()
        """How often something of a conversation was, or was corrected: what was read before is read
        again."""

    # The beginning and the end

    async def open(self) -> Known | None:
        """Open the file.

        :returns: what it knows, None when it is new.
        """
        self._file = await self._opened()
        known = await self._ask(None, CacheFile.known)
        if known is not None:
            self._listed_before = {each.conversation for each in known.conversations}
            self._whole = True
        return known

    async def begin(self) -> None:
        """Replace the file by a new one."""
        await self.erase()
        self._file = await self._opened()

    async def _opened(self) -> CacheFile | None:
        return await self._turns.run(self._attempt, None, CacheFile, self._path)

    def follow(self, client: "ChatClient") -> None:
        """From now on keep what ``client`` hands out."""
        if self._file is not None:
            self._client = client
            self._deaf = client.listen(self._event)

    def logged_in(self, user: User) -> None:
        """The file is this user's."""
        self._later(CacheFile.log_in, user)

    def blocked(self, user_ids: Iterable[int]) -> None:
        """Keep whom the user has blocked."""
        self._later(CacheFile.block, sorted(user_ids))

    async def close(self) -> None:
        """Write what waits, and close the file."""
        self._deaf()
        self._write()
        await self._ask(None, CacheFile.close)
        self._file = None

    async def erase(self) -> None:
        """Delete everything, on the disk too; nothing more is kept."""
        self._deaf()
        self._cancel()
        await self._ask(None, CacheFile.close)
        self._file = None
        await self._turns.run(self._attempt, None, erase, self._path)

    # What comes

    def keep(self, entries: Iterable[Entry]) -> None:
        """Keep a page of history, each entry with its ``conversation``."""
        self._entries += entries
        self._soon()

    def _event(self, event: Event) -> None:
        match event:
            case MessageArrived(entry):
                self._entries.append(entry)
                self._touched.add(entry.conversation)
                if entry.kind in ("edit", "redact", "erase"):
                    self._taken_back[entry.conversation] += 1
                elif len(self._entries) > MOST_WAITING:
                    self._give_up("the disk is too slow")
                elif len(self._entries) >= BATCH and not self._turns.locked:
                    self._write()
            case EpochChanged(name, _, first):
                self._forget_from(name, first)
            case GapSkipped(name, _, _, True):
                # Entries that were deleted in the hole are still here, and nobody will tell.
                self._forget_from(name, 0)
            case ConversationChanged(conversation) if conversation.gone:
                self._forget(conversation.conversation)
            case ConversationChanged(conversation):
                self._touched.add(conversation.conversation)
            case ConversationsListed() if self._client is not None:
                for name in self._listed_before - self._client.conversations.keys():
                    self._forget(name)
                self._touched |= self._client.conversations.keys()
                self._whole = True
            case _:
                return
        self._soon()

    def _forget_from(self, name: str, seq: int) -> None:
        self._taken_back[name] += 1
        self._touched.add(name)
        self._entries = [
            e for e in self._entries if e.conversation != name or max(e.seq, e.edited) < seq
        ]
        self._drops.append((name, seq))

    def _forget(self, name: str) -> None:
        self._forget_from(name, 0)
        self._touched.discard(name)
        self._write()
        self._later(CacheFile.forget, name)

    # Writing

    def _soon(self) -> None:
        if self._due is None and self._file is not None:
            self._due = self._clock.callLater(WRITE_EVERY, self._turn)

    def _turn(self) -> None:
        """Write, unless the last batch is still being written. What waits meanwhile is counted."""
        self._due = None
        if self._turns.locked:
            self._soon()
        else:
            self._write()

    def _write(self) -> None:
        """Write everything that waits, in one batch."""
        self._cancel()
        client = self._client
        waiting = self._entries or self._touched or self._drops
        if client is None or not (waiting and self._whole):
            return
        conversations, positions = client.conversations, client.positions
        batch = Batch(
            self._drops,
            # Without a position nobody could say when they were right.
            [each for each in self._entries if each.conversation in positions],
            {name: conversations[name] for name in self._touched if name in conversations},
            {name: positions[name] for name in self._touched if name in positions},
        )
        self._drops, self._entries, self._touched = [], [], set()
        self._later(CacheFile.write, batch)

    def _cancel(self) -> None:
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None

    # Reading

    async def page(self, name: str, before: int, limit: int) -> Sequence[Entry]:
        """What the cache has of a page of history, oldest first; there may be holes."""
        while True:
            asked = self._taken_back[name]
            self._write()
            found: Sequence[Entry] = await self._ask((), CacheFile.page, name, before, limit)
            if self._taken_back[name] == asked:
                return found

    async def search(
        self, text: str, conversation: str, before: int, limit: int, skip: int = 0
    ) -> Sequence[Entry]:
        """As ``CacheFile.search``."""
        self._write()
        found: Sequence[Entry] = await self._ask(
            (), CacheFile.search, text, conversation, before, limit, skip
        )
        return found

    # One after the other

    def _later(self, work: Callable[..., None], *args: object) -> None:
        Deferred.fromCoroutine(self._ask(None, work, *args)).addErrback(
            lambda failure: self.log.failure("the cache is out of order", failure)
        )

    async def _ask(self, default: _T, work: Callable[..., _T], *args: object) -> _T:
        """Do ``work`` with the file when its turn comes; ``default`` where there is no file."""

        def turn() -> "Deferred[_T]":
            if self._file is None:
                return succeed(default)
            return self._attempt(default, work, self._file, *args)

        return await self._turns.run(turn)

    def _attempt(self, default: _T, work: Callable[..., _T], *args: object) -> "Deferred[_T]":
        def failed(failure: Any) -> _T:
            # OverflowError: a number that SQLite has no room for. UnicodeDecodeError: what SQLite
            # says of a damaged file quotes it.
            failure.trap(sqlite3.Error, OSError, OverflowError, UnicodeDecodeError)
            self._give_up(str(failure.value))
            return default

        return self._run(work, *args).addErrback(failed)

    def _give_up(self, reason: str) -> None:
        """Use the file no longer. What is on the disk stays right, as of the positions in it."""
        self.log.error("nothing more is kept on this machine: {reason}", reason=reason)
        self._deaf()
        self._cancel()
        self._file = None
        self._drops, self._entries, self._touched = [], [], set()
