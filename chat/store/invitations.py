"""Invitations to register: codes that a number of people may use, until they expire."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from chat.store.errors import Unknown
from chat.store.keys import Keys
from chat.store.link.redis import Redis
from chat.store.scripts import load

__all__ = ["INVITATION_LIFE", "Invitation", "Invitations", "digest_of"]

INVITATION_LIFE: Final = 7 * 86_400.0
"""Seconds that an invitation lives, unless its maker says otherwise."""

CODE_BYTES: Final = 10
"""80 bits: nobody finds one by trying, and 16 letters can be read out on the telephone."""

ID_LENGTH: Final = 10


@dataclass(frozen=True)
class Invitation:
    """An invitation, as those who made it see it. The code itself is not in the store.

    :ivar invitation_id: by which it is listed and withdrawn; it is not the code.
    :ivar left: how many people may still use it.
    :ivar note: whom it is for, as its maker wrote it.
    :ivar made, ends: in ms since 1970 UTC.
    """

    invitation_id: str
    left: int
    note: str
    made: int
    ends: int


class Invitations:
    """The invitations of a store. Every method raises StoreUnavailable and FateUnknown.

    A code is used up by ``Accounts.register``, in the step that makes the account.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def make(
        self, uses: int = 1, seconds: float = INVITATION_LIFE, note: str = ""
    ) -> tuple[str, Invitation]:
        """Make an invitation for ``uses`` people.

        :param seconds: how long it may be used.
        :returns: its code, which cannot be read again later.
        :raises ValueError: it could never be used.
        """
        if uses < 1 or seconds <= 0:
            raise ValueError("an invitation is for one person at least, and for some time")
        letters = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()
        code = "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
        digest = digest_of(code)
        keys = [self._keys.invitation(digest), self._keys.invitations()]
        made, ends = await self._redis.script(
            load("invitation_make"), keys, [digest.hex(), uses, int(seconds * 1000), note]
        )
        return code, Invitation(digest.hex()[:ID_LENGTH], uses, note, int(made), int(ends))

    async def listed(self) -> Sequence[Invitation]:
        """Those that have not ended, the newest first; used up ones have nothing ``left``."""
        found = [
            Invitation(digest.decode()[:ID_LENGTH], int(left), note.decode(), int(made), int(ends))
            for digest, left, note, made, ends in await self._all()
        ]
        return sorted(found, key=lambda each: (-each.made, each.invitation_id))

    async def withdraw(self, invitation_id: str) -> None:
        """Let nobody use an invitation any more.

        :raises Unknown: there is none of that id.
        """
        for digest, *_ in await self._all():
            if digest.decode()[:ID_LENGTH] == invitation_id:
                await self._redis.call("DEL", self._keys.invitation(bytes.fromhex(digest.decode())))
                return
        raise Unknown("no such invitation")

    async def holds(self, code: str) -> bool:
        """Whether somebody may register with ``code`` now."""
        left = await self._redis.call("HGET", self._keys.invitation(digest_of(code)), "left")
        return left is not None and int(left) > 0

    async def _all(self) -> Sequence[Sequence[bytes]]:
        start = self._keys.invitation(b"")
        flat = await self._redis.script(
            load("invitation_list"), [self._keys.invitations()], [start]
        )
        return [flat[each : each + 5] for each in range(0, len(flat), 5)]


def digest_of(code: str) -> bytes:
    """What the store knows of a code: its SHA-256, whatever way the code was written down."""
    letters = "".join(code.split()).replace("-", "").upper()
    return sha256(letters.encode(errors="surrogatepass")).digest()
