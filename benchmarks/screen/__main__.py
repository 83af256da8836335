"""The command ``python -m benchmarks.screen``: the real client before a talkative server, timed."""

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Missing, describe, free_port
from benchmarks.screen.crowd import BEFORE
from benchmarks.screen.typist import COLUMNS, ROWS, Typist, percentile

__all__ = ["main"]

RESULTS: Final = Path(__file__).parent.parent / "results"
PROGRAM: Final = "import sys; from chat.client.cli import main; sys.exit(main())"
LOOK_SECONDS: Final = 0.05
MANY: Final = 100_000
OUTAGE: Final = 6.0
"""Seconds for which the server is away: longer than a restart, shorter than a coffee."""


@dataclass(frozen=True)
class Goal:
    """A figure: what it is, its unit, and what is wanted at most."""

    what: str
    unit: str
    wanted: float


GOALS: Final = {
    "first-text": Goal("first text after start", "ms", 250),
    "first-messages": Goal("messages on the screen after start, logged in by token", "ms", 1000),
    "memory-start": Goal("memory at start", "MB", 45),
    "memory-many": Goal(f"memory after {MANY:,} messages", "MB", 60),
    "idle-p50": Goal("key to echo, idle, p50", "ms", 1),
    "idle-p99": Goal("key to echo, idle, p99", "ms", 3),
    "2000-p50": Goal("key to echo at 2,000 messages a second, p50", "ms", 1),
    "2000-p99": Goal("key to echo at 2,000 messages a second, p99", "ms", 15),
    "10000-p50": Goal("key to echo at 10,000 messages a second, p50", "ms", 2),
    "10000-p99": Goal("key to echo at 10,000 messages a second, p99", "ms", 20),
    "bytes-20": Goal("bytes to the terminal per message at 20 a second", "", 300),
    "bytes-500": Goal("bytes to the terminal per message at 500 a second", "", 100),
    "idle-cpu": Goal("processor time when idle, per second", "ms", 0.05),
    "loss-shown": Goal("loss of the server shown after", "ms", 100),
    "back": Goal(f"back after a restart ({OUTAGE:.0f} s away)", "s", 3),
}


class Server:
    """The crowd, in a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.start()

    def start(self) -> None:
        """Begin to listen, again."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.screen.crowd", str(self.port)],
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
        """Have ``typist`` read until it is said; how many seconds that took to say."""
        output = self._process.stdout
        assert output is not None
        while not select.select([output], [], [], 0)[0]:
            typist.rest(LOOK_SECONDS)
        return float(output.readline().split()[1])


class Figures:
    """Everything that is measured, in one life of the program after another."""

    def __init__(self, server: Server, home: Path, seconds: float) -> None:
        self._server = server
        self._seconds = seconds
        self._environ = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self._said = BEFORE
        self.found: dict[str, float] = {}

    def start(self) -> Typist:
        address = f"127.0.0.1:{self._server.port}"
        command = [sys.executable, "-c", PROGRAM, "--server", address]
        return Typist(command, self._environ)

    @contextmanager
    def logged_in(self) -> Iterator[Typist]:
        """By the token that ``register`` has left; the lobby's newest message is shown."""
        with self.start() as typist:
            typist.until(self._shows_newest, "the newest message")
            typist.rest(1.0)
            yield typist

    def _shows_newest(self, text: str) -> bool:
        return f"{self._said:07}" in text

    def measure(self) -> dict[str, float]:
        """Everything; the figures by their names in ``GOALS``."""
        self._register()
        self._starting()
        with self.logged_in() as typist:
            self.found["memory-start"] = typist.memory()
            self._idle(typist)
            for rate in (20, 500):
                self._bytes(typist, rate)
            for rate in (2000, 10000):
                self._echo(typist, rate)
            self._many(typist)
            self._outage(typist)
        return self.found

    def _register(self) -> None:
        with self.start() as typist:
            typist.until(lambda text: "answers" in text, "the menu")
            typist.type("2")
            typist.until(lambda text: "again" in text, "the form")
            typist.type("tess\rsecret\rsecret\r")
            typist.until(self._shows_newest, "the lobby")
            typist.type("\x11")
            typist.ended()

    def _starting(self) -> None:
        firsts, messages, bare = [], [], []
        for _ in range(5):
            bare.append(_interpreter())
            with self.start() as typist:
                first = typist.until(lambda text: text.strip(), "any text")
                shown = typist.until(self._shows_newest, "messages")
            firsts.append(1000 * (first - typist.started))
            messages.append(1000 * (shown - typist.started))
        self.found["interpreter"] = percentile(bare, 0.5)
        self.found["first-text"] = percentile(firsts, 0.5)
        self.found["first-messages"] = percentile(messages, 0.5)

    def _idle(self, typist: Typist) -> None:
        self._keep("idle", typist.echoes(self._seconds))
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
        self._keep(str(rate), typist.echoes(self._seconds * 0.95))
        typist.rest(0.5)
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
        shown = typist.until(lambda text: "nect" in text or "lost" in text, "that it is lost")
        self.found["loss-shown"] = 1000 * (shown - lost)
        typist.rest(OUTAGE)
        self._server.start()
        back = time.monotonic()
        typist.type("ω")
        typist.forget()
        self.found["back"] = typist.until(lambda text: "online" in text, "being back", 60) - back

    def _flood(self, rate: int, count: int) -> None:
        self._said += count
        self._server.flood(rate, count)

    def _keep(self, name: str, times: Sequence[float]) -> None:
        self.found[f"{name}-p50"] = percentile(times, 0.5)
        self.found[f"{name}-p99"] = percentile(times, 0.99)
        self.found[f"{name}-keys"] = len(times)


def _interpreter() -> float:
    """Milliseconds that the interpreter alone takes to start and end."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return 1000 * (time.monotonic() - began)


def table(found: dict[str, float]) -> str:
    """The figures beside their goals."""
    lines = [f"{'':58}{'here':>10}{'goal':>8}"]
    for name, goal in GOALS.items():
        if name in found:
            verdict = "" if found[name] <= goal.wanted else "  above"
            unit = f" {goal.unit}" if goal.unit else ""
            lines.append(f"{goal.what:58}{found[name]:10.3g}{goal.wanted:8g}{unit}{verdict}")
    for name in sorted(set(found) - set(GOALS)):
        lines.append(f"{name:58}{found[name]:10.3g}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screen", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each of the measurements")
    parser.add_argument("--name", default="", help="of the file in benchmarks/results")
    wanted = parser.parse_args(arguments)
    home = Path(tempfile.mkdtemp(prefix="screen-", dir="/tmp"))
    server = Server(free_port())
    try:
        found = Figures(server, home, wanted.seconds).measure()
    except Missing as error:
        print(f"benchmarks.screen: {error}", file=sys.stderr)
        return 1
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)
    print(f"a terminal of {COLUMNS} by {ROWS}\n{table(found)}")
    if wanted.name:
        results: dict[str, Any] = {"machine": describe(), "figures": found}
        target = RESULTS / f"{wanted.name}.json"
        target.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
