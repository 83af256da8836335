"""The interface between a chat and the screen on which it is shown."""

from typing import Protocol

from chat.client.notify import Came
from chat.client.tui.panes.messages import Wish

__all__ = ["View"]


class View(Protocol):
    """What a chat needs to know of the screen."""

    def redraw(self) -> None:
        """Something has changed; draw soon."""

    def redraw_now(self) -> None:
        """Something has changed that must be seen at once, whatever was drawn just now."""

    def in_view(self) -> bool:
        """Whether somebody is looking at the newest messages of the open conversation."""

    def at_end(self) -> bool:
        """Whether the end of the open conversation is shown, so its beginning can be dropped."""

    def columns(self) -> int:
        """How many columns a sentence may have."""

    def wish(self) -> Wish | None:
        """The history that the last drawing lacked."""

    def watching(self) -> list[int]:
        """The ids of the users whose presence is shown."""

    def attention(self, came: Came) -> None:
        """A message has come that is not in view."""
