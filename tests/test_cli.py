"""The chatroom command, as scripts and people use it: a process, its output, its exit status."""

import argparse
import errno
import fcntl
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import unicodedata
from contextlib import redirect_stderr
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chat import messages as m
from chat.client.cli.argparse_words import CHINESE, speak
from chat.client.cli.context import Status
from chat.client.cli.main import _chosen_theme
from chat.client.cli.options import build_parser
from chat.client.cli.printing import safe_json
from chat.client.files.paths import SLOTS, Profile
from chat.client.language.cli_words import TABLE, Phrases
from chat.client.private import write_private
from tests import fake_server
from tests.fake_server import FakeConnection, FakeServer
from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A terminal that has no letters but those."""


class Program:
    """``chatroom`` as a process of its own, without a terminal, in a home of its own."""

    def __init__(
        self, home: Path, words: tuple[str, ...], env: dict[str, str], out: int = subprocess.PIPE
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chat.client.cli.main", *words],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "PYTHONPATH": str(ROOT),
                **env,
            },
            start_new_session=True,
        )

    def end(self, given: bytes = b"") -> "Deferred[tuple[int, str, str]]":
        """Its exit status, what it printed, what it complained about."""
        return deferToThread(self._communicate, given)

    def _communicate(self, given: bytes) -> tuple[int, str, str]:
        out, errors = self.process.communicate(given, timeout=PATIENCE)
        return self.process.returncode, (out or b"").decode(), errors.decode()

    def line(self) -> "Deferred[str]":
        """The next line that it prints."""
        assert self.process.stdout is not None
        return deferToThread(lambda out: out.readline().decode(), self.process.stdout)

    def remove(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


class CliCase(TestCase):
    """A fake server on a real socket, and a home directory for the programs."""

    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)
        self.server = FakeServer()
        self.port = reactor.listenTCP(0, self.server, interface="127.0.0.1")
        self.address = f"127.0.0.1:{self.port.getHost().port}"
        self.addCleanup(self.close)
        self.password = {"CHATROOM_PASSWORD": "wonderland"}

    async def close(self) -> None:
        await maybeDeferred(self.port.stopListening)
        ends = []
        for connection in list(self.server.connections):
            ends.append(connection.ended())
            connection.transport.loseConnection()
        await DeferredList(ends)

    def begin(self, *words: str, out: int = subprocess.PIPE, **env: str) -> Program:
        program = Program(self.home, words, {**self.password, **env}, out)
        self.addCleanup(program.remove)
        return program

    async def run_program(
        self, *words: str, given: bytes = b"", **env: str
    ) -> tuple[int, str, str]:
        return await self.begin(*words, **env).end(given)

    async def as_alice(self, *words: str, given: bytes = b"") -> tuple[int, str, str]:
        return await self.run_program(*words, *self.alice(), given=given)

    def alice(self) -> tuple[str, ...]:
        return ("--server", self.address, "--user", "alice")

    def said(self, name: str = "#lobby") -> list[str]:
        return [entry.content for entry in self.server.place(name).entries]


class SendTest(CliCase):
    async def test_it_is_stored_and_nothing_is_printed(self) -> None:
        self.assertEqual(await self.as_alice("send", "#lobby", "hello"), (0, "", ""))
        self.assertEqual(self.said(), ["hello"])

    async def test_json_says_where_it_is(self) -> None:
        _, out, _ = await self.as_alice("send", "#lobby", "hello", "--json")
        told = json.loads(out)
        self.assertEqual((told["conversation"], told["seq"]), ("#lobby", 1))

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


class ReadTest(CliCase):
    async def test_who_lists_everybody_online(self) -> None:
        status, out, _ = await self.as_alice("who")
        self.assertEqual((status, out), (0, "100 alice online\n101 bob online\n"))
        _, out, _ = await self.as_alice("who", "--json")
        self.assertEqual([json.loads(line)["userId"] for line in out.splitlines()], [100, 101])

    async def test_history_is_as_long_as_asked_for(self) -> None:
        for number in range(1, 451):
            self.server.say("#lobby", str(number))
        _, out, _ = await self.as_alice("history", "#Lobby", "-n", "420", "--json")
        seqs = [json.loads(line)["seq"] for line in out.splitlines()]
        self.assertEqual(seqs, list(range(31, 451)))
        _, out, _ = await self.as_alice("history", "#lobby", "--after", "3", "-n", "2")
        self.assertEqual([line.split(": ")[1] for line in out.splitlines()], ["4", "5"])
        _, out, _ = await self.as_alice("history", "#lobby", "--before", "3")
        self.assertEqual(len(out.splitlines()), 2)

    async def test_an_answer_that_makes_no_sense_is_one_sentence(self) -> None:
        self.server.handlers[m.HistoryMes] = lambda connection, request: m.PongMes(1)
        status, _, errors = await self.as_alice("history", "#lobby")
        self.assertEqual((status, errors.count("\n")), (3, 1), errors)
        self.assertIn("makes no sense", errors)

    async def test_a_person_is_found_by_name(self) -> None:
        self.server.say("@101", "psst")
        _, out, _ = await self.as_alice("history", "@bob")
        self.assertTrue(out.endswith("bob: psst\n"), out)
        self.assertEqual((await self.as_alice("history", "@nobody"))[0], 1)

    async def test_what_is_no_conversation_is_wrong_usage(self) -> None:
        self.assertEqual((await self.as_alice("history", "lobby"))[0], 2)

    async def test_nothing_that_somebody_typed_reaches_the_terminal_as_a_command(self) -> None:
        self.server.users[101] = m.User(101, "b\x1b[1mob\u202e\n", 0)
        self.server.say("#lobby", "\x1b]0;owned\x07\x9b31m\u202etxt.exe\r\nbob: forged\x00")
        _, plain, _ = await self.as_alice("history", "#lobby")
        _, as_json, _ = await self.as_alice("history", "#lobby", "--json")
        for out in (plain, as_json):
            self.assertEqual(len(out.splitlines()), 1)
            bad = [c for c in out.rstrip("\n") if unicodedata.category(c) in ("Cc", "Cf")]
            self.assertEqual(bad, [])
        self.assertIn("\x1b]0;owned\x07", json.loads(as_json)["content"])


class TailTest(CliCase):
    async def test_each_message_is_a_line_at_once(self) -> None:
        tail = self.begin("tail", *self.alice())
        await self.server.logged_in()
        for text in ("one", "two\nlines"):
            self.server.say("#lobby", text)
            self.assertTrue((await tail.line()).endswith(f"bob: {text}\n".replace("\nl", " l")))
        tail.process.send_signal(signal.SIGINT)
        self.assertEqual(await tail.end(), (130, "", ""))

    async def test_it_survives_the_server_and_misses_nothing(self) -> None:
        tail = self.begin("tail", "--json", "--count", "3", *self.alice())
        await self.server.logged_in()
        self.server.say("#lobby", "one")
        await tail.line()
        again = self.server.logged_in()
        self.server.last.cut()
        self.server.say("#lobby", "missed")
        await again
        self.server.say("#lobby", "three")
        status, out, errors = await tail.end()
        self.assertEqual([json.loads(line)["content"] for line in out.splitlines()],
                         ["missed", "three"])  # fmt: skip
        self.assertEqual((status, errors), (0, ""))

    async def test_only_what_was_asked_for_after_the_last_lines(self) -> None:
        for number in range(5):
            self.server.say("#lobby", str(number))
        words = ("tail", "#lobby", "-n", "2", "--count", "1", "--json", *self.alice())
        tail = self.begin(*words)
        self.assertEqual(json.loads(await tail.line())["content"], "3")
        self.assertEqual(json.loads(await tail.line())["content"], "4")
        self.server.say("@101", "not this")
        self.server.say("#lobby", "this")
        _, out, _ = await tail.end()
        self.assertEqual([json.loads(line)["content"] for line in out.splitlines()], ["this"])

    async def test_what_is_said_while_it_begins_is_printed_once(self) -> None:
        def look_up(connection: FakeConnection, request: m.LookupMes) -> m.Message:
            self.server.say("#lobby", "two")
            return m.LookupResMes(code=200, user=self.server.find(request))

        self.server.handlers[m.LookupMes] = look_up
        self.server.say("#lobby", "one")
        words = ("tail", "#lobby", "@bob", "-n", "5", "--count", "1", "--json", *self.alice())
        tail = self.begin(*words)
        contents = [json.loads(await tail.line())["content"] for _ in "12"]
        self.server.say("#lobby", "three")
        _, out, _ = await tail.end()
        contents += [json.loads(line)["content"] for line in out.splitlines()]
        self.assertEqual(contents, ["one", "two", "three"])

    async def test_a_conversation_that_the_login_did_not_name_is_one_all_the_same(self) -> None:
        for name in ("#lobby", "#tea", "@101"):
            self.server.say(name, f"in {name}")
        self.server.listed_at_login = 1
        self.server.handlers[m.ConversationsMes] = lambda connection, request: None
        for name in ("#tea", "@bob"):
            words = ("tail", name, "-n", "1", "--count", "0", "--json")
            status, out, errors = await self.as_alice(*words)
            self.assertEqual((status, errors), (0, ""))
            self.assertIn("in ", json.loads(out)["content"])

    async def test_the_last_of_all_conversations_is_of_those_too_that_the_login_did_not_name(
        self,
    ) -> None:
        for name in ("#lobby", "#tea", "@101"):
            self.server.say(name, f"in {name}")
        self.server.listed_at_login = 1
        status, out, errors = await self.as_alice("tail", "-n", "1", "--count", "0", "--json")
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual([json.loads(line)["content"] for line in out.splitlines()],
                         ["in #lobby", "in #tea", "in @101"])  # fmt: skip

    async def test_no_new_message_is_waited_for_when_none_is_wanted(self) -> None:
        for text in ("one", "two", "three"):
            self.server.say("#lobby", text)
        status, out, errors = await self.as_alice("tail", "-n", "2", "--count", "0")
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual([line.split(": ")[1] for line in out.splitlines()], ["two", "three"])

    async def test_a_room_one_is_not_in_is_joined_only_when_asked(self) -> None:
        self.assertEqual((await self.as_alice("tail", "#tea"))[0], 1)
        tail = self.begin("tail", "#tea", "--join", "--count", "1", *self.alice())
        joined: Deferred[None] = Deferred()

        def join(connection: FakeConnection, request: m.JoinMes) -> m.Message:
            reactor.callLater(0, joined.callback, None)
            return fake_server.join(connection, request)

        self.server.handlers[m.JoinMes] = join
        await joined
        self.server.say("#tea", "milk")
        _, out, _ = await tail.end()
        self.assertTrue(out.endswith("#tea bob: milk\n"), out)

    async def test_when_nobody_reads_it_ends_quietly(self) -> None:
        tail = self.begin("tail", *self.alice())
        await self.server.logged_in()
        assert tail.process.stdout is not None
        tail.process.stdout.close()
        tail.process.stdout = None
        self.server.say("#lobby", "one")
        status, _, errors = await tail.end()
        self.assertEqual((status, errors), (141, ""))

    async def test_being_replaced_ends_it_with_the_reason(self) -> None:
        tail = self.begin("tail", *self.alice())
        await self.server.logged_in()
        self.server.last.bye(409, "logged in elsewhere")
        status, _, errors = await tail.end()
        self.assertEqual((status, "logged in elsewhere" in errors), (1, True))


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


class ProfileTest(SynchronousTestCase):
    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)

    def profile(self, name: str = "default") -> Profile:
        return Profile(name, {"XDG_STATE_HOME": str(self.home)})

    def take(self, user: str = "alice") -> Any:
        slot = self.profile().device("chat.example", user)
        if slot is not None:
            self.addCleanup(slot.close)
        return slot

    def test_two_windows_of_an_account_keep_their_drafts_apart(self) -> None:
        first, second = self.take().beside("drafts"), self.take().beside("drafts")
        self.assertEqual((first.name, second.name), ("drafts.json", "drafts-2.json"))
        self.assertEqual(first.parent, second.parent)

    def test_names_that_would_leave_the_directory_are_refused(self) -> None:
        for name in ("", ".", "..", "a/b", ".hidden", "x" * 64, "a\0b", "\udc80", "小 明", "小\n"):
            with self.assertRaises(ValueError):
                self.profile(name)

    def test_a_profile_may_be_called_as_people_are(self) -> None:
        for name in ("小明", "Zoë", "work-2.b", "x" * 63, "\U00020000" * 63):
            self.profile(name).remember("chat.example", "alice")
            self.assertIsNotNone(self.profile(name).remembered(), name)

    def test_what_is_chosen_on_the_screen_is_remembered_and_a_theme_only_while_it_is_there(
        self,
    ) -> None:
        self.assertEqual(self.profile().chosen("language"), "")
        self.profile().choose("language", "zh")
        self.profile().choose("theme", "light")
        self.assertEqual(self.profile().chosen("language"), "zh")
        self.assertEqual(_chosen_theme(self.profile(), Path("/nowhere")), "light")
        self.profile().choose("theme", "gone")
        self.assertEqual(_chosen_theme(self.profile(), Path("/nowhere")), "")

    def test_what_is_remembered_is_found_however_the_server_is_written(self) -> None:
        self.profile().remember("chat.example", "alice")
        known = self.profile().remembered()
        assert known is not None
        self.assertEqual((known.server, known.user), ("tcp:chat.example:8889", "alice"))
        self.assertIsNone(self.profile("other").remembered())

    def test_a_device_keeps_its_name_and_token(self) -> None:
        slot = self.take()
        slot.keep("secret")
        slot.close()
        again = self.take()
        self.assertEqual((again.device, again.token), (slot.device, "secret"))

    def test_a_device_in_use_is_not_given_to_another_program(self) -> None:
        slots = [self.take() for _ in range(SLOTS)]
        self.assertEqual(len({slot.device for slot in slots}), SLOTS)
        self.assertIsNone(self.take())
        slots[3].close()
        self.assertIsNotNone(self.take())

    def test_a_disk_that_knows_no_locks_is_named(self) -> None:
        with patch.object(fcntl, "flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
            error = self.assertRaises(OSError, self.take)
        self.assertRegex(Phrases("en").unwritable(error), r"/device-1\.lock cannot be written: No ")

    def test_a_device_with_a_token_is_taken_first(self) -> None:
        first, second = self.take(), self.take()
        second.keep("secret")
        first.close()
        second.close()
        self.assertEqual(self.take().token, "secret")

    def test_users_and_servers_are_kept_apart_and_spellings_are_not(self) -> None:
        profile = self.profile()
        account = profile.account("chat.example", "Alice")
        self.assertEqual(account, profile.account("tcp:chat.example:8889", "alice"))
        self.assertNotEqual(account, profile.account("other.example", "alice"))
        self.assertNotEqual(account, profile.account("chat.example", "bob"))

    def test_files_that_make_no_sense_are_as_good_as_none(self) -> None:
        self.profile().remember("chat.example", "alice")
        for text in ("", "[]", "{}", '{"server": 1, "user": []}', "\xff"):
            (self.profile().state / "last.json").write_text(text, encoding="latin-1")
            self.assertIsNone(self.profile().remembered())

    def test_relative_directories_are_ignored_as_the_standard_says(self) -> None:
        profile = Profile("default", {"XDG_STATE_HOME": "here"})
        self.assertEqual(profile.state, Path.home() / ".local/state/chatroom/default")


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
