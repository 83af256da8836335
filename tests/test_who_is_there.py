"""Presence: who comes, goes, is busy, is watched, and is silent about it."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.party import Party, outlast, says
from tests.patience import PATIENCE
from tests.peers import CurrentPeer, Peer
from tests.server import GENEROUS, serving

GRACE = 0.2
"""Seconds of absence that nobody hears of, on the shared server (``GENEROUS``)."""

UNKNOWN_USER = 77_777_777


def test_presence_is_told_when_somebody_comes_changes_and_goes(party: Party) -> None:
    watcher, user = party.current(), party.user()
    one = party.current(user)
    told = watcher.expect("PresenceMes", where=says(user.user_id, 0))
    assert told["scope"] == "all"
    assert {"userId": user.user_id, "userName": user.name, "userStatus": 0} in told["users"]
    two = party.current(user)
    one.get("StatusMes", status=2)
    two.get("StatusMes", status=2)
    watcher.expect("PresenceMes", where=says(user.user_id, 2))
    two.get("StatusMes", status=0)
    watcher.expect("PresenceMes", where=says(user.user_id, 0))
    two.close()
    watcher.expect("PresenceMes", where=says(user.user_id, 2))
    one.close()
    watcher.expect("PresenceMes", where=says(user.user_id, 1))
    assert user.user_id not in online(watcher)


def online(peer: CurrentPeer) -> dict[int, int]:
    """Everybody online and their status, as many as the last page says there are.

    Who was here in the test before may go meanwhile: then they are listed again.
    """
    give_up = time.monotonic() + PATIENCE
    while True:
        found, total = pages_of_three(peer)
        if total == len(found):
            return found
        assert time.monotonic() < give_up, (total, found)


def pages_of_three(peer: CurrentPeer) -> tuple[dict[int, int], int]:
    """Everybody online and their status, and how many there are by the last page."""
    found: dict[int, int] = {}
    page: dict[str, Any] = {"more": True}
    while page["more"]:
        page = peer.get("OnlineMes", after=max(found, default=0), limit=3)
        ids = [each["userId"] for each in page["users"]]
        assert ids == sorted(ids)
        assert not set(ids) & set(found)
        assert len(ids) <= 3
        found |= {each["userId"]: each["userStatus"] for each in page["users"]}
    return found, page["total"]


def test_the_online_list_is_paged_by_id_and_has_each_user_once(party: Party) -> None:
    users = [party.user() for _ in range(5)]
    peers = [party.current(each) for each in users] + [party.current(users[0])]
    peers[1].get("StatusMes", status=2)
    found = online(peers[0])
    assert [found[each.user_id] for each in users] == [0, 2, 0, 0, 0]


def test_a_short_absence_is_silent(party: Party) -> None:
    watcher = party.current()
    away = GRACE
    while away >= GRACE:  # on a machine that is busy coming back may take longer
        user = party.user()
        peer = party.current(user, "desk")
        watcher.expect("PresenceMes", where=says(user.user_id, 0))
        left = time.monotonic()
        peer.vanish()
        party.current(user, "desk")
        away = time.monotonic() - left
    marker = party.user()
    party.current(marker).close()
    watcher.expect("PresenceMes", where=says(marker.user_id, 1))
    seen = [entry for frame in watcher.heard if frame.type == "PresenceMes"
            for entry in frame.data["users"] if entry["userId"] == user.user_id]  # fmt: skip
    assert [each["userStatus"] for each in seen] == [0]


def test_watching_says_how_they_are(party: Party) -> None:
    watcher, there, away = party.current(), party.current(), party.user()
    there.get("StatusMes", status=2)
    users = watcher.get("WatchMes", users=[there.user_id, away.user_id, UNKNOWN_USER])["users"]
    assert {each["userId"]: each["userStatus"] for each in users} == {
        there.user_id: 2,
        away.user_id: 1,
    }
    assert watcher.get("WatchMes", users=[])["users"] == []
    assert watcher.ask("WatchMes", users=list(range(1, 202)))["code"] == 400


def test_a_status_is_0_or_2(party: Party) -> None:
    peer = party.current()
    for status in (1, 3, -1, 10**9):
        assert peer.ask("StatusMes", status=status)["code"] == 400


@pytest.mark.parametrize("come", [Party.current, Party.original])
def test_looking_somebody_up_by_id_or_name(party: Party, come: Callable[..., Peer]) -> None:
    peer, user = party.current(), party.user()
    guest = come(party, user)
    peer.expect("PresenceMes", where=says(user.user_id, 0))
    there = peer.reply(peer.send("PingMes")).data["serverTime"]
    outlast(there)  # Last seen is when one went, not when one came.
    guest.close()
    peer.expect("PresenceMes", where=says(user.user_id, 1))
    for who in ({"userId": user.user_id}, {"userName": user.name.upper()}):
        found = peer.get("LookupMes", **who)["user"]
        assert (found["userId"], found["userName"]) == (user.user_id, user.name)
        assert found.get("userStatus") == 1
        assert found["lastSeen"] > there
    assert peer.get("LookupMes", userId=peer.user_id)["user"]["userStatus"] == 0


def test_a_crowd_that_comes_costs_four_writes_a_second_and_changes_the_scope_there_and_back() -> (
    None
):
    with (
        serving(*GENEROUS, "--scope-limit", "60") as server,
        Party(server.port, "same-for-all") as party,
    ):
        watcher, users = party.current(), [party.user() for _ in range(120)]
        begun = time.monotonic()
        crowd = [party.current(user) for user in users]
        watcher.expect("PresenceMes", scope="watched", reset=True)
        watcher.ping()
        heard = [frame for frame in watcher.heard if frame.type == "PresenceMes"]
        assert len(heard) <= 4 * (time.monotonic() - begun) + 1
        named = {user["userId"] for frame in heard for user in frame.data["users"]}
        # All until the scope changed, and nobody since. It changes when the 61st is counted,
        # which is after they came: they are named if a message is written just then.
        assert len(named) <= 61
        assert watcher.get("WatchMes", users=[users[0].user_id])["users"][0]["userStatus"] == 0
        for peer in crowd:
            peer.vanish()
        told = says(users[0].user_id, 1)
        # A busy machine may lose the bus for a moment: then a reset says that somebody was missed.
        watcher.expect("PresenceMes", where=lambda data: data["reset"] or told(data))
        while watcher.get("WatchMes", users=[users[0].user_id])["users"][0]["userStatus"] != 1:
            time.sleep(0.02)
        while watcher.get("OnlineMes", limit=1)["total"] > 1:
            time.sleep(0.02)  # the last of them is told to nobody
        last = party.current()  # a login counts who is there
        watcher.expect("PresenceMes", scope="all", reset=True)
        assert online(watcher) == {watcher.user_id: 0, last.user_id: 0}
