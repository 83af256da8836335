"""A TCP transport that writes at once while nothing is buffered, and whole frames where it must.

Twisted's own transport registers with the poller for every write and sends on the next turn:
10 us for what a direct ``send`` does in 4 to 5. ``tcp.Port.transport`` is documented as
replaceable; this class changes when bytes leave, and nothing else of Twisted's.
"""

import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from twisted.internet import tcp

__all__ = ["FrameServer", "QueuedFrameServer", "write_whole_frames"]

SO_MEMINFO: Final = 55
"""Linux: what a socket's buffers hold and may hold (linux/socket.h, since 4.12)."""

_MEMINFO = struct.Struct("9I")
_SNDBUF, _WMEM_QUEUED = 3, 5
_LENGTH = struct.Struct(">I")

WHOLE_FRAME_BUFFER: Final = 65_536
"""Bytes asked for as the send buffer where frames go out whole. The kernel doubles it; two thirds
of that are free when it says that one may write, which takes the largest frame and its cost."""

BOOKKEEPING: Final = 2
"""The kernel charges a buffer for its bookkeeping too, at most as much as for 8 KiB of data."""


class FrameServer(tcp.Server):
    """An accepted connection.

    :ivar frames_sent: told how many whole frames have gone to the kernel; None while nobody asks.
    """

    whole_frames = False
    frames_sent: Callable[[int], None] | None = None

    def write(self, data: bytes) -> None:
        """Send ``data`` now when nothing waits before it, else queue it."""
        idle = not self.dataBuffer and not self._tempDataBuffer
        if idle and self.connected and not self.disconnecting and not self.TLS:
            try:
                sent = self._send_whole(data) if self.whole_frames else self.socket.send(data)
            except OSError:  # would block, or is gone: the ordinary way finds out which
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        super().write(data)

    def writeSomeData(self, data: bytes) -> Any:
        """What the reactor calls when the socket can take more of what was queued."""
        if self.whole_frames:
            return self._send_whole(data)
        return super().writeSomeData(data)

    def _send_whole(self, data: bytes) -> Any:
        """Send as many whole frames as the kernel is sure to take in one piece."""
        room = _room(self.socket)
        end = frames = 0
        while end < len(data):
            size = _LENGTH.unpack_from(data, end)[0] + _LENGTH.size
            if end + size > room:
                break
            end += size
            frames += 1
        if not end:
            return 0
        sent = super().writeSomeData(data[:end])
        if self.frames_sent is not None and sent == end:
            self.frames_sent(frames)
        return sent


class QueuedFrameServer(FrameServer):
    """The same without writing at once: everything leaves on the reactor's next turn."""

    def write(self, data: bytes) -> None:
        """Queue ``data``."""
        super(FrameServer, self).write(data)


def _room(connection: socket.socket) -> int:
    """How many bytes a socket takes now without cutting them."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
    except OSError:  # no such thing on this system: nobody can tell
        return WHOLE_FRAME_BUFFER
    info = _MEMINFO.unpack(raw)
    return (int(info[_SNDBUF]) - int(info[_WMEM_QUEUED])) // BOOKKEEPING


def write_whole_frames(transport: Any, frames_sent: Callable[[int], None]) -> bool:
    """From now on let every frame go to the kernel in one piece, and be told of each.

    :returns: False when ``transport`` can't, and ``frames_sent`` will not be called.
    """
    if not isinstance(transport, FrameServer) or transport.TLS:
        return False
    transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WHOLE_FRAME_BUFFER)
    transport.frames_sent = frames_sent
    transport.whole_frames = True
    return True
