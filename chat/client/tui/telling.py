"""People and events put into words, for panes and plain lines alike."""

from chat.client.conversation import Conversation
from chat.client.language.happenings import happening, lasting, why
from chat.client.model import Model
from chat.client.notify import Came
from chat.client.text import acted, mixes_scripts
from chat.client.tui.look import Look
from chat.messages import Entry
from chat.names import private_with

__all__ = ["Telling"]

QUOTED = 1_000
"""Characters of a message that are used for a line that quotes it: a line of 16 KiB would take
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

    def farewell(self, conversation: Conversation) -> str:
        """Why the user is no longer in a conversation, if its last entry about them says so."""
        me, words = self._model.me.user_id, self._look.words
        for entry in reversed(conversation.entries):
            if entry.kind in ("kick", "ban") and entry.target == me:
                return words(
                    f"you-{entry.kind}", who=self.name(entry.user_id, entry.user_name),
                    conversation=conversation.name, time=lasting(words, entry.seconds),
                    why=why(words, self._look.line(entry.content)),
                )  # fmt: skip
            if entry.kind == "join" and entry.user_id == me:
                break
        return words("removed", conversation=conversation.name)

    def came(self, conversation: Conversation, entry: Entry) -> Came:
        """A message as the rules for notifications judge it."""
        kind = "private" if conversation.private else "message"
        to_me = entry.seq in conversation.mentions
        if not conversation.private and (to_me or self._model.speaks_to_me(conversation, entry)):
            kind = "mention"
        who = self.name(entry.user_id, entry.user_name)
        return Came(kind, self.title(conversation), who, acted(entry.content))

    def quoted(self, answered: Entry | None) -> tuple[str, str]:
        """What is shown of the message that a reply answers, in one line.

        :param answered: that message; None when it is not loaded.
        :returns: the name of its author, and its text; an empty name, and a sentence, when it can't
            be shown.
        """
        if answered is None:
            return "", self._look.words("answered-unknown")
        instead = self.instead(answered)
        if instead is not None:
            return "", instead or self._look.words("answered-unknown")
        text = self._look.line(acted(answered.content[:QUOTED])).strip()
        return self.name(answered.user_id, answered.user_name), text

    def answering(self, who: str, answered: Entry | None) -> str:
        """The words that say whom a message answers, as far as that is known.

        :param who: the name of its author, safe to show.
        """
        words = self._look.words
        if answered is None or answered.kind:
            return words("answers-unknown", who=who)
        if answered.deleted:
            return words("answers-deleted", who=who)
        if answered.user_id == self._model.me.user_id:
            return words("answers-you", who=who)
        whom = self.name(answered.user_id, answered.user_name)
        return words("answers", who=who, whom=whom)
