"""Lists that are chosen from: the side panes, the switcher, the help, what commands list."""

from unittest import TestCase

from chat.messages import Sanction
from tests.tui_builders import (
    lively,
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
            screen.type("hi")
            self.assertEqual(screen.desk.composer.editor.text, f"{command} hi")
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
