"""What was open, put away, hushed, answered and left unsent, in a file for its owner alone."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

from twisted.logger import Logger

from chat.client.conversation import Conversation
from chat.client.model import Model
from chat.client.private import write_private

__all__ = ["ANSWERING", "AWAY", "HUSHED", "NAMES", "OPEN", "Drafts", "Run"]

OPEN: Final = "open"
"""Beside the texts: the conversation that was open. No conversation is called so."""

AWAY: Final = "away"
"""Beside them, too: which are put away since which entry, ``@5:12 @7:3``."""

HUSHED: Final = "hushed"
"""And which rooms are."""

ANSWERING: Final = "answering"
"""And which messages are being answered: the number of one in each conversation, as above."""

NAMES: Final = frozenset({OPEN, AWAY, HUSHED, ANSWERING})
"""Where no texts are, but names of conversations."""

Run = Callable[[Callable[[], None]], Any]
"""Calls a function, now or where a slow disk holds nobody up."""


class Drafts:
    """What was left unsent, by conversation; and what was open, put away or hushed.

    :param path: the file; None to keep nothing.
    :param stay: whether to begin in the conversation that was open last, and not in the lobby.
    """

    log = Logger()

    def __init__(self, path: Path | None, stay: bool = True) -> None:
        self._path = path
        self._stay = stay
        self._begun: dict[str, str] = {}
        self._away: dict[str, int] = {}
        self._hushed: set[str] = set()
        self._answering: dict[str, int] = {}
        self._answers: dict[str, int] = {}
        self._saved: Mapping[str, str] = {}
        self._wanted: Mapping[str, str] = {}
        self._lock = Lock()

    @property
    def open(self) -> str:
        """The conversation that was open when this was saved last."""
        return self._wanted.get(OPEN, "")

    def answering(self, name: str) -> int:
        """The number of the message that the saved draft of a conversation answers, 0 for none."""
        return self._answers.get(name, 0)

    def resume(self, model: Model) -> None:
        """Open what was open last, with its draft, if the user is still in it."""
        self._begun = dict(self.load())
        self._away = dict(_numbered(self._begun.pop(AWAY, "")))
        self._hushed = set(self._begun.pop(HUSHED, "").split())
        self._answering = dict(_numbered(self._begun.pop(ANSWERING, "")))
        self._answers = dict(self._answering)
        # A login names only the newest conversations; the others follow.
        model.appeared = self._recall
        for each in model.conversations.values():
            self._recall(each)
            self.resume_in(each)
        here = self._begun.get(OPEN)
        if self._stay and here in model.conversations:
            model.show(here)

    def _recall(self, conversation: Conversation) -> None:
        """Put away and hush what was so before."""
        name = conversation.name
        conversation.away = self._away.pop(name, None)
        conversation.hushed = name in self._hushed
        self._hushed.discard(name)

    def resume_in(self, conversation: Conversation) -> None:
        """Give a conversation its draft. It may be one that was not known before."""
        conversation.draft = conversation.draft or self._begun.pop(conversation.name, "")
        if self._stay:
            begun = self._answering.pop(conversation.name, 0)
            conversation.answering = conversation.answering or begun

    def keep(self, model: Model, run: Run) -> None:
        """Save what is open and what was begun.

        :param run: as for ``save``.
        """
        conversations = model.conversations.values()
        texts = {each.name: each.begun for each in conversations if each.begun}
        here = {OPEN: model.open} if self._stay and model.open else {}
        known = (each for each in conversations if each.away is not None)
        away = {**self._away, **{each.name: each.away or 0 for each in known if each.hidden}}
        now = {each.name: each.answering for each in conversations if each.answering}
        self._answers = self._answering | now
        quiet = {each.name for each in conversations if each.hushed} | self._hushed
        hushed = {HUSHED: " ".join(sorted(quiet))} if quiet else {}
        numbers = {AWAY: away, ANSWERING: self._answers}
        listed = {key: _listed(found) for key, found in numbers.items() if found}
        self.save({**self._begun, **texts, **here, **hushed, **listed}, run)

    def load(self) -> dict[str, str]:
        """What was saved last; empty when the file is missing or damaged."""
        if self._path is None:
            return {}
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        self._saved = self._wanted = {str(name): str(text) for name, text in found.items()}
        return dict(self._saved)

    def save(self, drafts: Mapping[str, str], run: Run = lambda work: work()) -> None:
        """Replace the file, as a whole or not at all, if anything has changed.

        :param run: runs the function that writes, now or later; it writes what is newest by then.
        """
        if drafts != self._wanted:
            self._wanted = dict(drafts)
        if self._wanted != self._saved:
            run(self._write)

    def _write(self) -> None:
        with self._lock:
            drafts = self._wanted
            if self._path is None or drafts is self._saved:
                return
            try:
                write_private(self._path, json.dumps(dict(drafts)).encode())
            except OSError as error:
                self.log.error("the drafts could not be saved: {error}", error=error)
                return
            self._saved = drafts


def _listed(numbers: Mapping[str, int]) -> str:
    """Conversations with the number of a message in each: ``@5:12 @7:3``."""
    return " ".join(f"{name}:{seq}" for name, seq in numbers.items())


def _numbered(written: str) -> Iterator[tuple[str, int]]:
    for each in written.split():
        name, _, seq = each.rpartition(":")
        if seq.isascii() and seq.isdecimal():
            yield name, int(seq[:16])
