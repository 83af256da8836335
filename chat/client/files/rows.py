"""What the cache keeps of an entry, and what its rows say."""

from collections.abc import Iterable, Iterator

import msgspec

from chat.client.conversation import corrected
from chat.messages import Entry

__all__ = [
    "UNREADABLE",
    "as_kept",
    "as_read",
    "is_searched",
    "is_stale",
    "newer",
    "readable",
]

UNREADABLE = (msgspec.DecodeError, ValueError, TypeError)
"""What reading a row raises if one of its bytes was changed, or is of a newer version."""


def as_read(body: bytes) -> Entry | None:
    """The entry in a row, None where the row is damaged: then it is as if it were not here."""
    try:
        return msgspec.json.decode(body, type=Entry)
    except UNREADABLE:
        return None


def readable(bodies: Iterable[bytes]) -> Iterator[Entry]:
    """The entries in rows, without those that are damaged."""
    return (entry for body in bodies if (entry := as_read(body)) is not None)


def as_kept(entry: Entry, edit: Entry | None) -> Entry:
    """An entry as it is kept.

    A message has the text of ``edit``, if that is newer. An edit is kept without a text, since the
    message has it.
    """
    if entry.kind == "edit":
        return msgspec.structs.replace(entry, content="")
    return corrected(entry, edit)


def newer(edit: Entry, other: Entry | None) -> Entry:
    """The newer one of two edits of a message."""
    return edit if other is None or other.seq < edit.seq else other


def is_stale(entry: Entry, edit: Entry | None) -> bool:
    """Whether a message is older than an edit of it whose text is not known here."""
    is_message = not (entry.kind or entry.deleted)
    return is_message and edit is not None and edit.seq > entry.edited and not edit.content


def is_searched(entry: Entry) -> bool:
    """Whether an entry can be found by its words."""
    return bool(entry.content) and not (entry.kind or entry.deleted)
