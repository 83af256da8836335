"""Files that only their owner can read, written as a whole or not at all."""

import os
import secrets
from pathlib import Path

from chat.disk import private_directory

__all__ = ["write_private"]


def write_private(path: Path, data: bytes) -> None:
    """Replace a file as a whole: at any moment, and after any crash, there is either the old one or
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
        error.filename = str(path)  # The error of a full disk does not name the file.
        raise
