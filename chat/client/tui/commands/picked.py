"""What the keys do with selected messages: copy, open, inspect, answer, edit, delete."""

from collections.abc import Callable, Sequence
from typing import Protocol

from chat.client.conversation import Conversation
from chat.client.events import Outgoing
from chat.client.links import Link, find_links
from chat.client.text import clip, pad, width
from chat.client.tui.chat import Chat
from chat.client.tui.commands.correcting import Correcting
from chat.client.tui.commands.table import written
from chat.client.tui.desk import Desk
from chat.client.tui.inspector import inspected
from chat.client.tui.panes.layout import Pane
from chat.client.tui.panes.popups import Choice, Popup, narrowed, room, told
from chat.client.tui.telling import Telling
from chat.messages import Entry

__all__ = ["PickedActions", "Stage"]

SNIPPET_COLUMNS = 60

LINKED = 200
"""Newest messages in which links are looked for when none is picked."""


class Stage(Protocol):
    """What stands around the main screen."""

    def redraw(self) -> None:
        """Something changed; draw soon."""

    def pop_up(self, popup: Popup | None) -> None:
        """Show a popup over everything, or take it away."""

    def copy(self, text: str) -> bool:
        """Put ``text`` on the clipboard, where the terminal lets us."""

    def open_link(self, target: str) -> bool:
        """Have a program show what is there. Return whether there is one."""


