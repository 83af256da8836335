"""What is measured: each scenario as one value, the same work for every server that can do it."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from benchmarks.servers import PEERS, Chatroom, Limit, Program, SingleLimit, Sketch, TLSChatroom

__all__ = ["MESSAGE_SIZE", "Scenario", "full", "quick"]

MESSAGE_SIZE: Final = 100
"""Bytes of every message's content."""

SPARE_FILES: Final = 500
"""Open files that a process needs besides its connections."""

HISTORY_SIZE: Final = 1_000_000
OURS: Final[tuple[type[Program], ...]] = (Chatroom,)
WITH_PEERS: Final[tuple[type[Program], ...]] = (*OURS, *PEERS)
EVERYBODY: Final[tuple[type[Program], ...]] = (Limit, *WITH_PEERS)
LIGHT: Final[tuple[type[Program], ...]] = (SingleLimit, Sketch, *WITH_PEERS, TLSChatroom)

Words = Mapping[str, str | float]


@dataclass(frozen=True)
class Scenario:
    """One piece of work.

    :ivar group: the table it stands in.
    :ivar mode: what the load does, and ``words`` how (see ``load/load.c``).
    :ivar options: of the chat server, besides the common ones.
    :ivar programs: who does it.
    :ivar filled: messages in the long conversation that is made before, 0 for none.
    """

    name: str
    group: str
    mode: str
    words: Words
    programs: tuple[type[Program], ...] = OURS
    options: Mapping[str, str] = field(default_factory=dict)
    filled: int = 0


def _fan_out(users: int, senders: int, window: int, acks: int = 1) -> Scenario:
    words = {"users": users, "senders": senders, "window": window, "acks": acks, "seconds": 4}
    name = f"fan-out-{users}-{senders}" + ("" if acks else "-no-acks")
    programs = EVERYBODY if acks else OURS
    if users == 500 and acks:
        programs = (*programs, TLSChatroom, SingleLimit)
    return Scenario(name, "fan-out", "traffic", words, programs)


def _private(window: int) -> Scenario:
    words = {"users": 100, "pairs": 50, "pair_window": window, "acks": 1, "seconds": 4}
    return Scenario(f"private-{window}", "private", "traffic", words, WITH_PEERS)


def _mixed(users: int, slow: int) -> Scenario:
    words = {
        "users": users, "slow": slow, "senders": 10, "rate": 400, "pairs": 50, "pair_rate": 200,
        "page_rate": 20, "acks": 1, "warm": 3, "seconds": 6,
    }  # fmt: skip
    return Scenario(f"mixed-{users}-slow-{slow}", "mixed", "traffic", words)


def _idle(users: int, programs: tuple[type[Program], ...] = OURS) -> Scenario:
    """So many, or as many as may have open files here: the table says how many they were."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Few come at once, or the peers' queues for all the joins would count as memory of users.
    here = users if most == resource.RLIM_INFINITY else min(users, most - SPARE_FILES)
    words = {"users": here, "pings": 60, "warm": 2, "seconds": 10, "parallel": 100}
    return Scenario(f"idle-{users}", "idle", "idle", words, programs)


def _storm(users: int, comers: int) -> Scenario:
    words = {"users": users, "comers": comers, "senders": 10, "rate": 10, "seconds": 3}
    options = {"offline-grace": "0.5"}
    return Scenario(f"storm-{users}-{comers}", "storm", "storm", words, options=options)


def full() -> tuple[Scenario, ...]:
    """Everything, some ten minutes."""
    light = {"users": 100, "senders": 10, "rate": 200, "acks": 1, "seconds": 6}
    return (
        *(_fan_out(users, *sent) for users in (100, 500, 2000) for sent in ((1, 32), (8, 16))),
        _fan_out(500, 8, 16, acks=0),
        Scenario("light", "light", "traffic", light, LIGHT),
        _private(8),
        _private(1),
        Scenario("logins-token", "logins", "logins", {"users": 1000, "how": "token", "seconds": 4}),
        Scenario(
            "logins-password",
            "logins",
            "logins",
            {"users": 50, "how": "password", "seconds": 4},
            options={"argon2": "2,19456,1"},
        ),
        _idle(2000, (*WITH_PEERS, TLSChatroom)),
        _idle(10_000),
        _idle(20_000),
        Scenario("history", "history", "history", {"seconds": 4, "users": 1}, filled=HISTORY_SIZE),
        _mixed(500, 0),
        _mixed(500, 5),
        _storm(1000, 1000),
    )


def quick() -> tuple[Scenario, ...]:
    """The same in small, about a minute; the slow starts of the peers are left out."""
    small: dict[str, Words] = {
        "fan-out-100-8": {"seconds": 1, "warm": 0.5},
        "fan-out-500-8": {"seconds": 1, "warm": 0.5},
        "light": {"seconds": 1.5, "warm": 0.5},
        "private-8": {"seconds": 1, "warm": 0.5},
        "private-1": {"seconds": 1, "warm": 0.5},
        "logins-token": {"users": 200, "seconds": 1, "warm": 0.5},
        "idle-2000": {"users": 500, "seconds": 1, "warm": 0.5},
        "history": {"seconds": 1, "warm": 0.2},
        "mixed-500-slow-5": {"users": 200, "slow": 2, "seconds": 2, "warm": 1},
        "storm-1000-1000": {"users": 200, "comers": 200, "seconds": 1, "leaving": 1.5},
    }
    return tuple(
        replace(
            each,
            words={**each.words, **small[each.name]},
            filled=min(each.filled, 50_000),
            programs=_in_short(each),
        )
        for each in full()
        if each.name in small
    )


def _in_short(scenario: Scenario) -> tuple[type[Program], ...]:
    if scenario.group == "idle":
        return OURS
    return tuple(each for each in scenario.programs if each in EVERYBODY)
