"""Wrong passwords, counted for all servers: who has to wait before the next try, and how long."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from chat.store.errors import TooMany
from chat.store.keys import Keys
from chat.store.link.redis import Redis, Word
from chat.store.scripts import load

__all__ = ["Allowances", "Guesses"]

PERIOD: Final = 300.0
"""Seconds in which what an address or an account is allowed comes back."""

LONGEST_WAIT: Final = 300.0
"""Seconds: about 23 guesses an hour at one account from one address."""

KEPT: Final = 3_600.0
"""Seconds without a wrong password after which all is forgotten."""

KNOWN: Final = 32
"""Addresses that are remembered for an account, the newest."""

KNOWN_SECONDS: Final = 90 * 86_400.0
"""As long as a token lives (protocol, Accounts, devices, tokens)."""


@dataclass(frozen=True)
class Allowances:
    """How many wrong passwords are free of any delay; 0 for any number.

    :ivar pair: for one account from one address.
    :ivar address: from one address, for all accounts together; forgiven after five minutes.
    :ivar account: for one account, from all addresses together; forgiven after five minutes.
    """

    pair: int
    address: int
    account: int


class Guesses:
    """Counts wrong passwords, before they are looked at: many tries at once do not get around it.

    A stranger cannot lock anybody out. What others do never delays an address from which the
    account was logged in successfully within 90 days, nor the first try from any other address;
    tokens are not counted at all.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def attempt(self, who: int | str, address: str, allowed: Allowances) -> None:
        """Count a password for ``who`` before it is looked at, until ``right`` or ``take_back``.

        :param who: the user id; for somebody who does not exist, the name that was asked for.
        :raises TooMany: it must not be looked at yet; ``retry_after`` says for how many seconds.
        """
        arguments: list[Word] = [allowed.pair, allowed.address, allowed.account]
        arguments += [int(each * 1000) for each in (PERIOD, LONGEST_WAIT, KEPT)]
        wait = await self._redis.script(
            load("guess_try"), self._around(who, address), [*arguments, address]
        )
        if wait:
            raise TooMany("too many wrong passwords", retry_after=wait / 1000)

    async def right(self, user_id: int, address: str) -> None:
        """The password was right: forget what was counted for it."""
        arguments: list[Word] = [address, int(KNOWN_SECONDS * 1000), KNOWN]
        await self._redis.script(load("guess_right"), self._around(user_id, address), arguments)

    async def take_back(self, who: int | str, address: str) -> None:
        """The password was not looked at after all, because too many were waiting."""
        await self._redis.script(load("guess_back"), self._around(who, address)[:3])

    def _around(self, who: int | str, address: str) -> list[bytes]:
        """The keys of both scripts. Names of users who do not exist are kept as digests, since they
        may be anything."""
        limit = self._keys.limit
        if isinstance(who, str):
            who = sha256(who.encode(errors="surrogatepass")).hexdigest()[:20]
            known = limit("guess-nobody", who)
        else:
            known = self._keys.known(who)
        return [
            limit("guess-pair", f"{who}/{address}"),
            limit("guess-address", address),
            limit("guess-account", str(who)),
            known,
        ]
