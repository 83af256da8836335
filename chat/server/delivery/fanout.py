"""From a publication to every session of its audience; what is missing is read from the log.

All that one read of the bus brings is gathered first and leaves as one write per connection. A
room's frames are joined once, and most members take them as they are; a sender's own devices,
original clients and sessions that are not live yet are served one by one.
"""

from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chat.server.delivery.registry import HostedRoom, HostedUser, Thread
from chat.store.bus import Event, Listener
from chat.store.conversations import Position
from chat.store.entries import Publication, from_log
from chat.store.interface import StoreError
from chat.store.keys import cid_name
from chat.store.posting import Post

if TYPE_CHECKING:
    from chat.server.connection import Connection
    from chat.server.context import Context
    from chat.server.session import Session

__all__ = ["FanOut"]

FILL_PAGE: Final = 200
RETRY_SECONDS: Final = 1.0
LOST_MARGIN_MS: Final = 60_000
"""How long before a loss of the bus a private conversation may have moved without its time on
the list saying so: the lists are written up to a second late, by servers that may be slow."""

POSITIONS_PAGE: Final = 200


class FanOut(Listener):
    """Hears the bus and serves the sessions in the registry.

    :ivar delivered: entries handed to sessions since the start.
    :ivar filled: entries that had to be read from the log.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.context: Context
        self._dirty: list[Connection] = []
        self._moved: dict[str, int] = {}
        self._lost_at = 0
        self.delivered = 0
        self.filled = 0

    # What the bus says -----------------------------------------------------------------------

    def published(self, user_id: int, publication: Publication) -> None:
        registry = self.context.registry
        thread: Thread
        if user_id:
            user = registry.users.get(user_id)
            if user is None:
                return
            thread = user.thread(publication.cid)
            self._take(thread, user, publication)
        else:
            room = registry.rooms.get(publication.cid)
            if room is not None:
                self._take(room, room, publication)

    def turn_ended(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            try:
                connection.flush()
            except Exception:  # One client's trouble is not the others'.
                self._log.failure("a connection could not be written to")
                connection.abort()

    def event(self, user_id: int, event: Event) -> None:
        for session in self.context.registry.sessions_of(user_id):
            session.event(event)

    # In order --------------------------------------------------------------------------------

    def _take(self, thread: Thread, host: HostedRoom | HostedUser, news: Publication) -> None:
        """Deliver what is next; what is known already is dropped, a hole is filled first."""
        position = thread.position
        first = news.headers[0].seq
        if thread.filling:
            thread.heard = news.headers[-1].seq
            return
        if position is None or first == position + 1:
            self._deliver(thread, host, news)
        elif first > position + 1:
            self._start_filling(thread, host, news.cid)
        elif news.epoch != thread.epoch:
            # Numbers that were given out before: the store was rolled back behind our back.
            self._log.error("numbers went backwards in {cid}", cid=news.cid)
            thread.position = first - 1
            self._keep(self._roll_over())
            self._deliver(thread, host, news)
        else:
            rest = news.above(position)
            if rest.headers:
                self._deliver(thread, host, rest)

    def _deliver(self, thread: Thread, host: HostedRoom | HostedUser, news: Publication) -> None:
        thread.position = news.headers[-1].seq
        thread.epoch, thread.epoch_first = news.epoch, news.epoch_first
        if isinstance(host, HostedRoom):
            self._deliver_room(host, news, self._claim(news))
        else:
            # A private entry is published to both; what answers its sender is the sender's own.
            claims = self._claim(news, host.user_id)
            conversation = cid_name(news.cid, host.user_id)
            for session in tuple(host.sessions):
                session.deliver(news, conversation, claims)

    def _claim(self, news: Publication, sender: int = 0) -> dict[int, Post]:
        """The posts among the entries that sessions here wait for, by their numbers.

        :param sender: only those of this user, 0 for everybody's.
        """
        posting = self.context.posting
        claims = {}
        for header in news.headers:
            if sender and header.sender != sender:
                continue
            if header.server == posting.server:
                post = posting.claim(header)
            elif header.server == 0 and header.sender:
                post = posting.claim_stored(news.cid, header.seq)
            else:
                continue
            if post is not None:
                claims[header.seq] = post
                if news.cid.startswith("p:"):
                    self._moved[news.cid] = header.time
        return claims

    def _deliver_room(self, room: HostedRoom, news: Publication, claims: dict[int, Post]) -> None:
        plain, special = room.split()
        users = self.context.registry.users
        senders: dict[Session, None] = {}
        for header in news.headers:
            user = users.get(header.sender)
            if user is not None:
                senders.update(user.sessions)
        frames = news.frames
        skip = {session.connection for session in senders}
        dirty = self._dirty
        for connection in plain:
            if connection in skip:
                continue
            if connection.turn:
                connection.turn += frames
            else:
                connection.turn = frames
                dirty.append(connection)
        self.delivered += len(plain) * len(news.headers)
        for session in special:
            session.deliver(news, room.conversation, claims)
        for session in senders:
            if session.plain and session in room.sessions:
                session.deliver(news, room.conversation, claims)

    def queue(self, connection: "Connection", data: bytes) -> None:
        """Send ``data`` to one connection when the turn ends."""
        if connection.turn:
            connection.turn += data
        else:
            connection.turn = data
            self._dirty.append(connection)

    # Holes -----------------------------------------------------------------------------------

    def _start_filling(self, thread: Thread, host: HostedRoom | HostedUser, cid: str) -> None:
        thread.filling = True
        self._keep(self._fill(thread, host, cid))

    async def _fill(self, thread: Thread, host: HostedRoom | HostedUser, cid: str) -> None:
        """Read the log from where a thread stands to its end, and deliver that."""
        user_id = host.user_id if isinstance(host, HostedUser) else 0
        try:
            while True:
                page = await self.context.conversations.read(cid, after=thread.position or 0)
                missed = [e for e in page.entries if e.seq > (thread.position or 0)]
                if missed:
                    self.filled += len(missed)
                    self._deliver(thread, host, from_log(page, cid, cid_name(cid, user_id)))
                    self.turn_ended()
                if not page.more and (thread.position or 0) >= thread.heard:
                    break
        except StoreError as error:
            self._log.info("a hole in {cid} stays for now: {why}", cid=cid, why=error)
        finally:
            thread.filling, thread.heard = False, 0

    async def came_back(self) -> None:
        """Compare every conversation here with the store, and read what was missed.

        :raises StoreError: the store went away again.
        """
        registry = self.context.registry
        rooms = list(registry.rooms.values())
        await self._compare(((room, room, room.cid) for room in rooms), 0)
        since = self._lost_at - LOST_MARGIN_MS
        awaited = self.context.posting.awaited()
        for user in list(registry.users.values()):
            cids = set(await self.context.conversations.moved_since(user.user_id, since))
            cids |= {cid for cid in awaited if _is_of(cid, user.user_id)}
            await self._compare(((user.thread(cid), user, cid) for cid in cids), user.user_id)
        if self._lost_at:
            self.context.online.resynchronise()

    def lost(self) -> None:
        """The bus is lost: remember since when."""
        self._lost_at = self.context.now()

    async def _compare(
        self,
        threads: Iterable[tuple[Thread, HostedRoom | HostedUser, str]],
        user_id: int,
    ) -> None:
        listed = list(threads)
        for start in range(0, len(listed), POSITIONS_PAGE):
            part = listed[start : start + POSITIONS_PAGE]
            cids = [cid for _, _, cid in part]
            positions = await self.context.conversations.positions(user_id, cids)
            for (thread, host, cid), position in zip(part, positions, strict=True):
                if position is not None:
                    await self._compare_one(thread, host, cid, position)

    async def _compare_one(
        self, thread: Thread, host: HostedRoom | HostedUser, cid: str, position: Position
    ) -> None:
        if thread.filling:
            return
        if thread.position is None:
            # Nothing was delivered here before the loss, or it would be known.
            thread.position = await self.context.conversations.seek(cid, self._lost_at)
        if position.seq < thread.position:
            self._log.error("numbers went backwards in {cid}", cid=cid)
            thread.position = position.seq
            await self._roll_over()
        elif position.seq > thread.position:
            thread.filling = True
            await self._fill(thread, host, cid)

    async def _roll_over(self) -> None:
        generation = await self.context.conversations.generation(raise_it=True)
        self._log.error("the store lost numbers; its generation is now {g}", g=generation)

    # Now and then ----------------------------------------------------------------------------

    async def tick(self) -> None:
        """Once a second: what may be late, and what answers for what never came."""
        for post in self.context.posting.overdue():
            post.poster.post_overdue(post)
        moved, self._moved = self._moved, {}
        if moved:
            await self.context.conversations.touch(moved)

    def note(self, error: StoreError) -> None:
        """Something could not be told because the store is away; numbers will show it."""
        self._log.info("the store is away: {why}", why=error)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(
            lambda failure: self._log.failure("a delivery failed", failure)
        )


def _is_of(cid: str, user_id: int) -> bool:
    return cid.startswith("p:") and str(user_id) in cid.split(":")[1:]
