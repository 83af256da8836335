"""What is wanted, and what is the least, beside what one set of results says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.numbers import Result, Run, cpu_each, grown, middle, plain, rate, share

__all__ = ["against_goals"]

Value = Callable[[Result], float]


@dataclass(frozen=True)
class Goal:
    """One line: a number of one scenario, by itself or as a ratio to another program's.

    :ivar wanted: the goal, and ``least`` what has to be reached at the least.
    :ivar falling: less is better.
    :ivar against: the program whose number ours is divided by, empty for none.
    """

    what: str
    scenario: str
    value: Value
    wanted: float
    least: float
    unit: str = ""
    falling: bool = False
    against: str = ""


def _fan_out(users: int, against: str, wanted: float, least: float) -> Goal:
    what = f"one room, {users:,} users, 8 senders: deliveries/s as multiples of {against}'s"
    return Goal(what, f"fan-out-{users}-8", rate("told"), wanted, least, against=against)


GOALS: Final = (
    _fan_out(500, "inspircd", 3, 1),
    _fan_out(500, "limit", 0.75, 0),
    _fan_out(2000, "inspircd", 3, 1),
    _fan_out(2000, "limit", 0.75, 0),
    _fan_out(100, "inspircd", 1, 0),
    _fan_out(100, "ngircd", 1, 1),
    Goal("private messages, 8 unanswered", "private-8", rate("replies"), 80_000, 40_000, "/s"),
    Goal("private messages, 1 unanswered", "private-1", rate("replies"), 25_000, 12_000, "/s"),
    Goal("light load, p50", "light", plain("p50_ms"), 0.6, 1, "ms", falling=True),
    Goal("light load, p99", "light", plain("p99_ms"), 1.5, 2.5, "ms", falling=True),
    Goal("light load, CPU for a delivery", "light", cpu_each("told"), 5, 7.5, "us", falling=True),
    Goal("memory for an idle connection", "idle-2000", grown(0), 3, 6, "KiB", falling=True),
    Goal("logins with a token", "logins-token", rate("replies"), 5_000, 2_000, "/s"),
    Goal("20,000 idle, CPU", "idle-20000", share(), 0.01, 0.02, "of a core", falling=True),
    Goal(
        "a page of 50 out of a long history",
        "history",
        cpu_each("pages"),
        1_000,
        3_000,
        "us",
        falling=True,
    ),
)


def against_goals(runs: Sequence[Run]) -> list[Sequence[str]]:
    """A table of the goals for which there are runs."""
    known: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        known.setdefault((run["scenario"], run["program"]), []).append(run)
    rows: list[Sequence[str]] = [("what", "here", "goal", "at the least", "")]
    rows += _lines(known)
    return rows


def _lines(known: Mapping[tuple[str, str], list[Run]]) -> Iterator[Sequence[str]]:
    for goal in GOALS:
        ours = known.get((goal.scenario, "chatroom"))
        theirs = known.get((goal.scenario, goal.against))
        if ours is None or (goal.against and theirs is None):
            continue
        here = middle(ours, goal.value)
        if theirs:
            here /= middle(theirs, goal.value)
        yield (
            goal.what, _written(here, goal.unit), _written(goal.wanted, goal.unit),
            _written(goal.least, goal.unit), _verdict(goal, here),
        )  # fmt: skip


def _written(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}".rstrip()


def _verdict(goal: Goal, here: float) -> str:
    def reached(bound: float) -> bool:
        return here <= bound if goal.falling else here >= bound

    return "reached" if reached(goal.wanted) else "enough" if reached(goal.least) else "MISSED"
