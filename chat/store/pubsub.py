"""What the store publishes: messages in order, and fences, on one connection that comes back."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import txredisapi
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chat.store.address import Address
from chat.store.connection import Answer, Owner, Word, error_of, fail_all, greet, pack
from chat.store.interface import StoreUnavailable

__all__ = ["Subscriber"]


READ_SIZE: Final = 1 << 18
"""Bytes taken from the socket at a time; Twisted's own size is a quarter of it."""


class _Asked:
    """A command of a subscriber and how many answers it still gets: one for each channel."""

    __slots__ = ("answer", "left")

    def __init__(self, left: int) -> None:
        self.answer: Answer = Deferred()
        self.left = left


class _Subscription(txredisapi.SubscriberProtocol):
    """Messages, and between them the answers to commands, in order."""

    def __init__(self, owner: "Subscriber", *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._owner = owner
        self._asked: deque[_Asked] = deque()
        self._pinged = False
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> Deferred[None]:
        self._look_again()
        # What a busy store has said by now, in one read and so as one turn.
        transport: Any = self.transport
        transport.bufferSize = READ_SIZE
        return super().connectionMade()

    def ask(self, words: tuple[Word, ...], answers: int = 1) -> Answer:
        """Send a command which the store answers ``answers`` times."""
        asked = _Asked(answers)
        self._asked.append(asked)
        self.transport.write(pack(words))
        return asked.answer

    def execute_command(self, *args: Any, **kwargs: Any) -> Answer:
        """What txredisapi's own handshake calls."""
        return self.ask(args)

    def select(self, index: int) -> Answer:
        return greet(self, self._owner.address)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        owner, take = self._owner, self._reader.gets
        self._pinged = False
        self._reader.feed(data)
        delivered = False
        while (reply := take()) is not False:
            if type(reply) is list and reply[0] == b"message":
                delivered = True
                try:
                    owner.on_message(reply[1], reply[2])
                except Exception:
                    owner.log.failure("A message from the store could not be handled")
                continue
            if delivered:
                delivered = False
                owner.guarded(owner.on_batch_end)
            self._answered(reply)
        if delivered:
            owner.guarded(owner.on_batch_end)

    def _answered(self, reply: Any) -> None:
        """All that is no message answers the oldest command, whatever it looks like."""
        if not self._asked:
            self._give_up()
            return
        asked = self._asked[0]
        asked.left -= 1
        if isinstance(reply, txredisapi.ResponseError):  # the one answer to the whole command
            self._asked.popleft()
            asked.answer.errback(error_of(reply))
        elif asked.left == 0:
            self._asked.popleft()
            asked.answer.callback(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._owner.closed(self, reason)
        self._end()

    def _look_again(self) -> None:
        self._timer = self._owner.reactor.callLater(self._owner.ping_every, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._pinged:
            self._give_up()
            return
        self._pinged = True
        # What comes may have waited in the kernel for long: only an answer says how new it is.
        asked_at = self._owner.reactor.seconds()
        self.ask((b"PING",)).addBoth(self._answered_ping, asked_at)
        self._look_again()

    def _answered_ping(self, _: object, asked_at: float) -> None:
        """Everything that was published before ``asked_at`` is here, if the store is."""
        if self._owner.connected:
            self._owner.complete_until = asked_at

    def _give_up(self) -> None:
        self._end()
        self.transport.abortConnection()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.lost(self)
        asked, self._asked = self._asked, deque()
        why = partial(StoreUnavailable, "the subscriber's connection was lost")
        fail_all((each.answer for each in asked), why)


class Subscriber(Owner[_Subscription]):
    """One connection for pub/sub, which comes back by itself, without its subscriptions.

    :param on_message: gets the channel and what was published.
    :param on_batch_end: called after each run of messages that came together, before a fence
        behind them fires.
    :param on_connected: the place to subscribe, each time.
    :param ping_every: seconds between two questions to the store; it has as long to say anything.
    :ivar complete_until: what was published before then was received, in the reactor's seconds.
    """

    def __init__(
        self,
        reactor: Any,
        address: Address,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_batch_end: Callable[[], None],
        on_connected: Callable[[], None],
        on_lost: Callable[[], None],
        ping_every: float = 3.0,
    ) -> None:
        super().__init__(reactor, address)
        self.on_message = on_message
        self.on_batch_end = on_batch_end
        self.on_connected = on_connected
        self.on_lost = on_lost
        self.ping_every = ping_every
        self.complete_until = reactor.seconds()
        self._fences: list[Deferred[None]] = []

    def subscribe(self, *channels: bytes) -> Deferred[None]:
        """Subscribe.

        :returns: fires when the store has confirmed every channel; fails with StoreUnavailable
            when that can't happen any more on this connection.
        """
        if not channels:
            return succeed(None)
        return self._ask((b"SUBSCRIBE", *channels), len(channels))

    def unsubscribe(self, *channels: bytes) -> None:
        """Unsubscribe; a message that is under way may still come."""
        if channels:
            self._ask((b"UNSUBSCRIBE", *channels), len(channels)).addErrback(lambda _: None)

    def fence(self) -> Deferred[None]:
        """Everything published before this call has been received when the result fires.

        The fences of one reactor turn share one PING, sent after the last of them: the store
        answers in the order in which it publishes. Fails with StoreUnavailable like ``subscribe``.
        """
        fence: Deferred[None] = Deferred()
        if not self._fences:
            self.reactor.callLater(0, self._send_fence)
        self._fences.append(fence)
        return fence

    def _send_fence(self) -> None:
        fences, self._fences = self._fences, []

        def passed(_: object) -> None:
            for fence in fences:
                fence.callback(None)

        def failed(why: Failure) -> None:
            for fence in fences:
                fence.errback(why)

        def answered(why: Failure) -> Failure | None:
            # A store that can't write says so even to PING; all that counts is when it says it.
            return None if self.connected else why

        self._ask((b"PING",)).addErrback(answered).addCallbacks(passed, failed)

    def _ask(self, words: tuple[Word, ...], answers: int = 1) -> Answer:
        if self._connection is None:
            return fail(StoreUnavailable("not connected to the store"))
        return self._connection.ask(words, answers)

    def build(self, *arguments: Any, **options: Any) -> _Subscription:
        return _Subscription(self, *arguments, **options)

    def changed(self, connected: bool) -> None:
        self.guarded(self.on_connected if connected else self.on_lost)
