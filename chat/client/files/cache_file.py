"""The cache's SQLite file: entries, each conversation's position, full-text search."""

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from chat.client.conversation import corrected, emptied, is_erased
from chat.client.events import Position
from chat.client.files.cache_values import Batch, Known
from chat.client.files.index_words import indexed, liked, matching
from chat.client.files.rows import (
    UNREADABLE,
    as_kept,
    as_read,
    is_searched,
    is_stale,
    newer,
    readable,
)
from chat.disk import private_directory
from chat.messages import Conversation, Entry, User

__all__ = ["KEPT_NUMBERS", "CacheFile", "erase"]

KEPT_NUMBERS = 20_000
"""Newest numbers of a conversation that are remembered: weeks of a busy room, some 10 MB."""

MOST_BYTES = 256 << 20
"""Of the file; above it each conversation keeps fewer numbers."""

LAYOUT = 2
"""Of the tables. A file with another one is made anew: the server has everything."""

UNREAD = 200
"""Unread entries of a conversation that are given out at the start, for its counts."""

_NUMBER_BITS = 40
"""An entry's id is its conversation's number above its own: no index, and ranges are runs."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_ERROR)
"""What SQLite says of pages that make no sense, the index's among them, and of missing tables."""

_T = TypeVar("_T")
_Rows = dict[int, tuple[Entry, int | None]]
"""Entries by their ids, each with the id of the one that it changes."""

