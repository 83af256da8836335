"""urwid's screen and loop on Twisted's reactor, with a painter and an output of our own."""

import os
import termios
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import urwid
from urwid.display.raw import Screen

from chat.client.text import graphemes, is_printable
from chat.client.tui.commands.keys import WHEEL
from chat.client.tui.panes.draw import Drawn
from chat.client.tui.terminal.background import ASK, Background
from chat.client.tui.terminal.output import Output
from chat.client.tui.terminal.paint import Painter
from chat.client.tui.terminal.redraw import Redraw

__all__ = ["Loop", "Terminal"]

SYNCHRONISED_FROM = 200
"""Bytes of a frame from which on a terminal that can is told to show it all at once."""

READ_SIZE = 4096
"""Bytes of what was typed or pasted that are taken at a time."""

WHEEL_ARROWS = 3
"""Arrows that come for a notch of the wheel, at the least: of VTE, Alacritty, foot and tmux."""

_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""DECAWM. Without it, a character that a terminal draws too wide spoils no row but its own."""


_KEEP_TITLE, _OLD_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""XTWINOPS: the window's title is put on a stack, and taken from it. Who has none ignores it."""


class Terminal(Screen):
    """urwid's screen, on which Ctrl-C, Ctrl-\\, Ctrl-S and Ctrl-Q are ordinary keys.

    Ctrl-Z still suspends. ``stop`` restores whatever was changed here.

    :param ascii: as ``Painter`` has it.
    :ivar frame_bytes: how much the last frame wrote.
    :ivar on_gone: called when the terminal is gone; by default it ends the main loop.
    :ivar on_light: called with whether the terminal is light, when it was asked and has answered.
    """

    def __init__(self, input: Any, output: Any, ascii: bool = False) -> None:
        self.output = Output(output.fileno())
        super().__init__(input, self.output, bracketed_paste_mode=True, focus_reporting=True)
        self.frame_bytes = 0
        self.on_gone: Callable[[], None] = _end_loop
        self.on_light: Callable[[bool], None] = lambda light: None
        self._background: Background | None = None
        self._painter = Painter(self._attr_to_escape, ascii)
        self._titled = "linux" not in os.environ.get("TERM", "")  # the Linux console has no titles
        self._title = ""

    def _start(self, *arguments: Any, **more: Any) -> None:
        super()._start(*arguments, **more)
        self.write(_NO_WRAP)
        if self._titled:
            self.write(_KEEP_TITLE)
            self._tell_title()
        descriptor = self._input_fileno()
        if descriptor is not None and os.isatty(descriptor):
            modes = termios.tcgetattr(descriptor)
            for key in (termios.VINTR, termios.VQUIT, termios.VSTART, termios.VSTOP):
                modes[6][key] = b"\x00"
            termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)

    def _stop(self) -> None:
        self.write(_WRAP)
        if self._titled:
            self.write(_OLD_TITLE)
        with suppress(termios.error):  # there is nothing to put back in a terminal that is gone
            super()._stop()
        self.output.finish()

    def entitle(self, title: str) -> None:
        """Set the window's title until the screen stops, and again when it is started again."""
        if self._titled and title != self._title:
            self._title = title
            if self.started:
                self._tell_title()
                self.flush()

    def _tell_title(self) -> None:
        if self._title:
            self.write(f"\x1b]2;{self._title}\x1b\\")

    def ask_background(self) -> None:
        """Ask the terminal whether it is light."""
        self._background = Background(lambda light: self.on_light(light))
        self.write(ASK)
        self.flush()

    def hook_event_loop(self, event_loop: Any, callback: Callable[[Any, Any], Any]) -> None:
        """Call ``callback`` with keys. A single letter, the most frequent key, does not go through
        urwid's parser, which makes two pollers for each key."""
        super().hook_event_loop(event_loop, callback)
        descriptor = self._input_fileno()
        if descriptor is not None:  # replaces urwid's own function
            event_loop.watch_file(
                descriptor, partial(self._typed, descriptor, event_loop, callback)
            )

    def _typed(self, descriptor: int, event_loop: Any, callback: Callable[[Any, Any], Any]) -> None:
        try:
            data = os.read(descriptor, READ_SIZE)
        except OSError:
            data = b""
        if not data:
            self.unhook_event_loop(event_loop)
            self.on_gone()
            return
        if self._background is not None:
            data = self._background.take(data)
            if not data:
                return
        text = "" if self._partial_codes or self._resized else _plain(data)
        if text:
            callback(list(graphemes(text)), list(data))
        else:
            self.parse_input(event_loop, callback, [*self._partial_codes, *data])

    def clear(self) -> None:
        super().clear()
        self._painter.forget()

    def draw_screen(self, size: tuple[int, int], canvas: urwid.Canvas) -> None:
        """Write what differs from what the terminal shows."""
        self.frame_bytes = 0
        if self._resized or (self.screen_buf and canvas is self._screen_buf_canvas):
            return  # a resize is handled before anything is drawn
        if not self.screen_buf:
            self._painter.forget()
        assert isinstance(canvas, Drawn)
        frame = self._painter.paint(canvas.lines, size[0], canvas.cursor)
        self.frame_bytes = len(frame)
        if self.modes.synchronized_output and len(frame) >= SYNCHRONISED_FROM:
            frame = f"\x1b[?2026h{frame}\x1b[?2026l"
        self.write(frame)
        self.flush()
        self.screen_buf, self._screen_buf_canvas = [[]], canvas


def _end_loop() -> None:
    raise urwid.ExitMainLoop


def _plain(data: bytes) -> str:
    """``data`` as text, if it is nothing else; half of a character is not."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    return text if is_printable(text) else ""


def _wheeled(keys: list[Any]) -> list[Any]:
    """``keys``, in which arrows that come from the wheel are told from those of the keyboard.

    Where a program does not use the mouse, many terminals send arrows for the wheel, several at
    once.
    """
    same = len(keys) >= WHEEL_ARROWS and keys[0] in ("up", "down") and len(set(keys)) == 1
    return [f"{WHEEL}{key}" for key in keys] if same else keys


class Loop(urwid.MainLoop):
    """Draws by a ``Redraw`` and not when urwid believes to be idle, which costs 4 ms for each
    key."""

    redraw: Redraw

    def attach(self, clock: Any, changed: Callable[[], None], drawn: Callable[[], None]) -> None:
        """Begin to draw by ``redraw``.

        :param changed: called before a drawing of everything.
        :param drawn: called after each drawing.
        """

        terminal = self.screen
        assert isinstance(terminal, Terminal)

        def draw(everything: bool) -> int:
            if not terminal.started:
                return 0
            if everything:
                changed()
            self.draw_screen()
            drawn()
            return terminal.frame_bytes

        self.redraw = Redraw(clock, draw, lambda: not terminal.output.busy)
        terminal.output.drained = self.redraw.drained

    def process_input(self, keys: Iterable[str | tuple[str, int, int, int]]) -> bool:
        keys = _wheeled(list(keys))
        if "window resize" in keys:
            self.screen_size = None
        return self.redraw.after(partial(super().process_input, keys))

    def entering_idle(self) -> None:
        """Nothing: every change asks ``redraw`` itself."""
