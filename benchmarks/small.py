"""A small load in Python, for checks of what the server's CPU spends: no compiler, no second core.

It is slower than the server, and need not be faster: only the server's time is counted.
"""

import json
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Missing

__all__ = ["Client", "cpu_of", "exchange"]

PATIENCE: Final = 20.0
"""Seconds that no answer takes, however busy the machine is."""

CONTENT: Final = "x" * 100
_LENGTH = struct.Struct(">I")


class Client:
    """One user, logged in; says things to one conversation and counts what comes.

    :ivar accepted: messages of its own that the server answered with 200.
    :ivar heard: messages of others.
    """

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE)
        self.to = "#lobby"
        self.sent = self.accepted = self.heard = 0
        self._rest = b""
        user = {"userName": name, "userPwd": "secret"}
        self.user_id: int = self._ask("RegisterMes", {"version": 2, "user": user})["userId"]
        self._ask("LoginMes", {"version": 2, "device": "load", **user})

    def say(self, count: int = 1) -> None:
        """Send messages, in one piece."""
        frames = []
        for _ in range(count):
            self.sent += 1
            message = {"to": self.to, "content": CONTENT, "clientId": str(self.sent)}
            frames.append(_framed("SmsMes", message))
        self.socket.sendall(b"".join(frames))

    def take(self) -> int:
        """Read what is there; how many of one's own messages are answered by it.

        :raises Missing: the server refused one, or closed the connection.
        """
        answered = 0
        for envelope in self._frames(self.socket.recv(1 << 16)):
            if envelope["type"] == "SmsMes":
                self.heard += 1
            elif envelope["type"] == "SmsResMes":
                if json.loads(envelope["data"])["code"] != 200:
                    raise Missing(f"a message was refused: {envelope['data']}")
                answered += 1
        self.accepted += answered
        return answered

    def _ask(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        self.socket.sendall(_framed(kind, data))
        wanted = kind.replace("Mes", "ResMes")
        while True:
            for envelope in self._frames(self.socket.recv(1 << 16)):
                if envelope["type"] == wanted:
                    answer: dict[str, Any] = json.loads(envelope["data"])
                    if answer["code"] != 200:
                        raise Missing(f"{kind} was refused: {answer}")
                    return answer

    def _frames(self, data: bytes) -> Iterator[dict[str, Any]]:
        if not data:
            raise Missing("the server closed a connection")
        data, at = self._rest + data, 0
        while len(data) - at >= _LENGTH.size:
            end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
            if end > len(data):
                break
            yield json.loads(data[at + _LENGTH.size : end])
            at = end
        self._rest = data[at:]


def _framed(kind: str, data: dict[str, Any]) -> bytes:
    body = json.dumps({"type": kind, "data": json.dumps(data)}).encode()
    return _LENGTH.pack(len(body)) + body


def exchange(clients: Sequence[Client], senders: Sequence[Client], each: int, window: int) -> None:
    """Let every sender say ``each`` messages, ``window`` of them unanswered at most.

    :raises Missing: something is refused, or takes too long.
    """
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        goals = {sender: sender.accepted + each for sender in senders}
        left = dict.fromkeys(senders, each - window)
        for sender in senders:
            sender.say(window)
        give_up = time.monotonic() + PATIENCE
        while any(sender.accepted < goal for sender, goal in goals.items()):
            if time.monotonic() > give_up:
                raise Missing("not every message was answered in time")
            for key, _ in selector.select(PATIENCE):
                client: Client = key.data
                more = min(client.take(), left.get(client, 0))
                if more:
                    left[client] -= more
                    client.say(more)


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of CPU that processes have used so far, all their threads together."""
    spent = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9
