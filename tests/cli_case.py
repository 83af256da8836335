"""The chatroom command as a process of its own, and a test case with a server for it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.fake_server import FakeServer
from tests.patience import PATIENCE

__all__ = ["ASCII", "ROOT", "CliCase", "Program"]

ROOT = Path(__file__).parent.parent

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""The environment of a terminal that can show nothing but ASCII."""


class Program:
    """``chatroom`` as a process of its own, without a terminal, in a home of its own."""

    def __init__(
        self, home: Path, words: tuple[str, ...], env: dict[str, str], out: int = subprocess.PIPE
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chat.client.cli.main", *words],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "PYTHONPATH": str(ROOT),
                **env,
            },
            start_new_session=True,
        )

    def end(self, given: bytes = b"") -> "Deferred[tuple[int, str, str]]":
        """Its exit status, what it printed, what it complained about."""
        return deferToThread(self._communicate, given)

    def _communicate(self, given: bytes) -> tuple[int, str, str]:
        out, errors = self.process.communicate(given, timeout=PATIENCE)
        return self.process.returncode, (out or b"").decode(), errors.decode()

    def line(self) -> "Deferred[str]":
        """The next line that it prints."""
        assert self.process.stdout is not None
        return deferToThread(lambda out: out.readline().decode(), self.process.stdout)

    def remove(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


class CliCase(TestCase):
    """A fake server on a real socket, and a home directory for the programs."""

    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)
        self.server = FakeServer()
        self.port = reactor.listenTCP(0, self.server, interface="127.0.0.1")
        self.address = f"127.0.0.1:{self.port.getHost().port}"
        self.addCleanup(self.close)
        self.password = {"CHATROOM_PASSWORD": "wonderland"}

    async def close(self) -> None:
        await maybeDeferred(self.port.stopListening)
        ends = []
        for connection in list(self.server.connections):
            ends.append(connection.ended())
            connection.transport.loseConnection()
        await DeferredList(ends)

    def begin(self, *words: str, out: int = subprocess.PIPE, **env: str) -> Program:
        program = Program(self.home, words, {**self.password, **env}, out)
        self.addCleanup(program.remove)
        return program

    async def run_program(
        self, *words: str, given: bytes = b"", **env: str
    ) -> tuple[int, str, str]:
        return await self.begin(*words, **env).end(given)

    async def as_alice(self, *words: str, given: bytes = b"") -> tuple[int, str, str]:
        return await self.run_program(*words, *self.alice(), given=given)

    def alice(self) -> tuple[str, ...]:
        return ("--server", self.address, "--user", "alice")

    def said(self, name: str = "#lobby") -> list[str]:
        return [entry.content for entry in self.server.place(name).entries]
