"""Writing: keys, completion, cutting, undo, history, pastes."""

from errno import ENOSPC
from unittest import TestCase
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client.tui.commands.table import written
from chat.client.tui.panes.composer import Paste
from chat.client.tui.panes.editor import EDITS, Editor
from chat.client.tui.panes.layout import Pane
from tests.test_text import NASTY
from tests.tui_builders import (
    lively,
)


class ComposerTests(TestCase):
    def test_enter_sends_and_alt_enter_makes_a_line(self) -> None:
        screen = lively()
        screen.type("one")
        screen.press("meta enter")
        screen.enter("two")
        self.assertIn(("send", ("#lobby", "one\ntwo")), screen.client.asked)
        self.assertEqual(screen.desk.composer.editor.text, "")

    def test_unknown_commands_and_commands_behind_a_space_are_never_sent(self) -> None:
        screen = lively()
        for text in ("/nonsense now", " /quit", "/", "/etc/passwd"):
            screen.press("ctrl c")
            screen.enter(text)
            self.assertEqual(screen.desk.composer.editor.text, text)
            ((role, _), _) = screen.desk.status.rows_of(80, 1, False)[0]
            self.assertEqual(role, "status bad", text)
        self.assertEqual([what for what, _ in screen.client.asked if what == "send"], [])

    def test_a_command_with_a_wide_slash_is_one_and_another_text_with_it_is_none(self) -> None:
        screen = lively("zh")
        texts = ("\uff0f(^o^)\uff3c", "\uff0f", "\uff0f\uff0f", "\u3001", "\uff0f好的")
        for text in ("\uff0fmsg ben a secret", *texts, " \uff0fquit"):
            screen.enter(text)
        sent = [what for kind, what in screen.client.asked if kind == "send"]
        self.assertEqual(sent, [("@2", text) for text in ("a secret", *texts)])
        self.assertFalse(screen.left)
        self.assertEqual(screen.desk.composer.editor.text, " \uff0fquit")

    def test_chinese_keyboards_write_commands_their_own_way(self) -> None:
        for text, asked in (
            ("\uff0f加入\u3000\uff03cats", ("join", "#cats")),
            ("\u3001join \uff03cats", ("join", "#cats")),
            ("\u3001私聊\u3000\uff20ben\u3000好\u3000的", ("send", ("@2", "好\u3000的"))),
            ("/me \uff03\u3000x", ("send", ("#lobby", "/me \uff03\u3000x"))),
        ):
            screen = lively("zh")
            screen.enter(text)
            self.assertIn(asked, screen.client.asked, text)

    def test_a_slip_in_a_command_with_a_wide_slash_is_not_said_to_all(self) -> None:
        for text, meant in (
            ("\uff0fhlep", "/help"),
            ("\u3001querry x", "/query"),
            ("\uff0fpm b", "/msg"),
        ):
            screen = lively("zh", size=(100, 30))
            self.assertIn(meant, "\n".join(screen.enter(text)), text)
            self.assertEqual(screen.desk.composer.editor.text, text)
            self.assertNotIn("send", [what for what, _ in screen.client.asked])

    def test_a_command_without_its_slash_is_asked_about_once(self) -> None:
        screen = lively(size=(100, 30))
        for text, meant in (("help", "/help"), (" Exit", "/quit"), (":q", "/quit")):
            self.assertIn(f"Is {meant} meant?", "\n".join(screen.enter(text)))
            self.assertEqual(screen.desk.composer.editor.text, text)
            self.assertNotIn(("send", ("#lobby", text)), screen.client.asked)
            screen.press("enter")
            self.assertIn(("send", ("#lobby", text)), screen.client.asked)
        screen.enter("back")
        self.assertIn(("send", ("#lobby", "back")), screen.client.asked)

    def test_who_has_done_something_else_meanwhile_is_asked_again(self) -> None:
        screen = lively(size=(100, 30))
        for between in ("", "/help"):
            self.assertIn("Is /help meant?", "\n".join(screen.enter("help")))
            screen.press("ctrl c")
            screen.type(between)
            screen.press("enter", "esc")
        self.assertNotIn("send", [what for what, _ in screen.client.asked])

    def test_wide_signs_are_completed_as_narrow_ones(self) -> None:
        for typed, completed in (
            ("\uff20b", "@ben: "),
            ("你好\uff20b", "你好@ben "),
            ("看\u3000\uff20陈", "看\u3000@陈晓明 "),
            ("\uff03c", "#cats "),
            ("/msg\u3000\uff20b", "/msg\u3000@ben "),
            ("好\uff1arocket", "好🚀"),
        ):
            screen = lively("zh")
            screen.type(typed)
            screen.press("tab")
            self.assertEqual(screen.desk.composer.editor.text, completed)

    def test_what_can_be_completed_is_said_so_while_it_is_written(self) -> None:
        screen = lively(size=(80, 24))
        for text in (
            "/",
            "/jo",
            "\uff0f",
            "@",
            "hello @b",
            ":sm",
            "请@",
            "#",
            "请\uff20",
            "\uff03",
        ):
            self.assertTrue(screen.type(text)[-1].startswith(" Tab complete  F1 help"), text)
            screen.press("ctrl c")
        for text in ("hello", "/join ", "a/b", "me@x.org"):
            self.assertTrue(screen.type(text)[-1].startswith(" F1 help"), text)
            screen.press("ctrl c")

    def test_the_second_colon_makes_an_emoji_and_undo_brings_the_name_back(self) -> None:
        screen = lively()
        for typed, text in (
            ("well :rocket:", "well 🚀"),
            ("好:火:的", "好🔥的"),
            (":Rocket:", "🚀"),
            ("at 12:100:", "at 12:100:"),
            ("a:rocket:", "a:rocket:"),
            ("镜像:python:3.11", "镜像:python:3.11"),
            ("好，:fire::100:", "好，🔥💯"),
            ("no :nonsense: here", "no :nonsense: here"),
            (":rocket :x", ":rocket :x"),
        ):
            screen.type(typed)
            self.assertEqual(screen.desk.composer.editor.text, text)
            screen.press("ctrl c")
        screen.type(":rocket:")
        screen.press("ctrl _")
        self.assertEqual(screen.desk.composer.editor.text, ":rocket:")
        screen.press("ctrl c")
        screen.paste(":rocket:")
        self.assertEqual(screen.desk.composer.editor.text, ":rocket:")

    def test_undo_takes_a_completion_back(self) -> None:
        screen = lively()
        screen.type("well, be")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "well, @ben ")
        screen.press("ctrl _")
        self.assertEqual(screen.desk.composer.editor.text, "well, be")

    def test_every_space_that_is_typed_is_written(self) -> None:
        for space, shown, said in (("\u3000", "好  的", "好\u3000的"), ("\xa0", *["好 的"] * 2)):
            screen = lively("zh")
            self.assertIn(f"› {shown}", "\n".join(screen.type(f"好{space}的")))
            screen.press("enter")
            self.assertIn(("send", ("#lobby", said)), screen.client.asked)
            screen.paste(f"好{space}的")
            self.assertEqual(screen.desk.composer.editor.text, said)

    def test_any_space_ends_a_command_and_a_name(self) -> None:
        for text in (
            "/msg ben\nhello\nyou",
            "/msg\u3000ben\u3000hello\nyou",
            "/msg\nben  hello\nyou",
        ):
            screen = lively()
            screen.paste(text)
            screen.press("enter")
            sent = [what for kind, what in screen.client.asked if kind == "send"]
            self.assertEqual(sent, [("@2", "hello\nyou")], text)

    def test_a_full_disk_is_said_and_what_was_typed_stays(self) -> None:
        screen = lively()
        with patch.object(screen.client, "send", side_effect=OSError(ENOSPC, "No space left")):
            for typed, left in (("hello", "hello"), ("/msg ben a secret", "a secret")):
                screen.press("ctrl c")
                shown = "\n".join(screen.enter(typed))
                self.assertIn("Not sent: it cannot be kept on this machine (No space left)", shown)
                self.assertEqual(screen.desk.composer.editor.text, left)
        screen.press("enter")
        self.assertIn(("send", ("@2", "a secret")), screen.client.asked)

    def test_two_slashes_say_one(self) -> None:
        screen = lively()
        screen.enter("//etc/passwd")
        self.assertIn(("send", ("#lobby", "/etc/passwd")), screen.client.asked)

    def test_a_wide_slash_or_a_comma_before_a_latin_word_is_said_when_it_is_doubled(self) -> None:
        for sign in "\uff0f\u3001":
            screen = lively("zh", size=(100, 30))
            self.assertIn(f"请写 {sign}{sign}etc。", "\n".join(screen.enter(f"{sign}etc 是目录")))
            screen.press("home", sign, "enter")
            self.assertIn(("send", ("#lobby", f"{sign}etc 是目录")), screen.client.asked)
            screen.press("up")
            self.assertEqual(screen.desk.composer.editor.text, f"{sign}{sign}etc 是目录")
            self.assertEqual(written(f"{sign}etc"), f"{sign}{sign}etc")
            self.assertEqual(written(f"{sign}好"), f"{sign}好")

    def test_quit_in_both_spellings_leaves(self) -> None:
        for text in ("/q", "/quit", "/Q"):
            screen = lively()
            screen.enter(text)
            self.assertTrue(screen.left, text)

    def test_a_draft_stays_with_its_conversation(self) -> None:
        screen = lively()
        screen.type("for the lobby")
        screen.press("meta 2")
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.type("for cats")
        screen.press("meta 1")
        self.assertEqual(screen.desk.composer.editor.text, "for the lobby")
        screen.press("meta 2")
        self.assertEqual(screen.desk.composer.editor.text, "for cats")

    def test_a_short_paste_is_one_edit_and_sends_nothing(self) -> None:
        screen = lively()
        screen.paste("a\nb\nc")
        self.assertEqual(screen.desk.composer.editor.text, "a\nb\nc")
        screen.press("ctrl _")
        self.assertEqual(screen.desk.composer.editor.text, "")
        self.assertEqual([what for what, _ in screen.client.asked if what == "send"], [])

    def test_a_paste_of_whole_lines_ends_with_the_last_of_them(self) -> None:
        screen = lively()
        screen.paste("a\nb\n")
        self.assertEqual(screen.desk.composer.editor.text, "a\nb")
        screen.press("ctrl c")
        self.assertIn("Paste 6 lines?", "\n".join(screen.paste("x\n" * 6)))

    def test_a_long_paste_asks_first(self) -> None:
        screen = lively()
        text = "\n".join(f"line {each}" for each in range(200))
        self.assertIn("Paste 200 lines?", "\n".join(screen.paste(text)))
        screen.press("esc")
        self.assertEqual(screen.desk.composer.editor.text, "")
        screen.paste(text)
        screen.press("enter")
        self.assertEqual(screen.desk.composer.editor.text, text)

    def test_an_escape_in_a_paste_stays_text(self) -> None:
        screen = lively()
        screen.press("begin paste", "a", "esc", "ctrl q", "b", "end paste")
        self.assertEqual(screen.desk.composer.editor.text, "ab")
        self.assertFalse(screen.left)

    def test_a_paste_that_comes_in_pieces_keeps_what_is_joined(self) -> None:
        screen = lively()
        family, accented = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "n\u0303"
        screen.press("begin paste", "a", family, accented, *family, "page up", "b", "end paste")
        self.assertEqual(screen.desk.composer.editor.text, f"a{family}\u00f1{family}b")

    def test_a_paste_whose_end_never_comes_ends_with_the_key_that_no_paste_has(self) -> None:
        screen = lively()
        screen.press("begin paste", *"half", "esc", "enter", *"more", "ctrl c")
        self.assertEqual(screen.desk.composer.editor.text, "half\nmore")
        screen.press("!", "ctrl c", "x")
        self.assertEqual(screen.desk.composer.editor.text, "x")

    def test_joined_emoji_come_from_a_key_as_they_are_and_a_joiner_alone_is_nothing(self) -> None:
        screen = lively()
        family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
        screen.press("a", family, "\u200d", "b")
        self.assertEqual(screen.desk.composer.editor.text, f"a{family}b")
        screen.press("backspace", "backspace")
        self.assertEqual(screen.desk.composer.editor.text, "a")

    def test_tab_completes_commands_and_names_and_goes_round(self) -> None:
        screen = lively()
        screen.type("/jo")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "/join ")
        screen.press("ctrl c")
        screen.type("@")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "@陈晓明: ")
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "@ben: ")
        screen.press("shift tab")
        self.assertEqual(screen.desk.composer.editor.text, "@陈晓明: ")
        screen.press("x", "shift tab")
        self.assertEqual(screen.desk.active, Pane.CONVERSATIONS)

    def test_tab_completes_a_bare_name_anywhere_and_what_a_command_takes(self) -> None:
        screen = lively()
        for typed, completed in (
            ("be", "@ben: "),
            ("ask BE", "ask @ben "),
            ("/msg be", "/msg ben "),
            ("/kick @be", "/kick @ben "),
            ("/msg ben tell 陈", "/msg ben tell @陈晓明 "),
            ("/whois ", "/whois 陈晓明 "),
            ("/go be", "/go ben "),
            ("/go lob", "/go #lobby "),
            ("/leave ca", "/leave #cats "),
            ("/theme li", "/theme light "),
            ("/help ki", "/help kick "),
            ("nobody", "nobody"),
            ("two  ", "two  "),
            ("/busy be", "/busy be"),
        ):
            screen.press("ctrl c")
            screen.type(typed)
            screen.press("tab")
            self.assertEqual(screen.desk.composer.editor.text, completed)

    def test_tab_completes_emoji_by_name_in_both_languages(self) -> None:
        screen = lively()
        for typed, wanted in (
            (":roc", "🚀"),
            (":火箭", "🚀"),
            ("well :+1", "well 👍"),
            ("好的:赞", "好的👍"),
            ("今晚@be", "今晚@ben "),
            (":nosuchname", ":nosuchname"),
            ("12:30", "12:30"),
        ):
            screen.type(typed)
            screen.press("tab")
            self.assertEqual(screen.desk.composer.editor.text, wanted)
            screen.press("ctrl c")
        screen.type(":cat")
        self.assertIn("[🐱]", screen.press("tab")[-1])
        screen.press("tab")
        self.assertEqual(screen.desk.composer.editor.text, "😺")

    def test_up_browses_and_keeps_the_unsent_line(self) -> None:
        screen = lively()
        for text in ("first", "second"):
            screen.enter(text)
        screen.type("unsent")
        screen.press("up", "up")
        self.assertEqual(screen.desk.composer.editor.text, "first")
        screen.press("down", "down")
        self.assertEqual(screen.desk.composer.editor.text, "unsent")

    def test_up_and_down_go_by_the_rows_of_a_long_line_before_they_browse(self) -> None:
        screen = lively(size=(40, 20))
        screen.enter("first")
        editor = screen.desk.composer.editor
        screen.type("0123456789" * 9 + "好人")  # rows of 38 columns, the last one of 18
        unsent = editor.text
        places = []
        for key in ("up", "up", "down", "down", "down"):
            screen.press(key)
            places.append(editor.cursor)
        self.assertEqual(places, [56, 18, 56, 92, 92])
        screen.press("up", "x", "ctrl _")
        self.assertEqual(editor.text, unsent, "what was typed elsewhere is undone by itself")
        screen.press("up", "up", "up", "up")
        self.assertEqual(editor.text, "first")
        screen.press("down")
        self.assertEqual(editor.text, unsent)

    def test_up_and_down_keep_their_column_across_shorter_rows(self) -> None:
        screen = lively()
        editor = screen.desk.composer.editor
        screen.paste("one two\n\n好的\nthree four")
        screen.press("left", "left", "left", "left")
        places = []
        for key in ("up", "up", "up", "down", "down", "down"):
            screen.press(key)
            places.append(editor.cursor)
        self.assertEqual(places, [11, 8, 6, 8, 11, 18])
        screen.press("home", "up", "up", "up")
        self.assertEqual(editor.cursor, 0)

    def test_up_and_down_begin_where_one_went_meanwhile(self) -> None:
        for between in ("left", "right"), ("x", "backspace"):
            screen = lively()
            screen.paste("one two\n\nthree")
            screen.press("up", *between, "up")
            self.assertEqual(screen.desk.composer.editor.cursor, 0, between)

    def test_a_long_text_that_is_brought_back_does_not_stand_before_those_older_than_it(
        self,
    ) -> None:
        screen = lively(size=(40, 20))
        for text in ("first", "long " * 20):
            screen.enter(text)
        editor = screen.desk.composer.editor
        screen.press("up", "up")
        self.assertEqual(editor.text, "first")
        screen.press("down", "left", "up")
        self.assertEqual((editor.text, editor.cursor), ("long " * 20, 61))

    def test_a_command_that_is_put_into_the_composer_loses_nothing_that_was_begun(self) -> None:
        for keys in (
            ("shift tab", "shift tab", "/", *"bet"),
            ("ctrl k", *"/whois", "enter", *"be"),
        ):
            screen = lively()
            screen.type("half a thought")
            screen.press(*keys, *"n", "enter", "esc", "up", "up")
            self.assertEqual(screen.desk.composer.editor.text, "half a thought", keys)

    def test_it_grows_to_eight_rows_and_keeps_the_cursor_in_view(self) -> None:
        screen = lively()
        screen.paste("1\n2\n3\n4\n5")
        screen.press("meta enter", "6", "meta enter", "7", "meta enter", "8", "meta enter", "9")
        drawn = screen.root.render(screen.size, focus=True)
        self.assertEqual(screen.desk.layout.composer, 8)
        assert drawn.cursor is not None
        self.assertEqual(drawn.decoded_text[drawn.cursor[1]].strip(), "9")

    def test_what_was_written_before_is_found_by_a_part_of_it(self) -> None:
        screen = lively()
        self.assertIn("Nothing was written yet.", "\n".join(screen.press("ctrl r")))
        for text in ("the build is done", "lunch?", "the build is broken", "lunch?", "bye"):
            screen.enter(text)
        screen.type("begun")
        text = "\n".join(screen.press("ctrl r"))
        self.assertEqual(text.count("lunch?"), 3, "two were said, and it is offered once")
        screen.type("build")
        screen.press("ctrl r", "enter")
        self.assertEqual(screen.desk.composer.editor.text, "the build is done")
        screen.press("ctrl c", "up")
        self.assertEqual(screen.desk.composer.editor.text, "begun", "it was not lost")
        screen.press("ctrl c")
        screen.paste("x" * 16_000 + "needle")
        screen.press("enter", "ctrl r", *"needle", "enter")
        self.assertTrue(screen.desk.composer.editor.text.endswith("xneedle"))

    def test_how_long_a_text_is_shows_near_what_the_server_takes(self) -> None:
        for told, limit in ((0, 16_384), (100, 100)):
            screen = lively()
            screen.client.content_limit = told
            near = limit * 9 // 10
            self.assertNotIn(f"/{limit}", "\n".join(screen.paste("x" * near)))
            self.assertIn(f"{near + 1}/{limit}", "\n".join(screen.type("x")))
            self.assertIn(f"{limit}/{limit}", "\n".join(screen.paste("x" * (limit - near - 1))))
            self.assertIn("2 bytes too long", "\n".join(screen.type("é")))
            roles = {text: role for role, text in screen.desk.status.rows_of(80, 1, False)[0]}
            self.assertEqual(roles["2 bytes too long"], "status bad")

    def test_what_is_typed_right_behind_an_esc_loses_no_letter(self) -> None:
        # A terminal's Esc and a key within an eighth of a second are Alt and that key.
        screen = lively()
        screen.press("meta /", *"list")
        self.assertEqual(screen.desk.composer.editor.text, "/list", "list was said to all")
        screen.press("ctrl c", "ctrl k", "meta h", "i")
        self.assertIsNone(screen.root.popup)
        self.assertEqual(screen.desk.composer.editor.text, "hi")
        screen.press("ctrl k", "meta a")
        self.assertEqual(screen.chat.model.open, "@2", "Alt-A is Alt-A")
        screen.press("meta v", "meta ctrl u", "meta f12")
        self.assertEqual(screen.desk.context, "select", "what is no letter stays what it is")


