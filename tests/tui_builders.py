"""Builders for tests of the screen: a scripted client, a chat with some history, a look."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from chat.client import events
from chat.client.api import HistoryPage, SearchPage
from chat.client.errors import ClientError, NotConnected
from chat.client.events import Outgoing
from chat.client.files.cache import Cache, Known
from chat.client.language.words import Words
from chat.client.notify import Came
from chat.client.tui.chat import Chat
from chat.client.tui.commands.actions import Actions
from chat.client.tui.commands.doctor import Examined
from chat.client.tui.commands.verbs import Verbs
from chat.client.tui.desk import Desk
from chat.client.tui.drafts import Drafts
from chat.client.tui.look import Look
from chat.client.tui.panes.messages import Wish
from chat.client.tui.panes.popups import Popup
from chat.client.tui.recording.recorder import Recorder
from chat.client.tui.root import Root
from chat.client.tui.themes import UNICODE, Glyphs
from chat.messages import Conversation, Entry, Invitation, Room, Sanction, Session, User

NOON = 1_700_000_000_000 - 1_700_000_000_000 % 86_400_000 + 12 * 3_600_000
"""Tuesday, 2023-11-14, 12:00 UTC in ms; its day begins at 00:00."""

ME = User(1, "anna", 0)
BEN = User(2, "ben", 0)
CHEN = User(3, "陈晓明", 2)
EPOCH = "e1"

_FAILURES: list[LogEvent] = []


def _observe(event: LogEvent) -> None:
    if event.get("log_failure") is not None:
        _FAILURES.append(event)


globalLogPublisher.addObserver(_observe)


def failures() -> list[str]:
    """What went wrong behind the screen's guards since the last call."""
    found = [event["log_failure"].getTraceback() for event in _FAILURES]
    _FAILURES.clear()
    return found


def look(language: str = "en", glyphs: Glyphs = UNICODE) -> Look:
    """A look whose clock stands at noon, in UTC."""
    return Look(Words(language), now=lambda: NOON / 1000, glyphs=glyphs, zone=UTC)


def entry(seq: int, user: User = BEN, content: str = "", to: str = "#lobby", **more: Any) -> Entry:
    """Entry ``seq``, a minute after the one before it."""
    time = more.pop("time", NOON + seq * 60_000)
    return Entry(
        seq=seq,
        epoch=EPOCH,
        user_id=user.user_id,
        user_name=user.user_name,
        content=content or f"message {seq}",
        time=time,
        conversation=to,
        **more,
    )


def room(
    name: str, seq: int = 0, read: int = 0, topic: str = "", private: bool = False
) -> Conversation:
    """*conv* of a room or a private conversation, all of it kept."""
    return Conversation(
        conversation=name, epoch=EPOCH, epoch_first=1, seq=seq, first=1, delivered=read, read=read,
        topic=topic, private=private,
    )  # fmt: skip


