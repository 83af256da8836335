"""A real session is recorded, and played again without a server, in the terminal and as text."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

from tests.patience import PATIENCE
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register

PROGRAM = "import sys; from chat.client.cli.main import main; sys.exit(main())"


class RecordedSessionTests(TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rec", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.environ = client_environ(self.home, "en_US.UTF-8")
        self.path = self.home / "session"

    def start(self, *command: str) -> PtyScreen:
        screen = PtyScreen([sys.executable, "-c", PROGRAM, *command], self.environ, 80, 24)
        self.addCleanup(screen.__exit__)
        return screen

    def test_recorded_and_played_again(self) -> None:
        server = ServerProcess.start_for(self)
        address = f"127.0.0.1:{server.port}"
        anna = self.start(*client_command(address)[3:], "--record", str(self.path))
        register(anna, "anna")
        anna.enter("the bug is here")
        anna.wait_for("✓")
        anna.enter("/join #cats")
        anna.wait_for("Write to #cats")
        anna.press("ctrl q")
        self.assertEqual(anna.wait_ended(), 0)
        self.assertIn("chatroom replay", anna.text())
        recorded = self.path.read_bytes()
        (device,) = self.home.rglob("device-*.json")
        for secret in ("secret", json.loads(device.read_text())["token"]):
            self.assertNotIn(secret.encode(), recorded)
        server.kill()

        printed = subprocess.run(
            [sys.executable, "-c", PROGRAM, "replay", str(self.path), "--print"],
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        self.assertIn("Write to #cats", printed.stdout)
        played = self.start("replay", str(self.path), "--speed", "2")
        played.wait_for("Write to #cats")
        self.assertIn(b"the bug is here", played.raw)
        played.type("q")
        self.assertEqual(played.wait_ended(), 0)
        self.assertTrue(played.restored())

    def test_what_cannot_be_played_is_told(self) -> None:
        self.path.write_text("nothing")
        played = self.start("replay", str(self.path))
        self.assertEqual(played.wait_ended(), 1)
        self.assertIn("cannot be played: it is no recording", played.text())
        self.path.unlink()
        missing = self.start("replay", str(self.path))
        self.assertEqual(missing.wait_ended(), 1)
        self.assertIn("cannot be played: No such file or directory", missing.text())
