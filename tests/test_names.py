"""What names, passwords and conversations may be: known traps, and the rules for any text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat import names
from chat.names import BadName

ANY_TEXT = st.text(max_size=40)
LIKELY_NAMES = st.text(
    st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="#@"),
    min_size=1,
    max_size=32,
)
INVISIBLE = {
    "white space": " \t\n\r\u00a0\u2003\u3000\u2028\u2029\u1680",
    "control": "\x00\x07\x1b\x7f\x85",
    "format": "\u200b\u200d\u202e\u2066\ufeff\u00ad\U000e0041",
    "empty letters": "\u3164\u115f\u1160\uffa0\u2800\u034f",
    "variation": "\ufe0f\U000e0100",
    "surrogate, private, unassigned": "\ud800\ue000\U000f0000\u0378",
}


class UserNamesTest(SynchronousTestCase):
    def refused(self, text: str, limit: int = 32) -> str:
        return str(self.assertRaises(BadName, names.user_name, text, limit))

    def test_ordinary_names_are_kept_as_written(self) -> None:
        for name in ("alice", "Alice", "黛玉", "a", "R2D2", "o'neil", "j.-p.", "Zoë", "мир", "🦊"):
            self.assertEqual(names.user_name(name), name)

    def test_what_is_too_long_to_be_put_into_order_is_no_name_whatever_the_limit(self) -> None:
        most = names.LONGEST
        self.assertEqual(len(names.user_name("x" * most, 0)), most)
        self.assertEqual(len(names.room_name("#" + "x" * (most - 1), 0)), most)
        for heap in ("x" * (most + 1), "a" + "\u0f71\u0f72\u0f74" * 7_000):
            self.assertEqual(self.refused(heap, 0), "name-too-long")
            self.assertRaises(BadName, names.room_name, "#" + heap, 0)
            self.assertIs(names.canonical_user_name(heap), heap)
        self.assertEqual(names.canonical_user_name("X" * most), "x" * most)

    def test_a_name_that_draws_nothing_or_breaks_the_line_is_refused(self) -> None:
        for kind, characters in INVISIBLE.items():
            for character in characters:
                self.assertEqual(self.refused(f"al{character}ice"), "name-character", kind)

    def test_characters_that_mark_conversations_are_refused_in_every_disguise(self) -> None:
        for character in "#@＃＠﹟﹫":
            self.assertEqual(self.refused("ali" + character), "name-character")

    def test_a_name_of_digits_alone_would_read_as_an_id(self) -> None:
        for name in ("7", "007", "١٢٣", "７７", "²³", "①", "𝟘𝟙"):
            self.assertEqual(self.refused(name), "name-digits")
        names.user_name("7a")

    def test_an_empty_name_is_refused(self) -> None:
        self.assertEqual(self.refused(""), "name-empty")

    def test_the_limit_counts_characters_not_bytes(self) -> None:
        names.user_name("字" * 32)
        self.assertEqual(self.refused("字" * 33), "name-too-long")
        names.user_name("字" * 33, limit=33)
        names.user_name("字" * names.LONGEST, limit=0)

    def test_names_are_compared_by_what_a_person_reads(self) -> None:
        for one, other in [
            ("Alice", "alice"), ("ＡＬＩＣＥ", "alice"), ("straße", "STRASSE"), ("ﬁsh", "fish"),
            ("Zoe\u0308", "ZO\u00cb"), ("ΣΑΣ", "σας"), ("K", "\u212a"), ("ſam", "Sam"),
        ]:  # fmt: skip
            self.assertEqual(names.canonical_user_name(one), names.canonical_user_name(other))
        self.assertNotEqual(names.canonical_user_name("alice"), names.canonical_user_name("al1ce"))

    @given(ANY_TEXT | LIKELY_NAMES)
    def test_what_is_accepted_can_be_shown_and_is_accepted_again(self, text: str) -> None:
        try:
            shown = names.user_name(text)
        except BadName:
            return
        self.assertEqual(names.user_name(shown), shown)
        self.assertLessEqual(len(shown), 32)
        for form in (shown, names.canonical_user_name(shown)):
            for character in form:
                self.assertNotIn(character, "#@")
                self.assertNotIn(unicodedata.category(character)[0], "CZ")
            self.assertFalse(form.isdecimal())

    @given(ANY_TEXT | LIKELY_NAMES)
    def test_the_canonical_form_is_its_own_canonical_form(self, text: str) -> None:
        once = names.canonical_user_name(text)
        self.assertEqual(names.canonical_user_name(once), once)
        for variant in (text.upper(), text.casefold(), unicodedata.normalize("NFD", text)):
            if unicodedata.normalize("NFKC", variant).casefold() == once:
                self.assertEqual(names.canonical_user_name(variant), once)

    def test_alphabets_that_look_alike_do_not_stand_together(self) -> None:
        for text in ("\u0430nn", "ann\u0430", "b\u03bfb", "\u0441\u03bf\u0441\u03bf", "\u13a0nn"):
            for judge, written in ((names.user_name, text), (names.room_name, "#" + text)):
                self.assertEqual(str(self.assertRaises(BadName, judge, written)), "name-mixed")
        for text in ("анна", "ann", "Zoë", "黛玉ann", "анна-7", "Ελένη", "ann_林", "ａnn", "안나"):
            names.user_name(text)
            names.room_name("#" + text)

    @given(st.integers(1, names.MAX_USER_ID))
    def test_the_name_that_an_empty_one_becomes_is_a_name(self, user_id: int) -> None:
        name = names.fallback_user_name(user_id)
        self.assertEqual(names.user_name(name), f"user{user_id}")


class RoomNamesTest(SynchronousTestCase):
    def refused(self, text: str) -> str:
        return str(self.assertRaises(BadName, names.room_name, text))

    def test_a_room_is_named_by_its_canonical_form(self) -> None:
        for text in ("#Cooks", "#COOKS", "#ｃｏｏｋｓ"):
            self.assertEqual(names.room_name(text), "#cooks")
        self.assertEqual(names.room_name("#42"), "#42")

    def test_what_is_no_room(self) -> None:
        self.assertEqual(self.refused("cooks"), "room-prefix")
        self.assertEqual(self.refused("@cooks"), "room-prefix")
        self.assertEqual(self.refused(""), "room-prefix")
        self.assertEqual(self.refused("#"), "name-empty")
        for text in ("#a b", "##", "#a#b", "#a@b", "#a\u200bb", "#\u0301", "#a\x00"):
            self.assertEqual(self.refused(text), "name-character")

    def test_the_limit_holds_for_the_form_that_is_kept(self) -> None:
        names.room_name("#" + "字" * 32)
        self.assertEqual(self.refused("#" + "字" * 33), "name-too-long")
        self.assertEqual(self.refused("#" + "\ufdfb"), "name-character")  # it unfolds to two words
        self.assertEqual(self.refused("#" + "ﬃ" * 20), "name-too-long")
        names.room_name("#" + "字" * (names.LONGEST - 1), limit=0)

    @given((ANY_TEXT | LIKELY_NAMES).map("#".__add__))
    def test_what_is_accepted_is_canonical(self, text: str) -> None:
        try:
            room = names.room_name(text)
        except BadName:
            return
        self.assertEqual(names.room_name(room), room)
        self.assertTrue(names.is_room(room))
        self.assertLessEqual(len(room), 33)
        for character in room[1:]:
            self.assertNotIn(character, "#@")
            self.assertNotIn(unicodedata.category(character)[0], "CZ")


class ConversationsTest(SynchronousTestCase):
    def test_who_a_private_conversation_is_with(self) -> None:
        self.assertEqual(names.private_with("@7"), 7)
        self.assertEqual(names.private_with(f"@{2**53 - 1}"), 2**53 - 1)
        self.assertEqual(names.private_with("@alice"), "alice")
        self.assertEqual(names.private_with("@7a"), "7a")

    def test_what_is_no_private_conversation(self) -> None:
        for text in ("", "@", "7", "alice", "#lobby", "@0", f"@{2**53}", "@" + "9" * 5000):
            self.assertIsNone(names.private_with(text), text[:20])

    def test_digits_are_an_id_and_too_many_of_them_nobodys(self) -> None:
        for written, who in (
            ("7", 7), ("@7", 7), ("ann", "ann"), ("@ann", "ann"), ("7a", "7a"), ("７", 7),
            (str(names.MAX_USER_ID), names.MAX_USER_ID),
        ):  # fmt: skip
            self.assertEqual(names.id_or_name(written), who)
        for digits in (17, 5000):
            self.assertGreater(names.id_or_name("9" * digits), names.MAX_USER_ID)

    @given(st.text())
    def test_no_text_raises_anything(self, text: str) -> None:
        who = names.private_with(text)
        if isinstance(who, int):
            self.assertTrue(1 <= who <= names.MAX_USER_ID)
        names.private_with("@" + text)


class SecretsTest(SynchronousTestCase):
    def test_a_password_is_judged_by_its_length_in_characters(self) -> None:
        for password in ("123456", "密码密码密码", "x" * 128, "      ", "\x00" * 6):
            names.check_password(password)
        for password in ("", "12345", "x" * 129):
            self.assertRaises(BadName, names.check_password, password)

    def test_0_switches_either_limit_off(self) -> None:
        names.check_password("", shortest=0)
        names.check_password("x" * 5000, longest=0)

    def test_a_password_that_no_bytes_can_hold_is_refused(self) -> None:
        self.assertRaises(BadName, names.check_password, "abcdef\ud800")

    def test_a_client_id_is_1_to_64_visible_ascii_characters(self) -> None:
        for client_id in ("a", "x" * 64, "".join(map(chr, range(0x21, 0x5F)))):
            names.check_client_id(client_id)
        for client_id in ("", "x" * 65, "a b", "a\n", "\n", "é", "a\x00", "\x7f"):
            self.assertRaises(BadName, names.check_client_id, client_id)
