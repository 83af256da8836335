"""The output goes up line by line; the prompt, and what is being typed, stay below it."""

from collections.abc import Callable
from typing import Any

from chat.client.text import clean, width

__all__ = ["Page"]

PATIENCE = 8.0
"""Seconds without a key after which what waited for the end of a line is said all the same."""


class Page:
    """Prints lines.

    While a line is being typed, nothing is printed in between, at least for a while.

    :param write: takes text.
    :param interactive: somebody types at a terminal: there is a prompt, and what is typed is
        echoed.
    """

    def __init__(self, clock: Any, write: Callable[[str], None], interactive: bool) -> None:
        self._clock = clock
        self._write = write
        self._interactive = interactive
        self._prompt = ""
        self._typed = ""
        self._waiting: list[str] = []
        self._due: Any = None

    def say(self, text: str) -> None:
        """Print a text of one or more lines; those after the first are indented."""
        lines = clean(text).split("\n")
        self._waiting += [lines[0], *(f"  {each}" for each in lines[1:])]
        # What is said in one turn of the reactor goes out together, with one prompt behind it.
        self._later(PATIENCE if self._typed else 0)

    def ask(self, prompt: str) -> None:
        """Use another prompt from now on."""
        if prompt == self._prompt:
            return
        if self._waiting and not self._typed:
            self._release()
        self._erase()
        self._prompt = prompt
        self._show()

    def again(self, typed: str) -> None:
        """Show the prompt and ``typed`` on a new line, with what waited above it."""
        self._typed = typed
        self._out("\n")
        self._release(begun_anew=True)

    def echo(self, text: str, typed: str) -> None:
        """A key was pressed.

        :param text: what shows it.
        :param typed: everything that is typed by now, masked where it is hidden.
        """
        self._typed = typed
        self._out(text)
        if self._waiting:
            self._later(PATIENCE if typed else 0)

    def entered(self) -> None:
        """The line is finished."""
        self._typed = ""
        self._out("\n")
        self._release(begun_anew=True)

    def close(self) -> None:
        """Leave the terminal on an empty line, and print what waited."""
        self._typed = self._prompt = ""
        self._out("\n")
        self._release()

    # Inside

    def _later(self, seconds: float) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = self._clock.callLater(seconds, self._waited)

    def _waited(self) -> None:
        self._due = None
        self._release()

    def _release(self, begun_anew: bool = False) -> None:
        """Print what waits, and the prompt below it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        lines, self._waiting = self._waiting, []
        if not self._interactive:
            self._write("".join(f"{each}\n" for each in lines))
            return
        if lines and not begun_anew:
            # From the prompt's first column on; what remains of the old one is blanked.
            rest = width(self._prompt) + width(self._typed) - width(lines[0])
            self._write("\r" + lines[0] + " " * rest + "\n")
            lines = lines[1:]
        elif not begun_anew:
            return
        self._write("".join(f"{each}\n" for each in lines))
        self._show()

    def _erase(self) -> None:
        """Blank the prompt, so that another can be written in its place."""
        if self._interactive and self._prompt:
            self._write("\r" + " " * (width(self._prompt) + width(self._typed)) + "\r")

    def _show(self) -> None:
        self._out(self._prompt + self._typed)

    def _out(self, text: str) -> None:
        if self._interactive and text:
            self._write(text)
