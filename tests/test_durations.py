"""How people write how long something lasts."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.client.language.durations import read_duration, write_duration


class DurationTests(SynchronousTestCase):
    def test_what_is_written_in_any_unit_is_read_in_seconds(self) -> None:
        for text, seconds in {
            "90": 90, "0": 0, "90s": 90, "10m": 600, "2H": 7_200, "1d12h": 129_600, "2w": 1_209_600,
            "10分钟": 600, "2小时30分": 9_000, "1天": 86_400, "30秒": 30, "1周": 604_800,
        }.items():  # fmt: skip
            self.assertEqual(read_duration(text), seconds, text)

    def test_anything_else_is_none(self) -> None:
        for text in (
            "",
            "soon",
            "10x",
            "-5",
            "1.5h",
            "m",
            "1h 5m",
            "٣m",
            "5m3",
            "9" * 10,
            "小时",
            "5年",
        ):
            self.assertIsNone(read_duration(text), text)

    @given(st.integers(0, 10**9))
    def test_what_is_written_is_read_as_the_same(self, seconds: int) -> None:
        self.assertEqual(read_duration(write_duration(seconds)), seconds)
