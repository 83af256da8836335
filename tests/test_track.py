"""The numbers of one conversation: whatever is lost or comes late, all is handed out, in order."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chat.client.delivery.track import FRUITLESS, HOLD_LIMIT, Step, Track, Wish
from chat.client.events import EpochChanged, GapFilled, GapSkipped, MessageArrived, Position
from chat.messages import Entry, HistoryResMes


def entry(seq: int, epoch: str = "e1") -> Entry:
    return Entry(seq, epoch, "", 101, "bob", f"{epoch} {seq}", conversation="#x")


def page(
    *seqs: int, epoch: str = "e1", first: int = 1, epoch_first: int = 1, more: bool = False
) -> HistoryResMes:
    return HistoryResMes(
        conversation="#x",
        epoch=epoch,
        epoch_first=epoch_first,
        first=first,
        messages=tuple(entry(seq, epoch) for seq in seqs),
        more=more,
    )


def numbers(steps: list[Step]) -> list[int]:
    return [step.entry.seq for step in steps if isinstance(step, MessageArrived)]


def at(seq: int, fill_limit: int | None = None) -> Track:
    return Track("#x", Position("e1", seq), fill_limit)


class TrackTest(SynchronousTestCase):
    def wish(self, track: Track) -> Wish:
        wish = track.next_wish()[1]
        assert wish is not None
        return wish

    def test_the_next_number_is_handed_out_at_once(self) -> None:
        track = at(4)
        self.assertEqual(numbers(track.push(entry(5))), [5])
        self.assertEqual(track.position, Position("e1", 5))
        self.assertIsNone(track.next_wish()[1])

    def test_what_was_handed_out_is_not_handed_out_again(self) -> None:
        track = at(4)
        track.push(entry(5))
        self.assertEqual(track.push(entry(5)) + track.push(entry(2)), [])

    def test_behind_a_hole_everything_waits_until_it_is_filled(self) -> None:
        track = at(4)
        self.assertEqual(track.push(entry(8)) + track.push(entry(7)), [])
        wish = self.wish(track)
        self.assertEqual((wish.after, wish.before, wish.upto), (4, 7, 6))
        steps = track.page(page(5, 6), wish)
        self.assertEqual(numbers(steps), [5, 6, 7, 8])
        self.assertIn(GapFilled("#x", 5, 6), steps)

    def test_what_fills_a_hole_is_not_live(self) -> None:
        track = at(4)
        track.push(entry(6))
        steps = track.page(page(5), self.wish(track))
        live = [step.live for step in steps if isinstance(step, MessageArrived)]
        self.assertEqual(live, [False, True])

    def test_a_login_that_knows_more_makes_a_hole(self) -> None:
        track = at(4)
        track.learn("e1", 1, 9)
        self.assertEqual(self.wish(track).upto, 9)

    def test_what_is_held_is_bounded_and_the_rest_is_fetched(self) -> None:
        track = at(0)
        for seq in range(2, HOLD_LIMIT + 500):
            track.push(entry(seq))
        steps = track.page(page(1), self.wish(track))
        self.assertEqual(numbers(steps), list(range(1, HOLD_LIMIT + 2)))
        self.assertEqual(self.wish(track).upto, HOLD_LIMIT + 499)

    def test_what_retention_took_is_skipped_and_said(self) -> None:
        track = at(4)
        track.learn("e1", 1, 12)
        steps = track.page(page(10, 11, 12, first=10), self.wish(track))
        self.assertEqual(steps[0], GapSkipped("#x", 5, 9, kept=False))
        self.assertEqual(numbers(steps), [10, 11, 12])

    def test_what_came_before_retention_took_it_is_handed_out_all_the_same(self) -> None:
        track = at(4)
        track.push(entry(7))
        steps = track.page(page(10, first=9), self.wish(track))
        self.assertEqual(numbers(steps), [7, 10])
        skipped = [step for step in steps if isinstance(step, GapSkipped)]
        kept = False
        self.assertEqual(
            skipped, [GapSkipped("#x", *hole, kept) for hole in ((5, 6), (8, 8), (9, 9))]
        )

    def test_of_a_page_only_what_is_above_is_handed_out(self) -> None:
        track = at(4)
        track.push(entry(6))
        wish = self.wish(track)
        self.assertEqual(numbers(track.push(entry(5))), [5, 6])
        self.assertEqual(numbers(track.page(page(5, 6, 7), wish)), [7])

    def test_entries_of_a_page_which_do_not_name_their_conversation_get_its_name(self) -> None:
        track = at(4)
        track.push(entry(6))
        nameless = replace(page(5), messages=(replace(entry(5), conversation=""),))
        steps = track.page(nameless, self.wish(track))
        named = [step.entry.conversation for step in steps if isinstance(step, MessageArrived)]
        self.assertEqual(named, ["#x", "#x"])

    def test_a_hole_that_is_too_large_is_left_to_history_but_for_its_end(self) -> None:
        track = at(4, fill_limit=3)
        track.learn("e1", 1, 100)
        steps, wish = track.next_wish()
        self.assertEqual(steps, [GapSkipped("#x", 5, 97, kept=True)])
        assert wish is not None
        self.assertEqual(numbers(track.page(page(98, 99, 100), wish)), [98, 99, 100])

    def test_holes_of_which_nothing_is_wanted_take_nothing_else_along(
        self,
    ) -> None:
        track = at(4, fill_limit=0)
        for seq in (7, 10, 11):
            self.assertEqual(track.push(entry(seq)), [])
        steps, wish = track.next_wish()
        self.assertEqual((numbers(steps), wish), ([7, 10, 11], None))
        skipped = [step for step in steps if isinstance(step, GapSkipped)]
        self.assertEqual(skipped, [GapSkipped("#x", 5, 6, True), GapSkipped("#x", 8, 9, True)])

    def test_a_server_that_never_gives_what_it_announced_is_not_asked_for_ever(self) -> None:
        track = at(4)
        track.push(entry(7))
        for turn in range(FRUITLESS - 1):
            self.assertEqual(self.wish(track).again, turn > 0)
            self.assertEqual(track.page(page(), self.wish(track)), [])
        steps = track.page(page(), self.wish(track))
        self.assertEqual(steps[0], GapSkipped("#x", 5, 6, kept=False))
        self.assertEqual(numbers(steps), [7])

    def test_nor_is_one_that_always_says_that_there_is_more(self) -> None:
        track = at(4)
        track.push(entry(7))
        for turn in range(FRUITLESS - 1):
            self.assertEqual(self.wish(track).again, turn > 0)
            self.assertEqual(track.page(page(more=True), self.wish(track)), [])
        self.assertEqual(numbers(track.page(page(more=True), self.wish(track))), [7])

    def test_before_the_start_everything_is_held(self) -> None:
        track = Track("#x")
        self.assertEqual(track.push(entry(3)) + track.push(entry(4)), [])
        self.assertEqual(numbers(track.start(2)), [3, 4])


class EpochTest(SynchronousTestCase):
    def answer(self, track: Track, reply: HistoryResMes) -> list[Step]:
        wish = track.next_wish()[1]
        assert wish is not None
        return track.page(reply, wish)

    def renew(self, track: Track, epoch: str, first: int) -> None:
        track.learn(epoch, first)
        self.answer(track, page(epoch=epoch, epoch_first=first))

    def test_a_new_epoch_takes_back_what_stood_there(self) -> None:
        track = at(10)
        track.learn("e2", 8, 9)
        steps = self.answer(track, page(epoch="e2", epoch_first=8))
        self.assertEqual(steps, [EpochChanged("#x", "e2", 8)])
        self.assertEqual(track.position, Position("e2", 7))
        steps = self.answer(track, page(8, 9, epoch="e2", epoch_first=8))
        self.assertEqual(numbers(steps), [8, 9])

    def test_who_slept_through_several_epochs_goes_back_as_far_as_the_server_says(self) -> None:
        track = at(10)
        track.learn("e3", 9, 9)
        self.answer(track, page(epoch="e3", epoch_first=4))
        self.assertEqual(track.position, Position("e3", 3))

    def test_an_entry_of_an_unknown_epoch_is_not_handed_out_before_its_first_number_is_known(
        self,
    ) -> None:
        track = at(10)
        self.assertEqual(track.push(entry(11, "e2")), [])
        steps = self.answer(track, page(epoch="e2", epoch_first=9))
        self.assertEqual(steps, [EpochChanged("#x", "e2", 9)])
        wish = track.next_wish()[1]
        assert wish is not None
        self.assertEqual((wish.epoch, wish.after, wish.upto), ("e2", 8, 11))

    def test_what_was_held_of_the_old_epoch_is_dropped(self) -> None:
        track = at(10)
        track.push(entry(13))
        self.renew(track, "e2", 11)
        self.assertEqual(numbers(track.push(entry(11, "e2"))), [11])
        self.assertEqual(numbers(track.push(entry(12, "e2"))), [12])
        self.assertIsNone(track.next_wish()[1])

    def test_an_older_epoch_never_comes_back(self) -> None:
        track = at(10)
        self.renew(track, "e2", 8)
        track.learn("e2", 8, 12)
        self.assertEqual(track.learn("e1", 1, 20), [])
        self.assertEqual(track.push(entry(8, "e1")), [])
        self.assertEqual(self.answer(track, page(8, 9, 10)), [])
        self.assertEqual(track.position, Position("e2", 7))

    def test_a_server_that_still_speaks_of_an_older_epoch_is_not_asked_about_it(self) -> None:
        track = at(10)
        self.renew(track, "e2", 11)
        track.learn("e1", 1, 20)
        self.assertIsNone(track.next_wish()[1])

    def test_old_entries_below_the_new_epoch_are_welcome(self) -> None:
        track = at(3)
        self.renew(track, "e2", 8)
        self.assertEqual(numbers(track.push(entry(4, "e1"))), [4])

    def test_a_page_that_was_asked_for_in_the_old_epoch_is_not_used(self) -> None:
        track = at(4)
        track.learn("e1", 1, 9)
        wish = track.next_wish()[1]
        assert wish is not None
        self.renew(track, "e2", 7)
        track.learn("e2", 7, 9)
        self.assertEqual(numbers(track.page(page(5, 6, 7, 8, 9), wish)), [])
        self.assertEqual(track.page(page(epoch="e2", epoch_first=7), wish), [])
        again = track.next_wish()[1]
        assert again is not None
        self.assertFalse(again.again)

    def test_a_late_entry_of_a_past_epoch_is_not_asked_about(self) -> None:
        track = at(10)
        self.renew(track, "e2", 8)
        track.push(entry(9, "e1"))
        self.assertIsNone(track.next_wish()[1])


@dataclass
class World:
    """What a server would know, and what a listener keeps by the rules of ``events``."""

    track: Track
    log: list[Entry] = field(default_factory=list)
    epoch: str = "e001"
    firsts: dict[str, int] = field(default_factory=lambda: {"e001": 1})
    kept: dict[int, Entry] = field(default_factory=dict)

    def post(self) -> Entry:
        self.log.append(entry(len(self.log) + 1, self.epoch))
        return self.log[-1]

    def take(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case MessageArrived(arrived):
                    assert arrived.seq not in self.kept, "twice"
                    assert arrived.seq == len(self.kept) + 1, "out of order, or a hole"
                    self.kept[arrived.seq] = arrived
                case EpochChanged(_, _, first):
                    self.kept = {seq: old for seq, old in self.kept.items() if seq < first}
                case GapSkipped():
                    raise AssertionError("nothing was gone")
                case _:
                    pass

    def answer(self, wish: Wish, size: int) -> HistoryResMes:
        if wish.epoch != self.epoch:
            later = [each for each in self.firsts if each > wish.epoch]
            first = min(self.firsts[each] for each in later)
            return page(epoch=self.epoch, epoch_first=first)
        high = wish.before or len(self.log) + 1
        found = self.log[wish.after : high - 1]
        return HistoryResMes(
            conversation="#x",
            epoch=self.epoch,
            epoch_first=self.firsts[self.epoch],
            first=1,
            messages=tuple(found[:size]),
            more=len(found) > size,
        )

    def roll_back(self, keep: int) -> None:
        del self.log[keep:]
        self.epoch = f"e{len(self.firsts) + 1:03}"
        self.firsts[self.epoch] = keep + 1

    def log_in(self) -> None:
        self.take(self.track.learn(self.epoch, self.firsts[self.epoch], len(self.log)))

    def fill(self, size: int) -> bool:
        steps, wish = self.track.next_wish()
        self.take(steps)
        if wish is None:
            return False
        self.take(self.track.page(self.answer(wish, size), wish))
        return True


ACTIONS = st.lists(
    st.one_of(
        st.just(("push", 0)),
        st.just(("lose", 0)),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("fill"), st.integers(1, 5)),
        st.just(("login", 0)),
        st.tuples(st.just("roll back"), st.integers(0, 6)),
    ),
    max_size=60,
)


class AnythingTest(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(ACTIONS)
    def test_any_loss_delay_and_rollback_ends_with_exactly_the_servers_log(
        self, actions: list[tuple[str, int]]
    ) -> None:
        world = World(Track("#x", Position("e001", 0)))
        late: list[Entry] = []
        for what, number in actions:
            if what == "push":
                late.append(world.post())
                world.take(world.track.push(late[-1]))
            elif what == "lose":
                late.append(world.post())
            elif what == "again" and late:
                world.take(world.track.push(late[number % len(late)]))
            elif what == "fill":
                world.fill(number)
            elif what == "login":
                world.take(
                    world.track.learn(world.epoch, world.firsts[world.epoch], len(world.log))
                )
            elif what == "roll back":
                world.roll_back(max(0, len(world.log) - number))
        world.log_in()
        for _ in range(200):
            if not world.fill(3):
                break
        self.assertEqual([each.content for each in world.kept.values()], contents(world.log))


def contents(log: list[Entry]) -> list[str]:
    return [each.content for each in log]
