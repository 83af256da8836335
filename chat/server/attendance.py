"""A session's beginning and end: from proven identity to the first push, and leaving."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.json import encode
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chat import messages
from chat.codec import escaped_size
from chat.messages import Conversation, User
from chat.names import MAX_USER_ID
from chat.server.delivery.feed import Feed
from chat.server.delivery.presence import is_in
from chat.server.delivery.recovery import ANSWER_SECONDS
from chat.server.departures import Departure
from chat.server.joining import take_positions
from chat.server.paging import content_room, fit
from chat.server.watching import tracing
from chat.store.accounts import Account
from chat.store.arriving import Arrival, Proof
from chat.store.entries import Author, LoggedEntry
from chat.store.errors import StoreError, StoreUnavailable
from chat.store.keys import LOBBY_CID, cid_name

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["Identity", "enter", "leave", "replay"]

_log = Logger()

LISTED_USERS: Final = 1_000
"""User ids in a current client's LoginResMes (protocol, Presence)."""

ORIGINAL_USERS: Final = 5_000
"""More ids than one of their frames holds."""

FEATURES: Final = ("reply", "edit")
"""What not every server can do (protocol, Requests and replies)."""

FIRST_PAGE: Final = 100
LONGEST_ID: Final = len(f"{MAX_USER_ID},")


class _Gone(Exception):
    """The client closed the connection while it was being logged in."""


class Identity(Struct, frozen=True):
    """Who logs in, and on which device; original clients have neither device nor token.

    :ivar digest: SHA-256 of the token, which must still be the device's when the session is entered
        in the store.
    """

    account: Account
    device: str = ""
    token: str = ""
    digest: bytes = b""


async def enter(session: "Session", identity: Identity, request_id: str | None) -> None:
    """Let a client in: subscribe, confirm, read where everything stands, reply, go live.

    :raises NotAllowed: the account is suspended.
    :raises Disproved: the password or the token was changed meanwhile.
    :raises TooMany: as many other devices of the user are online as may be.
    :raises StoreError: the store is away; the session is as if nothing had happened.
    """
    user = _become(session, identity)
    arrival, online, update = await _come_in(session, identity, user)
    # The client is told of a room that was joined or left meanwhile after the reply.
    described = {
        cid: each
        for cid, each in arrival.described.items()
        if cid in session.rooms or cid[0] == "p"
    }
    session.user = user
    tracing.logged_in(session)
    reply = _welcome(session, described, arrival.more, identity.token, online)
    session.emit(reply, request_id)
    if not session.dialect.is_current:
        await replay(session, described)
    _go_live(session, {cid: each.seq for cid, each in described.items()}, update)


def _become(session: "Session", identity: Identity) -> User:
    """Make the session that user's; nobody is told of it yet."""
    account = identity.account
    session.user_id = account.user_id
    session.author = Author(account.user_id, account.name)
    session.device = identity.device or f"original-{session.key}"
    session.feed = Feed(session)
    session.rates.budget = session.context.budgets.of(account.user_id)
    return User(account.user_id, account.name, 0)


async def _come_in(
    session: "Session", identity: Identity, user: User
) -> tuple[Arrival, tuple[int, ...], int]:
    """Let the session hear everything that concerns its user, and be seen.

    :returns: what the user is in; the ids of the users online; and the number of the last presence
        update before these were read.
    """
    context, feed = session.context, session.feed
    assert feed is not None
    # From here on its user's channel tells what is joined or left meanwhile.
    context.registry.add(session)
    context.bus.hold_user(user.user_id)
    _listen(session, context.conversations.in_all_lists)
    try:
        await context.fanout.write_times()
        arrival = await context.fanout.recovery.steady(
            lambda: _arrive(session, user, Proof(identity.account.password, identity.digest)),
            lambda: feed.cursors().values(),
            ANSWER_SECONDS,
            heard=True,
        )
        online, update = await context.online.online_ids(_listed(session), user.user_id)
        if session.closed:
            raise _Gone
    except BaseException:
        _depart(session, user)  # whether anybody has seen it or not
        session.key = _next_key(session.key)
        session.postponed.take()  # The next login on this connection may be another user's.
        raise
    return arrival, online, update


def _next_key(key: str) -> str:
    """The key for a session's next attempt to log in.

    The store is about to be told that the session with the key before has left, and this must not
    remove the next attempt.
    """
    first, _, attempts = key.partition("+")
    return f"{first}+{int(attempts or 0) + 1}"


async def _arrive(session: "Session", user: User, proof: Proof) -> Arrival:
    """Enter the session in the store, and read where all the user's conversations stand at a moment
    at which the session hears all of them.

    A subscription that was asked for before is confirmed when the answer comes, since both come on
    one connection. A room that nobody else on this server is in is subscribed to only after the
    answer has named it, and then everything is read again.
    """
    context = session.context
    departed = context.departures.take(user.user_id, session.device)
    instead = "" if departed is None else departed.key
    devices = context.settings.devices if session.dialect.is_current else 0
    try:
        while True:
            arrival = await context.arrivals.enter(
                user, proof, session.key, session.device,
                instead=instead, limit=FIRST_PAGE, devices=devices,
            )  # fmt: skip
            # It is the newest session of its device: those that were replaced until now are older.
            session.postponed.forget("replaced")
            if not context.bus.hears(user.user_id, session.rooms):
                raise StoreUnavailable("a subscription was not confirmed")
            if _listen(session, arrival.rooms):
                return arrival
    finally:
        if departed is not None:
            context.departures.let_go(departed)


