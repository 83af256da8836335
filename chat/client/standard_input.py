"""Standard input for the command line: all of it, or line by line while the reactor runs."""

import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred

__all__ = ["NotText", "lines", "whole_text"]

MOST = 1 << 20
"""Bytes. Far more than a message may have; the server says how much that is."""


class NotText(Exception):
    """The input is not UTF-8, or too long for a message; the text is a key of the phrases."""


def whole_text(stream: BinaryIO) -> str:
    """Everything, without the newline at its end.

    :raises NotText: it is not a text.
    """
    data = stream.read(MOST + 1)
    if len(data) > MOST:
        raise NotText("too-long")
    return _decoded(data).removesuffix("\n")


async def lines(reactor: Any, stream: BinaryIO) -> AsyncIterator[str]:
    """Line by line. A thread reads them, which stays at most one line ahead.

    :raises NotText: a line is not a text.
    """
    reader = _Reader(reactor, stream)
    while (line := await reader.next()) is not None:
        yield _decoded(line).rstrip("\r\n")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotText("not-text") from None


class _Reader:
    """A daemon thread that reads when it is asked to. It may wait for ever, but nobody has to wait
    for it."""

    def __init__(self, reactor: Any, stream: BinaryIO) -> None:
        self._reactor = reactor
        self._stream = stream
        self._wanted = threading.Semaphore(0)
        self._waiting: deque[Deferred[bytes | None]] = deque()
        threading.Thread(target=self._run, daemon=True).start()

    def next(self) -> "Deferred[bytes | None]":
        """The next line with its newline, None at the end."""
        wanted: Deferred[bytes | None] = Deferred()
        self._waiting.append(wanted)
        self._wanted.release()
        return wanted

    def _run(self) -> None:
        line: bytes | None = b"more"
        while line:
            self._wanted.acquire()
            try:
                line = self._stream.readline(MOST)
            except (OSError, ValueError):
                line = b""
            self._reactor.callFromThread(self._read, line or None)

    def _read(self, line: bytes | None) -> None:
        wanted = self._waiting.popleft()
        if not wanted.called:
            wanted.callback(line)
