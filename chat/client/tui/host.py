"""Whose chat it is, from login to logout: the same with a screen and without."""

import gc
import locale
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from chat.client import events
from chat.client.errors import ClientError
from chat.client.files.paths import Profile, Remembered
from chat.client.network.address import DEFAULT_SERVER, server_string
from chat.client.notify import Quiet
from chat.client.tui.chat import Chat
from chat.client.tui.commands.doctor import Examined
from chat.client.tui.desk import Desk
from chat.client.tui.drafts import Drafts
from chat.client.tui.entrance.login import Entered
from chat.client.tui.entrance.stage import Entrance
from chat.client.tui.entrance.start import Start
from chat.client.tui.logfile import LOG_NAME
from chat.client.tui.look import Look
from chat.client.tui.options import ScreenOptions
from chat.client.tui.themes import ASCII
from chat.client.tui.view import View
from chat.names import is_room

__all__ = ["Host"]

LEAVE_SECONDS = 2.0
"""How long leaving may wait for the last acknowledgements, or for a logout."""


class Host(View, Entrance):
    """Begins and ends chats. Subclasses decide how they are shown."""

    log = Logger()
    _welcome = "welcome"

    def __init__(self, reactor: Any, look: Look, profile: Profile, options: ScreenOptions) -> None:
        self.look = look
        self.themes: Path = options.themes
        self._reactor = reactor
        self._profile = profile
        self._chat: Chat | None = None
        self._desk: Desk | None = None
        self._entered: Entered | None = None
        self._closing: Deferred[None] = succeed(None)
        self._goodbye: Deferred[None] = succeed(None)
        self._leaving = False
        self._quiet = Quiet(options.quiet)
        known = profile.remembered()
        server = options.server or (known.server if known else DEFAULT_SERVER)
        user = options.user or _remembered_user(known, options.server)
        if options.fingerprint:
            profile.known_servers.accept(server_string(server), options.fingerprint)
        self._start = Start(
            reactor, self, profile, server, user, ca=options.ca, cached=options.cache
        )

    # What is different on a screen and without one

    def redraw_now(self) -> None:
        self.redraw()

    def _show_chat(self, chat: Chat, desk: Desk) -> None:
        """Show it to the user."""
        raise NotImplementedError

    def _begin_chat(self, entered: Entered) -> Chat:
        drafts = Drafts(entered.slot.beside("drafts"))
        return Chat(self._reactor, entered.client, self.look, self, drafts, entered.cache)

    def restyle(self, look: Look) -> None:
        """Use another look or language, now and at the next start."""
        # If it can't be saved, it holds as long as the program runs.
        with suppress(OSError):
            if look.words.language != self.look.words.language:
                self._profile.choose("language", look.words.language)
            if look.theme.name != self.look.theme.name:
                self._profile.choose("theme", look.theme.name)
        self.wear(look)

    def wear(self, look: Look) -> None:
        """Use another look or language as long as the program runs."""
        self.look = look
        if self._desk is not None and self._chat is not None:
            self._desk.restyle(look)
            self._chat.look = look
        self.redraw()

    def _examined(
        self, columns: int, rows: int, colours: int, round_trip: float | None
    ) -> Examined:
        """What is known of the terminal, this machine and the server."""
        client = self._chat.client if self._chat is not None else None
        return Examined(
            columns=columns,
            rows=rows,
            colours=colours,
            full_emoji=self.look.emoji,
            ascii_glyphs=self.look.glyphs is ASCII,
            round_trip=round_trip,
            clock_offset=client.clock_offset if client is not None else 0.0,
            durability=client.durability if client is not None else "",
            log=str(self._profile.state / LOG_NAME),
            term=os.environ.get("TERM", ""),
            charset=locale.getpreferredencoding(False),
        )

    def _keep_drafts(self) -> None:
        """Save what was begun and not sent."""

    # Coming and going

    def enter(self, entered: Entered) -> None:
        """Begin the chat of somebody who is logged in, or is known from the cache."""
        self._entered = entered
        self._chat = chat = self._begin_chat(entered)
        self._desk = desk = Desk(self.look, chat)
        chat.on_stopped = self._stopped
        chat.quiet = self._quiet
        chat.start(entered.user, entered.known)
        self._show_chat(chat, desk)
        # What is here by now stays. Looking through all of it for garbage, again and again, would
        # stop the screen for some 20 ms each time.
        gc.freeze()

    def welcome(self) -> None:
        """Say to somebody who is here for the first time what there is."""
        if self._chat is not None:
            model, words = self._chat.model, self.look.words
            who_reads = words("who-reads" if is_room(model.open) else "who-reads-notes")
            name = model.me.user_name
            self._chat.tell(words(self._welcome, name=name, who_reads=who_reads))

    def _stopped(self, stopped: events.Stopped) -> None:
        """The client has given up: say why. The messages that are there can still be read."""
        if self._chat is not None and stopped.code in (403, 500) and not self._leaving:
            self._forget_device()
            why = self.look.words("logged-out-by", reason=self.look.line(stopped.reason))
            self._start.show_menu(why.rstrip(), bad=True)

    def _end_chat(self) -> Deferred[None]:
        """Save what is to be kept. Fires when it is on the disk."""
        self._keep_drafts()
        if self._chat is not None:
            self._chat.stop()
        if self._entered is not None:
            self._closing = self._entered.let_go()
        self._chat = self._desk = self._entered = None
        gc.unfreeze()  # What was frozen for this chat may be collected now.
        return self._closing

    def _forget_device(self) -> None:
        """This device is logged out: remove its token, and what it has read unless another window
        of the account uses it. What is unsent waits for the next login."""
        entered = self._entered
        self._end_chat()
        if entered is not None:
            entered.slot.keep("")
            if not entered.slot.shares():
                self._closing = Deferred.fromCoroutine(entered.cache.erase())

    def log_out(self) -> None:
        """Forget the tokens of this window and of those that were closed, here and on the server,
        and go back to the menu. (With a token that is left, the next start would log in.)"""
        chat, entered = self._chat, self._entered
        if chat is None or entered is None:
            return
        kept, others = self._kept(chat), entered.slot.forget_others()

        async def go() -> None:
            try:
                await chat.client.log_out(devices=others)
            except ClientError:
                self._start.menu.say(self.look.words("logged-out-here") + kept, bad=True)
                self.redraw()

        self._forget_device()
        self._start.show_menu(self.look.words("logged-out") + kept, bad=bool(kept))
        self._goodbye = chat.spawn(go())

    def _kept(self, chat: Chat) -> str:
        """How many messages wait for the next login. What is on its way through a working
        connection is answered before the logout."""
        on_its_way = events.Sending if chat.model.connected else ()
        waiting = [each for each in chat.client.outgoing if not isinstance(each.state, on_its_way)]
        name = self.look.line(chat.model.me.user_name)
        return self.look.words("logged-out-kept", n=len(waiting), name=name) if waiting else ""

    def change_password(self) -> None:
        """Ask for the old and a new one."""
        self._start.password_form(self._change, self._back_to_chat)

    def _back_to_chat(self) -> None:
        if self._chat is not None and self._desk is not None:
            self._show_chat(self._chat, self._desk)

    async def _change(self, old: str, new: str) -> None:
        chat, entered = self._chat, self._entered
        if chat is not None and entered is not None:
            entered.slot.keep(await chat.client.change_password(old, new))
            self._back_to_chat()
            chat.say(self.look.words("password-changed"))

    def leave(self) -> None:
        """Say goodbye to the server, which may take a moment, and end."""
        if self._leaving:
            self._stop()
            return
        self._leaving = True
        chat = self._chat
        self._end_chat()
        if chat is not None:
            self._goodbye = chat.spawn(chat.client.close())
        self._reactor.callLater(LEAVE_SECONDS, self._stop)
        self._goodbye.addCallback(lambda _: self._stop())

    def _stop(self) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def _remembered_user(known: Remembered | None, server: str) -> str:
    """The user who used ``server`` last; when that is empty, any server."""
    if known is None:
        return ""
    if not server:
        return known.user
    return known.user if server_string(server) == known.server else ""
