"""What the server sees of the store: values, errors, and one small protocol for each concern."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from chat.messages import Session, User

__all__ = [
    "Account",
    "Accounts",
    "Disproved",
    "FateUnknown",
    "Limits",
    "NameTaken",
    "NotAllowed",
    "NotInvited",
    "NothingToDo",
    "Presence",
    "StoreError",
    "StoreUnavailable",
    "TooMany",
    "Unknown",
]


class StoreError(Exception):
    """Something about the store kept a request from being served."""


class StoreUnavailable(StoreError):
    """The request never reached the store, or the store refused to write: nothing happened (503).

    :ivar retry_after: seconds after which it may be worth trying again.
    """

    def __init__(self, text: str = "", retry_after: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class FateUnknown(StoreError):
    """The request was sent and never answered: it may have happened (504)."""


class Unknown(StoreError):
    """No such user, conversation or device (404)."""


class Disproved(StoreError):
    """The password or the token by which somebody was let in has ended since: it is judged anew."""


class NotAllowed(StoreError):
    """The user may not do that here (403)."""


class NotInvited(StoreError):
    """The invitation to register is unknown, used up or over (506)."""


class NothingToDo(StoreError):
    """What is to be changed is not there: no member, no ban, no such invitation (404)."""


class NameTaken(StoreError):
    """The user id or the user name belongs to somebody (505)."""


class TooMany(StoreError):
    """A limit on a number of things is reached (429).

    :ivar retry_after: seconds until it may work, 0 when waiting does not help.
    """

    def __init__(self, text: str = "", retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Account(Struct, frozen=True):
    """One user as the store knows them. ``password`` is a PHC string; times in ms since 1970."""

    user_id: int
    name: str
    password: str
    sex: str = ""
    created: int = 0
    last_seen: int = 0


class Accounts(Protocol):
    """Users, their devices and their tokens. Every method raises StoreUnavailable, FateUnknown."""

    async def register(
        self, user_id: int, name: str, password: str, sex: str, invitation: str = ""
    ) -> int:
        """Make an account; ``user_id`` 0 picks the next free id, an empty ``name`` the fallback.

        :param password: a PHC string.
        :param invitation: the code that this uses, if it takes one.
        :returns: the user id.
        :raises NameTaken: the id or the canonical name belongs to somebody.
        :raises NotInvited: nobody may register with that code.
        """

    async def find(self, who: int | str) -> Account:
        """By id or by name (any spelling with the same canonical form).

        :raises Unknown: nobody.
        """

    async def names(self, user_ids: Sequence[int]) -> Mapping[int, str]:
        """The names of those of ``user_ids`` that exist."""

    async def set_password(
        self, user_id: int, password: str, keep_device: str | None, old: str = ""
    ) -> bool:
        """Store a new PHC string; with ``keep_device`` all tokens but that device's end.

        With None no token is touched: the same password under new hashing costs.

        :param old: the PHC string that must still be there; empty for any.
        :returns: False when it is another one by now, and nothing was stored.
        """

    async def add_device(self, user_id: int, device: str, digest: bytes, most: int) -> None:
        """Remember a device and its token (its SHA-256), which replaces the device's older one.

        :param most: devices that are remembered, those in use last; 0 for all.
        """

    async def resume(self, digest: bytes) -> tuple[Account, str, Mapping[str, str]]:
        """Who a token belongs to, its device, and the user's sessions; its life starts anew.

        :raises Unknown: no such token, or it has ended.
        """

    async def devices(self, user_id: int) -> Sequence[Session]:
        """The user's devices; ``online`` is left False for the caller to fill."""

    async def seen(self, user_id: int, device: str) -> None:
        """The device was in use just now (sets its and the user's ``lastSeen``)."""

    async def revoke(self, user_id: int, device: str) -> None:
        """End a device's token and forget the device.

        :raises Unknown: the user has no such device.
        """

    async def revoke_all(self, user_id: int) -> None:
        """End every token of a user and forget the devices."""


class Presence(Protocol):
    """Who is online, kept alive by one lease per server."""

    @property
    def lag(self) -> float:
        """Seconds since this server last told the store that it lives, and who is here."""

    async def start(self) -> None:
        """Take the lease and begin to renew it; clean up after servers that died."""

    async def stop(self) -> None:
        """Give back the lease with all its sessions, while the store still answers."""

    def name_of(self, session: str) -> str:
        """What a session of this server is called on all of them."""

    async def set_status(self, user: User, session: str, status: int) -> None:
        """A session became online (0) or busy (2); the user's best status is what others see."""

    async def leave(self, user: User, session: str) -> None:
        """The session is gone; the user goes offline with the last one, on any server."""

    async def online(self, after: int, limit: int) -> tuple[Sequence[User], int, bool]:
        """A page of the users online above id ``after``, ordered by id; how many in all; more?"""

    async def online_ids(self, limit: int) -> tuple[Sequence[int], int]:
        """The ids of at most ``limit`` users online, lowest first; how many there are in all."""

    async def statuses(self, user_ids: Sequence[int]) -> Mapping[int, int]:
        """The status of each of ``user_ids`` (1 for who is offline)."""

    async def sessions(self, user_id: int) -> Mapping[str, str]:
        """The devices of the user's sessions, on any server, by what ``name_of`` calls them."""

    async def online_devices(self, user_id: int) -> frozenset[str]:
        """The devices on which the user has a session, on any server."""

    def watch(self, changed: Callable[[User], None]) -> None:
        """Call ``changed`` for every change of anybody that is published."""


class Limits(Protocol):
    """Budgets that hold across all servers."""

    async def spend(self, purpose: str, who: str, most: int, seconds: float) -> None:
        """Take one from the budget of ``most`` in ``seconds`` that ``who`` has for ``purpose``.

        ``most`` 0 means no limit.

        :raises TooMany: it is used up; ``retry_after`` says for how long.
        """

    async def refund(self, purpose: str, who: str) -> None:
        """Give one back: the attempt turned out to be none that counts."""
