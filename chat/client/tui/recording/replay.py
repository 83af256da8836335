"""Replays a recording: the same screen, with answers from the file instead of a server."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chat.client import events
from chat.client.api import ChatClient
from chat.client.files.cache import Cache, Known
from chat.client.language.words import LANGUAGES, Words
from chat.client.notify import Came
from chat.client.tui.chat import Chat
from chat.client.tui.commands.actions import Actions
from chat.client.tui.commands.doctor import Examined
from chat.client.tui.commands.verbs import Verbs
from chat.client.tui.desk import Desk
from chat.client.tui.drafts import Drafts
from chat.client.tui.look import Look
from chat.client.tui.panes.draw import Drawn
from chat.client.tui.panes.messages import Wish
from chat.client.tui.panes.popups import Popup
from chat.client.tui.recording.tape import (
    FORMAT,
    BadTape,
    Head,
    Line,
    Snapshot,
    answer_from,
    answers,
    error_from,
    event_from,
    state_from,
    untagged,
)
from chat.client.tui.root import Root
from chat.client.tui.themes import ASCII, THEMES, UNICODE
from chat.messages import Conversation

__all__ = ["Replay", "Tape", "read_tape"]

SIZE = (80, 24)
"""Until the recording says otherwise, which it does with the first drawing."""


DRAWINGS = 5
"""More than one thing leads to another: a page comes, it is read, the mark is drawn."""


@dataclass(frozen=True)
class Tape:
    """A recording: how it begins, and what happened afterwards."""

    head: Head
    lines: Sequence[Line]


def read_tape(path: Path) -> Tape:
    """Read a recording. A last line that a crash has cut off is left out.

    :raises BadTape: it is none.
    :raises OSError: it cannot be read.
    """
    first, *others = path.read_bytes().split(b"\n")
    try:
        head = msgspec.json.decode(first, type=Head)
    except msgspec.DecodeError:
        raise BadTape("tape-none") from None
    if head.chatroom_recording != FORMAT or head.language not in LANGUAGES:
        raise BadTape
    return Tape(head, [_line(number, each) for number, each in enumerate(others[:-1], 2)])


def _line(number: int, written: bytes) -> Line:
    try:
        return msgspec.json.decode(written, type=Line)
    except msgspec.DecodeError:
        raise BadTape("tape-line", line=number) from None


@dataclass
class _Sent:
    """What ``send`` returned."""

    outgoing: events.Outgoing
    state: events.MessageState


class _Played:
    """Stands for a ``ChatClient`` or a ``Cache``: it answers when the recording gets to the
    answer."""

    def __init__(self, kind: type, at_once: Mapping[str, Any]) -> None:
        self._kind = kind
        self._at_once = at_once
        self._calls: dict[str, int] = {}
        self._waiting: dict[str, Deferred[Any]] = {}
        self._early: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if not answers(self._kind, name):
            return lambda *arguments, **more: None
        at_once = not inspect.iscoroutinefunction(getattr(self._kind, name))
        return lambda *arguments, **more: self._call(name, at_once)

    def _call(self, name: str, at_once: bool) -> Any:
        number = self._calls[name] = self._calls.get(name, 0) + 1
        if at_once:
            return self._returned(name, self._at_once.get(f"{name}.{number}"))
        called = f"{name}.{number}"
        waiting = self._waiting[called] = Deferred()
        if called in self._early:
            self.answered(called, self._early.pop(called))
        return _waited(waiting)

    @staticmethod
    def _returned(name: str, data: Any) -> Any:
        if name != "send":
            return bool(data)
        if data is None:
            raise BadTape  # a message that the recording did not send
        return _Sent(msgspec.convert(data[0], type=events.Outgoing), untagged(data[1]))

    def answered(self, called: str, answer: Any) -> None:
        """The recording has got to what a call returned, or raised."""
        waiting = self._waiting.pop(called, None)
        if waiting is None:
            self._early[called] = answer
        elif isinstance(answer, Exception):
            waiting.errback(answer)
        else:
            waiting.callback(answer)


async def _waited(waiting: "Deferred[Any]") -> Any:
    return await waiting


class _PlayedClient(_Played):
    """What a ``ChatClient`` knows without asking the server, too."""

    def __init__(self, at_once: Mapping[str, Any]) -> None:
        super().__init__(ChatClient, at_once)
        self.user: Any = None
        self.state: events.ConnectionState = events.Stopped()
        self.conversations: dict[str, Conversation] = {}
        self.outgoing: list[_Sent] = []
        self.clock_offset = 0.0
        self.durability = ""
        self.content_limit = 0
        self.scope = "all"
        self.device = ""
        self.hear: Callable[[events.Event], None] = lambda event: None

    def listen(self, listener: Callable[[events.Event], None]) -> Callable[[], None]:
        self.hear = listener
        return lambda: None

    def now_is(self, known: Snapshot, now: float) -> None:
        """The recording has got to what the client knew at a time."""
        self.user = known.user
        self.scope = known.scope
        self.state = state_from(known.state, now)
        self.conversations = {each.conversation: each for each in known.conversations}
        self.outgoing = [
            _Sent(msgspec.convert(message, type=events.Outgoing), untagged(state))
            for message, state in known.outgoing
        ]


class _KeptDrafts(Drafts):
    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(None)
        self._texts = dict(texts)

    def load(self) -> dict[str, str]:
        return self._texts


class Replay:
    """The screen of a recording. ``step`` lets the next thing happen, ``canvas`` is what is seen.

    :raises BadTape: the recording does not fit this version of the program.
    """

    themes = Path()

    def __init__(self, tape: Tape) -> None:
        head = tape.head
        self.tape = tape
        self.size = SIZE
        self.place = 0
        self.clock = Clock()
        self._stale = False
        self._texts = (each.data for each in tape.lines if each.what == "text")
        at_once = {
            each.of.partition(".")[2]: each.data for each in tape.lines if each.what == "answer"
        }
        self._players: dict[str, _Played] = {"Cache": _Played(Cache, at_once)}
        self._players["ChatClient"] = self.client = client = _PlayedClient(at_once)
        self.look = _look(head, self.clock)
        self.root = Root(self.leave, self.clock.seconds)
        cache: Any = self._players["Cache"]
        drafts = _KeptDrafts(head.drafts)
        self.chat = chat = Chat(self.clock, client, self.look, self, drafts, cache)  # type: ignore[arg-type]  # played
        self.desk = Desk(self.look, chat)
        if tape.lines and tape.lines[0].what == "state":
            self.step()
        chat.start(head.user, msgspec.convert(head.known, type=Known | None))
        self.root.show(self.desk, Actions(chat, self.desk, self, Verbs(chat, self.desk, self)))
        self.canvas()

    @property
    def done(self) -> bool:
        """Whether the recording is over."""
        return self.place >= len(self.tape.lines)

    def step(self) -> None:
        """Let the next thing happen."""
        line = self.tape.lines[self.place]
        self.place += 1
        self.clock.advance(max(0.0, line.at - self.clock.seconds()))
        try:
            self._happen(line)
        except (BadTape, LookupError, TypeError, ValueError):
            raise BadTape("tape-line", line=self.place + 1) from None

    def _happen(self, line: Line) -> None:
        match line.what:
            case "key":
                self.root.keypress(self.size, line.of)
            case "mouse":
                column, row = line.data
                self.root.mouse_event(self.size, "mouse press", int(line.of), column, row, True)
            case "size":
                self.size = (int(line.data[0]), int(line.data[1]))
            case "event":
                self.client.hear(event_from(line.of, line.data, self.clock.seconds()))
            case "state":
                known = msgspec.convert(line.data, type=Snapshot)
                self.client.now_is(known, self.clock.seconds())
            case "answer" | "failure":
                self._answer(line)
            case _:
                pass

    def _answer(self, line: Line) -> None:
        player, _, called = line.of.partition(".")
        name = called.partition(".")[0]
        kind = {"Cache": Cache, "ChatClient": ChatClient}[player]
        if inspect.iscoroutinefunction(getattr(kind, name)):
            failed = line.what == "failure"
            answer = error_from(line.data) if failed else answer_from(kind, name, line.data)
            self._players[player].answered(called, answer)

    def canvas(self) -> Drawn:
        """What is on the screen now, drawn until nothing more changes."""
        for _ in range(DRAWINGS):
            self._stale = False
            self.chat.drawing()
            self.root.changed()
            drawn = self.root.render(self.size, focus=True)
            self.chat.drawn()
            if not self._stale:
                break
        return drawn

    def screens(self) -> Iterator[tuple[float, Drawn]]:
        """Every screen from here to the end, with its time."""
        while not self.done:
            self.step()
            yield self.clock.seconds(), self.canvas()

    # What a chat, its keys and its commands see around them: nothing happens outside

    def redraw(self) -> None:
        self._stale = True

    redraw_now = redraw

    def in_view(self) -> bool:
        root, desk = self.root, self.desk
        shown = root.shown is desk and root.popup is None and desk.messages_shown
        return shown and root.focused and desk.messages.at_end

    def at_end(self) -> bool:
        return self.desk.messages.at_end

    def columns(self) -> int:
        return self.desk.columns

    def wish(self) -> Wish | None:
        return self.desk.wish()

    def watching(self) -> list[int]:
        return self.desk.online.watched()

    def attention(self, came: Came) -> None:
        pass

    def pop_up(self, popup: Popup | None) -> None:
        self.root.pop_up(popup)

    def clear(self) -> None:
        pass

    def leave(self) -> None:
        pass

    def copy(self, text: str) -> bool:
        return True

    def open_link(self, target: str) -> bool:
        return True

    def edit_outside(self, text: str) -> str:
        return str(next(self._texts, text))

    def restyle(self, look: Look) -> None:
        self.look = look
        self.desk.restyle(look)
        self.chat.look = look

    def log_out(self) -> None:
        pass

    def change_password(self) -> None:
        pass

    def examined(self, round_trip: float | None) -> Examined:
        return Examined(
            *self.size, 256, self.look.emoji, False, round_trip, 0.0, "", "", "xterm", "UTF-8"
        )


def _look(head: Head, clock: Clock) -> Look:
    return Look(
        words=Words(head.language),
        now=lambda: head.now + clock.seconds(),
        theme=THEMES.get(head.theme, THEMES["dark"]),
        glyphs=ASCII if head.ascii else UNICODE,
        emoji=head.emoji,
        zone=timezone(timedelta(seconds=head.zone)),
    )
