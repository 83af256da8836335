"""Coming and going: registration, login, devices, passwords."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chat import messages, names
from chat.names import BadName
from chat.server import attendance
from chat.server.attendance import Identity
from chat.server.guard.common_passwords import check_not_common
from chat.server.guard.passwords import Busy
from chat.server.paging import fit
from chat.server.requests.refusals import Refused
from chat.store.accounts import Account
from chat.store.bus import Event, payload
from chat.store.errors import Disproved, NameTaken, NotAllowed, StoreError, TooMany, Unknown
from chat.store.guesses import Allowances

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["change_password", "log_in", "log_out", "register", "revoke", "sessions"]

DEVICE_LIMIT: Final = 64
"""Characters of a device's name (protocol, Accounts, devices, tokens)."""

SEX_LIMIT: Final = 64
"""Characters of an account's ``sex``: kept, and read at each look at that user."""

REMEMBERED: Final = 100
"""Most devices of a user that have a token, ten times as many as may be online. A program that
gives no device is a new one at each login; to remember all of those would slow every login down."""

HASHED: Final = 5
"""Further requests for which one counts that hashes a password, which takes 23 ms of CPU time."""

TOKEN_BYTES: Final = 32
HOUR: Final = 3600.0


async def register(session: "Session", message: messages.RegisterMes) -> messages.RegisterResMes:
    """Make an account."""
    session.speaks(message.version, message.language)
    context, user = session.context, message.user
    name = _check_account(session, message)
    try:
        most = context.settings.registrations_per_address
        await context.limits.spend("register", session.origin, most, HOUR)
    except TooMany as error:
        raise Refused(506, "too-many-registrations", error.retry_after) from None
    invitation = await _invitation(session, message)
    try:
        await _check_free(session, user.user_id, name)
        password = await context.passwords.hash(user.user_pwd, session)
        user_id = await context.accounts.register(
            user.user_id, name, password, user.sex, invitation
        )
    except (NameTaken, Busy):
        await context.limits.refund("register", session.origin)
        raise
    # After a 503 the client would ask again, and the name would be taken.
    with suppress(StoreError):
        await context.conversations.start_marks(user_id)
    return messages.RegisterResMes(200, "", user_id, invitation=False)


def _check_account(session: "Session", message: messages.RegisterMes) -> str:
    """The name of an account, empty for one of the server's choice.

    :raises Refused: 506, nobody may have such an account here.
    """
    settings, user = session.context.settings, message.user
    try:
        name = names.user_name(user.user_name, settings.name_limit) if user.user_name else ""
        _check_new_password(session, user.user_pwd, name)
    except BadName as error:
        raise Refused(506, str(error)) from None
    least = 0 if message.version >= 2 else 1
    if not least <= user.user_id <= names.MAX_USER_ID:
        raise Refused(506, "user-id")
    if len(user.sex) > SEX_LIMIT:
        raise Refused(506, "sex")
    if settings.registration == "closed":
        raise Refused(506, "registration-closed")
    return name


async def _check_free(session: "Session", *whom: int | str) -> None:
    """Refuse an id or a name that is taken before the password is hashed, which is expensive; such
    an attempt does not use up the budget. Who takes it meanwhile is noticed when the account is
    made.

    :param whom: an id and a name, 0 and empty for any.
    :raises NameTaken: one of them belongs to somebody.
    """
    for who in whom:
        if not who:
            continue
        with suppress(Unknown):
            await session.context.accounts.find(who)
            raise NameTaken("id" if isinstance(who, int) else "name")


async def _invitation(session: "Session", message: messages.RegisterMes) -> str:
    """The code that a registration uses up, empty where it needs none.

    :raises Refused: 506, it needs one, and nobody may register with this one.
    """
    if session.context.settings.registration != "invitation":
        return ""
    if not message.invitation.strip():
        raise Refused(506, "invitation-needed")
    if not await session.context.invitations.holds(message.invitation):
        raise Refused(506, "not-invited")
    return message.invitation


async def log_in(session: "Session", message: messages.LoginMes, request_id: str | None) -> None:
    """Let a client in; the reply is sent on the way, before anything that it must precede."""
    if session.user is not None:
        raise Refused(505, "already-logged-in")
    session.speaks(message.version, message.language)
    if len(message.device) > DEVICE_LIMIT:
        raise Refused(505, "device-name")
    while True:
        identity = await _identify(session, message)
        try:
            await attendance.enter(session, identity, request_id)
        except NotAllowed:
            raise Refused(505, "suspended") from None
        except TooMany:
            raise Refused(429, "too-many-devices") from None
        except Disproved:
            continue  # The password was changed meanwhile: check against the new one.
        return


async def _identify(session: "Session", message: messages.LoginMes) -> Identity:
    if message.token and session.dialect.is_current:
        return await _resume(session, message.token)
    account = await _check_password(session, message)
    if not session.dialect.is_current:
        return Identity(account)
    device = message.device or "device-" + secrets.token_hex(4)
    online = await session.context.presence.sessions(account.user_id)
    _check_devices(session, device, online)
    token, digest = await _new_token(session, account.user_id, device)
    await session.context.accounts.seen(account.user_id, device)
    return Identity(account, device, token, digest)


