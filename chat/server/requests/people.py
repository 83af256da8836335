"""Who is online, and with which status."""

from typing import TYPE_CHECKING, Final

from chat import messages
from chat.messages import BUSY, ONLINE, User
from chat.server.paging import clamp, fit
from chat.server.requests.refusals import Refused, malformed

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["look_up", "online", "set_status", "watch"]

ONLINE_LIMIT: Final = 500
WATCH_LIMIT: Final = 200


async def online(session: "Session", message: messages.OnlineMes) -> messages.OnlineResMes:
    """A page of who is online, by user id."""
    return await session.context.online.page(message.after, clamp(message.limit, ONLINE_LIMIT))


async def watch(session: "Session", message: messages.WatchMes) -> messages.WatchResMes:
    """Remember whom the screen shows, and say how they are now."""
    if len(message.users) > WATCH_LIMIT:
        raise malformed(f"users: at most {WATCH_LIMIT}")
    context = session.context
    wanted = tuple(dict.fromkeys(message.users))
    context.online.watch(session, frozenset(wanted))
    statuses = await context.presence.statuses(wanted)
    names = await context.accounts.names(wanted)
    users = [User(each, names[each], statuses[each]) for each in wanted if each in names]
    kept, _ = fit(users, context.settings.frame_limit)
    return messages.WatchResMes(users=kept)


async def set_status(session: "Session", message: messages.StatusMes) -> messages.StatusResMes:
    """Be online or busy."""
    if message.status not in (ONLINE, BUSY):
        raise Refused(400, "status")
    assert session.user is not None
    await session.context.presence.set_status(session.user, session.key, message.status)
    return messages.StatusResMes()


async def look_up(session: "Session", message: messages.LookupMes) -> messages.LookupResMes:
    """Who somebody is.

    :raises UnknownUser: nobody.
    """
    context = session.context
    account = await context.accounts.find(message.user_id or message.user_name)
    statuses = await context.presence.statuses([account.user_id])
    status = statuses[account.user_id]
    user = User(account.user_id, account.name, status, account.last_seen)
    return messages.LookupResMes(user=user)
