"""One client's life: what it may do in which state, in the order in which it asks. No I/O.

A frame becomes an envelope, an envelope a message, a message a call of its handler in
``chat.server.requests``. One request is served at a time; messages to people take the short way
through ``Posting`` and are answered at their place in the conversation.
"""

from collections import deque
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.python.failure import Failure

from chat import messages
from chat.codec import BadMessage, UnknownType, decode, encode
from chat.messages import Message, User
from chat.server import attendance, joining, user_events
from chat.server.delivery.dialects import CURRENT, ORIGINAL, Dialect
from chat.server.delivery.feed import Feed
from chat.server.delivery.postponed import Postponed
from chat.server.guard.addresses import counted_as
from chat.server.guard.rates import Rates
from chat.server.requests import HANDLERS, OPEN_TO_ALL, UNMETERED, entering, reading, talking
from chat.server.requests.refusals import Refused, post_refusal, refusal, reply_to
from chat.server.watching import tracing
from chat.store.bus import Event
from chat.store.entries import Author, Publication
from chat.store.keys import cid_name
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.context import Context
    from chat.server.network.connection import Connection

__all__ = ["Session"]

MOST_WAITING: Final = 64
"""Frames that may wait while a request is served. With more, the client is not read."""

LONG: Final = 1_024
"""Frames of this many bytes or more are long. At most one long frame waits at a time: 64 of the
longest would be 4 MiB, on each of very many connections that need not even have logged in. A long
frame also counts as one ping for every so many bytes, because decoding the longest possible one
takes four milliseconds when it is full of unknown members."""

ENDS: Final = frozenset({"replaced", "ended"})
"""Events that end a session, whether its client reads or not."""

SAYINGS: Final = (messages.SmsMes, messages.OriginalSmsMes)


