"""Folding: many quick messages, many who join and leave, or what nobody is shown, in one row."""

import bisect
from dataclasses import dataclass, field

from chat.client.conversation import Conversation
from chat.client.model import Model
from chat.client.tui.look import Look
from chat.messages import Entry

__all__ = [
    "FLOOD_FROM",
    "HIDDEN_FROM",
    "MANY_MS",
    "MOVES_FROM",
    "ONE_MS",
    "SHOWN",
    "Folded",
    "Folding",
]

FLOOD_FROM = 20
"""Messages in a row that make a flood: most of a screen of 24 rows."""

ONE_MS = 1_500
"""Between two messages of one person in a flood, at most: nobody writes a sentence as fast."""

MANY_MS = 20
"""Between two messages of different people, at most: what is said faster has left a screen of
fifty rows within a second, unread."""

SHOWN = 3
"""Messages of a flood that are shown at its beginning, to see what it is, and at its end, to see
what is being said now."""

MOVES = frozenset({"join", "leave"})
MOVES_FROM = 4
"""Comings and goings with nothing between them that are one row: three names it can say."""

HIDDEN_FROM = 3
"""Messages that were deleted, or are of those who are blocked, that are one row."""

_LEAST = {"moved": MOVES_FROM, "blocked": HIDDEN_FROM, "deleted": HIDDEN_FROM}

RUNS_KEPT = 1_000
"""Runs that are remembered; a view has fewer."""


@dataclass
class Run:
    """Messages ``first`` to ``last`` that follow each other fast, a flood when they are many; or
    those who join and leave, as long as nobody says anything; or what is not shown.

    ``sort``: which of them, as ``Folding._sort`` has it.

    Between the two no number is missing, so that a number tells where its entry is.
    """

    first: int
    last: int
    sort: str | None = None
    people: dict[int, str] = field(default_factory=dict)
    moves: set[str] = field(default_factory=set)

    def take(self, entry: Entry) -> None:
        """Lengthen it by the entry at one of its ends."""
        self.first, self.last = min(self.first, entry.seq), max(self.last, entry.seq)
        self.people[entry.user_id] = entry.user_name
        if entry.kind:
            self.moves.add(entry.kind)


@dataclass(frozen=True)
class Folded:
    """What one row stands for: the entries from index ``first`` to index ``last``."""

    first: int
    last: int
    seconds: int
    people: dict[int, str]
    """Who speaks, or moves: names by id."""

    sort: str = "said"
    """``said``, ``moved``, ``blocked`` or ``deleted``."""

    moves: frozenset[str] = frozenset()
    """How they move, ``join`` and ``leave``."""


