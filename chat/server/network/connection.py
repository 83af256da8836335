"""One socket: frames in, bytes out, and how much may wait for a client that does not read."""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from chat.codec import LENGTH_SIZE
from chat.server.network.transport import (
    FrameServer,
    not_at_once,
    tune,
    unsent,
    write_whole_frames,
)

if TYPE_CHECKING:
    from chat.server.factory import ChatFactory
    from chat.server.session import Session

__all__ = ["Connection"]

CLOSING_SECONDS: Final = 2.0
"""How long a closed connection may take to read its last words."""

_length_at: Final = struct.Struct(">I").unpack_from


class _Indirect:
    """Stands for a transport that is not ours, or speaks TLS: frames are written to it the ordinary
    way."""

    direct = staticmethod(not_at_once)


_INDIRECT: Final = _Indirect()


class Connection(Int32StringReceiver):
    """Adapts a transport to a session. It decides about bytes, never about people.

    :ivar wire: the transport if it is a ``FrameServer``, whose ``direct`` is for writing at once.
    :ivar behind: the send buffer is over the limit, so nothing live is queued for this client.
    :ivar heard: when its last bytes came, in the reactor's seconds.
    :ivar unfinished: bytes of an incomplete frame, counted while nobody is logged in.
    """

    _log = Logger()
    session: "Session"
    wire: FrameServer | _Indirect = _INDIRECT

    def __init__(self, factory: "ChatFactory", address: str) -> None:
        self.factory = factory
        self.address = address
        self.MAX_LENGTH = factory.context.settings.frame_limit or 2**32 - 1
        self.behind = False
        self.closing = False
        self.heard = 0.0
        self.unfinished = 0
        self.connected_at = 0.0
        self._stalled_since = 0.0
        self._unsent = 0
        self._ending: IDelayedCall | None = None
        self._held: IDelayedCall | None = None

    # What Twisted calls ----------------------------------------------------------------------

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self.heard = self.connected_at = self.factory.clock.seconds()
        if isinstance(transport, FrameServer):
            self.wire = transport
        carrier = _carrier(transport)
        if not isinstance(carrier, FrameServer) and ITCPTransport.providedBy(carrier):
            tune(transport.getHandle())
        limit = self.factory.context.settings.send_buffer
        if limit:
            # The protocol is its transport's producer: it is told when too much is buffered.
            carrier.bufferSize = limit
            transport.registerProducer(_Backpressure(self), True)
        self.factory.connected(self)

    def dataReceived(self, data: bytes) -> None:
        if self.closing:
            return
        self.heard = self.factory.clock.seconds()
        self._unprocessed = self._cut(self._unprocessed + data)
        if self.session.user is None or self.unfinished:
            before, self.unfinished = self.unfinished, len(self._unprocessed)
            self.factory.unfinished(self.unfinished - before)

    def _cut(self, data: bytes) -> bytes:
        """Hand over the frames that are complete.

        This is Twisted's loop without its bookkeeping for older programs, which is a third of the
        cost of cutting a frame.

        :returns: the bytes that are left for later.
        """
        start, size = LENGTH_SIZE, len(data)
        while start <= size and not (self.paused or self.closing):
            (length,) = _length_at(data, start - LENGTH_SIZE)
            if not 1 <= length <= self.MAX_LENGTH:
                self.lengthLimitExceeded(length)
                break
            end = start + length
            if end > size:
                break
            self.stringReceived(data[start:end])
            start = end + LENGTH_SIZE
        return b"" if self.closing else data[start - LENGTH_SIZE :]

    def stringReceived(self, string: bytes) -> None:
        self.session.frame_received(string)

    def lengthLimitExceeded(self, length: int) -> None:
        self.session.frame_too_large(length)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closing = True
        self._gathered()
        for call in (self._ending, self._held):
            if call is not None:
                call.cancel()
        self._ending = self._held = None
        self.factory.disconnected(self)

    # What the session calls ------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write whole frames now, after those that were gathered for this connection."""
        if self.closing:
            return
        transport: Any = self.transport
        transport.write(self._gathered() + data)

    def flush(self) -> None:
        """Write now what was gathered for this connection."""
        if gathered := self._gathered():
            self.send(gathered)

    def _gathered(self) -> bytes:
        gathered: bytes = self.factory.context.writes.take(self)
        return gathered

    def close(self) -> None:
        """Let what was written reach the client, then close; nothing more is read or written."""
        if self.closing:
            return
        self.flush()
        self.closing = True
        transport: Any = self.transport
        if isinstance(transport, tcp.Server) and not transport.TLS:
            # Closing a socket that still holds unread bytes resets it, and the reset overtakes
            # the last words: say that nothing follows, and read on without listening.
            transport.loseWriteConnection()
        else:
            transport.loseConnection()
        transport.unregisterProducer()
        if self.paused:
            transport.resumeProducing()  # or the other side's closing would not be noticed
        if self.unfinished:  # It will never be complete.
            unfinished, self.unfinished, self._unprocessed = self.unfinished, 0, b""
            self.factory.unfinished(-unfinished)
        self._ending = self.factory.clock.callLater(CLOSING_SECONDS, self._abort)

    def abort(self) -> None:
        """Close at once, whatever is lost."""
        self.closing = True
        transport: Any = self.transport
        transport.abortConnection()

    def _abort(self) -> None:
        self._ending = None
        self.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the client until ``resume_reading``."""
        if not self.closing:
            self.pauseProducing()

    def has_to_wait(self) -> bool:
        """Whether this client, which is not logged in, has to wait for its turn
        (``Gate.has_to_wait``)."""
        waits: bool = self.factory.has_to_wait(self.session)
        return waits

    def hold(self, seconds: float) -> None:
        """Read nothing for ``seconds``: a client that sends too fast is read more slowly."""
        if not self.closing and self._held is None:
            self._held = self.factory.clock.callLater(seconds, self._let_go)
            self.pause_reading()

    def _let_go(self) -> None:
        self._held = None
        self._resume()

    def resume_reading(self) -> None:
        """Take frames again, beginning with those that were received already.

        This happens on the reactor's next turn: the caller may be inside ``dataReceived``, which
        must not be entered twice.
        """
        self.factory.clock.callLater(0, self._resume)

    def _resume(self) -> None:
        stopping = self.factory.context.stopping
        if self.paused and not (self.closing or self.behind or self._held or stopping):
            self.resumeProducing()

    def falls_behind(self) -> None:
        """Too much waits for the client: from here on its progress is watched."""
        self.behind = True
        self._stalled_since = self.factory.clock.seconds()
        self._unsent = unsent(_carrier(self.transport))

    def stalled(self) -> float:
        """For how many seconds a client that is behind has taken nothing. A client that reads
        slowly is not stalled."""
        now, left = self.factory.clock.seconds(), unsent(_carrier(self.transport))
        # More is progress too: TLS passes on what it has kept back once the rest is taken.
        if left != self._unsent:
            self._stalled_since, self._unsent = now, left
        return float(now - self._stalled_since)

    def write_whole_frames(self, frames_sent: Callable[[int], None]) -> bool:
        """See ``chat.server.network.transport``."""
        return write_whole_frames(self.transport, frames_sent)


def _carrier(transport: Any) -> Any:
    """The transport that carries the bytes: below TLS over another transport the lowest one, else
    itself."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport


class _Backpressure:
    """What a transport tells when its buffer is full; apart from the protocol's own pausing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        connection = self._connection
        if not connection.behind:
            connection.falls_behind()
            connection.session.fell_behind()

    def resumeProducing(self) -> None:
        connection = self._connection
        if connection.behind:
            connection.behind = False
            connection.session.caught_up()

    def stopProducing(self) -> None:
        """The connection is lost; ``connectionLost`` says so too."""
