"""The command that edits one's own last message."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from chat.client.tui.commands.offering import Offering
from chat.client.tui.commands.picked import PickedActions
from chat.messages import Entry

__all__ = ["EditingVerbs"]


class EditingVerbs(Offering):
    """Part of ``Verbs``."""

    picked: PickedActions

    def edit(self, arguments: str) -> Coroutine[Deferred[Any], Any, None] | None:
        """Give the user's last message the text after the command; without one, put it into the
        composer."""
        conversation, sent = self._chat.model.current, self.picked.own()
        if conversation is not None and conversation.pending:
            self._chat.say(self._words("edit-unsent"), bad=True)
        elif conversation is None or sent is None:
            self._chat.say(self._words("edit-own"), bad=True)
        elif arguments:
            return self._chat.client.edit(conversation.name, sent.seq, arguments)
        else:
            self._edit_last(sent)
        return None

    def _edit_last(self, sent: Entry) -> None:
        self.picked.correcting.begin(sent)
