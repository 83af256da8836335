"""Turns what went wrong into the code and the sentence that a client gets."""

from dataclasses import dataclass
from typing import Any, Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from chat import messages
from chat.messages import Message
from chat.names import LINE_LIMIT, BadName, is_line
from chat.server.guard.passwords import Busy
from chat.store.errors import (
    FateUnknown,
    Forbidden,
    NameTaken,
    NotAllowed,
    NothingToDo,
    NotInvited,
    StoreError,
    StoreUnavailable,
    TooMany,
    Unknown,
    UnknownUser,
)

__all__ = ["Refused", "check_line", "malformed", "post_refusal", "refusal", "reply_to"]

RULES: Final = frozenset({"muted", "banned", "slow-mode", "blocked", "blocking"})
"""What a conversation's rules may have against a message, and the sentences for it."""

_POSTS: Final = {
    403: "not-allowed",
    404: "no-such-conversation",
    429: "too-fast",
    503: "store-away",
    504: "fate-unknown",
}

_FOR_WANT_OF_A_CODE: Final = frozenset({"invitation-needed", "not-invited"})

_log = Logger()

_REPLIES: Final = {
    request: messages.ANSWERS[name.removesuffix("Mes") + "ResMes"]
    for name, request in messages.REQUESTS.items()
    if name.removesuffix("Mes") + "ResMes" in messages.ANSWERS
} | {messages.OriginalSmsMes: messages.SmsResMes}


@dataclass(frozen=True)
class Refused(Exception):
    """A request can't be served, for a reason that the client is told.

    :ivar code: as in the protocol, Codes.
    :ivar key: the sentence, in ``phrases.py``.
    :ivar retry_after: seconds, with 429 and 503.
    :ivar detail: what the sentence leaves room for, if it does.
    """

    code: int
    key: str
    retry_after: float = 0.0
    detail: str = ""


def malformed(detail: str) -> Refused:
    """A member is not as the protocol has it.

    :param detail: which, and how it has to be.
    """
    return Refused(400, "malformed", detail=detail)


def check_line(member: str, text: str) -> None:
    """Let what everybody is shown be one line, and a short one.

    :param member: what the client calls it.
    :raises Refused: it is longer, or has a control character.
    """
    if not is_line(text):
        raise malformed(f"{member}: at most {LINE_LIMIT} bytes, no control characters")


def reply_to(request: Message, why: Refused, sentence: str) -> Message:
    """What a client gets in place of what it asked for: the reply to it, as far as it has one."""
    reply = _REPLIES.get(type(request))
    if reply is None:
        about = messages.type_name(type(request))
        return messages.ErrorMes(why.code, sentence, about, why.retry_after)
    members: dict[str, Any] = {
        "code": why.code, "error": sentence, "retry_after": why.retry_after
    }  # fmt: skip
    if isinstance(request, messages.RegisterMes):
        members["invitation"] = why.key in _FOR_WANT_OF_A_CODE
    if isinstance(request, messages.SmsMes):
        members["client_id"] = request.client_id[:64]
    return reply(**members)


def post_refusal(code: int, retry_after: float, reason: str) -> Refused:
    """Why a message was not accepted.

    :param reason: what the conversation's rules have against it, or why else; empty for nothing.
    """
    return Refused(code, reason if reason in RULES else _POSTS[code], retry_after)


def refusal(failure: Failure, connection: str) -> Refused:
    """What a client is told of a failure; an unforeseen one is logged and told as 503.

    :param connection: its id, for the log.
    """
    match failure.value:
        case Refused() as refused:
            return refused
        case BadName() as error:
            return Refused(400, str(error))
        case Busy(retry_after=retry_after):
            return Refused(503, "busy-server", retry_after)
        case StoreUnavailable(retry_after=retry_after):
            return Refused(503, "store-away", retry_after)
        case FateUnknown():
            return Refused(504, "fate-unknown", 1.0)
        case UnknownUser():
            return Refused(404, "no-such-user")
        case Unknown():
            return Refused(404, "no-such-conversation")
        case NothingToDo():
            return Refused(404, "nothing-to-do")
        case NotAllowed():
            return Refused(403, "not-allowed")
        case NotInvited():
            return Refused(506, "not-invited")
        case NameTaken():
            return Refused(505, "name-taken")
        case Forbidden(code=code, reason=reason, retry_after=retry_after):
            return post_refusal(code, retry_after, reason)
        case TooMany(retry_after=retry_after):
            return Refused(429, "too-fast", retry_after)
        case StoreError():
            _log.failure("the store answered with an error", failure, connection=connection)
            return Refused(503, "store-away", 1.0)
    _log.failure("connection {connection}: a request failed", failure, connection=connection)
    return Refused(503, "server-error", 1.0)
