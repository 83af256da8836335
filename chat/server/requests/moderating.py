"""Moderation: what may be done to rooms and people, blocks, invitations, reports."""

from typing import TYPE_CHECKING, Final

from chat import messages
from chat.messages import User
from chat.moderation import ON_PEOPLE
from chat.server.paging import fit
from chat.server.requests.refusals import Refused, check_line, malformed
from chat.server.requests.talking import find_cid
from chat.store.errors import TooMany
from chat.store.moderation import ACTIONS, LONGEST_SECONDS, SLOWEST_SECONDS, TIMED

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["block", "blocks", "invitations", "moderate", "report", "sanctions"]

BLOCKS_PAGE: Final = 500
"""Blocked users whose names are looked up at once: of 20,000 that took the store 40 ms."""

LISTED: Final = 9
"""Further requests for which a list of sanctions counts: 10,000 take 40 ms of CPU time."""

REPORTS: Final = 10
REPORT_SECONDS: Final = 3600.0
"""Reports of one user in an hour: a person reads each of them."""


async def moderate(session: "Session", message: messages.ModerateMes) -> messages.ModerateResMes:
    """Do something to a room or to somebody in it; everybody there sees it as an entry."""
    if message.action not in ACTIONS:
        raise malformed("action: one of " + ", ".join(sorted(ACTIONS)))
    _check_seconds(message)
    check_line("reason", message.reason)
    cid = await _room_cid(session, message.conversation)
    target = None
    if message.action in ON_PEOPLE:
        target = await _somebody(session, message.user_id, message.user_name)
    await session.context.moderation.act(
        session.author, cid, message.action, target, message.seconds, message.reason
    )
    return messages.ModerateResMes()


def _check_seconds(message: messages.ModerateMes) -> None:
    most = 0
    if message.action in TIMED:
        most = SLOWEST_SECONDS if message.action == "slow" else LONGEST_SECONDS
    if not 0 <= message.seconds <= most:
        raise malformed(f"seconds: from 0 to {most} for {message.action}")


async def _room_cid(session: "Session", conversation: str) -> str:
    """The id of the room that a client names; private conversations have nobody to moderate."""
    cid = await find_cid(session, conversation)
    if not cid.startswith("r:"):
        raise Refused(403, "not-allowed")
    return cid


async def _somebody(session: "Session", user_id: int, user_name: str) -> User:
    account = await session.context.accounts.find(user_id or user_name)
    return User(account.user_id, account.name)


async def sanctions(session: "Session", message: messages.SanctionsMes) -> messages.SanctionsResMes:
    """A page of who is banned, muted or invited in a room that one moderates."""
    cid = await _room_cid(session, message.conversation)
    found = await session.context.moderation.sanctions(session.user_id, cid)
    session.rates.charge(LISTED)
    rest = [each for each in found if each.user_id > message.after]
    kept, more = fit(rest, session.context.settings.frame_limit)
    while more and kept and kept[-1].user_id == rest[len(kept)].user_id:
        kept = kept[:-1]  # The next page begins behind a user.
    return messages.SanctionsResMes(sanctions=kept, more=more)


async def block(session: "Session", message: messages.BlockMes) -> messages.BlockResMes:
    """Exchange no private messages with somebody, until that is taken back."""
    other = await _somebody(session, message.user_id, message.user_name)
    if other.user_id == session.user_id:
        raise Refused(403, "not-allowed")
    await session.context.moderation.block(session.user_id, other, message.block)
    return messages.BlockResMes()


async def blocks(session: "Session", message: messages.BlocksMes) -> messages.BlocksResMes:
    """A page of whom one has blocked."""
    context = session.context
    blocked = await context.moderation.blocked(session.user_id)
    rest = [each for each in blocked if each > message.after]
    ids = rest[:BLOCKS_PAGE]
    names = await context.accounts.names(ids)
    users = [User(each, names.get(each, "")) for each in ids]
    kept, cut = fit(users, context.settings.frame_limit)
    return messages.BlocksResMes(users=kept, more=cut or len(rest) > len(ids))


async def invitations(
    session: "Session", message: messages.InvitationsMes
) -> messages.InvitationsResMes:
    """A page of the rooms that one is invited to."""
    found = await session.context.moderation.invitations(session.user_id)
    rest = [each for each in found if each.conversation > message.after]
    kept, more = fit(rest, session.context.settings.frame_limit)
    return messages.InvitationsResMes(invitations=kept, more=more)


async def report(session: "Session", message: messages.ReportMes) -> messages.ReportResMes:
    """Show a message that one can read to the administrators, as it is now."""
    context = session.context
    check_line("reason", message.reason)
    cid = await find_cid(session, message.conversation)
    page = await context.conversations.history(
        session.user_id, cid, after=message.seq - 1, before=message.seq + 1, limit=1
    )
    if message.seq < 1 or not page.entries or not page.entries[0].json:
        raise Refused(404, "no-such-entry")
    try:
        who = str(session.user_id)
        await context.limits.spend("report", who, REPORTS, REPORT_SECONDS)
    except TooMany as error:
        raise Refused(429, "too-many-reports", error.retry_after) from None
    await context.moderation.report(session.author, cid, page.entries[0], message.reason)
    return messages.ReportResMes()
