"""The sentences for people: whole in both languages, and one for every rule that names break."""

import re
from dataclasses import fields
from pathlib import Path
from string import Formatter

from twisted.trial.unittest import SynchronousTestCase

import chat.names
from chat.server.phrases import LANGUAGES, PHRASES, Phrases, phrase
from chat.server.settings import Settings

GIVEN = {"seconds": 2.5, "detail": "user.userId: Expected `int`, got `str`"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


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
        known = {each.name for each in fields(Settings)} | set(GIVEN)
        for key, texts in PHRASES.items():
            self.assertLessEqual(placeholders(texts[0]), known, key)

    def test_every_sentence_can_be_said_in_every_language(self) -> None:
        for language in LANGUAGES:
            say = Phrases(Settings(language=language))
            for key in PHRASES:
                self.assertNotIn("{", say(key, **GIVEN))

    def test_every_rule_about_names_has_its_sentence(self) -> None:
        source = Path(chat.names.__file__).read_text(encoding="utf-8")
        keys = set(re.findall(r'BadName\("([a-z-]+)"\)', source))
        self.assertGreater(len(keys), 5)
        self.assertLessEqual(keys, set(PHRASES))

    def test_a_limit_is_said_as_it_is_set(self) -> None:
        self.assertIn(" 9 ", Phrases(Settings(name_limit=9))("name-too-long"))
        self.assertIn(" 9 ", Phrases(Settings(name_limit=9, language="zh"))("name-too-long"))

    def test_what_a_peer_wrote_is_no_placeholder(self) -> None:
        self.assertIn("{x!r}", phrase("malformed", "en", detail="{x!r}"))
