"""A server's delivery without sockets and store: real sessions, a log in memory, a clock."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chat.codec import FrameReader
from chat.messages import Conversation, User
from chat.server.context import Context
from chat.server.delivery.fanout import FanOut
from chat.server.delivery.feed import Feed
from chat.server.delivery.presence import PresenceView
from chat.server.delivery.registry import Registry
from chat.server.delivery.voices import CURRENT, ORIGINAL
from chat.server.delivery.writes import Writes
from chat.server.factory import ChatFactory
from chat.server.phrases import Phrases
from chat.server.session import Session
from chat.server.settings import Settings
from chat.store.bus import Event
from chat.store.conversations import Position
from chat.store.entries import Author, LoggedEntry, Page, Publication, from_log
from chat.store.keys import Keys, cid_name
from chat.store.post import Post
from chat.store.posting import Posting
from tests.peers import Frame, enveloped, framed

__all__ = ["EPOCH", "Guest", "Hall", "Log"]

EPOCH = "1.abcdef"


class Log:
    """What the store keeps of every conversation; reading it takes until ``answer``, or no time.

    :ivar slow: reads wait for ``answer``.
    :ivar failure: what the next read raises instead.
    :ivar asked: how often somebody asked for one conversation.
    :ivar listed: the time on the lists of a private conversation, ms; that of its last entry if
        nothing is said here.
    """

    def __init__(self) -> None:
        self.entries: dict[str, list[LoggedEntry]] = defaultdict(list)
        self.slow = False
        self.failure: Exception | None = None
        self.listed: dict[str, int] = {}
        self.reads = self.asked = 0
        self._waiting: list[Deferred[None]] = []

    def append(self, cid: str, author: Author, content: str, client_id: str = "") -> LoggedEntry:
        """Keep one more entry."""
        seq = len(self.entries[cid]) + 1
        inner = author.says(content)
        json = b'{"seq":%d,"epoch":"%b",%b,"time":%d}' % (seq, EPOCH.encode(), inner, seq)
        entry = LoggedEntry(seq, author.user_id, client_id.encode(), json)
        self.entries[cid].append(entry)
        return entry

    async def read(self, cid: str, *, after: int, limit: int = 200) -> Page:
        """The oldest entries above ``after``."""
        self.reads += 1
        if self.slow:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return self.page(cid, after, limit)

    async def history(self, user_id: int, cid: str, *, before: int = 0, limit: int = 50) -> Page:
        """The newest entries below ``before``."""
        entries = self.entries[cid][: before - 1 if before else None]
        return Page(EPOCH, 1, 1, len(self.entries[cid]), entries[-limit:], len(entries) > limit)

    def page(self, cid: str, after: int, limit: int) -> Page:
        """The same at once."""
        entries = self.entries[cid]
        found = entries[after : after + limit]
        return Page(EPOCH, 1, 1, len(entries), found, after + limit < len(entries))

    async def positions(self, user_id: int, cids: Sequence[str]) -> list[Position]:
        """Where conversations stand."""
        return [Position(len(self.entries[cid]), 1, EPOCH, 1, "", "member", b"") for cid in cids]

    async def one(self, user_id: int, cid: str) -> Conversation:
        """One conversation."""
        self.asked += 1
        return Conversation(cid_name(cid, user_id), EPOCH, 1, len(self.entries[cid]), 1)

    async def seek(self, cid: str, moment: int) -> int:
        """The newest entry from before a moment; their times are their numbers."""
        return min(len(self.entries[cid]), max(0, moment - 1))

    async def rooms_of(self, user_id: int) -> list[str]:
        """None that nobody here has entered."""
        return []

    async def moved_since(self, user_id: int, moment: int) -> list[str]:
        """The private conversations of a user in which something was said since, by their list."""
        of_user = [cid for cid in self.entries if str(user_id) in cid.split(":")[1:]]
        return [cid for cid in of_user if self.listed.get(cid, moment) >= moment]

    @property
    def waiting(self) -> int:
        """How many reads wait."""
        return len(self._waiting)

    def answer(self) -> None:
        """Let every read that waits have its answer."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


class Belonging:
    """Nobody has to go, and everybody is where they belong."""

    async def join(self, author: Author, room: str, *how: Any) -> None:
        """Somebody is a member now."""

    async def ended(self, sessions: Sequence[tuple[int, str]]) -> list[str]:
        """Why they may not go on."""
        return [""] * len(sessions)

    async def strangers(self, cid: str, user_ids: Sequence[int]) -> list[int]:
        """Those who are no members."""
        return []


