"""The whole screen in a pseudo-terminal against a real server, as a person would use it."""

import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest import TestCase

from chat.soak.processes import free_ports
from tests.patience import PATIENCE
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register


class ScreenTests(TestCase):
    """Each flow has a server of its own, and people whose homes are empty."""

    def setUp(self) -> None:
        self.server = ServerProcess.start_for(self, "--rate", "0")
        self.home = Path(tempfile.mkdtemp(prefix="scr", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def screen(
        self,
        person: str,
        columns: int = 80,
        rows: int = 24,
        *,
        language: str = "en_US.UTF-8",
        server: str = "",
        options: Sequence[str] = (),
    ) -> PtyScreen:
        """The program as ``person`` starts it, in a home of its own; it ends with the test."""
        address = server or f"127.0.0.1:{self.server.port}"
        environ = client_environ(self.home / person, language)
        started = PtyScreen([*client_command(address), *options], environ, columns, rows)
        self.addCleanup(started.__exit__)
        return started

    def entered(self, person: str, columns: int = 80, rows: int = 24) -> PtyScreen:
        """The same, registered as ``person`` and in the lobby."""
        found = self.screen(person, columns, rows)
        register(found, person)
        return found

    def assert_clean_end(self, screen: PtyScreen, status: int = 0) -> None:
        self.assertEqual(screen.wait_ended(), status, screen.text())
        self.assertTrue(screen.restored())
        self.assertEqual(screen.stray(), "")

    # Coming and going

    def test_registering_talking_and_leaving(self) -> None:
        anna, ben = self.entered("anna", 120, 30), self.entered("ben")
        anna.wait_for("● ben")
        ben.enter("hello from ben")
        ben.wait_for("✓")
        anna.wait_for("hello from ben")
        anna.enter("/msg ben psst")
        ben.wait_for("anna")
        ben.press("meta a")
        ben.wait_for("psst")
        anna.wait_for("✓✓")
        anna.enter("/quit")
        self.assert_clean_end(anna)
        ben.press("ctrl q")
        self.assert_clean_end(ben)

    def test_the_first_screen_costs_less_than_a_second_and_idling_nothing(self) -> None:
        hugo = self.screen("hugo")
        hugo.wait_for("Log in")
        self.assertLess(hugo.seconds_of_work(), 1.0)
        register(hugo, "hugo")
        hugo.wait_for("online")
        before = hugo.seconds_of_work()
        with self.assertRaises(AssertionError):
            hugo.wait_for("what never comes", 2.0)
        self.assertLess(hugo.seconds_of_work() - before, 0.05)

    def test_the_second_start_needs_no_password(self) -> None:
        carla = self.entered("carla")
        carla.press("ctrl q")
        self.assert_clean_end(carla)
        again = self.screen("carla")
        again.wait_for("Write to #lobby")

    def test_a_wrong_password_is_told_and_the_form_stays(self) -> None:
        dora = self.entered("dora")
        dora.enter("/logout")
        dora.wait_for("You are logged out")
        dora.type("1")
        dora.wait_for("Name or id")
        dora.type("wrong-one")
        dora.wait_for("•••••••••")
        self.assertNotIn("wrong-one", dora.text())
        dora.press("enter")
        dora.wait_gone("Logging in")
        self.assertIn("Name or id", dora.text())
        dora.press("ctrl q")
        self.assert_clean_end(dora)

    def test_the_screen_speaks_chinese_where_the_locale_does(self) -> None:
        emil = self.screen("emil", language="zh_CN.UTF-8")
        emil.wait_for("服务器已响应")
        for each in ("登录", "注册", "退出"):
            self.assertIn(each, emil.text())

    def test_where_only_ascii_is_wanted_nothing_else_is_drawn(self) -> None:
        kim = self.screen("kim", options=["--ascii"])
        register(kim, "kim")
        self.assertIn("go to ~", kim.text())
        kim.press("f1")
        kim.wait_for("a row up")
        self.assertTrue(kim.text().isascii(), kim.text())
        kim.press("esc")
        kim.wait_gone("a row up")
        kim.enter("“What’s…”")
        kim.wait_for('"What\'s~" ')

    def test_without_a_terminal_one_is_told_what_there_is_instead(self) -> None:
        environ = client_environ(self.home / "ida", "en_US.UTF-8")
        command = client_command("127.0.0.1:1")
        done = subprocess.run(
            command, env=environ, input="", capture_output=True, text=True, timeout=PATIENCE
        )
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("chatroom --plain", done.stderr)

    def test_ctrl_c_clears_and_twice_leaves(self) -> None:
        fred = self.entered("fred")
        fred.type("unfinished")
        fred.wait_for("unfinished")
        fred.press("ctrl c")
        fred.wait_gone("unfinished")
        fred.press("ctrl c")
        fred.wait_for("once more")
        fred.press("ctrl c")
        self.assert_clean_end(fred)

    def test_sigterm_and_sighup_give_the_terminal_back(self) -> None:
        for number, name in ((signal.SIGTERM, "gina"), (signal.SIGHUP, "gwen")):
            screen = self.entered(name)
            os.kill(screen.process.pid, number)
            self.assert_clean_end(screen)

    def test_closing_the_window_ends_the_program_and_keeps_the_draft_where_one_was(self) -> None:
        gus = self.entered("gus")
        gus.type("/join #cats\r")
        gus.wait_for("Write to #cats")
        gus.type("half a thou")
        gus.wait_for("half a thou")
        gus.hang_up()
        self.assertEqual(gus.process.wait(PATIENCE), 0)
        logs = (self.home / "gus").rglob("screen.log")
        self.assertEqual([each.read_text() for each in logs], [""])
        again = self.screen("gus")
        again.wait_for("half a thou")
        again.press("ctrl c")
        again.wait_for("Write to #cats")

    def test_whatever_kills_it_one_begins_where_one_was(self) -> None:
        gail = self.entered("gail")
        gail.type("/join #dogs\r")
        gail.wait_for("Write to #dogs")
        state = self.home / "gail" / ".local" / "state" / "chatroom"
        gail.wait_until(
            lambda _: any("#dogs" in each.read_text() for each in state.rglob("drafts.json")),
            "the disk to know it",
        )
        gail.process.kill()
        again = self.screen("gail")
        again.wait_for("Write to #dogs")

    # Using it

    def test_a_paste_of_200_lines_asks_and_sends_nothing_by_itself(self) -> None:
        hans = self.entered("hans")
        hans.paste("\n".join(f"pasted {each}" for each in range(200)))
        hans.wait_for("Paste 200 lines?")
        hans.press("enter")
        hans.wait_for("pasted 199")
        hans.press("ctrl c")
        hans.wait_for("Write to #lobby")
        self.assertNotIn("✓", hans.text())

    def test_history_is_paged_while_scrolling_to_the_beginning(self) -> None:
        iris = self.entered("iris")
        iris.enter("/join #long")
        iris.wait_for("Write to #long")
        for number in range(150):
            iris.enter(f"line-{number}.")
        iris.wait_for("line-149.")
        iris.wait_gone("◌")
        iris.press("ctrl q")
        self.assert_clean_end(iris)
        again = self.screen("iris")
        again.wait_for("#long")
        again.type("\x1b2")
        again.wait_for("line-149.")
        while "line-0." not in again.text():
            before = again.text()
            again.press("page up")
            again.wait_until(lambda text, old=before: text != old, "another page")
        again.wait_for("conversation begins")
        again.press("meta end")
        again.wait_for("line-149.")
        again.type("begun")
        again.wait_for("begun")
        again.type("\x1b[A\x1b[A\x1b[A")  # what a terminal makes of the wheel of a mouse
        self.assertIn("begun", again.wait_for("Alt-End newest"))

    def test_a_terminal_that_takes_nothing_for_a_while_does_not_stop_the_program(self) -> None:
        ida, karl = self.entered("ida", 200, 60), self.entered("karl", 120)
        for number in range(10, 24):  # a screen each: more than the buffer of a terminal holds
            karl.paste(f"{number}" * 2500 + f" line-{number}.")
            karl.press("enter")
            karl.wait_for(f"line-{number}.")
            karl.wait_for("✓")
        karl.enter("/msg ida are you there")
        karl.wait_for("✓✓")
        ida.wait_for("line-23.")
        ida.press("meta a")
        ida.wait_for("are you there")

    def test_any_size_at_any_moment(self) -> None:
        jan = self.entered("jan", 120, 30)
        for columns, rows in ((40, 10), (1, 1), (12, 3), (200, 60), (60, 7), (59, 7), (100, 24)):
            jan.resize(columns, rows)
        jan.wait_for("Write to #lobby")
        jan.type("still here")
        jan.wait_for("still here")
        jan.resize(15, 3)
        jan.wait_for("The window")

    def test_the_server_dies_and_comes_back_while_somebody_types(self) -> None:
        # A socket in the file system has the same address in every life of the server.
        address = f"unix:{self.home}/chat.sock"
        server = ServerProcess.start_for(self, "--listen", address)
        kim = self.screen("kim", server=address)
        register(kim, "kim")
        kim.type("begun before, ")
        kim.wait_for("begun before,")
        server.kill()
        kim.wait_gone(" online ")
        kim.enter("sent between")
        kim.wait_for("◌")
        self.assertIn("begun before, sent between", kim.text())
        kim.type("and still typ")
        server.start()
        kim.type("ing")
        kim.wait_for("✓")
        kim.wait_for("and still typing")
        self.assertEqual(kim.text().count("sent between"), 1)

    def test_hostile_names_topics_and_messages_reach_no_terminal(self) -> None:
        lena, max_ = self.entered("lena", 120, 30), self.entered("max")
        max_.paste("\u202eevil\x1b]0;owned\x07 \u2066x\u200d\x9b31m")
        max_.press("enter")
        lena.wait_for("evil")
        for screen in (lena, max_):
            self.assertNotIn(b"owned\x07", screen.raw)
            self.assertNotIn("\u202e".encode(), screen.raw)
            self.assertEqual(screen.stray(), "")

    def test_two_devices_of_one_person_stay_in_step(self) -> None:
        nora, olaf = self.entered("nora"), self.entered("olaf")
        second = self.screen("nora")
        second.wait_for("nora is in use in another window")
        second.enter("secret-nora")
        second.wait_for("Write to #lobby")
        nora.enter("from the first device")
        second.wait_for("from the first device")
        olaf.enter("/msg nora only for you")
        second.wait_for("olaf")
        nora.wait_for("1 for you")
        second.press("meta a")
        second.wait_for("only for you")
        nora.wait_gone("1 for you")

    def test_starting_a_server_where_none_answers(self) -> None:
        (port,) = free_ports(1)
        paul = self.screen("paul", 100, 30, server=f"127.0.0.1:{port}")
        paul.wait_for("Start a server here")
        paul.press("enter")
        text = paul.wait_for("To end it: kill")
        pid = int(text.partition("kill ")[2].partition(".")[0])
        self.addCleanup(_end, pid)
        register(paul, "paul", probe=False)


def _end(pid: int) -> None:
    """End a process that is nobody's child here, and wait for it."""
    with ExitStack() as stack:
        handle = os.pidfd_open(pid)
        stack.callback(os.close, handle)
        os.kill(pid, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], 20)
        assert ended, f"the server {pid} does not end"
