"""Finds what one wrote before by a part of it, as Ctrl-R does in a shell."""

from chat.client.tui.chat import Chat
from chat.client.tui.commands.picked import Stage
from chat.client.tui.desk import Desk
from chat.client.tui.panes.popups import Choice, Popup, narrowed

__all__ = ["Recall"]

COLUMNS = 64

SHOWN = 200
"""Characters of a text that are shown; all of it is searched."""


class RecallPopup(Popup):
    texts = True


class Recall:
    """``do_recall`` asks which earlier text it was; what is being written is not lost."""

    def __init__(self, chat: Chat, desk: Desk, stage: Stage) -> None:
        self._chat = chat
        self._desk = desk
        self._stage = stage

    def do_recall(self) -> None:
        look = self._desk.look
        newest_first = dict.fromkeys(reversed(self._desk.composer.editor.history))
        choices = [
            Choice([(None, f" {look.line(each[:SHOWN])}")], each, each) for each in newest_first
        ]

        def chosen(text: object) -> None:
            self._stage.pop_up(None)
            self._desk.write(str(text))

        if not choices:
            self._chat.say(look.words("nothing-written"))
            return
        title = look.words("recall-title")
        popup = RecallPopup(look, title, lambda typed: narrowed(choices, typed), chosen, COLUMNS)
        self._stage.pop_up(popup)
