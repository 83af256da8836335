"""What every command needs: its options, the remembered login, a time limit."""

import time
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TextIO, TypeVar

from twisted.internet.defer import Deferred

from chat.client.api import ChatClient, Refused
from chat.client.cli.printing import Printer
from chat.client.cli.secret import PasswordSource
from chat.client.files.paths import DeviceSlot, Profile
from chat.client.language.cli_words import Phrases
from chat.client.language.reasons import reason
from chat.client.language.words import Words
from chat.client.network.address import DEFAULT_SERVER, server_string
from chat.client.text import clean_line
from chat.names import id_or_name

__all__ = ["Context", "Status", "Stop", "logged_in", "remember_account", "within"]

_T = TypeVar("_T")


class Status(IntEnum):
    """The exit statuses."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_CONNECTION = 3
    FATE_UNKNOWN = 4
    BUSY = 5
    UNWRITABLE = 74  # EX_IOERR of sysexits.h
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Stop(Exception):
    """The command ends here, with a status and a sentence for standard error."""

    def __init__(self, status: Status, sentence: str = "") -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Context:
    """What a command works with."""

    reactor: Any
    options: Namespace
    phrases: Phrases
    printer: Printer
    errors: TextIO
    stdin: Any
    profile: Profile
    server: str = field(init=False)
    user: str = field(init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        known = self.profile.remembered()
        given = self.options.server
        self.server = server_string(given or (known.server if known else DEFAULT_SERVER))
        same = known is not None and known.server == self.server
        self.user = self.options.user or (known.user if known is not None and same else "")
        self.begin()

    def begin(self) -> None:
        """The time of the timeout begins now."""
        self._began = self.reactor.seconds()

    @property
    def secret(self) -> PasswordSource:
        """Where the password comes from, if one is needed."""
        options = self.options
        return PasswordSource(options.password_file, options.password_command, self.phrases)

    def accept(self, fingerprint: str) -> None:
        """Trust the server from now on when it shows that certificate."""
        self.profile.known_servers.accept(self.server, fingerprint)

    def left(self) -> float:
        """Seconds left of the timeout."""
        passed = self.reactor.seconds() - self._began
        return max(0.0, float(self.options.timeout - passed))

    def why(self, error: object) -> str:
        """Why there is no connection, in the reader's language."""
        return reason(str(error), Words(self.phrases.language))

    def tell(self, key: str, **values: object) -> None:
        """Print a sentence for the person, on standard error."""
        self.say(self.phrases(key, **values))

    def say(self, sentence: str) -> None:
        """The same with a sentence that is ready."""
        print(f"chatroom: {clean_line(sentence)}", file=self.errors, flush=True)

    def client(self, device: str = "", **options: Any) -> ChatClient:
        """A client for the server.

        :raises Stop: the server is written wrongly.
        """
        try:
            trust = self.profile.trust(self.server, self.options.ca, self.options.fingerprint)
            return ChatClient(
                self.reactor,
                self.server,
                device=device,
                trust=trust,
                now=time.time,
                language=self.phrases.language,
                **options,
            )
        except ValueError as error:
            raise Stop(Status.USAGE, self.phrases.address(error)) from None


def within(context: Context, work: Coroutine[Any, Any, _T]) -> "Deferred[_T]":
    """Do something in the time that is left of the timeout, but give it a second at least.

    :raises TooLate: it took longer.
    """
    doing = Deferred.fromCoroutine(work)
    doing.addTimeout(max(1.0, context.left()) if context.options.timeout else 30, context.reactor)
    return doing


# Logging in ------------------------------------------------------------------------------------


@asynccontextmanager
async def logged_in(context: Context, **options: Any) -> AsyncIterator[ChatClient]:
    """A client that is logged in, with the token if there is one; it is closed at the end.

    :raises Stop: nobody said as whom, or too many programs do this at the same time.
    """
    if not context.user:
        raise Stop(Status.USAGE, context.phrases("who-are-you"))
    slot = context.profile.device(context.server, context.user)
    if slot is None:
        raise Stop(Status.BUSY, context.phrases("no-device"))
    client = context.client(slot.device, **options)
    try:
        await _log_in(context, client, slot)
        yield client
    finally:
        await client.close()
        slot.close()


async def _log_in(context: Context, client: ChatClient, slot: DeviceSlot) -> None:
    if not (slot.token and await _log_in_by_token(context, client, slot)):
        password = context.secret.read(context.user)
        await client.log_in(id_or_name(context.user), password, timeout=context.left())
    if client.token != slot.token:
        slot.keep(client.token)
    if context.profile.remembered() is None:
        context.profile.remember(context.server, context.user)


async def _log_in_by_token(context: Context, client: ChatClient, slot: DeviceSlot) -> bool:
    try:
        await client.log_in(id_or_name(context.user), token=slot.token, timeout=context.left())
    except Refused as error:
        if error.code != 403:
            raise
        slot.keep("")
        return False
    return True


async def remember_account(context: Context, slot: DeviceSlot, password: str) -> None:
    """Log in as the user who was just registered, and keep the token."""
    client = context.client(slot.device)
    try:
        await client.log_in(context.user, password, timeout=context.left())
        slot.keep(client.token)
        context.profile.remember(context.server, context.user)
    finally:
        await client.close()
        slot.close()
