"""Bytes to messages and back: the frame, the envelope, the two generations, the size limits.

    frame    = 4 bytes, unsigned, big endian: N   then N bytes: the envelope
    envelope = {"type": "SmsMes", "data": "{\\"content\\":\\"hi\\"}", "id": "17"}

A well-written message takes the fast way, straight into its struct. Members that are unknown or
written in another case make that fail, and the same bytes are read again with every name folded,
as Go's encoding/json does: the last duplicate counts, null is as good as absent.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec

from chat import messages
from chat.messages import Message, type_name

__all__ = [
    "FRAME_LIMIT",
    "ID_LIMIT",
    "LENGTH_SIZE",
    "ORIGINAL_FRAME_LIMIT",
    "BadMessage",
    "Envelope",
    "FrameReader",
    "FrameTooLarge",
    "UnknownType",
    "decode",
    "decode_data",
    "decode_envelope",
    "encode",
    "envelope",
    "escaped_size",
    "frame",
    "original_login_result",
    "original_sms",
    "quoted",
    "sms_accepted",
]

LENGTH_SIZE: Final = 4
FRAME_LIMIT: Final = 65_536
"""Largest N, in bytes, unless an option says otherwise."""

ORIGINAL_FRAME_LIMIT: Final = 8_000
"""Largest N to an original client: the smallest buffer that one of them reads into."""

ID_LIMIT: Final = 64
ELLIPSIS: Final = "…"
_LENGTH = struct.Struct(">I")
_encode = msgspec.json.encode


class BadMessage(ValueError):
    """An intact frame that is no valid message. The text names the member, for a programmer.

    :ivar about: the type of the message, where that could be read, else empty.
    :ivar request_id: the envelope's id, where that could be read.
    """

    def __init__(self, text: str, about: str = "", request_id: str | None = None) -> None:
        super().__init__(text)
        self.about = about
        self.request_id = request_id


class UnknownType(BadMessage):
    """An envelope's type is not one of those that are allowed here."""


class FrameTooLarge(ValueError):
    """A length of 0 or above the limit: what follows can't be divided into frames."""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every frame holds. ``data`` is a JSON document encoded as a string."""

    type: str
    data: str
    id: str | None = None


# Reading ---------------------------------------------------------------------------------------


class FrameReader:
    """Cuts a stream of bytes into frames, for those that are not an ``Int32StringReceiver``.

    :param limit: the largest N accepted, in bytes.
    """

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take more of the stream.

        :returns: the envelopes that are complete now.
        :raises FrameTooLarge: as soon as a wrong length is there.
        """
        buffer = self._buffer
        buffer += data
        found, start = [], 0
        while len(buffer) - start >= LENGTH_SIZE:
            (size,) = _LENGTH.unpack_from(buffer, start)
            if not 1 <= size <= self._limit:
                raise FrameTooLarge(f"a frame of {size} bytes; 1 to {self._limit} are allowed")
            end = start + LENGTH_SIZE + size
            if len(buffer) < end:
                break
            found.append(bytes(buffer[start + LENGTH_SIZE : end]))
            start = end
        del buffer[:start]
        return found


_envelope_decoder = msgspec.json.Decoder(Envelope)
_data_decoders: dict[type[Message], msgspec.json.Decoder[Message]] = {}


