"""Which fault it is that service was late after, how late it may be, and what people repeat."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chat.soak.cli import settings_from
from chat.soak.device import Account, Device, Message
from chat.soak.link import Link
from chat.soak.schedule import seconds_late
from chat.soak.trace import Recorder
from chat.soak.world import World


class SecondsLateTests(SynchronousTestCase):
    def test_alone_a_fault_counts_from_its_end(self) -> None:
        self.assertEqual(seconds_late(112.5, 100, 100), 12.5)

    def test_what_was_back_in_time_counts_from_its_own_end_whatever_went_on(self) -> None:
        self.assertEqual(seconds_late(110, 100, 109), 10)
        self.assertEqual(seconds_late(105, 100, float("inf")), 5)

    def test_what_was_not_counts_from_the_end_of_the_last(self) -> None:
        self.assertEqual(seconds_late(113, 100, 110.5), 2.5)
        self.assertEqual(seconds_late(125, 100, 110), 15)

    def test_while_another_one_lasts_nothing_is_late(self) -> None:
        self.assertEqual(seconds_late(130, 100, float("inf")), 0)


class SettingsTests(SynchronousTestCase):
    def test_a_busy_machine_may_be_given_more_time(self) -> None:
        self.assertEqual(settings_from([]).back, 10)
        self.assertEqual(settings_from(["--back", "30"]).back, 30)


class RepetitionTests(SynchronousTestCase):
    def test_what_is_said_again_answers_what_it_answered(self) -> None:
        recorder = Recorder(Path("/dev/null"), lambda: 0.0)
        transport: Any = StringTransport()
        link = Link(Clock(), lambda *_: None)
        link.transport = transport
        host: Any = SimpleNamespace(record=recorder)
        device = Device(host, Account("x", 7, "ann", ""), "ann-1", 0)
        device.link = link
        message = Message("k>3", "#r", "x:#r", "k>3 text", 0.0, False, reply=3)
        device.send(link, message)
        said = transport.value()
        transport.clear()
        world: Any = SimpleNamespace(_last_said={7: message}, record=recorder)
        World._repeat(world, device)
        self.assertIn(b"reply", said)
        self.assertEqual(transport.value(), said)
