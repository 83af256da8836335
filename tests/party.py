"""Builders for whole-system tests: users, rooms and peers of their own for each test."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from tests.peers import PASSWORD, CurrentPeer, OriginalPeer, Peer

__all__ = ["Party", "User", "again_and_again", "meet", "outlast", "says"]

_unique = itertools.count(1)


@dataclass(frozen=True)
class User:
    """Somebody who has an account."""

    user_id: int
    name: str
    password: str


def says(who: int, status: int) -> Any:
    """A PresenceMes that says so."""
    return lambda data: any(
        each["userId"] == who and each["userStatus"] == status for each in data["users"]
    )


def meet(*originals: OriginalPeer, by: CurrentPeer) -> None:
    """Let them hear one more message in the lobby, so that they have heard all before it."""
    content = f"meeting number {next(_unique)}"
    by.post("#lobby", content)
    for each in originals:
        each.hear("SmsMes", content=content)


class Party:
    """Makes users and peers on one server, and ends the peers.

    :param port: where the server is.
    :param password: everybody's; else each has another one.
    """

    def __init__(self, port: int, password: str = "") -> None:
        self.port = port
        self.password = password
        self._peers: list[Peer] = []
        self._registrar: CurrentPeer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let all peers go away."""
        for peer in self._peers:
            peer.close()
        self._peers.clear()
        self._registrar = None

    def name(self, start: str = "user") -> str:
        """A name that nobody has."""
        return f"{start}-{next(_unique)}"

    def room(self) -> str:
        """The name of a room that does not exist."""
        return f"#room-{next(_unique)}"

    def room_of(self, *members: CurrentPeer) -> str:
        """A new room with these members; the first made it."""
        room = self.room()
        for each in members:
            each.get("JoinMes", conversation=room)
        return room

    def user_id(self) -> int:
        """A user id that nobody has, out of the way of those that the server picks."""
        return 10_000_000 + next(_unique)

    def user(self, start: str = "user") -> User:
        """Somebody new."""
        password = self.password or f"{PASSWORD}-{next(_unique)}"
        user = User(self.user_id(), self.name(start), password)
        if self._registrar is None:
            self._registrar = self.connect()
        reply = self._registrar.register(
            userId=user.user_id, userName=user.name, userPwd=user.password
        )
        assert reply["code"] == 200, reply
        return user

    def connect(self, receive_buffer: int = 0) -> CurrentPeer:
        """A connection that has not said anything."""
        return self._kept(CurrentPeer(self.port, receive_buffer))

    def connect_original(self, receive_buffer: int = 0) -> OriginalPeer:
        """A Go client before it says anything."""
        return self._kept(OriginalPeer(self.port, receive_buffer))

    def current(
        self, user: User | None = None, device: str = "", receive_buffer: int = 0
    ) -> CurrentPeer:
        """A current client that is logged in, as somebody new unless ``user`` is given."""
        user = user or self.user()
        peer = self.connect(receive_buffer)
        device = device or f"device-{next(_unique)}"
        reply = peer.log_in(userId=user.user_id, userPwd=user.password, device=device)
        assert reply["code"] == 200, reply
        return peer

    def original(self, user: User | None = None, receive_buffer: int = 0) -> OriginalPeer:
        """A Go client that is logged in, as somebody new unless ``user`` is given."""
        user = user or self.user()
        peer = self.connect_original(receive_buffer)
        reply = peer.log_in(user.user_id, user.password)
        assert reply["code"] == 200, reply
        return peer

    def _kept(self, peer: Any) -> Any:
        self._peers.append(peer)
        return peer


def outlast(moment: int) -> None:
    """Wait until what is said next has a later time than ``moment``, in ms."""
    while time.time() * 1000 < moment + 1:
        time.sleep(0.0001)


@contextmanager
def again_and_again(work: Callable[[], None]) -> Iterator[None]:
    """Let ``work`` be done without pause, in a thread, until the block ends."""
    enough = threading.Event()

    def go_on() -> None:
        while not enough.is_set():
            work()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
