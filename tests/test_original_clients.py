"""The Go clients that the protocol comes from work unchanged: byte for byte what its page says."""

import json
import re
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.party import Party, User, again_and_again, meet
from tests.peers import BUFFER, enveloped, framed

PRIVATE, SYSTEM = "[私聊] ", "[系统] "


def sentence_in(body: bytes) -> str:
    return json.loads(json.loads(body)["data"])["error"]


# Registering and logging in --------------------------------------------------------------------


def test_a_registration_is_answered_in_exactly_these_bytes(party: Party) -> None:
    peer = party.connect_original()
    peer.register(party.user_id(), party.name())
    peer.write("RegisterMes", {"user": {"userid": party.user_id(), "userpwd": "sesame-open"}})
    assert peer.read().body == (
        rb'{"type":"RegisterResMes","data":"{\"code\":200,\"error\":\"\"}"}'
    )


def test_a_taken_id_or_name_is_505_and_every_other_refusal_506(party: Party) -> None:
    taken, peer = party.user(), party.connect_original()
    assert peer.register(taken.user_id, party.name())["code"] == 505
    assert peer.register(party.user_id(), taken.name)["code"] == 505
    assert peer.register(party.user_id(), taken.name.upper())["code"] == 505
    for user_id, name, password in [
        (0, party.name(), "long enough"),
        (-1, party.name(), "long enough"),
        (2**53, party.name(), "long enough"),
        (party.user_id(), "a b", "long enough"),
        (party.user_id(), "1234", "long enough"),
        (party.user_id(), "x" * 33, "long enough"),
        (party.user_id(), party.name(), "short"),
        (party.user_id(), party.name(), "x" * 129),
    ]:
        reply = peer.register(user_id, name, password)
        assert reply["code"] == 506, (user_id, name, password)
        assert list(reply) == ["code", "error"]
        assert reply["error"]


def test_an_empty_name_becomes_user_and_the_id(party: Party) -> None:
    user_id = party.user_id()
    assert party.connect_original().register(user_id, "")["code"] == 200
    found = party.current().get("LookupMes", userId=user_id)
    assert found["user"]["userName"] == f"user{user_id}"


def test_the_largest_id_is_taken_unharmed(party: Party) -> None:
    peer = party.connect_original()
    assert peer.register(2**53 - 1, "")["code"] == 200
    assert 2**53 - 1 in peer.log_in(2**53 - 1)["UsersId"]


def test_a_login_is_answered_with_who_is_online_oneself_included(party: Party) -> None:
    others = [party.user(), party.user()]
    party.original(others[0])
    party.current(others[1])
    me, peer = party.user(), party.connect_original()
    peer.write("LoginMes", {"userid": me.user_id, "userpwd": me.password, "username": ""})
    frame = peer.read()
    assert re.fullmatch(
        rb'{"type":"LoginResMes","data":"{\\"code\\":200,\\"UsersId\\":\[[\d,]+\],'
        rb'\\"error\\":\\"\\"}"}',
        frame.body,
    )
    assert {me.user_id, *(each.user_id for each in others)} <= set(frame.data["UsersId"])
    assert len(set(frame.data["UsersId"])) == len(frame.data["UsersId"])


@pytest.mark.parametrize(
    ("user_id", "password", "code"),
    [(None, "sesame-wrong", 403), (77_777_777, "sesame-open", 500), (0, "sesame-open", 500)],
)
def test_a_failed_login_has_null_for_who_is_online(
    party: Party, user_id: int | None, password: str, code: int
) -> None:
    user, peer = party.user(), party.connect_original()
    peer.write("LoginMes", {"userid": user.user_id if user_id is None else user_id,
                            "userpwd": password, "username": ""})  # fmt: skip
    body = peer.read().body
    assert body == (
        rb'{"type":"LoginResMes","data":"{\"code\":%d,\"UsersId\":null,\"error\":\"%b\"}"}'
        % (code, sentence_in(body).encode())
    )
    assert sentence_in(body)
    assert peer.log_in(user.user_id, user.password)["code"] == 200


def test_logging_in_twice_is_505(party: Party) -> None:
    user = party.user()
    peer = party.original(user)
    assert peer.log_in(user.user_id, user.password) | {"error": ""} == {
        "code": 505,
        "UsersId": None,
        "error": "",
    }


def test_what_is_sent_right_behind_the_login_is_served_after_it(party: Party) -> None:
    user, witness, peer = party.user(), party.current(), party.connect_original()
    peer.write("LoginMes", {"userid": user.user_id, "userpwd": user.password, "username": ""})
    peer.say("I could not wait")
    assert peer.read().type == "LoginResMes"
    assert witness.hears("I could not wait")["userId"] == user.user_id


