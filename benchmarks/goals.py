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
    :ivar beside: the scenario of that number, where it is another one.
    """

    what: str
    scenario: str
    value: Value
    wanted: float
    least: float
    unit: str = ""
    falling: bool = False
    against: str = ""
    beside: str = ""


INSPIRCD_PRIVATE: Final = 593_000
INSPIRCD_LIGHT: Final = (0.59, 1.2)
INSPIRCD_LIGHT_CPU: Final = 7.5
"""What inspircd did where the absolute goals were set: private messages a second;
ms at the median and the 99th percentile; us of CPU for a delivery. On another machine, or while
somebody else uses it, what those goals ask for is how we do beside it."""


def _private(window: int, wanted: float, least: float) -> tuple[Goal, Goal]:
    what, scenario, value = (
        f"private messages, {window} unanswered",
        f"private-{window}",
        rate("replies"),
    )
    theirs = f"{what}: multiples of inspircd's with 8"
    return (
        Goal(what, scenario, value, wanted, least, "/s"),
        Goal(
            theirs, scenario, value, wanted / INSPIRCD_PRIVATE, least / INSPIRCD_PRIVATE,
            against="inspircd", beside="private-8",
        ),
    )  # fmt: skip


def _light(name: str, wanted: float, least: float, theirs: float) -> tuple[Goal, Goal]:
    what, value = f"light load, {name}", plain(f"{name}_ms")
    relative = f"{what}: multiples of inspircd's"
    return (
        Goal(what, "light", value, wanted, least, "ms", falling=True),
        Goal(
            relative,
            "light",
            value,
            wanted / theirs,
            least / theirs,
            falling=True,
            against="inspircd",
        ),
    )


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
    *_private(8, 80_000, 40_000),
    *_private(1, 25_000, 12_000),
    *_light("p50", 0.6, 1, INSPIRCD_LIGHT[0]),
    *_light("p99", 1.5, 2.5, INSPIRCD_LIGHT[1]),
    Goal("light load, CPU for a delivery", "light", cpu_each("told"), 5, 7.5, "us", falling=True),
    Goal(
        "light load, CPU for a delivery: multiples of inspircd's", "light", cpu_each("told"),
        5 / INSPIRCD_LIGHT_CPU, 1, falling=True, against="inspircd",
    ),
    Goal("memory for an idle connection", "idle-2000", grown(0), 3, 6, "KiB", falling=True),
    Goal("logins with a token", "logins-token", rate("replies"), 5_000, 2_000, "/s"),
    Goal("20,000 idle, CPU", "idle-20000", share(), 0.01, 0.02, "of a core", falling=True),
    Goal(
        "a page of 50 out of a long history", "history", cpu_each("pages"), 1_000, 3_000, "us",
        falling=True,
    ),
)  # fmt: skip


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
        theirs = known.get((goal.beside or goal.scenario, goal.against))
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
