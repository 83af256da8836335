"""A store with a replica, and three Sentinels that see to a failover: real ones, on free ports."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import TestCase

from chat.soak.processes import free_ports
from chat.soak.sentinels import Sentinels
from tests.patience import PATIENCE
from tests.valkey import Valkey

__all__ = ["Group", "watched"]

MEMORY = Path("/dev/shm")
"""Sentinels save what they learn before they go on: on a slow disk none is elected in time."""

DOWN_MILLISECONDS = 1000
"""How long a store may be silent before a Sentinel thinks that it is down."""


class Group:
    """Two stores, one the replica of the other, and three Sentinels.

    :param arguments: for both stores.
    :ivar stores: the first is the master in the beginning.
    :ivar store_ports: where each of them listens.
    """

    def __init__(self, *arguments: str) -> None:
        where = MEMORY if MEMORY.is_dir() else None
        self.directory = Path(tempfile.mkdtemp(prefix="sn", dir=where))
        first, second, *ports = free_ports(5)
        self.sentinels = Sentinels(self.directory, ports, DOWN_MILLISECONDS)
        common = ["--appendonly", "yes", "--repl-diskless-sync-delay", "0", *arguments]
        self.stores = [
            Valkey("--port", str(first), *common),
            Valkey("--port", str(second), *common, "--replicaof", "127.0.0.1", str(first)),
        ]
        self.store_ports = (first, second)
        self._watchers: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """What the server's ``--store`` option takes."""
        return self.sentinels.url

    def start(self) -> None:
        """Start all, and wait until the Sentinels know each other and the replica."""
        for store in self.stores:
            store.start()
        self._until(lambda: b"master_link_status:up" in self.stores[1].ask("INFO", "replication"))
        for command in self.sentinels.commands(self.store_ports[0]):
            self._watchers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        self._until(self.sentinels.hurry)
        self._until(self.sentinels.know_all)

    @property
    def master(self) -> Valkey:
        """The store that the Sentinels call the master now."""
        port = self.sentinels.master_port()
        assert port, "no Sentinel answers"
        return self.stores[self.store_ports.index(port)]

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
        for watcher in self._watchers:
            watcher.kill()
            watcher.wait()
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
