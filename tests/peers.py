"""Clients for whole-system tests: blocking, with a timeout on everything, so tests read as scripts.

``OriginalPeer`` reads and writes as the Go clients do, their weaknesses included. ``CurrentPeer``
matches replies to requests and keeps what is pushed in order.
"""

import itertools
import json
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Self

from chat.codec import FrameReader
from tests.patience import PATIENCE

__all__ = [
    "PASSWORD",
    "SECRETS",
    "Closed",
    "CurrentPeer",
    "Frame",
    "OriginalPeer",
    "Peer",
    "enveloped",
    "framed",
]


SECRETS: set[str] = set()
"""Every password, token and long enough content that any peer sent or got: for no log."""

SHORTEST_SECRET = 8
"""Characters; anything shorter may well be a part of some other word."""

SECRET_MEMBERS = ("userPwd", "userpwd", "newPwd", "token", "content")
PASSWORD = "sesame-öffne-dich"
BUFFER = 8_000

_length = struct.Struct(">I")
_unique = itertools.count(1)


class Closed(Exception):
    """The server closed the connection."""


class Frame(NamedTuple):
    """One frame as it came: ``data`` is decoded, ``body`` the envelope's bytes."""

    type: str
    data: dict[str, Any]
    id: str | None
    body: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        envelope = json.loads(body)
        return cls(envelope["type"], json.loads(envelope["data"]), envelope.get("id"), body)


def enveloped(kind: str, data: Any, **members: Any) -> bytes:
    """An envelope of type ``kind``; ``members`` stand beside ``data``."""
    return _json({"type": kind, "data": _json(data).decode(), **members})


def framed(body: bytes) -> bytes:
    """A whole frame."""
    return _length.pack(len(body)) + body


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _keep_secret(data: dict[str, Any]) -> None:
    told = (data.get(name) for name in SECRET_MEMBERS)
    SECRETS.update(each for each in told if isinstance(each, str) and len(each) >= SHORTEST_SECRET)


