"""Messages that are not yet stored by the server, kept over disconnects and restarts."""

from pathlib import Path

from chat.client.events import Outgoing

__all__ = ["Outbox", "OutboxBusy"]


class OutboxBusy(Exception):
    """Another process has this outbox open."""


class Outbox:
    """What was written and is not yet known to be stored.

    :param path: a file, made with mode 0600; None: only in memory.
    :raises OutboxBusy: another process has the file open.
    :raises OSError: the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        raise NotImplementedError

    def pending(self) -> list[Outgoing]:
        """Oldest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""
        raise NotImplementedError
