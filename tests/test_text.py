"""Text from outside: cleaned, measured and folded, whatever it holds."""

import unicodedata
from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client.text import (
    MARKS_IN_A_ROW,
    SHORT,
    bounded_marks,
    clean,
    clean_line,
    clip,
    fit,
    fold,
    looks_like,
    mixes_scripts,
    width,
)

JOINER = "\u200d"
FAMILY = f"\U0001f468{JOINER}\U0001f469{JOINER}\U0001f467"
NASTY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\u200d\u200b\u202e\u2066\ufe0f\ufe0e\U0001f3fd\U0001f1e9\U0001f1ea\u0301\u0488\u3000"
            "\x1b\x07\x9b\x85\u2028\u115f\u1160\u11a8\u0e33\u0ecd字ﷺ\U000e0041\ud800\t\r\n "
            "\U0001f468\U0001f469"
        ),
    ),
    max_size=80,
)
FORBIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


def forbidden(text: str) -> set[str]:
    return {each for each in text if unicodedata.category(each) in FORBIDDEN}


class CleaningTests(TestCase):
    def test_a_heap_of_marks_is_cut_before_it_is_put_into_order(self) -> None:
        for marks in ("\u0316\u0301", "\u0f73", "\u0344"):
            heap = f"o{marks * 8_000}h"
            cut = bounded_marks(heap)
            self.assertEqual((len(cut), cut[-1]), (MARKS_IN_A_ROW + 2, "h"))
            self.assertEqual(clean(heap), clean(cut))
        for text in ("好" * 600, "a\u0301" * 300, "क\u094d\u0937\u093f" * 200):
            self.assertEqual(bounded_marks(text), text)
        short = "o" + "\u0301" * (SHORT - 1)
        self.assertEqual(bounded_marks(short), short)

    @given(NASTY)
    @settings(max_examples=300, deadline=None)
    def test_nothing_but_newlines_and_printable_text_is_left(self, text: str) -> None:
        self.assertLessEqual(forbidden(clean(text)), {"\n"})
        self.assertLessEqual(forbidden(clean(text, emoji=True)), {"\n", JOINER})
        self.assertEqual(forbidden(clean_line(text)), set())

    def test_plain_text_is_left_alone(self) -> None:
        for text in ("hello, world", "你好，世界", "naïve café", "one\ntwo", "Ελληνικά"):
            self.assertEqual(clean(text), text)

    def test_control_characters_become_visible_and_tabs_become_spaces(self) -> None:
        self.assertEqual(clean("a\x1b[31mb\x07\x9b"), "a\ufffd[31mb\ufffd\ufffd")
        self.assertEqual(clean("a\tb"), "a    b")
        self.assertEqual(clean("a\r\nb\rc"), "a\nb\nc")

    def test_a_wide_space_stays_wide(self) -> None:
        self.assertEqual(clean("\u3000\u3000你\u3000好\xa0吗\u2003"), "    你  好 吗 ")

    def test_bidirectional_and_invisible_characters_are_dropped(self) -> None:
        self.assertEqual(clean("a\u202eb\u2066c\u200bd\u2028e\u3164f"), "abcdef")

    def test_marks_are_bounded_and_never_begin_a_line(self) -> None:
        self.assertEqual(len(clean("e" + "\u0316" * 50)), 5)
        self.assertEqual(clean("\u0301x\n\u0301y"), "x\ny")

    def test_joined_emoji_are_kept_only_for_terminals_that_can(self) -> None:
        self.assertEqual(clean(FAMILY, emoji=True), FAMILY)
        self.assertEqual(clean(FAMILY), FAMILY.replace(JOINER, ""))
        self.assertEqual(clean("\U0001f1e9\U0001f1ea"), "DE")
        self.assertEqual(clean("\U0001f44d\U0001f3fd"), "\U0001f44d")

    def test_a_joiner_between_letters_is_dropped_everywhere(self) -> None:
        self.assertEqual(clean(f"a{JOINER}b{JOINER}", emoji=True), "ab")


