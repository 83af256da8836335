"""What an attacker needs: a server, connections from many addresses, and a time that ends."""

import contextlib
import itertools
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.peers import PASSWORD, Closed
from tests.process import ServerProcess
from tests.witness import Visitor

__all__ = [
    "ROOM", "Attack", "Field", "Pace", "all_ask", "held_places", "unique",
]  # fmt: skip

ROOM = 1_000
"""Connections without a login that the server has room for: the attacker has one machine."""


@dataclass(frozen=True)
class Pace:
    """How much time there is.

    :ivar seconds: how long an attack goes on that could go on for ever.
    :ivar quiet: how long is looked at what is when nobody attacks, in seconds.
    :ivar argon2: what a password costs.
    """

    seconds: float
    quiet: float
    argon2: str


Attack = Callable[["Field"], str]
"""One of them; its docstring is its name, what it returns is what the attacker got."""

_unique = itertools.count(1)


def unique(name: str) -> str:
    """A name that nobody has yet."""
    return f"{name}-{next(_unique)}"


@dataclass
class Field:
    """A server, and the attacker's connections to it."""

    server: ServerProcess
    pace: Pace
    _began: float = field(default_factory=time.monotonic)
    _open: list[Any] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where the server is."""
        return self.server.port

    def seconds(self) -> float:
        """How long the attack has taken so far: what comes back with time has come back."""
        return time.monotonic() - self._began

    def goes_on(self) -> Iterator[int]:
        """Numbers, for as long as an attack goes on that could go on for ever."""
        end = time.monotonic() + self.pace.seconds
        for number in itertools.count():
            if time.monotonic() >= end:
                return
            yield number

    def host(self) -> str:
        """An address that nobody came from yet."""
        number = next(_unique)
        return f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}"

    def visitor(self, host: str = "") -> Visitor:
        """A connection, from an address of its own unless ``host`` says from where."""
        visitor = Visitor(self.port, host or self.host())
        self._open.append(visitor)
        return visitor

    def member(self, name: str, host: str = "") -> Visitor:
        """Somebody who is registered and logged in."""
        visitor = Visitor.inside(self.port, host or self.host(), name)
        self._open.append(visitor)
        return visitor

    def device(self, name: str, device: str) -> Visitor:
        """One more device of somebody who is registered."""
        visitor = self.visitor()
        assert visitor.log_in(userName=name, userPwd=PASSWORD, device=device)["code"] == 200
        return visitor

    def crowd(
        self, size: int, first: Callable[[int], bytes], hosts: int = 100
    ) -> list[socket.socket]:
        """So many connections, from so many addresses, that have said ``first(number)``."""
        addresses = [self.host() for _ in range(hosts)]
        made = []
        for number in range(size):
            each = socket.create_connection(("127.0.0.1", self.port))
            head = f"PROXY TCP4 {addresses[number % hosts]} 127.0.0.1 50000 8889\r\n".encode()
            self._open.append(each)
            each.setblocking(False)
            with contextlib.suppress(OSError):
                each.send(head + first(number))
            made.append(each)
        return made

    def go_away(self) -> None:
        """The attacker's connections end."""
        gone, self._open = self._open, []
        for each in gone:
            each.close()


def is_open(connection: socket.socket) -> bool:
    """Whether the server has not closed a connection of a crowd."""
    try:
        while data := connection.recv(65_536):
            if b"ErrorMes" in data:
                return False
        return bool(data)
    except BlockingIOError:
        return True
    except OSError:
        return False


def all_ask(visitors: list[Visitor], kind: str, /, **data: Any) -> Counter[int]:
    """The codes that all get who ask the same at once; those who were closed are left out."""
    codes: Counter[int] = Counter()
    sent = []
    for each in list(visitors):
        with contextlib.suppress(OSError):
            sent.append((each, each.send(kind, **data)))
    for each, request in sent:
        try:
            codes[each.reply(request).data["code"]] += 1
        except (Closed, OSError):
            visitors.remove(each)
    return codes


def held_places(crowd: list[socket.socket]) -> int:
    """How many of a crowd stay, once the server has come round to sending the others away."""
    end = time.monotonic() + 8
    while (held := sum(map(is_open, crowd))) > ROOM:
        assert time.monotonic() < end, held
        time.sleep(0.1)
    return held
