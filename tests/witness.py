"""A few people who talk while a server is attacked, in a process of their own.

What they notice: ``python -m tests.witness PORT`` says ``ready``, and for each line of its standard
input how long each message took since the line before, in seconds, as a JSON list.
"""

import itertools
import json
import select
import subprocess
import sys
import time
from typing import Self

from tests.peers import PASSWORD, CurrentPeer

__all__ = ["Visitor", "Witnesses"]

TALKERS = 8
EVERY = 0.025
"""Seconds between two messages: five a second of each talker, which is what one may say."""


class Visitor(CurrentPeer):
    """A current client at an address of its own, by the word of a trusted balancer."""

    def __init__(self, port: int, host: str) -> None:
        super().__init__(port)
        self.send_bytes(f"PROXY TCP4 {host} 127.0.0.1 50000 8889\r\n".encode())

    @classmethod
    def inside(cls, port: int, host: str, name: str) -> Self:
        """One that has just registered and logged in."""
        visitor = cls(port, host)
        made = visitor.register(userName=name, userPwd=PASSWORD)
        assert made["code"] == 200, made
        reply = visitor.log_in(userName=name, userPwd=PASSWORD, device="d")
        assert reply["code"] == 200, reply
        return visitor


class Witnesses:
    """The process, for whoever attacks."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.witness", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def latencies(self) -> list[float]:
        """How long each message took since this was asked last, in seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [float(each) for each in json.loads(self._process.stdout.readline())]

    def end(self) -> None:
        """They go home."""
        self._process.communicate()


def talk(port: int) -> None:
    """Say one thing after the other, until nobody asks any more."""
    names = [f"witness-{number}" for number in range(TALKERS + 1)]
    people = [Visitor.inside(port, f"192.0.2.{at + 1}", name) for at, name in enumerate(names)]
    listener, talkers = people[0], people[1:]
    for each in people:
        each.get("JoinMes", conversation="#witnesses")
    print("ready", flush=True)
    latencies: list[float] = []
    for number, talker in enumerate(itertools.cycle(talkers)):
        began = time.monotonic()
        talker.send("SmsMes", to="#witnesses", content=f"{number}", clientId=f"{number}")
        listener.hears(f"{number}", conversation="#witnesses")
        latencies.append(time.monotonic() - began)
        for each in people:
            each.heard.clear()
        if select.select([sys.stdin], [], [], EVERY)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps(latencies), flush=True)
            latencies.clear()


if __name__ == "__main__":
    talk(int(sys.argv[1]))
