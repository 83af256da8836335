"""Reading what was said, searching it, and saying how far one has read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chat import messages
from chat.server.delivery.registry import Cursor
from chat.server.paging import clamp, content_room, fit
from chat.server.requests import searching
from chat.server.requests.refusals import malformed
from chat.server.requests.searching import MOST_SCANNED, Place
from chat.server.requests.talking import find_cid, known_cid
from chat.store.entries import LoggedEntry, Page
from chat.store.errors import NotAllowed, Unknown
from chat.store.keys import cid_name

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["acknowledge", "acknowledge_at_once", "history", "search"]

HISTORY_LIMIT: Final = 200
"""Entries in a page of history or of a search, at most."""

USUAL_PAGE: Final = 50
"""Entries in a page, of a client that does not say how many (protocol, Requests and replies)."""

SEARCH_TEXT_LIMIT: Final = 200  # characters
SEARCHED_CONVERSATIONS: Final = 100

READ_AT_ONCE: Final = 500
"""Entries for which a search counts as one more request: 5,000 take 25 ms of CPU time."""

MOST_CHARGED: Final = 9
"""Further requests for which a search counts at most."""


async def history(session: "Session", message: messages.HistoryMes) -> messages.HistoryResMes:
    """A page of a conversation, cut to what a frame takes."""
    cid = await find_cid(session, message.conversation)
    if message.before < 0 or (message.after or 0) < 0:
        raise malformed("before, after: not below 0")
    page = await session.context.conversations.history(
        session.user_id,
        cid,
        after=message.after,
        before=message.before,
        limit=clamp(message.limit, HISTORY_LIMIT, USUAL_PAGE),
        epoch=message.epoch,
        # Surely more than fits: what the log keeps of an entry is not twice its JSON.
        most_bytes=2 * session.context.settings.frame_limit,
    )
    if cid.startswith("p:") and message.after is None and not message.before:
        await _tell_receipt(session, cid, page)
    kept, cut = _fitting(
        _raw(session, page.entries), session.context.settings.frame_limit, message.after is None
    )
    return messages.HistoryResMes(
        conversation=cid_name(cid, session.user_id),
        epoch=page.epoch,
        epoch_first=page.epoch_first,
        first=page.first,
        messages=kept,
        more=page.more or cut,
    )


async def _tell_receipt(session: "Session", cid: str, page: Page) -> None:
    """Tell how far the partner is: the client that asks for the newest messages shows that, and may
    have been away when it was told."""
    name = cid_name(cid, session.user_id)
    partner = int(name[1:])
    if partner != session.user_id and page.entries:
        marks = await session.context.conversations.marks_of(partner, cid, page)
        if any(marks):
            session.emit(messages.ReceiptMes(name, partner, page.epoch, *marks))


def _fitting(
    entries: list[Any], frame_limit: int, keep_last: bool = False
) -> tuple[tuple[Any, ...], bool]:
    """As many entries as ``fit`` finds room for, but at least one, whose content may be cut.

    One that is larger than a frame was written when frames were larger; nobody could page past it.

    :returns: the entries, and whether there are more.
    """
    kept, cut = fit(entries, frame_limit, keep_last=keep_last)
    if kept or not entries:
        return kept, cut
    entry = msgspec.json.decode(entries[-1 if keep_last else 0])
    # No character takes more than 12 bytes: a control character, escaped twice.
    content = entry["content"][: content_room(frame_limit) // 12]
    return ({**entry, "content": content, "cut": True},), len(entries) > 1


def _raw(session: "Session", entries: Sequence[LoggedEntry]) -> list[Any]:
    return [msgspec.Raw(entry.for_user(session.user_id)) for entry in entries]


async def search(session: "Session", message: messages.SearchMes) -> messages.SearchResMes:
    """Messages that contain a text, newest first."""
    text = message.text.strip()
    if not text or len(text) > SEARCH_TEXT_LIMIT:
        raise malformed("text: 1 to 200 characters")
    listed = not message.conversation
    if not listed:
        cids = [await find_cid(session, message.conversation)]
    else:
        cids, _ = await session.context.conversations.ids(
            session.user_id, "", SEARCHED_CONVERSATIONS
        )
    limit = clamp(message.limit, HISTORY_LIMIT, USUAL_PAGE)
    start = Place(message.before, max(0, min(message.skip or 0, MOST_SCANNED)))
    found = await searching.search(
        session.context.conversations, session.user_id, cids, listed, text, start, limit
    )
    session.rates.charge(min(MOST_CHARGED, found.read // READ_AT_ONCE))
    found_raw: list[Any] = [msgspec.Raw(entry) for entry in found.entries]
    kept, cut = _fitting(found_raw, session.context.settings.frame_limit)
    rest = found.places[len(kept)] if cut else found.rest
    if rest is None:
        return messages.SearchResMes(messages=kept)
    if rest.skip > MOST_SCANNED or (message.skip is None and rest.before == message.before):
        # A client that does not know ``skip`` would get this page again and again.
        rest = Place(rest.before - 1, 0)
    return messages.SearchResMes(messages=kept, more=True, before=rest.before, skip=rest.skip)


# Marks -----------------------------------------------------------------------------------------


def acknowledge_at_once(session: "Session", message: messages.AckMes) -> bool:
    """Move the user's marks if that takes no asking.

    :returns: whether it was done.
    """
    cid = known_cid(session, message.conversation)
    cursor = session.context.registry.cursor_of(session, cid) if cid else None
    if cid is None or cursor is None or cursor.position is None:
        return False
    _move_marks(session, cid, cursor, message)
    return True


async def acknowledge(session: "Session", message: messages.AckMes) -> None:
    """Move the user's marks."""
    cid = await find_cid(session, message.conversation)
    try:
        cursor = await _known_cursor(session, cid)
    except (NotAllowed, Unknown):
        if cid.startswith("p:"):
            raise
        return  # Most likely the user has just left, and acknowledges the entry that says so.
    _move_marks(session, cid, cursor, message)


async def _known_cursor(session: "Session", cid: str) -> Cursor:
    """How far a conversation is that the session hears, read from the store if need be.

    :raises Unknown: there is no such conversation.
    :raises NotAllowed: the session does not hear it.
    :raises StoreError: the store is away.
    """
    cursor = session.context.registry.cursor_of(session, cid)
    if cursor is not None and cursor.position is not None:
        return cursor
    (position,) = await session.context.conversations.positions(session.user_id, [cid])
    if position is None or (cursor is None and position.private):
        raise Unknown(cid)
    if cursor is None:
        raise NotAllowed(cid)
    # Not the registry's own cursor: with a position, that one would take what is on its way, or was
    # missed, for delivered.
    apart = Cursor()
    apart.starts_at(position)
    return apart


def _move_marks(session: "Session", cid: str, cursor: Cursor, message: messages.AckMes) -> None:
    delivered, read = message.delivered or 0, message.read or 0
    if message.epoch and message.epoch != cursor.epoch:
        delivered = min(delivered, cursor.epoch_first - 1)
        read = min(read, cursor.epoch_first - 1)
    session.context.marks.move(
        session.user_id, cid, cursor, delivered=delivered, read=read, session=session.key
    )
