"""What administrators see of the store and do to it, beyond moderation."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeVar

from chat.messages import User
from chat.names import canonical_user_name
from chat.store.accounts import Accounts
from chat.store.bus import Event, payload
from chat.store.conversations import Conversations
from chat.store.entries import Author, LoggedEntry, record
from chat.store.errors import StoreUnavailable, Unknown
from chat.store.keys import LOBBY_CID, Keys, cid_name
from chat.store.link.connection import Answer
from chat.store.link.redis import Redis, Word
from chat.store.members import as_user
from chat.store.scanning import scan
from chat.store.scripts import load
from chat.store.together import all_of

__all__ = ["OPERATOR", "Administration"]

T = TypeVar("T")

PAGE: Final = 500
REPORT_ID: Final = re.compile(r"\d{1,19}(-\d{1,19})?", re.ASCII)
"""What the store takes as the id of an entry of a stream."""

OPERATOR: Final = Author(0, "#server")
"""Who acts: no user is called that, no name may have a ``#``."""

ACCOUNT: Final = ("name", "sex", "created", "lastSeen", "admin", "suspended")


class Administration:
    """Methods for whoever runs the server. All raise StoreUnavailable and FateUnknown.

    :ivar not_noted: why the audit log does not have what was done, empty when it has.
    """

    def __init__(
        self, redis: Redis, keys: Keys, accounts: Accounts, conversations: Conversations
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._accounts = accounts
        self._conversations = conversations
        self.not_noted = ""

    # Looking ---------------------------------------------------------------------------------

    async def users(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Every account, in pages and no order: id, name, times in ms, and what it may."""
        redis, keys = self._redis, self._keys
        async for found in scan(redis, keys.user(0)):
            ids = [int(each) for each in found]
            read = await _each(ids, lambda u: redis.call("HMGET", keys.user(u), *ACCOUNT))
            statuses = await _each(ids, lambda u: redis.call("HGET", keys.statuses(), u))
            now = await redis.now()
            answers = zip(ids, read, statuses, strict=True)
            yield [_user(who, fields, status, now) for who, fields, status in answers if fields[0]]

    async def user(self, user_id: int) -> dict[str, Any]:
        """One of them.

        :raises Unknown: there is none.
        """
        fields = await self._redis.call("HMGET", self._keys.user(user_id), *ACCOUNT)
        if fields[0] is None:
            raise Unknown("no such user")
        status = await self._redis.call("HGET", self._keys.statuses(), user_id)
        return _user(user_id, fields, status, await self._redis.now())

    async def conversations(self) -> list[str]:
        """The ids of all conversations."""
        found: set[str] = set()
        async for cids in scan(self._redis, self._keys.meta("0")):
            found.update(cids)
        return sorted(found)

    async def exists(self, cid: str) -> bool:
        """Whether anything was ever said, or done, in a conversation."""
        return bool(await self._redis.call("EXISTS", self._keys.meta(cid)))

    async def rooms(self) -> list[dict[str, Any]]:
        """All rooms, private ones as well, by name; ``members`` is None of the lobby, which
        everybody is in and nobody counts."""
        cids = [cid for cid in await self.conversations() if cid.startswith("r:")]
        fields = ("topic", "seq", "time", "rules")
        metas = await _each(cids, lambda c: self._redis.call("HMGET", self._keys.meta(c), *fields))
        sizes = await _each(cids, lambda c: self._redis.call("HLEN", self._keys.members(c)))
        found = []
        for cid, (topic, seq, time, rules), members in zip(cids, metas, sizes, strict=True):
            counted = None if cid == LOBBY_CID else members
            slow, private, _ = (rules or b"0:0:0").split(b":")
            found.append(
                {
                    "conversation": cid_name(cid, 0), "topic": (topic or b"").decode(),
                    "members": counted, "seq": int(seq), "time": int(time),
                    "private": private == b"1", "slow": int(slow) // 1000,
                }
            )  # fmt: skip
        return found

    async def members(self, cid: str) -> list[User]:
        """The members of a room, by id, with their roles."""
        flat = await self._redis.call("HGETALL", self._keys.members(cid))
        found = [as_user(int(who), each) for who, each in zip(flat[::2], flat[1::2], strict=True)]
        return sorted(found, key=lambda user: user.user_id)

    async def statistics(self) -> dict[str, Any]:
        """How much there is of everything."""
        users = suspended = 0
        async for page in self.users():
            users += len(page)
            suspended += sum(1 for each in page if each["suspended"])
        cids = await self.conversations()
        seqs = await _each(cids, lambda c: self._redis.call("HGET", self._keys.meta(c), "seq"))
        info = await self._redis.info()
        rooms = sum(1 for cid in cids if cid.startswith("r:"))
        return {
            "users": users,
            "suspended": suspended,
            "online": await self._redis.call("ZCARD", self._keys.online()),
            "servers": await self._redis.call("ZCARD", self._keys.nodes()),
            "rooms": rooms,
            "privateConversations": len(cids) - rooms,
            "entries": sum(int(seq or 0) for seq in seqs),
            "reports": await self._redis.call("XLEN", self._keys.reports()),
            "generation": (await self._redis.call("GET", self._keys.generation()) or b"").decode(),
            "storeVersion": info.get("valkey_version") or info.get("redis_version", ""),
            "storeBytes": int(info.get("used_memory", 0)),
            "storeUptimeSeconds": int(info.get("uptime_in_seconds", 0)),
        }

    async def audit(self, number: int) -> list[dict[str, Any]]:
        """What moderators and administrators did, the newest ``number`` of it, oldest first."""
        found = []
        for key in (self._keys.audit(), self._keys.audit_of_rooms()):
            found += await self._redis.call("XREVRANGE", key, "+", "-", "COUNT", number)
        newest = sorted((_fields(*entry) for entry in found), key=lambda each: each["time"])
        return newest[-number:]

    async def reports(self) -> list[dict[str, Any]]:
        """What users reported and nobody has closed, oldest first."""
        found = await self._redis.call("XRANGE", self._keys.reports(), "-", "+")
        return [_fields(*entry) for entry in found]

    # Doing -----------------------------------------------------------------------------------

    async def close_report(self, report: str) -> None:
        """A report is dealt with.

        :raises Unknown: there is none of that id.
        """
        written = REPORT_ID.fullmatch(report)
        if not written or not await self._redis.call("XDEL", self._keys.reports(), report):
            raise Unknown("no such report")
        await self.note("close-report", 0, reason=report)

    async def suspend(
        self, user_id: int, seconds: int = 0, reason: str = "", why: str = ""
    ) -> None:
        """Let nobody be this user for so long, 0 for ever; the sessions end now.

        :param why: what their users are told in place of that.
        """
        until = await self._redis.now() + seconds * 1000 if seconds else 0
        await self._redis.call(
            "HSET", self._keys.user(user_id), "suspended", f"{until}:{reason}".encode()
        )
        told = payload(Event("ended", reason="suspended", why=why))
        await self._redis.call("PUBLISH", self._keys.user_channel(user_id), told)
        await self.note("suspend", user_id, seconds, reason)

    async def reinstate(self, user_id: int) -> None:
        """The user may log in again."""
        await self._redis.call("HDEL", self._keys.user(user_id), "suspended")
        await self.note("reinstate", user_id)

    async def appoint(self, user_id: int, yes: bool = True) -> None:
        """Make a user an administrator, or one no longer."""
        if yes:
            await self._redis.call("HSET", self._keys.user(user_id), "admin", 1)
        else:
            await self._redis.call("HDEL", self._keys.user(user_id), "admin")
        await self.note("appoint" if yes else "dismiss", user_id)

    async def reset_password(self, user_id: int, password: str) -> None:
        """Store another password (a PHC string); every session and every token ends."""
        told = payload(Event("ended", reason="password-changed"))
        await self._accounts.set_password(user_id, password, "", told=told)
        await self.note("password", user_id)

    async def end_sessions(self, user_id: int, device: str = "") -> None:
        """Log one device out, or all of a user's.

        :raises Unknown: the user has no such device.
        """
        told = payload(Event("ended", device=device, reason="logged-out"))
        if device:
            await self._accounts.revoke(user_id, device, told)
        else:
            await self._accounts.revoke_all(user_id, told)
        await self.note("log-out", user_id, reason=device)

    async def note(self, action: str, user_id: int, seconds: int = 0, reason: str = "") -> None:
        """Put what was done into the audit log; where that is impossible ``not_noted`` says why.

        :param user_id: to whom, 0 for nobody.
        :param seconds: for how long, 0 for good.
        """
        fields: Sequence[str | int] = [
            "by", OPERATOR.user_id, "name", OPERATOR.name, "action", action,
            "conversation", "", "target", user_id, "seconds", seconds, "reason", reason,
        ]  # fmt: skip
        words = [word.encode() if isinstance(word, str) else word for word in fields]
        try:
            await self._redis.call("XADD", self._keys.audit(), "MAXLEN", "~", 100_000, "*", *words)
        except StoreUnavailable as error:  # It is done by now, and has freed space if anything.
            self.not_noted = str(error)

    # One user's data -------------------------------------------------------------------------

    async def written_by(self, user_id: int) -> AsyncIterator[tuple[str, LoggedEntry]]:
        """Everything that a user wrote and the store keeps, by conversation id."""
        for cid in await self.conversations():
            at, more = 0, True
            while more:
                page = await self._conversations.read(cid, after=at, limit=PAGE)
                more = page.more
                for entry in page.entries:
                    at = entry.seq
                    if entry.sender == user_id:
                        yield cid, entry

    async def belongings(self, user_id: int) -> dict[str, Any]:
        """What else is kept of a user: devices, the addresses that they logged in from with their
        password, marks, whom they blocked, who invited them."""
        keys = self._keys
        marks = _pairs(await self._redis.call("HGETALL", keys.marks(user_id)))
        names = {cid_name(cid, user_id): mark for cid, mark in marks.items()}
        known = _pairs(await self._redis.call("HGETALL", keys.known(user_id)))
        invited = _pairs(await self._redis.call("HGETALL", keys.invited(user_id)))
        return {
            "devices": [
                {"device": each.device, "since": each.since, "lastSeen": each.last_seen}
                for each in await self._accounts.devices(user_id)
            ],
            "addresses": {address: int(when) for address, when in known.items()},
            "marks": names,
            "blocked": [int(who) for who in await self._redis.call("HKEYS", keys.blocks(user_id))],
            "invitations": [cid_name(cid, 0) for cid in invited],
        }

    async def erase(self, user_id: int, by: Author) -> int:
        """Take away everything that a user wrote and was; how many entries that were.

        The id stays taken, so that nobody else is ever taken for this user, and so do the numbers
        of the entries. Rooms have to be left before.

        :param by: whose entry tells those who hold copies, one in each conversation.
        """
        name, keys = (await self.user(user_id))["userName"], self._keys
        erased = 0
        for cid in await self.conversations():
            erased += await self._erase_in(cid, user_id, by)
        for report in await self.reports():
            if str(user_id) in (report["by"], report["sender"]):
                await self._redis.call("XDEL", keys.reports(), report["id"])
        await self._accounts.revoke_all(user_id)
        its_name = keys.name(canonical_user_name(name))
        # If an earlier attempt was interrupted, the name may be somebody else's by now.
        if await self._redis.call("GET", its_name) == b"%d" % user_id:
            await self._redis.call("DEL", its_name)
        await self._redis.call(
            "DEL", keys.marks(user_id), keys.conversations(user_id), keys.blocks(user_id),
            keys.invited(user_id), keys.devices(user_id), keys.known(user_id),
        )  # fmt: skip
        await self._redis.call("HSET", keys.user(user_id), "suspended", "0:")
        gone = ("name", "password", "sex", "created", "lastSeen", "admin")
        await self._redis.call("HDEL", keys.user(user_id), *gone)
        await self.note("delete", user_id)
        return erased

    async def _erase_in(self, cid: str, user_id: int, by: Author) -> int:
        keys = self._keys
        log = [keys.meta(cid), keys.log(cid), keys.apart(cid), keys.generation()]
        telling = record(by.does("erase", target=user_id), by.user_id)
        at, erased = 1, 0
        while at:
            args: list[Word] = [user_id, at, PAGE, b"" if erased else telling, *keys.audience(cid)]
            args += [cid, keys.account_start()]
            at, count = await self._redis.script(load("erase"), log, args)
            erased += count
        return erased

    async def rooms_of(self, user_id: int) -> Sequence[str]:
        """The ids of the rooms that a user is a member of."""
        cids = [cid for cid in await self.conversations() if cid.startswith("r:")]
        is_in = await _each(
            cids, lambda cid: self._redis.call("HEXISTS", self._keys.members(cid), user_id)
        )
        return [cid for cid, yes in zip(cids, is_in, strict=True) if yes]

    async def author(self, user_id: int) -> Author:
        """A user as the author of entries.

        :raises Unknown: there is none.
        """
        return Author(user_id, (await self.user(user_id))["userName"])


async def _each(things: Sequence[T], call: Callable[[T], Answer]) -> list[Any]:
    """Ask the same about each of very many, some at a time: so many may not be under way at once.

    :raises StoreError: one of the calls failed.
    """
    answers: list[Any] = []
    for start in range(0, len(things), PAGE):
        answers += await all_of(map(call, things[start : start + PAGE]))
    return answers


def _user(
    user_id: int, fields: Sequence[bytes | None], status: bytes | None, now: int
) -> dict[str, Any]:
    name, sex, created, last_seen, admin, suspended = (each or b"" for each in fields)
    until, _, reason = suspended.partition(b":")
    if suspended and 0 < int(until) <= now:
        suspended, until, reason = b"", b"", b""
    return {
        "userId": user_id, "userName": name.decode(), "sex": sex.decode(),
        "created": int(created or 0), "lastSeen": int(last_seen or 0),
        "online": status is not None, "admin": admin == b"1", "suspended": bool(suspended),
        "suspendedUntil": int(until or 0), "reason": reason.decode(),
    }  # fmt: skip


def _fields(number: bytes, flat: Sequence[bytes]) -> dict[str, Any]:
    """An entry of a stream: its id, its time in ms, and its fields."""
    moment = int(number.partition(b"-")[0])
    return {"id": number.decode(), "time": moment, **_pairs(flat)}


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in zip(flat[::2], flat[1::2], strict=True)}
