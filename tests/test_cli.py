"""The chatroom command, as scripts and people use it: sending, logging in, what may go wrong."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from unittest.mock import patch

from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread

from chat import messages as m
from chat.client.language.cli_words import Phrases
from chat.client.private import write_private
from tests import fake_server
from tests.cli_case import ASCII, ROOT, CliCase
from tests.fake_server import FakeConnection
from tests.patience import PATIENCE


class SendTest(CliCase):
    async def test_it_is_stored_and_nothing_is_printed(self) -> None:
        self.assertEqual(await self.as_alice("send", "#lobby", "hello"), (0, "", ""))
        self.assertEqual(self.said(), ["hello"])

    async def test_json_says_where_it_is(self) -> None:
        _, out, _ = await self.as_alice("send", "#lobby", "hello", "--json")
        told = json.loads(out)
        self.assertEqual((told["conversation"], told["seq"]), ("#lobby", 1))

    async def test_it_may_answer_another_one_and_that_is_printed_as_json_and_in_words(self) -> None:
        self.server.say("#lobby", "milk?")
        self.assertEqual(await self.as_alice("send", "#lobby", "yes", "--reply", "1"), (0, "", ""))
        self.server.say("#lobby", "in it?", reply=2)
        await self.as_alice("send", "#lobby", "--lines", "--reply", "3", given=b"a\nb\n")
        self.server.say("#lobby", "so long ago", reply=6)
        self.assertEqual([each.reply for each in self.server.of(m.SmsMes)], [1, 3, 3])
        replies = [0, 1, 2, 3, 3, 6]
        _, out, _ = await self.as_alice("history", "#lobby", "--json")
        told = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([each.get("reply", 0) for each in told], replies)
        for words, who in (
            (("--language", "en"), ("alice answers bob", "bob answers alice",
                                    "bob answers an earlier message")),
            (("--language", "zh"), ("alice 回复 bob", "bob 回复 alice",
                                    "bob 回复更早的消息")),
        ):  # fmt: skip
            tail = ("tail", "#lobby", "-n", "9", "--count", "0")
            _, out, _ = await self.as_alice(*tail, *words)
            said = [line.split("#lobby ")[1] for line in out.splitlines()]
            self.assertEqual(said, [
                "bob: milk?", f"{who[0]}: yes", f"{who[1]}: in it?", f"{who[0]}: a",
                f"{who[0]}: b", f"{who[2]}: so long ago",
            ])  # fmt: skip

    async def test_what_is_no_number_of_a_message_is_wrong_usage(self) -> None:
        for reply in ("0", "-1", "x", f"{2**53}"):
            status, out, errors = await self.as_alice("send", "#lobby", "x", "--reply", reply)
            self.assertEqual((status, out, "--reply" in errors), (2, "", True))
        self.assertEqual(self.said(), [])

    async def test_standard_input_is_one_message_without_its_last_newline(self) -> None:
        for words in (["send", "#lobby", "-"], ["send", "#lobby"]):
            await self.as_alice(*words, given="two\nlines 你好\n".encode())
        self.assertEqual(self.said(), ["two\nlines 你好"] * 2)

    async def test_what_is_said_is_utf_8_whatever_the_locale(self) -> None:
        done = await self.run_program("send", "#lobby", "grüße 你好", *self.alice(), **ASCII)
        self.assertEqual(done, (0, "", ""))
        self.assertEqual(self.said(), ["grüße 你好"])

    async def test_each_line_of_standard_input_is_a_message_in_its_order(self) -> None:
        given = "".join(f"line {number}\n" for number in range(20)).encode()
        status, out, _ = await self.as_alice("send", "#lobby", "--lines", "--json", given=given)
        self.assertEqual(status, 0)
        self.assertEqual(self.said(), [f"line {number}" for number in range(20)])
        self.assertEqual(len(out.splitlines()), 20)

    async def test_lines_go_with_no_other_text_and_no_name_for_one_message(self) -> None:
        for words in (["a text"], ["--client-id", "once"]):
            status, _, errors = await self.as_alice(
                "send", "#lobby", "--lines", *words, given=b"a line\n"
            )
            self.assertEqual((status, len(errors.splitlines())), (2, 1))
            self.assertEqual(self.said(), [])
        await self.as_alice("send", "#lobby", "-", "--lines", given=b"a line\n")
        self.assertEqual(self.said(), ["a line"])

    async def test_the_room_that_is_written_to_is_joined_only_when_asked(self) -> None:
        joined: list[str] = []

        def join(connection: FakeConnection, request: m.JoinMes) -> m.Message:
            joined.append(request.conversation)
            return fake_server.join(connection, request)

        self.server.handlers[m.JoinMes] = join
        for to, words, lines in (
            ("#soup", ["milk"], b""),
            ("#Tea", ["milk", "--join"], b""),
            ("#cocoa", ["--lines", "--join"], b"milk\n"),
            ("#lobby", ["milk", "--join"], b""),
            ("@bob", ["milk", "--join"], b""),
        ):
            await self.as_alice("send", to, *words, given=lines)
        self.assertEqual(joined, ["#tea", "#cocoa"])

    async def test_nothing_and_no_text_are_wrong_usage(self) -> None:
        for data in (b"", b"\n", b"\xff\xfe"):
            status, _, errors = await self.as_alice("send", "#lobby", "-", given=data)
            self.assertEqual((status, len(errors.splitlines())), (2, 1))

    async def test_a_number_above_all_that_there_are_is_wrong_usage(self) -> None:
        for option in ("--before", "--after", "-n"):
            program = self.begin("history", "#lobby", *self.alice(), option, f"{2**53}")
            status, out, _ = await program.end()
            self.assertEqual((status, out), (2, ""))

    async def test_a_conversation_written_like_none_is_wrong_usage(self) -> None:
        for to in ("bob", "", "#", "@", "#a b"):
            status, _, errors = await self.as_alice("send", to, "hello")
            said = f"chatroom: {to} is no #room, @name or @id.\n"
            self.assertEqual((status, errors), (2, said), to)

    async def test_refused_is_status_1_with_the_servers_words(self) -> None:
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(403, "you are\x1b[31m muted")
        status, _, errors = await self.as_alice("send", "#lobby", "hello")
        self.assertEqual(status, 1)
        self.assertIn("muted (403)", errors)
        self.assertNotIn("\x1b", errors)

    async def test_sent_but_not_confirmed_is_status_4_and_can_be_repeated(self) -> None:
        self.server.handlers[m.SmsMes] = fake_server.store_and_say_nothing
        status, _, errors = await self.as_alice("send", "#lobby", "once", "--timeout", "1")
        self.assertEqual(status, 4)
        del self.server.handlers[m.SmsMes]
        client_id = errors.split()[-1]
        again = await self.as_alice("send", "#lobby", "once", "--client-id", client_id)
        self.assertEqual((again[0], self.said()), (0, ["once"]))

    async def test_a_store_that_is_away_all_the_time_is_status_3(self) -> None:
        self.server.handlers[m.SmsMes] = lambda c, r: m.SmsResMes(503, "store away")
        status, _, errors = await self.as_alice("send", "#lobby", "hello", "--timeout", "1")
        self.assertEqual(status, 3)
        self.assertIn("nothing was sent", errors)

    async def test_nobody_there_is_status_3(self) -> None:
        await maybeDeferred(self.port.stopListening)
        status, _, errors = await self.as_alice("send", "#lobby", "hello", "--timeout", "0")
        self.assertEqual(status, 3)
        self.assertIn(self.address, errors)

    async def test_a_server_address_that_is_none_is_wrong_usage(self) -> None:
        for wrong in ("a:b:c:d", "https://a", "tcp:a:b"):
            done = await self.run_program("who", "--server", wrong, "--user", "alice")
            how = "write it as host, host:port or tls:host:port"
            said = f"chatroom: {wrong!r} is no server address: {how}\n"
            self.assertEqual(done, (2, "", said))

    async def test_nothing_is_recorded_without_a_screen_and_that_is_said(self) -> None:
        status, _, errors = await self.run_program("--plain", "--record", "tape")
        self.assertEqual(status, 2, "nothing would be recorded")
        self.assertIn("--record", errors.splitlines()[-1])

    async def test_a_profile_that_could_be_none_is_refused_in_the_language_of_the_reader(
        self,
    ) -> None:
        status, _, errors = await self.run_program("who", "--profile", "../x", "--language", "zh")
        self.assertEqual((status, "'../x' 不能用作配置名" in errors), (2, True))


class LoginTest(CliCase):
    async def test_registering_remembers_server_user_and_token_for_the_owner_alone(self) -> None:
        status, out, _ = await self.run_program("register", "carol", "--server", self.address)
        self.assertEqual((status, out), (0, "Registered carol, id 102.\n"))
        self.password = {}
        self.assertEqual(await self.run_program("send", "#lobby", "by token"), (0, "", ""))
        self.assertEqual(self.server.of(m.LoginMes)[-1].token, "token-102")
        for path in self.home.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)

    async def test_a_name_that_is_taken_is_status_1(self) -> None:
        status, _, errors = await self.run_program("register", "bob", "--server", self.address)
        self.assertEqual((status, "taken" in errors), (1, True))

    async def test_who_nobody_is_and_no_password_are_wrong_usage(self) -> None:
        status, _, errors = await self.run_program("who", "--server", self.address)
        self.assertEqual((status, "--user" in errors), (2, True))
        self.password = {}
        status, _, errors = await self.as_alice("who")
        self.assertEqual((status, "CHATROOM_PASSWORD" in errors), (2, True))

    async def test_a_password_comes_from_a_file_or_a_command(self) -> None:
        self.password = {}
        file = self.home / "password"
        file.write_text("wonderland\nsecond line\n")
        status, _, _ = await self.as_alice("who", "--password-file", str(file))
        self.assertEqual(status, 0)
        source = ("--password-command", "echo wonderland", "--profile", "other")
        self.assertEqual((await self.as_alice("who", *source))[0], 0)
        for number, (source, said) in enumerate((
            (("--password-command", "exit 3"), "the command ended with status 3"),
            (("--password-command", "true"), "it is empty"),
            (("--password-command", r"printf '\377'"), "That is no UTF-8 text."),
            (("--password-file", "/no/such"), "No such file or directory: /no/such"),
            (("--password-file", str(self.home)), f"Is a directory: {self.home}"),
        )):  # fmt: skip
            done = await self.as_alice("who", *source, "--profile", f"failing-{number}")
            expected = (2, "", f"chatroom: The password could not be read: {said}\n")
            self.assertEqual(done, expected)

    async def test_what_is_no_text_is_wrong_usage_wherever_it_stands(self) -> None:
        for words in (("send", "@\udcff", "x"), ("history", "@\udcff"), ("block", "b\udcff"),
                      ("moderate", "#\udcff", "list"), ("tail", "#lobby", "#\udcff"),
                      ("register", "\udcff"), ("send", "#lobby", "x\udcff")):  # fmt: skip
            done = await self.as_alice(*words)
            self.assertEqual((done[0], "no UTF-8 text" in done[2]), (2, True), done)
        self.assertEqual(self.server.received, [])
        self.password = {"CHATROOM_PASSWORD": "wonder\udcff"}
        status, _, errors = await self.as_alice("who")
        self.assertEqual((status, "Traceback" in errors), (2, False), errors)

    async def test_a_wrong_password_is_status_1(self) -> None:
        self.password = {"CHATROOM_PASSWORD": "guess"}
        status, _, errors = await self.as_alice("who")
        self.assertEqual((status, "wrong password" in errors), (1, True))

    async def test_a_token_that_has_ended_is_replaced_by_way_of_the_password(self) -> None:
        await self.as_alice("who")
        self.server.tokens_end()
        self.assertEqual((await self.as_alice("who"))[0], 0)
        by_token, by_password = self.server.of(m.LoginMes)[-2:]
        self.assertTrue(by_token.token)
        self.assertEqual(by_password.user_pwd, "wonderland")
        self.password = {}
        self.assertEqual((await self.as_alice("who"))[0], 0)

    async def test_two_programs_at_once_are_two_devices(self) -> None:
        tail = self.begin("tail", *self.alice())
        await self.server.logged_in()
        await self.as_alice("who")
        first, second = self.server.of(m.LoginMes)
        self.assertNotEqual(first.device, second.device)
        tail.process.send_signal(signal.SIGTERM)
        await tail.end()

    async def test_why_no_answer_came_is_said_in_the_readers_language(self) -> None:
        self.server.handlers[m.RegisterMes] = lambda connection, _: connection.cut()
        chinese = ("--language", "zh", "--server", self.address)
        done = await self.run_program("register", "zoe", *chinese)
        said = "chatroom: 没有等到应答：服务器挂断了"
        self.assertEqual((done[0], done[2][: len(said)]), (4, said))

    async def test_it_speaks_chinese_where_that_is_the_locale(self) -> None:
        self.password = {"CHATROOM_PASSWORD": "guess", "LANG": "zh_CN.UTF-8"}
        _, _, errors = await self.as_alice("who")
        self.assertIn("被拒绝", errors)
        _, out, _ = await self.run_program("--language", "en", "--help")
        self.assertIn("Exit status", out)


class NoRoomTest(CliCase):
    """Disks that are full, and directories that one may not write in."""

    async def test_a_directory_that_cannot_be_made_is_one_sentence_for_each_command(self) -> None:
        nowhere = self.home / "file" / "state"
        nowhere.parent.touch()
        for words in (("who",), ("send", "#lobby", "hello"), ("register", "zoe"), ("--plain",)):
            program = self.begin(*words, *self.alice(), XDG_STATE_HOME=str(nowhere))
            status, _, errors = await program.end()
            self.assertEqual(status, 74, words)
            self.assertEqual(errors, f"chatroom: {nowhere} cannot be written: Not a directory\n")
        self.assertEqual(self.said(), [])

    async def test_a_full_disk_under_the_token_names_the_file(self) -> None:
        with patch.object(os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left")):
            error = self.assertRaises(OSError, write_private, self.home / "token", b"secret")
        said = Phrases("en").unwritable(error)
        self.assertEqual(said, f"{self.home / 'token'} cannot be written: No space left")
        self.assertEqual(list(self.home.iterdir()), [])

    async def test_output_that_nobody_has_room_for_is_one_sentence(self) -> None:
        self.server.say("#lobby", "one")
        history = self.begin(
            "history", "#lobby", *self.alice(), out=os.open("/dev/full", os.O_RDWR)
        )
        status, _, errors = await history.end()
        full = "chatroom: The output cannot be written: No space left on device\n"
        self.assertEqual((status, errors), (74, full))

    async def test_a_full_disk_has_no_room_for_the_log_and_is_no_failure(self) -> None:
        code = (
            "import logging, os, sys; from pathlib import Path\n"
            "from chat.client.tui.logfile import log_exception, logging_to\n"
            "with logging_to(Path(sys.argv[1])):\n"
            "    full = os.open('/dev/full', os.O_WRONLY)\n"
            "    os.dup2(full, 2)\n"
            "    os.dup2(full, logging.getLogger().handlers[0].stream.fileno())\n"
            "    log_exception('lost')\n"
        )
        words = [sys.executable, "-c", code, str(self.home / "screen.log")]
        for unbuffered in ("", "1"):
            done = await deferToThread(
                subprocess.run,
                words,
                cwd=ROOT,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class ClosedStreamsTest(CliCase):
    async def test_closed_standard_streams_are_empty_ones(self) -> None:
        self.server.say("#lobby", "one")
        program = [sys.executable, "-m", "chat.command", "history", "#lobby", *self.alice()]
        env = {**os.environ, "HOME": str(self.home), **self.password}
        for closed, said in (
            ("<&-", True),
            (">&-", False),
            ("2>&-", True),
            ("<&- >&- 2>&-", False),
        ):
            done = await deferToThread(
                subprocess.run, ["sh", "-c", f'"$@" {closed}', "sh", *program],
                capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, env=env,
            )  # fmt: skip
            self.assertEqual((done.returncode, done.stderr), (0, ""), closed)
            self.assertEqual(done.stdout.endswith("one\n"), said, closed)
