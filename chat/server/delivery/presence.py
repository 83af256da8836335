"""Changes of presence on their way to screens: gathered, and sent a few times a second."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from chat import messages
from chat.codec import encode
from chat.messages import BUSY, OFFLINE, ONLINE, OnlineResMes, User
from chat.server.delivery.pages import SharedPages
from chat.server.paging import fit

if TYPE_CHECKING:
    from chat.server.context import Context
    from chat.server.session import Session

__all__ = ["PresenceView", "is_in"]

TELL_SECONDS: Final = 0.25
"""PresenceMes at most four times a second to each connection (protocol, Presence)."""

TELL_ORIGINALS_SECONDS: Final = 1.0
MOST_AT_ONCE: Final = 500
"""Changed users in one PresenceMes; more at once, and the client pages the list again."""

RESET_SECONDS: Final = 5.0
"""Between two resets for overflows: each makes every client page the whole list."""

REMEMBERED: Final = 40
"""Updates that are remembered, ten seconds of them: a session that takes longer from the list to
being live pages the list again."""

BACK_TO_ALL: Final = 0.9
"""Of the limit: no more may be left before the scope is ``all`` again. Else a number that moves
around the limit would have everybody page the list again and again."""


class PresenceView:
    """Tells this server's sessions who came, went and changed.

    :ivar total: users online on all servers, as last heard.
    :ivar scope: ``all``: everybody hears of everybody; ``watched``: only of whom they watch.
    """

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.scope = "all"
        self.total = 0
        self._sessions: dict[Session, None] = {}
        self._watchers: dict[int, set[Session]] = {}
        self._changed: dict[int, User] = {}
        self._changed_for_originals: dict[int, User] = {}
        self._busy: set[int] = set()
        self._timer: Any = None
        self._originals_timer: Any = None
        self._reset = False
        self._next_reset = 0.0
        self._pages = SharedPages(self._read_page)
        self._ids = SharedPages(self._read_ids)
        self._updates = 0
        self._told: deque[dict[int, User]] = deque(maxlen=REMEMBERED)

    # Who listens -----------------------------------------------------------------------------

    def add(self, session: "Session", update: int) -> None:
        """A session is live: tell it what has changed since it was given the list.

        :param update: the number of the last update before that list was read (``online_ids``).
        """
        self._sessions[session] = None
        missed = self._updates - update
        if missed > len(self._told):
            session.emit(self.reset_message())
            return
        changed: dict[int, User] = {}
        for told in islice(self._told, len(self._told) - missed, None):
            changed.update(told)
        if changed and self.scope == "all":
            kept, cut = fit(list(changed.values()), self.context.settings.frame_limit)
            if session.dialect.is_current:
                session.emit(messages.PresenceMes(kept, "all", cut))
                return
            for user in kept:
                if user.user_id != session.user_id:
                    session.emit(messages.NotifyUserStatusMes(user.user_id, user.user_status))

    def remove(self, session: "Session") -> None:
        """A session is gone."""
        self._sessions.pop(session, None)
        self.watch(session, frozenset())

    def watch(self, session: "Session", user_ids: frozenset[int]) -> None:
        """A session shows these users from now on, and no others."""
        for user_id in session.watched - user_ids:
            self._watchers[user_id].discard(session)
            if not self._watchers[user_id]:
                del self._watchers[user_id]
        for user_id in user_ids - session.watched:
            self._watchers.setdefault(user_id, set()).add(session)
        session.watched = user_ids

    # What changes ----------------------------------------------------------------------------

    def changed(self, user: User) -> None:
        """A user's best status has changed."""
        if user.user_status == BUSY:
            self._busy.add(user.user_id)
        else:
            self._busy.discard(user.user_id)
        self._changed[user.user_id] = user
        self._changed_for_originals[user.user_id] = user
        self._schedule()
        if self._originals_timer is None:
            self._originals_timer = self.context.clock.callLater(
                TELL_ORIGINALS_SECONDS, self._tell_originals
            )

    def status_of(self, user_id: int) -> int:
        """The status that is told of somebody who says something: online or busy."""
        return BUSY if user_id in self._busy else ONLINE

    def resynchronise(self) -> None:
        """Changes may have been missed: have clients ask for the list again."""
        self._reset = True
        self._schedule()

    def set_total(self, total: int) -> None:
        """So many users are online on all servers: above the limit, clients hear only of whom they
        watch."""
        self.total = total
        limit = self.context.settings.scope_limit
        most = limit if self.scope == "all" else limit * BACK_TO_ALL
        scope = "watched" if limit and total > most else "all"
        if scope != self.scope:
            self.scope = scope
            self._next_reset = 0.0
            self.resynchronise()

    def reset_message(self) -> messages.PresenceMes:
        """What tells a client to page through the list again."""
        return messages.PresenceMes((), self.scope, True)

    def stop(self) -> None:
        """Send nothing more."""
        for timer in (self._timer, self._originals_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._originals_timer = None

    # The list --------------------------------------------------------------------------------

    async def page(self, after: int, limit: int) -> OnlineResMes:
        """A page of the users online above a user id.

        After a reset everybody asks for the same pages at once, so a page is read once for all who
        ask before the next update. What has changed since it was read is sent after it.

        :raises StoreError: it can't be read.
        """
        if self.context.clock.seconds() >= self._next_reset:
            return await self._read_page(after, limit)
        self._schedule()
        return await self._pages.page(after, limit)

    async def _read_page(self, after: int, limit: int) -> OnlineResMes:
        users, total, more = await self.context.presence.online(after, limit)
        kept, cut = fit(users, self.context.settings.frame_limit)
        return OnlineResMes(users=kept, total=total, more=more or cut)

    async def online_ids(self, limit: int, user_id: int) -> tuple[tuple[int, ...], int]:
        """The ids of at most ``limit`` users online, lowest first, for a login; and the number of
        the last update before they were read, for ``add``.

        In a storm of logins what was read for one serves all until the next update, with what
        has changed since.

        :param user_id: who has just come, whether that has been heard here by now or not.
        :raises StoreError: they can't be read.
        """
        update = self._updates
        self._schedule()
        ids = await self._ids.page(0, limit)
        whole = len(ids) < limit
        if self._changed or (whole and not is_in(user_id, ids)):
            present = dict.fromkeys(ids)
            for user in self._changed.values():
                if user.user_status == OFFLINE:
                    present.pop(user.user_id, None)
                else:
                    present[user.user_id] = None
            present[user_id] = None
            if whole:
                self.set_total(len(present))
            ids = tuple(sorted(present)[:limit])
        return ids, update

    async def _read_ids(self, _: int, limit: int) -> tuple[int, ...]:
        ids, total = await self.context.presence.online_ids(limit)
        self.set_total(total)
        return tuple(ids)

    # Updates ---------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = self.context.clock.callLater(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._pages.forget()
        self._ids.forget()
        changed, self._changed = self._changed, {}
        self._updates += 1
        self._told.append(changed)
        now = self.context.clock.seconds()
        if self.scope == "all" and len(changed) > MOST_AT_ONCE:
            changed, self._reset = {}, True
        if self._reset and now >= self._next_reset:
            self._reset, self._next_reset = False, now + RESET_SECONDS
            self._tell_all(encode(self.reset_message()))
            return
        if self.scope == "all" and changed:
            users, cut = fit(list(changed.values()), self.context.settings.frame_limit)
            self._reset = self._reset or cut
            self._tell_all(encode(messages.PresenceMes(users, "all")))
        else:
            self._tell_watchers(changed)
        if self._reset:
            self._schedule()

    def _tell_all(self, frame: bytes) -> None:
        for session in self._sessions:
            if session.dialect.is_current and not session.connection.behind:
                session.emit_frame(frame)

    def _tell_watchers(self, changed: dict[int, User]) -> None:
        news: dict[Session, list[User]] = {}
        for user_id, user in changed.items():
            for session in self._interested(user_id):
                news.setdefault(session, []).append(user)
        for session, users in news.items():
            if session.dialect.is_current and not session.connection.behind:
                kept, cut = fit(users, self.context.settings.frame_limit)
                session.emit(messages.PresenceMes(kept, self.scope, cut))

    def _interested(self, user_id: int) -> set["Session"]:
        """The sessions here that watch a user, or have a private conversation with them."""
        found = set(self._watchers.get(user_id, ()))
        for hosted in self.context.registry.partners_of(user_id):
            found.update(hosted.sessions)
        return found

    def _tell_originals(self) -> None:
        self._originals_timer = None
        changed, self._changed_for_originals = self._changed_for_originals, {}
        if self.scope != "all":
            return
        frames = {
            user_id: encode(messages.NotifyUserStatusMes(user_id, user.user_status))
            for user_id, user in changed.items()
        }
        for session in self._sessions:
            if not session.dialect.is_current and not session.connection.behind:
                for user_id, frame in frames.items():
                    if user_id != session.user_id:
                        session.queue_frame(frame, None)
                session.connection.flush()


def is_in(user_id: int, ids: Sequence[int]) -> bool:
    """Whether an id is in a sorted tuple: with a thousand ids, ``in`` takes 10 us."""
    place = bisect_left(ids, user_id)
    return place < len(ids) and ids[place] == user_id
