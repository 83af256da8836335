"""Three servers, a store with a replica and three Sentinels: one chat, whatever dies of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.party import Party, User, says
from tests.patience import PATIENCE
from tests.peers import Closed, CurrentPeer
from tests.process import ServerProcess
from tests.sentinels import Group, watched
from tests.server import GENEROUS, check_log

LOBBY = "#lobby"


class Cluster:
    """Servers that share a watched store, and a party on each."""

    def __init__(self, group: Group, servers: list[ServerProcess], stack: ExitStack) -> None:
        self.group = group
        self.servers = servers
        self._parties = [stack.enter_context(Party(server.port)) for server in servers]

    def user(self) -> User:
        """Somebody new."""
        with Party(self.servers[0].port) as party:
            return party.user()

    def current(self, place: int, user: User | None = None) -> CurrentPeer:
        """A client on the server with that number."""
        self._parties[place].port = self.servers[place].port
        return self._parties[place].current(user or self.user())

    def wait_for_service(self, user: User) -> None:
        """Wait until somebody can log in on every server, which takes all it has of the store."""
        login = {"userId": user.user_id, "userPwd": user.password, "device": "waiting"}
        for party in self._parties:
            peer = party.connect()
            accepted(lambda peer=peer: peer.log_in(**login))
            peer.close()

    def room_of(self, *members: CurrentPeer) -> str:
        """A new room."""
        return self._parties[0].room_of(*members)


@contextmanager
def cluster(*options: str) -> Iterator[Cluster]:
    """Three servers; what they logged is judged at the end."""
    with watched() as group, ExitStack() as stack:
        servers = []
        for _ in range(3):
            server = ServerProcess(*GENEROUS, "--store", group.url, *options)
            stack.callback(server.remove)
            server.begin()
            servers.append(server)
        for server in servers:
            server.wait_until_listening()
        yield Cluster(group, servers, stack)
        for server in servers:
            check_log(server.log)


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    """The cluster that these tests share."""
    with cluster() as built:
        yield built


def test_people_on_three_servers_are_in_one_chat(three: Cluster) -> None:
    alice, bob, carol = (three.current(place) for place in range(3))
    room = three.room_of(alice, bob, carol)
    for speaker in (alice, bob, carol):
        speaker.post(room, f"{speaker.at} in the room")
        for hearer in {alice, bob, carol} - {speaker}:
            hearer.hears(f"{speaker.at} in the room")
    assert alice.numbers(room)[-3:] == bob.numbers(room)[-3:] == carol.numbers(room)[-3:]
    sent = alice.post(bob.at, "in private")
    bob.hears("in private")
    bob.send("AckMes", conversation=alice.at, epoch=sent["epoch"], read=sent["seq"])
    assert alice.expect("ReceiptMes", conversation=bob.at)["read"] == sent["seq"]


def test_who_comes_and_goes_is_seen_everywhere(three: Cluster) -> None:
    watcher = three.current(0)
    user = three.user()
    guest = three.current(2, user)
    watcher.expect("PresenceMes", where=says(user.user_id, 0))
    guest.get("StatusMes", status=2)
    watcher.expect("PresenceMes", where=says(user.user_id, 2))
    guest.close()
    watcher.expect("PresenceMes", where=says(user.user_id, 1))


def test_the_store_fails_over_and_everybody_goes_on(three: Cluster) -> None:
    alice, bob, carol = three.current(0), three.current(1), three.user()
    room = three.room_of(alice, bob)
    before = alice.post(room, "before")
    bob.hears("before")
    old = three.group.master
    old.kill()
    new = three.group.wait_for_another_master(old)
    after = accepted(lambda: bob.ask("SmsMes", to=room, content="after", clientId="after"))
    alice.hears("after")
    three.wait_for_service(carol)
    where = (three.group.store_ports[three.group.stores.index(each)] for each in (old, new))
    moved = " to ".join(f"127.0.0.1:{port}" for port in where)
    three.servers[0].wait_for_log(f"The store moved from {moved}")
    # Whoever holds numbers of the old epoch is told where they may be wrong.
    assert after["epoch"] != before["epoch"]
    assert after["epochFirst"] == before["seq"] + 1 == after["seq"]
    assert [each["content"] for each in alice.whole_history(room) if "content" in each][-2:] == [
        "before",
        "after",
    ]
    old.start()
    old.ask("REPLICAOF", "127.0.0.1", three.group.store_ports[three.group.stores.index(new)])


def test_servers_are_replaced_one_by_one_and_nobody_loses_a_word(three: Cluster) -> None:
    users = [three.user() for _ in range(3)]
    peers = [three.current(place, users[place]) for place in range(3)]
    room = three.room_of(*peers)
    said = []
    for place, server in enumerate(three.servers):
        server.process.terminate()
        assert peers[place].expect("ByeMes", code=503)["retryAfter"] > 0
        peers[place].close()
        other = peers[(place + 1) % 3]
        said.append(f"while server {place} is away")
        other.post(room, said[-1])
        assert server.ended_in_order(), server.log
        server.start()
        peers[place] = three.current(place, users[place])
        said.append(f"server {place} is back")
        peers[place].post(room, said[-1])
        other.hears(said[-1])
    for peer in peers:
        entries = [each for each in peer.whole_history(room) if "kind" not in each]
        assert [each["content"] for each in entries] == said


def accepted(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask the same again, as a client does, until it is accepted; the reply."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        reply = ask()
        if reply["code"] == 200:
            return reply
        assert reply["code"] in (503, 504), reply
        time.sleep(0.05)  # what a client does when the answer says retryAfter
    raise Closed
