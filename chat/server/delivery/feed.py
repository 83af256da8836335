"""What one logged-in session hears: live, held back for a moment, or caught up from the log.

A session is held back while a snapshot is read for it (login, joining), so that the snapshot and
what follows it fit together; and it is *behind* while its send buffer is over the limit.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, succeed

from chat.codec import sms_accepted
from chat.server.delivery.missed import Held, Missed
from chat.server.delivery.registry import Cursor, HostedUser
from chat.server.watching import tracing
from chat.store.entries import Header, Publication, entry_of
from chat.store.errors import StoreError
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["Feed"]

MOST_HELD: Final = 5_000
"""Entries held back; beyond that the session is brought up to date from the log instead."""


class _State(Enum):
    LIVE = auto()
    HELD = auto()
    BEHIND = auto()
    CATCHING_UP = auto()  # held, while what was missed is read and given


class Feed:
    """Takes publications for one session and gives it each entry once, in order.

    ``_owed`` are answers to the session's own posts that could not be sent with the entries around
    them, by conversation id and number. ``_seen`` is the last number that the client was given of
    each conversation, and ``_epochs`` the epoch of that number, while the session is not live.
    ``_unsent`` says, for an original client, which entry is in each frame that has not gone to the
    kernel yet. ``_waiting`` is fired when nothing is held any more. ``_must_catch_up`` says of a
    session that is held that not all that came is in ``_held``.
    """

    __slots__ = (
        "_epochs", "_held", "_holds", "_must_catch_up", "_owed", "_seen", "_session", "_state",
        "_told", "_unsent", "_waiting",
    )  # fmt: skip

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._state = _State.HELD
        self._holds = 1  # Until the login has been answered.
        self._told: dict[str, int] = {}
        self._held: list[Held] = []
        self._must_catch_up = False
        self._owed: dict[tuple[str, int], Held] = {}
        self._seen: dict[str, int] = {}
        self._epochs: dict[str, str] | None = None
        self._unsent: deque[tuple[str, int] | None] | None = None
        self._waiting: tuple[Deferred[None], ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the session takes a room's frames exactly as they were published."""
        return self._state is _State.LIVE and self._session.dialect.is_current

    @property
    def is_behind(self) -> bool:
        """Whether the client does not read, or is still to be given what it missed."""
        return self._must_catch_up or self._state in (_State.BEHIND, _State.CATCHING_UP)

    # Delivery --------------------------------------------------------------------------------

    def deliver(self, publication: Publication, claims: Mapping[int, Post]) -> None:
        """Hear consecutive entries of one conversation.

        :param claims: the posts among them that sessions of this server wait for, by number.
        """
        if self.plain:
            self._deliver_live(publication, claims)
            return
        session = self._session
        for header in publication.headers:
            mine = header.sender == session.user_id
            frame = self._own(publication, header, claims) if mine else None
            if frame is None:
                push = publication.frame_of(header)
                status = session.context.online.status_of(header.sender)
                frame = session.dialect.entry(push, publication.conversation, status)
            if frame:  # Empty where an original client is told nothing.
                post = claims.get(header.seq)
                answered = post if post is not None and post.poster is session else None
                self._give(Held(publication.cid, header.seq, frame, answered))

    def _deliver_live(self, publication: Publication, claims: Mapping[int, Post]) -> None:
        """Send all in one piece: the frames as published, other ones for the user's own entries."""
        session = self._session
        user_id = session.user_id
        if user_id not in publication.senders:
            session.queue_frame(publication.frames, None)
            return
        own = [
            self._own(publication, header, claims) if header.sender == user_id else None
            for header in publication.headers
        ]
        mine = [frame for frame in own if frame is not None]
        if not mine:
            frames = publication.frames
        elif len(mine) == len(own):  # The frames for other users need not be made.
            frames = b"".join(mine)
        else:
            pairs = zip(own, publication.split(), strict=True)
            frames = b"".join([push if frame is None else frame for frame, push in pairs])
        session.queue_frame(frames, None)

    def _own(
        self, publication: Publication, header: Header, claims: Mapping[int, Post]
    ) -> bytes | None:
        """The frame for an entry of the user's own.

        :returns: None when it is the same as everybody's; empty when the client is told nothing.
        """
        session = self._session
        post = claims.get(header.seq)
        if post is not None and post.poster is session:
            # An original client gets neither an answer nor a push for what it sent.
            return self._accepted(post, header, publication) if session.dialect.is_current else b""
        if header.client_id:
            push = publication.frame_of(header)
            return session.dialect.own_entry(push, header, publication.conversation)
        return None

    def _accepted(self, post: Post, header: Header, publication: Publication) -> bytes:
        """The frame of the SmsResMes, which is sent in the place of the push of the message."""
        epoch, seq, time = publication.epoch, header.seq, header.time
        if not header.server:  # It was read from the log, which may be in a newer epoch by now.
            entry = entry_of(publication.frame_of(header))
            epoch, time = entry.epoch, entry.time
        return sms_accepted(
            post.request_id, post.client_id, publication.conversation, epoch,
            min(publication.epoch_first, seq), seq, time or self._session.context.now(),
        )  # fmt: skip

    def _give(self, entry: Held) -> None:
        if self._state is _State.LIVE:
            self._session.queue_frame(entry.frame, (entry.cid, entry.seq))
        elif self._state is not _State.BEHIND and not self._must_catch_up:
            self._held.append(entry)
            if len(self._held) > MOST_HELD:
                self._must_catch_up = True
                answers = [each for each in self._held if each.answered is not None]
                self._owed |= {(each.cid, each.seq): each for each in answers}
                self._held.clear()
        elif entry.answered is not None:
            self._owed[entry.cid, entry.seq] = entry

    # Held back -------------------------------------------------------------------------------

    def hold(self) -> None:
        """Hold back what comes until ``release``.

        Holds may overlap, as when the user joins one room here and another one on another device.
        The session goes live when the last hold is released; one that is behind is not held, but
        catches up no sooner than that.
        """
        if self._state is _State.LIVE:
            self._state = _State.HELD
            self._remember()
            self._changed()
        self._holds += 1

    def nothing_held(self) -> Deferred[None]:
        """Fires when all has been given that is held back now."""
        if self._state is _State.LIVE:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiting += (waiter,)
        return waiter

    def give_older(self, snapshot: Mapping[str, int], new: frozenset[str]) -> None:
        """Give the held entries that are older than the snapshot the client is about to be sent.

        While the session catches up, what it missed has to come before them.

        :param snapshot, new: the arguments of ``release``, which is called after the snapshot.
        """
        if self._state is _State.CATCHING_UP:
            return

        def is_older(each: Held) -> bool:
            was_heard = each.cid not in new and each.cid != self._session.untold
            return was_heard and each.seq <= snapshot.get(each.cid, 0)

        held = self._held
        self._held = [each for each in held if not is_older(each)]
        for each in held:
            if is_older(each):
                self._give_held(each, self._told)

    def release(self, snapshot: Mapping[str, int], new: frozenset[str] | None = None) -> None:
        """End a hold; with the last one give what was held, and go live.

        Of a conversation that the session did not hear before, only what is above the snapshot is
        given.

        :param snapshot: the numbers that the client was just sent, by conversation id.
        :param new: the conversations that the session did not hear before; None for all.
        """
        self._holds -= 1
        if self._state is _State.BEHIND:
            return
        fresh = snapshot.keys() if new is None else snapshot.keys() & new
        self._told.update({cid: snapshot[cid] for cid in fresh})
        if self._holds:
            return
        held, self._held = self._held, []
        told, self._told = self._told, {}
        if self._must_catch_up:
            self._must_catch_up = False
            self._seen.update(told)
            self._start_catching_up()
            return
        self._state = _State.LIVE
        self._seen, self._epochs = {}, None
        self._changed()
        for each in held:
            self._give_held(each, told)
        waiting, self._waiting = self._waiting, ()
        for waiter in waiting:
            waiter.callback(None)
        self._session.connection.flush()
        if self._session.connection.behind:
            self.fell_behind()

    def _give_held(self, entry: Held, told: Mapping[str, int]) -> None:
        """Give a held entry, unless it is not above ``told``, or its room was left meanwhile."""
        cid, seq = entry.cid, entry.seq
        is_old = seq <= told.get(cid, 0)
        if not is_old and (cid in self._session.rooms or not cid.startswith("r:")):
            self._session.queue_frame(entry.frame, (cid, seq))
        else:
            self._answer(entry)

    def _answer(self, entry: Held) -> None:
        """Answer a post of the session's own that has no place among the entries any more."""
        if entry.answered is not None:
            entry.answered.seq = entry.seq
            self._session.post_overdue(entry.answered)

    def _changed(self) -> None:
        self._session.context.registry.changed(self._session)

    # Behind ----------------------------------------------------------------------------------

    def fell_behind(self) -> None:
        """The client does not read: nothing is queued for it until it has caught up."""
        if self._state is not _State.LIVE:
            return
        self._state = _State.BEHIND
        self._remember()
        self._changed()

    def starts_at(self, cid: str, seq: int) -> None:
        """A room was entered at number ``seq``: what is below was not missed by a client that is
        behind."""
        self._seen[cid] = seq
        if self._epochs is not None:
            self._epochs.pop(cid, None)
        for key in sorted(key for key in self._owed if key[0] == cid and key[1] <= seq):
            self._answer(self._owed.pop(key))

    def _remember(self) -> None:
        """Note how far the client has been given each conversation."""
        cursors = self.cursors()
        self._seen = {cid: cursor.position or 0 for cid, cursor in cursors.items()}
        self._epochs = {cid: cursor.epoch for cid, cursor in cursors.items()}

    def cursors(self) -> dict[str, Cursor]:
        """The conversations that the session hears, as far as they are known here."""
        session = self._session
        registry = session.context.registry
        cursors: dict[str, Cursor] = {cid: registry.rooms[cid] for cid in session.rooms}
        user: HostedUser | None = registry.users.get(session.user_id)
        if user is not None:
            cursors.update(user.cursors)
        return cursors

    def caught_up(self) -> None:
        """The client has read all that was buffered: give it what it missed."""
        if self._state is not _State.BEHIND:
            return
        if self._holds:  # A room may be being entered, of which nothing is to be told yet.
            self._state = _State.HELD
            self._must_catch_up = True
        else:
            self._start_catching_up()

    def _start_catching_up(self) -> None:
        self._state = _State.CATCHING_UP
        self._holds = 1
        Deferred.fromCoroutine(self._catch_up()).addErrback(
            lambda failure: tracing.failed(self._session, "catching up", failure)
        )

    async def _catch_up(self) -> None:
        session = self._session
        seen, self._seen = self._seen, {}
        epochs, self._epochs = self._epochs or {}, None
        missed = Missed(session, self.cursors, seen, epochs, self._seen, self._owed)
        try:
            told = await missed.send()
            await session.context.bus.fence()
        except StoreError as error:
            # The client sees from the numbers what it lacks, and fetches it after its next login.
            tracing.sent_away(session, error)
            session.bye(503, "store-away", 1.0)
            return
        self._state = _State.HELD
        self.release({**told, **self._seen})  # _seen: the rooms that were entered meanwhile
        if session.dialect.is_current:  # Presence may have moved meanwhile.
            session.emit(session.context.online.reset_message())
        session.tell_postponed_events()

    # What has gone out -----------------------------------------------------------------------

    def count_frames(self) -> None:
        """Count an original client's entries as delivered from now on: when their frame has gone to
        the kernel, or, where the transport can't tell, when it is handed to the transport."""
        told = self._session.connection.write_whole_frames(self.frames_sent)
        self._unsent = deque() if told else None

    def about_to_send(self, brings: tuple[str, int] | None) -> None:
        """A frame is handed to the connection.

        :param brings: conversation id and number of the entry in it, None for another frame.
        """
        if self._unsent is not None:
            self._unsent.append(brings)
        elif brings is not None and not self._session.dialect.is_current:
            self._session.delivered(*brings)

    def frames_sent(self, count: int) -> None:
        """``count`` more frames have gone to the kernel, in order: they count as delivered."""
        unsent = self._unsent or deque()
        for _ in range(min(count, len(unsent))):
            brings = unsent.popleft()
            if brings is not None:
                self._session.delivered(*brings)
