"""Messages that their authors edit: who may, what others see, what is left of the old text."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from chat.store.keys import Keys, private_cid
from tests.party import Party, again_and_again
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.server import GENEROUS, serving
from tests.valkey import Valkey, running

LIMIT = 16_384


def edited(peer: CurrentPeer, where: str, seq: int, content: str) -> dict[str, Any]:
    """The reply to an edit."""
    return peer.ask("EditMes", conversation=where, seq=seq, content=content)


def entry(peer: CurrentPeer, where: str, seq: int) -> dict[str, Any]:
    """The entry of that number, as history has it."""
    page = peer.get("HistoryMes", conversation=where, after=seq - 1, limit=1)
    (found,) = page["messages"]
    return found


def test_everybody_sees_what_a_message_says_now_and_it_stays_where_it_was(party: Party) -> None:
    user = party.user()
    peer, phone, other = party.current(user), party.current(user), party.current()
    assert "edit" in peer.welcome["features"]
    room = party.room_of(peer, other)
    said = peer.post(room, "the meating is at ten", clientId="typo-1")
    pushed = other.hears("the meating is at ten")
    assert edited(peer, room, said["seq"], "the meeting is at ten")["code"] == 200
    told = other.expect("SmsMes", conversation=room, kind="edit")
    assert (told["target"], told["content"]) == (said["seq"], "the meeting is at ten")
    assert (told["userId"], told["seq"]) == (user.user_id, said["seq"] + 1)
    for each in (peer, phone):
        each.expect("SmsMes", conversation=room, kind="edit", target=said["seq"])
    del pushed["conversation"]
    now = {**pushed, "content": "the meeting is at ten", "edited": told["seq"]}
    assert entry(other, room, said["seq"]) == now
    assert entry(phone, room, said["seq"]) == {**now, "clientId": "typo-1"}
    again = peer.ask("SmsMes", to=room, content="the meating is at ten", clientId="typo-1")
    assert (again["seq"], again["time"], again["duplicate"]) == (said["seq"], said["time"], True)


def test_an_answer_still_says_what_it_answers(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    asked = peer.post(room, "tea?")["seq"]
    for content in ("yes", 'yes","reply":9', 'yes,"reply":9,"edited":9'):
        seq = peer.post(room, "yse", reply=asked)["seq"]
        for text in (content, f"{content}!"):
            assert edited(peer, room, seq, text)["code"] == 200
            now = entry(peer, room, seq)
            assert (now["content"], now["reply"]) == (text, asked)
        last = peer.conversation(room)["seq"]
        assert edited(peer, room, seq, f"{content}!")["code"] == 200
        assert peer.conversation(room)["seq"] == last


def test_search_and_the_last_message_have_the_new_text_and_nobody_the_old_one(party: Party) -> None:
    peer, other = party.current(), party.current()
    old, new = party.name("needle"), party.name("thread")
    said = peer.post(other.at, f"{old} of mine")
    assert edited(peer, other.at, said["seq"], f"{new} of mine")["code"] == 200
    for each in (peer, other):
        assert each.get("SearchMes", text=old)["messages"] == []
        (found,) = each.get("SearchMes", text=new)["messages"]
        assert (found["seq"], found["edited"]) == (1, 2)
        assert old not in str(each.get("ConversationsMes")["conversations"])


def test_only_the_newest_text_is_in_the_history_however_often_it_was_edited(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(peer, other)
    said = peer.post(room, "version number 0")
    for number in range(1, 4):
        assert edited(peer, room, said["seq"], f"version number {number}")["code"] == 200
    whole = other.whole_history(room)
    assert [each["seq"] for each in whole] == list(range(1, said["seq"] + 4))
    texts = {each["seq"]: each.get("content", "") for each in whole if "number" in str(each)}
    assert texts == {said["seq"]: "version number 3", said["seq"] + 3: "version number 3"}
    assert [each.get("target") for each in whole[-3:]] == [said["seq"]] * 3
    assert [each.get("kind") for each in whole[-3:]] == ["edit"] * 3


def test_a_message_that_is_deleted_leaves_no_text_in_what_edited_it(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    said = guest.post(room, "a word to be regretted")
    assert edited(guest, room, said["seq"], "a worse word to be regretted")["code"] == 200
    assert owner.ask("RedactMes", conversation=room, seq=said["seq"])["code"] == 200
    assert "regretted" not in str(owner.whole_history(room))
    assert edited(guest, room, said["seq"], "and on")["code"] == 404
    assert entry(owner, room, said["seq"]) == {"seq": said["seq"], "deleted": True}


def test_what_it_says_already_is_said_again_and_is_no_entry(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    said = peer.post(room, "as it is")
    for content in ("as it is", "otherwise", "otherwise", "otherwise"):
        assert edited(peer, room, said["seq"], content)["code"] == 200
    assert peer.conversation(room)["seq"] == said["seq"] + 1
    assert edited(peer, room, said["seq"], "as it is")["code"] == 200
    assert entry(peer, room, said["seq"])["content"] == "as it is"


def test_nobody_edits_what_others_said_nor_what_happened_nor_what_is_not_there(
    party: Party,
) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    said = guest.post(room, "words of the guest")
    assert edited(owner, room, said["seq"], "other words")["code"] == 403
    assert edited(guest, room, 2, "I never joined")["code"] == 404
    assert edited(guest, room, said["seq"], "my words")["code"] == 200
    for seq in (said["seq"] + 1, said["seq"] + 2, 0, -1, 2**53 - 1):
        assert edited(guest, room, seq, "what?")["code"] == 404, seq
    refused = edited(guest, room, said["seq"] + 9, "what?")
    assert refused["error"] == "There is no such message."
    assert edited(guest, "#nowhere-at-all", 1, "what?")["code"] == 404
    assert edited(guest, owner.at, 1, "what?")["code"] == 404
    assert edited(guest, "@nobody-at-all", 1, "what?")["code"] == 404
    assert entry(owner, room, said["seq"])["content"] == "my words"


def test_content_has_the_limits_of_a_message(party: Party) -> None:
    peer = party.current()
    room = party.room_of(peer)
    seq = peer.post(room, "short")["seq"]
    for content, code in (
        ("", 400), ("a\0b", 400), ("x" * (LIMIT + 1), 413), ("é" * (LIMIT // 2) + "x", 413),
        ("\x01" * 9_010, 413), ("x" * LIMIT, 200), ("é" * (LIMIT // 2), 200),
    ):  # fmt: skip
        reply, said = edited(peer, room, seq, content), peer.ask("SmsMes", to=room, content=content)
        assert (reply["code"], reply["error"]) == (code, said["error"]), content[:9]
    assert entry(peer, room, seq)["content"] == "é" * (LIMIT // 2)
    page = peer.get("HistoryMes", conversation=room)
    assert page["messages"][-1]["content"] == "é" * (LIMIT // 2)


def test_who_left_a_room_edits_nothing_there_and_who_comes_back_what_they_may_read(
    party: Party,
) -> None:
    owner, guest = party.current(), party.current()
    room, hidden = party.room_of(owner, guest), party.room()
    owner.get("JoinMes", conversation=hidden, private=True)
    invite = {"conversation": hidden, "action": "invite", "userId": guest.user_id}
    owner.get("ModerateMes", **invite)
    guest.get("JoinMes", conversation=hidden)
    seqs = {where: guest.post(where, "before I left")["seq"] for where in (room, hidden)}
    for where, code in ((room, 403), (hidden, 404)):
        guest.get("LeaveMes", conversation=where)
        refused = edited(guest, where, seqs[where], "after it")
        anew = guest.ask("SmsMes", to=where, content="after it")
        assert (refused["code"], refused["error"]) == (code, anew["error"])
    guest.get("JoinMes", conversation=room)
    owner.get("ModerateMes", **invite)
    guest.get("JoinMes", conversation=hidden)
    assert edited(guest, room, seqs[room], "back again")["code"] == 200
    assert edited(guest, hidden, seqs[hidden], "back again")["code"] == 404
    assert entry(owner, hidden, seqs[hidden])["content"] == "before I left"


def same_refusal(peer: CurrentPeer, where: str, seq: int, code: int = 403) -> dict[str, Any]:
    """An edit is refused as a message is, and that what it says already is no edit."""
    refused = edited(peer, where, seq, "may I?")
    anew = peer.ask("SmsMes", to=where, content="may I?")
    assert (refused["code"], refused["error"]) == (code, anew["error"])
    assert (refused["retryAfter"] > 0) == (anew["retryAfter"] > 0)
    assert edited(peer, where, seq, entry(peer, where, seq)["content"])["code"] == 200
    return refused


def test_who_may_not_write_may_not_edit(party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room_of(owner, guest)
    seq = guest.post(room, "while I may")["seq"]

    def moderate(action: str, **more: Any) -> None:
        owner.get("ModerateMes", conversation=room, action=action, **more)

    moderate("mute", userId=guest.user_id, seconds=600)
    assert same_refusal(guest, room, seq)["retryAfter"] > 500
    moderate("unmute", userId=guest.user_id)
    assert edited(guest, room, seq, "again")["code"] == 200
    moderate("slow", seconds=600)
    assert edited(guest, room, seq, "the first one")["code"] == 200
    assert same_refusal(guest, room, seq)["retryAfter"] > 500
    mine = owner.post(room, "owners do not wait")["seq"]
    for content in ("nor", "here"):
        assert edited(owner, room, mine, content)["code"] == 200
    moderate("slow", seconds=0)
    moderate("ban", userId=guest.user_id)
    assert edited(guest, room, seq, "out")["code"] == 403
    assert guest.ask("SmsMes", to=room, content="out")["code"] == 403


def test_who_blocks_or_is_blocked_edits_nothing_in_private(party: Party) -> None:
    one, other = party.current(), party.current()
    mine, theirs = one.post(other.at, "mine")["seq"], other.post(one.at, "theirs")["seq"]
    one.get("BlockMes", userId=other.user_id)
    for peer, where, seq in ((one, other.at, mine), (other, one.at, theirs)):
        same_refusal(peer, where, seq)
    one.get("BlockMes", userId=other.user_id, block=False)
    assert edited(other, one.at, theirs, "once more")["code"] == 200
    one.expect("SmsMes", kind="edit", conversation=other.at, content="once more")


def test_an_edit_is_answered_where_messages_are_restricted(party: Party) -> None:
    with serving("--lobby", "read-only", *GENEROUS) as server, Party(server.port) as others:
        peer = others.current()
        refused = edited(peer, "#lobby", 1, "hello")
        anew = peer.ask("SmsMes", to="#lobby", content="hello")
        assert (refused["code"], refused["error"]) == (403, anew["error"])
    with serving("--lobby", "closed", *GENEROUS) as server, Party(server.port) as others:
        peer = others.current()
        refused = edited(peer, "#lobby", 1, "hello")
        anew = peer.ask("SmsMes", to="#lobby", content="hello")
        assert (refused["code"], refused["error"]) == (403, anew["error"])


def test_it_is_no_unread_message_and_moves_no_mark(party: Party) -> None:
    peer, other = party.current(), party.current()
    said = peer.post(other.at, "read this")
    other.hears("read this")
    other.send("AckMes", conversation=peer.at, delivered=1, read=1)
    peer.expect("ReceiptMes", conversation=other.at, read=1)
    assert edited(peer, other.at, said["seq"], "read that")["code"] == 200
    told = other.expect("SmsMes", kind="edit", conversation=peer.at)
    assert (told["seq"], told["target"]) == (2, 1)
    mark = other.conversation(peer.at)
    assert (mark["seq"], mark["read"], mark["last"]["kind"]) == (2, 1, "edit")


def test_original_clients_hear_nothing_of_it_and_later_the_new_text(party: Party) -> None:
    peer, user = party.current(), party.user()
    original = party.original(user)
    said = peer.post("#lobby", "for the old ones")
    original.hear("SmsMes", content="for the old ones")
    assert edited(peer, "#lobby", said["seq"], "for the new ones")["code"] == 200
    peer.post("#lobby", "what follows it")
    heard = original.hear("SmsMes", content="what follows it")
    assert heard is not None
    assert "for the new ones" not in str(original.heard)


def test_it_costs_what_a_message_costs() -> None:
    with (
        serving("--rate", "3,0.01", "--request-rate", "3,0.01") as server,
        Party(server.port) as party,
    ):
        peer = party.current()
        seq = peer.post("#lobby", "first")["seq"]
        codes = [edited(peer, "#lobby", seq, f"{number}")["code"] for number in range(4)]
        assert codes == [200, 200, 429, 429]
        assert peer.ask("SmsMes", to="#lobby", content="second")["code"] == 429
        assert peer.ask("OnlineMes")["code"] == 200


def test_two_devices_edit_at_once_and_all_agree(party: Party) -> None:
    user = party.user()
    peer, phone, other = party.current(user), party.current(user), party.current()
    room = party.room_of(peer, other)
    seq = peer.post(room, "begun")["seq"]
    phone.expect("SmsMes", conversation=room, seq=seq)
    sent = [
        (each, each.send("EditMes", conversation=room, seq=seq, content=f"{name} {number}"))
        for number in range(10)
        for name, each in (("desk", peer), ("phone", phone))
    ]
    assert {each.reply(number).data["code"] for each, number in sent} == {200}
    told = [other.expect("SmsMes", kind="edit", conversation=room) for _ in sent]
    assert sorted(each["seq"] for each in told) == [each["seq"] for each in told]
    now = entry(other, room, seq)
    assert (now["content"], now["edited"]) == (told[-1]["content"], told[-1]["seq"])
    assert sum("content" in each and each.get("kind") == "edit"
               for each in other.whole_history(room)) == 1  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[Valkey]:
    with running() as valkey:
        yield valkey


@pytest.fixture
def stored(store: Valkey) -> Iterator[ServerProcess]:
    with serving("--store", store.url, *GENEROUS) as server:
        yield server


def test_the_old_text_is_nowhere_in_the_store(store: Valkey, stored: ServerProcess) -> None:
    with Party(stored.port) as party:
        peer = party.current()
        seqs = [peer.post("#lobby", f"old text {number}")["seq"] for number in range(3)]
        for seq in seqs:
            for content in ("text in between", "new text"):
                assert edited(peer, "#lobby", seq, content)["code"] == 200
        log, apart = Keys().log("r:lobby"), Keys().apart("r:lobby")
        kept = str(store.ask("XRANGE", log, "-", "+")) + str(store.ask("ZRANGE", apart, 0, -1))
        assert "new text" in kept
        assert "old text" not in kept
        assert "text in between" not in kept


def test_who_reads_from_the_log_what_the_bus_lost_learns_the_new_text(
    store: Valkey, stored: ServerProcess
) -> None:
    with Party(stored.port) as party:
        peer, other = party.current(), party.current()
        room = party.room_of(peer, other)
        seqs = {where: peer.post(where, "old")["seq"] for where in (room, other.at)}
        cid = private_cid(peer.user_id, other.user_id)
        for kind, where in itertools.product(("edit", "redact"), seqs):
            seq = seqs[where]
            for user in (peer.user_id, other.user_id):  # It was said long ago.
                store.ask("ZADD", Keys().conversations(user), 1, cid)
            with again_and_again(lambda: store.ask("CLIENT", "KILL", "TYPE", "pubsub")):
                if kind == "edit":
                    while edited(peer, where, seq, "new")["code"] != 200:
                        pass
                else:
                    peer.ask("RedactMes", conversation=where, seq=seq)
            name = peer.at if where.startswith("@") else where
            told = other.expect("SmsMes", kind=kind, conversation=name, target=seq)
            assert told["content"] == ("new" if kind == "edit" else "")


def test_a_message_of_an_older_epoch_is_edited_in_the_new_one(
    store: Valkey, stored: ServerProcess
) -> None:
    with Party(stored.port) as party:
        peer, other = party.current(), party.current()
        room = party.room_of(peer, other)
        said = peer.post(room, "of another time")
        store.ask("SET", Keys().generation(), "99.facade")
        assert edited(peer, room, said["seq"], "of this time")["code"] == 200
        told = other.expect("SmsMes", kind="edit", conversation=room)
        assert told["epoch"] == "99.facade"
        now = entry(other, room, said["seq"])
        assert (now["epoch"], now["content"]) == (said["epoch"], "of this time")


def test_what_retention_has_taken_cannot_be_edited() -> None:
    with serving("--retention", "0,5", *GENEROUS) as server, Party(server.port) as party:
        peer = party.current()
        room = party.room_of(peer)
        seqs = [peer.post(room, f"{number}")["seq"] for number in range(8)]
        first = peer.get("HistoryMes", conversation=room)["first"]
        assert edited(peer, room, first - 1, "too late")["code"] == 404
        assert edited(peer, room, first, "just in time")["code"] == 200
        # The edit is an entry itself, and takes the place of the oldest.
        assert peer.get("HistoryMes", conversation=room)["first"] == first + 1
        assert edited(peer, room, first, "too late")["code"] == 404
        assert edited(peer, room, seqs[-1], "the newest")["code"] == 200
        texts = str(peer.get("HistoryMes", conversation=room)["messages"])
        assert "the newest" in texts
        assert "too late" not in texts
