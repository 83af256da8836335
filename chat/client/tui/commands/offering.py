"""What commands show: lists to choose from, in a popup, however long they are; and their usage."""

from collections.abc import Callable, Sequence

from chat.client.language.words import Words
from chat.client.tui.chat import Chat
from chat.client.tui.commands import helptext
from chat.client.tui.commands.picked import Stage
from chat.client.tui.commands.table import find
from chat.client.tui.desk import Desk
from chat.client.tui.panes.popups import Choice, Popup, in_columns, narrowed

__all__ = ["Offered", "Offering"]

Offered = tuple[str, str, str]
"""One of a list: what it is called, what there is to say of it, and its value."""


class Offering:
    """Part of ``Verbs``."""

    _chat: Chat
    _desk: Desk
    _around: Stage

    @property
    def _words(self) -> Words:
        return self._desk.look.words

    def _tell(self, text: str) -> None:
        """Answer a command among the messages, where it is seen by who is further up as well."""
        self._desk.messages.newest()
        self._chat.tell(text)

    def _hinted(self, title: str, hint: str) -> str:
        """The title of a list, with what Enter does in it."""
        return self._words("with-hint", title=self._words(title), hint=self._words(hint))

    def _usage(self, name: str) -> None:
        command = find(name)
        usage = helptext.command_usage(command, self._words) if command else ""
        self._chat.say(self._words("usage", usage=usage), bad=True)

    def _offer(self, title: str, rows: Sequence[Offered], chosen: Callable[[str], object]) -> None:
        """Let the user choose one of ``rows``; ``chosen`` is called with its value."""

        def found(typed: str) -> Sequence[Choice]:
            return narrowed(in_columns(rows, self._desk.columns), typed)

        def choose(value: object) -> None:
            self._around.pop_up(None)
            chosen(str(value))

        self._around.pop_up(Popup(self._desk.look, title, found, choose))

    def _list(self, title: str, rows: Sequence[Offered], chosen: Callable[[str], object]) -> None:
        """Show what there is; on a screen it can be chosen from as well."""
        self._offer(title, rows, chosen)
