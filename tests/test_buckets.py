"""Token buckets and windows: what they allow, for every rate and every pattern of time."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.server.guard.buckets import TokenBucket, Window

PAUSES = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=80)


class TokenBucketTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def bucket(self, burst: int, per_second: float) -> TokenBucket:
        return TokenBucket(burst, per_second, self.clock.seconds)

    def test_a_burst_passes_at_once_and_the_next_waits(self) -> None:
        bucket = self.bucket(20, 5.0)
        self.assertEqual([bucket.take() for _ in range(20)], [0.0] * 20)
        self.assertAlmostEqual(bucket.take(), 0.2)

    def test_who_waits_as_long_as_told_passes(self) -> None:
        bucket = self.bucket(3, 7.0)
        for _ in range(1000):
            wait = bucket.take()
            self.clock.advance(wait)
            if wait:
                self.assertEqual(bucket.take(), 0.0)

    def test_a_refusal_costs_nothing(self) -> None:
        bucket = self.bucket(1, 1.0)
        bucket.take()
        for _ in range(10):
            self.assertAlmostEqual(bucket.take(), 1.0)
        self.clock.advance(1.0)
        self.assertEqual(bucket.take(), 0.0)

    def test_rest_never_fills_it_above_the_burst(self) -> None:
        bucket = self.bucket(4, 2.0)
        self.clock.advance(3600)
        self.assertEqual([bucket.take() for _ in range(4)], [0.0] * 4)
        self.assertGreater(bucket.take(), 0.0)

    def test_0_is_no_limit(self) -> None:
        for bucket in (self.bucket(0, 5.0), self.bucket(5, 0.0), self.bucket(0, 0.0)):
            self.assertEqual({bucket.take() for _ in range(10_000)}, {0.0})

    @given(burst=st.integers(1, 50), rate=st.floats(0.1, 100), pauses=PAUSES)
    def test_never_more_than_burst_and_rate_and_never_less(
        self, burst: int, rate: float, pauses: list[float]
    ) -> None:
        clock = Clock()
        bucket = TokenBucket(burst, rate, clock.seconds)
        tokens = float(burst)  # The model: a real bucket that is filled drop by drop.
        for pause in pauses:
            clock.advance(pause)
            tokens = min(float(burst), tokens + pause * rate)
            allowed = bucket.take() == 0.0
            if abs(tokens - 1) > 1e-6:
                self.assertEqual(allowed, tokens > 1)
            tokens -= allowed


class OverdrawTest(SynchronousTestCase):
    def test_what_is_owed_is_waited_for_and_counts(self) -> None:
        clock = Clock()
        bucket = TokenBucket(2, 10.0, clock.seconds)
        self.assertEqual([bucket.overdraw() for _ in range(2)], [0.0, 0.0])
        self.assertAlmostEqual(bucket.overdraw(), 0.1)
        clock.advance(0.1)
        self.assertAlmostEqual(bucket.overdraw(), 0.1, msg="the one before has used that one")
        clock.advance(1)
        self.assertEqual([bucket.overdraw() for _ in range(2)], [0.0, 0.0])
        owing = TokenBucket(1, 10.0, clock.seconds)
        for _ in range(9):
            owing.overdraw()
        self.assertAlmostEqual(owing.overdraw(2), 0.2, msg="as long as it takes itself, at most")
        endless = TokenBucket(0, 0.0, clock.seconds)
        self.assertEqual({endless.overdraw() for _ in range(50)}, {0.0})


class WindowTest(SynchronousTestCase):
    def test_it_speaks_up_at_the_last_one_that_fits_the_window(self) -> None:
        clock = Clock()
        window = Window(100, 10.0, clock.seconds)
        said = []
        for _ in range(100):
            said.append(window.add())
            clock.advance(0.1)
        self.assertEqual(said, [False] * 99 + [True])

    def test_as_many_in_a_longer_time_are_fine(self) -> None:
        clock = Clock()
        window = Window(100, 10.0, clock.seconds)
        for _ in range(1000):
            self.assertFalse(window.add())
            clock.advance(10 / 98)

    def test_a_time_exactly_as_long_as_the_window_is_fine_too(self) -> None:
        clock = Clock()
        window = Window(2, 10.0, clock.seconds)
        window.add()
        clock.advance(10.0)
        self.assertFalse(window.add())

    def test_0_never_speaks_up(self) -> None:
        window = Window(0, 10.0, Clock().seconds)
        self.assertFalse(any(window.add() for _ in range(10_000)))

    def test_1_speaks_up_at_once(self) -> None:
        self.assertTrue(Window(1, 10.0, Clock().seconds).add())
