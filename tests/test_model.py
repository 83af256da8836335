"""What the screen shows, as values: counts, marks, order, fates, gaps."""

from unittest import TestCase
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client import events
from chat.client.conversation import KEPT, Fate
from chat.client.events import Outgoing
from chat.client.model import LONGER, Model
from chat.messages import Conversation, Entry, User
from tests.tui_builders import BEN, CHEN, EPOCH, ME, NOON, entry, room


def model(*conversations: Conversation) -> Model:
    """A model of ``ME``, logged in, with the lobby open."""
    made = Model()
    made.logged_in(ME, conversations or (room("#lobby"),))
    return made


def arrive(to: Model, *entries: Entry) -> list[bool]:
    return [to.apply(events.MessageArrived(each, False, True)) for each in entries]


def outgoing(client_id: str = "c1", to: str = "#lobby") -> Outgoing:
    return Outgoing(client_id, to, "hi", NOON)


class HomeTests(TestCase):
    def test_home_is_the_lobby_and_without_one_the_first_that_is_listed(self) -> None:
        self.assertEqual(model(room("#tea"), room("#lobby")).open, "#lobby")
        self.assertEqual(model(room("#tea"), room("#art")).open, "#art")

    def test_who_has_no_conversation_begins_with_notes(self) -> None:
        made = Model()
        made.logged_in(ME, ())
        self.assertEqual(made.open, f"@{ME.user_id}")

    def test_a_room_that_is_gone_gives_way_to_what_there_is(self) -> None:
        found = model(room("#tea"), room("#art"))
        found.state(Conversation(conversation="#art", gone=True))
        self.assertEqual(found.open, "#tea")

    def test_ones_notes_give_way_to_the_lobby_when_nothing_was_known_at_first(self) -> None:
        made = Model()
        made.logged_in(ME, ())  # from a cache that is empty yet
        made.logged_in(ME, (room("#lobby"),))
        self.assertEqual(made.open, "#lobby")
        made.show(f"@{ME.user_id}")
        made.logged_in(ME, (room("#lobby"),))
        self.assertEqual(made.open, f"@{ME.user_id}", "somebody wanted to see them")


