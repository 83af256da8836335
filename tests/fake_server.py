"""A small server in memory for tests of the client: it keeps its word, or breaks it as told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IAddress, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.test import iosim
from zope.interface import implementer

from chat import codec, messages
from chat.messages import Conversation, Entry, Message, User

Handler = Callable[["FakeConnection", Any], Message | None]


@dataclass
class Place:
    """One conversation: entry n has index n - 1."""

    name: str
    epoch: str = "e1"
    epoch_first: int = 1
    first: int = 1
    entries: list[Entry] = field(default_factory=list)

    @property
    def seq(self) -> int:
        return len(self.entries)

    def conversation(self) -> Conversation:
        seq = self.seq
        return Conversation(self.name, self.epoch, self.epoch_first, seq, self.first, 0, 0)

    def append(
        self, user: User, content: str, client_id: str = "", kind: str = "", reply: int = 0
    ) -> Entry:
        entry = Entry(
            self.seq + 1,
            self.epoch,
            kind,
            user.user_id,
            user.user_name,
            content,
            1_700_000_000_000 + self.seq,
            client_id,
            conversation=self.name,
            reply=reply,
        )
        self.entries.append(entry)
        return entry

    def roll_back(self, keep: int, epoch: str) -> None:
        """The store was restored from a backup that knew ``keep`` entries."""
        del self.entries[keep:]
        self.epoch, self.epoch_first = epoch, keep + 1


class FakeServer(Factory):
    """Alice (100) and Bob (101), the lobby, and whatever a test adds.

    :ivar received: every request that came, in order.
    :ivar handlers: a function by request type that answers instead; None: no answer.
    :ivar lose: whether a push to a connection is lost, asked for each.
    """

    noisy = False

    def __init__(self) -> None:
        self.users = {100: User(100, "alice", 0), 101: User(101, "bob", 0)}
        self.passwords = {100: "wonderland", 101: "builder"}
        self.places = {"#lobby": Place("#lobby")}
        self.connections: list[FakeConnection] = []
        self.received: list[Message] = []
        self.handlers: dict[type[Message], Handler] = {}
        self.lose: Callable[[Entry], bool] = lambda entry: False
        self.known: dict[tuple[str, str], Entry] = {}
        self.page = 200
        self.listed_at_login = 100
        self.tokens = "token"
        self._logins: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> "FakeConnection":
        return FakeConnection(self)

    @property
    def last(self) -> "FakeConnection":
        """The newest connection."""
        return self.connections[-1]

    def of(self, kind: type[Any]) -> list[Any]:
        """The requests of one type."""
        return [each for each in self.received if isinstance(each, kind)]

    def logged_in(self) -> "Deferred[None]":
        """Fires when the next login was answered."""
        login: Deferred[None] = Deferred()
        self._logins.append(login)
        return login

    def note_login(self) -> None:
        logins, self._logins = self._logins, []
        for login in logins:
            login.callback(None)

    def tokens_end(self) -> None:
        """All tokens that were given out are worth nothing from now on."""
        self.tokens += "x"

    def find(self, who: messages.LoginMes | messages.LookupMes) -> User | None:
        for user in self.users.values():
            if user.user_id == who.user_id or user.user_name == who.user_name:
                return user
        return None

    def place(self, name: str) -> Place:
        return self.places.setdefault(name, Place(name))

    def say(
        self, name: str, content: str, user_id: int = 101, kind: str = "", reply: int = 0
    ) -> Entry:
        """Somebody else says something; everybody logged in gets it."""
        entry = self.place(name).append(self.users[user_id], content, kind=kind, reply=reply)
        self.deliver(entry)
        return entry

    def deliver(self, entry: Entry, but: "FakeConnection | None" = None) -> None:
        if self.lose(entry):
            return
        for connection in self.connections:
            if connection is not but and connection.user is not None:
                connection.push(entry)


class FakeConnection(Protocol):
    """One client at the fake server."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.user: User | None = None
        self.request_id: str | None = None
        self._reader = codec.FrameReader()
        self._end: Deferred[None] = Deferred()

    def ended(self) -> "Deferred[None]":
        """Fires when the connection is gone."""
        return self._end

    def connectionMade(self) -> None:
        self.server.connections.append(self)

    def connectionLost(self, reason: Any = None) -> None:
        if self in self.server.connections:
            self.server.connections.remove(self)
        self._end.callback(None)

    def dataReceived(self, data: bytes) -> None:
        for body in self._reader.feed(data):
            request, request_id = codec.decode(body, messages.REQUESTS)
            self.server.received.append(request)
            self.request_id = request_id
            handler = self.server.handlers.get(type(request), _answer)
            reply = handler(self, request)
            if reply is not None:
                self.reply(reply, request_id)
            if isinstance(reply, messages.LoginResMes) and reply.code == 200:
                self.server.note_login()

    def reply(self, message: Message, request_id: str | None = None) -> None:
        self.transport.write(codec.encode(message, request_id))

    def push(self, entry: Entry) -> None:
        values = {name: getattr(entry, name) for name in messages.SmsPush.__struct_fields__}
        self.reply(messages.SmsPush(**values))

    def bye(self, code: int, error: str = "", retry_after: float = 0) -> None:
        self.reply(messages.ByeMes(code, error, retry_after))
        self.transport.loseConnection()

    def cut(self) -> None:
        self.transport.abortConnection()


