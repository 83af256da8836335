"""History to the first message and back, redaction, search, and pages that fit a frame."""

from typing import Any

import pytest

from chat.messages import LARGEST
from tests.party import Party, outlast
from tests.peers import enveloped, framed
from tests.server import GENEROUS, serving
from tests.valkey import running


def test_history_pages_to_the_first_message_and_back(party: Party) -> None:
    owner = party.current()
    room = party.room_of(owner)
    sent = [owner.send("SmsMes", to=room, content=f"entry {number}") for number in range(120)]
    seqs = [owner.reply(each).data["seq"] for each in sent]
    last = seqs[-1]
    reader = party.current()
    last = reader.get("JoinMes", conversation=room)["seq"]
    entries = reader.whole_history(room, limit=25)
    assert [each["seq"] for each in entries] == list(range(1, last + 1))
    assert [each["content"] for each in entries if each.get("content")] == [
        f"entry {number}" for number in range(120)
    ]
    forward: list[int] = []
    while True:
        page = reader.get("HistoryMes", conversation=room, limit=25,
                          after=forward[-1] if forward else 0)  # fmt: skip
        forward += [each["seq"] for each in page["messages"]]
        if not page["more"]:
            break
    assert forward == list(range(1, last + 1))


def test_the_bounds_of_history_are_exclusive_and_say_what_more_means(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    for number in range(9):
        peer.post(room, f"number {number + 2}")  # 1 is the joining

    def page(**bounds: int) -> tuple[list[int], bool]:
        reply = peer.get("HistoryMes", conversation=room, **bounds)
        assert reply["first"] == 1
        assert reply["epochFirst"] == 1
        return [each["seq"] for each in reply["messages"]], reply["more"]

    assert page() == (list(range(1, 11)), False)
    assert page(limit=3) == ([8, 9, 10], True)
    assert page(limit=9) == (list(range(2, 11)), True)
    assert page(limit=10) == (list(range(1, 11)), False)
    assert page(after=0, limit=9) == (list(range(1, 10)), True)
    assert page(before=5) == ([1, 2, 3, 4], False)
    assert page(before=5, limit=2) == ([3, 4], True)
    assert page(after=8) == ([9, 10], False)
    assert page(after=3, limit=2) == ([4, 5], True)
    assert page(after=3, before=6) == ([4, 5], False)
    assert page(after=3, before=8, limit=2) == ([4, 5], True)
    assert page(after=0, limit=2) == ([1, 2], True)
    assert page(after=10) == ([], False)
    assert page(after=10**12) == ([], False)
    assert page(before=1) == ([], False)
    assert page(before=10**12, limit=1) == ([10], True)
    assert page(after=5, before=6) == ([], False)
    assert page(after=7, before=3) == ([], False)


def test_a_page_has_200_entries_at_most(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    for each in [peer.send("SmsMes", to=room, content="x") for _ in range(210)]:
        peer.reply(each)
    assert len(peer.get("HistoryMes", conversation=room, limit=1000)["messages"]) == 200


def test_history_of_another_epoch_has_no_messages_and_names_the_current_one(party: Party) -> None:
    peer = party.current()
    said = peer.post("#lobby", "in this epoch")
    page = peer.get("HistoryMes", conversation="#lobby", epoch="long-gone", after=0)
    assert page["messages"] == []
    assert (page["epoch"], page["epochFirst"]) == (said["epoch"], said["epochFirst"])
    page = peer.get("HistoryMes", conversation="#lobby", epoch=said["epoch"],
                    after=said["seq"] - 1)  # fmt: skip
    assert page["messages"][0]["content"] == "in this epoch"


def test_entries_have_what_the_push_had_and_ones_own_their_client_id(party: Party) -> None:
    user = party.user()
    peer, other = party.current(user), party.current()
    room = party.room_of(peer, other)
    peer.post(room, "who said this?", clientId="entry-1")
    pushed = other.hears("who said this?")
    del pushed["conversation"]
    (seen,) = [each for each in other.whole_history(room) if each.get("content")]
    assert seen == pushed
    (own,) = [each for each in peer.whole_history(room) if each.get("content")]
    assert own == {**pushed, "clientId": "entry-1"}


def test_a_newcomer_reads_the_whole_history_of_a_public_room(party: Party) -> None:
    owner, newcomer = party.current(), party.current()
    room = party.room_of(owner)
    owner.post(room, "before you came")
    assert newcomer.ask("HistoryMes", conversation=room)["code"] == 403
    newcomer.get("JoinMes", conversation=room)
    assert "before you came" in [each.get("content") for each in newcomer.whole_history(room)]


def test_a_redacted_message_keeps_its_number_and_loses_its_text(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(peer, other)
    regretted = peer.post(room, "something very stupid")
    peer.get("RedactMes", conversation=room, seq=regretted["seq"])
    told = other.expect("SmsMes", conversation=room, kind="redact", target=regretted["seq"])
    assert told["seq"] == regretted["seq"] + 1
    entries = other.whole_history(room)
    assert {"seq": regretted["seq"], "deleted": True} in entries
    assert [each["seq"] for each in entries] == list(range(1, told["seq"] + 1))
    assert other.get("SearchMes", text="very stupid", conversation=room)["messages"] == []
    assert peer.conversation(room)["seq"] == told["seq"]


def test_a_redacted_last_message_is_shown_nowhere(party: Party) -> None:
    peer, other = party.current(), party.current()
    peer.post(other.at, "a secret of mine", clientId="secret-1")
    peer.get("RedactMes", conversation=other.at, seq=1)
    for each in (party.current(), other):
        listed = each.get("ConversationsMes")["conversations"]
        assert "a secret of mine" not in str(listed)
    again = peer.ask("SmsMes", to=other.at, content="a secret of mine", clientId="secret-1")
    assert (again["seq"], again["duplicate"]) == (1, True)


def test_others_redact_nothing_but_a_rooms_owner_may(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    his, hers = owner.post(room, "words of the owner"), guest.post(room, "words of the guest")
    assert guest.ask("RedactMes", conversation=room, seq=his["seq"])["code"] == 403
    assert owner.ask("RedactMes", conversation=room, seq=hers["seq"])["code"] == 200
    said = owner.post("#lobby", "words for the lobby")
    assert guest.ask("RedactMes", conversation="#lobby", seq=said["seq"])["code"] == 403
    said = owner.post(guest.at, "words for one")
    assert guest.ask("RedactMes", conversation=owner.at, seq=said["seq"])["code"] == 403


def test_search_finds_newest_first_in_one_conversation_or_in_all(party: Party) -> None:
    peer, other, stranger = party.current(), party.current(), party.current()
    room = party.room_of(other, peer)
    word = party.name("needle")
    other.post(room, f"first {word}")
    other.post(peer.at, f"second {word.upper()}")
    other.post(stranger.at, f"not for you {word}")
    other.get("TopicMes", conversation=room, topic=f"no message {word}")
    found = peer.get("SearchMes", text=word)["messages"]
    assert {each["content"]: each["conversation"] for each in found} == {
        f"second {word.upper()}": other.at,
        f"first {word}": room,
    }
    times = [each["time"] for each in found]
    assert times == sorted(times, reverse=True)
    assert {each["userName"] for each in found} == {other.welcome["user"]["userName"]}
    found = peer.get("SearchMes", text=word, conversation=room)["messages"]
    assert [each["content"] for each in found] == [f"first {word}"]


def test_what_is_searched_for_has_200_characters_at_most_and_one_at_least(party: Party) -> None:
    peer = party.current()
    for text, code in (("", 400), (" ", 400), ("x", 200), ("字" * 200, 200), ("字" * 201, 400)):
        assert peer.ask("SearchMes", text=text)["code"] == code


def test_nobody_can_spoil_what_somebody_else_searches(party: Party) -> None:
    peer, stranger = party.current(), party.current()
    word = party.name("needle")
    peer.post(peer.at, word)
    for content, client_id in (("hello", "no good id"), ('"' * 16_000, "too-large")):
        refused = stranger.ask("SmsMes", to=peer.at, content=content, clientId=client_id)
        assert refused["code"] in (400, 413)
        assert stranger.at not in [each["conversation"] for each in peer.conversations()]
    (found,) = peer.get("SearchMes", text=word)["messages"]
    assert (found["content"], found["conversation"]) == (word, peer.at)


def test_no_page_begins_below_the_first_number(party: Party) -> None:
    peer = party.current()
    for bound in ("before", "after"):
        reply = peer.ask("HistoryMes", conversation="#lobby", **{bound: -1})
        assert (reply["code"], bound in reply["error"]) == (400, True)


def test_a_page_without_a_size_has_the_usual_one_and_none_is_larger_than_allowed(
    party: Party,
) -> None:
    peer, word = party.current(), party.name("needle")
    for number in range(60):
        peer.post(peer.at, f"{word} {number}")
    for kind, rest in (("HistoryMes", {}), ("SearchMes", {"text": word})):
        for asked, got in ((1, 1), (0, 50), (-1, 50), (-LARGEST, 50), (55, 55), (LARGEST, 60)):
            page = peer.get(kind, conversation=peer.at, limit=asked, **rest)
            assert len(page["messages"]) == got, (kind, asked)
    for kind, members in (("RoomsMes", "rooms"), ("MembersMes", "users"), ("OnlineMes", "users")):
        room = party.room_of(peer, party.current())
        found = peer.get(kind, conversation=room, limit=0)
        assert len(found[members]) > 1 or not found["more"], kind


def test_what_was_written_when_frames_were_larger_is_shortened_and_paged_past() -> None:
    with running() as store:
        options = (*GENEROUS, "--store", store.url)
        with serving(*options) as server, Party(server.port, "the-same-for-all") as party:
            user = party.user()
            peer = party.current(user)
            for content in ("needle one", "needle " + "\x01字" * 1_500, "needle three"):
                peer.post(peer.at, content)
        smaller = (*options, "--frame-limit", "4096", "--content-limit", "100")
        with serving(*smaller) as server, Party(server.port, "the-same-for-all") as party:
            peer = party.current(user)
            entries = peer.whole_history(peer.at)
            assert [each["seq"] for each in entries] == [1, 2, 3]
            assert [each.get("cut", False) for each in entries] == [False, True, False]
            assert entries[1]["content"].startswith("needle \x01字")
            found: list[int] = []
            page: dict[str, Any] = {"more": True, "before": 0, "skip": 0}
            while page["more"]:
                place = {name: page[name] for name in ("before", "skip")}
                page = peer.get("SearchMes", text="needle", conversation=peer.at, **place)
                found += [each["seq"] for each in page["messages"]]
                assert len(found) <= 3
            assert found == [3, 2, 1]
            assert max(len(frame.body) for frame in peer.heard) <= 4_096


def test_search_pages_backwards_in_time(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    word = party.name("needle")
    for number in range(7):
        outlast(peer.post(room, f"{word} {number}")["time"])
    found: list[str] = []
    page: dict[str, Any] = {"before": 0, "more": True}
    while page["more"]:
        page = peer.get("SearchMes", text=word, conversation=room, limit=3, before=page["before"])
        found += [each["content"] for each in page["messages"]]
        assert len(found) <= 20
    assert list(dict.fromkeys(found)) == [f"{word} {number}" for number in range(6, -1, -1)]


@pytest.mark.parametrize("size", [10, 9_000])
def test_search_finds_each_of_many_that_were_stored_in_one_step(party: Party, size: int) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(other, peer)
    word = party.name("needle")
    contents = [f"{word} {number:02} ".ljust(size, ".") for number in range(24)]
    posts = [{"to": room, "content": each, "clientId": each.split()[1]} for each in contents]
    other.send_bytes(b"".join(framed(enveloped("SmsMes", each)) for each in posts))
    for each in contents:
        peer.hears(each, conversation=room)
    found: list[str] = []
    rest: dict[str, Any] = {"before": 0, "skip": 0}
    while rest:
        page = peer.get("SearchMes", text=word, conversation=room, limit=5, **rest)
        found += [each["content"] for each in page["messages"]]
        rest = {name: page[name] for name in rest} if page["more"] else {}
        assert len(found) <= len(contents)
    assert found == contents[::-1]
    page = {"before": 0, "more": True}
    for _ in range(30):
        if page["more"]:
            page = peer.get("SearchMes", text=word, conversation=room, before=page["before"])
    assert not page["more"], "nor does it never end for who does not say what to skip"


def test_no_frame_is_above_the_limit_however_much_is_asked_for(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    content = "a very long entry " * 900
    for number in range(30):
        peer.post(room, f"{number:02} {content}")
    entries = peer.whole_history(room, limit=200)
    assert [each["content"][:2] for each in entries if each.get("content")] == [
        f"{number:02}" for number in range(30)
    ]
    page = peer.get("HistoryMes", conversation=room, limit=200)
    assert page["messages"][-1]["content"][:2] == "29", "the newest stay"
    assert page["more"]
    page = peer.get("HistoryMes", conversation=room, limit=200, after=0)
    assert page["messages"][0]["seq"] == 1, "the oldest stay"
    assert page["more"]
    found = peer.get("SearchMes", text="very long", conversation=room, limit=200)
    assert found["more"]
    assert max(len(frame.body) for frame in peer.heard) <= 65_536


def test_the_last_entry_of_a_long_conversation_is_cut(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    peer.post(room, "字" * 100)
    last = peer.conversation(room)["last"]
    assert len(last["content"].encode()) <= 200
    assert last["content"] == "字" * 66
    assert last["cut"] is True
    peer.post(room, "short enough")
    last = peer.conversation(room)["last"]
    assert last["content"] == "short enough"
    assert not last.get("cut")
