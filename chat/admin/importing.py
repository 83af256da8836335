"""Accounts of the original server: read from its Redis, judged, and made here.

It keeps a hash ``users``: the id as text, and JSON like ``{"userId":100,"userPwd":"secret",
"userName":"daiyu","userStatus":0,"sex":""}``, the password as it was typed. Nothing is ever
written there.
"""

import json
import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

from chat.admin.desk import Desk, Stop, opened
from chat.names import MAX_USER_ID, BadName, canonical_user_name, fallback_user_name, user_name
from chat.server.passwords import Passwords
from chat.store.address import Address
from chat.store.interface import NameTaken, StoreError
from chat.store.redis import Redis

__all__ = ["run"]

USERS: Final = "users"
PIECE: Final = 500
SHORT: Final = 6
"""Characters below which a password is reported: it is kept, its owner should change it."""


@dataclass(frozen=True)
class Found:
    """One account of the source as it will be here, and what is to be said about it.

    :ivar user_id: 0 when there can't be an account of it.
    """

    user_id: int
    name: str
    password: str
    sex: str
    remarks: tuple[str, ...]


async def run(desk: Desk) -> None:
    """Look at all accounts of the source and, with ``--apply``, make them here."""
    try:
        address = Address.parse(desk.options.source)
    except ValueError as error:
        raise Stop(str(error)) from None
    passwords = desk.passwords()
    passwords.start()
    counts = {"found": 0, "made": 0, "there": 0, "renamed": 0, "refused": 0}
    try:
        async with opened(desk.reactor, address, desk.words) as source:
            names: set[str] = set()
            for field, value in await _all(source, desk.options.hash):
                found = judge(field, value, names)
                counts["found"] += 1
                outcome, found = await _take(desk, passwords, found)
                counts[outcome] += 1
                counts["renamed"] += "renamed" in found.remarks and outcome == "made"
                if found.remarks or outcome != "made":
                    _report(desk, field, found, outcome)
    except StoreError as error:
        raise Stop(str(error)) from None
    finally:
        await passwords.stop()
    key = "imported" if desk.options.apply else "would-import"
    desk.show({**counts, "applied": desk.options.apply}, desk.words(key, **counts))


async def _all(source: Redis, key: str) -> list[tuple[str, bytes]]:
    """Every field of the source's hash, by id: of two that want one name the lower gets it."""
    cursor, found = b"0", {}
    while True:
        cursor, flat = await source.call("HSCAN", key, cursor, "COUNT", PIECE)
        for field, value in zip(flat[::2], flat[1::2], strict=True):
            found[field.decode(errors="replace")] = value
        if cursor == b"0":
            return sorted(found.items(), key=lambda item: (len(item[0]), item[0]))


def judge(field: str, value: bytes, names: set[str]) -> Found:
    """What an account of the source can be here.

    :param names: the canonical names that are given away already; the new one is put in.
    """
    user_id = int(field) if field.isascii() and field.isdigit() and len(field) <= 16 else 0
    try:
        kept: Any = json.loads(value)
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        return Found(0, "", "", "", ("broken",))
    if not 1 <= user_id <= MAX_USER_ID:
        return Found(0, "", "", "", ("bad-id",))
    # Go matches the names of members without regard to case, the last one wins.
    members = {str(name).lower(): each for name, each in kept.items()}
    written, password, sex = (_text(members.get(key)) for key in ("username", "userpwd", "sex"))
    remarks = []
    if members.get("userid") != user_id:
        remarks.append("other-id")
    name = written
    try:
        name = user_name(written)
        if canonical_user_name(name) in names:
            raise BadName("name-taken")
    except BadName:
        name = fallback_user_name(user_id)
        remarks.append("renamed")
    names.add(canonical_user_name(name))
    if not password:
        remarks.append("no-password")
    elif len(password) < SHORT:
        remarks.append("short-password")
    return Found(user_id, name, password, sex, tuple(remarks))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


async def _take(desk: Desk, passwords: Passwords, found: Found) -> tuple[str, Found]:
    """Make one account, or see whether it could be made: what came of it, and as what."""
    if not found.user_id:
        return "refused", found
    keys, redis = desk.keys, desk.redis
    if await redis.call("EXISTS", keys.user(found.user_id)):
        return "there", replace(found, remarks=())
    if await redis.call("EXISTS", keys.name(canonical_user_name(found.name))):
        remarks = tuple(each for each in found.remarks if each != "renamed")
        name = fallback_user_name(found.user_id)
        found = replace(found, name=name, remarks=(*remarks, "renamed"))
    taken = replace(found, remarks=(*found.remarks, "name-taken"))
    if await redis.call("EXISTS", keys.name(canonical_user_name(found.name))):
        return "refused", taken
    if desk.options.apply:
        # Without a password nobody may get in by sending none.
        phc = await passwords.hash(found.password or secrets.token_urlsafe(32))
        try:
            await desk.accounts.register(found.user_id, found.name, phc, found.sex)
        except NameTaken:
            return "refused", taken
        await desk.conversations.start_marks(found.user_id)
    return "made", found


def _report(desk: Desk, field: str, found: Found, outcome: str) -> None:
    remarks = found.remarks
    said = "; ".join(desk.words(f"import-{each}", name=found.name) for each in remarks)
    value = {"field": field, "userName": found.name, "outcome": outcome, "remarks": list(remarks)}
    desk.show(value, f"{field}: {desk.words('import-' + outcome)}{said and '; ' + said}")
