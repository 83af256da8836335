"""The program without its server: what it knew is read, searched and answered, and kept in step."""

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from unittest import TestCase

from chat.soak.processes import free_ports
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register


class OfflineTests(TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="off", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        # A socket in the file system has the same address in every life of the server.
        self.address = f"unix:{self.home}/chat.sock"
        self.server = ServerProcess.start_for(self, "--listen", self.address, "--rate", "0")

    def screen(self, server: str = "") -> PtyScreen:
        environ = client_environ(self.home / "anna", "en_US.UTF-8")
        started = PtyScreen(client_command(server or self.address), environ, 100, 24)
        self.addCleanup(started.__exit__)
        return started

    def go_without(self, screen: PtyScreen) -> None:
        """The menu has tried to log in by now, in vain."""
        text = screen.wait_for("without the server")
        screen.type(re.findall(r"(\d)  .*without the server", text)[0])

    def leave(self, screen: PtyScreen) -> None:
        screen.press("ctrl q")
        self.assertEqual(screen.wait_ended(), 0)

    def peer(self) -> CurrentPeer:
        peer = CurrentPeer(self.server.port)
        self.addCleanup(peer.close)
        return peer

    def test_it_opens_at_once_reads_writes_and_comes_back_into_step(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        ben = self.peer()
        ben.register(userName="ben", userPwd="secret-ben")
        ben.log_in(userName="ben", userPwd="secret-ben", device="x")
        seq = ben.post("#lobby", "the xylophone is out of tune")["seq"]
        ben.post("#lobby", "下午三点开会")
        anna.wait_for("下午三点开会")
        self.leave(anna)
        (cache,) = (self.home / "anna" / ".cache" / "chatroom").rglob("history.db")
        self.assertEqual(stat.S_IMODE(cache.stat().st_mode), 0o600)
        self.assertIn(b"xylophone", cache.read_bytes())

        # Deleted while she is away, and she starts while the server is away.
        ben.get("RedactMes", conversation="#lobby", seq=seq)
        ben.close()
        self.server.kill()
        anna = self.screen()
        anna.wait_for("the xylophone is out of tune")
        anna.wait_for("again in")
        anna.enter("written without a server")
        anna.wait_for("◌")

        # With the server back, the message goes and the deletion comes.
        self.server.start()
        anna.press("f5")
        anna.wait_for("✓")
        anna.wait_for("This message was deleted")
        anna.wait_gone("xylophone")
        self.leave(anna)
        self.assertNotIn(b"xylophone", b"".join(e.read_bytes() for e in cache.parent.iterdir()))

    def test_a_second_window_leaves_the_first_what_was_said(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        anna.enter("kept for both")
        anna.wait_for("✓")
        second = self.screen()
        second.wait_for("in use in another window")
        second.enter("secret-anna")
        second.wait_for("kept for both")
        second.enter("/logout")
        second.wait_for("You are logged out")
        self.leave(second)
        anna.enter("and this")
        anna.wait_until(lambda text: text.count("✓") == 2, "the second message is stored")
        self.leave(anna)
        self.server.kill()
        anna = self.screen()
        anna.wait_for("kept for both")
        anna.wait_for("and this")

    def test_who_logs_out_is_logged_out_of_windows_that_were_closed_before(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        second = self.screen()
        second.wait_for("in use in another window")
        second.enter("secret-anna")
        second.wait_for("Write to #lobby")
        self.leave(second)
        anna.enter("/logout")
        anna.wait_for("You are logged out.")
        self.leave(anna)
        anna = self.screen()
        anna.wait_for("Name or id")
        self.leave(anna)
        other = self.peer()
        other.log_in(userName="anna", userPwd="secret-anna", device="other")
        devices = [each["device"] for each in other.ask("SessionsMes")["sessions"]]
        self.assertEqual(devices, ["other"])

    def test_a_password_is_judged_where_one_could_do_without(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        self.leave(anna)
        (last,) = (self.home / "anna" / ".local").rglob("last.json")
        last.unlink()
        anna = self.screen()
        anna.wait_for("The server answers")
        anna.type("1")
        anna.wait_for("Name or id")
        for typed in ("anna", "wrong-one"):
            anna.enter(typed)
        anna.wait_for("The password is wrong.")
        anna.enter("secret-anna")
        anna.wait_for("Write to #lobby")
        self.leave(anna)

    def test_what_is_written_is_kept_after_a_logout_and_a_wrong_password_as_before(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        anna.enter("/logout")
        anna.wait_for("You are logged out.")
        anna.type("1")
        anna.wait_for("Name or id")
        for password, answer in (("wrong-one", "wrong"), ("secret-anna", "Write to #lobby")):
            anna.enter(password)
            anna.wait_for(answer)
        self.server.kill()
        anna.wait_for("again in")
        anna.enter("said to nobody yet")
        anna.wait_for("◌")
        self.leave(anna)
        (outbox,) = (self.home / "anna" / ".local").rglob("outbox")
        self.assertIn("said to nobody yet", outbox.read_text())

    def test_who_logs_out_without_the_server_is_told_what_it_does_not_know(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        self.server.kill()
        anna.wait_for("again in")
        anna.enter("written in vain")
        anna.wait_for("◌")
        anna.enter("/logout")
        anna.wait_for("the server did not confirm")
        anna.wait_for("until anna logs in again: 1.")
        self.leave(anna)

    def test_a_device_that_was_logged_out_from_elsewhere_keeps_nothing(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        anna.enter("between us")
        anna.wait_for("✓")
        self.leave(anna)
        (cache,) = (self.home / "anna" / ".cache" / "chatroom").rglob("history.db")
        other = self.peer()
        other.log_in(userName="anna", userPwd="secret-anna", device="other")
        for each in other.ask("SessionsMes")["sessions"]:
            if each["device"] != "other":
                other.get("RevokeMes", device=each["device"])
        anna = self.screen()
        anna.wait_for("You are logged out. This session has ended")
        self.leave(anna)
        self.assertEqual(list(cache.parent.iterdir()), [])

    def test_nothing_that_is_written_can_be_read_by_anybody_else(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        anna = self.screen()
        register(anna, "anna")
        anna.enter("for the two of us")
        anna.wait_for("✓")
        anna.type("begun and not sent")
        anna.wait_for("not sent")
        self.leave(anna)
        home = self.home / "anna"
        written = [each for top in (".local", ".cache") for each in (home / top).rglob("*")]
        names = {each.name for each in written}
        self.assertLessEqual({"history.db", "drafts.json", "outbox", "screen.log"}, names)
        for each in written:
            wanted = 0o700 if each.is_dir() else 0o600
            self.assertEqual(stat.S_IMODE(each.stat().st_mode), wanted, each)

    def test_who_wants_no_cache_has_none(self) -> None:
        anna = self.screen()
        register(anna, "anna")
        anna.enter("not to be kept")
        anna.wait_for("✓")
        self.leave(anna)
        (cache,) = (self.home / "anna" / ".cache" / "chatroom").rglob("history.db")
        config = self.home / "anna" / ".config" / "chatroom" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text("cache = false")
        anna = self.screen()
        anna.wait_for("not to be kept")
        self.leave(anna)
        self.assertEqual(list(cache.parent.iterdir()), [])

    def test_a_server_on_this_machine_can_be_started_or_done_without(self) -> None:
        address = f"127.0.0.1:{self.server.port}"
        anna = self.screen(address)
        register(anna, "anna")
        anna.enter("remember me")
        anna.wait_for("✓")
        self.leave(anna)
        self.server.kill()
        anna = self.screen(address)
        anna.wait_for("Start a server here")
        self.go_without(anna)
        anna.wait_for("remember me")
        anna.enter("written from the menu")
        anna.wait_for("Write to #lobby")
        self.leave(anna)
        anna = self.screen(address)
        self.go_without(anna)
        anna.wait_for("written from the menu")
        self.leave(anna)

    def test_who_waits_before_the_menu_goes_on_when_the_server_is_there(self) -> None:
        (port,) = free_ports(1)
        server = ServerProcess.start_for(self, "--listen", f"tcp:{port}:interface=127.0.0.1")
        anna = self.screen(f"127.0.0.1:{port}")
        register(anna, "anna")
        self.leave(anna)
        server.kill()
        anna = self.screen(f"127.0.0.1:{port}")
        anna.wait_for("Start a server here")
        server.start()
        anna.wait_for("Write to #lobby")
        self.leave(anna)

    def test_what_waits_is_kept_by_who_logs_in_again_in_the_same_program(self) -> None:
        address = f"127.0.0.1:{self.server.port}"
        anna = self.screen(address)
        register(anna, "anna")
        anna.enter("/logout")
        anna.wait_for("You are logged out")
        anna.type("1")
        anna.wait_for("Password")
        anna.enter("secret-anna")
        anna.wait_for("Write to #lobby")
        self.server.kill()
        anna.wait_for("again in")
        anna.enter("kept over all of it")
        anna.wait_for("Write to #lobby")
        self.leave(anna)
        anna = self.screen(address)
        self.go_without(anna)
        anna.wait_for("kept over all of it")
        self.leave(anna)
