"""The least that Twisted and the store can do: every message kept and passed on, and no chat.

::

    python -m benchmarks.sketch PORT DIRECTORY

No accounts, limits, rules, acknowledgements or recovery; nothing is checked, and whatever goes
wrong ends it. Beside ``limit`` it says what an interpreter and a store cost, and beside the server
what a chat costs more than that. One room, one message in each call: for light load only.
"""

import struct
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from hiredis import PushNotification, Reader, pack_command
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXClientEndpoint
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from chat.codec import envelope, frame

__all__ = ["Member", "Room", "Store", "main"]

SCRIPT: Final = b"""
local seq = redis.call('INCR', KEYS[1])
redis.call('HSETNX', KEYS[2], ARGV[2], seq)
redis.call('XADD', KEYS[3], seq .. '-0', 'e', ARGV[1])
redis.call('PUBLISH', 'room', struct.pack('>I8I8', seq, tonumber(ARGV[3])) .. ARGV[1])
"""
KEYS: Final = (b"{room}seq", b"{room}marks", b"{room}log")
SOCKET: Final = "socket"
DURABLE: Final = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")


class Room:
    """Its members, and whose messages are on their way.

    :ivar members: what sends to each of them at once.
    :ivar store: where messages go.
    """

    def __init__(self) -> None:
        self.members: dict[Member, Callable[[bytes], int]] = {}
        self.store: Store
        self._serial = 0
        self._under_way: dict[int, tuple[Member, str]] = {}

    def say(self, member: "Member", said: dict[str, str]) -> None:
        """Keep a message, for it to be passed on when the store says that it has it."""
        self._serial += 1
        self._under_way[self._serial] = member, said["clientId"]
        record = {"userId": 1000, "userName": "u1000", "content": said["content"]}
        record["conversation"] = said["to"]
        self.store.keep(msgspec.json.encode(record), said["clientId"], self._serial)

    def heard(self, published: bytes) -> None:
        """Pass a message on, and answer who said it."""
        seq, serial = struct.unpack_from(">QQ", published)
        sender, client_id = self._under_way.pop(serial)
        record = b'{"seq":%d,"epoch":"1.abcdef",%b' % (seq, published[17:])
        data = frame(envelope("SmsMes", record))
        for member, send in self.members.items():
            if member is not sender:
                send(data)
        answer = b'{"code":200,"clientId":"%b","seq":%d}' % (client_id.encode(), seq)
        self.members[sender](frame(envelope("SmsResMes", answer)))


class Member(Protocol):
    """One connection, for which everything is right."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._rest = b""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        data, at = self._rest + data, 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if len(data) < end:
                break
            self._take(msgspec.json.decode(data[at + 4 : end]))
            at = end
        self._rest = data[at:]

    def _take(self, message: dict[str, str]) -> None:
        transport: Any = self.transport
        if message["type"] == "SmsMes":
            self._room.say(self, msgspec.json.decode(message["data"]))
        elif message["type"] == "LoginMes":
            self._room.members[self] = transport.socket.send
            transport.write(frame(envelope("LoginResMes", b'{"code":200}')))
        elif message["type"] == "RegisterMes":
            transport.write(frame(envelope("RegisterResMes", b'{"code":200}')))


class Store(Protocol):
    """The one connection to it, for what is kept and what is published."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._reader = Reader()
        self._script = b""

    def connectionMade(self) -> None:
        for words in (b"SCRIPT", b"LOAD", SCRIPT), (b"HELLO", 3), (b"SUBSCRIBE", b"room"):
            self._send(words)

    def keep(self, record: bytes, client_id: str, serial: int) -> None:
        """Store a message and publish it."""
        self._send((b"EVALSHA", self._script, len(KEYS), *KEYS, record, client_id, serial))

    def _send(self, words: tuple[bytes | str | int, ...]) -> None:
        transport: Any = self.transport
        transport.socket.send(pack_command(words))

    def dataReceived(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if not self._script:
                self._script = reply
            elif isinstance(reply, PushNotification) and reply[0] == b"message":
                self._room.heard(reply[2])


async def _start(reactor: Any, port: int, path: str) -> None:
    room = Room()
    store = Factory.forProtocol(lambda: Store(room))  # type: ignore[arg-type]
    room.store = await UNIXClientEndpoint(reactor, path).connect(store)  # type: ignore[assignment]
    members = Factory.forProtocol(lambda: Member(room))  # type: ignore[arg-type]
    await TCP4ServerEndpoint(reactor, port, 1024, "127.0.0.1").listen(members)


def main(arguments: list[str]) -> None:
    """Run it until it is told to end."""
    reactor: Any = EPollReactor()
    installReactor(reactor)
    from chat.store.embedded.valkey import find_program  # This imports the reactor.

    port, directory = int(arguments[0]), Path(arguments[1])
    words = (find_program(), "--port", "0", "--unixsocket", SOCKET, "--dir", str(directory))
    store = subprocess.Popen((*words, *DURABLE))
    while not (directory / SOCKET).exists():
        time.sleep(0.01)
    (directory / "store.pid").write_text(str(store.pid))

    def failed(why: Failure) -> None:
        why.printTraceback()
        reactor.stop()

    start = partial(_start, reactor, port, str(directory / SOCKET))
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(start()).addErrback(failed))
    reactor.run()
    store.terminate()
    store.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
