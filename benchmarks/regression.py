"""The command ``python -m benchmarks.regression``: is a message still as cheap as it was?

CPU time of server and store for a message, in units of a small loop that does a bit of everything
a server does and is timed in the same run. So the machine's speed does not matter, and neither
does who else uses it. The bounds are generous: they catch a mistake in the hot path, not noise.
"""

import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import msgspec

from benchmarks.machine import Missing
from benchmarks.servers import Chatroom
from benchmarks.small import Client, cpu_of, exchange

__all__ = ["CHECKS", "Check", "main", "reference"]

GENEROUS: Final = 3.0
"""How many times its usual cost a message may take."""

LOOPS: Final = 3_000
ROUNDS: Final = 7
TRIES: Final = 3
"""A check that fails is repeated: a busy machine inflates one run, a mistake all of them."""


@dataclass(frozen=True)
class Check:
    """Some work, and what a message of it usually costs in turns of the reference loop.

    :ivar window: messages that each sender has unanswered.
    :ivar private: they go to one user each, not to a room of all.
    """

    name: str
    usual: float
    users: int
    senders: int
    window: int
    private: bool


CHECKS: Final = (
    Check("a message to a room of 30", 15.0, users=30, senders=4, window=16, private=False),
    Check("a private message", 12.0, users=20, senders=10, window=8, private=True),
)
MESSAGES: Final = 6_000
"""In all senders' windows together, of each check."""


class _Sample(msgspec.Struct):
    content: str
    to: str
    numbers: list[int]


def reference() -> float:
    """Seconds of CPU for one turn of the loop: encode, frame, send, receive, take apart, decode.

    The least of some rounds: what disturbs can only add.
    """
    sample = _Sample("benchmark " * 10, "#lobby", list(range(20)))
    near, far = socket.socketpair()
    with near, far:
        return min(_round(sample, near, far) for _ in range(ROUNDS)) / LOOPS


def _round(sample: _Sample, near: socket.socket, far: socket.socket) -> float:
    seen: dict[bytes, int] = {}
    started = time.process_time()
    for turn in range(LOOPS):
        body = msgspec.json.encode(sample)
        near.send(len(body).to_bytes(4, "big") + body)
        received = far.recv(65_536)
        decoded = msgspec.json.decode(received[4:], type=_Sample)
        seen[b"%d" % (turn % 100)] = len(decoded.content)
    return time.process_time() - started


def measure(check: Check) -> float:
    """What a message costs now, in turns of the reference loop.

    :raises Missing: something else goes wrong.
    """
    before = reference()
    with Chatroom() as server, ExitStack() as stack:
        clients = [Client(server.port, f"user{number}") for number in range(check.users)]
        for client in clients:
            stack.callback(client.socket.close)
        senders = clients[: check.senders]
        if check.private:
            for sender, receiver in zip(senders, clients[check.senders :], strict=True):
                sender.to = f"@{receiver.user_id}"
        each = MESSAGES // check.senders
        exchange(clients, senders, each // 5, check.window)  # what is first is not the usual
        spent = cpu_of(server.pids)
        exchange(clients, senders, each, check.window)
        spent = cpu_of(server.pids) - spent
    return spent / (each * check.senders) / min(before, reference())


def main() -> int:
    """Make every check; the exit status."""
    failed = False
    for check in CHECKS:
        most = check.usual * GENEROUS
        for _ in range(TRIES):
            try:
                cost = measure(check)
            except Missing as error:
                print(f"regression: {error}", file=sys.stderr)
                return 1
            verdict = "ok" if cost <= most else "too much"
            print(
                f"{check.name:28} {cost:5.1f} turns of the reference loop, "
                f"usually {check.usual:.1f}, at most {most:.1f}: {verdict}"
            )
            if cost <= most:
                break
        else:
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
