"""The commands that read: who, history and tail, as a process with its output and exit status."""

import json
import signal
import unicodedata

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chat import messages as m
from tests import fake_server
from tests.cli_case import CliCase
from tests.fake_server import FakeConnection


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
