"""A message that answers another one, as the server takes it, keeps it and hands it out."""

import json
from typing import Any

import pytest

from chat.messages import LARGEST
from chat.store.entries import Author
from tests.party import Party, meet
from tests.peers import CurrentPeer
from tests.server import GENEROUS, serving


def replies(entries: list[dict[str, Any]]) -> dict[str, int | None]:
    """What each message answers, by its content; None for nothing."""
    return {
        each["content"]: each.get("reply")
        for each in entries
        if "content" in each and "kind" not in each
    }


def test_an_answer_says_wherever_it_is_shown_what_it_answers(party: Party) -> None:
    user = party.user()
    anna, phone, ben = party.current(user), party.current(user), party.current()
    room = party.room_of(ben, anna)
    phone.expect("ConversationMes", conversation=room)
    for where in (room, anna.at):
        asked = ben.post(where, f"who is there? {where}")["seq"]
        heard = anna.hears(f"who is there? {where}")
        assert "reply" not in heard
        back = room if where == room else ben.at
        said = anna.post(back, f"I am {where}", reply=asked)
        assert "reply" not in said
        for each in (ben, phone):
            assert each.hears(f"I am {where}", seq=said["seq"])["reply"] == asked
        wanted = {f"who is there? {where}": None, f"I am {where}": asked}
        for each, name in ((ben, where), (anna, back), (phone, back)):
            assert replies(each.whole_history(name)) == wanted
            assert each.conversation(name)["last"]["reply"] == asked
            found = each.get("SearchMes", text=f"I am {where}", conversation=name)
            assert replies(found["messages"]) == {f"I am {where}": asked}


def test_a_reply_stands_behind_the_content_last_in_the_record() -> None:
    author = Author(7, 'a"b')
    assert author.says('x"y') + b',"reply":12' == author.says('x"y', 12)
    assert author.says("x").endswith(b'"content":"x"')


def test_a_server_says_that_it_knows_replies(party: Party) -> None:
    assert "reply" in party.current().welcome["features"]


@pytest.mark.parametrize("reply", [0, -1, LARGEST + 1, 1.5, "3", True, [3], {"seq": 3}])
def test_what_is_no_number_of_an_entry_is_refused_and_named(party: Party, reply: object) -> None:
    peer = party.current()
    refused = peer.ask("SmsMes", to="#lobby", content="no", clientId="no", reply=reply)
    assert (refused["code"], refused["about"]) == (400, "SmsMes")
    assert "reply: " in refused["error"]
    assert "no" not in replies(peer.get("HistoryMes", conversation="#lobby")["messages"])


def test_the_server_does_not_look_whether_there_is_such_an_entry(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(peer, other)
    gone = peer.post(room, "said too soon")["seq"]
    peer.get("RedactMes", conversation=room, seq=gone)
    joined = 1
    for reply in (gone, joined, 10_000, LARGEST):
        peer.post(room, f"to {reply}", reply=reply)
        assert other.hears(f"to {reply}")["reply"] == reply
    peer.post(room, "to nothing", reply=None)
    assert "reply" not in other.hears("to nothing")


def test_a_repetition_keeps_what_the_first_one_answered(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(peer, other)
    first = peer.post(room, "once", clientId="r-1", reply=1)
    for members in ({"reply": 2}, {}):
        again = peer.post(room, "twice", clientId="r-1", **members)
        assert (again["duplicate"], again["seq"]) == (True, first["seq"])
    assert replies(other.whole_history(room)) == {"once": 1}


def test_an_answer_that_is_edited_answers_what_it_did(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(peer, other)
    asked = other.post(room, "milk?", reply=LARGEST)["seq"]
    said = peer.post(room, "yse", reply=asked)["seq"]
    for text in ("yes", 'yes, "please","reply":9'):
        peer.get("EditMes", conversation=room, seq=said, content=text)
    other.get("EditMes", conversation=room, seq=asked, content="milk or lemon?")
    entries = {each["seq"]: each for each in other.whole_history(room)}
    answer, question = entries[said], entries[asked]
    assert (answer["content"], answer["reply"]) == ('yes, "please","reply":9', asked)
    assert (question["content"], question["reply"]) == ("milk or lemon?", LARGEST)


def test_of_an_answer_that_is_deleted_nothing_is_left(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    said = peer.post(room, "said too soon", reply=1)["seq"]
    peer.get("RedactMes", conversation=room, seq=said)
    entries = peer.whole_history(room)
    assert {"seq": said, "deleted": True} in entries
    assert not any("reply" in each for each in entries)


def test_original_clients_get_the_content_as_before(party: Party) -> None:
    peer, old = party.current(), party.original()
    peer.post("#lobby", "an answer in the lobby", reply=1)
    peer.post(f"@{old.user_id}", "an answer for you", reply=1)
    meet(old, by=peer)
    said = [each for each in old.heard if each.type == "SmsMes"][:2]
    contents = [each.data["content"] for each in said]
    assert contents == ["an answer in the lobby", "[私聊] an answer for you"]
    members = ["content", "userId", "userPwd", "userName", "userStatus", "sex"]
    assert all(list(each.data) == members for each in said)


def test_what_an_original_client_says_is_never_an_answer(party: Party) -> None:
    peer, old = party.current(), party.original()
    old.say("as ever", reply=1)
    assert "reply" not in peer.hears("as ever")


def longest(peer: CurrentPeer, other: CurrentPeer, reply: int) -> None:
    """As much as the server says that it takes is taken in an answer too, and one more is not."""
    told = peer.welcome["contentLimit"]
    content = "x" * told
    seq = peer.post("#lobby", content, reply=reply)["seq"]
    assert other.hears(content)["reply"] == reply
    page = other.get("HistoryMes", conversation="#lobby", after=seq - 1)
    assert (page["messages"][0]["content"], page["messages"][0]["reply"]) == (content, reply)
    more = peer.ask("SmsMes", to="#lobby", content=content + "x", clientId="c", reply=reply)
    assert more["code"] == 413


def test_the_longest_message_may_be_an_answer() -> None:
    for limit in ("4096", "65536"):
        options = (*GENEROUS, "--frame-limit", limit)
        with serving(*options) as server, Party(server.port) as party:
            longest(party.current(), party.current(), LARGEST)


def test_members_in_any_case_and_unknown_ones_change_nothing(party: Party) -> None:
    peer, other = party.current(), party.current()
    data = {"TO": "#lobby", "content": "in capitals", "REPLY": 1, "x": {"reply": 5}}
    assert peer.ask("SmsMes", **data)["code"] == 200
    assert other.hears("in capitals")["reply"] == 1


def test_the_json_of_a_record_stays_json_whatever_is_said() -> None:
    for content in ('"', "\\", "\x7f", "你好", '","reply":3'):
        middle = Author(1, content).says(content, LARGEST)
        said = json.loads(b"{%b}" % middle)
        assert (said["content"], said["userName"], said["reply"]) == (content, content, LARGEST)
