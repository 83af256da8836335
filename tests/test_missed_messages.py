"""What an original client missed follows its next login: once, oldest first, the newest of much."""

from tests.party import Party, meet, outlast

PRIVATE = "[私聊] "


def test_what_was_missed_follows_the_next_login_once_and_oldest_first(party: Party) -> None:
    user, sender = party.user(), party.current()
    party.original(user).close()
    times = {}
    for number in range(4):
        told = sender.post(f"@{user.user_id}", f"missed in private {number}")
        times[f"{PRIVATE}missed in private {number}"] = told["time"]
        told = sender.post("#lobby", f"missed in the lobby {number}")
        times[f"missed in the lobby {number}"] = told["time"]
    peer = party.original(user)
    meet(peer, by=sender)
    mine = [each for each in peer.contents() if "missed in" in each]
    assert sorted(mine) == sorted(times)
    assert [times[each] for each in mine] == sorted(times.values())
    for sort in ("private", "lobby"):
        assert [each[-1] for each in mine if sort in each] == list("0123")
    peer.close()
    peer = party.original(user)
    meet(peer, by=sender)
    assert not [each for each in peer.contents() if "missed in" in each]


def test_a_private_message_is_missed_by_somebody_who_never_logged_in(party: Party) -> None:
    user, sender = party.user(), party.user()
    party.current(sender).post(f"@{user.user_id}", "welcome, whenever you come")
    heard = party.original(user).hear("SmsMes", userId=sender.user_id)
    assert heard["content"] == PRIVATE + "welcome, whenever you come"
    assert heard["userName"] == sender.name


def test_of_much_that_was_missed_the_newest_50_of_each_sort_follow(party: Party) -> None:
    user, sender, friend = party.user(), party.current(), party.current()
    party.original(user).close()
    for number in range(60):
        sender.send("SmsMes", to="#lobby", content=f"one of many {number}")
    for number in range(40):
        sender.send("SmsMes", to=f"@{user.user_id}", content=f"from one friend {number}")
        friend.send("SmsMes", to=f"@{user.user_id}", content=f"from the other {number}")
    sender.ping()
    friend.ping()
    outlast(sender.post("#lobby", "the last of many")["time"])
    friend.post(f"@{user.user_id}", "the last in private")
    peer = party.original(user)
    meet(peer, by=sender)
    lobby = [each for each in peer.contents() if " of many" in each]
    private = [each for each in peer.contents() if each.startswith(PRIVATE)]
    assert lobby == [*(f"one of many {number}" for number in range(11, 60)), "the last of many"]
    assert len(private) == 50
    assert private[-1] == PRIVATE + "the last in private"


def test_what_was_redacted_meanwhile_does_not_follow(party: Party) -> None:
    user, sender = party.user(), party.current()
    regretted = sender.post(f"@{user.user_id}", "I hate everybody")
    sender.post(f"@{user.user_id}", "I love everybody")
    sender.get("RedactMes", conversation=f"@{user.user_id}", seq=regretted["seq"])
    peer = party.original(user)
    meet(peer, by=sender)
    assert [each for each in peer.contents() if each.startswith(PRIVATE)] == [
        PRIVATE + "I love everybody"
    ]


def test_what_another_device_heard_is_not_missed(party: Party) -> None:
    user, sender = party.user(), party.current()
    device = party.current(user)
    said = sender.post(f"@{user.user_id}", "heard on the other device")
    device.hears("heard on the other device")
    device.send("AckMes", conversation=sender.at, epoch=said["epoch"],
                delivered=said["seq"])  # fmt: skip
    device.ping()
    device.close()
    sender.expect("ReceiptMes", delivered=said["seq"])
    peer = party.original(user)
    meet(peer, by=sender)
    assert PRIVATE + "heard on the other device" not in peer.contents()


def test_what_one_said_oneself_does_not_make_ones_marks_lag(party: Party) -> None:
    """Nobody is sent what they said: it must not be taken for a frame that is on its way."""
    user, sender = party.user(), party.current()
    peer = party.original(user)
    for number in range(3):
        peer.say(f"a word of my own {number}")
        sender.hears(f"a word of my own {number}")
    told = sender.post(f"@{user.user_id}", "this one is heard")
    peer.hear("SmsMes", content=PRIVATE + "this one is heard")
    sender.expect("ReceiptMes", userId=user.user_id, delivered=told["seq"])
