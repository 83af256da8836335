"""Somebody at a terminal: starts a program there, types, and takes the time of what is written."""

import random
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.machine import Missing
from tests.pty_program import PtyProgram

__all__ = ["COLUMNS", "ROWS", "Typist", "percentile"]

COLUMNS: Final = 120
ROWS: Final = 40
PATIENCE: Final = 20.0
PAUSE: Final = 0.06
"""Seconds between two keys, on the average: a quick typist."""

LETTERS: Final = "αβγδεζηθικλμνξοπρστυφχψω"
"""No message and no escape sequence has one: its first appearance is the echo of its key."""

_SEQUENCE: Final = re.compile(
    rb"\x1b\[[0-9;:?<>=!$ ]*[A-Za-z@`{|}~]|\x1b[()][0-9A-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b."
)


class Typist(PtyProgram):
    """A program in a terminal of 120 by 40. Use it in a ``with``.

    :ivar written: how many bytes it wrote so far.
    :ivar started: when it was started, by ``time.monotonic``.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.written = 0
        self._seen = bytearray()
        self.started = time.monotonic()
        super().__init__(command, environ, COLUMNS, ROWS)
        self.leave_it_to_the_program()

    # Reading

    def read(self, seconds: float) -> bytes:
        """As ``PtyProgram.read``.

        :raises Missing: the program ended.
        """
        try:
            data = super().read(seconds)
        except OSError as error:
            raise Missing(f"the program ended: {self.text()[-500:]}") from error
        self.written += len(data)
        self._seen += data
        return data

    def text(self) -> str:
        """What was written since ``forget``, without escape sequences."""
        return _SEQUENCE.sub(b"", bytes(self._seen)).decode("utf-8", "replace")

    def forget(self) -> None:
        """Look only at what comes from now on."""
        self._seen.clear()

    def until(self, holds: Callable[[str], object], what: str, patience: float = PATIENCE) -> float:
        """Read until ``holds`` of the text. Return when that was.

        :raises Missing: it does not come.
        """
        end = time.monotonic() + patience
        while not holds(self.text()):
            if not self.read(end - time.monotonic()):
                raise Missing(f"waited for {what}: {self.text()[-500:]}")
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Read whatever comes for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end - time.monotonic())
            self.forget()

    def ended(self) -> None:
        """Read until the program has ended by itself."""
        with suppress(Missing):
            while self.process.poll() is None:
                self.read(PATIENCE)

    # Typing

    def echoes(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> list[float]:
        """Type for a while. Return the milliseconds from each key to its echo."""
        found: list[float] = []
        end = time.monotonic() + seconds
        chance = random.Random(1)
        while time.monotonic() < end and not stop():
            line, place = divmod(len(found), len(LETTERS))
            # Another letter than the line before had there: a screen may write only what differs.
            letter = LETTERS[(line + place) % len(LETTERS)]
            if place == 0:
                self.type("\x15")  # Ctrl-U: an empty line, so that each letter is new again
                self.rest(PAUSE)
            wanted = letter.encode()
            pressed = time.monotonic()
            self.type(letter)
            while wanted not in self._seen:
                if not self.read(PATIENCE):
                    raise Missing("a key had no echo")
            found.append(1000 * (time.monotonic() - pressed))
            self.rest(chance.uniform(0.5, 1.5) * PAUSE)
        self.type("\x15")
        self.rest(PAUSE)
        return found

    # The process

    def memory(self) -> float:
        """MB of real memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    def worked(self) -> float:
        """Seconds of processor time that it has used: its threads', too."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` of all lie."""
    ordered = sorted(values)
    if len(ordered) < 2:
        return ordered[0] if ordered else 0.0
    return statistics.quantiles(ordered, n=1000, method="inclusive")[
        min(998, max(0, round(part * 1000) - 1))
    ]
