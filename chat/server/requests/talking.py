"""Saying something, reading what was said, and how far one has read."""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chat import messages, names
from chat.codec import escaped_size
from chat.names import BadName
from chat.server import hearing
from chat.server.delivery.registry import Cursor
from chat.server.paging import clamp, content_room, fit
from chat.server.requests import searching
from chat.server.requests.refusals import Refused, malformed
from chat.server.requests.searching import MOST_SCANNED, Place
from chat.store.entries import LoggedEntry, Page
from chat.store.errors import NotAllowed, Unknown
from chat.store.keys import LOBBY_CID, cid_name, private_cid, room_cid
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = [
    "Sms",
    "acknowledge",
    "acknowledge_at_once",
    "check_lobby",
    "find_cid",
    "history",
    "post",
    "post_at_once",
    "search",
]

Sms = messages.SmsMes | messages.OriginalSmsMes

MOST_CONTACTS: Final = 100_000
HISTORY_LIMIT: Final = 200
USUAL_PAGE: Final = 50
"""Entries in a page, of a client that does not say how many (protocol, Requests and replies)."""
SEARCH_TEXT_LIMIT: Final = 200
SEARCHED_CONVERSATIONS: Final = 100
READ_AT_ONCE: Final = 500
"""Entries for which a search counts as one more request: 5,000 take 25 ms of CPU time."""
MOST_CHARGED: Final = 9


# Posting ---------------------------------------------------------------------------------------


def post_at_once(session: "Session", message: Sms, request_id: str | None, over_rate: bool) -> bool:
    """Post a message if its conversation is known without asking the store.

    :param over_rate: it is only answered if it was accepted before.
    :returns: whether it was posted.
    :raises Refused: the content or the ``clientId`` breaks a rule.
    :raises BadName: likewise.
    """
    if isinstance(message, messages.OriginalSmsMes):
        cid, client_id, reply = LOBBY_CID, "", 0
        check_lobby(session, cid)
    else:
        known = _known_cid(session, message.to)
        if known is None:
            return False
        cid, client_id, reply = known, message.client_id, message.reply
    session.context.posting.post(
        _written(session, cid, message.content, client_id, request_id, over_rate, reply)
    )
    return True


async def post(session: "Session", message: Sms, request_id: str | None, over_rate: bool) -> None:
    """Post a message after finding out where to; the answer comes with its publication."""
    assert isinstance(message, messages.SmsMes)
    _check_content(session, message.content)
    cid = await find_cid(session, message.to)
    sent = _written(
        session, cid, message.content, message.client_id, request_id, over_rate, message.reply
    )
    if cid.startswith("r:"):
        await _hear(session, cid)
    elif cid not in session.context.contacts and not await _make_contact(session, cid, over_rate):
        # If a block ended now, it would be accepted into a conversation on nobody's list.
        sent.refusal = sent.refusal or 403
    session.context.posting.post(sent)


def _written(
    session: "Session",
    cid: str,
    content: str,
    client_id: str,
    request_id: str | None,
    over_rate: bool,
    reply: int,
) -> Post:
    """The post for a message. Nobody checks whether the entry that it answers exists.

    :raises Refused: it breaks a rule.
    :raises BadName: likewise.
    """
    _check_content(session, content)
    if client_id:
        names.check_client_id(client_id)
    refusal = 429 if over_rate else 0
    if cid == LOBBY_CID and session.context.settings.lobby == "read-only":
        refusal = 403
    sent = Post(session, cid, session.author, content, client_id, request_id, refusal, reply)
    most = content_room(session.context.settings.frame_limit)
    # At worst each byte is escaped: what is short need not be counted. An answer may be as long.
    if len(sent.middle) * 2 > most and escaped_size(session.author.says(content)) > most:
        raise Refused(413, "content-too-large")
    return sent


def _check_content(session: "Session", content: str) -> None:
    limit = session.context.settings.content_limit
    if not content:
        raise Refused(400, "content-empty")
    if "\0" in content:
        raise Refused(400, "content-nul")
    if limit and len(content) * 4 > limit and len(content.encode()) > limit:
        raise Refused(413, "content-too-long")


