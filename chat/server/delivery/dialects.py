"""How each generation of clients is spoken to: the same events, as different frames."""

import re
from typing import Final, Protocol

from chat import messages
from chat.codec import encode, original_login_result, original_sms
from chat.messages import ORIGINAL_REQUESTS, REQUESTS, Message
from chat.store.entries import Header, LoggedEntry, entry_of, own_frame, push_frame, read_entry

__all__ = ["CURRENT", "ORIGINAL", "Dialect"]

PRIVATE_MARK: Final = "[私聊] "
SYSTEM_MARK: Final = "[系统] "
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than tab and newline. The Go clients print them as they are, so that a
message could command the terminal, or overwrite the name in front of its text."""

_IMITATION: Final = re.compile(
    r"[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]*\[(?:私聊|系统)\]"
)
"""A text that looks as if it began with one of the marks, perhaps behind invisible characters."""


class Dialect(Protocol):
    """The frames for one generation of clients.

    Every method returns a whole frame, or None when that generation has no frame for it.

    :ivar requests: the messages that such a client may send, by the type of their envelope.
    :ivar is_current: False for the original Go clients.
    """

    requests: dict[str, type[Message]]
    is_current: bool

    def message(self, message: Message, request_id: str | None) -> bytes | None:
        """A reply, or a push other than an entry."""

    def entry(self, push: bytes, conversation: str, status: int) -> bytes | None:
        """A new entry.

        :param push: the frame that current clients get.
        :param status: the sender's ``userStatus``.
        """

    def own_entry(self, push: bytes, header: Header, conversation: str) -> bytes | None:
        """A new entry that the same user sent on another connection."""

    def missed(
        self, entry: LoggedEntry, user_id: int, conversation: str, status: int
    ) -> bytes | None:
        """An entry that was read from the log.

        :param user_id: who is to read it.
        :param status: the sender's ``userStatus``.
        """


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
        said = read_entry(entry.json)
        return self._said(said, conversation, status)

    def _said(self, entry: messages.Entry, conversation: str, status: int) -> bytes | None:
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


CURRENT: Final[Dialect] = _Current()
ORIGINAL: Final[Dialect] = _Original()
