"""Custom themes: a TOML file with the differences from a built-in theme."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import urwid

from chat.client.files.config import BadConfig, read_toml
from chat.client.text import width
from chat.client.tui.themes import ROLES, THEMES, Glyphs, Style, Theme

__all__ = ["find_theme", "theme_names"]

_PARTS: Final = ("fg", "bg", "mono", "fg-256", "bg-256")
"""A role's table, in the order that ``Style`` has."""

_COLOURS: Final = (16, 16, 1, 256, 256)

_WIDE: Final = ("delivered", "read")
"""Glyphs that may take two columns."""


def theme_names(directory: Path) -> list[str]:
    """The themes that there are: built in, and files in ``directory``."""
    own = sorted(each.stem for each in directory.glob("*.toml"))
    return [*THEMES, *(each for each in own if each not in THEMES)]


def find_theme(name: str, directory: Path) -> Theme:
    """The theme called ``name``.

    :param directory: where files of one's own are.
    :raises BadConfig: there is none, or its file is wrong.
    """
    if name in THEMES:
        return THEMES[name]
    path = directory / f"{name}.toml"
    written = read_toml(path)
    if written is None:
        names = tuple(theme_names(directory))
        raise BadConfig("config-no-theme", name=name, path=path, names=names)
    return _read(name, path, written)


def _read(name: str, path: Path, written: Mapping[str, Any]) -> Theme:
    base = written.get("base", "dark")
    if base not in THEMES:
        raise _bad(path, "base", base, "|".join(THEMES))
    roles, glyphs = written.get("roles", {}), written.get("glyphs", {})
    _check_names(path, "", written, ("base", "roles", "glyphs"))
    for part, table in (("roles", roles), ("glyphs", glyphs)):
        if not isinstance(table, dict):
            raise _bad(path, part, table, "what-table")
    _check_names(path, "roles.", roles, ROLES)
    _check_names(path, "glyphs.", glyphs, tuple(asdict(Glyphs())))
    styles = dict(THEMES[base].styles)
    for role, table in roles.items():
        styles[role] = _style(path, role, table, styles[role])
    for glyph, text in glyphs.items():
        _check_glyph(path, glyph, text)
    return Theme(name, styles, glyphs)


def _style(path: Path, role: str, table: object, base: Style) -> Style:
    if not isinstance(table, dict):
        raise _bad(path, f"roles.{role}", table, "what-table")
    _check_names(path, f"roles.{role}.", table, _PARTS)
    known = dict(zip(_PARTS, base, strict=True))
    # A colour that is given for 16 only holds for 256, too.
    for plain, many in (("fg", "fg-256"), ("bg", "bg-256")):
        if plain in table:
            known[many] = table[plain]
    known |= table
    for (part, colour), colours in zip(known.items(), _COLOURS, strict=True):
        _check_colour(path, f"roles.{role}.{part}", colour, colours)
    fg, bg, mono, fg_256, bg_256 = (known[part] for part in _PARTS)
    return fg, bg, mono, fg_256, bg_256


def _check_colour(path: Path, where: str, colour: object, colours: int) -> None:
    if not isinstance(colour, str):
        raise _bad(path, where, colour, "what-colour")
    try:
        if ".bg" in where:
            urwid.AttrSpec("", colour, colours)  # type: ignore[arg-type]  # one of the three
        else:
            urwid.AttrSpec(colour, "", colours)  # type: ignore[arg-type]  # one of the three
    except urwid.AttrSpecError:
        raise _bad(path, where, colour, "what-colour") from None


def _check_glyph(path: Path, glyph: str, text: object) -> None:
    most = 2 if glyph in _WIDE else 1
    if not (isinstance(text, str) and text.isprintable() and 0 < width(text) <= most):
        raise _bad(path, f"glyphs.{glyph}", text, "what-glyph")


def _check_names(
    path: Path, where: str, table: Mapping[str, object], known: tuple[str, ...]
) -> None:
    for name in table:
        if name not in known:
            raise BadConfig("config-unknown-in", name=f"{where}{name}", path=path)


def _bad(path: Path, name: str, value: object, what: str) -> BadConfig:
    return BadConfig("config-value", name=f"{path}: {name}", value=value, what=what)
