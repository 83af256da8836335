"""Calls to the store: in order, each with a deadline, on one connection that reconnects."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import txredisapi
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from chat.store.errors import FateUnknown, StoreError, StoreUnavailable
from chat.store.link.address import Address
from chat.store.link.connection import (
    Answer,
    Owner,
    RedisReplyError,
    Word,
    error_of,
    fail_all,
    greet,
    pack,
)
from chat.store.scripts import Script

__all__ = ["Commands", "Redis", "RedisReplyError", "Word"]

SECOND_LOOK: Final = 0.1
"""Seconds between seeing a call overdue and giving up: a process that was stopped for a while
reads the answers that are waiting for it first."""


class _Call:
    """A call that was sent: when it is overdue, and how many answers are still to come."""

    __slots__ = ("answer", "due", "left")

    def __init__(self, due: float, left: int) -> None:
        self.answer: Answer = Deferred()
        self.due = due
        self.left = left


class Commands(txredisapi.RedisProtocol):
    """Calls and their answers, in order, with one timer for the oldest call."""

    def __init__(self, owner: "Redis", *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._owner = owner
        self._waiting: deque[_Call] = deque()
        self._timer: IDelayedCall | None = None
        self._overdue: _Call | None = None

    def ask(self, words: tuple[Word, ...], answers: int = 1, *, at_once: bool = False) -> Answer:
        """Send one command.

        :param answers: how many answers the store gives to it; the last one is the result.
        :param at_once: write it now, since nothing else in this turn of the reactor could go along.
        """
        packed = pack(words)
        owner = self._owner
        if len(self._waiting) >= owner.most_in_flight:
            return fail(StoreUnavailable("too many calls to the store are under way"))
        call = _Call(owner.reactor.seconds() + owner.deadline, answers)
        self._waiting.append(call)
        if self._timer is None:
            self._look_again(owner.deadline)
        if at_once:
            self.send_at_once(packed)
        else:
            self.transport.write(packed)
        return call.answer

    def send_at_once(self, packed: bytes) -> None:
        """Write without waiting for what else is said in this turn, where there is a choice."""
        self.transport.write(packed)

    def execute_command(self, *args: Any, **kwargs: Any) -> Answer:
        """What txredisapi's own handshake calls."""
        return self.ask(args)

    def select(self, index: int) -> Answer:
        return greet(self, self._owner.address)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            self.take(data)
        except txredisapi.InvalidData as error:
            self.give_up(f"what answers there is no Redis ({error})")

    def take(self, data: bytes) -> None:
        """Handle the answers that are complete."""
        take = self._reader.gets
        self._reader.feed(data)
        while (reply := take()) is not False:
            self.answered(reply)

    def answered(self, reply: Any) -> None:
        """Give an answer to the oldest call. An error is the only answer to its call."""
        if not self._waiting:
            self.give_up("an answer that nobody asked for")
            return
        call = self._waiting[0]
        if isinstance(reply, txredisapi.ResponseError):
            self._waiting.popleft()
            call.answer.errback(error_of(reply))
            return
        call.left -= 1
        if not call.left:
            self._waiting.popleft()
            call.answer.callback(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._owner.closed(self, reason)
        self._end("the connection to the store was lost", silent=False)

    def _look_again(self, seconds: float) -> None:
        self._timer = self._owner.reactor.callLater(seconds, self._check)

    def _check(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        oldest = self._waiting[0]
        left = oldest.due - self._owner.reactor.seconds()
        if left <= 0 and oldest is self._overdue:
            self.give_up("the store did not answer in time")
            return
        self._overdue = oldest if left <= 0 else None
        self._look_again(max(left, SECOND_LOOK))

    def give_up(self, why: str) -> None:
        """The connection is useless: every call on it fails, and another connection is made."""
        self._end(why, silent=True)
        self.transport.abortConnection()

    def _end(self, why: str, silent: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.lost(self, silent)
        unanswered = [call.answer for call in self._waiting]
        self._waiting.clear()
        fail_all(unanswered, partial(FateUnknown, why))


class Redis(Owner[Commands]):
    """One connection for commands, which comes back by itself.

    :param deadline: seconds after which an unanswered call means that the connection is dead.
    :param most_in_flight: calls that may wait for their answers.
    """

    def __init__(
        self,
        reactor: Any,
        address: Address,
        *,
        deadline: float = 5.0,
        most_in_flight: int = 10_000,
    ) -> None:
        super().__init__(reactor, address)
        self.deadline = deadline
        self.most_in_flight = most_in_flight
        self._listeners: list[Callable[[bool], None]] = []
        self._waiters: list[Deferred[None]] = []
        self._used: dict[bytes, Script] = {}

    async def stop(self) -> None:
        """Wait for the calls that were sent, each no longer than its deadline, then close."""
        if self.connected:
            try:
                await self.call(b"PING")
            except StoreError:
                self.log.debug("The store was gone before it was left")
        await super().stop()
        waiters, self._waiters = self._waiters, []
        fail_all(waiters, partial(StoreUnavailable, "the connection was closed"))

    def drop(self) -> None:
        """Stop using the connection, because the store has moved; another one is made.

        A connection that is still being made is dropped too: the old store may never answer.
        """
        if self._latest is not None and self._latest.connected:
            self._latest.give_up("the store has moved")

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Call ``callback`` with True whenever the store can be used, with False at each loss."""
        self._listeners.append(callback)

    async def when_connected(self) -> None:
        """Wait until the store can be used.

        :raises StoreUnavailable: ``stop`` came first.
        """
        if not self.connected:
            waiter: Deferred[None] = Deferred()
            self._waiters.append(waiter)
            await waiter

    def call(self, *words: Word, answers: int = 1, at_once: bool = False) -> Answer:
        """Send one command.

        :param answers: how many the store gives to it.
        :param at_once: see ``Commands.ask``.
        :returns: its answer, every text as bytes. It fails with StoreUnavailable when nothing was
            written, with FateUnknown when it was sent and the answer can't come any more, with
            RedisReplyError for any other error of the store's.
        """
        connection = self._connection
        if connection is None:
            return fail(StoreUnavailable("not connected to the store"))
        return connection.ask(words, answers, at_once=at_once)

    async def info(self, *sections: str) -> dict[str, str]:
        """What the store says of itself, by its own names (INFO); errors as in ``call``."""
        told = (await self.call(b"INFO", *sections)).decode()
        lines = (line.partition(":") for line in told.splitlines())
        return {name: value for name, colon, value in lines if colon}

    async def now(self) -> int:
        """Milliseconds since 1970 by the store's clock; errors as in ``call``."""
        seconds, micros = await self.call(b"TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def script(
        self,
        script: Script,
        keys: Sequence[bytes],
        args: Sequence[Word] = (),
        *,
        at_once: bool = False,
    ) -> Answer:
        """Run a script by its hash; errors as in ``call``.

        Every new connection begins with the scripts that were used before, so scripts run in the
        order of the calls. Only where somebody made the store forget them (SCRIPT FLUSH) does
        the repetition, with the text, come after calls made in the meantime.
        """
        if script.sha1 not in self._used:
            self._used[script.sha1] = script
            return self.call(b"EVAL", script.text, len(keys), *keys, *args)
        answer = self.call(b"EVALSHA", script.sha1, len(keys), *keys, *args, at_once=at_once)
        return answer.addErrback(self._with_text, script, keys, args)

    def _with_text(
        self, why: Failure, script: Script, keys: Sequence[bytes], args: Sequence[Word]
    ) -> Failure | Answer:
        if isinstance(why.value, RedisReplyError) and why.value.code == "NOSCRIPT":
            return self.call(b"EVAL", script.text, len(keys), *keys, *args)
        return why

    def build(self, *arguments: Any, **options: Any) -> Commands:
        return Commands(self, *arguments, **options)

    def ready(self, connection: Commands) -> None:
        for script in self._used.values():
            connection.ask((b"SCRIPT", b"LOAD", script.text)).addErrback(lambda _: None)
        super().ready(connection)

    def changed(self, connected: bool) -> None:
        for listener in tuple(self._listeners):
            self.guarded(listener, connected)
        if connected:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)
