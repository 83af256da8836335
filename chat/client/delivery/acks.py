"""Moves the user's marks: at most one AckMes a second for each conversation."""

from collections.abc import Callable

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chat.messages import AckMes

__all__ = ["Acks"]

EVERY = 1.0
"""Seconds. The protocol asks for no more than one a second."""


class Acks:
    """Collects marks, and sends the newest ones of each conversation.

    :param tell: sends an AckMes; it is called between ``start`` and ``stop`` only.
    """

    def __init__(self, clock: IReactorTime, tell: Callable[[AckMes], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._running = False
        self._due: dict[str, AckMes] = {}
        self._last: dict[str, float] = {}
        self._timer: IDelayedCall | None = None

    def move(
        self,
        conversation: str,
        epoch: str,
        *,
        delivered: int | None = None,
        read: int | None = None,
    ) -> None:
        """Everything up to ``delivered`` has come here, everything up to ``read`` was seen."""
        mark = due = self._due.get(conversation)
        if mark is None or mark.epoch != epoch:
            mark = AckMes(conversation, epoch)
        self._due[conversation] = msgspec.structs.replace(
            mark, delivered=_later(mark.delivered, delivered), read=_later(mark.read, read)
        )
        if self._running and due is None:
            self._plan(self._ready_at(conversation))

    def forget(self, conversation: str) -> None:
        """The user is no longer in it."""
        self._due.pop(conversation, None)
        self._last.pop(conversation, None)

    def start(self) -> None:
        """There is a connection, and we are logged in on it."""
        self._running = True
        self._last.clear()
        self._plan_next()

    def stop(self) -> None:
        """The connection is gone; what is due stays."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def flush(self) -> None:
        """Send everything that is due, now."""
        for conversation in list(self._due):
            self._send(conversation)

    # Inside --------------------------------------------------------------------------------------

    def _plan(self, when: float) -> None:
        """Send no later than ``when``, and not before the reactor's next turn: marks come in
        bursts."""
        now = self._clock.seconds()
        if self._timer is None:
            self._timer = self._clock.callLater(max(0.0, when - now), self._send_ready)
        elif self._timer.getTime() > max(now, when):
            self._timer.reset(max(0.0, when - now))

    def _plan_next(self) -> None:
        if self._due:
            self._plan(min(self._ready_at(each) for each in self._due))

    def _ready_at(self, conversation: str) -> float:
        return self._last.get(conversation, float("-inf")) + EVERY

    def _send_ready(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for conversation in list(self._due):
            if self._ready_at(conversation) <= now:
                self._send(conversation)
        self._plan_next()

    def _send(self, conversation: str) -> None:
        self._last[conversation] = self._clock.seconds()
        self._tell(self._due.pop(conversation))


def _later(known: int | None, new: int | None) -> int | None:
    if known is None or new is None:
        return new if known is None else known
    return max(known, new)
