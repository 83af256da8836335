"""Plays a recording: in the terminal at its original speed, or as text."""

import sys
from pathlib import Path
from typing import Any, TextIO

import urwid

from chat.client.language.words import Words
from chat.client.network.lean import lean_reactor
from chat.client.tui.panes.draw import Drawn, canvas, stacked
from chat.client.tui.recording.replay import Replay, read_tape
from chat.client.tui.recording.tape import BadTape
from chat.client.tui.terminal.early import twisted_loop
from chat.client.tui.terminal.screen import Loop, Terminal

__all__ = ["play", "print_screens"]

LONGEST_PAUSE = 2.0
"""Seconds that nothing may happen: nobody wants to wait again for somebody who went for coffee."""

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0)


class Player(urwid.Widget):
    """The screen of a recording inside another one, with a line that says where it is.

    :ivar trouble: why the recording can't go on, None as long as it can.
    """

    _sizing = frozenset([urwid.BOX])
    _selectable = True

    def __init__(self, replay: Replay, words: Words, clock: Any, speed: float) -> None:
        super().__init__()
        self.replay = replay
        self.speed = speed
        self.paused = False
        self._words = words
        self._clock = clock
        self._due: Any = None
        self.trouble: BadTape | None = None
        self.draw = lambda: None
        self.leave = lambda: None

    # Time

    def go_on(self) -> None:
        """Wait for the next event as long as it took then."""
        self._cancel()
        replay = self.replay
        if self.paused or replay.done:
            return
        wait = replay.tape.lines[replay.place].at - replay.clock.seconds()
        wait = min(max(0.0, wait), LONGEST_PAUSE) / self.speed
        self._due = self._clock.callLater(wait, self._next)

    def _next(self) -> None:
        self._due = None
        try:
            self.replay.step()
        except BadTape as error:
            self.trouble = error
            self.leave()
            return
        self._invalidate()
        self.draw()
        self.go_on()

    def _cancel(self) -> None:
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None

    # Drawing

    def render(self, size: tuple[int, int], focus: bool = False) -> Drawn:  # type: ignore[override]  # always a box
        columns, rows = size
        shown = self.replay.canvas()
        fitted = canvas(shown.lines, columns, rows - 1, shown.cursor)
        return stacked([fitted, canvas([[("status", self._status())]], columns, 1)])

    def _status(self) -> str:
        replay = self.replay
        lines = replay.tape.lines
        return self._words(
            "replay-status",
            now=round(replay.clock.seconds(), 1),
            end=round(lines[-1].at, 1) if lines else 0,
            place=replay.place,
            count=len(lines),
            speed=f"{self.speed:g}",
        )

    # Keys

    def keypress(self, size: tuple[int, int], key: str) -> str | None:  # type: ignore[override]  # always a box
        match key:
            case " ":
                self.paused = not self.paused
            case "right" if not self.replay.done:
                self.paused = True
                self.replay.step()
            case "+" | "-":
                place = min(range(len(SPEEDS)), key=lambda at: abs(SPEEDS[at] - self.speed))
                place += 1 if key == "+" else -1
                self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]
            case "q" | "esc" | "ctrl c" | "ctrl q":
                self.leave()
            case _:
                return key
        self._invalidate()
        self.go_on()
        return None


def print_screens(path: Path, output: TextIO, every: bool = False) -> None:
    """Print the last screen of a recording, or every one that differs from the one before.

    :raises BadTape: the file is not a recording.
    :raises OSError: it can't be read.
    """
    replay = Replay(read_tape(path))
    shown = ""
    for at, drawn in replay.screens():
        text = "\n".join(line.rstrip() for line in drawn.decoded_text)
        if every and text != shown:
            print(f"--- {at:.3f} s, line {replay.place + 1}\n{text}", file=output)
        shown = text
    if not every:
        print(shown, file=output)


def play(path: Path, words: Words, speed: float) -> None:
    """Show a recording in this terminal until its reader leaves.

    :raises BadTape: the file is not a recording.
    :raises OSError: it can't be read.
    """
    urwid.set_encoding("utf-8")
    replay = Replay(read_tape(path))
    reactor = lean_reactor()
    screen = Terminal(sys.stdin, sys.stdout)
    screen.output.attach(reactor)
    player = Player(replay, words, reactor, speed)
    loop = Loop(
        player,
        replay.look.theme.palette(),
        screen=screen,
        event_loop=twisted_loop(reactor),
        handle_mouse=False,
    )
    loop.attach(reactor, player._invalidate, lambda: None)
    player.draw = loop.redraw.soon
    player.leave = reactor.stop
    reactor.callWhenRunning(loop.redraw.now)
    reactor.callWhenRunning(player.go_on)
    loop.run()
    if player.trouble is not None:
        raise player.trouble
