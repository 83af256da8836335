"""What keys do in the lists beside the messages: move, choose, take back what narrows them."""

from collections.abc import Callable

from chat.client.conversation import Conversation
from chat.client.tui.chat import Chat
from chat.client.tui.desk import Desk
from chat.messages import User

__all__ = ["Listing"]


class Listing:
    """Part of ``Actions``.

    :param open_conversation: shows the conversation of that name.
    """

    def __init__(self, chat: Chat, desk: Desk, open_conversation: Callable[[str], None]) -> None:
        self._chat = chat
        self._desk = desk
        self._open = open_conversation

    def do_select_up(self) -> None:
        self._move(-1)

    def do_select_down(self) -> None:
        self._move(1)

    def do_select_first(self) -> None:
        pane = self._desk.list_pane()
        if pane is not None:
            pane.select(0)

    def do_select_last(self) -> None:
        pane = self._desk.list_pane()
        if pane is not None:
            pane.select(len(pane.items()))

    def _move(self, step: int) -> None:
        pane = self._desk.list_pane()
        if pane is not None:
            pane.move(step)

    def do_choose(self) -> None:
        pane = self._desk.list_pane()
        chosen = pane.chosen() if pane is not None else None
        if isinstance(chosen, Conversation):
            self._open(chosen.name)
        elif isinstance(chosen, User):
            if chosen.user_name:
                self._chat.model.conversation(f"@{chosen.user_id}").partner = chosen.user_name
            self._open(f"@{chosen.user_id}")

    def do_unfilter(self) -> None:
        pane = self._desk.list_pane()
        if pane is not None:
            pane.unfilter()
