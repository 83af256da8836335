"""Wrong passwords, on all servers: who has to wait before the next one, longer each time."""

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
    """How many wrong passwords cost no waiting; 0 for any number.

    :ivar pair: on one account from one address.
    :ivar address: from one address, on all accounts; five minutes give all of them back.
    :ivar account: on one account, from all addresses; five minutes give all of them back.
    """

    pair: int
    address: int
    account: int


class Guesses:
    """Counts before a password is looked at: many tries at once are no way around it.

    A stranger cannot lock anybody out. What is wrong from elsewhere never stops an address from
    which the account was logged in well within 90 days, nor the first try of any other; a token is
    not asked about at all.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def attempt(self, who: int | str, address: str, allowed: Allowances) -> None:
        """A password for ``who`` is about to be looked at; it counts until it was ``right``, or not
        looked at (``take_back``).

        :param who: the user id, or for somebody who does not exist the name that was asked for.
        :raises TooMany: not yet; ``retry_after`` says for how many seconds.
        """
        arguments: list[Word] = [allowed.pair, allowed.address, allowed.account]
        arguments += [int(each * 1000) for each in (PERIOD, LONGEST_WAIT, KEPT)]
        wait = await self._redis.script(
            load("guess_try"), self._around(who, address), [*arguments, address]
        )
        if wait:
            raise TooMany("too many wrong passwords", retry_after=wait / 1000)

    async def right(self, user_id: int, address: str) -> None:
        """The password that was looked at was right."""
        arguments: list[Word] = [address, int(KNOWN_SECONDS * 1000), KNOWN]
        await self._redis.script(load("guess_right"), self._around(user_id, address), arguments)

    async def take_back(self, who: int | str, address: str) -> None:
        """The password was not looked at after all, since too many waited."""
        await self._redis.script(load("guess_back"), self._around(who, address)[:3])

    def _around(self, who: int | str, address: str) -> list[bytes]:
        """The keys of both scripts; names of nobody are kept as digests, they may be anything."""
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
