"""Commands about rooms and their members: join, leave, hush, invite, moderate, block."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

from twisted.internet.defer import Deferred

from chat.client import events
from chat.client.tui.drafts import Drafts
from chat.messages import Conversation
from tests.tui_builders import (
    BEN,
    CHEN,
    ME,
    NOON,
    Screen,
    ScriptedClient,
    entry,
    lively,
    room,
)


class RoomCommandTests(TestCase):
    def test_join_leave_msg_and_rooms_do_what_they_say(self) -> None:
        screen = lively()
        for text in ("/join cats", "/part #cats good bye", "/msg 陈晓明 hello there"):
            screen.enter(text)
        for asked in (("join", "#cats"), ("leave", "#cats"), ("send", ("@3", "hello there"))):
            self.assertIn(asked, screen.client.asked)
        self.assertEqual(screen.chat.model.open, "@3")
        self.assertIn("all about cats", "\n".join(screen.enter("/rooms")))

    def test_a_room_can_be_private_from_the_beginning_and_its_title_says_so(self) -> None:
        screen = lively()
        text = screen.enter("/join -private tea leaves")
        self.assertIn(("join", ("#tea", True)), screen.client.asked)
        self.assertIn("#tea (private)  leaves", text[0])
        for private, shown in ((False, "#tea  leaves"), (True, "#tea (private)  leaves")):
            changed = room("#tea", topic="leaves", private=private)
            screen.client.tell(events.ConversationChanged(changed))
            self.assertIn(shown, screen.text()[0])
        screen.client.logs["#dogs"] = []
        self.assertIn("everybody may join it", "\n".join(screen.enter("/join -private #dogs")))
        self.assertIn("[-private] #room [topic]", "\n".join(screen.enter("/join -private")))

    def test_an_invitation_stays_to_be_read(self) -> None:
        screen = lively()
        screen.client.tell(events.Invited("#cats", BEN.user_id, BEN.user_name))
        screen.clock.advance(60)
        self.assertIn("ben invites you to #cats: /join #cats", "\n".join(screen.text()))

    def test_a_room_that_one_is_invited_to_need_not_be_written(self) -> None:
        screen = lively()
        self.assertRegex("\n".join(screen.enter("/invitations")), "#cats +Ben invites you")
        screen.press("enter")
        self.assertIn(("join", "#cats"), screen.client.asked)

    def test_the_commands_of_moderators_ask_for_what_they_say(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        wanted = {
            "/kick Ben": ("moderate", ("#lobby", "kick", "Ben", 0, "")),
            "/kick @2 too loud": ("moderate", ("#lobby", "kick", 2, 0, "too loud")),
            "/ban Ben 1d12h spam": ("moderate", ("#lobby", "ban", "Ben", 129_600, "spam")),
            "/ban Ben spam": ("moderate", ("#lobby", "ban", "Ben", 0, "spam")),
            "/mute Ben 90": ("moderate", ("#lobby", "mute", "Ben", 90, "")),
            "/unmute Ben": ("moderate", ("#lobby", "unmute", "Ben", 0, "")),
            "/role Ben moderator": ("moderate", ("#lobby", "moderator", "Ben", 0, "")),
            "/invite Ben": ("moderate", ("#lobby", "invite", "Ben", 0, "")),
            "/invite Ben #cats": ("moderate", ("#cats", "invite", "Ben", 0, "")),
            "/uninvite Ben  #cats a pity": (
                "moderate",
                ("#cats", "uninvite", "Ben", 0, "a pity"),
            ),
            "/kick #cats Ben too loud": ("moderate", ("#cats", "kick", "Ben", 0, "too loud")),
            "/ban Ben #cats": ("moderate", ("#lobby", "ban", "Ben", 0, "#cats")),
            "/slow 30s": ("moderate", ("#lobby", "slow", "", 30, "")),
            "/slow off": ("moderate", ("#lobby", "slow", "", 0, "")),
            "/private": ("moderate", ("#lobby", "private", "", 0, "")),
            "/public": ("moderate", ("#lobby", "public", "", 0, "")),
            "/block Ben": ("block", ("Ben", True)),
            "/unblock Ben": ("block", ("Ben", False)),
        }
        for text, asked in wanted.items():
            screen.enter(text)
            self.assertEqual(screen.client.asked[-1], asked, text)
        done = [what for what, _ in screen.client.asked].count("moderate")
        for text, said in {
            "/role Ben king": "The roles are: owner, moderator, member ",
            "/slow soon": "is no time",
            "/ban Ben 0s": "0s is no time", "/mute Ben 0 x": "0 is no time",
            "/ban Ben 10min spam": "10min is no time",
            "/block": "blocked nobody", "/report nobody x": "nobody",
        }.items():  # fmt: skip
            self.assertIn(said, "\n".join(screen.enter(text)), text)
        screen.chat.open("@2")
        self.assertIn("Only rooms have that.", "\n".join(screen.enter("/uninvite Ben")))
        self.assertEqual([what for what, _ in screen.client.asked].count("moderate"), done)

    def test_roles_have_chinese_names_too(self) -> None:
        screen = lively("zh")
        screen.enter("/角色 ben 管理员")
        self.assertIn(("moderate", ("#lobby", "moderator", "ben", 0, "")), screen.client.asked)
        self.assertIn("角色有：房主、管理员、成员", "\n".join(screen.enter("/角色 ben 版主")))

    def test_a_report_and_a_deletion_are_about_their_last_message(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        log = screen.client.logs["#lobby"]
        screen.client.say(entry(log[-1].seq + 1, BEN, "rude"))
        screen.client.say(entry(log[-1].seq + 1, CHEN, "hm"))
        screen.enter("/report ben it is rude")
        said = screen.client.logs["#lobby"][-2].seq
        self.assertEqual(screen.client.asked[-1], ("report", ("#lobby", said, "it is rude")))
        screen.enter(f"/del {BEN.user_name}")
        self.assertEqual(screen.client.asked[-1], ("redact", ("#lobby", said)))

    def test_what_somebody_who_is_blocked_says_in_a_room_is_not_shown(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        log = screen.client.logs["#lobby"]
        screen.client.say(entry(log[-1].seq + 1, BEN, "something awful"))
        self.assertIn("something awful", "\n".join(screen.text()))
        text = "\n".join(screen.enter(f"/block {BEN.user_name}"))
        self.assertNotIn("something awful", text)
        self.assertIn("is blocked", text)
        self.assertIn("something awful", "\n".join(screen.enter(f"/unblock {BEN.user_name}")))
        for block in (True, False):  # by another device of the same person
            screen.client.tell(events.Blocked(BEN.user_id, BEN.user_name, block))
            self.assertEqual("something awful" not in "\n".join(screen.text()), block)

    def test_who_leaves_is_not_told_that_he_was_taken_out(self) -> None:
        screen = lively()
        screen.chat.open("#cats")
        text = "\n".join(screen.enter("/leave Cats"))
        self.assertIn("You left #cats.", text)
        self.assertNotIn("no longer in", text)
        self.assertEqual(screen.chat.model.open, "#lobby")

    def test_nor_is_who_leaves_two_rooms_at_a_time(self) -> None:
        screen = lively()
        screen.client.tell(events.ConversationChanged(room("#dogs")))
        screen.client.slow = answer = Deferred[None]()
        for name in ("#cats", "#dogs"):
            screen.enter(f"/leave {name}")
        answer.callback(None)
        text = "\n".join(screen.text())
        self.assertIn("You left #dogs.", text)
        self.assertNotIn("no longer in", text)

    def test_a_private_conversation_is_put_away_until_something_is_said_there(self) -> None:
        for typed, others in (("/close", ()), ("/leave @Ben", ()), ("/leave @2", ("@3",))):
            with TemporaryDirectory() as home:
                drafts = Drafts(Path(home) / "drafts.json")
                screen = lively(drafts=drafts)
                screen.chat.open(*others or ["@2"])
                text = screen.enter(typed)
                self.assertIn("The conversation with ben is put away", "\n".join(text))
                self.assertEqual(screen.chat.model.open, *others or ["#lobby"])
                self.assertFalse(any("ben" in row[:20] for row in text), text)
                screen.chat.save_drafts()
                again = lively(drafts=Drafts(Path(home) / "drafts.json"))
                again.chat.model.conversation("@2").mark_read(1)
                self.assertNotIn("@2", [each.name for each in again.chat.model.listed()])
                again.client.say(entry(2, BEN, "psst again", to="@2"))
                self.assertTrue(any("ben" in row[:20] for row in again.text()))
        for wanted in ("ctrl k", *"ben", "enter"), (*"/go ben", "enter"):
            screen.chat.model.conversation("@2").put_away()
            screen.press(*wanted)
            self.assertEqual(screen.chat.model.open, "@2", wanted)
            screen.press("meta 1")
        self.assertIn("@2", [each.name for each in screen.chat.model.listed()], "it was opened")
        self.assertIn("no conversation called @nobody", "\n".join(screen.enter("/leave @nobody")))

    def test_what_cannot_be_put_away_is_not_said_to_be(self) -> None:
        screen = lively()
        screen.chat.open("@2")
        screen.type("half a thought")
        screen.press("meta 1")
        text = screen.enter("/leave @ben")
        self.assertIn("ben stays on the list", " ".join("\n".join(text).split()))
        self.assertTrue(any("ben" in row[:20] for row in text), text)
        screen.chat.model.conversation("@2").draft = ""
        self.assertNotIn("@2", [each.name for each in screen.chat.model.listed()], "it is gone")

    def test_a_room_that_one_was_taken_out_of_is_left_when_nothing_waits_there(self) -> None:
        screen = lively()
        screen.chat.open("#cats")
        outgoing = events.Outgoing("c9", "#cats", "a last word", NOON)
        screen.client.tell(
            events.MessageStateChanged(outgoing, events.Failed(403, "no")),
            events.ConversationChanged(Conversation("#cats", gone=True)),
        )
        screen.enter("/go #cats")
        self.assertIn("a last word", "\n".join(screen.text()))
        self.assertIn("#cats stays on the list", "\n".join(screen.enter("/leave")))
        asked = [what for what, _ in screen.client.asked]
        self.assertNotIn("leave", asked, "one is not in it")
        screen.client.tell(events.MessageStateChanged(outgoing, events.Withdrawn()))
        text = screen.enter("/leave #cats")
        self.assertIn("You left #cats.", "\n".join(text))
        self.assertEqual(screen.chat.model.open, "#lobby")
        self.assertFalse(any("#cats" in row[:20] for row in text), text)

    def test_the_only_conversation_there_is_stays(self) -> None:
        screen = Screen(ScriptedClient())
        screen.client.tell(events.ConversationChanged(Conversation("#lobby", gone=True)))
        notes = f"@{ME.user_id}"
        screen.chat.open(notes)
        self.assertIn("There is no other conversation", "\n".join(screen.enter("/close")))
        self.assertEqual([each.name for each in screen.chat.model.listed()], [notes])

    def test_who_is_taken_out_of_a_room_that_is_not_open_is_told_too(self) -> None:
        screen = lively()
        screen.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        self.assertIn("You are no longer in #cats.", "\n".join(screen.text()))

    def test_who_is_taken_out_of_a_room_reads_by_whom_and_why(self) -> None:
        screen = lively()
        screen.chat.model.state(room("#cats", 3))
        screen.chat.open("#cats")
        kicked = entry(
            4, BEN, "too loud", to="#cats", kind="ban", target=ME.user_id, target_name="me",
            seconds=3600,
        )  # fmt: skip
        screen.client.say(kicked)
        self.assertIn("banned me for 1h (too loud)", "\n".join(screen.text()))
        screen.type("half a thought")
        screen.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        screen.clock.advance(60)
        self.assertIn("banned you from #cats for 1h (too loud)", "\n".join(screen.text()))
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.press("up")
        self.assertEqual(screen.desk.composer.editor.text, "half a thought", "it was not lost")

    def test_who_decides_in_a_room_is_named_first(self) -> None:
        for language, said in (
            ("en", "3: 陈晓明 (owner), ben (moderator), anna"),
            ("zh", "3 人：陈晓明（房主）、ben（管理员）、anna"),
        ):
            screen = lively(language, size=(100, 30))
            self.assertIn(said, "\n".join(screen.enter("/who #cats")))

    def test_a_hushed_room_counts_and_rings_only_where_it_speaks_to_one(self) -> None:
        drafts = Drafts(Path(self.enterContext(TemporaryDirectory())) / "drafts.json")
        screen = lively(size=(100, 30), drafts=drafts)
        text = "\n".join(screen.enter("/hush #cats"))
        self.assertIn("#cats counts only where it mentions you", text)
        self.assertEqual(screen.chat.model.unread(), (1, 1))
        screen.press("meta a")
        self.assertEqual(screen.chat.model.open, "@2")
        screen.root.focused = False
        screen.client.say(entry(13, BEN, to="#cats"))
        self.assertEqual(screen.told, [])
        screen.client.say(entry(14, BEN, "@anna look", to="#cats"))
        self.assertEqual([each.kind for each in screen.told], ["mention"])
        self.assertEqual(screen.chat.model.unread()[0], 1)
        screen.press("meta a")
        self.assertIn("#cats (hushed)", "\n".join(screen.text()))
        self.assertIn("2 #cats   (hushed)", "\n".join(screen.enter("/list")))
        again = lively(drafts=drafts)
        before, _ = again.chat.model.unread()
        again.enter("/hush #cats")
        self.assertEqual(again.chat.model.unread()[0], before + 12)
        again.press("meta 3")
        self.assertIn("Only rooms", "\n".join(again.enter("/hush")))

    def test_what_was_hushed_or_put_away_stays_so_where_it_is_listed_late(self) -> None:
        path = Path(self.enterContext(TemporaryDirectory())) / "drafts.json"
        Drafts(path).save({"hushed": "#dogs #old", "away": "@9:1 @8:1"})
        screen = lively(drafts=Drafts(path))
        screen.chat.save_drafts()
        again = lively(drafts=Drafts(path))
        again.chat.open("@8")
        for late in (room("#dogs", 5), room("@9", 1, 1), room("@8", 1, 1)):
            again.client.tell(events.ConversationChanged(late))
        self.assertEqual(again.chat.model.conversation("#dogs").calling, 0)
        hidden = [each for each in ("@9", "@8") if again.chat.model.conversation(each).hidden]
        self.assertEqual(hidden, ["@9"])

    def test_who_would_mute_a_room_as_elsewhere_is_told_of_hush(self) -> None:
        for typed in ("/mute", "/mute #cats"):
            screen = lively(size=(100, 30))
            self.assertIn("/hush mutes a room for you", "\n".join(screen.enter(typed)))
            self.assertNotIn("moderate", [what for what, _ in screen.client.asked])

    def test_a_room_that_one_is_no_longer_in_is_not_hushed(self) -> None:
        screen = lively(size=(100, 30))
        screen.chat.model.conversation("#cats").draft = "half a thought"
        screen.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        self.assertIn("Only rooms in which you are", "\n".join(screen.enter("/hush #cats")))

    def test_where_there_are_no_rooms_it_is_said_how_one_is_made(self) -> None:
        screen = lively()
        screen.client.public = []
        self.assertIn("/join NAME makes one", "\n".join(screen.enter("/rooms")))