_TABLES = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE conversation (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL,
    state BLOB, epoch TEXT, seq INTEGER
);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, time INTEGER NOT NULL, target INTEGER, body BLOB NOT NULL
);
CREATE INDEX entry_target ON entry (target) WHERE target IS NOT NULL;
CREATE VIRTUAL TABLE found USING fts5 (text, tokenize = "unicode61 remove_diacritics 2");
"""


class CacheFile:
    """The file of one account. It is for one thread at a time; other processes may use it too.

    What it holds is right as of each conversation's position: whoever goes on from there is told of
    everything that takes back or renews what is here.

    :param path: made with mode 0600; a file that is damaged, or not ours, is replaced.
    :raises OSError, sqlite3.Error: it can't be used.
    """

    def __init__(self, path: Path, kept: int = KEPT_NUMBERS, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._kept = kept
        self._most_bytes = most_bytes
        self._numbers: dict[str, int] = {}
        try:
            self._base = self._opened()
        # The error message may be damaged, too.
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            self._anew()
        self._tidy()

    def _anew(self) -> None:
        erase(self._path)
        self._base = self._opened()

    def _opened(self) -> sqlite3.Connection:
        private_directory(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        # In autocommit: each batch says itself where it begins. Any thread, one at a time.
        base = sqlite3.connect(self._path, timeout=2, isolation_level=None, check_same_thread=False)
        try:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = NORMAL")
            base.execute("PRAGMA secure_delete = ON")
            (layout,) = base.execute("PRAGMA user_version").fetchone()
            if layout not in (0, LAYOUT):
                raise sqlite3.DatabaseError(f"layout {layout}")
            if layout == 0:
                base.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {LAYOUT};COMMIT")
            rows = base.execute("SELECT name, number FROM conversation")
            self._numbers = {str(name): int(number) for name, number in rows}
        except BaseException:
            base.close()
            raise
        return base

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    # Writing

    def log_in(self, user: User) -> None:
        """Remember whose file this is; what belonged to another user is forgotten."""
        known = self._fact("user", User)
        if known is not None and known.user_id != user.user_id:
            for table in ("entry", "found", "conversation", "fact"):
                self._base.execute(f"DELETE FROM {table}")
            self._numbers.clear()
        self._set_fact("user", msgspec.json.encode(User(user.user_id, user.user_name)))

    def block(self, user_ids: Sequence[int]) -> None:
        """Remember whom the user has blocked."""
        self._set_fact("blocked", msgspec.json.encode(user_ids))

    def write(self, batch: Batch) -> None:
        """Write all of ``batch``, or nothing of it."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            for name, seq in batch.drops:
                self._drop(name, seq)
            taken_back = self._put(batch.entries)
            for name, state in batch.states.items():
                self._number(name)
                values = (msgspec.json.encode(state), name)
                self._base.execute("UPDATE conversation SET state = ? WHERE name = ?", values)
            for name, position in batch.positions.items():
                self._number(name)
                self._base.execute(
                    "UPDATE conversation SET epoch = ?, seq = ? WHERE name = ?",
                    (position.epoch, position.seq, name),
                )
                self._prune(name, position.seq, self._kept)
            self._base.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            self._numbers.clear()
            raise
        if taken_back or batch.drops:
            self._forget_traces()

    def forget(self, name: str) -> None:
        """The user is no longer in this conversation."""
        self._drop(name, 0)
        self._base.execute("DELETE FROM conversation WHERE name = ?", (name,))
        self._numbers.pop(name, None)
        self._forget_traces()

    def _put(self, entries: Iterable[Entry]) -> bool:
        """Put entries in their places.

        :returns: whether one of them changes or takes away the text of another.
        """
        rows, targets, edits = self._sorted(entries)
        if not rows:
            return False
        for entry, _ in rows.values():
            if entry.kind == "erase":
                targets |= self._erased(entry, rows)
        gone = targets | self._changed(rows, edits)
        self._empty(targets - rows.keys())
        self._correct({key: edit for key, edit in edits.items() if key not in rows})
        kept = {
            key: emptied(entry) if key in gone else as_kept(entry, edits.get(key))
            for key, (entry, _) in rows.items()
            if key in gone or not is_stale(entry, edits.get(key))
        }
        self._insert(kept, rows)
        return bool(edits or targets or any(entry.deleted for entry in kept.values()))

    def _sorted(self, entries: Iterable[Entry]) -> tuple[_Rows, set[int], dict[int, Entry]]:
        """Look through entries.

        :returns: the entries by their ids; the ids of those that are taken back; and the newest
            edits, by the ids of what they change.
        """
        rows: _Rows = {}
        targets = set()
        edits: dict[int, Entry] = {}
        for entry in entries:
            base = self._number(entry.conversation) << _NUMBER_BITS
            target = base + entry.target if entry.kind in ("edit", "redact") else None
            rows[base + entry.seq] = (entry, target)
            if target is not None and entry.kind == "redact":
                targets.add(target)
            elif target is not None:
                edits[target] = newer(entry, edits.get(target))
        return rows, targets, edits

    def _insert(self, kept: Mapping[int, Entry], rows: _Rows) -> None:
        """Write entries, and what is searched of them."""
        # Made one by one: in a flood, those of a second would be megabytes.
        self._base.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)",
            ((key, e.time, rows[key][1], msgspec.json.encode(e)) for key, e in kept.items()),
        )
        texts = ((key, indexed(e.content)) for key, e in kept.items() if is_searched(e))
        self._base.executemany("INSERT OR REPLACE INTO found (rowid, text) VALUES (?, ?)", texts)
        silent = [(key,) for key, e in kept.items() if e.deleted]
        self._base.executemany("DELETE FROM found WHERE rowid = ?", silent)

    def _changed(self, rows: _Rows, edits: dict[int, Entry]) -> set[int]:
        """Find what changed the coming entries earlier.

        :param edits: gets the newest edit of each.
        :returns: the ids of those that were taken back.
        """
        known = self._base.execute(
            "SELECT target, body FROM entry WHERE target BETWEEN ? AND ?", (min(rows), max(rows))
        )
        gone = set()
        for key, body in known:
            if key not in rows:
                continue
            entry = as_read(body)
            if entry is None or entry.kind != "edit":
                gone.add(key)
            else:
                edits[key] = newer(entry, edits.get(key))
        return gone

    def _correct(self, edits: Mapping[int, Entry]) -> None:
        """Give entries that are here already the text that they have now."""
        for key, edit in edits.items():
            row = self._base.execute("SELECT body FROM entry WHERE id = ?", (key,)).fetchone()
            entry = as_read(row[0]) if row is not None else None
            if entry is None or (changed := corrected(entry, edit)) is entry:
                continue
            body = msgspec.json.encode(changed)
            self._base.execute("UPDATE entry SET body = ? WHERE id = ?", (body, key))
            text = (key, indexed(changed.content))
            self._base.execute("INSERT OR REPLACE INTO found (rowid, text) VALUES (?, ?)", text)

    def _erased(self, erasure: Entry, coming: _Rows) -> set[int]:
        """The ids of entries, here or in the batch, of a user who was deleted."""
        first = self._number(erasure.conversation) << _NUMBER_BITS
        older = first, first + erasure.seq - 1
        rows = self._base.execute("SELECT id, body FROM entry WHERE id BETWEEN ? AND ?", older)
        known = {key: as_read(body) for key, body in rows}
        known |= {key: each for key, (each, _) in coming.items() if older[0] <= key <= older[1]}
        return {key for key, each in known.items() if each is None or is_erased(each, erasure)}

    def _empty(self, ids: Iterable[int]) -> None:
        """Delete the text of entries that are here already."""
        for key in ids:
            row = self._base.execute("SELECT body FROM entry WHERE id = ?", (key,)).fetchone()
            if row is not None:
                self._base.execute("DELETE FROM found WHERE rowid = ?", (key,))
                if (entry := as_read(row[0])) is None:
                    self._base.execute("DELETE FROM entry WHERE id = ?", (key,))
                    continue
                body = msgspec.json.encode(emptied(entry))
                self._base.execute("UPDATE entry SET body = ? WHERE id = ?", (body, key))

    def _drop(self, name: str, seq: int) -> None:
        first, last = self._range(name, seq)
        # What was changed from there on is not as it is here any more.
        changed = self._base.execute(
            "SELECT target FROM entry WHERE id BETWEEN ? AND ? AND target IS NOT NULL",
            (first, last),
        )
        lost = [target for (target,) in changed]
        # Of messages that came with their newest text the edit need not be here.
        older = self._base.execute(
            "SELECT id, body FROM entry WHERE id BETWEEN ? AND ?", (first - seq, first - 1)
        )
        lost += [key for key, body in older if (e := as_read(body)) is None or e.edited >= seq]
        for key in lost:
            self._delete(key, key)
        self._delete(first, last)

    def _prune(self, name: str, newest: int, kept: int) -> None:
        if newest > kept:
            self._delete(self._range(name)[0], self._range(name, newest - kept)[0])

    def _delete(self, first: int, last: int) -> None:
        for table, key in (("found", "rowid"), ("entry", "id")):
            self._base.execute(f"DELETE FROM {table} WHERE {key} BETWEEN ? AND ?", (first, last))

    def _tidy(self) -> None:
        """Keep the whole within its bounds."""
        kept = self._kept
        while self._bytes() > self._most_bytes and kept > 1:
            kept //= 2
            rows = self._base.execute("SELECT name, seq FROM conversation WHERE seq IS NOT NULL")
            for name, seq in rows.fetchall():
                self._prune(name, seq, kept)

    def _bytes(self) -> int:
        pages, free, size = (
            self._base.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _forget_traces(self) -> None:
        """Merge what the index still has of deleted words, and empty the log of changes."""
        self._base.execute("INSERT INTO found (found) VALUES ('optimize')")
        self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # Reading

    def known(self) -> Known | None:
        """What is here at the start; None when nothing is.

        If some of it can't be read, because it is damaged or of a newer version, the file is made
        anew: the server has everything.
        """
        try:
            return self._known()
        except UNREADABLE:
            pass
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in _DAMAGED:
                raise
        self._base.close()
        self._anew()
        return None

    def _known(self) -> Known | None:
        user = self._fact("user", User)
        if user is None:
            return None
        conversations: list[Conversation] = []
        positions: dict[str, Position] = {}
        unread: list[Entry] = []
        rows = self._base.execute("SELECT name, state, epoch, seq FROM conversation").fetchall()
        for name, state, epoch, seq in rows:
            if seq is not None:
                positions[str(name)] = Position(str(epoch), int(seq))
            if state is not None:
                conversation = msgspec.json.decode(state, type=Conversation)
                conversations.append(conversation)
                unread += self.page(str(name), 0, UNREAD, above=conversation.read)
        blocked = self._fact("blocked", list[int]) or ()
        return Known(user, conversations, positions, unread, blocked) if conversations else None

    def page(self, name: str, before: int, limit: int, above: int = 0) -> tuple[Entry, ...]:
        """The newest entries below ``before`` (0: of all) and above ``above``, oldest first."""
        first, last = self._range(name, above + 1)
        if before:
            last = self._range(name, before)[0] - 1
        rows = self._base.execute(
            "SELECT body FROM entry WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?",
            (first, last, limit),
        ).fetchall()
        return tuple(readable(body for (body,) in reversed(rows)))

    def search(
        self, text: str, name: str, before: int, limit: int, skip: int = 0
    ) -> tuple[Entry, ...]:
        """Messages with words that begin as those of ``text`` do, the newest first.

        :param name: a conversation, or empty for all.
        :param before: ms since 1970 UTC, exclusive; 0: now.
        :param skip: without the first so many, which are known.
        """
        wanted = matching(text)
        where = "found MATCH ?" if wanted else "found.text LIKE ? ESCAPE '\\'"
        first, last = self._range(name, 1) if name else (0, 1 << 62)
        rows = self._base.execute(
            f"SELECT body FROM found JOIN entry ON entry.id = found.rowid WHERE {where} "
            "AND found.rowid BETWEEN ? AND ? AND time < ? "
            "ORDER BY time DESC, entry.id DESC LIMIT ? OFFSET ?",
            (wanted or liked(text), first, last, before or 1 << 62, limit, skip),
        )
        return tuple(readable(body for (body,) in rows.fetchall()))

    # Inside

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            self._base.execute("INSERT OR IGNORE INTO conversation (name) VALUES (?)", (name,))
            query = "SELECT number FROM conversation WHERE name = ?"
            number = self._numbers[name] = self._base.execute(query, (name,)).fetchone()[0]
        return number

    def _range(self, name: str, seq: int = 0) -> tuple[int, int]:
        """The ids of a conversation's entries from ``seq`` on; none for an unknown one."""
        number = self._numbers.get(name)
        if number is None:
            row = self._base.execute(
                "SELECT number FROM conversation WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                return 0, -1
            number = self._numbers[name] = row[0]
        base = number << _NUMBER_BITS
        return base + seq, base + (1 << _NUMBER_BITS) - 1

    def _fact(self, name: str, kind: type[_T]) -> _T | None:
        row = self._base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=kind)

    def _set_fact(self, name: str, value: bytes) -> None:
        self._base.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))


def erase(path: Path) -> None:
    """Remove the file, and the ones that SQLite keeps beside it.

    :raises OSError: it is still there.
    """
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
