"""The command-line options of the screen."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chat.client.language.words import Words, choose_language
from chat.client.notify import DEFAULT_RULES, Rule
from chat.client.tui.look import Look
from chat.client.tui.theme_file import find_theme
from chat.client.tui.themes import ASCII, UNICODE

__all__ = [
    "ScreenOptions",
    "asks_background",
    "bright_by_bold",
    "choose_colours",
    "choose_theme",
    "full_emoji",
    "make_look",
    "needs_ascii",
    "simple_terminal",
]


@dataclass(frozen=True)
class ScreenOptions:
    """Empty means: as remembered, as the environment says, or the default.

    ``emoji``: ``auto``, ``text`` (taken apart, right on every terminal) or ``full``. ``themes``:
    the directory of theme files. The others are as in ``chat.client.files.config.Settings``.
    """

    server: str = ""
    ca: Path | None = None
    fingerprint: str = ""
    user: str = ""
    profile: str = "default"
    language: str = ""
    theme: str = ""
    colours: str = "auto"
    emoji: str = "auto"
    ascii: bool = False
    mouse: bool = False
    links: bool = True
    cache: bool = True
    quiet: str = ""
    notify: Sequence[Rule] = DEFAULT_RULES
    command: Sequence[str] = ()
    themes: Path = Path()
    record: Path | None = None
    mask: bool = False


def make_look(options: ScreenOptions) -> Look:
    """Words, glyphs and colours by options and environment.

    :raises BadConfig: there is no such theme.
    """
    look = Look(
        words=Words(choose_language(options.language)),
        now=time.time,
        glyphs=ASCII if options.ascii or needs_ascii() else UNICODE,
        emoji=full_emoji(options.emoji),
    )
    return look.with_theme(find_theme(choose_theme(options.theme), options.themes))


# Terminals that draw joined emoji as wide as Unicode says.
_GOOD_WITH_EMOJI = frozenset({"WezTerm", "ghostty", "iTerm.app", "Apple_Terminal"})


def choose_theme(wanted: str, environ: Mapping[str, str] = os.environ) -> str:
    """The theme asked for; ``mono`` where NO_COLOR or the terminal says so; else ``dark``."""
    if wanted:
        return wanted
    if environ.get("NO_COLOR") or environ.get("TERM", "").endswith(("-m", "-mono")):
        return "mono"
    # COLORFGBG (rxvt, Konsole): the last part is the background; 7 and 15 are light ones.
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background in ("7", "15") else "dark"


def asks_background(wanted: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to ask the terminal if it is light: only where nobody has chosen a theme.

    The Linux console is dark, and it and older terminals would print a question that they do not
    know.
    """
    known = not environ.get("TERM", "").startswith(("linux", "vt", "cons", "sun", "ansi"))
    return known and not wanted and choose_theme(wanted, environ) != "mono"


Colours = Literal[1, 16, 256, 16777216]

_COLOURS: Mapping[str, Colours] = {"none": 1, "16": 16, "256": 256, "true": 16777216}


def choose_colours(wanted: str) -> Colours | None:
    """How many colours are used; None: as many as urwid thinks that the terminal has."""
    return _COLOURS.get(wanted)


def bright_by_bold(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Whether the bright ones of sixteen colours are asked for as bold dark ones; None for urwid's
    choice.

    tmux and screen know the bright colours themselves. Bold black, our dimmest colour, they would
    pass on to terminals of which most draw it as black on black.
    """
    return False if environ.get("TERM", "").startswith(("screen", "tmux")) else None


def needs_ascii(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether our signs can't be drawn: the locale's character set lacks them, or the terminal is
    the Linux console, whose fonts of 512 characters do."""
    if environ.get("TERM", "") == "linux":
        return True
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name, "")
        if value:
            charset = value.partition(".")[2].partition("@")[0].lower().replace("-", "")
            return charset not in ("utf8", "")
    return False


def full_emoji(wanted: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether emoji are left as they are."""
    if wanted in ("text", "full"):
        return wanted == "full"
    known = environ.get("TERM_PROGRAM", "") in _GOOD_WITH_EMOJI
    # A multiplexer in between counts columns in its own way.
    return (known or "kitty" in environ.get("TERM", "")) and "TMUX" not in environ


def simple_terminal() -> bool:
    """Whether the terminal would print the sequences that should move its cursor."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return terminal and os.environ.get("TERM", "") in ("", "dumb")
