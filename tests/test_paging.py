"""Pages that fit a frame: cut between two entries, from either end, to the byte."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.codec import FRAME_LIMIT, escaped_size
from chat.server.paging import RESERVE, clamp, fit, size

TEXTS = st.lists(st.text(max_size=40), max_size=30)


class FitTest(SynchronousTestCase):
    def test_the_last_byte_decides(self) -> None:
        items = ["a" * 100, 'with "quotes"', "b"]
        needed = RESERVE + sum(size(each) + 1 for each in items)
        self.assertEqual(fit(items, needed), (tuple(items), False))
        self.assertEqual(fit(items, needed - 1), (tuple(items[:2]), True))
        self.assertEqual(fit(items, needed - 1, keep_last=True), (tuple(items[1:]), True))

    def test_what_else_is_in_the_frame_takes_its_part(self) -> None:
        items = ["a" * 1_000] * 100
        kept, _ = fit(items, FRAME_LIMIT)
        fewer, cut = fit(items, FRAME_LIMIT, used=10_000)
        self.assertEqual((len(kept) - len(fewer), cut), (10, True))

    def test_nought_is_no_limit(self) -> None:
        items = ["a" * 1_000] * 1_000
        self.assertEqual(fit(items, 0), (tuple(items), False))

    @given(TEXTS, st.integers(RESERVE, RESERVE + 500), st.booleans())
    def test_what_is_kept_fits_and_is_one_end(
        self, items: list[str], limit: int, keep_last: bool
    ) -> None:
        kept, cut = fit(items, limit, keep_last=keep_last)
        self.assertEqual(cut, len(kept) < len(items))
        end = items[len(items) - len(kept) :] if keep_last else items[: len(kept)]
        self.assertEqual(kept, tuple(end))
        self.assertLessEqual(RESERVE + sum(size(each) + 1 for each in kept), limit)

    def test_a_page_is_as_large_as_asked_within_bounds(self) -> None:
        asked = [clamp(limit, 200, 50) for limit in (-1, 0, 1, 200, 201)]
        self.assertEqual(asked, [50, 50, 1, 200, 200])
        self.assertEqual(clamp(0, 100), 100)

    def test_quotes_and_backslashes_take_two_bytes(self) -> None:
        self.assertEqual(size('"\\'), escaped_size(b'"\\"\\\\"'))
