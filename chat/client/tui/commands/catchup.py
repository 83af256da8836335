"""What was missed, one message after the other, at the reader's pace."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from chat.client.conversation import Conversation
from chat.client.text import width
from chat.client.tui.chat import Chat

__all__ = ["CatchUp", "reading_seconds"]

COLUMNS_A_SECOND = 25
"""Some 250 words a minute, which most people read silently (Brysbaert 2019: 238)."""

SHORTEST, LONGEST = 0.8, 10.0
"""Seconds for a message: to see who it is from, and before one would rather page on."""


def reading_seconds(text: str) -> float:
    """How long somebody reads ``text``."""
    return min(LONGEST, max(SHORTEST, width(text.replace("\n", " ")) / COLUMNS_A_SECOND))


class CatchUp:
    """Goes through a conversation from a number on, to its end.

    :param clock: of Twisted.
    :param show: shows the entry of a conversation at an index.
    :ivar left: how many entries are still to come.
    """

    def __init__(self, clock: Any, chat: Chat, show: Callable[[Conversation, int], None]) -> None:
        self._clock = clock
        self._chat = chat
        self._show = show
        self._waiting: Deferred[None] | None = None
        self._timer: Any = None
        self._going: object = None
        self.paused = False
        self.left = 0

    @property
    def active(self) -> bool:
        """Whether it is under way, or paused."""
        return self._going is not None

    async def run(self, conversation: Conversation, seq: int) -> bool:
        """Show one entry after the other from ``seq`` on. Opening another conversation ends it.

        :returns: whether it came to the end.
        :raises ClientError: what is missing can't be fetched.
        """
        # Another catch-up may have begun while messages were fetched.
        this = self._going = object()
        self.paused = False
        try:
            while self._going is this and self._chat.model.current is conversation:
                if seq <= conversation.newest:
                    await self._chat.history.have(conversation.name, seq)
                index = conversation.index(seq)
                if self._going is not this:
                    break
                if index >= len(conversation.entries):
                    return True
                entry = conversation.entries[index]
                self.left = conversation.newest - entry.seq
                self._show(conversation, index)
                seq = entry.seq + 1
                if entry.kind != "edit":  # the message itself has the new text
                    await self._rest(reading_seconds(entry.content))
            return False
        finally:
            if self._going is this:
                self._going = None

    def toggle(self) -> None:
        """Pause, or go on at once."""
        self.paused = not self.paused
        if self.paused:
            self._cancel()
        else:
            self._wake()

    def stop(self) -> None:
        """End it."""
        self._going = None
        self._cancel()
        self._wake()

    async def _rest(self, seconds: float) -> None:
        self._waiting = Deferred()
        if not self.paused:
            self._timer = self._clock.callLater(seconds, self._wake)
        await self._waiting

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
