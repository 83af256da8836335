"""Asks Sentinels where the store is; of several answers the one of the latest failover counts."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.store.errors import StoreUnavailable
from chat.store.link.address import written

__all__ = ["MasterWatch", "Place", "Sentinels"]

Place = tuple[str, int]

ANSWER_SECONDS: Final = 1.0
"""How long the Sentinels have to answer; they are there to be quick."""

WATCH_SECONDS: Final = 1.0
"""Between two questions where the store is: what a failover may cost besides the Sentinels' own
time, when the old store is still there and nobody has closed the connections to it."""

pack: Callable[[tuple[str, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


class _Question(Protocol):
    """One connection to one Sentinel: some commands, and the answer to the last of them."""

    def __init__(self, commands: Sequence[tuple[str, ...]]) -> None:
        self._commands = commands
        self._left = len(commands)
        self._reader = hiredis.Reader()
        self.answer: Deferred[Any] = Deferred(lambda _: self._close())

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"".join(map(pack, self._commands)))

    def dataReceived(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            self._take()
        except hiredis.ProtocolError as error:
            self._end(StoreUnavailable(f"what answers there is no Sentinel ({error})"))

    def _take(self) -> None:
        while self._left and (reply := self._reader.gets()) is not False:
            self._left -= 1
            if isinstance(reply, hiredis.ReplyError):
                self._end(StoreUnavailable(f"a Sentinel says: {reply}"))
            elif not self._left:
                self._end(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(StoreUnavailable("a Sentinel closed the connection"))

    def _end(self, result: Any) -> None:
        self._left = 0
        if not self.answer.called:
            fire = self.answer.errback if isinstance(result, Exception) else self.answer.callback
            fire(result)
        self._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class _Asking(Factory):
    """Makes one question, without a line in the log: there are several each second."""

    noisy = False

    def __init__(self, question: _Question) -> None:
        self._question = question

    def buildProtocol(self, addr: IAddress | None) -> _Question:
        return self._question


class Sentinels:
    """The Sentinels that watch one store.

    :param endpoints: how each of them is reached.
    :param name: what they call the store.
    """

    def __init__(
        self,
        reactor: Any,
        endpoints: Sequence[IStreamClientEndpoint],
        name: str,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self._reactor = reactor
        self._endpoints = endpoints
        self._name = name
        login = [("AUTH", *([user] if user else []), password)] if password is not None else []
        self._commands = [*login, ("SENTINEL", "MASTER", name)]

    @property
    def known(self) -> bool:
        """Whether there are any."""
        return bool(self._endpoints)

    async def find(self) -> Place:
        """Ask them where the store is.

        :raises StoreUnavailable: none of them knows.
        """
        answers: list[tuple[bool, Any]] = await DeferredList(
            [self._ask(endpoint) for endpoint in self._endpoints], consumeErrors=True
        )
        known = [answer for ok, answer in answers if ok]
        if not known:
            why = answers[0][1].getErrorMessage()
            raise StoreUnavailable(f"no Sentinel knows where {self._name} is ({why})")
        latest: tuple[int, Place] = max(known)
        return latest[1]

    def _ask(self, endpoint: IStreamClientEndpoint) -> Deferred[tuple[int, Place]]:
        asked = Deferred.fromCoroutine(self._answer(endpoint))
        return asked.addTimeout(ANSWER_SECONDS, self._reactor)

    async def _answer(self, endpoint: IStreamClientEndpoint) -> tuple[int, Place]:
        question = _Question(self._commands)
        await endpoint.connect(_Asking(question))
        words = await question.answer
        said = dict(zip(words[::2], words[1::2], strict=True))
        place = (said[b"ip"].decode(), int(said[b"port"]))
        return int(said[b"config-epoch"]), place


class MasterWatch:
    """Looks every second where the store is, and tells when it has moved.

    :param moved: told where it has moved to. Connections to the old place are useless from then on,
        even if it still answers.
    """

    log = Logger()

    def __init__(self, reactor: Any, sentinels: Sentinels, moved: Callable[[Place], None]) -> None:
        self._sentinels = sentinels
        self._moved = moved
        self._place: Place | None = None
        self._finding: Deferred[Place] | None = None
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin to look, if there are Sentinels."""
        if self._sentinels.known:
            self._loop.start(WATCH_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()
        if self._finding is not None:
            self._finding.cancel()

    async def _look(self) -> None:
        self._finding = Deferred.fromCoroutine(self._sentinels.find())
        try:
            place = await self._finding
        except StoreUnavailable:
            return  # Connections that work go on working without any Sentinel.
        finally:
            self._finding = None
        before, self._place = self._place, place
        if before is not None and before != place:
            left, found = written(*before), written(*place)
            self.log.warn("The store moved from {before} to {place}", before=left, place=found)
            self._moved(place)