class PickedActions:
    """Keys while messages are selected; ``do_x`` does action ``x``.

    :ivar correcting: edits one of them.
    """

    def __init__(self, chat: Chat, desk: Desk, stage: Stage) -> None:
        self._chat = chat
        self._desk = desk
        self._stage = stage
        self.correcting = Correcting(chat, desk)

    # Picking

    def do_pick(self) -> None:
        if self._desk.messages.pick():
            self._desk.focus_on(Pane.MESSAGES)
        else:
            self._say("nothing-to-pick")

    def do_unpick(self) -> None:
        self._desk.messages.unpick()
        self._desk.focus_on(Pane.COMPOSER)

    def do_pick_up(self) -> None:
        self._desk.messages.pick_by(-1)

    def do_pick_down(self) -> None:
        self._desk.messages.pick_by(1)

    def do_pick_page_up(self) -> None:
        self._desk.messages.pick_page(-1)

    def do_pick_page_down(self) -> None:
        self._desk.messages.pick_page(1)

    def do_pick_range(self) -> None:
        self._desk.messages.pick_range()

    # Doing something with it

    def do_copy(self) -> None:
        picked = self._desk.messages.picked
        if len(picked) == 1:
            self._copy(picked[0].content)
        else:
            self._copy("\n".join(f"{self._name(each)}: {each.content}" for each in picked))

    def do_copy_quoted(self) -> None:
        look = self._desk.look
        lines = [
            f"[{look.when(each.time):%Y-%m-%d %H:%M}] {self._name(each)}: {each.content}"
            for each in self._desk.messages.picked
        ]
        self._copy("\n".join(lines))

    def _name(self, entry: Entry) -> str:
        return self._chat.name_of(entry.user_id, entry.user_name)

    def _copy(self, text: str) -> None:
        """Put ``text`` on the clipboard, without control characters that a program might obey when
        it is pasted there. Tabs stay."""
        done = self._stage.copy("\t".join(self._desk.look.text(each) for each in text.split("\t")))
        words = self._desk.look.words
        say = words("copied", n=len(text)) if done else words("too-long-to-copy")
        self._chat.say(say, bad=not done)
        if done and self._desk.messages.picking:
            self.do_unpick()

    def do_answer(self) -> None:
        entry = self._one()
        if entry is not None:
            self.answer(entry.seq)

    def answer(self, seq: int) -> None:
        """Let what is written answer message ``seq``; 0 for none."""
        self.correcting.give_up()
        self._chat.answer(seq)
        self.do_unpick()

    # What it answers

    def do_answered(self) -> None:
        entry = self._one()
        if entry is None or not entry.reply:
            self._say("answers-nothing")
        else:
            self._go_to_answered(entry, self._desk.messages.pick_found)

    def show_answered(self, entry: Entry) -> None:
        """Go to the message that a message of the open conversation answers."""
        self._go_to_answered(entry, self._desk.messages.show_found)

    def _go_to_answered(self, entry: Entry, show: Callable[[int], None]) -> None:
        conversation = self._chat.model.current
        if conversation is not None:
            self._chat.spawn(self._show_answered(conversation, entry, show))

    async def _show_answered(
        self, conversation: Conversation, entry: Entry, show: Callable[[int], None]
    ) -> None:
        if entry.reply < entry.seq:
            await self._chat.history.have(conversation.name, entry.reply)
        found = conversation.answered(entry)
        telling = Telling(self._chat.model, self._desk.look)
        gone = self._desk.look.words("answered-gone")
        instead = telling.instead(found) if found is not None else gone
        if instead is not None:
            self._chat.say(instead or gone)
        elif self._chat.model.current is conversation:
            show(entry.reply)
            self._desk.changed()

    def do_inspect(self) -> None:
        self.inspect(self._one())

    def inspect(self, entry: Entry | None) -> None:
        """Show all that is known of a message of the open conversation, None: there is none."""
        conversation, look = self._chat.model.current, self._desk.look
        if entry is None or conversation is None:
            self._say("nothing-to-pick")
            return
        found = inspected(self._chat.model, conversation, entry, look)
        self._show_facts(entry, [(look.words(key), value) for key, value in found])

    def _show_facts(self, entry: Entry, facts: Sequence[tuple[str, str]]) -> None:
        column = max(width(what) for what, _ in facts)

        def rows() -> Sequence[Choice]:
            columns = room(self._desk.columns)
            return [
                row
                for what, value in facts
                for row in told(("dim", f" {pad(what, column)}  "), (None, value), columns)
            ]

        title = self._desk.look.words("inspect-title", n=entry.seq)
        self._list(title, rows, lambda value: None)

    def do_delete_picked(self) -> None:
        entry, conversation = self._one(), self._chat.model.current
        if entry is None or conversation is None:
            return
        name, words = conversation.name, self._desk.look.words

        def chosen(value: object) -> None:
            if value:
                self.do_unpick()
                self._chat.spawn(self._chat.client.redact(name, entry.seq))

        rows = [Choice([(None, f" {words(key)}")], value) for key, value in _YES_NO]
        self._list(words("delete-title"), lambda: rows, chosen)

    def do_correct(self) -> None:
        """Put the selected message into the composer, to be edited."""
        entry = self._one()
        if entry is None or entry.user_id != self._chat.model.me.user_id:
            self._say("edit-own", bad=True)
            return
        self.do_unpick()
        self.correcting.begin(entry)

    def _one(self) -> Entry | None:
        """The picked message, or the newest one."""
        picked = self._desk.messages.picked
        return picked[-1] if picked else self.newest()

    def newest(self) -> Entry | None:
        """The newest message of the open conversation; None when there is none."""
        return self._last(lambda each: True)

    def newest_of_others(self) -> Entry | None:
        """The same, but of one's own where nobody else said anything."""
        me = self._chat.model.me.user_id
        return self._last(lambda each: each.user_id != me) or self.newest()

    def own(self) -> Entry | None:
        """The user's own last message in the open conversation."""
        me = self._chat.model.me.user_id
        return self._last(lambda each: each.user_id == me)

    def _last(self, wanted: Callable[[Entry], bool]) -> Entry | None:
        """The newest message of the open conversation that is loaded and ``wanted``."""
        conversation = self._chat.model.current
        entries = reversed(conversation.entries if conversation else [])
        found = (each for each in entries if not (each.kind or each.deleted) and wanted(each))
        return next(found, None)

    # Links

    def do_links(self) -> None:
        conversation = self._chat.model.current
        newest = conversation.entries[: -LINKED - 1 : -1] if conversation else []
        entries = self._desk.messages.picked or newest
        found = [(each, link) for each in entries for link in self._links(each)]
        if found:
            self._show_links(found)
        else:
            self._say("no-links")

    def _show_links(self, found: Sequence[tuple[Entry, Link]]) -> None:
        if len(found) == 1:
            self._ask(found[0][1])
        else:
            rows = [self._row(entry, link) for entry, link in found]
            self._list(self._desk.look.words("links-title"), lambda: rows, self._chosen)

    def _links(self, entry: Entry) -> Sequence[Link]:
        if entry.kind or entry.deleted:
            return ()
        return list(find_links(self._desk.look.text(entry.content)))

    def _row(self, entry: Entry, link: Link) -> Choice:
        look = self._desk.look
        who = (look.colour(entry.user_id), f" {self._name(entry)}  ")
        return Choice([who, (None, link.target)], link)

    def _chosen(self, value: object) -> None:
        if isinstance(value, Link):
            self._ask(value)

    def _ask(self, link: Link) -> None:
        """Show where a link really leads, and what can be done with it."""
        words = self._desk.look.words
        offers = [Choice([(None, f" {words(key)}")], key) for key in ("link-open", "link-copy")]

        def facts() -> Sequence[Choice]:
            columns = room(self._desk.columns)
            said = ("link", link.target), ("dim", words("link-host", host=link.host))
            return [row for each in said for row in told((None, " "), each, columns)]

        def chosen(value: object) -> None:
            if value == "link-copy":
                self._copy(link.target)
            elif value == "link-open":
                opened = self._stage.open_link(link.target)
                self._say("link-opened" if opened else "link-unopened", bad=not opened)

        title = words("link-title")
        self._list(title, lambda: [*facts(), *offers], chosen, selected=len(facts()))

    def _list(
        self,
        title: str,
        rows: Callable[[], Sequence[Choice]],
        chosen: Callable[[object], None],
        selected: int = 0,
    ) -> None:
        """:param rows: made anew where the screen has another width."""

        def choose(value: object) -> None:
            self._stage.pop_up(None)
            chosen(value)

        popup = Popup(self._desk.look, title, lambda typed: narrowed(rows(), typed), choose)
        popup.selected = selected
        self._stage.pop_up(popup)

    # Taking back

    def do_take_back(self) -> None:
        """The newest message that has not left yet comes back into the composer. Where all have
        left, the last one does, if it is to be deleted for everybody."""
        unsent = self._chat.take_back()
        if unsent is not None:
            self._say("taken-back")
            self._bring_back(unsent)
            return
        name, sent = self._chat.model.open, self.own()
        if sent is None:
            self._say("nothing-to-take-back")
            return
        look = self._desk.look

        def chosen(value: object) -> None:
            if value:
                self._chat.spawn(self._delete_and_bring_back(name, sent))

        rows = [Choice([("dim", f" {clip(look.line(sent.content), SNIPPET_COLUMNS)}")])]
        rows += [Choice([(None, f" {look.words(key)}")], value) for key, value in _YES_NO]
        self._list(look.words("take-back-title"), lambda: rows, chosen, selected=1)

    async def _delete_and_bring_back(self, conversation: str, sent: Entry) -> None:
        await self._chat.client.redact(conversation, sent.seq)
        unsent = Outgoing("", conversation, sent.content, 0, sent.reply)
        if conversation == self._chat.model.open:
            self._bring_back(unsent)
        elif (known := self._chat.model.conversations.get(conversation)) is not None:
            known.draft = _joined(written(unsent.text), known.draft)
            known.answering = known.answering or unsent.reply

    def _bring_back(self, unsent: Outgoing) -> None:
        """Put ``text`` into the composer, before what is being written there."""
        self.correcting.give_up()
        editor = self._desk.composer.editor
        self._chat.answer(self._chat.answering or unsent.reply)
        self._desk.focus_on(Pane.COMPOSER)
        editor.replace(_joined(written(unsent.text), editor.text))

    def _say(self, key: str, bad: bool = False) -> None:
        self._chat.say(self._desk.look.words(key), bad)


_YES_NO = (("delete-no", False), ("delete-yes", True))


def _joined(text: str, begun: str) -> str:
    """``text`` before what was begun."""
    return f"{text}\n{begun}" if begun else text
