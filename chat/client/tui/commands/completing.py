"""What ``Tab`` completes: a command and its arguments, a name, a room, an emoji."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from chat.client.language.emoji import emoji_for
from chat.client.language.words import LANGUAGES
from chat.client.model import Model
from chat.client.tui.commands.table import SLASHES, Kind, completions, parse
from chat.client.tui.look import Look
from chat.client.tui.themes import THEMES

__all__ = ["candidates", "is_offered"]

MOST = 50
"""Names and emoji that one goes through at most."""

_NARROW: Final = str.maketrans("\uff20\uff03\uff1a", "@#:")
"""What input methods for Chinese make of the signs of people, rooms and emoji."""

_OF_PEOPLE = frozenset(
    {"arg-msg", "arg-who", "arg-delete", "arg-kick", "arg-ban", "arg-role", "arg-block",
     "arg-report", "arg-reply"}
)  # fmt: skip
_OF_ROOMS = frozenset({"arg-join", "arg-room", "arg-topic", "arg-who-in"})
_OF_FEW = {"arg-theme": tuple(THEMES), "arg-language": tuple(LANGUAGES), "arg-dnd": ("off",)}
"""What commands take first, by its key in the catalogue. Only ``/go`` takes a room or a person."""


def is_offered(before: str, word: str) -> bool:
    """Whether ``word`` begins like something that can be completed, so that this should be
    offered."""
    # Not after a wide colon, which many Chinese sentences have.
    return word[:1] in tuple("@#:\uff20\uff03" if before else f"@#:\uff20\uff03{SLASHES}")


def candidates(model: Model, look: Look, before: str, word: str) -> Iterable[str]:
    """What ``word`` may become when ``before`` is before it, each with the text that follows it."""
    if not before and word[:1] in tuple(SLASHES):
        return completions(word)
    word = word[:1].translate(_NARROW) + word[1:]
    parsed = parse(before)
    if parsed.kind is Kind.COMMAND and not parsed.text and parsed.command is not None:
        return _taken(model, look, parsed.command.arguments, word)
    if word.startswith(":"):
        return islice(emoji_for(word[1:].rstrip(":")), MOST)
    if word.startswith("#"):
        return _rooms(model, word)
    end = " " if before else ": "
    return (f"@{name}{end}" for name in _names(model, look, word.removeprefix("@"))) if word else ()


def _taken(model: Model, look: Look, argument: str, word: str) -> Iterator[str]:
    """What a command takes as an argument; names need no sign before them there."""
    if argument == "arg-command":
        yield from (each[1:] for each in completions(f"/{word.removeprefix('/')}"))
    yield from (f"{each} " for each in _OF_FEW.get(argument, ()) if each.startswith(word))
    if argument in _OF_ROOMS or argument == "arg-go":
        yield from _rooms(model, word)
    if argument == "arg-go":
        titles = (look.line(model.title(each)) for each in model.privates())
        yield from (f"{each} " for each in titles if each.casefold().startswith(word.casefold()))
    if argument in _OF_PEOPLE:
        sign = word[:1] if word.startswith("@") else ""
        yield from (f"{sign}{name} " for name in _names(model, look, word.removeprefix("@")))


def _rooms(model: Model, word: str) -> Iterator[str]:
    typed = word.casefold().removeprefix("#")
    return (f"{each.name} " for each in model.rooms() if each.name[1:].startswith(typed))


def _names(model: Model, look: Look, typed: str) -> Iterator[str]:
    typed = typed.casefold()
    found = (name for name in model.speakers() if name.casefold().startswith(typed))
    return (look.line(name) for name in islice(found, MOST))
