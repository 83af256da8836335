"""Searching on the screen: page by page, here and on the server, each result once."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chat.client import events
from chat.client.api import SearchPage
from chat.client.errors import NotConnected
from chat.client.tui.found import PAGE, Found
from chat.client.tui.panes.draw import plain
from chat.client.tui.panes.search import excerpt
from chat.messages import Entry
from tests.tui_builders import CHEN, NOON, Screen, ScriptedClient, entry, room


class FoundTests(SynchronousTestCase):
    def look(self, found: Found) -> None:
        self.successResultOf(Deferred.fromCoroutine(found.look(lambda: None)))

    def seqs(self, found: Found) -> list[int]:
        return [each.seq for each in found.entries]

    def test_what_is_here_comes_first_and_what_the_server_adds_once(self) -> None:
        shown: list[list[int]] = []

        async def here(before: int, skip: int) -> Sequence[Entry]:
            return (entry(3), entry(1))

        async def server(before: int, skip: int) -> SearchPage:
            return SearchPage((entry(3), entry(2)), False, 0)

        found = Found(server, here)
        looking = found.look(lambda: shown.append(self.seqs(found)))
        self.successResultOf(Deferred.fromCoroutine(looking))
        self.assertEqual(shown, [[3, 1], [3, 2, 1]])
        self.assertFalse(found.more or found.here_only)

    def test_each_source_goes_on_where_it_stopped(self) -> None:
        asked: list[tuple[int, int]] = []
        # Ten at a time were stored in one step.
        log = [entry(seq, time=NOON + seq // 10) for seq in range(3 * PAGE + 4, 4, -1)]

        async def here(before: int, skip: int) -> Sequence[Entry]:
            asked.append((before, skip))
            found = [each for each in log if not before or each.time < before]
            return found[skip:][:PAGE]

        found = Found(None, here)
        for _ in range(3):
            self.assertTrue(found.more)
            self.look(found)
        ends = log[PAGE - 1].time, log[2 * PAGE - 1].time
        self.assertEqual(asked, [(0, 0), (ends[0] + 1, 5), (ends[1] + 1, 5)])
        self.assertEqual(self.seqs(found), [each.seq for each in log])
        self.look(found)
        self.assertFalse(found.more)

    def test_a_server_that_goes_away_takes_no_results_along(self) -> None:
        async def here(before: int, skip: int) -> Sequence[Entry]:
            return (entry(1),)

        async def server(before: int, skip: int) -> SearchPage:
            raise NotConnected("gone")

        found = Found(server, here)
        self.failureResultOf(Deferred.fromCoroutine(found.look(lambda: None)), NotConnected)
        self.assertEqual((self.seqs(found), found.searching, found.more), ([1], False, False))
        self.assertTrue(found.here_only)


class SearchTests(SynchronousTestCase):
    def screen(self, *said: str) -> Screen:
        log = [entry(seq) for seq in range(1, 400)]
        log += [entry(seq, content=content) for seq, content in enumerate(said, 400)]
        cats = [entry(seq, CHEN, f"cat {seq}", to="#cats") for seq in range(1, 90)]
        client = ScriptedClient({"#lobby": log, "#cats": cats})
        client.conversations = {
            "#lobby": room("#lobby", seq=399 + len(said), read=399 + len(said)),
            "#cats": room("#cats", seq=89, read=89),
        }
        screen = Screen(client, (80, 24))
        screen.text()
        return screen

    def search(self, screen: Screen, text: str) -> str:
        return "\n".join(screen.enter(text))

    def test_the_last_row_brings_older_results(self) -> None:
        screen = self.screen()
        self.assertIn("50 found so far: message", self.search(screen, "/search message"))
        for _ in range(7):
            text = "\n".join(screen.press(*["page down"] * 20, "enter"))
        self.assertIn("399 found: message", text)
        self.assertNotIn("Older results", text)
        self.assertIn("message 1\n", "\n".join(screen.press(*["page down"] * 20, "enter")))

    def test_on_a_narrow_screen_a_result_says_what_was_said_first_of_all(self) -> None:
        log = [entry(1, CHEN, "how the xylophone is tuned")]
        for columns, shown in (
            (20, " 陈晓明 …the xyloph…"),
            (30, " #lobby 陈晓明 how the xyloph…"),
            (40, " 11-14 12:01 #lobby 陈晓明 how the xylo…"),
        ):
            screen = Screen(ScriptedClient({"#lobby": log}), (columns, 8))
            self.assertEqual(screen.enter("/searchall xylo")[1], shown)

    def test_results_are_narrowed_by_typing(self) -> None:
        screen = self.screen()
        self.search(screen, "/search message 3")
        self.assertIn("message 377", "\n".join(screen.type("77")))
        self.assertIn("message 377", "\n".join(screen.press("enter")))

    def test_a_result_in_another_conversation_opens_there(self) -> None:
        screen = self.screen()
        text = self.search(screen, "/searchall cat 33")
        self.assertIn("#cats", text)
        self.assertIn("cat 33", "\n".join(screen.press("enter")))
        self.assertEqual(screen.chat.model.open, "#cats")

    def test_a_result_stands_out_until_one_goes_on(self) -> None:
        screen = self.screen()
        self.search(screen, "/search message 300")
        screen.press("enter")
        self.assertEqual(self.coloured(screen), ["message 300"])
        screen.press("page up")
        screen.press("page down")
        self.assertEqual(self.coloured(screen), ["message 300"])
        screen.press("esc")
        screen.press("page up")
        self.assertEqual(self.coloured(screen), [])

    def coloured(self, screen: Screen) -> list[str]:
        """The messages in the colour of what is chosen."""
        rows = screen.root.render(screen.size, focus=True).content()
        texts = [
            run.decode()[run.decode().index("message") :].strip()
            for row in rows
            for role, _, run in row
            if role == "selected" and "message" in run.decode()
        ]
        return [each.removesuffix(" ✓").strip() for each in texts]

    def test_what_was_sought_is_seen_in_long_messages_at_every_width_and_stands_out(self) -> None:
        long = "x" * 90
        for content, columns, shown in (
            (f"first the keyhole, then {long}", 40, "first the keyhole, then xxx"),
            (f"{'words and ' * 9}a KeyHole {long}", 40, "…words and a KeyHole xxx"),
            (f"{long}keyhole", 40, "…xxxxxxxxxxxxxkeyhole"),
            (f"{'你好' * 20}keyhole 再见", 40, "…你好你好你好keyhole 再见"),
            ("just as wide as keyhole", 23, "just as wide as keyhole"),
            ("just as wide as keyhole", 22, "…as keyhole"),
            ("just as wide as keyholes", 23, "…as keyhole"),
        ):
            row = excerpt(content, "keyhole", columns, "…")
            self.assertTrue(plain(row).startswith(shown), row)
            self.assertEqual([text.lower() for role, text in row if role], ["keyhole"])
        for columns in (40, 80, 120):
            for content in (f"{long} keyhole", f"a keyhole {long}", f"{'你好' * 50}keyhole"):
                screen = self.screen(content)
                screen.size = (columns, 24)
                text = self.search(screen, "/search KeyHole")
                self.assertRegex(text, r"11-14 18:40 ben .*keyhole")

    def test_of_several_words_the_first_that_is_there_is_shown(self) -> None:
        row = excerpt("a" * 50 + " word", "no word", 36, "…")
        self.assertEqual(plain(row), "…aaaaaaaaaaa word")
        self.assertEqual(plain(excerpt("nothing of it", "dogs", 36, "…")), "nothing of it")
        self.assertEqual(plain(excerpt("क्षि", "क", 36, "…")), "क्षि")

    def test_nothing_found_is_said(self) -> None:
        screen = self.screen()
        text = self.search(screen, "/search dogs")
        self.assertIn("0 found: dogs", text)
        self.assertIn("Nothing found.", text)
        self.assertNotIn("0 found", "\n".join(screen.press("enter")))

    def test_it_is_said_that_the_server_was_not_asked(self) -> None:
        screen = self.screen()
        screen.client.tell(events.ConnectionChanged(events.Waiting(5, 5, "no route")))
        self.assertIn("0 found on this machine: dogs", self.search(screen, "/search dogs"))
