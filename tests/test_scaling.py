"""The model of large installations: what it says of measured runs, and how its figures move."""

import json
from dataclasses import replace
from unittest import TestCase

from benchmarks.needs import COSTS as FILE
from benchmarks.needs import Load, needs, sized, usual

NEAR = 0.25
FOUND = json.loads(FILE.read_text())
COSTS = FOUND["costs"]


class ModelTest(TestCase):
    def test_the_run_that_it_was_not_fitted_on_is_predicted_within_a_quarter(self) -> None:
        at_work = {name: 0.0 if "idle" in name else it for name, it in COSTS.items()}
        predicted = needs(at_work, Load(**FOUND["load"]))
        for name, found in (("servers", predicted.servers), ("the store", predicted.store)):
            _, measured = FOUND["proof"][f"cores busy in {name}"]
            self.assertLess(abs(found / measured - 1), NEAR, name)

    def test_every_cost_is_a_cost(self) -> None:
        self.assertEqual({name: it for name, it in COSTS.items() if it <= 0}, {})

    def test_a_room_on_one_server_needs_no_other(self) -> None:
        load = replace(usual(10_000, 1), servers=1)
        self.assertEqual(load.spread, 1)
        self.assertAlmostEqual(replace(load, servers=10**6).spread, load.room, places=2)

    def test_more_of_anything_costs_more_and_twice_as_much_is_twice_as_much(self) -> None:
        load = usual(10_000, 3)
        at_work = {name: 0.0 if "idle" in name else it for name, it in COSTS.items()}
        once = needs(at_work, load)
        twice = needs(at_work, replace(
            load, room_messages=2 * load.room_messages, acks=2 * load.acks,
            private_messages=2 * load.private_messages, logins=2 * load.logins,
        ))  # fmt: skip
        self.assertAlmostEqual(twice.servers, 2 * once.servers)
        self.assertAlmostEqual(twice.store, 2 * once.store)
        for name in ("room_messages", "private_messages", "acks", "logins"):
            more = needs(COSTS, replace(load, **{name: getattr(load, name) + 1}))
            self.assertGreater(more.servers, needs(COSTS, load).servers, name)
            self.assertGreater(more.store, needs(COSTS, load).store, name)

    def test_there_are_servers_enough_to_keep_half_of_each_core_free(self) -> None:
        load, need = sized(COSTS, 10**6)
        self.assertLessEqual(need.servers, load.servers / 2)
        self.assertLessEqual(load.online / load.servers, 50_000)
