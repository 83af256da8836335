"""Messages that the server has not stored yet, kept across disconnects and restarts."""

import contextlib
import errno
import json
import os
import uuid
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict

from chat import disk
from chat.client.events import Failed, Outgoing
from chat.disk import private_directory

__all__ = ["FORGOTTEN_AFTER", "Kept", "Outbox", "OutboxBusy"]

FORGOTTEN_AFTER: Final = 23 * 3600.0
"""Seconds after which a message that may have been sent is not sent again by itself: the server
knows a ``clientId`` for 24 hours at least, and one hour is left for clocks that differ."""

REWRITE_AFTER = 1000
"""Lines about messages that are gone, after which the file is written anew."""


class OutboxBusy(Exception):
    """Another process has this outbox open."""


@dataclass
class Kept:
    """A message in the outbox. ``tried``: it was written to a connection at least once."""

    message: Outgoing
    tried: bool = False
    failed: Failed | None = None


class Outbox:
    """What was written and is not yet known to be stored.

    The file has one JSON object per line: ``add`` a message, ``tried``, ``failed``, ``again``,
    ``done``. A message is on the disk before ``add`` returns; the other lines survive the death
    of this process, and losing them costs a resend that the server knows as a duplicate.

    :param file: its path, made with mode 0600; None: only in memory.
    :raises OutboxBusy: another process has the file open.
    :raises OSError: the file cannot be used.
    """

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        path = Path(file) if file is not None else None
        self._path = path
        self._kept: dict[str, Kept] = {}
        self._stale = 0
        self._lock: FileIO | None = None
        self._file: FileIO | None = None
        if path is not None:
            private_directory(path.parent)
            self._lock = disk.lock(path.with_name(path.name + ".lock"))
            if self._lock is None:
                raise OutboxBusy(f"another program uses {path}")
            self._file = _opened(path)
            disk.sync(path.parent)
            self._load(self._file)

    def pending(self) -> list[Kept]:
        """Oldest first."""
        return list(self._kept.values())

    def add(self, to: str, text: str, now: float, client_id: str = "", reply: int = 0) -> Outgoing:
        """Keep a new message, under a ``clientId`` made here unless one is given.

        :param now: seconds since 1970 UTC.
        :param reply: the number of the entry that it answers, 0 for none.
        :raises OSError: it could not be written to the disk; it is not in the outbox.
        """
        message = Outgoing(client_id or uuid.uuid4().hex, to, text, int(now * 1000), reply)
        self._write({"op": "add", **asdict(message)}, sync=True)
        self._kept[message.client_id] = Kept(message)
        return message

    def tried(self, client_id: str) -> None:
        """The message is about to be written to a connection."""
        kept = self._kept[client_id]
        if not kept.tried:
            self._note({"op": "tried", "client_id": client_id})
            kept.tried = True

    def failed(self, client_id: str, failure: Failed) -> None:
        """The message was refused for good."""
        self._kept[client_id].failed = failure
        self._note({"op": "failed", "client_id": client_id, **asdict(failure)})

    def again(self, client_id: str) -> None:
        """A message that failed is to be sent once more, however long ago that was. Whoever asks
        for this accepts that it may then be there twice."""
        self._kept[client_id].failed, self._kept[client_id].tried = None, False
        self._note({"op": "again", "client_id": client_id})

    def done(self, client_id: str) -> None:
        """The message is stored, or is no longer wanted."""
        del self._kept[client_id]
        self._note({"op": "done", "client_id": client_id})
        self._stale += 1
        if self._file is not None and (not self._kept or self._stale >= REWRITE_AFTER):
            self._rewrite(self._file)

    def close(self) -> None:
        """Close the file; what is in it stays."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    # Inside --------------------------------------------------------------------------------------

    def _write(self, line: dict[str, Any], sync: bool = False) -> None:
        """Append a line to the file.

        :raises OSError: nothing of it was written.
        """
        if self._file is None:
            return
        end = self._file.seek(0, os.SEEK_END)
        data = json.dumps(line).encode() + b"\n"
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise

    def _note(self, line: dict[str, Any]) -> None:
        """Append a line that can be found out again: a full disk is no reason to stop."""
        with contextlib.suppress(OSError):
            self._write(line)

    def _load(self, file: FileIO) -> None:
        """Read the file. A line that a crash has cut off was never promised to anybody."""
        for line in file.readall().splitlines():
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue
        self._rewrite(file)

    def _apply(self, line: dict[str, Any]) -> None:
        client_id = str(line["client_id"])
        match line["op"]:
            case "add":
                to, text, written = str(line["to"]), str(line["text"]), int(line["written"])
                reply = int(line.get("reply", 0))  # older versions answered nothing
                f"{client_id}{to}{text}".encode()
                self._kept[client_id] = Kept(Outgoing(client_id, to, text, written, reply))
            case "tried":
                self._kept[client_id].tried = True
            case "failed":
                self._kept[client_id].failed = Failed(int(line["code"]), str(line["sentence"]))
            case "again":
                self._kept[client_id].failed, self._kept[client_id].tried = None, False
            case "done":
                del self._kept[client_id]

    def _rewrite(self, file: FileIO) -> None:
        """Leave out what is done. At no moment does the disk have less than before."""
        self._stale = 0
        with contextlib.suppress(OSError):  # The file is just longer than necessary.
            if self._kept:
                self._write_anew(file)
            else:
                file.truncate(0)

    def _write_anew(self, file: FileIO) -> None:
        assert self._path is not None
        beside = self._path.with_name(self._path.name + ".new")
        self._file = new = _opened(beside)
        try:
            new.truncate(0)
            for kept in self._kept.values():
                self._write_whole(kept)
            os.fsync(new.fileno())
            os.replace(beside, self._path)
        except OSError:
            self._file = file
            new.close()
        else:
            file.close()
            disk.sync(self._path.parent)

    def _write_whole(self, kept: Kept) -> None:
        client_id = kept.message.client_id
        self._write({"op": "add", **asdict(kept.message)})
        if kept.tried:
            self._write({"op": "tried", "client_id": client_id})
        if kept.failed is not None:
            self._write({"op": "failed", "client_id": client_id, **asdict(kept.failed)})


def _opened(path: Path) -> FileIO:
    """A file of the owner's alone, without a buffer in this process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return FileIO(descriptor, "r+")
