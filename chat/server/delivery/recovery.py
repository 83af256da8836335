"""What the bus did not bring: holes are read from the log; after a loss everything is compared."""

import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence, Set
from typing import TYPE_CHECKING, Any, Final, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError
from twisted.logger import Logger

from chat.server.delivery.registry import Cursor, HostedRoom, HostedUser
from chat.store.bus import Event
from chat.store.entries import Publication, epoch_count, from_log
from chat.store.errors import StoreError, StoreUnavailable
from chat.store.keys import cid_name
from chat.store.standing import Position, is_open
from chat.store.together import all_of

if TYPE_CHECKING:
    from chat.server.context import Context

__all__ = ["ANSWER_SECONDS", "Host", "Recovery"]

Host = HostedRoom | HostedUser
Hosted = tuple[Cursor, Host, str]
Deliver = Callable[[Cursor, Host, Publication], None]
_Found = TypeVar("_Found")

CONTACT_SECONDS: Final = 30.0
"""How long a server relies on a private conversation being on both users' lists, with a recent
time. After that the next message puts it there again."""

LOST_MARGIN_MS: Final = 60_000
"""How much older than a loss of the bus a private conversation's time on the lists may be, and the
conversation is compared all the same. The time is written up to a second after an entry, and not at
all by a server that is killed in between."""

CLOCKS_MS: Final = 1_000
"""How far the store's clock, by which entries are dated, may be from what we reckon."""

POSITIONS_PAGE: Final = 200
COMPARED_AT_ONCE: Final = 32
"""Users whose private conversations are compared side by side. One by one each would wait for a
turn in a busy store, and ten thousand would take longer than a loss may last."""

ANSWER_SECONDS: Final = 15.0
"""How long a request waits for all to be compared: longer than that takes when the store is well,
and half of what a client waits for. Where it takes longer, as without a replica that must confirm,
503 is a better answer than none."""

READ_AT_ONCE: Final = 64
"""Conversations that are read from the log at a time, far below the calls that may be under way."""


