"""What the commands do, one method for each verb of the command table."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from chat.client.errors import ClientError, FateUnknown, NotConnected
from chat.client.files.config import BadConfig
from chat.client.language.cli_words import Phrases
from chat.client.language.words import LANGUAGES, Words
from chat.client.tui.chat import Chat
from chat.client.tui.commands import helptext
from chat.client.tui.commands.catchup import CatchUp
from chat.client.tui.commands.doctor import Examined, examine
from chat.client.tui.commands.editing import EditingVerbs
from chat.client.tui.commands.moderating import ModeratingVerbs
from chat.client.tui.commands.moving import MovingVerbs
from chat.client.tui.commands.oneself import OneselfVerbs
from chat.client.tui.commands.picked import PickedActions, Stage
from chat.client.tui.commands.table import Command, find
from chat.client.tui.desk import Desk
from chat.client.tui.look import Look
from chat.client.tui.telling import Telling
from chat.client.tui.theme_file import find_theme, theme_names
from chat.messages import BUSY, OFFLINE, User
from chat.names import LOBBY, is_room

__all__ = ["Verbs"]

PRIVATE = "-private"
"""Behind ``/join``: should the room be made, then for those who are invited."""

RANKS = ("owner", "moderator")
"""Those whom others look for in a room, and so see first."""

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


class Verbs(EditingVerbs, ModeratingVerbs, MovingVerbs, OneselfVerbs):
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
        self.going = 0
        """Commands on their way that will open another conversation."""

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

    # Conversations

    @contextmanager
    def _on_the_way(self) -> Iterator[None]:
        self.going += 1
        try:
            yield
        finally:
            self.going -= 1

    async def join(self, arguments: str) -> None:
        first, _, rest = arguments.partition(" ")
        private = first == PRIVATE
        room, _, topic = (rest.lstrip() if private else arguments).partition(" ")
        if not room:
            self._usage("join")
            return
        if not is_room(room):
            room = f"#{room}"
        with self._on_the_way():
            joined = await self._chat.client.join(room, topic.strip(), private)
        self._chat.model.state(joined)
        self._go(joined.conversation)
        if private and not joined.private:
            self._chat.say(self._words("room-public", room=joined.conversation), bad=True)

    def _go(self, name: str) -> None:
        """Open what a command asked for; what was typed meanwhile was meant for there."""
        former, typed = self._chat.model.current, self._desk.composer.editor.text
        self._chat.open(name)
        self._desk.follow()
        corrects = former is not None and former.correction is not None
        if typed and former is not self._chat.model.current and not corrects:
            self._begin(typed)
            if former is not None:
                former.draft = ""

    def _begin(self, text: str) -> None:
        """Put ``text`` into the composer, below what is being written there."""
        editor = self._desk.composer.editor
        editor.replace(f"{editor.text}\n{text}" if editor.text else text)

    async def leave(self, arguments: str) -> None:
        name = next(iter(arguments.split()), self._chat.model.open).casefold()
        if name.startswith("@"):
            self._put_away(name)
            return
        if not is_room(name):
            name = f"#{name}"
        await self._chat.leave(name)
        left = self._chat.model.conversations.get(name)
        if left is None or left.hidden:
            self._chat.say(self._words("left", conversation=name))
        else:
            who = self._chat.title_of(left)
            self._chat.say(self._words("put-away-waiting", who=who), bad=True)

    def _put_away(self, name: str) -> None:
        """A private conversation cannot be left, but need not be on the list."""
        model = self._chat.model
        for each in model.privates():
            if name in (each.name, f"@{model.title(each).casefold()}"):
                self._chat.client.mark_read(each.name)
                each.put_away()
                if model.open == each.name:
                    self._chat.open(model.home)
                who = self._chat.title_of(each)
                if each.hidden:
                    self._chat.say(self._words("put-away", who=who))
                elif model.open == each.name:
                    self._chat.say(self._words("put-away-last"), bad=True)
                else:
                    self._chat.say(self._words("put-away-waiting", who=who), bad=True)
                return
        self._chat.say(self._words("go-nowhere", name=name), bad=True)

    def hush(self, arguments: str) -> None:
        """Let a busy room count only where it speaks to the user, or count again."""
        room, rest = self._which(arguments)
        if room is None or room.private or room.gone or rest:
            self._chat.say(self._words("hush-rooms"), bad=True)
            return
        room.hushed = not room.hushed
        self._chat.save_drafts()
        self._chat.say(self._words("hushed" if room.hushed else "unhushed", room=room.name))

    async def topic(self, arguments: str) -> None:
        conversation, text = self._which(arguments)
        if conversation is None or conversation.private:
            self._chat.say(self._words("topic-private"), bad=True)
        elif not text:
            self._tell(conversation.topic or self._words("no-topic"))
        else:
            await self._chat.client.set_topic(conversation.name, text)

    async def msg(self, arguments: str) -> None:
        name, *rest = arguments.split(None, 1)
        where = name.casefold() if is_room(name) else await self._private_with(name)
        if where not in self._chat.model.conversations:
            self._chat.say(self._words("go-nowhere", name=name), bad=True)
            return
        self._go(where)
        text = "".join(rest)
        if text and not self._chat.send(text):
            self._begin(text)

    async def _private_with(self, name: str) -> str:
        """The private conversation with somebody, made when it is new."""
        try:
            with self._on_the_way():
                user = await self._chat.client.lookup(self._somebody(name))
        except (NotConnected, FateUnknown):
            # People one has talked to can be written to without a connection.
            known = self._chat.model.talked_with(self._somebody(name))
            if known is None:
                raise
            return known.name
        conversation = self._chat.model.conversation(f"@{user.user_id}")
        conversation.partner = user.user_name
        if user.user_status >= 0:
            self._chat.model.people_changed([user])
        return conversation.name

    async def rooms(self, arguments: str) -> None:
        rows = {}
        for each in await self._chat.client.rooms():
            members = self._words("members", n=each.members)
            rows[each.conversation] = f"{members}  {self._desk.look.line(each.topic)}"
        self._offer_rooms("rooms-title", rows, "no-rooms")

    async def invitations(self, arguments: str) -> None:
        rows = {}
        for each in await self._chat.client.invitations():
            who = self._chat.name_of(each.user_id, each.user_name)
            rows[each.conversation] = self._words("invited-by", who=who)
        self._offer_rooms("invitations-title", rows, "nothing-found")

    def _offer_rooms(self, title: str, about: Mapping[str, str], none: str) -> None:
        """Let the user join one of some rooms. (Not everybody can type the name of every room.)

        :param none: the key of what to say when there are none.
        """
        telling = Telling(self._chat.model, self._desk.look)
        rows = [(telling.room(name), said, name) for name, said in about.items()]
        if rows:
            title = self._hinted(title, "rooms-hint")
            self._offer(title, rows, lambda room: self._chat.spawn(self.join(room)))
        else:
            self._chat.say(self._words(none))

    async def who(self, arguments: str) -> None:
        conversation, rest = self._which(arguments)
        if rest:
            self._chat.say(self._words("go-nowhere", name=self._desk.look.line(rest)), bad=True)
            return
        if conversation is None or conversation.private or conversation.name == LOBBY:
            if self._chat.model.watched:  # Then the server does not tell who comes.
                await self._chat.people.ask_online()
            users = self._chat.model.online()
        else:
            users = await self._chat.client.members(conversation.name)
            users.sort(key=lambda each: (*RANKS, each.role).index(each.role))
        names = self._words("comma").join(map(self._with_rank, users))
        self._tell(self._words("who", n=len(users), names=names))

    def _with_rank(self, user: User) -> str:
        name = self._chat.name_of(user.user_id, user.user_name)
        return self._words(f"who-{user.role}", name=name) if user.role in RANKS else name

    async def whois(self, arguments: str) -> None:
        user = await self._chat.client.lookup(self._somebody(arguments.split()[0]))
        states = {OFFLINE: "state-offline", BUSY: "state-busy"}
        state = self._words(states.get(user.user_status, "state-online"))
        name = self._chat.name_of(user.user_id, user.user_name)
        text = self._words("whois", name=name, id=user.user_id, state=state)
        if user.last_seen and user.user_status == OFFLINE:
            seen = self._desk.look.when(user.last_seen)
            text += "  " + self._words("last-seen", time=f"{seen:%Y-%m-%d %H:%M}")
        self._tell(text)

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
            if text.strip():
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
