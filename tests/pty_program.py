"""A program in a pseudo-terminal: started, typed to, given another size, ended."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from typing import Self

from tests.patience import PATIENCE

__all__ = ["PtyProgram"]

AT_ONCE = 1 << 20
"""Bytes read at a time, more than a terminal holds."""


class PtyProgram:
    """Starts ``command`` in a terminal of ``columns`` by ``rows``. Use it in a ``with``.

    :param environ: the whole environment; TERM is xterm-256color unless it says otherwise.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], columns: int, rows: int
    ) -> None:
        self._terminal, self._program_side = pty.openpty()
        self._open = [self._terminal, self._program_side]
        self._set_size(columns, rows)
        self.modes_before = termios.tcgetattr(self._program_side)
        self.process = subprocess.Popen(
            command,
            stdin=self._program_side,
            stdout=self._program_side,
            stderr=self._program_side,
            env={"TERM": "xterm-256color", **environ},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.set_blocking(self._terminal, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal, as somebody does who closes its window."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open = []

    def leave_it_to_the_program(self) -> None:
        """Let go of the program's side: when it ends, ``read`` fails."""
        self._open.remove(self._program_side)
        os.close(self._program_side)

    def read(self, seconds: float) -> bytes:
        """What the program writes next, within so many seconds; empty when nothing comes.

        :raises OSError: nobody has the other side open any more.
        """
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, seconds))
        return os.read(self._terminal, AT_ONCE) if ready else b""

    def type(self, text: str) -> None:
        """Press the keys of ``text``."""
        data = text.encode()
        while data:
            _, ready, _ = select.select([], [self._terminal], [], PATIENCE)
            assert ready, "the program does not read its keys"
            data = data[os.write(self._terminal, data) :]

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, as a window manager does."""
        self._set_size(columns, rows)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGWINCH)

    def _set_size(self, columns: int, rows: int) -> None:
        packed = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, packed)