class Recovery:
    """Brings conversations up to the end of the log, for those who hear them on this server.

    :param deliver: gives consecutive entries to the sessions of a host.
    """

    _log = Logger()

    def __init__(self, context: "Context", deliver: Deliver) -> None:
        self._context = context
        self._deliver = deliver
        self._lost = False
        self._lost_at = 0.0
        self._losses = 0
        self._compared = 0
        self._failed: dict[Cursor, Hosted] = {}
        self._unplaced: dict[Cursor, Host] = {}
        self._waiting: list[Deferred[None]] = []
        self._announced = 0.0
        self._comparing = DeferredSemaphore(COMPARED_AT_ONCE)
        self._reading = DeferredSemaphore(READ_AT_ONCE)

    @property
    def under_way(self) -> bool:
        """Whether the bus was lost and not everything has been compared since."""
        return self._lost

    async def over(self, cursors: Iterable[Cursor], until: float, *, heard: bool) -> None:
        """Wait until everything that was published before this call has been delivered.

        :param cursors: the conversations that matter.
        :param until: when to give up, in the clock's seconds.
        :param heard: everything has come already, since an answer came behind it on the same
            connection.
        :raises StoreUnavailable: the bus was lost, or it took too long.
        """
        bus = self._context.bus
        await (bus.settled() if heard else bus.fence())
        # Otherwise what is still read from the log would follow a snapshot that contains it.
        while self.under_way or any(cursor.filling for cursor in cursors):
            waiter: Deferred[None] = Deferred()
            if until < math.inf:
                clock = self._context.clock
                waiter.addTimeout(max(0.0, until - clock.seconds()), clock)
            self._waiting.append(waiter)
            try:
                await waiter
            except TimeoutError:
                raise StoreUnavailable("what was missed is still being compared") from None

    async def steady(
        self,
        read: Callable[[], Awaitable[_Found]],
        cursors: Callable[[], Iterable[Cursor]],
        within: float = math.inf,
        *,
        heard: bool = False,
    ) -> _Found:
        """Read where conversations stand, at a moment at which everything before it has been
        delivered.

        A store that has lost numbers may not have been able to begin a new epoch yet. So what was
        read before everything was compared is read again.

        :param cursors: the conversations that matter, asked after each reading.
        :param within: seconds after which to give up.
        :param heard: ``read`` ends with an answer on the connection on which publications come.
        :raises StoreError: ``read`` raised it, the bus was lost, or it took too long.
        """
        until = self._context.clock.seconds() + within
        while True:
            compared = self._compared
            found = await read()
            await self.over(cursors(), until, heard=heard)
            if compared == self._compared:
                return found

    def _look_again(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    # Holes -----------------------------------------------------------------------------------

    def start_filling(self, cursor: Cursor, host: Host, cid: str) -> None:
        """Read what is missing above ``cursor.position``; this includes what is published
        meanwhile."""
        cursor.filling = True
        self._context.tally.gaps += 1
        self._keep(self._fill(cursor, host, cid))

    async def _fill(self, cursor: Cursor, host: Host, cid: str) -> None:
        user_id = host.user_id if isinstance(host, HostedUser) else 0
        try:
            await self._find_position(cursor, host, cid)
            more = True
            while more:
                after = cursor.position or 0
                page = await self._context.conversations.read(cid, after=after)
                cursor.begin_epoch(page.epoch, page.epoch_first)
                if (cursor.position or 0) < after:
                    continue  # Some numbers were given out anew.
                if not page.entries:
                    break
                self._deliver(cursor, host, from_log(page, cid, cid_name(cid, user_id)))
                self._context.writes.turn_ended()
                more = page.more or (cursor.position or 0) < cursor.heard
        except StoreError as error:
            self._log.info("a hole in {cid} stays for now: {why}", cid=cid, why=error)
            self._failed[cursor] = cursor, host, cid
        finally:
            cursor.filling, cursor.heard = False, 0
            self._look_again()

    async def _find_position(self, cursor: Cursor, host: Host, cid: str) -> None:
        """Find where to begin in a conversation of which nothing was delivered here before the
        loss."""
        if cursor.position is None:
            self._unplaced[cursor] = host
            found = await self._context.conversations.seek(cid, await self._moment())
            self._unplaced.pop(cursor, None)
            if cursor.position is None:  # it was not set meanwhile
                cursor.position = found

    def tick(self) -> None:
        """Once a second: try again to fill holes that could not be filled; forget old contacts."""
        now = self._context.clock.seconds()
        if now - self._announced > CONTACT_SECONDS:
            self._announced = now
            self._context.contacts.clear()
        failed, self._failed = self._failed, {}
        for cursor, host, cid in failed.values():
            if not cursor.filling and (isinstance(host, HostedUser) or host.sessions):
                self.start_filling(cursor, host, cid)

    # After a loss ----------------------------------------------------------------------------

    def lost(self, silent: float) -> None:
        """Publications of the last ``silent`` seconds may be missed, and all until ``came_back``.

        Of several losses the first one counts until everything has been compared, and so do the
        conversations that were first heard of meanwhile, as long as somebody here hears them.
        """
        self._losses += 1
        lost_at = self._context.clock.seconds() - silent
        self._unplaced = {
            cursor: host
            for cursor, host in self._unplaced.items()
            if cursor.position is None and host.sessions
        }
        open_still = self._lost or self._unplaced
        self._lost_at = min(self._lost_at, lost_at) if open_still else lost_at
        self._lost = True

    async def _moment(self) -> int:
        """When the bus was lost, in ms by the store's clock, by which entries are dated."""
        ago = self._context.clock.seconds() - self._lost_at
        now = await self._context.conversations.now()
        return now - int(ago * 1000) - CLOCKS_MS

    async def came_back(self) -> None:
        """Compare every conversation here with the store, and read what was missed.

        :raises StoreError: the store went away again.
        """
        context, losses = self._context, self._losses
        context.contacts.clear()
        await self._let_go()
        await self._compare([(room, room, room.cid) for room in context.registry.rooms.values()], 0)
        awaited = context.posting.awaited()
        users = list(context.registry.users.values())
        since = await self._moment() - LOST_MARGIN_MS
        compared = [self._compare_user(user, since, awaited) for user in users]
        await _abreast(self._comparing, compared)
        if losses:
            context.online.resynchronise()
        if losses == self._losses:
            self._lost = False
            self._compared += 1
            self._look_again()

    async def _let_go(self) -> None:
        """End what users lost while the bus was away: sessions of those who were suspended or
        logged out, and rooms that they were taken out of."""
        users = self._context.registry.users.values()
        sessions = [session for user in users for session in user.sessions]
        for start in range(0, len(sessions), POSITIONS_PAGE):
            part = sessions[start : start + POSITIONS_PAGE]
            asked = [(session.user_id, session.device) for session in part]
            reasons = await self._context.moderation.ended(asked)
            for session, reason in zip(part, reasons, strict=True):
                if reason:
                    session.event(Event("ended", device=session.device, reason=reason))
        for room in list(self._context.registry.rooms.values()):
            here = list({session.user_id for session in room.sessions})
            gone = [] if is_open(room.cid) else await self._context.rooms.strangers(room.cid, here)
            for user_id in gone:
                self._context.fanout.event(user_id, Event("left", room.cid))

    async def _compare_user(self, user: HostedUser, since: int, awaited: Set[str]) -> None:
        await self._hear_new_rooms(user)
        moved = await self._context.conversations.moved_since(user.user_id, since)
        cids = {*moved, *(cid for cid in awaited if _is_of(cid, user.user_id))}
        await self._compare([(user.cursor(cid), user, cid) for cid in cids], user.user_id)

    async def _hear_new_rooms(self, user: HostedUser) -> None:
        """Let the user's sessions hear the rooms that were joined elsewhere meanwhile. (A store
        that lost its last second may also have forgotten that a room was left.)"""
        for cid in await self._context.conversations.rooms_of(user.user_id):
            if any(cid not in session.rooms for session in user.sessions):
                self._context.fanout.event(user.user_id, Event("joined", cid))

    async def _compare(self, hosted: Sequence[Hosted], user_id: int) -> None:
        for start in range(0, len(hosted), POSITIONS_PAGE):
            part = hosted[start : start + POSITIONS_PAGE]
            seen = await self._went_back(part, user_id)
            if seen >= 0:
                now = await self._context.conversations.generation_after(seen)
                self._log.error("the store lost numbers; its generation is {now} now", now=now)
                await self._went_back(part, user_id)

    async def _went_back(self, part: Sequence[Hosted], user_id: int) -> int:
        """Fill what is missing in some conversations.

        The bus is heard meanwhile and may be ahead of what is read, so what is compared is what was
        known before the reading.

        :returns: -1, or, if numbers went back without a new epoch, how many epochs the store had
            when the latest of these numbers was given out.
        """
        known = [(cursor.position, cursor.epoch) for cursor, _, _ in part]
        cids = [cid for _, _, cid in part]
        positions = await self._context.conversations.positions(user_id, cids)
        went_back, behind = -1, []
        for (cursor, host, cid), position, (seq, epoch) in zip(part, positions, known, strict=True):
            if position is None:
                went_back = max(went_back, epoch_count(epoch) if seq and epoch else -1)
                continue
            if cursor.filling:
                continue
            if epoch and seq is not None and _is_behind(position, seq, epoch):
                self._log.error("numbers went backwards in {cid}", cid=cid)
                went_back = max(went_back, epoch_count(epoch))
                continue
            cursor.begin_epoch(position.epoch, position.epoch_first)
            behind.append(self._catch_up(cursor, host, cid, position.seq))
        await _abreast(self._reading, behind)
        return went_back

    async def _catch_up(self, cursor: Cursor, host: Host, cid: str, newest: int) -> None:
        await self._find_position(cursor, host, cid)
        if newest > (cursor.position or 0) and not cursor.filling:
            cursor.filling = True
            self._context.tally.gaps += 1
            await self._fill(cursor, host, cid)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(
            lambda failure: self._log.failure("a hole could not be filled", failure)
        )


async def _abreast(tokens: DeferredSemaphore, works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do several things at a time, as many as there are tokens.

    :raises StoreError: one of them raised it; the others have ended as well.
    """
    await all_of(tokens.run(Deferred.fromCoroutine, work) for work in works)


def _is_behind(position: Position, seq: int, epoch: str) -> bool:
    """Whether the store knows less of a conversation than was delivered, without a new epoch."""
    if position.epoch == epoch:
        return position.seq < seq
    return epoch_count(position.epoch) < epoch_count(epoch)


def _is_of(cid: str, user_id: int) -> bool:
    return cid.startswith("p:") and str(user_id) in cid.split(":")[1:]
