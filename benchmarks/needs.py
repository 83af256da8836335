"""What a load takes of servers and store, by what each thing in it was measured to cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["COSTS", "Load", "Needs", "needs", "said", "sized", "table", "usual"]

COSTS: Final = Path(__file__).parent / "results" / "costs.json"
"""What was measured last."""

MEASURED_WITH: Final = 3
"""Servers, of which all hear of a login in the store's cost of one."""

BUSY: Final = 0.5
"""Of a core, on the average of the busiest hour: the rest is for the busiest second."""

DAY: Final = 8.0
"""Busiest hours that a day's messages make."""

GIB: Final = 2**30


@dataclass(frozen=True)
class Load:
    """What happens in a second, and who is there.

    :ivar accounts: users who exist; ``online`` of them are connected.
    :ivar room: members of a room who are connected, wherever.
    """

    servers: int
    accounts: int
    online: int
    room: float
    room_messages: float
    private_messages: float
    acks: float
    logins: float

    @property
    def spread(self) -> float:
        """On how many servers a room's members are, who are anywhere."""
        return self.servers * (1 - (1 - 1 / self.servers) ** self.room)

    @property
    def far(self) -> float:
        """The chance that somebody is on another server."""
        return 1 - 1 / self.servers


@dataclass(frozen=True)
class Needs:
    """What a load takes in a second.

    :ivar servers: seconds of processor time of all servers together; ``store`` the store's.
    :ivar commands: that the store runs, those in scripts included.
    :ivar to_a_server: bytes from the store to each server.
    :ivar server_memory: bytes of all servers together; ``store_memory`` without messages.
    """

    servers: float
    store: float
    commands: float
    publications: float
    to_a_server: float
    server_memory: float
    store_memory: float


def needs(costs: Mapping[str, float], load: Load) -> Needs:
    """What a load takes, by what each thing in it was measured to cost."""
    publications = (
        load.room_messages * load.spread
        + load.private_messages * (1 + load.far)
        + load.logins * 2 * load.servers
    )
    return Needs(
        servers=_in_servers(costs, load) / 1e6,
        store=_in_store(costs, load) / 1e6,
        commands=load.room_messages * costs["store, commands of a room message"]
        + load.private_messages * costs["store, commands of a private message"]
        + load.acks * costs["store, commands of an ack"]
        + load.logins * costs["store, commands of a login and logout"]
        + load.servers * costs["store, commands of an idle server"],
        publications=publications,
        to_a_server=publications / load.servers * costs["bus, bytes of a message"],
        server_memory=load.online * costs["server, KiB of a connection"] * 1024,
        store_memory=load.accounts * costs["store, bytes of an account"]
        + load.online * costs["store, bytes of a session"],
    )


def _in_servers(costs: Mapping[str, float], load: Load) -> float:
    """Microseconds of processor time of all servers, for each second."""
    room_message = (
        costs["server, room message"]
        + costs["server, publication"] * (load.spread - 1)
        + costs["server, delivery"] * (load.room - 1)
    )
    private_message = costs["server, private message"] + load.far * costs["server, publication"]
    elsewhere = costs["server, login and logout elsewhere"] * (load.servers - 1)
    return (
        load.servers * costs["server, idle second"]
        + load.room_messages * room_message
        + load.private_messages * private_message
        + load.acks * costs["server, ack"]
        + load.logins * (costs["server, login and logout"] + elsewhere)
    )


def _in_store(costs: Mapping[str, float], load: Load) -> float:
    """Microseconds of processor time of the store, for each second."""
    another = costs["store, publication to one more server"]
    more_servers = max(0, load.servers - MEASURED_WITH)
    return (
        costs["store, idle second"]
        + load.room_messages * (costs["store, room message"] + another * (load.spread - 1))
        + load.private_messages * (costs["store, private message"] + another * load.far)
        + load.acks * costs["store, ack"]
        + load.logins * (costs["store, login and logout"] + another * 2 * more_servers)
    )


