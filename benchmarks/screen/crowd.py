"""A server that only talks: keeps nothing, and says as much a second as it is told to.

``python -m benchmarks.screen.crowds KIND PORT`` reads its orders from standard input, a line each:
``flood RATE COUNT`` says COUNT messages at RATE a second into the lobby, answers ``said SECONDS``.
KIND is the protocol of the client: ``chat``, ``irc`` or ``xmpp``. Only the screen's own costs are
to be seen, so this side must be cheap: message n is made from n.
"""

import selectors
import socket
import sys
import time
from abc import ABC, abstractmethod
from typing import Final

__all__ = ["BEFORE", "Crowd", "content", "speaker"]

BEFORE: Final = 300
"""Messages that the lobby has before anything is said."""

TEXT: Final = 45
"""Characters of a message: a line of talk. Capital letters and other scripts are the typist's."""

SPEAKERS: Final = 20
MOMENT: Final = 0.004
"""Seconds between two bursts of a flood."""

_WORDS: Final = "the quick brown fox jumps over a lazy dog and looks back at it "


def speaker(seq: int) -> int:
    """Which of the speakers says message ``seq``."""
    return seq * 7 % SPEAKERS


def content(seq: int) -> str:
    """What message ``seq`` says; its number comes first."""
    return f"{seq:07} {_WORDS[seq * 13 % len(_WORDS) :]}{_WORDS}"[:TEXT]


class Crowd(ABC):
    """One listening socket, one client at a time, and orders from standard input."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self._client: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._order)
        self._orders = b""
        self.seq = BEFORE

    @abstractmethod
    def greet(self) -> None:
        """A client has connected: forget the last one."""

    @abstractmethod
    def answer(self, data: bytes) -> bytes:
        """What the client is told when it has sent ``data``."""

    @abstractmethod
    def push(self, seq: int) -> bytes:
        """Message ``seq``, which is said now."""

    def run(self) -> None:
        """Serve until standard input ends."""
        print("listening", flush=True)
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _accept(self) -> None:
        if self._client is not None:
            self._forget()
        self._client, _ = self._listening.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.greet()
        self._selector.register(self._client, selectors.EVENT_READ, self._read)

    def _forget(self) -> None:
        assert self._client is not None
        self._selector.unregister(self._client)
        self._client.close()
        self._client = None

    def _read(self) -> None:
        if self._client is None:
            return
        try:
            data = self._client.recv(65536)
        except ConnectionError:
            data = b""
        if data:
            self._client.sendall(self.answer(data))
        else:
            self._forget()

    def _order(self) -> None:
        line = sys.stdin.buffer.raw.read(4096)  # type: ignore[attr-defined]  # a BufferedReader
        if not line:
            sys.exit(0)
        self._orders += line
        while b"\n" in self._orders:
            order, _, self._orders = self._orders.partition(b"\n")
            _, rate, count = order.split()
            self._flood(int(rate), int(count))

    def _flood(self, rate: int, count: int) -> None:
        """Say ``count`` messages; behind time they are said as fast as they are taken."""
        start, said = time.monotonic(), 0
        while said < count and self._client is not None:
            due = min(count, int((time.monotonic() - start) * rate) + 1)
            frames = []
            for _ in range(due - said):
                self.seq += 1
                frames.append(self.push(self.seq))
            said = max(said, due)
            try:
                self._client.sendall(b"".join(frames))
            except ConnectionError:
                self._forget()
                break
            for key, _ in self._selector.select(MOMENT):
                if key.fileobj is self._client:
                    key.data()
        print(f"said {time.monotonic() - start}", flush=True)
