"""Every limit of the protocol: what is just within, what is just beyond, and 0."""

import contextlib
import json
import select
import time
from collections.abc import Iterator

import pytest

from tests.party import Party, meet
from tests.patience import PATIENCE
from tests.peers import CurrentPeer, enveloped, framed
from tests.process import ServerProcess
from tests.server import serving
from tests.valkey import running

QUIET = ("--offline-grace", "0.2", "--registrations-per-address", "0")
SMALL = (
    *QUIET, "--frame-limit", "8192", "--content-limit", "100", "--name-limit", "12",
    "--password-shortest", "8", "--password-longest", "10", "--rooms", "3", "--devices", "3",
    "--scope-limit", "3", "--replay", "3", "--refusals", "0", "--rate", "0", "--request-rate", "0",
)  # fmt: skip
OFF = (
    "--offline-grace", "0.2", "--registrations-per-address", "0", "--logins-per-address", "0",
    "--logins-per-account", "0", "--rate", "0", "--request-rate", "0", "--refusals", "0",
    "--frame-limit", "0", "--content-limit", "0", "--name-limit", "0", "--password-shortest", "0",
    "--password-longest", "0", "--rooms", "0", "--devices", "0", "--login-seconds", "0",
    "--silence-seconds", "0", "--stalled-seconds", "0", "--scope-limit", "0", "--replay", "0",
    "--connections", "0", "--connections-per-address", "0",
)  # fmt: skip
TIMES = (*OFF, "--login-seconds", "3", "--silence-seconds", "3", "--stalled-seconds", "3")
"""Time enough to register and log in, and to talk, on a machine that is busy."""


@pytest.fixture(scope="module")
def usual_server() -> Iterator[ServerProcess]:
    with serving(*QUIET) as server:
        yield server


@pytest.fixture(scope="module")
def small_server() -> Iterator[ServerProcess]:
    with serving(*SMALL) as server:
        yield server


@pytest.fixture(scope="module")
def unlimited_server() -> Iterator[ServerProcess]:
    with serving(*OFF) as server:
        yield server


@pytest.fixture
def usual(usual_server: ServerProcess) -> Iterator[Party]:
    """On a server with every limit as it is by default, but for registrations."""
    with Party(usual_server.port) as party:
        yield party


@pytest.fixture
def small(small_server: ServerProcess) -> Iterator[Party]:
    """On a server with small limits."""
    with Party(small_server.port, password="12345678") as party:
        yield party


@pytest.fixture
def off(unlimited_server: ServerProcess) -> Iterator[Party]:
    """On a server with every limit switched off."""
    with Party(unlimited_server.port) as party:
        yield party


def padded(size: int) -> bytes:
    """A frame of exactly ``size`` bytes that asks for a PongMes."""
    body = enveloped("PingMes", {}, id="p", padding="")
    return framed(enveloped("PingMes", {}, id="p", padding="x" * (size - len(body))))


# Frames and contents ---------------------------------------------------------------------------


def test_a_frame_has_65536_bytes_at_most(usual: Party) -> None:
    peer = usual.connect()
    peer.send_bytes(padded(65_536))
    assert peer.reply("p").type == "PongMes"
    peer.send_bytes(padded(65_537))
    (last,) = peer.read_to_the_end()
    assert (last.type, last.data["code"]) == ("ErrorMes", 413)


def test_the_frame_limit_is_an_option_for_what_is_sent_too(small: Party) -> None:
    peer = small.connect()
    peer.send_bytes(padded(8_192))
    assert peer.reply("p").type == "PongMes"
    peer.send_bytes(padded(8_193))
    assert peer.read_to_the_end()[-1].data["code"] == 413
    peer = small.current()
    room = small.room_of(peer)
    for _ in range(100):
        peer.post(room, "x" * 100)
    assert len(peer.whole_history(room, limit=200)) == 101
    assert max(len(each.body) for each in peer.heard) <= 8_192


def test_without_a_frame_limit_only_memory_is(off: Party) -> None:
    peer = off.connect()
    peer.send_bytes(padded(300_000))
    assert peer.reply("p").type == "PongMes"
    peer.send_bytes(framed(b""))
    assert peer.read_to_the_end()[-1].data["code"] == 413, "0 bytes are no frame all the same"


@pytest.mark.parametrize(("piece", "times"), [("x", 16_384), ("é", 8_192), ("字", 5_461)])
def test_content_has_16384_bytes_of_utf8_at_most(usual: Party, piece: str, times: int) -> None:
    peer, other = usual.current(), usual.current()
    peer.post("#lobby", piece * times)
    assert other.hears(piece * times)
    reply = peer.ask("SmsMes", to="#lobby", content=piece * times + piece, clientId="long")
    assert (reply["code"], reply["clientId"]) == (413, "long")
    peer.ping()


