"""How each generation of clients is spoken to: the same events, in different words."""

import re
from typing import Final, Protocol

import msgspec

from chat import messages
from chat.codec import encode, original_login_result, original_sms
from chat.messages import ORIGINAL_REQUESTS, REQUESTS, Message
from chat.store.entries import Header, LoggedEntry, entry_of, own_frame, push_frame

__all__ = ["CURRENT", "ORIGINAL", "Voice"]

PRIVATE_MARK: Final = "[私聊] "
SYSTEM_MARK: Final = "[系统] "
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What the Go clients would hand to the terminal as it is, but for tabs and the ends of lines: it
could be told to do things, or to write over the name before the text."""

_IMITATION: Final = re.compile(
    r"[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]*\[(?:私聊|系统)\]"
)
"""One of the marks, as far as anybody can see: behind nothing, or what draws nothing."""


class Voice(Protocol):
    """The words for one generation; None where it has none for something."""

    requests: dict[str, type[Message]]
    is_current: bool

    def message(self, message: Message, request_id: str | None) -> bytes | None:
        """A reply, or something pushed that both generations could know."""

    def entry(self, push: bytes, conversation: str, status: int) -> bytes | None:
        """A new entry, from the frame that current clients get; ``status`` is its sender's."""

    def own_entry(self, push: bytes, header: Header, conversation: str) -> bytes | None:
        """A new entry that the user sent on another connection."""

    def missed(
        self, entry: LoggedEntry, user_id: int, conversation: str, status: int
    ) -> bytes | None:
        """An entry from the log; ``status`` is its sender's."""


class _Current:
    """Clients that said ``version`` 2."""

    requests = REQUESTS
    is_current = True

    def message(self, message: Message, request_id: str | None) -> bytes | None:
        return encode(message, request_id)

    def entry(self, push: bytes, conversation: str, status: int) -> bytes | None:
        return push

    def own_entry(self, push: bytes, header: Header, conversation: str) -> bytes | None:
        return own_frame(push, header.client_id) if header.client_id else push

    def missed(
        self, entry: LoggedEntry, user_id: int, conversation: str, status: int
    ) -> bytes | None:
        return push_frame(entry.for_user(user_id), conversation)


class _Original:
    """The Go clients: four types, no ids, no rooms but the lobby (protocol, Original clients)."""

    requests = ORIGINAL_REQUESTS
    is_current = False

    def message(self, message: Message, request_id: str | None) -> bytes | None:
        match message:
            case messages.RegisterResMes(code=code, error=error):
                known = 200 if code == 200 else 505 if code == 505 else 506
                return encode(messages.OriginalRegisterResMes(known, error))
            case messages.LoginResMes(code=200, users_id=users):
                return original_login_result(users or ())
            case messages.LoginResMes(code=code, error=error):
                known = code if code in (500, 403) else 505
                return encode(messages.OriginalLoginResMes(known, None, error))
            case messages.SmsResMes(code=code, error=error) if code not in (200, 401):
                return original_sms(0, "", SYSTEM_MARK + error)
            case messages.ErrorMes(code=400, error=error):
                return original_sms(0, "", SYSTEM_MARK + error)
            case messages.NotifyUserStatusMes():
                return encode(message)
        return None

    def entry(self, push: bytes, conversation: str, status: int) -> bytes | None:
        return self._said(entry_of(push), conversation, status)

    def own_entry(self, push: bytes, header: Header, conversation: str) -> bytes | None:
        return self._said(entry_of(push), conversation, 0)

    def missed(
        self, entry: LoggedEntry, user_id: int, conversation: str, status: int
    ) -> bytes | None:
        if not entry.json or entry.sender == user_id:
            return None
        said = msgspec.json.decode(entry.json, type=messages.SmsPush)
        return self._said(said, conversation, status)

    def _said(self, entry: messages.SmsPush, conversation: str, status: int) -> bytes | None:
        if entry.kind == "announce":
            return original_sms(0, "", SYSTEM_MARK + entry.content)
        if entry.kind or entry.deleted:
            return None
        content = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", entry.content)
        if conversation.startswith("@"):
            content = PRIVATE_MARK + content
        elif _IMITATION.match(content):
            content = " " + content
        return original_sms(entry.user_id, entry.user_name, content, status)


CURRENT: Final[Voice] = _Current()
ORIGINAL: Final[Voice] = _Original()
