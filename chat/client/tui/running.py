"""Starts the full-screen program and, on every way out, gives the terminal back."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urwid

from chat.client.files.paths import Profile
from chat.client.network.lean import lean_reactor, steady_seconds
from chat.client.tui.look import Look
from chat.client.tui.options import (
    ScreenOptions,
    asks_background,
    bright_by_bold,
    choose_colours,
    make_look,
)
from chat.client.tui.panes.forms import first_menu
from chat.client.tui.terminal.early import twisted_loop
from chat.client.tui.terminal.screen import Terminal
from chat.client.tui.themes import ASCII

if TYPE_CHECKING:
    from chat.client.tui.recording.recorder import Recorder

__all__ = ["run"]


def run(options: ScreenOptions) -> int:
    """Show the screen until the user leaves.

    :returns: an exit status of those that ``chatroom --help`` names: 0, 2 without a terminal, 74
        when a recording cannot be made, or 70 when the program is to blame.
    """
    urwid.set_encoding("utf-8")
    look = make_look(options)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(look.words("no-terminal"), file=sys.stderr)
        return 2
    try:
        recorder = _recorder(options.record, options.mask)
    except OSError as error:
        print(look.words("no-recording", path=options.record, error=error), file=sys.stderr)
        return 74
    failure = _show(options, look, recorder)
    if recorder is not None:
        key = "recorded-masked" if options.mask else "recorded"
        if not recorder.close():
            key = "recorded-nothing"
        print(look.words(key, path=options.record), file=sys.stderr)
    if failure:
        print(failure, file=sys.stderr)
        return 70
    return 0


def _recorder(path: Path | None, mask: bool) -> "Recorder | None":
    """What writes everything down, if somebody wants that.

    :raises OSError: the file cannot be made.
    """
    if path is None:
        return None
    from chat.client.tui.recording.recorder import Recorder

    return Recorder(path, steady_seconds, mask)  # the same clock as the reactor's


def _show(options: ScreenOptions, look: Look, recorder: "Recorder | None") -> str:
    """Draw the first screen, then load what the rest needs: that takes longer than all before it.

    :returns: a sentence when something went wrong, otherwise nothing.
    """
    screen = Terminal(sys.stdin, sys.stdout, ascii=look.glyphs is ASCII)
    screen.set_terminal_properties(
        choose_colours(options.colours), bright_by_bold(), hyperlinks=options.links
    )
    screen.register_palette(look.theme.palette())
    with screen.start():
        size = screen.get_cols_rows()
        screen.draw_screen(size, first_menu(look).render(size))
        if asks_background(options.theme):
            screen.ask_background()
        return _go_on(screen, options, look, recorder)


def _go_on(
    screen: Terminal, options: ScreenOptions, look: Look, recorder: "Recorder | None"
) -> str:
    reactor = lean_reactor()  # first, so that other modules get the Twisted without TLS, too
    from chat.client.tui.app import App
    from chat.client.tui.logfile import LOG_NAME, log_exception, logging_to

    profile = Profile(options.profile)
    logfile = profile.state / LOG_NAME
    with logging_to(logfile):
        try:
            screen.output.attach(reactor)
            app = App(reactor, screen, twisted_loop(reactor), look, profile, options, recorder)
            _leave_on_hangup(reactor, screen)
            app.run()
        except Exception as error:
            log_exception("the screen ended")
            return look.words("crashed", error=repr(error), log=logfile)
    return ""


def _leave_on_hangup(reactor: Any, screen: Terminal) -> None:
    """A terminal that is closed ends the program as SIGTERM does: drafts and outbox are kept.

    A signal says so, and the end of what is typed; either may come first.
    """
    from twisted.internet.error import ReactorNotRunning

    def leave() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    screen.on_gone = leave
    signal.signal(signal.SIGHUP, lambda number, frame: reactor.callFromThread(leave))
