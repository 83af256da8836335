"""``--durability replicated``: accepted means that a replica has it."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from chat.soak.processes import free_ports
from tests.party import Party
from tests.patience import PATIENCE
from tests.process import ServerProcess, twistd
from tests.server import GENEROUS, serving
from tests.valkey import Valkey, running

LOBBY = "#lobby"
LOG = "ch:c:{r:lobby}:log"
REPLICATED = ("--durability", "replicated")


@contextmanager
def pair() -> Iterator[tuple[Valkey, Valkey]]:
    """A store that writes only with a replica, and the replica."""
    (port,) = free_ports(1)
    master = ("--port", str(port), "--appendonly", "yes", "--min-replicas-to-write", "1")
    sync = ("--repl-diskless-sync-delay", "0")
    with running(*master, *sync) as store, running("--replicaof", "127.0.0.1", str(port)) as copy:
        until(lambda: b"state=online" in store.ask("INFO", "replication"))
        yield store, copy


def until(happened) -> None:  # type: ignore[no-untyped-def]
    """Wait for what a store does by itself."""
    give_up = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[Valkey, Valkey]]:
    """The pair that these tests share."""
    with pair() as both:
        yield both


@pytest.fixture(scope="module")
def servers(stores: tuple[Valkey, Valkey]) -> Iterator[list[ServerProcess]]:
    """Two servers on it."""
    with ExitStack() as stack:
        options = (*GENEROUS, *REPLICATED, "--store", stores[0].url)
        yield [stack.enter_context(serving(*options)) for _ in range(2)]


@pytest.fixture
def parties(servers: list[ServerProcess]) -> Iterator[list[Party]]:
    """Peers on both."""
    with Party(servers[0].port) as one, Party(servers[1].port) as other:
        yield [one, other]


def test_what_is_accepted_is_on_the_replica_by_then(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice = parties[0].current()
    assert alice.welcome["durability"] == "replicated"
    for number in range(50):
        seq = alice.post(LOBBY, f"message {number}")["seq"]
        assert stores[1].ask("XLEN", LOG) >= seq


def test_a_frozen_replica_is_504_and_holds_up_nothing_else(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice, bob = parties[0].current(), parties[0].current()
    carol = parties[1].current()
    alice.post(LOBBY, "before")
    stores[1].freeze()
    try:
        asked = alice.send("SmsMes", to=LOBBY, content="in doubt", clientId="doubt-1")
        bob.get("HistoryMes", conversation=LOBBY)
        alice.ping()
        assert asked not in [frame.id for frame in alice.heard]  # It is being waited for.
        refused = alice.reply(asked).data
        assert refused["code"] == 504
        # It is in the store, so it is in the room: only that it will stay was not promised.
        carol.hears("in doubt")
        bob.hears("in doubt")
    finally:
        stores[1].thaw()
    again = alice.get("SmsMes", to=LOBBY, content="in doubt", clientId="doubt-1")
    assert again["duplicate"]
    assert [each["content"] for each in bob.whole_history(LOBBY)].count("in doubt") == 1


def test_who_joins_is_told_nothing_that_the_snapshot_had(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice, bob = parties[0].current(), parties[0].current()
    room = parties[0].room_of(alice)
    stores[1].freeze()
    try:
        asked = alice.send("SmsMes", to=room, content="in doubt", clientId="doubt-2")
        joined = bob.get("JoinMes", conversation=room)
        assert alice.reply(asked).data["code"] == 504
    finally:
        stores[1].thaw()
    bob.ping()
    numbers = bob.numbers(room)
    assert all(number > joined["seq"] for number in numbers), (joined["seq"], numbers)


def test_a_repetition_is_confirmed_no_sooner_than_what_it_repeats(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice = parties[0].current()
    alice.post(LOBBY, "once", clientId="once-1")
    stores[1].freeze()
    try:
        again = alice.ask("SmsMes", to=LOBBY, content="once", clientId="once-1")
        assert again["code"] == 504
    finally:
        stores[1].thaw()


def test_an_edit_is_on_the_replica_when_it_is_answered(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice, bob = parties[0].current(), parties[1].current()
    room = parties[0].room_of(alice, bob)
    said = {"conversation": room, "seq": alice.post(room, "not yet")["seq"]}
    apart = LOG.replace("lobby}:log", f"{room[1:]}}}:apart")
    for number in range(20):
        alice.get("EditMes", content=f"edited {number}.", **said)
        assert f"edited {number}.".encode() in b"".join(stores[1].ask("ZRANGE", apart, 0, -1))
    stores[1].freeze()
    try:
        for _ in range(2):
            assert alice.ask("EditMes", content="in doubt", **said)["code"] == 504
        gone = {**said, "seq": said["seq"] + 100}
        assert alice.ask("EditMes", content="nothing", **gone)["code"] == 404
        assert bob.ask("EditMes", content="not mine", **said)["code"] == 403
    finally:
        stores[1].thaw()
    alice.get("EditMes", content="in doubt", **said)


def test_many_who_edit_while_a_replica_is_frozen_do_not_cost_the_server_its_connection(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    people = [parties[0].current() for _ in range(6)]
    seqs = [each.post(LOBBY, "as it was")["seq"] for each in people]

    def connections() -> set[bytes]:
        found = stores[0].ask("CLIENT", "LIST")
        return set(re.findall(rb"(?m)^id=\d+(?! .*cmd=client)\b", found))

    before = connections()
    assert before
    stores[1].freeze()
    try:
        asked = [
            each.send("EditMes", conversation=LOBBY, seq=seq, content="in doubt")
            for each, seq in zip(people, seqs, strict=True)
        ]
        answers = [each.reply(it).data for each, it in zip(people, asked, strict=True)]
    finally:
        stores[1].thaw()
    assert [each["code"] for each in answers] == [504] * len(people)
    assert before <= connections()


def test_what_was_written_behind_the_waiting_is_not_confirmed_by_it(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice = parties[0].current()
    alice.post(LOBBY, "before")
    stores[0].ask("SCRIPT", "FLUSH")  # so it is said again, in full
    assert alice.ask("SmsMes", to=LOBBY, content="late", clientId="late-1")["code"] == 504
    again = alice.get("SmsMes", to=LOBBY, content="late", clientId="late-1")
    assert again["code"] == 200
    assert again["duplicate"]
    assert [each["content"] for each in alice.whole_history(LOBBY)].count("late") == 1


def test_numbers_never_go_down_though_confirmations_take_their_time(
    parties: list[Party],
) -> None:
    alice, carol = parties[0].current(), parties[1].current()
    room = parties[0].room_of(alice, carol)
    asked = [
        (peer, peer.send("SmsMes", to=room, content=f"{number}", clientId=f"n{number}"))
        for number in range(300)
        for peer in (alice, carol)
    ]
    for peer, request in asked:
        assert peer.reply(request).data["code"] == 200
    last = alice.post(room, "last")["seq"]
    carol.hears("last")
    for peer in (alice, carol):
        numbers = peer.numbers(room)
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == last


def test_without_a_replica_nothing_is_accepted(
    stores: tuple[Valkey, Valkey], parties: list[Party]
) -> None:
    alice = parties[0].current()
    seq = alice.post(LOBBY, "together")["seq"]
    stores[1].kill()
    until(lambda: b"connected_slaves:0" in stores[0].ask("INFO", "replication"))
    refused = alice.ask("SmsMes", to=LOBBY, content="alone", clientId="alone-1")
    assert refused["code"] == 503
    assert alice.ask("EditMes", conversation=LOBBY, seq=seq, content="alone")["code"] == 503
    assert "alone" not in [each["content"] for each in alice.whole_history(LOBBY)]
    stores[1].start()
    until(lambda: b"state=online" in stores[0].ask("INFO", "replication"))
    until(lambda: alice.ask("SmsMes", to=LOBBY, content="alone", clientId="alone-1")["code"] == 200)


def test_a_server_that_starts_meanwhile_waits_for_a_replica(
    stores: tuple[Valkey, Valkey],
) -> None:
    stores[1].kill()
    until(lambda: b"connected_slaves:0" in stores[0].ask("INFO", "replication"))
    server = ServerProcess(*GENEROUS, *REPLICATED, "--store", stores[0].url)
    try:
        server.begin()
        server.wait_for_log("can't be used yet: NOREPLICAS")
        stores[1].start()
        server.wait_until_listening()
    finally:
        server.remove()


def test_a_store_that_would_accept_alone_is_refused_in_one_sentence() -> None:
    with running() as store:
        done = twistd(
            "-n", "--pidfile=", "chatroom", "--listen", "tcp:0:interface=127.0.0.1",
            "--store", store.url, *REPLICATED, cwd=store.directory,
        )  # fmt: skip
    assert done.returncode == 1
    assert "Set its min-replicas-to-write to 1." in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_servers_own_store_has_no_replicas() -> None:
    with running() as anything:
        done = twistd("-n", "chatroom", *REPLICATED, cwd=anything.directory)
    assert done.returncode == 1
    assert "durability" in done.stderr
