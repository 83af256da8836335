"""Damaged files of the embedded store: found, cut, closed, or refused."""

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat.store.embedded import aof, repair
from chat.store.embedded.valkey import EmbeddedStore
from chat.store.errors import CannotStart
from tests.connections import connected_to
from tests.embedded_store import filled, new_directory, started


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
