"""How the screen was asked to be, on the command line."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ScreenOptions", "choose_theme", "needs_ascii"]


@dataclass(frozen=True)
class ScreenOptions:
    """Empty means: as remembered, as the environment says, or the default.

    ``emoji``: ``auto``, ``text`` (taken apart, right on every terminal) or ``full``.
    """

    server: str = ""
    ca: Path | None = None
    fingerprint: str = ""
    user: str = ""
    profile: str = "default"
    language: str = ""
    theme: str = ""
    emoji: str = "auto"
    ascii: bool = False
    mouse: bool = False


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


def needs_ascii(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale has a character set in which our signs can't be drawn."""
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
    # A multiplexer in between counts columns by itself.
    return (known or "kitty" in environ.get("TERM", "")) and "TMUX" not in environ
