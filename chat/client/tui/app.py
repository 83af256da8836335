"""The full-screen client: ties screen, start and chat together, and restores the terminal."""

from typing import TYPE_CHECKING, Any

from chat.client import events
from chat.client.files.paths import Profile
from chat.client.notify import Came
from chat.client.tui.chat import Chat
from chat.client.tui.commands.actions import Actions
from chat.client.tui.commands.doctor import Examined
from chat.client.tui.commands.verbs import Verbs
from chat.client.tui.desk import Desk
from chat.client.tui.drafts import Drafts, Run
from chat.client.tui.entrance.login import Entered
from chat.client.tui.host import Host
from chat.client.tui.look import Look
from chat.client.tui.notifier import Notifier, run_command
from chat.client.tui.options import ScreenOptions
from chat.client.tui.outside import clipboard, edited, link_opener
from chat.client.tui.panes.forms import Form, Menu
from chat.client.tui.panes.messages import Wish
from chat.client.tui.panes.popups import Popup
from chat.client.tui.root import Root
from chat.client.tui.terminal.screen import Loop
from chat.client.tui.themes import THEMES

if TYPE_CHECKING:
    from chat.client.tui.recording.recorder import Recorder

__all__ = ["App"]

DRAFTS_EVERY = 3.0
"""Seconds after typing, or going elsewhere, after which drafts go to disk."""


