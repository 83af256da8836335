"""The ``chatroom admin`` command line: its options and subcommands."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chat.admin.words import Words
from chat.client.cli.argparse_words import speak
from chat.client.cli.arguments import Command
from chat.client.language.words import LANGUAGES, choose_language
from chat.moderation import ON_PEOPLE, ON_ROOMS

__all__ = ["build_parser", "main"]


MOST = 10**9


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what it returns is its exit status: 1 when it was not done, 2 for usage."""
    words_in = sys.argv[1:] if argv is None else list(argv)
    words = Words(choose_language(_language_in(words_in)))
    options = build_parser(words).parse_args(words_in)
    from chat.admin.running import run

    return run(options, words)


def _language_in(words: Sequence[str]) -> str:
    early = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    early.add_argument("--language", default="")
    try:
        return str(early.parse_known_args(words)[0].language)
    except argparse.ArgumentError:
        return ""


def build_parser(words: Words) -> argparse.ArgumentParser:
    """All options. The common ones may stand before a command or behind it."""
    speak(words.language)
    parser = argparse.ArgumentParser(
        prog="chatroom admin", description=words("about"), allow_abbrev=False
    )
    _add_common(parser, words, None)
    common = Command(add_help=False, allow_abbrev=False)
    _add_common(common, words, argparse.SUPPRESS)
    commands = parser.add_subparsers(
        dest="command",
        title=words("commands"),
        required=True,
        metavar="COMMAND",
        parser_class=Command,
    )

    def command(name: str) -> Callable[..., None]:
        about = words(f"about-{name}")
        made = commands.add_parser(
            name, help=about, description=about, parents=[common], allow_abbrev=False
        )

        def argument(argument: str, opt: str, **values: Any) -> None:
            made.add_argument(argument, help=words(f"opt-{opt}"), **values)

        return argument

    _add_people(command)
    _add_rooms(command)
    _add_keeping(command)
    return parser


def _add_common(parser: argparse.ArgumentParser, words: Words, default: Any) -> None:
    for name, shown in (("store", "URL"), ("data", "DIR"), ("prefix", "TEXT"), ("config", "FILE")):
        parser.add_argument(f"--{name}", metavar=shown, default=default, help=words(f"opt-{name}"))
    parser.add_argument(
        "--language", choices=LANGUAGES, default=default, help=words("opt-language")
    )
    parser.add_argument(
        "--json", action="store_true", help=words("opt-json"), default=default or False
    )


def _add_people(command: Callable[[str], Callable[..., None]]) -> None:
    users = command("users")
    users("text", "part", nargs="?", default="", metavar="TEXT")
    users("--online", "online", action="store_true")
    users("--limit", "limit", type=number, default=0, metavar="N")
    for name in ("sessions", "logout", "suspend", "reinstate", "appoint", "dismiss", "password"):
        argument = command(name)
        argument("user", "user", metavar="USER")
        if name == "logout":
            argument("--device", "device", metavar="DEVICE")
        if name == "suspend":
            _add_how_long(argument)
        if name == "password":
            argument("--password-file", "password-file", type=Path, metavar="FILE")
    invite = command("invite")
    invite("--uses", "uses", type=number, default=1, metavar="N")
    invite("--for", "lives", dest="time", metavar="TIME")
    invite("--note", "note", default="", metavar="TEXT")
    command("invitations")
    command("withdraw")("id", "id", metavar="ID")


def _add_rooms(command: Callable[[str], Callable[..., None]]) -> None:
    command("rooms")
    command("members")("room", "room", metavar="ROOM")
    command("bans")("room", "room", nargs="?", default="", metavar="ROOM")
    moderate = command("moderate")
    moderate("room", "room", metavar="ROOM")
    moderate("action", "reason", choices=(*ON_PEOPLE, *ON_ROOMS), metavar="ACTION")
    moderate("user", "user", nargs="?", default="", metavar="USER")
    _add_how_long(moderate)
    command("announce")("text", "text", metavar="TEXT")


def _add_how_long(argument: Callable[..., None]) -> None:
    argument("--for", "for", dest="time", metavar="TIME")
    argument("--reason", "reason", default="", metavar="TEXT")


def _add_keeping(command: Callable[[str], Callable[..., None]]) -> None:
    command("statistics")
    command("audit")("-n", "number", dest="number", type=number, default=50, metavar="N")
    command("reports")("--close", "close", default="", metavar="ID")
    export = command("export")
    export("user", "user", metavar="USER")
    export("file", "export", nargs="?", type=Path, metavar="FILE")
    delete = command("delete")
    delete("user", "user", metavar="USER")
    delete("--yes", "yes", default="", metavar="NAME")
    importing = command("import")
    importing("source", "source", metavar="URL")
    importing("--source-password-file", "source-password", type=Path, metavar="FILE")
    importing("--hash", "hash", default="users", metavar="KEY")
    importing("--apply", "apply", action="store_true")
    command("backup")("file", "file", metavar="FILE")
    restore = command("restore")
    restore("file", "backup", metavar="FILE")
    restore("--replace", "replace", action="store_true")


def number(text: str) -> int:
    """A whole number from 1 on, that the store can count to; argparse says the function's name."""
    value = int(text)
    if not 1 <= value <= MOST:
        raise ValueError
    return value


if __name__ == "__main__":
    sys.exit(main())