def _answer(connection: FakeConnection, request: Message) -> Message | None:
    handler = _HANDLERS.get(type(request))
    return handler(connection, request) if handler is not None else messages.ErrorMes(400)


def _log_in(connection: FakeConnection, request: messages.LoginMes) -> Message:
    server = connection.server
    user = server.find(request)
    if user is None:
        return messages.LoginResMes(500, "no such user")
    right = request.user_pwd == server.passwords[user.user_id]
    if not right and request.token != f"{server.tokens}-{user.user_id}":
        return messages.LoginResMes(403, "wrong password")
    connection.user = user
    places = [place.conversation() for place in server.places.values()]
    return messages.LoginResMes(
        200,
        users_id=tuple(server.users),
        user=user,
        token=f"{server.tokens}-{user.user_id}",
        server_time=1_700_000_000_000,
        durability="everysec",
        features=("reply",),
        scope="all",
        conversations=tuple(places[: server.listed_at_login]),
        more=len(places) > server.listed_at_login,
        content_limit=100,
    )


def _register(connection: FakeConnection, request: messages.RegisterMes) -> Message:
    server, account = connection.server, request.user
    if any(user.user_name == account.user_name for user in server.users.values()):
        return messages.RegisterResMes(505, "that name is taken")
    user_id = account.user_id or max(server.users) + 1
    server.users[user_id] = User(user_id, account.user_name, 1)
    server.passwords[user_id] = account.user_pwd
    return messages.RegisterResMes(200, "", user_id)


def send(connection: FakeConnection, request: messages.SmsMes) -> Message:
    """Store a message, once for each ``clientId``, and hand it to the others."""
    server, user = connection.server, connection.user
    assert user is not None
    known = server.known.get((request.to, request.client_id))
    duplicate = known is not None
    place = server.place(request.to)
    entry = known or place.append(user, request.content, request.client_id, reply=request.reply)
    server.known[request.to, request.client_id] = entry
    if not duplicate:
        server.deliver(entry, but=connection)
    return messages.SmsResMes(
        200,
        client_id=request.client_id,
        conversation=place.name,
        epoch=place.epoch,
        epoch_first=place.epoch_first,
        seq=entry.seq,
        time=entry.time,
        duplicate=duplicate,
    )


def store_and_say_nothing(connection: FakeConnection, request: messages.SmsMes) -> None:
    """The same, and its answer is lost."""
    send(connection, request)


