"""Counts what arrives while its reader is further up, for the bar that leads to the newest."""

from chat.client.conversation import Conversation
from chat.client.model import Model

__all__ = ["Coming"]


class Coming:
    """Looks at each message once: thousands may arrive while somebody reads further up."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._of = ("", 0)
        self._upto = self._new = self._mentions = 0

    def since(self, conversation: Conversation, seq: int) -> tuple[int, int]:
        """How many messages of others are above number ``seq``, and how many of them speak to the
        user."""
        if self._of != (conversation.name, seq):
            self._of = (conversation.name, seq)
            self._upto, self._new, self._mentions = seq, 0, 0
        for each in conversation.entries[conversation.index(self._upto + 1) :]:
            self._upto = each.seq
            unsaid = each.kind or each.deleted or each.user_id in self._model.blocked
            if not unsaid and each.user_id != self._model.me.user_id:
                self._new += 1
                self._mentions += self._model.speaks_to_me(conversation, each)
        return self._new, self._mentions