class Doorbell:
    """The bus as far as delivery asks it for anything.

    :ivar failure: what telling others raises.
    """

    failure: Exception | None = None

    async def hold_rooms(self, cids: Sequence[str]) -> None:
        """One session more hears rooms."""

    async def tell(self, user_id: int, event: Event) -> None:
        """Every server knows something about a user."""
        if self.failure is not None:
            raise self.failure

    async def fence(self) -> None:
        """All that was published before is heard: here, publications are heard at once."""

    def release_user(self, user_id: int) -> None:
        """One session less hears a user."""

    def release_room(self, cid: str) -> None:
        """One session less hears a room."""


class Scripts:
    """A store that takes every call, and answers when told what to.

    :ivar last: what was called last.
    """

    connected = True
    last: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self._waiting: list[Deferred[Any]] = []

    def script(self, *call: Any, at_once: bool) -> Deferred[Any]:
        """Call a script."""
        self.last = call
        waiter: Deferred[Any] = Deferred()
        self._waiting.append(waiter)
        return waiter

    def answer(self, *results: Any) -> None:
        """What the oldest call that waits came to, behind the tide."""
        self._waiting.pop(0).callback((1, *results))


class People:
    """Who is online, as far as anybody asks; answering takes until ``answer``, or no time.

    :ivar failure: what the next question raises instead.
    :ivar asked: how often anybody asked for a page.
    """

    def __init__(self) -> None:
        self.slow = False
        self.failure: Exception | None = None
        self.asked = 0
        self.ids: list[int] = []
        self._waiting: list[Deferred[None]] = []

    async def online(self, after: int, limit: int) -> tuple[list[User], int, bool]:
        """A page of the online list: nobody."""
        self.asked += 1
        if self.slow:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return [], 0, False

    async def online_ids(self, limit: int) -> tuple[list[int], int]:
        """The same without names: ``ids``."""
        self.asked += 1
        return self.ids[:limit], len(self.ids)

    async def leave(self, user: User, session: str) -> None:
        """Somebody is gone."""

    def answer(self) -> None:
        """Let every question that waits have its answer."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


class CountingTransport(StringTransport):
    """Counts the writes, and lets a test say that its buffer is full, and empty again."""

    bufferSize = 0
    writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        super().write(data)

    def fill_up(self) -> None:
        """More is buffered than may be."""
        self.producer.pauseProducing()

    def drain(self) -> None:
        """The client has read it all."""
        self.producer.resumeProducing()

    def resumeProducing(self) -> None:
        if not self.disconnecting:  # a socket's transport does not mind
            super().resumeProducing()

    def abortConnection(self) -> None:
        self.loseConnection()


class Guest:
    """One client: its session, its transport, and all that it was sent."""

    def __init__(self, session: Session, transport: CountingTransport) -> None:
        self.session = session
        self.transport = transport
        self._reader = FrameReader()
        self._frames: list[Frame] = []

    def send(self, kind: str, /, request_id: str | None = None, **data: Any) -> None:
        """Send a message, whole."""
        members = {} if request_id is None else {"id": request_id}
        self.receive(framed(enveloped(kind, data, **members)))

    def receive(self, data: bytes) -> None:
        """Bytes of the client come in."""
        self.session.connection.dataReceived(data)

    @property
    def frames(self) -> list[Frame]:
        """Everything it was sent."""
        new = self._reader.feed(self.transport.value())
        self.transport.clear()
        self._frames += [Frame.parse(each) for each in new]
        return self._frames

    def numbers(self, conversation: str) -> list[int]:
        """The numbers of one conversation, in the order they came."""
        return [
            frame.data["seq"]
            for frame in self.frames
            if frame.type in ("SmsMes", "SmsResMes")
            and frame.data.get("conversation") == conversation
        ]

    def contents(self) -> list[str]:
        """What it heard others say, in order."""
        return [frame.data["content"] for frame in self.frames if frame.type == "SmsMes"]


class Hall:
    """Delivery, and guests who are logged in."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.log = Log()
        self.people = People()
        chosen = Settings(**settings)
        self.scripts = Scripts()
        store: Any = self.scripts
        nothing: Any = None
        log: Any = self.log
        bus: Any = Doorbell()
        self.bus = bus
        people: Any = self.people
        belonging: Any = Belonging()
        self.posting = Posting(self.clock, store, Keys(), 7)
        self.registry, self.fanout, online = Registry(), FanOut(), PresenceView()
        self.context = Context(
            clock=self.clock, settings=chosen, phrases=Phrases(chosen), passwords=nothing,
            accounts=nothing, presence=people, limits=nothing, guesses=nothing, invitations=nothing,
            arrivals=nothing, conversations=log, rooms=belonging, moderation=belonging,
            posting=self.posting, bus=bus, registry=self.registry, fanout=self.fanout,
            online=online, writes=Writes(self.clock, self.posting), wall=self.clock.seconds,
        )  # fmt: skip
        online.context = self.context
        self.fanout.serve(self.context)
        self.factory = ChatFactory(self.context)

    # People ----------------------------------------------------------------------------------

    def stranger(self) -> Guest:
        """A connection that nobody has logged in on."""
        connection = self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        transport = CountingTransport()
        connection.makeConnection(transport)
        return Guest(connection.session, transport)

    def guest(self, user_id: int, *cids: str, original: bool = False) -> Guest:
        """Somebody who is logged in, live, and hears the rooms ``cids``."""
        guest = self.arriving(user_id, *cids, original=original)
        self.welcome(guest)
        return guest

    def arriving(self, user_id: int, *cids: str, original: bool = False) -> Guest:
        """Somebody who hears already and is held back, as during a login."""
        guest = self.stranger()
        session = guest.session
        session.voice = ORIGINAL if original else CURRENT
        session.user_id, session.device = user_id, "desk"
        session.author = Author(user_id, f"name{user_id}")
        session.feed = Feed(session)
        self.registry.add(session)
        for cid in cids:
            room = self.registry.add_to_room(session, cid)
            if room.position is None:
                room.position = len(self.log.entries[cid])
                room.begin_epoch(EPOCH, 1)
        session.user = User(user_id, session.author.name, 0)
        return guest

    def welcome(self, guest: Guest) -> None:
        """The login is done."""
        self.context.online.add(guest.session, 0)
        rooms = guest.session.rooms
        self.feed(guest).release({cid: self.registry.rooms[cid].position or 0 for cid in rooms})

    def feed(self, guest: Guest) -> Feed:
        """What a guest hears."""
        assert guest.session.feed is not None
        return guest.session.feed

    def tick(self) -> Deferred[None]:
        """What happens once a second."""
        return Deferred.fromCoroutine(self.fanout.tick())

    # What is said ----------------------------------------------------------------------------

    def say(
        self, cid: str, content: str, *, user_id: int = 99, by: Guest | None = None,
        client_id: str = "", heard: bool = True,
    ) -> int:  # fmt: skip
        """One more entry is stored, and published unless the bus loses it; its number.

        :param by: who waits for SmsResMes; else it came by another server.
        """
        author = by.session.author if by else Author(user_id, f"name{user_id}")
        post = None
        if by is not None:
            post = Post(by.session, cid, author, content, client_id, "id-of-the-request")
            self.posting.post(post)
            self.clock.advance(0)
        entry = self.log.append(cid, author, content, client_id)
        if post is not None:
            self.scripts.answer(entry.seq)
        if heard:
            self.publish(cid, [entry], post)
        return entry.seq

    def publish(self, cid: str, entries: Sequence[LoggedEntry], post: Post | None = None) -> None:
        """The bus brings entries, as one turn of the reactor."""
        users = [0] if cid.startswith("r:") else [int(each) for each in cid.split(":")[1:]]
        for user_id in users:
            self.bring(cid, entries, post, user_id)
        self.fanout.turn_ended()

    def bring(
        self, cid: str, entries: Sequence[LoggedEntry], post: Post | None = None, user_id: int = 0
    ) -> None:
        """The bus brings entries for a room, or for one of two users, and may bring more."""
        page = Page(EPOCH, 1, 1, 0, entries, False)
        news = from_log(page, cid, cid_name(cid, user_id))
        if post is not None:
            (header,) = news.headers
            news.headers = [header._replace(server=7, serial=post.serial)]
        self.fanout.published(user_id, self.parsed(news))

    @staticmethod
    def parsed(news: Publication) -> Publication:
        """What arrives is another object than what was sent."""
        return Publication(
            news.cid, news.conversation, news.epoch, news.epoch_first, list(news.headers),
            news.senders, news.split,
        )  # fmt: skip