class EditorTests(TestCase):
    @given(
        st.lists(st.one_of(st.sampled_from(sorted(EDITS)), NASTY), max_size=30),
        st.integers(1, 20),
    )
    @settings(max_examples=200, deadline=None)
    def test_any_edits_leave_a_cursor_inside_the_text_and_on_the_screen(
        self, steps: list[str], columns: int
    ) -> None:
        editor = Editor()
        for step in steps:
            if step in EDITS:
                editor.do(step)
            else:
                editor.insert(step)
            self.assertLessEqual(0, editor.cursor)
            self.assertLessEqual(editor.cursor, len(editor.text))
            rows, column, row = editor.rows(columns, lambda part: part)
            self.assertLess(row, len(rows))
            self.assertLessEqual(column, max(columns, 2))

    def test_cutting_and_putting_back(self) -> None:
        editor = Editor()
        editor.insert("one two three")
        editor.do("kill_space_back")
        editor.do("kill_space_back")
        self.assertEqual(editor.text, "one ")
        editor.do("yank")
        self.assertEqual(editor.text, "one two ")
        editor.do("yank_older")
        self.assertEqual(editor.text, "one three")

    def test_undo_takes_back_a_run_of_typing_at_once_and_redo_brings_it_back(self) -> None:
        editor = Editor()
        for each in "hello":
            editor.insert(each)
        editor.do("kill_start")
        editor.do("undo")
        self.assertEqual(editor.text, "hello")
        editor.do("undo")
        self.assertEqual(editor.text, "")
        editor.do("redo")
        self.assertEqual(editor.text, "hello")

    def test_undo_brings_back_what_was_made_of_an_older_text(self) -> None:
        editor = Editor(history=["first", "second"])
        editor.do("up")
        editor.insert(", and much more")
        editor.do("up")
        self.assertEqual(editor.text, "first")
        editor.do("undo")
        self.assertEqual(editor.text, "second, and much more")

    def test_a_mark_typed_after_its_letter_is_kept(self) -> None:
        for keys, text in (
            ("กิ่", "กิ่"),
            ("कि", "कि"),
            ("e\u0301", "é"),
            ("\u0301e", "e"),
            ("e" + "\u0323" * 9, "\u1eb9" + "\u0323" * 4),
        ):
            editor = Editor()
            for key in keys:
                editor.insert(key)
            self.assertEqual(editor.text, text)
            self.assertEqual(editor.cursor, len(text))
            editor.do("undo")
            self.assertEqual(editor.text, "")

    def test_the_cursor_steps_over_whole_characters(self) -> None:
        editor = Editor()
        editor.insert("e\u0323\u0301x")
        editor.do("left")
        editor.do("backspace")
        self.assertEqual(editor.text, "x")


class PasteTests(TestCase):
    def test_keys_outside_a_paste_are_left_alone(self) -> None:
        paste = Paste()
        self.assertIsNone(paste.take("a"))
        self.assertEqual(paste.take("begin paste"), "")
        self.assertEqual(paste.take("enter"), "")
        self.assertEqual(paste.take("end paste"), "\n")
        self.assertIsNone(paste.take("enter"))
