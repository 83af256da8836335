"""The requests about rooms, people and one's own account; part of ChatClient."""

from collections.abc import Sequence
from contextlib import suppress

from chat.client.delivery.sender import TOO_LONG, ends_connections
from chat.client.errors import BadServer, Refused
from chat.client.moderation import Moderating
from chat.client.network.asker import READING
from chat.client.session import Session
from chat.messages import (
    Conversation,
    EditMes,
    EditResMes,
    JoinMes,
    JoinResMes,
    LeaveMes,
    LeaveResMes,
    LookupMes,
    LookupResMes,
    MembersMes,
    MembersResMes,
    PasswordMes,
    PasswordResMes,
    RevokeMes,
    RevokeResMes,
    Room,
    RoomsMes,
    RoomsResMes,
    SessionsMes,
    SessionsResMes,
    TopicMes,
    TopicResMes,
    User,
)
from chat.messages import Session as DeviceSession
from chat.names import BadName, room_name

__all__ = ["Requests"]


class Requests(Moderating):
    """Methods of ``ChatClient``. Each raises NotConnected when nobody is logged in, FateUnknown
    when no answer came, Refused when the server says no."""

    _session: Session

    # Rooms -------------------------------------------------------------------------------------

    async def join(self, room: str, topic: str = "", private: bool = False) -> Conversation:
        """Join a room, which is made when it does not exist: with this topic, and ``private`` for
        the invited. Of a room that exists neither changes.

        :raises Refused: 403 one is banned from it; 404 it is private, and one is not invited.
        """
        reply = await self._session.asker.ask(JoinMes(room, topic, private), JoinResMes)
        joined = Conversation(
            reply.conversation or room,
            reply.epoch,
            reply.epoch_first,
            reply.seq,
            reply.first,
            reply.delivered,
            reply.read,
            reply.topic,
            reply.role,
            reply.last,
            private=reply.private,
            slow=reply.slow,
        )
        self._session.learn(joined)
        return self._session.catalogue.conversations[joined.conversation]

    async def leave(self, room: str) -> None:
        """Leave a room.

        :raises Refused: 403 the lobby cannot be left.
        """
        await self._session.asker.ask(LeaveMes(room), LeaveResMes)
        # The server's Unicode may be newer: the name was good enough for it.
        with suppress(BadName):
            room = room_name(room, 0)
        self._session.gone(room)

    async def set_topic(self, room: str, topic: str) -> None:
        """Set a room's topic.

        :raises Refused: 403 one is neither its owner nor a moderator of it.
        """
        await self._session.asker.ask(TopicMes(room, topic), TopicResMes)

    async def rooms(self) -> list[Room]:
        """All public rooms, by name."""
        return await self._session.asker.every(
            lambda last: RoomsMes(last.conversation if last else ""),
            RoomsResMes,
            lambda page: (page.rooms, page.more),
        )

    async def members(self, room: str) -> list[User]:
        """All members of a room, by user id, with their role."""
        return await self._session.asker.every(
            lambda last: MembersMes(room, last.user_id if last else 0),
            MembersResMes,
            lambda page: (page.users, page.more),
        )

    # Messages ----------------------------------------------------------------------------------

    async def edit(self, conversation: str, seq: int, text: str) -> None:
        """Give one of the user's own messages another text; its number stays. Doing so twice is
        like doing it once.

        :raises Refused: 404 there is no such message; 403 it is somebody else's, or the user may
            not write there now; 400 or 413 ``text`` is not allowed.
        :raises ValueError: ``text`` cannot be encoded as UTF-8.
        """
        request = EditMes(conversation, seq, text)
        if ends_connections(request):
            raise Refused(TOO_LONG.code, TOO_LONG.sentence)
        await self._session.asker.ask(request, EditResMes, READING)

    # People ------------------------------------------------------------------------------------

    async def online(self, enough: int = 0) -> list[User]:
        """Everybody online as of the return of this call, by user id, all pages; PresenceChanged
        events after it apply on top.

        :param enough: ask for no further page once there are so many; 0 for all.
        """
        return await self._session.presence.online(enough)

    async def watch(self, users: Sequence[int]) -> list[User]:
        """Say whose presence is wanted when the scope is ``watched``: at most 200 user ids, in the
        place of those before. It is said again after each login, also when it fails now.

        :returns: these users, as they are now.
        """
        return await self._session.presence.watch(users)

    async def lookup(self, who: int | str) -> User:
        """Who somebody is, with status and ``last_seen``.

        :raises Refused: 404 nobody.
        """
        request = LookupMes(user_id=who) if isinstance(who, int) else LookupMes(user_name=who)
        reply = await self._session.asker.ask(request, LookupResMes, READING)
        if reply.user is None:
            raise BadServer("a LookupResMes without a user")
        return reply.user

    async def set_status(self, busy: bool) -> None:
        """Be busy, or online; it is said again after each login."""
        await self._session.presence.set_status(busy)

    # The account -------------------------------------------------------------------------------

    async def sessions(self) -> list[DeviceSession]:
        """One's own devices."""
        reply = await self._session.asker.ask(SessionsMes(), SessionsResMes, READING)
        return list(reply.sessions)

    async def revoke(self, device: str) -> None:
        """End a device's session and token."""
        await self._session.asker.ask(RevokeMes(device), RevokeResMes)

    async def change_password(self, old: str, new: str) -> str:
        """Change the password; all other sessions end.

        :returns: this device's new token; empty where the store went away just then, and the next
            login is with the new password.
        :raises Refused: 403 ``old`` is wrong.
        """
        reply = await self._session.asker.ask(PasswordMes(old, new), PasswordResMes)
        if reply.token:
            self._session.remember_token(reply.token)
        return reply.token