class UnreadTests(TestCase):
    def test_messages_of_others_count_until_they_are_read(self) -> None:
        found = model(room("#lobby", seq=3, read=1))
        lobby = found.conversation("#lobby")
        self.assertEqual(lobby.unread, 2)
        arrive(found, entry(4))
        self.assertEqual(lobby.unread, 3)
        lobby.mark_read(3)
        self.assertEqual(lobby.unread, 1)

    def test_a_message_is_new_even_where_the_list_told_of_it_first_but_only_once(self) -> None:
        found = model(room("#lobby"), room("@2", seq=1, read=0))
        first = entry(1, to="@2")
        self.assertEqual(arrive(found, first, first), [True, False])

    def test_older_pages_change_no_count(self) -> None:
        found = model(room("#lobby", seq=9, read=5))
        lobby = found.conversation("#lobby")
        older = [entry(n, content="@anna") for n in (1, 2)] + [entry(3, kind="join"), entry(4, ME)]
        found.page("#lobby", older, 1)
        self.assertEqual((lobby.unread, lobby.mentions), (4, set()))

    def test_what_one_says_where_nothing_else_is_new_has_no_divider_above_it(self) -> None:
        found = model(room("#lobby"), room("@2", seq=1, read=0))
        talk = found.show("@2")
        self.assertEqual(talk.divider, 0)
        said = entry(2, ME, to="@2")
        arrive(found, said)
        found.page("@2", [entry(1, to="@2"), said], 1)
        self.assertIsNone(talk.divider)

    def test_joins_topics_deletions_and_unknown_kinds_do_not_count(self) -> None:
        found = model()
        arrive(found, entry(1, kind="join"), entry(2, kind="topic"), entry(3, kind="new thing"))
        arrive(found, Entry(seq=4, deleted=True, conversation="#lobby"))
        self.assertEqual(found.conversation("#lobby").unread, 0)

    def test_own_messages_do_not_count_and_move_the_mark(self) -> None:
        found = model()
        arrive(found, entry(1), entry(2, ME), entry(3))
        self.assertEqual(found.conversation("#lobby").read, 2)
        self.assertEqual(found.conversation("#lobby").unread, 1)

    def test_mentions_are_counted_apart_and_whole_names_only(self) -> None:
        found = model()
        texts = ["@anna hi", "@Anna?", "@annabel", "anna", "a@anna.example"]
        arrive(found, *(entry(n, content=text) for n, text in enumerate(texts, 1)))
        self.assertEqual(found.conversation("#lobby").mentions, {1, 2})
        self.assertEqual(found.unread(), (5, 2))

    def test_a_mention_needs_no_spaces_where_people_write_without_them(self) -> None:
        for name, mine, others in (
            ("anna", ("请@anna看一下", "@anna你好", "\uff20anna", "@anna야", "한@anna"),
             ("слово@anna", "@annaя", "请@annabel看")),
            ("小明", ("请@小明看一下", "@小明: ok", "@小明"), ("小明你好", "@小红", "@小明x")),
        ):  # fmt: skip
            found = model()
            found.logged_in(User(1, name), [])
            for text in mine:
                self.assertTrue(found.mentions_me(text), text)
            for text in others:
                self.assertFalse(found.mentions_me(text), text)

    def test_every_private_message_speaks_to_one(self) -> None:
        found = model(room("#lobby"), room("@2", seq=2, read=0))
        self.assertEqual(found.unread(), (2, 2))

    def test_marks_from_another_device_count_and_never_go_back(self) -> None:
        found = model(room("#lobby", seq=5, read=2))
        found.apply(events.ConversationChanged(room("#lobby", seq=5, read=4)))
        found.apply(events.ConversationChanged(room("#lobby", seq=5, read=1)))
        self.assertEqual(found.conversation("#lobby").unread, 1)

    def test_a_longer_name_that_is_known_is_meant_where_it_is_written(self) -> None:
        found = model()
        found.logged_in(User(1, "小明"), [])
        self.assertTrue(found.mentions_me("@小明明 你好"), "nobody else is called so")
        found.people_are([User(1, "小明"), User(2, "小明明"), User(3, "明")])
        found.entry("#lobby", entry(1, User(4, "小明(x)")))
        for text in ("@小明明 你好", "请＠小明明，看", "@小明(x) 看"):
            self.assertFalse(found.mentions_me(text), text)
        for text in ("@小明 你好", "请@小明看", "@小明明和@小明", "@小明(y)"):
            self.assertTrue(found.mentions_me(text), text)
        self.assertTrue(found.mentions_me("@小明明天见"), "it may be said to either")
        # Two were known before.
        found.people_changed([User(n, f"小明号{n:03}") for n in range(LONGER)])
        self.assertFalse(found.mentions_me(f"@小明号{LONGER - 3:03}"))
        self.assertTrue(found.mentions_me(f"@小明号{LONGER - 2:03}"), "it is not kept any more")

    def test_who_is_called_as_one_at_the_end_of_a_sentence_takes_no_mention_away(self) -> None:
        found = model()
        found.people_are([User(2, "Anna."), User(3, "anna!?"), User(4, "anna.b")])
        found.people_changed([User(5, "anna,")])
        for text in ("Thank you, @anna.", "@anna!?", "@anna, look"):
            self.assertTrue(found.mentions_me(text), text)
        self.assertFalse(found.mentions_me("@anna.b, look"))

    def test_what_is_not_shown_of_who_is_blocked_is_not_unread_nor_speaks_to_one(self) -> None:
        found = model(room("#lobby"), room("#b"))
        arrive(found, entry(1, CHEN), entry(2, content="@anna!"), entry(1, to="#b"))
        found.apply(events.Blocked(BEN.user_id, BEN.user_name, True))
        arrive(found, entry(2, content="@anna!", to="#b"))
        self.assertEqual((found.unread(), found.next_active()), ((1, 0), None))
        found.apply(events.Blocked(BEN.user_id, BEN.user_name, False))
        arrive(found, entry(3, content="@anna, sorry", to="#b"))
        self.assertEqual(found.unread(), (2, 1))
        # A page brings what was said meanwhile once more.
        found.page("#b", [entry(2, content="@anna!", to="#b")], 1)
        self.assertEqual(found.unread(), (3, 2))

    def test_where_to_look_next_is_a_mention_then_private_then_a_room(self) -> None:
        found = model(room("#lobby"), room("#a", seq=1), room("@2", seq=1), room("#b", seq=1))
        self.assertEqual(getattr(found.next_active(), "name", None), "@2")
        arrive(found, entry(2, content="@anna", to="#b"))
        self.assertEqual(getattr(found.next_active(), "name", None), "#b")


