"""The requests that moderate rooms and block people; part of ChatClient."""

from chat.client.session import Session
from chat.messages import (
    BlockMes,
    BlockResMes,
    BlocksMes,
    BlocksResMes,
    Invitation,
    InvitationsMes,
    InvitationsResMes,
    ModerateMes,
    ModerateResMes,
    RedactMes,
    RedactResMes,
    ReportMes,
    ReportResMes,
    Sanction,
    SanctionsMes,
    SanctionsResMes,
    User,
)

__all__ = ["Moderating"]


class Moderating:
    """Methods of ``ChatClient``. Each raises NotConnected when nobody is logged in, FateUnknown
    when no answer came, Refused when the server says no: 403 one's rank does not allow it, 404
    there is no such room or member.

    ``who`` is a user id or a name.
    """

    _session: Session

    # Rooms -------------------------------------------------------------------------------------

    async def moderate(
        self, room: str, action: str, who: int | str = "", seconds: int = 0, reason: str = ""
    ) -> None:
        """Do something to a room or to somebody in it.

        :param action: of ``chat.moderation``; ``owner``, ``moderator`` and ``member`` make ``who``
            just that.
        :param who: nobody for what is done to the room itself (``ON_ROOMS``).
        :param seconds: how long a ban or mute lasts, 0 without end; or slow mode, 0 to end it.
        """
        user_id, name = (who, "") if isinstance(who, int) else (0, who)
        request = ModerateMes(room, action, user_id, name, seconds, reason)
        await self._session.asker.ask(request, ModerateResMes)

    async def sanctions(self, room: str) -> list[Sanction]:
        """Who is banned, muted or invited in a room that one moderates, each together."""
        found: list[Sanction] = await self._session.asker.every(
            lambda last: SanctionsMes(room, last.user_id if last else 0),
            SanctionsResMes,
            lambda page: (page.sanctions, page.more),
        )
        return sorted(found, key=lambda each: (each.action, each.user_id))

    async def invitations(self) -> list[Invitation]:
        """The rooms that one is invited to."""
        return await self._session.asker.every(
            lambda last: InvitationsMes(last.conversation if last else ""),
            InvitationsResMes,
            lambda page: (page.invitations, page.more),
        )

    # In private --------------------------------------------------------------------------------

    async def block(self, who: int | str, block: bool = True) -> None:
        """Exchange no private messages with somebody; ``block`` False: do so again."""
        user_id, name = (who, "") if isinstance(who, int) else (0, who)
        await self._session.asker.ask(BlockMes(user_id, name, block), BlockResMes)

    async def blocks(self) -> list[User]:
        """Whom one has blocked."""
        return await self._session.asker.every(
            lambda last: BlocksMes(last.user_id if last else 0),
            BlocksResMes,
            lambda page: (page.users, page.more),
        )

    async def redact(self, conversation: str, seq: int) -> None:
        """Take the text of an entry away; its number stays.

        :raises Refused: 403 not yours, 404 no such entry.
        """
        await self._session.asker.ask(RedactMes(conversation, seq), RedactResMes)

    async def report(self, conversation: str, seq: int, reason: str = "") -> None:
        """Show a message to the administrators.

        :raises Refused: 404 there is no such message, 429 too many reports in an hour.
        """
        await self._session.asker.ask(ReportMes(conversation, seq, reason), ReportResMes)