def decode(body: bytes, known: Mapping[str, type[Message]]) -> tuple[Message, str | None]:
    """Read a frame: the message in it, and the id of its envelope.

    :param known: the messages that are allowed, by the ``type`` of their envelope.
    :raises BadMessage: as ``decode_envelope`` and ``decode_data``, which find out why, and read
        what can be read all the same.
    """
    try:
        found = _envelope_decoder.decode(body)
        request_id = found.id
        if request_id is None or len(request_id) <= ID_LIMIT:
            return _data_decoders[known[found.type]].decode(found.data), request_id
    except (KeyError, msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    found = decode_envelope(body)
    return decode_data(found, known), found.id


def decode_envelope(body: bytes) -> Envelope:
    """Read a frame's envelope.

    :raises BadMessage: it is not one.
    """
    try:
        envelope = _envelope_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        try:
            envelope = _decode_slowly(body, Envelope)
        except BadMessage as error:
            raise BadMessage(str(error), *_readable(body)) from None
    if envelope.id is not None and len(envelope.id) > ID_LIMIT:
        raise BadMessage(f"id: longer than {ID_LIMIT} characters", envelope.type)
    return envelope


class _Part(msgspec.Struct):
    """The members of an envelope, of whatever type they are."""

    type: Any = None
    id: Any = None


def _readable(body: bytes) -> tuple[str, str | None]:
    """The type and the id in something that is not an envelope; empty and None where there are
    none."""
    try:
        part = _decode_slowly(body, _Part)
    except BadMessage:
        return "", None
    about = part.type[:64] if isinstance(part.type, str) else ""
    its_own = isinstance(part.id, str) and len(part.id) <= ID_LIMIT
    return about, part.id if its_own else None


def decode_data(envelope: Envelope, known: Mapping[str, type[Message]]) -> Message:
    """Read the message in an envelope.

    :param known: the messages that are allowed, by the ``type`` of their envelope.
    :raises UnknownType: the type is none of these.
    :raises BadMessage: the data does not fit it.
    """
    kind = known.get(envelope.type)
    if kind is None:
        about = envelope.type[:64]
        raise UnknownType(f"type: unknown, {about!r}", about, envelope.id)
    decoder = _data_decoders.get(kind)
    if decoder is None:
        decoder = _data_decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(envelope.data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        try:
            return _decode_slowly(envelope.data, kind)
        except BadMessage as error:
            raise BadMessage(str(error), envelope.type, envelope.id) from None


_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written: every member in its order, duplicates included."""


def _decode_slowly(document: bytes | str, kind: type[_Struct]) -> _Struct:
    """Read a document whose members are unknown, doubled, null, or written in another case.

    :raises BadMessage: it still does not fit.
    """
    try:
        # First msgspec, which is strict: Python's own reader accepts NaN and lone surrogates.
        msgspec.json.decode(document)
        pairs = json.loads(document, object_pairs_hook=_Pairs)
        if not isinstance(pairs, _Pairs):
            raise BadMessage("not a JSON object")
        return msgspec.convert(_fold(pairs, kind), kind)
    except BadMessage:
        raise
    except msgspec.ValidationError as error:
        raise BadMessage(_member_first(str(error))) from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BadMessage("not valid JSON") from None


def _member_first(text: str) -> str:
    """``Expected `int`, got `str` - at `$.user.userId` `` as ``user.userId: Expected ...``."""
    what, found, path = text.partition(" - at `$.")
    return f"{path.rstrip('`')}: {what}" if found else what


def _fold(value: Any, kind: type[msgspec.Struct] | None) -> Any:
    if isinstance(value, _Pairs):
        members = _members(kind) if kind else {}
        folded = {}
        for name, inner in value:
            known = members.get(name.casefold())
            if known and inner is not None:
                folded[known[0]] = _fold(inner, known[1])
        return folded
    if isinstance(value, list):
        return [_fold(item, kind) for item in value]
    return value


@cache
def _members(kind: type[msgspec.Struct]) -> dict[str, tuple[str, type[msgspec.Struct] | None]]:
    """Folded name -> (name on the wire, the struct that is inside)."""
    hints = get_type_hints(kind)
    return {
        wire.casefold(): (wire, _struct_in(hints[field]))
        for field, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    }


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next((found for arg in get_args(hint) if (found := _struct_in(arg))), None)


# Writing ---------------------------------------------------------------------------------------


def frame(body: bytes) -> bytes:
    """Put the length before an envelope."""
    return _LENGTH.pack(len(body)) + body


def envelope(kind: str, data: bytes, request_id: str | None = None) -> bytes:
    """Put data that is JSON already into an envelope of type ``kind``."""
    inner = quoted(data)
    if request_id is None:
        return b'{"type":"%b","data":"%b"}' % (kind.encode(), inner)
    return b'{"type":"%b","data":"%b","id":%b}' % (kind.encode(), inner, _encode(request_id))


def encode(message: Message, request_id: str | None = None) -> bytes:
    """A message as a whole frame, its length in front."""
    return frame(envelope(type_name(type(message)), _encode(message), request_id))


def quoted(data: bytes) -> bytes:
    """JSON, as msgspec writes it, as it stands inside an envelope's ``data``.

    Such JSON has no control characters left, so quotes and backslashes are all there is to escape.
    """
    return data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def sms_accepted(
    request_id: str | None,
    client_id: str,
    conversation: str,
    epoch: str,
    epoch_first: int,
    seq: int,
    time: int,
) -> bytes:
    """SmsResMes 200 as a whole frame. It answers every message, so it is put together by hand.

    Its members are those of ``messages.SmsResMes``, which a test compares.
    """
    body = (
        b'{"type":"SmsResMes","data":"{\\"code\\":200,\\"error\\":\\"\\",\\"clientId\\":%b,%b%d,'
        b'\\"time\\":%d,\\"duplicate\\":false,\\"retryAfter\\":0}"'
    ) % (
        quoted(_encode(client_id)), _accepted_there(conversation, epoch, epoch_first), seq, time,
    )  # fmt: skip
    if request_id is None:
        return frame(body + b"}")
    return frame(b'%b,"id":%b}' % (body, _encode(request_id)))


@lru_cache(maxsize=10_000)
def _accepted_there(conversation: str, epoch: str, epoch_first: int) -> bytes:
    """What all these replies have in common in one conversation, up to the number."""
    return quoted(
        b'"conversation":%b,"epoch":"%b","epochFirst":%d,"seq":'
        % (_encode(conversation), epoch.encode(), epoch_first)
    )


def escaped_size(data: bytes) -> int:
    """How many bytes ``data``, itself JSON written by us, takes inside an envelope."""
    return len(data) + data.count(b'"') + data.count(b"\\")


# Original clients ------------------------------------------------------------------------------


def original_login_result(users: Sequence[int]) -> bytes:
    """LoginResMes 200 as a whole frame, with as many of ``users`` as an original client can read.

    :param users: user ids, those that must not be cut first.
    """
    whole = encode(messages.OriginalLoginResMes(200, tuple(users)))
    excess = len(whole) - LENGTH_SIZE - ORIGINAL_FRAME_LIMIT
    if excess <= 0:
        return whole
    kept = len(users)
    while excess > 0:
        kept -= 1
        excess -= len(str(users[kept])) + 1
    return encode(messages.OriginalLoginResMes(200, tuple(users[:kept])))


def original_sms(user_id: int, user_name: str, content: str, status: int = 0) -> bytes:
    """SmsMes as a whole frame for original clients; content that is too long is cut and ends in
    ``…``."""

    def build(text: str) -> bytes:
        return encode(messages.OriginalSmsMes(text, user_id, "", user_name, status))

    whole = build(content)
    if len(whole) - LENGTH_SIZE <= ORIGINAL_FRAME_LIMIT:
        return whole
    fits, too_long = 0, min(len(content), ORIGINAL_FRAME_LIMIT)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if len(build(content[:middle] + ELLIPSIS)) - LENGTH_SIZE <= ORIGINAL_FRAME_LIMIT:
            fits = middle
        else:
            too_long = middle
    return build(content[:fits] + ELLIPSIS)
