"""Editing one's own message: it is put into the composer, and what was being written comes back."""

from chat.client.conversation import Conversation, Correction
from chat.client.tui.chat import Chat
from chat.client.tui.commands.table import parse, written
from chat.client.tui.desk import Desk
from chat.client.tui.panes.layout import Pane
from chat.messages import Entry

__all__ = ["Correcting"]


class Correcting:
    """Begins and ends the editing of a message. The model knows in which conversations one is
    edited."""

    def __init__(self, chat: Chat, desk: Desk) -> None:
        self._chat = chat
        self._desk = desk

    @property
    def under_way(self) -> bool:
        """Whether the composer of the open conversation holds a message that is being edited."""
        current = self._chat.model.current
        return current is not None and current.correction is not None

    def begin(self, entry: Entry) -> None:
        """Put the text of ``entry``, of the open conversation, into the composer."""
        conversation = self._chat.model.current
        if conversation is None:
            return
        self.give_up()
        editor = self._desk.composer.editor
        aside = editor.text
        editor.load(written(entry.content))
        conversation.correction = Correction(entry.seq, aside, editor.text)
        self._desk.focus_on(Pane.COMPOSER)

    def give_up(self) -> bool:
        """Leave the message as it is. What was written instead goes into the history.

        :returns: whether one was being edited.
        """
        conversation = self._chat.model.current
        if conversation is None or conversation.correction is None:
            return False
        editor = self._desk.composer.editor
        if editor.text != conversation.correction.given:
            editor.take()
        self._end(conversation)
        return True

    async def send(self, text: str) -> None:
        """Give the message ``text``. Until that is done, it stays in the composer.

        :raises ClientError: as ``ChatClient.edit`` does.
        """
        conversation = self._chat.model.current
        correction = conversation.correction if conversation is not None else None
        if conversation is None or correction is None:
            return
        if parse(correction.given).text != text:
            await self._chat.client.edit(conversation.name, correction.seq, text)
        if conversation.correction is correction and self._says(conversation, text):
            self._end(conversation)

    def _is_open(self, conversation: Conversation) -> bool:
        return conversation is self._chat.model.current

    def _says(self, conversation: Conversation, text: str) -> bool:
        """Whether ``text`` is still in the composer: somebody who has gone on writing is not
        done."""
        editor = self._desk.composer.editor
        return (
            parse(editor.text if self._is_open(conversation) else conversation.draft).text == text
        )

    def _end(self, conversation: Conversation) -> None:
        if conversation.correction is None:
            return
        aside, conversation.correction = conversation.correction.aside, None
        conversation.draft = aside
        if self._is_open(conversation):
            self._desk.composer.editor.load(aside)
            self._desk.composer.completion = None
        self._desk.changed()
