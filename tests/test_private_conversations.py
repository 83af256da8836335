"""Private conversations, marks, unread counts in step, and receipts."""

from tests.party import Party
from tests.peers import CurrentPeer


def test_a_private_conversation_has_a_name_for_each_side(party: Party) -> None:
    one, other, third = party.current(), party.current(), party.current()
    said = one.post(other.at, "just between us")
    assert said["conversation"] == other.at
    heard = other.hears("just between us")
    assert (heard["conversation"], heard["seq"]) == (one.at, said["seq"])
    answer = other.post(one.at, "of course")
    assert answer["seq"] == said["seq"] + 1
    assert one.hears("of course")["conversation"] == other.at
    third.post("#lobby", "what do you whisper?")
    one.hears("what do you whisper?")
    assert not [each for each in third.heard if each.data.get("content") == "just between us"]
    assert [each["seq"] for each in one.whole_history(other.at)] == [1, 2]
    assert [each["seq"] for each in other.whole_history(one.at)] == [1, 2]


def test_the_receiver_may_be_named_by_name(party: Party) -> None:
    user, sender = party.user("Zoë"), party.current()
    peer = party.current(user)
    said = sender.post(f"@{user.name.upper()}", "found you by name")
    assert said["conversation"] == peer.at
    assert peer.hears("found you by name")["seq"] == said["seq"]
    page = sender.get("HistoryMes", conversation=f"@{user.name}")
    assert page["conversation"] == peer.at
    again = sender.post(f"@{user.name}", "and so it is known")
    its_name = sender.welcome["user"]["userName"]
    peer.send("AckMes", conversation=f"@{its_name}", epoch=again["epoch"], read=again["seq"])
    sender.expect("ReceiptMes", userId=peer.user_id, read=again["seq"])


def test_of_nobody_it_is_said_that_there_is_no_such_user(party: Party) -> None:
    sender = party.current()
    sentence = sender.ask("LookupMes", userName="nobody-at-all")["error"]
    for nobody in ("@nobody-at-all", "@8999999999"):
        told = [sender.ask("SmsMes", to=nobody, content="x"),
                sender.ask("HistoryMes", conversation=nobody)]  # fmt: skip
        assert [each["code"] for each in told] == [404, 404]
        assert told[0]["error"] == sentence
    assert sender.ask("HistoryMes", conversation="#nowhere")["error"] != sentence


def test_one_may_write_to_oneself(party: Party) -> None:
    user = party.user()
    one, two = party.current(user), party.current(user)
    said = one.post(f"@{user.user_id}", "do not forget the milk")
    assert said["conversation"] == f"@{user.user_id}"
    own = two.hears("do not forget the milk")
    assert own["conversation"] == f"@{user.user_id}"
    two.ping()
    one.ping()
    assert len([each for each in two.heard if each.data.get("seq") == own["seq"]
                and each.data.get("conversation") == own["conversation"]]) == 1  # fmt: skip
    assert [each["content"] for each in two.whole_history(f"@{user.user_id}")] == [
        "do not forget the milk"
    ]


def test_a_private_message_reaches_who_never_heard_of_the_sender(party: Party) -> None:
    user, sender = party.user(), party.current()
    sender.post(f"@{user.user_id}", "you do not know me")
    peer = party.current(user)
    (entry,) = [each for each in peer.welcome["conversations"]
                if each["conversation"] == sender.at]  # fmt: skip
    assert (entry["seq"], entry["delivered"], entry["read"]) == (1, 0, 0)
    assert entry["last"]["content"] == "you do not know me"
    peer.ping()
    assert not [each for each in peer.pushed if each.type == "SmsMes"], "nothing old is pushed"
    page = peer.get("HistoryMes", conversation=sender.at, after=0)
    assert [each["content"] for each in page["messages"]] == ["you do not know me"]


