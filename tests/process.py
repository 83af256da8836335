"""The server as a process of its own, as people start it."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TextIO
from unittest import TestCase

from tests.patience import PATIENCE

__all__ = ["CHEAP", "ServerProcess", "twistd"]

TWISTD = "from twisted.scripts.twistd import run; run()"
LAST_WORDS = 10_000
"""Characters of a log that are kept for whoever wants to know what happened."""

CHEAP = ("--argon2", "1,8,1")
"""Passwords that cost nothing, where they are not what is tested."""


def twistd(
    *words: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run twistd to its end, in a directory that has nothing to do with the project.

    :param environment: what is added to this process's.
    """
    return subprocess.run(
        [sys.executable, "-c", TWISTD, *words],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class ServerProcess:
    """``twistd -n chatroom`` on a port that the system picks, with its data in ``home``.

    :param options: what comes after ``chatroom``.
    :param open_files: its soft and hard limit of open files, this process's own when None.
    :param environment: what is added to this process's.
    :cvar begun: all that were started, until somebody takes them out: a failure shows their logs.
    """

    begun: ClassVar[list["ServerProcess"]] = []

    def __init__(
        self,
        *options: str,
        open_files: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp"))
        self.port = 0
        self._options = options
        self._open_files = open_files
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self._last_words: str | None = None

    @classmethod
    def start_for(
        cls, test: TestCase, *options: str, open_files: tuple[int, int] | None = None
    ) -> "ServerProcess":
        """Start one that ends with ``test``."""
        server = cls(*options, open_files=open_files)
        test.addCleanup(server.remove)
        server.start()
        return server

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """All it has logged, over all its lives; the end of that once it was removed."""
        if self._last_words is not None:
            return self._last_words
        return (self.home / "log").read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        """What it has said on standard error."""
        return (self.home / "errors").read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it lets clients in."""
        self.begin()
        self.wait_until_listening()

    def wait_until_listening(self) -> None:
        """Wait until it lets clients in."""
        self.port = int(self.wait_for_log(r"Listening on 127\.0\.0\.1:(\d+)")[1])

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait for a line in what it logs in this life."""
        with (self.home / "log").open(encoding="utf-8") as log:
            log.seek(self._log_start)
            for line in self._lines(log):
                if found := re.search(pattern, line):
                    return found
        raise AssertionError(self.log)

    def begin(self) -> None:
        """Start it and do not wait."""
        path = self.home / "log"
        self._log_start = path.stat().st_size if path.exists() else 0
        words = ["chatroom", "--listen", "tcp:0:interface=127.0.0.1", *CHEAP]
        words += ["--data", str(self.home / "data"), *self._options]
        with path.open("a") as log, (self.home / "errors").open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", TWISTD, "-n", "--pidfile=", *words],
                cwd=self.home,
                env=self._environment,
                stdout=log,
                stderr=errors,
                text=True,
                preexec_fn=self._limit if self._open_files else None,
            )
        if self not in self.begun:
            self.begun.append(self)

    def _limit(self) -> None:
        assert self._open_files is not None
        resource.setrlimit(resource.RLIMIT_NOFILE, self._open_files)

    def _lines(self, log: TextIO) -> Iterator[str]:
        """The lines of the log as they come, until the process ends or it takes too long."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            ended = self.process.poll() is not None
            line = log.readline()
            if line:
                yield line
            elif ended:
                return
            else:
                time.sleep(0.005)  # a log file cannot be waited on

    def ended(self) -> int:
        """Wait for its end; return its exit status (twistd ends by the signal that stopped it)."""
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        """End it as a service manager does; return its exit status."""
        self.process.terminate()
        return self.ended()

    def ended_in_order(self) -> bool:
        """Wait for its end by SIGTERM; whether it got through all of its stopping."""
        return self.ended() == -signal.SIGTERM and "Server Shut Down." in self.log

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing meanwhile: what is sent to it is all there when it goes on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        """End it, and remove what it kept."""
        if self._process is not None:
            if self._process.poll() is None:
                self.stop()
            self._last_words = self.log[-LAST_WORDS:]
        shutil.rmtree(self.home, ignore_errors=True)
