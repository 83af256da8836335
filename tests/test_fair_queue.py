"""A fair queue: one origin after the other, and nobody is kept out by who has more waiting."""

from twisted.trial.unittest import SynchronousTestCase

from chat.server.guard.fair_queue import FairQueue


class FairQueueTest(SynchronousTestCase):
    def everything(self, queue: FairQueue[str]) -> list[str]:
        return [queue.take() for _ in range(len(queue))]

    def test_origins_take_turns_and_each_is_served_in_order(self) -> None:
        queue: FairQueue[str] = FairQueue(0)
        for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
            self.assertIsNone(queue.add(item[0], item))
        self.assertEqual(self.everything(queue), ["a1", "b1", "c1", "a2", "b2", "a3"])
        with self.assertRaises(IndexError):
            queue.take()

    def test_who_has_just_been_served_stands_behind_who_comes(self) -> None:
        queue: FairQueue[str] = FairQueue(0)
        queue.add("a", "a1")
        queue.add("a", "a2")
        self.assertEqual(queue.take(), "a1")
        queue.add("b", "b1")
        self.assertEqual(self.everything(queue), ["a2", "b1"])

    def test_an_origin_alone_may_fill_it_and_no_more(self) -> None:
        queue: FairQueue[str] = FairQueue(3)
        self.assertEqual([queue.add("a", f"a{n}") for n in range(4)], [None, None, None, "a3"])
        self.assertEqual(len(queue), 3)

    def test_when_it_is_full_the_loudest_makes_room_until_all_have_as_many(self) -> None:
        queue: FairQueue[str] = FairQueue(4)
        for number in range(4):
            queue.add("a", f"a{number}")
        self.assertEqual(queue.add("b", "b0"), "a3")
        self.assertEqual(queue.add("b", "b1"), "a2")
        self.assertEqual(queue.add("b", "b2"), "b2", "who has as many as the loudest is louder")
        self.assertEqual(queue.add("c", "c0"), "a1")
        self.assertEqual(queue.add("d", "d0"), "b1")
        self.assertEqual(queue.add("e", "e0"), "e0", "nobody has more than one")
        self.assertEqual(self.everything(queue), ["a0", "b0", "c0", "d0"])
