"""The ``chatroom`` command: the screen, or one of its commands for scripts."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat.client.cli.argparse_words import speak
from chat.client.cli.arguments import (
    Command,
    Version,
    file,
    fingerprint,
    is_text,
    number,
    seconds,
    speed,
)
from chat.client.files.config import BadConfig, Settings, read_settings
from chat.client.files.paths import Profile
from chat.client.language.cli_words import Phrases
from chat.client.language.words import LANGUAGES, Words, choose_language
from chat.moderation import ON_PEOPLE, ON_ROOMS

if TYPE_CHECKING:
    from chat.client.cli.context import Context, Status
    from chat.client.tui.options import ScreenOptions

__all__ = ["build_parser", "main"]

WRONG_CONFIG = 2
"""The exit status when the settings are wrong, as for a wrong command line."""


ACTIONS = (*ON_PEOPLE, *ON_ROOMS, "list")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; what it returns is its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    early = _early(words)
    phrases = Phrases(choose_language(early.language))
    parser = build_parser(phrases)
    try:
        settings = _settings(early)
    except BadConfig as error:
        # A wrong file is no reason to keep the help from anybody.
        parser.parse_args(words)
        return _complain(phrases, error)
    if settings.language and not early.language:
        phrases = Phrases(settings.language)
        parser = build_parser(phrases)
    options = parser.parse_args(words)
    if not is_text(options):
        parser.error(phrases("not-text"))
    try:
        profile = Profile(options.profile)
    except ValueError:
        parser.error(phrases("bad-profile", name=options.profile))
    if options.plain and options.record:
        parser.error(phrases("no-plain-record"))
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
    """What is needed before anything can be said, help included."""
    early = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    early.add_argument("--language", default="")
    early.add_argument("--profile", default="default")
    early.add_argument("--config", type=Path)
    try:
        return early.parse_known_args(words)[0]
    except argparse.ArgumentError:
        return early.parse_args([])


def _settings(early: argparse.Namespace) -> Settings:
    """The settings of the profile.

    :raises BadConfig: the file is wrong, or was named and is not there.
    """
    path = early.config or Profile().config_file
    return read_settings(path, early.profile, asked=early.config is not None)


def _complain(phrases: Phrases, error: BadConfig) -> int:
    for each in (error, *error.more):
        print(f"chatroom: {phrases.config(each)}", file=sys.stderr)
    return WRONG_CONFIG


def _unwritable(phrases: Phrases, error: OSError) -> int:
    """A disk is full, or a directory is not ours: that is said in one sentence."""
    from chat.client.cli.context import Status
    from chat.client.cli.printing import print_no_more

    print(f"chatroom: {phrases.unwritable(error)}", file=sys.stderr)
    if error.filename is None:
        print_no_more()
    return Status.UNWRITABLE


def build_parser(phrases: Phrases) -> argparse.ArgumentParser:
    """All options. The common ones may stand before a command or behind it."""
    speak(phrases.language)
    parser = argparse.ArgumentParser(
        prog="chatroom",
        description=phrases("about"),
        epilog=phrases("statuses"),
        allow_abbrev=False,
    )
    _add_common(parser, phrases)
    _add_screen(parser, phrases)
    parser.add_argument("--version", action=Version, help=phrases("opt-version"))
    common = Command(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    _add_common(common, phrases, suppress=True)
    commands = parser.add_subparsers(
        dest="command", title=phrases("commands"), parser_class=Command
    )

    def command(name: str) -> argparse.ArgumentParser:
        about = phrases(f"about-{name}")
        return commands.add_parser(
            name, help=about, description=about, parents=[common], allow_abbrev=False
        )

    _add_register(command("register"), phrases)
    _add_send(command("send"), phrases)
    _add_tail(command("tail"), phrases)
    command("who")
    _add_history(command("history"), phrases)
    _add_replay(command("replay"), phrases)
    _add_moderate(command("moderate"), phrases)
    _add_block(command("block"), phrases)
    return parser


def _add_common(parser: argparse.ArgumentParser, phrases: Phrases, suppress: bool = False) -> None:
    def option(name: str, default: Any, **values: Any) -> None:
        shown = phrases("opt-" + name.removeprefix("--"))
        default = argparse.SUPPRESS if suppress else default
        parser.add_argument(name, default=default, help=shown, **values)

    option("--server", "", metavar="HOST:PORT")
    option("--user", "", metavar="NAME")
    option("--profile", "default", metavar="NAME")
    option("--language", "", choices=LANGUAGES)
    option("--timeout", 30.0, type=seconds, metavar="SECONDS")
    option("--ca", None, type=file, metavar="FILE")
    option("--fingerprint", "", type=fingerprint, metavar="SHA256")
    option("--password-file", None, type=Path, metavar="FILE")
    option("--password-command", "", metavar="COMMAND")
    option("--json", False, action="store_true")
    option("--config", None, type=Path, metavar="FILE")


def _add_screen(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("--theme", default="", help=phrases("opt-theme"))
    parser.add_argument("--check-config", action="store_true", help=phrases("opt-check-config"))
    parser.add_argument(
        "--colours", choices=("auto", "none", "16", "256", "true"), help=phrases("opt-colours")
    )
    parser.add_argument("--emoji", choices=("auto", "text", "full"), help=phrases("opt-emoji"))
    parser.add_argument("--ascii", action="store_true", help=phrases("opt-ascii"))
    parser.add_argument("--plain", action="store_true", help=phrases("opt-plain"))
    parser.add_argument("--mouse", action="store_true", help=phrases("opt-mouse"))
    parser.add_argument("--record", type=Path, metavar="FILE", help=phrases("opt-record"))
    parser.add_argument("--mask", action="store_true", help=phrases("opt-mask"))


def _add_register(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("name", nargs="?", default="", help=phrases("opt-name"))
    parser.add_argument("--id", type=number, default=0, help=phrases("opt-id"))
    parser.add_argument("--invitation", default="", metavar="CODE", help=phrases("opt-invitation"))


def _add_send(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("to", metavar="TO", help=phrases("opt-to"))
    parser.add_argument("text", metavar="TEXT", nargs="?", help=phrases("opt-text"))
    parser.add_argument("--lines", action="store_true", help=phrases("opt-lines"))
    parser.add_argument("--client-id", default="", metavar="ID", help=phrases("opt-client-id"))
    parser.add_argument("--join", action="store_true", help=phrases("opt-join-send"))


def _add_tail(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument(
        "conversations", metavar="CONVERSATION", nargs="*", help=phrases("opt-conversations")
    )
    parser.add_argument(
        "-n", dest="last", type=number, default=0, metavar="N", help=phrases("opt-lines-before")
    )
    parser.add_argument("--missed", action="store_true", help=phrases("opt-missed"))
    parser.add_argument("--join", action="store_true", help=phrases("opt-join"))
    parser.add_argument("--count", type=number, metavar="N", help=phrases("opt-count"))


def _add_history(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("conversation", metavar="CONVERSATION", help=phrases("opt-to"))
    parser.add_argument(
        "-n", dest="number", type=number, default=50, metavar="N", help=phrases("opt-history-n")
    )
    parser.add_argument(
        "--before", type=number, default=0, metavar="SEQ", help=phrases("opt-before")
    )
    parser.add_argument("--after", type=number, metavar="SEQ", help=phrases("opt-after"))


def _add_moderate(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("room", metavar="ROOM", help=phrases("opt-room"))
    parser.add_argument("action", metavar="ACTION", choices=ACTIONS, help=", ".join(ACTIONS))
    parser.add_argument("who", metavar="USER", nargs="?", default="", help=phrases("opt-who"))
    parser.add_argument(
        "--for", dest="time", default="", metavar="TIME", help=phrases("opt-how-long")
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help=phrases("opt-reason"))


def _add_block(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("who", metavar="USER", nargs="?", default="", help=phrases("opt-who"))
    parser.add_argument("--undo", action="store_true", help=phrases("opt-undo"))


def _add_replay(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help=phrases("opt-replay-file"))
    parser.add_argument("--speed", type=speed, default=1.0, metavar="N", help=phrases("opt-speed"))
    parser.add_argument("--print", action="store_true", help=phrases("opt-print"))
    parser.add_argument("--print-all", action="store_true", help=phrases("opt-print-all"))


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
        if wrong := _wrong_server(options.server):
            print(f"chatroom: {wrong}", file=sys.stderr)
            return WRONG_CONFIG
        print(phrases("config-good", path=options.config or profile.config_file))
        return 0
    if options.plain or simple_terminal():
        from chat.client.plain.running import run_plain

        return run_plain(wanted)
    from chat.client.tui.running import run

    return run(wanted)


def _wanted(options: argparse.Namespace, settings: Settings, profile: Profile) -> "ScreenOptions":
    """How the screen is to be: by the command line, then the file, then what was chosen on it."""
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


def _wrong_server(server: str) -> str:
    """What is wrong with a server's address, nothing when it is one."""
    from chat.client.network.address import endpoint_for
    from chat.client.network.lean import lean_reactor

    try:
        endpoint_for(lean_reactor(), server)
    except ValueError as error:
        return str(error)
    return ""


def _chosen_theme(profile: Profile, themes: Path) -> str:
    """The theme that was chosen last on the screen, if it is still there and right."""
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
    from chat.client.cli.printing import Printer, escape_what_is_missing, print_no_more

    escape_what_is_missing()
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
