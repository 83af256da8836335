"""The lines of a recording: events as JSON and back, and which answers it must contain."""

import inspect
from typing import Any, Final, get_type_hints

import msgspec

from chat.client import errors, events
from chat.client.api import ChatClient
from chat.client.errors import ClientError, Refused
from chat.client.files.cache import Cache
from chat.messages import Conversation, User

__all__ = [
    "FORMAT",
    "BadTape",
    "Head",
    "Line",
    "Snapshot",
    "answer_from",
    "answers",
    "error_from",
    "error_to",
    "event_from",
    "event_to",
    "state_from",
    "state_to",
    "tagged",
    "untagged",
]

FORMAT: Final = 1
"""Of the file, in its first line."""

_FROM_CACHE: Final = frozenset({"page", "search"})
_AT_ONCE: Final = frozenset({"send", "withdraw", "retry"})

_ERRORS: Final = {name: getattr(errors, name) for name in errors.__all__}


class BadTape(Exception):
    """This is not a recording, or one of another version of the program.

    :ivar key: the sentence that says so, with ``values`` put in.
    """

    def __init__(self, key: str = "tape-version", **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values


class Head(msgspec.Struct, rename="kebab"):
    """The first line: how the screen was at the beginning.

    :ivar now: seconds since 1970 UTC.
    :ivar zone: by how many seconds the reader's time is ahead of UTC.
    :ivar known: what the cache said.
    """

    chatroom_recording: int
    language: str
    theme: str
    ascii: bool
    emoji: bool
    now: float
    zone: int
    user: User
    known: Any = None
    drafts: dict[str, str] = {}


class Line(msgspec.Struct, array_like=True, omit_defaults=True):
    """What happened ``at`` seconds after the beginning.

    :ivar what: ``key``, ``mouse``, ``size``, ``event``, ``answer``, ``failure``, ``state`` (a
        ``Snapshot``) or ``text`` (what an editor outside returned).
    :ivar of: which key, button, event or call it is.
    """

    at: float
    what: str
    of: str = ""
    data: Any = None


class Snapshot(msgspec.Struct):
    """What a client knows without asking, at the beginning and after each login."""

    user: User | None
    state: Any
    conversations: list[Conversation]
    outgoing: list[Any]
    scope: str = "all"


# Answers ----------------------------------------------------------------------------------------


def answers(kind: type, name: str) -> bool:
    """Whether what a method of ``ChatClient`` or ``Cache`` returns comes from outside."""
    if kind is Cache:
        return name in _FROM_CACHE
    method = inspect.getattr_static(ChatClient, name, None)
    return name in _AT_ONCE or (not name.startswith("_") and inspect.iscoroutinefunction(method))


def answer_from(kind: type, name: str, data: Any) -> Any:
    """What a call returned, read as the type in its annotation.

    :raises BadTape: it can't have returned that.
    """
    wanted = get_type_hints(getattr(kind, name))["return"]
    return None if data is None else _converted(data, wanted)


def error_to(error: ClientError) -> object:
    """An error as it is recorded."""
    if isinstance(error, Refused):
        return ["Refused", [error.code, error.sentence, error.retry_after]]
    return [type(error).__name__, [str(error)]]


def error_from(data: Any) -> ClientError:
    """The error again. One that was made of more than its sentence becomes a plain one."""
    try:
        return _ERRORS[data[0]](*data[1])  # type: ignore[no-any-return]  # one of ours
    except (KeyError, TypeError):
        return ClientError(*map(str, data[1]))


# Events -----------------------------------------------------------------------------------------


def event_to(event: events.Event, now: float) -> object:
    """An event as it is recorded.

    :param now: on the clock of ``Waiting.until``.
    """
    match event:
        case events.ConnectionChanged(state):
            return state_to(state, now)
        case events.MessageStateChanged(message, state):
            return [msgspec.to_builtins(message), tagged(state)]
        case _:
            return msgspec.to_builtins(event)


def event_from(name: str, data: Any, now: float) -> events.Event:
    """The event called ``name`` again.

    :raises BadTape: there is no such event.
    """
    kind = _kind(name)
    if kind is events.ConnectionChanged:
        return events.ConnectionChanged(state_from(data, now))
    if kind is events.MessageStateChanged:
        message = _converted(data[0], events.Outgoing)
        return events.MessageStateChanged(message, untagged(data[1]))
    return _converted(data, kind)  # type: ignore[no-any-return]  # by its name


def state_to(state: events.ConnectionState, now: float) -> object:
    """A state of the connection as it is recorded, independent of the clock."""
    if isinstance(state, events.Waiting):
        state = events.Waiting(state.seconds, state.until - now, state.reason)
    return tagged(state)


def state_from(data: Any, now: float) -> events.ConnectionState:
    """The state again."""
    state: events.ConnectionState = untagged(data)
    if isinstance(state, events.Waiting):
        state = events.Waiting(state.seconds, state.until + now, state.reason)
    return state


def tagged(value: object) -> list[object]:
    """A value of ``chat.client.events`` with its name."""
    return [type(value).__name__, msgspec.to_builtins(value)]


def untagged(data: Any) -> Any:
    """The value again."""
    return _converted(data[1], _kind(data[0]))


def _kind(name: object) -> Any:
    if name not in events.__all__:
        raise BadTape
    return getattr(events, str(name))


def _converted(data: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError:
        raise BadTape from None
