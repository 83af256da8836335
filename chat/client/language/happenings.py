"""Entries that are no messages, as sentences: who joined, who was muted, how long, and why."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from chat.client.language.durations import UNITS, write_duration
from chat.client.language.words import Words

if TYPE_CHECKING:  # The first screen needs no messages yet.
    from chat.messages import Entry

__all__ = ["happening", "lasting", "span", "why"]


def happening(
    entry: "Entry", words: Words, name: Callable[[int, str], str], line: Callable[[str], str]
) -> str:
    """What ``entry`` says has happened; empty for a kind that is not known here.

    :param name: an id and a name as something that is safe to show.
    :param line: the same for a text.
    """
    key = f"entry-{entry.kind}"
    if entry.kind == "slow" and not entry.seconds:
        key = "entry-slow-off"
    if key not in words:
        return ""
    what, role = line(entry.content), f"role-{entry.content}"
    return words(
        key,
        who=name(entry.user_id, entry.user_name),
        what=what,
        target=name(entry.target, entry.target_name) if entry.target_name else "",
        time=lasting(words, entry.seconds),
        why=why(words, what),
        every=span(words, entry.seconds),
        role=words(role) if role in words else what,
    )


def span(words: Words, seconds: int) -> str:
    """How long something lasts, in the reader's units: ``1d12h``, ``1 天 12 小时``."""
    units = {ord(unit): words(f"unit-{unit}") for unit in UNITS}
    return write_duration(seconds).translate(units).strip()


def lasting(words: Words, seconds: int) -> str:
    """`` for 10m``; nothing where there is no end."""
    return words("for-a-time", time=span(words, seconds)) if seconds > 0 else ""


def why(words: Words, reason: str) -> str:
    """`` (too loud)``; nothing where nobody said why.

    :param reason: safe to show.
    """
    return words("why", reason=reason) if reason else ""