class EntriesTests(TestCase):
    @given(st.lists(st.integers(1, 60), max_size=40))
    @settings(max_examples=100, deadline=None)
    def test_entries_stand_in_order_and_once_however_they_come(self, seqs: list[int]) -> None:
        found = model()
        arrive(found, *(entry(each) for each in seqs))
        held = [each.seq for each in found.conversation("#lobby").entries]
        self.assertEqual(held, sorted(set(seqs)))

    def test_a_hole_in_the_numbers_is_seen_and_closed_by_a_page(self) -> None:
        found = model()
        arrive(found, entry(1), entry(5))
        lobby = found.conversation("#lobby")
        self.assertEqual(lobby.gap_before(1), 3)
        found.page("#lobby", [entry(2), entry(3), entry(4)], first=1)
        self.assertEqual([lobby.gap_before(each) for each in range(5)], [0] * 5)

    def test_a_redaction_takes_the_text_away(self) -> None:
        found = model()
        arrive(found, entry(1, content="secret"), entry(2, kind="redact", target=1))
        first = found.conversation("#lobby").entries[0]
        self.assertEqual((first.content, first.deleted), ("", True))

    def test_what_a_deleted_user_wrote_is_taken_away(self) -> None:
        found = model()
        arrive(found, entry(1, CHEN), entry(2), entry(3, CHEN))
        arrive(found, entry(4, kind="erase", target=CHEN.user_id), entry(5, CHEN))
        deleted = [each.seq for each in found.conversation("#lobby").entries if each.deleted]
        self.assertEqual(deleted, [1, 3])

    def test_a_new_epoch_drops_what_may_be_lost_and_keeps_the_rest(self) -> None:
        found = model()
        arrive(found, *(entry(each) for each in range(1, 6)))
        lobby = found.conversation("#lobby")
        lobby.sealed |= {2, 5}  # before the new 5 there may be something
        found.apply(events.EpochChanged("#lobby", "e2", 4))
        self.assertEqual(lobby.sealed, {2})
        self.assertEqual([each.seq for each in lobby.entries], [1, 2, 3])
        self.assertLessEqual(lobby.unread, 3)

    def test_memory_is_bounded_where_nobody_looks(self) -> None:
        found = model(room("#lobby"), room("#flood"))
        arrive(found, *(entry(each, to="#flood") for each in range(1, 2 * KEPT)))
        held = found.conversation("#flood").entries
        self.assertLessEqual(len(held), KEPT + KEPT // 4)
        self.assertEqual(held[-1].seq, 2 * KEPT - 1)

    def test_leaving_closes_the_conversation_and_shows_the_lobby(self) -> None:
        found = model(room("#lobby"), room("#cats"))
        found.show("#cats")
        found.apply(events.ConversationChanged(Conversation("#cats", gone=True)))
        self.assertEqual(found.open, "#lobby")
        self.assertNotIn("#cats", found.conversations)

    def test_what_waits_in_a_room_is_listed_until_it_is_gone_though_one_is_no_longer_in(
        self,
    ) -> None:
        outgoing = Outgoing("c1", "#cats", "meow", NOON)
        refused = events.MessageStateChanged(outgoing, events.Failed(403, "banned"))
        withdrawn = events.MessageStateChanged(outgoing, events.Withdrawn())
        taken_out = events.ConversationChanged(Conversation("#cats", gone=True))
        for happens in ((refused, taken_out), (taken_out, refused), (refused,)):
            listed = () if happens == (refused,) else (room("#cats", seq=9, read=4),)
            found = model(room("#lobby"), *listed)
            for each in happens:
                found.apply(each)
            self.assertEqual([each.name for each in found.listed()], ["#lobby", "#cats"])
            self.assertEqual(found.unread(), (0, 0))
            found.apply(withdrawn)
            self.assertEqual([each.name for each in found.listed()], ["#lobby"])
            found.state(room("#cats"))
            self.assertEqual([each.name for each in found.listed()], ["#lobby", "#cats"])
        found.conversation("#cats").draft = "half a thought"
        found.apply(taken_out)
        self.assertEqual(found.conversation("#cats").draft, "half a thought")

    def test_a_lobby_that_one_is_not_in_is_no_home(self) -> None:
        found = model(room("#cats"))
        outgoing = Outgoing("c1", "#lobby", "hello", NOON)
        found.apply(events.MessageStateChanged(outgoing, events.Failed(404, "no lobby")))
        self.assertEqual(found.home, "#cats")

    def test_the_divider_stands_where_reading_stopped(self) -> None:
        found = model(room("#lobby"), room("#cats", seq=9, read=4))
        self.assertEqual(found.show("#cats").divider, 4)
        self.assertIsNone(found.show("#lobby").divider)


class FateTests(TestCase):
    def test_a_message_is_on_its_way_until_it_is_stored(self) -> None:
        found = model()
        pending = found.conversation("#lobby").pending
        found.apply(events.MessageStateChanged(outgoing(), events.Queued()))
        self.assertEqual([each.fate for each in pending], [Fate.QUEUED])
        found.apply(events.MessageStateChanged(outgoing(), events.Sending()))
        self.assertEqual([each.fate for each in pending], [Fate.SENDING])
        stored = events.Stored("#lobby", EPOCH, 1, NOON)
        found.apply(events.MessageStateChanged(outgoing(), stored))
        self.assertEqual(found.conversation("#lobby").pending, [])

    def test_what_failed_says_why_and_stays(self) -> None:
        found = model()
        failed = events.Failed(413, "too long")
        found.apply(events.MessageStateChanged(outgoing(), failed))
        [pending] = found.conversation("#lobby").pending
        self.assertEqual((pending.fate, pending.error), (Fate.FAILED, "too long"))

    def test_the_entry_itself_ends_the_waiting(self) -> None:
        found = model()
        found.apply(events.MessageStateChanged(outgoing(), events.Sending()))
        arrive(found, entry(1, ME, client_id="c1"))
        self.assertEqual(found.conversation("#lobby").pending, [])

    def test_receipts_tell_delivered_from_read_and_never_go_back(self) -> None:
        found = model(room("#lobby"), room("@2"))
        arrive(found, *(entry(each, ME, to="@2") for each in (1, 2, 3)))
        found.apply(events.ReceiptMoved("@2", 2, EPOCH, 2, 1))
        found.apply(events.ReceiptMoved("@2", 2, EPOCH, 1, 0))
        private = found.conversation("@2")
        fates = [private.fate(each) for each in private.entries]
        self.assertEqual(fates, [Fate.READ, Fate.DELIVERED, Fate.STORED])

    def test_of_what_a_new_epoch_gives_out_anew_nothing_was_read_before(self) -> None:
        found = model(room("#lobby"), room("@2"))
        arrive(found, *(entry(each, ME, to="@2") for each in (1, 2, 3)))
        found.apply(events.ReceiptMoved("@2", 2, EPOCH, 3, 3))
        found.apply(events.EpochChanged("@2", "e2", 2))
        arrive(found, entry(2, ME, to="@2"))
        private = found.conversation("@2")
        self.assertEqual([private.fate(each) for each in private.entries], [Fate.READ, Fate.STORED])


class PeopleTests(TestCase):
    def test_the_online_list_is_by_name_and_without_who_left(self) -> None:
        found = model()
        found.people_are([CHEN, ME, BEN])
        self.assertEqual([each.user_id for each in found.online()], [1, 2, 3])
        found.apply(events.PresenceChanged((User(2, "ben", 1),), "all", False))
        self.assertEqual([each.user_id for each in found.online()], [1, 3])

    def test_a_name_like_that_of_another_is_an_imitation(self) -> None:
        found = model()
        self.assertFalse(found.imitates(ME.user_id, "anna"))
        self.assertTrue(found.imitates(9, "Аnna"))
        self.assertTrue(found.imitates(10, "anna"))
        self.assertFalse(found.imitates(11, "annabel"))

    def test_of_very_many_names_only_ones_own_is_remembered_for_ever(self) -> None:
        found = model()
        with patch("chat.client.model.KNOWN_LOOKS", 10):
            for number in range(9):  # and oneself
                found.imitates(100 + number, f"guest{number}")
            self.assertTrue(found.imitates(7, "guest0"), "up to there all are")
            self.assertFalse(found.imitates(8, "guest9"))
            self.assertFalse(found.imitates(7, "guest0"))
            self.assertTrue(found.imitates(9, ME.user_name))

    def test_completion_offers_the_latest_speakers_first(self) -> None:
        found = model()
        found.people_are([ME, BEN, CHEN])
        arrive(found, entry(1, BEN), entry(2, CHEN), entry(3, ME))
        self.assertEqual(list(found.speakers()), ["陈晓明", "ben"])
