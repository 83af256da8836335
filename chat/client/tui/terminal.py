"""urwid's loop on Twisted's reactor: an echo at once, everything else 30 times a second."""

import os
import termios
from collections.abc import Callable, Iterable
from typing import Any

import urwid
from urwid.display.raw import Screen

__all__ = ["FRAME", "Loop", "Redraw", "Terminal"]

FRAME = 1 / 30
"""Seconds between two drawings that nobody waits for."""


class Redraw:
    """Coalesces wishes to draw. ``soon`` costs nothing when a drawing is due already.

    :param clock: of Twisted: ``seconds`` and ``callLater``.
    """

    def __init__(self, clock: Any, draw: Callable[[], None]) -> None:
        self._clock = clock
        self._draw = draw
        self._due: Any = None
        self._last = -1.0

    def soon(self) -> None:
        """Draw when a frame's time has passed since the last drawing."""
        if self._due is None:
            wait = max(0.0, self._last + FRAME - self._clock.seconds())
            self._due = self._clock.callLater(wait, self.now)

    def now(self) -> None:
        """Draw at once: somebody pressed a key and waits."""
        self.cancel()
        self._last = self._clock.seconds()
        self._draw()

    def cancel(self) -> None:
        """Draw no more, until asked again."""
        if self._due is not None:
            if self._due.active():
                self._due.cancel()
            self._due = None


class Terminal(Screen):
    """urwid's screen, where Ctrl-C, Ctrl-\\, Ctrl-S and Ctrl-Q are keys like others.

    Ctrl-Z still suspends. What is changed here is part of what ``stop`` puts back.
    """

    def _start(self, *arguments: Any, **more: Any) -> None:
        super()._start(*arguments, **more)
        descriptor = self._input_fileno()
        if descriptor is not None and os.isatty(descriptor):
            modes = termios.tcgetattr(descriptor)
            for key in (termios.VINTR, termios.VQUIT, termios.VSTART, termios.VSTOP):
                modes[6][key] = b"\x00"
            termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)


class Loop(urwid.MainLoop):
    """Draws right after a key instead of waiting for urwid's emulated idle (4 ms)."""

    redraw: Redraw

    def attach(self, clock: Any, drawn: Callable[[], None]) -> None:
        """Begin to draw by ``redraw``; ``drawn`` is called after each drawing."""

        def draw() -> None:
            if self.screen.started:
                self.draw_screen()
                drawn()

        self.redraw = Redraw(clock, draw)

    def process_input(self, keys: Iterable[str | tuple[str, int, int, int]]) -> bool:
        keys = list(keys)
        if "window resize" in keys:
            self.screen_size = None
        handled = super().process_input(keys)
        self.redraw.now()
        return handled

    def entering_idle(self) -> None:
        """Nothing: every change asks ``redraw`` by itself."""
