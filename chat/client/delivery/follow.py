"""All conversations of one user: entries are handed out in order, missing ones are fetched."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from chat.client.delivery.track import PAGE, Step, Track, Wish
from chat.client.errors import BadServer, FateUnknown, NotConnected, Refused
from chat.client.events import Event, Position
from chat.client.network.asker import ASK_AGAIN, is_final
from chat.messages import Conversation, Entry, HistoryMes, HistoryResMes
from chat.names import is_room

__all__ = ["Follower"]

FETCHES = 4
"""Pages of history asked for at a time: the server answers 10 requests a second in the long run."""


class Follower:
    """Keeps a ``Track`` for each conversation, over reconnects.

    :param ask: requests a page of history.
    :param sleep: waits for some seconds.
    :param emit: called with what the tracks hand out and report, in order.
    :param positions, missed, fill_limit: as for ``ChatClient``.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        ask: Callable[[HistoryMes], Awaitable[HistoryResMes]],
        sleep: Callable[[float], Awaitable[None]],
        emit: Callable[[Event], None],
        positions: Mapping[str, Position],
        missed: bool,
        fill_limit: int | None,
    ) -> None:
        self._sleep = sleep
        self._ask = ask
        self._emit = emit
        self._given = dict(positions)
        self._missed = missed
        self._fill_limit = fill_limit
        self._user_id = 0
        self._complete = False
        self._tracks: dict[str, Track] = {}
        self._filling: set[Track] = set()
        self._turns = DeferredSemaphore(FETCHES)

    @property
    def positions(self) -> dict[str, Position]:
        """How far each conversation was handed out."""
        found = {name: track.position for name, track in self._tracks.items()}
        known = {name: position for name, position in found.items() if position is not None}
        return {**self._given, **known}

    def position(self, conversation: str) -> Position | None:
        """How far one conversation was handed out, None when it is not followed."""
        track = self._tracks.get(conversation)
        return track.position if track else None

    # What the client tells -----------------------------------------------------------------------

    def logged_in(self, user_id: int) -> None:
        """A login: the list of conversations follows."""
        self._user_id = user_id
        self._complete = False
        for track in self._tracks.values():
            track.user_id = user_id

    def listed(self, found: Conversation) -> None:
        """The server says where a conversation stands; what is above that is pushed afterwards."""
        track = self._track(found.conversation)
        steps = track.learn(found.epoch, found.epoch_first, found.seq)
        if track.at is None:
            steps += track.start(self._first_position(track, found))
        self._carry_out(track, steps)

    def learned(self, conversation: str, epoch: str, epoch_first: int) -> None:
        """The reply to some request says which epoch a conversation is in."""
        track = self._tracks.get(conversation)
        if track is not None and track.at is not None:
            self._carry_out(track, track.learn(epoch, epoch_first))

    def unlisted(self) -> set[str]:
        """The conversations in which something came since the login, and of which nothing else is
        known."""
        tracks = self._tracks.items()
        return {name for name, track in tracks if track.at is None and track.lowest_held}

    def all_listed(self) -> None:
        """The list is complete: a conversation that is not in it has begun since."""
        self._complete = True
        for track in list(self._tracks.values()):
            self._begin(track)
            self._fill_soon(track)

    def arrived(self, entry: Entry) -> None:
        """An entry was pushed, or is one's own and was accepted."""
        track = self._track(entry.conversation)
        steps = track.push(entry)
        self._carry_out(track, steps)
        if self._complete:
            self._begin(track)

    def accepted(self, entry: Entry, epoch_first: int, duplicate: bool) -> None:
        """One's own message has its number. If it is a duplicate, its text is read from the
        history."""
        track = self._track(entry.conversation)
        steps = track.learn(entry.epoch, epoch_first, entry.seq if duplicate else 0)
        self._carry_out(track, steps)
        if not duplicate:
            self.arrived(entry)

    def gone(self, conversation: str) -> None:
        """The user is no longer in it."""
        self._tracks.pop(conversation, None)
        self._given.pop(conversation, None)

    # Inside --------------------------------------------------------------------------------------

    def _track(self, conversation: str) -> Track:
        track = self._tracks.get(conversation)
        if track is None:
            given = self._given.get(conversation)
            track = self._tracks[conversation] = Track(conversation, given, self._fill_limit)
            track.user_id = self._user_id
        return track

    def _first_position(self, track: Track, found: Conversation) -> int:
        if self._missed:
            return min(found.delivered, found.seq)
        # What was pushed before the list came is above what the user had at login.
        lowest = track.lowest_held
        return found.seq if lowest is None else min(found.seq, lowest - 1)

    def _begin(self, track: Track) -> None:
        """Start a conversation that was in no list, because it has just begun."""
        if track.at is not None or track.lowest_held is None:
            return
        # A private conversation begins with number 1. A room that another device has joined is
        # older than that; what was said before is history.
        at = track.lowest_held - 1 if is_room(track.conversation) else 0
        self._carry_out(track, track.start(at))

    def _carry_out(self, track: Track, steps: list[Step]) -> None:
        for step in steps:
            self._emit(step)
        self._fill_soon(track)

    def _fill_soon(self, track: Track) -> None:
        if track in self._filling:
            return
        steps, wish = track.next_wish()
        for step in steps:
            self._emit(step)
        if wish is None:
            return
        self._filling.add(track)
        filling: Deferred[None] = self._turns.run(self._fill, track)
        filling.addErrback(lambda failure: self.log.failure("a hole stays open", failure))

    async def _fill(self, track: Track) -> None:
        """Fetch until nothing is missing, or the connection is gone (the next login goes on)."""
        try:
            while (wish := self._next_wish(track)) is not None:
                if wish.again:
                    await self._sleep(ASK_AGAIN)
                reply = await self._fetch(track.conversation, wish)
                if reply is not None and self._tracks.get(track.conversation) is track:
                    for step in track.page(reply, wish):
                        self._emit(step)
        except NotConnected:
            pass
        except (Refused, BadServer) as error:
            self.log.info("no history of {name}: {error}", name=track.conversation, error=error)
        finally:
            self._filling.discard(track)

    def _next_wish(self, track: Track) -> Wish | None:
        if self._tracks.get(track.conversation) is not track:
            return None
        steps, wish = track.next_wish()
        for step in steps:
            self._emit(step)
        return wish

    async def _fetch(self, conversation: str, wish: Wish) -> HistoryResMes | None:
        """Get one page; None when the server is busy, its store is away, or it does not answer."""
        limit = min(PAGE, max(1, wish.upto - wish.after))
        request = HistoryMes(conversation, wish.epoch, wish.before, after=wish.after, limit=limit)
        try:
            return await self._ask(request)
        except FateUnknown:
            return None
        except Refused as error:
            if is_final(error):
                raise
            await self._sleep(ASK_AGAIN)
            return None
