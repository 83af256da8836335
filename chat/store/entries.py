"""Entries as bytes: what a script is given, what it publishes, what the log keeps.

All big endian. An entry's *record* is made by the server that it was sent to, and never changed:

    server:8  serial:4  sender:8  its size:1  size of the middle:4  clientId  middle

The middle is the entry as JSON between its epoch and its time. Of an entry the log keeps (up to
eight of which lie together: ``scripts/log.lua``)

    time:8  its size:1  epoch  record

and a publication (``news`` in ``scripts/conversation.lua``) tells of consecutive entries:

    "E"  count:4  epochFirst:8  first seq:8  time:8  its size:1  its size:1  epoch  conversation id
    the records
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from chat import codec, messages
from chat.codec import envelope, frame, quoted
from chat.store.keys import cid_name

__all__ = [
    "ENTRIES",
    "Author",
    "Header",
    "LoggedEntry",
    "News",
    "Page",
    "Publication",
    "entry_of",
    "epoch_count",
    "from_log",
    "logged",
    "own_frame",
    "push_frame",
    "read_entry",
    "record",
]

ENTRIES: Final = b"E"
_NEWS = struct.Struct(">IQQQBB")
_RECORD = struct.Struct(">QIQBI")
_KEPT = struct.Struct(">QB")
_LENGTH = struct.Struct(">I")
_SAID: Final = b'{"type":"SmsMes","data":"{\\"seq\\":'
_encode = msgspec.json.encode


class _Kept(messages.Entry, frozen=True, forbid_unknown_fields=False):
    """An entry that any version may have written: a later one with members unknown to this one."""


read_entry: Final[Callable[[bytes | str], messages.Entry]] = msgspec.json.Decoder(_Kept).decode
"""An entry's JSON as what is known of it here."""


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
        return read_entry(self.json).time if self.json else 0

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


class Author:
    """The part of a message that is the same for all that one user says, made once."""

    __slots__ = ("_start", "name", "user_id")

    def __init__(self, user_id: int, name: str) -> None:
        self.user_id = user_id
        self.name = name
        self._start = b'"userId":%d,"userName":%b,"content":' % (user_id, _encode(name))

    def says(self, content: str, reply: int = 0) -> bytes:
        """The middle of a message of this user.

        :param reply: the number of the entry that it answers, 0 for none; it stands last.
        """
        middle = self._start + _encode(content)
        return b'%b,"reply":%d' % (middle, reply) if reply else middle

    def does(
        self, kind: str, content: str = "", target: int = 0, target_name: str = "", seconds: int = 0
    ) -> bytes:
        """The middle of an entry of another kind (protocol, Values)."""
        middle = b'"kind":%b,%b%b' % (_encode(kind), self._start, _encode(content))
        if target:
            middle += b',"target":%d' % target
        if target_name:
            middle += b',"targetName":%b' % _encode(target_name)
        return b'%b,"seconds":%d' % (middle, seconds) if seconds else middle


def record(
    middle: bytes, sender: int, client_id: bytes = b"", server: int = 0, serial: int = 0
) -> bytes:
    """An entry's record; without ``server`` it is one that nobody waits for.

    :param serial: the server's number for it, modulo 2^32.
    """
    return _RECORD.pack(server, serial, sender, len(client_id), len(middle)) + client_id + middle


def logged(seq: int, kept: bytes) -> LoggedEntry:
    """What the log keeps under a number, taken apart; empty when it is gone, or was damaged.

    Each is read through, for 1 us: one entry that is no entry must not make its page fail.
    """
    if not kept:
        return LoggedEntry(seq, 0, b"", b"")
    try:
        time, size = _KEPT.unpack_from(kept)
        at = _KEPT.size + size
        epoch = kept[_KEPT.size : at]
        _, _, sender, length, _ = _RECORD.unpack_from(kept, at)
        at += _RECORD.size
        client_id, middle = kept[at : at + length], kept[at + length :]
        json = b'{"seq":%d,"epoch":"%b",%b,"time":%d}' % (seq, epoch, middle, time)
        read_entry(json)
        client_id.decode()
    except (struct.error, UnicodeDecodeError, msgspec.MsgspecError):
        return LoggedEntry(seq, 0, b"", b"")
    return LoggedEntry(seq, sender, client_id, json)


@lru_cache(maxsize=100)
def epoch_count(epoch: str) -> int:
    """Which of two epochs is the newer: the count in ``<count>.<random>``."""
    return int(epoch.partition(".")[0])


def push_frame(entry: bytes, conversation: str) -> bytes:
    """A whole SmsMes frame for one entry as JSON."""
    data = b'%b,"conversation":%b}' % (entry[:-1], _encode(conversation))
    return frame(envelope("SmsMes", data))


def entry_of(push: bytes) -> messages.Entry:
    """The entry in a push frame."""
    return read_entry(_data_of(push))