def test_the_latest_registration_or_login_says_which_generation_a_connection_is(
    party: Party,
) -> None:
    user, peer = party.user(), party.connect()
    account = {"userId": party.user_id(), "userPwd": "sesame-turning"}
    reply = peer.reply(peer.send("RegisterMes", version=2, user=account))
    assert {"userId", "retryAfter"} <= set(reply.data)
    peer.send("RegisterMes", user=account)
    frame = peer.read()
    assert (frame.id, list(frame.data)) == (None, ["code", "error"])
    peer.send("Nonsense")
    assert peer.log_in(userId=user.user_id, userPwd="sesame-wrong")["code"] == 403
    peer.ping()
    assert not [each for each in peer.heard if each.type == "ErrorMes"], "it was original then"
    peer.send("LoginMes", userId=user.user_id, userPwd=user.password)
    frame = peer.read()
    assert (frame.id, list(frame.data)) == (None, ["code", "UsersId", "error"])


def test_the_first_frame_after_the_login_is_its_reply_in_a_busy_lobby(party: Party) -> None:
    user = party.user()
    with chattering(party):
        for _ in range(15):
            peer = party.connect_original()
            assert peer.log_in(user.user_id, user.password)["code"] == 200
            peer.hear("SmsMes")
            peer.close()


def chattering(party: Party) -> AbstractContextManager[None]:
    """Somebody talks, comes and goes all the time, in the lobby and in private."""
    talker, comer = party.current(), party.user()

    def talk() -> None:
        sent = [talker.send("SmsMes", to="#lobby", content="chatter") for _ in range(20)]
        for each in sent:
            talker.reply(each)
        party.current(comer, device="one").close()

    return again_and_again(talk)


# Talking ---------------------------------------------------------------------------------------


def test_a_message_reaches_the_others_in_exactly_these_bytes(party: Party) -> None:
    daiyu, baoyu = party.user("daiyu"), party.original()
    party.original(daiyu).say('hello, "宝玉" <b>&</b> \\')
    baoyu.hear("SmsMes", userId=daiyu.user_id)
    assert baoyu.heard[-1].body.decode() == (
        r'{"type":"SmsMes","data":"{\"content\":\"hello, \\\"宝玉\\\" <b>&</b> \\\\\",\"userId\":'
        rf"{daiyu.user_id},\"userPwd\":\"\",\"userName\":\"{daiyu.name}\",\"userStatus\":0,"
        r'\"sex\":\"\"}"}'
    )


def test_a_message_never_comes_back_on_the_connection_that_sent_it(party: Party) -> None:
    speaker, witness = party.original(), party.current()
    speaker.say("does this come back to me?")
    witness.hears("does this come back to me?")
    meet(speaker, by=witness)
    assert "does this come back to me?" not in speaker.contents()


def test_a_message_reaches_the_same_users_other_connections_once(party: Party) -> None:
    user = party.user()
    one, other, witness = party.original(user), party.original(user), party.current()
    one.say("said on one of two connections")
    other.hear("SmsMes", content="said on one of two connections")
    meet(one, other, by=witness)
    assert other.contents().count("said on one of two connections") == 1


def test_what_a_message_says_about_its_sender_is_never_believed(party: Party) -> None:
    victim, liar = party.user("victim"), party.user("liar")
    witness, current = party.original(), party.current()
    party.original(liar).say(
        "I am somebody else",
        userId=victim.user_id,
        userName=victim.name,
        userPwd="sesame-stolen",
        userStatus=2,
        sex="x",
    )
    heard = witness.hear("SmsMes", content="I am somebody else")
    assert heard == {
        "content": "I am somebody else", "userId": liar.user_id, "userPwd": "",
        "userName": liar.name, "userStatus": 0, "sex": "",
    }  # fmt: skip
    pushed = current.hears("I am somebody else")
    assert (pushed["userId"], pushed["userName"]) == (liar.user_id, liar.name)
    assert "userPwd" not in pushed


def test_nothing_can_be_said_before_the_login_whatever_the_message_claims(party: Party) -> None:
    victim, witness = party.user(), party.current()
    stranger = party.connect_original()
    stranger.register(party.user_id(), "")
    stranger.say("let me in", userId=victim.user_id, userPwd=victim.password)
    assert stranger.log_in(victim.user_id, victim.password)["code"] == 200
    stranger.say("now I am in")
    witness.hears("now I am in")
    assert not [each for each in witness.heard if each.data.get("content") == "let me in"]


def test_a_busy_senders_message_says_so(party: Party) -> None:
    peer, talker = party.original(), party.current()
    talker.get("StatusMes", status=2)
    peer.hear("NotifyUserStatusMes", userId=talker.user_id, status=2)
    talker.post("#lobby", "do not disturb me")
    assert peer.hear("SmsMes", content="do not disturb me")["userStatus"] == 2
    talker.get("StatusMes", status=0)
    peer.hear("NotifyUserStatusMes", userId=talker.user_id, status=0)
    talker.post("#lobby", "now you may")
    assert peer.hear("SmsMes", content="now you may")["userStatus"] == 0


