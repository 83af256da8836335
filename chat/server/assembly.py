"""Puts a server together and takes it through its life: start, drain, stop."""

import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

from twisted.internet.task import deferLater
from twisted.logger import Logger

from chat.server.context import Context
from chat.server.delivery.confirming import Confirming
from chat.server.factory import ChatFactory
from chat.server.guard.passwords import Passwords
from chat.server.phrases import Phrases
from chat.server.settings import Settings
from chat.store.accounts import Accounts
from chat.store.arriving import Arrivals
from chat.store.bus import Bus
from chat.store.checkup import complaints, forgets, memory, try_commands
from chat.store.conversations import Conversations
from chat.store.editing import Editing
from chat.store.embedded.datadir import machine_boot
from chat.store.errors import CannotStart, FateUnknown, StoreError, StoreUnavailable
from chat.store.guesses import Guesses
from chat.store.invitations import Invitations
from chat.store.keys import Keys
from chat.store.layout import check_layout
from chat.store.limits import Limits
from chat.store.link.address import Address
from chat.store.link.connection import RedisReplyError
from chat.store.link.reaching import master_watch
from chat.store.link.redis import Redis
from chat.store.link.sentinel import Place
from chat.store.moderation import Moderation
from chat.store.posting import Posting
from chat.store.presence import Presence
from chat.store.retention import Retention
from chat.store.rewriting import Rewriting
from chat.store.rooms import Rooms
from chat.store.scripts import load_all
from chat.store.tide import Tide

__all__ = ["ChatServer"]

MS_PER_DAY: Final = 86_400_000

FINISH_SECONDS: Final = 5.0
"""How long a stop waits for what was asked before it: as long as a call to the store may take."""

READ_SECONDS: Final = 3.0
"""How long clients have to take their last words; a connection gives up by itself after two."""

LOOK_SECONDS: Final = 0.01

TRY_AGAIN_SECONDS: Final = 0.25
"""Between two attempts at something that the store does not do yet, while a server starts."""

COME_BACK_SECONDS: Final = (1.0, 5.0)
"""When clients are told to come back: spread, so that they do not all come at once."""


