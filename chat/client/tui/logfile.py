"""Where everything goes that would otherwise be written over the screen."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from chat.disk import private_directory

__all__ = ["LOG_NAME", "log_exception", "logging_to"]

LOG_NAME = "screen.log"

LOG_BYTES = 1_000_000
"""Size above which the log starts anew."""


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send everything that is logged, or written to standard error, to a file meanwhile.

    :raises OSError: the file can't be made.
    """
    private_directory(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if path.exists() and path.stat().st_size > LOG_BYTES:
        flags |= os.O_TRUNC
    file = os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8", buffering=1)
    logging.basicConfig(stream=file, level=logging.WARNING, force=True)
    warnings = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(textFileLogObserver(file), [warnings])],
        redirectStandardIO=False,
        discardBuffer=True,
    )
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        _flush_errors()
        with suppress(OSError):  # A full disk has no room for the last lines.
            file.close()
        os.dup2(kept, 2)
        os.close(kept)


def _flush_errors() -> None:
    """Write out what was printed on standard error; what there is no room for is dropped."""
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        sys.stderr.flush()


def log_exception(what: str) -> None:
    """Log the exception that is being handled."""
    logging.getLogger(__name__).exception(what)
