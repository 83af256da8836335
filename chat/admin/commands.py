"""What each subcommand of ``chatroom admin`` does, one function each."""

import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from chat.admin import data, importing
from chat.admin.desk import OPERATOR, Desk, Stop, why
from chat.client.cli.secret import first_line
from chat.client.language.durations import read_duration, write_duration
from chat.messages import User
from chat.moderation import ON_PEOPLE
from chat.names import LINE_LIMIT, BadName, check_password, is_line
from chat.server.phrases import Phrases
from chat.store.errors import NotAllowed, NothingToDo, Unknown
from chat.store.invitations import INVITATION_LIFE, Invitation
from chat.store.keys import LOBBY_CID, cid_name
from chat.store.moderation import LONGEST_SECONDS, SLOWEST_SECONDS, TIMED

__all__ = ["COMMANDS"]

LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""What nobody mistakes for another one when it is read out."""

LENGTH: Final = 16
"""79 bits."""

NUMBERS: Final = ("by", "target", "seconds", "seq", "sender")
"""What the audit log and reports have as numbers, as all other commands print them."""


# People ----------------------------------------------------------------------------------------


async def users(desk: Desk) -> None:
    """List accounts, all or those whose name has a text in it."""
    wanted = desk.options.text.casefold()
    rows: dict[int, dict[str, Any]] = {}
    async for page in desk.administration.users():
        rows.update(
            {each["userId"]: each for each in page if wanted in each["userName"].casefold()}
        )
    if desk.options.online:
        rows = {who: row for who, row in rows.items() if row["online"]}
    shown = [_timed(rows[who], desk.options.json) for who in sorted(rows)]
    columns = ("userId", "userName", "online", "lastSeen", "admin", "suspended")
    limit = desk.options.limit or len(shown)
    desk.table(shown[:limit], columns)
    if not desk.options.json and (left := len(shown) - limit) > 0:
        print(desk.words("more-users", count=left), file=desk.errors)


async def sessions(desk: Desk) -> None:
    """List somebody's devices."""
    user = await desk.user(desk.options.user)
    online = await desk.presence.online_devices(user.user_id)
    rows = [
        _timed(
            {
                "userId": user.user_id, "device": each.device, "since": each.since,
                "lastSeen": each.last_seen, "online": each.device in online,
            },
            desk.options.json,
        )
        for each in await desk.accounts.devices(user.user_id)
    ]  # fmt: skip
    desk.table(rows, ("device", "since", "lastSeen", "online"))


async def logout(desk: Desk) -> None:
    """End one session, or all sessions of a user."""
    user = await desk.user(desk.options.user)
    try:
        if desk.options.device == "":  # most likely a script's variable: do not end all of them
            raise Unknown("no such device")
        await desk.administration.end_sessions(user.user_id, desk.options.device or "")
    except Unknown:
        raise Stop(desk.words("no-such-device", device=desk.options.device)) from None
    desk.done("logged-out", user=user.user_name)


async def suspend(desk: Desk) -> None:
    """Let nobody log in as a user, for a time or for ever."""
    user = await desk.user(desk.options.user)
    reason = _line(desk, desk.options.reason)
    await desk.administration.suspend(user.user_id, _seconds(desk), reason)
    desk.done("suspended", user=user.user_name)


async def reinstate(desk: Desk) -> None:
    """End a suspension."""
    user = await desk.user(desk.options.user)
    await desk.administration.reinstate(user.user_id)
    desk.done("reinstated", user=user.user_name)


async def appoint(desk: Desk) -> None:
    """Make a user an administrator, who may act in every room."""
    user = await desk.user(desk.options.user)
    await desk.administration.appoint(user.user_id)
    desk.done("appointed", user=user.user_name)


async def dismiss(desk: Desk) -> None:
    """Make an administrator an ordinary user again."""
    user = await desk.user(desk.options.user)
    await desk.administration.appoint(user.user_id, False)
    desk.done("dismissed", user=user.user_name)


async def password(desk: Desk) -> None:
    """Give a user another password, and end all their sessions."""
    user = await desk.user(desk.options.user)
    file = desk.options.password_file
    chosen = _made_password() if file is None else _password_from(desk, file)
    passwords = desk.passwords()
    passwords.start()
    try:
        phc = await passwords.hash(chosen)
    finally:
        await passwords.stop()
    await desk.administration.reset_password(user.user_id, phc)
    if file is None:
        desk.show(
            {"userId": user.user_id, "userName": user.user_name, "userPwd": chosen},
            desk.words("password", user=user.user_name, password=chosen),
        )


