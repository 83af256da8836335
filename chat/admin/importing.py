"""Accounts of the original server: read from its Redis, checked, and created here.

It keeps a hash ``users``: the id as text, and JSON like ``{"userId":100,"userPwd":"secret",
"userName":"daiyu","userStatus":0,"sex":""}``, the password as it was typed. Nothing is ever
written there.
"""

import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from twisted.internet.defer import Deferred

from chat.admin.desk import Desk, Stop, opened, why
from chat.client.cli.secret import first_line
from chat.names import MAX_USER_ID, BadName, canonical_user_name, fallback_user_name, user_name
from chat.server.guard.passwords import Passwords
from chat.store.errors import NameTaken, StoreError
from chat.store.link.address import Address, with_password
from chat.store.link.redis import Redis
from chat.store.together import all_of

__all__ = ["run"]

USERS: Final = "users"
PIECE: Final = 500
AT_ONCE: Final = 64
"""Accounts that are hashed together, on all cores: 23 ms of one for each."""

HALF: Final = re.compile("[\ud800-\udfff]")

SHORT: Final = 6
"""Characters below which a password is reported: it is kept, its owner should change it."""


@dataclass(frozen=True)
class Found:
    """An account of the source as it will be here, and what there is to say about it.

    :ivar user_id: 0 when it can't be imported.
    """

    user_id: int
    name: str
    password: str
    sex: str
    remarks: tuple[str, ...]


async def run(desk: Desk) -> None:
    """Look at all accounts of the source and, with ``--apply``, make them here."""
    password = _password(desk)
    try:
        source = desk.options.source
        address = Address.parse(with_password(source, password) if password else source)
    except ValueError as error:
        raise Stop(str(error)) from None
    passwords = desk.passwords(os.cpu_count() or 1)
    passwords.start()
    counts = {"found": 0, "made": 0, "there": 0, "renamed": 0, "refused": 0}
    try:
        async with opened(desk.reactor, address, desk.words) as source:
            names: set[str] = set()
            fields = await _all(source, desk.options.hash)
            for start in range(0, len(fields), AT_ONCE):
                piece = fields[start : start + AT_ONCE]
                taken = await _take(desk, passwords, [judge(*each, names) for each in piece], names)
                for (field, _), (outcome, found) in zip(piece, taken, strict=True):
                    counts["found"] += 1
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


def _password(desk: Desk) -> str:
    """The source's, where it stands in a file: on a command line everybody could read it.

    :raises Stop: it can't be read.
    """
    file = desk.options.source_password_file
    try:
        return first_line(file.read_bytes()) if file else ""
    except (OSError, ValueError) as error:
        raise Stop(desk.words("no-password", reason=why(error))) from None


async def _all(source: Redis, key: str) -> list[tuple[str, bytes]]:
    """Every field of the source's hash, ordered by id: of two accounts with one name the lower id
    gets it."""
    cursor, found = b"0", {}
    while True:
        cursor, flat = await source.call("HSCAN", key, cursor, "COUNT", PIECE)
        for field, value in zip(flat[::2], flat[1::2], strict=True):
            found[field.decode(errors="replace")] = value
        if cursor == b"0":
            return sorted(found.items(), key=lambda item: (len(item[0]), item[0]))


def judge(field: str, value: bytes, names: set[str]) -> Found:
    """How an account of the source would look here.

    :param names: the canonical names that are taken already; this one's is added.
    """
    user_id = int(field) if field.isascii() and field.isdigit() and len(field) <= 16 else 0
    try:
        kept: Any = json.loads(value)
    except (ValueError, RecursionError):  # thousands of brackets, one inside the other
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
    """A text of the source, with U+FFFD for half of a surrogate pair, as Go reads it."""
    return HALF.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else ""


async def _take(
    desk: Desk, passwords: Passwords, piece: Sequence[Found], names: set[str]
) -> list[tuple[str, Found]]:
    """Make some accounts, or find out whether they could be made.

    :returns: what came of each.
    """
    settled = [await _settle(desk, found, names) for found in piece]
    if not desk.options.apply:
        return settled
    # An empty password must not let anybody in.
    hashing = [
        Deferred.fromCoroutine(passwords.hash(found.password or secrets.token_urlsafe(32)))
        for outcome, found in settled
        if outcome == "made"
    ]
    hashes = iter(await all_of(hashing))
    return [
        await _make(desk, found, next(hashes)) if outcome == "made" else (outcome, found)
        for outcome, found in settled
    ]


async def _settle(desk: Desk, found: Found, names: set[str]) -> tuple[str, Found]:
    """What would come of an account, considering those that exist here."""
    if not found.user_id:
        return "refused", found
    keys, redis = desk.keys, desk.redis
    if await redis.call("EXISTS", keys.user(found.user_id)):
        return "there", replace(found, remarks=())
    if await redis.call("EXISTS", keys.name(canonical_user_name(found.name))):
        remarks = tuple(each for each in found.remarks if each != "renamed")
        name = fallback_user_name(found.user_id)
        names.add(canonical_user_name(name))
        found = replace(found, name=name, remarks=(*remarks, "renamed"))
    if await redis.call("EXISTS", keys.name(canonical_user_name(found.name))):
        return "refused", replace(found, remarks=(*found.remarks, "name-taken"))
    return "made", found


async def _make(desk: Desk, found: Found, phc: str) -> tuple[str, Found]:
    try:
        await desk.accounts.register(found.user_id, found.name, phc, found.sex)
    except NameTaken:
        return "refused", replace(found, remarks=(*found.remarks, "name-taken"))
    await desk.conversations.start_marks(found.user_id)
    return "made", found


def _report(desk: Desk, field: str, found: Found, outcome: str) -> None:
    remarks = found.remarks
    said = "; ".join(desk.words(f"import-{each}", name=found.name) for each in remarks)
    value = {"field": field, "userName": found.name, "outcome": outcome, "remarks": list(remarks)}
    desk.show(value, f"{field}: {desk.words('import-' + outcome)}{said and '; ' + said}")
