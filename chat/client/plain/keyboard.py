"""Where lines come from: a terminal, key by key, or a pipe."""

import os
import signal
import termios
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from chat.client.plain.page import Page
from chat.client.plain.typed import Key, TypedLine
from chat.client.standard_input import lines

__all__ = ["Keyboard", "Person", "read_pipe"]


class Person(Protocol):
    """What typed lines and keys are given to."""

    def take(self, typed: list[str]) -> None:
        """Take some lines; several when they came at once."""

    def interrupt(self) -> None:
        """Ctrl-C: leave what is asked, or the program."""

    def end(self) -> None:
        """Ctrl-D was pressed, or the terminal is gone."""

    def stumbled(self) -> None:
        """What was typed could not be handled, by a mistake of ours: say so."""

    def ready(self) -> "Deferred[None]":
        """Fires when another line can be taken, because nothing is under way that it has to wait
        for."""

    @property
    def hidden(self) -> bool:
        """Whether what is typed now must not be seen."""

    @property
    def talking(self) -> bool:
        """Whether what is typed now is sent to others, so that a paste must not be cut into
        lines."""


@implementer(IReadDescriptor)
class Keyboard:
    """A terminal on which every key is heard at once, and echoed by us."""

    log = Logger()

    def __init__(self, reactor: Any, descriptor: int, page: Page, person: Person) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._page = page
        self._person = person
        self._line = TypedLine()
        self._before: list[Any] | None = None

    def start(self) -> None:
        """Read keys from now on."""
        self._before = termios.tcgetattr(self._descriptor)
        modes = termios.tcgetattr(self._descriptor)
        modes[0] &= ~termios.IXON
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        modes[6][termios.VINTR] = modes[6][termios.VQUIT] = b"\x00"
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, modes)
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Restore the terminal."""
        self._reactor.removeReader(self)
        if self._before is not None:
            with suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def suspend(self) -> None:
        """Ctrl-Z: restore the terminal until this program is continued."""
        self.stop()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.start()
        self._page.again(self._seen)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "keyboard"

    def doRead(self) -> None:
        try:
            data = os.read(self._descriptor, 65_536)
        except OSError:
            data = b""
        if not data:
            self._reactor.removeReader(self)
            self._person.end()
            return
        try:
            self._hear(data)
        except Exception:  # Otherwise the reactor would stop listening to the keyboard.
            self.log.failure("what was typed could not be handled")
            self._person.stumbled()

    def _hear(self, data: bytes) -> None:
        finished: list[str] = []
        for happened in self._line.feed(data):
            if happened.key is not Key.LINE:
                self._press(happened.key, happened.text)
                continue
            self._page.entered()
            finished.append(happened.text)
            if not self._person.talking:
                # The next question may be for a password: find out before another letter is echoed.
                self._person.take(finished)
                finished = []
            self._line.hidden = self._person.hidden
        self._line.rest()
        if finished:
            self._person.take(finished)

    @property
    def _seen(self) -> str:
        return "" if self._line.hidden else self._line.text

    def connectionLost(self, reason: object) -> None:
        """The reactor has stopped."""

    def _press(self, key: Key, text: str) -> None:
        match key:
            case Key.ECHO:
                self._page.echo(text, self._seen)
            case Key.AGAIN:
                self._page.again(self._seen)
            case Key.END:
                self._person.end()
            case Key.INTERRUPT if self._line.text:
                self._line.text = ""
                self._page.entered()
            case _:
                self._person.interrupt()


async def read_pipe(reactor: Any, stream: BinaryIO, person: Person) -> None:
    """Give ``person`` one line after the other, and then the end.

    :raises NotText: a line is not UTF-8; it and those after it were not given.
    """
    try:
        await person.ready()
        async for line in lines(reactor, stream):
            person.take([line])
            await person.ready()
    except Exception:  # When the reactor has stopped, there is nothing left to end.
        person.end()
        raise
    person.end()
