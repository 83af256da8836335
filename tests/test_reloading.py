"""Options that change while the server runs, by SIGHUP; a broken file changes nothing."""

import os
import pty
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace

from twisted.logger import globalLogPublisher
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from chat.server.process.reloading import Reloading
from chat.server.settings import Settings, options
from tests.patience import PATIENCE
from tests.peers import CurrentPeer
from tests.process import TWISTD, ServerProcess

PASSWORD = "xyzzy-password"


class ReloadingTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.written = Settings()
        self.reloading = Reloading(Settings(), lambda: self.written)
        self.taken: list[Settings] = []
        self.events: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def said(self, name: str) -> list[object]:
        return [event["log_format"] for event in self.events if event.get("option") == name]

    def test_live_options_are_taken_and_the_others_kept(self) -> None:
        self.reloading.add(self.taken.append)
        self.written = replace(Settings(), rooms=7, prefix="xx:")
        self.reloading.reload()
        self.assertEqual(self.taken, [replace(Settings(), rooms=7)])
        self.assertEqual(self.reloading.settings, self.taken[0])
        self.assertEqual(self.said("rooms"), ["{option} is {value} from now on"])
        self.assertEqual(self.said("prefix"), ["{option} has changed; that needs a restart"])
        self.assertEqual(self.said("devices"), [])

    def test_a_worker_takes_what_changed_and_leaves_the_saying_to_its_supervisor(self) -> None:
        self.reloading.quiet = True
        self.written = replace(Settings(), rooms=7, prefix="xx:")
        self.reloading.reload()
        self.assertEqual(self.reloading.settings.rooms, 7)
        self.assertEqual([each for each in self.events if "option" in each], [])

    def test_what_needs_a_restart_is_said_again_each_time(self) -> None:
        self.written = replace(Settings(), prefix="xx:")
        self.reloading.reload()
        self.reloading.reload()
        self.assertEqual(len(self.said("prefix")), 2)

    def test_takers_are_called_even_if_no_option_changed(self) -> None:
        self.reloading.add(self.taken.append)
        self.reloading.reload()
        self.assertEqual(self.taken, [Settings()])

    def test_one_taker_that_fails_does_not_keep_it_from_the_others(self) -> None:
        def fail(settings: Settings) -> None:
            raise RuntimeError("no")

        self.reloading.add(fail)
        self.reloading.add(self.taken.append)
        self.reloading.reload()
        self.assertEqual(len(self.taken), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_what_cannot_be_read_changes_nothing(self) -> None:
        def refuse() -> Settings:
            raise UsageError("rooms in file: 'x' is not a whole number")

        reloading = Reloading(Settings(), refuse)
        reloading.add(self.taken.append)
        reloading.reload()
        self.assertEqual((self.taken, reloading.settings), ([], Settings()))
        (event,) = [each for each in self.events if "why" in each]
        self.assertEqual(event["log_format"], "Nothing was reloaded: {why}")

    def test_secrets_and_places_are_never_live(self) -> None:
        live = {name for name, option in options().items() if option.metadata["live"]}
        self.assertTrue(live)
        self.assertFalse(live & {"listen", "data", "store", "prefix", "durability"})


class SignalTest(SynchronousTestCase):
    def server(self, text: str) -> ServerProcess:
        """A server on a configuration file in its home, which is not where it was started."""
        server = ServerProcess("--config", "chatroom.toml")
        self.addCleanup(server.remove)
        self.write(server, text)
        server.start()
        return server

    def write(self, server: ServerProcess, text: str) -> None:
        (server.home / "chatroom.toml").write_text(text)

    def reload(self, server: ServerProcess, pattern: str) -> None:
        """Send SIGHUP and wait for what the log says of it."""
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(pattern)

    def register(self, server: ServerProcess, name: str) -> tuple[int, str]:
        peer = CurrentPeer(server.port)
        self.addCleanup(peer.close)
        reply = peer.register(userName=name, userPwd=PASSWORD)
        return reply["code"], reply["error"]

    def test_sighup_takes_limits_and_language_and_says_what_needs_a_restart(self) -> None:
        server = self.server("name-limit = 10\n")
        self.assertEqual(self.register(server, "a" * 11)[0], 506)
        self.write(server, 'name-limit = 11\nlanguage = "zh"\nprefix = "other:"\n')
        self.reload(server, r"Reloaded; options that changed: 2")
        self.assertIn("name-limit is 11 from now on", server.log)
        self.assertIn("prefix has changed; that needs a restart", server.log)
        self.assertEqual(self.register(server, "a" * 11)[0], 200)
        code, error = self.register(server, "a" * 12)
        self.assertEqual(code, 506)
        self.assertIn("名", error)

    def test_the_log_level_changes_while_it_runs(self) -> None:
        server = self.server("")
        self.write(server, 'log-level = "warn"\n')
        self.reload(server, "log-level is warn from now on")
        self.write(server, 'log-level = "warn"\nprefix = "a:"\nrooms = 7\n')
        self.reload(server, "prefix has changed")
        self.write(server, "[")
        self.reload(server, "Nothing was reloaded")
        self.assertNotIn("rooms is 7", server.log)

    def test_a_broken_file_changes_nothing_and_the_log_says_why(self) -> None:
        server = self.server("name-limit = 10\n")
        self.write(server, "name-limit = 11\nrooms = many\n")
        self.reload(server, "Nothing was reloaded: --config: .*chatroom.toml is no TOML")
        self.assertEqual(self.register(server, "a" * 11)[0], 506)
        self.write(server, "name-limit = 11\nroms = 7\n")
        self.reload(server, "Nothing was reloaded: roms in .* is no option of the server; rooms is")
        (server.home / "chatroom.toml").unlink()
        self.reload(server, "Nothing was reloaded: --config: cannot read .*No such file")
        self.assertEqual(self.register(server, "a" * 11)[0], 506)
        self.assertEqual(self.register(server, "a" * 10)[0], 200)


TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "


class TerminalTest(SynchronousTestCase):
    """What was started from a terminal ends when that is closed, unless nohup says otherwise."""

    def started(self, code: str = "") -> tuple[subprocess.Popen[bytes], int]:
        """A server in a terminal of its own, which listens by now, and our end of the terminal."""
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        words = ["-n", "--pidfile=", "chatroom", "--listen=unix:s", "--data=data"]
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL + code + TWISTD, *words],
            cwd=home.name,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        os.close(theirs)
        said = b""
        while b"Listening on" not in said:
            said += os.read(ours, 4096)
        return process, ours

    def test_closing_the_terminal_ends_it_in_order(self) -> None:
        # As from a shell, though these tests may themselves run with nohup.
        heeding = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        process, terminal = self.started(heeding)
        os.close(terminal)
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_with_nohup_it_goes_on(self) -> None:
        ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        process, terminal = self.started(ignoring)
        os.close(terminal)
        process.send_signal(signal.SIGHUP)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.5)
