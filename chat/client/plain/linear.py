"""A chat without a screen: prints what comes, sends what is typed; shares the screen's core."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from chat.client import events
from chat.client.files.paths import Profile
from chat.client.language.reasons import reason
from chat.client.notify import Came
from chat.client.plain.asking import Asking, FormAsking, MenuAsking, PopupAsking
from chat.client.plain.page import Page
from chat.client.plain.telling import News
from chat.client.plain.verbs import PlainVerbs
from chat.client.tui.chat import Chat
from chat.client.tui.commands.doctor import Examined
from chat.client.tui.commands.table import Doubt, Kind, parse, refused
from chat.client.tui.desk import Desk
from chat.client.tui.drafts import Drafts
from chat.client.tui.entrance.login import Entered
from chat.client.tui.host import Host
from chat.client.tui.look import Look
from chat.client.tui.options import ScreenOptions
from chat.client.tui.panes.forms import Form, Menu
from chat.client.tui.panes.messages import Wish
from chat.client.tui.panes.popups import Choice, Popup

__all__ = ["Linear"]

PASTE_LINES = 5
"""Lines that come at once above which it is asked whether they are meant to be sent."""

DRAIN_SECONDS = 10.0
"""How long the end of a pipe waits for what it has written to be stored."""

TWICE_SECONDS = 3.0
"""Within which a second Ctrl-C leaves."""


class LinearChat(Chat):
    """A chat whose sentences are printed at once, and which recognizes messages that were typed
    here."""

    def __init__(self, page: Page, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.own: set[str] = set()
        self.working = 0
        """How much of what was asked for goes on still."""
        self._page = page

    def event(self, event: events.Event) -> None:
        match event:
            case events.MessageStateChanged(message, events.Failed(_, error)) if (
                message.to == self.model.open
            ):
                error = self.look.line(reason(error, self.look.words))
                self._page.say(self.look.words("plain-failed", error=error))
            case events.MessageStateChanged(message, _):
                self.own.add(message.client_id)
            case _:
                pass
        super().event(event)

    def say(self, text: str, bad: bool = False) -> None:
        self._page.say(self.look.line(text))

    def tell(self, text: str, again: bool = True) -> None:
        self._page.say(self.look.text(text))

    def spawn(self, work: Coroutine[Deferred[Any], Any, Any]) -> Deferred[Any]:
        self.working += 1
        return super().spawn(work).addBoth(self._worked)

    def _worked(self, result: object) -> None:
        self.working -= 1
        self._view.redraw()


class Linear(Host):
    """The program while it runs, line by line.

    :param page: where everything is printed.
    :param interactive: somebody sits at a terminal and sees what is typed.
    """

    _welcome = "plain-welcome"

    def __init__(
        self,
        reactor: Any,
        look: Look,
        profile: Profile,
        options: ScreenOptions,
        page: Page,
        interactive: bool,
    ) -> None:
        super().__init__(reactor, look, profile, options)
        self._page = page
        self._interactive = interactive
        self._doubt = Doubt()
        self._ending = False
        self._asking: Asking | None = None
        self._popup: PopupAsking | None = None
        self._news: News | None = None
        self._verbs: PlainVerbs | None = None
        self._due: Any = None
        self._warned = -TWICE_SECONDS
        self._waiters: list[Deferred[None]] = []
        self.was_in = False

    def ended(self) -> "Deferred[None]":
        """The program ends: save what is to be kept."""
        return self._end_chat()

    def begin(self) -> None:
        """Ask who the user is, or go on as who it was last."""
        self._start.show_menu()
        self._start.begin()

    # What is typed

    @property
    def hidden(self) -> bool:
        return self._asking is not None and self._popup is None and self._asking.hidden

    @property
    def talking(self) -> bool:
        return self._asking is None and self._popup is None

    def take(self, typed: list[str]) -> None:
        if self._ending:
            return
        if len(typed) > PASTE_LINES and self.talking:
            self._ask_about(typed)
        else:
            for line in typed:
                self._take(line)
        self._refresh()

    def _take(self, line: str) -> None:
        if self._popup is not None and line.startswith("/"):
            self.pop_up(None)  # a command leaves the list
        if self._popup is not None:
            self._popup.answer(line)
        elif self._asking is not None:
            self._asking.answer(line)
        elif self._chat is not None and self._verbs is not None:
            self._write(self._chat, self._verbs, line)

    def _write(self, chat: Chat, verbs: PlainVerbs, line: str) -> None:
        parsed = parse(line)
        words = self.look.words
        match parsed.kind:
            case Kind.MESSAGE if verbs.going:
                chat.say(words(verbs.one_moment))
            case Kind.MESSAGE if self._interactive and (meant := self._doubt.meant(parsed.text)):
                chat.say(words("slash-missing", meant=meant))
            case Kind.MESSAGE:
                chat.send(parsed.text, chat.answering)
            case Kind.UNKNOWN | Kind.BEHIND_SPACE:
                chat.say(refused(parsed, words))
            case Kind.COMMAND if parsed.command is not None:
                self._doubt = Doubt()
                if verbs.complete(parsed.command, parsed.text):
                    verbs.run(parsed.command, parsed.text)
            case _:
                verbs.go_on()

    def _ask_about(self, typed: list[str]) -> None:
        """Ask what to do with several lines that came at once, most likely from a paste."""
        words = self.look.words
        whole = "\n".join(typed)

        def chosen(value: object) -> None:
            self.pop_up(None)
            if isinstance(value, str) and self._chat is not None:
                self._chat.send(value, self._chat.answering)

        rows = (("plain-paste", whole), ("paste-line", " ".join(whole.split())), ("paste-not", 0))
        choices = [Choice([(None, words(key))], value) for key, value in rows]
        title = words("paste-title", n=len(typed))
        self.pop_up(Popup(self.look, title, lambda _: choices, chosen))

    def interrupt(self) -> None:
        if self._popup is not None:
            self._popup.give_up()
        elif isinstance(self._asking, FormAsking):
            self._asking.give_up()
        elif self._verbs is not None and self._verbs.stop():
            pass
        elif self._chat is None or self._reactor.seconds() - self._warned < TWICE_SECONDS:
            self.leave()
        else:
            self._warned = self._reactor.seconds()
            self._page.say(self.look.words("again-to-leave"))
        self.redraw()

    def stumbled(self) -> None:
        self._page.say(self.look.words("internal-error"))

    def leave(self) -> None:
        self.end()

    def end(self) -> None:
        """The input has ended. What came from a pipe before is still sent."""
        if self._ending:
            return
        if self._interactive or self._chat is None:
            super().leave()
        else:
            self._ending = True
            until = self._reactor.seconds() + DRAIN_SECONDS
            self._leave_when_sent(self._chat, until)

    def _leave_when_sent(self, chat: Chat, until: float) -> None:
        waiting = _under_way(chat) or not self._is_ready()
        if self._reactor.seconds() < until and waiting:
            self._reactor.callLater(0.05, self._leave_when_sent, chat, until)
        else:
            self._refresh()  # What is stored by now may not have been printed yet.
            super().leave()

    def ready(self) -> "Deferred[None]":
        waiting: Deferred[None] = Deferred()
        self._waiters.append(waiting)
        self.redraw()
        return waiting

    def _is_ready(self) -> bool:
        if self._start.busy or self._is_working():
            return False
        if not self.talking or self._chat is None or not self._chat.model.connected:
            return True
        # What is on its way is said where it was written: what comes next may lead elsewhere.
        return not _under_way(self._chat) and (self._news is None or self._news.up_to_date)

    def _is_working(self) -> bool:
        """Whether what is asked for next would be answered before what was asked for until now. A
        catch-up at reading speed does not count."""
        if self._chat is None or self._verbs is None or self._verbs.catch_up.active:
            return False
        assert isinstance(self._chat, LinearChat)
        return self._chat.working > 0

    # What a chat and the start ask for

    def redraw(self) -> None:
        if self._due is None:
            self._due = self._reactor.callLater(0, self._refresh)

    def _refresh(self) -> None:
        """Print what is new, fetch what is missing, and show the prompt."""
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None
        if self._popup is not None:
            self._popup.changed()
        elif self._asking is not None:
            self._asking.changed()
        elif self._chat is not None and self._news is not None:
            self._news.tell()
            self._chat.drawn()
        self._page.ask(self._prompt())
        if self._is_ready():
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)

    def _prompt(self) -> str:
        asked = self._popup or self._asking
        if asked is not None:
            return asked.prompt
        current = self._chat.model.current if self._chat is not None else None
        return f"{self._chat.title_of(current)}> " if self._chat and current else ""

    def in_view(self) -> bool:
        telling = self._popup is None and self._asking is None and self._news is not None
        return telling and self._news is not None and self._news.up_to_date

    def at_end(self) -> bool:
        return True

    def columns(self) -> int:
        return sys.maxsize  # the terminal breaks a line that is too long

    def wish(self) -> Wish | None:
        return self._news.wish() if self._news is not None else None

    def watching(self) -> list[int]:
        return []

    def attention(self, came: Came) -> None:
        if self._news is not None:
            self._news.elsewhere(came)

    def pop_up(self, popup: Popup | None) -> None:
        self._popup = None
        if popup is not None:
            leave: Callable[[], None] = lambda: self.pop_up(None)  # noqa: E731
            self._popup = PopupAsking(self.look, popup, self._page.say, leave)
        self.redraw()

    def copy(self, text: str) -> bool:
        """There is no clipboard in a terminal that prints everything."""
        return False

    def open_link(self, target: str) -> bool:
        """Links are printed; the reader opens them."""
        return False

    def restyle(self, look: Look) -> None:
        super().restyle(look)
        if self._chat is not None and self._desk is not None:
            self._show_chat(self._chat, self._desk)

    def show_menu(self, widget: Menu | Form) -> None:
        self._popup = None
        if isinstance(widget, Form):
            self._asking = FormAsking(self.look, widget, self._page.say)
        else:
            # Most of the time a remembered user is logged in without questions.
            silent = not self.was_in and bool(self._start.user)
            self._asking = MenuAsking(self.look, widget, self._page.say, silent)
        self.redraw()

    def _begin_chat(self, entered: Entered) -> Chat:
        # A pipe's text is written before anybody knows which conversation was open last.
        drafts = Drafts(entered.slot.beside("drafts"), stay=self._interactive)
        self.was_in = True
        return LinearChat(
            self._page, self._reactor, entered.client, self.look, self, drafts, entered.cache
        )

    def _show_chat(self, chat: Chat, desk: Desk) -> None:
        assert isinstance(chat, LinearChat)
        self._asking = self._popup = None
        own = chat.own if self._interactive else set()
        self._news = News(chat.model, self.look, self._page.say, own)
        self._verbs = PlainVerbs(chat, desk, self, self._news)
        self.redraw()

    def examined(self, round_trip: float | None) -> Examined:
        return self._examined(0, 0, 1, round_trip)


def _under_way(chat: Chat) -> bool:
    """Whether something that was written is neither stored nor refused."""
    return any(not isinstance(sent.state, events.Failed) for sent in chat.client.outgoing)
