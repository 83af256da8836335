"""Colours and glyphs as data: each theme defines every role, for 256, 16 and no colours."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

__all__ = ["ASCII", "NAME_COLOURS", "ROLES", "THEMES", "UNICODE", "Glyphs", "Style", "Theme"]

Entry = tuple[str, str, str, str, str, str]
"""As urwid has it: role, foreground and background of 16, of none, foreground and background of
256 colours."""

NAME_COLOURS: Final = 8
"""Colours that names are told apart by."""

Style = tuple[str, str, str, str, str]
"""An ``Entry`` without its role."""

_DARK: Mapping[str, Style] = {
    "title": ("white,bold", "dark blue", "bold", "#fff,bold", "#036"),
    "title focus": ("black,bold", "dark cyan", "standout,bold", "#000,bold", "#0af"),
    "rule": ("dark gray", "", "", "g42", ""),
    "dim": ("dark gray", "", "", "g54", ""),
    "system": ("dark cyan", "", "", "#6aa", ""),
    "error": ("light red,bold", "", "bold", "#f66,bold", ""),
    "divider": ("light red", "", "bold", "#f66", ""),
    "mention": ("black", "brown", "standout", "#000", "#fc6"),
    "link": ("light blue,underline", "", "underline", "#8af,underline", ""),
    "own": ("white,bold", "", "bold", "#fff,bold", ""),
    "read": ("light green", "", "bold", "#6d6", ""),
    "selected": ("black", "light gray", "standout", "g7", "g74"),
    "open": ("white,bold", "", "bold", "#fff,bold", ""),
    "unread": ("yellow,bold", "", "bold", "#fd6,bold", ""),
    "online": ("light green", "", "", "#6d6", ""),
    "busy": ("yellow", "", "", "#fd6", ""),
    "offline": ("dark gray", "", "", "g54", ""),
    "status": ("white", "dark blue", "standout", "#fff", "#036"),
    "status bad": ("white,bold", "dark red", "standout,bold", "#fff,bold", "#800"),
    "status note": ("yellow,bold", "dark blue", "standout,bold", "#fd6,bold", "#036"),
    "hint": ("dark gray", "", "", "g54", ""),
    "hint key": ("light cyan", "", "bold", "#6cc", ""),
    "new": ("black", "yellow", "standout", "#000", "#fd6"),
    "prompt": ("light cyan,bold", "", "bold", "#6cf,bold", ""),
    "label": ("light gray", "", "", "g74", ""),
    "field": ("white", "dark gray", "underline", "#fff", "g23"),
    "name0": ("light red", "", "", "#f88", ""),
    "name1": ("light green", "", "", "#8d8", ""),
    "name2": ("yellow", "", "", "#dd6", ""),
    "name3": ("light blue", "", "", "#8af", ""),
    "name4": ("light magenta", "", "", "#d8f", ""),
    "name5": ("light cyan", "", "", "#6dd", ""),
    "name6": ("brown", "", "", "#fa6", ""),
    "name7": ("dark green", "", "", "#ad8", ""),
}

_LIGHT: Mapping[str, Style] = {
    **_DARK,
    "title": ("white,bold", "dark blue", "bold", "#fff,bold", "#26a"),
    "title focus": ("white,bold", "dark cyan", "standout,bold", "#fff,bold", "#068"),
    "dim": ("dark gray", "", "", "g42", ""),
    "hint": ("dark gray", "", "", "g42", ""),
    "offline": ("dark gray", "", "", "g42", ""),
    "system": ("dark cyan", "", "", "#066", ""),
    "error": ("dark red,bold", "", "bold", "#a00,bold", ""),
    "divider": ("dark red", "", "bold", "#a00", ""),
    "own": ("black,bold", "", "bold", "#000,bold", ""),
    "link": ("dark blue,underline", "", "underline", "#006,underline", ""),
    "read": ("dark green", "", "bold", "#060", ""),
    "selected": ("white", "dark gray", "standout", "#fff", "g38"),
    "open": ("black,bold", "", "bold", "#000,bold", ""),
    "unread": ("dark magenta,bold", "", "bold", "#806,bold", ""),
    "online": ("dark green", "", "", "#060", ""),
    "busy": ("brown", "", "", "#860", ""),
    "hint key": ("dark blue", "", "bold", "#006", ""),
    "prompt": ("dark blue,bold", "", "bold", "#006,bold", ""),
    "label": ("black", "", "", "g23", ""),
    "field": ("black", "light gray", "underline", "#000", "g89"),
    "name0": ("dark red", "", "", "#a00", ""),
    "name1": ("dark green", "", "", "#060", ""),
    "name2": ("brown", "", "", "#860", ""),
    "name3": ("dark blue", "", "", "#00a", ""),
    "name4": ("dark magenta", "", "", "#808", ""),
    "name5": ("dark cyan", "", "", "#066", ""),
    "name6": ("dark red", "", "", "#a40", ""),
    "name7": ("dark blue", "", "", "#406", ""),
}

_PLAIN = ("", "", "", "", "")
_STRONG = ("bold", "", "bold", "bold", "")
_INVERSE = ("standout", "", "standout", "standout", "")
_INVERSE_STRONG = ("standout,bold", "", "standout,bold", "standout,bold", "")

_MONO: Mapping[str, Style] = {
    **dict.fromkeys(_DARK, _PLAIN),
    **dict.fromkeys(("title", "own", "open", "unread", "divider", "error", "read"), _STRONG),
    **dict.fromkeys(("prompt", "hint key"), _STRONG),
    **dict.fromkeys(("selected", "status", "new", "mention"), _INVERSE),
    **dict.fromkeys(("title focus", "status bad", "status note"), _INVERSE_STRONG),
    "field": ("underline", "", "underline", "underline", ""),
    "link": ("underline", "", "underline", "underline", ""),
}

_CONTRAST: Mapping[str, Style] = {
    **_MONO,
    "error": ("light red,bold", "", "bold", "#f88,bold", ""),
    "divider": ("yellow,bold", "", "bold", "#ff0,bold", ""),
    "mention": ("black,bold", "yellow", "standout", "#000,bold", "#ff0"),
    "unread": ("yellow,bold", "", "bold", "#ff0,bold", ""),
    "status bad": ("white,bold", "dark red", "standout,bold", "#fff,bold", "#a00"),
    **{f"name{number}": _STRONG for number in range(NAME_COLOURS)},
}

ROLES: Final = tuple(_DARK)
"""Everything that has a colour."""


@dataclass(frozen=True)
class Glyphs:
    """Every sign that isn't a letter, each one column wide except the last ``delivered``."""

    rule: str = "─"
    bar: str = "│"
    sending: str = "◌"
    stored: str = "✓"
    delivered: str = "✓✓"
    read: str = "✓✓"
    failed: str = "✗"
    begun: str = "✎"
    online: str = "●"
    busy: str = "◐"
    offline: str = "○"
    unknown: str = " "
    system: str = "·"
    prompt: str = "›"
    answer: str = "┌"
    warn: str = "!"
    above: str = "↑"
    new: str = "↓"
    ellipsis: str = "…"
    mask: str = "•"


