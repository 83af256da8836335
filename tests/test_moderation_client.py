"""Moderation by the client library and the command line, against the real server."""

import json
import tempfile
from pathlib import Path

from chat.client.api import Refused
from chat.client.events import Blocked, ConversationChanged, Invited
from tests.cli_case import Program
from tests.test_client_server import _PASSWORD, WholeCase


class LibraryTest(WholeCase):
    async def test_a_private_room_from_the_invitation_to_the_end(self) -> None:
        alice, _, bob = await self.trio()
        made = await alice.client.join("#tea", private=True)
        self.assertTrue(made.private)
        with self.assertRaises(Refused) as refused:
            await bob.client.join("#tea")
        self.assertEqual(refused.exception.code, 404)
        await alice.client.moderate("#tea", "invite", "bob")
        await bob.until(lambda: bool(bob.of(Invited)))
        (invitation,) = await bob.client.invitations()
        self.assertEqual((invitation.conversation, invitation.user_name), ("#tea", "alice"))
        await bob.client.join("#tea")
        await alice.client.moderate("#tea", "moderator", "bob")
        await bob.until(lambda: bob.client.conversations["#tea"].role == "moderator")
        await bob.client.moderate("#tea", "slow", seconds=60)
        await alice.until(lambda: alice.client.conversations["#tea"].slow == 60)
        await alice.client.moderate("#tea", "public")
        await bob.until(lambda: not bob.client.conversations["#tea"].private)
        await alice.client.moderate("#tea", "ban", "bob", 60, "late")
        await bob.until(lambda: "#tea" not in bob.client.conversations)
        self.assertTrue([each for each in bob.of(ConversationChanged) if each.conversation.gone])
        (held,) = await alice.client.sanctions("#tea")
        self.assertEqual((held.action, held.user_name), ("ban", "bob"))
        await alice.client.moderate("#tea", "unban", "bob")
        self.assertEqual((await bob.client.join("#tea")).role, "member")
        await alice.client.moderate("#tea", "mute", "bob")
        with self.assertRaises(Refused):
            await bob.client.send("#tea", "hello?").stored()
        await alice.client.moderate("#tea", "unmute", "bob")
        await alice.client.moderate("#tea", "kick", "bob")

    async def test_a_block_and_a_report(self) -> None:
        alice, phone, bob = await self.trio()
        said = await bob.client.send("@alice", "rude").stored()
        await alice.client.report("@bob", said.seq, "rude")
        await alice.client.block("bob")
        self.assertEqual([each.user_name for each in await alice.client.blocks()], ["bob"])
        await phone.until(lambda: [each.block for each in phone.of(Blocked)] == [True])
        with self.assertRaises(Refused):
            await bob.client.send("@alice", "more").stored()
        await alice.client.block("bob", False)
        await phone.until(lambda: [each.block for each in phone.of(Blocked)] == [True, False])
        await bob.client.send("@alice", "sorry").stored()


class CommandTest(WholeCase):
    async def run_program(self, *words: str) -> tuple[int, str, str]:
        home = Path(tempfile.mkdtemp(dir=self.server.home))
        everywhere = ("--server", self.address, "--user", "alice")
        program = Program(home, (*words, *everywhere), {"CHATROOM_PASSWORD": _PASSWORD})
        self.addCleanup(program.remove)
        return await program.end()

    async def test_a_script_mutes_lists_and_blocks(self) -> None:
        alice, _, bob = await self.trio()
        await alice.client.join("#tea")
        await bob.client.join("#tea")
        mute = ("moderate", "#tea", "mute", "bob", "--for", "10m", "--reason", "tea time")
        self.assertEqual(await self.run_program(*mute), (0, "", ""))
        await bob.until(lambda: any(each.kind == "mute" for each in bob.entries("#tea")))
        self.assertEqual(bob.entries("#tea")[-1].seconds, 600)
        status, out, _ = await self.run_program("moderate", "#tea", "list", "--json")
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out)["userName"], "bob")
        self.assertEqual((await self.run_program("block", "bob"))[0], 0)
        self.assertIn("bob", (await self.run_program("block"))[1])
        self.assertEqual((await self.run_program("moderate", "#tea", "kick", "nobody"))[0], 1)
        for wrong in (
            ("mute",),
            ("slow", "bob"),
            ("mute", "bob", "--for", "soon"),
            ("ban", "bob", "--for", "0s"),
        ):
            self.assertEqual((await self.run_program("moderate", "#tea", *wrong))[0], 2, wrong)

    async def test_a_script_deletes_and_reports_a_message(self) -> None:
        alice, _, bob = await self.trio()
        await alice.client.join("#tea")
        await bob.client.join("#tea")
        rude = (await bob.client.send("#tea", "rude").stored()).seq
        mine = (await alice.client.send("@bob", "oops").stored()).seq
        why = ("--reason", "see for yourself")
        self.assertEqual(await self.run_program("report", "#tea", str(rude), *why), (0, "", ""))
        self.assertEqual(await self.run_program("delete", "#tea", str(rude)), (0, "", ""))
        self.assertEqual((await self.run_program("delete", "@bob", str(mine)))[0], 0)
        for conversation, seq in (("#tea", rude), ("@alice", mine)):
            page = await bob.client.history(conversation)
            (entry,) = [each for each in page.entries if each.seq == seq]
            self.assertEqual((entry.deleted, entry.content), (True, ""), conversation)
        self.assertEqual((await self.run_program("report", "#tea", str(rude)))[0], 1, "it is gone")
        self.assertEqual((await self.run_program("delete", "#tea", "one"))[0], 2)
