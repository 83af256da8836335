"""Whatever comes in gets the code of the protocol; the process and the others notice nothing."""

import json
import struct
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.party import Party
from tests.peers import CurrentPeer, Frame, enveloped, framed
from tests.process import ServerProcess

FRAME_LIMIT = 65_536
CODES = {200, 400, 401, 403, 404, 409, 413, 429, 500, 505, 506}
"""Every code but 503 and 504, which would mean that the server or its store is in trouble."""


@pytest.fixture(autouse=True)
def bystander(server: ServerProcess) -> Iterator[None]:
    """Two who talk to one another, before and after: nobody else's bad input disturbs them."""
    with Party(server.port) as party:
        one, other = party.current(), party.current()
        one.post("#lobby", "before the bad input")
        yield
        one.post("#lobby", "after the bad input")
        heard = [other.hears(f"{each} the bad input", userId=one.user_id)["seq"]
                 for each in ("before", "after")]  # fmt: skip
        numbers = other.numbers("#lobby")
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert heard == sorted(heard)


def answer(peer: CurrentPeer, body: bytes) -> Frame:
    """What the server says to one frame, whatever is in it."""
    peer.send_bytes(framed(body))
    while (frame := peer.read()).type == "PresenceMes":
        pass  # somebody of another test came or went
    return frame


def refused(peer: CurrentPeer, body: bytes, **members: Any) -> Frame:
    """The ErrorMes 400 that a frame gets; the connection lives on."""
    frame = answer(peer, body)
    assert (frame.type, frame.data.get("code")) == ("ErrorMes", 400), (body[:200], frame)
    assert frame.data["error"]
    assert members.items() <= frame.data.items(), frame
    peer.ping()
    return frame


def nested(opening: str, times: int) -> bytes:
    """JSON that opens and opens, and closes as often."""
    closing = {"[": "]", "{": "}"}
    end = "".join(closing[each] for each in opening[::-1] if each in closing)
    return (opening * times + "0" + end * times).encode()


# Envelopes -------------------------------------------------------------------------------------

NO_ENVELOPES = [
    b" ", b"\0", b"\xff\xfe", b"null", b"true", b"7", b'"SmsMes"', b"[]", b"{}", b"{", b"}{", b"[[",
    b'{"type":"PingMes"}', b'{"data":"{}"}', b'{"type":"PingMes","data":{}}',
    b'{"type":"PingMes","data":null}', b'{"type":7,"data":"{}"}', b'{"type":null,"data":"{}"}',
    b'{"type":["PingMes"],"data":"{}"}', b"{'type':'PingMes','data':'{}'}",
    b'{"type":"PingMes","data":"{}"} {}', b'{"type":"PingMes","data":"{}",}',
    b'{"type":"PingMes","data":"{}","id":17}', b'{"type":"PingMes","data":"{}","id":{}}',
    b'{"type":"PingMes","data":"{}","id":"%b"}' % (b"i" * 65),
    b'\xef\xbb\xbf{"type":"PingMes","data":"{}"}', b'{"type":"PingMes","data":"{}","x":NaN}',
    b'{"type":"PingMes","data":"{}","x":Infinity}', b'{"type":"PingMes","data":"{}","x":\xff}',
    b'{"type":"Ping\xc0\xafMes","data":"{}"}', b'{"type":"\\ud800","data":"{}"}',
    b'{"type":"PingMes","data":"{}","x":"\n"}',
    nested("[", 20_000), nested('{"a":', 8_000), nested('{"type":', 5_000),
    b'{"type":"PingMes","data":"{}","x":%b}' % nested("[", 20_000),
]  # fmt: skip


