"""What the screen says, in English and in Chinese, with one key per sentence."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Final

__all__ = ["LANGUAGES", "Words", "choose_language"]

LANGUAGES: Final = ("en", "zh")


def choose_language(wanted: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """The language asked for, else that of the locale, else English.

    :param wanted: one of ``LANGUAGES``, or empty.
    """
    if wanted in LANGUAGES:
        return wanted
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(name, "")
        if value:
            # LANGUAGE is a list, as in gettext: the first language that exists counts.
            for each in value.split(":"):
                if each[:2].lower() in LANGUAGES:
                    return each[:2].lower()
            if name != "LANGUAGE":
                return "en"
    return "en"


class Words:
    """Sentences of one language: ``words("unread", count=3)``.

    :param language: one of ``LANGUAGES``.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        # Only the language in use is loaded: the other costs time before the first screen.
        self._table: Mapping[str, str] = import_module(f"chat.client.language.{language}").WORDS

    def __call__(self, key: str, **values: object) -> str:
        """The sentence ``key`` with ``values`` put in.

        :raises KeyError: there is no such sentence, or a value is missing.
        """
        text = self._table[key]
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in self._table