class Session:
    """What the server knows of one connection.

    :ivar key: unique on all servers, part of the session's name in the store.
    :ivar user: who is logged in, None before and after.
    :ivar dialect: how the client's generation encodes and decodes messages.
    :ivar rooms: the conversation ids of the rooms that it hears.
    :ivar entering: held while a room is entered, so that rooms are entered one at a time.
    :ivar untold: the room that is being entered and that the client does not know of yet; empty for
        none.
    :ivar feed: what it hears, from the login on.
    :ivar postponed: events that it is told when it is logged in, or reads again.
    :ivar busy: a request is being served.
    :ivar rates: how much it may send.
    """

    __slots__ = (
        "_language", "_released", "_waiting", "author", "busy", "closed", "connection", "context",
        "device", "dialect", "entering", "feed", "key", "postponed", "rates", "rooms", "untold",
        "user", "user_id", "watched",
    )  # fmt: skip

    def __init__(self, context: "Context", connection: "Connection", key: str) -> None:
        self.context = context
        self.connection = connection
        self.key = key
        self.dialect: Dialect = CURRENT
        self.user: User | None = None
        self.user_id = 0
        self.author = Author(0, "")
        self.device = ""
        self.rooms: set[str] = set()
        self.entering: DeferredLock | None = None  # Made when needed, as few do.
        self.untold = ""
        self.feed: Feed | None = None
        self.watched: frozenset[int] = frozenset()
        self.closed = False
        self.postponed = Postponed()
        self._released: tuple[dict[str, int], frozenset[str]] | None = None
        self.busy = False
        self._language = ""
        self._waiting: deque[bytes] | None = None
        self.rates = Rates(context.settings, context.clock.seconds)

    @property
    def origin(self) -> str:
        """The client's address, as limits count it."""
        return counted_as(self.connection.address)

    @property
    def plain(self) -> bool:
        """Whether it takes a room's frames exactly as they were published."""
        return self.feed is not None and self.feed.plain

    def speaks(self, version: int, language: str) -> None:
        """Take over the client's generation and language from a RegisterMes or LoginMes.

        :param version: 2 or more for a current client.
        :param language: of the sentences it is sent, ``en`` or ``zh``; the server's own for any
            other.
        """
        if self.user is None:
            self.dialect = CURRENT if version >= 2 else ORIGINAL
            self._language = language[:2]  # of zh-TW, zh serves best

    def phrase(self, key: str, **values: object) -> str:
        """The sentence ``key`` of ``chat.server.phrases`` for this client."""
        return self.context.phrases(key, self._language, **values)

    # In --------------------------------------------------------------------------------------

    def frame_received(self, body: bytes) -> None:
        """Serve a frame, or let it wait until its turn comes."""
        if self.closed:
            return
        if len(body) >= LONG and (wait := self.rates.light(len(body) // LONG)):
            self.connection.hold(wait)
        if not self.busy and (self.user or not (self._waiting or self.connection.has_to_wait())):
            self._process(body)
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(body)
        if len(self._waiting) >= MOST_WAITING or len(body) >= LONG:
            self.connection.pause_reading()

    def frame_too_large(self, size: int) -> None:
        """A frame's length is 0 or above the limit: what follows can't be understood, so the
        connection ends."""
        tracing.too_large(self, size)
        self.emit(messages.ErrorMes(413, self.phrase("too-large")))
        self.connection.close()

    def _process(self, body: bytes) -> None:
        try:
            message, request_id = decode(body, self.dialect.requests)
        except BadMessage as error:
            self._malformed(error)
            return
        kind = type(message)
        if kind in UNMETERED and (wait := self.rates.light(stranger=self.user is None)):
            self.connection.hold(wait)  # This one is served, the next ones wait.
        if self.user is None and kind not in OPEN_TO_ALL:
            self.refuse(message, request_id, Refused(401, "login-first"))
        elif isinstance(message, SAYINGS):
            self._say(message, request_id)
        elif isinstance(message, messages.AckMes) and reading.acknowledge_at_once(self, message):
            return
        elif isinstance(message, messages.PingMes):
            self.emit(messages.PongMes(self.context.now()), request_id)
        elif kind not in UNMETERED and (wait := self._seconds_to_wait(kind)):
            self.refuse(message, request_id, Refused(429, "too-fast", wait))
        else:
            self._serve(self._handled(message, request_id), message, request_id)

    def _seconds_to_wait(self, kind: type[Message]) -> float:
        """Count a request; an edit counts as a message.

        :returns: the seconds until it may be made, 0.0 when it may be made now.
        """
        return self.rates.message() if kind is messages.EditMes else self.rates.request()

    def _handled(
        self, message: Message, request_id: str | None
    ) -> Coroutine[Any, Any, Message | None]:
        if isinstance(message, messages.LoginMes):
            return entering.log_in(self, message, request_id)
        return HANDLERS[type(message)](self, message)

    def _say(self, message: "talking.Sms", request_id: str | None) -> None:
        wait = self.rates.message()
        if wait and not getattr(message, "client_id", ""):
            self.refuse(message, request_id, Refused(429, "too-fast", wait))
            return
        # Above the rate it is only answered if it was accepted before, which the store knows.
        try:
            done = talking.post_at_once(self, message, request_id, bool(wait))
        except Exception:
            self.refuse(message, request_id, refusal(Failure(), self.key))
            return
        if not done:
            work = talking.post(self, message, request_id, bool(wait))
            self._serve(work, message, request_id)

    def _serve(
        self,
        work: Coroutine[Any, Any, Message | None],
        message: Message,
        request_id: str | None,
    ) -> None:
        self.busy = True
        answer = Deferred.fromCoroutine(work)
        answer.addCallback(self._served, request_id)
        answer.addErrback(self._failed, message, request_id)
        answer.addErrback(self._broken)

    def _served(self, reply: Message | None, request_id: str | None) -> None:
        if self._released is not None and self.feed is not None:
            self.feed.give_older(*self._released)
        if reply is not None:
            self.emit(reply, request_id)
        self._release()
        if isinstance(reply, messages.LogoutResMes):
            attendance.leave(self, 0.0)
            self.connection.close()
        self.go_on()

    def _failed(self, failure: Failure, message: Message, request_id: str | None) -> None:
        if not self.closed:
            self.refuse(message, request_id, refusal(failure, self.key))
        self._release()
        self.go_on()

    def _release(self) -> None:
        released, self._released = self._released, None
        if released is not None and self.feed is not None:
            self.feed.release(*released)

    def _broken(self, failure: Failure) -> None:
        tracing.failed(self, "answering", failure)
        self.connection.abort()

    def go_on(self, its_turn: bool = False) -> None:
        """Serve the frames that wait, now that no request is being served.

        :param its_turn: the gate lets one frame of a client that is not logged in pass.
        """
        self.busy = False
        waiting = self._waiting
        while waiting and not (self.busy or self.connection.closing or self.connection.behind):
            if not (self.user or its_turn) and self.connection.has_to_wait():
                return
            its_turn = False
            self._process(waiting.popleft())
        if self.connection.paused and not waiting:
            self.connection.resume_reading()

    # Refusals --------------------------------------------------------------------------------

    def _malformed(self, error: BadMessage) -> None:
        if isinstance(error, UnknownType):
            sentence = self.phrase("unknown-type", detail=repr(error.about))
        else:
            sentence = self.phrase("malformed", detail=str(error))
        tracing.refused(self, "", 400, "malformed")
        # An original client expects nothing before its LoginResMes.
        if self.user or self.dialect.is_current:
            self.emit(messages.ErrorMes(400, sentence, error.about), error.request_id)
        self._count_refusal()

    def refuse(self, message: Message, request_id: str | None, why: Refused) -> None:
        """Tell the client that a request is not served."""
        tracing.refused(self, messages.type_name(type(message)), why.code, why.key)
        seconds = max(1, why.retry_after)
        sentence = self.phrase(why.key, seconds=seconds, detail=why.detail)
        self.emit(reply_to(message, why, sentence), request_id)
        self._count_refusal()

    def _count_refusal(self) -> None:
        if self.rates.refusal():
            tracing.flooding(self)
            self.bye(429, "flooding", 30.0)

    # Out -------------------------------------------------------------------------------------

    def emit(self, message: Message, request_id: str | None = None) -> None:
        """Send a message now, unless the client's generation has no such message."""
        frame = self.dialect.message(message, request_id)
        if frame is not None:
            self.emit_frame(frame)

    def emit_frame(self, frame: bytes) -> None:
        """Send a frame now."""
        if self.feed is not None:
            self.feed.about_to_send(None)
        self.connection.send(frame)

    def queue_frame(self, frame: bytes, brings: tuple[str, int] | None) -> None:
        """Send a frame at the end of this turn of the reactor.

        :param brings: conversation id and number of the entry in it, None for another frame. What
            an original client has been sent counts as delivered.
        """
        if self.feed is not None:
            self.feed.about_to_send(brings)
        self.context.writes.add(self.connection, frame)

    def bye(self, code: int, key: str, retry_after: float = 0.0) -> None:
        """Send the reason to a current client, and close the connection.

        :param key: the sentence, in ``chat.server.phrases``.
        :param retry_after: seconds after which the client may come back.
        """
        self.context.tally.goodbyes[key] += 1
        if self.dialect.is_current and not self.connection.closing:
            sentence = self.phrase(key)
            self.connection.send(encode(messages.ByeMes(code, sentence, retry_after)))
        self.connection.close()

    def deliver(self, publication: Publication, claims: Mapping[int, Post]) -> None:
        """Hear consecutive entries of one conversation (``Feed.deliver``)."""
        if self.feed is not None:
            self.feed.deliver(publication, claims)

    # What became of its posts (chat.store.post.Poster) -----------------------------------------

    def post_repeated(self, post: Post, seq: int, time: int, epoch: str, epoch_first: int) -> None:
        """The message was accepted before: answer with the number that it got then."""
        conversation = cid_name(post.cid, self.user_id)
        reply = messages.SmsResMes(
            200, "", post.client_id, conversation, epoch, epoch_first, seq, time, True
        )
        self.emit(reply, post.request_id)

    def post_refused(self, post: Post, code: int, retry_after: float, reason: str = "") -> None:
        """The message was not accepted: answer with the reason."""
        if code == 429:
            retry_after = 1 / (self.context.settings.rate[1] or 1)
        message = messages.SmsMes("", client_id=post.client_id)
        self.refuse(message, post.request_id, post_refusal(code, retry_after, reason))

    def awaits(self, post: Post) -> bool:
        """Whether the publication of a post is still to come to this session."""
        cursor = self.context.registry.cursor_of(self, post.cid)
        return cursor is not None and (cursor.position or 0) < post.seq

    def post_overdue(self, post: Post) -> None:
        """The message was accepted, but its publication never came: answer without it."""
        self.post_repeated(post, post.seq, self.context.now(), "", 0)

    # What else happens -------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        """Something happened to the user, on whichever server: tell the client, now or later."""
        if event.event == "left":
            joining.leave_room(self, event.cid)
        if event.session == self.key:  # by this very session, which has its reply
            return
        if self.user is None or (self._is_late and event.event not in ENDS):
            self.postponed.add(event)
            return
        Deferred.fromCoroutine(user_events.tell(self, event)).addErrback(
            lambda failure: tracing.failed(self, "telling an event", failure)
        )

    def release_after_reply(self, snapshot: dict[str, int], new: frozenset[str]) -> None:
        """End the hold of the feed when the reply to the current request has been sent
        (``Feed.release``)."""
        self._released = snapshot, new

    @property
    def _is_late(self) -> bool:
        """Whether events have to wait: the client does not read, or has not been told earlier ones
        yet."""
        return bool(self.postponed) or (self.feed is not None and self.feed.is_behind)

    def tell_postponed_events(self) -> None:
        """Tell the events that happened while the client was logging in, or did not read."""
        for event in self.postponed.take():
            # A room that was left then may have been joined here since.
            if event.event != "left" or event.cid not in self.rooms:
                self.event(event)

    def delivered(self, cid: str, seq: int) -> None:
        """An original client was given an entry: move the user's ``delivered`` mark."""
        cursor = self.context.registry.cursor_of(self, cid)
        if cursor is not None:
            self.context.marks.move(self.user_id, cid, cursor, delivered=seq)

    def fell_behind(self) -> None:
        """The client does not read what it is sent: read nothing more from it either."""
        if self.feed is not None:
            self.feed.fell_behind()
        self.connection.pause_reading()

    def caught_up(self) -> None:
        """The client has read everything: serve what it asked for, then read from it again."""
        if self.feed is not None:
            self.feed.caught_up()
        if not self.busy:
            self.go_on()

    def connection_lost(self) -> None:
        """The client is gone."""
        self.closed = True
        if self._waiting:
            self._waiting.clear()
        attendance.leave(self)
