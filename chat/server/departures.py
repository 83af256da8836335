"""Clients that have just gone: others hear of it after a grace period, and a return within it is
silent."""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from chat.messages import User
from chat.store.errors import StoreError

if TYPE_CHECKING:
    from chat.server.context import Context

__all__ = ["Departure", "Departures"]


class Departure:
    """A session whose client has gone, but which the store still has.

    :param rooms: the rooms whose channels are still held for it, as is the user's own channel.
    """

    __slots__ = ("device", "key", "rooms", "timer", "user")
    timer: IDelayedCall

    def __init__(self, user: User, device: str, key: str, rooms: Iterable[str]) -> None:
        self.user = user
        self.device = device
        self.key = key
        self.rooms = rooms


class Departures:
    """The sessions of this server whose clients have gone, by user and device.

    When everybody comes back after a moment without network, nobody is told that they were gone,
    and the store is told once for each: that a new session takes the place of the old one. The old
    one's channels stay subscribed to.
    """

    _log = Logger()

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._gone: dict[tuple[int, str], Departure] = {}

    def add(self, departure: Departure, grace: float) -> None:
        """A session's client is gone.

        :param grace: seconds until others hear of it.
        """
        place = departure.user.user_id, departure.device
        before = self._gone.get(place)
        if before is not None:  # replaced by another session of its device
            before.timer.cancel()
            self._end(place, before)
        self._gone[place] = departure
        departure.timer = self._context.clock.callLater(grace, self._end, place, departure)

    def take(self, user_id: int, device: str) -> Departure | None:
        """Take out the session of a device that has come back, so that nobody hears that it was
        gone. Call ``let_go`` once the new session holds the channels itself.

        :returns: None when there is none.
        """
        departure = self._gone.pop((user_id, device), None)
        if departure is not None:
            departure.timer.cancel()
        return departure

    def _end(self, place: tuple[int, str], departure: Departure) -> None:
        del self._gone[place]
        if self._context.stopping:
            return  # The store is told of all sessions at once.
        self.let_go(departure)
        Deferred.fromCoroutine(self._say_goodbye(departure)).addErrback(
            lambda failure: self._log.failure("saying goodbye failed", failure)
        )

    async def _say_goodbye(self, departure: Departure) -> None:
        user = departure.user
        # If the store is away, too, the login remains the last sign of the device.
        with suppress(StoreError):
            await self._context.accounts.seen(user.user_id, departure.device)
        await self._context.presence.leave(user, departure.key)

    def let_go(self, departure: Departure) -> None:
        """Release the channels that were held for a session."""
        bus = self._context.bus
        bus.release_user(departure.user.user_id)
        for cid in departure.rooms:
            bus.release_room(cid)
