"""The interface between what comes before the chat and the screen on which it is shown."""

from typing import Protocol

from chat.client.tui.entrance.login import Entered
from chat.client.tui.look import Look
from chat.client.tui.panes.forms import Form, Menu

__all__ = ["Entrance"]


class Entrance(Protocol):
    """What the start needs of what is around it."""

    look: Look

    def show_menu(self, widget: Menu | Form) -> None:
        """Have it on the screen."""

    def redraw(self) -> None:
        """Something changed; draw soon."""

    def enter(self, entered: Entered) -> None:
        """The chat begins."""

    def welcome(self) -> None:
        """Tell somebody who is here for the first time what there is."""

    def leave(self) -> None:
        """End the program."""

    def restyle(self, look: Look) -> None:
        """Use another language from now on."""
