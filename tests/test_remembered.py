"""What a server remembers of conversations has a bound; what it forgot it looks up again."""

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from chat.store.keys import Keys
from chat.store.post import Post
from chat.store.posting import Posting
from tests.hall import Guest, Hall


class Contacts:
    """Accounts, blocks and lists of conversations in one: everybody exists.

    :ivar made: whom somebody was put on the list of, in order.
    :ivar blocked: whether everybody has blocked everybody.
    """

    def __init__(self) -> None:
        self.made: list[int] = []
        self.blocked = False

    async def find(self, user_id: int) -> None:
        """There is such a user."""

    async def is_blocked(self, cid: str) -> bool:
        """Whether one of the two does not want to hear the other."""
        return self.blocked

    async def contact(self, user_id: int, partner: int) -> None:
        """Put each of them on the other's list."""
        self.made.append(partner)


class CountingKeys(Keys):
    """Counts how often the words of a conversation are worked out."""

    count = 0

    def meta(self, cid: str) -> bytes:
        """The key of a conversation's numbers."""
        self.count += 1
        return super().meta(cid)


class ContactTest(SynchronousTestCase):
    def write_to(self, guest: Guest, *partners: int) -> None:
        for partner in partners:
            guest.send("SmsMes", to=f"@{partner}", content="hi")

    def test_as_many_contacts_as_may_be_are_remembered_and_one_more_costs_the_oldest(self) -> None:
        hall, contacts = Hall(rate=(0, 0.0)), Contacts()
        known: Any = contacts
        context = hall.context
        context.accounts = context.moderation = context.conversations = known
        guest = hall.guest(1)
        with patch("chat.server.requests.talking.MOST_CONTACTS", 3):
            self.write_to(guest, 2, 3, 4, 2, 3, 4)
            self.assertEqual(contacts.made, [2, 3, 4])
            self.write_to(guest, 5, 3, 4, 5)
            self.assertEqual(contacts.made, [2, 3, 4, 5])
            self.write_to(guest, 2)
            self.assertEqual(contacts.made, [2, 3, 4, 5, 2])
        self.assertEqual(len(context.contacts), 3)
        self.assertEqual(guest.frames, [])

    def test_who_was_blocked_is_refused_although_that_ends_while_it_is_posted(self) -> None:
        """Else it would be accepted, and the conversation on nobody's list."""
        hall, contacts = Hall(), Contacts()
        known: Any = contacts
        context, posted = hall.context, list[Post]()
        context.accounts = context.moderation = context.conversations = known
        self.patch(context.posting, "post", posted.append)
        guest = hall.guest(1)
        for contacts.blocked in (True, False):
            self.write_to(guest, 2)
        self.assertEqual([each.refusal for each in posted], [403, 0])
        self.assertEqual(contacts.made, [2])


class GroupTest(SynchronousTestCase):
    def test_the_words_of_as_many_conversations_as_may_be_are_worked_out_once(self) -> None:
        for rooms, worked_out in ((3, 3), (4, 8)):
            hall, keys = Hall(), CountingKeys()
            store: Any = hall.scripts
            hall.context.posting = posting = Posting(hall.clock, store, keys, 7)
            guest = hall.guest(1, *(f"r:{number}" for number in range(rooms)))
            with patch("chat.store.posting.MOST_GROUPS", 3):
                for number in (*range(rooms), *range(rooms)):
                    guest.send("SmsMes", to=f"#{number}", content="hi")
                    hall.clock.advance(0)
                    hall.scripts.answer(1)
                    hall.clock.advance(0)
            self.assertEqual(keys.count, worked_out)
            self.assertEqual(len(posting.awaited()), rooms)
