"""Conversations as a client knows them: no mark goes back, but by a new epoch."""

from unittest import TestCase

from chat.client.delivery.catalogue import Catalogue
from chat.client.events import ConversationChanged
from chat.messages import Conversation


class CatalogueTest(TestCase):
    def setUp(self) -> None:
        self.told: list[ConversationChanged] = []
        self.catalogue = Catalogue(self.told.append)
        self.catalogue.learn(Conversation("@2", "e1", 1, 9, 1, 9, 9, user_name="ben"))

    def marks(self) -> tuple[str, int, int, int]:
        known = self.catalogue.conversations["@2"]
        return known.epoch, known.seq, known.delivered, known.read

    def test_within_an_epoch_no_mark_goes_back(self) -> None:
        self.catalogue.learn(Conversation("@2", "e1", 1, 5, 1, 4, 3))
        self.assertEqual(self.marks(), ("e1", 9, 9, 9))

    def test_of_another_epoch_it_is_as_the_server_says(self) -> None:
        self.catalogue.learn(Conversation("@2", "e2", 1, 5, 1, 4, 3))
        self.assertEqual(self.marks(), ("e2", 5, 4, 3))

    def test_marks_above_what_a_new_epoch_kept_count_as_that(self) -> None:
        self.catalogue.epoch("@2", "e2", 5)
        self.assertEqual(self.marks(), ("e2", 9, 4, 4))

    def test_a_name_that_is_not_said_again_is_kept(self) -> None:
        self.catalogue.learn(Conversation("@2", "e1", 1, 10, 1, 9, 9))
        self.assertEqual(self.catalogue.conversations["@2"].user_name, "ben")

    def test_what_is_as_it_was_is_not_told(self) -> None:
        self.told.clear()
        self.catalogue.learn(Conversation("@2", "e1", 1, 9, 1, 9, 9, user_name="ben"))
        self.assertEqual(self.told, [])
