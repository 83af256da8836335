"""One user's chat behind ``ChatClient``: logs in, routes what comes, connects the parts."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from chat.client.delivery.acks import Acks
from chat.client.delivery.catalogue import Catalogue
from chat.client.delivery.follow import Follower
from chat.client.delivery.hub import Hub
from chat.client.delivery.listing import Listing
from chat.client.delivery.outbox import Outbox
from chat.client.delivery.presence import Presence
from chat.client.delivery.sender import Sender
from chat.client.errors import BadServer, ClientError, Closed, NotConnected, Refused
from chat.client.events import (
    Blocked,
    ConnectionChanged,
    ConnectionState,
    ConversationsListed,
    EpochChanged,
    ErrorArrived,
    Event,
    Invited,
    LoggedIn,
    MessageArrived,
    Outgoing,
    Position,
    ReceiptMoved,
    Stopped,
    Waiting,
)
from chat.client.network.asker import READING, Asker, closed, granted
from chat.client.network.link import Link
from chat.client.network.wire import Wire
from chat.messages import (
    BlockedMes,
    Conversation,
    ConversationMes,
    Entry,
    ErrorMes,
    HistoryMes,
    HistoryResMes,
    InvitationMes,
    LoginMes,
    LoginResMes,
    Message,
    PresenceMes,
    ReceiptMes,
    SmsPush,
    SmsResMes,
    User,
)

__all__ = ["VERSION", "Options", "Session"]

VERSION = 2
"""The generation of the protocol that is spoken here."""

CLOSE_WITHIN = 3.0
"""Seconds for what was written to leave before a connection is cut."""


@dataclass(frozen=True)
class Options:
    """As ``ChatClient`` has them."""

    device: str
    positions: Mapping[str, Position]
    missed: bool
    fill_limit: int | None
    acknowledge: bool
    pipeline: int
    language: str


class Session:
    """What one user has on one server, over any number of connections.

    :ivar login: the reply to the last login.
    :ivar clock_offset: seconds to add to this machine's time of day to have the server's.
    :ivar credentials: what the next connection logs in with, None for nobody.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        outbox: Outbox,
        options: Options,
        random: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self.login = LoginResMes(200)
        # the login since which all conversations were listed
        self._listed: LoginResMes | None = None
        self.clock_offset = 0.0
        self.credentials: LoginMes | None = None
        self.hub = Hub(clock)
        self.catalogue = Catalogue(self.hub.emit)
        self.link = Link(
            clock, endpoint, self._greet, self._pushed, self._state_changed, random, now
        )
        self.asker = Asker(clock, self.link, self.hub.sleep)
        self.presence = Presence(self.asker, self.hub.emit)
        self.follower = Follower(
            self.history,
            self.hub.sleep,
            self._handed_out,
            options.positions,
            options.missed,
            options.fill_limit,
        )
        self.sender = Sender(
            clock, now, outbox, self.asker.post, self.hub.emit, self._accepted, options.pipeline
        )
        self.acks = Acks(clock, self.asker.tell)
        self._listing = Listing(self.asker, self.hub.sleep, self.learn, self._unlisted)
        self._clock = clock
        self._now = now
        self._options = options

    # The connection ------------------------------------------------------------------------------

    async def reach(self, *wanted: type[ConnectionState], timeout: float | None) -> None:
        """Start the link, and wait until it has one of the states ``wanted``.

        :param timeout: seconds after which the link is stopped; 0 for one try, None to wait for
            ever.
        :raises Refused: the server does not let this user in.
        :raises Untrusted: the server does not prove who it is.
        :raises NotConnected: it took too long.
        """
        reason = "the server did not answer in time"
        timer = self._clock.callLater(timeout, self.hub.changed) if timeout else None
        self.link.start()
        try:
            while not isinstance(state := self.link.state, wanted):
                if isinstance(state, Stopped):
                    if state.error is not None:
                        raise state.error
                    raise Refused(state.code, state.reason) if state.code else Closed(state.reason)
                if isinstance(state, Waiting):
                    reason = state.reason
                late = timer is not None and not timer.active()
                if late or (timeout == 0 and isinstance(state, Waiting)):
                    self.link.stop(reason)
                    raise NotConnected(reason)
                await self.hub.change()
        finally:
            if timer is not None and timer.active():
                timer.cancel()

    async def close(self) -> None:
        """Send what is due, close the connection, and wait until it has ended."""
        wire = self.link.wire
        if isinstance(self.link.state, LoggedIn):
            self.acks.flush()
        self.link.stop()
        if wire is not None:
            cut = self._clock.callLater(CLOSE_WITHIN, wire.abort, "it did not close in time")
            await wire.ended()
            if cut.active():
                cut.cancel()

    def _state_changed(self, state: ConnectionState) -> None:
        if not isinstance(state, LoggedIn):
            self.sender.stop()
            self.acks.stop()
        self.hub.emit(ConnectionChanged(state))
        if isinstance(state, Stopped):
            end = closed(state)
            self.hub.end(end)
            self.sender.end(end)
        # Who waited for the login asks for messages now, before the first one is handed out.
        self.hub.changed()
        if isinstance(state, LoggedIn) and state is self.link.state:
            self._resume()

    # Logging in ----------------------------------------------------------------------------------

    async def _greet(self, wire: Wire) -> bool:
        if self.credentials is None:
            return False
        asked = self._now()
        reply = granted(await wire.ask(self.credentials, LoginResMes))
        if reply.user is None:
            raise BadServer("a LoginResMes without a user")
        if self.login.user is not None and self.login.user.user_id != reply.user.user_id:
            raise Refused(403, "this client belongs to another user")
        self.login = reply
        self.presence.scope = reply.scope or "all"
        self.clock_offset = reply.server_time / 1000 - (asked + self._now()) / 2
        if reply.token:
            self.remember_token(reply.token)
        self.catalogue.begin()
        self.follower.logged_in(reply.user.user_id)
        for each in reply.conversations:
            self.learn(each)
        return True

    def remember_token(self, token: str) -> None:
        """Log in with a token from now on; the password is not kept."""
        if self.login.user is not None:
            self.credentials = LoginMes(
                VERSION,
                user_id=self.login.user.user_id,
                token=token,
                device=self._options.device,
                language=self._options.language,
            )

    def _resume(self) -> None:
        """After a login: read the rest of the list, and send the marks and messages that wait."""
        self.acks.start()
        self.sender.start()
        self._in_background(self._list_the_rest(), "the conversations are not all known")
        for request in self.presence.renewals():
            self._in_background(request, "what was wanted of presence could not be said again")

    def _in_background(self, work: Awaitable[object], trouble: str) -> None:
        async def run() -> None:
            try:
                await work
            except ClientError as error:
                self.log.info("{trouble}: {error}", trouble=trouble, error=error)

        running = Deferred.fromCoroutine(run())
        running.addErrback(lambda failure: self.log.failure(trouble, failure))

    async def _list_the_rest(self) -> None:
        login, whole = self.login, True
        try:
            await self._listing.read(login)
        except (Refused, BadServer) as error:  # Nobody should wait for all of them any longer.
            whole = False
            self.log.info("the conversations are not all known: {error}", error=error)
        if self.login is not login:  # A later login reads a list of its own.
            return
        for name in self.catalogue.unlisted() if whole else ():
            self.gone(name)
        self.follower.all_listed()
        for name in tuple(self.catalogue.conversations):
            self._acknowledge(name)
        self._listed = login
        self.hub.emit(ConversationsListed())
        self.hub.changed()

    def _unlisted(self) -> set[str]:
        return {*self.catalogue.unlisted(), *self.follower.unlisted()}

    async def all_listed(self) -> None:
        """Wait until the catalogue is complete.

        :raises Closed: the client has stopped.
        """
        while self._listed is not self.login:
            if isinstance(state := self.link.state, Stopped):
                raise closed(state)
            await self.hub.change()

    # What comes ----------------------------------------------------------------------------------

    def _pushed(self, message: Message) -> None:
        match message:
            case SmsPush():
                self.follower.arrived(_entry(message))
            case ConversationMes(gone=True):
                self.gone(message.conversation)
            case ConversationMes():
                self._told(message)
            case PresenceMes():
                self.presence.told(message)
            case ReceiptMes():
                self.hub.emit(_receipt(message))
            case InvitationMes(room, user_id, name):
                self.hub.emit(Invited(room, user_id, name))
            case BlockedMes(user_id, name, block):
                self.hub.emit(Blocked(user_id, name, block))
            case SmsResMes():
                self.sender.settle(message)
            case ErrorMes():
                self.hub.emit(ErrorArrived(message.code, message.error, message.about))
            case _:
                pass

    async def history(self, request: HistoryMes) -> HistoryResMes:
        """Get a page of a conversation.

        One that no longer exists is forgotten: the store was rolled back to before its beginning,
        and whoever writes next begins it anew.

        :raises ClientError: as ``Asker.ask`` does.
        """
        try:
            page = await self.asker.ask(request, HistoryResMes, READING)
        except Refused as error:
            if error.code == 404:
                self.gone(request.conversation)
            raise
        me = self.login.user
        for each in page.messages:
            if each.client_id and me is not None and each.user_id == me.user_id:
                self.sender.found(each)
        return page

    def learn(self, found: Conversation) -> None:
        """Take over how a conversation stands, as the server says."""
        self.catalogue.learn(found)
        self.follower.listed(found)
        read = self.catalogue.conversations[found.conversation].read
        if read > found.read:  # The mark was sent on a connection that was dead already.
            self.acks.move(found.conversation, found.epoch, read=read)

    def _told(self, found: Conversation) -> None:
        """Marks or a topic have changed, or another device has joined the room."""
        if self.follower.position(found.conversation) is None:
            self.learn(found)
        else:
            # The newest entry may still be on its way as a push, which is not a hole.
            self.catalogue.learn(found)
            self.follower.learned(found.conversation, found.epoch, found.epoch_first)

    def gone(self, name: str) -> None:
        """The user is no longer in it."""
        self.follower.gone(name)
        self.acks.forget(name)
        self.catalogue.gone(name)

    # Handing out and marks -----------------------------------------------------------------------

    def _accepted(self, outgoing: Outgoing, reply: SmsResMes) -> None:
        """Hand out one's own message where its reply came: the server does not push it."""
        user = self.login.user or User(0, "")
        entry = Entry(
            reply.seq,
            reply.epoch,
            user_id=user.user_id,
            user_name=user.user_name,
            content=outgoing.text,
            time=reply.time,
            client_id=outgoing.client_id,
            conversation=reply.conversation,
            reply=outgoing.reply,
        )
        self.follower.accepted(entry, reply.epoch_first, reply.duplicate)

    def _handed_out(self, event: Event) -> None:
        match event:
            case MessageArrived(entry, mine):
                me = self.login.user
                self.catalogue.entry(entry, mine, me.user_id if me else 0)
                if mine and entry.client_id:
                    self.sender.seen(entry)
                self.hub.emit(event)
                self._acknowledge(entry.conversation)
            case EpochChanged(conversation, epoch, first):
                self.catalogue.epoch(conversation, epoch, first)
                self.hub.emit(event)
            case _:
                self.hub.emit(event)

    def _acknowledge(self, name: str) -> None:
        position, known = self.follower.position(name), self.catalogue.conversations.get(name)
        if not self._options.acknowledge or position is None or known is None:
            return
        if position.seq > known.delivered:
            self.acks.move(name, position.epoch, delivered=position.seq)

    def mark_read(self, name: str, seq: int | None) -> None:
        """The user has read up to ``seq``; None for everything that was handed out."""
        position = self.follower.position(name)
        if position is not None:
            seq = position.seq if seq is None else seq
            if self.catalogue.read(name, seq):
                self.acks.move(name, position.epoch, read=seq)


def _receipt(message: ReceiptMes) -> ReceiptMoved:
    return ReceiptMoved(
        message.conversation, message.user_id, message.epoch, message.delivered, message.read
    )


def _entry(push: SmsPush) -> Entry:
    return Entry(**msgspec.structs.asdict(push))
