"""What each request does: one function per type, in one module per concern.

A handler takes the session and the message and returns the reply, or None when there is none.
What it raises is turned into a refusal by ``chat.server.requests.refusals``.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from chat import messages
from chat.messages import Message
from chat.server.requests import entering, moderating, people, reading, rooms, talking

__all__ = ["HANDLERS", "OPEN_TO_ALL", "UNMETERED"]

Handler = Callable[[Any, Any], Coroutine[Any, Any, Message | None]]

HANDLERS: Final[dict[type[Message], Handler]] = {
    messages.RegisterMes: entering.register,
    messages.LogoutMes: entering.log_out,
    messages.PasswordMes: entering.change_password,
    messages.SessionsMes: entering.sessions,
    messages.RevokeMes: entering.revoke,
    messages.HistoryMes: reading.history,
    messages.SearchMes: reading.search,
    messages.AckMes: reading.acknowledge,
    messages.EditMes: talking.edit,
    messages.ConversationsMes: rooms.conversations,
    messages.JoinMes: rooms.join,
    messages.LeaveMes: rooms.leave,
    messages.TopicMes: rooms.set_topic,
    messages.RedactMes: rooms.redact,
    messages.ModerateMes: moderating.moderate,
    messages.SanctionsMes: moderating.sanctions,
    messages.BlockMes: moderating.block,
    messages.BlocksMes: moderating.blocks,
    messages.InvitationsMes: moderating.invitations,
    messages.ReportMes: moderating.report,
    messages.RoomsMes: rooms.list_rooms,
    messages.MembersMes: rooms.members,
    messages.OnlineMes: people.online,
    messages.WatchMes: people.watch,
    messages.StatusMes: people.set_status,
    messages.LookupMes: people.look_up,
}
"""All requests but those that ``Session`` serves itself: LoginMes, whose reply is sent on the way,
SmsMes (``talking.post``), and PingMes, which needs nothing."""

OPEN_TO_ALL: Final = frozenset({messages.RegisterMes, messages.LoginMes, messages.PingMes})
"""What needs no login."""

UNMETERED: Final = frozenset({messages.AckMes, messages.PingMes})
"""What counts as a frame only (protocol, Limits)."""
