"""What moderators can do to people and rooms, by its names in ``ModerateMes``."""

from typing import Final

__all__ = ["ON_PEOPLE", "ON_ROOMS"]

ON_PEOPLE: Final = (
    "kick", "ban", "unban", "mute", "unmute", "invite", "uninvite", "owner", "moderator", "member",
)  # fmt: skip
ON_ROOMS: Final = ("slow", "private", "public")
