"""The ``chatroom`` command: the screen, or one of its commands for scripts."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chat.client.cli.arguments import read_as_text
from chat.client.cli.options import build_parser
from chat.client.files.config import BadConfig, Settings, read_settings
from chat.client.files.paths import Profile
from chat.client.language.cli_words import Phrases
from chat.client.language.words import Words, choose_language

if TYPE_CHECKING:
    from chat.client.cli.context import Context, Status
    from chat.client.tui.options import ScreenOptions

__all__ = ["main"]

WRONG_CONFIG = 2
"""The exit status when the settings are wrong, as for a wrong command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    :returns: its exit status.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    early = _early(words)
    phrases = Phrases(choose_language(early.language))
    parser = build_parser(phrases)
    try:
        settings = _settings(early)
    except BadConfig as error:
        # A mistake in the file must not keep anybody from the help.
        parser.parse_args(words)
        return _complain(phrases, error)
    if settings.language and not early.language:
        phrases = Phrases(settings.language)
        parser = build_parser(phrases)
    options = parser.parse_args(words)
    profile = _checked(parser, options, phrases)
    options.server = options.server or settings.server
    options.user = options.user or settings.user
    if options.command == "replay":
        return _replay(options, phrases)
    try:
        if options.command is None:
            return _screen(options, settings, phrases, profile)
        return _run(options, phrases, profile)
    except OSError as error:
        return _unwritable(phrases, error)


# Options ---------------------------------------------------------------------------------------


def _early(words: Sequence[str]) -> argparse.Namespace:
    """The options that are needed before anything can be printed, the help included."""
    early = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    early.add_argument("--language", default="")
    early.add_argument("--profile", default="default")
    early.add_argument("--config", type=Path)
    try:
        return early.parse_known_args(words)[0]
    except argparse.ArgumentError:
        return early.parse_args([])


def _checked(
    parser: argparse.ArgumentParser, options: argparse.Namespace, phrases: Phrases
) -> Profile:
    """Check the options that argparse itself can't check.

    :returns: the profile that they name.
    :raises SystemExit: an option is wrong; the parser has said so.
    """
    if not read_as_text(options):
        parser.error(phrases("not-text"))
    if options.ca and not options.ca.is_file():
        parser.error(phrases("config-missing", path=options.ca))
    if options.plain and options.record:
        parser.error(phrases("no-plain-record"))
    try:
        return Profile(options.profile)
    except ValueError:
        parser.error(phrases("bad-profile", name=options.profile))


def _settings(early: argparse.Namespace) -> Settings:
    """The settings of the profile.

    :raises BadConfig: the file is wrong, or it was named and does not exist.
    """
    usual = Profile().config_file
    return read_settings(early.config or usual, early.profile, asked=early.config is not None)


def _complain(phrases: Phrases, error: BadConfig) -> int:
    for each in (error, *error.more):
        print(f"chatroom: {phrases.config(each)}", file=sys.stderr)
    return WRONG_CONFIG


def _unwritable(phrases: Phrases, error: OSError) -> int:
    """Say in one sentence that a disk is full, or that a directory belongs to somebody else."""
    from chat.client.cli.context import Status
    from chat.client.cli.printing import print_no_more

    print(f"chatroom: {phrases.unwritable(error)}", file=sys.stderr)
    if error.filename is None:
        print_no_more()
    return Status.UNWRITABLE


# Running ---------------------------------------------------------------------------------------


def _screen(
    options: argparse.Namespace, settings: Settings, phrases: Phrases, profile: Profile
) -> int:
    from chat.client.tui.terminal.early import lean_urwid

    lean_urwid()
    from chat.client.tui.options import choose_theme, simple_terminal
    from chat.client.tui.theme_file import find_theme

    wanted = _wanted(options, settings, profile)
    try:
        find_theme(choose_theme(wanted.theme), wanted.themes)
    except BadConfig as error:
        return _complain(phrases, error)
    if options.check_config:
        wrong = _wrong_server(options.server, phrases) or _wrong_command(settings, phrases)
        if wrong:
            print(f"chatroom: {wrong}", file=sys.stderr)
            return WRONG_CONFIG
        print(phrases("config-good", path=options.config or profile.config_file))
        return 0
    # Only the screen can be recorded.
    if options.plain or (settings.plain and not options.record) or simple_terminal():
        from chat.client.plain.running import run_plain

        return run_plain(wanted)
    from chat.client.tui.running import run

    return run(wanted)


