"""What starts, in which order, and how it drains and stops."""

import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.server.assembly import ChatServer
from chat.server.certificates import Certificates, self_signed
from chat.server.listening import Listeners
from chat.server.logs import log_from
from chat.server.reloading import Reloading
from chat.server.settings import Settings
from chat.server.starting import (
    SPARE_FILES,
    CannotStart,
    exit_with_status_1,
    on_hangup,
    raise_open_files,
)
from chat.server.transport import FrameServer, QueuedFrameServer
from chat.store.address import Address
from chat.store.embedded import CannotStart as StoreCannotStart
from chat.store.embedded import EmbeddedStore

if TYPE_CHECKING:
    from chat.server.watching import Watching

__all__ = ["ChatService"]


class ChatService(Service):
    """The whole server as twistd starts and stops it.

    What has started is stopped in the opposite order: the last that came, listening, is the first
    that goes, and the store outlives everybody who writes to it.

    :param read_again: the settings as they are written by now, for SIGHUP.
    :ivar listeners: where it listens; tests ask it for the port.
    :ivar server: what runs, None until the store it needs has been started.
    :ivar reloading: who takes other settings while the server runs.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        read_again: Callable[[], Settings] | None = None,
    ) -> None:
        self._reactor = reactor
        self._open_files = raise_open_files()
        self.reloading = Reloading(settings, read_again or (lambda: settings))
        transport = FrameServer if settings.direct_writes else QueuedFrameServer
        self.listeners = Listeners(reactor, settings.listen, transport)
        self._parts = AsyncExitStack()
        self._started: Deferred[None] = succeed(None)
        self._stopping = False
        self._open = False
        self.server: ChatServer | None = None
        self._watching = self._watch(settings.metrics) if settings.metrics else None
        self._unfilter_log: Callable[[], None] = lambda: None

    def privilegedStartService(self) -> None:
        """Take the ports, which may need rights that are given up next.

        :raises CannotStart: a port can't be had.
        """
        super().privilegedStartService()
        if self._watching is not None:
            self._watching.bind()
        self.listeners.bind()

    def startService(self) -> None:
        """Begin to start once the reactor runs; what goes wrong ends it, with status 1."""
        super().startService()
        if self._watching is not None:
            self._parts.push_async_callback(self._watching.close)
            self._watching.start()
        self._parts.callback(on_hangup(self._reactor, self.reloading.reload))
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Stop everything that has started; fires when the store has ended too."""
        super().stopService()
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    def when_started(self) -> Deferred[None]:
        """Fires when clients are let in, or the start has failed."""
        waiter: Deferred[None] = Deferred()

        def started(result: None) -> None:
            waiter.callback(None)

        self._started.addCallback(started)
        return waiter

    def _begin(self) -> None:
        if not self._stopping:
            self._started = Deferred.fromCoroutine(self._start())
            self._started.addErrback(self._cannot_start)

    async def _start(self) -> None:
        settings, parts = self.reloading.settings, self._parts
        self._filter_log(settings)
        parts.callback(lambda: self._unfilter_log())
        self.reloading.add(self._filter_log)
        parts.push_async_callback(self.listeners.close)
        certificates = self._certificates()
        embedded = None
        if not settings.store:
            embedded = EmbeddedStore(self._reactor, settings.data, settings.durability)
            parts.push_async_callback(embedded.stop)
            await embedded.start()
        address = Address.parse(settings.store) if embedded is None else embedded.address
        server = self.server = ChatServer(
            self._reactor, self._possible(self.reloading.settings), address, embedded
        )
        self.reloading.add(lambda settings: server.take(self._possible(settings)))
        await server.start(parts)
        parts.push_async_callback(self.listeners.close)
        place = str(settings.data if embedded else address)
        self.log.info("Everything is kept in {place}", place=place)
        self.listeners.open(server.factory, certificates)
        self._open = True
        # What exists now lives as long as the server: the collector need not look at it again.
        parts.callback(gc.unfreeze)
        gc.collect()
        gc.freeze()

    def trouble(self) -> str:
        """Why clients can't be served now, as a sentence; empty when they can."""
        if self._stopping:
            return "The server is stopping."
        if self.server is None:
            return "The store is being started."
        return self.server.trouble() or ("" if self._open else "The server is starting.")

    def _watch(self, endpoint: str) -> "Watching":
        from chat.server.watching import Watching

        return Watching(self._reactor, endpoint, self)

    def _filter_log(self, settings: Settings) -> None:
        self._unfilter_log()
        self._unfilter_log = log_from(settings.log_level)

    def _possible(self, settings: Settings) -> Settings:
        """Never more connections than there are open files, less what the server needs itself."""
        possible = max(1, self._open_files - SPARE_FILES)
        wanted = settings.connections or possible
        return replace(settings, connections=min(wanted, possible))

    def _certificates(self) -> Certificates | None:
        """What TLS is spoken with, if any.

        :raises CannotStart: it can't be used.
        """
        settings, parts = self.reloading.settings, self._parts
        certificate = self_signed(settings.data) if settings.self_signed else settings.tls_cert
        if certificate is None:
            return None
        made = Certificates(self._reactor, certificate, settings.tls_key or certificate)
        made.start()
        parts.callback(made.stop)
        self.reloading.add(lambda _: made.reload())
        return made

    def _cannot_start(self, failure: Failure) -> None:
        if self._stopping:
            return
        if failure.check(CannotStart, StoreCannotStart):
            sentence = failure.getErrorMessage()
            self.log.critical("{sentence}", sentence=sentence)
        else:
            sentence = f"cannot start: {failure.getErrorMessage()} (the log has more)"
            self.log.failure("cannot start", failure)
        exit_with_status_1(sentence)
        self._reactor.stop()

    async def _stop(self) -> None:
        """Stop the parts. A start that is still waiting for one of them fails with it."""
        await self._parts.aclose()
        await self.when_started()
