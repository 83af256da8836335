"""Tells a session what happened to its user: marks, receipts, rooms joined elsewhere, its end."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import msgspec
from twisted.logger import Logger

from chat import messages
from chat.server import joining
from chat.store.bus import Event
from chat.store.errors import StoreError
from chat.store.keys import cid_name

if TYPE_CHECKING:
    from chat.server.session import Session

_log = Logger()

__all__ = ["tell", "tell_room"]


async def tell(session: "Session", event: Event) -> None:
    """Tell a session what happened to its user."""
    handler = _HANDLERS.get(event.event)
    if handler is not None and (session.dialect.is_current or event.event in _FOR_ALL):
        try:
            await handler(session, event)
        except StoreError as error:
            _log.debug("an event is not told, the store is away: {why}", why=error)


async def _mark(session: "Session", event: Event) -> None:
    if session.feed is not None and event.cid.startswith("p:"):
        # It may have begun meanwhile, and is told of by its first entry.
        await session.feed.nothing_held()
    recovery = session.context.fanout.recovery

    async def read() -> messages.Conversation:
        return await session.context.conversations.one(session.user_id, event.cid)

    conversation = await (recovery.steady(read, lambda: ()) if recovery.under_way else read())
    # For a room that the client is not in yet, it would mean that the user has joined it.
    cursor = session.context.registry.cursor_of(session, event.cid)
    if cursor is not None and event.cid != session.untold:
        _push_conversation(session, conversation)


async def _receipt(session: "Session", event: Event) -> None:
    session.emit(
        messages.ReceiptMes(
            cid_name(event.cid, session.user_id),
            event.user_id,
            event.epoch,
            event.delivered,
            event.read,
        )
    )


async def _joined(session: "Session", event: Event) -> None:
    await tell_room(session, event.cid)


async def tell_room(session: "Session", cid: str) -> None:
    """Let a session hear a room that its user joined elsewhere, and say so."""
    with joining.held_back(session, until_reply=False) as (snapshot, new):
        conversation, is_new = await joining.enter_room(session, cid)
        snapshot[cid] = conversation.seq
        if is_new:
            new.add(cid)
        _push_conversation(session, conversation)


async def _left(session: "Session", event: Event) -> None:
    name = cid_name(event.cid, session.user_id)
    session.emit(messages.ConversationMes(conversation=name, gone=True))


async def _invited(session: "Session", event: Event) -> None:
    name = cid_name(event.cid, session.user_id)
    session.emit(messages.InvitationMes(name, event.user_id, event.reason))


async def _blocked(session: "Session", event: Event) -> None:
    block = event.event == "blocked"
    session.emit(messages.BlockedMes(event.user_id, event.reason, block))


def _push_conversation(session: "Session", conversation: messages.Conversation) -> None:
    session.emit(messages.ConversationMes(**msgspec.structs.asdict(conversation)))


async def _replaced(session: "Session", event: Event) -> None:
    if event.device == session.device:
        session.bye(409, "replaced")


async def _ended(session: "Session", event: Event) -> None:
    if not event.device or event.device == session.device:
        session.bye(403, event.why if event.why in _MORE_PRECISELY else event.reason)


_MORE_PRECISELY: Final = frozenset({"deleted"})
"""The reasons for a session's end that an event gives in ``why``, and for which this version has a
sentence. A server of a later version may give others."""

_HANDLERS: Final[dict[str, Callable[["Session", Event], Awaitable[None]]]] = {
    "mark": _mark,
    "changed": _mark,
    "receipt": _receipt,
    "joined": _joined,
    "left": _left,
    "invited": _invited,
    "blocked": _blocked,
    "unblocked": _blocked,
    "replaced": _replaced,
    "ended": _ended,
}
_FOR_ALL: Final = frozenset({"ended"})
