"""The store's parts on a real Valkey, put together for a test."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chat.store.bus import Bus, Event, Listener
from chat.store.conversations import Conversations
from chat.store.editing import Editing
from chat.store.entries import Author, Header, Publication
from chat.store.keys import Keys
from chat.store.link.address import Address
from chat.store.link.redis import Redis
from chat.store.post import Post
from chat.store.posting import Posting
from chat.store.rooms import Rooms
from chat.store.tide import raise_generation
from tests.valkey import Valkey, start_for

__all__ = ["Heard", "Sender", "Store"]


class Heard(Listener):
    """Writes down what the bus says, and lets a test wait for it."""

    def __init__(self) -> None:
        self.publications: list[tuple[int, Publication]] = []
        self.events: list[tuple[int, Event]] = []
        self.returns = 0
        self.losses = 0
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def published(self, user_id: int, publication: Publication) -> None:
        self.publications.append((user_id, publication))
        self._look()

    def event(self, user_id: int, event: Event) -> None:
        self.events.append((user_id, event))
        self._look()

    def lost(self, silent: float) -> None:
        self.losses += 1
        self._look()

    async def came_back(self) -> None:
        self.returns += 1
        self._look()

    def until(self, true: Callable[[], bool]) -> Deferred[None]:
        """Fires as soon as ``true`` holds after something was heard."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((true, waiter))
        self._look()
        return waiter

    def _look(self) -> None:
        waiting, self._waiting = self._waiting, []
        for true, waiter in waiting:
            if true():
                waiter.callback(None)
            else:
                self._waiting.append((true, waiter))

    def headers(self, cid: str, user_id: int = 0) -> list[Header]:
        """Every entry that was heard of a conversation, in order."""
        return [
            header
            for its_user, publication in self.publications
            if publication.cid == cid and its_user == user_id
            for header in publication.headers
        ]


class Sender:
    """A poster that remembers its answers."""

    closed = False

    def __init__(self) -> None:
        self.repeated: list[tuple[Post, int]] = []
        self.refused: list[tuple[Post, int]] = []
        self.reasons: list[tuple[str, float]] = []
        self.answered: Deferred[None] = Deferred()

    def post_repeated(self, post: Post, seq: int, time: int, epoch: str, epoch_first: int) -> None:
        self.repeated.append((post, seq))
        self._answer()

    def post_refused(self, post: Post, code: int, retry_after: float, reason: str = "") -> None:
        self.refused.append((post, code))
        self.reasons.append((reason, retry_after))
        self._answer()

    def awaits(self, post: Post) -> bool:
        return True

    def post_overdue(self, post: Post) -> None:
        raise AssertionError("nothing here takes ten seconds")

    def _answer(self) -> None:
        if not self.answered.called:
            self.answered.callback(None)


class Store:
    """One server's view of a store that ends with the test."""

    def __init__(
        self,
        valkey: Valkey,
        server: int = 77,
        retention: tuple[int, int] = (0, 0),
        deadline: float = 5.0,
    ) -> None:
        address = Address.parse(valkey.url)
        self.valkey = valkey
        self.keys = Keys()
        self.redis = Redis(reactor, address, deadline=deadline)
        self.heard = Heard()
        self.bus = Bus(reactor, address, self.keys, self.redis)
        self.bus.listener = self.heard
        self.conversations = Conversations(self.redis, self.keys, _names, retention)
        self.rooms = Rooms(reactor, self.redis, self.keys, self.conversations)
        self.posting = Posting(reactor, self.bus.pipe, self.keys, server, retention)
        self.editing = Editing(self.bus.pipe, self.keys)

    @classmethod
    async def start(
        cls,
        test: TestCase,
        valkey: Valkey | None = None,
        server: int = 77,
        retention: tuple[int, int] = (0, 0),
        deadline: float = 5.0,
    ) -> "Store":
        """Start it, on a Valkey of its own unless one is given."""
        store = cls(valkey or start_for(test), server, retention, deadline)
        store.redis.start()
        store.bus.start()
        test.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await store.redis.when_connected()
        await raise_generation(store.redis, store.keys)
        await store.heard.until(lambda: store.heard.returns > 0)
        return store

    async def stop(self) -> None:
        """Close the connections."""
        await self.bus.stop()
        await self.redis.stop()

    def say(
        self,
        cid: str,
        content: str,
        client_id: str = "",
        *,
        author: Author | None = None,
        sender: Any = None,
        refusal: int = 0,
    ) -> Sender:
        """Post a message and go on."""
        poster: Sender = sender or Sender()
        who = author or Author(5, "bob")
        post = Post(poster, cid, who, content, client_id, None, refusal)
        self.posting.post(post)
        return poster


async def _names(user_ids: Sequence[int]) -> dict[int, str]:
    return {user_id: f"name{user_id}" for user_id in user_ids}