async def _new_token(session: "Session", user_id: int, device: str) -> tuple[str, bytes]:
    """Let a device in from now on by a token, and by no older one: it, and what is stored of it."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    digest = sha256(token.encode()).digest()
    await session.context.accounts.add_device(user_id, device, digest, REMEMBERED)
    return token, digest


async def _resume(session: "Session", token: str) -> Identity:
    """Whose token it is. Nobody is counted for a wrong one: 256 bits are not found by trying."""
    context, digest = session.context, sha256(token.encode()).digest()
    try:
        account, device, online = await context.accounts.resume(digest)
    except Unknown:
        raise Refused(403, "token-ended") from None
    _check_devices(session, device, online)
    return Identity(account, device, token, digest)


def _check_devices(session: "Session", device: str, online: Mapping[str, str]) -> None:
    """Let nobody be online on one device more than may be.

    :param online: the devices of the user's sessions.
    :raises Refused: this is none of them, and there are as many as may be.
    """
    devices, most = set(online.values()), session.context.settings.devices
    if most and device not in devices and len(devices) >= most:
        raise Refused(429, "too-many-devices")


async def _check_password(session: "Session", message: messages.LoginMes) -> Account:
    context = session.context
    who: int | str = message.user_id or message.user_name
    try:
        account = await context.accounts.find(who)
    except Unknown:
        nobody = who if isinstance(who, int) else names.canonical_user_name(who)
        await _fits(session, nobody, message.user_pwd, context.passwords.decoy)
        raise Refused(500, "no-such-user") from None
    await _prove(session, account, message.user_pwd)
    if context.passwords.needs_rehash(account.password):
        renewed = await context.passwords.hash(message.user_pwd, session)
        old = account.password
        if await context.accounts.set_password(account.user_id, renewed, None, old):
            return replace(account, password=renewed)
    return account


async def _prove(session: "Session", account: Account, password: str) -> None:
    """Let nobody go on but who knows an account's password."""
    if not await _fits(session, account.user_id, password, account.password):
        raise Refused(403, "wrong-password")
    await session.context.guesses.right(account.user_id, session.origin)


async def _fits(session: "Session", who: int | str, password: str, phc: str) -> bool:
    """Whether ``phc`` was made of ``password``, which counts as a guess if it was looked at."""
    await _attempt(session, who)
    try:
        return await session.context.passwords.verify(password, phc, session)
    except Busy:
        await session.context.guesses.take_back(who, session.origin)
        raise


async def _attempt(session: "Session", who: int | str) -> None:
    context, settings = session.context, session.context.settings
    allowed = Allowances(
        settings.logins_per_account, settings.logins_per_address, settings.logins_in_all
    )
    try:
        await context.guesses.attempt(who, session.origin, allowed)
    except TooMany as error:
        raise Refused(429, "too-many-logins", error.retry_after) from None


def _check_new_password(session: "Session", password: str, user_name: str) -> None:
    """:raises BadName: it is not good enough."""
    settings = session.context.settings
    names.check_password(password, settings.password_shortest, settings.password_longest)
    if settings.refuse_common_passwords:
        check_not_common(password, user_name)


async def log_out(session: "Session", message: messages.LogoutMes) -> messages.LogoutResMes:
    """End the token of this device, or of all, then the connection."""
    if message.everywhere:
        told = payload(Event("ended", session=session.key, reason="logged-out"))
        await session.context.accounts.revoke_all(session.user_id, told)
    else:
        await _forget(session, session.device)
    return messages.LogoutResMes()


async def _forget(session: "Session", device: str, told: bytes = b"") -> None:
    try:
        await session.context.accounts.revoke(session.user_id, device, told)
    except Unknown:
        raise Refused(404, "no-such-device") from None


async def change_password(
    session: "Session", message: messages.PasswordMes
) -> messages.PasswordResMes:
    """Change the password; every other session and every other token ends."""
    context = session.context
    account = await context.accounts.find(session.user_id)
    _check_new_password(session, message.new_pwd, account.name)
    session.rates.charge(HASHED)
    await _prove(session, account, message.user_pwd)
    session.rates.charge(HASHED)
    password = await context.passwords.hash(message.new_pwd, session)
    told = payload(Event("ended", session=session.key, reason="password-changed"))
    if not await context.accounts.set_password(
        account.user_id, password, "", account.password, told
    ):
        raise Refused(403, "wrong-password")  # by now
    token = ""
    # After a 503 the client would ask again, and the old password would be wrong.
    with suppress(StoreError):
        token, _ = await _new_token(session, account.user_id, session.device)
    return messages.PasswordResMes(token=token)


async def sessions(session: "Session", message: messages.SessionsMes) -> messages.SessionsResMes:
    """List one's own devices."""
    context = session.context
    online = await context.presence.online_devices(session.user_id)
    devices = await context.accounts.devices(session.user_id)
    listed = [
        messages.Session(each.device, each.since, each.last_seen, each.device in online)
        for each in devices
    ]
    kept, _ = fit(listed, context.settings.frame_limit)
    return messages.SessionsResMes(sessions=kept)


async def revoke(session: "Session", message: messages.RevokeMes) -> messages.RevokeResMes:
    """End a device's token and its session."""
    told = payload(Event("ended", device=message.device, reason="logged-out"))
    await _forget(session, message.device, told)
    return messages.RevokeResMes()