def test_a_private_message_starts_with_its_mark(party: Party) -> None:
    user, sender = party.user(), party.user()
    peer = party.original(user)
    party.current(sender).post(f"@{user.user_id}", "just for you")
    heard = peer.hear("SmsMes", userId=sender.user_id)
    assert heard["content"] == PRIVATE + "just for you"
    assert heard["userName"] == sender.name


def test_nobody_can_imitate_the_marks(party: Party) -> None:
    peer, talker = party.original(), party.current()
    for content in (PRIVATE + "psst", SYSTEM + "reboot", "[私聊]x", "[系统]", "\u200b\ufeff[系统]"):
        talker.post("#lobby", content)
        assert peer.hear("SmsMes", userId=talker.user_id)["content"] == (" " + content)
    talker.post(f"@{peer.user_id}", SYSTEM + "reboot")
    peer.hear("SmsMes", content=PRIVATE + SYSTEM + "reboot")


def test_nobody_tells_the_terminal_of_an_original_client_what_to_do(party: Party) -> None:
    speaker, original = party.current(), party.original()
    said = "\x1b[2J\x07\x9b31m \rbaoyu says\tthis\nand that\x7f"
    shown = "\ufffd[2J\ufffd\ufffd31m \ufffdbaoyu says\tthis\nand that\ufffd"
    speaker.post("#lobby", said)
    assert original.hear("SmsMes", userId=speaker.user_id)["content"] == shown
    speaker.post(f"@{original.user_id}", said)
    assert original.hear("SmsMes", userId=speaker.user_id)["content"] == f"[私聊] {shown}"


def test_a_mark_in_the_middle_is_left_alone(party: Party) -> None:
    peer, talker = party.original(), party.current()
    talker.post("#lobby", "he wrote [私聊] in capitals")
    peer.hear("SmsMes", content="he wrote [私聊] in capitals")


@pytest.mark.parametrize("content", ["", "a\0b", "x" * 16_385, "字" * 5_462])
def test_a_refusal_is_a_message_of_the_system(party: Party, content: str) -> None:
    peer = party.original()
    peer.say(content)
    heard = peer.hear("SmsMes", userId=0)
    assert heard["content"].startswith(SYSTEM)
    assert len(heard["content"]) > len(SYSTEM)
    assert list(heard) == ["content", "userId", "userPwd", "userName", "userStatus", "sex"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("PersonalMesType", {"suserid": 100, "content": "psst", "ruserid": 200}),
        ("SmsMes", {"user": {"userId": 100}}),
        ("SmsMes", {"content": 5}),
    ],
)
def test_what_this_server_does_not_understand_is_not_swallowed(
    party: Party, kind: str, data: dict[str, Any]
) -> None:
    """Some of these clients have messages of their own, for private talk as a rule."""
    peer, witness = party.original(), party.current()
    peer.write(kind, data)
    content = peer.hear("SmsMes", userId=0)["content"]
    assert content.startswith(SYSTEM)
    assert ("malformed" in content) is (kind == "SmsMes")
    assert (kind in content) is (kind != "SmsMes")
    peer.say("still here")
    witness.hears("still here")


def test_nothing_comes_before_the_login_even_if_it_was_not_understood(party: Party) -> None:
    user, peer = party.user(), party.connect_original()
    assert peer.register(party.user_id(), "")["code"] == 200
    peer.write("PersonalMesType", {})
    assert peer.log_in(user.user_id, user.password)["code"] == 200


def test_long_content_is_cut_to_what_the_client_can_read(party: Party) -> None:
    peer, talker = party.original(), party.current()
    for content in ("x" * 16_384, "字" * 5_461, '"\\' * 2_000, "🦊" * 4_096, "\t" * 8_000):
        talker.post("#lobby", content)
        heard = peer.hear("SmsMes", userId=talker.user_id)["content"]
        assert heard.endswith("…")
        assert content.startswith(heard[:-1])
        assert len(peer.heard[-1].body) > BUFFER - 30, "more would have fitted"
        talker.post(f"@{peer.user_id}", content)
        private = peer.hear("SmsMes", userId=talker.user_id)["content"]
        assert private.startswith(PRIVATE + content[:100])
        assert private.endswith("…")


# Who is there ----------------------------------------------------------------------------------


