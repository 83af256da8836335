"""What is to be written to each connection, collected until the reactor's turn ends.

Everything that one read of the bus brings leaves as one write to each connection. Where there are
many connections to write to, the writing waits for what the next call to the store brings.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter, call
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chat.server.watching import tracing
from chat.store.posting import Posting

if TYPE_CHECKING:
    from chat.server.network.connection import Connection

__all__ = ["Writes"]

MANY: Final = 50
"""Connections to write to, from which on a turn waits for the next call to the store: so many sends
take as long as that call, and the two turns become one send to each."""

GATHER_SECONDS: Final = 0.01
"""How long it waits at most: a call takes two to four milliseconds, and may bring nothing."""

_direct: Final = attrgetter("wire.direct")

PATIENCE_SECONDS: Final = 0.25
PATIENCE_BYTES: Final = 4_096
"""How long patient frames wait, and how many bytes of them, if nothing else is sent before."""


class Writes:
    """Frames for connections, in order, never a part of one.

    :ivar done: called when everything that was collected has been written.
    """

    def __init__(self, clock: IReactorTime, posting: Posting) -> None:
        self._clock = clock
        self._posting = posting
        self._gathered: dict[Connection, bytes] = {}
        self._patient: dict[Connection, bytes] = {}
        self._patient_bytes = 0
        self._patience: Any = None
        self._gathering: Any = None
        self.done: Callable[[], None] = lambda: None

    # In --------------------------------------------------------------------------------------

    def add(self, connection: "Connection", data: bytes) -> None:
        """Send ``data`` to one connection when the turn ends."""
        if self._patient:
            data = self._patient.pop(connection, b"") + data
        self._gathered[connection] = self._gathered.get(connection, b"") + data

    def add_to_all(
        self,
        connections: Collection["Connection"],
        data: bytes,
        but: Collection["Connection"],
        *,
        patiently: bool,
    ) -> None:
        """Send the same to all connections but a few.

        :param patiently: nobody waits for it, so it may be sent together with whatever comes next.
        """
        gathered = self._where_to(len(data), patiently)
        if not gathered:
            gathered.update(dict.fromkeys(connections, data))
            for connection in but:
                gathered.pop(connection, None)
            return
        before, joined = None, b""
        for connection in connections:
            if connection in but:
                continue
            known = gathered.get(connection)
            if known is None:
                gathered[connection] = data
                continue
            if known is not before:  # Most connections have the same: they share one object.
                before, joined = known, known + data
            gathered[connection] = joined

    def take(self, connection: "Connection") -> bytes:
        """Take out what was collected for a connection, for whoever writes to it now: this goes
        first."""
        gathered = self._gathered.pop(connection, b"")
        return gathered + self._patient.pop(connection, b"") if self._patient else gathered

    def _where_to(self, size: int, patiently: bool) -> "dict[Connection, bytes]":
        """Where data waits: until the turn ends, or a little longer."""
        if patiently:
            self._patient_bytes += size
            if self._patient_bytes <= PATIENCE_BYTES:
                if self._patience is None:
                    self._patience = self._clock.callLater(PATIENCE_SECONDS, self._out_of_patience)
                return self._patient
        if self._patient_bytes:
            self._lose_patience()
        return self._gathered

    def _lose_patience(self) -> None:
        patient, self._patient, self._patient_bytes = self._patient, {}, 0
        for connection, data in patient.items():
            self._gathered[connection] = self._gathered.get(connection, b"") + data

    def _out_of_patience(self) -> None:
        self._patience = None
        self._lose_patience()
        self.turn_ended()

    # Out -------------------------------------------------------------------------------------

    def turn_ended(self) -> None:
        """Write to each connection, or wait for the next call to the store."""
        if self._gathering is not None:
            self._gathering.cancel()
        elif len(self._gathered) >= MANY and self._posting.has_more:
            self._gathering = self._clock.callLater(GATHER_SECONDS, self._write_all)
            return
        self._write_all()

    def _write_all(self) -> None:
        self._gathering = None
        gathered, self._gathered = self._gathered, {}
        writes = list(gathered.values())
        sent = _send_each(map(_direct, gathered), writes)
        if sent != list(map(len, writes)):
            pairs = zip(gathered.items(), sent, strict=True)
            self._gathered = {each: data[size:] for (each, data), size in pairs if size < len(data)}
            for connection in tuple(self._gathered):
                self._flush(connection)
        self.done()

    def _flush(self, connection: "Connection") -> None:
        try:
            connection.flush()
        except Exception:  # One client's trouble is not the others'.
            tracing.failed(connection.session, "writing", Failure())
            connection.abort()


def _send_each(sends: Iterable[Callable[[bytes], int]], writes: Sequence[bytes]) -> list[int]:
    """Give each connection its bytes.

    Between two calls of the kernel there is no step of the interpreter: after each of them the
    processor has forgotten much, and the reader that it woke would sleep again. A connection's
    ``send`` is looked up when its turn comes, since looking up all of them before the first send
    would keep everybody waiting.

    :returns: how many bytes each has taken.
    """
    sent: list[int] = []
    rest = map(call, sends, writes)
    while len(sent) < len(writes):
        try:
            sent.extend(rest)  # What was sent before an error stays in the list.
        except OSError:
            sent.append(0)  # It would block, or is gone: writing the rest will tell.
    return sent
