"""The rules for which messages make a sound or a notification, and when none do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["ACTIONS", "DEFAULT_RULES", "KINDS", "Came", "Quiet", "Rule", "actions_for", "in_span"]

KINDS: Final = ("mention", "private", "message")
"""What a message can be to its reader; the first that fits. ``message`` is every other one."""

ACTIONS: Final = ("bell", "desktop", "command")
"""A bell; a note by OSC 9, which many terminals show; the command of the settings."""


@dataclass(frozen=True)
class Came:
    """A message that has come; ``conversation`` and ``who`` as a reader knows them."""

    kind: str
    conversation: str
    who: str
    text: str


@dataclass(frozen=True)
class Rule:
    """What to ``do`` about a message; nothing, where that is empty.

    An empty part matches everything. ``conversations`` and ``people`` may have ``*`` and ``?``; of
    ``words`` one must be in the text. Case does not matter.
    """

    do: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def fits(self, came: Came) -> bool:
        """Whether this rule matches such a message."""
        text = came.text.casefold()
        return (
            (not self.kinds or came.kind in self.kinds)
            and _matches(self.conversations, came.conversation)
            and _matches(self.people, came.who)
            and (not self.words or any(word.casefold() in text for word in self.words))
        )


DEFAULT_RULES: Final = (Rule(("bell",), ("mention", "private")),)


def actions_for(rules: Sequence[Rule], came: Came) -> tuple[str, ...]:
    """What the first matching rule says; nothing when none matches."""
    return next((rule.do for rule in rules if rule.fits(came)), ())


def _matches(patterns: Sequence[str], name: str) -> bool:
    folded = name.casefold()
    return not patterns or any(fnmatchcase(folded, each.casefold()) for each in patterns)


class Quiet:
    """Do not disturb: for a time that was asked for, and every day in a span of time.

    :param span: as ``22:00-07:00``, in the reader's time; empty for none.
    """

    def __init__(self, span: str = "") -> None:
        self._span = span
        self._until: datetime | None = None
        self._for_good = False
        self._lifted = False

    def begin(self, now: datetime, minutes: int | None) -> None:
        """Be quiet for some minutes; None for until ``end``."""
        self._for_good = minutes is None
        self._until = now + timedelta(minutes=minutes or 0)

    def end(self) -> None:
        """End the quiet; the daily span begins again the next day."""
        self._for_good, self._until, self._lifted = False, None, True

    def holds(self, now: datetime) -> bool:
        """Whether nothing may be heard at this moment."""
        if self._for_good or (self._until is not None and now < self._until):
            return True
        within = bool(self._span) and in_span(self._span, now.time())
        self._lifted = self._lifted and within
        return within and not self._lifted


def in_span(span: str, moment: time) -> bool:
    """Whether ``moment`` is in a span such as ``22:00-07:00``, which includes midnight.

    :raises ValueError: it is not a span of time.
    """
    start, dash, end = span.partition("-")
    first, last = time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    if not dash or first == last:
        raise ValueError(span)
    if first < last:
        return first <= moment < last
    return moment >= first or moment < last
