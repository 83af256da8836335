"""Loads the Lua scripts in the directory beside this module, one atomic step each."""

import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

__all__ = ["Script", "load", "load_all"]

NEEDS = "-- needs: "


@dataclass(frozen=True)
class Script:
    """A script and the name under which the store remembers it."""

    name: str
    text: str = field(repr=False)
    sha1: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Compute the SHA-1 in hexadecimal, as EVALSHA takes it."""
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha1", digest.encode())


def _scripts() -> Traversable:
    return resources.files("chat.store").joinpath("scripts")


def _read(name: str) -> str:
    return _scripts().joinpath(f"{name}.lua").read_text("utf-8")


def load_all() -> None:
    """Read every script now. A server goes on while a later version is installed in its place, and
    must not call one of that."""
    for each in _scripts().iterdir():
        load(each.name.removesuffix(".lua"))


@cache
def load(name: str) -> Script:
    """Read ``scripts/<name>.lua``, after the shared files that its first line ``needs``.

    :raises FileNotFoundError: there is none of that name.
    """
    text = _read(name)
    first = text.partition("\n")[0].strip()
    if first.startswith(NEEDS):
        shared = [_read(needed) for needed in first.removeprefix(NEEDS).split()]
        text = "\n".join([*shared, text])
    return Script(name, text)