class FittingTests(TestCase):
    @given(NASTY, st.integers(0, 30), st.booleans())
    @settings(max_examples=300, deadline=None)
    def test_any_text_fits_any_width_exactly(self, text: str, columns: int, emoji: bool) -> None:
        self.assertEqual(width(fit(clean_line(text, emoji), columns)), columns)

    def test_what_is_cut_ends_in_an_ellipsis_and_wide_characters_are_never_halved(self) -> None:
        self.assertEqual(clip("abcdef", 4), "abc…")
        self.assertEqual(clip("你好吗", 4), "你…")
        self.assertEqual(clip("你好", 4), "你好")


class FoldingTests(TestCase):
    @given(NASTY, st.integers(1, 20), st.booleans())
    @settings(max_examples=300, deadline=None)
    def test_rows_are_never_too_wide(self, text: str, columns: int, emoji: bool) -> None:
        for row in fold(clean(text, emoji), columns):
            self.assertLessEqual(sum(map(width, row.split("\n"))), max(columns, 1))

    @given(st.text("abc 字。，", max_size=60), st.integers(2, 12))
    @settings(max_examples=200, deadline=None)
    def test_nothing_but_spaces_is_lost(self, text: str, columns: int) -> None:
        folded = "".join(fold(text, columns))
        self.assertEqual(folded.replace(" ", ""), text.replace(" ", ""))

    @given(st.text("aaa:  -\n", max_size=60), st.integers(1, 12), st.integers(0, 3))
    def test_plain_text_folds_as_any_other_does(self, text: str, columns: int, limit: int) -> None:
        other = fold(text.replace("a", "à"), columns, limit)
        self.assertEqual(fold(text, columns, limit), [each.replace("à", "a") for each in other])

    def test_folds_at_spaces_and_breaks_what_is_longer_than_a_row(self) -> None:
        self.assertEqual(fold("one two three", 8), ["one two", "three"])
        self.assertEqual(fold("abcdefghij", 4), ["abcd", "efgh", "ij"])
        self.assertEqual(fold("a\n\nb", 4), ["a", "", "b"])

    def test_the_bytes_of_a_fingerprint_stay_whole(self) -> None:
        fingerprint = ":".join(["AB"] * 32)
        for columns in range(3, 100):
            rows = fold(fingerprint, columns)
            self.assertEqual("".join(rows), fingerprint)
            self.assertEqual({len(each) % 3 for each in rows[:-1]} - {0}, set(), columns)

    def test_chinese_breaks_between_characters_but_not_before_a_comma(self) -> None:
        self.assertEqual(fold("你好世界", 5), ["你好", "世界"])
        self.assertEqual(fold("今天天气，很好", 8), ["今天天", "气，很好"])

    def test_a_limit_bounds_the_rows_of_a_huge_message(self) -> None:
        self.assertEqual(len(fold("x\n" * 16_000, 20, limit=10)), 11)
        self.assertEqual(len(fold("x" * 16_000, 20, limit=10)), 11)


class ImitationTests(TestCase):
    def test_names_that_read_alike_have_one_look(self) -> None:
        for name, imitation in (
            ("anna", "аnnа"),
            ("anna", "ANNA"),
            ("admin", "adrnin"),
            ("paul", "pau1"),
            ("Olga", "0lga"),
        ):
            self.assertEqual(looks_like(name), looks_like(imitation), (name, imitation))

    def test_different_names_look_different(self) -> None:
        names = ["anna", "ben", "陈晓明", "chen", "Иван", "user1", "user2"]
        self.assertEqual(len({looks_like(each) for each in names}), len(names))

    def test_latin_letters_beside_cyrillic_ones_are_noticed(self) -> None:
        self.assertTrue(mixes_scripts("pаypal"))
        self.assertFalse(mixes_scripts("Иван"))
        self.assertFalse(mixes_scripts("anna陈"))
