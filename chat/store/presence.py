"""Who is online: sessions that live as long as the lease of the server they are on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chat.messages import OFFLINE, User
from chat.store.errors import FateUnknown, StoreError, StoreUnavailable
from chat.store.keys import Keys
from chat.store.link.redis import Redis, Word
from chat.store.scripts import load
from chat.store.together import all_of

__all__ = ["Presence", "Tell", "devices_of"]

LEASE_SECONDS: Final = 10.0
RENEWALS: Final = 0.3
"""Of a lease, between two renewals: two may fail before it runs out."""

CLEANED_AT_ONCE: Final = 200
ENTERED_AT_ONCE: Final = 200
"""Sessions in one go, so that the store serves others in between."""


Tell = Callable[[Sequence[bytes], Sequence[Word]], Awaitable[Sequence[Any]]]
"""A script that begins with the keys and arguments of ``presence_enter``, and does more; the first
that it answers is whether the session is there."""


class _Here(msgspec.Struct, frozen=True):
    """A session on this server."""

    user: User
    device: str
    status: int


class Presence:
    """The presence of this server's sessions, and what is known of everybody's.

    The lease is on a *node*: this server under one incarnation. When another server finds that the
    lease has run out and begins to clean up, this one takes a new incarnation and enters its
    sessions again, by itself. What could not be told to the store while it was away is told with
    the next renewal.

    :param node: names this server among all; opaque.
    :param alone: no other server uses this store, so all leases that are found have ended.
    :param lease: seconds after which a server that is not heard of counts as dead.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        redis: Redis,
        keys: Keys,
        node: str,
        *,
        alone: bool = False,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self._reactor = reactor
        self._redis = redis
        self._keys = keys
        self._name = node
        self._alone = alone
        self._everybody = keys.online(), keys.statuses(), keys.nodes()
        self._channel = keys.presence_channel()
        self._lease = lease
        self._incarnation = 1
        self._sessions: dict[str, _Here] = {}
        self._to_enter: set[str] = set()
        self._to_leave: dict[str, int] = {}
        self._watchers: list[Callable[[User], None]] = []
        self._steady_since = 0.0
        self._doubtful = self._stopped = False
        self._renewed_at = reactor.seconds()
        self._tending = DeferredLock()
        self._loop = LoopingCall(self._tend_or_log)
        self._loop.clock = reactor
        redis.on_change(self._store_changed)

    @property
    def node(self) -> str:
        """This server under its present incarnation."""
        return f"{self._name}#{self._incarnation}"

    async def start(self) -> None:
        """Take the lease and begin to renew it; clean up after servers that died.

        :raises StoreError: the store is away, or ``stop`` came first.
        """
        await self._tending.run(self._take_lease)

    async def _take_lease(self) -> None:
        if self._stopped:
            raise StoreUnavailable("the server stops")
        await self._renew("alone" if self._alone else "start")
        if self._alone:
            await self._clean("")
        self._steady_since = self._renewed_at = self._reactor.seconds()
        self._loop.start(self._lease * RENEWALS, now=False)

    async def stop(self) -> None:
        """Give back the lease with all its sessions, while the store still answers; one that is
        just being taken, too."""
        self._stopped = True
        await self._tending.run(self._give_back)

    async def _give_back(self) -> None:
        if not self._loop.running:
            return
        self._loop.stop()
        self._sessions.clear()
        self._to_enter.clear()
        try:
            await self._clean(self.node)
        except StoreError as error:
            self.log.info("The store was gone; the lease will run out ({why})", why=error)

    @property
    def lag(self) -> float:
        """Seconds since this server last told the store that it lives, and who is here."""
        return float(self._reactor.seconds() - self._renewed_at)

    # Sessions of this server -------------------------------------------------------------------

    async def enter(
        self,
        user: User,
        session: str,
        device: str,
        status: int,
        *,
        instead: str = "",
        tell: Tell | None = None,
    ) -> Sequence[Any]:
        """Enter a session of ``user``. Others are told if the user's best status changes by it.

        :param session: opaque, unique on this server.
        :param status: 0 online, 2 busy.
        :param instead: a session of the same user that has left, which need not be announced.
        :param tell: what calls the store, given the first keys and arguments of the call; for a
            script that does more than entering the session.
        :returns: what ``tell`` returned, without its first part.
        :raises StoreError: the store is away, or ``tell`` raised it; the session is as good as
            gone.
        """
        here = self._sessions[session] = _Here(user, device, status)
        self._sessions.pop(instead, None)
        try:
            tell = tell or self._tell
            held, *more = await tell(*self._words(session, here, "enter", instead))
            if not held:
                await self.tend()
        except BaseException:
            # Whether it was entered or not. Told later, since the calls may overtake each other.
            self._is_gone(session, user)
            if instead:
                self._is_gone(instead, user)
            raise
        return more

    async def set_status(self, user: User, session: str, status: int) -> None:
        """A session became online (0) or busy (2); the user's best status is what others see."""
        here = self._sessions.get(session)
        if here is None:
            return
        changed = _Here(user, here.device, status)
        held = await self._enter(session, changed, "status")
        if session in self._sessions:  # Its client may have gone meanwhile.
            self._sessions[session] = changed
        if not held:
            await self.tend()

    async def leave(self, user: User, session: str) -> None:
        """The session is gone; with a user's last session, on any server, the user goes offline.

        Never fails: while the store is away, it is remembered.
        """
        self._is_gone(session, user)
        try:
            await self._leave(session, user.user_id)
        except StoreError as error:
            self.log.debug("To be told later: {session} left ({why})", session=session, why=error)

    def _is_gone(self, session: str, user: User) -> None:
        self._sessions.pop(session, None)
        self._to_enter.discard(session)
        self._to_leave[session] = user.user_id

    async def _enter(self, session: str, here: _Here, how: str) -> int:
        (held,) = await self._tell(*self._words(session, here, how))
        return int(held)

    async def _tell(self, names: Sequence[bytes], arguments: Sequence[Word]) -> Sequence[Any]:
        return [await self._redis.script(load("presence_enter"), names, arguments)]

    def _words(
        self, session: str, here: _Here, how: str, instead: str = ""
    ) -> tuple[Sequence[bytes], Sequence[Word]]:
        user, keys, node = here.user, self._keys, self.node
        names = [*self._everybody, keys.node_sessions(node), keys.sessions(user.user_id)]
        arguments: list[Word] = [
            user.user_id, user.user_name, node, session, here.status,
            here.device, self._channel, how, instead,
        ]  # fmt: skip
        return names, arguments

    async def _leave(self, session: str, user_id: int) -> None:
        keys, node = self._keys, self.node
        online, statuses, _ = self._everybody
        names = [online, statuses, keys.node_sessions(node), keys.sessions(user_id)]
        arguments: list[Word] = [user_id, node, session, self._channel]
        await self._redis.script(load("presence_leave"), names, arguments)
        self._to_leave.pop(session, None)

    # The lease ---------------------------------------------------------------------------------

    async def _renew(self, how: str) -> tuple[bool, int, bool]:
        arguments: list[Word] = [self.node, int(self._lease * 1000), how]
        script = load("presence_renew")
        held, dead, late = await self._redis.script(script, [self._keys.nodes()], arguments)
        return bool(held), dead, bool(late)

    def come_again(self) -> None:
        """The store has lost something, perhaps who came or went last: enter all sessions anew,
        under another lease. What stands under the lease before ends with it."""
        self._doubtful = True
        if self._loop.running:
            Deferred.fromCoroutine(self._tend_or_log())

    def tend(self) -> Deferred[None]:
        """Renew the lease, and tell what could not be told; never two of these at once."""
        return self._tending.run(self._tend_now)

    async def _tend_now(self) -> None:
        held, dead, late = await self._renew("renew")
        # If the store's clock was set forward, all may have ended: give them time to renew.
        if late:
            self._steady_since = self._reactor.seconds()
        before = self.node
        if not held:
            self.log.warn("{node} lost its lease and comes again", node=before)
        if not held or self._doubtful:
            self._doubtful = False
            self._incarnation += 1
            self._to_leave.clear()
            self._to_enter = set(self._sessions)
            await self._renew("start")
        await self._tell_the_rest()
        self._renewed_at = self._reactor.seconds()
        if before != self.node:
            await self._clean(before)
        if dead and self._reactor.seconds() - self._steady_since >= self._lease:
            await self._clean("")

    async def _tell_the_rest(self) -> None:
        for session, user_id in tuple(self._to_leave.items()):
            await self._leave(session, user_id)
        while self._to_enter:
            batch = list(self._to_enter)[:ENTERED_AT_ONCE]
            await all_of(
                Deferred.fromCoroutine(self._enter(each, self._sessions[each], "enter"))
                for each in batch
            )
            self._to_enter.difference_update(batch)

    async def _clean(self, node: str) -> None:
        """End one node's lease, or all that have run out, with their sessions."""
        keys = self._keys
        arguments: list[Word] = [
            node, CLEANED_AT_ONCE, self._channel, *keys.around_node(), *keys.around_user()
        ]  # fmt: skip
        while await self._redis.script(load("presence_clean"), self._everybody, arguments):
            pass

    def _store_changed(self, connected: bool) -> None:
        # After an outage all leases may have run out: give the servers time to renew.
        self._steady_since = self._reactor.seconds()
        if connected and self._loop.running:
            Deferred.fromCoroutine(self._tend_or_log())

    async def _tend_or_log(self) -> None:
        try:
            await self.tend()
        except (StoreUnavailable, FateUnknown) as error:
            self.log.debug("The lease could not be renewed: {why}", why=error)
        except Exception:
            self.log.failure("The lease could not be renewed")

    # Everybody ---------------------------------------------------------------------------------

    async def online(self, after: int, limit: int) -> tuple[Sequence[User], int, bool]:
        """A page of the users online whose ids are above ``after``, in the order of ids; how many
        there are in all; and whether there are more."""
        names = [self._keys.online(), self._keys.statuses()]
        found = await self._redis.script(load("presence_online"), names, [after, limit + 1])
        total, *flat = found
        users = [
            User(int(user_id), value[2:].decode(), int(value[:1]))
            for user_id, value in zip(flat[::2], flat[1::2], strict=True)
        ]
        return users[:limit], total, len(users) > limit

    async def online_ids(self, limit: int) -> tuple[Sequence[int], int]:
        """The ids of at most ``limit`` users online, lowest first; and how many there are."""
        key = self._keys.online()
        listing = self._redis.call(b"ZRANGE", key, 0, max(0, limit - 1))
        listed, total = await all_of([listing, self._redis.call(b"ZCARD", key)])
        return [int(each) for each in listed], total

    async def statuses(self, user_ids: Sequence[int]) -> Mapping[int, int]:
        """The status of each of ``user_ids``: 0 online, 1 offline, 2 busy."""
        if not user_ids:
            return {}
        values = await self._redis.call("HMGET", self._keys.statuses(), *user_ids)
        return {
            user_id: OFFLINE if value is None else int(value[:1])
            for user_id, value in zip(user_ids, values, strict=True)
        }

    async def online_devices(self, user_id: int) -> frozenset[str]:
        """The devices on which the user has a session, on any server."""
        return frozenset((await self.sessions(user_id)).values())

    async def sessions(self, user_id: int) -> Mapping[str, str]:
        """The devices of the user's sessions, on any server, by ``node/session``."""
        return devices_of(await self._redis.call("HGETALL", self._keys.sessions(user_id)))

    # News --------------------------------------------------------------------------------------

    def watch(self, changed: Callable[[User], None]) -> None:
        """Call ``changed`` for every change of anybody that is published."""
        self._watchers.append(changed)

    def published(self, payload: bytes) -> None:
        """Something came by the presence channel; the bus hands it over."""
        for user_id, status, name in msgspec.json.decode(payload, type=list[tuple[int, int, str]]):
            for changed in self._watchers:
                changed(User(user_id, name, status))


def devices_of(sessions: Sequence[bytes]) -> dict[str, str]:
    """The devices by session, from a user's sessions as the store has them, status and device."""
    pairs = zip(sessions[::2], sessions[1::2], strict=True)
    return {name.decode(): value[1:].decode() for name, value in pairs}