class Folding:
    """Finds floods. Each message is judged once, and again when what is held has changed.

    :ivar active: floods are folded at all.
    """

    def __init__(self, model: Model, look: Look) -> None:
        self._model = model
        self._look = look
        self.active = True
        self._runs: list[Run] = []
        self._of: Conversation | None = None
        self._valid: tuple[object, ...] = ()
        # By index, for one drawing: each entry is asked for several times.
        self._judged: dict[int, Folded | None] = {}
        self._held = (0, 0, 0)

    def at(self, conversation: Conversation, index: int, seen: int) -> Folded | None:
        """What entry ``index`` is folded with.

        :param seen: a number above which a flood begins anew, so that what a reader who is further
            up has seen stays as it is, whatever follows.
        """
        if not self.active:
            return None
        self._forget_what_changed(conversation, seen)
        if index not in self._judged:
            self._judged[index] = self._judge(conversation, index, seen)
        return self._judged[index]

    def _judge(self, conversation: Conversation, index: int, seen: int) -> Folded | None:
        entries = conversation.entries
        run = self._run(entries, index, (conversation.divider, seen))
        here = entries[index].seq
        shown = SHOWN if run.sort == "said" else 0
        first, last = run.first + shown, run.last - shown
        least = _LEAST.get(run.sort or "", FLOOD_FROM)
        if run.last - run.first + 1 < least or not first <= here <= last:
            return None
        start, end = index - (here - first), index + (last - here)
        seconds = max(1, round((entries[end].time - entries[start].time) / 1000))
        return Folded(start, end, seconds, run.people, run.sort or "", frozenset(run.moves))

    def _forget_what_changed(self, conversation: Conversation, seen: int) -> None:
        model = self._model
        valid = (conversation.rewritten, conversation.divider, seen, model.me, model.blocked)
        same = conversation is self._of and valid == self._valid
        if not same or len(self._runs) > RUNS_KEPT:
            self._of, self._valid = conversation, valid
            self._runs.clear()
        oldest = conversation.entries[0].seq
        held = (oldest, len(conversation.entries), conversation.newest)
        if not same or held != self._held:
            self._held = held
            self._judged.clear()
            self._begin_at(oldest)

    def _begin_at(self, oldest: int) -> None:
        """Begin a run no further back than ``oldest``. In a flood the oldest messages are dropped
        ten times a second, and judging all others again would block the screen each time."""
        while self._runs and self._runs[0].last < oldest:
            del self._runs[0]
        if self._runs:
            self._runs[0].first = max(self._runs[0].first, oldest)

    def _run(self, entries: list[Entry], index: int, ends: tuple[int | None, int]) -> Run:
        """The run that entry ``index`` is in, as long as it is by now."""
        entry = entries[index]
        place = bisect.bisect_right(self._runs, entry.seq, key=lambda each: each.first)
        run = self._runs[place - 1] if place else None
        if run is not None:
            self._go_on(entries, index + run.last - entry.seq, run, 1, ends)
        if run is None or entry.seq > run.last:
            run = Run(entry.seq, entry.seq, self._sort(entry))
            run.take(entry)
            self._runs.insert(place, run)
            self._go_on(entries, index, run, 1, ends)
        self._go_on(entries, index + run.first - entry.seq, run, -1, ends)
        return run

    def _go_on(
        self, entries: list[Entry], at: int, run: Run, step: int, ends: tuple[int | None, int]
    ) -> None:
        """Lengthen ``run`` from its end at index ``at``, if it is there, by what follows now."""
        if at < 0 or entries[at].seq not in (run.first, run.last) or run.sort is None:
            return
        while 0 <= at + step < len(entries):
            end, entry = entries[at], entries[at + step]
            before, after = (end, entry) if step > 0 else (entry, end)
            if not self._follows(before, after, ends) or self._sort(entry) != run.sort:
                return
            at += step
            run.take(entry)

    def _follows(self, before: Entry, after: Entry, ends: tuple[int | None, int]) -> bool:
        """Whether both can be in one run, if they are of one sort. No run goes on below a row that
        must be seen."""
        same = before.user_id == after.user_id
        said = not (before.kind or before.deleted or before.user_id in self._model.blocked)
        # The server does not tell the time of deleted entries.
        dated_alike = bool(before.time) == bool(after.time)
        return (
            after.seq == before.seq + 1
            and before.seq not in ends
            and before.time <= after.time
            and (not said or after.time - before.time <= (ONE_MS if same else MANY_MS))
            and dated_alike
            and self._same_day(before.time, after.time)
        )

    def _sort(self, entry: Entry) -> str | None:
        """The sort of run that an entry can be in; None for one that is always shown, because it
        speaks to the reader or has a row of another kind."""
        model = self._model
        mine = entry.user_id == model.me.user_id
        if entry.deleted:
            return "deleted"
        if entry.kind:
            return "moved" if entry.kind in MOVES and not mine else None
        if entry.user_id in model.blocked:
            return "blocked"
        to_me = self._of is not None and model.speaks_to_me(self._of, entry)
        return None if mine or to_me else "said"

    def _same_day(self, before: int, after: int) -> bool:
        """Days begin with a minute, everywhere."""
        same_minute = before // 60_000 == after // 60_000
        return same_minute or self._look.when(before).date() == self._look.when(after).date()
