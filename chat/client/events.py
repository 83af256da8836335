"""What happened, as frozen values: what ``ChatClient.listen`` passes to a screen or a bot."""

from msgspec import Struct

from chat.client.errors import Untrusted
from chat.messages import Conversation, Entry, User

__all__ = [
    "Blocked",
    "Connected",
    "Connecting",
    "ConnectionChanged",
    "ConnectionState",
    "ConversationChanged",
    "ConversationsListed",
    "EpochChanged",
    "ErrorArrived",
    "Event",
    "Failed",
    "GapFilled",
    "GapSkipped",
    "Invited",
    "LoggedIn",
    "MessageArrived",
    "MessageState",
    "MessageStateChanged",
    "Outgoing",
    "Position",
    "PresenceChanged",
    "Queued",
    "ReceiptMoved",
    "Sending",
    "Stopped",
    "Stored",
    "Waiting",
    "Withdrawn",
]


class Position(Struct, frozen=True):
    """How far one has a conversation: every entry up to ``seq``, in ``epoch``."""

    epoch: str
    seq: int


# The connection --------------------------------------------------------------------------------


class Connecting(Struct, frozen=True):
    """A connection is being opened, or somebody is being logged in on it."""


class Connected(Struct, frozen=True):
    """A connection is open and nobody is logged in; the server ends it after some seconds."""


class LoggedIn(Struct, frozen=True):
    """Requests are served, messages come."""


class Waiting(Struct, frozen=True):
    """No connection; the next try is in ``seconds``, that is when ``reactor.seconds()`` is
    ``until``. ``reason`` is a sentence; where the server gave it, it is text from the network."""

    seconds: float
    until: float
    reason: str


class Stopped(Struct, frozen=True):
    """No connection and no try to come. ``code`` 409: the same device logged in elsewhere; 403 or
    500: log in anew; 495: the certificate can't be trusted, and ``error`` has it; 0: closed by this
    side, or never begun."""

    reason: str = ""
    code: int = 0
    error: Untrusted | None = None


ConnectionState = Connecting | Connected | LoggedIn | Waiting | Stopped


# One's own messages ----------------------------------------------------------------------------


class Queued(Struct, frozen=True):
    """In the outbox, not written to a connection: it can still be withdrawn."""


class Sending(Struct, frozen=True):
    """Written to a connection at least once, and not answered for certain."""


class Stored(Struct, frozen=True):
    """Accepted. ``conversation`` is the canonical name, ``time`` in ms since 1970 UTC."""

    conversation: str
    epoch: str
    seq: int
    time: int


class Failed(Struct, frozen=True):
    """Refused for good; it stays in the outbox until it is retried or withdrawn. ``code`` as in
    the protocol; ``sentence`` is text from the network. 504: fate unknown for too long."""

    code: int
    sentence: str


class Withdrawn(Struct, frozen=True):
    """Taken back before it was sent, or dropped after it failed."""


MessageState = Queued | Sending | Stored | Failed | Withdrawn


class Outgoing(Struct, frozen=True):
    """One's own message on its way.

    ``to`` as it was given to ``send``; ``client_id`` names the message for ever; ``written`` is
    when, in ms since 1970 UTC by this machine's clock; ``reply`` is the number of the entry there
    that it answers, 0 for none.
    """

    client_id: str
    to: str
    text: str
    written: int
    reply: int = 0


# Events ----------------------------------------------------------------------------------------


class ConnectionChanged(Struct, frozen=True):
    """The connection has a new state."""

    state: ConnectionState


class ConversationsListed(Struct, frozen=True):
    """After each login: ``ChatClient.conversations`` is complete and up to date."""


class ConversationChanged(Struct, frozen=True):
    """Joined, left (``gone``), topic, or marks moved: what is now in ``ChatClient.conversations``.

    Arriving messages move ``seq`` and ``last`` there without this event.
    """

    conversation: Conversation


class MessageArrived(Struct, frozen=True):
    """The next entry of ``entry.conversation``, handed out once and in the order of its number.

    Entries of every kind come this way (``entry.kind``): an ``edit`` says what the message with
    the number ``entry.target`` says from now on (``entry.content``; empty: it was corrected again
    since, or is deleted), a redact says whose text to take away, a ``deleted`` one has nothing but
    its number. Own messages come too
    (``mine``), from this device with the ``client_id`` that ``send`` gave them. ``live`` is false
    for what was fetched to fill a hole.
    """

    entry: Entry
    mine: bool
    live: bool


class MessageStateChanged(Struct, frozen=True):
    """One's own message has a new state. Stored comes before its MessageArrived."""

    message: Outgoing
    state: MessageState


class GapFilled(Struct, frozen=True):
    """Entries from ``first`` to ``last`` had been missed and have now been handed out."""

    conversation: str
    first: int
    last: int


class GapSkipped(Struct, frozen=True):
    """Entries from ``first`` to ``last`` are not handed out: retention took them
    (``kept`` false), or they are more than ``fill_limit`` and ``history()`` has them (``kept``)."""

    conversation: str
    first: int
    last: int
    kept: bool


class EpochChanged(Struct, frozen=True):
    """Numbers that were given out may be lost: drop everything held of ``conversation`` from
    ``epoch_first`` on. What stands there now follows as MessageArrived."""

    conversation: str
    epoch: str
    epoch_first: int


class ReceiptMoved(Struct, frozen=True):
    """The partner of a private conversation has everything up to ``delivered``, and has read up
    to ``read`` (numbers of ``epoch``)."""

    conversation: str
    user_id: int
    epoch: str
    delivered: int
    read: int


class PresenceChanged(Struct, frozen=True):
    """These users changed. ``scope`` is ``all`` or ``watched``; ``reset``: what is known of
    presence is out of date, ask ``online()`` (or ``watch()``) again."""

    users: tuple[User, ...]
    scope: str
    reset: bool


class ErrorArrived(Struct, frozen=True):
    """The server refused a frame that was no request, or sends a warning. ``about`` is a type."""

    code: int
    sentence: str
    about: str


class Invited(Struct, frozen=True):
    """One may join a room now: somebody, who is named, invited one."""

    conversation: str
    user_id: int
    user_name: str


class Blocked(Struct, frozen=True):
    """One blocked somebody, or (``block`` False) took that back, on whichever of one's devices."""

    user_id: int
    user_name: str
    block: bool


Event = (
    ConnectionChanged
    | ConversationsListed
    | ConversationChanged
    | MessageArrived
    | MessageStateChanged
    | GapFilled
    | GapSkipped
    | EpochChanged
    | ReceiptMoved
    | PresenceChanged
    | ErrorArrived
    | Invited
    | Blocked
)
