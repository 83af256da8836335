"""One connection for posts to the store and its publications, which reconnects by itself.

It speaks RESP3, in which publications come between the answers, and txredisapi does not. One
connection, because an answer and the publications of the same call then arrive in one read and are
one turn of the reactor. With two, each message costs a wake-up more, which is what a lone message
waits for.
"""

from collections.abc import Callable
from errno import EWOULDBLOCK
from typing import Any, Final

from hiredis import PushNotification
from twisted.internet import tcp
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chat.store.errors import FateUnknown, StoreUnavailable
from chat.store.link.address import Address
from chat.store.link.connection import Answer, Word
from chat.store.link.redis import SECOND_LOOK, Commands, Redis
from chat.store.turn import at_turn_end

__all__ = ["Subscriber"]


READ_SIZE: Final = 120 << 10
"""Bytes taken from the socket at a time, almost twice Twisted's own size. Above glibc's threshold
of 128 KiB each read would map and unmap memory, which costs as much as handling a message."""


class _Subscription(Commands):
    """Publications, and among them the answers to calls, in order."""

    _owner: "Subscriber"

    def __init__(self, owner: "Subscriber", *arguments: Any, **options: Any) -> None:
        super().__init__(owner, *arguments, **options)
        self._pinged = self._missing = False
        self._ping_timer: IDelayedCall | None = None

    def connectionMade(self) -> Deferred[None]:
        self._ping_later(self._owner.ping_every)
        if isinstance(self.transport, tcp.Connection):
            transport: Any = self.transport
            transport.doRead = self._read
        return super().connectionMade()

    def select(self, index: int) -> Answer:
        return super().select(index).addCallback(lambda _: self.ask((b"HELLO", 3)))

    def send_at_once(self, packed: bytes) -> None:
        """Write now: a turn's posts are one call, and somebody waits for it. Everything else in a
        turn goes out together, so that it wakes the store only once."""
        transport: Any = self.transport
        if isinstance(transport, tcp.Connection) and _is_idle(transport):
            try:
                sent = transport.socket.send(packed)
            except OSError:
                sent = 0  # It would block, or is gone: the ordinary way finds out which.
            if sent == len(packed):
                return
            packed = packed[sent:]
        transport.write(packed)

    def _read(self) -> Exception | None:
        """Read what has come, called by the reactor. All that a busy store has said by now is one
        read, and so one turn.

        (Twisted looks for file descriptors in what a Unix socket brings, and passes the rest on
        through two wrappers: ten more steps of the interpreter each time.)
        """
        transport: Any = self.transport
        try:
            data = transport.socket.recv(READ_SIZE)
        except OSError as error:
            return None if error.errno == EWOULDBLOCK else CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.dataReceived(data)
        return None

    def take(self, data: bytes) -> None:
        owner, take = self._owner, self._reader.gets
        # The store is alive: its answer may be behind a long queue of publications.
        self._pinged, self._overdue = False, None
        self._reader.feed(data)
        delivered = False
        while (reply := take()) is not False:
            if type(reply) is PushNotification and reply[0] == b"message":
                delivered = True
                try:
                    owner.on_message(reply[1], reply[2])
                except Exception:
                    owner.log.failure("A message from the store could not be handled")
                continue
            if delivered:
                delivered = False
                owner.guarded(owner.on_batch_end)
            self.answered(reply)
        if delivered:
            owner.guarded(owner.on_batch_end)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._ping_timer is not None:
            self._ping_timer.cancel()
            self._ping_timer = None
        super().connectionLost(reason)

    def _ping_later(self, seconds: float) -> None:
        self._ping_timer = self._owner.reactor.callLater(seconds, self._ping)

    def _ping(self) -> None:
        self._ping_timer = None
        if self._pinged and not self._missing:
            # This process, or the machine, may have stood still: first read what has come by now.
            self._missing = True
            self._ping_later(SECOND_LOOK)
            return
        if self._pinged:
            self.give_up("the store says nothing any more")
            return
        self._pinged, self._missing = True, False
        # Publications may have waited in the kernel: only an answer shows how recent they are.
        asked_at = self._owner.reactor.seconds()
        self.ask((b"PING",)).addBoth(self._answered_ping, asked_at)
        self._ping_later(self._owner.ping_every)

    def _answered_ping(self, _: object, asked_at: float) -> None:
        """Everything that was published before ``asked_at`` is here."""
        if self._owner.connected:
            self._owner.complete_until = asked_at


def _is_idle(transport: tcp.Connection) -> bool:
    """Whether nothing waits to be written, so that what is written now goes out next."""
    return bool(
        transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
    )


class Subscriber(Redis):
    """One connection for posts and publications, which reconnects without its subscriptions.

    :param on_message: gets the channel and what was published.
    :param on_batch_end: called after each run of messages that came together, before a fence behind
        them fires.
    :param on_connected: called on each new connection, to subscribe.
    :param ping_every: seconds between two questions to the store, and how long it may be silent.
    :ivar complete_until: everything that was published before this moment, in the reactor's
        seconds, was received.
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
        deadline: float = 5.0,
    ) -> None:
        super().__init__(reactor, address, deadline=deadline)
        self.on_message = on_message
        self.on_batch_end = on_batch_end
        self.on_connected = on_connected
        self.on_lost = on_lost
        self.ping_every = ping_every
        self.complete_until = reactor.seconds()
        self._fences: list[Deferred[None]] = []
        self._at_turn_end = at_turn_end(reactor)

    def subscribe(self, *channels: bytes) -> Deferred[None]:
        """Subscribe.

        :returns: fires when the store has confirmed every channel; fails with StoreUnavailable
            when that can't happen any more on this connection.
        """
        if not channels:
            return succeed(None)
        return self._ask((b"SUBSCRIBE", *channels), len(channels))

    def unsubscribe(self, *channels: bytes) -> None:
        """Unsubscribe. A message that is on its way may still come."""
        if channels:
            self._ask((b"UNSUBSCRIBE", *channels), len(channels)).addErrback(lambda _: None)

    def fence(self) -> Deferred[None]:
        """Fires when everything that was published before this call has been received.

        The fences of one reactor turn share one PING, sent after the last of them: the store
        answers in the order in which it publishes. Fails with StoreUnavailable, like ``subscribe``.
        """
        fence: Deferred[None] = Deferred()
        if not self._fences:
            self._at_turn_end(self._send_fence)
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
            # A store that can't write answers even PING with an error: only the time counts.
            return None if self.connected else why

        self._ask((b"PING",)).addErrback(answered).addCallbacks(passed, failed)

    def _ask(self, words: tuple[Word, ...], answers: int = 1) -> Answer:
        return self.call(*words, answers=answers).addErrback(_unavailable)

    def build(self, *arguments: Any, **options: Any) -> _Subscription:
        return _Subscription(self, *arguments, **options)

    def changed(self, connected: bool) -> None:
        super().changed(connected)
        self.guarded(self.on_connected if connected else self.on_lost)


def _unavailable(why: Failure) -> Failure:
    """A subscription or a fence has failed, and nothing is left of it."""
    if why.check(FateUnknown):
        return Failure(StoreUnavailable("the subscriber's connection was lost"))
    return why
