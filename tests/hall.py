"""A server's delivery without sockets and store: real sessions, a log in memory, a clock."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chat.codec import FrameReader
from chat.messages import User
from chat.server.context import Context
from chat.server.delivery.dialects import CURRENT, ORIGINAL
from chat.server.delivery.feed import Feed
from chat.server.factory import ChatFactory
from chat.server.phrases import Phrases
from chat.server.session import Session
from chat.server.settings import Settings
from chat.store.entries import Author, LoggedEntry, Page, Publication, from_log
from chat.store.keys import Keys, cid_name
from chat.store.post import Post
from chat.store.posting import Posting
from tests.hall_store import EPOCH, Belonging, Doorbell, Log, People, Scripts
from tests.peers import Frame, enveloped, framed

__all__ = ["Guest", "Hall"]


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
        self.log = Log(self.clock)
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
        self.context = Context(
            clock=self.clock, settings=chosen, phrases=Phrases(chosen), passwords=nothing,
            accounts=nothing, presence=people, limits=nothing, guesses=nothing, invitations=nothing,
            arrivals=nothing, conversations=log, rooms=belonging, moderation=belonging,
            posting=self.posting, editing=nothing, bus=bus, wall=self.clock.seconds,
        )  # fmt: skip
        self.registry, self.fanout = self.context.registry, self.context.fanout
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
        session.dialect = ORIGINAL if original else CURRENT
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
        if post is not None:
            self.clock.advance(0)
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
