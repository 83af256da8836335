"""Golden screens: what is drawn at four sizes in both languages, kept as text beside the tests."""

import string
from collections.abc import Callable
from unittest import TestCase

from chat.client import events
from chat.client.language import cli_words, en, zh
from chat.client.language.words import LANGUAGES, Words, choose_language
from chat.client.plain.asking import FormAsking, MenuAsking, PopupAsking
from chat.client.plain.page import Page
from chat.client.plain.telling import News
from chat.client.text import width
from chat.client.tui.commands import helptext
from chat.client.tui.commands.keys import CONTEXTS, KEYS
from chat.client.tui.commands.table import COMMANDS
from chat.client.tui.panes.draw import plain as bare
from chat.client.tui.panes.forms import Field, Form, Menu, MenuItem
from tests import golden
from tests.test_catchup import missed
from tests.tui_builders import BEN, CHEN, ME, NOON, Screen, entry, lively, look

SIZES = ((40, 10), (80, 24), (120, 40), (200, 60))

Size = tuple[int, int]


def menu(language: str, size: Size) -> Screen:
    screen = lively(language, size)
    screen.root.show(a_menu(language, screen.leave))
    return screen


def a_menu(language: str, leave: Callable[[], None]) -> Menu:
    keys = ("menu-login", "menu-register", "menu-server", "menu-language", "menu-leave")
    shown = Menu(look(language), lambda: [MenuItem(key, leave) for key in keys])
    shown.server = "tcp:127.0.0.1:8889"
    shown.say(look(language).words("server-answers"))
    return shown


def form(language: str, size: Size, heading: str, *fields: Field) -> Screen:
    screen = lively(language, size)
    title = look(language).words(heading)
    screen.root.show(Form(look(language), title, fields, lambda values: None, screen.leave))
    return screen


def register(language: str, size: Size) -> Screen:
    words = look(language).words
    fields = [
        Field(words("field-new-name")),
        Field(words("field-new-password"), hidden=True),
        Field(words("field-repeat"), hidden=True),
    ]
    fields[0].editor.insert("陈晓明")
    fields[1].editor.insert("correct horse")
    return form(language, size, "menu-register", *fields)


def log_in(language: str, size: Size) -> Screen:
    words = look(language).words
    fields = [Field(words("field-name")), Field(words("field-password"), hidden=True)]
    fields[0].editor.insert("陈晓明")
    screen = form(language, size, "menu-login", *fields)
    assert isinstance(screen.root.shown, Form)
    screen.root.shown.say(words("log-in-again"), bad=True)
    return screen


def flood(language: str, size: tuple[int, int]) -> Screen:
    screen = lively(language, size)
    start = NOON + 9 * 60_000
    for seq in range(8, 208):
        who = CHEN if seq % 3 else BEN
        screen.client.say(entry(seq, who, f"line {seq}", time=start + 4 * seq))
    screen.client.say(entry(208, BEN, "sorry, that was the wrong window", time=start + 60_000))
    return screen


def pressed(*keys: str, typed: str = "") -> Callable[[str, Size], Screen]:
    """The lively screen after some keys."""

    def build(language: str, size: Size) -> Screen:
        screen = lively(language, size)
        screen.press(*keys)
        screen.type(typed)
        return screen

    return build


def answering(language: str, size: Size) -> Screen:
    """Answers, to what is here and to what is not, and one that is being written."""
    screen = lively(language, size)
    screen.client.say(entry(8, BEN, "I look at it", reply=7))
    screen.client.say(entry(9, CHEN, "谢谢！", reply=8))
    screen.client.say(entry(10, ME, "so do I, and that has to be folded in most windows", reply=2))
    screen.client.say(entry(11, BEN, "who said that?", reply=3_000))
    screen.press("meta v", "up", "up", "r")
    screen.type("好的")
    return screen


def commanded(*texts: str) -> Callable[[str, Size], Screen]:
    """The lively screen after some commands."""

    def build(language: str, size: Size) -> Screen:
        screen = lively(language, size)
        for text in texts:
            screen.enter(text)
        return screen

    return build


def catching_up(language: str, size: Size) -> Screen:
    screen = missed(30, language, size)
    screen.enter("/catchup")
    screen.clock.advance(1)
    return screen


def scrolled_without_a_server(language: str, size: Size) -> Screen:
    screen = missed(30, language, size)
    screen.press("page up")
    screen.client.say(entry(31, BEN))
    screen.client.say(entry(32, CHEN, "@anna 在吗？"))
    screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "no route")))
    return screen