def usual(accounts: int, servers: int) -> Load:
    """The busiest hour of an installation: a fifth of all are online and say ten things an hour,
    half of them in private, half in rooms of which twenty members are connected; each reads what
    it gets, once a second at most; each comes and goes once an hour."""
    online = accounts // 5
    messages = online * 10 / 3600
    return Load(
        servers=servers, accounts=accounts, online=online, room=20.0,
        room_messages=messages / 2, private_messages=messages / 2,
        acks=messages / 2 * 20 + messages / 2, logins=online / 3600,
    )  # fmt: skip


def sized(costs: Mapping[str, float], accounts: int) -> tuple[Load, Needs]:
    """As many servers as keep each core half free, and no connection count above 50,000."""
    servers = 1
    while True:
        load = usual(accounts, servers)
        need = needs(costs, load)
        wanted = max(math.ceil(need.servers / BUSY), math.ceil(load.online / 50_000))
        if wanted <= servers:
            return load, need
        servers = wanted


def table(costs: Mapping[str, float]) -> str:
    """What installations of three sizes need."""
    sizes = [sized(costs, accounts) for accounts in (10**5, 10**6, 10**7)]
    kept = costs["store, bytes of a message"]

    def day(load: Load) -> float:
        return (load.room_messages + load.private_messages) * 3600 * DAY

    rows: list[tuple[str, list[str]]] = [
        ("users", [f"{load.accounts:,}" for load, _ in sizes]),
        ("of them online", [f"{load.online:,}" for load, _ in sizes]),
        ("messages a second", [f"{load.room_messages + load.private_messages:,.0f}"
                               for load, _ in sizes]),
        ("server processes", [f"{load.servers:,}" for load, _ in sizes]),
        ("cores busy in servers", [f"{need.servers:,.1f}" for _, need in sizes]),
        ("cores busy in the store", [f"{need.store:,.2f}" for _, need in sizes]),
        ("commands in the store a second", [f"{need.commands:,.0f}" for _, need in sizes]),
        ("for each message", [
            f"{need.commands / (load.room_messages + load.private_messages):.1f}"
            for load, need in sizes]),
        ("publications a second", [f"{need.publications:,.0f}" for _, need in sizes]),
        ("bus to a server, KiB a second", [f"{need.to_a_server / 1024:,.0f}"
                                           for _, need in sizes]),
        ("memory of all servers, GiB", [f"{need.server_memory / GIB:,.1f}" for _, need in sizes]),
        ("memory of the store, GiB", [f"{need.store_memory / GIB:,.1f}" for _, need in sizes]),
        ("and of a day's messages, GiB", [f"{day(load) * kept / GIB:,.1f}" for load, _ in sizes]),
        ("of a year's, GiB", [f"{365 * day(load) * kept / GIB:,.0f}" for load, _ in sizes]),
    ]  # fmt: skip
    return "\n".join(f"{name:32}" + "".join(f"{each:>14}" for each in row) for name, row in rows)


def compared(found: Mapping[str, Any]) -> str:
    """A run beside what was predicted of it."""
    lines = [f"{'':32}{'predicted':>14}{'measured':>14}{'apart':>10}"]
    for name, (predicted, measured) in found["proof"].items():
        apart = predicted / measured - 1
        lines.append(f"{name:32}{predicted:14.4f}{measured:14.4f}{apart:10.0%}")
    return "\n".join(lines)


def said(found: Mapping[str, Any]) -> str:
    """Costs, the run that proves them, and the table, as text."""
    costs = "\n".join(f"{name:40}{value:12,.1f}" for name, value in found["costs"].items())
    return (
        f"What things cost (us of processor time, bytes, KiB)\n\n{costs}\n\n"
        f"A run that they were not taken from, a second of it\n\n{compared(found)}\n\n"
        f"The busiest hour\n\n{table(found['costs'])}"
    )
