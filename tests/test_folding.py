"""Floods in the pane of messages: one row for most of them, and nothing lost by it."""

from unittest import TestCase

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client import events
from chat.client.conversation import KEPT
from chat.client.tui.panes.folding import FLOOD_FROM, MANY_MS, MOVES_FROM, ONE_MS, SHOWN, Folding
from chat.client.tui.panes.messages import SOUGHT
from chat.messages import Entry, User
from tests.tui_builders import BEN, CHEN, ME, NOON, Screen, ScriptedClient, entry, room

Part = tuple[User | tuple[User, ...], int, int]
"""Who speaks, or who in turns; how many messages, and the milliseconds before each of them."""


def talk(*parts: Part, start: int = 1) -> list[Entry]:
    log: list[Entry] = []
    time = NOON
    for who, count, gap in parts:
        users = who if isinstance(who, tuple) else (who,)
        for each in range(count):
            time += gap
            log.append(entry(start + len(log), users[each % len(users)], time=time))
    return log


def move(seq: int, user_id: int, kind: str = "join", **more: int) -> Entry:
    return entry(seq, User(user_id, f"guest{user_id}"), kind=kind, **more)


def screen_of(
    log: list[Entry], read: int = -1, size: tuple[int, int] = (80, 40), language: str = "en"
) -> Screen:
    client = ScriptedClient({"#lobby": log})
    last = len(log)
    client.conversations = {"#lobby": room("#lobby", seq=last, read=last if read < 0 else read)}
    screen = Screen(client, size, language)
    screen.text()
    return screen


def shown(screen: Screen) -> list[int]:
    """The numbers of the messages in view."""
    found = [line.rpartition("message ")[2] for line in screen.text() if "message " in line]
    return [int(each.split()[0]) for each in found]


def told(screen: Screen) -> str:
    """The rows that stand for floods."""
    return "\n".join(each for each in screen.text() if "(F4)" in each)


