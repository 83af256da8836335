"""What stands in the hall in place of the store: a log in memory, and nobody who is online."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chat.messages import Conversation, User
from chat.store.bus import Event
from chat.store.entries import Author, LoggedEntry, Page
from chat.store.keys import cid_name
from chat.store.standing import Position

__all__ = ["EPOCH", "Belonging", "Doorbell", "Log", "People", "Scripts"]

EPOCH = "1.abcdef"


class Asked:
    """What is asked, and takes until ``answer``, or no time.

    :ivar slow: questions wait for ``answer``.
    :ivar failure: what the next question raises instead.
    """

    def __init__(self) -> None:
        self.slow = False
        self.failure: Exception | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return len(self._waiting)

    def answer(self) -> None:
        """Let every question that waits have its answer."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def _answered(self) -> None:
        if self.slow:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter

    async def _its_time(self) -> None:
        await self._answered()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure


class Log(Asked):
    """What the store keeps of every conversation.

    :ivar asked: how often somebody asked for one conversation.
    :ivar listed: the time on the lists of a private conversation, ms; that of its last entry if
        nothing is said here.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.entries: dict[str, list[LoggedEntry]] = defaultdict(list)
        self.listed: dict[str, int] = {}
        self.reads = self.asked = 0

    def append(self, cid: str, author: Author, content: str, client_id: str = "") -> LoggedEntry:
        """Keep one more entry."""
        seq = len(self.entries[cid]) + 1
        inner = author.says(content)
        json = b'{"seq":%d,"epoch":"%b",%b,"time":%d}' % (seq, EPOCH.encode(), inner, seq)
        entry = LoggedEntry(seq, author.user_id, client_id.encode(), json)
        self.entries[cid].append(entry)
        return entry

    async def read(self, cid: str, *, after: int, limit: int = 200) -> Page:
        """The oldest entries above ``after``."""
        self.reads += 1
        await self._its_time()
        return self.page(cid, after, limit)

    async def history(self, user_id: int, cid: str, *, before: int = 0, limit: int = 50) -> Page:
        """The newest entries below ``before``."""
        await self._answered()
        entries = self.entries[cid][: before - 1 if before else None]
        return Page(EPOCH, 1, 1, len(self.entries[cid]), entries[-limit:], len(entries) > limit)

    def page(self, cid: str, after: int, limit: int) -> Page:
        """The same at once."""
        entries = self.entries[cid]
        found = entries[after : after + limit]
        return Page(EPOCH, 1, 1, len(entries), found, after + limit < len(entries))

    async def positions(self, user_id: int, cids: Sequence[str]) -> list[Position]:
        """Where conversations stand."""
        return [Position(len(self.entries[cid]), 1, EPOCH, 1, "", "member", b"") for cid in cids]

    async def one(self, user_id: int, cid: str) -> Conversation:
        """One conversation."""
        self.asked += 1
        return Conversation(cid_name(cid, user_id), EPOCH, 1, len(self.entries[cid]), 1)

    async def now(self) -> int:
        """The hall's time, which a test lets pass."""
        return int(self.clock.seconds() * 1000)

    async def seek(self, cid: str, moment: int) -> int:
        """The newest entry from before a moment; their times are their numbers."""
        return min(len(self.entries[cid]), max(0, moment - 1))

    async def rooms_of(self, user_id: int) -> list[str]:
        """None that nobody here has entered."""
        return []

    async def moved_since(self, user_id: int, moment: int) -> list[str]:
        """The private conversations of a user in which something was said since, by their list."""
        of_user = [cid for cid in self.entries if str(user_id) in cid.split(":")[1:]]
        return [cid for cid in of_user if self.listed.get(cid, moment) >= moment]


class Belonging:
    """Nobody has to go, and everybody is where they belong."""

    async def join(self, author: Author, room: str, *how: Any) -> None:
        """Somebody is a member now."""

    async def leave(self, author: Author, room: str, session: str) -> None:
        """Somebody is none any more."""

    async def ended(self, sessions: Sequence[tuple[int, str]]) -> list[str]:
        """Why they may not go on."""
        return [""] * len(sessions)

    async def strangers(self, cid: str, user_ids: Sequence[int]) -> list[int]:
        """Those who are no members."""
        return []


class Doorbell(Asked):
    """The bus as far as delivery asks it for anything.

    :ivar slow: what was published before a fence is not heard until ``answer``.
    """

    async def hold_rooms(self, cids: Sequence[str]) -> None:
        """One session more hears rooms."""

    async def tell(self, user_id: int, event: Event) -> None:
        """Every server knows something about a user."""

    async def fence(self) -> None:
        """All that was published before is heard."""
        await self._answered()

    def release_user(self, user_id: int) -> None:
        """One session less hears a user."""

    def release_room(self, cid: str) -> None:
        """One session less hears a room."""


class Scripts:
    """A store that takes every call, and answers when told what to.

    :ivar last: what was called last.
    """

    connected = True
    last: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self._waiting: list[Deferred[Any]] = []

    def script(self, *call: Any, at_once: bool) -> Deferred[Any]:
        """Call a script."""
        self.last = call
        waiter: Deferred[Any] = Deferred()
        self._waiting.append(waiter)
        return waiter

    def answer(self, *results: Any) -> None:
        """What the oldest call that waits came to, behind the tide."""
        self._waiting.pop(0).callback((1, *results))


class People(Asked):
    """Who is online, as far as anybody asks.

    :ivar asked: how often anybody asked for a page.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.ids: list[int] = []

    async def online(self, after: int, limit: int) -> tuple[list[User], int, bool]:
        """A page of the online list: nobody."""
        self.asked += 1
        await self._its_time()
        return [], 0, False

    async def online_ids(self, limit: int) -> tuple[list[int], int]:
        """The same without names: ``ids``."""
        self.asked += 1
        return self.ids[:limit], len(self.ids)

    async def leave(self, user: User, session: str) -> None:
        """Somebody is gone."""
