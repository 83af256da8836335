"""The protocol as the soak speaks it: written separately, so as to share no mistake with the
server."""

import struct
from typing import Any, Final

import msgspec

__all__ = ["Frames", "pack"]

_LENGTH: Final = struct.Struct(">I")
_encode = msgspec.json.encode
_decode = msgspec.json.decode


class _Envelope(msgspec.Struct):
    """What every frame holds."""

    type: str
    data: str
    id: str = ""


_decoder = msgspec.json.Decoder(_Envelope)


def pack(kind: str, data: dict[str, Any], request_id: str = "") -> bytes:
    """A whole frame."""
    envelope = {"type": kind, "data": _encode(data).decode()}
    if request_id:
        envelope["id"] = request_id
    body = _encode(envelope)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts what was received into messages.

    :ivar largest: bytes of the largest frame so far.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.largest = 0

    def feed(self, data: bytes) -> list[tuple[str, dict[str, Any], str]]:
        """Type, data and id of every message that is complete now.

        :raises msgspec.MsgspecError: something came that is no message.
        """
        self._buffer += data
        found, start = [], 0
        while len(self._buffer) - start >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer, start)
            end = start + _LENGTH.size + size
            self.largest = max(self.largest, size)
            if len(self._buffer) < end:
                break
            envelope = _decoder.decode(self._buffer[start + _LENGTH.size : end])
            found.append((envelope.type, _decode(envelope.data), envelope.id))
            start = end
        del self._buffer[:start]
        return found
