"""Saves the embedded store into one file while it runs, and restores such a file.

The file is what Valkey calls an RDB: the store as it was at one moment. Put back, it becomes the
base of a new append-only file, in the layout of
https://valkey.io/topics/persistence/ ("How it works", since Redis 7).
"""

import fcntl
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from chat.disk import sync
from chat.store.embedded.aof import MANIFEST
from chat.store.embedded.datadir import RESTORED, SAVED, DataDirectory
from chat.store.embedded.valkey import find_program
from chat.store.errors import StoreError
from chat.store.link.redis import Redis

__all__ = ["BASE", "restore", "save"]

LOOK_SECONDS: Final = 0.05
MAGIC: Final = (b"REDIS0", b"VALKEY")
CHECKER: Final = "valkey-check-rdb redis-check-rdb"
"""Called by a name with one of these in it, the store's program reads such a file, its checksum
too, and does nothing else (``main`` in Valkey's and in Redis' ``server.c``)."""

BASE: Final = "appendonly.aof.1.base.rdb"
INCREMENT: Final = "appendonly.aof.1.incr.aof"


async def save(reactor: Any, redis: Redis, data: Path, target: Path | BinaryIO) -> int:
    """Save the store whose directory is ``data`` to a file or a stream.

    :returns: how many bytes that are.
    :raises StoreError: the store could not save itself; the text says why.
    :raises OSError: ``target`` can't be written.
    """
    with await _saved(reactor, redis, data) as made:
        pool = reactor.getThreadPool()
        size: int = await deferToThreadPool(reactor, pool, _put, made, target)
        return size


async def _saved(reactor: Any, redis: Redis, data: Path) -> BinaryIO:
    """Have the store save itself.

    :returns: the file, which has no name any more: if this ends here nothing is left.
    """
    directory = os.open(data, os.O_RDONLY)
    try:
        # All save under one name, so one waits for the other.
        while not _locked(directory):
            await deferLater(reactor, LOOK_SECONDS)
        await _until_idle(reactor, redis)
        await redis.call("BGSAVE")
        about = await _until_idle(reactor, redis)
        if about.get("rdb_last_bgsave_status") != "ok":
            raise StoreError("the store could not save itself; its log says why")
        made = (data / SAVED).open("rb")
        (data / SAVED).unlink()
        return made
    finally:
        os.close(directory)


def _locked(directory: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


async def _until_idle(reactor: Any, redis: Redis) -> dict[str, str]:
    """Wait until the store is writing no such file.

    :returns: what it says about the last one.
    """
    while True:
        about = await redis.info("persistence")
        busy = ("rdb_bgsave_in_progress", "aof_rewrite_in_progress")
        if all(about.get(name, "0") == "0" for name in busy):
            return about
        await deferLater(reactor, LOOK_SECONDS)


def _copy(made: BinaryIO, target: Path) -> int:
    """Copy a file to one that only its owner can read. It gets its name when all of it is on the
    disk."""
    descriptor, half = tempfile.mkstemp(".part", f"{target.name}.", target.parent)
    try:
        with open(descriptor, "wb") as copy:
            shutil.copyfileobj(made, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.rename(half, target)
    except OSError:
        os.unlink(half)
        raise
    return target.stat().st_size


def _put(made: BinaryIO, target: Path | BinaryIO) -> int:
    if isinstance(target, Path):
        return _copy(made, target)
    shutil.copyfileobj(made, target)
    target.flush()
    return made.tell()


def restore(source: Path, data: Path, replace: bool = False) -> Path | None:
    """Make the data directory ``data`` hold what ``source`` holds, for the next start.

    That start raises the generation: numbers that were given out after the backup was made may be
    given out again, and every client has to know.

    :param replace: set what is there aside, and go on.
    :returns: where it was set aside, None when there was nothing.
    :raises StoreError: ``source`` is no backup, or a damaged one; something is there, or a server
        uses it. The text is a sentence for whoever wanted it.
    :raises OSError: files can't be written.
    """
    _check(source)
    home = DataDirectory(data, "")
    home.claim()
    try:
        if not home.claim_for_store():
            raise StoreError(f"A store still uses {data}: start and stop its server once.")
        if home.append_only.exists() and not replace:
            raise StoreError(f"There is a store in {data} already.")
        fresh = _prepare(source, home)
        aside = _set_aside(home)
        # A start without this file knows that numbers may be lost.
        (home.path / "state.json").unlink(missing_ok=True)
        fresh.rename(home.append_only)
        _give_to_owner(home)
        sync(home.path)
    finally:
        home.release()
    return aside


def _check(source: Path) -> None:
    """Read a whole backup before anything is set aside for it.

    :raises StoreError: it is not a backup, or not a complete one.
    """
    with source.open("rb") as file:
        if file.read(6) not in MAGIC:
            raise StoreError(f"{source} is no backup.")
    words = [CHECKER, str(source.absolute())]
    if subprocess.run(words, executable=find_program(), capture_output=True).returncode:
        raise StoreError(f"{source} is damaged: the store can't read it to its end.")


def _prepare(source: Path, home: DataDirectory) -> Path:
    """Turn a backup into a directory that a store reads; if there is no room, nothing is left of
    it."""
    fresh = home.path / RESTORED
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    try:
        with source.open("rb") as made:
            _copy(made, fresh / BASE)
        (fresh / INCREMENT).touch(mode=0o600)
        lines = f"file {BASE} seq 1 type b\nfile {INCREMENT} seq 1 type i\n"
        (fresh / MANIFEST).write_text(lines)
        for written in (fresh / INCREMENT, fresh / MANIFEST, fresh):
            sync(written)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return fresh


def _give_to_owner(home: DataDirectory) -> None:
    """Give what root has made to the owner of the directory, as whom the server may run."""
    owner = home.path.stat()
    if os.geteuid() == 0:
        made = [home.path / "server.lock", home.path / "store.lock", home.append_only]
        for path in (*made, *home.append_only.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _set_aside(home: DataDirectory) -> Path | None:
    if not home.append_only.exists():
        return None
    aside = name = home.path / f"appendonlydir.{time.strftime('%Y%m%d-%H%M%S')}"
    for number in itertools.count(2):
        if not aside.exists():
            break
        aside = name.with_name(f"{name.name}-{number}")
    home.append_only.rename(aside)
    return aside
