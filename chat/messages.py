"""Every message on the wire, one frozen struct each, named as in ``docs/protocol.rst``.

A message's type on the wire is the name of its class. Members are camel case on the wire and
snake case here. ``REQUESTS`` are what a server takes, ``ANSWERS`` what a client takes.
"""

from typing import Annotated, ClassVar, Final

import msgspec

__all__ = ["ANSWERS", "BUSY", "OFFLINE", "ONLINE", "REQUESTS", "Message"]


LARGEST: Final = 2**53 - 1
Number = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""A number that every JSON reader keeps exact (RFC 8259, section 6). With numbers of thousands of
digits nothing may be computed: to write the result down ends a server (``hiredis.pack_command``
does not expect Python's limit of digits), and a client's SQLite and calendar have no room for them.
Only ids before a login may be any number: they are looked up as they are written."""

EntryNumber = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
"""The number of an entry that a client names."""


class Value(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A part of a message. The codec takes unknown members out before they get here."""


class Message(Value, frozen=True):
    """The data of one envelope."""


# Parts -----------------------------------------------------------------------------------------


class Account(Value, frozen=True):
    """``user`` of RegisterMes, as the original clients send it."""

    user_id: int = 0
    user_pwd: str = ""
    user_name: str = ""
    user_status: int = 0
    sex: str = ""


ONLINE, OFFLINE, BUSY = 0, 1, 2
"""``userStatus``."""


class User(Value, frozen=True, omit_defaults=True):
    """A user as others see them.

    :ivar user_status: ``ONLINE``, ``OFFLINE`` or ``BUSY``.
    :ivar last_seen: in ms since 1970 UTC, in LookupRes.
    :ivar role: in MembersRes.
    """

    user_id: Number
    user_name: str
    user_status: Number = msgspec.field(default=-1)
    last_seen: Number = 0
    role: str = ""


# gc=False: only text and numbers are in there, and there may be very many.
class Entry(Value, frozen=True, omit_defaults=True, gc=False):
    """One numbered entry of a conversation.

    :ivar kind: empty for a message, else ``edit``, ``redact``, ``erase``, ``topic``, ``join``,
        ``leave``, ``role`` or what ``ModerateMes`` did.
    :ivar time: in ms since 1970 UTC.
    :ivar target: the number of the entry that an edit or a redact changes; else the id of the user
        whom the entry is about, who is called ``target_name``.
    :ivar seconds: how long a ban or mute lasts from ``time``; or slow mode.
    :ivar deleted: the entry was redacted, and has nothing else but its number.
    :ivar edited: the number of the edit whose text the message has, 0 for its first text.
    :ivar cut: the content is shortened.
    :ivar reply: the number of the entry that it answers, 0 for none.
    """

    seq: Number
    epoch: str = ""
    kind: str = ""
    user_id: Number = 0
    user_name: str = ""
    content: str = ""
    time: Number = 0
    client_id: str = ""
    target: Number = 0
    target_name: str = ""
    seconds: Number = 0
    deleted: bool = False
    edited: Number = 0
    cut: bool = False
    conversation: str = ""
    reply: Number = 0


class Conversation(Value, frozen=True):
    """One conversation as one user sees it (*conv* of the protocol).

    :ivar seq: the newest number.
    :ivar first: the lowest number that is kept.
    :ivar epoch_first: the first number of ``epoch``.
    :ivar delivered, read: the user's marks.
    :ivar user_name: the partner's, in a private conversation.
    :ivar gone: the user is no longer in it; nothing else is filled in.
    :ivar private: one joins the room by invitation.
    :ivar slow: seconds between two messages of one user.
    """

    conversation: str
    epoch: str = ""
    epoch_first: Number = 0
    seq: Number = 0
    first: Number = 0
    delivered: Number = 0
    read: Number = 0
    topic: str = ""
    role: str = ""
    last: Entry | None = None
    user_name: str = ""
    gone: bool = False
    private: bool = False
    slow: Number = 0


class Session(Value, frozen=True):
    """One of the user's own devices. ``since`` and ``last_seen`` in ms since 1970 UTC."""

    device: str
    since: Number = 0
    last_seen: Number = 0
    online: bool = False


class Room(Value, frozen=True):
    """A public room, as RoomsRes lists it."""

    conversation: str
    topic: str = ""
    members: Number = 0


class Sanction(Value, frozen=True):
    """Somebody whom a room's moderators have banned, muted or invited.

    :ivar action: ``ban``, ``mute`` or ``invite``.
    :ivar since, until: in ms since 1970 UTC; ``until`` 0 without end.
    :ivar by: a user id, 0 for whoever runs the server.
    """

    action: str
    user_id: Number
    user_name: str = ""
    until: Number = 0
    since: Number = 0
    by: Number = 0


class Invitation(Value, frozen=True):
    """A room that one may join, and who said so."""

    conversation: str
    user_id: Number = 0
    user_name: str = ""


# Requests --------------------------------------------------------------------------------------


class Request(Message, frozen=True, omit_defaults=True):
    """What a client asks for; a member that is left out has the default written here."""


class RegisterMes(Request, frozen=True):
    """Make an account.

    :ivar user: its ``user_id`` may be 0 in a current client: then the server picks one.
    :ivar invitation: a code, on a server that asks for one.
    :ivar language: as in ``LoginMes``.
    """

    user: Account
    version: int = 0
    invitation: str = ""
    language: str = ""


class LoginMes(Request, frozen=True):
    """Log in by id or by name, with a password or a token.

    :ivar language: of the sentences in errors from here on, ``en`` or ``zh``; for any other it is
        the server's.
    """

    version: int = 0
    user_id: int = 0
    user_name: str = ""
    user_pwd: str = ""
    token: str = ""
    device: str = ""
    language: str = ""


class SmsMes(Request, frozen=True):
    """Say something: ``to`` a conversation, or by an original client to the lobby. ``reply`` is the
    number of the entry there that it answers, 0 for none."""

    content: str
    to: str = ""
    client_id: str = ""
    reply: EntryNumber = 0


class OriginalSmsMes(Message, frozen=True):
    """What an original client says and hears; what it says of its sender is never believed."""

    type_name: ClassVar[str] = "SmsMes"

    content: str
    user_id: int = 0
    user_pwd: str = ""
    user_name: str = ""
    user_status: int = 0
    sex: str = ""


class ConversationsMes(Request, frozen=True):
    """Page one's own conversations, in the order LoginRes has them."""

    after: str = ""
    limit: Number = 100


class HistoryMes(Request, frozen=True):
    """A page of a conversation between two exclusive bounds, 0 for none."""

    conversation: str
    epoch: str = ""
    before: Number = 0
    after: Number | None = None
    limit: Number = 50


class SearchMes(Request, frozen=True):
    """Find entries that contain ``text``, newest first.

    :ivar before: in ms since 1970 UTC, exclusive; 0 for now.
    :ivar skip: how many entries of the last ms before that are known already; None from a client
        that does not say.
    """

    text: str
    conversation: str = ""
    before: Number = 0
    limit: Number = 50
    skip: Number | None = None


class AckMes(Request, frozen=True):
    """Move one's marks; cumulative, never back; no reply."""

    conversation: str
    epoch: str = ""
    delivered: Number | None = None
    read: Number | None = None


class OnlineMes(Request, frozen=True):
    """Page who is online, by user id."""

    after: Number = 0
    limit: Number = 500


class WatchMes(Request, frozen=True):
    """Whom the screen shows: their presence is wanted even in scope ``watched``."""

    users: tuple[Number, ...] = ()


class StatusMes(Request, frozen=True):
    """Be online (0) or busy (2)."""

    status: Number


class LookupMes(Request, frozen=True):
    """Who somebody is, by id or by name."""

    user_id: Number = 0
    user_name: str = ""


class JoinMes(Request, frozen=True):
    """Join a room, which is made when it does not exist; ``private``: for who is invited."""

    conversation: str
    topic: str = ""
    private: bool = False


class LeaveMes(Request, frozen=True):
    """Leave a room."""

    conversation: str


class TopicMes(Request, frozen=True):
    """Set a room's topic."""

    conversation: str
    topic: str = ""


class RedactMes(Request, frozen=True):
    """Take the text of an entry away; its number stays."""

    conversation: str
    seq: Number


class EditMes(Request, frozen=True):
    """Give one of one's own messages the text ``content``; its number stays."""

    conversation: str
    seq: Number
    content: str


class ModerateMes(Request, frozen=True):
    """Act on a room or, by id or by name, on somebody in it.

    :ivar action: kick, ban, unban, mute, unmute, invite, uninvite, owner, moderator, member; slow,
        private, public.
    :ivar seconds: how long a ban or mute lasts, 0 without end; or slow mode.
    """

    conversation: str
    action: str
    user_id: Number = 0
    user_name: str = ""
    seconds: Number = 0
    reason: str = ""


class SanctionsMes(Request, frozen=True):
    """Page who is banned, muted or invited in a room, by user id."""

    conversation: str
    after: Number = 0


class BlockMes(Request, frozen=True):
    """Exchange no private messages with somebody, or, ``block`` false, do so again."""

    user_id: Number = 0
    user_name: str = ""
    block: bool = True


class BlocksMes(Request, frozen=True):
    """Page whom one has blocked, by user id."""

    after: Number = 0


class InvitationsMes(Request, frozen=True):
    """Page the rooms that one is invited to, by name."""

    after: str = ""


class ReportMes(Request, frozen=True):
    """Show a message to the administrators."""

    conversation: str
    seq: Number
    reason: str = ""


class RoomsMes(Request, frozen=True):
    """Page the public rooms, by name."""

    after: str = ""
    limit: Number = 100


class MembersMes(Request, frozen=True):
    """Page the members of a room, by user id."""

    conversation: str
    after: Number = 0
    limit: Number = 500


class SessionsMes(Request, frozen=True):
    """List one's own devices."""


class RevokeMes(Request, frozen=True):
    """End a device's session and token."""

    device: str


class PasswordMes(Request, frozen=True):
    """Change the password; all other sessions and tokens end."""

    user_pwd: str
    new_pwd: str


class LogoutMes(Request, frozen=True):
    """End this session and its token; ``everywhere``: all of them."""

    everywhere: bool = False


class PingMes(Request, frozen=True):
    """Are you there?"""


# Replies ---------------------------------------------------------------------------------------


class Reply(Message, frozen=True, kw_only=True):
    """What most replies have: ``code`` as in the protocol (Codes), ``error`` a sentence or empty.

    ``retry_after`` in seconds, with the codes 429 and 503.
    """

    code: Number = 200
    error: str = ""
    retry_after: float = 0


class OriginalRegisterResMes(Message, frozen=True):
    """The reply an original client knows."""

    type_name: ClassVar[str] = "RegisterResMes"

    code: int
    error: str = ""


class RegisterResMes(Message, frozen=True):
    """What came of a registration.

    :ivar user_id: the one that was picked.
    :ivar invitation: it was refused for want of a valid code; None where the server does not say.
    """

    code: Number
    error: str = ""
    user_id: Number = 0
    retry_after: float = 0
    invitation: bool | None = None


class OriginalLoginResMes(Message, frozen=True):
    """The reply an original client knows; ``users_id`` None on failure."""

    type_name: ClassVar[str] = "LoginResMes"

    code: int
    users_id: tuple[int, ...] | None = msgspec.field(name="UsersId", default=None)
    error: str = ""


class LoginResMes(Message, frozen=True):
    """Everything that a screen needs to start.

    :ivar server_time: in ms since 1970 UTC.
    :ivar content_limit: in bytes of UTF-8; 0 when it is not told.
    """

    code: Number
    error: str = ""
    users_id: tuple[Number, ...] | None = msgspec.field(name="UsersId", default=None)
    user: User | None = None
    token: str = ""
    server_time: Number = 0
    durability: str = ""
    features: tuple[str, ...] = ()
    scope: str = ""
    conversations: tuple[Conversation, ...] = ()
    more: bool = False
    retry_after: float = 0
    content_limit: Number = 0


class ConversationsResMes(Reply, frozen=True, kw_only=True):
    conversations: tuple[Conversation, ...] = ()
    more: bool = False


class SmsResMes(Message, frozen=True):
    """What came of one SmsMes. ``retry_after`` in seconds."""

    code: Number
    error: str = ""
    client_id: str = ""
    conversation: str = ""
    epoch: str = ""
    epoch_first: Number = 0
    seq: Number = 0
    time: Number = 0
    duplicate: bool = False
    retry_after: float = 0


class HistoryResMes(Reply, frozen=True, kw_only=True):
    conversation: str = ""
    epoch: str = ""
    epoch_first: Number = 0
    first: Number = 0
    messages: tuple[Entry, ...] = ()
    more: bool = False


class SearchResMes(Reply, frozen=True, kw_only=True):
    """``before`` and ``skip`` are where the search stopped: those of the next request when
    ``more``."""

    messages: tuple[Entry, ...] = ()
    more: bool = False
    before: Number = 0
    skip: Number = 0


class OnlineResMes(Reply, frozen=True, kw_only=True):
    users: tuple[User, ...] = ()
    total: Number = 0
    more: bool = False


class WatchResMes(Reply, frozen=True, kw_only=True):
    users: tuple[User, ...] = ()


class StatusResMes(Reply, frozen=True, kw_only=True):
    pass


class LookupResMes(Reply, frozen=True, kw_only=True):
    user: User | None = None


class JoinResMes(Message, frozen=True):
    """The members of *conv* stand beside the code."""

    code: Number
    error: str = ""
    conversation: str = ""
    epoch: str = ""
    epoch_first: Number = 0
    seq: Number = 0
    first: Number = 0
    delivered: Number = 0
    read: Number = 0
    topic: str = ""
    role: str = ""
    last: Entry | None = None
    retry_after: float = 0
    private: bool = False
    slow: Number = 0


class LeaveResMes(Reply, frozen=True, kw_only=True):
    pass


class TopicResMes(Reply, frozen=True, kw_only=True):
    pass


class RedactResMes(Reply, frozen=True, kw_only=True):
    pass


class EditResMes(Reply, frozen=True, kw_only=True):
    pass


class ModerateResMes(Reply, frozen=True, kw_only=True):
    pass


class SanctionsResMes(Reply, frozen=True, kw_only=True):
    sanctions: tuple[Sanction, ...] = ()
    more: bool = False


class BlockResMes(Reply, frozen=True, kw_only=True):
    pass


class BlocksResMes(Reply, frozen=True, kw_only=True):
    users: tuple[User, ...] = ()
    more: bool = False


class InvitationsResMes(Reply, frozen=True, kw_only=True):
    invitations: tuple[Invitation, ...] = ()
    more: bool = False


class ReportResMes(Reply, frozen=True, kw_only=True):
    pass


class RoomsResMes(Reply, frozen=True, kw_only=True):
    rooms: tuple[Room, ...] = ()
    more: bool = False


class MembersResMes(Reply, frozen=True, kw_only=True):
    users: tuple[User, ...] = ()
    more: bool = False


class SessionsResMes(Reply, frozen=True, kw_only=True):
    sessions: tuple[Session, ...] = ()


class RevokeResMes(Reply, frozen=True, kw_only=True):
    pass


class PasswordResMes(Reply, frozen=True, kw_only=True):
    token: str = ""


class LogoutResMes(Reply, frozen=True, kw_only=True):
    pass


class PongMes(Message, frozen=True):
    """``server_time`` in ms since 1970 UTC."""

    server_time: Number


# Pushed ----------------------------------------------------------------------------------------


class SmsPush(Message, frozen=True, omit_defaults=True, gc=False):
    """A new entry of a conversation; the members are those of ``Entry``."""

    type_name: ClassVar[str] = "SmsMes"

    seq: Number = 0
    epoch: str = ""
    kind: str = ""
    user_id: Number = 0
    user_name: str = ""
    content: str = ""
    time: Number = 0
    client_id: str = ""
    target: Number = 0
    target_name: str = ""
    seconds: Number = 0
    deleted: bool = False
    edited: Number = 0
    conversation: str = ""
    reply: Number = 0


class NotifyUserStatusMes(Message, frozen=True):
    """Somebody's status changed; for original clients."""

    user_id: int
    status: int


class PresenceMes(Message, frozen=True):
    """Changes of presence.

    :ivar scope: ``all`` or ``watched``.
    :ivar reset: the client should ask for the list again (OnlineMes).
    """

    users: tuple[User, ...] = ()
    scope: str = "all"
    reset: bool = False


class ConversationMes(Conversation, Message, frozen=True):
    """Marks have moved, the topic has changed, or the user has joined, left or was removed."""


class InvitationMes(Invitation, Message, frozen=True):
    """The user is invited to a room."""


class BlockedMes(Message, frozen=True):
    """The user has blocked somebody or, with ``block`` false, taken that back, on whichever
    device."""

    user_id: Number
    user_name: str
    block: bool


class ReceiptMes(Message, frozen=True):
    """How far the partner of a private conversation is."""

    conversation: str
    user_id: Number
    epoch: str
    delivered: Number
    read: Number


class ErrorMes(Message, frozen=True, omit_defaults=True):
    """A frame was refused.

    :ivar about: its type, where that could be read.
    """

    code: Number
    error: str = ""
    about: str = ""
    retry_after: float = 0


class ByeMes(Message, frozen=True, omit_defaults=True):
    """The server is about to close. ``retry_after`` in seconds."""

    code: Number
    error: str = ""
    retry_after: float = 0


def type_name(message: type[Message]) -> str:
    """The ``type`` of a message's envelope."""
    name: str = getattr(message, "type_name", message.__name__)
    return name


def _by_type(*messages: type[Message]) -> dict[str, type[Message]]:
    return {type_name(message): message for message in messages}


ORIGINAL_REQUESTS = _by_type(RegisterMes, LoginMes, OriginalSmsMes)
"""What an original client may send."""

REQUESTS = _by_type(
    RegisterMes, LoginMes, SmsMes, ConversationsMes, HistoryMes, SearchMes, AckMes, OnlineMes,
    WatchMes, StatusMes, LookupMes, JoinMes, LeaveMes, TopicMes, RedactMes, EditMes, RoomsMes,
    MembersMes, ModerateMes, SanctionsMes, BlockMes, BlocksMes, InvitationsMes, ReportMes,
    SessionsMes, RevokeMes, PasswordMes, LogoutMes, PingMes,
)  # fmt: skip
"""What a current client may send."""

ANSWERS = _by_type(
    RegisterResMes, LoginResMes, ConversationsResMes, SmsResMes, HistoryResMes, SearchResMes,
    OnlineResMes, WatchResMes, StatusResMes, LookupResMes, JoinResMes, LeaveResMes, TopicResMes,
    RedactResMes, EditResMes, RoomsResMes, MembersResMes, ModerateResMes, SanctionsResMes,
    BlockResMes, BlocksResMes, InvitationsResMes, ReportResMes, InvitationMes, SessionsResMes,
    RevokeResMes, PasswordResMes, LogoutResMes, PongMes, SmsPush, PresenceMes, ConversationMes,
    ReceiptMes, BlockedMes, ErrorMes, ByeMes, NotifyUserStatusMes,
)  # fmt: skip
"""What a server may send to a current client."""
