"""Sends the outbox: in order per conversation; again under the same id when the fate is unknown."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.client.delivery.outbox import FORGOTTEN_AFTER, Kept, Outbox
from chat.client.errors import BadServer, Closed, FateUnknown, NotConnected, Refused
from chat.client.events import (
    Event,
    Failed,
    MessageState,
    MessageStateChanged,
    Outgoing,
    Queued,
    Sending,
    Stored,
    Withdrawn,
)
from chat.codec import FRAME_LIMIT, ID_LIMIT, LENGTH_SIZE, encode
from chat.messages import LARGEST, Entry, Request, SmsMes, SmsResMes
from chat.names import check_client_id

__all__ = ["TOO_LONG", "Sender", "SentMessage", "ends_connections"]

AT_A_TIME = 32
"""Messages of all conversations that may be unanswered: about the burst that a server allows."""

FOR_THE_MOMENT = frozenset({401, 429, 503, 504})
"""Refusals that are not about the message: it is sent again."""

TOO_LATE = Failed(504, "it may have been sent, too long ago to be repeated safely")
TOO_LONG = Failed(413, "longer than the server takes at once")

PAUSE = 1.0
"""Seconds before a message is sent again, where the server does not say how long to wait."""

SHORTEST_GAP = 0.01
LONGEST_GAP = 5.0
SPEED_UP = 0.9
SLOW_DOWN = 1.3
"""Seconds, and factors: after a 429 messages keep a distance that finds the server's rate."""


def ends_connections(request: Request) -> bool:
    """Whether a server with the usual options hangs up on a frame of this size.

    Such a message is tried once. If no answer comes, trying again would end one connection after
    the other.
    """
    return len(encode(request, "1" * ID_LIMIT)) - LENGTH_SIZE > FRAME_LIMIT


class SentMessage:
    """A message given to ``send``, and what became of it."""

    def __init__(self, outgoing: Outgoing, state: MessageState) -> None:
        self.outgoing = outgoing
        """What is sent, to whom, under which ``client_id``."""
        self.state = state
        """Queued, Sending, Stored, Failed or Withdrawn, as of now."""
        self.doubtful = isinstance(state, Sending)
        """Whether it may have been stored without our knowing."""
        self.tried_at = outgoing.written / 1000
        """No try before this moment, in seconds since 1970 UTC, can have stored it."""
        self._waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        """Without the text, which has no place in a log."""
        name = f"{type(self).__name__} {self.outgoing.client_id}"
        return f"<{name} to {self.outgoing.to}: {self.state}>"

    async def stored(self) -> Stored:
        """Wait until the server has accepted the message, over reconnects and temporary refusals
        (429, 503, 504).

        :raises Refused: refused for good (400, 403, 404, 413, ...), or withdrawn (code 0).
        :raises Closed: the client was stopped before that was known.
        """
        while isinstance(self.state, Queued | Sending):
            decided: Deferred[None] = Deferred()
            self._waiting.append(decided)
            await decided
        if isinstance(self.state, Stored):
            return self.state
        if isinstance(self.state, Failed):
            raise Refused(self.state.code, self.state.sentence)
        raise Refused(0, "the message was withdrawn")

    def _changed(self, state: MessageState) -> None:
        self.state = state
        waiting, self._waiting = self._waiting, []
        for decided in waiting:
            decided.callback(None)

    def _ended(self, end: Closed) -> None:
        waiting, self._waiting = self._waiting, []
        for decided in waiting:
            decided.errback(end)


class _Lane:
    """The unsent messages to one conversation, in their order."""

    def __init__(self) -> None:
        self.messages: dict[str, SentMessage] = {}
        self.in_flight: set[str] = set()

    def next(self, pipeline: int) -> SentMessage | None:
        """The oldest message that is not waiting for an answer, unless ``pipeline`` others are."""
        if len(self.in_flight) >= pipeline:
            return None
        return next(
            (each for name, each in self.messages.items() if name not in self.in_flight), None
        )


