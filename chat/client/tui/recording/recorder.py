"""Records what happens to a screen, keys, events and answers, so that it can be replayed."""

import inspect
import os
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from twisted.logger import Logger

from chat.client import events
from chat.client.api import ChatClient
from chat.client.errors import ClientError
from chat.client.files.cache import Cache
from chat.client.tui.drafts import NAMES
from chat.client.tui.look import Look
from chat.client.tui.recording.tape import (
    FORMAT,
    Head,
    Line,
    Snapshot,
    answers,
    error_to,
    event_to,
    state_to,
    tagged,
)
from chat.client.tui.recording.veil import secret, veiled, veiled_texts
from chat.client.tui.root import Root
from chat.client.tui.themes import ASCII

if TYPE_CHECKING:
    from chat.client.tui.entrance.login import Entered

__all__ = ["Recorder"]

SECRET: Final = frozenset({"change_password"})
"""Calls whose answers are nobody's business."""


class Recorder:
    """Writes a recording, for its owner alone: it contains everything that was read and typed, but
    no passwords and tokens.

    :param seconds: the current time.
    :param veil: replace the letters and digits of all texts by others.
    :raises OSError: the file can't be made; an existing one is not overwritten.
    """

    log = Logger()

    def __init__(self, path: Path, seconds: Callable[[], float], veil: bool = False) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._path = path
        self.seconds = seconds
        self.veil = veil
        self._began = seconds()
        self._begun = False

    def begin(self, head: Head) -> bool:
        """Write the first line.

        :returns: whether there was none yet: a file holds one chat.
        """
        if self._begun:
            return False
        self._begun = True
        self._began = self.seconds()
        self._put(head)
        return True

    def record(
        self, entered: "Entered", look: Look, drafts: Mapping[str, str], root: Root
    ) -> tuple[Any, Any]:
        """Begin to record a chat.

        :returns: what to use in the place of the client and of the cache.
        """
        client = entered.client
        if not self.begin(self._head(entered, look, drafts)):
            return client, entered.cache
        self.write("state", "", _snapshot(client, self.seconds()))
        client.listen(self._heard_from(client))
        root.watched_by(self)
        return _Recorded(client, ChatClient, self), _Recorded(entered.cache, Cache, self)

    def _heard_from(self, client: ChatClient) -> Callable[[events.Event], None]:
        def heard(event: events.Event) -> None:
            if isinstance(event, events.ConversationsListed):
                self.write("state", "", _snapshot(client, self.seconds()))
            self.write("event", type(event).__name__, event_to(event, self.seconds()))

        return heard

    def write(self, what: str, of: str = "", data: object = None) -> None:
        """Write a line."""
        at = round(self.seconds() - self._began, 4)
        data = msgspec.to_builtins(data)
        self._put(Line(at, what, of, veiled_texts(data) if self.veil else data))

    def close(self) -> bool:
        """Write nothing more.

        :returns: whether there is a recording. Without a chat there is none, and no file either.
        """
        self._file.close()
        if not self._begun:
            self._path.unlink(missing_ok=True)
        return self._begun

    def _put(self, line: object) -> None:
        try:
            if self._begun and not self._file.closed:
                self._file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            self.log.error("nothing more is recorded: {error}", error=error)
            self._file.close()

    # What a screen tells of itself

    def key(self, key: str, before: str | None) -> None:
        """Somebody pressed a key."""
        letter = key.removeprefix("meta ")  # without a meaning of its own it is Esc and a letter
        hidden = before is not None and len(letter) == 1 and secret(before, self.veil)
        if hidden and letter != key:
            self.write("key", "esc")
        self.write("key", veiled(letter) if hidden else key)

    def mouse(self, button: int, column: int, row: int) -> None:
        """Somebody pressed a button of the mouse."""
        self.write("mouse", str(button), [column, row])

    def size(self, columns: int, rows: int) -> None:
        """The screen has this size from now on."""
        self.write("size", "", [columns, rows])

    def edited(self, text: str) -> None:
        """The text that an editor outside has returned."""
        self.write("text", "", veiled(text) if self.veil else text)

    def _head(self, entered: "Entered", look: Look, drafts: Mapping[str, str]) -> Head:
        zone = look.moment().astimezone(look.zone).utcoffset() or timedelta()
        known = msgspec.to_builtins(entered.known)
        return Head(
            FORMAT,
            look.words.language,
            look.theme.name,
            look.glyphs is ASCII,
            look.emoji,
            look.now(),
            int(zone.total_seconds()),
            entered.user,
            veiled_texts(known) if self.veil else known,
            {
                name: veiled(text) if self.veil and name not in NAMES else text
                for name, text in drafts.items()
            },
        )


def _snapshot(client: ChatClient, now: float) -> Snapshot:
    return Snapshot(
        client.user,
        state_to(client.state, now),
        list(client.conversations.values()),
        [_sent(each) for each in client.outgoing],
        client.scope,
    )


def _sent(message: Any) -> object:
    """A ``SentMessage`` as it is recorded."""
    return [msgspec.to_builtins(message.outgoing), tagged(message.state)]


class _Recorded:
    """A ``ChatClient`` or a ``Cache`` whose answers are recorded as they come."""

    def __init__(self, inner: Any, kind: type, recorder: Recorder) -> None:
        self._inner = inner
        self._kind = kind
        self._recorder = recorder
        self._calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not answers(self._kind, name):
            return found
        at_once = not inspect.iscoroutinefunction(getattr(self._kind, name))
        return (self._returning if at_once else self._answering)(name, found)

    def _number(self, name: str) -> str:
        """The number of this call of the method: answers need not come in the order of the
        calls."""
        self._calls[name] += 1
        return f"{self._kind.__name__}.{name}.{self._calls[name]}"

    def _answering(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **more: Any) -> Any:
            number = self._number(name)
            try:
                answer = await method(*arguments, **more)
            except ClientError as error:
                self._recorder.write("failure", number, error_to(error))
                raise
            self._recorder.write("answer", number, None if name in SECRET else answer)
            return answer

        return call

    def _returning(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            number = self._number(name)
            result = method(*arguments, **more)
            self._recorder.write("answer", number, _sent(result) if name == "send" else result)
            return result

        return call
