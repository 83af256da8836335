"""Rooms and the list of one's conversations."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chat import messages, names
from chat.server import joining
from chat.server.delivery.recovery import ANSWER_SECONDS
from chat.server.paging import clamp, fit
from chat.server.requests.refusals import Refused, check_line
from chat.server.requests.talking import check_lobby, find_cid, move_up
from chat.store.bus import Event
from chat.store.errors import NotAllowed, StoreError, TooMany, Unknown
from chat.store.keys import LOBBY_CID, room_cid

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["conversations", "join", "leave", "list_rooms", "members", "redact", "set_topic"]

PAGE: Final = 100
LISTED_AT_ONCE: Final = 25
"""Conversations that count as one more request: a hundred take ten ms of CPU time."""
MEMBERS_PAGE: Final = 500


async def conversations(
    session: "Session", message: messages.ConversationsMes
) -> messages.ConversationsResMes:
    """A page of one's conversations; what follows its numbers is pushed after it."""
    context = session.context
    after = await find_cid(session, message.after) if message.after else ""
    # A full store can still be read; one that is away fails at the next call.
    with suppress(StoreError):
        await context.marks.flush(session.user_id)
        await context.fanout.write_times()
    with joining.held_back(session) as (snapshot, _):
        page, more = await context.fanout.recovery.steady(
            lambda: context.conversations.page(session.user_id, after, clamp(message.limit, PAGE)),
            lambda: (),
            ANSWER_SECONDS,
        )
        session.rates.charge(len(page) // LISTED_AT_ONCE)
        snapshot.update({cid: conversation.seq for cid, conversation in page.items()})
        # That a room was left meanwhile has been told, and that one was joined will be.
        listed = [
            each
            for cid, each in page.items()
            if not cid.startswith("r:") or (cid in session.rooms and cid != session.untold)
        ]
        kept, cut = fit(listed, context.settings.frame_limit)
        return messages.ConversationsResMes(conversations=kept, more=more or cut)


def _room(session: "Session", conversation: str, limit: int) -> str:
    """The canonical name of the room a client names.

    :param limit: most characters, 0 for any number.
    :raises BadName: it is no name of a room.
    :raises Refused: it is the lobby, which is closed.
    """
    room = names.room_name(conversation, limit)
    check_lobby(session, room_cid(room))
    return room


async def join(session: "Session", message: messages.JoinMes) -> messages.JoinResMes:
    """Join a room, or make it; everything above the reply's ``seq`` is pushed after it."""
    context = session.context
    room = _room(session, message.conversation, context.settings.name_limit)
    cid = room_cid(room)
    check_line("topic", message.topic)
    if cid != LOBBY_CID:
        await _become_member(session, room, message)
    with joining.held_back(session) as (snapshot, new):
        joined, is_new = await joining.enter_room(session, cid)
        snapshot[cid] = joined.seq
        if is_new:
            new.add(cid)
    return messages.JoinResMes(
        200, "", room, joined.epoch, joined.epoch_first, joined.seq, joined.first,
        joined.delivered, joined.read, joined.topic, joined.role, joined.last,
        private=joined.private, slow=joined.slow,
    )  # fmt: skip


async def _become_member(session: "Session", room: str, message: messages.JoinMes) -> None:
    """:raises Refused: the user may not, or is in too many rooms."""
    context, most = session.context, session.context.settings.rooms
    try:
        await context.rooms.join(
            session.author, room, message.topic, most, message.private, session.key
        )
    except TooMany:
        raise Refused(429, "too-many-rooms") from None
    except NotAllowed:
        raise Refused(403, "banned") from None
    # That the user was taken out before no longer matters.
    await context.bus.fence()


async def leave(session: "Session", message: messages.LeaveMes) -> messages.LeaveResMes:
    """Leave a room."""
    room = _existing(session, message.conversation)
    cid = room_cid(room)
    if cid == LOBBY_CID:
        raise Refused(403, "lobby-stays")
    try:
        await session.context.rooms.leave(session.author, room, session.key)
    except (NotAllowed, Unknown):
        joining.leave_room(session, cid)  # A loss of the store may have undone the joining.
        raise
    try:
        # Then this session, too, has had the entry at its place.
        await session.context.bus.fence()
    except StoreError:  # It was done all the same, and 503 would deny that.
        joining.leave_room(session, cid)
    return messages.LeaveResMes()


def _existing(session: "Session", conversation: str) -> str:
    """The same of one that may be older than the limit of names.

    :raises Unknown: it is no name of a room.
    """
    try:
        return _room(session, conversation, 0)
    except names.BadName:
        raise Unknown(conversation) from None


async def set_topic(session: "Session", message: messages.TopicMes) -> messages.TopicResMes:
    """Set a room's topic; everybody sees it as an entry."""
    cid = room_cid(_existing(session, message.conversation))
    check_line("topic", message.topic)
    context = session.context
    await context.rooms.set_topic(session.author, cid, message.topic)
    if cid in session.rooms:  # An administrator need not be in it.
        with suppress(StoreError):  # It was set all the same, and the entry tells it.
            await context.bus.tell(session.user_id, Event("changed", cid, session=session.key))
    return messages.TopicResMes()


async def redact(session: "Session", message: messages.RedactMes) -> messages.RedactResMes:
    """Take a message's text away; everybody sees that as an entry."""
    cid = await find_cid(session, message.conversation)
    try:
        await session.context.rooms.redact(session.author, cid, message.seq)
    except Unknown:
        raise Refused(404, "no-such-entry") from None
    await move_up(session, cid)
    return messages.RedactResMes()


async def list_rooms(session: "Session", message: messages.RoomsMes) -> messages.RoomsResMes:
    """A page of the public rooms."""
    rooms, more = await session.context.rooms.listed(message.after, clamp(message.limit, PAGE))
    kept, cut = fit(rooms, session.context.settings.frame_limit)
    return messages.RoomsResMes(rooms=kept, more=more or cut)


async def members(session: "Session", message: messages.MembersMes) -> messages.MembersResMes:
    """A page of a room's members; of the lobby, which everybody is in, of those online."""
    context, limit = session.context, clamp(message.limit, MEMBERS_PAGE)
    cid = room_cid(_existing(session, message.conversation))
    if cid == LOBBY_CID:
        page = await context.online.page(message.after, limit)
        roles = await context.rooms.roles(cid, [user.user_id for user in page.users])
        together = zip(page.users, roles, strict=True)
        users, more = [replace(user, role=role) for user, role in together], page.more
    else:
        listed, more = await context.rooms.members(session.user_id, cid, message.after, limit)
        statuses = await context.presence.statuses([user.user_id for user in listed])
        users = [replace(user, user_status=statuses[user.user_id]) for user in listed]
    kept, cut = fit(users, context.settings.frame_limit)
    return messages.MembersResMes(users=kept, more=more or cut)
