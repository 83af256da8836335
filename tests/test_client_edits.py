"""Edits as a client has them: in memory, on its disk, and against a real server."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase

from chat import messages as m
from chat.client import events
from chat.client.api import Refused
from chat.client.conversation import EDITS_KEPT
from chat.client.events import Position
from chat.client.files.cache_file import CacheFile
from chat.client.files.cache_values import Batch
from chat.messages import Entry
from tests.api_case import ApiCase
from tests.cli_case import Program
from tests.fake_server import FakeConnection
from tests.test_client_server import _PASSWORD, WholeCase
from tests.test_model import arrive, model
from tests.tui_builders import BEN, ME, entry, room


def edit(seq: int, target: int, content: str, **more: Any) -> Entry:
    return entry(seq, more.pop("user", BEN), content, kind="edit", target=target, **more)


def emptied(seq: int, target: int) -> Entry:
    """An edit of which a newer one, or a deletion, has taken the text."""
    return Entry(seq, "e1", "edit", BEN.user_id, target=target, conversation="#lobby")


class ModelTests(TestCase):
    def test_the_message_says_the_new_text_where_it_stands(self) -> None:
        found = model()
        fresh = arrive(found, entry(1, content="old"), entry(2), edit(3, 1, "new"))
        lobby = found.conversation("#lobby")
        self.assertEqual(fresh, [True, True, False])
        self.assertEqual((lobby.entries[0].content, lobby.entries[0].edited), ("new", 3))
        self.assertEqual((lobby.entries[0].time, lobby.unread), (entry(1).time, 2))

    def test_an_edit_without_a_text_changes_nothing(self) -> None:
        found = model()
        arrive(found, entry(1, content="old"), emptied(2, 1))
        self.assertEqual(found.conversation("#lobby").entries[0].content, "old")
        arrive(found, edit(3, 1, "new"), emptied(4, 1))
        self.assertEqual(found.conversation("#lobby").entries[0].content, "new")

    def test_a_page_that_was_read_before_an_edit_does_not_undo_it(self) -> None:
        found = model()
        arrive(found, edit(3, 1, "new"))
        found.page("#lobby", [entry(1, content="old"), entry(2)], first=1)
        lobby = found.conversation("#lobby")
        self.assertEqual(lobby.entries[0].content, "new")
        found.page("#lobby", [entry(1, content="newest", edited=9)], first=1)
        arrive(found, edit(3, 1, "new"))
        self.assertEqual(lobby.entries[0].content, "newest", "and a newer page is not undone")

    def test_a_page_that_was_read_before_a_deletion_does_not_undo_it(self) -> None:
        found = model()
        arrive(found, entry(1, content="secret"), entry(3, kind="redact", target=1))
        arrive(found, entry(4, kind="redact", target=2))
        found.page("#lobby", [entry(1, content="secret"), entry(2, content="secret")], first=1)
        lobby = found.conversation("#lobby")
        self.assertEqual([(e.content, e.deleted) for e in lobby.entries[:2]], [("", True)] * 2)
        self.assertEqual(lobby.unread, 0)
        found.apply(events.EpochChanged("#lobby", "e2", 3))
        found.page("#lobby", [entry(1, content="not deleted any more")], first=1)
        self.assertEqual(lobby.entries[0].content, "not deleted any more")

    def test_what_is_deleted_stays_so_and_what_is_no_message_is_not_touched(self) -> None:
        found = model()
        arrive(found, entry(1), entry(2, kind="redact", target=1), edit(3, 1, "new"))
        arrive(found, entry(4, kind="topic", content="tea"), edit(5, 4, "coffee"))
        contents = [each.content for each in found.conversation("#lobby").entries]
        self.assertEqual((contents[0], contents[3]), ("", "tea"))

    def test_it_speaks_to_one_when_the_new_text_does_and_one_has_not_read_it(self) -> None:
        found = model()
        arrive(found, entry(1), entry(2, content="@anna!"), entry(3))
        lobby = found.conversation("#lobby")
        arrive(found, edit(4, 2, "never mind"), edit(5, 3, "look, @anna"))
        self.assertEqual(lobby.mentions, {3})
        lobby.mark_read(5)
        arrive(found, edit(6, 1, "@anna, too late"))
        self.assertEqual((lobby.mentions, lobby.unread), (set(), 0))
        arrive(found, entry(7, ME), edit(8, 7, "I am @anna", user=ME))
        self.assertEqual(lobby.mentions, set())

    def test_an_edit_that_a_new_epoch_undoes_takes_its_message_along(self) -> None:
        found = model()
        arrive(found, entry(1, content="old"), entry(2), edit(3, 1, "new"), edit(4, 2, "newer"))
        found.apply(events.EpochChanged("#lobby", "e2", 4))
        lobby = found.conversation("#lobby")
        self.assertEqual([each.seq for each in lobby.entries], [1, 3])
        found.page("#lobby", [entry(2)], first=1)
        self.assertEqual(lobby.entries[1].content, "message 2")

    def test_of_very_many_edits_the_newest_are_remembered(self) -> None:
        found = model()
        many = range(1, EDITS_KEPT + 10)
        arrive(found, *(edit(1_000 + each, each, "new") for each in many))
        found.page("#lobby", [entry(each) for each in many], first=1)
        held = found.conversation("#lobby").entries
        self.assertEqual([each.content for each in held[:9]], [f"message {n}" for n in many[:9]])
        self.assertEqual({each.content for each in held[9 : many[-1]]}, {"new"})


class CacheTests(TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cache", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.file = CacheFile(self.home / "history.db")
        self.addCleanup(self.file.close)
        self.file.log_in(ME)

    def put(self, *entries: Entry, drops: list[tuple[str, int]] | None = None) -> None:
        newest = max((each.seq for each in entries), default=1)
        states, positions = {"#lobby": room("#lobby")}, {"#lobby": Position("e1", newest)}
        self.file.write(Batch(drops or [], list(entries), states, positions))

    def texts(self) -> dict[int, str]:
        return {each.seq: each.content for each in self.file.page("#lobby", 0, 99)}

    def found(self, text: str) -> list[int]:
        return [each.seq for each in self.file.search(text, "", 0, 50)]

    def test_the_new_text_is_read_and_found_and_the_old_one_is_nowhere_on_the_disk(self) -> None:
        for apart in (False, True):
            self.put(entry(1, content="xylophone"), *([] if apart else [edit(2, 1, "marimba")]))
            self.put(edit(2, 1, "marimba"))
            self.assertEqual(self.texts(), {1: "marimba", 2: ""})
            self.assertEqual((self.found("xylophone"), self.found("marimba")), ([], [1]))
            on_disk = b"".join(each.read_bytes() for each in self.home.iterdir())
            self.assertNotIn(b"xylophone", on_disk)
            self.put(drops=[("#lobby", 0)])

    def test_it_holds_against_a_page_that_was_read_before_it(self) -> None:
        self.put(entry(1, content="old"), edit(2, 1, "new"), entry(3, content="kept"))
        self.put(entry(1, content="old"), entry(3, content="kept"))
        self.assertEqual(self.texts(), {1: "new", 2: "", 3: "kept"})
        self.put(edit(5, 4, "text of another one"))
        self.put(entry(4, content="old"))
        self.assertNotIn(4, self.texts(), "better fetched again than wrong")
        self.put(entry(4, content="text of another one", edited=5))
        self.assertEqual(self.texts()[4], "text of another one")

    def test_the_newest_counts_however_they_come(self) -> None:
        self.put(entry(1, content="first"), edit(2, 1, "second"), edit(3, 1, "third"))
        self.assertEqual(self.texts()[1], "third")
        self.put(edit(4, 1, "fourth"), edit(2, 1, "second"))
        self.put(edit(3, 1, "third"), emptied(5, 1))
        self.assertEqual(self.texts()[1], "fourth")
        self.put(entry(6, kind="redact", target=1))
        self.assertEqual(self.texts()[1], "")
        self.put(edit(7, 1, "what?"), entry(1, content="first"))
        self.assertEqual((self.texts()[1], self.found("first")), ("", []))

    def test_an_edit_that_a_new_epoch_undoes_takes_its_message_along(self) -> None:
        self.put(entry(1, content="old"), entry(2), edit(3, 1, "new"))
        self.put(drops=[("#lobby", 3)])
        self.assertEqual(self.texts(), {2: "message 2"})

    def test_so_does_one_that_was_never_held_itself(self) -> None:
        self.put(entry(1, content="new", edited=9), entry(2, edited=5), entry(3))
        self.put(drops=[("#lobby", 6)])
        self.assertEqual(self.texts(), {2: "message 2", 3: "message 3"})
        self.assertEqual(self.found("new"), [])


class LibraryTests(ApiCase):
    def test_it_is_asked_again_while_the_server_is_busy_and_where_its_fate_is_unknown(self) -> None:
        self.log_in()
        codes = [504, 503, 429, 200]

        def answer(connection: FakeConnection, request: m.EditMes) -> m.EditResMes:
            return m.EditResMes(code=codes.pop(0))

        self.server.handlers[m.EditMes] = answer
        edited = self.start(self.client.edit("#lobby", 3, "new"))
        self.advance(10)
        self.assertIsNone(self.successResultOf(edited))
        self.assertEqual(self.server.of(m.EditMes), [m.EditMes("#lobby", 3, "new")] * 4)

    def test_what_would_end_the_connection_is_not_sent(self) -> None:
        self.log_in()
        failed = self.failureResultOf(self.start(self.client.edit("#lobby", 3, "x" * 70_000)))
        failed.trap(Refused)
        self.assertEqual((failed.value.code, self.server.of(m.EditMes)), (413, []))


class WholeTest(WholeCase):
    async def run_program(self, *words: str) -> tuple[int, str, str]:
        home = Path(tempfile.mkdtemp(prefix="home", dir="/tmp"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        server = ("--server", f"127.0.0.1:{self.server.port}", "--user", "alice")
        program = Program(home, (*words, *server), {"CHATROOM_PASSWORD": _PASSWORD})
        status, out, errors = await program.end()
        return status, out, errors

    async def test_who_listens_and_who_comes_later_have_the_same_text(self) -> None:
        alice, phone, bob = await self.trio()
        await alice.client.join("#tea")
        await bob.client.join("#tea")
        stored = await alice.client.send("#tea", "gren tea").stored()
        await bob.hears("#tea", "gren tea")
        await alice.client.edit("#tea", stored.seq, "green tea")
        for device in (phone, bob):
            await device.until(lambda d=device: "edit" in [e.kind for e in d.entries("#tea")])
            (told,) = [each for each in device.entries("#tea") if each.kind == "edit"]
            self.assertEqual((told.target, told.content), (stored.seq, "green tea"))
        page = await bob.client.history("#tea")
        (now,) = [each for each in page.entries if each.seq == stored.seq]
        self.assertEqual((now.content, now.edited), ("green tea", told.seq))
        with self.assertRaises(Refused) as refused:
            await bob.client.edit("#tea", stored.seq, "black tea")
        self.assertEqual(refused.exception.code, 403)

    async def test_a_script_edits_and_reads_what_was_edited(self) -> None:
        alice, _, bob = await self.trio()
        seq = (await alice.client.send("@bob", "oops").stored()).seq
        self.assertEqual(await self.run_program("edit", "@bob", str(seq), "whoops"), (0, "", ""))
        page = await bob.client.history("@alice")
        self.assertEqual([each.content for each in page.entries], ["whoops", "whoops"])
        _, out, _ = await self.run_program("history", "@bob")
        self.assertRegex(out, rf"alice: whoops \(edited\)\n.*alice edited message {seq}: whoops\n")
        _, out, _ = await self.run_program("history", "@bob", "--json")
        first, second = (json.loads(line) for line in out.splitlines())
        self.assertEqual((first["content"], first["edited"]), ("whoops", second["seq"]))
        self.assertEqual((second["kind"], second["target"]), ("edit", seq))
        self.assertEqual((await self.run_program("edit", "@bob", "9", "what?"))[0], 1)
        self.assertEqual((await self.run_program("edit", "@bob", "one", "what?"))[0], 2)
        self.assertEqual((await self.run_program("edit", "@bob", str(seq), ""))[0], 2)
