"""What the cache keeps of an entry, and what its rows say: the newest text of each, or none."""

from collections.abc import Iterable, Iterator

import msgspec

from chat.client.conversation import corrected
from chat.messages import Entry

__all__ = [
    "UNREADABLE",
    "as_kept",
    "as_read",
    "emptied",
    "is_searched",
    "is_stale",
    "newer",
    "readable",
]

UNREADABLE = (msgspec.DecodeError, ValueError, TypeError)
"""What reading a row raises where one of its bytes is not what was written, or is newer."""


def as_read(body: bytes) -> Entry | None:
    """What a row says, None where it is damaged: then it is as if it were not here."""
    try:
        return msgspec.json.decode(body, type=Entry)
    except UNREADABLE:
        return None


def readable(bodies: Iterable[bytes]) -> Iterator[Entry]:
    """What rows say, without those that are damaged."""
    return (entry for body in bodies if (entry := as_read(body)) is not None)


def as_kept(entry: Entry, edit: Entry | None) -> Entry:
    """An entry as it is kept: a message with the text that ``edit`` gave it, if that is newer; an
    edit without one, for the message has it."""
    if entry.kind == "edit":
        return msgspec.structs.replace(entry, content="")
    return corrected(entry, edit)


def emptied(entry: Entry) -> Entry:
    """What is left of an entry that was taken back."""
    return Entry(entry.seq, time=entry.time, deleted=True, conversation=entry.conversation)


def newer(edit: Entry, other: Entry | None) -> Entry:
    """Which of two edits of a message counts."""
    return edit if other is None or other.seq < edit.seq else other


def is_stale(entry: Entry, edit: Entry | None) -> bool:
    """Whether a message, as it comes, is older than an edit of it whose text is not known here."""
    is_message = not (entry.kind or entry.deleted)
    return is_message and edit is not None and edit.seq > entry.edited and not edit.content


def is_searched(entry: Entry) -> bool:
    """Whether it can be found by its words."""
    return bool(entry.content) and not (entry.kind or entry.deleted)
