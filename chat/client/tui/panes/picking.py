"""Selecting messages: to copy them, to open their links, to look at them closely."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from chat.client.conversation import Conversation
from chat.client.model import Model
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row
from chat.client.tui.panes.messages import MessagesPane
from chat.client.tui.panes.pane import painted
from chat.messages import Entry

__all__ = ["PickingPane"]


@dataclass(frozen=True)
class Picked:
    """Messages from number ``start`` to number ``to``, where one is; the other way round, too.

    ``growing``: ``start`` stays where it is.
    """

    start: int
    to: int
    growing: bool = False

    def holds(self, seq: int) -> bool:
        return min(self.start, self.to) <= seq <= max(self.start, self.to)


class PickingPane(MessagesPane):
    """The pane of messages, with a mode in which they are picked rather than read."""

    def __init__(self, look: Look, model: Model) -> None:
        super().__init__(look, model)
        self._picked: Picked | None = None
        self._at_end_with = 0
        self._found = 0

    def show_found(self, seq: int) -> None:
        """Bring what was looked for into view, in another colour until one goes on."""
        self.go_to(seq)
        self._found = seq

    def newest(self) -> None:
        self._found = 0
        super().newest()

    @property
    def picked(self) -> Sequence[Entry]:
        """The messages that are picked, oldest first; none outside of the mode for it."""
        conversation, picked = self._model.current, self._picked
        if conversation is None or picked is None:
            return ()
        return [each for each in conversation.entries if picked.holds(each.seq) and _said(each)]

    @property
    def picking(self) -> bool:
        """Whether messages can be picked: each is one line then, without anything around it."""
        return self._picked is not None

    def pick(self, seq: int = 0) -> bool:
        """Pick message ``seq``, or the newest in view. Return whether there is one."""
        conversation = self._model.current
        entries = conversation.entries if conversation is not None else []
        if conversation is None or not any(_said(each) for each in entries):
            return False
        last = len(entries) - 1
        if not seq:
            place = self._anchor_place(conversation)
            seq = entries[place[0] if place else last].seq
        at_end = self.at_end
        self._bare(True)
        self._picked = Picked(seq, seq)
        self.pick_by(0)
        self._at_end_with = self._picked.to if at_end else 0
        return True

    def pick_found(self, seq: int) -> None:
        """Pick message ``seq``, which was looked for: who goes back to reading stays there."""
        self.pick(seq)
        self._at_end_with = 0

    def unpick(self) -> None:
        """Back to reading: at the end, if one was there and looked for no other message, and where
        the picked one is in view."""
        picked, self._picked = self._picked, None
        if picked is not None and picked.to == self._at_end_with:
            self._anchor = None
        self._bare(False)
        if picked is not None and not self.at_end:
            self._keep_in_view(picked.to)

    def _keep_in_view(self, seq: int) -> None:
        """Rows are others than when each message was one line: that one may have gone with them."""
        conversation = self._model.current
        if conversation is None or conversation.name != self._of:
            return
        if conversation.holds(seq) and not self.folded(seq):
            self._bring_into_view(conversation, seq)

    def pick_range(self) -> None:
        """From here on pick all up to where one goes; once more: only where one is."""
        if self._picked is not None:
            to = self._picked.to
            self._picked = Picked(to, to, growing=not self._picked.growing)
            self.changed()

    def pick_by(self, step: int) -> None:
        """Go on by ``step`` messages, down when it is positive; 0: to the nearest."""
        conversation = self._model.current
        if conversation is None or self._picked is None:
            return
        said = [each.seq for each in conversation.entries if _said(each)]
        at = max(0, bisect.bisect_right(said, self._picked.to) - 1) + step
        seq = said[max(0, min(at, len(said) - 1))]
        start = self._picked.start if self._picked.growing else seq
        self._picked = Picked(start, seq, self._picked.growing)
        self._bring_into_view(conversation, seq)

    def pick_page(self, direction: int) -> None:
        """Go on by almost a view."""
        self.pick_by(direction * max(1, self._size[1] // 2))

    def entry_at(self, line: int) -> int:
        """The number of the message in row ``line``, counted below the title; 0 for none."""
        found = (seq for seq, first, last in self._shown() if first <= line <= last)
        return next(found, 0)

    def answer_at(self, line: int) -> Entry | None:
        """The message of which row ``line`` says what it answers, if it is such a row."""
        conversation = self._model.current
        if conversation is None:
            return None
        for seq, first, _ in self._shown():
            index = conversation.index(seq)
            row = self._quote_row(conversation, index)
            if row is not None and first + row == line:
                return conversation.entries[index]
        return None

    def _shown(self) -> list[tuple[int, int, int]]:
        """What is in view, lowest first: a number, its first row and its last."""
        conversation = self._model.current
        if conversation is None:
            return []
        found, below = [], self._size[1]
        for index, block in self._blocks_up(conversation, self._anchor_place(conversation)):
            if index is not None and block:
                found.append((conversation.entries[index].seq, below - len(block), below - 1))
            below -= len(block)
            if below <= 0:
                break
        return found

    def _bring_into_view(self, conversation: Conversation, seq: int) -> None:
        index = conversation.index(seq)
        rows = len(self._block(conversation, index))
        shown = {each: (first, last) for each, first, last in self._shown()}
        first, last = shown.get(seq, (-1, self._size[1]))
        bar = 0 if self._rows.bare or self.at_end else 1
        if first < 0 and (seq in shown or seq < min(shown, default=0)):
            at_top = self._walk(conversation, (index, 0), self._size[1] - 1)
            own = self._walk(conversation, (index, self._above_own(conversation, index)), bar)
            self._stop_at(conversation, max(at_top, own))
        elif last + bar >= self._size[1]:
            self._stop_at(conversation, self._walk(conversation, (index, max(0, rows - 1)), bar))
        self.changed()

    def _bare(self, bare: bool) -> None:
        if self._rows.bare != bare:
            self._rows.bare = bare
            self._rows.clear()
        self.changed()

    def _begin(self, conversation: Conversation, columns: int) -> None:
        if conversation.name != self._of:
            self._found = 0
            self.unpick()
        super()._begin(conversation, columns)

    def _dressed(self, seq: int, rows: list[Row]) -> list[Row]:
        picked = self._picked.holds(seq) if self._picked is not None else seq == self._found
        if not picked:
            return rows
        return [painted(row, "selected", self._rows.columns) for row in rows]


def _said(entry: Entry) -> bool:
    """Whether somebody said it, and it is still there."""
    return not (entry.kind or entry.deleted)
