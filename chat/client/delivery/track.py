"""How far one conversation was handed out, and what is missing: in order, without gaps, once."""

from dataclasses import dataclass

import msgspec

from chat.client.events import (
    EpochChanged,
    GapFilled,
    GapSkipped,
    MessageArrived,
    Position,
)
from chat.messages import Entry, HistoryResMes

__all__ = ["PAGE", "Step", "Track", "Wish"]

HOLD_LIMIT = 1000
"""Entries that are kept above a hole. What comes beyond that is fetched when the hole is closed."""

PAGE = 200
"""Entries in one page of history, the most the server gives."""

FRUITLESS = 3
"""Replies without entries that must exist, after which these are given up."""

PAST_EPOCHS = 16

Step = MessageArrived | GapFilled | GapSkipped | EpochChanged


@dataclass(frozen=True)
class Wish:
    """A hole: the entries above ``after`` and below ``before`` (0 for no bound) are missing.

    :ivar upto: the last number that is known to exist.
    :ivar again: it was asked for in vain before.
    """

    epoch: str
    after: int
    before: int
    upto: int
    again: bool


class Track:
    """How far one device is in one conversation.

    Each method returns what is to be done now, in order: entries to hand out, and what to report
    about holes and epochs.

    :param position: hand out what is above it; None to hold everything until ``start``.
    :param fill_limit: of a larger hole only so many entries, the newest, are fetched; None for all.
    """

    def __init__(
        self,
        conversation: str,
        position: Position | None = None,
        fill_limit: int | None = None,
    ) -> None:
        self.conversation = conversation
        self.at = position.seq if position else None
        self.epoch = position.epoch if position else ""
        self.epoch_first = 0
        self.user_id = 0
        """Whose entries are ``mine``."""
        self._fill_limit = fill_limit
        self._top = 0
        self._held: dict[int, Entry] = {}
        self._foreign: dict[str, int] = {}
        self._past: dict[str, int] = {}
        """Epochs that are over, and the first number of each that does not hold any more."""
        self._fruitless = 0
        self._gap_first = 0

    @property
    def position(self) -> Position | None:
        """What to keep for the next start of this device."""
        return None if self.at is None else Position(self.epoch, self.at)

    @property
    def lowest_held(self) -> int | None:
        """The lowest number that waits to be handed out."""
        return min(self._held, default=None)

    # What happens --------------------------------------------------------------------------------

    def start(self, at: int) -> list[Step]:
        """Hand out what is above ``at``, a number of the current epoch."""
        self.at = at
        self._held = {seq: entry for seq, entry in self._held.items() if seq > at}
        return self._drain(live=True)

    def learn(self, epoch: str, epoch_first: int, seq: int = 0) -> list[Step]:
        """The server has said where the conversation stands.

        An epoch that is new here does not count before the server was asked: ``epoch_first`` speaks
        to those who had the epoch before it, and this device may have missed several epochs.

        :param seq: the newest number, 0 when it was not said.
        """
        if epoch in self._past:
            return []
        steps: list[Step] = []
        if epoch not in ("", self.epoch):
            if self.epoch and self.at is not None:
                self._foreign[epoch] = max(self._foreign.get(epoch, 0), seq)
                return []
            steps = self._renew(epoch, epoch_first)
        self.epoch_first = epoch_first or self.epoch_first
        self._top = max(self._top, seq)
        return steps

    def push(self, entry: Entry) -> list[Step]:
        """A new entry came, pushed or as the reply to one's own message."""
        if entry.seq >= self._past.get(entry.epoch, entry.seq + 1):
            return []
        known = entry.epoch in ("", self.epoch) or entry.epoch in self._past or not self.epoch
        if not known and entry.seq >= self.epoch_first:
            # The epoch's first number is not known: ask before anything is handed out.
            self._foreign[entry.epoch] = max(self._foreign.get(entry.epoch, 0), entry.seq)
            return []
        self.epoch = self.epoch or entry.epoch
        self._top = max(self._top, entry.seq)
        if self.at is not None and entry.seq <= self.at:
            return []
        if len(self._held) < HOLD_LIMIT or entry.seq - 1 == self.at:
            self._held[entry.seq] = entry
        return self._drain(live=True)

    def page(self, reply: HistoryResMes, wish: Wish) -> list[Step]:
        """The server has answered a wish. Entries that its page leaves out no longer exist."""
        if self.at is None or reply.epoch in self._past:
            return []
        if reply.epoch not in ("", self.epoch):
            return self._renew(reply.epoch, reply.epoch_first)
        self._foreign.clear()
        if wish.epoch != self.epoch:
            return []
        steps: list[Step] = []
        if reply.first > self.at + 1:
            steps += self._skip_to(reply.first - 1, kept=False)
        for entry in reply.messages:
            if entry.seq > self.at:
                steps += self._skip_to(entry.seq - 1, kept=False)
                steps.append(self._hand_out(entry, live=False))
        self._judge(wish)
        if self._fruitless >= FRUITLESS:
            steps += self._skip_to(wish.upto, kept=False)
            self._fruitless = 0
        steps += self._gap_closed()
        return steps + self._drain(live=True)

    def next_wish(self) -> tuple[list[Step], Wish | None]:
        """What has to be done first, and what to fetch then; None when nothing is missing."""
        if self.at is None:
            return [], None
        if self._foreign:
            return [], Wish(self.epoch, self.at, 0, self.at, False)
        if self._top <= self.at:
            return [], None
        before = self.lowest_held or 0
        upto = before - 1 if before else self._top
        steps: list[Step] = []
        if self._fill_limit is not None and upto - self.at > self._fill_limit:
            steps = self._skip_to(upto - self._fill_limit, kept=True) + self._drain(live=True)
        if self.at >= upto:
            further, wish = self.next_wish()
            return steps + further, wish
        self._gap_first = self._gap_first or self.at + 1
        return steps, Wish(self.epoch, self.at, before, upto, self._fruitless > 0)

    # Inside --------------------------------------------------------------------------------------

    def _renew(self, epoch: str, epoch_first: int) -> list[Step]:
        """Begin a new epoch: what is below its first number stays, the rest has never been."""
        old = self.epoch
        self.epoch, self.epoch_first = epoch, epoch_first
        self._top = self._foreign.pop(epoch, 0)
        self._foreign.clear()
        self._fruitless = self._gap_first = 0
        self._held = {
            seq: entry
            for seq, entry in self._held.items()
            if seq < epoch_first or entry.epoch == epoch
        }
        self._top = max([self._top, *self._held])
        if not old:
            return []
        past = list(self._past.items())[1 - PAST_EPOCHS :]
        self._past = {each: min(first, epoch_first) for each, first in [*past, (old, epoch_first)]}
        if self.at is not None and self.at >= epoch_first:
            self.at = max(0, epoch_first - 1)
        changed: list[Step] = [EpochChanged(self.conversation, epoch, epoch_first)]
        return changed + self._drain(live=True)

    def _hand_out(self, entry: Entry, live: bool) -> MessageArrived:
        self.at = entry.seq
        self._held.pop(entry.seq, None)
        if not entry.conversation:
            entry = msgspec.structs.replace(entry, conversation=self.conversation)
        mine = bool(entry.user_id) and entry.user_id == self.user_id
        return MessageArrived(entry, mine, live)

    def _drain(self, live: bool) -> list[Step]:
        steps: list[Step] = []
        while self.at is not None and (entry := self._held.pop(self.at + 1, None)) is not None:
            steps.append(self._hand_out(entry, live))
        return steps

    def _skip_to(self, last: int, kept: bool) -> list[Step]:
        """Go on above ``last``: hand out what is held below it, and report what is missing."""
        assert self.at is not None
        steps: list[Step] = []
        for seq in sorted(seq for seq in self._held if self.at < seq <= last):
            steps += self._skip(seq - 1, kept)
            steps.append(self._hand_out(self._held[seq], live=True))
        return steps + self._skip(last, kept)

    def _skip(self, last: int, kept: bool) -> list[Step]:
        assert self.at is not None
        if last <= self.at:
            return []
        first, self.at = self.at + 1, last
        if self._gap_first:
            self._gap_first = last + 1
        return [GapSkipped(self.conversation, first, last, kept)]

    def _judge(self, wish: Wish) -> None:
        """Count answers that led nowhere, where there must be something. That there is more counts
        for nothing by itself: a server might say so for ever."""
        assert self.at is not None
        if self.at > wish.after or self.at >= wish.upto:
            self._fruitless = 0
        else:
            self._fruitless += 1

    def _gap_closed(self) -> list[Step]:
        closed = self.at is not None and self.at + 1 >= (self.lowest_held or self._top + 1)
        first, last = self._gap_first, self.at or 0
        if not closed or not first:
            return []
        self._gap_first = 0
        return [GapFilled(self.conversation, first, last)] if last >= first else []
