"""The small parts of the screen: redrawing, drafts on disk, what the environment asks for."""

import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import TestCase

import urwid
from twisted.internet.task import Clock

from chat.client.errors import Untrusted
from chat.client.files.paths import Profile
from chat.client.model import Model
from chat.client.tui.commands.keys import key_name
from chat.client.tui.drafts import Drafts
from chat.client.tui.entrance.start import Start
from chat.client.tui.options import (
    asks_background,
    bright_by_bold,
    choose_theme,
    full_emoji,
    needs_ascii,
)
from chat.client.tui.panes.forms import Field, Form, Menu, MenuItem, first_menu
from chat.client.tui.root import Root
from chat.client.tui.terminal.redraw import FRAME, LONGEST, PACE, Redraw
from chat.client.tui.themes import THEMES
from tests.tui_builders import ME, look, room


class RedrawTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.drawn: list[float] = []
        self.whole: list[bool] = []
        self.bytes = 10
        self.free = True
        self.redraw = Redraw(self.clock, self.draw, lambda: self.free)

    def draw(self, everything: bool) -> int:
        self.drawn.append(self.clock.seconds())
        self.whole.append(everything)
        return self.bytes

    def flood(self) -> int:
        """Something changes every millisecond for a second; how often that was drawn."""
        for _ in range(1000):
            self.redraw.soon()
            self.clock.advance(0.001)
        return len(self.drawn)

    def test_a_thousand_wishes_are_one_drawing(self) -> None:
        for _ in range(1000):
            self.redraw.soon()
        self.clock.advance(FRAME)
        self.assertEqual(len(self.drawn), 1)

    def test_there_are_at_most_thirty_drawings_a_second(self) -> None:
        self.assertIn(self.flood(), (29, 30, 31))

    def test_frames_of_many_bytes_are_as_many_as_a_modem_carries_but_not_below_three(
        self,
    ) -> None:
        self.bytes = round(PACE / 20)
        self.assertIn(self.flood(), (19, 20, 21))
        self.bytes, self.drawn = 100 * PACE, []
        self.assertIn(self.flood(), (3, 4))
        self.assertEqual(LONGEST, 0.3)

    def test_a_key_is_drawn_at_once_and_what_came_before_it_waits_for_its_time(self) -> None:
        self.redraw.now()
        self.redraw.soon()
        self.redraw.after(lambda: None)
        self.assertEqual((self.drawn, self.whole), ([0.0, 0.0], [True, False]))
        self.clock.advance(1)
        self.assertEqual(self.whole, [True, False, True])
        self.clock.advance(1)
        self.assertEqual(len(self.drawn), 3)

    def test_what_a_key_changes_elsewhere_is_drawn_with_it(self) -> None:
        self.redraw.now()

        def handle() -> int:
            self.redraw.soon()
            return len(self.drawn)

        self.assertEqual(self.redraw.after(handle), 1)
        self.assertEqual((self.drawn, self.whole), ([0.0, 0.0], [True, True]))
        self.clock.advance(1)
        self.assertEqual(len(self.drawn), 2)

    def test_nothing_is_drawn_while_the_terminal_takes_nothing_and_all_of_it_afterwards(
        self,
    ) -> None:
        self.free = False
        self.flood()
        self.redraw.after(lambda: None)
        self.assertEqual(self.drawn, [])
        self.free = True
        self.redraw.drained()
        self.redraw.drained()
        self.assertEqual(self.whole, [True])

    def test_nothing_is_drawn_while_nothing_happens(self) -> None:
        self.redraw.soon()
        self.clock.advance(1)
        self.clock.advance(3600)
        self.assertEqual(len(self.drawn), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


_WRITER = """
import sys
from pathlib import Path
from chat.client.tui.drafts import Drafts
drafts, number = Drafts(Path(sys.argv[1])), 0
while True:
    number += 1
    drafts.save({"#lobby": f"{number} " * 50_000})
    print(number, flush=True)
"""


class DraftsTests(TestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="drafts", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.path = self.home / "deep" / "drafts.json"

    def test_what_was_saved_comes_back_and_only_the_owner_can_read_it(self) -> None:
        Drafts(self.path).save({"#lobby": "hello 你好\n", "@2": "x"})
        self.assertEqual(Drafts(self.path).load(), {"#lobby": "hello 你好\n", "@2": "x"})
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual([each.name for each in self.path.parent.iterdir()], ["drafts.json"])

    def model(self, *names: str) -> Model:
        model = Model()
        model.logged_in(ME, [room(each) for each in names])
        return model

    def keep(self, open_room: str, **texts: str) -> None:
        """Save as somebody in ``open_room`` does who has begun ``texts``, by rooms."""
        model = self.model(*(f"#{name}" for name in ("lobby", open_room, *texts)))
        model.show(f"#{open_room}")
        for name, text in texts.items():
            model.conversation(f"#{name}").draft = text
        Drafts(self.path).keep(model, lambda work: work())

    def test_one_begins_where_one_was_with_what_was_begun(self) -> None:
        self.keep("cats", dogs="half")
        model, drafts = self.model("#lobby", "#cats", "#dogs"), Drafts(self.path)
        drafts.resume(model)
        self.assertEqual((model.open, model.conversation("#dogs").draft), ("#cats", "half"))
        self.assertEqual(drafts.open, "#cats")

    def test_in_the_lobby_where_one_is_in_there_no_more(self) -> None:
        self.keep("cats", cats="half")
        model = self.model("#lobby", "#dogs")
        Drafts(self.path).resume(model)
        self.assertEqual((model.open, list(model.conversations)), ("#lobby", ["#lobby", "#dogs"]))

    def test_what_was_begun_where_one_is_not_waits_until_one_is(self) -> None:
        self.keep("lobby", cats="half")
        model, drafts = self.model("#lobby"), Drafts(self.path)
        drafts.resume(model)
        drafts.keep(model, lambda work: work())
        Drafts(self.path).resume(model)
        drafts.resume_in(model.show("#cats"))
        self.assertEqual(model.conversation("#cats").draft, "half")
        drafts.keep(self.model("#lobby"), lambda work: work())
        self.assertNotIn("#cats", Drafts(self.path).load())

    def test_who_is_not_to_stay_begins_in_the_lobby_and_is_not_followed(self) -> None:
        self.keep("cats")
        model, drafts = self.model("#lobby", "#cats"), Drafts(self.path, stay=False)
        drafts.resume(model)
        self.assertEqual(model.open, "#lobby")
        drafts.keep(model, lambda work: work())
        self.assertEqual(Drafts(self.path).load(), {"open": "#cats"})

    def test_a_disk_that_comes_late_to_it_writes_the_newest(self) -> None:
        drafts, later = Drafts(self.path), list[Callable[[], None]]()
        drafts.save({"@2": "half"}, later.append)
        drafts.save({"@2": "half a thought"}, later.append)
        self.assertEqual(drafts.load(), {})
        drafts.save({"@2": "a whole thought"})
        for each in later:
            each()
        self.assertEqual(Drafts(self.path).load(), {"@2": "a whole thought"})

    def test_whatever_kills_the_program_they_are_whole_and_the_newest(self) -> None:
        command = [sys.executable, "-c", _WRITER, str(self.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(8):
                saved = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split()
        saved = int(rest[-1]) if rest else saved
        (number,) = set(Drafts(self.path).load()["#lobby"].split())
        self.assertIn(int(number), (saved, saved + 1))

    def test_a_broken_file_is_no_drafts(self) -> None:
        self.path.parent.mkdir()
        for broken in ("", "{", "[1]", '"x"'):
            self.path.write_text(broken)
            self.assertEqual(Drafts(self.path).load(), {})

    def test_a_directory_that_cannot_be_written_loses_nothing_else(self) -> None:
        (self.home / "deep").write_text("a file")
        drafts = Drafts(self.path)
        drafts.save({"#lobby": "x"})
        self.assertEqual(drafts.load(), {})


class StartTests(TestCase):
    def test_what_is_seen_first_is_the_menu_that_can_be_chosen_from(self) -> None:
        around = SimpleNamespace(look=look(), leave=lambda: None)
        start = Start(None, around, Profile(), "", "")  # type: ignore[arg-type]
        first = first_menu(around.look).render((80, 24)).decoded_text
        self.assertEqual(first, start.menu.render((80, 24)).decoded_text)

    def test_whatever_is_learned_of_a_server_no_item_gets_another_number(self) -> None:
        """Who presses 1 to log in, just when nobody vouches for the server, believes nothing."""
        around = SimpleNamespace(look=look(), leave=lambda: None)
        start = Start(None, around, Profile(), "", "anna")  # type: ignore[arg-type]

        def numbered() -> dict[str, int]:
            keys = [each.key for each in start.menu.items()]
            return dict(zip(keys, start.menu.numbers(), strict=True))

        always = numbered()
        start._absent = "Connection was refused by other side"
        start._doubted = Untrusted("AB", "", "the server made it itself")
        then = numbered()
        self.assertEqual({key: then[key] for key in always}, always)
        more = {"menu-start-server", "menu-offline", "menu-trust"}
        self.assertEqual(set(then) - set(always), more)
        self.assertEqual(list(then)[-1], "menu-leave")


class ReadableTests(TestCase):
    def test_every_colour_can_be_read_on_what_is_behind_it(self) -> None:
        for name, empty in (("dark", (0, 0, 0)), ("light", (255, 255, 255))):
            for role, (*_, front, behind) in THEMES[name].styles.items():
                spec = urwid.AttrSpec(front or "default", behind or "default", 256)
                *letters, red, green, blue = spec.get_rgb_values()
                if front and role != "rule":
                    ground = (red, green, blue) if behind else empty
                    self.assertGreater(_contrast(letters, ground), 4.5, (name, role))


def _contrast(*colours: Sequence[int]) -> float:
    """By WCAG 2.2, which asks for 4.5 between a text and its ground."""
    lights = []
    for colour in colours:
        parts = [each / 255 for each in colour]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)


class EnvironmentTests(TestCase):
    def test_the_theme_is_what_was_asked_else_what_the_terminal_says(self) -> None:
        for wanted, environ, theme in (
            ("", {}, "dark"),
            ("light", {"NO_COLOR": "1"}, "light"),
            ("", {"NO_COLOR": "1"}, "mono"),
            ("", {"NO_COLOR": ""}, "dark"),
            ("", {"COLORFGBG": "0;15"}, "light"),
            ("", {"COLORFGBG": "15;0"}, "dark"),
        ):
            self.assertEqual(choose_theme(wanted, environ), theme)
            self.assertIn(theme, THEMES)

    def test_a_terminal_is_asked_how_bright_it_is_where_nobody_chose_colours(self) -> None:
        for wanted, environ, asked in (
            ("", {"TERM": "xterm-256color"}, True),
            ("", {"TERM": "tmux-256color", "COLORFGBG": "0;15"}, True),
            ("dark", {"TERM": "xterm"}, False),
            ("", {"TERM": "xterm", "NO_COLOR": "1"}, False),
            ("", {"TERM": "linux"}, False),
            ("", {"TERM": "vt100"}, False),
        ):
            self.assertIs(asks_background(wanted, environ), asked)

    def test_what_is_dim_is_not_black_on_black_where_a_multiplexer_stands_between(self) -> None:
        for term in ("screen", "tmux", "screen.xterm"):
            self.assertIs(bright_by_bold({"TERM": term}), False)
        for term in ("linux", "xterm", ""):
            self.assertIsNone(bright_by_bold({"TERM": term}))

    def test_signs_are_ascii_where_the_locale_has_no_unicode(self) -> None:
        self.assertTrue(needs_ascii({"LANG": "de_DE.ISO-8859-1"}))
        self.assertFalse(needs_ascii({"LANG": "zh_CN.UTF-8"}))
        self.assertFalse(needs_ascii({"LC_ALL": "en_US.utf8@x", "LANG": "de_DE.ISO-8859-1"}))
        self.assertFalse(needs_ascii({"LANG": "C.UTF-8", "TERM": "xterm"}))
        self.assertTrue(needs_ascii({"LANG": "C.UTF-8", "TERM": "linux"}))

    def test_emoji_are_left_alone_only_on_terminals_known_to_draw_them(self) -> None:
        self.assertTrue(full_emoji("full", {}))
        self.assertFalse(full_emoji("text", {"TERM": "xterm-kitty"}))
        self.assertTrue(full_emoji("auto", {"TERM": "xterm-kitty"}))
        self.assertFalse(full_emoji("auto", {"TERM": "xterm-kitty", "TMUX": "x"}))
        self.assertFalse(full_emoji("auto", {"TERM": "xterm-256color"}))


class FormTests(TestCase):
    def form(self) -> tuple[Form, list[list[str]]]:
        sent: list[list[str]] = []
        fields = [Field("Name"), Field("Password", hidden=True)]
        made = Form(look(), "Log in", fields, lambda values: sent.append(list(values)), sent.clear)
        return made, sent

    def test_enter_goes_on_and_submits_from_the_last_field(self) -> None:
        form, sent = self.form()
        form.insert("anna")
        form.choose()
        form.insert("secret")
        self.assertEqual(sent, [])
        form.choose()
        self.assertEqual(sent, [["anna", "secret"]])

    def test_what_is_typed_right_behind_esc_is_not_lost_before_the_menu_either(self) -> None:
        chosen: list[int] = []
        root = Root(chosen.clear, Clock().seconds)
        items = [MenuItem("menu-login", lambda: chosen.append(1)) for _ in range(2)]
        menu = Menu(look(), lambda: items)
        root.show(Form(look(), "Log in", [Field("Name")], chosen.extend, lambda: root.show(menu)))
        for key in ("meta 1", "meta 0"):
            root.keypress((80, 24), key)
        self.assertEqual(chosen, [1, 1])

    def test_a_password_is_never_drawn(self) -> None:
        form, _ = self.form()
        form.move(1)
        form.insert("secret")
        for size in ((80, 24), (20, 6), (3, 2)):
            text = "".join(form.render(size, focus=True).decoded_text)
            self.assertNotIn("secret", text)
        self.assertIn("••••••", "".join(form.render((80, 24), focus=True).decoded_text))

    def test_on_eight_rows_what_went_wrong_and_the_field_it_is_about_are_seen(self) -> None:
        form, _ = self.form()
        form.fields = [*form.fields, Field("Once more", hidden=True)]
        form.say("That name is taken already: choose another one, please.", bad=True)
        for place, each in enumerate(form.fields):
            form.again(place)
            shown = form.render((30, 8), focus=True)
            rows = [row.rstrip() for row in shown.decoded_text]
            self.assertIn("That name is taken already:", rows)
            self.assertIn("choose another one, please.", rows)
            assert shown.cursor is not None
            self.assertTrue(rows[shown.cursor[1]].startswith(each.label))
            form.click(rows.index("Name"))
            self.assertEqual(form.selected, 0)

    def test_nothing_is_submitted_twice_while_the_server_thinks(self) -> None:
        form, sent = self.form()
        form.selected = 1
        form.busy = True
        form.choose()
        self.assertEqual(sent, [])


class KeyNameTests(TestCase):
    def test_keys_are_written_as_people_know_them(self) -> None:
        for key, shown in (
            ("ctrl k", "Ctrl-K"),
            ("meta a", "Alt-A"),
            ("meta Z", "Alt-Shift-Z"),
            ("meta enter", "Alt-Enter"),
            ("page up", "PgUp"),
            ("f1", "F1"),
            ("shift tab", "Shift-Tab"),
            ("?", "?"),
        ):
            self.assertEqual(key_name(key), shown)
