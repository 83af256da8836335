"""Gets attention: by a bell, a terminal notification or a command, as the rules say."""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from twisted.logger import Logger

from chat.client.notify import Came, Quiet, Rule, actions_for
from chat.client.text import clean_line, clip

__all__ = ["Notifier", "osc", "run_command"]

GAP_SECONDS: Final = 3.0
"""Between two of a kind: a flood is one bell, not a concert."""

NOTE_COLUMNS: Final = 160
"""Of a note, more than any desktop shows."""

_PLACES = re.compile(r"\{(who|where|text)\}")


class Clock(Protocol):
    """What tells the time, in seconds."""

    def seconds(self) -> float: ...


class Wanted(Protocol):
    """What the settings say: the rules, and the program with its arguments; empty for none."""

    @property
    def notify(self) -> Sequence[Rule]: ...

    @property
    def command(self) -> Sequence[str]: ...


class Notifier:
    """Does what the rules say about messages that nobody sees.

    :param now: the moment, in the reader's time.
    :param write: to the terminal.
    :param run: starts a program, given its arguments.
    """

    def __init__(
        self,
        clock: Clock,
        wanted: Wanted,
        quiet: Quiet,
        now: Callable[[], datetime],
        write: Callable[[str], None],
        run: Callable[[Sequence[str]], None],
    ) -> None:
        self._clock = clock
        self._rules = wanted.notify
        self._quiet = quiet
        self._now = now
        self._write = write
        self._run = run
        self._command = wanted.command
        self._last: dict[str, float] = {}

    def came(self, came: Came) -> None:
        """A message came, and its reader is not looking."""
        actions = actions_for(self._rules, came)
        if not actions or self._quiet.holds(self._now()):
            return
        for action in actions:
            if self._may(action):
                self._do(action, came)

    def _may(self, action: str) -> bool:
        now = self._clock.seconds()
        if now - self._last.get(action, -GAP_SECONDS) < GAP_SECONDS:
            return False
        self._last[action] = now
        return True

    def _do(self, action: str, came: Came) -> None:
        match action:
            case "bell":
                self._write("\a")
            case "desktop":
                self._write(osc(f"9;{_note(came)}"))
            case "command" if self._command:
                self._run(_filled(self._command, came))
            case _:
                pass


def osc(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """An operating system command for the terminal itself, also through tmux and screen.

    :param text: printable; the caller has cleaned it.
    """
    if "TMUX" in environ:
        return f"\x1bPtmux;\x1b\x1b]{text}\a\x1b\\"
    if environ.get("TERM", "").startswith("screen"):
        return f"\x1bP\x1b]{text}\a\x1b\\"
    return f"\x1b]{text}\x1b\\"


def _note(came: Came) -> str:
    """A notification by OSC 9.

    A text that begins with a digit means something else to some terminals, in ConEmu even a program
    to run, and people may be called anything: so a space is put before it.
    """
    where = "" if came.kind == "private" else f" {came.conversation}"
    note = clean_line(f"{came.who}{where}: {came.text}")
    return clip(f" {note}" if note[:1].isdigit() else note, NOTE_COLUMNS)


def _filled(command: Sequence[str], came: Came) -> list[str]:
    """The command with its placeholders filled in. What somebody wrote never becomes an option."""
    values = {"who": came.who, "where": came.conversation, "text": came.text}
    values = {name: clean_line(value) for name, value in values.items()}
    found = []
    for each in command:
        filled = _PLACES.sub(lambda place: values[place[1]], each)
        option = filled.startswith("-") and not each.startswith("-")
        found.append(f" {filled}" if option else filled)
    return found


def run_command(reactor: Any) -> Callable[[Sequence[str]], None]:
    """Starts one program at a time, without output. While it runs, no other is started."""
    log = Logger()
    running: list[object] = []

    def done(result: object) -> None:
        running.clear()

    def run(command: Sequence[str]) -> None:
        from twisted.internet.defer import maybeDeferred
        from twisted.internet.utils import getProcessValue

        executable = shutil.which(command[0])
        if executable is None:
            log.error("there is no program {name} to notify with", name=command[0])
        elif not running:
            running.append(command)
            ended = maybeDeferred(  # The system may have no process left for it.
                getProcessValue, executable, command[1:], dict(os.environ), reactor=reactor
            )
            ended.addErrback(lambda failure: log.failure("the command to notify failed", failure))
            ended.addCallback(done)

    return run
