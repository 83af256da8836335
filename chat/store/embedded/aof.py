"""Reads an append-only file, finds where it is damaged, and cuts it there or closes its gaps."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["MANIFEST", "Damage", "close_gaps", "cut", "find_damage", "named_files", "newest_files"]

MANIFEST: Final = "appendonly.aof.manifest"
_LINE: Final = re.compile(rb"file (\S+) seq (\d+) type ([bhi])")
_COUNT: Final = re.compile(rb"\*([1-9][0-9]{0,8})\r\n\Z")
_SIZE: Final = re.compile(rb"\$([0-9]{1,10})\r\n\Z")
_COMMAND_INSIDE: Final = re.compile(rb"\r\n\*[1-9][0-9]{0,8}\r\n\$[0-9]{1,10}\r\n")
"""The start of a command after the first line: the one before it did not just break off."""
CHUNK: Final = 1 << 16
LONGEST_LINE: Final = 16
TORN_LIMIT: Final = 1 << 24
"""Bytes; no command that a chat server sends is nearly as long."""


@dataclass(frozen=True)
class Damage:
    """Where a file is damaged: up to byte ``good`` of ``size`` it is sound.

    :ivar torn: it merely breaks off there.
    :ivar gaps: starts and lengths of zeros between two commands, where nothing is missing
        (``rewriting.py``). While there are any, the rest does not count.
    """

    path: Path
    good: int
    size: int
    torn: bool
    gaps: tuple[tuple[int, int], ...] = ()


class _Bad(Exception):
    """At this place is something that no store has written."""


class _Short(Exception):
    """The file ends in the middle of a command."""


def named_files(directory: Path) -> dict[Path, str]:
    """The files that an append-only directory's manifest names, oldest first, each with its kind:
    ``b`` the base, ``i`` commands since then, ``h`` a file that is no longer needed."""
    lines = _LINE.findall((directory / MANIFEST).read_bytes())
    numbered = sorted((int(number), name.decode(), kind.decode()) for name, number, kind in lines)
    return {directory / name: kind for _, name, kind in numbered}


def newest_files(directory: Path) -> list[Path]:
    """The files of commands in an append-only directory, oldest first, without the base."""
    return [path for path, kind in named_files(directory).items() if kind == "i"]


def find_damage(path: Path) -> Damage | None:
    """Read a file of commands to its end.

    Reading a gigabyte takes about half a minute: it is for files that the store has refused.

    :returns: None when the file is sound.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = _end_without_zeros(file, size)
        file.seek(0)
        gaps: list[tuple[int, int]] = []
        good, broken, bad = _sound_part(file, end, gaps)
        if gaps:
            return Damage(path, gaps[0][0], size, False, tuple(gaps))
        if good == size:
            return None
        file.seek(broken)
        torn = not bad and end - broken < TORN_LIMIT and not _COMMAND_INSIDE.search(file.read())
    return Damage(path, good, size, torn)


def cut(damage: Damage) -> Path:
    """Cut a damaged file where its sound part ends.

    :returns: the file that keeps what was cut off.
    """
    kept = damage.path.with_name(f"{damage.path.name}.cut-{int(time.time())}")
    with damage.path.open("r+b") as file, kept.open("xb") as rest:
        file.seek(damage.good)
        while chunk := file.read(CHUNK):
            rest.write(chunk)
        rest.flush()
        os.fsync(rest.fileno())
        file.truncate(damage.good)
        os.fsync(file.fileno())
    return kept


def close_gaps(damage: Damage) -> None:
    """Rewrite a file without its gaps."""
    fresh = damage.path.with_suffix(".new")
    with damage.path.open("rb") as file, fresh.open("wb") as whole:
        start = 0
        for gap, length in (*damage.gaps, (damage.size, 0)):
            file.seek(start)
            left = gap - start
            while left and (chunk := file.read(min(CHUNK, left))):
                left -= whole.write(chunk)
            start = gap + length
        whole.flush()
        os.fsync(whole.fileno())
    fresh.replace(damage.path)


def _end_without_zeros(file: BinaryIO, size: int) -> int:
    """Where the zeros begin that a power cut has left at the end. (Commands end with a newline.)"""
    end = size
    while end:
        start = max(0, end - CHUNK)
        file.seek(start)
        sound = file.read(end - start).rstrip(b"\0")
        if sound:
            return start + len(sound)
        end = start
    return 0


def _sound_part(file: BinaryIO, end: int, gaps: list[tuple[int, int]]) -> tuple[int, int, bool]:
    """Read commands up to ``end``.

    :param gaps: gets those that are found on the way.
    :returns: how far commands can be replayed, with whole transactions; where the first command
        begins that can't be read, ``end`` if there is none; and whether there is something else at
        that place.
    """
    good = position = 0
    inside = False
    while position < end:
        try:
            word, length = _command(file, end - position)
        except (_Bad, _Short) as problem:
            if gap := _zeros(file, position):
                gaps.append((position, gap))
                position += gap
                continue
            return good, position, isinstance(problem, _Bad)
        position += length
        inside = word != b"EXEC" and (inside or word == b"MULTI")
        if not inside:
            good = position
    return good, end, False


def _zeros(file: BinaryIO, start: int) -> int:
    """How many zeros come before the next command. The file is positioned where that begins."""
    count = 0
    file.seek(start)
    while chunk := file.read(CHUNK):
        sound = chunk.lstrip(b"\0")
        count += len(chunk) - len(sound)
        if sound:
            file.seek(start + count)
            return count if sound.startswith(b"*") else 0
    return 0


def _command(file: BinaryIO, left: int) -> tuple[bytes, int]:
    """Read one command of at most ``left`` bytes.

    :returns: its first word and its length.
    """
    words, used = _number(file, _COUNT, left)
    first = b""
    for index in range(words):
        size, taken = _number(file, _SIZE, left - used)
        used += taken + size + 2
        if used > left:
            raise _Short
        word = file.read(size + 2)
        if word[-2:] != b"\r\n":
            raise _Bad
        if index == 0:
            first = word[:-2].upper()
    return first, used


def _number(file: BinaryIO, pattern: re.Pattern[bytes], left: int) -> tuple[int, int]:
    """Read a line such as ``$12``: the number and the length of the line."""
    line = file.readline(LONGEST_LINE)[:left]
    match = pattern.match(line)
    if match is None:
        raise _Bad if line.endswith(b"\n") or len(line) == LONGEST_LINE else _Short
    return int(match[1]), len(line)
