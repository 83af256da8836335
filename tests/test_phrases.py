"""The sentences for people: whole in both languages, and one for every rule that names break."""

import ast
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from string import Formatter

from twisted.trial.unittest import SynchronousTestCase

import chat.names
import chat.server
from chat.server.phrases import LANGUAGES, PHRASES, Phrases, phrase
from chat.server.settings import Settings

GIVEN = {"seconds": 2.5, "detail": "user.userId: Expected `int`, got `str`"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


PLACE_OF_KEY = {"Refused": 1, "bye": 1, "_turn_away": 1, "phrase": 0, "phrases": 0}
"""Which argument of a call is a sentence's key."""


def server_code() -> list[ast.AST]:
    """Everything that stands in the server's modules, but for the table itself."""
    found: list[ast.AST] = []
    for path in Path(chat.server.__file__).parent.rglob("*.py"):
        if path.name != "phrases.py":
            found += ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return found


def texts(nodes: Iterable[ast.AST]) -> set[str]:
    """Those of ``nodes`` that are plain texts."""
    values = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {value for value in values if isinstance(value, str)}


def keys_said() -> set[str]:
    """The keys that calls in the server's code are given as they stand."""
    arguments: list[ast.AST] = []
    for node in server_code():
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            arguments += node.args[PLACE_OF_KEY.get(called, len(node.args)) :][:1]
    return texts(arguments)


class PhrasesTest(SynchronousTestCase):
    def test_both_languages_say_every_sentence_with_the_same_placeholders(self) -> None:
        for key, texts in PHRASES.items():
            self.assertEqual(len(texts), len(LANGUAGES), key)
            self.assertEqual(len({frozenset(placeholders(text)) for text in texts}), 1, key)

    def test_chinese_is_chinese_and_english_is_english(self) -> None:
        for key, (english, chinese) in PHRASES.items():
            self.assertTrue(english.isascii(), key)
            self.assertTrue(english.endswith("."), key)
            self.assertTrue(chinese.endswith("。"), key)

    def test_every_placeholder_is_an_option_or_given_by_the_caller(self) -> None:
        known = {each.name for each in fields(Settings)} | {"wait", *GIVEN}
        for key, texts in PHRASES.items():
            self.assertLessEqual(placeholders(texts[0]), known, key)

    def test_a_wait_is_said_in_a_unit_that_people_count_in(self) -> None:
        for seconds, english, chinese in (
            (0.2, "1 s", "1 秒"),
            (119, "119 s", "119 秒"),
            (119.5, "2 min", "2 分钟"),
            (3415, "57 min", "57 分钟"),
            (7199, "120 min", "120 分钟"),
            (7200, "2 h", "2 小时"),
            (86_000, "24 h", "24 小时"),
        ):
            said = phrase("slow-mode", "en", seconds=seconds)
            self.assertEqual(said, f"Slow mode: wait {english} before you write again.")
            said = phrase("slow-mode", "zh", seconds=seconds)
            self.assertEqual(said, f"慢速模式：请在 {chinese}后再发言。")

    def test_every_sentence_can_be_said_in_every_language(self) -> None:
        for language in LANGUAGES:
            say = Phrases(Settings(language=language))
            for key in PHRASES:
                self.assertNotIn("{", say(key, **GIVEN))

    def test_a_frame_without_a_limit_is_as_long_as_four_bytes_can_say(self) -> None:
        said = Phrases(Settings(frame_limit=0))("too-large")
        self.assertEqual(said, f"A frame has 1 to {2**32 - 1} bytes.")

    def test_who_asks_for_a_language_of_the_table_gets_it_and_others_the_servers(self) -> None:
        say = Phrases(Settings(language="zh"))
        english, chinese = PHRASES["suspended"]
        self.assertEqual(say("suspended", "en"), english)
        for language in ("", "zh", "fr", "\0"):
            self.assertEqual(say("suspended", language), chinese)

    def test_every_rule_about_names_has_its_sentence(self) -> None:
        source = Path(chat.names.__file__).read_text(encoding="utf-8")
        keys = set(re.findall(r'BadName\("([a-z-]+)"\)', source))
        self.assertGreater(len(keys), 5)
        self.assertLessEqual(keys, set(PHRASES))

    def test_the_server_says_nothing_that_is_not_in_the_table(self) -> None:
        self.assertGreater(len(keys_said()), 20)
        self.assertLessEqual(keys_said(), set(PHRASES))

    def test_no_sentence_is_there_for_nothing(self) -> None:
        rules = re.findall(r'BadName\("([a-z-]+)"\)', Path(chat.names.__file__).read_text())
        self.assertLessEqual(set(PHRASES), texts(server_code()) | set(rules))

    def test_a_limit_is_said_as_it_is_set(self) -> None:
        self.assertIn(" 9 ", Phrases(Settings(name_limit=9))("name-too-long"))
        self.assertIn(" 9 ", Phrases(Settings(name_limit=9, language="zh"))("name-too-long"))

    def test_no_name_is_longer_than_any_name_may_be(self) -> None:
        for limit in (0, 600):
            self.assertIn(" 512 ", Phrases(Settings(name_limit=limit))("name-too-long"))

    def test_what_a_peer_wrote_is_no_placeholder(self) -> None:
        self.assertIn("{x!r}", phrase("malformed", "en", detail="{x!r}"))
