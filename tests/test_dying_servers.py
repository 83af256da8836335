"""Servers on one store that die, freeze and come back: who is online, everywhere.

The lease is four seconds here instead of ten, and everything that is judged by it scales with it.
With the default lease: ``LEASE=10 FROZEN=30 python -m pytest tests/test_dying_servers.py``.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.party import Party, User
from tests.patience import PATIENCE
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.server import GENEROUS, check_log
from tests.valkey import Valkey, running

ONLINE, OFFLINE = 0, 1
LEASE = float(os.environ.get("LEASE", "4"))
OFFLINE_WITHIN = 1.5 * LEASE
"""15 seconds of a lease of 10: it runs out, and somebody looks within three tenths of it."""

PROMPTLY = 4.0
"""For a busy machine, beside what is judged."""

FROZEN = float(os.environ.get("FROZEN", 2 * LEASE))


class Servers:
    """Three servers, each with a party of its own."""

    def __init__(self, store: Valkey) -> None:
        self.store = store
        options = (*GENEROUS, "--store", store.url, "--lease", str(LEASE))
        self.servers = [ServerProcess(*options) for _ in range(3)]
        self.parties: list[Party] = []

    def start(self) -> None:
        for server in self.servers:
            server.begin()
        for server in self.servers:
            server.wait_until_listening()
            self.parties.append(Party(server.port, "same-for-all"))

    def revive(self, index: int) -> None:
        """Start a server that was killed."""
        self.servers[index].start()
        self.parties[index] = Party(self.servers[index].port, "same-for-all")

    def online(self, index: int = 0) -> set[int]:
        """Who is online, as the list of one server says."""
        with Party(self.servers[index].port, "same-for-all") as party:
            watcher = party.current()
            users = watcher.get("OnlineMes", limit=500)["users"]
            return {each["userId"] for each in users} - {watcher.user_id}


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """All tests here share them; each leaves them running and empty."""
    with running() as store:
        found = Servers(store)
        try:
            found.start()
            yield found
            for server in found.servers:
                server.stop()
                assert server.ended_in_order(), server.log
                check_log(server.log)
            # What nobody is left for is not left either.
            left = store.ask("KEYS", "ch:n:*") + store.ask("KEYS", "ch:u:*:sess")
            left += store.ask("KEYS", "ch:online*") + store.ask("KEYS", "ch:nodes")
            assert left == []
        finally:
            for server in found.servers:
                server.remove()


def told_of(peer: CurrentPeer, user: User) -> list[int]:
    """The statuses of a user that a peer was told, in order."""
    return [
        each["userStatus"]
        for frame in peer.heard
        if frame.type == "PresenceMes"
        for each in frame.data["users"]
        if each["userId"] == user.user_id
    ]


def sees(watcher: CurrentPeer, status: int, *users: User) -> None:
    """Wait until a peer was told last that users have a status."""
    watcher.socket.settimeout(OFFLINE_WITHIN + PROMPTLY)
    for user in users:
        while told_of(watcher, user)[-1:] != [status]:
            watcher.read()


def test_of_a_killed_servers_users_only_those_are_offline_who_are_nowhere_else(
    servers: Servers,
) -> None:
    first, second, third = servers.parties
    watchers = [second.current(), third.current()]
    gone, back, twice = first.user(), first.user(), first.user()
    first.current(gone)
    first.current(back, "desk")
    first.current(twice, "desk")
    second.current(twice, "phone")
    for watcher in watchers:
        sees(watcher, ONLINE, gone, back, twice)
    killed_at = time.monotonic()
    servers.servers[0].kill()
    third.current(back, "desk")
    for watcher in watchers:
        sees(watcher, OFFLINE, gone)
    assert time.monotonic() - killed_at <= OFFLINE_WITHIN + PROMPTLY
    for watcher in watchers:
        watcher.ping()
        assert told_of(watcher, back) == told_of(watcher, twice) == [ONLINE]
    online = servers.online(1)
    assert {back.user_id, twice.user_id} <= online
    assert gone.user_id not in online
    for party in servers.parties:
        party.close()
    servers.revive(0)


def test_a_server_that_was_frozen_wakes_up_and_does_no_harm(servers: Servers) -> None:
    first, second, _ = servers.parties
    watcher = second.current()
    stays, moves, leaves = first.user(), first.user(), first.user()
    staying = first.current(stays)
    moving = first.current(moves, "desk")
    leaving = first.current(leaves)
    sees(watcher, ONLINE, stays, moves, leaves)
    servers.servers[0].process.send_signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    moved = second.current(moves, "desk")
    leaving.vanish()
    sees(watcher, OFFLINE, stays, leaves)
    time.sleep(max(0.0, frozen_at + FROZEN - time.monotonic()))  # it has to freeze for so long
    assert servers.online(1) == {watcher.user_id, moves.user_id}
    servers.servers[0].process.send_signal(signal.SIGCONT)
    # Whose connection lived through it is back; who moved has one session, the new one.
    sees(watcher, ONLINE, stays)
    assert moving.expect("ByeMes")["code"] == 409
    heard = staying.conversation("#lobby")["seq"] + 1
    said = moved.post("#lobby", "good morning")
    assert staying.hears("good morning")["seq"] == said["seq"] == heard
    assert staying.post("#lobby", "I slept well")["seq"] == said["seq"] + 1
    assert moved.hears("I slept well")
    moved.ping()
    assert told_of(watcher, moves) == [ONLINE]
    # Who looked before may still be counted, for as long as nobody is told that somebody left.
    give_up = time.monotonic() + PATIENCE
    while (online := servers.online(2)) != {watcher.user_id, stays.user_id, moves.user_id}:
        assert time.monotonic() < give_up, online
        time.sleep(1.0)  # longer than that, for who looks is one of them
    for party in servers.parties:
        party.close()


def test_nobody_is_left_when_everybody_has_gone(servers: Servers) -> None:
    for party in servers.parties:
        party.close()
    watcher = servers.parties[2].current()
    waited_until = time.monotonic() + OFFLINE_WITHIN + PROMPTLY
    while watcher.get("OnlineMes", limit=1)["total"] > 1:
        assert time.monotonic() < waited_until, servers.online(2)
        time.sleep(0.05)  # the last to go are not told to anybody
    nodes = servers.store.ask("ZRANGE", "ch:nodes", 0, -1)
    assert len(nodes) == 3, nodes
    assert servers.store.ask("HLEN", "ch:online:users") == 1
    servers.parties[2].close()
