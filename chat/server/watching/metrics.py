"""What can be measured of a running server: each metric's name, meaning and source."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from chat.store.timing import Timing

if TYPE_CHECKING:
    from chat.server.assembly import ChatServer
    from chat.server.network.connection import Connection

__all__ = ["METRICS", "USUAL_OUTCOMES", "USUAL_REASONS", "Kind", "Metric", "View"]

Reading = float | Mapping[tuple[str, ...], float] | Timing


USUAL_STATES: Final[tuple[tuple[str, ...], ...]] = (
    ("unknown", "new"),
    ("current", "live"),
    ("current", "behind"),
    ("original", "live"),
    ("original", "behind"),
)
"""Connections' generation and state: told also when there are none, so that a curve has no gap."""

USUAL_OUTCOMES: Final = (
    "accepted", "wrong-password", "no-such-user", "too-many-logins", "busy-server",
)  # fmt: skip
USUAL_REASONS: Final = (
    "flooding", "going-down", "not-let-in", "replaced", "silent", "stalled", "store-away",
    "too-many-strangers",
)  # fmt: skip
"""Told from the start: of a counter that begins with its first case no rate has that one."""


class Kind(Enum):
    """How a metric behaves: goes up and down, only grows, or counts durations in buckets."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class View:
    """What metrics are read from.

    :ivar lag: how late the reactor came to what was due.
    :ivar memory: bytes of the store, as last heard.
    :ivar certificate_ends: seconds since 1970, None without a certificate.
    """

    server: "ChatServer"
    lag: Timing
    memory: Mapping[str, int]
    certificate_ends: float | None


@dataclass(frozen=True)
class Metric:
    """One metric.

    :ivar labels: what its values are told apart by, in the order of the keys of a reading.
    """

    name: str
    kind: Kind
    says: str
    read: Callable[[View], Reading]
    labels: tuple[str, ...] = ()


def _connections(view: View) -> Reading:
    none = dict.fromkeys(USUAL_STATES, 0)
    return none | Counter(map(_class_of, view.server.factory.connections))


def _class_of(connection: "Connection") -> tuple[str, ...]:
    session = connection.session
    generation = "current" if session.dialect.is_current else "original"
    if connection.closing:
        return generation, "closing"
    if session.user is None:
        return "unknown", "new"
    return generation, "behind" if connection.behind else "live"


def _logins(view: View) -> Reading:
    return _counted(USUAL_OUTCOMES, view.server.context.tally.logins)


def _refusals(view: View) -> Reading:
    refusals = view.server.context.tally.refusals
    return {(request, str(code)): count for (request, code), count in refusals.items()}


def _goodbyes(view: View) -> Reading:
    return _counted(USUAL_REASONS, view.server.context.tally.goodbyes)


def _counted(usual: Iterable[str], counts: Mapping[str, int]) -> Reading:
    return {(key,): count for key, count in (dict.fromkeys(usual, 0) | dict(counts)).items()}


def _memory(view: View) -> Reading:
    return {(what,): size for what, size in view.memory.items()}


def _certificate(view: View) -> Reading:
    return {} if view.certificate_ends is None else view.certificate_ends


def _store(view: View) -> Reading:
    return {(what,): float(good) for what, good in view.server.store_state().items()}


METRICS: Final = (
    Metric(
        "chatroom_connections", Kind.GAUGE,
        "Open connections; new ones have not logged in, those behind do not read.",
        _connections, ("generation", "state"),
    ),
    Metric(
        "chatroom_users_here", Kind.GAUGE, "Users who are logged in on this server.",
        lambda view: len(view.server.context.registry.users),
    ),
    Metric(
        "chatroom_users_online", Kind.GAUGE, "Users online on all servers, as last heard.",
        lambda view: view.server.context.online.total,
    ),
    Metric(
        "chatroom_rooms_here", Kind.GAUGE, "Rooms that somebody on this server hears.",
        lambda view: len(view.server.context.registry.rooms),
    ),
    Metric(
        "chatroom_logins_total", Kind.COUNTER, "Logins by outcome: accepted, or why not.",
        _logins, ("outcome",),
    ),
    Metric(
        "chatroom_accepted_total", Kind.COUNTER, "Messages of clients here that were stored.",
        lambda view: view.server.context.tally.accepted,
    ),
    Metric(
        "chatroom_deliveries_total", Kind.COUNTER,
        "Entries handed to connections; to the sender it is the answer.",
        lambda view: view.server.context.tally.deliveries,
    ),
    Metric(
        "chatroom_delivery_seconds", Kind.HISTOGRAM,
        "From handing a message to the store until it is written to its audience here; one "
        "message of each turn.",
        lambda view: view.server.context.tally.delay,
    ),
    Metric(
        "chatroom_store_round_trip_seconds", Kind.HISTOGRAM,
        "What the store took for a batch of messages.",
        lambda view: view.server.context.posting.round_trips,
    ),
    Metric(
        "chatroom_store_probe_seconds", Kind.GAUGE,
        "What the store took for the small write that it is asked for every three seconds.",
        lambda view: view.server.tide.round_trip,
    ),
    Metric(
        "chatroom_store_state", Kind.GAUGE,
        "1 where the store is well: connected, writable, and its publications heard (bus).",
        _store, ("what",),
    ),
    Metric(
        "chatroom_store_memory_bytes", Kind.GAUGE,
        "What the store uses, its limit where it has one, and what its machine has, as of the "
        "scrape before.",
        _memory, ("what",),
    ),
    Metric(
        "chatroom_gaps_filled_total", Kind.COUNTER,
        "Holes that publications left in a conversation, read from the log.",
        lambda view: view.server.context.tally.gaps,
    ),
    Metric(
        "chatroom_presence_lag_seconds", Kind.GAUGE,
        "Since the store was last told who is here; at --lease this server counts as dead.",
        lambda view: view.server.context.presence.lag,
    ),
    Metric(
        "chatroom_hashing_waiting", Kind.GAUGE, "Passwords being hashed, or waiting for it.",
        lambda view: view.server.context.passwords.waiting,
    ),
    Metric(
        "chatroom_refusals_total", Kind.COUNTER,
        "Requests that were not served; an empty request is a frame that is none.",
        _refusals, ("request", "code"),
    ),
    Metric(
        "chatroom_goodbyes_total", Kind.COUNTER, "Connections that this server ended, by reason.",
        _goodbyes, ("reason",),
    ),
    Metric(
        "chatroom_reactor_lag_seconds", Kind.HISTOGRAM,
        "How late the server came to something that was due, four times a second.",
        lambda view: view.lag,
    ),
    Metric(
        "chatroom_certificate_ends_timestamp_seconds", Kind.GAUGE,
        "Until when the certificate is valid, where there is one.", _certificate,
    ),
)  # fmt: skip
"""In the order in which they are shown; ``chatroom_ready`` and ``chatroom_build_info`` precede."""
