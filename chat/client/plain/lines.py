"""An entry as one line: the time, the conversation if it is not the open one, who, and what."""

from chat.client.conversation import Conversation
from chat.client.model import Model
from chat.client.text import acted
from chat.client.tui.look import Look
from chat.client.tui.telling import Telling
from chat.messages import Entry

__all__ = ["Lines"]


class Lines:
    """Makes lines of entries.

    :ivar day: the day of the last line; when it changes, a line says so.
    """

    def __init__(self, model: Model, look: Look) -> None:
        self._model = model
        self._look = look
        self._telling = Telling(model, look)
        self._day = ""

    def entry(self, conversation: Conversation, entry: Entry) -> list[str]:
        """The lines for ``entry``; none for a kind that is not known here."""
        told = self._told(conversation, entry)
        if not told:
            return []
        where = ""
        if conversation.name != self._model.open:
            where = f"{self._telling.title(conversation)} "
        if not entry.time:  # the server knows nothing more of a deleted entry
            return [f"{where}{told}"]
        moment = self._look.when(entry.time)
        line = f"{moment.hour:02}:{moment.minute:02} {where}{told}"
        day = self._look.day(moment)
        if day == self._day:
            return [line]
        self._day = day
        return [day, line]

    def _told(self, conversation: Conversation, entry: Entry) -> str:
        words, edit = self._look.words, entry.kind == "edit"
        if edit and (not entry.content or entry.user_id in self._model.blocked):
            return ""
        instead = None if edit else self._telling.instead(entry)
        if instead is not None:
            return instead
        name = self._telling.name(entry.user_id, entry.user_name)
        mine = entry.user_id == self._model.me.user_id
        if entry.reply:
            name = self._telling.answering(name, conversation.answered(entry))
        if not mine and self._model.mentions_me(entry.content):
            name = words("plain-to-you", who=name)
        text = self._look.text(acted(entry.content))
        if edit:
            return words("plain-edited", who=name, text=text)
        return f"{name}: {text}{words('edited') if entry.edited else ''}"
