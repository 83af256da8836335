"""The servers under load: each one process group on one core, in a directory of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from socket import create_connection
from types import TracebackType
from typing import ClassVar, Final, Self

from benchmarks.machine import SERVER_CORE, Missing, build, free_port, pinned, version_of

__all__ = [
    "OPTIONS",
    "PEERS",
    "Chatroom",
    "Limit",
    "Program",
    "SingleLimit",
    "Sketch",
    "TLSChatroom",
]

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05
ROOT: Final = Path(__file__).parent.parent

OPTIONS: Final[Mapping[str, str]] = {
    "rate": "0",
    "request-rate": "0",
    "refusals": "0",
    "connections-per-address": "0",
    "registrations-per-address": "0",
    "logins-per-address": "0",
    "logins-per-account": "0",
    "logins-in-all": "0",
    "argon2": "1,8,1",
    "log-level": "warn",
}
"""What the load would run into, and what would cost time in preparing it. The code that enforces
the limits runs all the same."""


class Program:
    """A server that runs inside ``with``, and can be connected to there.

    :cvar words: how the load has to treat it (see ``load/load.c``).
    :ivar pids: its processes, the server first.
    """

    name: ClassVar[str]
    words: ClassVar[Mapping[str, str | float]] = {"dialect": "chat"}

    def __init__(self) -> None:
        self.home = Path()
        self.port = 0
        self.pids: list[int] = []

    def command(self) -> list[str]:
        """How it is started; it may write what it needs into ``self.home`` first."""
        raise NotImplementedError

    @classmethod
    def version(cls) -> str:
        """Of the program.

        :raises Missing: it is not installed.
        """
        return ""

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self.port = free_port()
        try:
            with (self.home / "output").open("wb") as output:
                self._process = subprocess.Popen(
                    pinned(SERVER_CORE, *self.command()), stdout=output, stderr=output, cwd="/"
                )
        except BaseException:
            shutil.rmtree(self.home, ignore_errors=True)
            raise
        self.pids = [self._process.pid]
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _wait(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise Missing(f"{self.name} does not start: {self.said()}")
            time.sleep(LOOK_SECONDS)

    def answers(self) -> bool:
        """Whether it takes connections."""
        with suppress(OSError), create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def said(self) -> str:
        """The end of what it wrote."""
        return (self.home / "output").read_text(errors="replace")[-2000:]

    def _end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


class Chatroom(Program):
    """The server of this project with the store it brings, both on the same core.

    :param options: changed or added to ``OPTIONS``.
    """

    name = "chatroom"

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.options = {**OPTIONS, **(options or {})}

    @classmethod
    def version(cls) -> str:
        return version("chatroom")

    @property
    def data(self) -> Path:
        """Where the store keeps everything."""
        return self.home / "data"

    @property
    def store_socket(self) -> str:
        """Where the store listens."""
        return (self.data / "socket").read_text()

    def command(self) -> list[str]:
        twistd = Path(sys.executable).with_name("twistd")
        words = [str(twistd), "-n", "--pidfile=", "chatroom", "--data", str(self.data)]
        words += ["--listen", self.endpoint()]
        for name, value in self.options.items():
            words += [f"--{name}", value]
        return words

    def endpoint(self) -> str:
        """Where it listens, as Twisted writes it."""
        return f"tcp:{self.port}:interface=127.0.0.1"

    def answers(self) -> bool:
        """Its port is bound before its store runs; who connects now only waits a little."""
        store = self._store_pid()
        if not store.isdigit() or not super().answers():
            return False
        self.pids = [self._process.pid, int(store)]
        return True

    def _store_pid(self) -> str:
        with suppress(OSError):
            return (self.data / "store.pid").read_text().strip()
        return ""


class TLSChatroom(Chatroom):
    """The same with TLS to every client."""

    name = "chatroom with TLS"
    words: ClassVar = {"dialect": "chat", "tls": 1}

    def endpoint(self) -> str:
        openssl = shutil.which("openssl")
        if openssl is None:
            raise Missing("a certificate for TLS needs openssl")
        key, certificate = self.home / "key.pem", self.home / "certificate.pem"
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        files = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
        subprocess.run([openssl, *words.split(), *files], check=True, capture_output=True)
        place = f"privateKey={key}:certKey={certificate}"
        return f"ssl:{self.port}:interface=127.0.0.1:{place}"


class Limit(Program):
    """A bare epoll loop that joins what it sends: what the kernel leaves possible."""

    name = "limit"
    arguments: ClassVar[tuple[str, ...]] = ()

    def command(self) -> list[str]:
        return [str(build("limit", "limit.c")), str(self.port), *self.arguments]


class SingleLimit(Limit):
    """The same with one send for every message and receiver."""

    name = "one send per message"
    arguments = ("single",)


class Sketch(Program):
    """The least that Twisted and the store can do, with neither a chat nor its limits."""

    name = "a sketch"

    def command(self) -> list[str]:
        words = [sys.executable, "-m", "benchmarks.sketch", str(self.port), str(self.home)]
        return ["env", f"PYTHONPATH={ROOT}", *words]

    def answers(self) -> bool:
        if not super().answers():  # Its port is bound when its store runs.
            return False
        self.pids = [self._process.pid, int((self.home / "store.pid").read_text())]
        return True


class Ngircd(Program):
    """ngIRCd, with its limits and penalties off."""

    name = "ngircd"
    words: ClassVar = {"dialect": "irc"}

    @classmethod
    def version(cls) -> str:
        return version_of(_find("ngircd"), "--version")

    def command(self) -> list[str]:
        config = self.home / "ngircd.conf"
        config.write_text(f"""
