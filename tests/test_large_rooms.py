"""Rooms with many members: what comes close together is one write to each of them, and in order."""

from twisted.trial.unittest import SynchronousTestCase

from chat.server.delivery.fanout import CROWD
from chat.server.delivery.writes import GATHER_SECONDS, MANY, PATIENCE_BYTES, PATIENCE_SECONDS
from chat.store.post import Post
from tests.hall import Guest, Hall
from tests.peers import enveloped, framed

ROOM, NAME = "r:everybody", "#everybody"


def filled(count: int) -> tuple[Hall, list[Guest]]:
    """A room with so many members, none of whom has been written to."""
    hall = Hall(connection_rate=(0, 0.0), connections_per_address=0)
    return hall, [hall.guest(user_id, ROOM) for user_id in range(1, count + 1)]


def joins(hall: Hall, count: int) -> None:
    """So many come into the room, each in a turn of its own; nobody waits for their entries."""
    for _ in range(count):
        hall.say(ROOM, "joins", user_id=5_000)


class GatherTest(SynchronousTestCase):
    """Two posts, of which the second waits for its call to the store while the first is published,
    as is usual on a busy server."""

    def post(self, hall: Hall, by: Guest, content: str) -> Post:
        """Somebody says something."""
        post = Post(by.session, ROOM, by.session.author, content, content)
        hall.posting.post(post)
        hall.clock.advance(0)
        return post

    def store(self, hall: Hall, by: Guest, post: Post) -> None:
        """What the call with one post brings: what it published, and its answer."""
        entry = hall.log.append(ROOM, by.session.author, post.client_id, post.client_id)
        hall.publish(ROOM, [entry], post)
        hall.scripts.answer(entry.seq)
        hall.clock.advance(0)

    def talk(self, count: int) -> tuple[Hall, list[Guest], Post]:
        """A room with so many members; the first one's post is published, the last one's waits."""
        hall, guests = filled(count)
        first, second = (
            self.post(hall, each, what)
            for each, what in ((guests[0], "first"), (guests[-1], "second"))
        )
        self.store(hall, guests[0], first)
        return hall, guests, second

    def test_two_calls_are_one_write_to_each(self) -> None:
        hall, guests, second = self.talk(MANY)
        self.assertEqual({each.transport.writes for each in guests}, {0})
        self.store(hall, guests[-1], second)
        self.assertEqual({each.transport.writes for each in guests}, {1})
        for each in guests[1:-1]:
            self.assertEqual(each.contents(), ["first", "second"])
        self.assertEqual([each.type for each in guests[0].frames], ["SmsResMes", "SmsMes"])
        self.assertEqual([each.type for each in guests[-1].frames], ["SmsMes", "SmsResMes"])

    def test_one_member_fewer_is_told_at_once(self) -> None:
        _, guests, _ = self.talk(MANY - 1)
        self.assertEqual({each.transport.writes for each in guests}, {1})

    def test_what_is_joined_is_kept_once_for_all(self) -> None:
        hall, guests, second = self.talk(MANY)
        entry = hall.log.append(ROOM, guests[-1].session.author, "second", "second")
        hall.bring(ROOM, [entry], second)
        kept = [hall.context.writes.take(each.session.connection) for each in guests[1:-1]]
        self.assertEqual(len({id(each) for each in kept}), 1)

    def test_nothing_waits_for_a_third_call(self) -> None:
        hall, guests, second = self.talk(MANY)
        self.post(hall, guests[0], "third")
        self.store(hall, guests[-1], second)
        self.assertEqual(guests[7].contents(), ["first", "second"])

    def test_a_call_that_brings_nothing_holds_up_nobody(self) -> None:
        hall, guests, second = self.talk(MANY)
        hall.clock.advance(GATHER_SECONDS)
        self.assertEqual(guests[7].contents(), ["first"])
        self.store(hall, guests[-1], second)
        self.assertEqual(guests[7].contents(), ["first", "second"])

    def test_what_is_for_one_of_them_is_sent_behind_what_waits(self) -> None:
        hall, guests, second = self.talk(MANY)
        guests[1].send("PingMes", "ping")
        self.assertEqual([each.type for each in guests[1].frames], ["SmsMes", "PongMes"])
        self.store(hall, guests[-1], second)
        self.assertEqual(guests[1].contents()[0], "first")
        self.assertEqual(guests[1].numbers(NAME), [1, 2])

    def test_who_has_something_else_as_well_gets_all_of_it(self) -> None:
        hall, guests, second = self.talk(MANY)
        hall.context.writes.add(guests[1].session.connection, framed(enveloped("PongMes", {})))
        self.store(hall, guests[-1], second)
        self.assertEqual([each.type for each in guests[1].frames], ["SmsMes", "PongMes", "SmsMes"])
        self.assertEqual(guests[2].contents(), ["first", "second"])