def _known_cid(session: "Session", to: str) -> str | None:
    """The conversation, when it is a room the session hears or a private one known to exist."""
    if to.startswith("#"):
        cid = "r:" + to[1:]
        return cid if cid in session.rooms else None
    private = _private_cid(session.user_id, to)
    return private if private in session.context.contacts else None


@lru_cache(maxsize=MOST_CONTACTS)
def _private_cid(user_id: int, to: str) -> str:
    """The id of ``@<userId>`` for a user; empty when it is not written like that."""
    who = names.private_with(to)
    return private_cid(user_id, who) if isinstance(who, int) else ""


async def find_cid(session: "Session", conversation: str) -> str:
    """The id of the conversation that a client names.

    :raises Unknown: it is no name of a conversation, or of nobody.
    :raises Refused: it is the lobby, which is closed.
    """
    if names.is_room(conversation):
        try:
            cid = room_cid(names.room_name(conversation, 0))
        except BadName:
            raise Unknown(conversation) from None
        check_lobby(session, cid)
        return cid
    who = names.private_with(conversation)
    if who is None:
        raise Unknown(conversation)
    if isinstance(who, str):
        who = (await session.context.accounts.find(who)).user_id
    return private_cid(session.user_id, who)


def check_lobby(session: "Session", cid: str) -> None:
    """:raises Refused: ``cid`` is the lobby, and this server has closed it."""
    if cid == LOBBY_CID and session.context.settings.lobby == "closed":
        raise Refused(403, "lobby-closed")


async def _hear(session: "Session", cid: str) -> None:
    """Let the session hear a room that its user has just joined on another device, because the
    answer to a message comes with the room's publications. A user who is not in the room is refused
    by the store."""
    if cid in session.rooms:
        return
    (position,) = await session.context.conversations.positions(session.user_id, [cid])
    if position is not None and position.role:
        with suppress(NotAllowed, Unknown):
            await hearing.tell_room(session, cid)


async def _make_contact(session: "Session", cid: str, over_rate: bool) -> bool:
    """Put a private conversation on both users' lists, unless what is said in it is refused.

    :returns: whether it is there now.
    :raises Unknown: the partner does not exist.
    """
    partner = int(cid_name(cid, session.user_id)[1:])
    await session.context.accounts.find(partner)
    if over_rate or await session.context.moderation.is_blocked(cid):
        return False  # What is refused does not put the conversation on anybody's list.
    await session.context.conversations.contact(session.user_id, partner)
    contacts = session.context.contacts
    if len(contacts) >= MOST_CONTACTS:
        contacts.pop(next(iter(contacts)))
    contacts[cid] = None
    return True


# Reading ---------------------------------------------------------------------------------------


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
    cid = _known_cid(session, message.conversation)
    cursor = hearing.cursor_of(session, cid) if cid else None
    if cid is None or cursor is None or cursor.position is None:
        return False
    _move_marks(session, cid, cursor, message)
    return True


async def acknowledge(session: "Session", message: messages.AckMes) -> None:
    """Move the user's marks."""
    cid = await find_cid(session, message.conversation)
    try:
        cursor = await hearing.known_cursor(session, cid)
    except (NotAllowed, Unknown):
        if cid.startswith("p:"):
            raise
        return  # Most likely the user has just left, and acknowledges the entry that says so.
    _move_marks(session, cid, cursor, message)


def _move_marks(session: "Session", cid: str, cursor: Cursor, message: messages.AckMes) -> None:
    delivered, read = message.delivered or 0, message.read or 0
    if message.epoch and message.epoch != cursor.epoch:
        delivered = min(delivered, cursor.epoch_first - 1)
        read = min(read, cursor.epoch_first - 1)
    session.context.marks.move(
        session.user_id, cid, cursor, delivered=delivered, read=read, session=session.key
    )