[Global]
    Name = irc.bench.test
    Info = benchmark
    AdminEMail = nobody@bench.test
    Listen = 127.0.0.1
    Ports = {self.port}
    MotdPhrase = benchmark
    ServerUID = {os.getuid()}
    ServerGID = {os.getuid()}
[Limits]
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxPenaltyTime = 0
    PingTimeout = 600
[Options]
    DNS = no
    Ident = no
    PAM = no
""")
        return [_find("ngircd"), "-n", "-f", str(config)]


class Inspircd(Program):
    """InspIRCd, with its limits and its fake lag off and large queues.

    Many come at once, because it looks at those who wait to be let in once a second.
    """

    name = "inspircd"
    words: ClassVar = {"dialect": "irc", "parallel": 500}

    @classmethod
    def version(cls) -> str:
        return version_of(_find("inspircd"), "--version")

    def command(self) -> list[str]:
        config = self.home / "inspircd.conf"
        config.write_text(f"""
<server name="irc.bench.test" description="benchmark" network="bench">
<admin name="nobody" nick="nobody" email="nobody@bench.test">
<bind address="127.0.0.1" port="{self.port}" type="clients">
<connect name="all" allow="*" timeout="60" pingfreq="600" maxchans="100"
  threshold="1000000000" commandrate="1000000000" fakelag="no"
  hardsendq="256M" softsendq="256M" recvq="16M"
  localmax="100000" globalmax="100000" resolvehostnames="no" useident="no">
<performance softlimit="100000" somaxconn="1024" netbuffersize="65534" quietbursts="yes">
<options allowhalfop="no" pingwarning="15" splitwhois="no">
<limits maxnick="32">
<path configdir="{self.home}" datadir="{self.home}" logdir="{self.home}" runtimedir="{self.home}">
<log method="file" type="*" level="default" target="inspircd.log">
<pid file="{self.home}/inspircd.pid">
""")
        words = [_find("inspircd"), "--nofork", "--nopid", "--config", str(config)]
        return [*words, "--runasroot"] if os.getuid() == 0 else words


PEERS: Final[tuple[type[Program], ...]] = (Ngircd, Inspircd)


def _find(name: str) -> str:
    """:raises Missing: it is not installed."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if found is None:
        raise Missing(f"{name} is not installed")
    return found
