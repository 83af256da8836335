"""Entries as bytes: what a script is given, what it publishes, what the log keeps.

The publication of a conversation (see ``publish`` in ``scripts/conversation.lua``), big endian:

    "E" or "P"  count:4  epochFirst:8  its size:1  its size:1  epoch  conversation id
    of each entry  server:8  serial:8  sender:8  seq:8  time:8  frame size:4  size:1  clientId
    "E", a room: the frames, ready to be sent to everybody but the sender's own devices
    "P", a private conversation: frames without their length and ``suffix``, to be completed
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from chat import codec, messages
from chat.codec import LENGTH_SIZE, envelope, frame, quoted
from chat.store.keys import cid_name

__all__ = [
    "ENTRIES",
    "Author",
    "Draft",
    "Header",
    "LoggedEntry",
    "Page",
    "Publication",
    "entry_of",
    "epoch_count",
    "from_log",
    "origin",
    "own_frame",
    "push_frame",
    "suffix",
]

ENTRIES: Final = (b"E", b"P")
_PRIVATE: Final = ord("P")
_PREFIX = struct.Struct(">IQBB")
_HEADER = struct.Struct(">QQQQQIB")
_ORIGIN = struct.Struct(">QQQ")
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """One entry of a log; ``json`` is empty when it is redacted, ``sender`` 0 then."""

    seq: int
    sender: int
    client_id: bytes
    json: bytes

    @property
    def time(self) -> int:
        """Milliseconds since 1970 UTC, 0 for a redacted entry."""
        return msgspec.json.decode(self.json, type=messages.SmsPush).time if self.json else 0

    def for_user(self, user_id: int) -> bytes:
        """The entry as JSON for a page; one's own have their ``clientId``."""
        if not self.json:
            return b'{"seq":%d,"deleted":true}' % self.seq
        if self.client_id and self.sender == user_id:
            client_id = _encode(self.client_id.decode())
            return b'%b,"clientId":%b}' % (self.json[:-1], client_id)
        return self.json


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a log, oldest first; ``more`` in the direction that was asked."""

    epoch: str
    epoch_first: int
    first: int
    seq: int
    entries: Sequence[LoggedEntry]
    more: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """The middle of an entry, between its epoch and its time: as JSON, and inside a string."""

    inner: bytes
    quoted: bytes


class Author:
    """The part of a message that is the same for all that one user says, made once."""

    __slots__ = ("_inner", "_quoted", "name", "user_id")

    def __init__(self, user_id: int, name: str) -> None:
        self.user_id = user_id
        self.name = name
        self._inner = b'"userId":%d,"userName":%b,"content":' % (user_id, _encode(name))
        self._quoted = quoted(self._inner)

    def says(self, content: str) -> Draft:
        """A message of this user."""
        inner = _encode(content)
        return Draft(self._inner + inner, self._quoted + _encode(inner.decode())[1:-1])

    def does(self, kind: str, content: str = "", target: int = 0) -> Draft:
        """An entry of another kind (protocol §4)."""
        inner = b'"kind":%b,%b%b' % (_encode(kind), self._inner, _encode(content))
        if target:
            inner += b',"target":%d' % target
        return Draft(inner, quoted(inner))


def origin(server: int, serial: int, user_id: int) -> bytes:
    """Where a post comes from; all zero but the sender for an entry nobody waits for."""
    return _ORIGIN.pack(server, serial, user_id)


@lru_cache(maxsize=100)
def epoch_count(epoch: str) -> int:
    """Which of two epochs is the newer: the count in ``<count>.<random>``."""
    return int(epoch.partition(".")[0])


@lru_cache(maxsize=10_000)
def suffix(conversation: str) -> bytes:
    """The end of a push frame: names the conversation, closes the data and the envelope."""
    return quoted(b',"conversation":%b}' % _encode(conversation)) + b'"}'


def push_frame(entry: bytes, conversation: str) -> bytes:
    """A whole SmsMes frame for one entry as JSON."""
    data = b'%b,"conversation":%b}' % (entry[:-1], _encode(conversation))
    return frame(envelope("SmsMes", data))


def entry_of(push: bytes) -> messages.SmsPush:
    """The entry in a push frame."""
    read = codec.decode_envelope(push[codec.LENGTH_SIZE :])
    return msgspec.json.decode(read.data, type=messages.SmsPush)


def own_frame(push: bytes, client_id: bytes) -> bytes:
    """A push frame with ``clientId``, for the sender's own devices."""
    entry = msgspec.structs.replace(entry_of(push), client_id=client_id.decode())
    return codec.encode(entry)


class Header(NamedTuple):
    """One published entry: who sent it from where, its number, and its slice of the frames."""

    server: int
    serial: int
    sender: int
    seq: int
    time: int
    client_id: bytes
    start: int
    end: int


@dataclass(slots=True)
class Publication:
    """Consecutive entries of one conversation, and their frames one after the other."""

    cid: str
    epoch: str
    epoch_first: int
    headers: list[Header]
    frames: bytes

    @classmethod
    def parse(cls, payload: bytes, user_id: int = 0) -> "Publication":
        """Read what a script published.

        :param user_id: who is to see it, when it is of a private conversation.
        :raises struct.error: it is cut short.
        """
        count, epoch_first, size_of_epoch, size_of_cid = _PREFIX.unpack_from(payload, 1)
        at = 1 + _PREFIX.size
        epoch = payload[at : at + size_of_epoch].decode()
        at += size_of_epoch
        cid = payload[at : at + size_of_cid].decode()
        at += size_of_cid
        headers, end = [], 0
        ending = suffix(cid_name(cid, user_id)) if payload[0] == _PRIVATE else b""
        more = len(ending) + LENGTH_SIZE if ending else 0
        for _ in range(count):
            server, serial, sender, seq, time, size, length = _HEADER.unpack_from(payload, at)
            at += _HEADER.size
            client_id = payload[at : at + length]
            at += length
            start, end = end, end + size + more
            headers.append(Header(server, serial, sender, seq, time, client_id, start, end))
        if not ending:
            return cls(cid, epoch, epoch_first, headers, payload[at:])
        frames = []
        for header in headers:
            size = header.end - header.start - more
            frames.append(frame(payload[at : at + size] + ending))
            at += size
        return cls(cid, epoch, epoch_first, headers, b"".join(frames))

    def frame_of(self, header: Header) -> bytes:
        """The frame of one entry."""
        return self.frames[header.start : header.end]

    def above(self, seq: int) -> "Publication":
        """The same with only the entries above ``seq``."""
        kept = [header for header in self.headers if header.seq > seq]
        if len(kept) == len(self.headers):
            return self
        start = kept[0].start if kept else len(self.frames)
        moved = [h._replace(start=h.start - start, end=h.end - start) for h in kept]
        return Publication(self.cid, self.epoch, self.epoch_first, moved, self.frames[start:])


def from_log(page: Page, cid: str, conversation: str) -> Publication:
    """What was published of entries that had to be read from the log instead.

    :param conversation: its name as the receivers of the frames see it.
    """
    headers, frames, end = [], [], 0
    for entry in page.entries:
        frame_ = push_frame(entry.for_user(0), conversation)
        start, end = end, end + len(frame_)
        headers.append(Header(0, 0, entry.sender, entry.seq, 0, entry.client_id, start, end))
        frames.append(frame_)
    return Publication(cid, page.epoch, page.epoch_first, headers, b"".join(frames))