def _made_password() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def _password_from(desk: Desk, file: Path) -> str:
    """The first line of a file.

    :raises Stop: it is not a possible password, or can't be read.
    """
    reason: object
    try:
        written = first_line(file.read_bytes())
        check_password(written, 1, desk.settings.password_longest)
    except BadName as error:
        reason = Phrases(desk.settings)(str(error), desk.words.language)
    except (OSError, ValueError) as error:
        reason = why(error)
    else:
        return written
    raise Stop(desk.words("no-password", reason=reason))


# Rooms -----------------------------------------------------------------------------------------


async def rooms(desk: Desk) -> None:
    """List all rooms, private ones as well."""
    rows = [_timed(each, desk.options.json) for each in await desk.administration.rooms()]
    if not desk.options.json:
        rows = [
            each | {"members": desk.words("all")} if each["members"] is None else each
            for each in rows
        ]
    desk.table(rows, ("conversation", "members", "seq", "time", "private", "slow", "topic"))


async def members(desk: Desk) -> None:
    """List the members of a room."""
    rows = [
        {"userId": each.user_id, "userName": each.user_name, "role": each.role}
        for each in await desk.administration.members(await desk.existing_room(desk.options.room))
    ]
    desk.table(rows, ("userId", "userName", "role"))


async def bans(desk: Desk) -> None:
    """List who is banned, muted or invited, in one room or in all."""
    if desk.options.room:
        cids = [await desk.existing_room(desk.options.room)]
    else:
        found = await desk.administration.conversations()
        cids = [cid for cid in found if cid.startswith("r:")]
    rows = []
    for cid in cids:
        for each in await desk.moderation.sanctions(0, cid):
            row = {
                "conversation": cid_name(cid, 0), "action": each.action, "userId": each.user_id,
                "userName": each.user_name, "until": each.until, "since": each.since,
                "by": each.by,
            }  # fmt: skip
            rows.append(_timed(row, desk.options.json))
    desk.table(rows, ("conversation", "action", "userId", "userName", "until", "since", "by"))


async def moderate(desk: Desk) -> None:
    """Act in a room as its owner could, on anybody."""
    options, cid = desk.options, desk.room(desk.options.room)
    if (options.action in ON_PEOPLE) != bool(options.user):
        raise Stop(desk.words("whom"))
    if options.time is not None and options.action not in TIMED:
        raise Stop(desk.words("no-end", action=options.action))
    bounds = (SLOWEST_SECONDS, 0) if options.action == "slow" else (LONGEST_SECONDS, 1)
    seconds = _seconds(desk, *bounds)
    reason = _line(desk, options.reason)
    target: User | None = await desk.user(options.user) if options.user else None
    try:
        await desk.moderation.act(OPERATOR, cid, options.action, target, seconds, reason)
    except Unknown:
        raise Stop(desk.words("no-such-room", room=options.room)) from None
    except NotAllowed:
        raise Stop(desk.words("not-here", action=options.action)) from None
    except NothingToDo:
        raise Stop(desk.words("nothing-to-do")) from None
    desk.done("done")


async def announce(desk: Desk) -> None:
    """Say something to everybody, in the lobby."""
    if not desk.options.text.strip():
        raise Stop(desk.words("nothing-said"))
    text = _line(desk, desk.options.text)
    # this makes the lobby, if nobody was there yet
    await desk.conversations.positions(0, [LOBBY_CID])
    await desk.moderation.act(OPERATOR, LOBBY_CID, "announce", reason=text)
    desk.done("announced")


# Invitations to register -----------------------------------------------------------------------


async def invite(desk: Desk) -> None:
    """Make a code with which so many people may register."""
    seconds = _seconds(desk) or INVITATION_LIFE
    note = _line(desk, desk.options.note)
    code, made = await desk.invitations.make(desk.options.uses, seconds, note)
    desk.show({"code": code, **_invitation(made)}, code)
    await desk.administration.note(
        "invite", 0, int(seconds), f"{made.invitation_id} {note}".strip()
    )


async def invitations(desk: Desk) -> None:
    """List the codes that have not ended. The codes themselves can't be read again."""
    rows = [
        _timed(_invitation(each), desk.options.json) for each in await desk.invitations.listed()
    ]
    desk.table(rows, ("id", "left", "made", "ends", "note"))


