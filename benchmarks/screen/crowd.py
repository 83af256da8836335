"""A server that only talks: keeps nothing, and says as much a second as it is told to.

``python -m benchmarks.screen.crowd PORT`` reads its orders from standard input, a line each:
``flood RATE COUNT`` says COUNT messages at RATE a second into the lobby, answers ``said SECONDS``.
Only the screen's own costs are to be seen, so this side must be cheap: entry n is made from n.
"""

import selectors
import socket
import sys
import time
from typing import Any, Final

from chat import codec, messages
from chat.messages import Conversation, Entry, Message, User

__all__ = ["BEFORE", "TEXT", "Crowd", "main"]

BEFORE: Final = 300
"""Entries that the lobby has before anything is said."""

ROOM: Final = "#lobby"
USERS: Final = tuple(User(100 + each, f"user{each:02}", 0) for each in range(20))
TEXT: Final = 45
"""Characters of a message: a line of talk. Capital letters and other scripts are the typist's."""

EPOCH: Final = "e1"
MOMENT: Final = 0.004
"""Seconds between two bursts of a flood."""

_WORDS: Final = "the quick brown fox jumps over a lazy dog and looks back at it "


def entry(seq: int, time: int) -> Entry:
    """Entry ``seq``, said at ``time`` in ms."""
    user = USERS[seq * 7 % len(USERS)]
    words = _WORDS[seq * 13 % len(_WORDS) :] + _WORDS
    content = f"{seq:07} {words}"[:TEXT]
    return Entry(
        seq,
        EPOCH,
        user_id=user.user_id,
        user_name=user.user_name,
        content=content,
        time=time,
        conversation=ROOM,
    )


class Crowd:
    """One listening socket, one client at a time, and orders from standard input."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        self._client: socket.socket | None = None
        self._reader = codec.FrameReader()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._order)
        began = int(time.time() * 1000)
        # Two seconds lie between those that were said before: no flood.
        self._times = [began - 2_000 * (BEFORE - each) for each in range(BEFORE)]
        self._orders = b""
        self.seq = BEFORE

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
        self._reader = codec.FrameReader()
        self._selector.register(self._client, selectors.EVENT_READ, self._read)

    def _forget(self) -> None:
        assert self._client is not None
        self._selector.unregister(self._client)
        self._client.close()
        self._client = None

    def _read(self) -> None:
        if self._client is None:
            return
        data = self._client.recv(65536)
        if not data:
            self._forget()
            return
        for body in self._reader.feed(data):
            envelope = codec.decode_envelope(body)
            request = codec.decode_data(envelope, messages.REQUESTS)
            if envelope.id is not None:
                answer = self._answer(request) or messages.ErrorMes(400)
                self._client.sendall(codec.encode(answer, envelope.id))

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
            now = int(time.time() * 1000)
            for _ in range(due - said):
                self.seq += 1
                self._times.append(now)
                frames.append(codec.encode(self._push(self.seq)))
            said = max(said, due)
            self._client.sendall(b"".join(frames))
            for key, _ in self._selector.select(MOMENT):
                if key.fileobj is self._client:
                    key.data()
        print(f"said {time.monotonic() - start}", flush=True)

    def _push(self, seq: int) -> Message:
        found = self._entry(seq)
        return messages.SmsPush(
            **{name: getattr(found, name) for name in messages.SmsPush.__struct_fields__}
        )

    def _entry(self, seq: int) -> Entry:
        return entry(seq, self._times[seq - 1])

    def _answer(self, request: Any) -> Message | None:
        match request:
            case messages.LoginMes() | messages.RegisterMes():
                return self._welcome(request)
            case messages.HistoryMes():
                return self._page(request)
            case messages.OnlineMes():
                return messages.OnlineResMes(users=USERS, total=len(USERS))
            case messages.SmsMes():
                self.seq += 1
                self._times.append(int(time.time() * 1000))
                return messages.SmsResMes(
                    200, client_id=request.client_id, conversation=ROOM, epoch=EPOCH,
                    epoch_first=1, seq=self.seq, time=int(time.time() * 1000),
                )  # fmt: skip
            case messages.PingMes():
                return messages.PongMes(int(time.time() * 1000))
        return None

    def _welcome(self, request: messages.LoginMes | messages.RegisterMes) -> Message:
        if isinstance(request, messages.RegisterMes):
            return messages.RegisterResMes(200, "", 1)
        lobby = Conversation(ROOM, EPOCH, 1, self.seq, 1, self.seq, self.seq)
        now = int(time.time() * 1000)
        return messages.LoginResMes(
            200, user=User(1, "tess", 0), token="token", server_time=now, durability="everysec",
            scope="all", conversations=(lobby,),
        )  # fmt: skip

    def _page(self, request: messages.HistoryMes) -> Message:
        high = min(request.before or self.seq + 1, self.seq + 1)
        low = request.after or 0
        if request.after is not None:
            numbers = range(low + 1, min(high, low + 1 + request.limit))
        else:
            numbers = range(max(1, high - request.limit), high)
        found = tuple(self._entry(seq) for seq in numbers)
        more = bool(found) and (found[-1].seq + 1 < high if request.after is not None else True)
        return messages.HistoryResMes(
            conversation=ROOM, epoch=EPOCH, epoch_first=1, first=1,
            messages=found, more=more,
        )  # fmt: skip


def main() -> None:
    """Listen where the command line says."""
    Crowd(int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
