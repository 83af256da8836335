"""People and events put into words, for panes and plain lines alike."""

from chat.client.conversation import Conversation
from chat.client.language.happenings import happening
from chat.client.model import Model
from chat.client.text import acted, mixes_scripts
from chat.client.tui.look import Look
from chat.messages import Entry
from chat.names import private_with

__all__ = ["Telling"]

QUOTED = 1_000
"""Characters of a message that are looked at for a line that quotes it: 16 KiB of them would take
longer than the rest of the screen."""


class Telling:
    """Names that can't be taken for somebody else's, and sentences for entries that are not
    messages."""

    def __init__(self, model: Model, look: Look) -> None:
        self._model = model
        self._look = look

    def name(self, user_id: int, name: str) -> str:
        """A name, safe to show; with the user's id where it imitates another name."""
        shown = self._look.line(name) or f"user{user_id}"
        if self._model.imitates(user_id, name):
            return f"{self._look.glyphs.warn}{shown}#{user_id}"
        return shown

    def title(self, conversation: Conversation) -> str:
        """What a conversation is called: a room by its name, a private conversation by its
        partner's."""
        title = self._model.title(conversation)
        who = private_with(conversation.name)
        return self.name(who, title) if isinstance(who, int) else self.room(title)

    def room(self, name: str) -> str:
        """The name of a room, safe to show, and marked when it mixes alphabets that look alike."""
        shown = self._look.line(name)
        return f"{self._look.glyphs.warn}{shown}" if mixes_scripts(name) else shown

    def about(self, conversation: Conversation) -> str:
        """What a list of conversations says of one, beside its title."""
        words, unread = self._look.words, conversation.unread
        hushed = words("room-hushed") if conversation.hushed else ""
        return f"{words('status-unread', n=unread) if unread else ''}{hushed}".strip()

    def instead(self, entry: Entry) -> str | None:
        """What is shown in the place of a message's text; None to show the text, empty to show
        nothing, as for a kind of entry that is not known here."""
        if entry.deleted:
            return self._look.words("deleted")
        if entry.kind:
            return happening(entry, self._look.words, self.name, self._look.line)
        if entry.user_id in self._model.blocked:
            who = self.name(entry.user_id, entry.user_name)
            return self._look.words("blocked-message", who=who)
        return None

    def quoted(self, answered: Entry | None) -> tuple[str, str]:
        """Whom an answer answers, and what that begins with, in one line; nobody, and a sentence,
        where it can't be shown.

        :param answered: None where it is not here.
        """
        if answered is None:
            return "", self._look.words("answered-unknown")
        instead = self.instead(answered)
        if instead is not None:
            return "", instead or self._look.words("answered-unknown")
        text = self._look.line(acted(answered.content[:QUOTED])).strip()
        return self.name(answered.user_id, answered.user_name), text
