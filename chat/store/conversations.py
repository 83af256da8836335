"""Conversations: where they stand, their history, who is in them, and how far each user is."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from twisted.logger import Logger

from chat.messages import Conversation
from chat.store.entries import Page, logged
from chat.store.errors import NotAllowed, Unknown
from chat.store.keys import LOBBY_CID, Keys, cid_name, private_cid
from chat.store.link.redis import Redis, Word
from chat.store.scripts import load
from chat.store.standing import Position, describe, is_member, is_open, mark_numbers, position_of

__all__ = ["Conversations", "Mark"]

_log = Logger()

TOUCHED_AT_ONCE: Final = 200
"""Conversations in one call: half a millisecond, in which the store does nothing else."""


@dataclass(slots=True)
class Mark:
    """How far a user is in a conversation, to be written. ``session`` is the one that said so."""

    epoch: str
    epoch_first: int
    delivered: int
    read: int
    session: str = ""


class Conversations:
    """Everything about conversations that is not on the way of every message.

    All methods raise StoreUnavailable and FateUnknown.

    :param names: finds the names of users by id.
    :param retention: entries a conversation keeps, and for how many ms; 0 for no limit.
    :param lobby: whether everybody is in the lobby, or it is in nobody's list.
    :ivar in_all_lists: the ids of conversations that everybody is in.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        names: Callable[[Sequence[int]], Awaitable[Mapping[int, str]]],
        retention: tuple[int, int] = (0, 0),
        lobby: bool = True,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._names = names
        self._retention = retention
        self.in_all_lists = [LOBBY_CID] if lobby else []

    async def generation_after(self, seen: int) -> str:
        """The store's generation. It is raised first, unless it has been raised since its count was
        ``seen``.

        The count of a store that has no generation is 0.
        """
        args: list[Word] = [secrets.token_hex(3), seen]
        answer = await self._redis.script(load("generation"), [self._keys.generation()], args)
        return str(answer, "ascii")

    # Where they stand ------------------------------------------------------------------------

    async def ids(self, user_id: int, after: str = "", limit: int = 100) -> tuple[list[str], bool]:
        """The ids of a user's conversations, newest first, the lobby before all; and whether there
        are more."""
        marked, more = await self._marked(user_id, after, limit)
        return [cid for cid, _ in marked], more

    async def rooms_of(self, user_id: int) -> list[str]:
        """The ids of the rooms on a user's list, the lobby first."""
        listed = await self._redis.call("ZRANGEBYSCORE", self._keys.conversations(user_id), 0, 0)
        return [*self.in_all_lists, *(raw.decode() for raw in listed if raw.startswith(b"r:"))]

    async def moved_since(self, user_id: int, moment: int) -> list[str]:
        """At least those private conversations of a user in which something was said since
        ``moment`` (ms).

        Others may be among them. Those announced by ``contact`` since then always are.
        """
        key = self._keys.conversations(user_id)
        listed = await self._redis.call("ZRANGEBYSCORE", key, moment, "+inf")
        return [raw.decode() for raw in listed]

    async def page(
        self, user_id: int, after: str = "", limit: int = 100
    ) -> tuple[dict[str, Conversation], bool]:
        """A page of a user's conversations by their ids, as the user sees them.

        :param after: a conversation id, or empty for the first page.
        """
        marked, more = await self._marked(user_id, after, limit)
        return await self._described(user_id, dict(marked)), more

    async def one(self, user_id: int, cid: str) -> Conversation:
        """One conversation as a member sees it.

        :raises Unknown: there is none.
        :raises NotAllowed: the user is no member.
        """
        mark = await self._redis.call("HGET", self._keys.marks(user_id), cid)
        found = await self._described(user_id, {cid: mark or b""})
        if cid not in found:
            (position,) = await self.positions(user_id, [cid])
            raise Unknown(cid) if position is None or position.private else NotAllowed(cid)
        return found[cid]

    async def _marked(
        self, user_id: int, after: str, limit: int
    ) -> tuple[list[tuple[str, bytes]], bool]:
        keys = [self._keys.conversations(user_id), self._keys.marks(user_id)]
        start = "" if after == LOBBY_CID else after
        first = "" if after == LOBBY_CID else " ".join(self.in_all_lists)
        arguments: list[Word] = [start.encode(), limit, first.encode()]
        more, *rest = await self._redis.script(load("conversations"), keys, arguments)
        pairs = [(rest[i].decode(), rest[i + 1]) for i in range(0, len(rest), 2)]
        return pairs, bool(more)

    async def _described(self, user_id: int, marks: Mapping[str, bytes]) -> dict[str, Conversation]:
        cids = list(marks)
        positions = await self.positions(user_id, cids, newest=True)
        partners = {cid: _partner(cid, user_id) for cid in cids}
        wanted = [partner for partner in partners.values() if partner]
        names = await self._names(wanted) if wanted else {}
        described = {}
        for cid, position in zip(cids, positions, strict=True):
            if position is None or not is_member(cid, position):
                continue
            name = names.get(partners[cid], "")
            described[cid] = describe(cid, user_id, position, marks[cid], name)
        return described

    async def positions(
        self, user_id: int, cids: Sequence[str], newest: bool = False
    ) -> list[Position | None]:
        """Where each of ``cids`` stands; None for one that does not exist.

        :param newest: fill ``last`` as well.
        """
        if not cids:
            return []
        keys = [self._keys.generation()]
        args: list[bytes | int] = [user_id, 1 if newest else 0]
        for cid in cids:
            keys += [self._keys.meta(cid), self._keys.log(cid), self._keys.members(cid)]
            args.append(1 if cid == LOBBY_CID else 0)
        answers = await self._redis.script(load("positions"), keys, args)
        return [position_of(answer, user_id) if answer else None for answer in answers]

    # History ---------------------------------------------------------------------------------

    async def history(
        self,
        user_id: int,
        cid: str,
        *,
        after: int | None = None,
        before: int = 0,
        limit: int = 50,
        epoch: str = "",
        most_bytes: int = 0,
    ) -> Page:
        """A page between two exclusive bounds: the oldest above ``after``, else the newest.

        :param before: 0 for no upper bound.
        :param most_bytes: of what the log keeps, after which the page ends; 0 for any number.
        :param epoch: the one the bounds are from, or empty; another one gets no entries.
        :raises Unknown: there is no such conversation.
        :raises NotAllowed: the user is no member.
        """
        # Nothing is below number 1, and 0 for an upper bound is none.
        limit = 0 if before == 1 else limit
        args: list[Word] = [
            user_id, is_open(cid), (after or 0) + 1, before - 1 if before else 0, limit,
            int(after is None), epoch, *self._retention, most_bytes,
        ]  # fmt: skip
        return _page(cid, await self._logged(cid, args), after, before)

    async def read(self, cid: str, *, after: int, limit: int = 200) -> Page:
        """The oldest entries above ``after``, for the server itself.

        :raises Unknown: there is no such conversation.
        """
        args: list[Word] = [0, 1, after + 1, 0, limit, 0, "", *self._retention, 0]
        return _page(cid, await self._logged(cid, args), after, 0)

    async def _logged(self, cid: str, args: list[Word]) -> Sequence[Any]:
        name = self._keys
        keys = [name.generation(), name.meta(cid), name.log(cid)]
        keys += [name.members(cid), name.apart(cid)]
        answer: Sequence[Any] | int = await self._redis.script(load("history"), keys, args)
        if isinstance(answer, int):
            raise NotAllowed(cid) if answer == -403 else Unknown(cid)
        return answer

    async def now(self) -> int:
        """Milliseconds since 1970 by the clock by which entries are dated."""
        return await self._redis.now()

    async def seek(self, cid: str, moment: int) -> int:
        """The highest number in ``cid`` whose entry is older than ``moment`` (ms since 1970)."""
        keys = [self._keys.meta(cid), self._keys.log(cid), self._keys.apart(cid)]
        return int(await self._redis.script(load("seek"), keys, [moment]))

    # Marks -----------------------------------------------------------------------------------

    async def start_marks(self, user_id: int) -> None:
        """Let a new user begin at the end of the lobby, with nothing there to catch up on."""
        (lobby,) = await self.positions(user_id, [LOBBY_CID])
        if lobby:
            value = f"{lobby.epoch}:{lobby.seq}:{lobby.seq}"
            await self._redis.call("HSET", self._keys.marks(user_id), LOBBY_CID, value)

    async def mark(self, marks: Mapping[tuple[int, str], Mark]) -> None:
        """Move marks of users in conversations, and tell their devices and private partners.

        :param marks: by user id and conversation id.
        """
        name = self._keys
        keys: list[bytes] = []
        args: list[bytes | int] = []
        for (user_id, cid), mark in marks.items():
            keys.append(name.marks(user_id))
            args += [cid.encode(), mark.epoch.encode(), mark.epoch_first, mark.delivered, mark.read]
            args += [name.user_channel(user_id), _event("mark", cid, mark.epoch, 0, mark.session)]
            partner = _partner(cid, user_id)
            channel = name.user_channel(partner) if partner and partner != user_id else b""
            args += [channel, _event("receipt", cid, mark.epoch, user_id)]
        await self._redis.script(load("mark"), keys, args)

    async def marks_of(self, user_id: int, cid: str, page: Page) -> tuple[int, int]:
        """How far a user is in the conversation of ``page``: delivered and read, as numbers of its
        epoch."""
        mark = await self._redis.call("HGET", self._keys.marks(user_id), cid)
        return mark_numbers(mark or b"", page.epoch, page.epoch_first)

    # Belonging -------------------------------------------------------------------------------

    async def contact(self, one: int, other: int) -> str:
        """Put the private conversation of two users on both their lists, dated now.

        :returns: its id.
        """
        cid = private_cid(one, other)
        for user_id in {one, other}:
            key = self._keys.conversations(user_id)
            await self._redis.script(load("contact"), [key], [cid.encode()])
        return cid

    async def touch(self, times: Mapping[str, int]) -> None:
        """Note when private conversations last moved, in ms: by that they are ordered on their
        users' lists."""
        moved = list(times.items())
        for start in range(0, len(moved), TOUCHED_AT_ONCE):
            keys: list[bytes] = []
            args: list[Word] = []
            for cid, time in moved[start : start + TOUCHED_AT_ONCE]:
                for user_id in {int(part) for part in cid.split(":")[1:]}:
                    keys.append(self._keys.conversations(user_id))
                    args += [cid, time]
            await self._redis.script(load("touch"), keys, args)


def _partner(cid: str, user_id: int) -> int:
    """The other user of a private conversation, 0 for a room."""
    if cid.startswith("r:"):
        return 0
    return int(cid_name(cid, user_id)[1:])


def _page(cid: str, answer: Sequence[Any], after: int | None, before: int) -> Page:
    epoch, epoch_first, first, seq, flat = answer
    entries = [logged(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    for entry, kept in zip(entries, flat[1::2], strict=True):
        if kept and not entry.json:
            _log.error("Entry {seq} of {cid} can't be read", seq=entry.seq, cid=cid)
    if not entries:
        more = False
    elif after is None:
        more = entries[0].seq > first
    else:
        more = entries[-1].seq < min(seq, before - 1 if before else seq)
    return Page(epoch.decode(), epoch_first, first, seq, entries, more)


def _event(kind: str, cid: str, epoch: str, user_id: int, session: str = "") -> bytes:
    """The start of a published event; the script adds the numbers."""
    event = {"event": kind, "cid": cid, "epoch": epoch, "userId": user_id, "session": session}
    return b"J" + msgspec.json.encode(event)[:-1] + b","
