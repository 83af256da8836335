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
    "News",
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
_LENGTH = struct.Struct(">I")
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


class Draft(NamedTuple):
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
        return Draft(self._inner + inner, self._quoted + quoted(inner))

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
    """One published entry: who sent it from where, and its number."""

    server: int
    serial: int
    sender: int
    seq: int
    time: int
    client_id: bytes


@dataclass(slots=True)
class Publication:
    """Consecutive entries of one conversation, and their frames one after the other."""

    cid: str
    epoch: str
    epoch_first: int
    headers: list[Header]
    frames: bytes
    _split: list[bytes] | None = None

    def frame_of(self, header: Header) -> bytes:
        """The frame of one entry."""
        return self.split()[header.seq - self.headers[0].seq]

    def split(self) -> list[bytes]:
        """The frames one by one, as many as headers."""
        if self._split is None:
            self._split = _split(self.frames)
        return self._split

    def above(self, seq: int) -> "Publication":
        """The same with only the entries above ``seq``."""
        known = seq + 1 - self.headers[0].seq
        if known <= 0:
            return self
        frames = b"".join(_split(self.frames)[known:])
        return Publication(self.cid, self.epoch, self.epoch_first, self.headers[known:], frames)


def _split(frames: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(frames):
        end = at + LENGTH_SIZE + _LENGTH.unpack_from(frames, at)[0]
        found.append(frames[at:end])
        at = end
    return found


class News:
    """What a script published, read once and completed for each who is to see it.

    :raises struct.error: it is cut short.
    """

    __slots__ = ("_cores", "_frames", "cid", "epoch", "epoch_first", "headers")

    def __init__(self, payload: bytes) -> None:
        count, self.epoch_first, size_of_epoch, size_of_cid = _PREFIX.unpack_from(payload, 1)
        at = 1 + _PREFIX.size
        self.epoch = payload[at : at + size_of_epoch].decode()
        at += size_of_epoch
        self.cid = payload[at : at + size_of_cid].decode()
        at += size_of_cid
        self.headers: list[Header] = []
        sizes = []
        for _ in range(count):
            server, serial, sender, seq, time, size, length = _HEADER.unpack_from(payload, at)
            at += _HEADER.size
            end = at + length
            self.headers.append(Header(server, serial, sender, seq, time, payload[at:end]))
            sizes.append(size)
            at = end
        self._frames = payload[at:]
        self._cores: list[bytes] | None = None
        if payload[0] == _PRIVATE:
            self._cores = []
            for size in sizes:
                self._cores.append(payload[at : at + size])
                at += size

    def for_user(self, user_id: int) -> Publication:
        """The publication as ``user_id`` sees it, 0 for a room."""
        if self._cores is None:
            frames = self._frames
        else:
            ending = suffix(cid_name(self.cid, user_id))
            frames = b"".join([frame(core + ending) for core in self._cores])
        return Publication(self.cid, self.epoch, self.epoch_first, self.headers, frames)


def from_log(page: Page, cid: str, conversation: str) -> Publication:
    """What was published of entries that had to be read from the log instead.

    :param conversation: its name as the receivers of the frames see it.
    """
    headers = [Header(0, 0, each.sender, each.seq, 0, each.client_id) for each in page.entries]
    frames = b"".join(push_frame(each.for_user(0), conversation) for each in page.entries)
    return Publication(cid, page.epoch, page.epoch_first, headers, frames)
