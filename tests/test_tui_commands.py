"""Lists that are chosen from, and commands: what they ask of the server and what they say."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

from twisted.internet.defer import Deferred

from chat.client import events
from chat.client.delivery.sender import TOO_LONG
from chat.client.errors import NotConnected
from chat.client.language.words import LANGUAGES, Words
from chat.client.tui.commands.doctor import Examined, examine
from chat.client.tui.commands.table import (
    COMMANDS,
    ELSEWHERE,
    RENAMING,
    Kind,
    completions,
    parse,
    refused,
    written,
)
from chat.client.tui.commands.verbs import PATIENCE
from chat.client.tui.drafts import Drafts
from chat.client.tui.panes.layout import Pane
from chat.messages import Conversation, Sanction, User
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


class ListsTests(TestCase):
    def test_f2_and_f3_show_and_hide_their_panes_at_every_width(self) -> None:
        for columns, at_first in ((120, True), (80, False), (40, False)):
            screen = lively(size=(columns, 24))
            for shown in (not at_first, at_first, not at_first, at_first):
                text = "\n".join(screen.press("f3"))
                self.assertEqual("Online (3)" in text, shown, columns)
        for columns, at_first in ((120, True), (80, True), (40, False)):
            screen = lively(size=(columns, 24))
            for shown in (not at_first, at_first, not at_first):
                text = "\n".join(screen.press("f2"))
                self.assertEqual("Conversations" in text, shown, columns)
        screen = lively(size=(80, 24))
        screen.press("f3", "f3")
        screen.size = (120, 24)
        self.assertIn("Online (3)", "\n".join(screen.text()), "it was not put away")

    def test_enter_on_a_person_opens_a_private_conversation(self) -> None:
        screen = lively(size=(120, 30))
        screen.press("shift tab", "shift tab", "shift tab")
        screen.enter("陈")
        self.assertEqual(screen.chat.model.open, "@3")
        screen.enter("hi")
        self.assertIn(("send", ("@3", "hi")), screen.client.asked)

    def test_a_slash_begins_a_command_wherever_the_focus_is(self) -> None:
        for keys in (("shift tab",), ("shift tab", "shift tab", "shift tab")):
            for slash in "/／":
                screen = lively(size=(120, 30))
                screen.press(*keys)
                screen.enter(f"{slash}whois ben")
                self.assertIn("ben, id 2, online", "\n".join(screen.text()))
            screen.press(*keys)
            screen.type("b/")
            self.assertEqual(screen.desk.composer.editor.text, "")
            screen = lively(size=(120, 30))
            screen.type("see you")
            screen.press(*keys)
            screen.enter("/msg ben psst")
            said = [text for what, text in screen.client.asked if what == "send"]
            self.assertEqual(said, [("@2", "psst")], "to nobody else, behind what was begun")

    def test_the_online_list_has_a_mark_and_a_word(self) -> None:
        text = lively(size=(120, 30)).text()
        [line] = [each for each in text if "● ben" in each and "online" in each]
        self.assertTrue(line.endswith("online"))
        self.assertTrue(any("◐ 陈晓明" in each and each.endswith("busy") for each in text))

    def test_the_switcher_goes_to_rooms_and_people_that_are_not_listed(self) -> None:
        screen = lively()
        for typed, command in (
            ("#dogs", "/join #dogs"),
            ("@zoe", "/msg zoe"),
            ("zoe", "/join #zoe"),
        ):
            screen.press("ctrl k")
            text = "\n".join(screen.type(typed))
            self.assertEqual("/join #" in text, typed[0] != "@")
            self.assertEqual("/msg " in text, typed[0] != "#")
            screen.press("enter")
            self.assertEqual(screen.desk.composer.editor.text, command)
            screen.press("ctrl c")
        screen.press("ctrl k")
        self.assertNotIn("/join #top", "\n".join(screen.type("/top")))

    def test_the_switcher_finds_conversations_people_and_commands(self) -> None:
        screen = lively()
        screen.press("ctrl k")
        screen.enter("cat")
        self.assertEqual(screen.chat.model.open, "#cats")
        for wide in ("＃ｃａｔ", "／ｔｏｐｉｃ", "＠ｂｅｎ"):
            screen.press("ctrl k")
            screen.type(wide)
            screen.press("enter")
        self.assertEqual(screen.chat.model.open, "@2")
        screen.chat.open("#cats")
        screen.text()
        self.assertEqual(screen.desk.composer.editor.text, "/topic ")
        screen.press("ctrl k")
        self.assertIn("/topic", "\n".join(screen.type("top")))
        for other_name in ("/exit", "退出", "leave", "lea"):
            screen.press("esc", "ctrl k")
            self.assertIn("/quit", "\n".join(screen.type(other_name)))

    def test_the_switcher_finds_commands_by_what_they_do_behind_all_that_is_called_so(self) -> None:
        for language, typed, command in (("en", "colours", "/theme"), ("zh", "响铃", "/dnd")):
            screen = lively(language)
            screen.press("ctrl k")
            screen.enter(typed)
            self.assertEqual(screen.desk.composer.editor.text, f"{command} ")
        screen = lively()
        screen.press("ctrl k")
        found = "\n".join(screen.type("lea"))
        self.assertEqual(found.count("/leave"), 1)
        self.assertLess(found.index("/leave"), found.index("/quit"))
        self.assertNotIn("/theme", "\n".join(screen.type("olour")), "no word begins so")

    def test_the_switcher_goes_back_to_where_one_was_before(self) -> None:
        screen = lively()
        screen.press("meta 2")
        here = screen.chat.model.open
        for place in ("#lobby", here, "#lobby"):
            screen.press("ctrl k", "enter")
            self.assertEqual(screen.chat.model.open, place)

    def test_a_list_is_as_long_as_it_is_and_leads_to_what_it_shows(self) -> None:
        screen = lively()
        for number in range(100):
            screen.chat.model.conversation(f"#room-{number:02}")
        self.assertIn("2 #cats     12 unread", "\n".join(screen.enter("/list")))
        self.assertIn("101 #room-98", "\n".join(screen.type("room-98")))
        screen.press("enter")
        self.assertEqual(screen.chat.model.open, "#room-98")

    def test_who_is_banned_or_muted_is_listed_with_what_ends_it(self) -> None:
        screen = lively()
        screen.chat.open("#lobby")
        text = "\n".join(screen.enter("/sanctions"))
        self.assertIn("Ben is banned  until 2023-11-14 12:00", text)
        self.assertIn("Chen is muted", text)
        screen.press("down", "enter")
        self.assertEqual(screen.desk.composer.editor.text, "/unmute Chen")

    def test_what_a_newer_server_holds_against_somebody_is_passed_over(self) -> None:
        screen = lively()

        async def sanctions(room: str) -> list[Sanction]:
            return [Sanction("hush", 2, "Ben"), Sanction("mute", 3, "Chen")]

        screen.client.sanctions = sanctions  # type: ignore[method-assign]
        text = "\n".join(screen.enter("/sanctions"))
        self.assertIn("Chen is muted", text)
        self.assertNotIn("Ben is", text)

    def test_help_begins_with_what_it_was_asked_for(self) -> None:
        screen = lively(size=(80, 24))
        self.assertIn("/join [-private] #room", "\n".join(screen.enter("/help")))
        screen.press("esc")
        self.assertIn("Enter                   send", "\n".join(screen.press("f1")))

    def test_the_last_row_has_the_keys_of_what_has_the_focus_at_the_least_usual_width(self) -> None:
        screen = lively(size=(80, 24))
        for pressed, hinted in (
            ("ctrl l", " F1 help"),
            ("shift tab", " Enter open  F1 help"),
            ("shift tab", " / search  v select messages  F1 help"),
            ("ctrl k", " Enter choose  Esc close"),
            ("esc", " / search"),
            ("v", " Space several"),
        ):
            self.assertTrue(screen.press(pressed)[-1].startswith(hinted), (pressed, hinted))

    def test_help_can_be_searched(self) -> None:
        screen = lively()
        screen.press("f1")
        text = "\n".join(screen.type("newest"))
        self.assertIn("Alt-End", text)
        self.assertNotIn("/join", text)

    def test_who_reads_chinese_sees_what_commands_are_called_in_that(self) -> None:
        for language, seen in (("zh", True), ("en", False)):
            screen = lively(language, size=(100, 30))
            self.assertEqual("（/加入）" in "\n".join(screen.enter("/help")), seen)
            screen.press("esc")
            self.assertEqual("（/加入）" in "\n".join(screen.enter("/help join")), seen)

    def test_help_finds_a_command_by_any_name_of_it_and_has_it_written(self) -> None:
        screen = lively()
        screen.type("begun")
        screen.press("f1")
        self.assertIn("/quit", "\n".join(screen.type("exit")))
        screen.press("enter")
        self.assertIsNone(screen.root.popup)
        self.assertEqual(screen.desk.composer.editor.text, "/quit ")
        screen.press("ctrl c", "f1")
        screen.enter("new line")
        self.assertIsNone(screen.root.popup)
        self.assertEqual(screen.desk.composer.editor.text, "")


class CommandTests(TestCase):
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

    def test_devices_are_listed_and_which_of_them_is_this_one(self) -> None:
        screen = lively()
        text = "\n".join(screen.enter("/devices"))
        self.assertRegex(text, r"desk +\(this one\)  2023-11-14 12:00")
        self.assertRegex(text, r"phone +offline  2023-11-14 12:00 ")
        screen.press("down", "enter")
        self.assertEqual(screen.desk.composer.editor.text, "/revoke phone")

    def test_which_device_is_this_one_and_what_keys_do_is_read_on_a_phone_too(self) -> None:
        for language, this_one, newest in (
            ("en", r"\(this one\)", r"\(Alt-End newest\)"),
            ("zh", "（本设备）", "（Alt-End 到最新）"),
        ):
            screen = lively(language, (38, 16))
            screen.chat.open("#lobby")
            self.assertRegex("\n".join(screen.press("page up")), f"↓ .*{newest}")
            title, this = screen.enter("/devices")[:2]
            self.assertIn(Words(language)("devices-hint"), title)
            self.assertRegex(this, f"desk +{this_one}  2023-11-14")

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

    def test_what_is_listed_in_a_sentence_stands_as_its_language_has_it(self) -> None:
        for language, wanted in (("en", "Themes: dark, light"), ("zh", "配色：dark、light")):
            self.assertIn(wanted, "\n".join(lively(language).enter("/theme")))

    def test_ctrl_c_leads_from_everywhere_to_what_one_writes_and_then_out(self) -> None:
        for leading in (["shift tab"], ["shift tab"] * 2, ["shift tab"] * 3, ["meta v"]):
            screen = lively(size=(120, 24))
            screen.type("half")
            screen.press(*leading, "ctrl c")
            self.assertIs(screen.desk.active, Pane.COMPOSER)
            self.assertEqual(screen.desk.composer.editor.text, "half")
            screen.press("ctrl c", "ctrl c")
            self.assertFalse(screen.left)
            screen.press("ctrl c")
            self.assertTrue(screen.left)

    def test_what_went_wrong_is_told_once_however_often_enter_is_pressed(self) -> None:
        screen = lively(size=(40, 12))
        for expected in (1, 2):
            screen.type("/nonsense")
            for _ in range(3):
                text = " ".join("\n".join(screen.press("enter")).split())
            self.assertEqual(text.count("· There is no command /nonsense"), expected)
            screen.press("ctrl c")
            screen.client.say(entry(8, BEN, "well"))

    def test_who_is_here_is_asked_for_where_nobody_tells_who_comes(self) -> None:
        for scope, named in (("all", False), ("watched", True)):
            client = ScriptedClient()
            client.scope = scope
            screen = Screen(client, (120, 24))
            screen.text()
            client.people = [*client.people, User(9, "newcomer", 0)]
            self.assertEqual("newcomer" in "\n".join(screen.enter("/who")), named, scope)

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

    def test_nothing_disturbs_for_minutes_and_for_what_has_a_unit(self) -> None:
        for typed, said in (
            ("30", "for 30m."),
            ("２ｈ", "for 2h."),
            ("2h", "for 2h."),
            ("1d12h", "for 1d12h."),
            ("9" * 12, "for 52w1d."),
            ("999999999w", "for 52w1d."),
            ("30s", "minutes / 2h / off"),
            ("soon", "minutes / 2h / off"),
        ):
            screen = lively(size=(100, 30))
            self.assertIn(said, "\n".join(screen.enter(f"/dnd {typed}")), typed)
            self.assertEqual(screen.chat.disturbed, "/" in said)

    def test_whom_one_has_talked_to_can_be_written_to_without_a_connection(self) -> None:
        screen = lively()

        async def lookup(who: int | str) -> User:
            raise NotConnected("there is no connection at the moment")

        screen.client.lookup = lookup  # type: ignore[method-assign]
        for name, there in (("zoe", False), ("Ben", True), ("@2", True), ("7", False)):
            screen.chat.open("#lobby")
            screen.enter(f"/msg {name} late again")
            self.assertEqual(screen.chat.model.open, "@2" if there else "#lobby")
        sent = [what for what in screen.client.asked if what[0] == "send"]
        self.assertEqual(sent, [("send", ("@2", "late again"))] * 2)

    def test_what_was_refused_elsewhere_is_told_where_one_is(self) -> None:
        for language, said in (
            ("en", "Not sent to ben: it is longer than the server takes"),
            ("zh", "发往 ben 的消息未发送：超过服务器允许的长度"),
        ):
            screen = lively(language, size=(100, 30))
            for to, told in (("#lobby", False), ("@2", True)):
                screen.chat.open(to)
                sent = screen.client.send(to, "psst")
                screen.chat.open("#lobby")
                state = events.MessageStateChanged(sent.outgoing, TOO_LONG)
                screen.client.tell(state)
                self.assertEqual(said in "\n".join(screen.text()), told)

    def test_a_room_that_one_is_no_longer_in_is_not_hushed(self) -> None:
        screen = lively(size=(100, 30))
        screen.chat.model.conversation("#cats").draft = "half a thought"
        screen.client.tell(events.ConversationChanged(Conversation("#cats", gone=True)))
        self.assertIn("Only rooms in which you are", "\n".join(screen.enter("/hush #cats")))

    def test_a_server_that_takes_its_time_is_said_to_be_waited_for(self) -> None:
        waiting = "Waiting for the server's answer"
        screen = lively(size=(100, 30))
        for answered in (True, False):
            screen.client.slow = Deferred()
            self.assertNotIn(waiting, "\n".join(screen.enter("/whois ben")))
            screen.clock.advance(PATIENCE)
            self.assertIn(waiting, "\n".join(screen.text()))
            if answered:
                screen.client.slow.callback(None)
            else:
                screen.client.slow.errback(NotConnected("gone"))
            self.assertNotIn(waiting, "\n".join(screen.text()))
        screen.client.slow = None
        screen.enter("/whois ben")
        screen.clock.advance(PATIENCE)
        self.assertNotIn(waiting, "\n".join(screen.text()))

    def test_what_is_typed_while_a_command_is_on_its_way_goes_where_it_leads(self) -> None:
        screen = lively()
        screen.client.slow = Deferred()
        screen.enter("/msg ben hello")
        screen.enter("and one more thing")
        self.assertNotIn("send", [what for what, _ in screen.client.asked])
        screen.client.slow.callback(None)
        screen.press("enter")
        self.assertIn(("send", ("@2", "and one more thing")), screen.client.asked)
        self.assertEqual(screen.chat.model.conversation("#lobby").draft, "")

    def test_where_there_are_no_rooms_it_is_said_how_one_is_made(self) -> None:
        screen = lively()
        screen.client.public = []
        self.assertIn("/join NAME makes one", "\n".join(screen.enter("/rooms")))

    def test_what_was_begun_where_a_command_leads_is_not_lost(self) -> None:
        for leading in ("/go cats", "/next", "/join cats"):
            screen = lively()
            screen.press("meta 2")
            screen.type("half")
            screen.press("meta 1")
            screen.chat.model.conversation("@2").mark_read(1)
            screen.enter(leading)
            self.assertEqual(screen.chat.model.open, "#cats", leading)
            self.assertEqual(screen.desk.composer.editor.text, "half", leading)
            self.assertEqual(screen.chat.model.conversation("#lobby").draft, "", leading)

    def test_what_was_begun_there_stands_above_what_is_typed_on_the_way(self) -> None:
        screen = lively()
        screen.chat.model.conversation("@2").draft = "half"
        screen.client.slow = Deferred()
        screen.enter("/msg ben")
        screen.type("and more")
        screen.client.slow.callback(None)
        screen.text()
        self.assertEqual(screen.desk.composer.editor.text, "half\nand more")

    def test_me_says_what_one_does(self) -> None:
        screen = lively(size=(120, 30))
        text = "\n".join(screen.enter("/me  waves at //x"))
        self.assertIn(("send", ("#lobby", "/me waves at //x")), screen.client.asked)
        self.assertIn("│ * waves at //x", text)
        screen.client.say(entry(7, BEN, "hello"))
        screen.client.say(entry(8, BEN, "/me waves back"))
        screen.client.say(entry(9, BEN, "/meow"))
        text = "\n".join(screen.text())
        self.assertIn("ben │ * waves back", text, "who does, though he spoke right before")
        self.assertIn("│ /meow", text)
        screen.press("ctrl c", *"/me ", "enter")
        self.assertIn("/me text", "\n".join(screen.text()), "there is nothing to say")
        self.assertEqual(written("/me waves"), "/me waves")

    def test_a_room_can_be_named_where_a_command_is_about_one(self) -> None:
        screen = lively()
        for typed in ("/topic #cats all about dogs", "/topic #1 priority", "/names #CATS"):
            text = "\n".join(screen.enter(typed))
        for asked in ("#cats", "all about dogs"), ("#lobby", "#1 priority"):
            self.assertIn(("topic", asked), screen.client.asked)
        self.assertIn(("members", "#cats"), screen.client.asked)
        self.assertIn("3: 陈晓明 (owner), ben", text)
        self.assertIn("no conversation called #nowhere", "\n".join(screen.enter("/who #nowhere")))
        self.assertIn("· all about cats", "\n".join(screen.enter("/topic #cats")))

    def test_a_number_may_be_wide(self) -> None:
        screen = lively()
        screen.enter("／打开　２")
        self.assertEqual(screen.chat.model.open, "#cats")

    def test_msg_speaks_to_a_room_that_one_is_in_as_well(self) -> None:
        screen = lively()
        screen.enter("/msg #CATS meow")
        self.assertEqual(screen.chat.model.open, "#cats")
        self.assertIn(("send", ("#cats", "meow")), screen.client.asked)
        self.assertIn("no conversation called #dogs", "\n".join(screen.enter("/msg #dogs woof")))

    def test_a_command_without_what_it_needs_says_how_it_is_written(self) -> None:
        screen = lively()
        self.assertIn("/msg name [text]", "\n".join(screen.enter("/msg")))

    def test_a_command_can_be_told_from_a_message(self) -> None:
        for text, kind in (
            ("hello", Kind.MESSAGE),
            ("/join #x", Kind.COMMAND),
            ("/JOIN #x", Kind.COMMAND),
            ("\uff0f\uff4a\uff4f\uff49\uff4e \uff03x", Kind.COMMAND),
            ("\uff0f\uff57\uff48\uff49\uff53\uff50\uff45\uff52 ben", Kind.UNKNOWN),
            ("/nope", Kind.UNKNOWN),
            ("  /quit", Kind.BEHIND_SPACE),
            (" /usr/bin", Kind.MESSAGE),
            ("   ", Kind.NOTHING),
        ):
            self.assertIs(parse(text).kind, kind, text)
        self.assertEqual(parse("//x").text, "/x")

    def test_a_command_that_is_none_is_answered_with_the_one_that_was_meant(self) -> None:
        for typed, answer in (
            ("/jion #x", "Is /join meant?"),
            ("/SEAR x", "Is /search meant?"),
            ("/mgs ben x", "Is /msg meant?"),
            ("/zebra", "//zebra would say it."),
            ("/", "// would say it."),
            ("/edit", "Is /undo meant?"),
            ("/Whisper ben psst", "Is /msg meant?"),
            ("/nick zoe", "you keep the name that you registered"),
            (" /quit", "/quit stands behind a space"),
        ):
            self.assertIn(answer, refused(parse(typed), Words("en")), typed)
        for typed, answer in (
            ("/列表", "是不是想用 /会话"),
            ("／拉黑 ben", "是不是想用 /屏蔽"),
            ("/昵称 zoe", "不能更改"),
            ("/注销", "是不是想用 /登出"),
            ("/退出登录", "是不是想用 /登出"),
        ):
            self.assertIn(answer, refused(parse(typed), Words("zh")), typed)
        self.assertEqual(getattr(parse("、撤回").command, "verb", ""), "undo")
        names = {name for command in COMMANDS for name in command.names}
        self.assertLessEqual(set(ELSEWHERE.values()), names)
        self.assertFalse(names & {*ELSEWHERE, *RENAMING}, "what is a command here")

    def test_a_command_is_completed_by_its_first_name_before_others(
        self,
    ) -> None:
        self.assertEqual(list(completions("/d"))[-1], "/dm ")
        self.assertEqual(list(completions("/q")), ["/quit ", "/query ", "/quiet "])
        self.assertEqual(list(completions("//")), [])

    def test_the_doctor_tells_what_is_well_and_what_is_not(self) -> None:
        screen = lively(size=(59, 30))
        text = "\n".join(screen.enter("/doctor"))
        self.assertIn("✗ The window is 59 by 30: from 60 by 14 on", text)
        self.assertIn("✓ The server answers in 0 ms", text)
        self.assertIn("the.log", text)

    def test_what_the_doctor_finds_has_its_limits_and_its_words(self) -> None:
        well = Examined(60, 14, 256, False, False, 0.49, 29.9, "always", "a.log", "xterm", "utf8")
        ill = Examined(60, 13, 256, True, True, 0.51, -31.0, "", "a.log", "dumb", "ASCII")
        self.assertEqual([key for good, key, _ in examine(well) if not good], [])
        wrong = {key for good, key, _ in examine(ill) if not good}
        wanted = ("size-bad", "term-bad", "charset-bad", "ascii", "server-bad", "clock-bad")
        self.assertEqual(wrong, {f"doctor-{each}" for each in wanted})
        away = [key for good, key, _ in examine(replace(well, round_trip=None)) if not good]
        self.assertIn("doctor-no-server", away)
        for language in LANGUAGES:
            for found in (well, ill):
                for _, key, values in examine(found):
                    self.assertNotIn("{", Words(language)(key, **values))

    def test_search_finds_and_goes_there(self) -> None:
        log = [entry(each, time=NOON + each * 2_000) for each in range(1, 400)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=399, read=399)}
        screen = Screen(client, (80, 24))
        screen.text()
        self.assertIn("1 found", "\n".join(screen.enter("/search message 42")))
        text = "\n".join(screen.press("enter"))
        self.assertIn("message 42", text)
        self.assertNotIn("message 399", text)
