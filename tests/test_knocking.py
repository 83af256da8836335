"""Knocking at the door of a server that was not there when somebody came."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client.errors import NotConnected, Untrusted
from chat.client.tui.entrance.knocking import EVERY, Knocking


class KnockingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answer: Exception | None = NotConnected("nobody answers")
        self.waits: bool | None = True
        self.tries = self.opened = 0
        self.knocking = Knocking(self.clock, self.reach, lambda: self.waits, self.open)
        self.knocking.begin()

    async def reach(self) -> None:
        self.tries += 1
        if self.answer is not None:
            raise self.answer

    def open(self) -> None:
        self.opened += 1
        self.waits = False

    def test_it_goes_on_until_somebody_answers(self) -> None:
        self.knocking.begin()
        self.clock.pump([EVERY] * 3)
        self.assertEqual((self.tries, self.opened), (3, 0))
        self.answer = None
        self.clock.pump([EVERY] * 3)
        self.assertEqual((self.tries, self.opened), (4, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_not_trusted_has_answered(self) -> None:
        self.answer = Untrusted("ab:cd", "", "nobody knows")
        self.clock.advance(EVERY)
        self.assertEqual(self.opened, 1)

    def test_it_does_nothing_for_who_is_busy_and_ends_with_who_waits_no_more(self) -> None:
        for self.waits in (None, False):
            self.clock.advance(EVERY)
        self.assertEqual((self.tries, self.opened), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
