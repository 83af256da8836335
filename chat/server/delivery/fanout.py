"""From a publication to every session of its audience; what is missing is read from the log.

A room's frames are joined once, and most members take them as they are; a sender's own devices,
original clients and sessions that are not live yet are served one by one.
"""

from typing import TYPE_CHECKING, Final

from chat.server.delivery.recovery import Host, Recovery
from chat.server.delivery.registry import Cursor, HostedRoom, HostedUser
from chat.store.bus import Event, Listener
from chat.store.entries import Publication
from chat.store.errors import StoreError
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.context import Context
    from chat.server.session import Session

__all__ = ["FanOut"]

CROWD: Final = 500
"""Members connected here, from which on a room's joins, leaves and topics are told together: when
all of a crowd join one by one, each would otherwise be a write to each who is there already."""


class FanOut(Listener):
    """Hears the bus, and serves the sessions in the registry.

    :ivar recovery: reads from the log what the bus did not bring.
    """

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.recovery = Recovery(context, self._deliver)
        self._moved: dict[str, int] = {}
        self._sample: float | None = None
        context.writes.done = self._written

    # What the bus says -----------------------------------------------------------------------

    def published(self, user_id: int, publication: Publication) -> None:
        registry = self.context.registry
        cursor: Cursor
        if user_id:
            user = registry.users.get(user_id)
            if user is None:
                return
            cursor = user.cursor(publication.cid)
            self._take(cursor, user, publication)
        else:
            room = registry.rooms.get(publication.cid)
            if room is not None:
                self._take(room, room, publication)

    def turn_ended(self) -> None:
        self.context.writes.turn_ended()

    def _written(self) -> None:
        if self._sample is not None:
            self.context.tally.delay.take(self.context.clock.seconds() - self._sample)
            self._sample = None

    def lost(self, silent: float) -> None:
        self.recovery.lost(silent)

    async def came_back(self) -> None:
        await self.recovery.came_back()

    def event(self, user_id: int, event: Event) -> None:
        for session in self.context.registry.sessions_of(user_id):
            session.event(event)

    # In order --------------------------------------------------------------------------------

    def _take(self, cursor: Cursor, host: Host, publication: Publication) -> None:
        """Deliver what is next in order. What is known already is dropped, and a hole is filled
        first.

        Of what one script has published, either everything is known or nothing, unless reading the
        log failed half-way; then the rest is read again (``Recovery.tick``).
        """
        cursor.begin_epoch(publication.epoch, publication.epoch_first)
        position = cursor.position
        first = publication.headers[0].seq
        if cursor.filling:
            cursor.heard = publication.headers[-1].seq
        elif position is None and first > 1 and self._may_have_missed(host):
            self.recovery.start_filling(cursor, host, publication.cid)
        elif position is None or first == position + 1:
            self._deliver(cursor, host, publication)
        elif first > position + 1:
            self.recovery.start_filling(cursor, host, publication.cid)

    def _may_have_missed(self, host: Host) -> bool:
        """Whether a private conversation that is new here may have begun while the bus was away.
        (Rooms are compared with the store for their members.)"""
        return isinstance(host, HostedUser) and self.recovery.under_way

    def _deliver(self, cursor: Cursor, host: Host, publication: Publication) -> None:
        cursor.position = publication.headers[-1].seq
        if isinstance(host, HostedRoom):
            self._deliver_room(host, publication, self._claim(publication))
        else:
            # A private entry is published to both users; only its sender's sessions get answers.
            is_sender = host.user_id in publication.senders
            claims = self._claim(publication, host.user_id) if is_sender else {}
            for session in tuple(host.sessions):
                session.deliver(publication, claims)
            self.context.tally.deliveries += len(host.sessions) * len(publication.headers)

    def _claim(self, publication: Publication, sender: int = 0) -> dict[int, Post]:
        """The posts among the entries for which sessions here are waiting, by number.

        :param sender: only those of this user, 0 for everybody's.
        """
        posting = self.context.posting
        here = posting.server
        claims = {}
        for header in publication.headers:
            if sender and header.sender != sender:
                continue
            if header.server == here:
                post = posting.claim(header.serial)
            elif header.server == 0 and header.sender:
                post = posting.claim_stored(publication.cid, header.seq)
            else:
                continue
            if post is not None:
                claims[header.seq] = post
                self._sample = post.sent
        if sender and claims:
            self._moved[publication.cid] = publication.headers[-1].time
        self.context.tally.accepted += len(claims)
        return claims

    def _deliver_room(
        self, room: HostedRoom, publication: Publication, claims: dict[int, Post]
    ) -> None:
        plain, special = room.split()
        users = self.context.registry.users
        senders: dict[Session, None] = {}
        for sender in publication.senders:
            user = users.get(sender)
            if user is not None:
                senders.update(user.sessions)
        # In a crowd nobody waits for who joins.
        patiently = len(plain) >= CROWD and not any(header.server for header in publication.headers)
        own = {session.connection for session in senders}
        self.context.writes.add_to_all(plain, publication.frames, own, patiently=patiently)
        for session in special:
            session.deliver(publication, claims)
        for session in senders:
            if session not in room.sessions:
                self._answer_outside(session, publication, claims)
            elif session.plain:
                session.deliver(publication, claims)
        self.context.tally.deliveries += (len(plain) + len(special)) * len(publication.headers)

    def _answer_outside(
        self, session: "Session", publication: Publication, claims: dict[int, Post]
    ) -> None:
        """Answer the posts of a session that no longer hears the room, or does not hear it yet."""
        for seq, post in claims.items():
            if post.poster is session:
                time = next(header.time for header in publication.headers if header.seq == seq)
                session.post_repeated(post, seq, time, publication.epoch, publication.epoch_first)

    # Now and then ----------------------------------------------------------------------------

    async def tick(self) -> None:
        """Once a second: answer posts whose publication never came, and try again what failed."""
        for post in self.context.posting.overdue():
            post.poster.post_overdue(post)
        self.recovery.tick()
        await self.write_times()

    async def write_times(self) -> None:
        """Write down when private conversations last moved, which is their order on both users'
        lists.

        Lists are paged from the top. Before a list is read this is done first, so that no
        conversation jumps over the place where the next page begins.

        :raises StoreError: it is tried again later.
        """
        moved, self._moved = self._moved, {}
        if not moved:
            return
        try:
            await self.context.conversations.touch(moved)
        except StoreError:
            self._moved = moved | self._moved
            raise
