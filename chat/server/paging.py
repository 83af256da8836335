"""Pages that fit a frame: as many entries as there is room for; the client asks for the rest."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from chat.codec import escaped_size

__all__ = ["RESERVE", "clamp", "content_room", "fit"]

RESERVE: Final = 2_048
"""Bytes of a frame that are left for everything but the list (protocol, Sending)."""

PUSH_OVERHEAD: Final = 512
"""Bytes of a push frame besides the user's name and the content, at most: ``reply`` is in it."""

NO_LIMIT: Final = 2**31

_Item = TypeVar("_Item")


def clamp(limit: int, most: int, usual: int = 0) -> int:
    """A page's size: as asked, but not above ``most``.

    :param limit: 0 or below when nothing was asked.
    :param usual: the size then, 0 for ``most``.
    """
    return min(limit, most) if limit > 0 else usual or most


def content_room(frame_limit: int) -> int:
    """Bytes that a message and its sender may take in a frame, escapes included.

    :param frame_limit: bytes, 0 for no limit.
    """
    return (frame_limit or NO_LIMIT) - RESERVE - PUSH_OVERHEAD


def fit(
    items: Sequence[_Item], frame_limit: int, *, keep_last: bool = False, used: int = 0
) -> tuple[tuple[_Item, ...], bool]:
    """Cut a list between two items so that its frame is not above the limit.

    :param frame_limit: bytes, 0 for no limit.
    :param keep_last: keep the last items instead of the first.
    :param used: bytes that something else in the same frame takes.
    :returns: the items kept, in their order, and whether some are not.
    """
    room = (frame_limit or NO_LIMIT) - RESERVE - used
    kept = 0
    for item in reversed(items) if keep_last else items:
        room -= size(item) + 1
        if room < 0:
            break
        kept += 1
    if kept == len(items):
        return tuple(items), False
    return tuple(items[len(items) - kept :] if keep_last else items[:kept]), True


def size(item: Any) -> int:
    """Bytes that something takes inside an envelope's data."""
    return escaped_size(bytes(item) if isinstance(item, msgspec.Raw) else msgspec.json.encode(item))
