"""Very many clients in one process: they log in, come back, and count what happens to them."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from chat import messages
from chat.client.network.link import LONGEST_WAIT, SHORTEST_WAIT
from chat.codec import FrameReader, decode_envelope, encode
from chat.messages import Message

__all__ = ["PASSWORD", "Crowd", "Member"]

PASSWORD: Final = "password"
AT_ONCE: Final = 50
"""Who are registered, or log in for the first time, at the same time."""


class Member:
    """One user with one connection, who comes back as ``chat.client.network.link`` does.

    :ivar port: the server that it is connected to, 0 for none.
    :ivar refused: how often it was sent away with a code since ``forgive``.
    :ivar pushed: how many frames it got that answer nothing.
    """

    def __init__(self, crowd: "Crowd", user_id: int) -> None:
        self._crowd = crowd
        self.user_id = user_id
        self.token = ""
        self.port = 0
        self.refused = 0
        self.unreachable = 0
        self.pushed = 0
        self._failures = 0
        self._wire: _Wire | None = None
        self._waiting: dict[str, Deferred[dict[str, Any]]] = {}
        self._count = 0

    async def connect(self, port: int) -> None:
        """Open a connection, and say nothing yet."""
        endpoint = TCP4ClientEndpoint(self._crowd.reactor, "127.0.0.1", port)
        self._wire = await endpoint.connect(Factory.forProtocol(lambda: _Wire(self)))

    async def come(self, port: int) -> None:
        """Connect and log in, with the token if there is one.

        :raises ConnectionError: it did not come to that.
        """
        await self.connect(port)
        login = messages.LoginMes(
            version=2, user_id=0 if self.token else self.user_id, token=self.token,
            user_pwd="" if self.token else PASSWORD, device="crowd",
        )  # fmt: skip
        reply = await self.ask(login)
        if reply["code"] != 200:
            self.refused += 1
            self._drop()
            raise ConnectionError(reply["error"], reply.get("retryAfter", 0.0))
        self.token, self.port, self._failures = reply["token"], port, 0
        self._crowd.came(self)

    async def ask(self, message: Message) -> dict[str, Any]:
        """Send a request; the data of its reply.

        :raises ConnectionError: the connection is gone.
        """
        if self._wire is None:
            raise ConnectionError("not connected")
        self._count += 1
        waiter = self._waiting[str(self._count)] = Deferred()
        self._wire.transport.write(encode(message, str(self._count)))
        return await waiter

    def send(self, message: Message) -> None:
        """Send what wants no answer, or one that nobody waits for."""
        if self._wire is not None:
            self._wire.transport.write(encode(message))

    def leave(self) -> None:
        """Close the connection, for good."""
        self._crowd.members.pop(self.user_id, None)
        self._drop()

    def _drop(self) -> None:
        wire, self._wire, self.port = self._wire, None, 0
        if wire is not None:
            wire.transport.abortConnection()

    # What the connection says ------------------------------------------------------------------

    def got(self, body: bytes) -> None:
        """A frame came."""
        if b'"id":"' not in body[-40:]:
            self.pushed += 1
            if b'"ByeMes"' in body[:40]:
                self.refused += 1
            self._crowd.heard(self, body)
            return
        envelope = decode_envelope(body)
        waiter = self._waiting.pop(envelope.id or "", None)
        if waiter is not None:
            waiter.callback(msgspec.json.decode(envelope.data))

    def lost(self, wire: "_Wire") -> None:
        """A connection is gone."""
        if wire is not self._wire:
            return
        was, self.port, self._wire = self.port, 0, None
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            waiter.errback(ConnectionError("lost"))
        if was and self.user_id in self._crowd.members:
            self._crowd.gone(self)
            self._come_back_later(0.0)

    def _come_back_later(self, at_least: float) -> None:
        bound = min(LONGEST_WAIT, SHORTEST_WAIT * 2**self._failures)
        self._failures += 1
        seconds = SHORTEST_WAIT + (bound - SHORTEST_WAIT) * random.random()
        seconds = max(seconds, at_least * (1 + random.random() / 5))
        self._crowd.reactor.callLater(seconds, self._come_back)

    def _come_back(self) -> None:
        coming = Deferred.fromCoroutine(self.come(self._crowd.where()))
        coming.addErrback(self._not_back)

    def _not_back(self, failure: Failure) -> None:
        reasons = getattr(failure.value, "args", ())
        self.unreachable += len(reasons) < 2
        self._come_back_later(float(reasons[1]) if len(reasons) == 2 else 0.0)


class _Wire(Protocol):
    """The bytes of one connection."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._frames = FrameReader()

    def dataReceived(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            self._member.got(body)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._member.lost(self)


class Crowd:
    """Members by user id, and where they go.

    :param ports: the servers; each member comes back to any of them, as behind a proxy.
    :param heard: told of each frame that is pushed to a member.
    """

    def __init__(
        self,
        reactor: Any,
        ports: Sequence[int],
        heard: Callable[[Member, bytes], None] = lambda member, body: None,
    ) -> None:
        self.reactor = reactor
        self.ports = list(ports)
        self.heard = heard
        self.members: dict[int, Member] = {}
        self.away: dict[int, float] = {}
        self.returned: list[float] = []
        self._all_back: list[Deferred[None]] = []

    def where(self) -> int:
        """A server, as a proxy picks one."""
        return random.choice(self.ports)

    async def register(self, first: int, count: int, port: int) -> list[Member]:
        """Make accounts ``u<id>`` and their members, who are not connected yet."""
        members = [Member(self, user_id) for user_id in range(first, first + count)]
        for start in range(0, count, AT_ONCE):
            registrar = Member(self, 0)  # a new one, for who does not log in has not much time
            await registrar.connect(port)
            batch = members[start : start + AT_ONCE]
            await gather([self._registered(registrar, member.user_id) for member in batch])
            registrar.leave()
        self.members.update((member.user_id, member) for member in members)
        return members

    async def _registered(self, registrar: Member, user_id: int) -> None:
        account = messages.Account(user_id=user_id, user_pwd=PASSWORD, user_name=f"u{user_id}")
        reply = await registrar.ask(messages.RegisterMes(user=account, version=2))
        if reply["code"] not in (200, 505):
            raise ConnectionError(reply["error"])

    async def log_in(self, members: Sequence[Member], port: int = 0) -> None:
        """Let members come, at most so many at once, each until it is there."""
        for start in range(0, len(members), AT_ONCE):
            batch = members[start : start + AT_ONCE]
            await gather([member.come(port or self.where()) for member in batch])

    def came(self, member: Member) -> None:
        """Somebody is there, again maybe."""
        since = self.away.pop(member.user_id, None)
        if since is not None:
            self.returned.append(self.reactor.seconds() - since)
            if not self.away:
                waiting, self._all_back = self._all_back, []
                for waiter in waiting:
                    waiter.callback(None)

    def gone(self, member: Member) -> None:
        """Somebody lost the connection."""
        self.away[member.user_id] = self.reactor.seconds()

    def all_back(self) -> "Deferred[None]":
        """Fires when nobody is away."""
        waiter: Deferred[None] = Deferred()
        self._all_back.append(waiter)
        return waiter


async def gather(work: Sequence[Any]) -> None:
    """Wait for all of them.

    :raises Exception: what the first that failed did.
    """
    results: list[tuple[bool, Any]] = await DeferredList(
        [Deferred.fromCoroutine(each) for each in work], consumeErrors=True
    )
    for done, result in results:
        if not done:
            raise result.value