def _wanted(options: argparse.Namespace, settings: Settings, profile: Profile) -> "ScreenOptions":
    """How the screen is to be: by the command line, the file, and what was chosen on it, in this
    order."""
    from chat.client.tui.options import ScreenOptions

    themes = profile.config_file.parent / "themes"
    return ScreenOptions(
        server=options.server,
        ca=options.ca,
        fingerprint=options.fingerprint,
        user=options.user,
        profile=options.profile,
        language=options.language or settings.language or profile.chosen("language"),
        theme=options.theme or settings.theme or _chosen_theme(profile, themes),
        colours=options.colours or settings.colours,
        emoji=options.emoji or settings.emoji,
        ascii=options.ascii or settings.ascii,
        mouse=options.mouse or settings.mouse,
        links=settings.links,
        cache=settings.cache,
        quiet=settings.quiet,
        notify=settings.notify,
        command=settings.command,
        themes=themes,
        record=options.record,
        mask=options.mask,
    )


def _wrong_server(server: str, phrases: Phrases) -> str:
    """What is wrong with a server's address; empty when nothing is."""
    from chat.client.network.address import endpoint_for
    from chat.client.network.lean import lean_reactor

    try:
        endpoint_for(lean_reactor(), server)
    except ValueError as error:
        return phrases.address(error)
    return ""


def _wrong_command(settings: Settings, phrases: Phrases) -> str:
    """That there is no program to notify with, if so: a notification has nobody to tell."""
    import shutil

    missing = [each for each in settings.command[:1] if shutil.which(each) is None]
    return "".join(phrases("no-command", name=each) for each in missing)


def _chosen_theme(profile: Profile, themes: Path) -> str:
    """The theme that was chosen last on the screen, if it still exists and is right."""
    from chat.client.tui.theme_file import find_theme

    name = profile.chosen("theme")
    try:
        return find_theme(name, themes).name if name else ""
    except BadConfig:
        return ""


def _replay(options: argparse.Namespace, phrases: Phrases) -> int:
    from chat.client.tui.recording.player import play, print_screens
    from chat.client.tui.recording.tape import BadTape

    try:
        if options.print or options.print_all:
            print_screens(options.file, sys.stdout, every=options.print_all)
        else:
            play(options.file, Words(phrases.language), options.speed)
        return 0
    except BadTape as error:
        why = phrases(error.key, **error.values)
    except OSError as error:
        why = error.strerror or str(error)
    print(f"chatroom: {phrases('bad-tape', reason=why)}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace, phrases: Phrases, profile: Profile) -> int:
    from chat.client.network.lean import lean_reactor

    reactor = lean_reactor()
    from chat.client.cli.context import Context, Status
    from chat.client.cli.printing import Printer, print_no_more

    printer = Printer(sys.stdout, options.json, phrases)
    context = Context(reactor, options, phrases, printer, sys.stderr, sys.stdin.buffer, profile)
    try:
        return _until_done(context)
    except BrokenPipeError:
        print_no_more()
        return Status.BROKEN_PIPE
    except KeyboardInterrupt:
        return Status.INTERRUPTED


def _until_done(context: "Context") -> int:
    """Run the reactor until the command has ended, and let Ctrl-C end it in order.

    :raises BaseException: what the command raised and did not expect.
    """
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.python.failure import Failure

    from chat.client.cli.commands import perform
    from chat.client.cli.context import Status

    reactor = context.reactor
    results: list[Status | Failure] = []
    running: list[Deferred[Status]] = []
    patience = True

    def ended(result: "Status | Failure") -> None:
        results.append(result)
        reactor.stop()

    def begin() -> None:
        running.append(Deferred.fromCoroutine(perform(context)))
        running[0].addBoth(ended)

    def interrupted(signal_number: int, frame: object) -> None:
        nonlocal patience
        if not running:
            raise KeyboardInterrupt
        if not patience:
            os._exit(Status.INTERRUPTED)
        patience = False
        reactor.callFromThread(running[0].cancel)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, interrupted)
    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    if isinstance(results[0], Failure) and results[0].check(CancelledError) is None:
        results[0].raiseException()
    return Status.INTERRUPTED if isinstance(results[0], Failure) else results[0]


if __name__ == "__main__":
    sys.exit(main())
