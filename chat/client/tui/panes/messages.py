"""The message pane: never scrolls by itself, and says what is above and below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chat.client.conversation import Conversation
from chat.client.model import Model
from chat.client.text import clip, width
from chat.client.tui.look import Look
from chat.client.tui.panes.coming import Coming
from chat.client.tui.panes.draw import Row
from chat.client.tui.panes.entries import EntryRows
from chat.client.tui.panes.folding import SHOWN, Folded, Folding
from chat.client.tui.panes.pane import Pane
from chat.client.tui.telling import Telling

__all__ = ["MessagesPane"]

AHEAD = 20
"""Entries above and below the view that are asked for before they are needed."""

SOUGHT = 1_000
"""Messages that are fetched, beyond those one scrolls for, to find where a flood began."""


@dataclass(frozen=True)
class Anchor:
    """The last visible row while scrolled up: row ``row`` of the block of entry ``seq``.

    ``newest`` is the newest number when the reader left the end, for counting what came since.
    """

    seq: int
    row: int
    newest: int


@dataclass(frozen=True)
class Wish:
    """History that the view needs: the page below ``before``, 0 for the newest; or the page above
    ``after``, when somebody reads down to where something is missing; or only the entry
    ``answered``, to be quoted."""

    conversation: str
    before: int
    after: int = 0
    answered: int = 0


class MessagesPane(Pane):
    """The open conversation. ``wish`` is what should be fetched, judged at each drawing."""

    def __init__(self, look: Look, model: Model) -> None:
        super().__init__(look)
        self._model = model
        self._rows = EntryRows(model, look, 1)
        self._folding = Folding(model, look)
        self._sought = SOUGHT
        self._coming = Coming(model)
        self._anchor: Anchor | None = None
        self._of = ""
        self._size = (1, 1)
        self.wish: Wish | None = None

    # What others see of it

    @property
    def at_end(self) -> bool:
        """Whether the newest message is in view, and new ones will be."""
        return self._anchor is None

    def newest(self) -> None:
        """Go to the newest message and stay there."""
        self._anchor = None
        self.changed()

    def bar_at(self, line: int) -> bool:
        """Whether row ``line``, below the title, is the one that leads back to the newest."""
        return not (self.at_end or self._rows.bare) and line == self._size[1] - 1

    def renew(self, look: Look) -> None:
        """Use another look."""
        self.look = look
        bare = self._rows.bare
        self._rows = EntryRows(self._model, look, self._rows.columns)
        self._rows.bare = bare
        self._folding = Folding(self._model, look)
        self.changed()

    def scroll(self, rows: int) -> None:
        """Move the view by ``rows``, up when negative."""
        conversation = self._model.current
        if conversation is None or not conversation.entries:
            return
        place = self._anchor_place(conversation)
        if place is None:
            if rows >= 0:
                return
            place = self._end(conversation)
        if rows < 0:
            self._sought = max(self._sought, len(conversation.entries) + SOUGHT)
        self._stop_at(conversation, self._walk(conversation, place, rows))

    def page(self, direction: int) -> None:
        """Move by almost a view."""
        self.scroll(direction * max(1, self._size[1] - 2))

    def oldest(self) -> None:
        """Go to the first entry that is here."""
        conversation = self._model.current
        if conversation is not None and conversation.entries:
            self._stop_at(conversation, (0, 0))

    def fold(self) -> None:
        """Show every message of the floods here, or fold most of each again."""
        self._folding.active = not self._folding.active
        self.changed()

    def folded(self, seq: int) -> bool:
        """Whether one row stands for message ``seq`` and others."""
        conversation = self._model.current
        if conversation is None or not conversation.holds(seq):
            return False
        return self._folded(conversation, conversation.index(seq)) is not None

    def go_to(self, seq: int) -> None:
        """Bring entry ``seq`` into view, near the top."""
        conversation = self._model.current
        if conversation is None or not conversation.entries:
            return
        if conversation.name != self._of:
            self._begin(conversation, self._rows.columns)
        index = min(conversation.index(seq), len(conversation.entries) - 1)
        self._unfold(conversation, index)
        near_top = self._walk(conversation, (index, 0), self._size[1] - 3)
        # Much may stand above it at its place. Below it is the bar.
        own = index, self._above_own(conversation, index)
        self._stop_at(conversation, max(near_top, self._walk(conversation, own, 2)))

    def end_at(self, seq: int) -> None:
        """Make entry ``seq`` the last one in view; below it, the bar says what follows."""
        conversation = self._model.current
        if conversation is None or not conversation.holds(seq):
            return
        index = conversation.index(seq)
        self._unfold(conversation, index)
        last = len(self._block(conversation, index)) - 1
        self._stop_at(conversation, self._walk(conversation, (index, max(0, last)), 1))

    def _unfold(self, conversation: Conversation, index: int) -> None:
        """Make entry ``index`` visible."""
        if self._folded(conversation, index) is not None:
            self.fold()

    def title(self) -> str:
        conversation = self._model.current
        if conversation is None:
            return self.look.words("messages")
        title = Telling(self._model, self.look).title(conversation)
        if conversation.closed:
            title += self.look.words("room-closed")
        if conversation.hushed:
            title += self.look.words("room-hushed")
        topic = self.look.line(conversation.topic)
        return f"{title}  {topic}" if topic else title

    # Drawing

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        self._size = (columns, height)
        self.wish = None
        conversation = self._model.current
        if conversation is None or columns < 1 or height < 1:
            return []
        if conversation.name != self._of or self._rows.columns != columns:
            self._begin(conversation, columns)
        self._settle(conversation, height)
        anchor = self._anchor_place(conversation)
        self._rows.lacking = 0
        rows = self._upward(conversation, anchor, height)
        self._ask_answered(conversation)
        if anchor is None:
            return [*[[] for _ in range(height - len(rows))], *rows]
        if len(rows) < height or self._rows.bare:
            return rows
        return [*rows[:-1], self._bar(conversation, columns)]

    def _begin(self, conversation: Conversation, columns: int) -> None:
        if conversation.name != self._of:
            self._of = conversation.name
            self._anchor = None
            self._folding.active = True
            self._sought = SOUGHT
        self._rows.columns = columns
        self._rows.clear()

    def _upward(
        self, conversation: Conversation, anchor: tuple[int, int] | None, height: int
    ) -> list[Row]:
        """The rows in view, top first: they end at ``anchor``, or at the end of the
        conversation."""
        rows: list[Row] = []
        above = len(conversation.entries) - 1
        for index, block in self._blocks_up(conversation, anchor):
            rows[:0] = block
            above = above if index is None else index - 1
            if len(rows) >= height:
                break
        self._ask(conversation, above, anchor[0] if anchor else len(conversation.entries) - 1)
        if above < 0 and len(rows) < height:
            rows[:0] = self._above(conversation)
        return rows[-height:]

    def _blocks_up(
        self, conversation: Conversation, anchor: tuple[int, int] | None
    ) -> Iterator[tuple[int | None, list[Row]]]:
        """The blocks of rows from ``anchor``, or the end, upwards; each with its entry's index."""
        index = len(conversation.entries) - 1
        if anchor is None:
            for block in self._tail(conversation):
                yield None, block
        else:
            index, row = anchor
            yield index, self._block(conversation, index)[: row + 1]
            index -= 1
        while index >= 0:
            index = self._top(conversation, index)
            yield index, self._block(conversation, index)
            index -= 1

    def _folded(self, conversation: Conversation, index: int) -> Folded | None:
        """What entry ``index`` is folded with; nothing is while messages are selected."""
        if self._rows.bare:
            return None
        return self._folding.at(conversation, index, self._anchor.newest if self._anchor else 0)

    def _top(self, conversation: Conversation, index: int) -> int:
        """Where entry ``index`` is drawn: at the first of those that it is folded with."""
        folded = self._folded(conversation, index)
        return folded.first if folded else index

    def _block(self, conversation: Conversation, index: int) -> list[Row]:
        """The rows at the place of entry ``index``, and what belongs above and below it."""
        entries = conversation.entries
        folded, seq = self._folded(conversation, index), entries[index].seq
        separators = self._rows.separators(conversation, index)
        if folded is None:
            apart = bool(separators) or (index > 0 and self._apart(conversation, index))
            rows = self._dressed(seq, self._rows.own(conversation, index, apart))
        else:
            index, rows = folded.last, self._rows.folded(folded, entries)
        rows = [*separators, *rows] if separators else rows
        if not conversation.notices:
            return rows
        until = entries[index + 1].seq if index + 1 < len(entries) else None
        first = index == 0 and conversation.complete
        return [
            *(self._notices(conversation, 0, seq) if first else ()),
            *rows,
            *self._notices(conversation, seq, until),
        ]

    def _quote_row(self, conversation: Conversation, index: int) -> int | None:
        """The row of the block of entry ``index`` that tells what it answers; None for none."""
        folded = self._folded(conversation, index) is not None
        if folded or not self._rows.quotes(conversation.entries[index]):
            return None
        return self._above_own(conversation, index)

    def _above_own(self, conversation: Conversation, index: int) -> int:
        """How many rows of the block of entry ``index`` stand above its own."""
        first = index == 0 and conversation.complete
        told = self._notices(conversation, 0, conversation.entries[0].seq) if first else []
        return len(told) + len(self._rows.separators(conversation, index))

    def _apart(self, conversation: Conversation, index: int) -> bool:
        """Whether something separates entry ``index`` from the message before it."""
        before, seq = conversation.entries[index - 1].seq, conversation.entries[index].seq
        told = any(before <= each.after < seq for each in conversation.notices)
        return told or self._folded(conversation, index - 1) is not None

    def _notices(self, conversation: Conversation, start: int, end: int | None) -> list[Row]:
        """What the client itself has said from number ``start`` on, and before ``end``."""
        return [
            row
            for notice in conversation.notices
            if notice.after >= start and (end is None or notice.after < end)
            for row in self._rows.notice(notice)
        ]

    def _dressed(self, seq: int, rows: list[Row]) -> list[Row]:
        """The rows of entry ``seq`` as this pane shows them."""
        return rows

    def _tail(self, conversation: Conversation) -> list[list[Row]]:
        """What is below the newest entry, the lowest first."""
        blocks = self._rows.pending(conversation)
        loose = [] if conversation.entries else [self._notices(conversation, 0, None)]
        return [*reversed(blocks), *loose]

    def _above(self, conversation: Conversation) -> list[Row]:
        """What is above the oldest entry that is here."""
        if conversation.loading:
            key = "loading"
        elif conversation.complete or (conversation.fetched and not conversation.entries):
            key = "beginning"
        else:
            key = "more-above"
        return [[("dim", clip(f" {self.look.words(key)}", self._rows.columns))]]

    def _bar(self, conversation: Conversation, columns: int) -> Row:
        since = self._anchor.newest if self._anchor else conversation.newest
        new, mentions = self._coming.since(conversation, since)
        key = "bar-scrolled" if not new else "bar-mentions" if mentions else "bar-new"
        said = self.look.words(key, n=new, mentions=mentions)
        text = clip(f" {self.look.glyphs.new} {said} ", columns)
        return [("new" if new else "status", text + " " * (columns - width(text)))]

    def _ask(self, conversation: Conversation, above: int, lowest: int) -> None:
        """Judge whether something that the view shows, or soon will, is missing.

        :param above: the entry above the view; :param lowest: the last one in it.
        """
        if conversation.loading or conversation.gone:
            return
        if not (conversation.fetched or (conversation.recalled and not self._model.connected)):
            self.wish = Wish(conversation.name, 0)
            return
        entries = conversation.entries
        at = min(len(entries) - 1, lowest + AHEAD)
        while at > max(0, above - AHEAD):
            at = self._top(conversation, at)
            if self._lacks(conversation, at):
                below = at > lowest and self._model.connected
                after = entries[at - 1].seq if below else 0
                self.wish = Wish(conversation.name, entries[at].seq, after)
                return
            at -= 1
        if above >= AHEAD or not entries or conversation.complete:
            return
        far = len(entries) >= self._sought and self._folded(conversation, SHOWN) is not None
        if not far and entries[0].seq not in conversation.sealed:
            self.wish = Wish(conversation.name, entries[0].seq)

    def _ask_answered(self, conversation: Conversation) -> None:
        """Wish for what is answered and not held, where nothing else is missing."""
        for seq in (self._rows.lacking, conversation.answering):
            if self.wish is None and conversation.lacks(seq):
                self.wish = Wish(conversation.name, 0, answered=seq)

    @staticmethod
    def _lacks(conversation: Conversation, index: int) -> bool:
        """Whether something before entry ``index`` is not here, and could be fetched."""
        kept = conversation.entries[index].seq not in conversation.sealed
        return kept and conversation.gap_before(index) > 0

    # Where the view stands

    def _end(self, conversation: Conversation) -> tuple[int, int]:
        index = len(conversation.entries) - 1
        return index, max(0, len(self._block(conversation, index)) - 1)

    def _anchor_place(self, conversation: Conversation) -> tuple[int, int] | None:
        """The anchor as an index and a row that exist, None at the end."""
        if self._anchor is None or not conversation.entries:
            return None
        index = min(conversation.index(self._anchor.seq), len(conversation.entries) - 1)
        index = self._top(conversation, index)
        rows = len(self._block(conversation, index))
        return index, min(self._anchor.row, max(0, rows - 1))

    def _walk(
        self, conversation: Conversation, place: tuple[int, int], rows: int
    ) -> tuple[int, int]:
        """``rows`` further from ``place``, or as far as there are entries. Reading down stops where
        the server is still to give something."""
        index, row = place
        row += rows
        while row < 0 and index > 0:
            index = self._top(conversation, index - 1)
            row += len(self._block(conversation, index))
        while row >= (here := len(self._block(conversation, index))):
            folded = self._folded(conversation, index)
            below = folded.last + 1 if folded else index + 1
            if below >= len(conversation.entries):
                break
            if self._model.connected and self._lacks(conversation, below):
                break
            index, row = below, row - here
        return index, max(0, row)

    def _stop_at(self, conversation: Conversation, place: tuple[int, int]) -> None:
        index, row = place
        newest = self._anchor.newest if self._anchor else conversation.newest
        self._anchor = Anchor(conversation.entries[index].seq, row, newest)
        if place >= self._end(conversation):
            self._anchor = None
        self.changed()

    def _settle(self, conversation: Conversation, height: int) -> None:
        """Go down if the view is not full while there is something below."""
        place = self._anchor_place(conversation)
        if place is None:
            self._anchor = None
            return
        above = place[1] + 1 + len(self._above(conversation))
        index = place[0]
        while index > 0 and above < height:
            index = self._top(conversation, index - 1)
            above += len(self._block(conversation, index))
        if above < height:
            self._stop_at(conversation, self._walk(conversation, place, height - above))