class Sent:
    """What ``ScriptedClient.send`` returns."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.state: events.MessageState = events.Sending()


class ScriptedClient:
    """Answers as a server with ``logs`` would, and remembers what it was asked."""

    def __init__(self, logs: Mapping[str, Sequence[Entry]] | None = None) -> None:
        self.logs = {name: list(entries) for name, entries in (logs or {}).items()}
        self.user = ME
        self.state: events.ConnectionState = events.LoggedIn()
        self.conversations: dict[str, Conversation] = {}
        self.people = [ME, BEN, CHEN]
        self.blocked: list[User] = []
        self.public = [Room("#lobby", "", 3), Room("#cats", "all about cats", 2)]
        self.device = "desk"
        self.content_limit = 0
        self.scope = "all"
        self.asked: list[tuple[str, object]] = []
        self.outgoing: list[Sent] = []
        self.slow: Deferred[None] | None = None
        self.trouble: ClientError | None = None
        self._listeners: list[Callable[[events.Event], None]] = []

    def listen(self, listener: Callable[[events.Event], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def tell(self, *happened: events.Event) -> None:
        for event in happened:
            for listener in list(self._listeners):
                listener(event)

    def say(self, written: Entry) -> None:
        """Somebody else writes ``written``."""
        self.logs.setdefault(written.conversation, []).append(written)
        mine = written.user_id == self.user.user_id
        self.tell(events.MessageArrived(written, mine, True))

    def send(self, to: str, text: str, *, reply: int = 0) -> Sent:
        self.asked.append(("send", (to, text, reply) if reply else (to, text)))
        sent = Sent(Outgoing(f"c{len(self.asked)}", to, text, NOON, reply))
        self.outgoing.append(sent)
        self.tell(events.MessageStateChanged(sent.outgoing, sent.state))
        return sent

    async def _served(self) -> None:
        """What a request goes through: there is a connection, the server does it, in its time."""
        if not isinstance(self.state, events.LoggedIn):
            raise NotConnected("there is no connection at the moment")
        if self.trouble is not None:
            raise self.trouble
        if self.slow is not None:
            await self.slow

    async def history(
        self, conversation: str, *, before: int = 0, after: int | None = None, limit: int = 50
    ) -> HistoryPage:
        self.asked.append(
            ("history", (conversation, before if after is None else f"after {after}"))
        )
        await self._served()
        log = self.logs.get(conversation, [])
        page = [each for each in log if not before or each.seq < before][-limit:]
        if after is not None:
            page = [each for each in log if each.seq > after][:limit]
        first = log[0].seq if log else 1
        more = bool(page) and page[0].seq > first
        return HistoryPage(tuple(page), EPOCH, 1, first, more)

    async def search(
        self, text: str, conversation: str = "", *, before: int = 0, skip: int = 0, limit: int = 50
    ) -> SearchPage:
        self.asked.append(("search", (text, conversation, before)))
        names = [conversation] if conversation else list(self.logs)
        said = [each for name in names for each in self.logs.get(name, [])]
        found = [each for each in said if text.casefold() in each.content.casefold()]
        found = sorted(found, key=lambda each: -each.time)
        found = [each for each in found if not before or each.time < before]
        page = tuple(found[:limit])
        return SearchPage(page, len(found) > limit, page[-1].time if page else 0)

    async def online(self, enough: int | None = None) -> list[User]:
        return list(self.people)

    async def watch(self, users: Sequence[int]) -> list[User]:
        self.asked.append(("watch", tuple(users)))
        return []

    async def lookup(self, who: int | str) -> User:
        if self.slow is not None:
            await self.slow
        return next(each for each in self.people if who in (each.user_id, each.user_name))

    async def join(self, name: str, topic: str = "", private: bool = False) -> Conversation:
        self.asked.append(("join", (name, private) if private else name))
        return room(name, topic=topic, private=private and name not in self.logs)

    async def leave(self, name: str) -> None:
        self.asked.append(("leave", name))
        if self.slow is not None:
            await self.slow
        self.tell(events.ConversationChanged(Conversation(name, gone=True)))

    async def rooms(self) -> list[Room]:
        return self.public

    async def members(self, room: str) -> list[User]:
        self.asked.append(("members", room))
        return [
            ME,
            User(BEN.user_id, BEN.user_name, role="moderator"),
            User(CHEN.user_id, CHEN.user_name, role="owner"),
        ]

    async def set_topic(self, room: str, topic: str) -> None:
        self.asked.append(("topic", (room, topic)))

    async def redact(self, conversation: str, seq: int) -> None:
        self.asked.append(("redact", (conversation, seq)))
        if self.slow is not None:
            await self.slow

    async def edit(self, conversation: str, seq: int, text: str) -> None:
        self.asked.append(("edit", (conversation, seq, text)))
        await self._served()

    async def moderate(
        self, room: str, action: str, who: int | str = "", seconds: int = 0, reason: str = ""
    ) -> None:
        self.asked.append(("moderate", (room, action, who, seconds, reason)))

    async def sanctions(self, room: str) -> list[Sanction]:
        return [Sanction("ban", 2, "Ben", NOON), Sanction("mute", 3, "Chen")]

    async def invitations(self) -> list[Invitation]:
        return [Invitation("#cats", 2, "Ben")]

    async def block(self, who: int | str, block: bool) -> None:
        self.asked.append(("block", (who, block)))
        self.blocked = [BEN] if block else []

    async def blocks(self) -> list[User]:
        return self.blocked

    async def report(self, conversation: str, seq: int, reason: str) -> None:
        self.asked.append(("report", (conversation, seq, reason)))

    async def sessions(self) -> list[Session]:
        return [Session("desk", NOON, NOON, True), Session("phone", NOON, NOON, False)]

    async def set_status(self, busy: bool) -> None:
        self.asked.append(("busy", busy))

    def mark_read(self, conversation: str, seq: int | None = None) -> None:
        self.asked.append(("read", (conversation, seq)))

    def reconnect_now(self) -> None:
        self.asked.append(("reconnect", None))

    def retry(self, client_id: str) -> bool:
        self.asked.append(("retry", client_id))
        return True

    def withdraw(self, client_id: str) -> bool:
        self.asked.append(("withdraw", client_id))
        return True


class Screen:
    """The whole screen without a terminal: keys in, rows of text out.

    Also what a chat, its keys and its commands see around them.
    """

    themes = Path("/nowhere")

    def __init__(
        self,
        client: ScriptedClient | None = None,
        size: tuple[int, int] = (80, 24),
        language: str = "en",
        glyphs: Glyphs = UNICODE,
        cache: Cache | None = None,
        known: Known | None = None,
        recorder: Recorder | None = None,
        drafts: Drafts | None = None,
    ) -> None:
        self.size = size
        self.clock = Clock()
        self.client = client or ScriptedClient()
        self.left = False
        self.may_fail = False
        self.told: list[Came] = []
        self.copied: list[str] = []
        self.opened: list[str] = []
        failures()
        self.root = Root(self.leave, self.clock.seconds)
        self.look = look(language, glyphs)
        drafts = drafts or Drafts(None)
        self.recorder = recorder
        talking: Any = self.client
        if recorder is not None:
            cache = cache or Cache(self.clock, Path("/nowhere"), maybeDeferred)
            entered: Any = SimpleNamespace(
                client=self.client, user=self.client.user, known=known, cache=cache
            )
            talking, cache = recorder.record(entered, self.look, drafts.load(), self.root)
        chat = Chat(self.clock, talking, self.look, self, drafts, cache)
        self.chat = chat
        self.desk = Desk(self.look, chat)
        chat.start(self.client.user, known)
        self.actions = Actions(chat, self.desk, self, Verbs(chat, self.desk, self))
        self.root.show(self.desk, self.actions)

    def text(self) -> list[str]:
        """Draw, let the chat do what drawing leads to, and draw until nothing changes.

        What a guard caught is a failure of the test all the same.
        """
        for _ in range(4):
            self.root.changed()
            canvas = self.root.render(self.size, focus=True)
            self.chat.drawn()
        assert (canvas.cols(), canvas.rows()) == self.size
        if not self.may_fail:
            found = failures()
            assert not found, found[0]
        return [line.rstrip() for line in canvas.decoded_text]

    def press(self, *keys: str) -> list[str]:
        for key in keys:
            self.root.keypress(self.size, key)
        return self.text()

    def type(self, text: str) -> list[str]:
        return self.press(*text)

    def enter(self, text: str) -> list[str]:
        """Type it, and press Enter."""
        self.type(text)
        return self.press("enter")

    def paste(self, text: str) -> list[str]:
        keys = ["enter" if each == "\n" else each for each in text]
        return self.press("begin paste", *keys, "end paste")

    # What the chat and the keys see

    def redraw(self) -> None:
        self.root.changed()

    redraw_now = redraw

    def in_view(self) -> bool:
        return self.root.focused and self.root.popup is None and self.desk.messages.at_end

    def at_end(self) -> bool:
        return self.desk.messages.at_end

    def columns(self) -> int:
        return self.desk.columns

    def wish(self) -> Wish | None:
        return self.desk.wish()

    def watching(self) -> list[int]:
        return self.desk.online.watched()

    def attention(self, came: Came) -> None:
        if not self.root.attended(self.clock.seconds()):
            self.told.append(came)

    def pop_up(self, popup: Popup | None) -> None:
        self.root.pop_up(popup)

    def clear(self) -> None:
        pass

    def copy(self, text: str) -> bool:
        self.copied.append(text)
        return True

    def open_link(self, target: str) -> bool:
        self.opened.append(target)
        return True

    def leave(self) -> None:
        self.left = True

    def edit_outside(self, text: str) -> str:
        text = f"{text} edited"
        if self.recorder is not None:
            self.recorder.edited(text)
        return text

    def restyle(self, wanted: Look) -> None:
        self.look = wanted
        self.desk.restyle(wanted)

    def log_out(self) -> None:
        self.left = True

    def change_password(self) -> None:
        self.left = True

    def examined(self, round_trip: float | None) -> Examined:
        return Examined(
            *self.size, 256, False, False, round_trip, 0.0, "everysec", "the.log", "xterm", "UTF-8"
        )


def lively(
    language: str = "en", size: tuple[int, int] = (80, 24), drafts: Drafts | None = None
) -> Screen:
    """A screen in the middle of a day: rooms, private talk, people, unread messages."""
    log = [
        entry(1, BEN, "good morning everybody"),
        entry(2, CHEN, "早上好！今天的会议改到下午三点，请大家准时参加，别忘了带上周的报告。"),
        entry(3, ME, "thanks, I will be there"),
        entry(4, ME, "and I bring the slides"),
        entry(5, BEN, kind="topic", content="planning the release"),
        entry(6, BEN, "a long line that has to be folded because no terminal is as wide as what "
              "people write when nobody stops them, and its second row hangs under the first"),
        entry(7, CHEN, "@anna 你能看一下吗？"),
    ]  # fmt: skip
    client = ScriptedClient({"#lobby": log, "@2": [entry(1, BEN, "psst", to="@2")]})
    client.conversations = {
        "#lobby": room("#lobby", seq=7, read=6, topic="planning the release"),
        "#cats": room("#cats", seq=12, read=0, topic="all about cats"),
        "@2": room("@2", seq=1, read=0),
        "@3": room("@3", seq=0, read=0),
    }
    screen = Screen(client, size, language, drafts=drafts)
    screen.chat.model.conversation("@2").partner = "ben"
    screen.chat.model.conversation("@3").partner = "陈晓明"
    screen.text()
    return screen
