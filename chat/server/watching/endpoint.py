"""The HTTP endpoint of ``--metrics``: is the process alive, is it ready, what does it measure.

Imported only with that option, for it brings Twisted's web server and prometheus-client. The
client's own resource for Twisted works in a thread, where what is read would change under its
hands; this one takes a millisecond of the reactor for each scrape.
"""

import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from chat.server.assembly import ChatServer
from chat.server.network.certificates import Certificates
from chat.server.network.listening import listen, written
from chat.server.watching.metrics import METRICS, Kind, Metric, View
from chat.store.errors import StoreError
from chat.store.timing import BOUNDS, Timing

__all__ = ["Page", "Pages", "Watched", "Watching"]

LAG_SECONDS: Final = 0.25
PATIENCE_SECONDS: Final = 10
"""How long a scraper may take with its request."""


class Watched(Protocol):
    """Whose state is shown."""

    @property
    def server(self) -> ChatServer | None:
        """What runs, None until it is put together."""

    @property
    def certificates(self) -> Certificates | None:
        """What TLS is spoken with, None without."""

    def trouble(self) -> str:
        """Why clients can't be served now, as a sentence; empty when they can."""


class Pages:
    """The HTTP endpoint of one process: ``/metrics``, ``/healthz`` and ``/readyz``.

    :param endpoint: where, as Twisted writes it.
    :ivar registry: what is scraped: how the process is, and what subclasses register.
    :ivar root: where subclasses put further pages.
    """

    log = Logger()

    def __init__(self, reactor: Any, endpoint: str) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._port: IListeningPort | None = None
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.root = Resource()
        self.root.putChild(b"metrics", Page(self.metrics))
        self.root.putChild(b"healthz", Page(lambda request: b"alive\n"))
        self.root.putChild(b"readyz", Page(self._readyz))

    def bind(self) -> None:
        """Take the address, and answer as soon as the reactor runs.

        :raises CannotStart: it can't be had.
        """
        self._port = listen(self._reactor, self._endpoint, QuietSite(self.root))

    def start(self) -> None:
        """Say where to look."""
        if self._port is not None:
            self.announce(written(self._port.getHost()))

    async def close(self) -> None:
        """Answer nobody any more."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def announce(self, address: str) -> None:
        """Say in the log what is to be seen at ``address``."""
        raise NotImplementedError

    def readiness(self) -> tuple[bool, str]:
        """Whether clients can be served, and a sentence about it."""
        raise NotImplementedError

    def metrics(self, request: Request) -> bytes:
        """What Prometheus scrapes."""
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        request.setHeader("content-type", content_type)
        return encode(self.registry)

    def _readyz(self, request: Request) -> bytes:
        ready, sentence = self.readiness()
        if not ready:
            request.setResponseCode(503)
        return f"{sentence}\n".encode()


class Watching(Pages):
    """The HTTP endpoint of a process that serves clients."""

    def __init__(self, reactor: Any, endpoint: str, watched: Watched) -> None:
        super().__init__(reactor, endpoint)
        self._watched = watched
        self._lag = Timing()
        self._due = 0.0
        self._timer: IDelayedCall | None = None
        self._memory: dict[str, int] = {}
        self._asking = False
        self.registry.register(_Readings(watched, self._view))

    def start(self) -> None:
        """Begin to measure the reactor, and say where to look."""
        super().start()
        self._look_again()

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        await super().close()

    def announce(self, address: str) -> None:
        self.log.info("Metrics are at {address}/metrics", address=address)

    def readiness(self) -> tuple[bool, str]:
        trouble = self._watched.trouble()
        return not trouble, trouble or "ready"

    def metrics(self, request: Request) -> bytes:
        """What Prometheus scrapes; the store's memory is as it was at the scrape before."""
        if not self._asking:
            Deferred.fromCoroutine(self._ask_memory()).addErrback(self._not_told)
        return super().metrics(request)

    def _view(self, server: ChatServer) -> View:
        certificates = self._watched.certificates
        ends = certificates and certificates.ends
        return View(server, self._lag, self._memory, ends.timestamp() if ends else None)

    async def _ask_memory(self) -> None:
        """Ask for the next scrape: this one does not wait for a store that may not answer."""
        server = self._watched.server
        if server is None:
            return
        self._asking = True
        try:
            self._memory = await server.store_memory()
        except StoreError:
            self._memory = {}
        finally:
            self._asking = False

    def _not_told(self, failure: Failure) -> None:
        self.log.failure("the store's memory could not be told", failure)

    # Lag -------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        self._due = self._reactor.seconds() + LAG_SECONDS
        self._timer = self._reactor.callLater(LAG_SECONDS, self._look)

    def _look(self) -> None:
        self._lag.take(self._reactor.seconds() - self._due)
        self._look_again()


class QuietSite(Site):
    """Says nothing in the log of who asked, which somebody does every few seconds."""

    noisy = False

    def __init__(self, root: Resource) -> None:
        super().__init__(root, timeout=PATIENCE_SECONDS)

    def log(self, request: object) -> None:
        """Leave it out."""


class Page(Resource):
    """One page, made anew for each request.

    :param body: makes it; as text in UTF-8 unless it says otherwise.
    """

    isLeaf = True

    def __init__(self, body: Callable[[Request], bytes]) -> None:
        super().__init__()
        self._body = body

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("content-type", "text/plain; charset=utf-8")
        return self._body(request)


class _Readings(Collector):
    """Reads every metric when it is asked, and keeps nothing."""

    def __init__(self, watched: Watched, view: Callable[[ChatServer], View]) -> None:
        self._watched = watched
        self._view = view

    def collect(self) -> Iterator[Family]:
        ready = not self._watched.trouble()
        yield GaugeMetricFamily("chatroom_ready", "1 when clients can be served.", int(ready))
        yield InfoMetricFamily("chatroom_build", "Which versions run.", _versions())
        server = self._watched.server
        if server is not None:
            view = self._view(server)
            yield from (_family(metric, view) for metric in METRICS)


def _versions() -> dict[str, str]:
    return {
        "version": version("chatroom"),
        "twisted": version("twisted"),
        "python": platform.python_version(),
    }


def _family(metric: Metric, view: View) -> Family:
    reading = metric.read(view)
    if isinstance(reading, Timing):
        ends = [*map(str, BOUNDS), "+Inf"]
        buckets = list(zip(ends, accumulate(reading.counts), strict=True))
        return HistogramMetricFamily(metric.name, metric.says, buckets, reading.total)
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.says, labels=metric.labels)
    values = reading if isinstance(reading, Mapping) else {(): reading}
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
