"""The judge of the soak: a sound trace is clean, and one planted fault per promise is caught."""

from twisted.trial.unittest import SynchronousTestCase

from chat.soak.copies import answering, key_of
from chat.soak.judge import Judge
from chat.soak.report import too_few
from chat.soak.trace import (
    Acked,
    Answered,
    Closed,
    Dropped,
    Edited,
    Editing,
    Event,
    Fault,
    Fetched,
    Heard,
    Left,
    Logged,
    Opened,
    Pushed,
    Receipt,
    Redacted,
    Redacting,
    Sent,
    Settled,
    Shown,
    Stalled,
    Told,
)

ROOM = "w:#room"
PAIR = "w:@1:2"
E1, E2 = "1.a", "2.b"
ALICE, BOB = 1, 2
"""Users, and the links of their only devices."""


def opened(link: int, at: float = 0.0) -> Opened:
    return Opened(at, link, link, f"device-{link}", "server")


def begins(conv: str = ROOM, at: float = 0.0) -> list[Event]:
    """Both are connected and know that a conversation is empty."""
    events: list[Event] = []
    for link in (ALICE, BOB):
        events += [opened(link, at), Told(at, link, conv, E1, 1, 0)]
        events.append(Dropped(at, f"device-{link}", conv, E1, 1))
    return events


def said(seq: int, key: str, conv: str = ROOM, epoch: str = E1, at: float = 1.0) -> list[Event]:
    """Alice says something, it is accepted, and Bob hears it."""
    return [*sent(seq, key, conv, epoch, at), *heard(seq, key, conv, epoch, at)]


def sent(seq: int, key: str, conv: str = ROOM, epoch: str = E1, at: float = 1.0) -> list[Event]:
    first = 1 if epoch == E1 else seq
    return [
        Sent(at, ALICE, conv, key),
        Answered(at, ALICE, conv, key, 200, epoch, first, seq),
        Shown(at, f"device-{ALICE}", conv, epoch, seq, key),
    ]


def heard(seq: int, key: str, conv: str = ROOM, epoch: str = E1, at: float = 1.0) -> list[Event]:
    return [
        Pushed(at, BOB, conv, epoch, seq, key),
        Shown(at, f"device-{BOB}", conv, epoch, seq, key),
    ]


def log(*entries: tuple[str, str], conv: str = ROOM) -> list[Event]:
    """What the history has in the end: epochs and keys."""
    return [Logged(9.0, conv, epoch, seq, key) for seq, (epoch, key) in enumerate(entries, 1)]


def rollback(begins: bool, at: float, since: float) -> Fault:
    return Fault(at, "w", "rollback", begins, since)


