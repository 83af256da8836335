"""The way into the linear mode and out of it."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.python.failure import Failure

from chat.client.cli.context import Status
from chat.client.cli.printing import print_no_more
from chat.client.files.paths import Profile
from chat.client.language.cli_words import Phrases
from chat.client.network.lean import lean_reactor
from chat.client.plain.keyboard import Keyboard, read_pipe
from chat.client.plain.linear import Linear
from chat.client.plain.page import Page
from chat.client.standard_input import NotText
from chat.client.tui.logfile import LOG_NAME, log_exception, logging_to
from chat.client.tui.look import Look
from chat.client.tui.options import ScreenOptions, make_look
from chat.client.tui.terminal.output import Output

__all__ = ["run_plain"]


def run_plain(options: ScreenOptions) -> int:
    """Talk line by line until the user leaves, or standard input ends.

    :returns: an exit status: 0, 1 when nobody was ever logged in, 2 when standard input is no
        text, 70 when the program is to blame, or 141 when nobody reads the output any more.
    :raises OSError: what was said could not be written.
    """
    look = make_look(options)
    profile = Profile(options.profile)
    logfile = profile.state / LOG_NAME
    failure = unreadable = ""
    was_in = False
    with logging_to(logfile):
        try:
            was_in = _talk(options, look, profile)
        except NotText as error:
            unreadable = Phrases(look.words.language)(str(error))
        except BrokenPipeError:
            print_no_more()
            return Status.BROKEN_PIPE
        except OSError:
            raise
        except Exception as error:
            log_exception("the linear mode ended")
            failure = repr(error)
    if unreadable:
        print(f"chatroom: {unreadable}", file=sys.stderr)
        return 2
    if failure:
        print(look.words("crashed", error=failure, log=logfile), file=sys.stderr)
        return 70
    return 0 if was_in else 1


def _talk(options: ScreenOptions, look: Look, profile: Profile) -> bool:
    """Return whether somebody was logged in.

    :raises NotText: standard input has a line that is no UTF-8: it ended there.
    :raises OSError: standard output takes nothing more: it ended there, too.
    """
    reactor = lean_reactor()
    unwritten: list[OSError] = []
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    page = Page(reactor, _writer(reactor, unwritten), interactive)
    linear = Linear(reactor, look, profile, options, page, interactive)
    reactor.addSystemEventTrigger("before", "shutdown", linear.ended)
    reactor.callWhenRunning(linear.begin)
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(_stop, reactor))
    if not interactive:
        reading = Deferred.fromCoroutine(read_pipe(reactor, sys.stdin.buffer, linear))
        failed: list[Failure] = []
        reading.addErrback(failed.append)
        reactor.run()
        for error in unwritten:
            raise error
        for failure in failed:
            failure.raiseException()
        return linear.was_in
    keyboard = Keyboard(reactor, sys.stdin.fileno(), page, linear)
    signal.signal(signal.SIGTSTP, lambda *_: reactor.callFromThread(keyboard.suspend))
    keyboard.start()
    try:
        reactor.run()
    finally:
        keyboard.stop()
    page.close()
    return linear.was_in


def _stop(reactor: Any) -> None:
    """End the program, unless it is ending already: two signs of the same end may come."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def _writer(reactor: Any, failed: list[OSError]) -> Callable[[str], None]:
    """A function that writes text: to a terminal as fast as it takes it, to a pipe or file at once.

    :param failed: gets the error that ended the writing.
    """
    descriptor = sys.stdout.fileno()
    if os.isatty(descriptor):
        output = Output(descriptor)
        output.attach(reactor)

        def tell(text: str) -> None:
            output.write(text)
            output.flush()

        return tell

    def write(text: str) -> None:
        data = text.encode("utf-8", "replace")
        try:
            while data and not failed:
                data = data[os.write(descriptor, data) :]
        except OSError as error:
            # Nobody listens any more, or the disk is full.
            failed.append(error)
            _stop(reactor)

    return write
