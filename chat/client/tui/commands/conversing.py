"""The commands about rooms and people: join, leave, hush, topic, msg, who."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chat.client.errors import FateUnknown, NotConnected
from chat.client.tui.commands.moderating import ModeratingVerbs
from chat.client.tui.telling import Telling
from chat.messages import BUSY, OFFLINE, User
from chat.names import LOBBY, is_room

__all__ = ["ConversationVerbs"]

PRIVATE = "-private"
"""After ``/join``: a room that is made is for those who are invited."""

RANKS = ("owner", "moderator")
"""The roles that others look for in a room; these members are named first."""


class ConversationVerbs(ModeratingVerbs):
    """Part of ``Verbs``.

    :ivar going: commands under way that will open another conversation.
    """

    going = 0

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