class Peer:
    """A connection.

    :param receive_buffer: bytes asked for as SO_RCVBUF, 0 for the system's choice.
    """

    def __init__(self, port: int, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as Go does

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.socket.sendall(data)

    def close(self) -> None:
        """Go away."""
        self.socket.close()

    def vanish(self) -> None:
        """Go away with a reset, as a process that is killed while data comes in."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class OriginalPeer(Peer):
    """Writes and reads as the Go clients do.

    Header and body are written separately; a body is read by one ``recv`` into 8,000 bytes, and
    when that is short, or N larger, the client dies; the first frame after LoginMes is its reply;
    types that it does not know are ignored; some members are written in lower case.

    :ivar user_id: who is logged in.
    :ivar heard: every frame since the login's reply, in order.
    """

    def __init__(self, port: int, receive_buffer: int = 0) -> None:
        super().__init__(port, receive_buffer)
        self.user_id = 0
        self.heard: list[Frame] = []

    def write(self, kind: str, data: Any) -> None:
        """Send one message, in two writes."""
        _keep_secret(data)
        # encoding/json writes these three so that they are safe inside HTML.
        body = enveloped(kind, data)
        for character in b"<>&":
            body = body.replace(bytes([character]), b"\\u%04x" % character)
        self.socket.send(_length.pack(len(body)))
        self.socket.send(body)

    def read(self) -> Frame:
        """The next frame, in two reads.

        :raises Closed: the server closed.
        :raises AssertionError: the Go client would have died.
        """
        header = self.socket.recv(_length.size)
        if not header:
            raise Closed
        assert len(header) == _length.size, "the length came in pieces"
        (size,) = _length.unpack(header)
        assert 0 < size <= BUFFER, f"a frame of {size} bytes"
        body = self.socket.recv(size)
        assert len(body) == size, f"{len(body)} of {size} bytes"
        return Frame.parse(body)

    def read_if_any(self) -> None:
        """Hear one frame, if one has begun to arrive."""
        if select.select([self.socket], [], [], 0)[0]:
            self.heard.append(self.read())

    def read_to_the_end(self) -> list[Frame]:
        """Everything until the server closes the connection."""
        start = len(self.heard)
        with suppress(Closed):
            while True:
                self.heard.append(self.read())
        return self.heard[start:]

    def register(self, user_id: int, name: str, password: str = PASSWORD) -> dict[str, Any]:
        """Register; the reply's data."""
        user = {"userid": user_id, "userpwd": password, "username": name}
        self.write("RegisterMes", {"user": {**user, "userStatus": 0, "sex": ""}})
        reply = self.read()
        assert reply.type == "RegisterResMes", reply
        return reply.data

    def log_in(self, user_id: int, password: str = PASSWORD) -> dict[str, Any]:
        """Log in; the first frame that comes is the reply, whatever it is."""
        self.write("LoginMes", {"userid": user_id, "userpwd": password, "username": ""})
        reply = self.read()
        assert reply.type == "LoginResMes", reply
        self.user_id = user_id
        return reply.data

    def say(self, content: str, **members: Any) -> None:
        """Say something to the lobby; ``members`` claim things about the sender."""
        sender = {"userId": self.user_id, "userPwd": "", "userName": "", "userStatus": 0}
        self.write("SmsMes", {"content": content, **sender, "sex": "", **members})

    def hear(self, kind: str, **members: Any) -> dict[str, Any]:
        """Read until a frame of type ``kind`` has these members; its data."""
        while True:
            frame = self.read()
            self.heard.append(frame)
            if frame.type == kind and members.items() <= frame.data.items():
                return frame.data

    def contents(self) -> list[str]:
        """The contents of all messages heard, in order."""
        return [frame.data["content"] for frame in self.heard if frame.type == "SmsMes"]


class CurrentPeer(Peer):
    """A client of version 2, its requests numbered.

    :ivar heard: every frame, in order.
    :ivar pushed: the frames that answer nothing and that no ``expect`` took yet, in order.
    :ivar welcome: the data of LoginResMes.
    """

    def __init__(self, port: int, receive_buffer: int = 0) -> None:
        super().__init__(port, receive_buffer)
        self.heard: list[Frame] = []
        self.pushed: list[Frame] = []
        self.welcome: dict[str, Any] = {}
        self._ids = itertools.count(1)
        self._replies: dict[str, Frame] = {}
        self._waiting: list[bytes] = []
        self._reader = FrameReader(2**32 - 1)

    @property
    def user_id(self) -> int:
        """Who is logged in."""
        return self.welcome["user"]["userId"]

    @property
    def at(self) -> str:
        """What others call their private conversation with this user."""
        return f"@{self.user_id}"

    # Frames

    def read(self) -> Frame:
        """The next frame; it is filed in ``heard`` and ``pushed`` as well.

        :raises Closed: the server closed.
        """
        while not self._waiting:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed
            self._waiting += self._reader.feed(data)
        frame = Frame.parse(self._waiting.pop(0))
        self.heard.append(frame)
        if frame.id is None:
            self.pushed.append(frame)
        else:
            self._replies[frame.id] = frame
        return frame

    def read_to_the_end(self) -> list[Frame]:
        """Everything until the server closes the connection."""
        start = len(self.heard)
        with suppress(Closed):
            while True:
                self.read()
        return self.heard[start:]

    # Requests

    def send(self, kind: str, /, **data: Any) -> str:
        """Send a request; the id that its reply will have."""
        return self.send_together((kind, data))[0]

    def send_together(self, *requests: tuple[str, dict[str, Any]]) -> list[str]:
        """Send requests in one piece; the ids that their replies will have."""
        ids = [f"r{next(self._ids)}" for _ in requests]
        frames = []
        for (kind, data), request_id in zip(requests, ids, strict=True):
            _keep_secret(data)
            frames.append(framed(enveloped(kind, data, id=request_id)))
        self.send_bytes(b"".join(frames))
        return ids

    def reply(self, request_id: str) -> Frame:
        """Wait for the reply to a request."""
        while request_id not in self._replies:
            self.read()
        return self._replies.pop(request_id)

    def ask(self, kind: str, /, **data: Any) -> dict[str, Any]:
        """Send a request and wait for its reply, which may be a refusal; its data."""
        return self.reply(self.send(kind, **data)).data

    def get(self, kind: str, /, **data: Any) -> dict[str, Any]:
        """Send a request that succeeds; the data of its reply, which has the right type."""
        reply = self.reply(self.send(kind, **data))
        expected = kind.removesuffix("Mes") + "ResMes"
        assert (reply.type, reply.data["code"]) == (expected, 200), reply
        return reply.data

    def post(self, to: str, content: str, **members: Any) -> dict[str, Any]:
        """Say something that is accepted; the data of SmsResMes."""
        members.setdefault("clientId", f"c{next(_unique)}")
        return self.get("SmsMes", to=to, content=content, **members)

    def ping(self) -> None:
        """Make sure that all that was sent to this connection until now is here."""
        assert self.reply(self.send("PingMes")).type == "PongMes"

    def register(self, **user: Any) -> dict[str, Any]:
        """Register; the reply's data, a refusal maybe."""
        _keep_secret(user)
        return self.ask("RegisterMes", version=2, user=user)

    def log_in(self, **data: Any) -> dict[str, Any]:
        """Log in; the reply's data, a refusal maybe."""
        self.welcome = self.ask("LoginMes", version=2, **data)
        _keep_secret(self.welcome)
        return self.welcome

    # What is pushed

    def expect(
        self, kind: str, /, where: Callable[[dict[str, Any]], bool] | None = None, **members: Any
    ) -> dict[str, Any]:
        """Wait for the first push of a type that has ``members`` and fits; take it out.

        :param where: what else must be true of its data.
        """
        seen = 0
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for index in range(seen, len(self.pushed)):
                found, data = self.pushed[index][:2]
                if found == kind and members.items() <= data.items() and (not where or where(data)):
                    del self.pushed[index]
                    return data
            seen = len(self.pushed)
            self.read()
        raise AssertionError(f"no {kind} {members} in {self.pushed}")

    def hears(self, content: str, **members: Any) -> dict[str, Any]:
        """Wait for a message."""
        return self.expect("SmsMes", content=content, **members)

    def numbers(self, conversation: str, start: int = 0, end: int | None = None) -> list[int]:
        """The numbers of a conversation in the order they came: pushes and SmsResMes.

        :param start, end: between which frames of ``heard``.
        """
        return [
            frame.data["seq"]
            for frame in self.heard[start:end]
            if frame.type in ("SmsMes", "SmsResMes")
            and frame.data.get("conversation") == conversation
            and frame.data.get("code", 200) == 200
            and not frame.data.get("duplicate")
        ]

    def whole_history(self, conversation: str, limit: int = 50) -> list[dict[str, Any]]:
        """Every entry of a conversation, paged from the newest to the first."""
        entries: list[dict[str, Any]] = []
        before = 0
        while True:
            page = self.get("HistoryMes", conversation=conversation, before=before, limit=limit)
            assert len(page["messages"]) <= limit
            entries = page["messages"] + entries
            if not page["more"]:
                return entries
            before = entries[0]["seq"]

    def conversations(self) -> list[dict[str, Any]]:
        """All one's conversations as ConversationsMes describes them now."""
        page = self.get("ConversationsMes")
        listed = page["conversations"]
        while page["more"]:
            page = self.get("ConversationsMes", after=listed[-1]["conversation"])
            listed += page["conversations"]
        return listed

    def conversation(self, name: str) -> dict[str, Any]:
        """One of them."""
        return next(each for each in self.conversations() if each["conversation"] == name)
