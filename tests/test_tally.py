"""What is counted where the code passes anyway: each thing once."""

from twisted.trial.unittest import SynchronousTestCase

from chat.store.timing import BOUNDS, Timing
from tests.hall import Hall

LOBBY = "r:lobby"


class TimingTest(SynchronousTestCase):
    def test_each_duration_is_in_the_bucket_whose_end_it_does_not_pass(self) -> None:
        timing = Timing()
        for bound in BOUNDS:
            timing.take(bound)
        timing.take(BOUNDS[-1] + 1)
        self.assertEqual(timing.counts, [1] * (len(BOUNDS) + 1))
        self.assertAlmostEqual(timing.total, sum(BOUNDS) + BOUNDS[-1] + 1)

    def test_a_clock_that_was_set_back_counts_as_nothing(self) -> None:
        timing = Timing()
        timing.take(-3600.0)
        self.assertEqual((timing.counts[0], timing.total), (1, 0.0))


class TallyTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.hall = Hall()
        self.tally = self.hall.context.tally

    def test_an_entry_is_a_delivery_for_each_connection_that_hears_it(self) -> None:
        for user_id in (1, 2):
            self.hall.guest(user_id, LOBBY)
        self.hall.guest(3, LOBBY, original=True)
        self.hall.guest(4)
        self.hall.say(LOBBY, "hello")
        self.assertEqual((self.tally.deliveries, self.tally.accepted), (3, 0))

    def test_what_somebody_here_said_is_accepted_once_and_timed(self) -> None:
        alice = self.hall.guest(1, LOBBY)
        self.hall.guest(2, LOBBY)
        self.hall.say(LOBBY, "hello", by=alice)
        self.assertEqual((self.tally.deliveries, self.tally.accepted), (2, 1))
        self.assertEqual(sum(self.tally.delay.counts), 1)

    def test_a_private_entry_is_delivered_to_both_and_accepted_once(self) -> None:
        alice = self.hall.guest(1)
        self.hall.guest(2)
        self.hall.say("p:1:2", "hello", by=alice)
        self.assertEqual((self.tally.deliveries, self.tally.accepted), (2, 1))

    def test_a_hole_is_counted_when_it_is_read_from_the_log(self) -> None:
        self.hall.guest(1, LOBBY)
        self.hall.say(LOBBY, "lost", heard=False)
        self.hall.say(LOBBY, "heard")
        self.assertEqual((self.tally.gaps, self.tally.deliveries), (1, 2))
