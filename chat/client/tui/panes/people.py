"""The two side panes: conversations with their unread counts, and who is online."""

from collections.abc import Sequence

from chat.client.conversation import Conversation
from chat.client.model import Model
from chat.client.text import clip, width
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Row, Run
from chat.client.tui.panes.pane import ListPane, meant
from chat.client.tui.telling import Telling
from chat.messages import BUSY, OFFLINE, ONLINE, User
from chat.names import canonical_user_name

__all__ = ["ConversationsPane", "OnlinePane", "state_mark"]

WATCHED = 200
"""Ids that WatchMes takes."""


def state_mark(look: Look, status: int | None) -> Run:
    """The sign and colour of a status; None for an unknown one."""
    glyphs = look.glyphs
    marks = {
        ONLINE: ("online", glyphs.online),
        BUSY: ("busy", glyphs.busy),
        OFFLINE: ("offline", glyphs.offline),
    }
    return marks.get(ONLINE if status == ONLINE else status or -1, ("dim", glyphs.unknown))


class ConversationsPane(ListPane):
    """Rooms, then private conversations; unread messages and mentions counted apart, and marked
    where something is begun. The first nine have the digit that opens them."""

    def __init__(self, look: Look, model: Model) -> None:
        super().__init__(look)
        self._model = model
        self._open = ""
        self._digits: dict[str, str] = {}

    def title(self) -> str:
        return self.look.words("conversations")

    def aside(self, role: str) -> Row:
        """In how many conversations above and below those in view something is unread."""
        items, runs = self.items(), []
        above, below = items[: self.top], items[self.top + self._shown :]
        for sign, hidden in ((self.look.glyphs.above, above), (self.look.glyphs.new, below)):
            waiting = [each for each in hidden if each.calling]
            if waiting:
                for_me = any(each.mentions or each.private for each in waiting)
                runs.append(("mention" if for_me else role, f" {sign}{len(waiting)}"))
        return runs

    def items(self) -> Sequence[Conversation]:
        found = self._model.listed()
        self._digits = {each.name: str(digit) for digit, each in enumerate(found[:9], 1)}
        if not self.filter:
            return found
        wanted = meant(self.filter)
        return [each for each in found if wanted in canonical_user_name(self._model.title(each))]

    def rows_of(self, columns: int, height: int, focus: bool) -> Sequence[Row]:
        if self._open != self._model.open and not self.filter:
            # The open conversation must be visible, however many there are.
            self._open = self._model.open
            names = [each.name for each in self.items()]
            self.selected = names.index(self._open) if self._open in names else 0
        return super().rows_of(columns, height, focus)

    def item_row(self, item: object, columns: int) -> Row:
        assert isinstance(item, Conversation)
        count = self._count(item)
        taken = 4 if item.private else 2
        room = max(1, columns - taken - sum(width(text) for _, text in count))
        title = Telling(self._model, self.look).title(item)
        name = clip(title, room, self.look.glyphs.ellipsis)
        role = "open" if item.name == self._model.open else "unread" if item.calling else None
        digit: Run = ("dim", self._digits.get(item.name, " "))
        lead: Run = ("prompt", self.look.glyphs.prompt) if role == "open" else digit
        shown: Run = (role, " " + name + " " * (room - width(name)))
        if not item.private:  # a room's # takes the place of a person's status
            return [lead, shown, *count]
        mark = state_mark(self.look, self._model.status_of(item))
        return [lead, (None, " "), mark, shown, *count]

    def _count(self, item: Conversation) -> list[Run]:
        runs: list[Run] = []
        failed = sum(each.error != "" for each in item.pending)
        if failed:
            runs.append(("error", f" {self.look.glyphs.failed}"))
        elif item.draft and item.name != self._model.open:
            runs.append(("dim", f" {self.look.glyphs.begun}"))
        if item.mentions:
            runs.append(("mention", f" @{_short(len(item.mentions))}"))
        if item.unread > len(item.mentions):
            role = "dim" if item.hushed else "unread"
            runs.append((role, f" {_short(item.unread - len(item.mentions))}"))
        return runs


class OnlinePane(ListPane):
    """Who is online, each with a mark and a word for the state."""

    def __init__(self, look: Look, model: Model) -> None:
        super().__init__(look)
        self._model = model

    def title(self) -> str:
        return self.look.words("online-title", n=len(self._model.online()))

    def items(self) -> Sequence[User]:
        found = self._model.online()
        if not self.filter:
            return found
        wanted = meant(self.filter)
        return [each for each in found if wanted in canonical_user_name(each.user_name)]

    def watched(self) -> list[int]:
        """The ids of those who are shown, and of their neighbours, as many as WatchMes takes."""
        start = self.top - self.top % (WATCHED // 2)  # not others at each step
        return [each.user_id for each in self.items()[start : start + WATCHED]]

    def item_row(self, item: object, columns: int) -> Row:
        assert isinstance(item, User)
        mark = state_mark(self.look, item.user_status)
        mine = item.user_id == self._model.me.user_id
        word = self.look.words("state-busy" if item.user_status == BUSY else "state-online")
        if mine:
            word = self.look.words("state-me")
        room = columns - 4 - width(word)
        name = Telling(self._model, self.look).name(item.user_id, item.user_name)
        if room < 6:
            word, room = "", columns - 4
        name = clip(name, max(1, room), self.look.glyphs.ellipsis)
        colour = "own" if mine else self.look.colour(item.user_id)
        return [(None, " "), mark, (colour, " " + name), (None, " " * (room - width(name) + 1)),
                (mark[0], word)]  # fmt: skip


def _short(number: int) -> str:
    return str(number) if number < 1000 else "999+"
