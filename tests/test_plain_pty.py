"""The linear mode as a person uses it: in a terminal that can do nothing, and in a pipe."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from unittest import TestCase

from chat.client.files.paths import Profile
from chat.client.plain.page import PATIENCE
from chat.client.text import width
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register


class PlainPtyTests(TestCase):
    def setUp(self) -> None:
        self.server = ServerProcess.start_for(self, "--rate", "0")
        self.address = f"127.0.0.1:{self.server.port}"
        self.home = Path(tempfile.mkdtemp(prefix="plain", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def terminal(self, person: str, language: str = "en_US.UTF-8", term: str = "dumb") -> PtyScreen:
        environ = {**client_environ(self.home / person, language), "TERM": term}
        started = PtyScreen(client_command(self.address), environ, 100, 40)
        self.addCleanup(started.__exit__)
        return started

    def entered(self, person: str, language: str = "en_US.UTF-8") -> PtyScreen:
        """Registered as ``person``, line by line, in a terminal that can do nothing."""
        found = self.terminal(person, language)
        found.wait_for({"en": "The server answers", "zh": "服务器已响应"}[language[:2]])
        found.type("2\r")
        for line in (person, f"secret-{person}", f"secret-{person}"):
            found.type(f"{line}\r")
        found.wait_for("#lobby>")
        return found

    def assert_linear(self, screen: PtyScreen) -> None:
        """Nothing was written that is not a line: no sequence, no colour, no password."""
        self.assertNotIn(b"\x1b", screen.raw)
        self.assertNotIn(b"secret", screen.raw)
        rest = screen.raw.decode().translate({ord(each): None for each in "\r\n\b\a"})
        self.assertTrue(rest.isprintable(), repr(rest))

    def test_who_closes_the_window_leaves_in_order(self) -> None:
        ida = self.entered("ida")
        ida.hang_up()
        for _ in range(3):  # from the terminal, from its shell, and from the window's program
            os.kill(ida.process.pid, signal.SIGHUP)
        self.assertEqual(ida.process.wait(PATIENCE), 0)
        (log,) = self.home.glob("ida/**/screen.log")
        self.assertNotIn("Traceback", log.read_text())

    def test_talking_with_somebody_who_has_a_screen(self) -> None:
        anna = self.entered("anna")
        ben = self.terminal("ben", term="xterm-256color")
        register(ben, "ben")
        ben.type("good morning @anna\r")
        anna.wait_for("ben, to you: good morning @anna")
        anna.type("hel\x7f\x7fello ben\r")
        ben.wait_for("hello ben")
        ben.type("/msg anna psst\r")
        anna.wait_for("Private, from ben: psst")
        anna.type("/next\r")
        anna.wait_for("You are in ben.")
        anna.type("yes?\r")
        ben.wait_for("yes?")
        anna.type("/search psst\r")
        anna.wait_for("1 found: psst")
        anna.type("1\r")
        anna.wait_for("/reply 1 answers the message that was found.")
        ben.type("/edit psst, anna\r")
        anna.wait_for("ben (edited): psst, anna")
        anna.type("/edit\r")
        anna.wait_for("Your last message: yes?")
        anna.type("/edit yes, ben?\r")
        ben.wait_for("yes, ben? (edited)")
        ben.type("https://example.org/a https://еxample.org/b\r")
        anna.wait_for("ben: https://example.org/a https://еxample.org/b")
        anna.type("/links\r")
        anna.wait_for("ben: https://xn--xample-2of.org/b")
        anna.type("/inspect anna\r")
        anna.wait_for("Length: characters: 9, bytes: 9")
        ben.type("/reply anna yes!\r")
        anna.wait_for("ben answers you: yes!")
        anna.type("/reply ben\r")
        anna.wait_for("What you write next answers ben: yes!")
        anna.type("/reply\r")
        anna.wait_for("What you write next answers nobody.")
        anna.type("/reply\r/inspect ben\r")
        anna.wait_for("Answers: 2  anna: yes, ben?")
        anna.type("what?\r")
        ben.wait_for("┌ ben: yes!")
        ben.wait_for("what?")
        anna.type("/undo\r")
        anna.wait_for("3  Yes, delete it")
        anna.type("3\r")
        ben.wait_for("This message was deleted.")
        anna.type("quit\r")
        anna.wait_for("Is /quit meant?")
        anna.type("/next\r")
        anna.wait_for("Nothing is unread.")
        anna.type("quit\r")
        anna.wait_until(lambda text: text.count("Is /quit meant?") == 2, "the same again")
        anna.type("/quit\r")
        self.assertEqual(anna.wait_ended(), 0)
        self.assert_linear(anna)
        anna = self.terminal("anna")
        anna.wait_for("You are in ben.")
        anna.type("/quit\r")
        self.assertEqual(anna.wait_ended(), 0)
        # Whoever writes a script doesn't know where somebody was last.
        self.assertIn("You are in #lobby.", self.pipe("anna", "").stdout)

    def test_in_chinese_with_a_server_that_goes_away_and_a_line_that_is_begun(self) -> None:
        chen = self.entered("chen", "zh_CN.UTF-8")
        self.assertNotIn("Ctrl", chen.wait_for("您在 #lobby。"))
        chen.type("写到一半")
        chen.wait_for("写到一半")
        self.server.kill()
        chen.type("，写完了\r")
        self.assertNotIn("connection", chen.wait_for("连接已断开"))
        chen.type("/undo\r")
        chen.wait_for("消息没有发出，文字在这里。")
        chen.wait_for("\n写到一半，写完了\n")
        chen.type("/nonsense\r")
        chen.wait_for("没有命令 /nonsense")
        chen.press("ctrl c")
        chen.wait_for("再按")
        chen.press("ctrl c", "ctrl c")  # the first may come when the offer has run out
        self.assertEqual(chen.wait_ended(), 0)
        self.assert_linear(chen)
        self.assertEqual(width("写到一半，写完了"), 16)

    def test_ctrl_z_gives_the_terminal_back_and_who_returns_finds_the_line_begun(self) -> None:
        anna = self.entered("anna")
        status = Path(f"/proc/{anna.process.pid}/stat")
        anna.type("half a ")
        anna.wait_for("#lobby> half a")
        anna.type("\x1a")
        anna.wait_until(lambda _: ") T " in status.read_text(), "a program that is stopped")
        self.assertTrue(anna.modes_are_back())
        anna.process.send_signal(signal.SIGCONT)
        anna.wait_until(lambda text: text.count("#lobby> half a") == 2, "the prompt again")
        anna.type("thought\r")
        text = anna.wait_until(lambda text: text.count("#lobby>") == 3, "the line was taken")
        self.assertIn("#lobby> half a thought", text)
        self.assertEqual(text.count("thought"), 1)
        self.assert_linear(anna)

    def test_the_settings_can_ask_for_it(self) -> None:
        settings = self.home / "gus" / ".config" / "chatroom" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text("plain = true")
        gus = self.terminal("gus", term="xterm-256color")
        gus.wait_for("1  Log in")
        gus.press("ctrl c")
        self.assertEqual(gus.wait_ended(), 1)
        self.assert_linear(gus)

    def test_a_paste_of_many_lines_asks_first(self) -> None:
        dora = self.entered("dora")
        dora.type("".join(f"line {each}\r" for each in range(12)))
        dora.wait_for("Paste 12 lines?")
        dora.type("1\r/quit\r")
        self.assertEqual(dora.wait_ended(), 0)
        piped = self.pipe("dora", "/more\n")
        self.assertIn("dora: line 0\n  line 1\n", piped.stdout)

    def pipe(
        self, person: str, text: str, out: int = subprocess.PIPE
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*client_command(self.address), "--plain"],
            input=text,
            env=client_environ(self.home / person, "en_US.UTF-8"),
            stdout=out,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=60,
            check=False,
        )

    def test_pipes_in_and_pipes_out(self) -> None:
        done = self.pipe("emil", "2\nemil\nsecret\nsecret\nfrom a pipe\n/join #cats\nmeow\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("emil: from a pipe\n", done.stdout)
        said = self.pipe("emil", "/msg nobody hello\n/join #\nafter all\nhelp\n").stdout
        self.assertIn("There is no such user.\nThe name is empty.\n", said)
        self.assertIn("emil: after all\n", said, "it goes on behind what was refused")
        self.assertIn("emil: help\n", said, "nobody is there to be asked")
        said = self.pipe("emil", "/rooms\ncats\n1\n/search meow\n\n/whois emil\n").stdout
        self.assertIn("You are in #cats.", said, "what was asked for comes before what is next")
        self.assertIn("Rooms\n1  ", said, "a number joins here, and not Enter")
        self.assertIn("emil meow", said)
        self.assertTrue(said.endswith("emil, id 10001, online\n"), said)
        said = self.pipe("emil", "/rooms\n/go cats\nhiss\n").stdout
        self.assertIn("emil: hiss\n", said, "a command leaves the list")
        said = self.pipe("emil", "over there\n/go cats\nand here\n").stdout
        self.assertIn("emil: over there\n", said, "what was written is said before one goes on")
        said = self.pipe("emil", "/go cats\n/more\n").stdout
        self.assertIn("emil: meow\n", said)
        self.assertNotIn("\x1b", said)
        self.assertNotIn("#lobby> ", said)

    def test_what_is_no_text_ends_a_pipe_and_is_no_success(self) -> None:
        done = self.pipe("gus", "2\ngus\nsecret\nsecret\nbefore\n\udcff\udcfe\nbehind\n")
        self.assertEqual((done.returncode, done.stderr), (2, "chatroom: That is no UTF-8 text.\n"))
        self.assertIn("gus: before\n", done.stdout)
        self.assertNotIn("behind", done.stdout)

    def test_who_quits_in_a_pipe_has_said_what_was_before_and_nothing_behind_it(self) -> None:
        done = self.pipe("hal", "2\nhal\nsecret\nsecret\none\ntwo\nthree\n/quit\nbehind\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("hal: one\n", done.stdout)
        self.assertIn("hal: three\n", done.stdout)
        done = self.pipe("hal", "/quit\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn("behind", done.stdout)

    def test_output_that_nobody_reads_or_has_room_for_ends_it_with_the_same_status_as_others(
        self,
    ) -> None:
        reading, closed = os.pipe()
        os.close(reading)
        full = "chatroom: The output cannot be written: No space left on device\n"
        for out, expected in ((closed, (141, "")), (os.open("/dev/full", os.O_WRONLY), (74, full))):
            done = self.pipe("gil", "2\ngil\nsecret\nsecret\n", out)
            os.close(out)
            self.assertEqual((done.returncode, done.stderr), expected)

    def test_a_pipe_that_ends_before_a_login_is_no_success(self) -> None:
        self.assertEqual(self.pipe("fred", "").returncode, 1)

    def test_a_home_that_cannot_be_used_is_said_and_is_no_mistake_of_the_program(self) -> None:
        account = self.home / ".local/state/chatroom/default"
        account /= Profile("default").account(self.address, "ida").name
        account.parent.mkdir(parents=True)
        account.write_text("a file")
        done = subprocess.run(
            [*client_command(self.address), "--plain"], input="1\nida\nsecret\n", text=True,
            env=client_environ(self.home, "en_US.UTF-8"), capture_output=True, check=False,
            timeout=PATIENCE,
        )  # fmt: skip
        self.assertIn(f"{account}/device-1.lock cannot be written: Not a directory", done.stdout)

    def test_a_certificate_that_cannot_be_remembered_is_said(self) -> None:
        server = ServerProcess.start_for(self, "--self-signed")
        (self.home / ".local" / "state" / "chatroom" / "known-servers.json").mkdir(parents=True)
        command = [*client_command(f"tls:127.0.0.1:{server.port}"), "--plain"]
        screen = PtyScreen(command, client_environ(self.home, "en_US.UTF-8"))
        self.addCleanup(screen.__exit__)
        for item, answer in (("5", "cannot be written"), ("1", "Name or id")):
            screen.wait_for("Trust this certificate")
            screen.enter(item)
            screen.wait_for(answer)
