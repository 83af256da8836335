"""Accounts, logins, tokens, and the devices of one user."""

import contextlib
import select
import time
from hashlib import sha256
from typing import Any

import pytest
from argon2 import PasswordHasher

from chat.server.phrases import phrase
from tests.party import Party
from tests.patience import PATIENCE
from tests.peers import Closed, CurrentPeer
from tests.server import GENEROUS, serving
from tests.valkey import running


def test_the_server_picks_an_id_and_a_name_when_asked_to(party: Party) -> None:
    peer = party.connect()
    reply = peer.register(userPwd="sesame-picked")
    assert reply["code"] == 200
    picked = reply["userId"]
    again = peer.register(userId=0, userName="", userPwd="sesame-picked")["userId"]
    assert picked > 0
    assert again not in (0, picked)
    welcome = peer.log_in(userId=picked, userPwd="sesame-picked", device="d")
    assert welcome["user"] == {"userId": picked, "userName": f"user{picked}", "userStatus": 0}


def test_one_logs_in_by_name_however_it_is_written(party: Party) -> None:
    user = party.user("Zoë")
    for name in (user.name, user.name.upper(), user.name.replace("ë", "e\u0308")):
        reply = party.connect().log_in(userName=name, userPwd=user.password, device="d")
        assert reply["user"]["userId"] == user.user_id
        assert reply["user"]["userName"] == user.name


def test_a_failed_login_says_why_and_the_connection_lives_on(party: Party) -> None:
    user, peer = party.user(), party.connect()
    assert peer.log_in(userId=user.user_id, userPwd="sesame-wrong")["code"] == 403
    assert peer.log_in(userName="nobody-here", userPwd=user.password)["code"] == 500
    assert peer.log_in(token="no such token at all", device="d")["code"] in (403, 500)
    assert peer.log_in(userId=user.user_id, userPwd=user.password, device="d" * 65)["code"] == 505
    assert peer.log_in(userId=user.user_id, userPwd=user.password, device="d" * 64)["code"] == 200
    assert (
        peer.ask("LoginMes", version=2, userId=user.user_id, userPwd=user.password)["code"] == 505
    )


def test_a_client_is_told_what_is_wrong_in_the_language_it_asks_for(party: Party) -> None:
    user, peer = party.user(), party.connect()

    def refused(language: str) -> str:
        user_pwd = "sesame-wrong"
        reply = peer.log_in(userId=user.user_id, userPwd=user_pwd, language=language)
        assert reply["code"] == 403
        return str(reply["error"])

    chinese, english = phrase("wrong-password", "zh"), phrase("wrong-password", "en")
    assert [refused(each) for each in ("zh", "en", "zh-TW")] == [chinese, english, chinese]
    assert refused("") == refused("tlh") == english, "the server's"
    short = {"userName": party.name(), "userPwd": "short"}
    reply = peer.ask("RegisterMes", version=2, user=short, language="zh")
    assert not reply["error"].isascii()
    peer.log_in(userId=user.user_id, userPwd=user.password, device="d", language="zh")
    reply = peer.ask("HistoryMes", conversation="#nowhere-at-all")
    assert reply["error"] == phrase("no-such-conversation", "zh")
    assert party.current(user, "d")
    bye = peer.expect("ByeMes")
    assert bye["error"] == phrase("replaced", "zh")


def test_registration_refuses_as_it_does_for_everybody(party: Party) -> None:
    taken, peer = party.user(), party.connect()
    assert peer.register(userId=taken.user_id, userPwd="sesame-long")["code"] == 505
    assert peer.register(userName=taken.name.upper(), userPwd="sesame-long")["code"] == 505
    assert peer.register(userId=-1, userPwd="sesame-long")["code"] == 506
    assert peer.register(userId=2**53, userPwd="sesame-long")["code"] == 506
    assert peer.register(userName="#lobby", userPwd="sesame-long")["code"] == 506
    assert peer.register(userName=party.name(), userPwd="short")["code"] == 506
    assert peer.register(userName=party.name(), userPwd="sesame-long", sex="x" * 65)["code"] == 506
    assert peer.register(userName=party.name(), userPwd="sesame-long", sex="x" * 64)["code"] == 200


def test_a_token_stands_for_the_password_on_its_device(party: Party) -> None:
    user = party.user()
    token = party.current(user, "laptop").welcome["token"]
    peer = party.connect()
    reply = peer.log_in(token=token, device="laptop")
    assert reply["code"] == 200
    assert reply["user"]["userId"] == user.user_id
    assert reply["token"] == token, "a token is stable"


