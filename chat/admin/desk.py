"""What every subcommand works with: the store, its parts, and where to print."""

from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TooLate

from chat.admin.words import Words
from chat.client.cli.printing import safe_json
from chat.client.text import clean_line, fit, width
from chat.messages import User
from chat.names import BadName, id_or_name, room_name
from chat.server.guard.passwords import Passwords
from chat.server.settings import Settings
from chat.store.accounts import Accounts
from chat.store.administration import OPERATOR, Administration
from chat.store.conversations import Conversations
from chat.store.embedded.datadir import DataDirectory
from chat.store.errors import Unknown
from chat.store.invitations import Invitations
from chat.store.keys import LOBBY_CID, Keys, room_cid
from chat.store.link.address import Address
from chat.store.link.redis import Redis
from chat.store.moderation import Moderation
from chat.store.presence import Presence
from chat.store.rooms import Rooms

__all__ = ["OPERATOR", "Desk", "Stop", "address_of", "opened", "why"]

CONNECT_SECONDS: Final = 3.0
CALL_SECONDS: Final = 60.0
"""An administrator's call may be about very much; nobody else waits for its answer."""


WIDEST: Final = 40
"""Columns of the terminal that one column of a table takes, but for the last one."""


class Stop(Exception):
    """The command ends here, with this sentence on standard error and status 1."""


@dataclass
class Desk:
    """The store of a running server, and what is needed to work with it."""

    reactor: Any
    options: Namespace
    settings: Settings
    words: Words
    out: TextIO
    errors: TextIO
    redis: Redis
    keys: Keys

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.redis, self.keys)
        self.conversations = Conversations(self.redis, self.keys, self.accounts.names)
        self.administration = Administration(
            self.redis, self.keys, self.accounts, self.conversations
        )
        self.moderation = Moderation(self.redis, self.keys, self.conversations)
        self.rooms = Rooms(self.reactor, self.redis, self.keys, self.conversations)
        self.invitations = Invitations(self.redis, self.keys)
        self.presence = Presence(self.reactor, self.redis, self.keys, "admin")

    # Who and where

    async def user(self, who: str) -> User:
        """The user whom the command line names, by id or by name.

        :raises Stop: there is none.
        """
        try:
            account = await self.accounts.find(id_or_name(who))
        except Unknown:
            raise Stop(self.words("no-such-user", who=who)) from None
        return User(account.user_id, account.name)

    def room(self, name: str) -> str:
        """The id of a room.

        :raises Stop: this is not the name of a room.
        """
        try:
            return room_cid(room_name(name, 0))
        except BadName:
            raise Stop(self.words("no-such-room", room=name)) from None

    async def existing_room(self, name: str) -> str:
        """The id of a room that exists.

        :raises Stop: there is none of that name.
        """
        cid = self.room(name)
        if cid != LOBBY_CID and not await self.administration.exists(cid):
            raise Stop(self.words("no-such-room", room=name))
        return cid

    # Printing

    def show(self, value: dict[str, Any], text: str) -> None:
        """Print one thing: JSON for programs, a line for people."""
        print(safe_json(value) if self.options.json else clean_line(text), file=self.out)

    def table(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
        """Print several things of one kind. People see some of the columns, each cut where it would
        push all the others away."""
        if self.options.json:
            for row in rows:
                print(safe_json(row), file=self.out)
            return
        cells = [[_cell(row[column]) for column in columns] for row in rows]
        lines = [list(columns), *cells] if rows else []
        widths = [min(WIDEST, max(map(width, column))) for column in zip(*lines, strict=True)]
        for *line, last in lines:
            fitted = [fit(cell, taken) for cell, taken in zip(line, widths, strict=False)]
            print("  ".join([*fitted, last]).rstrip(), file=self.out)

    def done(self, key: str, **values: object) -> None:
        """Say what was done; programs know it by the exit status."""
        if not self.options.json:
            print(clean_line(self.words(key, **values)), file=self.out)

    def passwords(self, threads: int = 1) -> Passwords:
        """What hashes passwords as the server does. It has to be started and stopped."""
        return Passwords(self.reactor, self.settings.argon2, threads, 0)


def why(error: Exception) -> object:
    """What a sentence says of an error: of the system's errors its words and the file, without the
    number."""
    if not isinstance(error, OSError):
        return error
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror or error


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "-"
    return clean_line(str(value))


def address_of(settings: Settings, words: Words) -> Address:
    """The address of the store in these settings: the one that is named, or the embedded one.

    :raises Stop: no server has ever been started in the data directory.
    """
    if settings.store:
        return Address.parse(settings.store)
    socket = DataDirectory(settings.data, "").last_socket()
    if not socket or not Path(socket).exists():
        raise Stop(words("no-server", place=settings.data))
    return Address(path=socket)


@asynccontextmanager
async def opened(reactor: Any, address: Address, words: Words) -> AsyncIterator[Redis]:
    """A connection to a store.

    :raises Stop: it does not answer.
    """
    redis = Redis(reactor, address, deadline=CALL_SECONDS)
    redis.start()
    try:
        connecting = Deferred.fromCoroutine(redis.when_connected())
        connecting.addTimeout(CONNECT_SECONDS, reactor)
        try:
            await connecting
        except TooLate:
            why = redis.problem or words("silent")
            raise Stop(words("store-away", place=address, reason=why)) from None
        yield redis
    finally:
        await redis.stop()
