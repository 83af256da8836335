"""The clock of the server's machine is set: nobody who talks notices."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.party import Party
from tests.process import ServerProcess
from tests.server import GENEROUS, check_log
from tests.valkey import Valkey, running

HOUR = 3_600

SITE = """
import time
real, put = time.time, [0.0]

def shown():
    try:
        with open({path!r}) as file:
            put[0] = float(file.read() or put[0])
    except OSError:
        pass
    return real() + put[0]

time.time = shown
"""
"""Python reads this before anything else: the time of day is as much ahead as a file says."""


class Clock:
    """The clock of a server's machine."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ahead"
        (directory / "sitecustomize.py").write_text(SITE.format(path=str(self._path)))

    def put(self, seconds: float) -> None:
        """Set it so far ahead of what it is."""
        self._path.write_text(str(seconds))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def party(clock: Clock, tmp_path: Path) -> Iterator[Party]:
    server = ServerProcess(*GENEROUS, environment={"PYTHONPATH": str(tmp_path)})
    try:
        server.start()
        with Party(server.port) as party:
            yield party
        server.stop()
        check_log(server.log)
    finally:
        server.remove()


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_what_is_under_way_goes_on_and_nobody_is_thrown_out(
    party: Party, clock: Clock, seconds: int
) -> None:
    one, other = party.current(), party.current()
    said = one.post(f"@{other.user_id}", "have you read this?")
    other.hears("have you read this?")
    # Marks are written a moment later: the clock is set before that.
    conversation = f"@{one.user_id}"
    other.send("AckMes", conversation=conversation, epoch=said["epoch"], read=said["seq"])
    other.ping()
    clock.put(seconds)
    ahead = one.reply(one.send("PingMes")).data["serverTime"] / 1000 - time.time()
    assert abs(ahead - seconds) < HOUR / 2, "the test sets the clock"
    assert one.expect("ReceiptMes", userId=other.user_id)["read"] == said["seq"]
    one.post("#lobby", "what time is it?")
    other.hears("what time is it?")
    late = party.current()
    one.post("#lobby", "late, it seems")
    late.hears("late, it seems")


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_what_the_bus_did_not_bring_comes_also_where_the_stores_clock_is_another(
    clock: Clock, tmp_path: Path, seconds: int
) -> None:
    clock.put(seconds)
    with running() as store:
        first = ServerProcess(
            *GENEROUS, "--store", store.url, environment={"PYTHONPATH": str(tmp_path)}
        )
        second = ServerProcess(*GENEROUS, "--store", store.url)
        try:
            first.start()
            (bus,) = clients(store, "pubsub")
            second.start()
            with Party(first.port) as here, Party(second.port) as there:
                one, known, stranger = here.current(), there.current(), there.current()
                known.post(one.at, "before")
                one.hears("before")
                with first.frozen():
                    store.ask("CLIENT", "KILL", "ID", bus)
                    known.post(one.at, "from somebody known")
                    stranger.post(one.at, "from somebody new")
                one.hears("from somebody known")
                one.hears("from somebody new")
        finally:
            first.remove()
            second.remove()


def clients(store: Valkey, kind: str) -> list[str]:
    """The ids of a store's clients of a kind."""
    lines = store.ask("CLIENT", "LIST", "TYPE", kind).decode().splitlines()
    return [line.split()[0].partition("=")[2] for line in lines]