UNICODE: Final = Glyphs()
ASCII: Final = Glyphs(
    rule="-", bar="|", sending=".", stored="v", delivered="vv", read="VV", failed="X", begun="%",
    online="*", busy="~", offline="o", system="-", prompt=">", answer="/", warn="!", above="^",
    new="v", ellipsis="~", mask="*",
)  # fmt: skip


@dataclass(frozen=True)
class Theme:
    """Colours by role, and the glyphs that it has other than usual."""

    name: str
    styles: Mapping[str, Style]
    glyphs: Mapping[str, str] = field(default_factory=dict)

    def palette(self) -> list[Entry]:
        """The colours as urwid takes them."""
        return [(role, *style) for role, style in self.styles.items()]

    def glyphs_over(self, glyphs: Glyphs) -> Glyphs:
        """``glyphs`` with this theme's own; where there is only ASCII, that stays."""
        return glyphs if glyphs is ASCII else replace(UNICODE, **self.glyphs)


THEMES: Final[Mapping[str, Theme]] = {
    "dark": Theme("dark", _DARK),
    "light": Theme("light", _LIGHT),
    "contrast": Theme("contrast", _CONTRAST),
    "mono": Theme("mono", _MONO),
}
"""By the name that ``--theme`` and ``/theme`` take; ``mono`` is for NO_COLOR."""
