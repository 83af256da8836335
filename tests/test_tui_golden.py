"""Golden screens: what is drawn at four sizes in both languages, kept as text beside the tests.

After a change that is meant, ``CHATROOM_GOLDEN=write`` has them written anew: look at the diff.
"""

import os
import string
from pathlib import Path
from unittest import TestCase

from chat.client.locale import en, zh
from chat.client.text import width
from chat.client.tui import helptext
from chat.client.tui.commands import COMMANDS
from chat.client.tui.forms import Field, Form, Menu, MenuItem
from chat.client.tui.keys import CONTEXTS, KEYS
from chat.client.words import LANGUAGES, Words, choose_language
from tests.tui_builders import BEN, CHEN, NOON, Screen, entry, lively, look

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((40, 10), (80, 24), (120, 40), (200, 60))


def menu(language: str, size: tuple[int, int]) -> Screen:
    screen = lively(language, size)
    keys = ("menu-login", "menu-register", "menu-server", "menu-language", "menu-leave")
    shown = Menu(look(language), lambda: [MenuItem(key, screen.leave) for key in keys])
    shown.server = "tcp:127.0.0.1:8889"
    shown.say(look(language).words("server-answers"))
    screen.root.show(shown)
    return screen


def form(language: str, size: tuple[int, int]) -> Screen:
    screen = lively(language, size)
    words = look(language).words
    fields = [
        Field(words("field-new-name")),
        Field(words("field-new-password"), hidden=True),
        Field(words("field-repeat"), hidden=True),
    ]
    fields[0].editor.insert("陈晓明")
    fields[1].editor.insert("correct horse")
    heading = words("menu-register")
    screen.root.show(Form(look(language), heading, fields, lambda values: None, screen.leave))
    return screen


def flood(language: str, size: tuple[int, int]) -> Screen:
    screen = lively(language, size)
    start = NOON + 9 * 60_000
    for seq in range(8, 508):
        who = CHEN if seq % 3 else BEN
        screen.client.say(entry(seq, who, f"line {seq}", time=start + 4 * seq))
    screen.client.say(entry(508, BEN, "sorry, that was the wrong window", time=start + 60_000))
    return screen


def popup(language: str, size: tuple[int, int]) -> Screen:
    screen = lively(language, size)
    screen.press("f1")
    return screen


class GoldenTests(TestCase):
    maxDiff = None

    def check(self, name: str, screen: Screen) -> None:
        text = screen.text()
        for line in text:
            self.assertLessEqual(width(line), screen.size[0])
        path = GOLDEN / f"{name}-{screen.look.words.language}-{screen.size[0]}x{screen.size[1]}.txt"
        drawn = "\n".join(text) + "\n"
        if os.environ.get("CHATROOM_GOLDEN") == "write":
            path.write_text(drawn, encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), drawn, path.name)

    def test_the_main_screen(self) -> None:
        for language in LANGUAGES:
            for size in SIZES:
                self.check("main", lively(language, size))

    def test_a_flood(self) -> None:
        for language in LANGUAGES:
            for size in SIZES:
                self.check("flood", flood(language, size))

    def test_the_start_menu_the_form_and_the_help(self) -> None:
        for language in LANGUAGES:
            for size in SIZES[:2]:
                self.check("menu", menu(language, size))
                self.check("form", form(language, size))
                self.check("help", popup(language, size))


class WordsTests(TestCase):
    def test_both_languages_have_the_same_sentences_with_the_same_places(self) -> None:
        self.assertEqual(set(en.WORDS), set(zh.WORDS))
        for key, text in en.WORDS.items():
            self.assertEqual(_places(text), _places(zh.WORDS[key]), key)

    def test_every_key_command_and_context_has_its_words(self) -> None:
        for language in LANGUAGES:
            words = Words(language)
            wanted = {each.help for each in KEYS if each.help}
            wanted |= {each.help for each in COMMANDS}
            wanted |= {each.arguments for each in COMMANDS if each.arguments}
            wanted |= {f"context-{each}" for each in CONTEXTS}
            self.assertEqual({each for each in wanted if each not in words}, set())

    def test_the_help_has_every_command_and_every_explained_key(self) -> None:
        text = "\n".join(f"{left} {right}" for left, right in helptext.lines(Words("en")))
        for command in COMMANDS:
            self.assertIn(f"/{command.names[0]}", text)
        for each in KEYS:
            if each.help:
                self.assertIn(Words("en")(each.help), text)

    def test_the_language_is_what_was_asked_else_that_of_the_locale_else_english(self) -> None:
        for wanted, environ, language in (
            ("zh", {"LANG": "en_US.UTF-8"}, "zh"),
            ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
            ("", {"LC_ALL": "en_GB.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
            ("", {"LANG": "de_DE.UTF-8"}, "en"),
            ("", {"LANGUAGE": "de:zh_TW:en", "LANG": "en_US"}, "zh"),
            ("", {}, "en"),
        ):
            self.assertEqual(choose_language(wanted, environ), language, environ)


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
