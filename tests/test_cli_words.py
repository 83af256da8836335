"""What the command line says by itself: help, version, errors, in English and in Chinese."""

import argparse
import io
import json
import os
import subprocess
import sys
import unicodedata
from contextlib import redirect_stderr
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.client.cli.argparse_words import CHINESE, speak
from chat.client.cli.context import Status
from chat.client.cli.options import build_parser
from chat.client.cli.printing import safe_json
from chat.client.language.cli_words import TABLE, Phrases
from tests.cli_case import ASCII, ROOT
from tests.patience import PATIENCE


class WordsTest(SynchronousTestCase):
    def test_the_version_is_that_of_the_installation(self) -> None:
        told = subprocess.run(
            [sys.executable, "-m", "chat.command", "--version"],
            capture_output=True,
            timeout=PATIENCE,
        )
        self.assertEqual(told.stdout.decode(), f"chatroom {version('chatroom')}\n")

    def test_a_letter_that_the_terminal_lacks_is_an_escape_in_the_help_too(self) -> None:
        chinese = ["admin", "--help", "--language=zh"]
        for words, letter in (["--help"], b"\\u2026"), (chinese, b"\\u7528"):
            told = subprocess.run(
                [sys.executable, "-m", "chat.command", *words],
                capture_output=True, cwd=ROOT, env={**os.environ, **ASCII}, timeout=PATIENCE,
            )  # fmt: skip
            self.assertEqual((told.returncode, told.stderr), (0, b""))
            self.assertIn(letter, told.stdout)

    def test_both_languages_say_everything_with_the_same_values(self) -> None:
        for key, both in TABLE.items():
            names = [sorted(part.split("}")[0] for part in s.split("{")[1:]) for s in both]
            self.assertEqual(names[0], names[1], key)
            self.assertTrue(all(both), key)

    def test_every_option_has_its_help(self) -> None:
        for language in ("en", "zh"):
            text = build_parser(Phrases(language)).format_help()
            self.assertIn("--password-command", text)

    def test_what_argparse_says_by_itself_is_said_in_chinese_too(self) -> None:
        self.addCleanup(speak, "en")
        parser = build_parser(Phrases("zh"))
        told = parser.format_help()
        for wrong in ("bogus", "send", "send --bogus x", "history #a -n x", "who --language xx"):
            with redirect_stderr(io.StringIO()) as errors, self.assertRaises(SystemExit):
                parser.parse_args(wrong.split())
            told += errors.getvalue()
        for english in ("usage", "options:", "show this", "error", "required", "invalid", "choose"):
            self.assertNotIn(english, told)
        self.assertIn("用法：chatroom", told)
        speak("en")
        self.assertIn("usage: chatroom", build_parser(Phrases("en")).format_help())

    def test_options_may_stand_between_what_else_a_command_takes(self) -> None:
        def parsed(*words: str) -> Any:
            return build_parser(Phrases("en")).parse_args(words)

        for words in (
            ("send", "#a", "--json", "hi"),
            ("send", "--json", "#a", "hi"),
            ("--json", "send", "#a", "hi", "--lines"),
            ("send", "#a", "--client-id", "x", "hi", "--json"),
        ):
            found = parsed(*words)
            self.assertEqual((found.to, found.text, found.json), ("#a", "hi", True), words)
        self.assertEqual(parsed("tail", "#a", "-n", "5", "#b").conversations, ["#a", "#b"])
        self.assertEqual(parsed("tail", "#a", "-n", "5", "#b").last, 5)
        self.assertEqual(parsed("send", "--json", "--", "#a", "-x").text, "-x")
        self.assertIsNone(parsed("send", "#a", "--json").text)
        for wrong in ("send #a --json b c", "send #a --bogus b", "send #a b --bogus"):
            with redirect_stderr(io.StringIO()) as errors, self.assertRaises(SystemExit):
                parsed(*wrong.split())
            self.assertIn("unrecognized arguments: ", errors.getvalue())

    def test_argparse_still_says_what_is_translated(self) -> None:
        source = Path(argparse.__file__).read_text()
        for said in CHINESE:
            self.assertIn(said.replace("\n", "\\n"), source)

    def test_the_help_names_every_exit_status(self) -> None:
        text = TABLE["statuses"][0]
        self.assertEqual([s for s in Status if f"{int(s)} " not in text], [])

    @given(st.text())
    def test_json_is_the_same_text_and_harmless(self, text: str) -> None:
        written = safe_json({"content": text})
        self.assertEqual(json.loads(written), {"content": text})
        harmful = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        self.assertEqual([c for c in written if unicodedata.category(c) in harmful], [])


class InterruptedTest(SynchronousTestCase):
    def test_ctrl_c_while_it_is_loaded_is_no_traceback(self) -> None:
        code = (
            "import sys; from chat import command\n"
            "class Late:\n"
            "    def find_spec(self, *_):\n"
            "        raise KeyboardInterrupt\n"
            "sys.meta_path.insert(0, Late())\n"
            "sys.exit(command.main())\n"
        )
        for words in ([], ["admin", "users"]):
            done = subprocess.run(
                [sys.executable, "-c", code, *words],
                cwd=ROOT,
                capture_output=True,
                timeout=PATIENCE,
            )
            self.assertEqual((done.returncode, done.stderr), (130, b""))