def history(connection: FakeConnection, request: messages.HistoryMes) -> Message:
    """A page as the protocol has it (Reading, marks, receipts)."""
    place = connection.server.places.get(request.conversation)
    if place is None:
        return messages.HistoryResMes(code=404, error="no such conversation")
    head = (place.name, place.epoch, place.epoch_first, place.first)
    if request.epoch not in ("", place.epoch):
        return messages.HistoryResMes(
            conversation=head[0], epoch=head[1], epoch_first=head[2], first=head[3]
        )
    low = max(place.first - 1, request.after or 0)
    high = request.before or place.seq + 1
    found = [entry for entry in place.entries if low < entry.seq < high]
    limit = min(request.limit, connection.server.page)
    more = len(found) > limit
    found = found[:limit] if request.after is not None else found[-limit:]
    return messages.HistoryResMes(
        conversation=head[0],
        epoch=head[1],
        epoch_first=head[2],
        first=head[3],
        messages=tuple(found),
        more=more,
    )


def conversations(connection: FakeConnection, request: messages.ConversationsMes) -> Message:
    """A page of the list of conversations."""
    places = list(connection.server.places.values())
    start = ["", *(place.name for place in places)].index(request.after)
    page = places[start : start + connection.server.listed_at_login]
    return messages.ConversationsResMes(
        conversations=tuple(place.conversation() for place in page),
        more=start + len(page) < len(places),
    )


def _online(connection: FakeConnection, request: messages.OnlineMes) -> Message:
    users = [user for user in connection.server.users.values() if user.user_id > request.after]
    limit = min(request.limit, connection.server.page)
    return messages.OnlineResMes(
        users=tuple(users[:limit]), total=len(connection.server.users), more=len(users) > limit
    )


def join(connection: FakeConnection, request: messages.JoinMes) -> Message:
    place = connection.server.place(request.conversation)
    return messages.JoinResMes(
        200,
        conversation=place.name,
        epoch=place.epoch,
        epoch_first=place.epoch_first,
        seq=place.seq,
        first=place.first,
        delivered=place.seq,
        read=place.seq,
        topic=request.topic,
    )


def _look_up(connection: FakeConnection, request: messages.LookupMes) -> Message:
    user = connection.server.find(request)
    return messages.LookupResMes(code=200 if user else 404, user=user)


_HANDLERS: dict[type[Message], Any] = {
    messages.LoginMes: _log_in,
    messages.RegisterMes: _register,
    messages.SmsMes: send,
    messages.HistoryMes: history,
    messages.ConversationsMes: conversations,
    messages.OnlineMes: _online,
    messages.JoinMes: join,
    messages.LookupMes: _look_up,
    messages.AckMes: lambda connection, request: None,
    messages.PingMes: lambda connection, request: messages.PongMes(1_700_000_000_000),
    messages.LeaveMes: lambda connection, request: messages.LeaveResMes(),
    messages.TopicMes: lambda connection, request: messages.TopicResMes(),
    messages.RedactMes: lambda connection, request: messages.RedactResMes(),
    messages.EditMes: lambda connection, request: messages.EditResMes(),
    messages.StatusMes: lambda connection, request: messages.StatusResMes(),
    messages.WatchMes: lambda connection, request: messages.WatchResMes(),
    messages.LogoutMes: lambda connection, request: messages.LogoutResMes(),
    messages.PasswordMes: lambda connection, request: messages.PasswordResMes(token="token-new"),
}


@implementer(IStreamClientEndpoint)
class FakeNet:
    """An endpoint that leads to a FakeServer through memory.

    :ivar down: nobody answers there.
    :ivar attempts: how often somebody tried.
    """

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.down = False
        self.attempts = 0
        self._pumps: list[iosim.IOPump] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        self.attempts += 1
        if self.down:
            return fail(ConnectionRefusedError())
        client, server = factory.buildProtocol(None), self.server.buildProtocol(None)
        assert client is not None
        pump = iosim.connect(
            server,
            iosim.FakeTransport(server, isServer=True),
            client,
            iosim.FakeTransport(client, isServer=False),
            greet=False,
        )
        self._pumps.append(pump)
        return succeed(client)

    def flush(self) -> None:
        """Carry everything that was written, until nobody writes any more."""
        moved = True
        while moved:
            moved = False
            for pump in self._pumps:
                moved = bool(pump.pump()) or moved

    def cut(self) -> None:
        """Every connection breaks."""
        for connection in list(self.server.connections):
            connection.cut()
        self.flush()
