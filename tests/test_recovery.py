"""What the bus did not bring is read from the log: once, in order, in the right epoch."""

from twisted.trial.unittest import SynchronousTestCase

from chat.server.delivery.registry import Thread


class EpochTests(SynchronousTestCase):
    def _thread(self, epoch: str, position: int) -> Thread:
        thread = Thread()
        thread.begin_epoch(epoch, 1)
        thread.position = position
        return thread

    def test_a_newer_epoch_gives_its_numbers_out_anew(self) -> None:
        thread = self._thread("1.aa", 10)
        thread.begin_epoch("2.bb", 8)
        self.assertEqual((thread.position, thread.epoch, thread.epoch_first), (7, "2.bb", 8))

    def test_a_newer_epoch_above_what_was_delivered_takes_nothing_back(self) -> None:
        thread = self._thread("1.aa", 10)
        thread.begin_epoch("2.bb", 11)
        self.assertEqual(thread.position, 10)

    def test_an_older_epoch_is_late_news(self) -> None:
        thread = self._thread("10.aa", 10)
        thread.begin_epoch("9.bb", 3)
        self.assertEqual((thread.position, thread.epoch), (10, "10.aa"))

    def test_the_first_epoch_that_is_heard_of_is_taken(self) -> None:
        thread = Thread()
        thread.begin_epoch("3.cc", 5)
        self.assertEqual((thread.position, thread.epoch, thread.epoch_first), (None, "3.cc", 5))
