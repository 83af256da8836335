"""The fuzzing target: its corpus passes and stays small, and it notices what goes wrong."""

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chat import messages
from chat.server.requests import HANDLERS
from fuzz.session import fuzz
from tests.patience import PATIENCE
from tests.peers import enveloped, framed

CORPUS = sorted((Path(__file__).parent.parent / "fuzz" / "corpus").iterdir())


class FuzzTest(SynchronousTestCase):
    def test_everything_in_the_corpus_is_answered_or_ends_the_connection(self) -> None:
        for path in CORPUS:
            fuzz(path.read_bytes())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_corpus_stays_small(self) -> None:
        self.assertLessEqual(len(CORPUS), 64)
        self.assertLess(sum(path.stat().st_size for path in CORPUS), 65_536)

    def test_without_its_extra_the_fuzzer_says_what_to_install(self) -> None:
        with tempfile.TemporaryDirectory() as found:
            Path(found, "atheris.py").write_text("raise ModuleNotFoundError('atheris')")
            command = f"import sys, runpy; sys.path.insert(0, {found!r}); runpy.run_module('fuzz')"
            done = subprocess.run(
                [sys.executable, "-c", command],
                cwd=CORPUS[0].parent.parent.parent,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("pip install", done.stderr)

    def test_an_error_that_nobody_foresaw_is_noticed(self) -> None:
        async def stumble(session: object, message: object) -> None:
            raise ZeroDivisionError

        before = HANDLERS[messages.OnlineMes]
        self.addCleanup(HANDLERS.__setitem__, messages.OnlineMes, before)
        HANDLERS[messages.OnlineMes] = stumble
        with self.assertRaises(AssertionError) as caught:
            fuzz(bytes([1]) + framed(enveloped("OnlineMes", {}, id="1")))
        self.assertIn("ZeroDivisionError", str(caught.exception))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