class App(Host):
    """The program while it runs: everything that needs both the terminal and the chat.

    :param screen: an urwid screen.
    :param event_loop: urwid's view of ``reactor``.
    :param recorder: writes down what happens; None when nothing is recorded.
    """

    def __init__(
        self,
        reactor: Any,
        screen: Any,
        event_loop: Any,
        look: Look,
        profile: Profile,
        options: ScreenOptions,
        recorder: "Recorder | None" = None,
    ) -> None:
        super().__init__(reactor, look, profile, options)
        self._screen = screen
        self._recorder = recorder
        self._draft_due: Any = None
        self._tick_due: Any = None
        self._run_program = run_command(reactor)
        self._notifier = Notifier(
            reactor, options, self._quiet, look.moment, self._tell_terminal, self._run_program
        )
        self.root = Root(self.leave, reactor.seconds)
        self.loop = Loop(
            self.root,
            look.theme.palette(),
            screen=screen,
            event_loop=event_loop,
            handle_mouse=options.mouse,
        )
        self.loop.attach(reactor, self._drawing, self._drawn)
        screen.on_light = self._lit

    def run(self) -> None:
        """Show the menu, or the chat, and return when the user leaves.

        :raises BaseException: what went wrong in the loop; the terminal is restored by then.
        """
        self._reactor.callWhenRunning(self._begin)
        ending = self._reactor.addSystemEventTrigger("before", "shutdown", self._end_chat)
        try:
            self.loop.run()
        except BaseException:
            # The loop has crashed the reactor, which ends neither its threads nor the chat then.
            # Nor is it told that the cache is written; the thread that does it ends by itself.
            self._reactor.removeSystemEventTrigger(ending)
            self._end_chat()
            self._reactor.fireSystemEvent("shutdown")
            raise

    def _begin(self) -> None:
        """Draw first, then load what the network needs, which takes as long as everything before
        it."""
        self._start.show_menu()
        self.loop.redraw.now()
        self._reactor.callLater(0, self._start.begin)

    # View: what a chat asks of the screen

    def redraw(self) -> None:
        self.loop.redraw.soon()

    def redraw_now(self) -> None:
        self.loop.redraw.now()

    def in_view(self) -> bool:
        desk = self._desk
        return (
            desk is not None
            and self.root.shown is desk
            and self.root.focused
            and self.root.popup is None
            and desk.messages_shown
            and desk.messages.at_end
        )

    def at_end(self) -> bool:
        return self._desk is not None and self._desk.messages.at_end

    def columns(self) -> int:
        return self._desk.columns if self._desk is not None else 0

    def wish(self) -> Wish | None:
        shown = self._desk is not None and self.root.shown is self._desk
        return self._desk.wish() if shown and self._desk is not None else None

    def watching(self) -> list[int]:
        return self._desk.online.watched() if self._desk is not None else []

    def attention(self, came: Came) -> None:
        if not self.root.attended(self._reactor.seconds()):
            self._notifier.came(came)

    def _drawing(self) -> None:
        if self._chat is not None:
            self._chat.drawing()
        self.root.changed()

    def _drawn(self) -> None:
        if self._chat is None or self._desk is None:
            return
        self._chat.drawn()
        unread, _ = self._chat.model.unread()
        self._screen.entitle(f"({unread}) chatroom" if unread else "chatroom")
        begun = self._chat.moved or self._desk.composer.editor.text != self._draft()
        if begun and self._draft_due is None:
            in_thread = self._reactor.callInThread
            self._draft_due = self._reactor.callLater(DRAFTS_EVERY, self._keep_drafts, in_thread)
        if isinstance(self._chat.model.link, events.Waiting) and self._tick_due is None:
            self._tick_due = self._reactor.callLater(1.0, self._tick)

    def _tick(self) -> None:
        """The countdown has moved by a second."""
        self._tick_due = None
        self.redraw()

    def _tell_terminal(self, text: str) -> None:
        """Write what is no drawing, at once."""
        if self._screen.started:
            self._screen.write(text)
            self._screen.flush()

    def _draft(self) -> str:
        current = self._chat.model.current if self._chat is not None else None
        return current.draft if current is not None else ""

    def _keep_drafts(self, run: Run = lambda work: work()) -> None:
        self._draft_due = None
        if self._chat is not None and self._desk is not None:
            self._chat.keep_draft(self._desk.composer.editor.text)
            self._chat.save_drafts(run)

    # Stage, and what the start and the commands ask for

    def pop_up(self, popup: Popup | None) -> None:
        self.root.pop_up(popup)
        self.loop.redraw.soon()

    def clear(self) -> None:
        self._screen.clear()

    def wear(self, look: Look) -> None:
        if look.theme != self.look.theme:
            self._screen.register_palette(look.theme.palette())
            self._screen.clear()
        super().wear(look)

    def _lit(self, light: bool) -> None:
        """The terminal has said how bright it is: use the colours for that, unless somebody has
        chosen some."""
        self.wear(self.look.with_theme(THEMES["light" if light else "dark"]))

    def show_menu(self, widget: Menu | Form) -> None:
        self.root.show(widget)

    def _begin_chat(self, entered: Entered) -> Chat:
        if self._recorder is None:
            return super()._begin_chat(entered)
        drafts = Drafts(entered.slot.beside("drafts"))
        client, cache = self._recorder.record(entered, self.look, drafts.load(), self.root)
        return Chat(self._reactor, client, self.look, self, drafts, cache)

    def _show_chat(self, chat: Chat, desk: Desk) -> None:
        self.root.show(desk, Actions(chat, desk, self, Verbs(chat, desk, self)))
        self.redraw()

    def examined(self, round_trip: float | None) -> Examined:
        columns, rows = self._screen.get_cols_rows()
        return self._examined(columns, rows, self._screen.colors, round_trip)

    def edit_outside(self, text: str) -> str:
        """Give the terminal to ``$EDITOR``. The connection waits meanwhile."""
        with self.loop.paused():
            text, status = edited(text)
        if status and self._chat is not None:
            self._chat.say(self.look.words("editor-failed", status=status), bad=True)
        if self._recorder is not None:
            self._recorder.edited(text)
        return text

    def copy(self, text: str) -> bool:
        sequence = clipboard(text)
        self._tell_terminal(sequence)
        return bool(sequence)

    def open_link(self, target: str) -> bool:
        opener = link_opener()
        if opener is not None:
            self._run_program([*opener, target])
        return opener is not None
