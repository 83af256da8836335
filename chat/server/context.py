"""What every session has access to: the options, the store, the registry of who is here."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chat.server.delivery.fanout import FanOut
from chat.server.delivery.marks import Marks
from chat.server.delivery.presence import PresenceView
from chat.server.delivery.registry import Registry
from chat.server.delivery.writes import Writes
from chat.server.departures import Departures
from chat.server.guard.budgets import Budgets
from chat.server.guard.passwords import Passwords
from chat.server.phrases import Phrases
from chat.server.settings import Settings
from chat.server.watching.tally import Tally
from chat.store.accounts import Accounts
from chat.store.arriving import Arrivals
from chat.store.bus import Bus
from chat.store.conversations import Conversations
from chat.store.editing import Editing
from chat.store.guesses import Guesses
from chat.store.invitations import Invitations
from chat.store.limits import Limits
from chat.store.moderation import Moderation
from chat.store.posting import Posting
from chat.store.presence import Presence
from chat.store.rooms import Rooms

__all__ = ["Context"]


@dataclass
class Context:
    """Put together once, in ``assembly.py``.

    :ivar clock: the reactor, as IReactorTime; its seconds are no time of day.
    :ivar wall: the time of day, in seconds since 1970 UTC.
    :ivar contacts: private conversations that have been put on both users' lists not long ago.
    """

    clock: Any
    settings: Settings
    phrases: Phrases
    passwords: Passwords
    accounts: Accounts
    presence: Presence
    limits: Limits
    guesses: Guesses
    invitations: Invitations
    arrivals: Arrivals
    conversations: Conversations
    rooms: Rooms
    moderation: Moderation
    posting: Posting
    editing: Editing
    bus: Bus
    registry: Registry = field(default_factory=Registry)
    writes: Writes = field(init=False)
    fanout: FanOut = field(init=False)
    online: PresenceView = field(init=False)
    marks: Marks = field(init=False)
    budgets: Budgets = field(init=False)
    departures: Departures = field(init=False)
    contacts: dict[str, None] = field(default_factory=dict)
    wall: Callable[[], float] = time.time
    tally: Tally = field(default_factory=Tally)
    stopping: bool = False

    def __post_init__(self) -> None:
        """Make what needs the rest."""
        self.writes = Writes(self.clock, self.posting)
        self.fanout = FanOut(self)
        self.online = PresenceView(self)
        self.marks = Marks(self)
        self.budgets = Budgets(self)
        self.departures = Departures(self)

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return int(self.wall() * 1000)
