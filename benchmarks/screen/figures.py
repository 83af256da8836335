"""What is measured of one program: from its start to a server that goes away and comes back."""

import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from benchmarks.machine import Missing
from benchmarks.screen.crowd import BEFORE
from benchmarks.screen.programs import Program
from benchmarks.screen.typist import Typist, percentile

__all__ = ["BACK_PATIENCE", "MANY", "OUTAGE", "Figures", "Server"]

LOOK_SECONDS: Final = 0.05
MANY: Final = 100_000
OUTAGE: Final = 6.0
"""Seconds for which the server is away: longer than a restart, shorter than a coffee."""

LOSS_PATIENCE: Final = 5.0
BACK_PATIENCE: Final = 30.0
"""Seconds after which it is given up that somebody is told that the server is gone, or back."""

FLOOD_PATIENCE: Final = 120.0
"""Seconds after which a flood that a program does not take is broken off."""

STARTS: Final = 5


class Server:
    """The crowd, in a process of its own."""

    def __init__(self, kind: str, port: int) -> None:
        self._words = [kind, str(port)]
        self.start()

    def start(self) -> None:
        """Begin to listen, again."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.screen.crowds", *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "listening\n":
            raise Missing("the crowd does not start")

    def kill(self) -> None:
        """As ``kill -9`` does."""
        self._process.kill()
        self._process.communicate()

    def flood(self, rate: int, count: int) -> None:
        """Have it say something, and don't wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"flood {rate} {count}\n")
        self._process.stdin.flush()

    def said(self, typist: Typist) -> float:
        """Have ``typist`` read until it is said; how many seconds that took to say.

        :raises Missing: it is not taken.
        """
        output = self._process.stdout
        assert output is not None
        end = time.monotonic() + FLOOD_PATIENCE
        while not select.select([output], [], [], 0)[0]:
            typist.rest(LOOK_SECONDS)
            if time.monotonic() > end:
                raise Missing("it does not take what is said")
        return float(output.readline().split()[1])


class Figures:
    """Everything that is measured, in one life of the program after another.

    :ivar found: the figures by their names in ``GOALS``; what never came is not in it.
    """

    def __init__(self, program: Program, server: Server, seconds: float) -> None:
        self._program = program
        self._server = server
        self._seconds = seconds
        self._said = BEFORE
        self.found: dict[str, float] = {}

    def measure(self) -> dict[str, float]:
        """All of it.

        :raises Missing: the program does not do what it should.
        """
        self._program.set_up(_number(self._said))
        self._starting()
        with self._entered() as typist:
            self.found["memory-start"] = typist.memory()
            self._idle(typist)
            for rate in (20, 500):
                self._bytes(typist, rate)
            for rate in (2000, 10000):
                with suppress(Missing):
                    self._echo(typist, rate)
            with suppress(Missing):
                self._many(typist)
            self._outage(typist)
        return self.found

    @contextmanager
    def _entered(self) -> Iterator[Typist]:
        """The program in the lobby, whose newest message is shown."""
        with self._program.start() as typist:
            self._program.enter(typist)
            typist.until(self._shows_newest, "the newest message")
            typist.rest(1.0)
            yield typist

    def _shows_newest(self, text: str) -> bool:
        return _number(self._said) in text

    def _starting(self) -> None:
        firsts, costs, messages = [], [], []
        for _ in range(STARTS):
            with self._program.start() as typist:
                first = typist.until(lambda text: text.strip(), "any text")
                costs.append(1000 * typist.worked())
                self._program.enter(typist)
                shown = typist.until(self._shows_newest, "messages")
            firsts.append(1000 * (first - typist.started))
            messages.append(1000 * (shown - typist.started))
        self.found["first-text"] = percentile(firsts, 0.5)
        self.found["first-text-cpu"] = percentile(costs, 0.5)
        self.found["first-messages"] = percentile(messages, 0.5)

    def _idle(self, typist: Typist) -> None:
        worked = typist.worked()
        keys = self._keep("idle", typist.echoes(self._seconds))
        self.found["key-cpu"] = 1000 * (typist.worked() - worked) / keys
        typist.rest(5.0)  # drafts and the cache are on the disk then
        before = typist.worked()
        typist.rest(self._seconds)
        self.found["idle-cpu"] = 1000 * (typist.worked() - before) / self._seconds

    def _bytes(self, typist: Typist, rate: int) -> None:
        count = round(rate * self._seconds)
        before = typist.written
        self._flood(rate, count)
        typist.rest(self._seconds + 0.3)
        self._server.said(typist)
        self.found[f"bytes-{rate}"] = (typist.written - before) / count

    def _echo(self, typist: Typist, rate: int) -> None:
        count = round(rate * self._seconds)
        worked = typist.worked()
        self._flood(rate, count)
        try:
            self._keep(str(rate), typist.echoes(self._seconds * 0.95))
            typist.rest(0.5)
        finally:
            took = self._server.said(typist)
        self.found[f"{rate}-cpu"] = 100 * (typist.worked() - worked) / took
        self.found[f"{rate}-rate"] = count / took

    def _many(self, typist: Typist) -> None:
        left = max(0, MANY - self._said)
        self._flood(5_000, left)
        self._server.said(typist)
        self._caught_up(typist)
        self.found["memory-many"] = typist.memory()

    def _caught_up(self, typist: Typist) -> None:
        """Have everything drawn anew until the newest message stands there."""
        for _ in range(60):
            typist.forget()
            typist.type("\x0c")
            with suppress(Missing):
                typist.until(self._shows_newest, "the newest message", LOOK_SECONDS * 10)
                return
        raise Missing("it does not catch up")

    def _outage(self, typist: Typist) -> None:
        typist.forget()
        lost = time.monotonic()
        self._server.kill()
        told = _any(self._program.lost)
        with suppress(Missing):
            shown = typist.until(told, "that it is lost", LOSS_PATIENCE)
            self.found["loss-shown"] = 1000 * (shown - lost)
        typist.rest(OUTAGE)
        self._server.start()
        back = time.monotonic()
        typist.type("ω")
        typist.forget()
        shows = _any([self._program.back or _number(BEFORE)])
        with suppress(Missing):
            self.found["back"] = typist.until(shows, "being back", BACK_PATIENCE) - back

    def _flood(self, rate: int, count: int) -> None:
        self._said += count
        self._server.flood(rate, count)

    def _keep(self, name: str, times: Sequence[float]) -> int:
        self.found[f"{name}-p50"] = percentile(times, 0.5)
        self.found[f"{name}-p99"] = percentile(times, 0.99)
        self.found[f"{name}-keys"] = len(times)
        return len(times)


def _number(seq: int) -> str:
    """How message ``seq`` begins."""
    return f"{seq:07}"


def _any(texts: Sequence[str]) -> Callable[[str], bool]:
    return lambda shown: any(each in shown for each in texts)
