"""ChatClient: one user's chat over a connection that reconnects; for bots, scripts and screens."""

import random as _random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace
from twisted.internet.interfaces import IStreamClientEndpoint

from chat.client.delivery.outbox import Outbox
from chat.client.delivery.sender import SentMessage
from chat.client.delivery.stream import Stream
from chat.client.errors import (
    BadServer,
    ClientError,
    Closed,
    FateUnknown,
    NotConnected,
    Refused,
    Untrusted,
)
from chat.client.events import Connected, ConnectionState, Event, LoggedIn, Position
from chat.client.network.address import DEFAULT_SERVER, endpoint_for
from chat.client.network.asker import READING, granted
from chat.client.network.trust import AUTHORITIES, Trust
from chat.client.pages import HistoryPage, SearchPage
from chat.client.requests import Requests
from chat.client.session import VERSION, Options, Session
from chat.messages import (
    Account,
    Conversation,
    Entry,
    HistoryMes,
    LoginMes,
    LogoutMes,
    LogoutResMes,
    RegisterMes,
    RegisterResMes,
    SearchMes,
    SearchResMes,
    User,
)

__all__ = [
    "DEFAULT_SERVER",
    "BadServer",
    "ChatClient",
    "ClientError",
    "Closed",
    "FateUnknown",
    "HistoryPage",
    "NotConnected",
    "Outbox",
    "Position",
    "Refused",
    "SearchPage",
    "SentMessage",
    "Trust",
    "Untrusted",
]


