"""Moderation: what moderators do to rooms and their members, blocks, invitations, reports."""

from collections.abc import Sequence
from typing import Final

from chat.messages import Invitation, Sanction, User
from chat.moderation import ON_PEOPLE, ON_ROOMS
from chat.store.bus import Event, payload
from chat.store.conversations import Conversations
from chat.store.entries import Author, LoggedEntry, record
from chat.store.errors import NotAllowed, NothingToDo, Unknown
from chat.store.keys import Keys, cid_name, private_cid
from chat.store.link.redis import Redis
from chat.store.scripts import load

__all__ = ["ACTIONS", "LONGEST_SECONDS", "SLOWEST_SECONDS", "TIMED", "Moderation"]

ACTIONS: Final = frozenset({*ON_PEOPLE, *ON_ROOMS, "announce"})
"""What can be done; the last is for whoever runs the server, and administrators."""

TIMED: Final = frozenset({"ban", "mute", "slow"})
"""Actions that are said for how long; the others have no end."""

ROLES: Final = frozenset({"owner", "moderator", "member"})
LONGEST_SECONDS: Final = 10 * 365 * 86_400
"""A mute or ban of ten years is one without end, or a slip of the finger."""

SLOWEST_SECONDS: Final = 86_400
"""Slow mode of more than a message a day is a room where nobody may write."""

SANCTIONS: Final = {"b": "ban", "m": "mute", "i": "invite"}
ENDED: Final = ("", "suspended", "logged-out")
REPORTS_KEPT: Final = 2_000
"""With the longest messages 32 MB; more than people will read."""


class Moderation:
    """What is done to people and rooms; all that concerns others is in the audit stream.

    All methods raise StoreUnavailable and FateUnknown.
    """

    def __init__(self, redis: Redis, keys: Keys, conversations: Conversations) -> None:
        self._redis = redis
        self._keys = keys
        self._conversations = conversations

    async def act(
        self,
        author: Author,
        cid: str,
        action: str,
        target: User | None = None,
        seconds: int = 0,
        reason: str = "",
    ) -> None:
        """Do something of ``ACTIONS`` in a room.

        :param author: its id 0 is whoever runs the server.
        :param seconds: how long a mute or ban lasts, 0 without end; or slow mode.
        :raises Unknown: there is no such room, or it is not for the author to know.
        :raises NotAllowed: the author's rank does not do that, or not to somebody of that rank.
        :raises NothingToDo: who is to be acted on is no member; what is to be taken back is not
            there.
        """
        who = target or User(author.user_id, author.name)
        name = self._keys
        keys = [
            name.generation(), name.meta(cid), name.log(cid), name.members(cid),
            name.user(author.user_id), name.rooms(), name.audit(), name.user(who.user_id),
            name.conversations(who.user_id), name.blocks(who.user_id),
            name.invited(who.user_id), name.audit_of_rooms(),
        ]  # fmt: skip
        told = Event("left", cid)
        if action == "invite":
            told = Event("invited", cid, user_id=author.user_id, reason=author.name)
        args: list[bytes | int | str] = [
            action, author.user_id, target.user_id if target else "", who.user_name, seconds,
            reason, cid, author.name, _entry(author, action, target, seconds, reason),
            name.audience(cid)[0], name.user_channel(who.user_id), payload(told),
        ]  # fmt: skip
        code = await self._redis.script(load("moderate"), keys, args)
        if code != 200:
            raise {403: NotAllowed(cid), 404: Unknown(cid), 410: NothingToDo(action)}[code]

    async def sanctions(self, user_id: int, cid: str) -> list[Sanction]:
        """Who is banned, muted or invited in a room, by user id, for those who moderate it.

        :raises Unknown: there is no such room, or it is not for the user to know.
        :raises NotAllowed: the user does not moderate it.
        """
        if user_id:
            (position,) = await self._conversations.positions(user_id, [cid])
            admin = await self._redis.call("HGET", self._keys.user(user_id), "admin") == b"1"
            role = position.role if position else ""
            if position is None or (position.private and not role and not admin):
                raise Unknown(cid)
            if role not in ("owner", "moderator") and not admin:
                raise NotAllowed(cid)
        flat = await self._redis.call("HGETALL", self._keys.meta(cid))
        now = await self._redis.now()
        found = []
        for field, value in zip(flat[::2], flat[1::2], strict=True):
            action = SANCTIONS.get(chr(field[0]))
            if action is None or not field[1:].isdigit():
                continue
            until, since, by, name = value.split(b":", 3)
            if int(until) == 0 or int(until) > now:
                found.append(
                    Sanction(action, int(field[1:]), name.decode(), int(until), int(since), int(by))
                )
        return sorted(found, key=lambda each: (each.user_id, each.action))

    # Between two people ----------------------------------------------------------------------

    async def block(self, user_id: int, other: User, yes: bool = True) -> None:
        """Take no private messages from ``other`` any more, or take them again. All sessions of
        the user are told."""
        cid, name = private_cid(user_id, other.user_id), self._keys
        keys = [name.generation(), name.meta(cid), name.log(cid), name.blocks(user_id)]
        event = "blocked" if yes else "unblocked"
        told = payload(Event(event, user_id=other.user_id, reason=other.user_name))
        args: list[bytes | int] = [user_id, other.user_id, int(yes), name.user_channel(user_id)]
        await self._redis.script(load("block"), keys, [*args, told])

    async def is_blocked(self, cid: str) -> bool:
        """Whether one of the two in a private conversation has blocked the other."""
        return bool(await self._redis.call("HEXISTS", self._keys.meta(cid), "rules"))

    async def blocked(self, user_id: int) -> list[int]:
        """Whom a user has blocked, by id."""
        return sorted(map(int, await self._redis.call("HKEYS", self._keys.blocks(user_id))))

    async def invitations(self, user_id: int) -> list[Invitation]:
        """The rooms that a user is invited to, by name."""
        flat = await self._redis.call("HGETALL", self._keys.invited(user_id))
        found = []
        for cid, value in zip(flat[::2], flat[1::2], strict=True):
            by, name = value.decode().split(":", 1)
            found.append(Invitation(cid_name(cid.decode(), 0), int(by), name))
        return sorted(found, key=lambda each: each.conversation)

    async def ended(self, sessions: Sequence[tuple[int, str]]) -> list[str]:
        """Why sessions may not go on, each a user id and a device: ``suspended``, or ``logged-out``
        where the device's token was ended; empty where nothing is against it."""
        keys = [self._keys.user(user_id) for user_id, _ in sessions]
        devices = [device for _, device in sessions]
        found = await self._redis.script(load("ended"), keys, devices) if keys else []
        return [ENDED[why] for why in found]

    # To the administrators -------------------------------------------------------------------

    async def report(self, author: Author, cid: str, entry: LoggedEntry, reason: str) -> None:
        """Keep a message for the administrators, with its text as it is now."""
        fields: Sequence[bytes | int | str] = [
            "by", author.user_id, "name", author.name, "conversation", cid, "seq", entry.seq,
            "sender", entry.sender, "entry", entry.json, "reason", reason,
        ]  # fmt: skip
        await self._redis.call(
            "XADD", self._keys.reports(), "MAXLEN", "~", REPORTS_KEPT, "*", *fields
        )


def _entry(author: Author, action: str, target: User | None, seconds: int, reason: str) -> bytes:
    """The record of the entry that tells the room; nothing where no entry does."""
    if action == "uninvite":
        return b""
    kind, content = ("role", action) if action in ROLES else (action, reason)
    who = target or User(0, "")
    return record(author.does(kind, content, who.user_id, who.user_name, seconds), author.user_id)
