"""The player of recordings: as fast as it was, in steps, and with nothing that runs on unseen."""

import io

from twisted.internet.task import Clock

from chat.client.language.words import Words
from chat.client.tui.recording.player import LONGEST_PAUSE, Player, print_screens
from chat.client.tui.recording.replay import Replay, read_tape
from tests.test_recording import RecordingTestCase


class PlayerTests(RecordingTestCase):
    def player(self, speed: float = 1.0) -> Player:
        """Plays a session in which somebody types ``abc``, a second for each letter, then waits."""
        screen = self.screen()
        for letter in "abc":
            self.clock.advance(1)
            screen.type(letter)
        self.clock.advance(1000)
        screen.type("d")
        self.time = Clock()
        player = Player(Replay(read_tape(self.path)), Words("en"), self.time, speed)
        self.left = False
        player.leave = self.leave
        player.go_on()
        return player

    def leave(self) -> None:
        self.left = True

    def text(self, player: Player, size: tuple[int, int] = (100, 30)) -> str:
        canvas = player.render(size, focus=True)
        self.assertEqual((canvas.cols(), canvas.rows()), size)
        return "\n".join(canvas.decoded_text)

    def pass_time(self, seconds: float) -> None:
        """In steps, as a reactor does: each thing waits for the one before it."""
        for _ in range(round(seconds * 100)):
            self.time.advance(0.01)

    def test_it_takes_as_long_as_it_did(self) -> None:
        player = self.player()
        self.pass_time(0.5)
        self.assertNotIn("› a", self.text(player))
        self.pass_time(1.0)
        self.assertIn("› a ", self.text(player))
        self.pass_time(2.0)
        self.assertIn("› abc ", self.text(player))

    def test_nobody_waits_for_somebody_who_went_for_coffee(self) -> None:
        player = self.player()
        self.pass_time(3.2 + LONGEST_PAUSE)
        self.assertIn("› abcd", self.text(player))
        self.assertTrue(player.replay.done)
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_faster_slower_and_in_steps(self) -> None:
        player = self.player(speed=1.0)
        player.keypress((100, 30), "+")
        self.assertIn("×2", self.text(player))
        self.pass_time(1.6)
        self.assertIn("› abc ", self.text(player))
        for _ in range(9):
            player.keypress((100, 30), "-")
        self.assertIn("×0.25", self.text(player))
        player.keypress((100, 30), "right")
        self.assertTrue(player.paused)
        self.assertIn("› abcd", self.text(player))

    def test_paused_nothing_happens(self) -> None:
        player = self.player()
        player.keypress((100, 30), " ")
        self.pass_time(20)
        self.assertNotIn("› a", self.text(player))
        player.keypress((100, 30), " ")
        self.pass_time(1.1)
        self.assertIn("› a ", self.text(player))

    def test_it_is_left_by_the_keys_that_leave_and_no_other_does_anything(self) -> None:
        player = self.player()
        self.assertEqual(player.keypress((100, 30), "x"), "x")
        self.assertFalse(self.left)
        player.keypress((100, 30), "q")
        self.assertTrue(self.left)

    def test_a_line_that_is_none_ends_it_and_says_so(self) -> None:
        self.player()
        with self.path.open("ab") as file:
            file.write(b'[1003.5,"event","Nonsense",{}]\n')
        player = Player(Replay(read_tape(self.path)), Words("en"), self.time, 1.0)
        player.leave = self.leave
        player.go_on()
        self.pass_time(4 + 2 * LONGEST_PAUSE)
        self.assertTrue(self.left)
        assert player.trouble is not None
        lines = self.path.read_bytes().count(b"\n")
        self.assertEqual(player.trouble.values, {"line": lines})

    def test_a_screen_of_another_size_is_cut_or_filled_up(self) -> None:
        player = self.player()
        for size in ((20, 5), (80, 25), (200, 60), (1, 2)):
            self.text(player, size)

    def test_every_screen_is_printed_once_with_its_moment(self) -> None:
        self.player()
        output = io.StringIO()
        print_screens(self.path, output, every=True)
        text = output.getvalue()
        for written in ("› a\n", "› ab\n", "› abc\n", "› abcd\n"):
            self.assertEqual(text.count(written), 1, written)
        self.assertIn("--- 1.000 s", text)
        self.assertIn("--- 1003.000 s", text)
