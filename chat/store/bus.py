"""The doorbell: one subscription that tells this server what was appended for anybody here.

The log is the truth, so nothing depends on a publication arriving: whoever listens compares
numbers, and after a loss of the connection is told to compare all of them.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.store.entries import ENTRIES, News, Publication
from chat.store.errors import StoreError, StoreUnavailable
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.pubsub import Subscriber
from chat.store.link.redis import Redis

__all__ = ["Bus", "Event", "Listener", "payload"]

RESTORE_SECONDS: Final = 0.25
"""Between two attempts to catch up after the bus came back."""

SURPRISED_SECONDS: Final = 2.0
"""The same after an error that is not the store's."""

CHUNK: Final = 500
"""Channels in one SUBSCRIBE, so that a reconnect with many is no single huge command."""


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """Something that concerns one user's sessions, on whichever server they are.

    ``event`` is ``mark`` (of the user), ``receipt`` (of ``user_id``, the partner), ``joined``,
    ``left``, ``changed`` (a conversation), ``invited`` (by ``user_id``, called ``reason``),
    ``blocked`` and ``unblocked`` (them, by the user), ``replaced`` (a device, by ``session``) or
    ``ended`` (sessions: of ``device``, or all but ``session``'s; for ``reason``, or more precisely
    for ``why``, which a server of before does not know).
    """

    event: str
    cid: str = ""
    epoch: str = ""
    user_id: int = 0
    delivered: int = 0
    read: int = 0
    device: str = ""
    session: str = ""
    reason: str = ""
    why: str = ""


def payload(event: Event) -> bytes:
    """An event as it is published on its user's channel."""
    return b"J" + msgspec.json.encode(event)


class Listener:
    """Who hears the bus; the methods are called in the order things were published."""

    def published(self, user_id: int, publication: Publication) -> None:
        """Entries of a room (``user_id`` 0), or of a private conversation of ``user_id``."""

    def event(self, user_id: int, event: Event) -> None:
        """Something happened to a user."""

    def turn_ended(self) -> None:
        """Nothing more is known for now: what was gathered can be sent."""

    def settled(self) -> Deferred[None]:
        """Fires when nothing is kept back of what was published until now."""
        return succeed(None)

    def lost(self, silent: float) -> None:
        """Publications may be missed until ``came_back``, and since ``silent`` seconds ago."""

    async def came_back(self) -> None:
        """Publications may have been missed; every channel held is subscribed to again."""


class _Channel:
    """One channel, how many want it, and whether the store was asked for it, and confirmed."""

    __slots__ = ("asked", "confirmed", "holders", "user_id", "waiters")

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.holders = 0
        self.asked = self.confirmed = False
        self.waiters: list[Deferred[None]] | None = None  # an empty one takes 56 bytes

    def answer(self) -> Deferred[None]:
        """Fires when the store has confirmed, or will not: ``confirmed`` says which."""
        if not self.asked:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self.waiters = [*(self.waiters or ()), waiter]
        return waiter

    def answered(self, result: Any) -> None:
        """The store confirmed the subscription, or it failed: a Failure."""
        self.asked = self.confirmed = not isinstance(result, Failure)
        waiters, self.waiters = self.waiters, None
        for waiter in waiters or ():
            waiter.callback(None)


