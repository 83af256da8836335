"""Somebody who has never seen it: from the first start to the first message, in both languages."""

import shutil
import tempfile
from pathlib import Path
from unittest import TestCase

from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ


class FirstStartTests(TestCase):
    def setUp(self) -> None:
        self.server = ServerProcess.start_for(self)
        self.home = Path(tempfile.mkdtemp(prefix="first", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def start(self, language: str, server: str = "") -> PtyScreen:
        environ = client_environ(self.home / language, language)
        server = server or f"127.0.0.1:{self.server.port}"
        screen = PtyScreen(client_command(server), environ, 80, 24)
        self.addCleanup(screen.__exit__)
        return screen

    def wait_for_sentence(self, screen: PtyScreen, said: str) -> None:
        screen.wait_until(lambda text: said in " ".join(text.split()), said)

    def fill(self, screen: PtyScreen, *texts: str) -> None:
        for text in texts:
            screen.enter(text)

    def test_what_is_wrong_is_said_in_ones_language_and_nothing_typed_is_lost(self) -> None:
        screen = self.start("zh_CN.UTF-8")
        screen.wait_for("服务器已响应")
        screen.type("2")
        screen.wait_for("密码至少六个字符")
        self.fill(screen, "小红", "短", "短")
        screen.wait_for("密码太短：至少 6 个字符")
        self.assertIn("小红", screen.text())
        self.assertNotIn("邀请码", screen.text())
        # What is hidden is typed anew, from where it was wrong on.
        self.fill(screen, "long enough", "something else")
        screen.wait_for("两次输入的密码不一致")
        self.fill(screen, "long enough", "long enough")
        screen.wait_for("欢迎，小红")
        self.fill(screen, "大家好")
        screen.wait_for("✓")
        again = self.start("zh_TW.UTF-8")
        again.wait_for("服务器已响应")
        again.type("2")
        again.wait_for("密码至少六个字符")
        self.fill(again, "小红", "long enough", "long enough")
        again.wait_for("这个用户名已有人使用")
        self.fill(again, "的妈妈", "", "")
        again.wait_for("欢迎，小红的妈妈")

    def test_where_the_lobby_is_closed_nobody_is_told_that_all_read_ones_notes(self) -> None:
        closed = ServerProcess.start_for(self, "--lobby", "closed")
        screen = self.start("en_GB.UTF-8", f"127.0.0.1:{closed.port}")
        screen.wait_for("The server answers")
        screen.type("2")
        screen.wait_for("six characters")
        self.fill(screen, "anna", "long enough", "long enough")
        self.wait_for_sentence(screen, "your own notes")
        self.assertNotIn("Everybody here", screen.text())

    def test_a_password_is_asked_for_until_it_is_changed(self) -> None:
        screen = self.start("zh_CN.UTF-8")
        screen.wait_for("服务器已响应")
        screen.type("2")
        screen.wait_for("密码至少六个字符")
        self.fill(screen, "小红", "long enough", "long enough")
        screen.wait_for("欢迎，小红")
        self.fill(screen, "/password")
        screen.wait_for("旧密码")
        self.fill(screen, "not mine", "even longer", "even longer")
        screen.wait_for("密码错误")
        self.fill(screen, "long enough", "短", "短")
        screen.wait_for("密码太短：至少 6 个字符")
        self.fill(screen, "even longer", "even longer")
        screen.wait_for("密码已修改")
        screen.wait_for("发消息到 #lobby")

    def test_a_light_terminal_is_asked_and_has_dark_letters(self) -> None:
        screen = self.start("en_US.UTF-8")
        screen.wait_for("The server answers")
        self.assertIn(b"\x1b]11;?\x1b\\", screen.raw)
        row, column = next(
            (row, text.index("127.0.0.1")) for row, text in enumerate(screen.lines())
            if "127.0.0.1" in text
        )  # fmt: skip

        def bright(text: str) -> bool:
            return int(screen.screen.buffer[row][column].fg[:2], 16) > 0x80

        self.assertTrue(bright(""))
        screen.type("\x1b]11;rgb:ffff/ffff/ffff\x1b\\")
        screen.wait_until(lambda text: not bright(text), "dark letters")
        screen.press("ctrl q")
        self.assertEqual(screen.wait_ended(), 0)

    def test_the_language_that_is_chosen_in_the_menu_is_that_of_the_next_start(self) -> None:
        screen = self.start("en_US.UTF-8")
        screen.wait_for("The server answers")
        screen.type("4")
        screen.wait_for("登录")
        screen.press("ctrl q")
        self.assertEqual(screen.wait_ended(), 0)
        again = self.start("en_US.UTF-8")
        again.wait_for("服务器已响应")

    def test_why_no_server_answers_is_said_and_one_is_offered_only_where_it_could_run(self) -> None:
        for server, why, offered in (
            (f"tls:127.0.0.1:{self.server.port}", "speaks no TLS.", False),
            ("127.0.0.1:1", "nobody listens there. Start one here", True),
        ):
            screen = self.start("en_US.UTF-8", server)
            self.wait_for_sentence(screen, why)
            self.assertEqual("Start a server here" in screen.text(), offered)

    def test_a_server_that_goes_away_meanwhile_takes_nothing_that_was_typed(self) -> None:
        screen = self.start("en_US.UTF-8")
        screen.wait_for("The server answers")
        screen.type("2")
        screen.wait_for("six characters or more")
        self.fill(screen, "anna", "long enough")
        self.server.kill()
        self.fill(screen, "long enough")
        screen.wait_for("Enter tries again")
        self.assertIn("anna", screen.text())
        screen.press("esc")
        screen.wait_for("Start a server here")
