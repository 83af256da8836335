"""Turns: one origin after the other, and nobody is kept out by who has more waiting."""

from twisted.trial.unittest import SynchronousTestCase

from chat.server.guard.turns import Turns


class TurnsTest(SynchronousTestCase):
    def everything(self, turns: Turns[str]) -> list[str]:
        return [turns.take() for _ in range(len(turns))]

    def test_origins_take_turns_and_each_is_served_in_order(self) -> None:
        turns: Turns[str] = Turns(0)
        for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
            self.assertIsNone(turns.add(item[0], item))
        self.assertEqual(self.everything(turns), ["a1", "b1", "c1", "a2", "b2", "a3"])
        with self.assertRaises(IndexError):
            turns.take()

    def test_who_has_just_been_served_stands_behind_who_comes(self) -> None:
        turns: Turns[str] = Turns(0)
        turns.add("a", "a1")
        turns.add("a", "a2")
        self.assertEqual(turns.take(), "a1")
        turns.add("b", "b1")
        self.assertEqual(self.everything(turns), ["a2", "b1"])

    def test_an_origin_alone_may_fill_it_and_no_more(self) -> None:
        turns: Turns[str] = Turns(3)
        self.assertEqual([turns.add("a", f"a{n}") for n in range(4)], [None, None, None, "a3"])
        self.assertEqual(len(turns), 3)

    def test_when_it_is_full_the_loudest_makes_room_until_all_have_as_many(self) -> None:
        turns: Turns[str] = Turns(4)
        for number in range(4):
            turns.add("a", f"a{number}")
        self.assertEqual(turns.add("b", "b0"), "a3")
        self.assertEqual(turns.add("b", "b1"), "a2")
        self.assertEqual(turns.add("b", "b2"), "b2", "who has as many as the loudest is louder")
        self.assertEqual(turns.add("c", "c0"), "a1")
        self.assertEqual(turns.add("d", "d0"), "b1")
        self.assertEqual(turns.add("e", "e0"), "e0", "nobody has more than one")
        self.assertEqual(self.everything(turns), ["a0", "b0", "c0", "d0"])