class CrowdTest(SynchronousTestCase):
    def test_ten_who_join_a_crowd_are_one_write_to_each(self) -> None:
        hall, guests = filled(CROWD)
        joins(hall, 10)
        self.assertEqual({each.transport.writes for each in guests}, {0})
        hall.clock.advance(PATIENCE_SECONDS)
        self.assertEqual({each.transport.writes for each in guests}, {1})
        self.assertEqual(guests[-1].numbers(NAME), list(range(1, 11)))

    def test_one_fewer_is_no_crowd_and_told_at_once(self) -> None:
        hall, guests = filled(CROWD - 1)
        joins(hall, 3)
        self.assertEqual({each.transport.writes for each in guests}, {3})

    def test_a_message_waits_for_nothing_and_takes_them_along(self) -> None:
        hall, guests = filled(CROWD)
        joins(hall, 3)
        hall.say(ROOM, "hello", by=guests[0], client_id="c1")
        for each in guests:
            self.assertEqual(each.transport.writes, 1)
            self.assertEqual(each.numbers(NAME), [1, 2, 3, 4])
        joins(hall, 1)
        hall.clock.advance(PATIENCE_SECONDS)
        self.assertEqual(guests[3].numbers(NAME), [1, 2, 3, 4, 5])

    def test_a_message_in_another_room_takes_them_along_too(self) -> None:
        hall, guests = filled(CROWD)
        both = hall.guest(9_000, ROOM, "r:other")
        joins(hall, 2)
        hall.say("r:other", "hello", by=both, client_id="c1")
        self.assertEqual(both.numbers(NAME), [1, 2])
        self.assertEqual(both.numbers("#other"), [1])
        self.assertEqual(guests[0].numbers(NAME), [1, 2])

    def test_what_is_for_one_of_them_is_sent_at_once_behind_what_waited(self) -> None:
        hall, guests = filled(CROWD)
        joins(hall, 2)
        hall.say("p:1:9000", "psst", user_id=9_000)
        self.assertEqual(guests[0].numbers(NAME), [1, 2])
        self.assertEqual(guests[0].contents()[-1], "psst")
        self.assertEqual(guests[1].transport.writes, 0)
        guests[1].send("PingMes", "ping")
        self.assertEqual([each.type for each in guests[1].frames], ["SmsMes", "SmsMes", "PongMes"])

    def test_no_more_is_kept_than_may_be(self) -> None:
        hall, guests = filled(CROWD)
        joins(hall, 1)
        hall.clock.advance(PATIENCE_SECONDS)
        size = len(guests[0].transport.value())
        joins(hall, PATIENCE_BYTES // size)
        self.assertEqual(guests[0].transport.writes, 1)
        joins(hall, 1)
        self.assertEqual(guests[0].transport.writes, 2)
        self.assertEqual(guests[0].numbers(NAME), list(range(1, PATIENCE_BYTES // size + 3)))

    def test_who_comes_after_more_than_may_be_kept_is_waited_for_again(self) -> None:
        hall, guests = filled(CROWD)
        author = hall.guest(5_000).session.author
        many = [hall.log.append(ROOM, author, "joins" * 9) for _ in range(PATIENCE_BYTES // 100)]
        hall.publish(ROOM, many)
        self.assertEqual(guests[0].transport.writes, 1)
        joins(hall, 2)
        self.assertEqual(guests[0].transport.writes, 1)
        hall.clock.advance(PATIENCE_SECONDS)
        self.assertEqual(guests[0].numbers(NAME), list(range(1, len(many) + 3)))
