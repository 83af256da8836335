"""One entry of a conversation as rows of a given width, with what belongs above it."""

from collections.abc import Sequence
from itertools import chain, islice, repeat

from chat.client.conversation import Conversation, Fate, Notice, Pending
from chat.client.language.happenings import span
from chat.client.language.reasons import reason
from chat.client.model import Model
from chat.client.text import acted, acts, clip, fold, pad, width
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row, Run
from chat.client.tui.panes.folding import Folded
from chat.client.tui.panes.linking import marked
from chat.client.tui.telling import Telling
from chat.messages import Entry

__all__ = ["EntryRows"]

NAME_COLUMNS = 14
"""Most columns of the column of names; it takes a fifth of the pane where that is less."""

COLUMNS_FROM = 56
"""Width from which on names have a column of their own."""

CLOCK_FROM = 24
"""Width from which on each message has its time: so one sees where it begins, also in a group."""

GROUPED_MS = 5 * 60 * 1000
"""Messages of one person that follow each other faster have the name once."""

NAMED_EVERY = 10
"""In a long group the name comes again, so that it is never far above."""

NAMED = 3
"""Of those who join and leave and have one row, so many are named in it."""

ROWS_SHOWN = 200
"""Rows of one message that are drawn: nobody scrolls through more, and 16 KiB can be 16,000."""

REFUSED_SHOWN = 5
"""Rows of a message that was refused: it stays below what others say meanwhile, which is to be
seen, and comes back whole when it is taken back."""

CACHED = 3_000
"""Messages whose rows are kept."""

_FATES = {
    Fate.QUEUED: ("dim", "sending"),
    Fate.SENDING: ("dim", "sending"),
    Fate.STORED: ("dim", "stored"),
    Fate.DELIVERED: ("dim", "delivered"),
    Fate.READ: ("read", "read"),
    Fate.FAILED: ("error", "failed"),
}


