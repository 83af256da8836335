"""The requests that moderate rooms and block people; part of ChatClient."""

from chat.client.asker import READING
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
        """Do what ``action`` says (``ModerateMes`` of the protocol has the list)."""
        user_id, name = (who, "") if isinstance(who, int) else (0, who)
        request = ModerateMes(room, action, user_id, name, seconds, reason)
        await self._session.asker.ask(request, ModerateResMes)

    async def kick(self, room: str, who: int | str, reason: str = "") -> None:
        """Take a member out of a room."""
        await self.moderate(room, "kick", who, 0, reason)

    async def ban(self, room: str, who: int | str, seconds: int = 0, reason: str = "") -> None:
        """Take somebody out and keep them out, for ever when ``seconds`` is 0."""
        await self.moderate(room, "ban", who, seconds, reason)

    async def mute(self, room: str, who: int | str, seconds: int = 0, reason: str = "") -> None:
        """Take a member's messages no more, for ever when ``seconds`` is 0."""
        await self.moderate(room, "mute", who, seconds, reason)

    async def unban(self, room: str, who: int | str) -> None:
        """End a ban."""
        await self.moderate(room, "unban", who)

    async def unmute(self, room: str, who: int | str) -> None:
        """End a mute."""
        await self.moderate(room, "unmute", who)

    async def set_role(self, room: str, who: int | str, role: str) -> None:
        """Make a member an ``owner``, a ``moderator`` or a mere ``member``."""
        await self.moderate(room, role, who)

    async def invite(self, room: str, who: int | str) -> None:
        """Let somebody join a private room."""
        await self.moderate(room, "invite", who)

    async def uninvite(self, room: str, who: int | str) -> None:
        """Take an invitation back."""
        await self.moderate(room, "uninvite", who)

    async def set_slow(self, room: str, seconds: int) -> None:
        """Let members wait so long between two messages; 0 ends that."""
        await self.moderate(room, "slow", seconds=seconds)

    async def set_private(self, room: str, private: bool = True) -> None:
        """Let only the invited join a room, or everybody."""
        await self.moderate(room, "private" if private else "public")

    async def sanctions(self, room: str) -> list[Sanction]:
        """Who is banned, muted or invited in a room that one moderates."""
        reply = await self._session.asker.ask(SanctionsMes(room), SanctionsResMes, READING)
        return list(reply.sanctions)

    async def invitations(self) -> list[Invitation]:
        """The rooms that one is invited to."""
        reply = await self._session.asker.ask(InvitationsMes(), InvitationsResMes, READING)
        return list(reply.invitations)

    # In private --------------------------------------------------------------------------------

    async def block(self, who: int | str, block: bool = True) -> None:
        """Exchange no private messages with somebody; ``block`` False: do so again."""
        user_id, name = (who, "") if isinstance(who, int) else (0, who)
        await self._session.asker.ask(BlockMes(user_id, name, block), BlockResMes)

    async def blocks(self) -> list[User]:
        """Whom one has blocked."""
        return list((await self._session.asker.ask(BlocksMes(), BlocksResMes, READING)).users)

    async def report(self, conversation: str, seq: int, reason: str = "") -> None:
        """Show a message to the administrators.

        :raises Refused: 404 there is no such message, 429 too many reports in an hour.
        """
        await self._session.asker.ask(ReportMes(conversation, seq, reason), ReportResMes)
