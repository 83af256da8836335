"""What is fuzzed: codec, session and the PROXY header, on a store that answers with errors.

An input is one byte that says who sends, and how, then what is sent.
"""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.logger import LogEvent, globalLogPublisher

from chat.codec import FrameReader
from chat.server.network.proxied import BadHeader, parse_header
from chat.server.requests import HANDLERS
from chat.store.accounts import Account
from chat.store.errors import (
    FateUnknown,
    NameTaken,
    NotAllowed,
    StoreError,
    StoreUnavailable,
    TooMany,
    Unknown,
)
from tests.hall import Guest, Hall
from tests.peers import enveloped, framed

ERRORS: tuple[Callable[[str], StoreError], ...] = (
    Unknown, NotAllowed, StoreUnavailable, FateUnknown, NameTaken, TooMany,
)  # fmt: skip
KINDS = [*sorted(kind.__name__ for kind in HANDLERS), "LoginMes", "SmsMes"]
ROOM = "r:here"


class Failing:
    """A part of the store that fails whatever it is asked, each time in another way.

    :param known: what it can do nevertheless.
    """

    def __init__(self, known: object = None) -> None:
        self._calls = 0
        self._known = known

    def __getattr__(self, name: str) -> Any:
        if hasattr(self._known, name):
            return getattr(self._known, name)

        async def fail(*_: object, **__: object) -> None:
            self._calls += 1
            raise ERRORS[self._calls % len(ERRORS)]("as told")

        return fail


class Generous:
    """One that lets everything pass."""

    async def spend(self, *_: object) -> None:
        """There is always enough."""

    async def attempt(self, *_: object) -> None:
        """Nobody has to wait."""


class Accounts:
    """Nobody is known but one."""

    async def find(self, who: object) -> Account:
        """Somebody, for the number 7.

        :raises Unknown: for anybody else.
        """
        if who == 7:
            return Account(7, "seven", "")
        raise Unknown("nobody")


def hall() -> Hall:
    """A server on a store that answers with errors."""
    made = Hall(refusals=0)
    context: Any = made.context
    context.conversations = Failing(SimpleNamespace(read=made.log.read))
    for part in ("presence", "invitations", "rooms", "moderation", "bus"):
        setattr(context, part, Failing(getattr(context, part)))
    context.limits = context.guesses = context.passwords = Failing(Generous())
    context.accounts = Failing(Accounts())
    return made


def sender(made: Hall, who: int) -> Guest:
    """A stranger, a current client, or an original one."""
    if who == 0:
        return made.stranger()
    return made.guest(7, ROOM, original=who == 2)


def given(how: int, data: bytes) -> bytes:
    """The bytes on the wire: as they are, as one frame, or as what a request of some kind says."""
    if how == 0:
        return data
    if how == 1:
        return framed(data[:65_536] or b"x")
    text = data[1:].decode(errors="replace")
    kind = KINDS[data[0] % len(KINDS)] if data else "SmsMes"
    try:
        said = json.loads(text)
    except ValueError:
        said = {"content": text, "conversation": text, "to": text, "userName": text, "text": text}
    return framed(enveloped(kind, said, id="1")[:65_536])


def fuzz(data: bytes) -> None:
    """One input.

    :raises AssertionError: what came of it is not what it should be.
    """
    if not data:
        return
    header(data[1:])
    unforeseen: list[LogEvent] = []

    def watch(event: LogEvent) -> None:
        """Keep what somebody did not foresee; the session itself goes on after that."""
        if event.get("log_failure") is not None:
            unforeseen.append(event)

    globalLogPublisher.addObserver(watch)
    try:
        talk(data)
    finally:
        globalLogPublisher.removeObserver(watch)
    assert not unforeseen, unforeseen[0]["log_failure"].getTraceback()


def talk(data: bytes) -> None:
    """Somebody sends it, in two parts, and goes."""
    made = hall()
    guest = sender(made, data[0] % 3)
    wire = given(data[0] // 3 % 3, data[1:])
    cut = data[0] % len(wire) if wire else 0
    for part in (wire[:cut], wire[cut:]):
        if not guest.transport.disconnecting:
            guest.receive(part)
            made.clock.pump([0, 0, 0.1])
    for body in FrameReader(made.context.settings.frame_limit).feed(guest.transport.value()):
        json.loads(json.loads(body)["data"])
    guest.session.connection.connectionLost()
    made.clock.pump([1] * 12)


def header(data: bytes) -> None:
    """The same bytes as the beginning of a connection through a balancer."""
    try:
        found = parse_header(data)
    except BadHeader:
        return
    assert found is None or found[1] <= len(data)
