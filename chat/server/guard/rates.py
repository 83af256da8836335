"""How much one connection may send: messages, other requests, and what counts as a frame only."""

from collections.abc import Callable
from typing import Final

from chat.server.guard.buckets import TokenBucket, Window
from chat.server.guard.budgets import Budget
from chat.server.settings import Settings

__all__ = ["Rates"]

REFUSAL_SECONDS: Final = 10.0
"""The time for which ``--refusals`` says how many requests may be refused."""


class Rates:
    """The limits of one connection, and, from the login on, of its user.

    :param seconds: the time now.
    :ivar budget: what the user may do on all devices together; None before the login.
    """

    __slots__ = ("_light", "_messages", "_refusals", "_requests", "budget")

    def __init__(self, settings: Settings, seconds: Callable[[], float]) -> None:
        self.budget: Budget | None = None
        self._messages = TokenBucket(*settings.rate, seconds)
        self._requests = TokenBucket(*settings.request_rate, seconds)
        light = settings.light_rate if settings.request_rate[0] else (0, 0.0)
        self._light = TokenBucket(*light, seconds)
        self._refusals = Window(settings.refusals, REFUSAL_SECONDS, seconds)

    def message(self) -> float:
        """Take one message if it is allowed now; else the seconds until it will be. 0.0: taken."""
        wait = self._messages.take()
        if not wait and self.budget is not None:
            wait = self.budget.talk.take()
        return wait

    def request(self) -> float:
        """The same for any other request."""
        wait = self._requests.take()
        if not wait and self.budget is not None:
            wait = self.budget.requests.take()
        return wait

    def charge(self, more: int) -> None:
        """Count a request as ``more`` further ones; the next ones have to wait for that."""
        self._requests.overdraw(more)
        if self.budget is not None:
            self.budget.requests.overdraw(more)

    def light(self, count: int = 1, *, stranger: bool = False) -> float:
        """Count what is served in any case; the seconds for which nothing should be read.

        :param stranger: nobody is logged in. Then it counts like any other request: a thousand
            pings from each of very many strangers would keep the server busy for seconds.
        """
        return (self._requests if stranger else self._light).overdraw(count)

    def refusal(self) -> bool:
        """Count a refusal; whether that was one too many."""
        return self._refusals.add()