def _invitation(made: Invitation) -> dict[str, Any]:
    return {
        "id": made.invitation_id, "left": made.left, "made": made.made, "ends": made.ends,
        "note": made.note,
    }  # fmt: skip


async def withdraw(desk: Desk) -> None:
    """Let nobody register with a code any more."""
    try:
        await desk.invitations.withdraw(desk.options.id)
    except Unknown:
        raise Stop(desk.words("no-such-invitation", id=desk.options.id)) from None
    await desk.administration.note("withdraw", 0, reason=desk.options.id)
    desk.done("done")


# The server ------------------------------------------------------------------------------------


async def statistics(desk: Desk) -> None:
    """Say how much of everything there is."""
    found = await desk.administration.statistics()
    if desk.options.json:
        desk.show(found, "")
        return
    for name, value in found.items():
        print(f"{name:22}{value}", file=desk.out)


async def audit(desk: Desk) -> None:
    """List what moderators and administrators did."""
    found = await desk.administration.audit(desk.options.number)
    rows = [_timed(_placed(each), desk.options.json) for each in found]
    columns = ("time", "by", "name", "action", "conversation", "target", "seconds", "reason")
    desk.table(rows, columns)


async def reports(desk: Desk) -> None:
    """List what users have reported, or close one of the reports."""
    if desk.options.close:
        try:
            await desk.administration.close_report(desk.options.close)
        except Unknown:
            raise Stop(desk.words("no-such-report", id=desk.options.close)) from None
        desk.done("done")
        return
    found = await desk.administration.reports()
    rows = [_timed(_placed(each), desk.options.json) for each in found]
    if desk.options.json:
        rows = [data.with_entry(each) for each in rows]
    desk.table(rows, ("id", "time", "name", "conversation", "seq", "sender", "reason", "entry"))


# -----------------------------------------------------------------------------------------------


def _seconds(desk: Desk, most: int = LONGEST_SECONDS, least: int = 1) -> int:
    """The time of ``--for`` in seconds, 0 without it.

    :raises Stop: it is not a time; it is above the limit that moderators have, on which clients
        rely; or it is 0, which would mean without end.
    """
    written = desk.options.time
    if written is None:
        return 0
    seconds = read_duration(written)
    if seconds is None or seconds < least:
        raise Stop(desk.words("no-duration", text=written or "''"))
    if seconds > most:
        raise Stop(desk.words("long-duration", text=written, most=write_duration(most)))
    return seconds


def _line(desk: Desk, text: str) -> str:
    """A text that people are shown, if they could have written it themselves.

    :raises Stop: it is not one line, which no client expects; or it is larger than a frame.
    """
    if not is_line(text):
        raise Stop(desk.words("no-line", most=LINE_LIMIT))
    return text


def _placed(row: dict[str, Any]) -> dict[str, Any]:
    """A line of the audit log with the conversation's usual name, and with numbers for what the
    stream keeps as text. 0 means nobody, or no time."""
    cid = row["conversation"]
    numbers: dict[str, Any] = {key: int(row[key] or 0) for key in NUMBERS if key in row}
    return {**row, **numbers, "conversation": cid_name(cid, numbers["by"]) if cid else ""}


def _timed(row: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Times for people, as dates by this machine's clock. Programs get milliseconds."""
    if as_json:
        return row
    shown = dict(row)
    for name in ("time", "since", "until", "lastSeen", "created", "made", "ends"):
        if name in shown:
            moment = time.localtime(shown[name] / 1000)
            shown[name] = time.strftime("%Y-%m-%d %H:%M", moment) if shown[name] else "-"
    return shown


COMMANDS: Final[dict[str, Callable[[Desk], Awaitable[None]]]] = {
    "users": users,
    "sessions": sessions,
    "logout": logout,
    "suspend": suspend,
    "reinstate": reinstate,
    "appoint": appoint,
    "dismiss": dismiss,
    "password": password,
    "rooms": rooms,
    "members": members,
    "bans": bans,
    "moderate": moderate,
    "announce": announce,
    "invite": invite,
    "invitations": invitations,
    "withdraw": withdraw,
    "statistics": statistics,
    "audit": audit,
    "reports": reports,
    "export": data.export,
    "delete": data.delete,
    "import": importing.run,
    "backup": data.backup,
}
"""All commands but ``restore``, which is for a server that does not run."""
