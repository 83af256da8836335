"""What one user may do on all devices together; it outlives the user's last connection."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from chat.server.guard.buckets import TokenBucket

if TYPE_CHECKING:
    from chat.server.context import Context

__all__ = ["Budget", "Budgets"]

USERS: Final = 65_536
"""Users who are remembered on one server, those who logged in last."""


class Budget:
    """What one user may still do.

    :ivar talk: messages.
    :ivar requests: all other requests.
    """

    __slots__ = ("requests", "talk")

    def __init__(self, context: "Context") -> None:
        talk, requests = context.settings.user_rates()
        self.talk = TokenBucket(*talk, context.clock.seconds)
        self.requests = TokenBucket(*requests, context.clock.seconds)


class Budgets:
    """The budgets of users who logged in lately: reconnecting does not give anybody a new one."""

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._of: OrderedDict[int, Budget] = OrderedDict()

    def of(self, user_id: int) -> Budget:
        """The budget of a user who logs in."""
        budget = self._of.get(user_id)
        if budget is None:
            budget = self._of[user_id] = Budget(self._context)
            if len(self._of) > USERS:
                self._of.popitem(last=False)
        self._of.move_to_end(user_id)
        return budget
