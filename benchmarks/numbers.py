"""Numbers out of what the load counted, for tables and goals."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

__all__ = [
    "Result",
    "Run",
    "cpu_each",
    "grown",
    "load_share",
    "middle",
    "plain",
    "rate",
    "share",
]

Result = Mapping[str, Any]
Run = Mapping[str, Any]


def middle(runs: Sequence[Run], value: Callable[[Result], float]) -> float:
    """The median over repeated runs."""
    return median(value(run["result"]) for run in runs)


def rate(name: str, prefix: str = "") -> Callable[[Result], float]:
    """How often something was counted, per second."""
    return lambda result: result[prefix + name] / result[prefix + "seconds"]


def cpu_each(name: str, prefix: str = "") -> Callable[[Result], float]:
    """Microseconds of the server's and the store's time for each."""
    return lambda result: 1e6 * sum(result[prefix + "cpu"]) / max(1, result[prefix + name])


def share(index: int | None = None, prefix: str = "") -> Callable[[Result], float]:
    """A core's share that a process took: the server (0), the store (1), or both."""

    def value(result: Result) -> float:
        cpu = result[prefix + "cpu"]
        used = sum(cpu) if index is None else cpu[index] if index < len(cpu) else 0.0
        return float(used / result[prefix + "seconds"])

    return value


def load_share(prefix: str = "") -> Callable[[Result], float]:
    """A core's share that the load took."""
    return lambda result: result[prefix + "load_cpu"] / result[prefix + "seconds"]


def plain(name: str) -> Callable[[Result], float]:
    """Something that was counted or measured, as it is; 0 when it is not there."""
    return lambda result: float(result.get(name, 0))


def grown(index: int) -> Callable[[Result], float]:
    """KiB by which the server's (0) or the store's (1) memory grew for each user that came."""

    def value(result: Result) -> float:
        more = result["memory_after_kib"][index] - result["memory_before_kib"][index]
        return float(more / result["users"])

    return value
