"""The embedded store's directory: who may use it, how it was left, and where its socket is."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from chat import disk
from chat.store.embedded.aof import MANIFEST, named_files
from chat.store.errors import CannotStart

__all__ = ["INSTEAD", "RESTORED", "SAVED", "DataDirectory", "machine_boot"]

SOCKET_PATH_LIMIT: Final = 100
"""Bytes; ``sun_path`` holds 104 on macOS and 108 on Linux, with a final NUL."""

SAVED: Final = "store.saving.rdb"
"""Where the store saves itself for a backup. By its own name for it, ``dump.rdb``, people call what
they bring from elsewhere."""

UNFINISHED: Final = ("temp-*.rdb", "temp-rewriteaof-*.aof")
"""What the store writes itself into while it saves itself, or writes its file anew. Killed then, it
leaves it, and no later one looks at it."""

RESTORED: Final = "appendonlydir.new"
"""What becomes the store's directory when a backup is put back."""

INSTEAD: Final = "'chatroom admin restore --replace' puts a backup in the place of them all"
"""What there is to do where nothing can be repaired."""

BEGAN: Final = b"oO0OoO0OoO0Oo"
FAILED: Final = (b"Error writing to the AOF file", b"Short write while writing to the AOF file")
SOLVED: Final = b"AOF write error looks solved"
"""What a store's log says at its start, when a write to its file failed, and when one did again."""

LAST_WORDS: Final = 1 << 16
"""Bytes of its log: half an hour of a full disk, of which it speaks every 30 seconds."""

NOTHING_YET: Final = 1_024
"""Bytes; the files of a store that nothing was ever written to are some 90."""


class _State(msgspec.Struct, frozen=True):
    """How the directory was left. ``inode`` is that of the file that says so."""

    boot: str
    inode: int
    running: bool
    durability: str
    numbers_may_be_lost: bool