class EntryRows:
    """Makes rows of entries, and keeps them while neither entry nor width changes.

    :param columns: of the pane that they are for.
    :ivar bare: without columns, rules and marks, each message as one line: for copying.
    :ivar lacking: the number of an entry that is answered and was not looked up yet, 0 for none.
    """

    def __init__(self, model: Model, look: Look, columns: int) -> None:
        self._model = model
        self._look = look
        self._telling = Telling(model, look)
        self.columns = columns
        self.bare = False
        self.lacking = 0
        self._cache: dict[int, tuple[tuple[object, ...], list[Row]]] = {}

    def own(self, conversation: Conversation, index: int, apart: bool) -> list[Row]:
        """The rows of entry ``index``.

        :param apart: something separates it from the entry before it, so it needs its author's
            name.
        """
        entry = conversation.entries[index]
        before = conversation.entries[index - 1] if index and not (apart or self.bare) else None
        grouped = before is not None and self._grouped(before, entry)
        mine = entry.user_id == self._model.me.user_id
        fate = conversation.fate(entry) if mine else None
        answered, blocked = conversation.answered(entry), self._model.blocked
        if answered is None and entry.reply < entry.seq and conversation.lacks(entry.reply):
            self.lacking = entry.reply
        hidden = (entry.user_id in blocked, answered is not None and answered.user_id in blocked)
        key = (entry, grouped, fate, hidden, answered)
        known = self._cache.get(entry.seq)
        if known is None or known[0] != key:
            if len(self._cache) > CACHED:
                self._cache.clear()
            to_me = not mine and self._model.speaks_to_me(conversation, entry)
            rows = self._entry(entry, grouped, fate, "mention" if to_me else None, answered)
            known = self._cache[entry.seq] = (key, rows)
        return known[1]

    def clear(self) -> None:
        """Another conversation or theme: drop what was kept."""
        self._cache.clear()

    # What stands between entries

    def separators(self, conversation: Conversation, index: int) -> list[Row]:
        """The rows between entry ``index`` and what is before it."""
        entry = conversation.entries[index]
        before = conversation.entries[index - 1] if index else None
        rows: list[Row] = []
        missing = conversation.gap_before(index)
        if missing:
            kept = entry.seq not in conversation.sealed
            rows.append(self._rule("dim", self._look.words("gap" if kept else "gone", n=missing)))
        if entry.time and self._seen(entry):
            moment = self._look.when(entry.time)
            # The server no longer knows the time of a deleted entry.
            above = (conversation.entries[at] for at in range(index - 1, -1, -1))
            last = next((each.time for each in above if each.time and self._seen(each)), 0)
            if not last or self._look.when(last).date() != moment.date():
                rows.append(self._rule("dim", self._look.day(moment)))
        divider = conversation.divider
        if divider is not None and entry.seq > divider:
            # Without an entry above it, this is the first unread one only if none is missing.
            below = before.seq <= divider if before else entry.seq == divider + 1
            if below:
                rows.append(self._rule("divider", self._look.words("divider")))
        return rows

    def _seen(self, entry: Entry) -> bool:
        """Whether an entry has rows of its own: an edit has none, and begins no day."""
        return not entry.kind or self._telling.instead(entry) != ""

    def _rule(self, role: str, text: str) -> Row:
        text = clip(f" {text} ", max(0, self.columns - 4))
        rule = self._look.glyphs.rule
        left = max(0, (self.columns - width(text)) // 2)
        right = max(0, self.columns - width(text) - left)
        return [("rule" if role == "dim" else role, rule * left), (role, text),
                ("rule" if role == "dim" else role, rule * right)]  # fmt: skip

    @staticmethod
    def _grouped(before: Entry, entry: Entry) -> bool:
        return (
            not (before.kind or before.deleted or entry.kind or entry.deleted)
            and before.user_id == entry.user_id
            and before.user_name == entry.user_name
            and 0 <= entry.time - before.time < GROUPED_MS
            and entry.seq % NAMED_EVERY != 0
            and not acts(entry.content)  # ``* waves`` has to say who
            and not entry.reply  # and it is never joined to the message before
        )

    def folded(self, folded: Folded, entries: Sequence[Entry]) -> list[Row]:
        """The row that stands for all of ``entries``."""
        count = folded.last - folded.first + 1
        if folded.sort != "said":
            key = "-".join([f"folded-{folded.sort}", *sorted(folded.moves)])
            who = "" if folded.sort == "deleted" else self._who(folded, entries)
            text = self._look.words(key, n=count, who=who)
            return self._system(entries[folded.first].time, text)
        (some, name), *others = folded.people.items()
        text = self._look.words(
            "folded-many" if others else "folded-one",
            n=count,
            who=self._telling.name(some, name),
            people=len(folded.people),
            time=span(self._look.words, folded.seconds),
        )
        return [[("dim", clip(f"  {self._look.glyphs.ellipsis} {text}", self.columns))]]

    def _who(self, folded: Folded, entries: Sequence[Entry]) -> str:
        """The people who moved, or are blocked; only the first of them when there are many."""
        words, people = self._look.words, len(folded.people)
        names: dict[int, str] = {}
        for entry in islice(entries, folded.first, folded.last + 1):
            names[entry.user_id] = self._telling.name(entry.user_id, entry.user_name)
            if len(names) == NAMED:
                break
        who = words("comma").join(names.values())
        if people > NAMED:
            who = words("and-more", who=who, n=people - NAMED)
        return who

    # The entry itself

    def _entry(
        self,
        entry: Entry,
        grouped: bool,
        fate: Fate | None,
        role: str | None,
        answered: Entry | None,
    ) -> list[Row]:
        instead = self._telling.instead(entry)
        if instead is not None:
            return self._system(entry.time, instead) if instead else []
        name = "" if grouped else self._telling.name(entry.user_id, entry.user_name)
        if entry.reply and self.bare:
            name = self._telling.answering(name, answered)
        edited = bool(entry.edited)
        rows = self._message(entry.content, entry.time, name, entry.user_id, fate, role, edited)
        return [*self._above(entry, answered), *rows]

    def quotes(self, entry: Entry) -> bool:
        """Whether the first row of a message tells what it answers."""
        return bool(entry.reply) and not self.bare and self._telling.instead(entry) is None

    def _above(self, entry: Entry, answered: Entry | None) -> list[Row]:
        """The row above a message that tells what it answers. It begins with a corner where no
        message has a letter, so that nobody can write what looks like a quotation."""
        if not entry.reply or self.bare:
            return []
        corner = f" {self._look.glyphs.answer} "
        before = " " * (6 + self._name_columns) if self.columns >= COLUMNS_FROM else ""
        room = max(0, self.columns - width(before + corner))
        ellipsis = self._look.glyphs.ellipsis
        name, text = self._telling.quoted(answered)
        if name:
            text = f"{clip(name, max(4, self.columns // 3), ellipsis)}: {text}"
        return [[("rule", before + corner), ("dim", clip(text, room, ellipsis))]]

    def pending(self, conversation: Conversation) -> list[list[Row]]:
        """The user's own messages that have no number yet, each drawn as it will be when it has
        one: only the mark behind it changes then."""
        me, blocks = self._model.me, []
        before = conversation.entries[-1] if conversation.entries else None
        told = any(before and notice.after >= before.seq for notice in conversation.notices)
        below: list[Pending | None] = [*conversation.pending[1:], None]
        both = zip(conversation.pending, below, strict=False)
        for seq, (each, other) in enumerate(both, conversation.newest + 1):
            time = max(each.message.written, before.time if before else 0)
            text = each.message.text
            entry = Entry(
                seq, user_id=me.user_id, user_name=me.user_name, content=text, time=time,
                reply=each.message.reply,
            )  # fmt: skip
            alone = told or self.bare or before is None
            grouped = not alone and before is not None and self._grouped(before, entry)
            name = "" if grouped else self._look.line(me.user_name)
            rows = self._message(text, each.message.written, name, me.user_id, each.fate, None)
            rows[:0] = self._above(entry, conversation.answered(entry))
            # The reason is shown once for several messages.
            same = other and (other.fate, other.error) == (each.fate, each.error)
            refused = each.fate is Fate.FAILED and not same
            blocks.append([*rows, *self._refusal(each)] if refused else rows)
            before, told = None if each.fate is Fate.FAILED else entry, False
        return blocks

    def _refusal(self, pending: Pending) -> list[Row]:
        """Why a message was not sent."""
        error = self._look.line(reason(pending.error, self._look.words))
        return self._system(0, self._look.words("failed", error=error), "error")

    def notice(self, notice: Notice) -> list[Row]:
        """The rows of what the client itself says."""
        return self._system(0, notice.text)

    def _system(self, time: int, text: str, role: str = "system") -> list[Row]:
        clock = self._clock(time) if time else " " * 5
        sign = self._look.glyphs.system
        lead = f"{clock} {sign} " if self.columns >= COLUMNS_FROM else f"{sign} "
        rows: list[Row] = []
        for line in fold(self._look.text(text), self.columns - width(lead), ROWS_SHOWN):
            rows.append([("dim", lead), (role, line)])
            lead = " " * width(lead)
        return rows

    def _clock(self, time: int) -> str:
        moment = self._look.when(time)
        return f"{moment.hour:02}:{moment.minute:02}"

    def _message(
        self,
        content: str,
        time: int,
        name: str,
        user_id: int,
        fate: Fate | None,
        role: str | None,
        edited: bool = False,
    ) -> list[Row]:
        content = acted(content)
        if self.bare:
            return self._bare(content, time, name)
        mark = self._mark(fate)
        lead, after = self._lead(time, name, user_id)
        taken, indent = (sum(width(text) for _, text in runs) for runs in (lead, after))
        room = max(1, self.columns - indent - 1 - (3 if fate else 0))
        most = REFUSED_SHOWN if fate is Fate.FAILED else ROWS_SHOWN
        lines = self._lines(content, room, taken - indent, role, most)
        if edited:
            self._say_edited(lines, room, taken - indent)
        rows: list[Row] = []
        for number, line in enumerate(lines):
            row: list[Run] = [*(lead if number == 0 else after), *line]
            if mark and number == len(lines) - 1:
                used = sum(width(text) for _, text in row)
                gap = self.columns - used - width(mark[1])
                row += [(None, " " * gap), mark] if gap > 0 else []
            rows.append(row)
        return rows

    def _lines(
        self, content: str, columns: int, taken: int, role: str | None, most: int
    ) -> list[Sequence[Run]]:
        """The text folded, and the links in it marked.

        :param taken: of the first row's columns; :param most: rows that are shown.
        """
        text = self._look.text(content)
        before = " ".rjust(taken, ".") if taken else ""
        lines = fold(before + text, columns, most)
        lines[0] = lines[0][taken:]
        if len(lines) > most:
            lines[-1] = clip(self._look.words("more-rows"), columns)
        return marked(text, lines, role) if "://" in text else [[(role, line)] for line in lines]

    def _say_edited(self, lines: list[Sequence[Run]], columns: int, taken: int) -> None:
        """Say after a text that it was edited; below it where there is no room.

        :param taken: of the first row's columns.
        """
        said = self._look.words("edited")
        used = sum(width(text) for _, text in lines[-1]) + (taken if len(lines) == 1 else 0)
        if used + width(said) <= columns:
            lines[-1] = [*lines[-1], ("dim", said)]
        else:
            lines += [[("dim", line)] for line in fold(said.strip(), columns)]

    def _bare(self, content: str, time: int, name: str) -> list[Row]:
        """One line. Where it wraps, it continues below the text and not below the time: otherwise
        someone who knows a window's width could make a line begin like another user's."""
        lead = f"{self._clock(time)} "
        text = f"{name}: {self._look.line(content)}"
        lines = fold(text, self.columns - len(lead), ROWS_SHOWN)[:ROWS_SHOWN]
        leads = chain((lead,), repeat(" " * len(lead)))
        return [[(None, before + line)] for before, line in zip(leads, lines, strict=False)]

    def _lead(self, time: int, name: str, user_id: int) -> tuple[Sequence[Run], Sequence[Run]]:
        """What is before the first row of a message, and before each of the others."""
        me = user_id == self._model.me.user_id
        colour = "own" if me else self._look.colour(user_id)
        clock = self._clock(time)
        if self.columns >= COLUMNS_FROM:
            room = self._name_columns
            shown = clip(name, room, self._look.glyphs.ellipsis)
            space = " " * (room - width(shown))
            bar = f" {self._look.glyphs.bar} "
            first: Sequence[Run] = (("dim", clock), (colour, f" {space}{shown}"), ("rule", bar))
            return first, (("rule", " " * (6 + room) + bar),)
        timed = self.columns >= CLOCK_FROM
        if not name:
            # Further in than a name, so that no line can imitate another user's message.
            return (("dim", f"{clock}   " if timed else "  "),), ((None, "  "),)
        shown = clip(name, max(4, self.columns // 3), self._look.glyphs.ellipsis)
        if timed:
            return (("dim", clock), (colour, f" {shown}"), ("dim", ": ")), ((None, "  "),)
        return ((colour, shown), ("dim", ": ")), ((None, "  "),)

    @property
    def _name_columns(self) -> int:
        """Of the column of names, where there is one."""
        return min(NAME_COLUMNS, self.columns // 5)

    def _mark(self, fate: Fate | None) -> Run | None:
        if fate is None:
            return None
        role, glyph = _FATES[fate]
        return role, pad(str(getattr(self._look.glyphs, glyph)), 2)
