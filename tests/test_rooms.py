"""Rooms: made by joining, told to all devices, left, named, listed."""

from typing import Any

from tests.party import Party, says
from tests.peers import CurrentPeer

UNKNOWN_USER = 77_777_777


def test_a_room_is_made_by_joining_and_named_in_its_canonical_form(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room()
    joined = peer.get("JoinMes", conversation=room.upper(), topic="what we talk about")
    assert joined["conversation"] == room
    assert joined["topic"] == "what we talk about"
    assert joined["role"]
    assert joined["delivered"] == joined["read"] == joined["seq"]
    assert peer.post(room.upper(), "hello in here")["conversation"] == room
    assert other.get("JoinMes", conversation=room)["topic"] == "what we talk about"
    listed = rooms(other)
    assert listed[room] == {"conversation": room, "topic": "what we talk about", "members": 2}


def rooms(peer: CurrentPeer) -> dict[str, Any]:
    """Every public room, paged by threes."""
    found: dict[str, Any] = {}
    after = ""
    while True:
        page = peer.get("RoomsMes", after=after, limit=3)
        assert len(page["rooms"]) <= 3
        for each in page["rooms"]:
            assert each["conversation"] not in found
            found[each["conversation"]] = each
        if not page["more"]:
            return found
        after = page["rooms"][-1]["conversation"]


def test_joins_and_leaves_are_entries_with_numbers(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner)
    first = owner.conversation(room)["seq"]
    joined = guest.get("JoinMes", conversation=room)
    came = owner.expect("SmsMes", conversation=room, kind="join", userId=guest.user_id)
    assert came["seq"] == joined["seq"] == first + 1
    guest.get("LeaveMes", conversation=room)
    went = owner.expect("SmsMes", conversation=room, kind="leave", userId=guest.user_id)
    assert went["seq"] == first + 2
    assert room not in [each["conversation"] for each in guest.conversations()]


def test_joining_again_changes_nothing(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    said = owner.post(room, "are you there?")
    again = guest.get("JoinMes", conversation=room)
    assert again["seq"] == said["seq"]
    assert again["read"] == said["seq"] - 1
    assert owner.post(room, "yes you are")["seq"] == said["seq"] + 1


def test_who_left_hears_and_may_nothing_more(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    owner.post(room, "while you are here")
    guest.hears("while you are here")
    guest.get("LeaveMes", conversation=room)
    owner.post(room, "behind your back")
    owner.post("#lobby", "in front of everybody")
    guest.hears("in front of everybody")
    assert not [each for each in guest.pushed if each.data.get("content") == "behind your back"]
    assert guest.ask("SmsMes", to=room, content="hello?", clientId="h")["code"] == 403
    for kind, data in IN_A_ROOM.items():
        assert guest.ask(kind, conversation=room, **data)["code"] == 403, kind


IN_A_ROOM: dict[str, dict[str, Any]] = {
    "HistoryMes": {}, "LeaveMes": {}, "TopicMes": {"topic": "mine"}, "RedactMes": {"seq": 1},
    "MembersMes": {}, "SearchMes": {"text": "here"}, "EditMes": {"seq": 1, "content": "mine"},
}  # fmt: skip


def test_reading_the_last_of_a_room_that_was_left_is_no_offence(party: Party) -> None:
    owner, guest = party.current(), party.current()
    for private, code in ((False, 403), (True, 404)):
        room = party.room_of(owner, guest)
        if private:
            owner.get("ModerateMes", conversation=room, action="private")
        guest.get("LeaveMes", conversation=room)
        last = owner.expect("SmsMes", conversation=room, kind="leave")
        guest.send("AckMes", conversation=room, epoch=last["epoch"], delivered=last["seq"])
        guest.ping()
        assert [frame for frame in guest.heard if frame.type == "ErrorMes"] == []
        assert guest.ask("HistoryMes", conversation=room)["code"] == code


def test_what_does_not_exist_is_404_and_nothing_makes_it(party: Party) -> None:
    peer, nowhere = party.current(), party.room()
    assert peer.ask("SmsMes", to=nowhere, content="anybody?", clientId="a")["code"] == 404
    for kind, data in IN_A_ROOM.items():
        assert peer.ask(kind, conversation=nowhere, **data)["code"] == 404, kind
    assert nowhere not in rooms(peer)
    for to in (f"@{UNKNOWN_USER}", "@nobody-at-all", "@", "", "lobby", "@0", "#", "#a b"):
        assert peer.ask("SmsMes", to=to, content="anybody?", clientId="a")["code"] in (400, 404), to
    assert peer.ask("SmsMes", to=f"@{UNKNOWN_USER}", content="x", clientId="b")["code"] == 404
    assert peer.ask("LookupMes", userId=UNKNOWN_USER)["code"] == 404
    assert peer.ask("LookupMes", userName="nobody-at-all")["code"] == 404
    assert peer.ask("RevokeMes", device="no such device")["code"] == 404
    assert peer.ask("RedactMes", conversation="#lobby", seq=10**9)["code"] == 404


def test_nobody_leaves_the_lobby_and_joining_it_is_harmless(party: Party) -> None:
    peer = party.current()
    assert peer.ask("LeaveMes", conversation="#lobby")["code"] == 403
    party.current().post("#lobby", "who is still here?")
    peer.hears("who is still here?")
    before = peer.conversation("#lobby")["seq"]
    assert peer.get("JoinMes", conversation="#Lobby")["seq"] == before
    assert peer.post("#lobby", "still here")["seq"] == before + 1


def test_a_room_that_is_joined_on_one_device_is_there_on_the_other(party: Party) -> None:
    user = party.user()
    one, two, other = party.current(user), party.current(user), party.current()
    room = party.room_of(other)
    joined = one.get("JoinMes", conversation=room)
    told = two.expect("ConversationMes", conversation=room)
    assert told["seq"] == joined["seq"]
    said = other.post(room, "hello, both of you")
    assert one.hears("hello, both of you")["seq"] == said["seq"]
    assert two.hears("hello, both of you")["seq"] == said["seq"]
    two.get("LeaveMes", conversation=room)
    assert one.expect("ConversationMes", conversation=room, gone=True)
    assert one.ask("SmsMes", to=room, content="hello?", clientId="h")["code"] == 403


def test_a_topic_is_an_entry_and_part_of_the_room(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    owner.get("TopicMes", conversation=room, topic="tea and cake")
    entry = guest.expect("SmsMes", conversation=room, kind="topic")
    assert (entry["content"], entry["userId"]) == ("tea and cake", owner.user_id)
    assert guest.conversation(room)["topic"] == "tea and cake"
    assert rooms(guest)[room]["topic"] == "tea and cake"
    assert party.current().get("JoinMes", conversation=room)["topic"] == "tea and cake"


def test_a_new_topic_is_told_to_ones_other_devices_and_nobody_else(party: Party) -> None:
    user = party.user()
    one, two, guest = party.current(user), party.current(user), party.current()
    room = party.room_of(one, guest)
    one.get("TopicMes", conversation=room, topic="tea and cake")
    assert two.expect("ConversationMes", conversation=room, topic="tea and cake")["role"] == "owner"
    for other in (one, guest):
        other.ping()
        assert "ConversationMes" not in [each.type for each in other.pushed]


def test_topics_and_reasons_are_one_short_line(party: Party) -> None:
    owner = party.current()
    room = party.room_of(owner)
    act = {"conversation": room, "action": "slow"}
    for text in ("é" * 501, "a\nb", "\x1b[2J", "\x7f", "\x9b2J", "a\u2028b", "a\u2029b"):
        assert owner.ask("TopicMes", conversation=room, topic=text)["code"] == 400
        assert owner.ask("JoinMes", conversation=room, topic=text)["code"] == 400
        assert owner.ask("ModerateMes", **act, reason=text)["code"] == 400
    owner.get("TopicMes", conversation=room, topic="é" * 500)
    owner.get("ModerateMes", **act, seconds=1, reason="é" * 500)


def test_members_are_listed_by_id_with_status_and_role(party: Party) -> None:
    owner, away_user, guest = party.current(), party.user(), party.current()
    room = party.room_of(owner, guest)
    away = party.current(away_user)
    away.get("JoinMes", conversation=room)
    guest.get("StatusMes", status=2)
    away.close()
    owner.expect("PresenceMes", where=says(away_user.user_id, 1))
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"more": True}
    while page["more"]:
        after = found[-1]["userId"] if found else 0
        page = owner.get("MembersMes", conversation=room, after=after, limit=2)
        found += page["users"]
    assert [each["userId"] for each in found] == sorted(
        [owner.user_id, guest.user_id, away_user.user_id]
    )
    statuses = {each["userId"]: each["userStatus"] for each in found}
    assert statuses == {owner.user_id: 0, guest.user_id: 2, away_user.user_id: 1}
    assert all(each["role"] and each["userName"] for each in found)