def machine_boot() -> str:
    """A value that changes with each start of the machine; empty when there is none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with suppress(OSError, subprocess.SubprocessError):
        command = ["sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    return ""


class DataDirectory:
    """The directory of one server and one store at a time.

    Two locks end with the processes that hold them: ``server.lock`` is the server's alone,
    ``store.lock`` is inherited by the store. If the second is held and the first is free, a store
    has lost its server.

    :ivar numbers_may_be_lost: numbers that were given out may be lost; this holds, across restarts,
        until ``loss_handled``.
    """

    def __init__(self, path: Path, boot: str) -> None:
        self.path = path.absolute()
        self.numbers_may_be_lost = False
        self._boot = boot
        self._durability = ""
        self._locks: dict[str, FileIO] = {}

    @property
    def log(self) -> Path:
        """The store's log."""
        return self.path / "store.log"

    @property
    def append_only(self) -> Path:
        """The directory of the store's append-only files."""
        return self.path / "appendonlydir"

    @property
    def store_lock(self) -> int:
        """The descriptor that the store inherits."""
        return self._locks["store.lock"].fileno()

    # Locks

    def claim(self) -> None:
        """Make the directory, and lock it for this server.

        :raises CannotStart: another server uses it, or it can't be written.
        """
        with self._usable():
            disk.private_directory(self.path)
            ours = self._lock("server.lock")
        if not ours:
            owner = (self.path / "server.lock").read_text().strip() or "unknown"
            raise CannotStart(
                f"Another server (process {owner}) already uses the data directory {self.path}."
            )
        with self._usable():
            lock = self._locks["server.lock"]
            lock.truncate(0)
            os.pwrite(lock.fileno(), b"%d\n" % os.getpid(), 0)

    def claim_for_store(self) -> bool:
        """Take the store's lock.

        :returns: False while a store that has lost its server still holds it.
        :raises CannotStart: it can't be opened.
        """
        with self._usable():
            return self._lock("store.lock")

    def release(self) -> None:
        """Release both locks."""
        locks, self._locks = self._locks, {}
        for lock in locks.values():
            lock.close()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """:raises CannotStart: something in the directory can't be read or written."""
        try:
            yield
        except OSError as error:
            problem = error.strerror or str(error)
            raise CannotStart(
                f"The data directory {self.path} can't be used: {problem}."
            ) from error

    def _lock(self, name: str) -> bool:
        if name not in self._locks and (lock := disk.lock(self.path / name)):
            self._locks[name] = lock
        return name in self._locks

    def tidy(self) -> None:
        """Remove what a backup, a restore, or a store that rewrote its file has left when it was
        killed: copies of everything."""
        unfinished = [path for each in UNFINISHED for path in self.path.glob(each)]
        for left in (self.path / SAVED, *unfinished):
            left.unlink(missing_ok=True)
        shutil.rmtree(self.path / RESTORED, ignore_errors=True)

    # How it was left

    def opened(self, durability: str) -> None:
        """The store is about to run: find out how the last one ended, and note that this one runs.

        :raises CannotStart: the store would begin anew over files that are there, or the directory
            can't be written.
        """
        with self._usable():
            self._refuse_to_begin_anew()
        self.numbers_may_be_lost = self._judge()
        self._durability = durability
        self._remember(running=True)

    def closed(self) -> None:
        """The store has ended and everything is on disk."""
        self._remember(running=False)

    def lost(self) -> None:
        """Something at the end of the store's file is lost."""
        self.numbers_may_be_lost = True
        self._remember(running=True)

    def loss_handled(self) -> None:
        """The generation was raised, so that nobody takes a new number for an old one."""
        if self.numbers_may_be_lost:
            self.numbers_may_be_lost = False
            self._remember(running=True)

    def _refuse_to_begin_anew(self) -> None:
        """Refuse to start a store that would ignore files.

        Without the file that names the others, a store believes to be new, and overwrites what is
        there. If the first file is empty or not named, or the last one is not named, a store starts
        without what was in it, and says nothing.
        """
        if not self.append_only.exists():
            return
        if (self.append_only / MANIFEST).exists():
            self._refuse_to_forget()
            return
        if sum(path.stat().st_size for path in self.append_only.iterdir()) > NOTHING_YET:
            raise CannotStart(
                f"{self.append_only} has a store's files, but not {MANIFEST}, which says what they "
                "are: put it back, or a backup in the place of them all."
            )

    def _refuse_to_forget(self) -> None:
        named = named_files(self.append_only)
        base = next((path for path, kind in named.items() if kind == "b"), None)
        if base is None or (base.exists() and not base.stat().st_size):
            raise CannotStart(
                f"{base or self.append_only / MANIFEST} lacks what all else in {self.append_only} "
                f"builds upon: {INSTEAD}."
            )
        for path in sorted(self.append_only.glob("*.incr.aof")):
            if path not in named and path.stat().st_size:
                raise CannotStart(
                    f"{self.append_only / MANIFEST} does not name {path.name}, and the store would "
                    f"start without what is in it: put back the right one, or a backup."
                )

    def _judge(self) -> bool:
        path = self.path / "state.json"
        try:
            left = msgspec.json.decode(path.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError):
            return self.append_only.exists()
        same_machine_run = left.boot == self._boot != ""
        unclean = (left.running and not same_machine_run) or self._ended_unwritten()
        # A file keeps its inode as long as nobody puts back a copy of it: a restored backup.
        restored = left.inode != path.stat().st_ino
        return left.numbers_may_be_lost or restored or (unclean and left.durability != "always")

    def _ended_unwritten(self) -> bool:
        """Whether the store has ended while its disk was full. What it had answered before it
        noticed was lost with it, even if it was told to end."""
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LAST_WORDS))
            said = file.read().rpartition(BEGAN)[2]
            return max(map(said.rfind, FAILED)) > said.rfind(SOLVED)
        return False

    def _remember(self, *, running: bool) -> None:
        with self._usable():
            self._write_state(running)

    def _write_state(self, running: bool) -> None:
        new = self.path / "state.json.new"
        new.unlink(missing_ok=True)
        with new.open("wb") as file:
            state = _State(
                boot=self._boot,
                inode=os.fstat(file.fileno()).st_ino,
                running=running,
                durability=self._durability,
                numbers_may_be_lost=self.numbers_may_be_lost,
            )
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path / "state.json")
        disk.sync(self.path)

    # The socket

    def last_socket(self) -> str:
        """Where the store that ran last was listening; empty for nowhere."""
        with suppress(OSError):
            return (self.path / "socket").read_text()
        return ""

    def new_socket(self) -> str:
        """A path to listen on; in a short directory when this one's name is too long.

        :raises CannotStart: it can't be written down.
        """
        with self._usable():
            return self._new_socket()

    def _new_socket(self) -> str:
        self.remove_socket()
        path = str(self.path / "store.sock")
        if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
            path = str(Path(tempfile.mkdtemp(prefix="chatroom-", dir="/tmp")) / "store.sock")
        (self.path / "socket").write_text(path)
        return path

    def remove_socket(self) -> None:
        """Take away the last socket, and the directory that was made for it."""
        last = self.last_socket()
        if last and Path(last).parent != self.path:
            shutil.rmtree(Path(last).parent, ignore_errors=True)
        for name in ("socket", "store.sock", "store.new"):
            (self.path / name).unlink(missing_ok=True)