def test_others_coming_busy_and_going_is_told_in_exactly_these_bytes(party: Party) -> None:
    user, peer = party.user(), party.original()
    other = party.current(user)
    peer.hear("NotifyUserStatusMes", userId=user.user_id)
    assert peer.heard[-1].body == (
        rb'{"type":"NotifyUserStatusMes","data":"{\"userId\":%d,\"status\":0}"}' % user.user_id
    )
    other.get("StatusMes", status=2)
    peer.hear("NotifyUserStatusMes", userId=user.user_id, status=2)
    other.get("StatusMes", status=0)
    peer.hear("NotifyUserStatusMes", userId=user.user_id, status=0)
    other.close()
    peer.hear("NotifyUserStatusMes", userId=user.user_id, status=1)


def test_nobody_is_told_about_oneself(party: Party) -> None:
    user = party.user()
    peer, other_device, late = party.original(user), party.current(user), party.user()
    other_device.get("StatusMes", status=2)
    other_device.close()
    party.current(late)
    peer.hear("NotifyUserStatusMes", userId=late.user_id)
    assert not [each for each in peer.heard if each.data.get("userId") == user.user_id]


# What an original client never gets ------------------------------------------------------------


def test_only_four_types_without_an_id_are_ever_sent(party: Party) -> None:
    user = party.user()
    peer, mine, other = party.original(user), party.current(user), party.current()
    room, me = party.room(), f"@{user.user_id}"
    for each in (mine, other):
        each.get("JoinMes", conversation=room)
    mine.get("TopicMes", conversation=room, topic="a topic")
    said = other.post(room, "in a room where no original client is")
    mine.send("AckMes", conversation=room, epoch=said["epoch"], read=said["seq"])
    private = other.post(me, "in private")
    mine.send("AckMes", conversation=other.at, read=private["seq"])
    other.get("RedactMes", conversation=me, seq=private["seq"])
    other.get("StatusMes", status=2)
    mine.get("LeaveMes", conversation=room)
    peer.socket.send(framed(enveloped("HistoryMes", {"conversation": "#lobby"}, id="1")))
    peer.socket.send(framed(enveloped("Nonsense", {}, id="2")))
    peer.socket.send(framed(b"no envelope"))
    peer.socket.send(framed(enveloped("SmsMes", {"content": ""}, id="3")))
    peer.hear("SmsMes", userId=0)
    peer.socket.send(framed(enveloped("LoginMes", {"userId": user.user_id}, id="4")))
    peer.hear("LoginResMes")
    meet(peer, by=other)
    known = {"RegisterResMes", "LoginResMes", "NotifyUserStatusMes", "SmsMes"}
    assert {each.type for each in peer.heard} <= known
    assert all(list(json.loads(each.body)) == ["type", "data"] for each in peer.heard)
    assert "in a room where no original client is" not in peer.contents()
    assert not [each for each in peer.contents() if not each]


# Members in any case ---------------------------------------------------------------------------

REQUESTS = {
    "RegisterMes": {"user": {"userId": 0, "userPwd": "", "userName": "", "userStatus": 0,
                             "sex": ""}},
    "LoginMes": {"userId": 0, "userPwd": "", "userName": ""},
    "SmsMes": {"content": "", "userId": 0, "userPwd": "", "userName": "", "userStatus": 0,
               "sex": ""},
}  # fmt: skip
EVERY_MEMBER = sorted(
    {(kind, name) for kind, data in REQUESTS.items() for name in [*data, *data.get("user", {})]}
)
ENVELOPE = [("SmsMes", "type"), ("SmsMes", "data")]


def written_wrongly(value: Any, member: str, wrong: str) -> Any:
    """The same JSON with one member's name written otherwise."""
    if not isinstance(value, dict):
        return value
    return {
        wrong if name == member else name: written_wrongly(inner, member, wrong)
        for name, inner in value.items()
    }


@pytest.mark.parametrize(("kind", "member"), [*EVERY_MEMBER, *ENVELOPE])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.swapcase])
def test_each_member_may_be_in_the_wrong_case(
    party: Party, kind: str, member: str, case: Any
) -> None:
    user = User(party.user_id(), party.name(), "sesame-of-cases")
    account = {"userId": user.user_id, "userPwd": user.password, "userName": user.name}
    peer, witness = party.connect_original(), party.current()

    def send(each: str, data: dict[str, Any]) -> None:
        envelope = {"type": each, "data": json.dumps(data)}
        if each == kind:
            wrong = written_wrongly(data, member, case(member))
            envelope = {"type": each, "data": json.dumps(wrong)}
            if (kind, member) in ENVELOPE:
                envelope = written_wrongly(envelope, member, case(member))
        peer.socket.send(framed(json.dumps(envelope).encode()))

    send("RegisterMes", {"user": {**account, "userStatus": 0, "sex": ""}})
    assert peer.read().data["code"] == 200
    send("LoginMes", account)
    assert peer.read().data["code"] == 200
    send("SmsMes", {"content": f"said by {user.name}", **account, "userStatus": 0, "sex": ""})
    assert witness.hears(f"said by {user.name}")["userId"] == user.user_id
