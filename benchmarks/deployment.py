"""Several servers on one store, on whichever cores there are: started, killed, looked at."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.machine import Missing, free_port
from benchmarks.servers import OPTIONS
from chat.soak.processes import ask
from chat.store.embedded.valkey import find_program

__all__ = ["Deployment", "Process", "Store"]

START_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.02
TWISTD: Final = "from twisted.scripts.twistd import run; run()"
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Process:
    """A process, its port, and what it uses."""

    def __init__(self, command: list[str], port: int, home: Path, said: Path) -> None:
        self.port = port
        self._said = said
        with said.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, cwd=home)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def said(self) -> str:
        """The end of what it wrote."""
        return self._said.read_text(errors="replace")[-2_000:]

    def wait_for(self, words: str) -> None:
        """Wait until it says something.

        :raises Missing: it ended, or takes too long.
        """
        give_up = time.monotonic() + START_SECONDS
        while words not in self.said:
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise Missing(f"it does not start: {self.said}")
            time.sleep(LOOK_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._process.kill()
        self._process.wait()

    def cpu(self) -> float:
        """Seconds of processor time that it has used, its threads' included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, which: str = "VmRSS") -> int:
        """KiB of memory it has, or had at most (``VmHWM``)."""
        found = re.search(rf"^{which}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        return int(found[1]) if found else 0


class Store(Process):
    """A Valkey that keeps what is durable in ``home``."""

    def __init__(self, home: Path, *options: str) -> None:
        port = free_port()
        program = find_program()
        if program is None:
            raise Missing("no Valkey and no Redis is installed")
        words = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
        words += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        words += ["--client-output-buffer-limit", "pubsub 256mb 64mb 60", *options]
        super().__init__(words, port, home, home / "store.log")
        self.wait_for("Ready to accept connections")

    @property
    def url(self) -> str:
        """What ``--store`` takes."""
        return f"redis://127.0.0.1:{self.port}"

    def ask(self, *words: str | bytes | int) -> Any:
        """Send it one command."""
        return ask(self.port, *words, seconds=30)

    def figures(self, section: str) -> dict[str, str]:
        """A section of INFO."""
        lines = self.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


class Deployment:
    """Servers on one store, inside ``with``.

    :param servers: how many.
    :param options: of each server, changed or added to those of all benchmarks.
    """

    def __init__(self, servers: int, options: Mapping[str, str] | None = None) -> None:
        self._count = servers
        self._options = {**OPTIONS, "log-level": "info", **(options or {})}
        self.home = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self.store: Store
        self.servers: list[Process] = []

    @property
    def ports(self) -> list[int]:
        """Where the servers listen."""
        return [server.port for server in self.servers]

    def __enter__(self) -> Self:
        try:
            self.store = Store(self.home)
            for _ in range(self._count):
                self.add_server()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def add_server(self, options: Mapping[str, str] | None = None) -> Process:
        """Start one more."""
        port = free_port()
        words = [sys.executable, "-c", TWISTD, "-n", "--pidfile=", "chatroom"]
        words += ["--listen", f"tcp:{port}:interface=127.0.0.1", "--store", self.store.url]
        for name, value in {**self._options, **(options or {})}.items():
            words += [f"--{name}", value]
        said = self.home / f"server-{len(self.servers)}.log"
        server = Process(words, port, self.home, said)
        self.servers.append(server)
        server.wait_for("Listening on")
        return server

    def end(self) -> None:
        """End everything, and remove it."""
        for server in self.servers:
            server.kill()
        if hasattr(self, "store"):
            self.store.kill()
        shutil.rmtree(self.home, ignore_errors=True)
