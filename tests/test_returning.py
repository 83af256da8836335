"""Coming back within the grace: the place that was left is taken again, and nobody is told."""

import time
from collections.abc import Iterator

import pytest

from tests.party import Party, User, says
from tests.server import GENEROUS, serving
from tests.valkey import Valkey, running

LOGINS = 20
BESIDES, A_SECOND = 5, 1
"""Scripts that the server runs by itself meanwhile: leases, and whether the store takes writes."""


@pytest.fixture
def store() -> Iterator[Valkey]:
    with running() as valkey:
        yield valkey


def calls(store: Valkey) -> dict[str, int]:
    """How often the store has been asked for what."""
    lines = [line.split(":calls=") for line in store.ask("INFO", "commandstats").decode().split()]
    named = {name.removeprefix("cmdstat_"): rest for name, *rest in lines if rest}
    return {name: int(rest[0].partition(",")[0]) for name, rest in named.items()}


def more_calls(store: Valkey, before: dict[str, int], *names: str) -> int:
    after = calls(store)
    return sum(after.get(name, 0) - before.get(name, 0) for name in names)


def sessions(store: Valkey, user: User) -> list[bytes]:
    found: list[bytes] = store.ask("HVALS", f"ch:u:{{{user.user_id}}}:sess")
    return found


def heard(store: Valkey, user: User) -> int:
    """How many servers hear what concerns a user."""
    return int(store.ask("PUBSUB", "NUMSUB", f"ch:bus:u:{user.user_id}")[1])


def test_each_login_with_a_token_costs_the_store_two_scripts_and_nothing_else(
    store: Valkey,
) -> None:
    grace = ("--store", store.url, "--offline-grace", "60")
    with serving(*GENEROUS, *grace) as server, Party(server.port) as party:
        user, witness = party.user(), party.current()
        first = party.current(user, "desk")
        token = first.welcome["token"]
        first.get("JoinMes", conversation=party.room())
        first.close()
        before, began = calls(store), time.monotonic()
        for _ in range(LOGINS):
            witness.ping()  # By then the server has seen that the one before is gone.
            peer = party.connect()
            welcome = peer.log_in(token=token, device="desk")
            assert welcome["code"] == 200
            assert len(welcome["conversations"]) == 2
            peer.close()
        scripts = more_calls(store, before, "eval", "evalsha")
        besides = BESIDES + A_SECOND * (time.monotonic() - began)
        assert 2 * LOGINS <= scripts <= 2 * LOGINS + besides
        assert more_calls(store, before, "subscribe", "unsubscribe", "publish") == 0
        assert sessions(store, user) == [b"0desk"]
        # Whoever never went is not announced: neither that they went nor that they came again.
        last = party.current()
        witness.expect("PresenceMes", says(last.user_id, 0))
        told = [each.data["users"] for each in witness.heard if each.type == "PresenceMes"]
        about = [one for users in told for one in users if one["userId"] == user.user_id]
        assert len(about) == 1


def test_who_does_not_come_back_is_gone_with_all_that_was_kept(store: Valkey) -> None:
    with (
        serving(*GENEROUS, "--store", store.url) as server,
        Party(server.port) as party,
    ):
        user, witness = party.user(), party.current()
        peer = party.current(user, "desk")
        assert (heard(store, user), sessions(store, user)) == (1, [b"0desk"])
        peer.close()
        witness.expect("PresenceMes", says(user.user_id, 1))
        assert (heard(store, user), sessions(store, user)) == (0, [])


def test_a_session_that_was_replaced_leaves_nothing_behind(store: Valkey) -> None:
    with (
        serving(*GENEROUS, "--store", store.url) as server,
        Party(server.port) as party,
    ):
        user, witness = party.user(), party.current()
        old = party.current(user, "desk")
        new = party.current(user, "desk")
        assert old.expect("ByeMes")["code"] == 409
        old.read_to_the_end()
        new.post("#lobby", "still here")
        again = party.current(user, "desk")
        assert new.expect("ByeMes")["code"] == 409
        new.read_to_the_end()
        witness.post(f"@{user.user_id}", "do you hear?")
        again.hears("do you hear?")
        again.close()
        witness.expect("PresenceMes", says(user.user_id, 1))
        assert (heard(store, user), sessions(store, user)) == (0, [])
