"""Users, their devices and their tokens, with one script for each step."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from chat.messages import Session
from chat.names import canonical_user_name, fallback_user_name
from chat.store.errors import NameTaken, NotInvited, Unknown, UnknownUser
from chat.store.invitations import digest_of
from chat.store.keys import Keys
from chat.store.link.redis import Redis, Word
from chat.store.presence import devices_of
from chat.store.scripts import load

__all__ = ["TOKEN_LIFE", "Account", "Accounts"]

TOKEN_LIFE: Final = 90 * 86_400.0
"""Seconds from its last use that a token lives (protocol, Accounts, devices, tokens)."""

PICKED_ABOVE: Final = 10_000
"""Ids that the store picks are larger; people who pick their own pick small ones."""

FIELDS: Final = ("name", "password", "sex", "created", "lastSeen")
ID_TAKEN: Final = 1
NAME_TAKEN: Final = 2
NOT_INVITED: Final = 3


class Account(Struct, frozen=True):
    """One user as the store knows them. ``password`` is a PHC string; times in ms since 1970."""

    user_id: int
    name: str
    password: str
    sex: str = ""
    created: int = 0
    last_seen: int = 0


class Accounts:
    """Accounts in the store. Every method raises StoreUnavailable and FateUnknown.

    Looking up an account by name or by token takes one step: the script learns the id on the way.
    (On a cluster these two would need a second step.)
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._life = int(TOKEN_LIFE * 1000)
        self._tokens = keys.token_start()

    # Users

    async def register(
        self, user_id: int, name: str, password: str, sex: str, invitation: str = ""
    ) -> int:
        """Make an account; ``user_id`` 0 picks the next free id, an empty ``name`` the fallback.

        :param password: a PHC string.
        :param invitation: the code that this uses, if it takes one.
        :returns: the user id.
        :raises NameTaken: the id or the canonical name belongs to somebody; the text is ``id`` or
            ``name``.
        :raises NotInvited: nobody may register with that code.
        """
        arguments = name, password, sex, invitation
        if user_id:
            taken = await self._register(user_id, *arguments)
            if taken:
                raise NameTaken("id" if taken == ID_TAKEN else "name")
            return user_id
        while True:
            picked = PICKED_ABOVE + int(await self._redis.call("INCR", self._keys.ids()))
            taken = await self._register(picked, *arguments)
            if not taken:
                return picked
            if taken == NAME_TAKEN and name:
                raise NameTaken("name")

    async def _register(
        self, user_id: int, name: str, password: str, sex: str, invitation: str
    ) -> int:
        name = name or fallback_user_name(user_id)
        keys = [self._keys.user(user_id), self._keys.name(canonical_user_name(name))]
        if invitation:
            keys.append(self._keys.invitation(digest_of(invitation)))
        arguments: list[Word] = [user_id, name, password, sex]
        taken = int(await self._redis.script(load("account_register"), keys, arguments))
        if taken == NOT_INVITED:
            raise NotInvited("nobody may register with that code")
        return taken

    async def find(self, who: int | str) -> Account:
        """By id or by name (any spelling with the same canonical form).

        :raises UnknownUser: nobody.
        """
        if isinstance(who, int):
            fields = await self._redis.call("HMGET", self._keys.user(who), *FIELDS)
            found = None if fields[0] is None else [who, *fields]
        else:
            key, start = self._keys.name(canonical_user_name(who)), self._keys.account_start()
            found = await self._redis.script(load("account_by_name"), [key], [start])
        if found is None:
            raise UnknownUser("no such user")
        return _account(found)

    async def names(self, user_ids: Sequence[int]) -> Mapping[int, str]:
        """The names of those of ``user_ids`` that exist."""
        if not user_ids:
            return {}
        keys = [self._keys.user(user_id) for user_id in user_ids]
        names = await self._redis.script(load("account_names"), keys)
        pairs = zip(user_ids, names, strict=True)
        return {user_id: name.decode() for user_id, name in pairs if name is not None}

    async def set_password(
        self,
        user_id: int,
        password: str,
        keep_device: str | None,
        old: str = "",
        told: bytes = b"",
    ) -> bool:
        """Store a new PHC string; with ``keep_device`` all tokens but that device's end.

        With None no token is touched: the same password under new hashing costs. A device whose
        token ends is forgotten.

        :param old: the PHC string that was proven, and that must still be there; empty for any.
        :param told: what the user's sessions hear of it, in the same step; nothing where empty.
        :returns: False when somebody has changed it since, and nothing was stored.
        :raises UnknownUser: no such user.
        """
        ending = "keep" if keep_device is None else "end"
        arguments: list[Word] = [password, ending, keep_device or "", self._tokens, old]
        arguments += [self._keys.user_channel(user_id), told]
        keys = [self._keys.user(user_id), self._keys.devices(user_id)]
        done = await self._redis.script(load("account_password"), keys, arguments)
        if not done:
            raise UnknownUser("no such user")
        return bool(done == 1)

    # Devices and tokens

    async def add_device(self, user_id: int, device: str, digest: bytes, most: int) -> None:
        """Remember a device and its token (its SHA-256), which replaces the device's older one.

        :param most: devices that are remembered, those in use last; 0 for all.
        """
        keys = [self._keys.devices(user_id), self._keys.token(digest)]
        arguments: list[Word] = [user_id, device, digest.hex(), most, self._life, self._tokens]
        await self._redis.script(load("device_add"), keys, arguments)

    async def resume(self, digest: bytes) -> tuple[Account, str, Mapping[str, str]]:
        """Whom a token belongs to, its device, and the user's sessions. The token's life starts
        anew.

        The account's ``last_seen`` is the one before this; the sessions are those of
        ``Presence.sessions``.

        :raises Unknown: there is no such token, or it has ended.
        """
        arguments: list[Word] = [self._keys.account_start(), self._tokens, self._life]
        keys = [self._keys.token(digest)]
        found = await self._redis.script(load("token_resume"), keys, arguments)
        if found is None:
            raise Unknown("no such token")
        sessions, device, *fields = found
        return _account(fields), device.decode(), devices_of(sessions)

    async def devices(self, user_id: int) -> Sequence[Session]:
        """The user's devices, oldest first; ``online`` is left False for the caller to fill."""
        key = self._keys.devices(user_id)
        flat = await self._redis.script(load("device_list"), [key], [self._tokens])
        listed = [
            Session(device.decode(), int(since), int(last))
            for device, since, last in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]
        return sorted(listed, key=lambda session: (session.since, session.device))

    async def seen(self, user_id: int, device: str) -> None:
        """Note that a device is in use: sets its and the user's ``lastSeen``; its token's life
        starts anew."""
        keys = [self._keys.user(user_id), self._keys.devices(user_id)]
        arguments: list[Word] = [device, self._life, self._tokens]
        await self._redis.script(load("device_seen"), keys, arguments)

    async def revoke(self, user_id: int, device: str, told: bytes = b"") -> None:
        """End a device's token and forget the device.

        :param told: what the user's sessions hear of it, in the same step; nothing where empty.
        :raises Unknown: the user has no such device.
        """
        if not await self._revoke(user_id, "one", device, told):
            raise Unknown("no such device")

    async def revoke_all(self, user_id: int, told: bytes = b"") -> None:
        """End every token of a user and forget the devices.

        :param told: as ``revoke`` has it.
        """
        await self._revoke(user_id, "all", "", told)

    async def _revoke(self, user_id: int, which: str, device: str, told: bytes) -> int:
        arguments: list[Word] = [
            which, device, self._tokens, self._keys.user_channel(user_id), told
        ]  # fmt: skip
        keys = [self._keys.devices(user_id)]
        return int(await self._redis.script(load("device_revoke"), keys, arguments))


def _account(found: Sequence[Any]) -> Account:
    """An account from its id and ``FIELDS``, as the store has them."""
    user_id, name, password, sex, created, last_seen = found
    return Account(
        int(user_id), name.decode(), password.decode(), sex.decode(), int(created), int(last_seen)
    )