def _listen(session: "Session", rooms: Iterable[str]) -> bool:
    """Let the session hear rooms.

    :returns: whether this server was subscribed to all of them before.
    """
    context, left = session.context, session.postponed.rooms_left()
    new = [cid for cid in rooms if cid not in session.rooms and cid not in left]
    heard = True
    for cid in new:
        context.registry.add_to_room(session, cid)
        heard = context.bus.hold_room(cid) and heard
    return heard


def _listed(session: "Session") -> int:
    """The most user ids in a reply to LoginMes. For a current client they take half a frame at
    most."""
    if not session.dialect.is_current:
        return ORIGINAL_USERS
    return min(LISTED_USERS, content_room(session.context.settings.frame_limit) // 2 // LONGEST_ID)


def _welcome(
    session: "Session",
    described: dict[str, Conversation],
    more: bool,
    token: str,
    online: tuple[int, ...],
) -> messages.LoginResMes:
    """The reply to LoginMes."""
    context = session.context
    take_positions(session, described)
    if not session.dialect.is_current or not is_in(session.user_id, online):
        # An original client's list may be cut, but the user's own id must be in it.
        others = tuple(each for each in online if each != session.user_id)
        online = (session.user_id, *others)[: _listed(session)]
    if session.feed is not None and not session.dialect.is_current:
        session.feed.count_frames()
    shown, limit = list(described.values()), context.settings.frame_limit
    kept, cut = fit(shown, limit, used=LONGEST_ID * len(online))
    if cut:  # That was a quick estimate, and perhaps too high.
        kept, cut = fit(shown, limit, used=escaped_size(encode(online)))
    return messages.LoginResMes(
        200, "", online, session.user, token, context.now(), context.settings.durability,
        FEATURES, context.online.scope, kept, more or cut,
        content_limit=_longest_content(session),
    )  # fmt: skip


def _longest_content(session: "Session") -> int:
    """The most bytes that a message's text may have; 0 for no limit.

    That is what the option says, but no more than fits a frame when nothing has to be escaped.
    """
    settings = session.context.settings
    if not settings.frame_limit:
        return settings.content_limit
    fits = max(1, content_room(settings.frame_limit) - escaped_size(session.author.says("")))
    return min(settings.content_limit or fits, fits)


def _go_live(session: "Session", snapshot: dict[str, int], update: int) -> None:
    if session.feed is None:  # the connection was lost while the replay was read
        return
    session.context.online.add(session, update)
    session.feed.release(snapshot)
    session.tell_postponed_events()


async def replay(session: "Session", described: dict[str, Conversation]) -> None:
    """Send an original client what it missed: private messages, and the newest in the lobby."""
    context, most = session.context, session.context.settings.replay
    private: list[tuple[int, str, LoggedEntry]] = []
    lobby: list[tuple[int, str, LoggedEntry]] = []
    for cid, conversation in described.items():
        missed = conversation.seq - conversation.delivered
        if missed <= 0 or not most or not (cid == LOBBY_CID or cid.startswith("p:")):
            continue
        try:
            # What was said since is held back, and follows.
            page = await context.conversations.history(
                session.user_id, cid, before=conversation.seq + 1, limit=min(missed, most)
            )
        except StoreError as error:
            _log.info("what was missed can't be read now: {why}", why=error)
            continue
        new = [(e.time, cid, e) for e in page.entries if e.seq > conversation.delivered]
        (lobby if cid == LOBBY_CID else private).extend(new)
    told = sorted(private, key=_moment)[-most:] + sorted(lobby, key=_moment)[-most:]
    for _, cid, entry in sorted(told, key=_moment):
        name, status = cid_name(cid, session.user_id), context.online.status_of(entry.sender)
        frame = session.dialect.missed(entry, session.user_id, name, status)
        if frame is not None:
            session.queue_frame(frame, (cid, entry.seq))


def _moment(missed: tuple[int, str, LoggedEntry]) -> tuple[int, str, int]:
    time, cid, entry = missed
    return time, cid, entry.seq


# The end ---------------------------------------------------------------------------------------


def leave(session: "Session", grace: float | None = None) -> None:
    """The client is gone: others see that after a grace period, so that a quick return is silent.

    :param grace: seconds; None for what the option says.
    """
    user = session.user
    if user is None:
        return
    _depart(session, user, grace)
    marks = session.context.marks
    if marks.waits(user.user_id):
        Deferred.fromCoroutine(marks.flush(user.user_id)).addErrback(_unless_away)


def _depart(session: "Session", user: User, grace: float | None = None) -> None:
    """Take a session out of the registry; what else there is of it ends after some grace."""
    context = session.context
    grace = context.settings.offline_grace if grace is None else grace
    departure = Departure(user, session.device, session.key, tuple(session.rooms))
    context.departures.add(departure, grace)
    context.online.remove(session)
    context.registry.remove(session)
    session.user = None
    session.feed = None


def _unless_away(failure: Failure) -> None:
    if not failure.check(StoreError):
        _log.failure("marks could not be written", failure)
