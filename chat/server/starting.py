"""What a start needs of the operating system: open files, and a plain end when it fails."""

import atexit
import contextlib
import os
import resource
import sys
from types import TracebackType
from typing import Final, NoReturn

__all__ = ["SPARE_FILES", "CannotStart", "end_plainly", "exit_with_status_1", "raise_open_files"]

SPARE_FILES: Final = 64
"""Open files that connections leave alone: the store's, the log's, and what a restart needs."""


class CannotStart(Exception):
    """The server cannot start. The text is a sentence for whoever started it."""


def raise_open_files() -> int:
    """Let this process open as many files as it may at all; return how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS refuses an unlimited number, and goes on with what it had.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def end_plainly() -> None:
    """From now on an uncaught CannotStart ends the process with its sentence, no traceback."""
    usual = sys.excepthook

    def say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, CannotStart):
            _say(str(error))
        else:
            usual(kind, error, trace)

    sys.excepthook = say


def exit_with_status_1(sentence: str) -> None:
    """Say ``sentence`` now, and end with status 1 when the reactor has stopped.

    twistd itself ends with 0 whatever happened while the reactor ran.
    """
    _say(sentence)
    atexit.register(_exit)


def _say(sentence: str) -> None:
    """On the real standard error: twistd has put its log in the place of ``sys.stderr``."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"chatroom: {sentence}\n")
        sys.__stderr__.flush()


def _exit() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
