"""Tables from what the runs brought: plain reStructuredText, as readable on a terminal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks.goals import against_goals
from benchmarks.numbers import Run, cpu_each, grown, load_share, middle, plain, rate, share

__all__ = ["report"]

Row = Sequence[str]

BUSY: Final = 0.5
"""Load average from which on somebody else was at work."""


def report(results: Mapping[str, Any]) -> str:
    """Every table for one set of results."""
    parts = [_about(results), _titled("Against the goals", against_goals(results["runs"]))]
    for group, (title, table) in _TABLES.items():
        runs = [run for run in results["runs"] if run["group"] == group]
        if runs:
            parts.append(_titled(title, table(_by_work(runs))))
    if results["left_out"]:
        parts.append("Left out\n--------\n\n" + "\n".join(f"- {x}" for x in results["left_out"]))
    return "\n\n".join(parts) + "\n"


def _titled(title: str, rows: Sequence[Row]) -> str:
    return f"{title}\n{'-' * len(title)}\n\n{_grid(rows)}"


def _about(results: Mapping[str, Any]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    versions = ", ".join(f"{name} {value}" for name, value in results["versions"].items())
    busy = results["machine"]["load_average_at_start"]
    noise = f"\nThe machine was busy ({busy:.1f}): these numbers are noise." if busy > BUSY else ""
    options = " ".join(f"--{name} {value}" for name, value in results["options"].items())
    return (
        f"Machine: {machine}.\nVersions: {versions}.\nOptions of the server: {options}.\n"
        "Server and store share one core, the load has the other; `load` is its share of that."
        f"{noise}"
    )


def _by_work(runs: Iterable[Run]) -> dict[str, dict[str, list[Run]]]:
    """Scenario -> program -> its runs, in the order in which they were made."""
    grouped: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        grouped.setdefault(run["scenario"], {}).setdefault(run["program"], []).append(run)
    return grouped


Grouped = Mapping[str, Mapping[str, list[Run]]]


def _grid(rows: Sequence[Row]) -> str:
    """A simple table; the first row is its head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    line = "  ".join("=" * width for width in widths)
    text = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(each.rstrip() for each in (line, text[0], line, *text[1:], line))