class Bus:
    """Counts who wants which channel, subscribes, and decodes what is published.

    :ivar pipe: the connection, which also carries posts.
    :ivar problem: why nothing is heard although the store is there; empty while all is well.
    :param listener: set it before ``start``.
    """

    _log = Logger()
    listener: Listener

    def __init__(self, reactor: Any, address: Address, keys: Keys, redis: Redis) -> None:
        self._reactor = reactor
        self._keys = keys
        self._redis = redis
        self._channels: dict[bytes, _Channel] = {}
        self._handlers: dict[bytes, Callable[[bytes], None]] = {}
        self._payload = b""
        self._news: News
        self._ready = False
        self._losses = 0
        self.problem = ""
        self.pipe = Subscriber(
            reactor,
            address,
            on_message=self._message,
            on_batch_end=self._batch_ended,
            on_connected=self._connected,
            on_lost=self._lost,
            deadline=redis.deadline,
        )

    @property
    def ready(self) -> bool:
        """Whether publications arrive here, and nothing that was published before is missing."""
        return self._ready

    def start(self) -> None:
        """Connect, and come back after every loss."""
        self.pipe.start()

    async def stop(self) -> None:
        """Close the connection."""
        self._ready = False
        await self.pipe.stop()

    def handle(self, channel: bytes, handler: Callable[[bytes], None]) -> None:
        """Pass what is published on another kind of channel to ``handler``, from the next
        connection on."""
        self._handlers[channel] = handler

    # Channels --------------------------------------------------------------------------------

    def hold_user(self, user_id: int) -> None:
        """Subscribe to a user's channel. It is confirmed by the store's next answer on this
        connection (see ``hears``)."""
        self._ask_for(self._keys.user_channel(user_id), user_id)

    def hold_room(self, cid: str) -> bool:
        """Subscribe to a room's channel in the same way.

        :returns: whether it was confirmed before.
        """
        return self._ask_for(self._keys.room_channel(cid), 0).confirmed

    def hears(self, user_id: int, cids: Iterable[str]) -> bool:
        """Whether the store has confirmed the subscriptions to a user's channel and to those of
        rooms."""
        held = [self._keys.user_channel(user_id), *map(self._keys.room_channel, cids)]
        known = map(self._channels.get, held)
        return all(channel is not None and channel.confirmed for channel in known)

    async def hold_rooms(self, cids: Iterable[str]) -> None:
        """Subscribe to the channels of rooms, and wait until the store has confirmed them.

        :raises StoreUnavailable: the store is away; none of them is held then.
        """
        channels = [self._ask_for(self._keys.room_channel(cid), 0) for cid in cids]
        awaited = [channel.answer() for channel in channels if not channel.confirmed]
        if awaited:
            await DeferredList(awaited, consumeErrors=True)
        if not all(channel.confirmed for channel in channels):
            for cid in cids:
                self.release_room(cid)
            raise StoreUnavailable("a subscription was not confirmed")

    def release_user(self, user_id: int) -> None:
        """Give back one ``hold_user``."""
        self._release(self._keys.user_channel(user_id))

    def release_room(self, cid: str) -> None:
        """Give back one ``hold_room``, or one room of ``hold_rooms``."""
        self._release(self._keys.room_channel(cid))

    def _ask_for(self, channel: bytes, user_id: int) -> _Channel:
        known = self._channels.get(channel)
        if known is None:
            known = self._channels[channel] = _Channel(user_id)
        known.holders += 1
        if not known.asked:
            known.asked = True
            self.pipe.subscribe(channel).addBoth(known.answered)
        return known

    def _release(self, channel: bytes) -> None:
        known = self._channels.get(channel)
        if known is None:
            return
        known.holders -= 1
        if known.holders <= 0:
            del self._channels[channel]
            if self.pipe.connected:
                self.pipe.unsubscribe(channel)

    def fence(self) -> Deferred[None]:
        """Fires when everything that was published before this call has been passed on, and whoever
        hears it holds none of it back."""
        return self.pipe.fence().addCallback(lambda _: self.settled())

    def settled(self) -> Deferred[None]:
        """The same for what was published before an answer that has come on this connection."""
        return self.listener.settled()

    # Out -------------------------------------------------------------------------------------

    def tell(self, user_id: int, event: Event) -> Deferred[Any]:
        """Tell something to every server with a session of a user."""
        return self._redis.call("PUBLISH", self._keys.user_channel(user_id), payload(event))

    # In --------------------------------------------------------------------------------------

    def _message(self, channel: bytes, payload: bytes) -> None:
        known = self._channels.get(channel)
        if known is None:
            handler = self._handlers.get(channel)
            if handler is not None:
                handler(payload)
        elif payload[:1] == ENTRIES:
            # A private entry is published to both users, often one right after the other.
            if payload != self._payload:
                self._payload, self._news = payload, News(payload)
            self.listener.published(known.user_id, self._news.for_user(known.user_id))
        else:
            event = msgspec.json.decode(payload[1:], type=Event)
            self.listener.event(known.user_id, event)

    def _batch_ended(self) -> None:
        self.listener.turn_ended()

    def _connected(self) -> None:
        self._losses += 1
        self._keep(self._restore(self._losses))

    def _lost(self) -> None:
        self._ready = False
        self.listener.lost(self._reactor.seconds() - self.pipe.complete_until)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(
            lambda failure: self._log.failure("the bus could not be restored", failure)
        )

    async def _restore(self, connection: int) -> None:
        """Subscribe to everything again and let the listener catch up, until that is done or the
        connection is lost once more."""
        while self.pipe.connected and connection == self._losses:
            channels = [*self._handlers, *self._channels]
            try:
                for start in range(0, len(channels), CHUNK):
                    await self.pipe.subscribe(*channels[start : start + CHUNK])
                await self._redis.when_connected()
                await self.listener.came_back()
            except StoreError as error:
                if self.problem != str(error):
                    self.problem = str(error)
                    self._log.warn("the bus can't be restored yet: {why}", why=error)
                await deferLater(self._reactor, RESTORE_SECONDS)
            except Exception:  # Without another try the server would refuse posts for ever.
                self._log.failure("the bus could not be restored")
                await deferLater(self._reactor, SURPRISED_SECONDS)
            else:
                self._ready = self.pipe.connected and connection == self._losses
                self.problem = ""
                return
