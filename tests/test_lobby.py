"""The lobby as the option has it: read by all and written by nobody, or not there at all."""

from collections.abc import Iterator

import pytest

from tests.party import Party
from tests.server import GENEROUS, serving
from tests.valkey import running


@pytest.fixture(scope="module")
def read_only() -> Iterator[int]:
    """The port of a server on which everybody only reads the lobby."""
    with serving(*GENEROUS, "--lobby", "read-only", "--rooms", "2") as server:
        yield server.port


@pytest.fixture(scope="module")
def closed() -> Iterator[int]:
    """The port of a server without a lobby."""
    with serving(*GENEROUS, "--lobby", "closed", "--rooms", "2") as server:
        yield server.port


def test_who_talks_in_a_read_only_lobby_is_refused(read_only: int) -> None:
    refuses_to_be_talked_in(read_only)


def test_who_talks_in_a_closed_lobby_is_refused(closed: int) -> None:
    refuses_to_be_talked_in(closed)


def refuses_to_be_talked_in(port: int) -> None:
    """Both generations are told so, and may talk everywhere else."""
    with Party(port) as party:
        ann, original = party.current(), party.original()
        reply = ann.ask("SmsMes", to="#lobby", content="anybody here?", clientId="c1")
        assert (reply["code"], reply["clientId"]) == (403, "c1")
        original.say("anybody here?")
        refusal = original.hear("SmsMes", userId=0)
        assert refusal["content"].startswith("[系统] ")
        ann.post(party.room_of(ann), "my own room")
        ann.post(f"@{original.user_id}", "psst")
        assert original.hear("SmsMes", userId=ann.user_id)["content"] == "[私聊] psst"


def test_a_read_only_lobby_is_listed_and_read(read_only: int) -> None:
    with Party(read_only) as party:
        ann = party.current()
        assert [each["conversation"] for each in ann.welcome["conversations"]] == ["#lobby"]
        assert ann.get("HistoryMes", conversation="#lobby")["messages"] == []
        assert ann.get("JoinMes", conversation="#lobby")["seq"] == 0
        listed = ann.get("MembersMes", conversation="#lobby")["users"]
        assert ann.user_id in [each["userId"] for each in listed]


def test_a_closed_lobby_is_in_no_list(closed: int) -> None:
    with Party(closed) as party:
        ann = party.current()
        room = party.room_of(ann)
        assert ann.welcome["conversations"] == []
        assert [each["conversation"] for each in ann.conversations()] == [room]
        assert ann.get("SearchMes", text="anything")["messages"] == []


def test_every_request_about_a_closed_lobby_is_refused(closed: int) -> None:
    with Party(closed) as party:
        ann = party.current()
        requests = {
            "HistoryMes": {}, "JoinMes": {}, "LeaveMes": {}, "TopicMes": {"topic": "tea"},
            "MembersMes": {}, "RedactMes": {"seq": 1}, "SearchMes": {"text": "tea"},
            "AckMes": {"read": 1}, "EditMes": {"seq": 1, "content": "tea"},
        }  # fmt: skip
        for kind, members in requests.items():
            reply = ann.ask(kind, conversation="#Lobby", **members)
            assert reply["code"] == 403, (kind, reply)
        assert ann.ask("ConversationsMes", after="#lobby")["code"] == 403


def test_a_lobby_that_is_read_takes_no_place_among_ones_rooms(read_only: int) -> None:
    takes_no_place(read_only)


def test_a_lobby_that_is_closed_takes_no_place_among_ones_rooms(closed: int) -> None:
    takes_no_place(closed)


def takes_no_place(port: int) -> None:
    """Two rooms may be joined, and no third."""
    with Party(port) as party:
        ann = party.current()
        for _ in range(2):
            ann.get("JoinMes", conversation=party.room())
        assert ann.ask("JoinMes", conversation=party.room())["code"] == 429


def test_what_the_lobby_accepted_before_it_became_read_only_is_answered_as_before() -> None:
    with running() as store:
        on_it = (*GENEROUS, "--store", store.url)
        with serving(*on_it) as server, Party(server.port) as party:
            user = party.user()
            said = party.current(user).post("#lobby", "the last word", clientId="c1")
        with serving(*on_it, "--lobby", "read-only") as server, Party(server.port) as party:
            ann = party.current(user)
            again = ann.post("#lobby", "the last word", clientId="c1")
            assert (again["seq"], again["duplicate"]) == (said["seq"], True)
            assert ann.ask("SmsMes", to="#lobby", content="more", clientId="c2")["code"] == 403
            page = ann.get("HistoryMes", conversation="#lobby")
            assert [each["content"] for each in page["messages"]] == ["the last word"]
