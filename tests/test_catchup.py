"""What was missed, at reading speed: with a screen and without one."""

from unittest import TestCase

from twisted.internet.defer import Deferred

from chat.client.tui.commands.catchup import LONGEST, SHORTEST, reading_seconds
from tests.tui_builders import BEN, Screen, ScriptedClient, entry, room

MANY = 40


def missed(count: int = MANY, language: str = "en", size: tuple[int, int] = (80, 24)) -> Screen:
    """A screen whose lobby has ``count`` messages, of which five were read."""
    client = ScriptedClient({"#lobby": [entry(each, BEN) for each in range(1, count + 1)]})
    client.conversations = {"#lobby": room("#lobby", seq=count, read=5)}
    screen = Screen(client, size, language)
    screen.text()
    return screen


class ReadingTests(TestCase):
    def test_longer_texts_take_longer_within_bounds(self) -> None:
        self.assertEqual(reading_seconds("hi"), SHORTEST)
        self.assertEqual(reading_seconds("x" * 100), 4.0)
        self.assertEqual(reading_seconds("字" * 50), 4.0)
        self.assertEqual(reading_seconds("x" * 16_000), LONGEST)


class CatchUpTests(TestCase):
    def newest(self, screen: Screen) -> int:
        """The number of the last message in view."""
        found = [line.rpartition("message ")[2] for line in screen.text() if "message " in line]
        return int(found[-1].partition(" ")[0])

    def started(self, count: int = MANY) -> Screen:
        screen = missed(count)
        screen.enter("/catchup")
        return screen

    def test_it_shows_one_after_the_other_from_the_first_that_was_not_read(self) -> None:
        screen = self.started()
        seen = []
        for _ in range(20):
            seen.append(self.newest(screen))
            screen.clock.advance(SHORTEST)
        # While the view is not full above the first ones, nothing moves yet.
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1], 25)
        self.assertIn("14 to come", "\n".join(screen.text()))

    def test_an_edit_is_read_with_its_message_and_takes_no_time_of_its_own(self) -> None:
        text = "a text that takes some seconds to read, " * 9
        log = [entry(each, BEN) for each in range(1, 7)]
        log += [entry(seq, BEN, text, kind="edit", target=2) for seq in range(7, 20)]
        log += [entry(20, BEN), entry(21, BEN)]
        client = ScriptedClient({"#lobby": log})
        client.conversations = {"#lobby": room("#lobby", seq=21, read=5)}
        screen = Screen(client, (80, 24))
        screen.text()
        screen.enter("/catchup")
        screen.clock.advance(SHORTEST)
        self.assertIn(" 1 to come", "\n".join(screen.text()))

    def test_at_the_end_it_says_so_and_stays_there(self) -> None:
        screen = self.started()
        for _ in range(MANY):
            screen.clock.advance(SHORTEST)
            screen.text()
        self.assertEqual(self.newest(screen), MANY)
        self.assertIn("That was everything.", "\n".join(screen.text()))
        self.assertTrue(screen.desk.messages.at_end)

    def test_enter_pauses_and_goes_on(self) -> None:
        screen = self.started()
        for _ in range(20):
            screen.clock.advance(SHORTEST)
        screen.press("enter")
        shown = self.newest(screen)
        screen.clock.advance(60)
        self.assertEqual(self.newest(screen), shown)
        self.assertEqual(screen.client.asked.count(("send", ("#lobby", ""))), 0)
        screen.press("enter")
        screen.clock.advance(SHORTEST)
        self.assertGreater(self.newest(screen), shown)

    def test_esc_and_whoever_moves_end_it(self) -> None:
        for key in ("esc", "page up", "meta end"):
            screen = self.started()
            for _ in range(20):
                screen.clock.advance(SHORTEST)
            self.assertIn("were still to come", "\n".join(screen.press(key)))
            shown = self.newest(screen)
            screen.clock.advance(60)
            self.assertEqual(self.newest(screen), shown, key)

    def test_begun_again_while_messages_are_fetched_it_is_no_faster(self) -> None:
        screen = missed(300)
        screen.client.slow = answer = Deferred[None]()
        for key in ("esc", "esc"):
            screen.type("/catchup")
            screen.press("enter", key)
        screen.enter("/catchup")
        screen.client.slow = None
        answer.callback(None)
        for left in range(294, 284, -1):
            self.assertIn(f"{left} to come", "\n".join(screen.text()))
            screen.clock.advance(SHORTEST)

    def test_one_can_write_meanwhile(self) -> None:
        screen = self.started()
        screen.clock.advance(SHORTEST)
        screen.enter("hello")
        self.assertIn(("send", ("#lobby", "hello")), screen.client.asked)

    def test_who_has_read_everything_is_told(self) -> None:
        screen = missed()
        screen.press("meta end")
        screen.chat.model.show("@2")
        screen.chat.model.show("#lobby")
        self.assertIn("You have read everything here.", "\n".join(screen.enter("/catchup")))


class GoTests(TestCase):
    def test_a_part_of_a_name_is_enough_when_only_one_has_it(self) -> None:
        screen = missed()
        for name in ("#cats", "#catalogue", "#dogs"):
            screen.chat.model.conversation(name)
        for typed, opened in (("dog", "#dogs"), ("cats", "#cats"), ("#lobby", "#lobby")):
            screen.enter(f"/go {typed}")
            self.assertEqual(screen.chat.model.open, opened)
        self.assertIn("Which of these: #catalogue, #cats", "\n".join(screen.enter("/go cat")))
        self.assertIn("no conversation called nowhere", "\n".join(screen.enter("/go nowhere")))
        self.assertEqual(screen.chat.model.open, "#lobby")

    def test_a_number_is_that_of_the_list_unless_a_conversation_is_called_so(self) -> None:
        screen = missed()
        for name in ("#cats", "#2", "#20"):
            screen.chat.model.conversation(name)
        for typed, opened in (("3", "#20"), ("2", "#2"), ("4", "#cats"), ("1", "#lobby")):
            screen.enter(f"/go {typed}")
            self.assertEqual(screen.chat.model.open, opened, typed)
        self.assertIn("no conversation called 77", "\n".join(screen.enter("/go 77")))

    def test_everything_can_be_had_as_read_at_once(self) -> None:
        screen = missed()
        screen.client.say(entry(1, BEN, "psst", to="@2"))
        screen.client.say(entry(1, BEN, "@anna look", to="#dogs"))
        unread, mentions = screen.chat.model.unread()
        self.assertEqual((unread > 1, mentions), (True, 2))
        self.assertIn(f"Marked as read: {unread}.", "\n".join(screen.enter("/readall")))
        self.assertEqual(screen.chat.model.unread(), (0, 0))
        for name in ("@2", "#dogs"):
            self.assertEqual(screen.client.asked.count(("read", (name, 1))), 1)
        self.assertIn("Nothing is unread.", "\n".join(screen.enter("/readall")))

    def test_next_goes_where_something_is_new_and_list_tells_where_that_is(self) -> None:
        screen = missed()
        screen.client.say(entry(1, BEN, "psst", to="@2"))
        self.assertIn("ben     1 unread", "\n".join(screen.enter("/list")))
        screen.press("esc")
        screen.enter("/next")
        self.assertEqual(screen.chat.model.open, "@2")
        self.assertIn("Nothing is unread.", "\n".join(screen.enter("/next")))
