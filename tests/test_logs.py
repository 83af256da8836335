"""The log: every event has a name, JSON from the first line on, and a connection's way."""

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.logger import Logger, eventAsJSON, eventFromJSON
from twisted.trial.unittest import SynchronousTestCase

from chat.server.process.events import NAMES
from chat.server.process.logs import json_line
from chat.store.link.address import Address
from tests.peers import PASSWORD, CurrentPeer
from tests.process import ServerProcess, twistd
from tests.server import check_log

CHAT = Path(__file__).parent.parent / "chat"
LEVELS = {"debug", "info", "warn", "error", "critical", "failure"}
ABOUT = {"time", "level", "event", "message", "logger", "pid", "traceback"}


def log_calls() -> Iterator[ast.Call]:
    """Every place in the server and the store where something is logged."""
    for path in [*(CHAT / "server").rglob("*.py"), *(CHAT / "store").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=attr, value=logger)) if attr in LEVELS:
                    name = getattr(logger, "attr", None) or getattr(logger, "id", "")
                    if name in ("log", "_log"):
                        yield node


class NamesTest(SynchronousTestCase):
    def sentences(self) -> set[str]:
        """What is logged; ``tracing`` has each sentence in a variable first."""
        tracing = ast.parse(
            (CHAT / "server" / "watching" / "tracing.py").read_text(encoding="utf-8")
        )
        found = {
            node.value.value
            for node in ast.walk(tracing)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        }
        for call in log_calls():
            if not isinstance(call.args[0], ast.Name):
                found.add(ast.literal_eval(call.args[0]))
        return {each for each in found if isinstance(each, str)}

    def test_every_sentence_in_the_log_has_a_name_that_outlives_it(self) -> None:
        self.assertEqual(
            self.sentences() - set(NAMES), set(), "add them to chat/server/process/events.py"
        )

    def test_no_name_is_left_of_a_sentence_that_is_gone(self) -> None:
        self.assertEqual(set(NAMES) - self.sentences(), set())

    def test_no_value_hides_what_is_said_about_the_event_itself(self) -> None:
        values = {each.arg for call in log_calls() for each in call.keywords}
        self.assertEqual(values & ABOUT, set())


class JsonLineTest(SynchronousTestCase):
    def line(self, log_format: str, **values: Any) -> dict[str, Any]:
        seen: list[dict[str, Any]] = []
        Logger("a.part", observer=seen.append).warn(log_format, **values)
        text = json_line(seen[0])
        self.assertEqual((text[-1], text.count("\n")), ("\n", 1))
        return dict(json.loads(text))

    def test_it_says_when_how_grave_what_and_about_what(self) -> None:
        line = self.line("Lost the store at {address}", address="redis://h")
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
        self.assertEqual(
            line,
            {
                "level": "warn",
                "event": "store-lost",
                "message": "Lost the store at redis://h",
                "address": "redis://h",
                "logger": "a.part",
                "pid": os.getpid(),
            },
        )

    def test_what_a_library_says_has_the_librarys_name_and_no_values(self) -> None:
        line = self.line("something {secret}", secret="s", more="m")
        self.assertEqual((line["event"], line.keys() - ABOUT), ("a.part", set()))

    def test_any_value_is_a_line(self) -> None:
        line = self.line("Nothing was reloaded: {why}", why=ValueError("a\nb\udc80"))
        self.assertEqual(line["why"], "a\nb\\udc80")
        line = self.line("Nothing was reloaded: {why}", why=float("nan"))
        self.assertIsNone(line["why"])

    def test_a_value_from_another_process_is_there_as_text(self) -> None:
        seen: list[dict[str, Any]] = []
        address = Address.parse("redis://host")
        Logger(observer=seen.append).warn("Lost the store at {address}", address=address)
        event = eventFromJSON(eventAsJSON(seen[0])) | {"worker": 2}
        line = json.loads(json_line(event))
        self.assertEqual((line["address"], line["worker"]), ("redis://host:6379/0", 2))

    def test_what_failed_has_its_traceback(self) -> None:
        seen: list[dict[str, Any]] = []
        try:
            raise ValueError("boom")
        except ValueError:
            Logger(observer=seen.append).failure("a tick failed")
        line = json.loads(json_line(seen[0]))
        self.assertEqual((line["event"], line["level"]), ("failure", "critical"))
        self.assertIn("ValueError: boom", line["traceback"])


class JsonServerTest(SynchronousTestCase):
    def lines(self, server: ServerProcess) -> list[dict[str, Any]]:
        return [json.loads(line) for line in server.log.splitlines()]

    def test_every_line_is_json_and_one_connection_can_be_followed(self) -> None:
        server = ServerProcess("--log-format", "json", "--log-level", "debug")
        self.addCleanup(server.remove)
        server.start()
        stranger, alice = CurrentPeer(server.port), CurrentPeer(server.port)
        stranger.log_in(userName="nobody", userPwd="xyzzy-guess", device="d")
        alice.register(userName="alice", userPwd=PASSWORD)
        alice.log_in(userName="alice", userPwd=PASSWORD, device="d")
        alice.ask("JoinMes", conversation="#" + "x" * 99)
        alice.post("#lobby", "xyzzy-text")
        for peer in (stranger, alice):
            peer.close()
        server.stop()
        lines = self.lines(server)
        check_log(server.log)
        self.assertNotIn("xyzzy", server.log)
        (second,) = {
            each["connection"] for each in lines if each.get("connection", "").endswith(".2")
        }
        followed = [each["event"] for each in lines if each.get("connection") == second]
        self.assertEqual(
            followed, ["connection-opened", "login", "request-refused", "connection-closed"]
        )
        (guess,) = [each for each in lines if each["event"] == "login-refused"]
        self.assertEqual(
            (guess["level"], guess["connection"], guess["address"], guess["reason"]),
            ("info", f"{second.removesuffix('.2')}.1", "127.0.0.1", "no-such-user"),
        )

    def test_at_the_usual_level_a_connection_that_behaves_is_not_mentioned(self) -> None:
        server = ServerProcess.start_for(self, "--log-format", "json")
        alice = CurrentPeer(server.port)
        # Nor one with a token that is none: nobody counts these, and they could fill a disk.
        self.assertEqual(alice.log_in(token="made up", device="d")["code"], 403)
        alice.register(userName="alice", userPwd=PASSWORD)
        alice.log_in(userName="alice", userPwd=PASSWORD, device="d")
        alice.close()
        server.stop()
        self.assertEqual([each for each in self.lines(server) if "connection" in each], [])

    def test_json_is_not_for_syslog(self) -> None:
        server = ServerProcess()
        self.addCleanup(server.remove)
        words = ["--syslog", "-n", "--pidfile=", "chatroom", "--log-format", "json"]
        done = twistd(*words, cwd=server.home)
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            "chatroom: --log-format json: not together with twistd's --syslog", done.stderr
        )
