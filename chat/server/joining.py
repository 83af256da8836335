"""A session begins to hear a room, or no longer hears it, while messages are being delivered."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import DeferredLock

from chat.messages import Conversation
from chat.store.errors import NotAllowed, StoreError

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["enter_room", "held_back", "leave_room", "take_positions"]


@contextmanager
def held_back(
    session: "Session", until_reply: bool = True
) -> Iterator[tuple[dict[str, int], set[str]]]:
    """Hold back what comes for a session while the reply to a request is read, so that both fit
    together.

    Yields what is to be filled in: the numbers that the reply tells, by conversation id, and the
    ids of the conversations that the session did not hear before.

    :param until_reply: release when the request that is being served has been answered, else at the
        end of the block.
    """
    snapshot: dict[str, int] = {}
    new: set[str] = set()
    if session.feed is not None:
        session.feed.hold()
    try:
        yield snapshot, new
    finally:
        if session.feed is not None:  # The client may have gone meanwhile.
            release = session.release_after_reply if until_reply else session.feed.release
            release(snapshot, frozenset(new))


async def enter_room(session: "Session", cid: str) -> tuple[Conversation, bool]:
    """Let a session hear a room that its user is a member of.

    Call it while the session is ``held_back``. Rooms are entered one after the other, so that a
    user who joins, leaves and joins again on several devices ends up where the store says.

    :returns: the room as it stands now, and whether the session did not hear it before.
    :raises NotAllowed: the user is no member, or no longer.
    :raises StoreError: the store is away.
    """
    turn = session.entering = session.entering or DeferredLock()
    return await turn.run(_enter_room, session, cid)


async def _enter_room(session: "Session", cid: str) -> tuple[Conversation, bool]:
    context = session.context
    is_new = cid not in session.rooms
    if is_new:
        await context.bus.hold_rooms([cid])
        if session.user is None:  # The client has gone meanwhile, and has left all its rooms.
            context.bus.release_room(cid)
            raise NotAllowed(cid)
        context.registry.add_to_room(session, cid)
        session.untold = cid

    async def read() -> Conversation:
        conversation = await context.conversations.one(session.user_id, cid)
        _check_still_in(session, cid)
        return conversation

    try:
        conversation = await context.fanout.recovery.steady(
            read, lambda: [context.registry.rooms[cid]]
        )
        _check_still_in(session, cid)
    except StoreError:
        leave_room(session, cid)
        raise
    finally:
        session.untold = ""
    if is_new and session.feed is not None:
        session.feed.starts_at(cid, conversation.seq)
    take_positions(session, {cid: conversation})
    return conversation, is_new


def _check_still_in(session: "Session", cid: str) -> None:
    """:raises NotAllowed: the user was taken out of the room while it was being entered."""
    if cid not in session.rooms:
        raise NotAllowed(cid)


def leave_room(session: "Session", cid: str) -> bool:
    """Let a session no longer hear a room.

    :returns: whether it did until now.
    """
    if cid not in session.rooms:
        return False
    session.context.registry.remove_from_room(session, cid)
    session.context.bus.release_room(cid)
    return True


def take_positions(session: "Session", described: Mapping[str, Conversation]) -> None:
    """Let the cursors of conversations begin where these stand, as far as they have no position."""
    registry = session.context.registry
    for cid, conversation in described.items():
        cursor = registry.rooms.get(cid) or registry.users[session.user_id].cursor(cid)
        cursor.starts_at(conversation)
