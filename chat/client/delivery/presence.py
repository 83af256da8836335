"""Presence: whom a client watches, its own status, and both said again after each login."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from chat.client.events import Event, PresenceChanged
from chat.client.network.asker import Asker
from chat.messages import (
    BUSY,
    OFFLINE,
    ONLINE,
    OnlineMes,
    OnlineResMes,
    PresenceMes,
    StatusMes,
    StatusResMes,
    User,
    WatchMes,
    WatchResMes,
)

__all__ = ["Presence"]


class Presence:
    """What one user wants to know of others' presence, and shows of their own.

    :param emit: called with each change.
    :ivar scope: ``all`` or ``watched``, as the server said last.
    """

    def __init__(self, asker: Asker, emit: Callable[[Event], None]) -> None:
        self.scope = "all"
        self._asker = asker
        self._emit = emit
        self._watched: tuple[int, ...] = ()
        self._busy = False
        self._pagings: list[dict[int, User]] = []

    def told(self, message: PresenceMes) -> None:
        """The server tells of changes."""
        self.scope = message.scope
        for changes in self._pagings:
            changes.update((user.user_id, user) for user in message.users)
        self._emit(PresenceChanged(message.users, message.scope, message.reset))

    def renewals(self) -> Iterator[Awaitable[object]]:
        """The requests to make after a login: the server does not remember what was asked of it."""
        if self._watched:
            yield self.watch(self._watched)
        if self._busy:
            yield self.set_status(True)

    async def online(self, enough: int) -> list[User]:
        """See ``ChatClient.online``."""
        with self._changes_meanwhile() as changes:
            listed: list[User] = await self._asker.every(
                lambda last: OnlineMes(last.user_id if last else 0),
                OnlineResMes,
                lambda page: (page.users, page.more),
                enough,
            )
        found = {user.user_id: user for user in listed} | changes
        here = (user for user in found.values() if user.user_status != OFFLINE)
        return sorted(here, key=lambda user: user.user_id)

    @contextmanager
    def _changes_meanwhile(self) -> Iterator[dict[int, User]]:
        """The users whose presence changes inside the block, by id."""
        changes: dict[int, User] = {}
        self._pagings.append(changes)
        try:
            yield changes
        finally:
            self._pagings = [each for each in self._pagings if each is not changes]

    async def watch(self, users: Sequence[int]) -> list[User]:
        """See ``ChatClient.watch``."""
        self._watched = tuple(users)
        reply = await self._asker.ask(WatchMes(self._watched), WatchResMes)
        return list(reply.users)

    async def set_status(self, busy: bool) -> None:
        """See ``ChatClient.set_status``."""
        self._busy = busy
        await self._asker.ask(StatusMes(BUSY if busy else ONLINE), StatusResMes)