class ChatServer:
    """One server on one store.

    :ivar tide: whether the store takes writes, asked every three seconds.
    :ivar factory: what makes connections; ``start`` comes first.
    :param alone: no other server uses this store.
    :param checked: somebody else looks whether the store keeps what is entrusted to it.
    :param owned: it is our own, or our supervisor's, who says itself when it lost something.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        address: Address,
        *,
        alone: bool = False,
        checked: bool = False,
        owned: bool = False,
    ) -> None:
        self._reactor = reactor
        self._checked = checked
        self._stopped = False
        self._redis = Redis(reactor, address, deadline=settings.store_deadline)
        note = settings.data / "tide" if alone else None
        self._keys = Keys(settings.prefix, address.db)
        self.tide = Tide(reactor, self._redis, self._keys, note)
        self.tide.forgets = False if owned else None
        self.tide.boot = machine_boot() if address.is_here else ""
        self.context = put_together(reactor, settings, address, self._redis, self._keys, alone)
        self.context.posting.tide_rose = self.tide.rose
        self.tide.lost_something = self.context.presence.come_again
        self.context.posting.ready = self._may_post
        self._others = {self.context.bus.pipe, self.context.posting.redis}
        for redis in self._others:
            self.tide.watch(redis)
        for redis in (self._redis, *self._others):
            redis.on_change(partial(self._reached, redis))
        self._retention = Retention(
            reactor, self._redis, self._keys, self.context.limits, kept(settings)
        )
        self._master_watch = master_watch(reactor, address, self._store_moved)
        self.context.posting.takes_again = Rewriting(reactor, self._redis).ask
        self.factory = ChatFactory(self.context)

    def take(self, settings: Settings) -> None:
        """Go on with other settings; those of one connection hold for new ones."""
        self.context.settings = settings
        self.context.phrases = Phrases(settings)

    def store_state(self) -> dict[str, bool]:
        """What works of the store: it answers, takes writes, and its publications arrive."""
        return {
            "connected": self._redis.connected,
            "writable": not self.tide.problem,
            "bus": self.context.bus.ready,
        }

    async def store_memory(self) -> dict[str, int]:
        """Bytes that the store has ``used``, its ``limit`` if it has one, and its ``machine``'s.

        :raises StoreError: the store is away, or does not tell.
        """
        return await memory(self._redis)

    def trouble(self) -> str:
        """Why clients can't be served now, as a sentence; empty when they can."""
        works = self.store_state()
        if not works["connected"]:
            why = self._redis.problem.removesuffix(".")
            return f"The store at {self._redis.address} is away{why and ': '}{why}."
        if not works["writable"]:
            return f"The store can't be written to: {self.tide.problem}."
        if works["bus"]:
            return ""
        problem = self.context.bus.problem
        return f"What the store publishes is being caught up with{problem and ': '}{problem}."

    async def start(self, stack: AsyncExitStack) -> None:
        """Connect to the store, wait for it as long as it takes, and be ready for clients.

        :param stack: gets what stops each part, as it starts.
        :raises StoreError: the store says that it will not do, or the server is to stop.
        """
        context, bus = self.context, self.context.bus
        load_all()
        stack.push_async_callback(self._redis.stop)
        stack.callback(self._give_up)
        self.log.info("Waiting for the store at {address}", address=self._redis.address)
        self._redis.start()
        await self._redis.when_connected()
        await self._as_soon_as_possible(self._look_at_settings)
        await self._as_soon_as_possible(partial(check_layout, self._redis, self._keys))
        await self._as_soon_as_possible(partial(context.conversations.generation_after, 0))
        stack.callback(self._master_watch.stop)
        self._master_watch.start()
        stack.callback(self.tide.stop)
        self.tide.start()
        await self._start_posting(stack)
        stack.push_async_callback(bus.stop)
        bus.start()
        await self._until(lambda: bus.ready, FINISH_SECONDS)
        stack.push_async_callback(context.presence.stop)
        await self._as_soon_as_possible(context.presence.start)
        stack.callback(self._retention.stop)
        self._retention.start()
        stack.push_async_callback(context.passwords.stop)
        context.passwords.start()
        stack.callback(self.factory.stop)
        self.factory.start()
        stack.push_async_callback(self._drain)

    async def _as_soon_as_possible(self, step: Callable[[], Awaitable[object]]) -> None:
        """Take a step of the start, again and again: a store may be there and not take writes yet,
        as one that has just taken over and has no replica.

        :raises StoreUnavailable: the server was told to stop.
        :raises CannotStart: the store will never take it, as one that does not permit it.
        """
        complaint = ""
        while True:
            try:
                await step()
            except (StoreUnavailable, FateUnknown) as error:
                if self._stopped:
                    raise
                if complaint != str(error):
                    complaint = str(error)
                    self.log.warn("The store can't be used yet: {why}", why=complaint)
            except RedisReplyError as error:
                raise CannotStart(f"The store refuses what a chat server does: {error}") from None
            else:
                return
            await deferLater(self._reactor, TRY_AGAIN_SECONDS)

    def _give_up(self) -> None:
        self._stopped = True

    async def _start_posting(self, stack: AsyncExitStack) -> None:
        """Connect for posts, where they don't go the way of the publications."""
        posts = self.context.posting.redis
        if posts is not self.context.bus.pipe:
            stack.push_async_callback(posts.stop)
            posts.start()
            await posts.when_connected()

    async def _look_at_settings(self) -> None:
        """A store that somebody else set up may keep less than is promised: say so.

        :raises CannotStart: it would not keep what is accepted.
        """
        if self.tide.forgets is None:
            self.tide.forgets = await forgets(self._redis)
        if self._checked:
            return
        # First what can name the reason: a cluster refuses commands in its own words.
        found = await complaints(self._redis, self.context.settings.durability)
        await try_commands(self._redis, self._keys)
        for complaint in found:
            self.log.warn("{complaint}", complaint=complaint)

    def _may_post(self) -> bool:
        """Whether a post would be heard once it is stored, and gets a number that is its own: one
        whose publication could not be heard would be answered late."""
        posts, bus = self.context.posting.redis, self.context.bus
        return self.tide.judged and self._redis.connected and posts.connected and bus.ready

    def _reached(self, redis: Redis, connected: bool) -> None:
        """A connection leads where the store is by now: the others are to lead there as well, or
        what is written by one would not be found by another."""
        if connected and redis.place is not None:
            self._store_moved(redis.place)

    def _store_moved(self, place: Place) -> None:
        """What another store than the one at ``place`` would still say counts for nothing."""
        for redis in (self._redis, *self._others):
            if redis.place != place:
                redis.drop()

    async def _drain(self) -> None:
        """Take nothing more, finish what was asked, write what was gathered, say goodbye."""
        context, connections = self.context, self.factory.connections
        context.stopping = True
        for connection in connections:
            connection.pause_reading()
        await self._until(self._all_answered, FINISH_SECONDS)
        try:
            await context.marks.flush()
        except StoreError as error:
            self.log.warn("marks could not be written: {why}", why=error)
        self.factory.say_goodbye(lambda: round(random.uniform(*COME_BACK_SECONDS), 1))
        await self._until(lambda: not connections, READ_SECONDS)
        for connection in list(connections):
            connection.abort()

    def _all_answered(self) -> bool:
        connections = self.factory.connections
        return self.context.posting.settled and not any(each.session.busy for each in connections)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait until ``done``, and no longer than ``seconds``."""
        give_up = self._reactor.seconds() + seconds
        while not done() and self._reactor.seconds() < give_up:
            await deferLater(self._reactor, LOOK_SECONDS)


def kept(settings: Settings) -> tuple[int, int]:
    """How many entries of a conversation are kept, and for how many ms; 0 for no limit."""
    days, messages = settings.retention
    return messages, int(days * MS_PER_DAY)


def put_together(
    reactor: Any, settings: Settings, address: Address, redis: Redis, keys: Keys, alone: bool
) -> Context:
    """Make every part with what it needs, and start none.

    :param redis: where calls go; it is the first to be started.
    :param alone: no other server uses this store.
    """
    accounts = Accounts(redis, keys)
    presence = Presence(
        reactor, redis, keys, secrets.token_hex(8), alone=alone, lease=settings.lease
    )
    conversations = Conversations(
        redis, keys, accounts.names, kept(settings), lobby=settings.lobby != "closed"
    )
    bus = Bus(reactor, address, keys, redis)
    posting = _posting(reactor, settings, address, keys, bus)
    replicated = settings.durability == "replicated"
    context = Context(
        clock=reactor,
        settings=settings,
        phrases=Phrases(settings),
        passwords=Passwords(
            reactor, settings.argon2, settings.hashing_threads, settings.hashing_queue
        ),
        accounts=accounts,
        presence=presence,
        limits=Limits(redis, keys),
        guesses=Guesses(redis, keys),
        invitations=Invitations(redis, keys),
        arrivals=Arrivals(bus.pipe, keys, conversations, presence),
        conversations=conversations,
        rooms=Rooms(reactor, redis, keys, conversations),
        moderation=Moderation(redis, keys, conversations),
        posting=posting,
        editing=Editing(posting.redis, keys, replicated=replicated),
        bus=bus,
    )
    bus.listener = Confirming(context.fanout, context.posting) if replicated else context.fanout
    bus.handle(keys.presence_channel(), presence.published)
    presence.watch(context.online.changed)
    return context


def _posting(reactor: Any, settings: Settings, address: Address, keys: Keys, bus: Bus) -> Posting:
    """What takes messages into the store, over the connection of the bus.

    Where a replica has to confirm them they get a connection of their own, for what waits for a
    replica keeps everything behind it on its connection waiting.
    """
    replicated = settings.durability == "replicated"
    redis = Redis(reactor, address, deadline=settings.store_deadline) if replicated else bus.pipe
    server = secrets.randbits(63) + 1
    return Posting(reactor, redis, keys, server, kept(settings), replicated=replicated)
