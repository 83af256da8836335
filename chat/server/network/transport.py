"""A TCP transport that writes at once when nothing is buffered, and whole frames if asked to.

Twisted's own transport registers with the poller for every write and sends on the next turn:
10 us for what a direct ``send`` does in 4 to 5. ``tcp.Port.transport`` is documented as
replaceable; this class changes when bytes leave, and nothing else of Twisted's.
"""

import errno
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from chat import codec

__all__ = [
    "FrameServer",
    "QueuedFrameServer",
    "not_at_once",
    "tune",
    "unsent",
    "write_whole_frames",
]

TCPI_SND_WND: Final = 228
"""Linux: where the peer's receive window stands in TCP_INFO (linux/tcp.h, since 5.4)."""

TCP_INFO_SIZE: Final = 256
FIRST_WAIT: Final = 0.005
LONGEST_WAIT: Final = 0.1
"""Seconds until a client that could not take a frame is tried again, doubled each time."""

_LENGTH = struct.Struct(">I")
_NUMBER = struct.Struct("=I")


READ_SIZE: Final = 1 << 16
"""Bytes taken from a socket at a time. Twisted takes ``bufferSize``, which also is how much may
wait to be sent; above glibc's threshold of 128 KiB each read would map and unmap memory: 25 us."""


KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence before the first probe, seconds between probes, and how many."""

INHERITED: Final = sys.platform == "linux"
"""Whether an accepted socket is tuned as the one that listened was (tcp(7), socket(7)): that saves
five calls of the kernel for each connection."""


def tune(handle: socket.socket) -> None:
    """Have the kernel send at once, and notice within two minutes that a peer's machine is gone.

    A Unix socket, whose connections are TCP to Twisted as well, can do neither.
    """
    if handle.family == socket.AF_UNIX:
        return
    handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def not_at_once(data: bytes) -> int:
    """The ``direct`` of a transport that can't write at once: it takes nothing."""
    return 0


