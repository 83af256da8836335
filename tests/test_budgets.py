"""How much one may do in a time: messages, requests, refusals, registrations, failed logins."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.party import Party, User
from tests.patience import PATIENCE
from tests.peers import CurrentPeer, Frame, enveloped, framed
from tests.process import ServerProcess
from tests.server import serving
from tests.valkey import running

QUIET = ("--offline-grace", "0.2", "--registrations-per-address", "0")
ADDRESSES = (
    "--registrations-per-address", "5", "--logins-per-address", "6", "--logins-per-account", "2",
    "--connections-per-address", "12", "--exempt", "",
    "--connection-rate", "0",
)  # fmt: skip


@pytest.fixture(scope="module")
def usual_server() -> Iterator[ServerProcess]:
    with serving(*QUIET) as server:
        yield server


@pytest.fixture
def usual(usual_server: ServerProcess) -> Iterator[Party]:
    """On a server with every limit as it is by default, but for registrations."""
    with Party(usual_server.port) as party:
        yield party


def judge_burst(
    peer: CurrentPeer, kind: str, data: dict[str, Any], burst: int, per_second: int, began: float
) -> None:
    """Of twice as many requests in one piece a burst is served, and what comes to be allowed since
    ``began`` on a machine that is busy; the others are refused."""
    sent = peer.send_together(*[(kind, data)] * (2 * burst))
    codes = [peer.reply(each).data["code"] for each in sent]
    most = burst + per_second * (time.monotonic() - began)
    assert codes[:burst] == [200] * burst
    assert codes.count(200) <= most
    assert set(codes) == {200, 429}


def wait_as_told(peer: CurrentPeer, kind: str, **data: Any) -> float:
    """Be refused, wait for as long as the refusal says, and be served; that long."""
    while (reply := peer.ask(kind, **data))["code"] == 200:
        pass
    assert reply["code"] == 429
    time.sleep(reply["retryAfter"])
    assert peer.ask(kind, **data)["code"] == 200
    return reply["retryAfter"]


def test_twenty_messages_at_once_then_five_a_second(usual: Party) -> None:
    peer = usual.current()
    message = {"to": "#lobby", "content": "too fast"}
    judge_burst(peer, "SmsMes", message, 20, 5, began=time.monotonic())
    began = time.monotonic()
    for _ in range(3):
        assert 0 < wait_as_told(peer, "SmsMes", **message) <= 0.2
    assert time.monotonic() - began > 0.3


def test_a_repetition_is_answered_however_fast(usual: Party) -> None:
    peer = usual.current()
    first = peer.post("#lobby", "said once", clientId="fast-1")
    too_fast = {"to": "#lobby", "content": "too fast"}
    once_more = {"to": "#lobby", "content": "said once", "clientId": "fast-1"}
    *before, again, new, newer = [
        peer.reply(each).data
        for each in peer.send_together(
            *[("SmsMes", too_fast)] * 40,
            ("SmsMes", once_more),
            # Only the store finds out that these are none.
            *[("SmsMes", {**too_fast, "clientId": f"fast-{number}"}) for number in (2, 3)],
        )
    ]
    assert (again["code"], again["seq"], again["duplicate"]) == (200, first["seq"], True)
    # Now and then one more is allowed, and perhaps just then; two are not.
    for pair in (before[-2:], [new, newer]):
        assert max(each["code"] for each in pair) == 429
        assert max(each["retryAfter"] for each in pair) > 0


def test_who_is_too_fast_gets_onto_nobodys_list(usual: Party) -> None:
    peer, stranger = usual.current(), usual.current()
    too_fast = {"to": "#lobby", "content": "too fast"}
    first = {"to": stranger.at, "content": "buy this", "clientId": "spam-1"}
    *_, last = peer.send_together(*[("SmsMes", too_fast)] * 40, ("SmsMes", first))
    assert peer.reply(last).data["code"] == 429
    assert peer.at not in [each["conversation"] for each in stranger.conversations()]


def test_what_takes_long_counts_as_several_requests(usual: Party) -> None:
    peer = usual.current()
    room = usual.room_of(peer)  # its login and this were two of them
    sent = [peer.send("SanctionsMes", conversation=room) for _ in range(30)]
    codes = [peer.reply(each).data["code"] for each in sent]
    assert 429 not in codes[:3]
    assert 429 in codes


def test_a_list_of_conversations_counts_by_its_length(usual: Party) -> None:
    user = usual.user()
    for _ in range(2):
        device, friends = usual.current(user), [f"@{usual.user().user_id}" for _ in range(18)]
        sent = [device.send("SmsMes", to=friend, content="hi") for friend in friends]
        assert {device.reply(each).data["code"] for each in sent} == {200}
    for limit, at_once in ((20, 30), (0, 15)):
        peer = usual.current(user)
        sent = [peer.send("ConversationsMes", limit=limit) for _ in range(90)]
        codes = [peer.reply(each).data["code"] for each in sent]
        assert 429 not in codes[:at_once], limit
        assert 429 in codes, limit


def test_hashing_passwords_counts_as_ten_requests(usual: Party) -> None:
    user = usual.user()
    peer, both = usual.current(user), {"userPwd": user.password, "newPwd": user.password}
    refused = peer.send_together(*[("PasswordMes", {**both, "newPwd": "short"})] * 6)
    assert {peer.reply(each).data["code"] for each in refused} == {400}  # None was hashed.
    sent = [peer.send("PasswordMes", **both) for _ in range(8)]
    codes = [peer.reply(each).data["code"] for each in sent]
    assert codes[:3] == [200, 200, 200]
    assert 429 in codes[3:]


def test_forty_requests_at_once_then_ten_a_second(usual: Party) -> None:
    began = time.monotonic()
    peer = usual.current()  # its login was one of them
    judge_burst(peer, "OnlineMes", {}, 39, 10, began)
    assert 0 < wait_as_told(peer, "OnlineMes") <= 0.1
    peer.post("#lobby", "messages have a budget of their own")


def test_pings_and_acknowledgements_cost_nothing(usual: Party) -> None:
    peer = usual.current()
    said = peer.post("#lobby", "acknowledge this")
    for _ in range(500):
        peer.send("AckMes", conversation="#lobby", epoch=said["epoch"], read=said["seq"])
    sent = [peer.send("PingMes") for _ in range(500)]
    assert {peer.reply(each).type for each in sent} == {"PongMes"}
    assert not [each for each in peer.heard if each.type == "ErrorMes"]


def test_an_original_client_that_is_too_fast_is_told_so(usual: Party) -> None:
    peer = usual.original()
    for _ in range(40):
        peer.say("much too fast")
    assert peer.hear("SmsMes", userId=0)["content"].startswith("[系统] ")


def test_a_hundred_refusals_in_ten_seconds_end_a_connection(usual: Party) -> None:
    peer = usual.current()
    nonsense = framed(enveloped("Nonsense", {}))
    peer.send_bytes(nonsense * 99)
    for _ in range(99):
        peer.expect("ErrorMes", code=400)
    peer.ping()
    peer.send_bytes(nonsense * 2)
    bye = peer.expect("ByeMes")
    assert bye["code"] == 429
    assert bye["retryAfter"] > 0
    assert not [each for each in peer.read_to_the_end() if each.type == "PongMes"]


def test_an_original_client_that_floods_is_sent_away_without_a_word(usual: Party) -> None:
    peer = usual.original()
    peer.socket.sendall(framed(enveloped("SmsMes", {"content": ""})) * 101)
    told = [each for each in read_all(peer) if each.type == "SmsMes"]
    assert all(each.data["content"].startswith("[系统] ") for each in told)


def read_all(peer: Any) -> Iterator[Frame]:
    while data := peer.socket.recv(4):
        size = int.from_bytes(data)
        body = b""
        while len(body) < size:
            body += peer.socket.recv(size - len(body))
        yield Frame.parse(body)


def test_connections_from_one_address_and_registrations_and_failed_logins() -> None:
    with serving(*ADDRESSES) as server, Party(server.port) as party:
        users = [party.user() for _ in range(5)]
        registrar = party.connect()
        reply = registrar.register(userPwd="sesame-sixth")
        assert reply["code"] == 506
        assert 0 < reply["retryAfter"] <= 3_600
        assert party.connect_original().register(party.user_id(), "")["code"] == 506
        peer = party.connect()
        for user in users[:3]:
            passwords = ("sesame-wrong", "sesame-wrong", user.password)
            replies = log_in_with(peer, user, *passwords)
            assert [each["code"] for each in replies] == [403, 403, 429], "one waits for the third"
            assert 0 < replies[-1]["retryAfter"] <= 1
        right = {"userId": users[3].user_id, "userPwd": users[3].password, "device": "d"}
        assert peer.log_in(**right)["code"] == 429, "six failures came from this address"
        assert party.connect_original().log_in(users[3].user_id, users[3].password)["code"] == 505
        open_now = 5
        more = [party.connect() for _ in range(12 - open_now)]
        for each in more:
            each.ping()
        (sentence,) = party.connect().read_to_the_end()
        assert (sentence.type, sentence.data["code"]) == ("ErrorMes", 429)
        more[0].ping()
        more[1].close()
        wait_for_room(party)


def log_in_with(peer: CurrentPeer, user: User, *passwords: str) -> list[dict[str, Any]]:
    """Try one right behind the other, whatever else this machine does meanwhile; the replies."""
    login = {"version": 2, "userId": user.user_id, "device": "d"}
    asked = peer.send_together(*[("LoginMes", {**login, "userPwd": each}) for each in passwords])
    return [peer.reply(each).data for each in asked]


def wait_for_room(party: Party) -> None:
    """Connect until the server lets one in."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        peer = party.connect()
        sent = peer.send("PingMes")
        frame = peer.read()
        if frame.id == sent:
            return
        peer.close()
    raise AssertionError("nobody is let in any more")


def test_budgets_hold_across_all_servers_of_a_store() -> None:
    with running("--appendonly", "yes", "--maxmemory-policy", "noeviction") as valkey:
        shared = ("--store", valkey.url, *ADDRESSES)
        with (
            serving(*shared) as one,
            serving(*shared) as other,
            Party(one.port) as here,
            Party(other.port) as there,
        ):
            user = here.user()
            for _ in range(2):
                here.user()
                there.user()
            assert there.connect().register(userPwd="sesame-sixth")["code"] == 506
            tries = ((here, 1, [403]), (there, 2, [403, 429]), (here, 1, [429]))
            for party, times, codes in tries:
                replies = log_in_with(party.connect(), user, *["sesame-wrong"] * times)
                assert [each["code"] for each in replies] == codes


def test_a_successful_login_costs_no_budget(usual: Party) -> None:
    user = usual.user()
    for _ in range(25):
        peer = usual.connect()
        assert peer.log_in(userId=user.user_id, userPwd=user.password, device="d")["code"] == 200
