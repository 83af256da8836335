"""The server as one process: what starts, in which order, and how it drains and stops."""

import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from twisted.logger import Logger

from chat.server.assembly import ChatServer
from chat.server.guard.addresses import Networks
from chat.server.network.certificates import Certificates, self_signed
from chat.server.network.listening import Listeners
from chat.server.network.transport import FrameServer, QueuedFrameServer
from chat.server.process.lifecycle import Lifecycle
from chat.server.process.starting import SPARE_FILES, raise_open_files
from chat.server.settings import Settings
from chat.store.embedded.valkey import EmbeddedStore
from chat.store.errors import CannotStart
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.redis import Redis
from chat.store.tide import raise_generation

__all__ = ["ChatService", "embedded_store", "transport_for"]


class ChatService(Lifecycle):
    """The whole server as twistd starts and stops it.

    The last that came, listening, is the first that goes, and the store outlives everybody who
    writes to it.

    :ivar server: what runs, None until the store it needs has been started.
    :ivar certificates: what TLS is spoken with, None without.
    :param listeners: where it listens; None for where the settings say.
    :param checked: somebody else looks whether the store keeps what is entrusted to it.
    :param owned: the store that the settings name is our supervisor's.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        read_again: Callable[[], Settings] | None = None,
        listeners: Listeners | None = None,
        checked: bool = False,
        owned: bool = False,
    ) -> None:
        listeners = listeners or Listeners(reactor, settings.listen, transport_for(settings))
        super().__init__(reactor, settings, listeners, read_again)
        self._checked = checked
        self._owned = owned
        self._open_files = raise_open_files()
        self._open = False
        self.server: ChatServer | None = None
        self.certificates: Certificates | None = None
        if settings.metrics:
            from chat.server.watching.endpoint import Watching

            self.pages = Watching(reactor, settings.metrics, self)

    async def start(self, parts: AsyncExitStack) -> None:
        settings = self.reloading.settings
        if self._open_files <= SPARE_FILES:
            raise CannotStart(
                f"Only {self._open_files} files may be open at a time: the server itself needs "
                f"{SPARE_FILES}, and each connection one (ulimit -n, or LimitNOFILE)."
            )
        certificates = self.certificates = self._certificates(parts)
        embedded = None
        if not settings.store:
            embedded = embedded_store(self.reactor, settings)
            parts.push_async_callback(embedded.stop)
            await embedded.start()
        address = Address.parse(settings.store) if embedded is None else embedded.address
        server = self.server = ChatServer(
            self.reactor,
            self._possible(self.reloading.settings),
            address,
            alone=embedded is not None,
            checked=embedded is not None or self._checked,
            owned=embedded is not None or self._owned,
        )
        self.reloading.add(lambda settings: server.take(self._possible(settings)))
        await server.start(parts)
        parts.push_async_callback(self.listeners.close)
        place = str(settings.data if embedded else address)
        if not self._checked:
            self.log.info("Everything is kept in {place}", place=place)
        trusted = Networks(settings.proxy_from) if settings.proxy_from else None
        self.listeners.open(server.factory, certificates, trusted)
        self._open = True
        # What exists now lives as long as the server: the collector can leave it out.
        parts.callback(gc.unfreeze)
        gc.collect()
        gc.freeze()

    def trouble(self) -> str:
        """Why clients can't be served now, as a sentence; empty when they can."""
        if self.stopping:
            return "The server is stopping."
        if self.server is None:
            return "The store is being started."
        return self.server.trouble() or ("" if self._open else "The server is starting.")

    def _possible(self, settings: Settings) -> Settings:
        """Never more connections than there are open files, less what the server needs itself."""
        possible = self._open_files - SPARE_FILES
        wanted = settings.connections or possible
        return replace(settings, connections=min(wanted, possible))

    def _certificates(self, parts: AsyncExitStack) -> Certificates | None:
        """What TLS is spoken with, if any.

        :raises CannotStart: it can't be used.
        """
        settings = self.reloading.settings
        certificate = self_signed(settings.data) if settings.self_signed else settings.tls_cert
        if certificate is None:
            return None
        made = Certificates(self.reactor, certificate, settings.tls_key or certificate)
        made.start()
        parts.callback(made.stop)
        self.reloading.add(lambda _: made.reload())
        return made


def transport_for(settings: Settings) -> type[FrameServer]:
    """What connections over TCP are made of."""
    return FrameServer if settings.direct_writes else QueuedFrameServer


def embedded_store(reactor: Any, settings: Settings) -> EmbeddedStore:
    """A store of the server's own, which says itself when it has lost numbers."""
    keys = Keys(settings.prefix)

    async def numbers_lost(redis: Redis) -> None:
        await raise_generation(redis, keys)

    return EmbeddedStore(reactor, settings.data, settings.durability, numbers_lost=numbers_lost)
