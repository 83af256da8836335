"""What the commands do, one method for each verb of the command table."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from chat.client.errors import ClientError
from chat.client.files.config import BadConfig
from chat.client.language.cli_words import Phrases
from chat.client.language.words import LANGUAGES, Words
from chat.client.tui.chat import Chat
from chat.client.tui.commands import helptext
from chat.client.tui.commands.catchup import CatchUp
from chat.client.tui.commands.conversing import ConversationVerbs
from chat.client.tui.commands.doctor import Examined, examine
from chat.client.tui.commands.editing import EditingVerbs
from chat.client.tui.commands.moving import MovingVerbs
from chat.client.tui.commands.oneself import OneselfVerbs
from chat.client.tui.commands.picked import PickedActions, Stage
from chat.client.tui.commands.table import Command, find
from chat.client.tui.desk import Desk
from chat.client.tui.look import Look
from chat.client.tui.theme_file import find_theme, theme_names

__all__ = ["Verbs"]

PATIENCE = 1.0
"""Seconds without an answer after which one would press Enter once more."""


class Around(Stage, Protocol):
    """What commands need of what is around the main screen.

    :ivar themes: the directory of theme files.
    """

    themes: Path

    def leave(self) -> None:
        """End the program."""

    def restyle(self, look: Look) -> None:
        """Another theme or language from now on."""

    def log_out(self) -> None:
        """Forget the token and go back to the menu."""

    def change_password(self) -> None:
        """Show the form for it."""

    def examined(self, round_trip: float | None) -> Examined:
        """What is known of terminal and server."""


class Verbs(EditingVerbs, ConversationVerbs, MovingVerbs, OneselfVerbs):
    """The commands. ``run`` is the entry point.

    :ivar picked: what commands do with messages, as keys do.
    """

    _around: Around
    one_moment = "one-moment"
    """What is said where a message would go to the conversation before."""

    def __init__(self, chat: Chat, desk: Desk, around: Around) -> None:
        self._chat = chat
        self._desk = desk
        self._around = around
        self.picked = PickedActions(chat, desk, around)
        self.catch_up = CatchUp(chat.clock, chat, self._catching_up)

    def complete(self, command: Command, arguments: str) -> bool:
        """Whether a command has the arguments it needs; if not, the user is told which. An answer
        is a message: it waits until the conversation that it is meant for is open."""
        if command.verb in ("reply", "edit") and self.going:
            self._chat.say(self._words(self.one_moment))
            return False
        if len(arguments.split()) < command.least:
            self._usage(command.names[0])
            return False
        return True

    def run(self, command: Command, arguments: str) -> None:
        """Carry out a command that is complete."""
        verb: Callable[[str], Coroutine[Deferred[Any], Any, None] | None]
        verb = getattr(self, command.verb)
        work = verb(arguments)
        if work is not None:
            self._chat.spawn(self._patiently(work))

    async def _patiently(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Do ``work``; if it takes long, say that the server is being waited for."""
        waiting = self._words("waiting-for-server")
        late = self._chat.clock.callLater(PATIENCE, self._still, waiting)
        try:
            await work
        finally:
            if late.active():
                late.cancel()
            elif self._chat.note == waiting:
                self._chat.note = ""
                self._around.redraw()

    def _still(self, waiting: str) -> None:
        if not self.catch_up.active:
            self._chat.say(waiting)

    def help(self, arguments: str) -> None:
        command = find(arguments.lstrip("/"))
        if arguments and command is not None:
            usage = helptext.command_usage(command, self._words)
            self._tell(f"{usage}  {helptext.about(command, self._words)}")
            return
        helptext.show(self._desk, self._around, "commands")

    # Messages

    async def delete(self, arguments: str) -> None:
        """One's own last message, or that of somebody in a room that one moderates."""
        me = self._chat.model.me.user_id
        found = self._last_of(self._chat.model.current, arguments.strip() or str(me))
        if found is None:
            self._chat.say(self._words("nothing-to-delete"), bad=True)
            return
        await self._chat.client.redact(self._chat.model.open, found.seq)

    def reply(self, arguments: str) -> None:
        """Answer the last message of somebody, or that of a number, or the newest: with a text, or
        with what is written next. Without any of these, one that is being answered no longer is."""
        who, text = (*arguments.split(None, 1), "", "")[:2]
        if not who and self._chat.answering:
            self.picked.answer(0)
            return
        seq = self._answerable(who)
        if not seq:
            line = self._desk.look.line(who)
            key = "nothing-to-answer" if line else "nothing-to-pick"
            self._chat.say(self._words(key, who=line), bad=True)
            if who:  # which may be the answer itself: Chinese has no spaces
                self._begin(f"/reply {arguments}")
        elif not text.strip():
            self.picked.answer(seq)
        elif self._chat.send(text.strip(), seq):
            self._desk.messages.newest()
        else:
            self._chat.answer(seq)
            self._begin(text.strip())

    def _answerable(self, who: str) -> int:
        """The number of the message that the user means to answer; 0 when there is none."""
        current = self._chat.model.current
        if who.isdecimal():
            seq = int(who[:16])
            return seq if current is not None and seq <= current.newest else 0
        found = self._last_of(current, who) if who else self.picked.newest_of_others()
        return found.seq if found is not None else 0

    def correct(self, text: str) -> None:
        """The message that is in correction is to say ``text``."""
        self._chat.note = ""
        self._chat.spawn(self._patiently(self.picked.correcting.send(text)))

    def undo(self, arguments: str) -> None:
        self.picked.do_take_back()

    def inspect(self, arguments: str) -> None:
        name = arguments.strip()
        found = self._last_of(self._chat.model.current, name) if name else None
        if name and found is None:
            self._chat.say(self._words("nothing-by", who=self._desk.look.line(name)), bad=True)
        else:
            self.picked.inspect(found or self.picked.newest())

    def links(self, arguments: str) -> None:
        self.picked.do_links()

    def retry(self, arguments: str) -> None:
        if not self._chat.retry():
            self._chat.say(self._words("nothing-failed"))

    # Oneself

    def password(self, arguments: str) -> None:
        self._around.change_password()

    def logout(self, arguments: str) -> None:
        self._around.log_out()

    # The screen

    def theme(self, arguments: str) -> None:
        name = arguments.strip()
        if not name:
            names = self._words("comma").join(theme_names(self._around.themes))
            self._chat.say(self._words("themes", names=names))
            return
        try:
            theme = find_theme(name, self._around.themes)
        except BadConfig as error:
            self._chat.say(Phrases(self._words.language).config(error), bad=True)
            return
        self._around.restyle(self._desk.look.with_theme(theme))

    def language(self, arguments: str) -> None:
        name = arguments.strip()
        if name not in LANGUAGES:
            names = self._words("comma").join(LANGUAGES)
            self._chat.say(self._words("languages", names=names), bad=True)
            return
        self._around.restyle(self._desk.look.with_words(Words(name)))

    async def doctor(self, arguments: str) -> None:
        begun = self._chat.clock.seconds()
        round_trip: float | None = None
        # When nobody answers, that is what the doctor says.
        with suppress(ClientError):
            await self._chat.client.lookup(self._chat.model.me.user_id)
            round_trip = self._chat.clock.seconds() - begun
        glyphs = self._desk.look.glyphs
        for well, key, values in examine(self._around.examined(round_trip)):
            self._tell(f"{glyphs.stored if well else glyphs.failed} {self._words(key, **values)}")

    def reconnect(self, arguments: str) -> None:
        self._chat.client.reconnect_now()

    def quit(self, arguments: str) -> None:
        self._around.leave()
