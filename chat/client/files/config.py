"""The settings file: every setting in one table; an error in it is one sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import time
from pathlib import Path
from typing import Any, Final

from chat.client.notify import ACTIONS, DEFAULT_RULES, KINDS, Rule, in_span

__all__ = ["BadConfig", "Settings", "read_settings", "read_toml", "rule_parts", "setting_names"]


class BadConfig(Exception):
    """A setting is wrong.

    :ivar key: the sentence of ``cli_words`` that says how, with ``values`` put in.
    :ivar more: other mistakes in the same file.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values
        self.more: Sequence[BadConfig] = ()


class _Wrong(ValueError):
    """A value is wrong; the text is the key of what it should be."""


Read = Callable[[object], Any]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong("what-text")
    return value


def _yes_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("what-yes-no")
    return value


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts; a lone one is a list of one."""
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in found):
        raise _Wrong("what-texts")
    return tuple(found)


def _command(value: object) -> tuple[str, ...]:
    """A program and its arguments; a lone text is taken apart as a shell would."""
    import shlex  # most people have no command, and the first screen should not wait for it

    try:
        return tuple(shlex.split(value)) if isinstance(value, str) else _texts(value)
    except ValueError:  # quotes that do not end
        raise _Wrong("what-texts") from None


def _span(value: object) -> str:
    text = _text(value)
    try:
        if text:
            in_span(text, time())
    except ValueError:
        raise _Wrong("what-span") from None
    return text


def _one_of(*choices: str) -> Read:
    def read(value: object) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if text not in choices:
            raise _Wrong("|".join(each for each in choices if each))
        return str(text)

    return read


def _some_of(*choices: str) -> Read:
    def read(value: object) -> tuple[str, ...]:
        found = _texts(value)
        if not set(found) <= set(choices):
            raise _Wrong("|".join(choices))
        return found

    return read


_RULE: Final[Mapping[str, tuple[str, Read]]] = {
    "do": ("do", _some_of(*ACTIONS)),
    "when": ("kinds", _some_of(*KINDS)),
    "in": ("conversations", _texts),
    "from": ("people", _texts),
    "words": ("words", _texts),
}
"""The members of a ``[[notify]]`` table: the part of a ``Rule``, and how it is read."""


def rule_parts() -> Sequence[str]:
    """What a ``[[notify]]`` table may have."""
    return tuple(_RULE)


def _rules(value: object) -> tuple[Rule, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _Wrong("what-rules")
    return tuple(_rule(each, number) for number, each in enumerate(value, 1))


def _rule(table: Mapping[str, object], number: int) -> Rule:
    parts: dict[str, Any] = {"do": ()}
    for name, written in table.items():
        if name not in _RULE:
            raise BadConfig("config-unknown", name=f"notify {number}: {name}", **_near(name, _RULE))
        part, read = _RULE[name]
        try:
            parts[part] = read(written)
        except _Wrong as wrong:
            raise _bad(f"notify {number}: {name}", written, wrong) from None
    return Rule(**parts)


def _setting(default: Any, read: Read) -> Any:
    return field(default=default, metadata={"read": read})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings in the file, where ``_`` is written ``-``. In ``cli_words``, ``set-<name>`` says
    what each means. The command line wins over all of them."""

    server: str = _setting("", _text)
    user: str = _setting("", _text)
    language: str = _setting("", _one_of("", "en", "zh"))
    theme: str = _setting("", _text)
    colours: str = _setting("auto", _one_of("auto", "none", "16", "256", "true"))
    emoji: str = _setting("auto", _one_of("auto", "text", "full"))
    ascii: bool = _setting(False, _yes_no)
    mouse: bool = _setting(False, _yes_no)
    plain: bool = _setting(False, _yes_no)
    links: bool = _setting(True, _yes_no)
    cache: bool = _setting(True, _yes_no)
    quiet: str = _setting("", _span)
    command: tuple[str, ...] = _setting((), _command)
    notify: tuple[Rule, ...] = _setting(DEFAULT_RULES, _rules)


_READ: Final[Mapping[str, tuple[str, Read]]] = {
    each.name.replace("_", "-"): (each.name, each.metadata["read"]) for each in fields(Settings)
}


def setting_names() -> Sequence[str]:
    """Every setting as it is written in the file, in the order of the documentation."""
    return tuple(_READ)


def read_settings(path: Path, profile: str, asked: bool = False) -> Settings:
    """What the file says for ``profile``: its table ``[profile.<name>]`` wins over the rest.

    :param asked: somebody named this file, so it must be there.
    :raises BadConfig: it cannot be read, or a setting is wrong, in whichever profile.
    """
    written = read_toml(path)
    if written is None:
        if asked:
            raise BadConfig("config-missing", path=path)
        return Settings()
    profiles = written.pop("profile", {})
    if not isinstance(profiles, dict):
        raise _bad("profile", profiles, _Wrong("what-profiles"))
    wrong: list[BadConfig] = []
    common = _read_table(written, "", wrong)
    special = {name: _profile(name, table, wrong) for name, table in profiles.items()}
    if wrong:
        wrong[0].more = wrong[1:]
        raise wrong[0]
    return Settings(**{**common, **special.get(profile, {})})


def read_toml(path: Path) -> dict[str, Any] | None:
    """The contents of a TOML file; None when there is no such file.

    :raises BadConfig: it can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadConfig("config-unreadable", path=path, reason=error.strerror) from None
    except UnicodeDecodeError as error:
        raise BadConfig("config-no-toml", path=path, reason=error) from None
    # Imported only now: most people have no file, and the first screen should not wait for it.
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig("config-no-toml", path=path, reason=error) from None


def _profile(name: str, table: object, wrong: list[BadConfig]) -> dict[str, Any]:
    if isinstance(table, dict):
        return _read_table(table, f"profile.{name}: ", wrong)
    wrong.append(_bad(f"profile.{name}", table, _Wrong("what-profiles")))
    return {}


def _read_table(table: Mapping[str, object], where: str, wrong: list[BadConfig]) -> dict[str, Any]:
    """What a table says, as far as it is right; ``wrong`` gets the rest."""
    found = {}
    for name, written in table.items():
        if name not in _READ:
            unknown = BadConfig("config-unknown", name=f"{where}{name}", **_near(name, _READ))
            wrong.append(unknown)
            continue
        attribute, read = _READ[name]
        try:
            found[attribute] = read(written)
        except _Wrong as what:
            wrong.append(_bad(f"{where}{name}", written, what))
        except BadConfig as inside:
            wrong.append(inside)
    return found


def _bad(name: str, value: object, wrong: _Wrong) -> BadConfig:
    return BadConfig("config-value", name=name, value=value, what=str(wrong))


def _near(name: str, known: Mapping[str, object]) -> Mapping[str, str]:
    """What was probably meant, for the end of a sentence."""
    from difflib import get_close_matches  # only where somebody has made a mistake

    close = get_close_matches(name.replace("_", "-").casefold(), known, n=1)
    return {"meant": close[0] if close else ""}
