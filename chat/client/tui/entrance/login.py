"""Logs in with all that belongs to an account: device, outbox, and what the cache holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred

from chat.client.delivery.outbox import Outbox, OutboxBusy
from chat.client.files.paths import DeviceSlot, Profile
from chat.messages import User

if TYPE_CHECKING:
    from chat.client.api import ChatClient
    from chat.client.files.cache import Cache, Known

__all__ = ["Entered", "Login", "NoDevice"]

MISSED = 1_000
"""Entries of one conversation that are fetched for somebody who was away, five pages; what is
older comes when it is scrolled to, or looked for."""

CACHE_NAME = "history.db"


class NoDevice(Exception):
    """All devices of this account on this machine are in use."""


@dataclass(frozen=True)
class Entered:
    """Somebody who is logged in; or who is known from the cache, and still to be logged in.

    :ivar name: as it was typed to log in.
    :ivar known: what the cache held at the start, None for nothing.
    """

    client: "ChatClient"
    name: str
    user: User
    slot: DeviceSlot
    outbox: Outbox
    cache: "Cache"
    known: "Known | None"

    def let_go(self) -> Deferred[None]:
        """Close what belongs to the account, for whoever logs in next. Fires when the cache is on
        the disk."""
        self.slot.close()
        self.outbox.close()
        return Deferred.fromCoroutine(self.cache.close())


class Login:
    """Everything between a name and a chat, for one server and one profile.

    :param ca: a PEM file with authorities to trust; None for those of the system.
    :param cached: keep messages on this machine.
    :param language: for the server's sentences.
    """

    def __init__(
        self,
        reactor: Any,
        profile: Profile,
        server: str,
        ca: Path | None,
        cached: bool,
        language: str,
    ) -> None:
        self._reactor = reactor
        self._profile = profile
        self._server = server
        self._ca = ca
        self._cached = cached
        self._language = language

    def client(self, **more: Any) -> "ChatClient":
        """A client for the server.

        :raises ValueError: the server is written wrongly.
        """
        # Imported only now: TLS and endpoints take as long as everything else before the menu.
        from chat.client.api import ChatClient

        trust = self._profile.trust(self._server, self._ca)
        return ChatClient(
            self._reactor,
            self._server,
            trust=trust,
            now=time.time,
            language=self._language,
            **more,
        )

    def has_token(self, name: str) -> bool:
        """Whether a device of this account is logged in on this machine."""
        slot = self._profile.device(self._server, name)
        if slot is None:
            return False
        slot.close()
        return bool(slot.token)

    async def reach(self) -> None:
        """See whether a server answers.

        :raises Untrusted: one answers, but does not prove that it is the right one.
        :raises NotConnected: none answers.
        :raises ValueError: the server is written wrongly.
        """
        client = self.client()
        try:
            await client.connect(timeout=0)
        finally:
            await client.close()

    async def by_password(self, name: str, password: str) -> Entered:
        """Log in as a new device.

        What the cache has is forgotten, since nobody knows what it has missed, unless another
        window keeps it up to date.

        :raises ClientError: as ``ChatClient.log_in``, after one try.
        :raises NoDevice: no device is free.
        """
        return await self._enter(name, password, False)

    async def by_token(self, name: str, at_once: bool) -> Entered:
        """Log in as the device that the server knows.

        :param at_once: return what the cache knows, if anything, and let ``finish`` log in.
        :raises ClientError, NoDevice: as ``by_password``.
        """
        return await self._enter(name, "", at_once)

    async def finish(self, entered: Entered) -> None:
        """Log in, however long that takes, if this was not done yet; and remember it.

        :raises Refused: the token has ended.
        :raises Closed: the client was closed before.
        """
        client = entered.client
        if client.user is None:
            await client.log_in(entered.name, token=entered.slot.token)
        if client.user is not None:
            entered.cache.logged_in(client.user)
        if client.token != entered.slot.token:
            entered.slot.keep(client.token)
        self._profile.remember(self._server, entered.name)

    async def _enter(self, name: str, password: str, at_once: bool) -> Entered:
        slot = self._profile.device(self._server, name)
        if slot is None:
            raise NoDevice
        undo: list[Callable[[], Any]] = [slot.close]
        try:
            cache, known = await self._cache(name, bool(password) and not slot.shares())
            undo.insert(0, cache.close)
            outbox = _outbox(self._profile.account(self._server, name))
            undo.insert(0, outbox.close)
            client = self.client(
                device=slot.device,
                outbox=outbox,
                positions=known.positions if known else None,
                fill_limit=MISSED,
            )
            undo.insert(0, client.close)
            cache.follow(client)
            user = known.user if known and at_once else None
            if user is None:
                # A password that was typed is checked, even if there is a token.
                token = "" if password else slot.token
                user = await client.log_in(name, password, token, timeout=0)
        except BaseException:
            for step in undo:
                await maybeDeferred(step)
            raise
        return Entered(client, name, user, slot, outbox, cache, known)

    async def _cache(self, name: str, fresh: bool) -> "tuple[Cache, Known | None]":
        # Imported only now: SQLite takes its time, and the first screen does not need it.
        from chat.client.files.cache import Cache, in_thread

        directory = self._profile.cache / self._profile.account(self._server, name).name
        cache = Cache(self._reactor, directory / CACHE_NAME, in_thread(self._reactor))
        if not self._cached:
            await cache.erase()
            return cache, None
        if fresh:
            await cache.begin()
            return cache, None
        return cache, await cache.open()


def _outbox(directory: Path) -> Outbox:
    """The account's outbox; one in memory while another program has that open."""
    try:
        return Outbox(directory / "outbox")
    except OutboxBusy:
        return Outbox()
