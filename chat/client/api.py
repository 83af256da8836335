"""ChatClient: one user's chat over a connection that comes back; for bots, scripts and screens."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from chat.client.errors import BadServer, ClientError, FateUnknown, NotConnected, Refused
from chat.client.events import ConnectionState, Event, MessageState, Outgoing, Position, Stored
from chat.client.outbox import Outbox
from chat.messages import Conversation, Entry, Room, Session, User

__all__ = [
    "BadServer",
    "ChatClient",
    "ClientError",
    "FateUnknown",
    "HistoryPage",
    "NotConnected",
    "Refused",
    "SearchPage",
    "SentMessage",
]

DEFAULT_SERVER = "tcp:127.0.0.1:8889"


class HistoryPage:
    """A page of a conversation, oldest first.

    :ivar entries: tuple[Entry, ...], each with its ``conversation``.
    :ivar epoch: the current epoch; :ivar epoch_first: its first number.
    :ivar first: the lowest number that is kept.
    :ivar more: there is more in the direction asked.
    """

    entries: tuple[Entry, ...]
    epoch: str
    epoch_first: int
    first: int
    more: bool


class SearchPage:
    """What was found, newest first. ``before``: give it to the next search when ``more``."""

    entries: tuple[Entry, ...]
    more: bool
    before: int


class SentMessage:
    """A message given to ``send``, and what became of it."""

    @property
    def outgoing(self) -> Outgoing:
        """What was sent, to whom, under which ``client_id``."""
        raise NotImplementedError

    @property
    def state(self) -> MessageState:
        """Queued, Sending, Stored, Failed or Withdrawn, as of now."""
        raise NotImplementedError

    async def stored(self) -> Stored:
        """Wait until the server has accepted the message, over reconnects and refusals of the
        moment (429, 503, 504).

        :raises Refused: refused for good (400, 403, 404, 413, ...), or withdrawn (code 0).
        """
        raise NotImplementedError


class ChatClient:
    """One user's chat.

    :param reactor: what Twisted calls a reactor: time and connections.
    :param server: a Twisted client endpoint string, or ``host:port``.
    :param device: at most 64 characters; the same device logged in again replaces this one.
    :param outbox: where messages wait until they are stored; by default only in memory.
    :param positions: how far this device has each conversation; what is above is fetched and
        handed out after login. Default: nothing, start with what comes from now on.
    :param missed: where ``positions`` says nothing, start at the user's ``delivered`` mark.
    :param fill_limit: a larger hole is not fetched but reported by GapSkipped; None: fetch all.
    :param acknowledge: move the user's ``delivered`` mark for what was handed out.
    :param pipeline: messages per conversation that may be unanswered at a time. 1 keeps the
        order of what is sent even when the server refuses for the moment.
    :param endpoint: used instead of ``server``.
    :param random: a number from 0 to 1, for the jitter of back-off.
    """

    def __init__(
        self,
        reactor: Any,
        server: str = DEFAULT_SERVER,
        *,
        device: str = "",
        outbox: Outbox | None = None,
        positions: Mapping[str, Position] | None = None,
        missed: bool = False,
        fill_limit: int | None = None,
        acknowledge: bool = True,
        pipeline: int = 1,
        endpoint: IStreamClientEndpoint | None = None,
        random: Callable[[], float] | None = None,
    ) -> None:
        raise NotImplementedError

    # The connection ----------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """How the connection stands."""
        raise NotImplementedError

    @property
    def user(self) -> User | None:
        """Who is logged in, or was when the connection broke; None before the first login."""
        raise NotImplementedError

    @property
    def token(self) -> str:
        """What logs this device in without the password, "" before the first login. Keep it
        where nobody else can read it."""
        raise NotImplementedError

    @property
    def durability(self) -> str:
        """``everysec``, ``always`` or ``replicated``: what the server promises."""
        raise NotImplementedError

    @property
    def clock_offset(self) -> float:
        """Seconds to add to this machine's clock to have the server's (as of the last login)."""
        raise NotImplementedError

    async def connect(self, timeout: float | None = None) -> None:
        """Open a connection, without logging in. ``register`` and ``log_in`` do it by themselves.

        :param timeout: seconds in which to try again and again; 0: one try; None: no end.
        :raises NotConnected: nobody answered.
        """
        raise NotImplementedError

    async def register(self, name: str, password: str, user_id: int = 0) -> int:
        """Make an account (and do not log in).

        :param user_id: the id wanted, 0: the server picks one.
        :returns: the user id.
        :raises Refused: 505 the id or the name is taken, 506 any other refusal.
        :raises NotConnected: nobody answers (one try).
        :raises FateUnknown: sent, and no answer came.
        """
        raise NotImplementedError

    async def log_in(
        self,
        who: int | str,
        password: str = "",
        token: str = "",
        *,
        timeout: float | None = None,
    ) -> User:
        """Log in, and stay logged in over reconnects until ``close``.

        :param who: a user id or a user name.
        :param timeout: seconds in which to try to get through; 0: one try; None: no end.
        :raises Refused: 500 no such user, 403 wrong password or token, 505 any other refusal,
            429 too many devices.
        :raises NotConnected: nobody answered; the link has stopped trying.
        """
        raise NotImplementedError

    def reconnect_now(self) -> None:
        """Try at once instead of waiting; does nothing in other states than Waiting."""
        raise NotImplementedError

    async def log_out(self, everywhere: bool = False) -> None:
        """End this session and its token (``everywhere``: all of the user's), and close."""
        raise NotImplementedError

    async def close(self) -> None:
        """Send the acknowledgements that are due and close; what is unsent stays in the outbox."""
        raise NotImplementedError

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener`` with every event of ``chat.client.events`` from now on, in the
        reactor's thread. What it raises is logged.

        :returns: a function that ends this.
        """
        raise NotImplementedError

    # Messages ----------------------------------------------------------------------------------

    def send(self, to: str, text: str) -> SentMessage:
        """Say something; works without a connection too, it is sent when there is one.

        :param to: ``#room``, ``@<userId>`` or ``@<userName>``.
        :param text: 1 to 16,384 bytes of UTF-8 as a rule; the server judges.
        """
        raise NotImplementedError

    @property
    def outgoing(self) -> Sequence[SentMessage]:
        """What is in the outbox: queued, sending or failed; oldest first."""
        raise NotImplementedError

    def withdraw(self, client_id: str) -> bool:
        """Take back a message that is Queued, or drop one that has Failed.

        :returns: whether that was still possible.
        """
        raise NotImplementedError

    def retry(self, client_id: str) -> bool:
        """Send a message that has Failed once more.

        :returns: whether there is such a message.
        """
        raise NotImplementedError

    def messages(self, *, own: bool = False, every_kind: bool = False) -> AsyncIterator[Entry]:
        """Everything that is said from now on (from the positions on), in each conversation
        contiguous, in order, and once; over reconnects, until ``close``.

        :param own: own messages too.
        :param every_kind: topics, joins, redactions, deleted entries too.
        """
        raise NotImplementedError

    @property
    def conversations(self) -> Mapping[str, Conversation]:
        """The user's conversations by name, as far as the server has told."""
        raise NotImplementedError

    @property
    def positions(self) -> Mapping[str, Position]:
        """How far each conversation was handed out; to be kept for the next start."""
        raise NotImplementedError

    async def history(
        self,
        conversation: str,
        *,
        before: int = 0,
        after: int | None = None,
        limit: int = 50,
    ) -> HistoryPage:
        """A page of a conversation: the newest; the newest below ``before``; or the oldest above
        ``after``. Bounds are exclusive. Does not touch what ``messages`` hands out.

        :param limit: 1 to 200.
        :raises Refused: 403 not a member, 404 no such conversation.
        """
        raise NotImplementedError

    async def search(
        self, text: str, conversation: str = "", *, before: int = 0, limit: int = 50
    ) -> SearchPage:
        """Entries that contain ``text``; ``before`` in ms since 1970 UTC, 0: now."""
        raise NotImplementedError

    def mark_read(self, conversation: str, seq: int | None = None) -> None:
        """The user has read up to ``seq`` (None: up to what was handed out). Sent at most once a
        second per conversation; never goes back."""
        raise NotImplementedError

    async def redact(self, conversation: str, seq: int) -> None:
        """Take the text of an entry away; its number stays.

        :raises Refused: 403 not yours, 404 no such entry.
        """
        raise NotImplementedError

    # Rooms -------------------------------------------------------------------------------------

    async def join(self, room: str, topic: str = "") -> Conversation:
        """Join a room, which is made when it does not exist."""
        raise NotImplementedError

    async def leave(self, room: str) -> None:
        """Leave a room.

        :raises Refused: 403 the lobby cannot be left.
        """
        raise NotImplementedError

    async def set_topic(self, room: str, topic: str) -> None:
        """Set a room's topic."""
        raise NotImplementedError

    async def rooms(self) -> list[Room]:
        """All public rooms, by name."""
        raise NotImplementedError

    async def members(self, room: str) -> list[User]:
        """All members of a room, by user id, with their role."""
        raise NotImplementedError

    # People ------------------------------------------------------------------------------------

    async def online(self) -> list[User]:
        """Everybody online as of the return of this call, by user id, all pages; PresenceChanged
        events after it apply on top."""
        raise NotImplementedError

    async def watch(self, users: Sequence[int]) -> list[User]:
        """Say whose presence is shown (at most 200), wanted when the scope is ``watched``; said
        again by itself after a reconnect.

        :returns: how they are now.
        """
        raise NotImplementedError

    async def lookup(self, who: int | str) -> User:
        """Who somebody is, with status and ``last_seen``.

        :raises Refused: 404 nobody.
        """
        raise NotImplementedError

    async def set_status(self, busy: bool) -> None:
        """Be busy or online; said again by itself after a reconnect."""
        raise NotImplementedError

    # The account -------------------------------------------------------------------------------

    async def sessions(self) -> list[Session]:
        """One's own devices."""
        raise NotImplementedError

    async def revoke(self, device: str) -> None:
        """End a device's session and token."""
        raise NotImplementedError

    async def change_password(self, old: str, new: str) -> str:
        """Change the password; all other sessions end.

        :returns: this device's new token.
        :raises Refused: 403 ``old`` is wrong.
        """
        raise NotImplementedError
