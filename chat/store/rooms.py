"""Rooms: who is in them, what they are called, and what their members do to them."""

from collections.abc import Sequence
from typing import Any

from chat.messages import Room, User
from chat.store.bus import Event, payload
from chat.store.conversations import Conversations
from chat.store.entries import Author, record
from chat.store.errors import NotAllowed, TooMany, Unknown
from chat.store.keys import Keys, room_cid
from chat.store.link.redis import Redis
from chat.store.members import MemberLists, as_user
from chat.store.scripts import load
from chat.store.standing import is_open

__all__ = ["Rooms"]


class Rooms:
    """Membership, topics, redaction, and the public list.

    All methods raise StoreUnavailable and FateUnknown.

    :param clock: IReactorTime.
    """

    def __init__(self, clock: Any, redis: Redis, keys: Keys, conversations: Conversations) -> None:
        self._redis = redis
        self._keys = keys
        self._conversations = conversations
        self._lists = MemberLists(clock, redis, keys)

    async def join(
        self,
        author: Author,
        room: str,
        topic: str,
        most: int,
        private: bool = False,
        session: str = "",
    ) -> None:
        """Make a user a member of a room; being one already is fine. All sessions of the user are
        told.

        :param room: canonical, with ``#``; made when it does not exist, with ``topic``.
        :param most: rooms a user may be in, 0 for no limit.
        :param private: one that is made is for those who are invited.
        :param session: the one that asked for it, or empty.
        :raises TooMany: that many already.
        :raises Unknown: it is private, and the user is not invited.
        :raises NotAllowed: the user is banned from it.
        """
        cid, name = room_cid(room), self._keys
        entry = record(author.does("join"), author.user_id)
        keys = [name.generation(), name.meta(cid), name.log(cid), name.members(cid), name.rooms()]
        keys += [name.marks(author.user_id), name.invited(author.user_id)]
        keys.append(name.conversations(author.user_id))
        args: list[bytes | int] = [
            cid.encode(), room[1:].encode(), author.user_id, author.name.encode(), topic.encode(),
            entry, name.audience(cid)[0], 1 if private else 0, most,
            name.user_channel(author.user_id), payload(Event("joined", cid, session=session)),
        ]  # fmt: skip
        _raise_for(await self._redis.script(load("join"), keys, args), room)

    async def leave(self, author: Author, room: str, session: str = "") -> None:
        """End a membership; all sessions of the user are told.

        :param session: the one that asked for it, or empty.
        :raises Unknown: there is no such room.
        :raises NotAllowed: the user is no member.
        """
        cid, name = room_cid(room), self._keys
        entry = record(author.does("leave"), author.user_id)
        keys = [name.generation(), name.meta(cid), name.log(cid), name.members(cid), name.rooms()]
        keys.append(name.conversations(author.user_id))
        args: list[bytes | int] = [
            room[1:].encode(), author.user_id, entry, name.audience(cid)[0], cid.encode(),
            name.user_channel(author.user_id), payload(Event("left", cid, session=session)),
        ]  # fmt: skip
        _raise_for(await self._redis.script(load("leave"), keys, args), room)

    async def set_topic(self, author: Author, cid: str, topic: str) -> None:
        """Set a room's topic, as its owner or a moderator.

        :raises Unknown: there is no such room.
        :raises NotAllowed: the user may not.
        """
        await self._act(author, cid, "topic", topic, author.does("topic", topic))

    async def redact(self, author: Author, cid: str, seq: int) -> None:
        """Take a message's text away: one's own, or that of somebody of a lower rank in the room.

        :raises Unknown: there is no such conversation, or no such entry any more.
        :raises NotAllowed: the user may not.
        """
        await self._act(author, cid, "redact", str(seq), author.does("redact", target=seq))

    async def _act(self, author: Author, cid: str, kind: str, value: str, middle: bytes) -> None:
        name = self._keys
        keys = [name.generation(), name.meta(cid), name.log(cid)]
        keys += [name.members(cid), name.apart(cid)]
        keys += [name.user(author.user_id), name.audit(), name.audit_of_rooms()]
        args: list[bytes | int] = [
            kind.encode(), author.user_id, value.encode(), is_open(cid),
            record(middle, author.user_id), *name.audience(cid),
            cid.encode(), author.name.encode(), name.account_start(),
        ]  # fmt: skip
        _raise_for(await self._redis.script(load("act"), keys, args), cid)

    async def members(
        self, user_id: int, cid: str, after: int, limit: int
    ) -> tuple[list[User], bool]:
        """A page of a room's members above the user id ``after``; more?

        :raises Unknown: there is no such room.
        :raises NotAllowed: the user is no member.
        """
        if not await self._redis.call("HEXISTS", self._keys.members(cid), user_id):
            (position,) = await self._conversations.positions(user_id, [cid])
            raise Unknown(cid) if position is None or position.private else NotAllowed(cid)
        return await self._lists.page(cid, after, limit)

    async def strangers(self, cid: str, user_ids: Sequence[int]) -> list[int]:
        """Those of ``user_ids`` who are no members of a room."""
        if not user_ids:
            return []
        found = await self._redis.call("HMGET", self._keys.members(cid), *user_ids)
        return [who for who, member in zip(user_ids, found, strict=True) if member is None]

    async def roles(self, cid: str, user_ids: Sequence[int]) -> list[str]:
        """The role that each has in a room, empty for who has none."""
        if not user_ids:
            return []
        found = await self._redis.call("HMGET", self._keys.members(cid), *user_ids)
        return [as_user(0, member).role if member else "" for member in found]

    async def listed(self, after: str, limit: int) -> tuple[list[Room], bool]:
        """A page of the public rooms after the name ``after``; more?"""
        low = "(" + after.removeprefix("#") if after else "-"
        listed = await self._redis.call(
            "ZRANGEBYLEX", self._keys.rooms(), low, "+", "LIMIT", 0, limit + 1
        )
        names = ["#" + raw.decode() for raw in listed[:limit]]
        keys = []
        for room in names:
            keys += [self._keys.meta(room_cid(room)), self._keys.members(room_cid(room))]
        said = await self._redis.script(load("rooms"), keys, []) if keys else []
        rooms = [Room(room, said[2 * i].decode(), said[2 * i + 1]) for i, room in enumerate(names)]
        return rooms, len(listed) > limit


def _raise_for(code: int, what: str) -> None:
    if code == 403:
        raise NotAllowed(what)
    if code == 404:
        raise Unknown(what)
    if code == 429:
        raise TooMany(what)