def test_a_token_says_who_and_which_device_whatever_else_is_said(party: Party) -> None:
    user, other = party.user(), party.user()
    token = party.current(user, "laptop").welcome["token"]
    peer = party.connect()
    reply = peer.log_in(token=token, device="phone", userId=other.user_id, userName=other.name)
    assert reply["user"]["userId"] == user.user_id
    devices = {each["device"] for each in peer.ask("SessionsMes")["sessions"] if each["online"]}
    assert devices == {"laptop"}


def test_everything_but_register_login_and_ping_needs_a_login(party: Party) -> None:
    peer = party.connect()
    peer.ping()
    for kind, data in EVERY_REQUEST.items():
        reply = peer.reply(peer.send(kind, **data))
        assert reply.data["code"] == 401, kind
        assert reply.data["error"], kind
    peer.register(userPwd="sesame-later")
    assert peer.ask("OnlineMes")["code"] == 401


EVERY_REQUEST: dict[str, dict[str, Any]] = {
    "ConversationsMes": {}, "SmsMes": {"to": "#lobby", "content": "x", "clientId": "1"},
    "HistoryMes": {"conversation": "#lobby"}, "SearchMes": {"text": "x"},
    "AckMes": {"conversation": "#lobby", "read": 1}, "OnlineMes": {}, "WatchMes": {"users": []},
    "StatusMes": {"status": 2}, "LookupMes": {"userId": 1}, "JoinMes": {"conversation": "#a"},
    "LeaveMes": {"conversation": "#a"}, "TopicMes": {"conversation": "#a", "topic": "t"},
    "RedactMes": {"conversation": "#lobby", "seq": 1}, "RoomsMes": {},
    "MembersMes": {"conversation": "#lobby"}, "SessionsMes": {}, "RevokeMes": {"device": "d"},
    "PasswordMes": {"userPwd": "a", "newPwd": "b"}, "LogoutMes": {},
    "EditMes": {"conversation": "#lobby", "seq": 1, "content": "x"},
}  # fmt: skip


def test_the_welcome_has_what_a_screen_needs(party: Party) -> None:
    talker = party.current()
    said = talker.post("#lobby", "something to stand on")
    before = int(time.time() * 1000)
    welcome = party.current().welcome
    assert before - 5_000 < welcome["serverTime"] < before + 5_000
    assert welcome["durability"] == "everysec"
    assert welcome["scope"] == "all"
    assert isinstance(welcome["features"], list)
    assert {talker.user_id, welcome["user"]["userId"]} <= set(welcome["UsersId"])
    (lobby,) = welcome["conversations"]
    assert not welcome["more"]
    assert lobby | {"epoch": "", "epochFirst": 0} == lobby | {"epoch": "", "epochFirst": 0} | {
        "conversation": "#lobby", "seq": said["seq"], "first": 1,
        "delivered": said["seq"], "read": said["seq"],
    }  # fmt: skip
    assert (lobby["epoch"], lobby["epochFirst"]) == (said["epoch"], said["epochFirst"])
    assert lobby["last"]["content"] == "something to stand on"


def test_sessions_are_listed_and_one_can_be_revoked(party: Party) -> None:
    user = party.user()
    desk, phone = party.current(user, "desk"), party.current(user, "phone")
    gone = party.current(user, "gone")
    gone.close()
    listed = {each["device"]: each for each in desk.get("SessionsMes")["sessions"]}
    assert set(listed) == {"desk", "phone", "gone"}
    assert listed["desk"]["online"]
    assert listed["phone"]["online"]
    assert all(0 < each["since"] <= each["lastSeen"] for each in listed.values())
    token = phone.welcome["token"]
    desk.get("RevokeMes", device="phone")
    assert phone.expect("ByeMes")["code"] == 403
    phone.read_to_the_end()
    assert party.connect().log_in(token=token, device="phone")["code"] == 403
    assert "phone" not in [each["device"] for each in desk.get("SessionsMes")["sessions"]]
    assert party.current(user, "phone").welcome["code"] == 200


def test_a_new_password_ends_every_other_session_and_token(party: Party) -> None:
    user = party.user()
    here, there = party.current(user), party.current(user)
    original = party.original(user)
    assert here.ask("PasswordMes", userPwd="sesame-wrong", newPwd="sesame-new")["code"] == 403
    assert here.ask("PasswordMes", userPwd=user.password, newPwd="short")["code"] == 400
    reply = here.get("PasswordMes", userPwd=user.password, newPwd="sesame-brand-new")
    assert there.expect("ByeMes")["code"] == 403
    there.read_to_the_end()
    with pytest.raises(Closed):
        original.hear("nothing more")
    peer = party.connect()
    for old in ({"userPwd": user.password}, {"token": there.welcome["token"]},
                {"token": here.welcome["token"]}):  # fmt: skip
        assert peer.log_in(userId=user.user_id, device="d", **old)["code"] == 403, old
    assert here.post("#lobby", "I am still here")
    assert peer.log_in(token=reply["token"])["code"] == 200
    assert party.connect().log_in(userId=user.user_id, userPwd="sesame-brand-new")["code"] == 200