def test_unread_counts_are_in_step_on_both_devices(party: Party) -> None:
    user = party.user()
    one, two, other = party.current(user), party.current(user), party.current()
    room = party.room_of(other, one)
    two.expect("ConversationMes", conversation=room)
    for number in range(5):
        said = other.post(room, f"read this, part {number}")
    for each in (one, two):
        each.hears("read this, part 4")
        assert unread(each, room) == 5
    one.send("AckMes", conversation=room, epoch=said["epoch"], delivered=said["seq"],
             read=said["seq"] - 2)  # fmt: skip
    told = two.expect("ConversationMes", conversation=room, read=said["seq"] - 2)
    assert told["delivered"] == said["seq"]
    assert told["seq"] == said["seq"]
    for each in (one, two):
        assert unread(each, room) == 2
    two.send("AckMes", conversation=room, epoch=said["epoch"], read=said["seq"])
    one.expect("ConversationMes", conversation=room, read=said["seq"])
    three = party.current(user)
    assert unread(three, room) == 0


def unread(peer: CurrentPeer, conversation: str) -> int:
    described = peer.conversation(conversation)
    return described["seq"] - described["read"]


def test_each_mark_moves_on_its_own(party: Party) -> None:
    user = party.user()
    one, two, friend, other = (
        party.current(user),
        party.current(user),
        party.current(),
        party.current(),
    )
    for _ in range(6):
        said = [each.post(one.at, "two marks on this") for each in (friend, other)]
    first, second = ({"conversation": each.at, "epoch": reply["epoch"]}
                     for each, reply in zip((friend, other), said, strict=True))  # fmt: skip
    one.send("AckMes", **first, delivered=4)
    one.send("AckMes", **second, read=2)
    assert two.expect("ConversationMes", conversation=friend.at, delivered=4)["read"] == 0
    told = two.expect("ConversationMes", conversation=other.at, read=2)
    assert told["delivered"] == 2, "what is read is delivered"
    one.send("AckMes", **first, read=2)
    one.send("AckMes", **second, delivered=5)
    assert two.expect("ConversationMes", conversation=friend.at, read=2)["delivered"] == 4
    assert two.expect("ConversationMes", conversation=other.at, delivered=5)["read"] == 2


def test_marks_never_go_back_and_never_beyond_what_was_said(party: Party) -> None:
    user = party.user()
    one, two, other = party.current(user), party.current(user), party.current()
    for number in range(4):
        said = other.post(one.at, f"a mark on this, {number}")
    one.hears("a mark on this, 3")
    mine = {"conversation": other.at, "epoch": said["epoch"]}
    one.send("AckMes", **mine, delivered=3, read=3)
    two.expect("ConversationMes", conversation=other.at, read=3)
    one.send("AckMes", **mine, delivered=1, read=1)
    one.send("AckMes", **mine, delivered=10**12, read=10**12)
    told = two.expect("ConversationMes", conversation=other.at, where=lambda d: d["read"] != 3)
    assert (told["delivered"], told["read"]) == (4, 4)
    one.send("AckMes", **mine, delivered=2, read=2)
    one.ping()
    described = party.current(user).conversation(other.at)
    assert (described["delivered"], described["read"]) == (4, 4)


def test_the_partner_gets_receipts_and_nobody_else(party: Party) -> None:
    reader, sender, third = party.current(), party.current(), party.current()
    room = party.room_of(sender, reader, third)
    said = sender.post(reader.at, "did you get this?")
    reader.hears("did you get this?")
    reader.send("AckMes", conversation=sender.at, epoch=said["epoch"], delivered=1)
    receipt = sender.expect("ReceiptMes", conversation=reader.at, delivered=1)
    assert receipt == {"conversation": reader.at, "userId": reader.user_id,
                       "epoch": said["epoch"], "delivered": 1, "read": 0}  # fmt: skip
    reader.send("AckMes", conversation=sender.at, epoch=said["epoch"], read=1)
    assert sender.expect("ReceiptMes", conversation=reader.at, read=1)["delivered"] == 1
    in_room = sender.post(room, "and this?")
    reader.send("AckMes", conversation=room, epoch=in_room["epoch"], read=in_room["seq"])
    third.send("AckMes", conversation=room, epoch=in_room["epoch"], read=in_room["seq"])
    answer = reader.post(sender.at, "the last word")
    sender.send("AckMes", conversation=reader.at, epoch=answer["epoch"], read=answer["seq"])
    reader.expect("ReceiptMes", conversation=sender.at, read=answer["seq"])
    sender.ping()
    third.ping()
    told = [each for peer in (sender, third) for each in peer.heard if each.type == "ReceiptMes"]
    assert {each.data["conversation"] for each in told} == {reader.at}
    assert not [each for each in third.heard if each.type == "ReceiptMes"]


