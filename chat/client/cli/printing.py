"""What the command line prints: lines for people, JSON for programs, no control characters."""

import json
import os
import re
import sys
import time
import unicodedata
from contextlib import suppress
from typing import Any, TextIO

import msgspec

from chat.client.language.cli_words import Phrases
from chat.client.language.happenings import happening
from chat.client.language.words import Words
from chat.client.text import acted, clean_line
from chat.messages import BUSY, OFFLINE, ONLINE, Entry, Sanction, User

__all__ = ["Printer", "print_no_more", "safe_json"]

REMEMBERED = 1_000
"""Messages of which it is known who said them, to say whom somebody answers."""

_STATUS = {ONLINE: "online", OFFLINE: "offline", BUSY: "busy"}
_NOT_ASCII = re.compile(r"[^ -~]")
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_json(value: Any) -> str:
    """JSON in one line, in which everything that a terminal could act on is escaped. Letters of all
    languages stay readable."""
    return _NOT_ASCII.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if unicodedata.category(character) not in _HARMFUL:
        return character
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def print_no_more() -> None:
    """Drop the output that has nowhere to go. Otherwise the interpreter would complain when it
    flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _moment(milliseconds: int) -> str:
    """The local time; dashes for none, and for one that no calendar has, since a server may say
    anything."""
    with suppress(OverflowError, OSError, ValueError):
        if milliseconds:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(milliseconds / 1000))
    return "-" * len("2026-01-01 00:00:00")


class Printer:
    """Prints to one stream, each line at once.

    :param as_json: for programs.
    """

    def __init__(self, stream: TextIO, as_json: bool, phrases: Phrases) -> None:
        self._stream = stream
        self._as_json = as_json
        self._phrases = phrases
        self._said_by: dict[tuple[str, int], str] = {}

    def value(self, value: dict[str, Any], text: str = "") -> None:
        """Print a value as JSON, or ``text`` for people, unless that is empty."""
        if self._as_json:
            self._line(safe_json(value))
        elif text:
            self._line(clean_line(text))

    def user(self, user: User) -> None:
        """Print a user and their status."""
        value = {
            "userId": user.user_id,
            "userName": user.user_name,
            "userStatus": user.user_status,
        }
        status = self._phrases(_STATUS.get(user.user_status, "online"))
        self.value(value, f"{user.user_id} {user.user_name} {status}")

    def sanction(self, held: Sanction) -> None:
        """Print who is banned, muted or invited."""
        ends = f" -> {_moment(held.until)}" if held.until else ""
        said = f"{held.action} {held.user_id} {held.user_name}{ends}"
        self.value(msgspec.to_builtins(held), said)

    def entry(self, entry: Entry, place: str) -> None:
        """An entry of a conversation. People are not shown kinds that say nothing to them.

        :param place: what people call the conversation.
        """
        if self._as_json:
            self._line(safe_json(msgspec.to_builtins(entry)))
            return
        said = self._said(entry)
        if said:
            self._line(f"{_moment(entry.time)} {clean_line(place)} {said}")

    def _said(self, entry: Entry) -> str:
        name = clean_line(entry.user_name)
        if entry.deleted:
            return self._phrases("deleted", seq=entry.seq)
        match entry.kind:
            case "":
                who = self._answering(entry, name)
                self._remember(entry, name)
                mark = self._phrases("edited") if entry.edited else ""
                return f"{who}: {clean_line(acted(entry.content))}{mark}"
            case "edit":
                text = clean_line(acted(entry.content))
                return self._phrases("edit", name=name, seq=entry.target, text=text) if text else ""
            case "redact":
                return self._phrases("deleted", seq=entry.target)
            case _:
                words = Words(self._phrases.language)
                return happening(entry, words, lambda _, name: clean_line(name), clean_line)

    def _remember(self, entry: Entry, name: str) -> None:
        if len(self._said_by) >= REMEMBERED:
            del self._said_by[next(iter(self._said_by))]
        self._said_by[entry.conversation, entry.seq] = name

    def _answering(self, entry: Entry, name: str) -> str:
        """Who says something, and whom that answers, if anybody."""
        if not entry.reply:
            return name
        whom = self._said_by.get((entry.conversation, entry.reply))
        key = "answers" if whom else "answers-unknown"
        return Words(self._phrases.language)(key, who=name, whom=whom)

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
