"""The command ``python -m benchmarks.stages``: where each microsecond of a message goes.

Real connections, sessions, posting and fan-out in one process, with neither sockets nor store
between them: every stage is timed by itself, many times, and the least counts, for what disturbs
can only add. What the kernel takes to send is measured with sockets beside it.
"""

import multiprocessing
import os
import select
import socket
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from chat.codec import envelope, frame
from chat.store.bus import Bus
from chat.store.entries import record
from chat.store.keys import Keys
from chat.store.link.connection import pack
from chat.store.post import Post
from tests.hall import Guest, Hall
from tests.hall_store import EPOCH

__all__ = ["ROOM", "WORK", "Stages", "Work", "main", "sending"]

CONTENT: Final = "x" * 100
ROUNDS: Final = 150
FIRST: Final = 1000
ROOM: Final = "r:lobby"
NOW: Final = 1_790_000_000_000
_NEWS = struct.Struct(">IQQQBB")


@dataclass(frozen=True)
class Work:
    """What happens in a round.

    :ivar users: who are logged in; the first ``senders`` of them talk.
    :ivar each: messages of each sender, which come in one read.
    :ivar private: to one user each; else all to one room.
    """

    name: str
    users: int
    senders: int
    each: int
    private: bool


WORK: Final = (
    Work("private, 50 pairs, 4 in a read", users=100, senders=50, each=4, private=True),
    Work("private, one alone", users=2, senders=1, each=1, private=True),
    Work("room of 100, 8 senders, 8 in a read", users=100, senders=8, each=8, private=False),
    Work("room of 100, one alone", users=100, senders=1, each=1, private=False),
)
SAYS: Final = {
    "take": "bytes of clients to posts: frames, JSON, limits, rules",
    "call": "posts to the store's call",
    "pack": "the call to bytes",
    "hear": "publications to what each connection gets",
    "write": "one write for each connection, without the kernel",
    "done": "the call's own answer",
}


class Stages:
    """One kind of work, and what each stage of it took.

    :ivar least: seconds for one message, by stage.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.hall = Hall(rate=(0, 0))
        rooms = () if work.private else (ROOM,)
        self._guests = [self.hall.guest(FIRST + n, *rooms) for n in range(work.users)]
        for guest in self._guests:
            guest.session.connection.wire = SimpleNamespace(direct=len)  # type: ignore[assignment]
        self._bus = Bus(self.hall.clock, _NOWHERE, Keys(), _NOWHERE)
        self._bus.listener = self.hall.fanout
        self._names = {guest.session.user_id: guest for guest in self._guests}
        self._seqs: dict[str, int] = defaultdict(int)
        self.least: dict[str, float] = {}

    def run(self) -> None:
        """Do it some times."""
        for _ in range(ROUNDS):
            self._round()

    def _round(self) -> None:
        work, hall = self.work, self.hall
        messages = work.senders * work.each
        reads = [(guest, self._says(guest)) for guest in self._guests[: work.senders]]
        with self._timed("take", messages):
            for guest, data in reads:
                guest.receive(data)
        with self._timed("call", messages):
            hall.clock.advance(0)
        posts = list(hall.posting._under_way.values())
        assert len(posts) == messages
        _, keys, arguments = hall.scripts.last
        words = (b"EVALSHA", b"0" * 40, len(keys), *keys, *arguments)
        with self._timed("pack", messages):
            pack(words)
        heard = list(self._published(posts))
        with self._timed("hear", messages):
            for channel, payload in heard:
                self._bus._message(channel, payload)
        with self._timed("write", messages):
            self._bus._batch_ended()
        with self._timed("done", messages):
            hall.scripts.answer(*range(1, messages + 1))
            hall.clock.advance(0)

    def _timed(self, stage: str, messages: int) -> "_Timed":
        return _Timed(self.least, stage, messages)

    def _says(self, guest: Guest) -> bytes:
        user_id = guest.session.user_id
        to = f"@{user_id + self.work.senders}" if self.work.private else "#lobby"
        if self.work.private:
            self.hall.context.contacts[f"p:{user_id}:{user_id + self.work.senders}"] = None
        frames = []
        for _ in range(self.work.each):
            self._seqs[to] += 1
            client_id = f"{user_id}-{self._seqs[to]}"
            data = {"to": to, "content": CONTENT, "clientId": client_id}
            frames.append(frame(envelope("SmsMes", msgspec.json.encode(data), client_id)))
        return b"".join(frames)

    def _published(self, posts: Sequence[Post]) -> Iterator[tuple[bytes, bytes]]:
        """What the store's script would say of them (``scripts/conversation.lua``)."""
        channels = self._bus._channels
        of: dict[str, list[Post]] = defaultdict(list)
        for post in posts:
            of[post.cid].append(post)
        for cid, some in of.items():
            epoch, first = EPOCH.encode(), self._seqs[cid] + 1
            self._seqs[cid] += len(some)
            head = _NEWS.pack(len(some), 1, first, NOW, len(epoch), len(cid))
            records = (
                record(post.middle, post.user_id, post.client_id.encode(), 7, post.serial)
                for post in some
            )
            payload = b"".join((b"E", head, epoch, cid.encode(), *records))
            for user_id in (0,) if cid == ROOM else map(int, cid.split(":")[1:]):
                name = b"%d" % user_id
                channels.setdefault(name, SimpleNamespace(user_id=user_id))  # type: ignore[arg-type]
                yield name, bytes(memoryview(payload))  # another object, as it arrives


