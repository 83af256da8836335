"""The HTTP endpoint of the process that supervises workers: how they are, and where their figures.

Imported only with ``--metrics``, like ``chat.server.watching``.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from chat.server.crew import Crew
from chat.server.listening import listen, written
from chat.server.watching import Page, QuietSite

__all__ = ["Overview"]

EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 — told apart, not listened on


class Overview(Collector):
    """Serves ``/workers``, ``/metrics``, ``/healthz`` and ``/readyz``.

    :param endpoint: where, as Twisted writes it.
    :param theirs: where each worker has its own pages, in the same form.
    :param crew: the workers, None until they are started.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, endpoint: str, theirs: list[str], crew: Callable[[], Crew | None]
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._theirs = theirs
        self._crew = crew
        self._port: IListeningPort | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def bind(self) -> None:
        """Take the address, and answer as soon as the reactor runs.

        :raises CannotStart: it can't be had.
        """
        root = Resource()
        root.putChild(b"workers", Page(self._workers))
        root.putChild(b"metrics", Page(self._metrics))
        root.putChild(b"healthz", Page(lambda request: b"alive\n"))
        root.putChild(b"readyz", Page(self._readyz))
        self._port = listen(self._reactor, self._endpoint, QuietSite(root))

    def start(self) -> None:
        """Say where to look."""
        if self._port is not None:
            address = written(self._port.getHost())
            self.log.info("How the workers are is at {address}/workers", address=address)

    async def close(self) -> None:
        """Answer nobody any more."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def collect(self) -> Iterator[Family]:
        """The figures of the crew, for prometheus-client."""
        crew = self._crew()
        workers = GaugeMetricFamily("chatroom_workers", "Worker processes.", labels=["state"])
        workers.add_metric(["wanted"], len(self._theirs))
        workers.add_metric(["serving"], crew.serving if crew else 0)
        yield workers
        says = "Workers that died and were started again."
        yield CounterMetricFamily("chatroom_worker_restarts", says, crew.restarts if crew else 0)

    def _metrics(self, request: Request) -> bytes:
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        request.setHeader("content-type", content_type)
        return encode(self._registry)

    def _readyz(self, request: Request) -> bytes:
        crew = self._crew()
        serving = crew.serving if crew else 0
        if not serving:
            request.setResponseCode(503)
        return f"{serving} of {len(self._theirs)} workers let clients in\n".encode()

    def _workers(self, request: Request) -> bytes:
        """What Prometheus's ``http_sd_configs`` reads; paths of Unix sockets are none of its."""
        request.setHeader("content-type", "application/json")
        reached_by = re.sub(r":\d+$", "", request.getHeader("host") or "localhost")
        found = []
        for each in self._theirs:
            kind, _, rest = each.partition(":")
            port, *words = rest.split(":")
            named = dict(word.partition("=")[::2] for word in words)
            host = named.get("interface", "").replace("\\", "")
            if kind in ("tcp", "tcp4", "tcp6"):
                found.append(f"{reached_by if host in EVERYWHERE else host}:{port}")
        return json.dumps([{"targets": found}]).encode()
