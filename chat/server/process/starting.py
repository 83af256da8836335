"""What a start needs from the operating system: open files, signals, a plain message on failure."""

import atexit
import contextlib
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from chat.store.errors import CannotStart

__all__ = [
    "SPARE_FILES",
    "calm_signals",
    "choose_reactor",
    "end_plainly",
    "exit_with_status_1",
    "fill_standard_streams",
    "on_hangup",
    "raise_open_files",
    "say",
    "stop",
]

SPARE_FILES: Final = 64
"""Open files that connections leave alone: the store's, the log's, and what a restart needs."""

STANDARD_ERROR: Final = 2

_log = Logger()


def choose_reactor() -> Any:
    """Install the fastest reactor that the system has, unless another was chosen (``--reactor``).

    Its clock can't be set. Twisted's own uses the time of day: if that were put back by an hour,
    every timer would stop for that hour; if it were put forward, every connection would end for its
    silence.
    """
    if "twisted.internet.reactor" not in sys.modules and hasattr(select, "epoll"):
        from twisted.internet.main import installReactor

        from chat.server.process.polling import DirectReactor

        installReactor(DirectReactor())
    from twisted.internet import reactor

    reactor.seconds = time.monotonic  # type: ignore[method-assign]  # its timers look at it
    return reactor


def fill_standard_streams() -> None:
    """Put something in the place of a standard stream that was closed (``2>&-``). In the background
    twistd puts ``/dev/null`` there, and would put it over the reactor's own descriptor."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(descriptor)


def raise_open_files() -> int:
    """Let this process open as many files as it is allowed to.

    :returns: how many that is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS refuses "unlimited": the limit stays as it was.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def stop(reactor: Any) -> None:
    """Stop a reactor, unless that was done already."""
    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()


def calm_signals(reactor: Any, stopping: Callable[[], bool]) -> Callable[[], None]:
    """Have what ``reactor`` does at SIGINT and SIGTERM done between two events, and only once. Call
    it when the reactor runs.

    Twisted logs inside the signal handler, and a signal may come at any moment. If it comes while
    the lock of the log is being taken, the handler would wait for that lock for ever.

    :param stopping: whether the reactor is about to stop, so that nothing more is to be done.
    :returns: a function that undoes it.
    """
    before = {}
    told: list[int] = []

    def act(handler: Callable[[int, None], None], number: int) -> None:
        if not told and not stopping():
            told.append(number)
            handler(number, None)

    for number in (signal.SIGINT, signal.SIGTERM):
        handler: Any = signal.getsignal(number)
        if getattr(handler, "__self__", None) is reactor:
            before[number] = handler
            signal.signal(number, _later(reactor, partial(act, handler)))

    def undo() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


def _later(reactor: Any, handler: Callable[[int], None]) -> Callable[[int, Any], None]:
    return lambda number, _: reactor.callFromThread(handler, number)


def on_hangup(reactor: Any, reload: Callable[[], None]) -> Callable[[], None]:
    """Call ``reload`` at each SIGHUP, in the reactor's thread.

    A terminal that is closed sends SIGHUP too. That ends what was started from it, as always,
    unless it was started with nohup.

    :returns: a function that undoes it.
    """
    inherited = signal.getsignal(signal.SIGHUP)
    ends_with_terminal = inherited != signal.SIG_IGN and _has_terminal()

    def hung_up() -> None:
        if ends_with_terminal and not _has_terminal():
            stop(reactor)
        else:
            reload()

    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(hung_up))

    def undo() -> None:
        signal.signal(signal.SIGHUP, inherited or signal.SIG_DFL)

    return undo


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def end_plainly() -> None:
    """From now on an uncaught CannotStart ends the process with its sentence and without a
    traceback, and so does a file that twistd can't use, such as its log. Ctrl-C ends it silently.

    The sentence is logged as well, since a process in the background has nothing else to show.
    """
    usual = sys.excepthook

    def end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, CannotStart):
            # Not critical: before its log is there, Twisted prints critical events by itself.
            _log.error("{sentence}", sentence=str(error))
            say(str(error))
        elif isinstance(error, OSError) and error.filename:
            say(f"cannot use {error.filename}: {error.strerror}")
        elif not isinstance(error, KeyboardInterrupt):
            usual(kind, error, trace)

    sys.excepthook = end


def exit_with_status_1(sentence: str) -> None:
    """Say ``sentence`` now, and exit with status 1 when the reactor has stopped.

    twistd itself exits with 0, whatever happened while the reactor ran.
    """
    say(sentence)
    atexit.register(_exit)


def say(sentence: str) -> None:
    """Tell whoever started the server, on the real standard error: twistd has put its log in the
    place of ``sys.stderr``."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"chatroom: {sentence}\n")
        sys.__stderr__.flush()


def _exit() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
