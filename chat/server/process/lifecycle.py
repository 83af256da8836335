"""The life of every process of the server: it binds, starts, reloads and stops."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.server.network.listening import Listeners
from chat.server.process.logs import log_from
from chat.server.process.reloading import Reloading
from chat.server.process.starting import calm_signals, exit_with_status_1, on_hangup, stop
from chat.server.settings import Settings
from chat.store.errors import CannotStart

if TYPE_CHECKING:
    from chat.server.watching.endpoint import Pages

__all__ = ["Lifecycle"]


class Lifecycle(Service):
    """A service that binds its ports first, and starts the rest once the reactor runs.

    What has started is stopped in the opposite order, however the start ended.

    :param read_again: reads the settings as they are written now, for SIGHUP.
    :ivar listeners: where it listens; tests ask it for the port.
    :ivar pages: what ``--metrics`` shows, None without it.
    :ivar parts: stops each part that has started.
    :ivar reloading: passes on other settings while the server runs.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        listeners: Listeners,
        read_again: Callable[[], Settings] | None = None,
    ) -> None:
        self.reactor = reactor
        self.listeners = listeners
        self.pages: Pages | None = None
        self.reloading = Reloading(settings, read_again or (lambda: settings))
        self.parts = AsyncExitStack()
        self._started: Deferred[bool] = succeed(False)
        self.stopping = False
        self._has_ports = False
        self._unfilter_log: Callable[[], None] = lambda: None

    async def start(self, parts: AsyncExitStack) -> None:
        """Start everything.

        :param parts: gets what stops each part.
        :raises CannotStart: with a sentence for whoever started the server.
        """
        raise NotImplementedError

    def privilegedStartService(self) -> None:
        """Bind the ports, which may need privileges that are dropped next.

        :raises CannotStart: a port can't be bound.
        """
        super().privilegedStartService()
        self._has_ports = True
        if self.pages is not None:
            self.pages.bind()
        self.listeners.bind()

    def startService(self) -> None:
        """Begin to start once the reactor runs. If that fails, the process ends with status 1."""
        super().startService()
        if not self._has_ports:  # Twisted's other runner, twist, drops no privileges.
            self.privilegedStartService()
        if self.pages is not None:
            self.parts.push_async_callback(self.pages.close)
            self.pages.start()
        self.parts.callback(on_hangup(self.reactor, self.reloading.reload))
        self.reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Stop everything that has started; fires when the store has ended too."""
        super().stopService()
        self.stopping = True
        return Deferred.fromCoroutine(self._stop())

    def when_started(self) -> Deferred[bool]:
        """Fires with True when clients are let in, with False when the start has failed."""
        waiter: Deferred[bool] = Deferred()

        def started(serves: bool) -> bool:
            waiter.callback(serves)
            return serves

        self._started.addCallback(started)
        return waiter

    def _begin(self) -> None:
        if not self.stopping:
            self.parts.callback(calm_signals(self.reactor, lambda: self.stopping))
            self._started = Deferred.fromCoroutine(self._start())
            self._started.addErrback(self._cannot_start)

    async def _start(self) -> bool:
        parts = self.parts
        self._filter_log(self.reloading.settings)
        parts.callback(lambda: self._unfilter_log())
        self.reloading.add(self._filter_log)
        parts.push_async_callback(self.listeners.close)
        await self.start(parts)
        return True

    def _filter_log(self, settings: Settings) -> None:
        self._unfilter_log()
        self._unfilter_log = log_from(settings.log_level)

    def _cannot_start(self, failure: Failure) -> bool:
        if self.stopping:
            return False
        if failure.check(CannotStart):
            sentence = failure.getErrorMessage()
            self.log.critical("{sentence}", sentence=sentence)
        else:
            sentence = f"cannot start: {failure.getErrorMessage()} (the log has more)"
            self.log.failure("cannot start", failure)
        exit_with_status_1(sentence)
        stop(self.reactor)
        return False

    async def _stop(self) -> None:
        """Stop the parts. A start that still waits for one of them fails with it."""
        await self.parts.aclose()
        await self.when_started()
