"""The supervisor's HTTP endpoint: how the workers are, and where their metrics are.

Imported only with ``--metrics``, like ``chat.server.watching.endpoint``.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from twisted.web.server import Request

from chat.server.kinds import parts_of
from chat.server.watching.endpoint import Page, Pages
from chat.server.workers.crew import Crew

__all__ = ["Overview"]

EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 — told apart, not listened on


class Overview(Pages, Collector):
    """Those of the supervisor, with ``/workers`` besides.

    :param theirs: where each worker has its own pages, in the same form.
    :param crew: the workers, None until they are started.
    """

    def __init__(
        self, reactor: Any, endpoint: str, theirs: list[str], crew: Callable[[], Crew | None]
    ) -> None:
        super().__init__(reactor, endpoint)
        self._theirs = theirs
        self._crew = crew
        self.registry.register(self)
        self.root.putChild(b"workers", Page(self._workers))

    def announce(self, address: str) -> None:
        self.log.info("How the workers are is at {address}/workers", address=address)

    def collect(self) -> Iterator[Family]:
        """The figures of the crew, for prometheus-client."""
        crew = self._crew()
        workers = GaugeMetricFamily("chatroom_workers", "Worker processes.", labels=["state"])
        workers.add_metric(["wanted"], len(self._theirs))
        workers.add_metric(["serving"], crew.serving if crew else 0)
        yield workers
        says = "Workers that died and were started again."
        yield CounterMetricFamily("chatroom_worker_restarts", says, crew.restarts if crew else 0)

    def readiness(self) -> tuple[bool, str]:
        crew = self._crew()
        serving = crew.serving if crew else 0
        return serving > 0, f"{serving} of {len(self._theirs)} workers let clients in"

    def _workers(self, request: Request) -> bytes:
        """What Prometheus's ``http_sd_configs`` reads: where the workers' figures are, and these
        here. Paths of Unix sockets are none of its."""
        request.setHeader("content-type", "application/json")
        reached_by = re.sub(r":\d+$", "", request.getHeader("host") or "localhost")
        found = []
        for each in (*self._theirs, self._endpoint):
            kind, *parts = parts_of(each)
            named = dict(part.partition("=")[::2] for part in parts)
            host = named.get("interface", "").replace("\\", "")
            written = f"[{host}]" if ":" in host else host
            if kind in ("tcp", "tcp4", "tcp6"):
                port = named.get("port", parts[0])
                found.append(f"{reached_by if host in EVERYWHERE else written}:{port}")
        return json.dumps([{"targets": found}]).encode()
