"""Where the client keeps its things: XDG directories, profiles, tokens that only the owner reads."""

from pathlib import Path

__all__ = ["Profile", "Remembered"]


class Remembered:
    """Who used a profile last: ``server`` (endpoint string) and ``user`` (a name, or digits)."""

    server: str
    user: str


class DeviceSlot:
    """A device name and its token, used by one process at a time (the file is locked)."""

    device: str
    token: str

    def keep(self, token: str) -> None:
        """Remember the token, for the owner's eyes only (mode 0600); "" forgets it."""
        raise NotImplementedError

    def close(self) -> None:
        """Let another process use this device."""
        raise NotImplementedError


class Profile:
    """One person's settings and state. Directories are made when first written, mode 0700.

    :param name: a plain file name; ``default`` when none is chosen.
    """

    name: str
    config_file: Path
    """``$XDG_CONFIG_HOME/chatroom/config.toml`` (the same for all profiles)."""
    state: Path
    """``$XDG_STATE_HOME/chatroom/<name>``: outbox, tokens, drafts, log."""
    cache: Path
    """``$XDG_CACHE_HOME/chatroom/<name>``."""

    def __init__(self, name: str = "default") -> None:
        raise NotImplementedError

    def remembered(self) -> Remembered | None:
        """Who used this profile last."""
        raise NotImplementedError

    def remember(self, server: str, user: str) -> None:
        """Remember who uses this profile."""
        raise NotImplementedError

    def account(self, server: str, user: str) -> Path:
        """The directory of what belongs to one user on one server (outbox, tokens, drafts)."""
        raise NotImplementedError

    def device(self, server: str, user: str) -> DeviceSlot | None:
        """Take a device of this installation that no other running program uses, those with a
        token first; None when all are in use."""
        raise NotImplementedError