class JudgeTest(SynchronousTestCase):
    def promises(self, *parts: Event | list[Event]) -> set[str]:
        """What the judge finds broken in a trace."""
        court = Judge()
        for part in parts:
            for event in part if isinstance(part, list) else [part]:
                court.take(event)
        return {violation.promise for violation in court.finish()}

    def test_a_sound_trace_is_clean(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "b"), *log((E1, "a"), (E1, "b"))]
        self.assertEqual(self.promises(trace), set())

    def test_a_lost_message(self) -> None:
        self.assertIn("lost", self.promises(begins(), sent(1, "a"), log()))

    def test_a_message_whose_place_another_one_has(self) -> None:
        found = self.promises(begins(), said(1, "a"), said(2, "b"), log((E1, "b"), (E1, "a")))
        self.assertLessEqual({"lost", "identity"}, found)

    def test_a_message_that_answers_another_one_than_it_did(self) -> None:
        key = answering("a", 3)
        for shown in ({"reply": 4}, {}, {"reply": 3}):
            heard_as = key_of({"seq": 1, "content": f"{key} ...", **shown})
            found = self.promises(begins(), sent(1, key), heard(1, heard_as), log((E1, key)))
            self.assertEqual(found, set() if shown.get("reply") == 3 else {"identity", "refused"})
        self.assertEqual(key_of({"content": "a ...", "reply": 3}), "a, an answer to 3")
        self.assertEqual(key_of({"content": "a ..."}), "a")

    def test_a_push_that_comes_twice(self) -> None:
        twice = Pushed(1.1, BOB, ROOM, E1, 1, "a")
        self.assertEqual(self.promises(begins(), said(1, "a"), twice, log((E1, "a"))), {"order"})

    def test_a_message_with_two_numbers(self) -> None:
        found = self.promises(begins(), said(1, "a"), heard(2, "a"), log((E1, "a"), (E1, "a")))
        self.assertIn("double", found)

    def test_a_message_that_is_pushed_under_two_numbers(self) -> None:
        self.assertIn("double", self.promises(begins(), said(1, "a"), heard(2, "a")))

    def test_a_message_that_is_in_the_history_twice(self) -> None:
        self.assertIn("double", self.promises(begins(), said(1, "a"), log((E1, "a"), (E1, "a"))))

    def test_a_repetition_that_is_told_another_number(self) -> None:
        again = [Sent(2.0, ALICE, ROOM, "a"), Answered(2.0, ALICE, ROOM, "a", 200, E1, 1, 2, True)]
        found = self.promises(begins(), said(1, "a"), said(2, "b"), again,
                              log((E1, "a"), (E1, "b")))  # fmt: skip
        self.assertEqual(found, {"double", "lost"})

    def test_a_repetition_that_is_told_the_same_number_is_clean(self) -> None:
        again = [Sent(2.0, ALICE, ROOM, "a"), Answered(2.0, ALICE, ROOM, "a", 200, E1, 1, 1, True)]
        self.assertEqual(self.promises(begins(), said(1, "a"), again, log((E1, "a"))), set())

    def test_a_swapped_pair(self) -> None:
        trace = [*begins(), *sent(1, "a"), *sent(2, "b")]
        trace += [Pushed(1.0, BOB, ROOM, E1, 2, "b"), Pushed(1.0, BOB, ROOM, E1, 1, "a")]
        trace += [Fetched(1.1, BOB, ROOM, E1, 1, "a")]
        trace += [Shown(1.1, "device-2", ROOM, E1, seq, key) for seq, key in ((1, "a"), (2, "b"))]
        self.assertIn("order", self.promises(trace, log((E1, "a"), (E1, "b"))))

    def test_an_answer_that_is_out_of_its_place(self) -> None:
        trace = [*begins(), Sent(1.0, ALICE, ROOM, "a"), *sent(2, "b")]
        trace.append(Answered(1.1, ALICE, ROOM, "a", 200, E1, 1, 1))
        self.assertIn("order", self.promises(trace))

    def test_a_hole_on_a_connection(self) -> None:
        trace = [*begins(), *sent(1, "a"), *sent(2, "b"), Pushed(1.0, BOB, ROOM, E1, 2, "b")]
        self.assertIn("hole", self.promises(trace))

    def test_a_hole_on_a_connection_that_is_not_read_is_clean(self) -> None:
        trace = [*begins(), Stalled(0.5, BOB), *sent(1, "a"), *sent(2, "b")]
        trace += [Pushed(1.0, BOB, ROOM, E1, 2, "b"), Fetched(1.1, BOB, ROOM, E1, 1, "a")]
        trace += [Shown(1.1, "device-2", ROOM, E1, seq, key) for seq, key in ((1, "a"), (2, "b"))]
        self.assertEqual(self.promises(trace, log((E1, "a"), (E1, "b"))), set())

    def test_a_hole_between_the_snapshot_and_the_first_push(self) -> None:
        trace = [*begins(), *said(1, "a"), Closed(2.0, BOB), opened(3, 3.0)]
        trace += [Told(3.0, 3, ROOM, E1, 1, 1), *sent(2, "b"), *sent(3, "c")]
        trace += [Pushed(3.0, 3, ROOM, E1, 3, "c")]
        self.assertIn("hole", self.promises(trace))

    def test_a_hole_in_the_history(self) -> None:
        torn = [Logged(9.0, ROOM, E1, 1, "a"), Logged(9.0, ROOM, E1, 3, "c")]
        self.assertIn("hole", self.promises(begins(), torn))

    def test_a_receipt_ahead(self) -> None:
        trace = [*begins(PAIR), *said(1, "a", PAIR), Acked(1.1, BOB, PAIR, 1, 0)]
        end = log((E1, "a"), conv=PAIR)
        sound = Receipt(1.2, ALICE, BOB, PAIR, 1, 0)
        self.assertEqual(self.promises(trace, sound, end), set())
        for delivered, read in ((2, 0), (1, 1)):
            ahead = Receipt(1.2, ALICE, BOB, PAIR, delivered, read)
            self.assertEqual(self.promises(trace, ahead, end), {"receipt"})

    def test_a_number_given_twice_without_a_new_epoch(self) -> None:
        found = self.promises(begins(), said(1, "a"), Fetched(2.0, BOB, ROOM, E1, 1, "b"))
        self.assertIn("identity", found)

    def test_a_snapshot_that_goes_back_without_a_new_epoch(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "b"), opened(3, 2.0)]
        back = Told(2.1, 3, ROOM, E1, 1, 1)
        self.assertEqual(self.promises(trace, back, log((E1, "a"), (E1, "b"))), {"backwards"})

    def test_a_new_epoch_explains_what_a_rollback_lost(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "b", at=3.0)]
        trace += [rollback(True, 4.0, 2.0), rollback(False, 5.0, 2.0)]
        trace += [Dropped(6.0, f"device-{link}", ROOM, E2, 2) for link in (ALICE, BOB)]
        end = [*said(2, "c", epoch=E2, at=6.0), *log((E1, "a"), (E2, "c"))]
        self.assertEqual(self.promises(trace, end), set())

    def test_a_repetition_may_be_told_its_number_of_the_new_epoch_first(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "x", at=3.0)]
        trace += said(3, "b", at=3.0)
        trace += [rollback(True, 4.0, 2.0), rollback(False, 5.0, 2.0)]
        trace += [Dropped(6.0, f"device-{link}", ROOM, E2, 2) for link in (ALICE, BOB)]
        again = [Sent(6.0, ALICE, ROOM, "b"), Answered(6.0, ALICE, ROOM, "b", 200, E2, 2, 2, True)]
        stored = [*said(2, "b", epoch=E2, at=6.0), *log((E1, "a"), (E2, "b"))]
        self.assertEqual(self.promises(trace, again, stored), set())

    def test_where_a_new_epoch_began_may_be_told_by_a_repetition_alone(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "b", at=3.0), Sent(3.0, ALICE, ROOM, "c")]
        trace += [rollback(True, 4.0, 2.0), rollback(False, 5.0, 2.0)]
        trace += [Dropped(6.0, f"device-{link}", ROOM, E2, 2) for link in (ALICE, BOB)]
        trace += [*heard(2, "c", epoch=E2, at=6.0)]
        again = Answered(7.0, ALICE, ROOM, "c", 200, E2, 2, 2, True)
        end = [
            Fetched(6.5, ALICE, ROOM, E2, 2, "c"),
            Shown(6.5, f"device-{ALICE}", ROOM, E2, 2, "c"),
        ]
        self.assertEqual(self.promises(trace, end, again, log((E1, "a"), (E2, "c"))), set())

    def test_a_rollback_does_not_explain_what_was_accepted_before_the_copy(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "b", at=1.5)]
        trace += [rollback(True, 4.0, 2.0), rollback(False, 5.0, 2.0)]
        trace += [Dropped(6.0, f"device-{link}", ROOM, E2, 2) for link in (ALICE, BOB)]
        end = [*said(2, "c", epoch=E2, at=6.0), *log((E1, "a"), (E2, "c"))]
        self.assertEqual(self.promises(trace, end), {"lost"})

    def test_what_was_accepted_before_a_rollback_may_be_read_after_it(self) -> None:
        """Whoever does not read gets the answer late; who sends after it has lost something."""
        for sent_at, broken in ((4.9, set()), (5.1, {"lost"})):
            trace = [*begins(), *said(1, "a"), Sent(sent_at, ALICE, ROOM, "b")]
            trace += [rollback(True, 4.0, 2.0), rollback(False, 5.0, 2.0)]
            trace += [*sent(2, "b", at=6.0)[1:], *heard(2, "b", at=6.0)]
            trace += [Dropped(6.0, f"device-{link}", ROOM, E2, 2) for link in (ALICE, BOB)]
            end = [*said(2, "c", epoch=E2, at=6.0), *log((E1, "a"), (E2, "c"))]
            self.assertEqual(self.promises(trace, end), broken)

    def test_what_a_rollback_lost_without_a_new_epoch(self) -> None:
        trace = [*begins(), *said(1, "a"), *said(2, "b", at=3.0)]
        trace += [rollback(True, 4.0, 2.0), rollback(False, 5.0, 2.0)]
        self.assertIn("lost", self.promises(trace, log((E1, "a"))))

    def test_a_new_epoch_that_nothing_explains(self) -> None:
        trace: list[Event] = [*begins()]
        trace += [event for n in (1, 2) for event in said(n, str(n), epoch=f"{n}.x")]
        self.assertIn("epoch", self.promises(trace))

    def test_an_epoch_that_comes_back(self) -> None:
        trace = [*begins(), rollback(True, 0.5, 0.0), rollback(False, 0.5, 0.0)]
        trace += [*said(1, "a"), *said(2, "b", epoch=E2), Pushed(2.0, BOB, ROOM, E1, 3, "c")]
        self.assertIn("order", self.promises(trace))

    def test_a_refused_message_that_appears(self) -> None:
        refused = [Sent(1.0, ALICE, ROOM, "a"), Answered(1.0, ALICE, ROOM, "a", 503)]
        self.assertEqual(self.promises(begins(), refused), set())
        self.assertEqual(self.promises(begins(), refused, heard(1, "a")), {"refused", "device"})
        stored = [Logged(9.0, ROOM, E1, 1, "a")]
        self.assertIn("refused", self.promises(begins(), refused, stored))

    def test_a_message_of_unknown_fate_may_appear_once(self) -> None:
        lost = [Sent(1.0, ALICE, ROOM, "a"), Answered(1.0, ALICE, ROOM, "a", 504)]
        shown = Fetched(2.0, ALICE, ROOM, E1, 1, "a"), Shown(2.0, "device-1", ROOM, E1, 1, "a")
        self.assertEqual(self.promises(begins(), lost), set())
        once = [*begins(), *lost, *heard(1, "a"), *shown]
        self.assertEqual(self.promises(once, log((E1, "a"))), set())
        twice = [Pushed(3.0, BOB, ROOM, E1, 2, "a")]
        self.assertIn("double", self.promises(once, twice, log((E1, "a"), (E1, "a"))))

    def test_a_message_that_nobody_sent(self) -> None:
        self.assertIn("refused", self.promises(begins(), heard(1, "ghost"), log((E1, "ghost"))))

    def test_a_tail_that_does_not_come(self) -> None:
        trace = [*begins(), *said(1, "a"), *sent(2, "b"), Settled(8.0, ROOM, E1, 2)]
        late = [Fetched(8.1, BOB, ROOM, E1, 2, "b"), Shown(8.1, "device-2", ROOM, E1, 2, "b")]
        self.assertEqual(self.promises(trace, late, log((E1, "a"), (E1, "b"))), {"tail"})

    def test_a_device_that_shows_one_and_not_the_one_before(self) -> None:
        trace = [*begins(), *sent(1, "a"), *sent(2, "b")]
        trace += [Pushed(1.0, BOB, ROOM, E1, seq, key) for seq, key in ((1, "a"), (2, "b"))]
        trace += [Shown(1.1, "device-2", ROOM, E1, 2, "b")]
        self.assertEqual(self.promises(trace, log((E1, "a"), (E1, "b"))), {"device"})

    def test_a_device_that_ends_without_the_last_message(self) -> None:
        trace = [*begins(), *said(1, "a"), *sent(2, "b")]
        self.assertEqual(self.promises(trace, log((E1, "a"), (E1, "b"))), {"device"})

    def redacted(self, *more: Event, done: bool = True) -> list[Event]:
        """Two messages, and the text of the first is taken away."""
        trace = [*begins(), *said(1, "a"), *said(2, "b"), Redacting(2.0, ROOM, 1, "a")]
        return [*trace, *([Redacted(2.1, ROOM, 1, "a")] if done else []), *more]

    def test_a_text_that_was_taken_away_is_gone_and_its_number_stays(self) -> None:
        page = Fetched(3.1, BOB, ROOM, E1, 1, "", asked=3.0)
        trace = self.redacted(page)
        self.assertEqual(self.promises(trace, log((E1, ""), (E1, "b"))), set())
        self.assertIn("identity", self.promises(trace, log((E1, ""), (E1, ""))))
        self.assertIn("lost", self.promises(trace, log((E1, ""))))

    def test_a_text_that_is_shown_after_it_was_taken_away(self) -> None:
        log_without = log((E1, ""), (E1, "b"))
        late = Fetched(3.1, BOB, ROOM, E1, 1, "a", asked=3.0)
        self.assertEqual(self.promises(self.redacted(late), log_without), {"redacted"})
        early = Fetched(3.1, BOB, ROOM, E1, 1, "a", asked=2.0)
        self.assertEqual(self.promises(self.redacted(early), log_without), set())
        self.assertEqual(self.promises(self.redacted(late, done=False), log_without), set())

    def test_a_text_that_is_in_the_log_after_it_was_taken_away(self) -> None:
        full = log((E1, "a"), (E1, "b"))
        self.assertEqual(self.promises(self.redacted(), full), {"redacted"})
        self.assertEqual(self.promises(self.redacted(done=False), full), set())
        undone = [rollback(True, 3.0, 2.0), rollback(False, 4.0, 2.0)]
        self.assertEqual(self.promises(self.redacted(*undone), full), set())

    def test_a_text_that_vanishes_although_nobody_took_it_away(self) -> None:
        found = self.promises(begins(), said(1, "a"), log((E1, "")))
        self.assertEqual(found, {"identity", "lost"})

    def edited(self, *more: Event, done: bool = True) -> list[Event]:
        """A message, which is edited twice; of the second edit nobody may know what came of it."""
        trace = [
            *begins(),
            *said(1, "a"),
            Editing(2.0, ROOM, 1, "a", 1),
            Edited(2.1, ROOM, 1, "a", 1),
        ]
        trace += [Editing(3.0, ROOM, 1, "a", 2)]
        return [*trace, *([Edited(3.1, ROOM, 1, "a", 2)] if done else []), *more]

    def logged(self, revision: int) -> list[Event]:
        return [Logged(9.0, ROOM, E1, 1, "a", revision)]

    def test_an_edit_that_was_accepted_is_in_every_page_that_is_asked_for_afterwards(self) -> None:
        for asked, revision, broken in (
            (2.05, 0, False), (2.05, 1, False), (2.5, 0, True), (2.5, 1, False), (3.05, 2, False),
            (3.5, 1, True), (3.5, 2, False), (3.5, 3, True),
        ):  # fmt: skip
            page = Fetched(4.0, BOB, ROOM, E1, 1, "a", asked, revision)
            found = self.promises(self.edited(page), self.logged(2))
            self.assertEqual(found, {"edited"} if broken else set(), (asked, revision))

    def test_an_edit_that_was_accepted_is_in_the_log(self) -> None:
        for revision, done, broken in (
            (2, True, False), (1, True, True), (0, True, True), (3, True, True),
            (2, False, False), (1, False, False), (0, False, True),
        ):  # fmt: skip
            found = self.promises(self.edited(done=done), self.logged(revision))
            self.assertEqual(found, {"edited"} if broken else set(), (revision, done))
        undone = [rollback(True, 4.0, 3.0), rollback(False, 5.0, 3.0)]
        self.assertEqual(self.promises(self.edited(*undone), self.logged(1)), set())
        self.assertEqual(self.promises(self.edited(*undone), self.logged(0)), {"edited"})

    def test_a_push_to_somebody_who_left(self) -> None:
        trace = [*begins(), *said(1, "a"), Left(2.0, BOB, "device-2", ROOM)]
        more = sent(2, "b", at=3.0)
        full = log((E1, "a"), (E1, "b"))
        self.assertEqual(self.promises(trace, more, full), set())
        late = Pushed(3.0, BOB, ROOM, E1, 2, "b")
        self.assertEqual(self.promises(trace, more, late, full), {"left"})

    def test_who_comes_back_hears_from_there_on(self) -> None:
        trace = [*begins(), Left(0.5, BOB, "device-2", ROOM), *sent(1, "a")]
        trace += [Told(2.0, BOB, ROOM, E1, 1, 1), Dropped(2.0, "device-2", ROOM, E1, 2)]
        trace += said(2, "b", at=3.0)
        self.assertEqual(self.promises(trace, log((E1, "a"), (E1, "b"))), set())

    def test_an_original_client_that_is_sent_a_message_twice_or_in_the_wrong_order(self) -> None:
        trace = [*begins(), opened(3), *said(1, "a"), *said(2, "b")]
        full = log((E1, "a"), (E1, "b"))
        a, b = Heard(2.0, 3, ROOM, "a"), Heard(2.0, 3, ROOM, "b")
        self.assertEqual(self.promises(trace, a, b, full), set())
        self.assertEqual(self.promises(trace, a, b, a, full), {"original"})
        self.assertEqual(self.promises(trace, b, a, full), {"original"})
        self.assertEqual(self.promises(trace, b, a, Closed(3.0, 3), full), {"original"})
        self.assertIn("refused", self.promises(trace, Heard(2.0, 3, ROOM, "ghost"), full))

    def test_after_a_loss_an_original_client_may_be_sent_it_again(self) -> None:
        trace = [*begins(), opened(3), *said(1, "a"), Heard(1.0, 3, ROOM, "a")]
        trace += [rollback(True, 2.0, 1.5), rollback(False, 3.0, 1.5)]
        self.assertEqual(self.promises(trace, Heard(4.0, 3, ROOM, "a"), log((E1, "a"))), set())
        trace[-1:] = [Heard(20.0, 3, ROOM, "a"), rollback(False, 30.0, 1.5)]
        self.assertEqual(self.promises(trace, log((E1, "a"))), set(), "while it lasts")

    def test_who_is_told_again_where_it_stands_is_still_pushed_what_lies_between(self) -> None:
        trace = [*begins(), *sent(1, "a"), *sent(2, "b"), Told(1.5, BOB, ROOM, E1, 1, 2)]
        trace += [*heard(1, "a", at=2.0), *heard(2, "b", at=2.0)]
        full = log((E1, "a"), (E1, "b"))
        self.assertEqual(self.promises(trace, full), set())
        self.assertIn("hole", self.promises(trace[:-4], heard(2, "b", at=2.0), full))


class CalmTest(SynchronousTestCase):
    def test_of_a_thousand_messages_made_in_calm_one_may_be_lost_on_the_way_in(self) -> None:
        for made, accepted in ((0, 0), (10, 9), (1000, 999), (10_000, 9_990)):
            self.assertEqual(too_few(made, accepted), [], (made, accepted))
        for made, accepted in ((10, 8), (1000, 998), (10_000, 9_989)):
            self.assertEqual(len(too_few(made, accepted)), 1, (made, accepted))
