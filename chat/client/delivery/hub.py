"""Listeners for events, async iterators over messages, and those who wait for a single change."""

from collections.abc import Callable
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chat.client.delivery.stream import Stream
from chat.client.errors import Closed
from chat.client.events import EpochChanged, Event, MessageArrived

__all__ = ["Hub"]


class Hub:
    """Passes events on, and ends all waiting when the client stops."""

    log: ClassVar[Logger] = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._listeners: list[Callable[[Event], None]] = []
        self._streams: list[Stream] = []
        self._waiters: list[Deferred[None]] = []
        self._sleepers: dict[Deferred[None], IDelayedCall] = {}

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener`` with each event; the function returned ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def feed(self, stream: Stream) -> None:
        """Give ``stream`` everything that is handed out from now on."""
        self._streams.append(stream)

    def emit(self, event: Event) -> None:
        """Tell everybody. A listener that fails does not affect the others."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                self.log.failure("a listener failed on {event}", event=type(event).__name__)
        if isinstance(event, MessageArrived | EpochChanged):
            for stream in tuple(self._streams):
                stream.put(event)

    def change(self) -> Deferred[None]:
        """Fires at the next ``changed``."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def changed(self) -> None:
        """Wake those who wait for a change."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    async def sleep(self, seconds: float) -> None:
        """Wait, but not beyond ``end``.

        :raises Closed: the client has stopped meanwhile.
        """
        sleeper: Deferred[None] = Deferred()
        self._sleepers[sleeper] = self._clock.callLater(seconds, self._wake, sleeper)
        await sleeper

    def _wake(self, sleeper: Deferred[None]) -> None:
        del self._sleepers[sleeper]
        sleeper.callback(None)

    def end(self, end: Closed) -> None:
        """The client has stopped: nobody sleeps on, the streams are over."""
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.finish(end)
        sleepers, self._sleepers = self._sleepers, {}
        for sleeper, timer in sleepers.items():
            timer.cancel()
            sleeper.errback(end)
