"""``--durability replicated``: what this server posted is delivered once a replica has it."""

from collections import deque

from twisted.internet.defer import Deferred, succeed

from chat.store.bus import Event, Listener
from chat.store.entries import Publication
from chat.store.posting import Posting

__all__ = ["Confirming"]


class Confirming(Listener):
    """Stands between the bus and its listener, and holds a conversation back while a replica is
    being asked to confirm one of this server's own posts in it: the sender's 200 is sent in the
    place of the push.

    Other conversations pass, and so does this one on servers that posted nothing.

    :param inner: the listener that hears it in the end.
    """

    def __init__(self, inner: Listener, posting: Posting) -> None:
        self._inner = inner
        self._posting = posting
        self._held: dict[str, deque[tuple[int, Publication]]] = {}
        self._waiters: list[Deferred[None]] = []
        posting.confirmed = self.look_again

    def published(self, user_id: int, publication: Publication) -> None:
        held = self._held.get(publication.cid)
        if held is not None:
            held.append((user_id, publication))
        elif self._waits(publication):
            self._held[publication.cid] = deque([(user_id, publication)])
        else:
            self._inner.published(user_id, publication)

    def look_again(self) -> None:
        """Posts were confirmed, or failed: pass on what need not wait any more."""
        for cid, held in list(self._held.items()):
            while held and not self._waits(held[0][1]):
                self._inner.published(*held.popleft())
            if not held:
                del self._held[cid]
        self._inner.turn_ended()
        # What is held now was published after the waiting began.
        self._let_go()

    def settled(self) -> Deferred[None]:
        """Fires when what is held back now has been passed on: a snapshot must not overtake it."""
        if not self._held:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def _let_go(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _waits(self, publication: Publication) -> bool:
        unconfirmed, server = self._posting.unconfirmed, self._posting.server
        return bool(unconfirmed) and any(
            header.server == server and header.serial in unconfirmed
            for header in publication.headers
        )

    def event(self, user_id: int, event: Event) -> None:
        self._inner.event(user_id, event)

    def turn_ended(self) -> None:
        self._inner.turn_ended()

    def lost(self, silent: float) -> None:
        self._held.clear()  # All of it is read from the log when the bus is back.
        self._inner.lost(silent)
        self._let_go()

    async def came_back(self) -> None:
        await self._inner.came_back()