class _Timed:
    """Keeps the least of what a stage took, for one message."""

    def __init__(self, least: dict[str, float], stage: str, messages: int) -> None:
        self._least, self._stage, self._messages = least, stage, messages

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took = (time.perf_counter() - self._started) / self._messages
        self._least[self._stage] = min(took, self._least.get(self._stage, took))


_NOWHERE: Any = SimpleNamespace(deadline=5.0, seconds=lambda: 0.0)


# The kernel ------------------------------------------------------------------------------------


def sending(users: int, size: int, pause: float, rounds: int) -> float:
    """CPU seconds of one ``send`` to one of many clients, one after the other, on loopback.

    :param pause: seconds between two rounds: after one the reader sleeps, and has to be woken.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = multiprocessing.get_context("fork").Process(
            target=_read, args=(server.getsockname(), users), daemon=True
        )
        reader.start()
        near = [server.accept()[0] for _ in range(users)]
    try:
        os.sched_setaffinity(0, {SERVER_CORE})
        for each in near:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data, least = bytes(size), float("inf")
        sends: list[Callable[[bytes], int]] = [each.send for each in near]
        for _ in range(rounds):
            time.sleep(pause)
            started = time.process_time()
            for send in sends:
                send(data)
            least = min(least, time.process_time() - started)
        return least / users
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        for each in near:
            each.close()
        reader.join()


def _read(address: tuple[str, int], users: int) -> None:
    """Read all that comes, until every connection is closed."""
    os.sched_setaffinity(0, {LOAD_CORE})
    far = [socket.create_connection(address) for _ in range(users)]
    poller = select.epoll()
    of = {each.fileno(): each for each in far}
    for handle in of:
        poller.register(handle, select.EPOLLIN)
    while of:
        for handle, _ in poller.poll():
            if not of[handle].recv(1 << 16):
                poller.unregister(handle)
                of.pop(handle).close()


def main() -> int:
    """Print a table for each kind of work; the exit status."""
    for stage, words in SAYS.items():
        print(f"{stage:6} {words}")
    print(f"\n{'us for one message':38}" + "".join(f"{stage:>8}" for stage in SAYS) + "     sum")
    for work in WORK:
        stages = Stages(work)
        stages.run()
        micros = [stages.least[stage] * 1e6 for stage in SAYS]
        print(f"{work.name:38}" + "".join(f"{each:8.2f}" for each in (*micros, sum(micros))))
    for pause, words in ((0.005, "who sleeps"), (0.0, "who is awake")):
        cost = sending(100, 277, pause, 400) * 1e6
        print(f"{'the kernel: one send to a client ' + words:48}{cost:6.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