class ChatClient(Requests):
    """One user's chat.

    :param reactor: what Twisted calls a reactor: time and connections.
    :param server: a Twisted client endpoint string, or ``host:port``.
    :param device: at most 64 characters; the same device logged in again replaces this one.
    :param outbox: where messages wait until they are stored; by default only in memory.
    :param positions: how far this device has each conversation; what is above is fetched and
        handed out after login. Default: nothing, start with what comes from now on.
    :param missed: where ``positions`` says nothing, start at the user's ``delivered`` mark.
    :param fill_limit: a larger hole is not fetched but reported by GapSkipped; None: fetch all.
    :param acknowledge: move the user's ``delivered`` mark for what was handed out.
    :param pipeline: messages per conversation that may be unanswered at a time. 1 keeps the
        order of what is sent even when the server refuses for the moment.
    :param language: ``en`` or ``zh``, of the server's sentences in errors; by default its own.
    :param trust: whom to believe over TLS (``tls:host:port``): authorities, or a fingerprint.
    :param endpoint: used instead of ``server``.
    :param random: a number from 0 to 1, for the jitter of back-off.
    :param now: the time of day in seconds since 1970 UTC, where the reactor's ``seconds`` is not.
    """

    def __init__(
        self,
        reactor: Any,
        server: str = DEFAULT_SERVER,
        *,
        device: str = "",
        outbox: Outbox | None = None,
        positions: Mapping[str, Position] | None = None,
        missed: bool = False,
        fill_limit: int | None = None,
        acknowledge: bool = True,
        pipeline: int = 1,
        language: str = "",
        trust: Trust = AUTHORITIES,
        endpoint: IStreamClientEndpoint | None = None,
        random: Callable[[], float] | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._session = Session(
            reactor,
            endpoint or endpoint_for(reactor, server, trust),
            outbox or Outbox(),
            Options(device, positions or {}, missed, fill_limit, acknowledge, pipeline, language),
            random or _random.random,
            now or reactor.seconds,
        )
        self._device = device
        self._language = language

    # The connection ----------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """How the connection stands."""
        return self._session.link.state

    @property
    def user(self) -> User | None:
        """Who is logged in, or was when the connection broke; None before the first login."""
        return self._session.login.user

    @property
    def token(self) -> str:
        """What logs this device in without the password, "" before the first login. Keep it
        where nobody else can read it."""
        credentials = self._session.credentials
        return credentials.token if credentials else ""

    @property
    def device(self) -> str:
        """What this installation is called among the user's devices."""
        return self._device

    @property
    def durability(self) -> str:
        """``everysec``, ``always`` or ``replicated``: what the server promises."""
        return self._session.login.durability

    @property
    def scope(self) -> str:
        """``all``: every change of presence is told; ``watched``: only those of users whom one
        ``watch``es, and of private partners."""
        return self._session.presence.scope

    @property
    def features(self) -> tuple[str, ...]:
        """What the server can do that not every server can, by name (as of the last login):
        ``reply`` means that it keeps which message another one answers."""
        return self._session.login.features

    @property
    def content_limit(self) -> int:
        """Bytes of UTF-8 that a message may have (as of the last login), 0 where the server did not
        say."""
        return self._session.login.content_limit

    @property
    def clock_offset(self) -> float:
        """Seconds to add to this machine's clock to have the server's (as of the last login)."""
        return self._session.clock_offset

    async def connect(self, timeout: float | None = None) -> None:
        """Open a connection, without logging in. ``register`` and ``log_in`` do it by themselves.

        :param timeout: seconds in which to try again and again; 0: one try; None: no end.
        :raises NotConnected: nobody answered.
        :raises Untrusted: somebody did, and did not prove who it is.
        """
        await self._session.reach(Connected, LoggedIn, timeout=timeout)

    async def register(
        self, name: str, password: str, user_id: int = 0, invitation: str = ""
    ) -> int:
        """Make an account (and do not log in).

        :param user_id: the id wanted, 0: the server picks one.
        :param invitation: a code, where the server asks for one.
        :returns: the user id.
        :raises Refused: 505 the id or the name is taken, 506 any other refusal.
        :raises NotConnected: nobody answers (one try).
        :raises FateUnknown: sent, and no answer came.
        """
        await self.connect(timeout=0)
        wire = self._session.link.wire
        if wire is None:
            raise NotConnected("there is no connection")
        account = Account(user_id, password, name)
        request = RegisterMes(account, VERSION, invitation, self._language)
        reply = granted(await wire.ask(request, RegisterResMes))
        return reply.user_id

    async def log_in(
        self,
        who: int | str,
        password: str = "",
        token: str = "",
        *,
        timeout: float | None = None,
    ) -> User:
        """Log in, and stay logged in over reconnects until ``close``.

        :param who: a user id or a user name.
        :param timeout: seconds in which to try to get through; 0: one try; None: no end.
        :raises Refused: 500 no such user, 403 wrong password or token, 505 any other refusal,
            429 too many devices.
        :raises NotConnected: nobody answered; the link has stopped trying.
        """
        if isinstance(self.state, LoggedIn):
            raise ClientError("somebody is logged in already")
        user_id, name = (who, "") if isinstance(who, int) else (0, who)
        self._session.credentials = LoginMes(
            VERSION, user_id, name, "" if token else password, token, self._device, self._language
        )
        try:
            await self._session.reach(LoggedIn, timeout=timeout)
        except ClientError:
            # otherwise they would be used again when ``register`` connects
            self._session.credentials = None
            raise
        assert self.user is not None
        return self.user

    def reconnect_now(self) -> None:
        """Try at once instead of waiting; does nothing in other states than Waiting."""
        self._session.link.reconnect_now()

    async def log_out(self, everywhere: bool = False, devices: Iterable[str] = ()) -> None:
        """End this session and its token (``everywhere``: all of the user's; ``devices``: what
        these have, too), and close; what waits in the outbox is for the next login.

        :raises ClientError: the server did not say that they have ended; closed all the same.
        """
        self._session.sender.stop()
        try:
            for each in devices:
                with suppress(Refused):  # It is logged out already.
                    await self.revoke(each)
            await self._session.asker.ask(LogoutMes(everywhere), LogoutResMes)
        finally:
            self._session.credentials = None
            await self.close()

    async def close(self) -> None:
        """Send the acknowledgements that are due and close; what is unsent stays in the outbox."""
        await self._session.close()

    async def __aenter__(self) -> "ChatClient":
        """``async with ChatClient(...) as client``: closed at the end."""
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener`` with every event of ``chat.client.events`` from now on, in the
        reactor's thread. What it raises is logged.

        :returns: a function that ends this.
        """
        return self._session.hub.listen(listener)

    # Messages ----------------------------------------------------------------------------------

    def send(self, to: str, text: str, client_id: str = "", *, reply: int = 0) -> SentMessage:
        """Say something; works without a connection too, it is sent when there is one.

        :param to: ``#room``, ``@<userId>`` or ``@<userName>``.
        :param text: 1 to 16,384 bytes of UTF-8 as a rule; the server judges.
        :param client_id: 1 to 64 printable ASCII characters that name this message for a day:
            sent twice under one, it is stored once. Made here when it is empty.
        :param reply: the ``seq`` of the entry of that conversation that it answers, 0 for none.
        :raises ValueError: ``to`` or ``text`` cannot be encoded as UTF-8, or ``client_id`` or
            ``reply`` is none.
        :raises OSError: the outbox's file cannot be written; the message is not kept.
        """
        return self._session.sender.send(to, text, client_id, reply)

    @property
    def outgoing(self) -> Sequence[SentMessage]:
        """What is in the outbox: queued, sending or failed; oldest first. What has failed stays
        until it is sent by ``retry`` or dropped by ``withdraw``."""
        return self._session.sender.messages

    def withdraw(self, client_id: str) -> bool:
        """Take back a message that is Queued, or drop one that has Failed.

        :returns: whether that was still possible.
        """
        return self._session.sender.withdraw(client_id)

    def retry(self, client_id: str) -> bool:
        """Send a message that has Failed once more.

        :returns: whether there is such a message.
        """
        return self._session.sender.retry(client_id)

    def messages(self, *, own: bool = False, every_kind: bool = False) -> Stream:
        """Everything that is said from now on (from the positions on), in each conversation
        contiguous, in order, and once; over reconnects, until ``close``.

        Ask for it before ``log_in``, or right after it: what was missed comes soon after the login,
        and nobody keeps it for a reader who comes later.

        What a slow reader has not asked for waits, ten thousand entries at most; more are
        fetched again from the server when they are asked for.

        :param own: own messages too.
        :param every_kind: topics, joins, redactions, deleted entries too.
        """

        def wanted(entry: Entry) -> bool:
            mine = self.user is not None and entry.user_id == self.user.user_id
            return (own or not mine) and (every_kind or not (entry.kind or entry.deleted))

        async def fetch(conversation: str, after: int) -> tuple[Entry, ...]:
            return (await self.history(conversation, after=after, limit=200)).entries

        stream = Stream(wanted, fetch, self._session.hub.sleep)
        self._session.hub.feed(stream)
        return stream

    @property
    def conversations(self) -> Mapping[str, Conversation]:
        """The user's conversations by name, as far as the server has told: after a login the
        newest hundred, the rest soon after it."""
        return MappingProxyType(self._session.catalogue.conversations)

    async def all_conversations(self) -> Mapping[str, Conversation]:
        """``conversations``, as soon as the server has told all of them.

        :raises Closed: nobody has logged in, or the client was closed before.
        """
        await self._session.all_listed()
        return self.conversations

    @property
    def positions(self) -> Mapping[str, Position]:
        """How far each conversation was handed out; to be kept for the next start.

        What waits in ``messages`` for a slow reader counts. A bot that must not lose that when it
        ends keeps ``Position(message.epoch, message.seq)`` of what it has dealt with instead.
        """
        return self._session.follower.positions

    async def history(
        self,
        conversation: str,
        *,
        before: int = 0,
        after: int | None = None,
        limit: int = 50,
    ) -> HistoryPage:
        """A page of a conversation: the newest; the newest below ``before``; or the oldest above
        ``after``. Bounds are exclusive. Does not touch what ``messages`` hands out.

        :param limit: 1 to 200.
        :raises Refused: 403 not a member, 404 no such conversation.
        """
        request = HistoryMes(conversation, before=before, after=after, limit=limit)
        reply = await self._session.history(request)
        name = reply.conversation or conversation
        self._session.follower.learned(name, reply.epoch, reply.epoch_first)
        entries = tuple(replace(each, conversation=name) for each in reply.messages)
        return HistoryPage(entries, reply.epoch, reply.epoch_first, reply.first, reply.more)

    async def search(
        self, text: str, conversation: str = "", *, before: int = 0, skip: int = 0, limit: int = 50
    ) -> SearchPage:
        """Entries that contain ``text``.

        :param before: ms since 1970 UTC, 0: now; :param skip: so many of the last of those ms are
            known. Both are a page's, for the one behind it.
        """
        request = SearchMes(text, conversation, before, limit, skip)
        reply = await self._session.asker.ask(request, SearchResMes, READING)
        return SearchPage(reply.messages, reply.more, reply.before, reply.skip)

    def mark_read(self, conversation: str, seq: int | None = None) -> None:
        """The user has read up to ``seq`` (None: up to what was handed out). Sent at most once a
        second per conversation; never goes back."""
        self._session.mark_read(conversation, seq)
