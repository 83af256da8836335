"""How the screen looks and which language it speaks, as one value that every pane shares."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Final

from chat.client.language.words import Words
from chat.client.text import clean, clean_line
from chat.client.tui.themes import NAME_COLOURS, THEMES, UNICODE, Glyphs, Theme

__all__ = ["Look"]

_EPOCH: Final = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Look:
    """How the screen looks: words, glyphs, colours, and how emoji are treated.

    :ivar zone: the reader's time zone, None for this machine's.
    :ivar now: the time, in seconds since 1970 UTC.
    """

    words: Words
    now: Callable[[], float]
    theme: Theme = THEMES["dark"]
    glyphs: Glyphs = UNICODE
    emoji: bool = False
    zone: tzinfo | None = field(default=None, compare=False)

    def line(self, text: str) -> str:
        """Text from outside, made safe, in one line."""
        return clean_line(text, self.emoji)

    def text(self, text: str) -> str:
        """Text from outside, made safe; newlines stay."""
        return clean(text, self.emoji)

    def when(self, milliseconds: int) -> datetime:
        """A time of the protocol as the reader's time; 1970 for what no calendar has."""
        try:
            return datetime.fromtimestamp(milliseconds / 1000, self.zone)
        except (OverflowError, OSError, ValueError):
            return _EPOCH if self.zone is None else _EPOCH.replace(tzinfo=self.zone)

    def moment(self) -> datetime:
        """Now, as the reader's time."""
        return self.when(int(self.now() * 1000))

    def day(self, moment: datetime) -> str:
        """The date on a separator."""
        weekday = self.words(f"weekday-{moment.weekday()}")
        return self.words(
            "day", year=moment.year, month=moment.month, day=moment.day, weekday=weekday
        )

    @staticmethod
    def colour(user_id: int) -> str:
        """The colour of a name: the same on every machine and every day."""
        return f"name{zlib.crc32(str(user_id).encode()) % NAME_COLOURS}"

    def with_theme(self, theme: Theme) -> "Look":
        return replace(self, theme=theme, glyphs=theme.glyphs_over(self.glyphs))

    def with_words(self, words: Words) -> "Look":
        return replace(self, words=words)
