"""Two servers restarted one after the other while people talk: nothing is lost or refused."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from chat.client.api import SentMessage
from tests.process import ServerProcess
from tests.server import GENEROUS
from tests.test_client_server import Device
from tests.valkey import start_for

EVERY = 0.04
"""Seconds between two messages of everybody."""


class Talker:
    """Says something in the lobby again and again, and keeps what became of it."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.sent: list[SentMessage] = []
        self._loop = LoopingCall(self._say)

    def start(self) -> None:
        """Begin."""
        self._loop.start(EVERY)

    def stop(self) -> None:
        """Fall silent."""
        if self._loop.running:
            self._loop.stop()

    def _say(self) -> None:
        text = f"{self.device.name} {len(self.sent)}"
        self.sent.append(self.device.client.send("#lobby", text))


class RollingRestartTest(TestCase):
    async def test_it_loses_nothing_doubles_nothing_and_refuses_nothing_for_good(self) -> None:
        store = start_for(self, "--appendonly", "yes")
        options = (*GENEROUS, "--store", store.url, "--listen", "unix:listen")
        servers = [ServerProcess.start_for(self, *options) for _ in range(2)]
        talkers = [await self.talker(server, number) for number, server in enumerate(servers * 2)]
        for talker in talkers:
            talker.start()
        for server in servers:
            await deferToThread(server.stop)
            self.assertTrue(server.ended_in_order(), server.log)
            await deferToThread(server.start)
            for talker in talkers:  # until everybody is back, as who restarts servers waits
                await talker.sent[-1].stored()
        for talker in talkers:
            talker.stop()
        await self.judge(talkers)

    async def talker(self, server: ServerProcess, number: int) -> Talker:
        device = Device(f"unix:{server.home / 'listen'}", f"user{number}", "desk")
        self.addCleanup(lambda: Deferred.fromCoroutine(device.client.close()))
        talker = Talker(await device.enter(register=True))
        self.addCleanup(talker.stop)
        return talker

    async def judge(self, talkers: list[Talker]) -> None:
        """Everything that anybody said is stored, and everybody has it once and in one order."""
        said: set[str] = set()
        for talker in talkers:
            for sent in talker.sent:
                await sent.stored()  # fails when it was refused
            said.update(f"{talker.device.name} {n}" for n in range(len(talker.sent)))
        orders = []
        for talker in talkers:
            device: Any = talker.device
            await device.until(lambda device=device: len(device.texts("#lobby")) >= len(said))
            self.assertEqual(sorted(device.texts("#lobby")), sorted(said))
            numbers = [entry.seq for entry in device.entries("#lobby")]
            self.assertEqual(numbers, list(range(1, len(said) + 1)))
            orders.append(device.texts("#lobby"))
        self.assertTrue(all(order == orders[0] for order in orders))
