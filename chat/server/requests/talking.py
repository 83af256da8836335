"""Saying something: the conversation it is for, its limits, and the post that is made of it."""

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from chat import messages, names
from chat.codec import escaped_size
from chat.names import BadName
from chat.server import user_events
from chat.server.paging import content_room
from chat.server.requests.refusals import Refused, post_refusal
from chat.store.errors import NotAllowed, StoreError, Unknown
from chat.store.keys import LOBBY_CID, cid_name, private_cid, room_cid
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = [
    "Sms",
    "check_lobby",
    "edit",
    "find_cid",
    "known_cid",
    "move_up",
    "post",
    "post_at_once",
]

Sms = messages.SmsMes | messages.OriginalSmsMes

MOST_CONTACTS: Final = 100_000


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
        known = known_cid(session, message.to)
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


def known_cid(session: "Session", to: str) -> str | None:
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
            await user_events.tell_room(session, cid)


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


async def edit(session: "Session", message: messages.EditMes) -> messages.EditResMes:
    """Give one of the user's messages another text, under the same rules as for a new one."""
    cid = await find_cid(session, message.conversation)
    said = _written(session, cid, message.content, "", None, over_rate=False, reply=0)
    if said.refusal:
        raise post_refusal(said.refusal, 0.0, "")
    try:
        await session.context.editing.edit(session.author, cid, message.seq, message.content)
    except Unknown:
        raise Refused(404, "no-such-entry") from None
    await move_up(session, cid)
    return messages.EditResMes()


async def move_up(session: "Session", cid: str) -> None:
    """Give a private conversation the present time on both lists, for an entry that is not a
    message. (A server that has lost the bus compares only conversations with a recent time.)"""
    conversations = session.context.conversations
    if cid.startswith("p:"):
        with suppress(StoreError):  # What made the entry is done all the same.
            await conversations.touch({cid: await conversations.now()})
