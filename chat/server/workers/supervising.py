"""``--workers``: one process that owns the ports and the store, and several that serve."""

import math
import os
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from chat.server.kinds import parts_of
from chat.server.network.listening import Listeners
from chat.server.process.lifecycle import Lifecycle
from chat.server.process.starting import raise_open_files
from chat.server.service import embedded_store, transport_for
from chat.server.settings import Settings
from chat.server.workers.crew import Crew
from chat.server.workers.worker import Orders
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.redis import Redis
from chat.store.tide import Tide

if TYPE_CHECKING:
    from chat.server.workers.overview import Overview

__all__ = ["SupervisingService", "worker_count"]


def worker_count(settings: Settings) -> int:
    """How many processes are to serve: as many as there are cores when it is left open."""
    return settings.workers or _cores()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class SupervisingService(Lifecycle):
    """The server as several processes.

    This one binds the ports and never accepts. It owns the embedded store, which is stopped last,
    when no worker is left that could write to it.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        read_again: Callable[[], Settings] | None = None,
    ) -> None:
        listeners = Listeners(reactor, settings.listen, transport_for(settings))
        super().__init__(reactor, settings, listeners, read_again)
        raise_open_files()  # Each worker takes four and one for each port.
        self._crew: Crew | None = None
        self._shares: list[list[socket.socket]] = []
        self.pages = self._overlook(settings) if settings.metrics else None

    def _overlook(self, settings: Settings) -> "Overview":
        from chat.server.workers.overview import Overview

        count = worker_count(settings)
        theirs = [share_of(settings, number, count).metrics for number in range(1, count + 1)]
        own = _next_port(settings.metrics, count)
        return Overview(self.reactor, own, theirs, lambda: self._crew)

    def privilegedStartService(self) -> None:
        """Take the ports, one socket for each worker.

        :raises CannotStart: a port can't be had, or can't be shared.
        """
        super().privilegedStartService()
        self._shares = self.listeners.share(worker_count(self.reloading.settings))

    async def start(self, parts: AsyncExitStack) -> None:
        settings = self.reloading.settings
        url = settings.store or await self._start_store(settings, parts)
        count = worker_count(settings)

        def orders(number: int) -> Orders:
            own = share_of(self.reloading.settings, number, count)
            owned = not settings.store
            return Orders(replace(own, store=url), checked=owned or number > 1, owned=owned)

        crew = self._crew = Crew(self.reactor, self._shares, orders)
        parts.push_async_callback(crew.stop)
        await crew.start()
        self.reloading.add(lambda settings: crew.go_on())
        parts.push_async_callback(self.listeners.close)
        self.log.info("Everything is kept in {place}", place=_place(settings))
        self.listeners.announce(tls=settings.self_signed or settings.tls_cert is not None)

    async def _start_store(self, settings: Settings, parts: AsyncExitStack) -> str:
        """Start the embedded store, and what watches over it; where it is then."""
        embedded = embedded_store(self.reactor, settings)
        parts.push_async_callback(embedded.stop)
        await embedded.start()
        redis = Redis(self.reactor, embedded.address, deadline=settings.store_deadline)
        tide = Tide(self.reactor, redis, Keys(settings.prefix), settings.data / "tide")
        parts.push_async_callback(redis.stop)
        redis.start()
        await redis.when_connected()
        parts.callback(tide.stop)
        tide.start()
        return str(embedded.address)


def share_of(settings: Settings, number: int, count: int) -> Settings:
    """The settings of one worker, counted from 1, such that all ``count`` together keep to
    ``settings``.

    What one user may do is not divided: a device is connected to one worker, with all its messages.
    """
    burst, per_second = settings.connection_rate
    at_once = _fair(burst, count)
    return replace(
        settings,
        metrics=_next_port(settings.metrics, number - 1),
        connections=-(-settings.connections // count),
        hashing_threads=-(-settings.hashing_threads // count),
        hashing_queue=-(-settings.hashing_queue // count),
        strangers=_fair(settings.strangers, count),
        connections_per_address=_fair(settings.connections_per_address, count),
        connection_rate=(at_once, per_second * at_once / burst if burst else 0.0),
    )


def _fair(limit: int, count: int) -> int:
    """What one worker allows when all ``count`` together are to allow ``limit`` connections.

    The kernel spreads connections by chance. With three standard deviations on top of its share, a
    worker refuses nobody who keeps to the limit, and ``limit + 3 * sqrt(limit * count)`` is the
    most that all of them allow. Small limits are not divided, and neither is anything where the
    kernel does not spread connections (other than Linux).
    """
    if sys.platform != "linux":
        return limit
    share = limit / count
    return min(limit, math.ceil(share + 3 * math.sqrt(share)))


def _next_port(endpoint: str, further: int) -> str:
    """An endpoint so many ports, or numbered paths, further: each worker has its own figures."""
    kind, *parts = parts_of(endpoint)
    named = (n for n, part in enumerate(parts) if part.startswith(("port=", "address=")))
    at = next(named, 0)
    name, equals, place = parts[at].rpartition("=") if parts else ("", "", "0")
    if not further or place == "0":  # 0: whichever the system picks
        return endpoint
    place = str(int(place) + further) if place.isdigit() else f"{place}.{further + 1}"
    parts[at] = f"{name}{equals}{place}"
    return ":".join([kind, *parts])


def _place(settings: Settings) -> str:
    return str(Address.parse(settings.store) if settings.store else settings.data)