def test_content_that_would_not_fit_a_frame_is_413_too(usual: Party) -> None:
    """A quotation mark takes four bytes where one JSON document stands inside another, a control
    character seven."""
    peer, other = usual.current(), usual.current()
    assert peer.ask("SmsMes", to="#lobby", content='"' * 16_000, clientId="q")["code"] == 413
    assert peer.ask("SmsMes", to="#lobby", content="\x01" * 9_200, clientId="q")["code"] == 413
    for fits in ('"' * 15_000, "\x01" * 8_900):
        peer.post("#lobby", fits)
        assert other.hears(fits)["content"] == fits
    assert max(len(each.body) for each in other.heard) <= 65_536 - 2_048


def test_the_content_limit_is_an_option_that_is_told(
    usual: Party, small: Party, off: Party
) -> None:
    told = [each.current().welcome["contentLimit"] for each in (usual, small, off)]
    assert told == [16_384, 100, 0]
    peer = small.current()
    peer.post("#lobby", "x" * 100)
    assert peer.ask("SmsMes", to="#lobby", content="x" * 101, clientId="c")["code"] == 413
    peer, other = off.current(), off.current()
    peer.post("#lobby", "x" * 200_000)
    other.hears("x" * 200_000)


@pytest.mark.parametrize("content_limit", ["4096", "0"])
def test_what_is_told_of_content_fits_a_frame(content_limit: str) -> None:
    options = (*QUIET, "--frame-limit", "4096", "--content-limit", content_limit)
    with serving(*options) as server, Party(server.port) as party:
        peer = party.current()
        told = peer.welcome["contentLimit"]
        peer.post("#lobby", "x" * told)
        more = "x" * (told + 1)
        assert peer.ask("SmsMes", to="#lobby", content=more, clientId="c")["code"] == 413


# Names and passwords ---------------------------------------------------------------------------


def test_names_have_32_characters_at_most(usual: Party) -> None:
    peer = usual.current()
    for length, expected in ((32, 200), (33, 506)):
        name = usual.name().ljust(length, "字")
        assert peer.register(userName=name, userPwd="sesame-x")["code"] == expected
    for length, expected in ((32, 200), (33, 400)):
        room = "#" + usual.name().ljust(length, "字")
        assert peer.ask("JoinMes", conversation=room)["code"] == expected


def test_the_name_limit_is_an_option(small: Party, off: Party) -> None:
    peer = small.current()
    assert peer.register(userName="123456789012x", userPwd="12345678")["code"] == 506
    assert peer.register(userName="12345678901x", userPwd="12345678")["code"] == 200
    assert peer.ask("JoinMes", conversation="#123456789012x")["code"] == 400
    peer = off.current()
    assert peer.register(userName="x" * 500, userPwd="1")["code"] == 200
    assert peer.ask("JoinMes", conversation="#" + "x" * 500)["code"] == 200


def test_a_room_that_is_older_than_the_limit_of_names_is_one_all_the_same() -> None:
    with (
        running() as store,
        serving(*QUIET, "--store", store.url) as before,
        serving(*SMALL, "--store", store.url) as after,
        Party(before.port, password="12345678") as party,
    ):
        user = party.user()
        room = "#" + "x" * 13
        party.current(user).get("JoinMes", conversation=room)
        peer = CurrentPeer(after.port)
        with contextlib.closing(peer):
            peer.log_in(userId=user.user_id, userPwd=user.password, device="d")
            assert len(peer.get("MembersMes", conversation=room)["users"]) == 1
            peer.get("TopicMes", conversation=room, topic="as long as its name")
            peer.get("LeaveMes", conversation=room)


@pytest.mark.parametrize(("length", "code"), [(5, 506), (6, 200), (128, 200), (129, 506)])
def test_a_password_has_6_to_128_characters(usual: Party, length: int, code: int) -> None:
    peer = usual.connect()
    assert peer.register(userPwd="密" * length)["code"] == code
    assert usual.connect_original().register(usual.user_id(), "", "密" * length)["code"] == code


def test_the_limits_of_passwords_are_options(small: Party, off: Party) -> None:
    peer = small.connect()
    codes = [peer.register(userPwd="x" * length)["code"] for length in (7, 8, 10, 11)]
    assert codes == [506, 200, 200, 506]
    peer = off.connect()
    user_id = peer.register(userPwd="")["userId"]
    assert peer.log_in(userId=user_id, userPwd="", device="d")["code"] == 200
    assert off.connect().register(userPwd="x" * 5_000)["code"] == 200


# Rooms and devices -----------------------------------------------------------------------------


def test_a_user_is_in_3_rooms_at_most_where_an_option_says_so(small: Party) -> None:
    peer = small.current()
    rooms = [small.room_of(peer) for _ in range(3)]
    assert peer.ask("JoinMes", conversation=small.room())["code"] == 429
    assert peer.ask("JoinMes", conversation=rooms[0])["code"] == 200, "one is in it already"
    peer.get("LeaveMes", conversation=rooms[0])
    small.room_of(peer)


def test_a_user_is_in_200_rooms_at_most(party: Party) -> None:
    peer = party.current()
    sent = [peer.send("JoinMes", conversation=party.room()) for _ in range(201)]
    codes = [peer.reply(each).data["code"] for each in sent]
    assert codes == [200] * 200 + [429]