class Sender:
    """Brings the outbox to the server.

    :param now: the time of day, in seconds since 1970 UTC.
    :param ask: sends a request on the present connection and waits for the reply.
    :param accepted: called with one's own message when it was accepted, in the order of the pushes.
    :param pipeline: messages per conversation that may be unanswered.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        outbox: Outbox,
        ask: Callable[[SmsMes], Awaitable[SmsResMes]],
        emit: Callable[[Event], None],
        accepted: Callable[[Outgoing, SmsResMes], None],
        pipeline: int,
    ) -> None:
        self._clock = clock
        self._now = now
        self._outbox = outbox
        self._ask = ask
        self._emit = emit
        self._accepted = accepted
        self._pipeline = pipeline
        self._lanes: dict[str, _Lane] = {}
        self._messages: dict[str, SentMessage] = {}
        self._running = False
        self._window = AT_A_TIME
        self._gap = 0.0
        self._in_flight = 0
        self._resume: IDelayedCall | None = None
        for kept in outbox.pending():
            self._take(SentMessage(kept.message, self._first_state(kept)))

    @property
    def messages(self) -> Sequence[SentMessage]:
        """What is in the outbox, oldest first."""
        return list(self._messages.values())

    def send(self, to: str, text: str, client_id: str, reply: int = 0) -> SentMessage:
        """Keep a message, and send it when its turn comes.

        :returns: the message; if one with this ``client_id`` is under way already, that one.
        """
        if not 0 <= reply <= LARGEST:
            raise ValueError(f"{reply} is no number of an entry")
        if client_id:
            check_client_id(client_id)
            if client_id in self._messages:
                return self._messages[client_id]
        f"{to}{text}".encode()
        kept = self._outbox.add(to, text, self._now(), client_id, reply)
        message = SentMessage(kept, Queued())
        self._take(message)
        self._emit(MessageStateChanged(message.outgoing, message.state))
        self._pump()
        return message

    def withdraw(self, client_id: str) -> bool:
        """Drop a message that is Queued or has Failed."""
        message = self._messages.get(client_id)
        if message is None or not isinstance(message.state, Queued | Failed):
            return False
        self._drop(message, Withdrawn())
        return True

    def retry(self, client_id: str) -> bool:
        """Send a message that has Failed once more."""
        message = self._messages.get(client_id)
        if message is None or not isinstance(message.state, Failed):
            return False
        self._outbox.again(client_id)
        message.doubtful = message.state == TOO_LONG
        self._show(message, Queued())
        self._take(message)
        self._pump()
        return True

    def start(self) -> None:
        """There is a connection, and we are logged in on it."""
        self._running = True
        self._pump()

    def stop(self) -> None:
        """The connection is gone; what has no answer is sent again after the next login."""
        self._running = False
        if self._resume is not None:
            self._resume.cancel()
        self._resume = None

    def end(self, end: Closed) -> None:
        """The client has stopped: nobody waits any longer. The messages stay."""
        for message in self.messages:
            message._ended(end)

    def settle(self, reply: SmsResMes) -> None:
        """A reply came for which nobody waits: after a 504 a message may still be accepted."""
        message = self._messages.get(reply.client_id)
        if message is not None and reply.code == 200:
            self._store(message, reply)

    def seen(self, entry: Entry) -> None:
        """One's own message came out of the history: it is stored, whatever was answered."""
        message = self._messages.get(entry.client_id)
        if message is not None:
            stored = Stored(entry.conversation, entry.epoch, entry.seq, entry.time)
            self._drop(message, stored)

    def found(self, entry: Entry) -> None:
        """One's own message was found in a page of history. If it counts as failed because no
        answer came in time, it has not failed."""
        message = self._messages.get(entry.client_id)
        if message is not None and isinstance(message.state, Failed):
            self.seen(entry)

    # Inside --------------------------------------------------------------------------------------

    def _first_state(self, kept: Kept) -> MessageState:
        if kept.failed is not None:
            return kept.failed
        if not kept.tried:
            return Queued()
        if self._now() - kept.message.written / 1000 > FORGOTTEN_AFTER:
            self._outbox.failed(kept.message.client_id, TOO_LATE)
            return TOO_LATE
        return Sending()

    def _take(self, message: SentMessage) -> None:
        name = message.outgoing.client_id
        self._messages[name] = message
        if not isinstance(message.state, Failed):
            self._lanes.setdefault(message.outgoing.to, _Lane()).messages[name] = message

    def _pump(self) -> None:
        """Send what may be sent now, one message of each conversation in turn."""
        sent = True
        while sent:
            sent = False
            for lane in list(self._lanes.values()):
                room = self._running and self._in_flight < self._window and not self._resume
                message = lane.next(self._pipeline) if room else None
                if message is not None:
                    self._deliver(lane, message)
                    sent = True

    def _deliver(self, lane: _Lane, message: SentMessage) -> None:
        lane.in_flight.add(message.outgoing.client_id)
        self._in_flight += 1
        if not message.doubtful:
            message.tried_at = self._now()
        self._outbox.tried(message.outgoing.client_id)
        if not isinstance(message.state, Sending):
            self._show(message, Sending())
        delivery = Deferred.fromCoroutine(self._bring(message))
        delivery.addErrback(self._stumbled)
        delivery.addCallback(lambda _: self._landed(lane, message))

    def _stumbled(self, failure: Failure) -> None:
        """Something went wrong on this side: try again, but not without a pause."""
        self.log.failure("a message was not sent", failure)
        self._pause(PAUSE)

    def _landed(self, lane: _Lane, message: SentMessage) -> None:
        self._in_flight -= 1
        lane.in_flight.discard(message.outgoing.client_id)
        self._tidy(message.outgoing.to)
        if self._gap:
            self._pause(self._gap)
        self._pump()

    async def _bring(self, message: SentMessage) -> None:
        outgoing = message.outgoing
        request = SmsMes(outgoing.text, outgoing.to, outgoing.client_id, outgoing.reply)
        if message.doubtful and self._now() - message.tried_at > FORGOTTEN_AFTER:
            self._fail(message, TOO_LATE)
            return
        if message.doubtful and ends_connections(request):
            self._fail(message, TOO_LONG)
            return
        try:
            reply = await self._ask(request)
        except NotConnected:
            self._back(message)
        except (FateUnknown, BadServer):
            message.doubtful = True
            self._pause(PAUSE)
        except Refused as error:
            self._refused(message, error)
        else:
            if reply.code == 200:
                self._works()
                self._store(message, reply)
            else:
                self._refused(message, Refused(reply.code, reply.error, reply.retry_after))

    def _store(self, message: SentMessage, reply: SmsResMes) -> None:
        if isinstance(message.state, Stored):
            return
        stored = Stored(reply.conversation, reply.epoch, reply.seq, reply.time)
        self._drop(message, stored)
        self._accepted(message.outgoing, reply)

    def _refused(self, message: SentMessage, error: Refused) -> None:
        if isinstance(message.state, Stored):
            return
        if error.code in FOR_THE_MOMENT:
            message.doubtful = message.doubtful or error.code == 504
            self._slow_down(error)
            self._back(message)
            return
        self._fail(message, Failed(error.code, error.sentence))

    def _fail(self, message: SentMessage, failure: Failed) -> None:
        self._outbox.failed(message.outgoing.client_id, failure)
        self._leave_lane(message)
        self._show(message, failure)

    def _back(self, message: SentMessage) -> None:
        """The message was not sent. It waits again, and can be withdrawn unless its fate is
        unknown."""
        if not message.doubtful:
            self._show(message, Queued())

    def _works(self) -> None:
        """Speed up a little, as long as nothing is refused."""
        self._gap = self._gap * SPEED_UP if self._gap > SHORTEST_GAP else 0.0
        self._window = 1 if self._gap else min(AT_A_TIME, 2 * self._window)

    def _slow_down(self, error: Refused) -> None:
        """Send one message at a time until it works again: a hundred refusals in 10 s end the
        connection."""
        wait = error.retry_after or PAUSE
        self._window = 1
        if error.code == 429 and self._resume is None:
            self._gap = min(LONGEST_GAP, max(min(wait, PAUSE), self._gap * SLOW_DOWN))
        self._pause(wait)

    def _pause(self, seconds: float) -> None:
        if self._running and self._resume is None:
            self._resume = self._clock.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        self._resume = None
        self._pump()

    def _drop(self, message: SentMessage, state: MessageState) -> None:
        self._outbox.done(message.outgoing.client_id)
        del self._messages[message.outgoing.client_id]
        self._leave_lane(message)
        self._show(message, state)

    def _leave_lane(self, message: SentMessage) -> None:
        lane = self._lanes.get(message.outgoing.to)
        if lane is not None:
            lane.messages.pop(message.outgoing.client_id, None)
            self._tidy(message.outgoing.to)

    def _tidy(self, to: str) -> None:
        lane = self._lanes.get(to)
        if lane is not None and not lane.messages and not lane.in_flight:
            del self._lanes[to]

    def _show(self, message: SentMessage, state: MessageState) -> None:
        message._changed(state)
        self._emit(MessageStateChanged(message.outgoing, state))