@pytest.mark.parametrize("body", NO_ENVELOPES, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize("logged_in", [False, True], ids=["stranger", "member"])
def test_a_frame_that_is_no_envelope_is_400(party: Party, body: bytes, logged_in: bool) -> None:
    refused(party.current() if logged_in else party.connect(), body)


def test_an_unknown_type_is_400_and_says_which(party: Party) -> None:
    peer = party.current()
    for kind in ("Nonsense", "pingmes", "SmsResMes", "PongMes", "字", "x" * 60):
        frame = refused(peer, enveloped(kind, {}, id="7"), about=kind)
        assert frame.id == "7"
    refused(peer, enveloped("", {}))
    refused(peer, enveloped("x" * 60_000, {}))


# Data ------------------------------------------------------------------------------------------

NO_DATA = [
    "", " ", "null", "7", '"x"', "[]", "[{}]", "{", "{]", "{'limit':1}", '{"limit":NaN}',
    '{"limit":-Infinity}', '{"limit":1e999}', '{"limit":01}', '{"limit":1.5}', '{"limit":1}{}',
    '{"limit":"1"}', '{"limit":true}', '{"limit":[1]}', '{"limit":{}}', '{"after":7}',
    '{"after":"\n"}', r'{"after":"\ud800"}', r'{"after":"\udfff\ud800"}', r'{"after":"\x"}',
    "{\"x\":" + "[" * 5_000, nested("[", 20_000).decode(),
]  # fmt: skip


@pytest.mark.parametrize("data", NO_DATA, ids=lambda data: repr(data[:30]))
def test_data_that_does_not_fit_is_400(party: Party, data: str) -> None:
    body = json.dumps({"type": "ConversationsMes", "data": data, "id": "9"}).encode()
    assert refused(party.current(), body, about="ConversationsMes").id == "9"


def test_members_that_open_and_open_are_passed_over_or_refused(party: Party) -> None:
    """3.11 reads 1,000 of them, later Pythons more than fit a frame."""
    data = nested('{"a":', 8_000).decode()
    body = json.dumps({"type": "ConversationsMes", "data": data, "id": "9"}).encode()
    frame = answer(party.current(), body)
    code = 400 if sys.version_info < (3, 12) else 200
    assert (frame.id, frame.data["code"]) == ("9", code)


def test_lone_surrogates_are_no_text_wherever_they_stand(party: Party) -> None:
    peer = party.current()
    for member in ("content", "to", "clientId"):
        data = {"to": "#lobby", "content": "x", "clientId": "1", member: "\ud83d"}
        refused(peer, json.dumps({"type": "SmsMes", "data": json.dumps(data)}).encode())
    inside = b'{"type":"SmsMes","data":"{\\"to\\":\\"#lobby\\",\\"content\\":\\"\\ud800\\"}"}'
    refused(peer, inside)


def test_bytes_that_are_no_utf8_are_no_text(party: Party) -> None:
    peer = party.current()
    for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe5\xad"):
        refused(peer, enveloped("SmsMes", {"to": "#lobby", "content": "?"}).replace(b"?", bad))


TEXT, WHOLE, LIST, OBJECT, TRUTH = "text", 1, [1], {"userId": 1}, True
MEMBERS: dict[str, dict[str, Any]] = {
    "RegisterMes": {"user": OBJECT, "version": WHOLE, "language": TEXT},
    "LoginMes": {"version": WHOLE, "userId": WHOLE, "userName": TEXT, "userPwd": TEXT,
                 "token": TEXT, "device": TEXT, "language": TEXT},
    "ConversationsMes": {"after": TEXT, "limit": WHOLE},
    "SmsMes": {"to": TEXT, "content": TEXT, "clientId": TEXT},
    "HistoryMes": {"conversation": TEXT, "epoch": TEXT, "before": WHOLE, "after": WHOLE,
                   "limit": WHOLE},
    "SearchMes": {"text": TEXT, "conversation": TEXT, "before": WHOLE, "limit": WHOLE,
                  "skip": WHOLE},
    "AckMes": {"conversation": TEXT, "epoch": TEXT, "delivered": WHOLE, "read": WHOLE},
    "OnlineMes": {"after": WHOLE, "limit": WHOLE},
    "WatchMes": {"users": LIST},
    "StatusMes": {"status": WHOLE},
    "LookupMes": {"userId": WHOLE, "userName": TEXT},
    "JoinMes": {"conversation": TEXT, "topic": TEXT},
    "LeaveMes": {"conversation": TEXT},
    "TopicMes": {"conversation": TEXT, "topic": TEXT},
    "RedactMes": {"conversation": TEXT, "seq": WHOLE},
    "EditMes": {"conversation": TEXT, "seq": WHOLE, "content": TEXT},
    "RoomsMes": {"after": TEXT, "limit": WHOLE},
    "MembersMes": {"conversation": TEXT, "after": WHOLE, "limit": WHOLE},
    "RevokeMes": {"device": TEXT},
    "PasswordMes": {"userPwd": TEXT, "newPwd": TEXT},
    "LogoutMes": {"everywhere": TRUTH},
}  # fmt: skip
"""Every request with every member, each with a value of its type."""

WRONG = [TEXT, WHOLE, LIST, OBJECT, TRUTH, 1.5]


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_member_of_the_wrong_type_is_400_and_named(party: Party, kind: str) -> None:
    peer = party.current()
    for member, right in MEMBERS[kind].items():
        for wrong in WRONG:
            if type(wrong) is not type(right):
                data = {**MEMBERS[kind], member: wrong}
                frame = refused(peer, enveloped(kind, data, id="w"), about=kind)
                assert member in frame.data["error"], (wrong, frame)
                assert frame.id == "w"


def test_members_of_an_account_are_named_too(party: Party) -> None:
    peer = party.connect()
    for member in ("userId", "userPwd", "userName", "userStatus", "sex"):
        frame = refused(peer, enveloped("RegisterMes", {"user": {member: [0]}}))
        assert member in frame.data["error"]


@pytest.mark.parametrize("kind", ["SmsMes", "HistoryMes", "JoinMes", "EditMes", "StatusMes"])
def test_a_member_that_is_needed_and_missing_is_400(party: Party, kind: str) -> None:
    refused(party.current(), enveloped(kind, {}), about=kind)


LONGEST = 10**4_300 - 1
"""As many digits as Python reads and writes: a result with one more can't be written down."""


@pytest.mark.parametrize(
    "number",
    [-1, 2**31, 2**53, 2**63, 2**64, 10**30, -(10**30), LONGEST, -LONGEST],
    ids=lambda number: f"{number:.0e}" if abs(number) < LONGEST else f"{len(str(number))}-digits",
)
def test_no_number_is_too_large_to_be_answered(party: Party, number: int) -> None:
    peer = party.current()
    for kind, members in MEMBERS.items():
        for member in (name for name, value in members.items() if value is WHOLE):
            if kind not in ("RegisterMes", "LoginMes", "AckMes"):
                data = {**members, "conversation": "#lobby", member: number}
                frame = answer(peer, enveloped(kind, data, id="n"))
                assert frame.data["code"] in CODES, (kind, member, frame)
    peer.send("AckMes", conversation="#lobby", read=number, delivered=number)
    peer.ping()
    stranger = party.connect()
    assert stranger.log_in(userId=number, userPwd="sesame-large")["code"] in (400, 500, 505)
    if not 1 <= number < 2**53:
        reply = stranger.register(userId=number, userPwd="sesame-large")
        assert reply["code"] in (400, 506)
    frame = answer(peer, enveloped("WatchMes", {"users": [number]}, id="w"))
    assert frame.data["code"] in CODES


@pytest.mark.parametrize(
    "name", ["", "a b", "a\u200bb", "#a", "a@b", "x" * 33, "\u3164", "a\x00b", "a\nb", "\u0301a"]
)
def test_a_bad_name_of_a_room_is_400_and_of_a_user_506(party: Party, name: str) -> None:
    peer = party.current()
    for room in {f"#{name}", name.lstrip("#")}:
        assert peer.ask("JoinMes", conversation=room)["code"] == 400, room
    if name:
        assert peer.register(userName=name, userPwd="sesame-named")["code"] == 506


def test_bad_client_ids_and_contents_are_400(party: Party) -> None:
    peer = party.current()
    for client_id in ("x" * 65, "a b", "é", "a\n", "\x00"):
        reply = peer.ask("SmsMes", to="#lobby", content="fine", clientId=client_id)
        assert (reply["code"], "clientId" in reply["error"]) == (400, True), client_id
    for content in ("", "\0", "a\0b"):
        reply = peer.ask("SmsMes", to="#lobby", content=content, clientId="c")
        assert (reply["code"], reply["clientId"]) == (400, "c")
        assert "content" in reply["error"]


# Frames ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, FRAME_LIMIT + 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("logged_in", [False, True], ids=["stranger", "member"])
def test_a_length_of_0_or_above_the_limit_is_413_and_the_end(
    party: Party, size: int, logged_in: bool
) -> None:
    peer = party.current() if logged_in else party.connect()
    peer.send_bytes(struct.pack(">I", size))
    *before, last = peer.read_to_the_end()
    assert (last.type, last.data["code"]) == ("ErrorMes", 413)
    assert not [each for each in before if each.type == "ErrorMes"]


def test_what_comes_after_a_bad_length_is_never_looked_at(party: Party) -> None:
    peer = party.current()
    ping = framed(enveloped("PingMes", {}, id="late"))
    peer.send_bytes(ping + struct.pack(">I", 0) + ping * 1_000)
    frames = [each for each in peer.read_to_the_end() if each.type in ("PongMes", "ErrorMes")]
    assert [each.type for each in frames] == ["PongMes", "ErrorMes"]


def test_another_protocol_is_told_413(party: Party) -> None:
    for hello in (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"SSH-2.0-x\r\n",
    ):
        peer = party.connect()
        peer.send_bytes(hello)
        (only,) = peer.read_to_the_end()
        assert (only.type, only.data["code"]) == ("ErrorMes", 413)


def test_a_frame_may_come_in_single_bytes(party: Party) -> None:
    peer = party.current()
    body = enveloped("SmsMes", {"to": "#lobby", "content": "byte by byte"}, id="b")
    for byte in framed(body):
        peer.send_bytes(bytes([byte]))
    assert peer.reply("b").data["code"] == 200


def test_a_hundred_frames_in_one_write_are_answered_in_their_order(party: Party) -> None:
    peer = party.current()
    kinds = ["PingMes", "OnlineMes", "Nonsense", "RoomsMes", "ConversationsMes"]
    asked = [(f"q{number}", kinds[number % 5]) for number in range(100)]
    peer.send_bytes(b"".join(framed(enveloped(kind, {}, id=each)) for each, kind in asked))
    answered = []
    while len(answered) < 100:
        frame = peer.read()
        if frame.id is not None:
            answered.append((frame.id, frame.type))
    replies = {"PingMes": "PongMes", "Nonsense": "ErrorMes"}
    expected = [(each, replies.get(kind, kind.replace("Mes", "ResMes"))) for each, kind in asked]
    assert sorted(answered) == sorted(expected)
    in_turn = [pair for pair in answered if pair[1] != "ErrorMes"]
    assert in_turn == [pair for pair in expected if pair[1] != "ErrorMes"]


def test_ten_thousand_unknown_types_are_ten_thousand_times_400(party: Party) -> None:
    peer = party.connect()
    count = 10_000
    for start in range(0, count, 1_000):
        numbers = range(start, start + 1_000)
        peer.send_bytes(b"".join(framed(enveloped(f"Type{n}", {}, id=str(n))) for n in numbers))
        for number in numbers:
            frame = peer.read()
            assert (frame.type, frame.data["code"], frame.id) == ("ErrorMes", 400, str(number))
    peer.ping()


def test_coming_and_going_in_the_middle_of_anything_is_harmless(party: Party) -> None:
    whole = framed(enveloped("OnlineMes", {}, id="1"))
    for cut in (0, 1, 3, 4, 5, len(whole) - 1, len(whole)):
        for leave in ("close", "vanish"):
            for peer in (party.connect(), party.current()):
                peer.send_bytes(whole[:cut])
                getattr(peer, leave)()
    talker, reader = party.current(), party.current()
    talker.post("#lobby", "still here")
    reader.hears("still here")


def test_what_a_vanished_client_had_accepted_is_there(party: Party) -> None:
    peer, reader = party.current(), party.current()
    peer.post("#lobby", "my last words")
    for _ in range(50):
        peer.send("SmsMes", to="#lobby", content="x" * 5_000)
    peer.vanish()
    reader.hears("my last words")
    reader.ping()


# Anything --------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_arbitrary_bytes_get_errors_or_nothing(server: ServerProcess, pieces: list[bytes]) -> None:
    with Party(server.port) as party:
        peer = party.connect()
        try:
            for piece in pieces:
                peer.send_bytes(piece)
            peer.socket.shutdown(1)
        except OSError:  # it has closed already: a bad length was among them
            return
        for frame in peer.read_to_the_end():
            assert frame.type == "ErrorMes"
            assert frame.data["code"] in (400, 413)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["#lobby", "@1", "#a", "@user", "desk", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
HARMLESS = sorted(set(MEMBERS) - {"LogoutMes", "RegisterMes", "AckMes"})
NAMES = sorted({name for members in MEMBERS.values() for name in members})
REQUESTS = st.tuples(
    st.sampled_from(HARMLESS), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=12))
def test_arbitrary_requests_get_a_code_each(
    server: ServerProcess, requests: list[tuple[str, dict[str, Any]]]
) -> None:
    with Party(server.port) as party:
        peer = party.current()
        sent = [peer.send(kind, **data) for kind, data in requests]
        for request, each in zip(requests, sent, strict=True):
            assert peer.reply(each).data["code"] in CODES, request
        peer.ping()
