"""How every message gets into the store: all posts of a reactor turn in one call, in one order.

One call is under way at a time. What arrives meanwhile is the next batch, so batches grow with the
load, and nothing waits when there is none. A post that the store accepted is answered by its own
publication, which brings its number, its time and its place among the others. Only refusals,
repetitions and failures are answered from here.

Where a replica has to confirm a message before it is accepted, each call is followed by WAIT, on a
connection that carries nothing else: WAIT holds up everything behind it there.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat.store.errors import FateUnknown, StoreError, StoreUnavailable
from chat.store.keys import Keys
from chat.store.link.redis import Redis
from chat.store.post import Post
from chat.store.replicas import with_replicas
from chat.store.scripts import load
from chat.store.standing import is_open
from chat.store.timing import Timing
from chat.store.turn import at_turn_end

__all__ = ["Posting"]

BATCH: Final = 256
"""Most posts in one call: the store does nothing else for two to four milliseconds."""

MOST_GROUPS: Final = 10_000
"""Conversations whose key and channels, the same in each call, are remembered."""

MOST_SERIAL: Final = 2**32 - 1
UNDELIVERED_SECONDS: Final = 10.0
"""A stored post whose publication never came is answered after this long all the same."""

OUTSIDE_SECONDS: Final = 1.0
"""The same for a poster who need not get the publication: they have just left the conversation, or
not entered it yet, or the log brought the entry before the store had answered."""

FORGOTTEN_SECONDS: Final = 120.0
"""After this long a post of unknown fate whose publication never came is forgotten."""


class Posting:
    """Takes posts, batches them, and knows which are under way.

    :ivar confirmed: called when ``unconfirmed`` became fewer.
    :ivar unconfirmed: the serials of posts that no replica has confirmed yet, where one must.
    :ivar redis: the connection on which posts are sent.
    :ivar ready: says whether posts are sent now, or refused.
    :ivar round_trips: how long the calls to the store took.
    :ivar tide_rose: told the store's count after each batch (``chat.store.tide``).
    :ivar takes_again: called when the store accepts posts after it refused some
        (``chat.store.rewriting``).
    :param server: 1 to 2^64 - 1, this server's name in what is published.
    :param retention: entries that a conversation keeps, and for how many ms; 0 for no limit.
    :param most_waiting: posts that may wait for the next call; more are refused.
    :param replicated: accept nothing that no replica has.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        redis: Redis,
        keys: Keys,
        server: int,
        retention: tuple[int, int] = (0, 0),
        most_waiting: int = 20_000,
        *,
        replicated: bool = False,
    ) -> None:
        self._clock = reactor
        self._at_turn_end = at_turn_end(reactor)
        self.redis = redis
        self._keys = keys
        self._first_keys = keys.generation(), keys.tide()
        self.server = server
        self._retention = retention
        self._most_waiting = most_waiting
        self._replicated = replicated
        self._script = load("post")
        self._serial = 0
        self._queue: list[Post] = []
        self._busy = False
        self._scheduled = False
        self._refusing = False
        self._under_way: dict[int, Post] = {}
        self._groups: dict[str, tuple[bytes, tuple[bytes | int, ...]]] = {}
        self.round_trips = Timing()
        self.unconfirmed: frozenset[int] = frozenset()
        self.confirmed: Callable[[], None] = lambda: None
        self.ready: Callable[[], bool] = lambda: redis.connected
        self.tide_rose: Callable[[int], None] = lambda tide: None
        self.takes_again: Callable[[], None] = lambda: None

    # In --------------------------------------------------------------------------------------

    def post(self, post: Post) -> None:
        """Send a post on its way. Its ``poster`` is told what becomes of it."""
        if len(self._queue) >= self._most_waiting:
            post.poster.post_refused(post, 503, 1.0)
            return
        self._queue.append(post)
        if not self._busy and not self._scheduled:
            self._scheduled = True
            self._at_turn_end(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        if self._busy or not self._queue:
            return
        if not self.ready():
            self._refuse_all()
            return
        batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
        self._busy = True
        keys, args, ordered = self._call_for(batch)
        call = self.redis.script(self._script, keys, args, at_once=True)
        if self._replicated:
            self.unconfirmed = frozenset(post.serial for post in batch)
            call = self._once_replicated(call, ordered)
        call.addBoth(self._answered, ordered)

    def _once_replicated(self, call: Deferred[Any], posts: list[Post]) -> Deferred[Any]:
        """Let a call fail with FateUnknown when no replica has confirmed what it wrote."""

        def judge(results: Sequence[Any]) -> Any:
            answers, replicas = results
            if not replicas and any(map(_is_stored, answers[1:])):
                raise FateUnknown("no replica has it")
            return answers

        def resolved(result: Any) -> Any:
            if isinstance(result, Failure):
                for post in posts:
                    self._under_way.pop(post.serial, None)
            self.unconfirmed = frozenset()
            self._at_turn_end(self.confirmed)
            return result

        both = with_replicas(self.redis, self._keys, call)
        return both.addCallback(judge).addBoth(resolved)

    def _refuse_all(self) -> None:
        """The store is away: nothing of this was sent."""
        refused, self._queue = self._queue, []
        for post in refused:
            post.poster.post_refused(post, 503, 1.0)

    def _call_for(self, batch: list[Post]) -> tuple[list[bytes], list[bytes | int], list[Post]]:
        now = self._clock.seconds()
        grouped: dict[str, list[Post]] = {}
        for post in batch:
            self._serial = (self._serial + 1) & MOST_SERIAL
            post.serial = self._serial
            post.sent = now
            self._under_way[post.serial] = post
            grouped.setdefault(post.cid, []).append(post)
        keys = [*self._first_keys]
        args: list[bytes | int] = [*self._retention]
        ordered: list[Post] = []
        for cid, posts in grouped.items():
            meta, shared = self._group(cid)
            keys.append(meta)
            args.append(len(posts))
            args += shared
            args += [post.packed(self.server) for post in posts]
            ordered += posts
        return keys, args, ordered

    def _group(self, cid: str) -> tuple[bytes, tuple[bytes | int, ...]]:
        """The key and the arguments that all posts to one conversation have in common."""
        known = self._groups.get(cid)
        if known is None:
            if len(self._groups) >= MOST_GROUPS:
                self._groups.clear()
            found = (self._keys.meta(cid), (is_open(cid), *self._keys.audience(cid)))
            known = self._groups[cid] = found
        return known

    # Out -------------------------------------------------------------------------------------

    def _answered(self, result: Any, posts: list[Post]) -> None:
        """Note the numbers at once, for the store answers before it publishes. The bookkeeping
        waits until the publications have been delivered."""
        took = self._clock.seconds() - posts[0].sent
        self._at_turn_end(partial(self._end, result, posts, took))
        if not isinstance(result, Failure):
            for post, answer in zip(posts, result[1:], strict=True):
                if isinstance(answer, int):
                    post.seq = answer

    def _end(self, result: Any, posts: list[Post], took: float) -> None:
        """A call has ended: begin the next one, and answer posts that no publication answers."""
        self._busy = False
        self._begin()
        if isinstance(result, Failure):
            self._failed(result, posts)
            return
        self.round_trips.take(took)
        self.tide_rose(result[0])
        if self._refusing and any(post.seq for post in posts):
            self._refusing = False
            self.takes_again()
        for post, answer in zip(posts, result[1:], strict=True):
            if not isinstance(answer, int):
                self._under_way.pop(post.serial, None)
                self._tell(post, answer)

    def _tell(self, post: Post, answer: Sequence[Any]) -> None:
        """Tell the poster what the script answered for a post that it did not append."""
        if answer[0] == 1:
            _, seq, time, epoch, epoch_first = answer
            post.poster.post_repeated(post, seq, time, epoch.decode(), epoch_first)
            return
        code = -answer[0]
        if code == 503:
            self._refused(answer[1:])
            post.poster.post_refused(post, code, 1.0)
        elif len(answer) > 1:
            _, reason, wait = answer
            post.poster.post_refused(post, code, wait / 1000, reason.decode())
        else:
            post.poster.post_refused(post, code, 0.0)

    def _refused(self, why: Sequence[bytes]) -> None:
        """Log it once: a full disk has enough to do, and the log may be on it."""
        if not self._refusing:
            self._refusing = True
            self._log.error("the store refuses to write: {why}", why=b" ".join(why).decode())

    def _failed(self, failure: Failure, posts: list[Post]) -> None:
        unavailable = failure.check(StoreUnavailable)
        if not unavailable and not failure.check(StoreError):
            self._log.failure("a batch of posts failed", failure)
        for post in posts:
            if unavailable:
                self._under_way.pop(post.serial, None)
            post.poster.post_refused(post, 503 if unavailable else 504, 1.0)

    # The publication -------------------------------------------------------------------------

    def claim(self, serial: int) -> Post | None:
        """Take out the post of this server that was published with ``serial``, if it is still
        awaited."""
        return self._under_way.pop(serial, None)

    def claim_stored(self, cid: str, seq: int) -> Post | None:
        """The same for an entry that was read from the log, which does not keep serials."""
        for serial, post in self._under_way.items():
            if post.seq == seq and post.cid == cid:
                return self._under_way.pop(serial)
        return None

    def awaited(self) -> set[str]:
        """Conversations with posts that are, or may be, stored and are not published here yet."""
        return {post.cid for post in self._under_way.values()}

    @property
    def has_more(self) -> bool:
        """Whether posts wait for the next call."""
        return bool(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or under way."""
        return not self._queue and not self._busy

    @property
    def settled(self) -> bool:
        """Whether everybody who is still connected has been answered.

        The publication of what somebody said in a conversation that nobody else here hears is not
        heard here either, once they have gone. A post without a number was answered with 504.
        """
        under_way = self._under_way.values()
        return self.idle and all(post.poster.closed or not post.seq for post in under_way)

    def overdue(self) -> list[Post]:
        """Take out the stored posts whose publication should have come long ago."""
        now = self._clock.seconds()
        late = []
        for post in list(self._under_way.values()):
            age = now - post.sent
            awaited = post.poster.awaits(post)
            if post.seq and age > (UNDELIVERED_SECONDS if awaited else OUTSIDE_SECONDS):
                late.append(self._under_way.pop(post.serial))
            elif age > FORGOTTEN_SECONDS:
                del self._under_way[post.serial]
        return late


def _is_stored(answer: Any) -> bool:
    """Whether what the script said of a post means that it is in the store."""
    return isinstance(answer, int) or answer[0] == 1