def test_logging_out_ends_the_token_then_the_connection(party: Party) -> None:
    user = party.user()
    peer, other = party.current(user), party.current(user)
    assert peer.get("LogoutMes")["code"] == 200
    assert peer.read_to_the_end() == []
    assert party.connect().log_in(token=peer.welcome["token"])["code"] == 403
    other.ping()
    assert party.connect().log_in(token=other.welcome["token"])["code"] == 200


def test_logging_out_everywhere_ends_them_all(party: Party) -> None:
    user = party.user()
    peer, other = party.current(user), party.current(user)
    peer.get("LogoutMes", everywhere=True)
    peer.read_to_the_end()
    other.expect("ByeMes")
    other.read_to_the_end()
    for each in (peer, other):
        assert party.connect().log_in(token=each.welcome["token"])["code"] == 403


def test_the_same_device_again_replaces_its_old_connection(party: Party) -> None:
    user, witness = party.user(), party.current()
    old, other = party.current(user, "desk"), party.current(user, "phone")
    new = party.current(user, "desk")
    assert old.expect("ByeMes")["code"] == 409
    old.read_to_the_end()
    witness.post(f"@{user.user_id}", "which of you is it?")
    new.hears("which of you is it?")
    other.hears("which of you is it?")
    third = party.connect()
    assert third.log_in(token=new.welcome["token"], device="desk")["code"] == 200
    assert new.expect("ByeMes")["code"] == 409


def test_of_those_that_come_at_the_same_moment_on_one_device_one_stays() -> None:
    with (
        running() as store,
        serving(*GENEROUS, "--store", store.url) as here,
        serving(*GENEROUS, "--store", store.url) as there,
        Party(here.port) as one,
        Party(there.port) as two,
    ):
        user = one.user()
        login: dict[str, Any] = {"userId": user.user_id, "userPwd": user.password, "device": "desk"}
        for number in range(8):
            peers = [party.connect() for party in (one, two) for _ in range(4)]
            for peer in peers:
                peer.ping()
            with here.frozen(), there.frozen():
                asked = [peer.send("LoginMes", version=2, **login) for peer in peers]
            welcomes = [peer.reply(each).data for peer, each in zip(peers, asked, strict=True)]
            assert [each["code"] for each in welcomes] == [200] * 8
            give_up, stays = time.monotonic() + PATIENCE, peers
            while len(stays) > 1 and time.monotonic() < give_up:
                stays = [peer for peer in stays if answers(peer)]
            assert len(stays) == 1
            assert answers(stays[0])
            assert {peer.heard[-1].type for peer in peers if peer not in stays} == {"ByeMes"}
            token = welcomes[peers.index(stays[0])]["token"]
            assert two.connect().log_in(token=token)["code"] == 200
            if number == 5:
                login = {"token": token}


def answers(peer: CurrentPeer) -> bool:
    """Whether a connection is still open."""
    try:
        peer.ping()
    except (Closed, OSError):
        return False
    return True


def test_an_eleventh_device_is_refused(party: Party) -> None:
    user = party.user()
    devices = [party.current(user, f"device {number}") for number in range(10)]
    eleventh = party.connect()
    login = {"userId": user.user_id, "userPwd": user.password, "device": "device 11"}
    reply = eleventh.log_in(**login)
    assert reply["code"] == 429
    assert reply["error"]
    for each in devices:
        each.ping()
    devices[3].get("LogoutMes")
    devices[3].read_to_the_end()
    devices[0].get("RevokeMes", device="device 4")
    assert eleventh.log_in(**login)["code"] == 200


def test_devices_that_come_at_the_same_moment_are_counted_as_well() -> None:
    with (
        running() as store,
        serving(*GENEROUS, "--devices", "3", "--store", store.url) as server,
        Party(server.port) as party,
    ):
        user, peers = party.user(), [party.connect() for _ in range(6)]
        tokens = [f"token {number}" for number in range(6)]
        for token in tokens:
            key = "ch:tok:" + sha256(token.encode()).hexdigest()
            store.ask("HSET", key, "user", user.user_id, "device", f"the one with {token}")
        for peer in peers:
            peer.ping()
        with server.frozen():
            asked = [
                peer.send("LoginMes", version=2, token=token)
                for peer, token in zip(peers, tokens, strict=True)
            ]
        codes = [peer.reply(each).data["code"] for peer, each in zip(peers, asked, strict=True)]
        assert sorted(codes) == [200] * 3 + [429] * 3
        # One of those that are in comes again, for it takes nobody's place.
        again = party.connect().log_in(token=tokens[codes.index(200)])
        assert again["code"] == 200