class FoldingTests(TestCase):
    def test_most_of_a_flood_is_one_row_that_says_how_much_it_stands_for(self) -> None:
        screen = screen_of(talk((CHEN, 2, 60_000), (BEN, 500, 25), (CHEN, 2, 60_000)))
        self.assertEqual(shown(screen), [1, 2, 3, 4, 5, 500, 501, 502, 503, 504])
        self.assertIn("494 more of ben in 12s", told(screen))

    def test_many_people_make_a_flood_when_nobody_could_read_it(self) -> None:
        quick = screen_of(talk(((BEN, CHEN), 200, MANY_MS)))
        self.assertEqual(shown(quick), [1, 2, 3, 198, 199, 200])
        self.assertIn("194 more of 2 people in 4s", told(quick))
        self.assertEqual(told(screen_of(talk(((BEN, CHEN), 200, MANY_MS + 1)))), "")

    def test_fewer_slower_and_ones_own_messages_are_no_flood(self) -> None:
        for part in ((BEN, FLOOD_FROM - 1, 20), (BEN, 30, ONE_MS + 1), (ME, 30, 20)):
            self.assertEqual(len(shown(screen_of(talk(part)))), part[1])
        limit = screen_of(talk((BEN, FLOOD_FROM, ONE_MS)))
        self.assertEqual(len(shown(limit)), 2 * SHOWN)

    def test_who_speaks_below_the_row_is_named_though_he_spoke_above_it(self) -> None:
        lines = screen_of(talk(((BEN, CHEN, CHEN), 100, 5))).text()
        place = next(at for at, line in enumerate(lines) if "(F4)" in line)
        self.assertIn("陈晓明", lines[place + 1])

    def test_a_key_or_a_click_shows_all_of_it_and_the_key_folds_it_again(self) -> None:
        screen = screen_of(talk((BEN, 25, 20)))
        screen.press("f4")
        self.assertEqual(len(shown(screen)), 25)
        screen.press("f4")
        self.assertEqual(len(shown(screen)), 2 * SHOWN)
        row = next(at for at, line in enumerate(screen.text()) if "(F4)" in line)
        screen.root.mouse_event(screen.size, "mouse press", 1, 30, row, True)
        self.assertEqual(len(shown(screen)), 25)

    def test_what_speaks_to_the_reader_is_never_folded(self) -> None:
        log = talk((BEN, 60, 20))
        log[30] = entry(31, BEN, "@anna message 31", time=log[30].time)
        self.assertIn(31, shown(screen_of(log)))

    def test_what_was_not_read_is_told_from_what_was(self) -> None:
        screen = screen_of(talk((BEN, 60, 20)), read=30)
        self.assertEqual(shown(screen), [1, 2, 3, 28, 29, 30, 31, 32, 33, 58, 59, 60])
        self.assertIn("new messages", "\n".join(screen.text()))

    def test_a_day_that_begins_in_a_flood_has_its_row(self) -> None:
        log = talk((BEN, 60, 100))
        night = [entry(each.seq, time=each.time + 12 * 3_600_000 - 3_000) for each in log]
        self.assertIn("2023-11-15", "\n".join(screen_of(night).text()))

    def test_what_was_looked_for_is_seen_though_it_is_in_a_flood(self) -> None:
        screen = screen_of(talk((BEN, 90, 20)))
        screen.desk.messages.go_to(50)
        self.assertIn(50, shown(screen))

    def test_those_who_join_and_leave_with_nothing_between_have_one_row(self) -> None:
        moves = [move(seq, 40 + seq) for seq in range(1, MOVES_FROM + 3)]
        screen = screen_of([*moves, entry(7), move(8, 48), move(9, 49, "leave"), move(10, 50)])
        self.assertEqual(told(screen).count("(F4)"), 1)
        self.assertIn("12:01 · guest41, guest42, guest43 and 3 more joined (F4)", told(screen))
        self.assertIn("guest49 left", "\n".join(screen.text()))
        lines = screen.press("f4")
        self.assertEqual(sum("joined" in line for line in lines), 8)

    def test_fewer_each_have_a_row(self) -> None:
        moves = [move(seq, 40 + seq, "leave") for seq in range(1, MOVES_FROM)]
        self.assertEqual(told(screen_of(moves)), "")
        moves.append(move(MOVES_FROM, 41))
        self.assertIn("guest41, guest42, guest43 joined or left (F4)", told(screen_of(moves)))
        chinese = "\n".join(screen_of(moves, language="zh").text())
        self.assertIn("guest41、guest42、guest43 加入或离开了（F4）", chinese)

    def test_what_is_new_and_a_day_stand_above_those_who_join_as_above_a_message(self) -> None:
        moves = [move(seq, 40 + seq) for seq in range(1, 11)]
        lines = "\n".join(screen_of(moves, read=5).text())
        first, divider, second = map(lines.index, ("guest41", "new messages", "guest46"))
        self.assertTrue(first < divider < second, lines)
        self.assertEqual(lines.count("2 more joined (F4)"), 2, lines)
        late = [move(seq, 40 + seq, time=NOON + seq * 7_200_000) for seq in range(1, 11)]
        self.assertEqual(told(screen_of(late)).count("joined (F4)"), 2)

    def test_ones_own_joining_is_a_row_of_its_own(self) -> None:
        moves = [move(seq, 40 + seq) for seq in range(1, 10)]
        moves[4] = entry(5, ME, kind="join")
        lines = told(screen_of(moves)).splitlines()
        self.assertEqual(len(lines), 2)

    def test_selecting_has_every_message(self) -> None:
        screen = screen_of(talk((BEN, 30, 20)))
        screen.press("meta v")
        self.assertEqual(len(shown(screen)), 30)

    def test_a_deletion_in_a_flood_is_seen(self) -> None:
        screen = screen_of(talk((BEN, 90, 20)))
        taken = entry(91, BEN, kind="redact", target=45, time=NOON + 3_000)
        screen.client.tell(events.MessageArrived(taken, False, True))
        self.assertIn("deleted", "\n".join(screen.text()))

    def test_what_was_deleted_one_after_the_other_has_one_row(self) -> None:
        log = talk((CHEN, 2, 60_000), (BEN, 30, 60_000), (CHEN, 1, 60_000), (BEN, 2, 60_000))
        screen = screen_of(log)
        erasure = entry(36, User(0, ""), kind="erase", target=BEN.user_id, time=NOON + 3_000_000)
        screen.client.tell(events.MessageArrived(erasure, False, True))
        lines = "\n".join(screen.text())
        self.assertIn("12:03 · 30 messages were deleted (F4)", lines)
        self.assertEqual(lines.count("This message was deleted."), 2, "those after Chen's")
        screen.press("f4")
        screen.desk.messages.go_to(3)
        self.assertGreater("\n".join(screen.text()).count("This message was deleted."), 25)

    def test_what_was_deleted_on_two_days_has_two_rows(self) -> None:
        log = talk((BEN, 8, 3 * 3_600_000))
        screen = screen_of([Entry(each.seq, time=each.time, deleted=True) for each in log])
        self.assertEqual(told(screen).count("messages were deleted (F4)"), 2)
        self.assertIn("2023-11-15", "\n".join(screen.text()))

    def test_what_is_not_shown_of_those_who_are_blocked_has_one_row(self) -> None:
        for language, row in (
            ("en", "Not shown: 40 messages of ben, blocked (F4)"),
            ("zh", "未显示：已屏蔽 ben 的 40 条消息（F4）"),
        ):
            log = talk((CHEN, 1, 60_000), (BEN, 40, 60_000), (CHEN, 1, 60_000), (BEN, 1, 60_000))
            screen = screen_of(log, language=language)
            screen.client.tell(events.Blocked(BEN.user_id, BEN.user_name, True))
            self.assertIn(row, "\n".join(screen.text()))
            self.assertEqual("\n".join(screen.text()).count("12:4"), 2, "those below")

    def test_while_one_reads_further_up_a_flood_costs_little_and_moves_nothing(self) -> None:
        screen = screen_of(talk((CHEN, 60, 60_000), (BEN, FLOOD_FROM - 2, 25)), read=10)
        screen.desk.messages.scroll(-2)
        before = shown(screen)
        flood = talk((BEN, 2_000, 1), start=61 + FLOOD_FROM - 2)
        start = screen.chat.model.conversation("#lobby").entries[-1].time
        for at, each in enumerate(flood):
            screen.client.say(entry(each.seq, BEN, time=start + at))
        self.assertEqual(shown(screen), before)
        self.assertIn("2000 new", "\n".join(screen.text()))
        screen.press("meta end")
        self.assertEqual(shown(screen)[-SHOWN:], [each.seq for each in flood[-SHOWN:]])
        self.assertIn(f"{2_000 + FLOOD_FROM - 2 - 2 * SHOWN} more", told(screen))

    def test_each_message_is_judged_once_however_often_is_drawn(self) -> None:
        screen = screen_of(talk((BEN, 100, 20)))
        model, looked = screen.chat.model, []
        asked = model.mentions_me
        model.mentions_me = lambda text: bool(looked.append(text)) or asked(text)  # type: ignore[method-assign,func-returns-value]
        for seq in range(101, 201):
            screen.client.say(entry(seq, BEN, time=NOON + 20 * seq))
            screen.text()
        self.assertLess(looked.count("message 120"), 30)

    def test_letting_go_of_the_oldest_has_nothing_judged_again(self) -> None:
        screen = screen_of(talk((BEN, 100, 1)))
        model, lobby, looked = screen.chat.model, screen.chat.model.conversation("#lobby"), []
        asked = model.mentions_me
        model.mentions_me = lambda text: bool(looked.append(text)) or asked(text)  # type: ignore[method-assign,func-returns-value]
        for seq in range(101, KEPT * 2):
            screen.client.say(entry(seq, BEN, time=NOON + seq))
            if seq % 500 == 0:
                screen.text()
        self.assertGreater(lobby.entries[0].seq, 100)
        self.assertIn(f"{len(lobby.entries) - 2 * SHOWN} more", told(screen))
        self.assertLess(len(looked), 1.2 * KEPT * 2)

    def test_a_flood_without_end_is_fetched_as_far_as_one_scrolls(self) -> None:
        screen = screen_of(talk((CHEN, 1, 0), (BEN, 3 * SOUGHT, 20)))
        for _ in range(SOUGHT // 10):
            screen.text()
        lobby = screen.chat.model.conversation("#lobby")
        self.assertEqual(len(lobby.entries), SOUGHT)
        for _ in range(4):
            screen.press("page up")
            for _ in range(SOUGHT // 10):
                screen.text()
        self.assertTrue(lobby.complete)

    @settings(max_examples=15, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([BEN, CHEN, ME, (BEN, CHEN)]),
                st.integers(1, 40),
                st.sampled_from([5, ONE_MS, 60_000]),
            ),
            min_size=1,
            max_size=6,
        ),
        st.lists(st.sampled_from(["page up", "page down", "f4", "meta end"]), max_size=12),
    )
    def test_wherever_one_scrolls_each_message_is_seen_or_folded(
        self, parts: list[Part], keys: list[str]
    ) -> None:
        screen = screen_of(talk(*parts), size=(60, 20))
        screen.press(*keys)
        self.assertEqual(shown(screen), sorted(set(shown(screen))))
        lobby = screen.chat.model.conversation("#lobby")
        screen.desk.messages.newest()
        while not lobby.complete:
            screen.desk.messages.oldest()
            screen.text()
        screen.press("meta end")
        folding = Folding(screen.chat.model, screen.look)
        folding.active = keys.count("f4") % 2 == 0
        single = {
            each.seq
            for at, each in enumerate(lobby.entries)
            if folding.at(lobby, at, lobby.newest) is None
        }
        screen.desk.messages.oldest()
        seen, before = set(shown(screen)), [""]
        while (text := screen.press("page down")) != before:
            seen |= set(shown(screen))
            before = text
        self.assertEqual(seen, single)