def _data_of(push: bytes) -> str:
    return codec.decode_envelope(push[codec.LENGTH_SIZE :]).data


def own_frame(push: bytes, client_id: bytes) -> bytes:
    """A push frame with ``clientId``, for the sender's own devices."""
    said = b'%b,"clientId":%b}' % (_data_of(push)[:-1].encode(), _encode(client_id.decode()))
    return frame(envelope("SmsMes", said))


class Header(NamedTuple):
    """One published entry: who sent it from where, and its number.

    ``server`` is 0 when nobody waits for it, or it was read from the log.
    """

    server: int
    serial: int
    sender: int
    seq: int
    time: int
    client_id: bytes


class Publication:
    """Consecutive entries of one conversation, as one of its readers sees them.

    :ivar conversation: its name, as that reader knows it.
    :ivar headers: one for each entry, at least one.
    :ivar senders: the users who made them.
    :param make: makes their frames, one for each, when somebody wants them.
    """

    __slots__ = (
        "_frames", "_make", "_split", "cid", "conversation", "epoch", "epoch_first", "headers",
        "senders",
    )  # fmt: skip

    def __init__(
        self,
        cid: str,
        conversation: str,
        epoch: str,
        epoch_first: int,
        headers: list[Header],
        senders: set[int],
        make: Callable[[], list[bytes]],
    ) -> None:
        self.cid = cid
        self.conversation = conversation
        self.epoch = epoch
        self.epoch_first = epoch_first
        self.headers = headers
        self.senders = senders
        self._make = make
        self._split: list[bytes] | None = None
        self._frames: bytes | None = None

    @property
    def frames(self) -> bytes:
        """The frames one after the other, ready to be sent to a current client."""
        if self._frames is None:
            self._frames = b"".join(self.split())
        return self._frames

    def split(self) -> list[bytes]:
        """The frames one by one, as many as headers."""
        if self._split is None:
            self._split = self._make()
        return self._split

    def frame_of(self, header: Header) -> bytes:
        """The frame of one entry."""
        return self.split()[header.seq - self.headers[0].seq]


class News:
    """What a script published, read once and put into words for each who is to see it.

    :raises struct.error: it is cut short.
    """

    __slots__ = ("_middles", "_time", "cid", "epoch", "epoch_first", "headers", "senders")

    def __init__(self, payload: bytes) -> None:
        count, self.epoch_first, seq, time, size, length = _NEWS.unpack_from(payload, 1)
        start = 1 + _NEWS.size
        at = start + size
        self.epoch = payload[start:at].decode()
        self.cid = payload[at : at + length].decode()
        at += length
        self._time = time
        headers: list[Header] = []
        senders: set[int] = set()
        middles: list[bytes] = []
        record_at, record_size = _RECORD.unpack_from, _RECORD.size
        for number in range(seq, seq + count):
            server, serial, sender, length, size = record_at(payload, at)
            at += record_size
            end = at + length
            # Not by Header(...), which takes twice as long.
            header = (server, serial, sender, number, time, payload[at:end])
            headers.append(tuple.__new__(Header, header))
            senders.add(sender)
            at = end + size
            middles.append(payload[end:at])
        self.headers, self.senders, self._middles = headers, senders, middles

    def for_user(self, user_id: int) -> Publication:
        """The publication as ``user_id`` sees it, 0 for a room."""
        conversation = cid_name(self.cid, user_id)
        return Publication(
            self.cid, conversation, self.epoch, self.epoch_first, self.headers, self.senders,
            lambda: self._framed(conversation),
        )  # fmt: skip

    def _framed(self, conversation: str) -> list[bytes]:
        epoch = b',\\"epoch\\":\\"%b\\",' % self.epoch.encode()
        end = b',\\"time\\":%d%b' % (self._time, _ending(conversation))
        pack, frames = _LENGTH.pack, []
        for header, middle in zip(self.headers, self._middles, strict=True):
            said = middle.replace(b"\\", b"\\\\").replace(b'"', b'\\"')  # quoted(), at no call
            body = b"".join((_SAID, b"%d" % header.seq, epoch, said, end))
            frames.append(pack(len(body)) + body)
        return frames


@lru_cache(maxsize=10_000)
def _ending(conversation: str) -> bytes:
    """The end of a push frame: names the conversation, closes the data and the envelope."""
    return quoted(b',"conversation":%b}' % _encode(conversation)) + b'"}'


def from_log(page: Page, cid: str, conversation: str) -> Publication:
    """What was published of entries that had to be read from the log instead.

    :param conversation: its name as the receivers of the frames see it.
    """
    headers = [Header(0, 0, each.sender, each.seq, 0, each.client_id) for each in page.entries]
    return Publication(
        cid, conversation, page.epoch, page.epoch_first, headers,
        {header.sender for header in headers},
        lambda: [push_frame(each.for_user(0), conversation) for each in page.entries],
    )  # fmt: skip