def _count(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    if value >= 1e4:
        return f"{value / 1e3:.1f} k"
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _cores(runs: Sequence[Run], prefix: str = "") -> tuple[str, str, str]:
    """The shares of the server, its store and the load."""
    pair = len(runs[0]["result"][prefix + "cpu"]) > 1
    store = _percent(middle(runs, share(1, prefix))) if pair else "-"
    return (
        _percent(middle(runs, share(0, prefix))),
        store,
        _percent(middle(runs, load_share(prefix))),
    )


CORES: Final = ("server", "store", "load")


# Tables ----------------------------------------------------------------------------------------


def _fan_out(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [
        ("users, senders", "program", "deliveries/s", "of the limit", "us CPU each", "p50/p99 ms",
         "sent/s", "AckMes/s", "missing", *CORES)
    ]  # fmt: skip
    for name, programs in grouped.items():
        told = {program: middle(runs, rate("told")) for program, runs in programs.items()}
        limit = told.get("limit")
        for program, runs in programs.items():
            rows.append((
                name.removeprefix("fan-out-").replace("-", ", ", 1), program,
                _count(told[program]), _percent(told[program] / limit) if limit else "-",
                f"{middle(runs, cpu_each('told')):.3f}", _latency(runs),
                _count(middle(runs, rate("sent"))), _count(middle(runs, rate("acked"))),
                _count(middle(runs, plain("missing"))), *_cores(runs),
            ))  # fmt: skip
    return rows


def _latency(runs: Sequence[Run], prefix: str = "") -> str:
    p50, p99 = middle(runs, plain(prefix + "p50_ms")), middle(runs, plain(prefix + "p99_ms"))
    return f"{p50:.2f}/{p99:.2f}"


def _each_delivery(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [("scenario", "program", "deliveries/s", "p50/p99 ms", "us CPU each", *CORES)]
    for name, programs in grouped.items():
        for program, runs in programs.items():
            cells = (_count(middle(runs, rate("told"))), _latency(runs))
            each = f"{middle(runs, cpu_each('told')):.1f}"
            rows.append((name, program, *cells, each, *_cores(runs)))
    return rows


def _logins(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [("with", "logins/s", "p50/p99 ms", "us CPU each", "argon2", *CORES)]
    for name, programs in grouped.items():
        for runs in programs.values():
            cells = (_count(middle(runs, rate("replies"))), _latency(runs))
            each = f"{middle(runs, cpu_each('replies')):.0f}"
            cost = runs[0]["options"]["argon2"]
            rows.append((name.removeprefix("logins-"), *cells, each, cost, *_cores(runs)))
    return rows


def _idle(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [
        ("users", "program", "KiB each, server", "store", "both idle", "with a ping a minute")
    ]

    for programs in grouped.values():
        for program, runs in programs.items():
            users = int(runs[0]["work"]["users"])
            pair = len(runs[0]["result"]["cpu"]) > 1
            pinged = "pinging_cpu" in runs[0]["result"]
            rows.append((
                f"{users:,}", program, f"{middle(runs, grown(0)):.2f}",
                f"{middle(runs, grown(1)):.2f}" if pair else "-",
                _percent(middle(runs, share())),
                _percent(middle(runs, share(None, "pinging_"))) if pinged else "-",
            ))  # fmt: skip
    return rows


def _history(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [("messages kept", "pages/s", "p50/p99 ms", "us CPU each", *CORES)]
    for programs in grouped.values():
        for runs in programs.values():
            kept = f"{int(runs[0]['work']['top']):,}"
            cells = (_count(middle(runs, rate("pages"))), _latency(runs))
            each = f"{middle(runs, cpu_each('pages')):.0f}"
            rows.append((kept, *cells, each, *_cores(runs)))
    return rows


def _mixed(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [
        ("users", "slow", "deliveries/s", "pages/s", "p50/p99 ms", "missing", "server MiB", *CORES)
    ]
    for programs in grouped.values():
        for runs in programs.values():
            work = runs[0]["work"]
            memory = middle(runs, lambda r: r["memory_kib"][0] / 1024)
            rows.append((
                f"{work['users']}", f"{work['slow']}", _count(middle(runs, rate("told"))),
                _count(middle(runs, rate("pages"))), _latency(runs),
                _count(middle(runs, plain("missing"))), f"{memory:.0f}", *_cores(runs),
            ))  # fmt: skip
    return rows


def _storm(grouped: Grouped) -> list[Row]:
    rows: list[Row] = [
        ("users", "phase", "seconds", "ms CPU each", "PresenceMes each", "p50/p99 ms", *CORES)
    ]
    for programs in grouped.values():
        for runs in programs.values():
            users, comers = (int(runs[0]["work"][name]) for name in ("users", "comers"))
            for phase in ("calm", "coming", "leaving"):
                prefix = phase + "_"
                seconds = middle(runs, plain(prefix + "seconds"))
                more = middle(runs, share(None, prefix)) - middle(runs, share(None, "calm_"))
                each = max(0.0, more) * seconds * 1e3 / comers
                heard = middle(runs, plain(prefix + "presence_frames")) / users
                rows.append((
                    f"{users:,} + {comers:,}", phase, f"{seconds:.2f}",
                    "-" if phase == "calm" else f"{each:.2f}", f"{heard:.1f}",
                    _latency(runs, prefix), *_cores(runs, prefix),
                ))  # fmt: skip
    return rows


_TABLES: Final[Mapping[str, tuple[str, Callable[[Grouped], list[Row]]]]] = {
    "fan-out": ("One room at saturation", _fan_out),
    "light": ("Light load, 20,000 deliveries a second to 100 users", _each_delivery),
    "private": ("Private messages between 50 pairs, unanswered at most 8 or 1", _each_delivery),
    "logins": ("Logins", _logins),
    "idle": ("Idle connections", _idle),
    "history": ("A page of 50 at random places", _history),
    "mixed": ("Mixed traffic with readers that hardly read", _mixed),
    "storm": ("Everybody comes at once, and goes at once", _storm),
}
