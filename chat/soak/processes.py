"""The processes that a soak breaks: servers and stores, which always end with the soak."""

import errno
import os
import random
import re
import resource
import shutil
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import hiredis
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from chat.store.embedded import launch
from chat.store.embedded.valkey import find_program

__all__ = ["Child", "Server", "Store", "ask", "free_ports", "limit_files", "resident"]

COPIES: Final = 5
"""How often a directory is copied in which files come and go."""

LOOK_SECONDS: Final = 0.02
ASK_SECONDS: Final = 3.0
START_SECONDS: Final = 30.0
TWISTD: Final = "from twisted.scripts.twistd import run; run()"
LISTENING: Final = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")
NOT_GIVEN_OUT: Final = range(20_000, 32_768)
"""Ports that no system gives to a connection by itself (Linux those from 32,768 on, others from
49,152 on): what is free stays free until it is listened on."""

CRASHES: Final = re.compile(r"^.*(?:Traceback|Unhandled Error|Unhandled error).*$", re.MULTILINE)

SERVER_OPTIONS: Final = {
    "argon2": "1,8,1",  # passwords are not what is tested
    "rate": "100,40",
    "user-rate": "200,80",
    "request-rate": "0",
    "refusals": "0",
    "registrations-per-address": "0",
    "logins-per-address": "0",
    "logins-per-account": "0",
    "stalled-seconds": "15",
    "send-buffer": "65536",
}
"""Limits are tested elsewhere; here many users come from one address."""


