"""The settings file and themes of one's own: what is right is used, what is wrong is said."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

from twisted.trial.unittest import SynchronousTestCase

from chat.client.cli.main import main
from chat.client.files.config import BadConfig, Settings, read_settings, rule_parts, setting_names
from chat.client.language.cli_words import TABLE, Phrases
from chat.client.notify import DEFAULT_RULES, Rule
from chat.client.tui.theme_file import find_theme, theme_names
from chat.client.tui.themes import ASCII, ROLES, THEMES, UNICODE
from tests.patience import PATIENCE

WHOLE = """
server = "chat.example.org:8889"
user = "anna"
language = "zh"
theme = "light"
colours = 256
emoji = "full"
ascii = true
mouse = true
plain = true
links = false
cache = false
quiet = "22:00-07:00"
command = ["nobody-send", "{who}", "{text}"]

[[notify]]
when = "message"
in = ["#ops", "#release*"]
from = "ben"
words = ["deploy"]
do = ["bell", "desktop"]

[[notify]]
do = []

[profile.work]
user = "anna.b"
mouse = false
"""


class FileTestCase(TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="conf", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.path = self.home / "config.toml"

    def read(self, text: str, profile: str = "default") -> Settings:
        self.path.write_text(text, encoding="utf-8")
        return read_settings(self.path, profile)

    def complaint(self, text: str, language: str = "en") -> str:
        with self.assertRaises(BadConfig) as caught:
            self.read(text)
        # Each sentence exists in both languages, with the same values.
        self.assertTrue(Phrases("zh").config(caught.exception))
        return Phrases(language).config(caught.exception)


class SettingsTests(FileTestCase):
    def test_a_file_may_begin_with_the_mark_that_some_editors_write(self) -> None:
        self.assertEqual(self.read("\ufeffuser = 'anna'\r\n").user, "anna")

    def test_everything_that_can_be_set(self) -> None:
        settings = self.read(WHOLE)
        rules = (
            Rule(("bell", "desktop"), ("message",), ("#ops", "#release*"), ("ben",), ("deploy",)),
            Rule(()),
        )
        self.assertEqual(
            settings,
            Settings(
                server="chat.example.org:8889", user="anna", language="zh", theme="light",
                colours="256", emoji="full", ascii=True, mouse=True, plain=True, links=False,
                cache=False, quiet="22:00-07:00", command=("nobody-send", "{who}", "{text}"),
                notify=rules,
            ),
        )  # fmt: skip
        for name in setting_names():
            self.assertIn(f"set-{name}", TABLE)

    def test_a_command_may_be_written_as_in_a_shell(self) -> None:
        for written in ('["say", "it is {who}", "{text}"]', "'say \"it is {who}\" {text}'"):
            found = self.read(f"command = {written}")
            self.assertEqual(found.command, ("say", "it is {who}", "{text}"))
        self.assertEqual(self.read("command = ''").command, ())

    def test_a_profile_wins_over_what_holds_for_all(self) -> None:
        work = self.read(WHOLE, "work")
        self.assertEqual((work.user, work.mouse, work.theme), ("anna.b", False, "light"))
        self.assertEqual(self.read(WHOLE, "other").user, "anna")

    def test_no_file_is_no_settings_unless_somebody_named_it(self) -> None:
        self.assertEqual(read_settings(self.path, "default"), Settings())
        self.assertEqual(Settings().notify, DEFAULT_RULES)
        with self.assertRaises(BadConfig):
            read_settings(self.path, "default", asked=True)

    def test_each_mistake_is_one_sentence_that_names_it(self) -> None:
        for text, wanted in (
            ("sever = 'x'", "sever is no setting (server?)"),
            ("zzz = 1", "zzz is no setting"),
            ("server = 5", "server: 5 is not a text in quotes"),
            ("mouse = 'yes'", "mouse: 'yes' is not true or false"),
            ("emoji = 'some'", "emoji: 'some' is not one of auto, text, full"),
            ("colours = 17", "colours: 17 is not one of auto, none, 16, 256, true"),
            ("colours = true", "colours: true is not one of"),
            ("quiet = 22:00:00", "quiet: 22:00:00 is not a text in quotes"),
            ("quiet = '22-7'", "quiet: '22-7' is not a span of time"),
            ("command = [1]", "command: [1] is not a list of texts"),
            ("command = 'a \"b'", "command: 'a \"b' is not a list of texts"),
            ("notify = 'bell'", "notify: 'bell' is not written as [[notify]] tables"),
            ("[[notify]]\ndo = 'bel'", "notify 1: do: 'bel' is not one of bell, desktop, command"),
            ("[[notify]]\n[[notify]]\nwen = 'x'", "notify 2: wen is no setting (when?)"),
            ("[profile.work]\nsever = 'x'", "profile.work: sever is no setting (server?)"),
            ("profile = 3", "profile: 3 is not written as [profile.NAME] tables"),
            ("[profile]\nwork = 3", "profile.work: 3 is not"),
            ("server = ", "is no TOML"),
        ):
            self.assertIn(wanted, self.complaint(text))

    def test_what_is_said_in_chinese_has_its_punctuation(self) -> None:
        for text, wanted in (
            ("sever = 'x'", "没有 sever 这项设置（是不是 server？）"),
            ("emoji = 'some'", "不是下列之一：auto、text、full"),
        ):
            self.assertEqual(self.complaint(text, "zh").rpartition("：'some' ")[-1], wanted)

    def test_a_file_that_is_no_text_or_cannot_be_read(self) -> None:
        self.path.write_bytes(b"\xff\xfe")
        with self.assertRaises(BadConfig):
            read_settings(self.path, "default")
        with self.assertRaises(BadConfig):
            read_settings(self.home, "default")

    def test_every_part_of_a_rule_is_documented(self) -> None:
        for each in rule_parts():
            self.assertIn(each, TABLE["set-notify"][0])


class ThemeTests(FileTestCase):
    def theme(self, text: str) -> Path:
        (self.home / "mine.toml").write_text(text, encoding="utf-8")
        return self.home

    def test_a_file_changes_what_it_names_and_the_rest_is_its_base(self) -> None:
        theme = find_theme(
            "mine",
            self.theme(
                'base = "light"\n[roles]\n'
                'mention = { fg = "black", bg = "yellow", mono = "bold" }\n'
                '"title focus" = { bg-256 = "#12345f" }\n[glyphs]\nstored = "+"\ndelivered = "++"\n'
            ),
        )
        light = THEMES["light"].styles
        self.assertEqual(theme.styles["mention"], ("black", "yellow", "bold", "black", "yellow"))
        self.assertEqual(theme.styles["title focus"], (*light["title focus"][:4], "#12345f"))
        self.assertEqual(theme.styles["error"], light["error"])
        self.assertEqual({role for role, *_ in theme.palette()}, set(ROLES))
        self.assertEqual(theme.glyphs_over(UNICODE).stored, "+")
        self.assertIs(theme.glyphs_over(ASCII), ASCII)

    def test_themes_are_those_built_in_and_files(self) -> None:
        self.theme("")
        self.assertEqual(theme_names(self.home), [*THEMES, "mine"])
        self.assertEqual(find_theme("mine", self.home).styles, THEMES["dark"].styles)

    def test_each_mistake_is_one_sentence_that_names_it(self) -> None:
        for text, wanted in (
            ("base = 'pink'", "base: 'pink' is not one of dark, light"),
            ("colour = 1", "colour in"),
            ("roles = 3", "roles: 3 is not a table"),
            ("[roles.mentoin]", "roles.mentoin in"),
            ("[roles]\nmention = 3", "roles.mention: 3 is not a table"),
            ("[roles.mention]\nink = 'x'", "roles.mention.ink in"),
            ("[roles.mention]\nfg = 'pinkish'", "roles.mention.fg: 'pinkish' is not a colour"),
            ("[roles.mention]\nbg = 3", "roles.mention.bg: 3 is not a colour"),
            ("[roles.mention]\nbg-256 = '#12'", "roles.mention.bg-256: '#12' is not a colour"),
            ("[glyphs]\nstored = 'OK'", "glyphs.stored: 'OK' is not one sign"),
            ("[glyphs]\nstored = '\\u202e'", "is not one sign"),
            ("[glyphs]\nstore = 'v'", "glyphs.store in"),
            ("[roles", "is no TOML"),
        ):
            with self.assertRaises(BadConfig, msg=text) as caught:
                find_theme("mine", self.theme(text))
            self.assertIn(wanted, Phrases("en").config(caught.exception))
            self.assertTrue(Phrases("zh").config(caught.exception))

    def test_a_theme_that_is_not_there_names_those_that_are(self) -> None:
        with self.assertRaises(BadConfig) as caught:
            find_theme("yours", self.theme(""))
        self.assertIn("dark, light, contrast, mono, mine", Phrases("en").config(caught.exception))


class HomelessTest(SynchronousTestCase):
    def test_who_has_no_home_reads_so_in_one_sentence_and_the_help_all_the_same(self) -> None:
        self.patch(os.path, "expanduser", lambda path: path)  # as for a user whom no file names
        self.patch(os, "environ", {"LANG": "en"})
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        self.assertEqual(main(["who"]), 2)
        self.assertEqual(main(["who", "--config", "/dev/null"]), 2)
        sentence = "chatroom: This user has no home directory: set HOME to where their files are"
        self.assertEqual(
            [line[: len(sentence)] for line in said.getvalue().splitlines()], [sentence] * 2
        )
        self.patch(sys, "stdout", io.StringIO())
        with self.assertRaises(SystemExit) as help_:
            main(["--help"])
        self.assertEqual(help_.exception.code, 0)


class CheckTests(FileTestCase):
    def run_program(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = "import sys; from chat.client.cli.main import main; sys.exit(main())"
        environ = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "xdg"), "LANG": "en"}
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            env={**environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def configure(self, text: str) -> None:
        directory = self.home / "xdg" / "chatroom"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.toml").write_text(text, encoding="utf-8")

    def test_check_config_says_what_is_wrong_and_where(self) -> None:
        self.configure(WHOLE)
        found = self.run_program("--check-config", "--language", "en")
        self.assertEqual((found.returncode, found.stdout), (2, ""))
        self.assertIn("command: there is no program nobody-send", found.stderr)
        self.configure(WHOLE.replace("nobody-send", "sh"))
        self.assertEqual(self.run_program("--check-config", "--language", "en").returncode, 0)
        self.assertIn("设置正确", self.run_program("--check-config").stdout)
        self.configure("theme = 'mine'")
        found = self.run_program("--check-config")
        self.assertEqual(found.returncode, 2)
        self.assertIn("There is no theme mine", found.stderr)
        self.configure("server = 'a:b:c:d'")
        found = self.run_program("--check-config")
        self.assertEqual((found.returncode, found.stdout), (2, ""))
        self.assertIn("'a:b:c:d' is no server address", found.stderr)
        found = self.run_program("--check-config", "--language", "zh")
        self.assertIn("'a:b:c:d' 不是服务器地址", found.stderr)
        self.configure("colour = 3")
        found = self.run_program("who")
        self.assertEqual((found.returncode, found.stdout), (2, ""))
        self.assertIn("colour is no setting (colours?)", found.stderr)

    def test_check_config_says_all_that_is_wrong(self) -> None:
        self.configure("colour = 3\nmouse = 1\nnotify = [{dos = 1}]\n[profile]\na = 1\nb = {x = 1}")
        found = self.run_program("--check-config")
        self.assertEqual((found.returncode, found.stdout), (2, ""))
        words = ("colour", "mouse", "notify 1: dos", "profile.a", "profile.b: x")
        lines = found.stderr.splitlines()
        self.assertEqual(len(lines), len(words), found.stderr)
        for word, line in zip(words, lines, strict=True):
            self.assertIn(word, line)

    def test_a_file_that_is_named_is_used_and_help_is_there_even_if_it_is_wrong(self) -> None:
        self.path.write_text("language = 'zh'", encoding="utf-8")
        self.assertIn("终端聊天", self.run_program("--config", str(self.path), "--help").stdout)
        self.path.write_text("oops", encoding="utf-8")
        self.assertIn("usage", self.run_program("--config", str(self.path), "--help").stdout)
        missing = self.run_program("--config", str(self.home / "none"), "--check-config")
        self.assertEqual(missing.returncode, 2)
