"""Marks on their way to the server: gathered, none lost, and none more often than once a second."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.client.delivery.acks import EVERY, Acks
from chat.messages import AckMes

A, B = "#a", "#b"


class AcksTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[AckMes] = []
        self.acks = Acks(self.clock, self.told.append)
        self.addCleanup(self.acks.stop)

    def sent(self, seconds: float = 0) -> list[AckMes]:
        """What was sent by then, and not before this was asked last."""
        self.clock.advance(seconds)
        sent, self.told[:] = list(self.told), []
        return sent

    def test_those_of_one_turn_are_one(self) -> None:
        self.acks.start()
        for seq in (3, 7, 5):
            self.acks.move(A, "1.aa", delivered=seq)
        self.acks.move(A, "1.aa", read=4)
        self.assertEqual(self.sent(), [AckMes(A, "1.aa", 7, 4)])

    def test_one_a_second_for_each_conversation_and_none_waits_for_another(self) -> None:
        self.acks.start()
        self.acks.move(A, "1.aa", read=1)
        self.assertEqual(self.sent(), [AckMes(A, "1.aa", None, 1)])
        self.acks.move(A, "1.aa", read=2)
        self.assertEqual(self.sent(EVERY / 2), [])
        self.acks.move(B, "1.aa", read=9)
        self.assertEqual(self.sent(), [AckMes(B, "1.aa", None, 9)])
        self.assertEqual(self.sent(EVERY / 2), [AckMes(A, "1.aa", None, 2)])

    def test_marks_of_an_epoch_before_count_no_more(self) -> None:
        self.acks.start()
        self.acks.move(A, "1.aa", delivered=9, read=9)
        self.acks.move(A, "2.bb", read=3)
        self.assertEqual(self.sent(), [AckMes(A, "2.bb", None, 3)])

    def test_what_is_due_waits_for_the_next_login_and_is_sent_at_once_then(self) -> None:
        self.acks.move(A, "1.aa", read=1)
        self.assertEqual(self.sent(EVERY), [])
        self.acks.start()
        self.assertEqual(self.sent(), [AckMes(A, "1.aa", None, 1)])
        self.acks.move(A, "1.aa", read=2)
        self.acks.stop()
        self.assertEqual(self.sent(), [])
        self.acks.start()
        self.assertEqual(self.sent(), [AckMes(A, "1.aa", None, 2)])

    def test_what_moves_while_there_is_no_connection_waits_for_one(self) -> None:
        self.acks.start()
        self.acks.stop()
        self.acks.move(A, "1.aa", read=1)
        self.assertEqual(self.sent(10), [])
        self.acks.start()
        self.assertEqual(self.sent(), [AckMes(A, "1.aa", None, 1)])

    def test_who_leaves_acknowledges_no_more_and_who_comes_again_begins_anew(self) -> None:
        self.acks.start()
        self.acks.move(A, "1.aa", read=1)
        self.sent()
        self.acks.move(A, "1.aa", read=2)
        self.acks.forget(A)
        self.acks.move(A, "1.aa", read=5)
        self.assertEqual(self.sent(), [AckMes(A, "1.aa", None, 5)])
        self.acks.move(B, "1.aa", read=1)
        self.acks.forget(B)
        self.assertEqual(self.sent(EVERY), [])

    def test_at_the_end_all_that_is_due_is_sent(self) -> None:
        self.acks.start()
        for conversation in (A, B):
            self.acks.move(conversation, "1.aa", read=1)
        self.acks.flush()
        self.assertEqual({each.conversation for each in self.sent()}, {A, B})
