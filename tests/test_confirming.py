"""What this server posted waits for a replica; nothing else does, and a loss ends the waiting."""

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chat.server.delivery.confirming import Confirming
from chat.store.bus import Listener
from chat.store.entries import Header, Publication

HERE, ELSEWHERE = 7, 8


def said(cid: str, serial: int, server: int = HERE) -> Publication:
    """One entry that a server posted."""
    header = Header(server, serial, 1, serial, 0, b"")
    return Publication(cid, "#" + cid, "1.a", 1, [header], {1}, list)


class Heard(Listener):
    """Writes down what passes."""

    def __init__(self) -> None:
        self.serials: list[int] = []

    def published(self, user_id: int, publication: Publication) -> None:
        self.serials += [header.serial for header in publication.headers]


class ConfirmingTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.heard = Heard()
        self.posting: Any = SimpleNamespace(server=HERE, unconfirmed=frozenset({1, 2}))
        self.bus = Confirming(self.heard, self.posting)

    def confirm(self) -> None:
        """A replica has them all."""
        self.posting.unconfirmed = frozenset()
        self.posting.confirmed()

    def test_a_conversation_waits_for_the_replica_and_keeps_its_order(self) -> None:
        for serial in (1, 2, 3):
            self.bus.published(0, said("tea", serial))
        self.assertEqual(self.heard.serials, [])
        self.confirm()
        self.assertEqual(self.heard.serials, [1, 2, 3])

    def test_others_and_what_another_server_posted_do_not_wait(self) -> None:
        self.bus.published(0, said("tea", 1))
        self.bus.published(0, said("art", 5))
        self.bus.published(0, said("cats", 1, ELSEWHERE))
        self.assertEqual(self.heard.serials, [5, 1])

    def test_a_snapshot_does_not_overtake_what_waits(self) -> None:
        self.successResultOf(self.bus.settled())
        self.bus.published(0, said("tea", 1))
        settled = self.bus.settled()
        self.assertNoResult(settled)
        self.confirm()
        self.successResultOf(settled)

    def test_after_a_loss_nothing_waits_for_what_is_read_from_the_log(self) -> None:
        self.bus.published(0, said("tea", 1))
        settled = self.bus.settled()
        self.bus.lost(0)
        self.successResultOf(settled)
        self.bus.published(0, said("tea", 9))
        self.assertEqual(self.heard.serials, [9])
