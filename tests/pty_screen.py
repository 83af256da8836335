"""A program in a pseudo-terminal, its screen read by pyte: what a person would see of it."""

import os
import re
import select
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

from tests.patience import PATIENCE
from tests.pty_program import PtyProgram

__all__ = ["CONTROL", "KEYS", "PtyScreen", "client_command", "client_environ", "register"]


KEYS: Mapping[str, str] = {
    "enter": "\r", "tab": "\t", "esc": "\x1b", "backspace": "\x7f", "up": "\x1b[A",
    "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "page up": "\x1b[5~",
    "page down": "\x1b[6~", "shift tab": "\x1b[Z", "f1": "\x1bOP", "f4": "\x1bOS", "f5": "\x1b[15~",
    "ctrl c": "\x03", "ctrl d": "\x04", "ctrl k": "\x0b", "ctrl l": "\x0c", "ctrl q": "\x11",
    "meta enter": "\x1b\r", "meta a": "\x1ba", "meta end": "\x1b[1;3F",
}  # fmt: skip
"""What a terminal sends for a key, by urwid's name for it."""

CONTROL = re.compile(
    # What urwid itself writes: CSI sequences, character sets, OSC titles, and the plain ones.
    r"\x1b\[[0-9;:?<>=!$ ]*[A-Za-z@`{|}~]|\x1b[()][0-9A-Z]|\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[=>78cDEHM]|[\r\n\x08\x0e\x0f\x07]"
)


class PtyScreen(PtyProgram):
    """As a ``PtyProgram``.

    :ivar screen: pyte's screen, with colours.
    :ivar raw: everything that was written.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        super().__init__(command, environ, columns, rows)

    # Looking

    def lines(self) -> list[str]:
        """The rows as they stand now, in the middle of a frame perhaps.

        pyte's own ``display`` fails where half of a wide character is written over already.
        """
        screen = self.screen
        rows = (screen.buffer[row] for row in range(screen.lines))
        texts = ("".join(row[at].data for at in range(screen.columns)) for row in rows)
        return [text.rstrip() for text in texts]

    def text(self) -> str:
        return "\n".join(self.lines())

    def stray(self) -> str:
        """Everything unprintable that was written and is no sequence of urwid's own."""
        written = self.raw.decode("utf-8", "surrogateescape")
        rest = CONTROL.sub("", written)
        return "".join(each for each in rest if not each.isprintable())

    def wait_for(self, wanted: str, patience: float = PATIENCE) -> str:
        """Read until ``wanted`` stands on the screen.

        :returns: the whole screen.
        :raises AssertionError: it doesn't come; shows what is there instead.
        """
        return self.wait_until(lambda text: wanted in text, repr(wanted), patience)

    def wait_gone(self, unwanted: str, patience: float = PATIENCE) -> str:
        """Read until ``unwanted`` no longer stands on the screen."""
        return self.wait_until(lambda text: unwanted not in text, f"no {unwanted!r}", patience)

    def wait_until(
        self, holds: Callable[[str], bool], what: str, patience: float = PATIENCE
    ) -> str:
        """Read until ``holds`` is true of the screen's text, or of whatever else it looks at."""
        end = time.monotonic() + patience
        while not holds(self.text()):
            left = end - time.monotonic()
            if left <= 0 or not self._read(min(left, 0.1)):
                raise AssertionError(f"waited for {what}; the screen is:\n{self.text()}")
        return self.text()

    def rest(self, seconds: float = 0.3) -> None:
        """Read until nothing has come for some seconds: for pictures, no test should need it."""
        seen = -1
        while seen != len(self.raw):
            seen = len(self.raw)
            self._read(seconds)

    def _read(self, seconds: float) -> bool:
        """Take in what the program writes. Return whether it may write more."""
        try:
            data = self.read(seconds)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data) or self.process.poll() is None

    def wait_ended(self, patience: float = PATIENCE) -> int:
        """Read until the program has ended. Return its exit status."""
        end = time.monotonic() + patience
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"the program does not end; the screen is:\n{self.text()}")
            self._read(0.05)
        while self._read(0.0) and select.select([self._terminal], [], [], 0)[0]:
            pass
        return self.process.returncode

    def restored(self) -> bool:
        """Whether the terminal is as it was before the program began."""
        left = self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")
        paste = self.raw.rfind(b"\x1b[?2004l") > self.raw.rfind(b"\x1b[?2004h")
        return left and paste and self.modes_are_back()

    def modes_are_back(self) -> bool:
        """Whether what is typed is handled as it was before the program began."""
        return termios.tcgetattr(self._program_side) == self.modes_before

    def seconds_of_work(self) -> float:
        """Processor time that the program has used; other programs do not count."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    # Doing

    def press(self, *keys: str) -> None:
        """Press keys by urwid's names (see ``KEYS``)."""
        for key in keys:
            self.type(KEYS[key])

    def enter(self, text: str) -> None:
        """Type it, and press Enter."""
        self.type(text)
        self.press("enter")

    def paste(self, text: str) -> None:
        """What a terminal sends for a bracketed paste."""
        self.type("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        super().resize(columns, rows)


# The client's screen ------------------------------------------------------------------------------


def client_command(server: str) -> list[str]:
    """The screen as the ``chatroom`` command shows it."""
    program = "import sys; from chat.client.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", program, "--server", server]


def client_environ(home: Path, language: str) -> dict[str, str]:
    """An environment in which nothing of this machine's user is seen."""
    return {
        "HOME": str(home),
        "LANG": language,
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "TZ": "UTC",
    }


def register(screen: PtyScreen, name: str, probe: bool = True) -> None:
    """From the start menu into the lobby as a new user; the password is ``secret-<name>``."""
    if probe:
        screen.wait_for("The server answers")
    screen.type("2")
    screen.wait_for("Password again")
    for text in (name, f"secret-{name}", f"secret-{name}"):
        screen.enter(text)
    screen.wait_for("Write to #lobby")
