"""Every option and every subcommand of ``chatroom``."""

import argparse
from pathlib import Path
from typing import Any

from chat.client.cli.argparse_words import speak
from chat.client.cli.arguments import (
    Command,
    Version,
    entry_number,
    fingerprint,
    number,
    seconds,
    speed,
)
from chat.client.language.cli_words import Phrases
from chat.client.language.words import LANGUAGES
from chat.moderation import ON_PEOPLE, ON_ROOMS

__all__ = ["build_parser"]

ACTIONS = (*ON_PEOPLE, *ON_ROOMS, "list")


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
    edit = command("edit")
    _add_message(edit, phrases)
    edit.add_argument("text", metavar="TEXT", nargs="?", help=phrases("opt-text"))
    _add_message(command("delete"), phrases)
    report = command("report")
    _add_message(report, phrases)
    report.add_argument("--reason", default="", metavar="TEXT", help=phrases("opt-report-reason"))
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
    option("--ca", None, type=Path, metavar="FILE")
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
    parser.add_argument(
        "--reply", type=entry_number, default=0, metavar="SEQ", help=phrases("opt-reply")
    )
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


def _add_message(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("conversation", metavar="CONVERSATION", help=phrases("opt-to"))
    parser.add_argument("seq", metavar="SEQ", type=number, help=phrases("opt-seq"))


def _add_block(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("who", metavar="USER", nargs="?", default="", help=phrases("opt-who"))
    parser.add_argument("--undo", action="store_true", help=phrases("opt-undo"))


def _add_replay(parser: argparse.ArgumentParser, phrases: Phrases) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help=phrases("opt-replay-file"))
    parser.add_argument("--speed", type=speed, default=1.0, metavar="N", help=phrases("opt-speed"))
    parser.add_argument("--print", action="store_true", help=phrases("opt-print"))
    parser.add_argument("--print-all", action="store_true", help=phrases("opt-print-all"))