class Child(ProcessProtocol):
    """A process, what it prints, and its end."""

    transport: IProcessTransport

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._start = self._log.tell()
        self.port = 0
        self.code: int | None = None
        self._waiters: list[Deferred[None]] = []

    def outReceived(self, data: bytes) -> None:
        self._log.write(data)
        self._log.flush()
        if not self.port and (found := LISTENING.search(data)):
            self.port = int(found[1])
            self._changed()

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        status: Any = reason.value
        self.code = -status.signal if status.signal else status.exitCode
        self._log.close()
        self._changed()

    def _changed(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def changed(self) -> Deferred[None]:
        """Fires when it listens or has ended."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    async def ended(self) -> int:
        """Wait for its end.

        :returns: its exit status, or the signal's number below zero.
        """
        while self.code is None:
            await self.changed()
        return self.code

    @property
    def pid(self) -> int:
        """Its process id, 0 when it has ended."""
        return self.transport.pid or 0 if self.code is None else 0

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.pid:
            os.kill(self.pid, number)


def spawn(reactor: Any, child: Child, command: list[str], directory: Path) -> None:
    """Start a command that ends when this process does.

    The launcher is Python, so what it becomes ignores SIGXFSZ: over a limit on file size a write
    fails, and nobody dies of it.
    """
    words = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command]
    reactor.spawnProcess(child, sys.executable, words, None, str(directory))


class Server:
    """``twistd -n chatroom``, which can be started again after it has ended.

    :ivar options: those of the command line, from the next start on.
    """

    def __init__(self, reactor: Any, home: Path, name: str, options: dict[str, str]) -> None:
        self._reactor = reactor
        self.home = home
        self.name = name
        self.options = {**SERVER_OPTIONS, **options}
        self.child: Child | None = None

    @property
    def port(self) -> int:
        """Where it listens, 0 while it does not."""
        child = self.child
        return child.port if child is not None and child.code is None else 0

    @property
    def log(self) -> Path:
        """What it has printed, over all its lives."""
        return self.home / f"{self.name}.log"

    def begin(self) -> Child:
        """Start it, and do not wait."""
        child = self.child = Child(self.log)
        options = [f"--{name}={value}" for name, value in self.options.items()]
        words = [sys.executable, "-c", TWISTD, "-n", "--pidfile=", "chatroom"]
        words += ["--listen=tcp:0:interface=127.0.0.1", *options]
        spawn(self._reactor, child, words, self.home)
        return child

    async def start(self) -> int:
        """Start it until it listens; returns 0, or the exit status with which it did not."""
        child = self.begin()
        while not child.port and child.code is None:
            await child.changed()
        return 0 if child.port else child.code or 0

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            await self.child.ended()

    async def stop(self) -> int:
        """End it as a service manager does."""
        if self.child is None:
            return 0
        self.child.signal(signal.SIGTERM)
        return await self.child.ended()

    def memory(self) -> int:
        """Resident bytes, 0 while it does not run."""
        pid = self.child.pid if self.child is not None else 0
        return resident(pid)

    def crashes(self) -> list[str]:
        """The lines of its log that no server should write."""
        if not self.log.exists():
            return []
        return CRASHES.findall(self.log.read_text(errors="replace"))


class Store:
    """A Valkey of the soak's own, on a Unix socket, with an append-only file."""

    def __init__(self, reactor: Any, home: Path) -> None:
        self._reactor = reactor
        self.home = home
        self.path = str(home / "store")
        self.child: Child | None = None

    async def start(self) -> None:
        """Start it and wait until it has read its file.

        :raises RuntimeError: it does not.
        """
        child = self.child = Child(self.home / "store.out")
        words = [find_program(), "--port", "0", "--unixsocket", self.path]
        words += ["--dir", str(self.home), "--save", "", "--logfile", str(self.home / "store.log")]
        # With everysec it may answer before it has written (chat/store/embedded/flushing.py).
        words += ["--appendonly", "yes", "--appendfsync", "no"]
        words += ["--client-output-buffer-limit", "pubsub 256mb 64mb 60"]
        spawn(self._reactor, child, words, self.home)
        give_up = self._reactor.seconds() + START_SECONDS
        while not self._answers():
            if child.code is not None or self._reactor.seconds() > give_up:
                raise RuntimeError(f"the store does not start: see {self.home / 'store.log'}")
            await deferLater(self._reactor, LOOK_SECONDS)

    def _answers(self) -> bool:
        try:
            return bool(ask(self.path, "PING") == b"PONG")
        except (OSError, hiredis.ReplyError):
            return False

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            await self.child.ended()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.pid if self.child is not None else 0

    @property
    def append_only(self) -> Path:
        """The directory with its append-only files."""
        return self.home / "appendonlydir"


def ask(where: str | int, *words: str | bytes | int, seconds: float = ASK_SECONDS) -> Any:
    """Send one command to a store or a Sentinel, blocking for a moment.

    :param where: its Unix socket, or its port on this machine.
    :raises OSError: it is not there.
    :raises hiredis.ReplyError: it refuses.
    """
    family = socket.AF_INET if isinstance(where, int) else socket.AF_UNIX
    with socket.socket(family) as connection:
        connection.settimeout(seconds)
        connection.connect(("127.0.0.1", where) if isinstance(where, int) else where)
        packed: Any = words  # hiredis' own annotation knows tuples of one only
        connection.sendall(hiredis.pack_command(packed))
        reader = hiredis.Reader()
        while (reply := reader.gets()) is False:
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError
            reader.feed(data)
    if isinstance(reply, hiredis.ReplyError):
        raise reply
    return reply


def limit_files(pid: int, largest: int | None) -> None:
    """Let no file that a process writes grow above ``largest`` bytes; None for no limit."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    soft = resource.RLIM_INFINITY if largest is None else largest
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def newest_file(append_only: Path) -> Path:
    """The file to which a store appends now."""
    return max(append_only.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def copy_directory(source: Path, target: Path) -> None:
    """Copy files that may be being written. If some came or went meanwhile, as when a store
    rewrites its file, they are copied once more.

    :raises shutil.Error: some can't be copied.
    """
    for attempt in range(COPIES):
        shutil.rmtree(target, ignore_errors=True)
        names = set(source.rglob("*"))
        try:
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sock", "store"))
        except shutil.Error:
            if attempt == COPIES - 1:
                raise
        else:
            if set(source.rglob("*")) == names:
                return


def resident(pid: int) -> int:
    """Resident bytes of a process, 0 when there is none."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) if pid else 0
    except OSError:
        return 0
    return pages * resource.getpagesize()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses, to be listened on a little later."""
    with ExitStack() as stack:
        taken: list[int] = []
        for port in random.SystemRandom().sample(NOT_GIVEN_OUT, len(NOT_GIVEN_OUT)):
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                taken.append(port)
            if len(taken) == count:
                return taken
    raise OSError(errno.EADDRNOTAVAIL, "no ports are free")
