"""The embedded store's file reaches the disk once a second, whichever file that is."""

import os
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.store.embedded.flushing import Flusher


class _Pool:
    """Runs at once what should run in a thread."""

    def callInThreadWithCallback(self, onResult, function, *args):  # type: ignore[no-untyped-def]
        function(*args)
        onResult(True, None)


class _Reactor(Clock):
    def getThreadPool(self) -> _Pool:
        return _Pool()

    def callFromThread(self, function, *args):  # type: ignore[no-untyped-def]
        function(*args)


class FlusherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.files = [self._file("one")]
        self.synced: list[str] = []
        self.away: list[OSError | None] = []
        self.patch(os, "fsync", self._fsync)
        self.clock = _Reactor()
        self.flusher = Flusher(self.clock, self._listed)
        self.flusher.start()
        self.addCleanup(self.flusher.stop)

    def _file(self, name: str) -> Path:
        path = self.directory / name
        path.write_bytes(b"x")
        return path

    def _listed(self) -> list[Path]:
        if self.away and (error := self.away.pop()):
            raise error
        return self.files

    def _fsync(self, descriptor: int) -> None:
        self.synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    def test_a_file_that_grew_is_synced_once(self) -> None:
        self.clock.pump([1.0, 1.0, 1.0])
        self.assertEqual(self.synced, ["one"])
        self.files[0].write_bytes(b"more")
        self.clock.pump([1.0, 1.0])
        self.assertEqual(self.synced, ["one", "one"])

    def test_a_new_file_is_synced_with_those_before_it(self) -> None:
        self.clock.advance(1.0)
        self.files.append(self._file("two"))
        self.clock.advance(1.0)
        self.assertEqual(self.synced, ["one", "one", "two"])

    def test_a_file_that_is_away_for_a_moment_is_no_error(self) -> None:
        self.files[0].unlink()
        self.clock.advance(1.0)
        self._file("one")
        self.clock.advance(1.0)
        self.assertEqual(self.synced, ["one"])

    def test_a_list_of_files_that_is_away_at_whatever_moment_is_no_error(self) -> None:
        for looks in range(3):
            self.files.append(self._file(f"new{looks}"))
            self.away = [FileNotFoundError(), *[None] * looks]
            self.clock.pump([1.0] * 5)
            self.assertEqual(self.synced[-1], f"new{looks}")

    def test_after_stopping_nothing_is_synced(self) -> None:
        self.flusher.stop()
        self.clock.advance(5.0)
        self.assertEqual(self.synced, [])
