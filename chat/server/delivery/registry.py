"""Who is connected to this server, and which of them hear which room."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chat.messages import Conversation
from chat.store.entries import epoch_count
from chat.store.keys import cid_name
from chat.store.standing import Position

if TYPE_CHECKING:
    from chat.server.network.connection import Connection
    from chat.server.session import Session

__all__ = ["Cursor", "HostedRoom", "HostedUser", "Registry"]


class Cursor:
    """How far one conversation has been delivered on this server.

    :ivar position: the last number that was given to its sessions, None before anything is known.
    :ivar filling: a hole is being read from the log.
    :ivar heard: the highest number that was published meanwhile; the log has it too.
    """

    __slots__ = ("epoch", "epoch_first", "filling", "heard", "position")

    def __init__(self) -> None:
        self.position: int | None = None
        self.epoch = ""
        self.epoch_first = 1
        self.filling = False
        self.heard = 0

    def begin_epoch(self, epoch: str, epoch_first: int) -> None:
        """Note the epoch of what is delivered next. In a newer epoch, the numbers from its first
        one on are given out anew."""
        if epoch == self.epoch:
            return
        if self.epoch:
            if epoch_count(epoch) <= epoch_count(self.epoch):
                return
            if self.position is not None:
                self.position = min(self.position, epoch_first - 1)
        self.epoch, self.epoch_first = epoch, epoch_first

    def starts_at(self, standing: Position | Conversation) -> None:
        """Begin where the store says that the conversation stands, unless a position is known here
        already."""
        if self.position is None:
            self.begin_epoch(standing.epoch, standing.epoch_first)
            self.position = standing.seq


class HostedRoom(Cursor):
    """A room with at least one member connected here."""

    __slots__ = ("_plain", "cid", "sessions")

    def __init__(self, cid: str) -> None:
        super().__init__()
        self.cid = cid
        self.sessions: dict[Session, None] = {}
        self._plain: tuple[list[Connection], list[Session]] | None = None

    def changed(self) -> None:
        """Somebody came or went, or takes the frames in another form."""
        self._plain = None

    def split(self) -> tuple[list["Connection"], list["Session"]]:
        """The connections that take the frames exactly as published; the sessions that do not."""
        if self._plain is None:
            plain = [session.connection for session in self.sessions if session.plain]
            special = [session for session in self.sessions if not session.plain]
            self._plain = plain, special
        return self._plain


class HostedUser:
    """A user with at least one session here, and how far their private conversations are."""

    __slots__ = ("_by_partner", "cursors", "sessions", "user_id")

    def __init__(self, user_id: int, by_partner: dict[int, set["HostedUser"]]) -> None:
        self.user_id = user_id
        self.sessions: dict[Session, None] = {}
        self.cursors: dict[str, Cursor] = {}
        self._by_partner = by_partner

    def cursor(self, cid: str) -> Cursor:
        """How far the private conversation ``cid`` is; a new cursor if it was not known here."""
        found = self.cursors.get(cid)
        if found is None:
            found = self.cursors[cid] = Cursor()
            self._by_partner.setdefault(self._partner(cid), set()).add(self)
        return found

    def forget(self) -> None:
        """The user is no longer here."""
        for cid in self.cursors:
            partner = self._partner(cid)
            users = self._by_partner[partner]
            users.discard(self)
            if not users:
                del self._by_partner[partner]

    def _partner(self, cid: str) -> int:
        return int(cid_name(cid, self.user_id)[1:])


class Registry:
    """The users and rooms hosted here."""

    def __init__(self) -> None:
        self.users: dict[int, HostedUser] = {}
        self.rooms: dict[str, HostedRoom] = {}
        self._by_partner: dict[int, set[HostedUser]] = {}

    def add(self, session: "Session") -> None:
        """A session of a known user is here."""
        user = self.users.get(session.user_id)
        if user is None:
            user = self.users[session.user_id] = HostedUser(session.user_id, self._by_partner)
        user.sessions[session] = None

    def remove(self, session: "Session") -> None:
        """The session is gone, and with it its place in every room."""
        for cid in tuple(session.rooms):
            self.remove_from_room(session, cid)
        user = self.users.get(session.user_id)
        if user is not None:
            user.sessions.pop(session, None)
            if not user.sessions:
                user.forget()
                del self.users[session.user_id]

    def add_to_room(self, session: "Session", cid: str) -> HostedRoom:
        """The session hears a room from now on."""
        room = self.rooms.get(cid)
        if room is None:
            room = self.rooms[cid] = HostedRoom(cid)
        room.sessions[session] = None
        room.changed()
        session.rooms.add(cid)
        return room

    def remove_from_room(self, session: "Session", cid: str) -> None:
        """The session does not hear a room any more."""
        session.rooms.discard(cid)
        room = self.rooms.get(cid)
        if room is not None:
            room.sessions.pop(session, None)
            room.changed()
            if not room.sessions:
                del self.rooms[cid]

    def cursor_of(self, session: "Session", cid: str) -> Cursor | None:
        """How far a conversation is that the session hears; None for one that it does not hear."""
        if cid.startswith("r:"):
            return self.rooms.get(cid) if cid in session.rooms else None
        user = self.users.get(session.user_id)
        return user.cursor(cid) if user else None

    def partners_of(self, user_id: int) -> Iterable[HostedUser]:
        """The users here with a private conversation with ``user_id`` that is known here."""
        return self._by_partner.get(user_id, ())

    def changed(self, session: "Session") -> None:
        """The session takes the frames of its rooms in another form from now on."""
        for cid in session.rooms:
            self.rooms[cid].changed()

    def sessions_of(self, user_id: int) -> Iterable["Session"]:
        """The sessions of a user here."""
        user = self.users.get(user_id)
        return tuple(user.sessions) if user else ()
