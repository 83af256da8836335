"""What one logged-in session hears: live, held back for a moment, or caught up from the log.

A session is held back while a snapshot is read for it (login, joining), so that the snapshot and
what follows it fit together; and it is *behind* while its send buffer is over the limit.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred

from chat.codec import sms_accepted
from chat.server.delivery.registry import HostedUser, Thread
from chat.server.watching import tracing
from chat.store.entries import Header, LoggedEntry, Publication, entry_of
from chat.store.errors import StoreError
from chat.store.keys import cid_name
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["Feed"]

CATCH_UP: Final = 200
"""Missed entries of one conversation that are sent after being behind; of more, only the newest."""

MOST_HELD: Final = 5_000
"""Entries held back; beyond that the session is brought up to date from the log instead."""


class _State(Enum):
    LIVE = auto()
    HELD = auto()
    BEHIND = auto()


class Feed:
    """Takes publications for one session and gives it each entry once, in order."""

    __slots__ = (
        "_epochs", "_held", "_holds", "_overflown", "_owed", "_seen", "_session", "_state", "_told",
        "_unsent",
    )  # fmt: skip

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._state = _State.HELD
        self._holds = 1  # Until the reply to the login.
        self._told: dict[str, int] = {}
        self._held: list[tuple[str, int, bytes, Post | None]] = []
        self._overflown = False
        self._owed: dict[tuple[str, int], bytes] = {}
        # While not live: the last number it was given of each conversation, and of which epoch.
        self._seen: dict[str, int] = {}
        self._epochs: dict[str, str] | None = None
        # Of an original client: what each frame brings that has not gone to the kernel yet.
        self._unsent: deque[tuple[str, int] | None] | None = None

    @property
    def plain(self) -> bool:
        """Whether the session takes a room's frames exactly as they were published."""
        return self._state is _State.LIVE and self._session.voice.is_current

    @property
    def is_behind(self) -> bool:
        """Whether the client does not read: then nothing is queued for it."""
        return self._state is _State.BEHIND

    # Delivery --------------------------------------------------------------------------------

    def deliver(self, news: Publication, claims: Mapping[int, Post]) -> None:
        """Hear consecutive entries of one conversation.

        :param claims: the posts among them that sessions of this server wait for, by number.
        """
        if self.plain:
            self._deliver_live(news, claims)
            return
        session = self._session
        for header in news.headers:
            mine = header.sender == session.user_id
            words = self._own(news, header, claims) if mine else None
            if words is None:
                status = session.context.online.status_of(header.sender)
                words = session.voice.entry(news.frame_of(header), news.conversation, status)
            if words:  # Nothing at all is no frame, and must not be counted as one.
                post = claims.get(header.seq)
                mine = post is not None and post.poster is session
                self._give(news.cid, header, words, post if mine else None)

    def _deliver_live(self, news: Publication, claims: Mapping[int, Post]) -> None:
        """All in one piece: the frames as they are, with other words where they are one's own."""
        session = self._session
        user_id = session.user_id
        if user_id not in news.senders:
            session.queue_frame(news.frames, None)
            return
        own = [
            self._own(news, header, claims) if header.sender == user_id else None
            for header in news.headers
        ]
        mine = [words for words in own if words is not None]
        if not mine:
            frames = news.frames
        elif len(mine) == len(own):  # The frames for others need not be made.
            frames = b"".join(mine)
        else:
            pairs = zip(own, news.split(), strict=True)
            frames = b"".join([frame if words is None else words for words, frame in pairs])
        session.queue_frame(frames, None)

    def _own(self, news: Publication, header: Header, claims: Mapping[int, Post]) -> bytes | None:
        """The words for an entry of the user's own, None when they are those for everybody."""
        session = self._session
        post = claims.get(header.seq)
        if post is not None and post.poster is session:
            # An original client has no word for it, and no push of it either.
            return self._accepted(post, header, news) if session.voice.is_current else b""
        if header.client_id:
            return session.voice.own_entry(news.frame_of(header), header, news.conversation)
        return None

    def _accepted(self, post: Post, header: Header, news: Publication) -> bytes:
        """The words of SmsResMes, which stands where the push of the message would have stood."""
        epoch, time = news.epoch, header.time
        if not header.server:  # It was read from the log, which may have gone on since.
            entry = entry_of(news.frame_of(header))
            epoch, time = entry.epoch, entry.time
        return sms_accepted(
            post.request_id, post.client_id, news.conversation, epoch,
            min(news.epoch_first, header.seq), header.seq, time or self._session.context.now(),
        )  # fmt: skip

    def _give(self, cid: str, header: Header, words: bytes, answered: Post | None) -> None:
        if self._state is _State.LIVE:
            self._session.queue_frame(words, (cid, header.seq))
        elif self._state is _State.HELD and not self._overflown:
            self._held.append((cid, header.seq, words, answered))
            if len(self._held) > MOST_HELD:
                self._overflown = True
                self._owed |= {(cid, seq): words for cid, seq, words, mine in self._held if mine}
                self._held.clear()
        elif answered is not None:
            self._owed[cid, header.seq] = words

    # Held back -------------------------------------------------------------------------------

    def hold(self) -> bool:
        """Keep what comes until ``release``; False when it is behind.

        Several may hold it at the same time, as when a room is joined here while another device's
        joining is told: it goes live when the last of them has released it.
        """
        if self._state is _State.BEHIND:
            return False
        if self._state is _State.LIVE:
            self._state = _State.HELD
            self._remember()
            self._changed()
        self._holds += 1
        return True

    def give_older(self, snapshot: Mapping[str, int], new: frozenset[str]) -> None:
        """Give what was held and stands before what the session is about to be told.

        :param snapshot, new: those of ``release``, which follows when it has been told.
        """

        def is_older(cid: str, seq: int) -> bool:
            is_told = cid not in new and cid != self._session.untold
            return is_told and seq <= snapshot.get(cid, 0)

        held = self._held
        self._held = [each for each in held if not is_older(*each[:2])]
        for cid, seq, words, answered in held:
            if is_older(cid, seq):
                self._give_held(cid, seq, words, answered, seq <= self._told.get(cid, 0))

    def release(self, snapshot: Mapping[str, int], new: frozenset[str] | None = None) -> None:
        """Go live again: give what was held, but nothing old of what the session never heard.

        :param snapshot: the numbers that the session was just told, by conversation id.
        :param new: the conversations it did not hear before; None for all.
        """
        fresh = snapshot.keys() if new is None else snapshot.keys() & new
        self._told.update({cid: snapshot[cid] for cid in fresh})
        self._holds -= 1
        if self._holds:
            return
        held, self._held = self._held, []
        told, self._told = self._told, {}
        if self._overflown:
            self._overflown = False
            self._seen.update(told)
            self._holds = 1
            self._start_catching_up()
            return
        self._state = _State.LIVE
        self._seen, self._epochs = {}, None
        self._changed()
        for cid, seq, words, answered in held:
            self._give_held(cid, seq, words, answered, seq <= told.get(cid, 0))
        self._session.connection.flush()
        if self._session.connection.behind:
            self.fell_behind()

    def _give_held(
        self, cid: str, seq: int, words: bytes, answered: Post | None, is_old: bool
    ) -> None:
        # A room may have been left meanwhile, or given up before the client heard of it.
        if not is_old and (cid in self._session.rooms or not cid.startswith("r:")):
            self._session.queue_frame(words, (cid, seq))
        elif answered is not None:  # It has no place any more, and is an answer all the same.
            answered.seq = seq
            self._session.post_overdue(answered)

    def _changed(self) -> None:
        self._session.context.registry.changed(self._session)

    # Behind ----------------------------------------------------------------------------------

    def fell_behind(self) -> None:
        """The client does not read: from here on it costs nothing."""
        if self._state is not _State.LIVE:
            return
        self._state = _State.BEHIND
        self._remember()
        self._changed()

    def starts_at(self, cid: str, seq: int) -> None:
        """A room was entered: should the client be behind, what was said there before is nothing
        that it missed."""
        self._seen[cid] = seq
        if self._epochs is not None:
            self._epochs.pop(cid, None)

    def _remember(self) -> None:
        """How far the client has been told everything, and of which epoch those numbers are."""
        threads = self.threads()
        self._seen = {cid: thread.position or 0 for cid, thread in threads.items()}
        self._epochs = {cid: thread.epoch for cid, thread in threads.items()}

    def threads(self) -> dict[str, Thread]:
        """The conversations that the session hears, as far as they are known here."""
        session = self._session
        registry = session.context.registry
        threads: dict[str, Thread] = {cid: registry.rooms[cid] for cid in session.rooms}
        user: HostedUser | None = registry.users.get(session.user_id)
        if user is not None:
            threads.update(user.threads)
        return threads

    def caught_up(self) -> None:
        """The client has read all that was buffered: tell it what it missed."""
        if self._state is _State.BEHIND:
            self._state = _State.HELD
            self._holds = 1
            self._changed()
            self._start_catching_up()

    def _start_catching_up(self) -> None:
        Deferred.fromCoroutine(self._catch_up()).addErrback(
            lambda failure: tracing.failed(self._session, "catching up", failure)
        )

    async def _catch_up(self) -> None:
        session = self._session
        seen, self._seen = self._seen, {}
        epochs, self._epochs = self._epochs or {}, None
        told: dict[str, int] = {}
        room = session.context.settings.send_buffer or math.inf
        try:
            for cid, thread in self.threads().items():
                newest = thread.position or 0
                told[cid] = _still_told(seen.get(cid, 0), epochs.get(cid, thread.epoch), thread)
                if newest > told[cid]:
                    entries = await self._missed(cid, told[cid], newest, room)
                    self._tell_missed(cid, entries)
                    room -= sum(len(entry.json) for entry in entries)
                    told[cid] = entries[-1].seq if entries else told[cid]
            self._answer_where_left()
            await session.context.bus.fence()
        except StoreError as error:
            # Its numbers show the client what it has not got; better gone than wrong.
            tracing.sent_away(session, error)
            session.bye(503, "store-away", 1.0)
            return
        self.release({**told, **self._seen})  # rooms entered meanwhile among them
        if session.voice.is_current:  # Presence may have moved meanwhile.
            session.emit(session.context.online.reset_message())
        session.tell_postponed_events()

    async def _missed(self, cid: str, seen: int, newest: int, room: float) -> Sequence[LoggedEntry]:
        """What is to be told one by one of a conversation; ``room``: bytes, and one entry at least.

        A current client fetches what is left out itself, when somebody wants to see it; an original
        one can't.
        """
        after = self._worth_reading(seen, newest)
        conversations = self._session.context.conversations
        page = await conversations.read(cid, after=after, limit=CATCH_UP)
        # What is above the thread comes the ordinary way, and may have to be filled in there.
        entries = [entry for entry in page.entries if entry.seq <= newest]
        first = len(entries) - 1 if self._session.voice.is_current else 0
        while first > 0 and room >= len(entries[first].json) + len(entries[first - 1].json):
            room -= len(entries[first].json)
            first -= 1
        return entries[max(first, 0) :]

    def _tell_missed(self, cid: str, entries: Sequence[LoggedEntry]) -> None:
        """Tell them, and what is owed before them."""
        session, conversation = self._session, cid_name(cid, self._session.user_id)
        known = {entry.seq for entry in entries}
        for (owed_cid, seq), words in sorted(self._owed.items()):
            if owed_cid == cid and seq not in known:
                session.queue_frame(words, (cid, seq))
        for entry in entries:
            status = session.context.online.status_of(entry.sender)
            missed = session.voice.missed(entry, session.user_id, conversation, status)
            if told := self._owed.get((cid, entry.seq), missed):
                session.queue_frame(told, (cid, entry.seq))
        self._owed = {key: words for key, words in self._owed.items() if key[0] != cid}

    def _answer_where_left(self) -> None:
        """In a room that was left meanwhile nothing is caught up with, but what is owed."""
        heard = self.threads()
        for cid, seq in sorted(self._owed):
            if cid not in heard:
                self._session.queue_frame(self._owed.pop((cid, seq)), (cid, seq))

    def _worth_reading(self, seen: int, newest: int) -> int:
        """The number above which missed entries are told one by one.

        A current client fetches a larger hole itself, when somebody wants to see it; an original
        one can't, and gets the newest.
        """
        session = self._session
        if session.voice.is_current:
            return seen if newest - seen <= CATCH_UP else newest - 1
        return max(seen, newest - session.context.settings.replay)

    # What has gone out -----------------------------------------------------------------------

    def count_frames(self) -> None:
        """From now on what a frame brings counts as delivered once the frame has been sent, where
        the transport tells when that is; else once it is handed over."""
        told = self._session.connection.write_whole_frames(self.frames_sent)
        self._unsent = deque() if told else None

    def about_to_send(self, brings: tuple[str, int] | None) -> None:
        """A frame is handed to the connection; ``brings``: conversation id and number."""
        if self._unsent is not None:
            self._unsent.append(brings)
        elif brings is not None and not self._session.voice.is_current:
            self._session.delivered(*brings)

    def frames_sent(self, count: int) -> None:
        """So many more frames have gone to the kernel, in order: they count as delivered."""
        unsent = self._unsent or deque()
        for _ in range(min(count, len(unsent))):
            brings = unsent.popleft()
            if brings is not None:
                self._session.delivered(*brings)


def _still_told(seen: int, epoch: str, thread: Thread) -> int:
    """How far a client has been told what stands now: numbers may have been given out anew.

    :param epoch: the one in which it had been told all up to ``seen``.
    """
    newest = thread.position or 0
    if newest < seen or epoch != thread.epoch:
        return min(seen, newest, thread.epoch_first - 1)
    return seen
