"""The worker processes behind the same ports: started, logged, restarted when they die, ended."""

import os
import pickle
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger, eventFromJSON, globalLogPublisher
from twisted.python.failure import Failure

from chat.server.workers.worker import FIRST_SOCKET, READY, REPORTS, Orders
from chat.store.embedded import launch
from chat.store.embedded.pauses import Pauses
from chat.store.errors import CannotStart

__all__ = ["Crew"]

STOP_SECONDS: Final = 30.0
"""Seconds to drain and end; then it is killed. A worker itself gives up much earlier."""

LONGEST_LINE: Final = 1 << 20
"""Bytes of one event in a worker's log."""


class _Process(ProcessProtocol):
    """One life of one worker.

    :param number: counted from 1, for the log.
    :ivar ended: fires when it has ended, with its exit status, or with a signal's number below
        zero.
    :ivar serves: it lets clients in.
    :ivar settled: fires with True when it lets clients in, with False if it has ended before that.
    """

    log = Logger()
    transport: IProcessTransport | None

    def __init__(self, number: int) -> None:
        self._number = number
        self._partial: dict[int, bytes] = {}
        self.words = ""
        self.alive = True
        self.serves = False
        self.ended: Deferred[int] = Deferred()
        self.settled: Deferred[bool] = Deferred()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == REPORTS:
            if data == READY:
                self.serves = True
                self._settle(True)
            return
        *lines, rest = (self._partial.get(childFD, b"") + data).split(b"\n")
        self._partial[childFD] = rest[-LONGEST_LINE:]
        for line in lines:
            self._said(line.decode(errors="replace"))

    def _said(self, line: str) -> None:
        """Pass an event of its log on to ours; whatever else it prints is logged as well."""
        try:
            event = eventFromJSON(line)
            where = f"{event['log_namespace']}#{event['log_level'].name}"
        except (ValueError, KeyError, TypeError, AttributeError):
            self.words = line.removeprefix("chatroom: ")
            self.log.error("worker {number}: {line}", number=self._number, line=line)
            return
        event["worker"] = self._number
        event["log_system"] = f"worker {self._number}: {where}"
        globalLogPublisher(event)

    def processEnded(self, reason: Failure) -> None:
        status: Any = reason.value
        self._over(-status.signal if status.signal else status.exitCode)

    def stillborn(self, error: OSError) -> None:
        """The system could not start it."""
        self._said(f"there is no process: {error.strerror}")
        self._over(os.EX_OSERR)

    def _over(self, code: int) -> None:
        self.alive = self.serves = False
        self._settle(False)
        self.ended.callback(code)

    def _settle(self, well: bool) -> None:
        if not self.settled.called:
            self.settled.callback(well)

    def tell(self, orders: Orders) -> None:
        """Send it orders."""
        if self.alive and self.transport is not None:
            said = pickle.dumps(orders)
            self.transport.writeToChild(0, struct.pack("!I", len(said)) + said)

    def signal(self, name: str) -> None:
        """Send it ``TERM`` or ``KILL``, if it lives."""
        if self.alive and self.transport is not None:
            self.transport.signalProcess(name)


class _Place:
    """One worker, through all its lives."""

    log = Logger()

    def __init__(self, crew: "Crew", number: int, sockets: Sequence[socket.socket]) -> None:
        self._crew = crew
        self._sockets = sockets
        self._reactor = crew.reactor
        self._number = number
        self._leaving = False
        self.restarts = 0
        self._resting: Deferred[None] = succeed(None)
        self._kept: Deferred[None] = succeed(None)
        self.process = _Process(number)

    def start(self) -> Deferred[bool]:
        """Start it, and bring it back from now on; fires like ``settled`` of its first life."""
        self.process = self._spawn()
        settled = self.process.settled
        self._kept = Deferred.fromCoroutine(self._keep())
        return settled

    async def stop(self) -> None:
        """End it, and wait until it has."""
        self._leaving = True
        self._resting.cancel()
        self.process.signal("TERM")
        kill = self._reactor.callLater(STOP_SECONDS, self.process.signal, "KILL")
        await self._kept
        if kill.active():
            kill.cancel()

    def _spawn(self) -> _Process:
        process = _Process(self._number)
        sockets = {each: own.fileno() for each, own in enumerate(self._sockets, FIRST_SOCKET)}
        descriptors = {0: "w", 1: "r", 2: "r", REPORTS: "r", **sockets}
        command = self._crew.command
        try:
            self._reactor.spawnProcess(process, command[0], command, None, childFDs=descriptors)
        except OSError as error:  # no process or no open file is left: there may be one later
            process.stillborn(error)
        process.tell(self._orders())
        return process

    def go_on(self) -> None:
        """Tell it what the orders are by now."""
        self.process.tell(self._orders())

    def _orders(self) -> Orders:
        families = tuple(int(each.family) for each in self._sockets)
        return replace(self._crew.orders(self._number), families=families)

    async def _keep(self) -> None:
        pauses = Pauses()
        while not self._leaving:
            since = self._reactor.seconds()
            code = await self.process.ended
            if self._leaving:
                return
            self.log.error(
                "Worker {number} ended with {code} and is started again",
                number=self._number,
                code=code,
            )
            pause = pauses.after(self._reactor.seconds() - since)
            self._resting = deferLater(self._reactor, pause)
            with suppress(CancelledError):
                await self._resting
            if not self._leaving:
                self.restarts += 1
                self.process = self._spawn()


class Crew:
    """The workers.

    :param shares: for each of them the sockets to listen on.
    :param orders: makes the present orders of the worker with a number, counted from 1.
    :param command: what to execute as a worker, found by itself when None.
    """

    def __init__(
        self,
        reactor: Any,
        shares: Sequence[Sequence[socket.socket]],
        orders: Callable[[int], Orders],
        command: Sequence[str] | None = None,
    ) -> None:
        self.reactor = reactor
        self.command = list(command or _command())
        self.orders = orders
        self._places = [_Place(self, *each) for each in enumerate(shares, 1)]

    @property
    def serving(self) -> int:
        """How many workers let clients in."""
        return sum(place.process.serves for place in self._places)

    @property
    def restarts(self) -> int:
        """How many workers were restarted so far."""
        return sum(place.restarts for place in self._places)

    async def start(self) -> None:
        """Start all workers, and wait until one of them lets clients in.

        :raises CannotStart: one has ended before that; with the reason that it gave.
        """
        settled = [place.start() for place in self._places]
        await DeferredList(settled, fireOnOneCallback=True)
        for place, well in zip(self._places, settled, strict=True):
            if well.called and not well.result:
                why = place.process.words or "it gave no reason"
                raise CannotStart(f"a worker does not start: {why}")

    def go_on(self) -> None:
        """Send all workers their present orders."""
        for place in self._places:
            place.go_on()

    async def stop(self) -> None:
        """End all at once, and wait until they have."""
        await DeferredList([Deferred.fromCoroutine(place.stop()) for place in self._places])


def _command() -> list[str]:
    """The command of a worker, which ends with its parent and ignores Ctrl-C."""
    launcher = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid())]
    return [*launcher, sys.executable, "-m", "chat.server.workers.worker"]