SCREENS: dict[str, Callable[[str, Size], Screen]] = {
    "main": lively,
    "menu": menu,
    "register": register,
    "log-in": log_in,
    "help": pressed("f1"),
    "switcher": pressed("ctrl k"),
    "online": pressed("shift tab", "shift tab", "shift tab", typed="陈"),
    "select": pressed("meta v", "up"),
    "inspector": pressed("meta v", "up", "i"),
    "answers": answering,
    "search": commanded("/search the"),
    "rooms": commanded("/rooms"),
    "doctor": commanded("/doctor"),
    "catch-up": catching_up,
    "scrolled": scrolled_without_a_server,
    "flood": flood,
}


class GoldenTests(TestCase):
    def test_every_screen_at_every_size_in_both_languages(self) -> None:
        for name, build in SCREENS.items():
            for language in LANGUAGES:
                with self.subTest(name, language=language):
                    parts = {}
                    for size in SIZES:
                        rows = build(language, size).text()
                        self.assertLessEqual(max(map(width, rows)), size[0])
                        parts[f"{size[0]}x{size[1]}"] = rows
                    golden.check(self, f"{name}-{language}", parts)

    def test_the_plain_mode_in_both_languages(self) -> None:
        for language in LANGUAGES:
            with self.subTest(language=language):
                golden.check(self, f"plain-{language}", plain(language))

    def test_a_difference_is_shown_with_the_rows_that_differ(self) -> None:
        rows = golden.written({"80x24": ["one", "two", "", "", "", "end"]})
        self.assertEqual(rows, ["==== 80x24 ====", "one", "two", "    <3 times>", "end"])
        shown = golden.difference(rows, [*rows[:-1], "something new"])
        self.assertIn("\n-end\n+something new", shown)


def plain(language: str) -> dict[str, list[str]]:
    """What the plain mode says in the course of a session."""
    written: list[str] = []
    parts: dict[str, list[str]] = {}
    screen = lively(language)
    words = screen.look.words
    page = Page(screen.clock, written.append, interactive=False)

    def part(heading: str) -> None:
        screen.clock.advance(0)
        parts[heading] = "".join(written).splitlines()
        written.clear()

    asking = MenuAsking(screen.look, a_menu(language, screen.leave), page.say, silent=False)
    asking.changed()
    page.say(asking.prompt)
    part("menu")
    fields = [Field(words("field-name")), Field(words("field-password"), hidden=True)]
    fields[0].editor.insert("anna")
    shown = Form(screen.look, words("menu-login"), fields, lambda values: None, screen.leave)
    page.say(FormAsking(screen.look, shown, page.say).prompt)
    part("form")
    news = News(screen.chat.model, screen.look, page.say, set())
    news.tell()
    part("lobby")
    screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "no route")))
    news.tell()
    screen.client.tell(events.ConnectionChanged(events.LoggedIn()))
    screen.client.say(entry(8, BEN, "two\nrows"))
    screen.client.say(entry(9, BEN, kind="kick", content="rude", target=3, target_name="陈晓明"))
    screen.client.say(entry(10, BEN, "of course", reply=3))
    screen.client.say(entry(11, CHEN, "@anna 好", reply=2_000))
    news.tell()
    screen.enter("/reply ben")
    page.say(news.answering())
    part("what comes")
    screen.enter("/search the")
    assert screen.root.popup is not None
    PopupAsking(screen.look, screen.root.popup, page.say, screen.leave).changed()
    part("search")
    return parts


class WordsTests(TestCase):
    def test_both_languages_have_the_same_sentences_with_the_same_places(self) -> None:
        self.assertEqual(set(en.WORDS), set(zh.WORDS))
        for key, text in en.WORDS.items():
            self.assertEqual(_places(text), _places(zh.WORDS[key]), key)

    def test_chinese_readers_are_addressed_alike_everywhere(self) -> None:
        for key, text in (
            *zh.WORDS.items(),
            *((key, each[1]) for key, each in cli_words.TABLE.items()),
        ):
            self.assertNotRegex(text, "你(?!们)", key)

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

    def test_the_help_is_whole_at_any_width_and_found_whole(self) -> None:
        for language in LANGUAGES:
            for columns in (20, 29, 40, 59, 60, 74, 120):
                room = columns if columns < 60 else columns - 6
                found = helptext.choices(look(language), "composer", columns)
                for each in found:
                    self.assertLessEqual(width(bare(each.row)), room, (language, columns))
                for left, right in helptext.lines(Words(language)):
                    if right:
                        rows = [
                            bare(each.row)
                            for each in found
                            if f"{each.find} ".startswith(f"{left} {right} ")
                        ]
                        self.assertIn("".join(right.split()), "".join("".join(rows).split()))

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
