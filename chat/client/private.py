"""Files and directories that only their owner can read, written as a whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path

__all__ = ["private_directory", "write_private"]


def private_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing, for the owner alone."""
    for each in [*reversed(path.parents), path]:
        with contextlib.suppress(FileExistsError):
            if not each.exists():
                each.mkdir(mode=0o700)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file as a whole: whoever looks, and after whatever crash, finds the old one or
    the new one. Only the owner can read it.

    :raises OSError: the old one is still there.
    """
    private_directory(path.parent)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        error.filename = str(path)  # A full disk does not say which file it has no room for.
        raise
