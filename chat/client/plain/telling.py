"""What is new in a chat, printed once and in order: messages, and changes of the connection."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chat.client import events
from chat.client.conversation import Conversation
from chat.client.language.reasons import reason
from chat.client.model import Model
from chat.client.notify import Came
from chat.client.plain.lines import Lines
from chat.client.text import clip
from chat.client.tui.look import Look
from chat.client.tui.panes.messages import Wish
from chat.client.tui.telling import Telling
from chat.messages import Entry

__all__ = ["News"]

LAST = 5
"""Messages said for a start where everything was read."""

MOST = 20
"""Unread ones said for a start; /more and /catchup have the others."""

AROUND = 3
"""Messages said before and after one that was looked for."""

PAGE = 10
"""Older messages said by one /more."""

QUOTED_COLUMNS = 60
"""Of a message that is being answered: enough to know it by."""


class News:
    """Knows what was printed of the open conversation.

    :param own: the ids of messages that were typed here, which need not be printed again.
    """

    def __init__(self, model: Model, look: Look, say: Callable[[str], None], own: set[str]) -> None:
        self._model = model
        self._look = look
        self._say = say
        self._own = own
        self._lines = Lines(model, look)
        self._link: events.ConnectionState | None = None
        self._open = ""
        self._first: int | None = None
        self._last = 0
        self._before = 0
        self._told: set[str] = set()
        self.missed_from = 1
        """The first message of the open conversation that was unread when it was opened."""
        self.held = False
        """Nothing of the conversation is said meanwhile: somebody else is saying it."""

    @property
    def up_to_date(self) -> bool:
        """Whether everything that is here of the open conversation was printed."""
        return self._open == self._model.open and self._first is not None and not self.held

    @property
    def last(self) -> int:
        """The number of the last message that was printed."""
        return self._last

    def wish(self) -> Wish | None:
        """The newest page of the open conversation, while it is not here; else None."""
        current = self._model.current
        if current is None or current.fetched or current.loading:
            return None
        return Wish(current.name, 0)

    def tell(self) -> None:
        """Print everything that is new."""
        self._tell_link()
        current = self._model.current
        if current is None:
            return
        if current.name != self._open:
            self._introduce(current)
        if self._first is None:
            self._begin(current)
        elif not self.held:
            self._go_on(current)

    def _introduce(self, conversation: Conversation) -> None:
        self._open, self._first = conversation.name, None
        self.missed_from = conversation.read + 1
        self._told.discard(conversation.name)
        words = self._look.words
        title = Telling(self._model, self._look).title(conversation)
        if conversation.closed:
            title += words("room-closed")
        self._say(words("plain-in", conversation=title))
        if conversation.topic:
            self._say(words("plain-topic", topic=self._look.line(conversation.topic)))
        if conversation.unread:
            self._say(words("status-unread", n=conversation.unread))
        if conversation.answering:
            self._say(self.answering())

    def answering(self) -> str:
        """What the next line answers; empty when it answers nothing."""
        current = self._model.current
        if current is None or not current.answering:
            return ""
        who, what = Telling(self._model, self._look).quoted(current.known(current.answering))
        what = clip(what, QUOTED_COLUMNS, self._look.glyphs.ellipsis)
        return self._look.words(
            "plain-answering" if who else "plain-answering-it", who=who, what=what
        )

    def _begin(self, conversation: Conversation) -> None:
        """Print how the open conversation stands, once that is known."""
        if not (conversation.fetched or (conversation.recalled and not self._model.connected)):
            return
        entries = conversation.entries
        unread = conversation.index(conversation.read + 1)
        start = max(0, len(entries) - MOST, min(unread, len(entries) - LAST))
        if unread < start:
            self._say(self._look.words("plain-before", n=start - unread))
        self._first = entries[start].seq if start < len(entries) else 0
        self._last = self._first - 1
        self._go_on(conversation)

    def _go_on(self, conversation: Conversation) -> None:
        self._before = self._last
        for index in range(conversation.index(self._last + 1), len(conversation.entries)):
            self.say_at(conversation, index)

    def say_at(self, conversation: Conversation, index: int) -> None:
        """Print the entry at ``index``, and what is missing before it."""
        entry = conversation.entries[index]
        missing = conversation.gap_before(index)
        if missing and self._last and index:
            kept = entry.seq not in conversation.sealed
            self._say(self._look.words("gap" if kept else "gone", n=missing))
        self._last = max(self._last, entry.seq)
        if entry.kind == "edit" and not self._is_news(entry):
            return
        if entry.client_id in self._own and entry.user_id == self._model.me.user_id:
            self._own.discard(entry.client_id)
            return
        for line in self._lines.entry(conversation, entry):
            self._say(line)

    def _is_news(self, edit: Entry) -> bool:
        """Whether a message was printed with another text, or not at all. (What comes together with
        its edit is printed with its newest text.)"""
        return edit.target <= self._before and not (self.held and edit.target >= self.missed_from)

    def older(self) -> Wish | None:
        """Print some entries that are older than those printed so far; or say what is needed for
        that."""
        conversation = self._model.current
        if conversation is None or self._first is None:
            return None
        index = conversation.index(self._first)
        if not index and not conversation.complete and conversation.entries:
            return Wish(conversation.name, self._first)
        found = conversation.entries[max(0, index - PAGE) : index]
        if not found:
            self._say(self._look.words("beginning"))
            return None
        self._first = found[0].seq
        lines = Lines(self._model, self._look)
        for entry in _as_they_are(found):
            for line in lines.entry(conversation, entry):
                self._say(line)
        return None

    def around(self, seq: int) -> None:
        """Print the entry ``seq``, and some around it."""
        conversation = self._model.current
        if conversation is None:
            return
        index = conversation.index(seq)
        lines = Lines(self._model, self._look)
        around = conversation.entries[max(0, index - AROUND) : index + AROUND + 1]
        for entry in _as_they_are(around):
            for line in lines.entry(conversation, entry):
                self._say(line)

    def elsewhere(self, came: Came) -> None:
        """A message has come that is not in view."""
        where, who = self._look.line(came.conversation), self._look.line(came.who)
        if came.kind in ("private", "mention"):
            text = self._look.text(came.text)
            self._say(self._look.words(f"plain-{came.kind}", where=where, who=who, text=text))
        elif where not in self._told:
            self._told.add(where)
            self._say(self._look.words("plain-elsewhere", where=where))

    def _tell_link(self) -> None:
        link, before = self._model.link, self._link
        if type(link) is type(before):
            return
        words = self._look.words
        match link:
            case events.Waiting(_, _, told):
                if not isinstance(before, events.Connecting):
                    why = self._look.line(reason(told, words))
                    self._say(words("plain-lost", reason=why))
                    self._link = link
            case events.LoggedIn():
                if before is not None:
                    self._say(words("plain-again"))
                self._link = link
            case events.Stopped(told, code):
                key = f"link-stopped-{code}"
                values: dict[str, Any] = {"reason": self._look.line(reason(told, words))}
                self._say(words(key if key in words else "link-stopped", **values))
                self._link = link
            case _:
                pass


def _as_they_are(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Entries without the edits, since the messages have the new texts."""
    return (each for each in entries if each.kind != "edit")
