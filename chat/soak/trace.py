"""What each connection was told, as an append-only list of small values for the judge."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

__all__ = [
    "Acked",
    "Answered",
    "Closed",
    "Dropped",
    "Edited",
    "Editing",
    "Event",
    "Fault",
    "Fetched",
    "Heard",
    "Left",
    "Logged",
    "Opened",
    "Pushed",
    "Receipt",
    "Recorder",
    "Redacted",
    "Redacting",
    "Sent",
    "Settled",
    "Shown",
    "Stalled",
    "Told",
    "read_trace",
]

BUFFERED: Final = 1 << 16


class _Event(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Something seen from outside; ``at`` is in seconds since the beginning of the run."""

    at: float


class Opened(_Event, frozen=True):
    """A connection (``link``) of a device is about to log in at a server."""

    link: int
    user: int
    device: str
    server: str


class Closed(_Event, frozen=True):
    """A connection has ended."""

    link: int


class Stalled(_Event, frozen=True):
    """A connection is no longer read: from here on holes in what it is sent are allowed."""

    link: int


class Sent(_Event, frozen=True):
    """A message was sent to a server, for the first time or again. ``key`` names it everywhere."""

    link: int
    conv: str
    key: str


class Answered(_Event, frozen=True):
    """SmsResMes. ``code`` 0: the connection was lost before an answer came."""

    link: int
    conv: str
    key: str
    code: int
    epoch: str = ""
    epoch_first: int = 0
    seq: int = 0
    duplicate: bool = False


class Pushed(_Event, frozen=True):
    """An entry was pushed; ``key`` is empty for an entry that is no message."""

    link: int
    conv: str
    epoch: str
    seq: int
    key: str


class Fetched(_Event, frozen=True):
    """An entry was in a page of HistoryResMes, which was asked for at ``asked``; ``revision``: how
    often it had been edited."""

    link: int
    conv: str
    epoch: str
    seq: int
    key: str
    asked: float = 0.0
    revision: int = 0


class Editing(_Event, frozen=True):
    """A server is about to be asked to have a message say something else; each time its revision is
    one higher."""

    conv: str
    seq: int
    key: str
    revision: int


class Edited(_Event, frozen=True):
    """It has said that it does."""

    conv: str
    seq: int
    key: str
    revision: int


class Redacting(_Event, frozen=True):
    """A server is about to be asked to delete the text of a message."""

    conv: str
    seq: int
    key: str


class Redacted(_Event, frozen=True):
    """The server has said that it did."""

    conv: str
    seq: int
    key: str


class Left(_Event, frozen=True):
    """A connection was told that its user is no longer in a room."""

    link: int
    device: str
    conv: str


class Heard(_Event, frozen=True):
    """An original client was sent a message, which has no number."""

    link: int
    conv: str
    key: str


class Told(_Event, frozen=True):
    """A snapshot (LoginResMes) says where a conversation stands."""

    link: int
    conv: str
    epoch: str
    epoch_first: int
    seq: int


class Shown(_Event, frozen=True):
    """A device has an entry, and every one before it: a person would see it now."""

    device: str
    conv: str
    epoch: str
    seq: int
    key: str


class Dropped(_Event, frozen=True):
    """A device holds nothing from ``first`` on: it is new, or a new epoch begins there."""

    device: str
    conv: str
    epoch: str
    first: int


class Acked(_Event, frozen=True):
    """A device says how far its user is."""

    user: int
    conv: str
    delivered: int
    read: int


class Receipt(_Event, frozen=True):
    """A connection was told how far a user is."""

    link: int
    user: int
    conv: str
    delivered: int
    read: int


class Fault(_Event, frozen=True):
    """A fault begins or ends in a world.

    ``lossy_since``: what was accepted since then may be lost, with a new epoch; below 0: nothing.
    """

    world: str
    name: str
    begins: bool
    lossy_since: float = -1.0


class Settled(_Event, frozen=True):
    """Nobody sends any more and a connected device has had its time: where the log ends."""

    conv: str
    epoch: str
    seq: int


class Logged(_Event, frozen=True):
    """An entry of the history as it is at the very end, oldest first."""

    conv: str
    epoch: str
    seq: int
    key: str
    revision: int = 0


Event = (
    Opened
    | Closed
    | Stalled
    | Sent
    | Answered
    | Pushed
    | Fetched
    | Told
    | Shown
    | Dropped
    | Acked
    | Receipt
    | Fault
    | Settled
    | Logged
    | Editing
    | Edited
    | Redacting
    | Redacted
    | Left
    | Heard
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Recorder:
    """Writes events to a file, one line each, and passes them to a listener.

    :param seconds: the time since the beginning of the run.
    """

    def __init__(self, path: Path, seconds: Callable[[], float]) -> None:
        self.path = path
        self.now = seconds
        self.count = 0
        self.listeners: list[Callable[[Event], None]] = []
        self._file: BinaryIO = path.open("wb", buffering=BUFFERED)

    def __call__(self, event: Event) -> None:
        """Record one event."""
        self.count += 1
        self._file.write(_encoder.encode(event))
        self._file.write(b"\n")
        for listener in self.listeners:
            listener(event)

    def flush(self) -> None:
        """Let readers of the file see everything so far."""
        self._file.flush()

    def close(self) -> None:
        """Write the rest; nothing more is recorded."""
        self._file.close()


def read_trace(path: Path) -> Iterator[Event]:
    """The events of a file, oldest first."""
    with path.open("rb") as file:
        for line in file:
            yield _decoder.decode(line)
