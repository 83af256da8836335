"""What attacks cost a server, what others noticed, and the table of it."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.attacks import lies, members, strangers
from tests.attacks.field import ROOM, Attack, Field, Pace
from tests.process import ServerProcess
from tests.witness import Witnesses

__all__ = ["ATTACKS", "Outcome", "attacked", "table"]

ATTACKS = (*strangers.ATTACKS, *members.ATTACKS, *lies.ATTACKS)

OPTIONS = ("--proxy-from", "127.0.0.1", "--strangers", str(ROOM))
"""Everything is as it is by default, but for room for strangers."""

TRIES = 3
SETTLING, LOOK, BUSY = 2.0, 0.1, 0.2
"""Seconds that a server may take to recover; seconds between looks; the share of a core, beyond
what is usual, from which on it is still at it."""


@dataclass(frozen=True)
class Outcome:
    """What came of one attack.

    :ivar got: what the attacker got, in words.
    :ivar cpu: how much of a core the server and its store used, more than before.
    :ivar memory: MiB that the server had at its peak, more than before.
    :ivar p99: how long a message took, of a hundred the slowest, in seconds.
    :ivar ratio: the same against the quiet run.
    """

    name: str
    got: str
    cpu: float
    memory: float
    p99: float
    ratio: float


class Meter:
    """What a server and its store use: processor time, and the server's memory at its peak."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server.process.pid
        self._store = int((server.home / "data" / "store.pid").read_text())
        self._peak = 0.0
        self._stop = threading.Event()

    def __enter__(self) -> "Meter":
        self._began, self._cpu = time.monotonic(), self._seconds()
        self._before = self._peak = self._memory()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.cpu = (self._seconds() - self._cpu) / (time.monotonic() - self._began)
        self.memory = self._peak - self._before

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self._peak = max(self._peak, self._memory())

    def _memory(self) -> float:
        fields = Path(f"/proc/{self._server}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _seconds(self) -> float:
        total = 0
        for pid in (self._server, self._store):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


def p99(latencies: list[float]) -> float:
    """Of a hundred the slowest, in seconds."""
    return sorted(latencies)[int(len(latencies) * 0.99)]


class Siege:
    """A server that is attacked while people talk on it.

    :ivar idle: of a core, what server and store need for those people.
    :ivar usual: how long their messages take then.
    """

    def __init__(self, server: ServerProcess, pace: Pace) -> None:
        self.idle = self.usual = 0.0
        self._server = server
        self._pace = pace
        self._witnesses = Witnesses(server.port)
        self._witnesses.latencies()

    def look_on(self) -> Outcome:
        """Nobody attacks."""
        with Meter(self._server) as meter:
            time.sleep(self._pace.quiet)  # it is a time that is measured
        self.idle, self.usual = meter.cpu, p99(self._witnesses.latencies())
        return Outcome("Nobody", "", self.idle, meter.memory, self.usual, 1.0)

    def suffer(self, attack: Attack) -> Outcome:
        """One attack, until the server has done with what it left behind."""
        attacker = Field(self._server, self._pace)
        with Meter(self._server) as meter:
            got = attack(attacker)
            attacker.go_away()
            self._settle()
        noticed = p99(self._witnesses.latencies())
        name = (attack.__doc__ or "").strip()
        cpu = meter.cpu - self.idle
        return Outcome(name, got, cpu, meter.memory, noticed, noticed / self.usual)

    def end(self) -> None:
        """Everybody goes home."""
        self._witnesses.end()

    def _settle(self) -> None:
        end = time.monotonic() + SETTLING
        busy = True
        while busy and time.monotonic() < end:
            with Meter(self._server) as meter:
                time.sleep(LOOK)  # it is the use of a time that is measured
            busy = meter.cpu > self.idle + BUSY


def attacked(
    pace: Pace, tolerable: Callable[[Outcome], bool] = lambda outcome: True
) -> Iterator[Outcome]:
    """Start a server, let a few people talk on it, and attack it in every way.

    :param tolerable: whether others noticed no more than they may. What was not is tried again,
        and the best of three counts: other work on the machine can only make it worse.
    """
    server = ServerProcess(*OPTIONS, "--argon2", pace.argon2)
    try:
        server.start()
        siege = Siege(server, pace)
        yield siege.look_on()
        for each in ATTACKS:
            outcomes = [siege.suffer(each)]
            while not tolerable(outcomes[-1]) and len(outcomes) < TRIES:
                outcomes.append(siege.suffer(each))
            yield min(outcomes, key=lambda outcome: outcome.p99)
        siege.end()
        server.stop()
        assert server.ended_in_order(), server.log
    finally:
        server.remove()


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 38 10 10 12", ""]
    rows = [("Attack", "What the attacker got", "CPU", "Memory", "Others' p99")]
    rows += [
        (each.name, each.got, f"{each.cpu:+.0%}", f"{each.memory:+.0f} MiB",
         f"{each.p99 * 1000:.0f} ms" + (f", x {each.ratio:.1f}" if each.got else ""))
        for each in outcomes
    ]  # fmt: skip
    for first, *others in rows:
        lines += [f"   * - {first}", *(f"     - {each}".rstrip() for each in others)]
    return "\n".join(lines)
