"""What was said before on the screen: from the cache at once, from the server what is not there."""

import re
import shutil
import tempfile
from pathlib import Path

from msgspec.structs import replace
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client import events
from chat.client.errors import BadServer, Refused
from chat.client.events import Position
from chat.client.files.cache import Cache, Known
from chat.client.tui.history import AGAIN, PAGE
from chat.messages import Conversation, Entry, User
from tests.test_cache import FollowedClient
from tests.tui_builders import BEN, CHEN, ME, Screen, entry, room

NEWEST = 250


def long_log() -> list[Entry]:
    return [entry(seq, BEN if seq % 3 else CHEN) for seq in range(1, NEWEST + 1)]


class HistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cache", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def opened(self) -> tuple[Cache, Known | None]:
        cache = Cache(Clock(), self.home / "history.db", maybeDeferred)
        return cache, self.successResultOf(Deferred.fromCoroutine(cache.open()))

    def remember(self, *entries: Entry, states: dict[str, Conversation] | None = None) -> None:
        """An earlier start of the program has seen these."""
        client = FollowedClient()
        cache, _ = self.opened()
        cache.follow(client)  # type: ignore[arg-type]  # scripted
        cache.logged_in(ME)
        client.hand_out(*entries)
        client.conversations |= states or {"#lobby": room("#lobby", entries[-1].seq, 1)}
        client.tell(events.ConversationsListed())
        self.successResultOf(Deferred.fromCoroutine(cache.close()))

    def screen(self, client: FollowedClient, online: bool = True) -> Screen:
        """The next start."""
        if not online:
            client.state = events.Waiting(5, 5, "nobody answers")
            client.conversations = {}
        self.cache, known = self.opened()
        self.cache.follow(client)  # type: ignore[arg-type]  # scripted
        return Screen(client, cache=self.cache, known=known)  # type: ignore[arg-type]

    def asked(self, client: FollowedClient) -> list[object]:
        return [what for kind, what in client.asked if kind == "history"]

    def test_without_a_server_a_conversation_is_read_to_its_beginning(self) -> None:
        self.remember(*long_log())
        client = FollowedClient()
        screen = self.screen(client, online=False)
        self.assertIn("message 250", "\n".join(screen.text()))
        screen.press("shift tab", "shift tab", "g")
        for _ in range(30):
            screen.press("page up")
        text = "\n".join(screen.press("g"))
        self.assertIn("message 1\n", text)
        self.assertIn("again in", text)
        self.assertEqual(self.asked(client), [])

    def test_what_the_server_gave_meanwhile_is_read_without_it_again(self) -> None:
        log = long_log()
        self.remember(*log[100:])
        client = FollowedClient()
        client.logs = {"#lobby": log}
        screen = self.screen(client, online=False)
        screen.press("shift tab", "shift tab")

        def to_the_top() -> str:
            for _ in range(30):
                screen.press("page up")
            return "\n".join(screen.text())

        self.assertNotIn("message 100\n", to_the_top())
        client.tell(events.ConnectionChanged(events.LoggedIn()))
        client.state = events.LoggedIn()
        self.assertIn("message 1\n", to_the_top())
        client.tell(events.ConnectionChanged(events.Waiting(5, 5, "nobody answers")))
        # It was let go of, as from a conversation in which much is said.
        screen.chat.model.conversation("#lobby").forget_below(101)
        self.assertIn("message 1\n", to_the_top())

    def test_a_device_that_has_seen_nothing_counts_what_others_said_and_to_whom(self) -> None:
        moves = [entry(seq, CHEN, kind="join") for seq in (2, 3)]
        client = FollowedClient()
        client.logs = {
            "#quiet": [entry(1), *moves],
            "#own": [entry(1), *moves[:1], entry(3, ME)],
            "#loud": [entry(1), *moves[:1], entry(3, BEN, f"@{ME.user_name} look"), entry(4)],
        }
        for name, log in client.logs.items():
            client.conversations[name] = replace(room(name, len(log), 1), last=log[-1])
        screen = Screen(client)  # type: ignore[arg-type]
        screen.text()
        known = {name: screen.chat.model.conversation(name) for name in client.logs}
        unread = {name: (each.unread, len(each.mentions)) for name, each in known.items()}
        self.assertEqual(unread, {"#quiet": (0, 0), "#own": (0, 0), "#loud": (2, 1)})
        read = [what for kind, what in client.asked if kind == "read"]
        self.assertIn(("#quiet", 3), read, "the next start need not find it out again")
        self.assertNotIn("#loud", [name for name, _ in read])

    def test_who_is_blocked_stays_so_without_a_server(self) -> None:
        log = [entry(1, CHEN, "hello"), entry(2, BEN, "something awful")]
        self.remember(*log)
        client = FollowedClient()
        client.logs = {"#lobby": log}
        client.conversations = {"#lobby": room("#lobby", 2, 2)}
        screen = self.screen(client)
        screen.text()
        client.tell(events.Blocked(BEN.user_id, BEN.user_name, True))
        self.successResultOf(Deferred.fromCoroutine(self.cache.close()))
        text = "\n".join(self.screen(FollowedClient(), online=False).text())
        self.assertIn("hello", text)
        self.assertNotIn("something awful", text)

    def test_without_a_server_what_is_unread_is_counted_and_mentions_too(self) -> None:
        self.remember(
            entry(1), entry(2), entry(3, content="@anna look"), entry(4, ME), entry(1, to="@2"),
            states={"#lobby": room("#lobby", 4, 1), "@2": room("@2", 1, 0)},
        )  # fmt: skip
        model = self.screen(FollowedClient(), online=False).chat.model
        self.assertEqual(model.conversations["@2"].unread, 1)
        lobby = model.conversations["#lobby"]
        self.assertEqual((lobby.read, len(lobby.mentions)), (4, 0))  # one's own is read
        self.assertEqual(model.unread(), (1, 1))

    def test_without_a_server_nothing_is_said_to_count_as_read(self) -> None:
        self.remember(*long_log()[:9], states={"#lobby": room("#lobby", 9, 1)})
        screen = self.screen(FollowedClient(), online=False)
        unread = screen.chat.model.unread()
        self.assertIn("There is no connection", "\n".join(screen.enter("/readall")))
        self.assertEqual(screen.chat.model.unread(), unread)
        self.assertGreater(unread, (0, 0))

    def test_back_online_what_the_server_says_of_the_newest_comes_on_top(self) -> None:
        self.remember(*long_log())
        log = [*long_log(), entry(251, content="since then")]
        log[248] = Entry(249, deleted=True)
        client = FollowedClient()
        screen = self.screen(client, online=False)
        screen.text()
        client.logs = {"#lobby": log}
        client.conversations["#lobby"] = room("#lobby", 251, 251)
        client.state = events.LoggedIn()
        client.tell(events.ConnectionChanged(client.state), events.ConversationsListed())
        text = "\n".join(screen.text())
        self.assertIn("since then", text)
        self.assertIn("This message was deleted", text)
        self.assertEqual(self.asked(client), [("#lobby", 0)])

    def test_after_each_login_it_is_asked_how_far_the_partner_is(self) -> None:
        client = FollowedClient()
        client.logs = {"@2": [entry(1, ME, "read this", to="@2")]}
        client.conversations = {"#lobby": room("#lobby", 0, 0), "@2": room("@2", 1, 1)}
        screen = self.screen(client)
        for place in ("meta 2", "meta 1", "meta 2"):
            screen.press(place)
        self.assertEqual(self.asked(client).count(("@2", 0)), 1, "its newest page has told it")
        client.tell(events.ConversationsListed())
        screen.text()
        self.assertEqual(self.asked(client).count(("@2", 0)), 2)

    def test_older_pages_that_are_here_are_not_asked_for_again(self) -> None:
        self.remember(*long_log())
        client = FollowedClient()
        client.logs = {"#lobby": long_log()}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        for _ in range(30):
            screen.press("page up")
        self.assertIn("message 1\n", "\n".join(screen.press("page up")))
        self.assertEqual(self.asked(client), [("#lobby", 0)])

    def test_where_the_cache_has_a_hole_the_server_is_asked(self) -> None:
        log = long_log()
        self.remember(*log[:50], *log[200:])
        client = FollowedClient()
        client.logs = {"#lobby": log}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        for _ in range(40):
            screen.press("page up")
        self.assertIn("message 1\n", "\n".join(screen.press("page up")))
        seqs = [each.seq for each in screen.chat.model.conversations["#lobby"].entries]
        self.assertEqual(seqs, list(range(1, NEWEST + 1)))
        self.assertLess(len(self.asked(client)), 4)

    def test_who_reads_on_from_an_old_message_passes_over_nothing(self) -> None:
        client = FollowedClient()
        log = [each for each in long_log() if not 100 < each.seq < 120]
        client.logs = {"#lobby": log}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        screen.text()
        self.successResultOf(Deferred.fromCoroutine(screen.chat.history.have("#lobby", 10)))
        screen.desk.messages.go_to(10)
        seen = set()
        while not screen.desk.messages.at_end:
            shown = "\n".join([*screen.text(), *screen.press("page down")])
            seen |= {int(number) for number in re.findall(r"message (\d+)", shown)}
        self.assertEqual([each.seq for each in log if each.seq not in seen and each.seq > 10], [])
        self.assertIn("after 69", [after for _, after in self.asked(client)])
        lobby = screen.chat.model.conversations["#lobby"]
        self.assertEqual(lobby.sealed, {120})

    def test_a_page_that_the_server_cannot_give_now_is_asked_for_again_in_a_while(self) -> None:
        client = FollowedClient()
        client.logs = {"#lobby": long_log()}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        for page_of_it in (0, NEWEST - PAGE + 1):
            client.trouble = Refused(503, "the store is away")
            for _ in range(10):
                screen.press("page up")
            asked = self.asked(client).count(("#lobby", page_of_it))
            self.assertEqual(asked, 1)
            screen.clock.advance(AGAIN)
            screen.text()
            self.assertEqual(self.asked(client).count(("#lobby", page_of_it)), 2)
            client.trouble = None
            screen.clock.advance(AGAIN)
            screen.text()
        for _ in range(30):
            screen.press("page up")
        self.assertIn("message 1\n", "\n".join(screen.press("page up")))
        self.assertEqual(screen.chat.model.conversations["#lobby"].sealed, set())

    def test_a_page_that_the_server_will_never_give_is_not_asked_for_again(self) -> None:
        for trouble in (Refused(403, "not a member"), BadServer("an unreadable reply")):
            client = FollowedClient()
            client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
            client.trouble = trouble
            screen = self.screen(client)
            screen.press("page up", "page up")
            screen.clock.advance(AGAIN)
            screen.text()
            self.assertEqual(self.asked(client), [("#lobby", 0)])

    def test_what_a_page_leaves_out_is_not_asked_for_again(self) -> None:
        gone = {102, 103, 199, 245}
        client = FollowedClient()
        client.logs = {"#lobby": [each for each in long_log() if each.seq not in gone]}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        for _ in range(60):
            screen.press("page up")
        self.assertIn("message 1\n", "\n".join(screen.text()))
        self.assertEqual(len(self.asked(client)), 3, self.asked(client))

    def test_what_is_no_longer_kept_between_remembered_entries_is_asked_for_once(self) -> None:
        self.remember(*long_log()[40:80], *long_log()[120:140])
        client = FollowedClient()
        client.logs = {"#lobby": long_log()[200:]}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        screen.text()
        self.successResultOf(Deferred.fromCoroutine(screen.chat.history.have("#lobby", 60)))
        screen.desk.messages.go_to(60)
        for _ in range(30):
            screen.press("page down")
        self.assertTrue(screen.desk.messages.at_end)
        self.assertLess(len(self.asked(client)), 6, self.asked(client))

    def test_a_hole_that_stays_takes_older_entries_along(self) -> None:
        self.remember(*long_log()[:60])
        client = FollowedClient()
        screen = self.screen(client, online=False)
        screen.text()
        client.logs = {"#lobby": [*long_log(), entry(5000)]}
        client.tell(events.GapSkipped("#lobby", 61, 4999, True))
        client.hand_out(entry(5000))
        self.assertEqual([e.seq for e in screen.chat.model.conversations["#lobby"].entries], [5000])

    def test_a_room_that_one_is_no_longer_in_is_gone_after_the_login(self) -> None:
        self.remember(
            entry(1), entry(1, to="#cats"),
            states={"#lobby": room("#lobby", 1), "#cats": room("#cats", 1)},
        )  # fmt: skip
        client = FollowedClient()
        screen = self.screen(client, online=False)
        self.assertIn("#cats", "\n".join(screen.text()))
        client.conversations = {"#lobby": room("#lobby", 1)}
        client.state = events.LoggedIn()
        client.tell(events.ConnectionChanged(client.state), events.ConversationsListed())
        self.assertNotIn("#cats", "\n".join(screen.text()))

    def test_whoever_is_logged_in_already_sees_what_the_server_says(self) -> None:
        self.remember(entry(1, to="@2"), states={"@2": room("@2", 1), "#dogs": room("#dogs")})
        client = FollowedClient()
        screen = self.screen(client)
        self.assertEqual(screen.chat.model.open, "#lobby")
        self.assertNotIn("#dogs", "\n".join(screen.text()))

    def test_an_entry_that_is_looked_for_is_found_without_a_server(self) -> None:
        self.remember(*long_log())
        client = FollowedClient()
        screen = self.screen(client, online=False)
        screen.chat.spawn(screen.chat.history.have("#lobby", 30))
        self.assertTrue(screen.chat.model.conversations["#lobby"].holds(30))
        self.assertEqual(self.asked(client), [])

    def test_without_a_server_what_is_here_is_searched(self) -> None:
        self.remember(*long_log(), entry(NEWEST + 1, content="下午三点开会"))
        client = FollowedClient()
        screen = self.screen(client, online=False)
        self.assertIn("1 found on this machine: 三点", "\n".join(screen.enter("/search 三点")))
        screen.press("esc")
        screen.enter("/searchall message 42")
        self.assertIn("message 42", "\n".join(screen.press("enter")))
        self.assertEqual([kind for kind, _ in client.asked if kind == "search"], [])

    def test_what_a_page_brings_is_there_at_the_next_start(self) -> None:
        client = FollowedClient()
        client.logs = {"#lobby": long_log()}
        client.positions["#lobby"] = Position("e1", NEWEST)
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        cache, _ = self.opened()
        cache.follow(client)  # type: ignore[arg-type]  # scripted
        cache.logged_in(ME)
        screen = Screen(client, cache=cache)  # type: ignore[arg-type]
        screen.text()
        client.tell(events.ConversationsListed())
        self.successResultOf(Deferred.fromCoroutine(cache.close()))
        again = self.screen(FollowedClient(), online=False)
        self.assertIn("message 250", "\n".join(again.text()))

    def test_an_answer_to_what_one_said_in_an_earlier_session_speaks_to_oneself(self) -> None:
        states = {"#lobby": room("#lobby"), "#cats": room("#cats", 8, 8)}
        before = [entry(seq, ME if seq == 7 else BEN, to="#cats") for seq in range(1, 9)]
        self.remember(*before, states=states)
        client = FollowedClient()
        client.conversations |= states
        screen = self.screen(client)
        screen.press("focus out")
        cats = screen.chat.model.conversations["#cats"]
        self.assertFalse(cats.holds(7))
        for number, reply in enumerate((8, 7, 3_000), 9):
            client.hand_out(entry(number, to="#cats", reply=reply))
        told = [each.kind for each in screen.told]
        self.assertEqual(told, ["message", "message", "mention", "message"])
        self.assertEqual(cats.mentions, {10})

    def test_what_was_said_long_ago_is_quoted_from_the_cache_until_it_is_deleted(self) -> None:
        log = long_log()
        log[6] = entry(7, CHEN, "so long ago")
        log[8] = entry(9, CHEN, "just as long ago")
        log[-2:] = [entry(NEWEST - 1, BEN, "to chen", reply=7), entry(NEWEST, reply=9)]
        self.remember(*log)
        client = FollowedClient()
        client.logs = {"#lobby": log}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = self.screen(client)
        screen.text()
        self.assertIn("┌ 陈晓明: so long ago", "\n".join(screen.text()))
        self.assertIn("┌ 陈晓明: just as long ago", "\n".join(screen.text()))
        self.assertFalse(screen.chat.model.conversations["#lobby"].holds(7))
        screen.chat.answer(5)
        screen.text()
        self.assertIn("Answer to ben: message 5", "\n".join(screen.text()))
        client.hand_out(entry(NEWEST + 1, CHEN, kind="redact", target=7))
        screen.text()
        self.assertIn("┌ This message was deleted.", "\n".join(screen.text()))
        self.assertNotIn("so long ago", "\n".join(screen.text()).replace("just as long", ""))
        client.hand_out(entry(NEWEST + 2, User(0, "x"), kind="erase", target=CHEN.user_id))
        screen.text()
        self.assertNotIn("long ago", "\n".join(screen.text()))

    def test_without_a_cache_nobody_is_asked_for_what_is_quoted(self) -> None:
        client = FollowedClient()
        log = long_log()
        log[-1] = entry(NEWEST, reply=7)
        client.logs = {"#lobby": log}
        client.conversations["#lobby"] = room("#lobby", NEWEST, NEWEST)
        screen = Screen(client)
        self.assertIn("┌ a message that is not loaded here", "\n".join(screen.text()))
        self.assertEqual(len(self.asked(client)), 1)
