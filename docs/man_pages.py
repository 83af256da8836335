"""The man pages, made from the same tables as everything else that lists options and commands.

docs/generate.py writes them, and a test compares.
"""

import argparse
from collections.abc import Iterator

from chat.admin.cli import build_parser
from chat.admin.words import Words
from chat.client.tui.commands.keys import CONTEXTS
from chat.server.options import Options, default_text
from chat.server.settings import options
from docs import manual


def client() -> str:
    """chatroom(1)."""
    sections = [
        '.TH CHATROOM 1 "" "chatroom" "User Commands"',
        _section("NAME", "chatroom \\- chat in the terminal"),
        _section(
            "SYNOPSIS",
            ".B chatroom\n[\\fIOPTIONS\\fR]\n.br\n.B chatroom\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
        ),
        _section("DESCRIPTION", _roff(_ABOUT)),
        _section("OPTIONS", _pairs(manual.options(dict(manual.programs())["chatroom"]))),
        _section("COMMANDS OF THE SHELL", _commands(manual.programs())),
        _section("COMMANDS OF THE SCREEN", _pairs(manual.commands())),
        _section("KEYS", "\n".join(_man_keys())),
        _section("SETTINGS", _pairs(manual.settings())),
        _section("FILES", _pairs(iter(_FILES))),
        _section("ENVIRONMENT", _pairs(iter(_ENVIRONMENT))),
        _section("EXIT STATUS", _roff(manual.PHRASES("statuses").removeprefix("Exit status: "))),
        _section("SEE ALSO", _see("chatroom-admin", "twistd-chatroom")),
    ]
    return "\n".join(sections) + "\n"


def administration() -> str:
    """chatroom-admin(8)."""
    programs = dict(manual.with_commands("chatroom admin", build_parser(Words("en"))))
    parser = programs["chatroom admin"]
    sections = [
        '.TH CHATROOM-ADMIN 8 "" "chatroom" "System Administration"',
        _section("NAME", "chatroom-admin \\- look after a chatroom server while it runs"),
        _section("SYNOPSIS", ".B chatroom admin\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]"),
        _section("DESCRIPTION", _roff(f"{parser.description} {_ADMINISTRATION}")),
        _section("OPTIONS", _pairs(manual.options(parser))),
        _section("COMMANDS", _commands(iter(programs.items()))),
        _section(
            "EXIT STATUS",
            "0 done, 1 not done, 2 wrong usage, 130 interrupted, 141 nobody reads the output.",
        ),
        _section("SEE ALSO", _see("chatroom", "twistd-chatroom")),
    ]
    return "\n".join(sections) + "\n"


def server() -> str:
    """twistd-chatroom(8)."""
    sections = [
        '.TH TWISTD-CHATROOM 8 "" "chatroom" "System Administration"',
        _section("NAME", "twistd-chatroom \\- the chatroom server"),
        _section(
            "SYNOPSIS",
            ".B twistd\n[\\fITWISTD OPTIONS\\fR]\n.B chatroom\n[\\fIOPTIONS\\fR]",
        ),
        _section("DESCRIPTION", _roff(f"{Options.longdesc} {_SERVER}")),
        _section("OPTIONS", _pairs(_server_options())),
        _section("SIGNALS", _pairs(iter(_SIGNALS))),
        _section("FILES", _pairs(iter(_SERVERS_FILES))),
        _section("EXIT STATUS", "1 when an option is wrong or the server cannot start."),
        _section("SEE ALSO", _see("chatroom", "chatroom-admin", "twistd")),
    ]
    return "\n".join(sections) + "\n"


def _server_options() -> manual.Rows:
    yield "--config FILE", "a TOML file with options"
    yield "--check-config", "only say whether the options are right"
    yield "--help, --version", "say so, and leave"
    for name, option in options().items():
        kind, says = option.metadata["kind"], option.metadata["help"]
        live = " (live)" if option.metadata["live"] else ""
        value = "" if kind.flag else f" {kind.form}"
        yield f"--{name}{value}", f"{says}{live} [default: {default_text(option)}]"


_ABOUT = (
    "Without a command, a full screen: conversations, messages, and who is online. F1 shows help, "
    "Ctrl-K goes anywhere, /quit leaves. With a command, something for scripts: messages in and "
    "out through pipes, JSON on request."
)

_ADMINISTRATION = (
    "It works through the server's store: on the same machine by --data or --config, from anywhere "
    "by --store. TIME is written 90s, 10m, 2h, 1d or 1d12h."
)

_SERVER = "What is marked (live) changes on SIGHUP; anything else needs a restart."

_SIGNALS = (
    ("SIGHUP", "read the file and the certificates again"),
    ("SIGTERM, SIGINT", "finish what is under way, tell every client when to come back, and stop"),
    ("SIGUSR1", "in the background: begin a new log file"),
)

_SERVERS_FILES = (
    ("~/.local/share/chatroom/server/", "the embedded store, and the certificate of --self-signed"),
    ("twistd.log, twistd.pid", "of a server in the background, in the directory that it began in"),
)

_FILES = (
    ("~/.config/chatroom/config.toml", "settings; XDG_CONFIG_HOME moves it"),
    ("~/.config/chatroom/themes/NAME.toml", "themes of one's own"),
    ("~/.local/state/chatroom/PROFILE/", "logins, drafts, what is not yet sent, the log"),
    ("~/.local/state/chatroom/known-servers.json", "certificates that were accepted"),
    ("~/.cache/chatroom/PROFILE/", "what was said, for reading and searching without a server"),
)

_ENVIRONMENT = (
    ("CHATROOM_PASSWORD", "the password, where no other way is given"),
    ("NO_COLOR", "no colours"),
    ("VISUAL, EDITOR", "what Ctrl-X Ctrl-E opens"),
    ("LANGUAGE, LC_ALL, LC_MESSAGES, LANG", "English or Chinese"),
)


def _commands(programs: Iterator[tuple[str, argparse.ArgumentParser]]) -> str:
    """The commands of a program, each with what is its own."""
    _, parser = next(programs)
    common = {left for left, _ in manual.options(parser)}
    lines = []
    for name, command in programs:
        rows = [each for each in manual.options(command) if each[0] not in common]
        lines += [f".SS {_roff(name)}\n{_roff(str(command.description))}", _pairs(iter(rows))]
    return "\n".join(each for each in lines if each)


def _man_keys() -> Iterator[str]:
    for context in CONTEXTS:
        yield f".SS {_roff(manual.WORDS(f'context-{context}'))}"
        yield _pairs(manual.keys(context))


def _section(title: str, text: str) -> str:
    return f".SH {title}\n{text}"


def _pairs(rows: manual.Rows) -> str:
    return "\n".join(f".TP\n\\fB{_roff(left)}\\fR\n{_roff(right)}" for left, right in rows)


def _roff(text: str) -> str:
    """``text`` where nothing of it is a request or an escape."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe[:1] in (".", "'") else safe


def _see(*names: str) -> str:
    return ", ".join(
        f"\\fB{_roff(each)}\\fR({1 if each in ('chatroom', 'twistd') else 8})" for each in names
    )
