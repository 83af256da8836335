"""What was begun and not sent, in a file that only its owner can read."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from twisted.logger import Logger

from chat.client.paths import private_directory

__all__ = ["Drafts", "Run"]

Run = Callable[[Callable[[], None]], Any]
"""Calls a function, now or where a slow disk holds nobody up."""


class Drafts:
    """Texts by conversation.

    :param path: the file; None keeps nothing.
    """

    log = Logger()

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._saved: Mapping[str, str] = {}
        self._wanted: Mapping[str, str] = {}
        self._lock = Lock()

    def load(self) -> dict[str, str]:
        """What was saved last; nothing when the file is missing or broken."""
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
        """Replace what is saved, whole or not at all; does nothing when nothing changed.

        :param run: what does the writing. Whenever it does, the newest drafts are written.
        """
        if drafts != self._wanted:
            self._wanted = dict(drafts)
        if self._wanted != self._saved:
            run(self._write)

    def _write(self) -> None:
        with self._lock:
            if self._wanted is not self._saved:
                self._replace(self._wanted)

    def _replace(self, drafts: Mapping[str, str]) -> None:
        if self._path is None:
            return
        part = self._path.with_suffix(".part")
        try:
            private_directory(self._path.parent)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(dict(drafts), file, ensure_ascii=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._path)
        except OSError as error:
            self.log.error("the drafts could not be saved: {error}", error=error)
            return
        self._saved = drafts
