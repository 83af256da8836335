"""Commands: what they ask of the server, what they say, and what is and is not a command."""

from dataclasses import replace
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
from chat.client.tui.panes.layout import Pane
from chat.messages import User
from tests.tui_builders import (
    BEN,
    NOON,
    Screen,
    ScriptedClient,
    entry,
    lively,
    room,
)


class CommandTests(TestCase):
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

    def test_that_ctrl_c_once_more_leaves_is_said_as_long_as_it_does(self) -> None:
        for key in ("x", "left", "f2", "esc"):
            screen = lively()
            self.assertIn("Ctrl-C once more leaves", "\n".join(screen.press("ctrl c")))
            self.assertNotIn("Ctrl-C once more leaves", "\n".join(screen.press(key)), key)

    def test_what_a_command_answers_is_seen_by_who_has_scrolled_up(self) -> None:
        for command, wanted in (
            ("/whois ben", "ben, id 2, online"),
            ("/who", "3: anna, ben"),
            ("/topic", "planning the release"),
            ("/help join", "join a room"),
            ("/block", "have blocked nobody"),
            ("/doctor", "The log of this program"),
        ):
            screen = lively(size=(80, 12))
            screen.press("page up", "page up")
            self.assertFalse(screen.desk.messages.at_end)
            self.assertIn(wanted, "\n".join(screen.enter(command)[1:]), command)

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
            ("/unsend", "Is /undo meant?"),
            ("/fix", "Is /edit meant?"),
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
