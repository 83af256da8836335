"""Files that are on the disk for certain, or that only one process has; private directories."""

import contextlib
import fcntl
import os
from io import FileIO
from pathlib import Path

__all__ = ["lock", "private_directory", "sync"]


def sync(path: Path) -> None:
    """Force to the disk what a file contains, or which files a directory has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(path: Path) -> FileIO | None:
    """A file, made for its owner alone, that no other process has; None while another has it.

    The kernel takes it back when it is closed, also by the end of the process.

    :raises OSError: it can't be made, or is on a disk that knows no locks.
    """
    # Do not follow a link: root writes here too, in another user's directory.
    file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError):
            return None
        error.filename = str(path)  # The system's error does not name the file.
        raise
    return file


def private_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing, for the owner alone."""
    for each in [*reversed(path.parents), path]:
        with contextlib.suppress(FileExistsError):
            if not each.exists():
                each.mkdir(mode=0o700)