def test_rooms_and_devices_without_end(off: Party) -> None:
    user = off.user()
    peer = off.current(user)
    sent = [peer.send("JoinMes", conversation=off.room()) for _ in range(220)]
    assert {peer.reply(each).data["code"] for each in sent} == {200}
    for _ in range(11):
        off.current(user)


def test_a_fourth_device_is_refused_where_an_option_says_three(small: Party) -> None:
    user = small.user()
    for _ in range(3):
        small.current(user)
    login = {"userId": user.user_id, "userPwd": user.password, "device": "fourth"}
    assert small.connect().log_in(**login)["code"] == 429


# How long --------------------------------------------------------------------------------------


def test_time_runs_out_for_strangers_the_silent_and_the_stuck(off: Party) -> None:
    """One server, so that the waiting is done once; with 0 nobody's time runs out meanwhile."""
    patient = [off.connect(), off.current(), off.original()]
    with serving(*TIMES) as server, Party(server.port) as party:
        stuck, talker, original = party.current(), party.current(), party.original()
        slow = party.current(receive_buffer=4_096)
        room = party.room_of(talker, stuck, slow)
        silent, stranger = party.current(), party.connect()
        began = time.monotonic()
        while not ended(stranger):
            say_much(talker, room)
            read_slowly(slow)
        assert time.monotonic() - began > 0.5
        late = stranger.heard[-1]
        assert (late.type, late.data["code"]) == ("ErrorMes", 401)
        while not (ended(silent) and broken(stuck)):
            assert time.monotonic() - began < PATIENCE
            say_much(talker, room)
            read_slowly(slow)
        assert not broken(slow), "who reads slowly makes progress"
        assert silent.expect("ByeMes")["error"]
        talker.post("#lobby", "the original client does not have to ping")
        original.hear("SmsMes", content="the original client does not have to ping")
    stranger, silent, original = patient
    stranger.ping()
    silent.ping()
    silent.post("#lobby", "time does not matter")
    original.hear("SmsMes", content="time does not matter")


def say_much(peer: CurrentPeer, to: str) -> None:
    """Say more than one reads who does not read, and hear the answers."""
    for _ in range(20):
        peer.send("SmsMes", to=to, content="x" * 16_000)
    peer.post(to, "what was said before is answered by now")


def read_slowly(peer: CurrentPeer) -> None:
    """Read a little of all that comes, and be no silent one."""
    peer.send("PingMes")
    peer.socket.recv(4_096)


def ended(peer: CurrentPeer) -> bool:
    """Read what is there; whether the connection is at its end."""
    peer.socket.setblocking(False)
    try:
        return peer.read_to_the_end() is not None
    except BlockingIOError:
        return False
    finally:
        peer.socket.settimeout(PATIENCE)


def broken(peer: CurrentPeer) -> bool:
    """Whether the connection was reset, without reading what is there."""
    poll = select.poll()
    poll.register(peer.socket, 0)
    return bool(poll.poll(0))


# How many --------------------------------------------------------------------------------------


def test_above_a_number_of_people_one_hears_of_those_one_watches(small: Party) -> None:
    user = small.user()
    while (first := small.current(user, "desk")).welcome["scope"] != "all":
        pass  # some of those who were here before are counted still
    original = small.original()
    watched, friend, stranger = small.user(), small.user(), small.user()
    for _ in range(3):
        small.current()
    told = first.expect("PresenceMes", scope="watched")
    assert told["reset"]
    assert small.current().welcome["scope"] == "watched"
    first.get("WatchMes", users=[watched.user_id])
    first.post(f"@{friend.user_id}", "how are you?")
    known = len(original.heard)
    for each in (stranger, watched, friend):
        small.current(each)
    seen: set[int] = set()
    while not {watched.user_id, friend.user_id} <= seen:
        seen |= {each["userId"] for each in first.expect("PresenceMes")["users"]}
    assert stranger.user_id not in seen
    meet(original, by=first)
    told = [each for each in original.heard[known:] if each.type == "NotifyUserStatusMes"]
    assert stranger.user_id not in [each.data["userId"] for each in told]


def test_the_replay_of_original_clients_is_an_option(small: Party, off: Party) -> None:
    for party, expected in ((small, ["old 2", "old 3", "old 4"]), (off, [])):
        user, sender = party.user(), party.current()
        for number in range(5):
            sender.post("#lobby", f"old {number}")
        peer = party.original(user)
        sender.post("#lobby", "new")
        peer.hear("SmsMes", content="new")
        assert [each for each in peer.contents() if each.startswith("old")] == expected


def test_an_id_of_a_request_has_64_characters_at_most(usual: Party) -> None:
    peer = usual.connect()
    peer.send_bytes(framed(enveloped("PingMes", {}, id="字" * 64)))
    assert peer.reply("字" * 64).type == "PongMes"
    peer.send_bytes(framed(enveloped("PingMes", {}, id="i" * 65)))
    assert json.loads(peer.read().body)["type"] == "ErrorMes"
