"""The client's manual, made from the tables of keys, commands, options and settings.

``parts`` fills in docs/client.rst, and ``settings_example`` is docs/config.toml; docs/generate.py
writes them, and a test compares.
"""

import argparse
import textwrap
from collections.abc import Iterator

from chat.client.cli.options import build_parser
from chat.client.files.config import Settings, rule_parts, setting_names
from chat.client.language.cli_words import Phrases
from chat.client.language.words import Words
from chat.client.tui.commands.helptext import command_usage
from chat.client.tui.commands.keys import CONTEXTS, KEYS, key_name
from chat.client.tui.commands.table import COMMANDS
from chat.client.tui.themes import ROLES, Glyphs

Rows = Iterator[tuple[str, str]]

WORDS = Words("en")
PHRASES = Phrases("en")


# What the tables say ----------------------------------------------------------------------------


def keys(context: str) -> Rows:
    """The keys of a context and what they do."""
    for each in KEYS:
        if each.context == context and each.help:
            names = ["Alt-1 … Alt-9"] if each.action == "go_1" else map(key_name, each.keys)
            yield ", ".join(names), WORDS(each.help)


def commands() -> Rows:
    """The commands of the composer."""
    for each in COMMANDS:
        more = ", ".join(f"/{name}" for name in each.names[1:])
        also = f" (also {more})" if more else ""
        yield command_usage(each, WORDS), WORDS(each.help) + also


def settings() -> Rows:
    """What can stand in the settings file."""
    for name in setting_names():
        yield name, PHRASES(f"set-{name}")


def options(parser: argparse.ArgumentParser) -> Rows:
    """The options of the program, or of one of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.dest == "help":
            continue
        if action.option_strings:
            value = action.metavar or "|".join(map(str, action.choices or ())) or ""
            takes = "" if action.nargs == 0 else f" {value or action.dest.upper()}"
            yield "".join((", ".join(action.option_strings), takes)), action.help or ""
        else:
            yield str(action.metavar or action.dest), action.help or ""


def programs() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """``chatroom`` and its commands."""
    return with_commands("chatroom", build_parser(PHRASES))


def with_commands(
    program: str, parser: argparse.ArgumentParser
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """A program and its commands."""
    yield program, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{program} {name}", command


# As a page --------------------------------------------------------------------------------------


def table(rows: Rows) -> str:
    """A list-table of pairs."""
    lines = [".. list-table::", "   :widths: 35 65", ""]
    for left, right in rows:
        lines += [f"   * - ``{left}``", f"     - {right}"]
    return "\n".join(lines)


def key_tables() -> str:
    """A table for each place where keys mean something."""
    parts = []
    for context in CONTEXTS:
        title = WORDS(f"context-{context}")
        parts.append(f"{title}\n{'~' * len(title)}\n\n{table(keys(context))}")
    return "\n\n".join(parts)


def option_tables() -> str:
    """A table for the program and for each of its commands; what is common stands once."""
    common = {left for left, _ in options(dict(programs())["chatroom"])}
    parts = []
    for name, parser in programs():
        own = name == "chatroom"
        rows = [each for each in options(parser) if own or each[0] not in common]
        says = "" if own else f" {parser.description}."
        parts.append(f"``{name}``:{says}")
        if rows:
            parts.append(table(iter(rows)))
    return "\n\n".join(parts)


def parts() -> dict[str, str]:
    """What stands between the marks of docs/client.rst."""
    glyphs = ", ".join(f"``{each}``" for each in Glyphs.__dataclass_fields__)
    roles = ", ".join(f"``{each}``" for each in ROLES)
    return {
        "tables of keys": key_tables(),
        "table of commands": table(commands()),
        "table of settings": table(settings()),
        "tables of options": option_tables(),
        "list of roles": textwrap.fill(f"Roles: {roles}.", 100),
        "list of glyphs": textwrap.fill(f"Glyphs: {glyphs}.", 100),
    }


def settings_example() -> str:
    """Every setting with its default, commented out."""
    lines = [
        "# Every setting of the client, with its default. Copy what you change into",
        "# ~/.config/chatroom/config.toml; chatroom --check-config says whether it is right.",
        "# What stands in [profile.NAME] holds for --profile NAME and wins over the rest.",
    ]
    defaults = Settings()
    for name, says in settings():
        value = getattr(defaults, name.replace("-", "_"))
        lines += ["", textwrap.indent(textwrap.fill(says, 90), "# ")]
        if name == "notify":
            lines += [
                f"# Parts of a rule: {', '.join(rule_parts())}.",
                "# [[notify]]",
                '# when = ["mention", "private"]',
                '# do = "bell"',
            ]
        else:
            shown = {True: "true", False: "false", (): "[]"}.get(value, f'"{value}"')
            lines.append(f"# {name} = {shown}")
    return "\n".join(lines) + "\n"
