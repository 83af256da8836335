"""The commands that go somewhere: to a conversation, to what is new, missed, or searched."""

from chat.client.conversation import Conversation
from chat.client.errors import NotConnected
from chat.client.tui.commands.catchup import CatchUp
from chat.client.tui.commands.offering import Offering
from chat.client.tui.panes.search import SearchPopup
from chat.client.tui.telling import Telling
from chat.messages import Entry
from chat.names import canonical_user_name

__all__ = ["MovingVerbs"]

_ENDING = frozenset(
    {"back", "page_up", "page_down", "line_up", "line_down", "oldest", "newest", "first_unread"}
)
"""Actions after which the view stands where its reader wants it."""


class MovingVerbs(Offering):
    """Part of ``Verbs``."""

    catch_up: CatchUp

    def go(self, arguments: str) -> None:
        """Open a conversation by its name, by its number, or by a part of its name that no other
        has."""
        found = self._called(arguments.strip())
        if len(found) == 1:
            self._chat.open(found[0].name)
        elif found:
            names = self._words("comma").join(self._chat.title_of(each) for each in found)
            self._chat.say(self._words("go-which", names=names), bad=True)
        else:
            self._chat.say(self._words("go-nowhere", name=arguments.strip()), bad=True)

    def _called(self, name: str) -> list[Conversation]:
        wanted = canonical_user_name(name).lstrip("#@")
        model = self._chat.model
        titles = {
            each.name: canonical_user_name(model.title(each)).lstrip("#@")
            for each in model.rooms() + model.privates()
        }
        numbered = {f"{number}": each for number, each in enumerate(model.listed(), 1)}
        if wanted in numbered and wanted not in titles.values():
            return [numbered[wanted]]
        for matches in (str.__eq__, str.startswith, str.__contains__):
            found = [each for each, title in titles.items() if matches(title, wanted)]
            if found:
                return [model.conversation(each) for each in found]
        return []

    def search(self, arguments: str) -> None:
        self._search(arguments, self._chat.model.open)

    def search_all(self, arguments: str) -> None:
        self._search(arguments, "")

    def _search(self, text: str, conversation: str) -> None:
        def title_of(name: str) -> str:
            return self._chat.title_of(self._chat.model.conversation(name))

        def chosen(entry: Entry) -> None:
            self._around.pop_up(None)
            self._chat.spawn(self._go_to(entry.conversation or conversation, entry.seq))

        found = self._chat.history.search(text, conversation)
        where = None if conversation else title_of
        popup = SearchPopup(self._chat, found, text, where, chosen, self._around.redraw)
        self._around.pop_up(popup)
        popup.go_on()

    async def _go_to(self, conversation: str, seq: int) -> None:
        """Bring an entry into view, with what stands around it."""
        if conversation != self._chat.model.open:
            self._chat.open(conversation)
        await self._chat.history.have(conversation, seq)
        self._desk.messages.show_found(seq)
        self._desk.changed()

    def next_unread(self, arguments: str) -> None:
        """Open the conversation to look at next."""
        found = self._chat.model.next_active()
        if found is not None:
            self._chat.open(found.name)
        else:
            self._chat.say(self._words("nothing-unread"))

    async def read_all(self, arguments: str) -> None:
        """Mark everything as read: nobody opens a hundred conversations after a holiday.

        :raises NotConnected: the other devices could not be told.
        """
        if not self._chat.model.connected:
            raise NotConnected("there is no connection at the moment")
        count = 0
        for each in self._chat.model.conversations.values():
            if each.unread:
                count += each.unread
                self._chat.read(each, each.newest)
        self._chat.say(self._words("all-read" if count else "nothing-unread", n=count))

    def conversations(self, arguments: str) -> None:
        """List the conversations, with the numbers by which ``/go`` opens them, and what is
        unread."""
        telling = Telling(self._chat.model, self._desk.look)
        listed = self._chat.model.listed()
        digits, rows = len(str(len(listed))), []
        for number, each in enumerate(listed, 1):
            title = f"{number:>{digits}} {telling.title(each)}"
            rows.append((title, telling.about(each), each.name))
        self._list(self._words("conversations"), rows, self._chat.open)

    async def more(self, arguments: str) -> None:
        """Show older messages."""
        self._desk.messages.page(-1)

    async def catchup(self, arguments: str) -> None:
        """Go through what was not read, at reading speed."""
        conversation = self._chat.model.current
        if conversation is None:
            return
        if self.catch_up.active:
            self.catch_up.stop()
        start = self._first_missed(conversation)
        if start > conversation.newest:
            self._chat.say(self._words("catchup-nothing"))
            return
        done = await self.catch_up.run(conversation, start)
        if self._chat.model.current is conversation:
            key = "catchup-done" if done else "catchup-ended"
            self._chat.say(self._words(key, n=self.catch_up.left))

    def _first_missed(self, conversation: Conversation) -> int:
        read = conversation.read if conversation.divider is None else conversation.divider
        return max(read + 1, conversation.first)

    def steer(self, action: str | None, writing: bool) -> bool:
        """Handle a key while a catch-up is under way: Enter pauses it and goes on, Esc ends it, and
        so does moving by oneself.

        :returns: whether that was all the key meant.
        """
        if not self.catch_up.active:
            return False
        if action == "send" and not writing:
            self.catch_up.toggle()
            key = "catchup-paused" if self.catch_up.paused else "catchup-going"
            self._chat.say(self._words(key, n=self.catch_up.left))
            return True
        if action in _ENDING:
            self.catch_up.stop()
        return action == "back"

    def _catching_up(self, conversation: Conversation, index: int) -> None:
        """Have the entry at ``index`` be the last one in view."""
        self._desk.messages.end_at(conversation.entries[index].seq)
        self._chat.say(self._words("catchup-going", n=self.catch_up.left))
