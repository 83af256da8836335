"""The commands without a screen: most are the screen's, some print what a pane would show."""

from collections.abc import Callable, Sequence

from chat.client.conversation import Conversation
from chat.client.events import Outgoing
from chat.client.links import Link
from chat.client.plain.asking import SHOWN
from chat.client.plain.telling import News
from chat.client.tui.chat import Chat
from chat.client.tui.commands import helptext
from chat.client.tui.commands.offering import Offered
from chat.client.tui.commands.picked import PickedActions, Stage
from chat.client.tui.commands.table import COMMANDS
from chat.client.tui.commands.verbs import Around, Verbs
from chat.client.tui.desk import Desk
from chat.messages import Entry

__all__ = ["PlainVerbs"]


class PlainPicked(PickedActions):
    """What keys do on a screen with a selected message, printed in lines."""

    def __init__(self, chat: Chat, desk: Desk, stage: Stage, news: News) -> None:
        super().__init__(chat, desk, stage)
        self._news = news

    def _show_facts(self, entry: Entry, facts: Sequence[tuple[str, str]]) -> None:
        for what, value in facts:
            self._chat.tell(self._desk.look.words("plain-field", label=what) + value)

    def _show_links(self, found: Sequence[tuple[Entry, Link]]) -> None:
        for entry, link in reversed(found[:SHOWN]):
            self._chat.tell(f"{self._name(entry)}: {link.target}")

    def _bring_back(self, unsent: Outgoing) -> None:
        self._chat.tell(unsent.text)
        if unsent.reply:
            self.answer(unsent.reply)

    def answer(self, seq: int) -> None:
        self._chat.answer(seq)
        self._chat.say(self._news.answering() or self._desk.look.words("plain-answers-nothing"))


class PlainVerbs(Verbs):
    """``run`` is the way in."""

    one_moment = "plain-busy"

    def __init__(self, chat: Chat, desk: Desk, around: Around, news: News) -> None:
        super().__init__(chat, desk, around)
        self.picked = PlainPicked(chat, desk, around, news)
        self._news = news

    def _edit_last(self, sent: Entry) -> None:
        """Print the message, and how to edit it: there is no composer to put it into."""
        self._chat.tell(self._words("plain-edit", text=sent.content))

    def help(self, arguments: str) -> None:
        if arguments:
            super().help(arguments)
            return
        for command in COMMANDS:
            usage = helptext.command_usage(command, self._words)
            about = helptext.about(command, self._words)
            self._chat.tell(self._words("plain-field", label=usage) + about)

    def _hinted(self, title: str, hint: str) -> str:
        """Here a number does it, as is said with every list."""
        return self._words(title)

    def _list(self, title: str, rows: Sequence[Offered], chosen: Callable[[str], object]) -> None:
        for name, about, _ in rows:
            self._chat.tell(f"{name}  {about}".strip())

    def go(self, arguments: str) -> None:
        """As on the screen; where somebody is already, that is said, for nothing else would be."""
        here = self._chat.model.current
        if here is not None and self._called(arguments.strip()) == [here]:
            self._chat.say(self._words("plain-in", conversation=self._chat.title_of(here)))
        else:
            super().go(arguments)

    async def more(self, arguments: str) -> None:
        wish = self._news.older()
        if wish is not None and self._chat.history.wanted(wish):
            await self._chat.history.fetch(wish)
            wish = self._news.older()
        if wish is not None:
            self._chat.say(self._words("plain-no-more-now"))

    async def _go_to(self, conversation: str, seq: int) -> None:
        """Print what stands around an entry that was found."""
        if conversation != self._chat.model.open:
            self._chat.open(conversation)
        await self._chat.history.have(conversation, seq)
        self._news.around(seq)
        self._chat.say(self._words("plain-found", n=seq))

    async def catchup(self, arguments: str) -> None:
        self._news.held = True
        try:
            await super().catchup(arguments)
        finally:
            self._news.held = False
            self._around.redraw()

    def _first_missed(self, conversation: Conversation) -> int:
        return self._news.missed_from

    def _catching_up(self, conversation: Conversation, index: int) -> None:
        self._news.say_at(conversation, index)

    def go_on(self) -> None:
        """An empty line pauses a catch-up, and goes on with it."""
        if self.catch_up.active:
            self.catch_up.toggle()
            if self.catch_up.paused:
                self._chat.say(self._words("plain-paused", n=self.catch_up.left))

    def stop(self) -> bool:
        """End a catch-up.

        :returns: whether there was one.
        """
        active = self.catch_up.active
        self.catch_up.stop()
        return active