def test_who_logs_in_while_the_password_is_changed_has_to_know_the_new_one() -> None:
    changed = PasswordHasher(1, 8, 1).hash("the new one")
    slow = ("--argon2", "2,65536,1", "--hashing-threads", "1")
    with (
        running() as store,
        serving(*GENEROUS, *slow, "--store", store.url) as server,
        Party(server.port) as party,
    ):
        user, other = party.user(), party.user()
        owner, busy, witness = party.current(user), party.connect(), party.current(other)
        late, original = party.connect(), party.connect_original()
        (key,) = store.ask("KEYS", f"*u:{{{user.user_id}}}")
        waiting = [
            busy.send("LoginMes", version=2, userId=other.user_id, userPwd="no"),
            late.send("LoginMes", version=2, userId=user.user_id, userPwd=user.password),
            owner.send("PasswordMes", userPwd=user.password, newPwd="mine, too late"),
        ]
        login = {"userid": user.user_id, "userpwd": user.password, "username": ""}
        original.write("LoginMes", login)
        for _ in range(3):  # Then their accounts have been read, and they wait for the thread.
            witness.get("LookupMes", userId=user.user_id)
        store.ask("HSET", key, "password", changed)
        assert busy.reply(waiting[0]).data["code"] == 403
        assert late.reply(waiting[1]).data["code"] == 403
        assert owner.reply(waiting[2]).data["code"] == 403
        assert original.read().data["code"] == 403
        assert store.ask("HGET", key, "password") == changed.encode()


def test_passwords_queue_up_to_a_limit_and_tokens_pass_them_by() -> None:
    slow = ("--argon2", "6,65536,1", "--hashing-threads", "1", "--hashing-queue", "1")
    with serving(*GENEROUS, *slow) as server, Party(server.port, "the-same-for-all") as party:
        user = party.user()
        token = party.current(user, "first").welcome["token"]
        storm, quick = [party.connect() for _ in range(6)], party.connect()
        for peer in (*storm, quick):
            peer.ping()
        login = {"version": 2, "userId": user.user_id, "userPwd": user.password}
        with server.frozen():
            asked = [peer.send("LoginMes", **login, device=f"d{n}") for n, peer in enumerate(storm)]
            by_token = quick.send("LoginMes", version=2, token=token)
        assert quick.reply(by_token).data["code"] == 200
        answered = select.select([peer.socket for peer in storm], [], [], 0)[0]
        assert len(answered) < len(storm), "the token waited for all passwords"
        replies = [peer.reply(each).data for peer, each in zip(storm, asked, strict=True)]
        assert sorted(reply["code"] for reply in replies) == [200, 200, 503, 503, 503, 503]
        assert all(reply["retryAfter"] > 0 for reply in replies if reply["code"] == 503)
        # Who comes again as told gets in.
        again = storm[[reply["code"] for reply in replies].index(503)]
        assert (
            again.log_in(userId=user.user_id, userPwd=user.password, device="again")["code"] == 200
        )


def test_a_registration_that_was_not_looked_at_does_not_count_as_one_of_the_address() -> None:
    slow = ("--argon2", "6,65536,1", "--hashing-threads", "1", "--hashing-queue", "1")
    with serving(*GENEROUS, *slow, "--registrations-per-address", "4") as server:
        peers = [CurrentPeer(server.port) for _ in range(4)]
        with contextlib.ExitStack() as stack:
            for peer in peers:
                stack.callback(peer.close)
                peer.ping()
            with server.frozen():
                user = {"userName": "", "userPwd": "the-same-for-all"}
                asked = [peer.send("RegisterMes", version=2, user=user) for peer in peers]
            codes = [peer.reply(each).data["code"] for peer, each in zip(peers, asked, strict=True)]
            assert sorted(codes) == [200, 200, 503, 503]
            again = [peer.register(**user)["code"] for peer in peers]
            assert again == [200, 200, 506, 506]


def test_for_a_name_or_an_id_that_is_taken_no_password_is_hashed() -> None:
    slow = ("--argon2", "2,65536,1", "--hashing-threads", "1", "--hashing-queue", "1")
    with serving(*GENEROUS, *slow) as server, Party(server.port) as party:
        user, peers = party.user(), [party.connect() for _ in range(6)]
        for taken in ({"userName": user.name.upper()}, {"userName": "", "userId": user.user_id}):
            data = {"version": 2, "user": {**taken, "userPwd": "the-same-for-all"}}
            with server.frozen():
                asked = [peer.send("RegisterMes", **data) for peer in peers]
            codes = [peer.reply(each).data["code"] for peer, each in zip(peers, asked, strict=True)]
            assert codes == [505] * 6