class FrameServer(tcp.Server):
    """A connection accepted by a port of ``Listeners``, whose socket is ``tune``d.

    :ivar direct: the socket's own ``send`` while nothing waits to be written before it, for those
        who write to many. It may take less than everything, or raise OSError: then ``write`` the
        rest.
    :ivar frames_sent: told how many whole frames have gone to the kernel; None while nobody asks.
    """

    direct: Callable[[bytes], int] = staticmethod(not_at_once)
    whole_frames = False
    frames_sent: Callable[[int], None] | None = None
    _waiting: IDelayedCall | None = None
    _wait = FIRST_WAIT

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not INHERITED:
            tune(self.socket)
        self._look()

    def _look(self) -> None:
        """Find out whether anything has to be written before what comes next."""
        free = self._is_idle() and not self.whole_frames
        self.direct = self.socket.send if free else not_at_once

    def _is_idle(self) -> bool:
        return bool(
            self.connected
            and not self.disconnecting
            and not self.TLS
            and not self.dataBuffer
            and not self._tempDataBuffer
        )

    def write(self, data: bytes) -> None:
        """Send ``data`` now if nothing waits before it, else queue it."""
        sent: Any = 0
        if self.direct is not not_at_once:
            try:
                sent = self.direct(data)
            except OSError:
                sent = 0  # It would block, or is gone: the ordinary way finds out which.
        elif self.whole_frames and self._is_idle():
            sent = self._send_whole(data)
            if not isinstance(sent, int):
                sent = 0
        if sent < len(data):
            self.direct = not_at_once
            super().write(data[sent:])

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write all of these."""
        self.write(b"".join(iovec))

    def doWrite(self) -> Any:
        """What the reactor calls when the socket can take more."""
        failed = super().doWrite()
        if self.direct is not_at_once:
            self._look()
        return failed

    def startTLS(self, *arguments: Any, **options: Any) -> None:
        """From here on everything is encrypted."""
        self.direct = not_at_once
        super().startTLS(*arguments, **options)

    def loseConnection(self) -> None:
        """Close when all is written."""
        self.direct = not_at_once
        super().loseConnection()

    def loseWriteConnection(self) -> None:
        """Say that nothing follows when all is written."""
        self.direct = not_at_once
        super().loseWriteConnection()

    def abortConnection(self) -> None:
        """Close at once."""
        self.direct = not_at_once
        super().abortConnection()

    def doRead(self) -> Any:
        """What the reactor calls when something has come."""
        try:
            data = self.socket.recv(READ_SIZE)
        except OSError as error:
            return None if error.errno == errno.EWOULDBLOCK else CONNECTION_LOST
        return self._dataReceived(data)

    def writeSomeData(self, data: bytes) -> Any:
        """What the reactor calls when the socket can take more of what was queued."""
        if not self.whole_frames:
            return super().writeSomeData(data)
        sent = self._send_whole(data)
        if sent == 0:
            # The socket is writable all the same, and asking the poller would spin.
            self.stopWriting()
            if self._waiting is None:
                clock: Any = self.reactor
                self._waiting = clock.callLater(self._wait, self._try_again)
                self._wait = min(self._wait * 2, LONGEST_WAIT)
        else:
            self._wait = FIRST_WAIT
        return sent

    def readConnectionLost(self, reason: Failure) -> None:
        """The other side has closed; no protocol of ours goes on writing then, as Twisted asks."""
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone, and with it what waited to be sent."""
        self.direct = not_at_once
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        super().connectionLost(reason)

    def _try_again(self) -> None:
        self._waiting = None
        if self.connected:
            self.startWriting()

    def _send_whole(self, data: bytes) -> Any:
        """Send as many whole frames as the client's window takes in one piece."""
        room = _room(self.socket)
        end = frames = 0
        while end < len(data):
            size = _LENGTH.unpack_from(data, end)[0] + _LENGTH.size
            if end + size > room:
                break
            # One at a time: a longer write may be taken in part.
            sent = super().writeSomeData(data[end : end + size])
            if not isinstance(sent, int):
                return sent
            end += sent
            if sent < size:
                if sent:
                    # What follows would be read as the head of another frame.
                    self.abortConnection()
                break
            frames += 1
        if frames and self.frames_sent is not None:
            self.frames_sent(frames)
        return end


class QueuedFrameServer(FrameServer):
    """The same without writing at once: everything leaves on the reactor's next turn."""

    def _look(self) -> None:
        """There is nothing to find out."""

    def write(self, data: bytes) -> None:
        """Queue ``data``."""
        super(FrameServer, self).write(data)


def _room(connection: socket.socket) -> int:
    """How many bytes the peer accepts now, so that none of them has to wait in our kernel.

    What waits there is joined, and cut again at the edge of the peer's window, so that even a frame
    that was handed over whole arrives in pieces.
    """
    under_way = _unconfirmed(connection)
    if sys.platform == "linux":
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        if len(info) >= TCPI_SND_WND + _NUMBER.size:
            window: int = _NUMBER.unpack_from(info, TCPI_SND_WND)[0]
            return window - under_way
    return 0 if under_way else codec.ORIGINAL_FRAME_LIMIT + codec.LENGTH_SIZE


def _unconfirmed(connection: Any) -> int:
    """Bytes in the kernel that the peer's machine has not acknowledged."""
    count: int = _NUMBER.unpack(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]
    return count


def unsent(transport: Any) -> int:
    """Bytes that a client has not got yet: those that wait here, and those that its machine has not
    acknowledged. 0 for something that is not a connection of the kernel's."""
    if not isinstance(transport, FileDescriptor):
        return 0
    waiting: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return waiting + _unconfirmed(transport)


def write_whole_frames(transport: Any, frames_sent: Callable[[int], None]) -> bool:
    """From now on hand every frame to the kernel in one piece, and count them.

    :param frames_sent: told how many more frames have gone to the kernel.
    :returns: False when ``transport`` can't do that; ``frames_sent`` is never called then.
    """
    if not isinstance(transport, FrameServer) or transport.TLS:
        return False
    transport.frames_sent = frames_sent
    transport.whole_frames = True
    transport.direct = not_at_once
    return True
