"""What is said first on each connection to the store, and whether the answers let us in."""

from collections.abc import Sequence
from typing import Any, Final

from chat.store.errors import StoreUnavailable
from chat.store.link.address import Address

__all__ = ["check_login", "login_commands"]

Command = tuple[bytes | str | int, ...]

FULL: Final = frozenset({"MISCONF", "OOM", "READONLY", "NOREPLICAS"})
"""First words of the error replies of a store that can't be written to, and can be read."""


def login_commands(address: Address) -> list[Command]:
    """What to send on a new connection, all at once; ``check_login`` takes the answers.

    A store that is still reading its file accepts SELECT and refuses PING. What the Sentinels call
    the master may have been one until a moment ago, so it is asked itself.
    """
    commands: list[Command] = []
    if address.password is not None:
        user = () if address.username is None else (address.username,)
        commands.append((b"AUTH", *user, address.password))
    commands.append((b"SELECT", address.db))
    if address.sentinels:
        commands.append((b"ROLE",))
    commands.append((b"PING",))
    return commands


def check_login(address: Address, replies: Sequence[Any]) -> None:
    """Judge the answers to ``login_commands``: hiredis' values, errors among them.

    :raises StoreUnavailable: the store does not let us in, or is not the one to write to; the text
        says why.
    """
    *before, ping = replies
    for reply in before:
        if isinstance(reply, Exception):
            raise StoreUnavailable(f"The store does not let us in: {reply}")
    if address.sentinels and before[-1][0] != b"master":
        raise StoreUnavailable("The store is a replica now.")
    # One whose disk or memory is full, or whose replicas are away, can still be read.
    if isinstance(ping, Exception) and str(ping).partition(" ")[0] not in FULL:
        raise StoreUnavailable(str(ping))
