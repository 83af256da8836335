"""To original clients every frame goes whole and fits their buffer, however slowly they read."""

import re

import pytest

from tests.party import Party, meet
from tests.peers import OriginalPeer
from tests.server import GENEROUS, serving

SMALL = 16_384
"""Bytes of a receive buffer that takes two of the largest frames and is full soon."""


def numbers(peer: OriginalPeer) -> list[int]:
    """The numbers that the messages heard start with."""
    return [int(each[:4]) for each in peer.contents() if re.match(r"\d{4}[yz]", each)]


@pytest.mark.parametrize("receive_buffer", [SMALL, 65_536, 0])
def test_frames_come_whole_to_a_slow_reader(party: Party, receive_buffer: int) -> None:
    peer, talker = party.original(receive_buffer=receive_buffer), party.current()
    count = 600
    for number in range(count):
        talker.send("SmsMes", to="#lobby", content=f"{number:04}" + "y" * (number * 37 % 7000))
        if number % 3 == 0:
            peer.read_if_any()
    talker.ping()
    meet(peer, by=talker)
    heard = numbers(peer)
    assert heard == sorted(set(heard))
    assert len(heard) > count / 10
    assert heard[-40:] == list(range(count - 40, count))


@pytest.mark.parametrize("receive_buffer", [SMALL, 65_536, 0])
def test_frames_come_whole_after_a_pause_and_the_newest_are_among_them(
    party: Party, receive_buffer: int
) -> None:
    peer, talker = party.original(receive_buffer=receive_buffer), party.current()
    count, long = 600, "z" * 6_000
    for start in range(0, count, 50):
        sent = [talker.send("SmsMes", to="#lobby", content=f"{number:04}{long}")
                for number in range(start, start + 50)]  # fmt: skip
        for each in sent:
            assert talker.reply(each).data["code"] == 200
    meet(peer, by=talker)
    heard = numbers(peer)
    assert heard == sorted(set(heard))
    assert len(heard) < count, "it was not really paused"
    assert heard[-40:] == list(range(count - 40, count))


def test_however_many_people_are_online_they_fit_into_a_frame() -> None:
    first, count = 9_000_000_000_000_000, 1_200
    with serving(*GENEROUS, "--scope-limit", "100") as server, Party(server.port) as party:
        for start in range(first, first + count, 100):
            crowd(party, range(start, start + 100))
        last = first + count  # of those whom a list in the order of ids leaves out
        account = {"userId": last, "userPwd": "sesame-of-many"}
        party.connect().get("RegisterMes", version=2, user=account)
        peer = party.connect_original()
        reply = peer.log_in(last, "sesame-of-many")
        assert last in reply["UsersId"]
        assert 450 < len(reply["UsersId"]) < 500, "as many as fit, each of 16 digits"
        watcher = party.current()
        assert watcher.get("OnlineMes", limit=1)["total"] == count + 2
        assert len(watcher.welcome["UsersId"]) == 1_000
        meet(peer, by=watcher)


def crowd(party: Party, user_ids: range) -> None:
    """Let these people come who never look at what they are told."""
    peers = [party.connect() for _ in user_ids]
    for peer, user_id in zip(peers, user_ids, strict=True):
        account = {"userId": user_id, "userPwd": "sesame-of-many"}
        peer.send("RegisterMes", version=2, user=account)
        peer.send("LoginMes", version=2, device="d", **account)
    for peer in peers:
        for _ in range(2):
            assert peer.read().data["code"] == 200
