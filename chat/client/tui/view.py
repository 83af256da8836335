"""The interface between a chat and the screen on which it is shown."""

from typing import Protocol

from chat.client.notify import Came
from chat.client.tui.panes.messages import Wish

__all__ = ["View"]


class View(Protocol):
    """What a chat needs to know of the screen."""

    def redraw(self) -> None:
        """Something changed; draw soon."""

    def redraw_now(self) -> None:
        """Something changed that is to be seen at once, whatever was drawn just now."""

    def in_view(self) -> bool:
        """Whether the newest messages of the open conversation are really before somebody."""

    def at_end(self) -> bool:
        """Whether the open conversation's end is shown, so that its beginning can be let go."""

    def columns(self) -> int:
        """How wide a sentence may be."""

    def wish(self) -> Wish | None:
        """What history the last drawing lacked."""

    def watching(self) -> list[int]:
        """Whose presence is in view."""

    def attention(self, came: Came) -> None:
        """A message came that is not in view."""
