"""``chatroom admin`` as tests run it: loaded once, one process for each command."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.party import Party, User
from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent

__all__ = ["ENVIRON", "Admin", "Loaded", "log_in", "one"]

LOADED = """
import json, os, sys
from chat.admin import cli, running

for line in sys.stdin:
    words, *files = json.loads(line)
    child = os.fork()
    if not child:
        for descriptor, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        try:
            status = cli.main(words)
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Loads the program once and forks for each command: loading is most of what a command costs."""

ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


class Loaded:
    """The program, loaded."""

    def __init__(self, home: Path) -> None:
        self._files = [home / "out", home / "errors"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOADED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=ENVIRON,
        )  # fmt: skip

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([words, *map(str, self._files)]), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(words, status, *(f.read_text() for f in self._files))

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no file of the commands grow beyond 1,000 bytes meanwhile."""
        which, pid = resource.RLIMIT_FSIZE, self._process.pid
        soft, hard = resource.prlimit(pid, which)
        resource.prlimit(pid, which, (1_000, hard))
        try:
            yield
        finally:
            resource.prlimit(pid, which, (soft, hard))

    def stop(self) -> None:
        """Let it go."""
        self._process.communicate(timeout=PATIENCE)


class Admin:
    """Runs ``chatroom admin`` against one server, each command in a process of its own."""

    program: ClassVar[Loaded]

    def __init__(self, *where: str) -> None:
        self.where = where

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return self.program.run([*words, *self.where])

    def do(self, *words: str) -> str:
        """Run a command that is done; what it printed."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def get(self, *words: str) -> list[dict[str, Any]]:
        """The same with ``--json``."""
        return [json.loads(line) for line in self.do(*words, "--json").splitlines()]

    def refused(self, *words: str) -> str:
        """Run a command that can't be done; the sentence."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr


def one(rows: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    """The one row that has these."""
    (found,) = [each for each in rows if members.items() <= each.items()]
    return found


def log_in(party: Party, user: User, password: str = "") -> dict[str, Any]:
    """Try to log in; the reply."""
    peer = party.connect()
    return peer.log_in(userId=user.user_id, userPwd=password or user.password, device="new")