def test_who_was_away_is_told_with_the_newest_page_how_far_the_partner_is(party: Party) -> None:
    reader, user = party.current(), party.user()
    sender = party.current(user)
    said = sender.post(reader.at, "did you get this?")
    sender.close()
    reader.hears("did you get this?")
    reader.send("AckMes", conversation=f"@{user.user_id}", epoch=said["epoch"], read=1)
    reader.close()
    again = party.current(user)
    again.get("HistoryMes", conversation=reader.at, after=0)
    again.get("HistoryMes", conversation=reader.at, before=2)
    assert not [each for each in again.heard if each.type == "ReceiptMes"]
    (entry,) = again.get("HistoryMes", conversation=reader.at)["messages"]
    assert entry["content"] == "did you get this?"
    (receipt,) = [each.data for each in again.heard if each.type == "ReceiptMes"]
    assert receipt == {"conversation": reader.at, "userId": reader.user_id,
                       "epoch": said["epoch"], "delivered": 1, "read": 1}  # fmt: skip


def test_neither_rooms_nor_ones_notes_have_receipts_in_their_pages(party: Party) -> None:
    peer, other = party.current(), party.current()
    room = party.room_of(peer, other)
    for conversation in (room, peer.at, "#lobby"):
        peer.post(conversation, "anybody here?")
        peer.get("HistoryMes", conversation=conversation)
    assert not [each for each in peer.heard if each.type == "ReceiptMes"]


def test_the_list_has_what_was_said_and_read_a_moment_ago(party: Party) -> None:
    one, two, peer = party.current(), party.current(), party.current()
    for other in (one, two, one):
        said = peer.post(other.at, "to the top of the list")
        listed = [each["conversation"] for each in peer.conversations()]
        assert listed[:2] == ["#lobby", other.at]
    peer.send("AckMes", conversation=one.at, epoch=said["epoch"], read=said["seq"])
    assert peer.conversation(one.at)["read"] == said["seq"]


def test_an_acknowledgement_where_nothing_was_said_is_404(party: Party) -> None:
    peer, other = party.current(), party.current()
    request = peer.send("AckMes", conversation=other.at, read=1)
    reply = peer.reply(request).data
    assert (reply["code"], reply["about"]) == (404, "AckMes")


def test_an_acknowledgement_of_an_unknown_epoch_moves_nothing_in_this_one(party: Party) -> None:
    user = party.user()
    one, sender = party.current(user), party.current()
    said = sender.post(one.at, "whose epoch is this?")
    one.hears("whose epoch is this?")
    one.send("AckMes", conversation=sender.at, epoch="no-such-epoch", read=said["seq"])
    one.ping()
    assert party.current(user).conversation(sender.at)["read"] == 0


def test_reading_is_remembered_when_the_reader_leaves_at_once(party: Party) -> None:
    user, sender = party.user(), party.current()
    peer = party.current(user)
    said = sender.post(f"@{user.user_id}", "read and gone")
    peer.hears("read and gone")
    peer.send("AckMes", conversation=sender.at, epoch=said["epoch"], read=said["seq"])
    peer.ping()
    peer.close()
    sender.expect("ReceiptMes", conversation=f"@{user.user_id}", read=said["seq"])
    assert party.current(user).conversation(sender.at)["read"] == said["seq"]
