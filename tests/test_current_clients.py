"""Clients of version 2 together: one order for all, each message once, tight snapshots."""

import itertools
import threading
from contextlib import AbstractContextManager

import pytest

from tests.party import Party, again_and_again
from tests.peers import CurrentPeer


def test_a_message_reaches_everybody_and_the_senders_other_device_knows_it_as_its_own(
    party: Party,
) -> None:
    user = party.user()
    one, two, other = party.current(user), party.current(user), party.current()
    said = one.post("#lobby", "good morning", clientId="mine-1")
    own = two.hears("good morning", seq=said["seq"], conversation="#lobby")
    heard = other.hears("good morning", seq=said["seq"], conversation="#lobby")
    assert own["clientId"] == "mine-1"
    assert "clientId" not in heard
    for each in (own, heard):
        assert (each["userId"], each["userName"]) == (user.user_id, user.name)
        assert (each["epoch"], each["time"]) == (said["epoch"], said["time"])
        assert not each.get("kind")
    one.ping()
    assert not [each for each in one.pushed if each.data.get("content") == "good morning"]


def test_the_reply_stands_where_the_push_would_have_stood(party: Party) -> None:
    """All talk at once, without waiting; on each connection numbers go up by one, all the same."""
    talkers = [party.current() for _ in range(3)]
    room = party.room_of(*talkers)
    joined = len(talkers)

    def talk(peer: CurrentPeer) -> None:
        sent = [peer.send("SmsMes", to=room, content=f"{number}") for number in range(100)]
        for each in sent:
            assert peer.reply(each).data["code"] == 200

    threads = [threading.Thread(target=talk, args=(each,)) for each in talkers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    last = talkers[0].post(room, "the end")["seq"]
    assert last == joined + 301
    for peer in talkers[1:]:
        peer.hears("the end")
    for number, peer in enumerate(talkers):
        assert peer.numbers(room) == list(range(number + 2, last + 1))


def test_sending_again_is_a_duplicate_with_the_same_number(party: Party) -> None:
    user = party.user()
    peer, other = party.current(user), party.current()
    first = peer.post("#lobby", "once and for all", clientId="again-1")
    assert not first["duplicate"]
    second = peer.post("#lobby", "once and for all", clientId="again-1")
    assert second["duplicate"]
    for name in ("seq", "epoch", "epochFirst", "clientId", "conversation"):
        assert second[name] == first[name], name
    elsewhere = party.current(user).post("#lobby", "once and for all", clientId="again-1")
    assert (elsewhere["duplicate"], elsewhere["seq"]) == (True, first["seq"])
    somebody_else = other.post("#lobby", "once and for all", clientId="again-1")
    assert (somebody_else["duplicate"], somebody_else["seq"]) == (False, first["seq"] + 1)
    private_one = peer.post(other.at, "once and for all", clientId="again-1")
    assert not private_one["duplicate"], "another conversation"
    other.ping()
    heard = [each for each in other.heard if each.data.get("clientId") != "again-1"
             and each.data.get("content") == "once and for all"
             and each.data["conversation"] == "#lobby"]  # fmt: skip
    assert [each.data["seq"] for each in heard] == [first["seq"]]


def test_a_repetition_is_answered_before_permission_is_looked_at(party: Party) -> None:
    owner, peer = party.current(), party.current()
    room = party.room_of(owner, peer)
    first = peer.post(room, "before I go", clientId="gone-1")
    peer.get("LeaveMes", conversation=room)
    assert peer.ask("SmsMes", to=room, content="more", clientId="gone-2")["code"] == 403
    again = peer.ask("SmsMes", to=room, content="before I go", clientId="gone-1")
    assert (again["code"], again["seq"], again["duplicate"]) == (200, first["seq"], True)


def test_without_a_client_id_everything_is_new(party: Party) -> None:
    peer = party.current()
    first = peer.get("SmsMes", to="#lobby", content="no id at all")
    second = peer.get("SmsMes", to="#lobby", content="no id at all")
    assert second["seq"] == first["seq"] + 1


@pytest.mark.parametrize("kind", ["LoginMes", "ConversationsMes", "JoinMes"])
def test_everything_above_the_snapshot_is_pushed_after_it(party: Party, kind: str) -> None:
    """While somebody talks without pause, the first push has the snapshot's number plus one."""
    talker, user = party.current(), party.user()
    room = party.room_of(talker)
    if kind != "JoinMes":
        party.current(user).get("JoinMes", conversation=room)
    with talking(talker, room):
        for _ in range(8):
            peer = party.current(user, "desk")
            seq = snapshot(peer, kind, room)
            told = len(peer.heard)
            assert all(number <= seq for number in peer.numbers(room, 0, told))
            while len(above := peer.numbers(room, told)) < 5:
                peer.read()
            assert above[:5] == list(range(seq + 1, seq + 6))
            if kind == "JoinMes":
                peer.get("LeaveMes", conversation=room)
            peer.close()


def snapshot(peer: CurrentPeer, kind: str, room: str) -> int:
    """The number of a room in the newest snapshot of that kind."""
    if kind == "LoginMes":
        listed = peer.welcome["conversations"]
        return next(each["seq"] for each in listed if each["conversation"] == room)
    if kind == "ConversationsMes":
        return peer.conversation(room)["seq"]
    return peer.get("JoinMes", conversation=room)["seq"]


def talking(peer: CurrentPeer, to: str) -> AbstractContextManager[None]:
    """Somebody talks without pause."""

    def talk() -> None:
        for each in [peer.send("SmsMes", to=to, content="on and on") for _ in range(10)]:
            peer.reply(each)

    return again_and_again(talk)


def test_conversations_are_paged_each_once_and_the_welcome_has_the_newest_100(
    party: Party,
) -> None:
    user = party.user()
    peer = party.current(user)
    names = [party.room() for _ in range(60)]
    for each in [peer.send("JoinMes", conversation=name) for name in names]:
        assert peer.reply(each).data["code"] == 200
    partners = [party.user() for _ in range(50)]
    for each in partners:
        peer.post(f"@{each.user_id}", "one of many conversations")
    welcome = party.current(user).welcome
    assert len(welcome["conversations"]) == 100
    assert welcome["more"]
    listed = [each["conversation"] for each in welcome["conversations"]]
    page = {"more": True, "conversations": welcome["conversations"]}
    while page["more"]:
        page = peer.get("ConversationsMes", after=listed[-1], limit=4)
        listed += [each["conversation"] for each in page["conversations"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {"#lobby", *names, *(f"@{each.user_id}" for each in partners)}


def test_two_devices_and_a_third_user_see_one_history_without_holes(party: Party) -> None:
    user = party.user()
    desk, phone, other = party.current(user), party.current(user), party.current()
    room = party.room_of(other, desk)
    phone.expect("ConversationMes", conversation=room)
    speakers = itertools.cycle([desk, phone, other])
    for number in range(30):
        next(speakers).post(room, f"round {number}")
        next(speakers).post(other.at if number % 3 == 0 else room, f"aside {number}")
    other.get("TopicMes", conversation=room, topic="the end")
    for each in (desk, phone):
        each.expect("SmsMes", conversation=room, kind="topic")
    other.ping()
    final = other.conversation(room)["seq"]
    for peer in (desk, phone, other):
        heard = peer.numbers(room)
        assert heard == list(range(heard[0], final + 1))
        entries = peer.whole_history(room, limit=7)
        assert [each["seq"] for each in entries] == list(range(1, final + 1))
    assert [each["seq"] for each in desk.whole_history(other.at)] == [
        each["seq"] for each in phone.whole_history(other.at)
    ]


def test_whoever_stopped_reading_is_told_the_newest_and_fetches_the_rest(party: Party) -> None:
    sleeper, talker = party.current(receive_buffer=16_384), party.current()
    room = party.room_of(talker, sleeper)
    count = 1_200
    for start in range(0, count, 100):
        sent = [talker.send("SmsMes", to=room, content=f"{number:04} {'x' * 8_000}")
                for number in range(start, start + 100)]  # fmt: skip
        for each in sent:
            talker.reply(each)
    last = talker.post(room, "awake again?")["seq"]
    sleeper.hears("awake again?", seq=last)
    sleeper.expect("PresenceMes", reset=True)
    heard = sleeper.numbers(room)
    assert heard == sorted(set(heard))
    assert len(heard) < count / 2, "it was not really asleep"
    everything = sleeper.whole_history(room, limit=8)  # as many as a frame takes
    assert [each["seq"] for each in everything] == list(range(1, last + 1))
    said = talker.post(room, "good morning")
    assert sleeper.hears("good morning")["seq"] == said["seq"] == last + 1
