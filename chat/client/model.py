"""What the screen shows, as values: conversations, their entries, people, the connection.

Nothing here does I/O or knows a terminal. One ``Model`` is owned by the screen; its methods are the
only way it changes, each for one thing that can happen, and each leaves a state that draws.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from chat.client import events
from chat.client.conversation import KEPT, Conversation, Fate, Notice, Pending
from chat.client.events import ConnectionState, Outgoing
from chat.client.text import looks_like, mixes_scripts
from chat.messages import BUSY, OFFLINE, ONLINE, Entry, User
from chat.messages import Conversation as ConversationState
from chat.names import LOBBY, canonical_user_name, is_room, private_with

__all__ = ["Model"]

SPEAKERS = 300
"""Entries looked at for names to complete: further back nobody remembers who spoke."""

KNOWN_LOOKS = 50_000
"""Names remembered to tell imitations from, before the list starts afresh."""

KEPT_IN_VIEW = 10 * KEPT
"""``KEPT`` for the conversation that is open, while its reader is further up."""

LONGER = 200
"""Names that begin with one's own are kept, so many at most: every message is searched for them."""

NOTICES = 50
"""Lines the client itself has said (errors, answers to commands) that are kept."""


_UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
"""Kana, Chinese characters and Hangul: no space need stand between them and a name."""


def _mention_of(name: str, longer: Iterable[str]) -> "re.Pattern[str] | None":
    """A pattern that finds ``@name`` as a whole: ``@anna`` does not speak to ``ann``, but
    ``请@ann看`` does.

    :param longer: how the names of other users go on that begin with ``name``: where such a name is
        whole, its user is meant. ``@小明你好`` may speak to 小明 and to 小明你: better to be
        told in vain.
    """
    letter = rf"[^\W{_UNSPACED}]"
    behind = "|".join([letter, *(rf"{re.escape(each)}(?!\w)" for each in longer)])
    whole = rf"(?<!{letter})[@\uff20]{re.escape(name)}(?!{behind})"
    return re.compile(whole, re.IGNORECASE) if name else None


class Model:
    """Everything that the screen knows. See the module's docstring."""

    def __init__(self) -> None:
        self.me = User(0, "")
        self.link: ConnectionState = events.Stopped()
        self.conversations: dict[str, Conversation] = {}
        self.people: dict[int, User] = {}
        self.blocked: frozenset[int] = frozenset()
        self.watched = False
        self.open = ""
        self.before = ""
        """What was open before that."""
        self.appeared: Callable[[Conversation], None] = lambda conversation: None
        """Told of each conversation that is known from now on."""
        self._mention: re.Pattern[str] | None = None
        self._longer: set[str] = set()
        self._online: list[User] | None = None
        self._looks: dict[str, int] = {}
        self._listed = False
        # One's own notes, open only because nothing else was known: a cache may be empty.
        self._makeshift = ""

    # Looking

    @property
    def current(self) -> Conversation | None:
        """The conversation whose messages are shown."""
        return self.conversations.get(self.open)

    @property
    def home(self) -> str:
        """What is open when nothing else is: the lobby; without one the first conversation there
        is, or at least one's notes to oneself."""
        lobby = self.conversations.get(LOBBY)
        if (lobby is not None and not lobby.gone) or not self.me.user_id:
            return LOBBY
        return next((each.name for each in self.listed() if not each.gone), f"@{self.me.user_id}")

    @property
    def connected(self) -> bool:
        """Whether one is logged in on a connection that works."""
        return isinstance(self.link, events.LoggedIn)

    def rooms(self) -> list[Conversation]:
        """The lobby, then the other rooms by name."""
        found = [each for each in self.conversations.values() if not each.private]
        return sorted(found, key=lambda each: (each.name != LOBBY, each.name))

    def privates(self) -> list[Conversation]:
        """Private conversations, the most recently used first."""
        found = [each for each in self.conversations.values() if each.private]
        return sorted(found, key=lambda each: (-each.active, each.name))

    def talked_with(self, who: int | str) -> Conversation | None:
        """The private conversation with somebody, by id or name; None when there is none."""
        if isinstance(who, int):
            return self.conversations.get(f"@{who}")
        called = canonical_user_name(who)
        found = (each for each in self.privates() if canonical_user_name(each.partner) == called)
        return next(found, None)

    def listed(self) -> list[Conversation]:
        """All conversations in the order of their pane, without the hidden ones."""
        return [each for each in self.rooms() + self.privates() if not each.hidden]

    def online(self) -> list[User]:
        """Who is online or busy, by name; kept until somebody comes or goes."""
        if self._online is None:
            shown = [each for each in self.people.values() if each.user_status in (ONLINE, BUSY)]
            self._online = sorted(shown, key=lambda each: (each.user_name.casefold(), each.user_id))
        return self._online

    def status_of(self, conversation: Conversation) -> int | None:
        """The status of a private conversation's partner, where it is known."""
        person = self._partner(conversation)
        if person is None:
            # The whole list of who is online has come, and the partner wasn't in it.
            return OFFLINE if self._listed and not self.watched else None
        return person.user_status

    def title(self, conversation: Conversation) -> str:
        """The name of a conversation for a reader: ``#room``, or the partner's name."""
        if not conversation.private:
            return conversation.name
        person = self._partner(conversation)
        return conversation.partner or (person.user_name if person else "") or conversation.name

    def _partner(self, conversation: Conversation) -> User | None:
        who = private_with(conversation.name)
        return self.people.get(who) if isinstance(who, int) else None

    def unread(self) -> tuple[int, int]:
        """How many messages are unread in all conversations, and how many of them speak to the
        user; of hushed conversations only the latter count."""
        unread = mentions = 0
        for each in self.conversations.values():
            unread += each.calling
            mentions += each.unread if each.private else len(each.mentions)
        return unread, mentions

    def next_active(self) -> Conversation | None:
        """Where to look next: a mention before a private message before a room."""
        waiting = [each for each in self.listed() if each.calling and each.name != self.open]
        return min(waiting, key=lambda c: (not c.mentions, not c.private), default=None)

    def speakers(self) -> Iterator[str]:
        """Names for completion: who spoke last in the open conversation, who is online, who one
        talks with in private."""
        seen = {self.me.user_name, ""}
        latest = self.current.entries[: -SPEAKERS - 1 : -1] if self.current else []
        for name in (
            *(each.user_name for each in latest),
            *(each.user_name for each in self.online()),
            *(each.partner for each in self.privates()),
        ):
            if name not in seen:
                seen.add(name)
                yield name

    def mentions_me(self, text: str) -> bool:
        """Whether ``text`` speaks to the user by ``@name``."""
        return self._mention is not None and self._mention.search(text) is not None

    def speaks_to_me(self, conversation: Conversation, entry: Entry) -> bool:
        """Whether a message speaks to the user: by ``@name``, or because it answers one of
        theirs."""
        return self.mentions_me(entry.content) or conversation.answers(entry, self.me.user_id)

    def imitates(self, user_id: int, name: str) -> bool:
        """Whether ``name`` could be taken for that of somebody else who was seen before."""
        if mixes_scripts(name):
            return True
        if len(self._looks) > KNOWN_LOOKS:
            self._looks.clear()
            self._looks[looks_like(self.me.user_name)] = self.me.user_id
        return self._looks.setdefault(looks_like(name), user_id) != user_id

    # What happens

    def apply(self, event: events.Event) -> bool:
        """Take in one event of the client library.

        :returns: whether it is a message that a reader has not seen before.
        """
        match event:
            case events.MessageArrived(entry):
                return self.entry(entry.conversation, entry)
            case events.MessageStateChanged(message, state):
                self._outgoing(message, state)
            case events.ConnectionChanged(state):
                self.link = state
            case events.ConversationChanged(conversation):
                self.state(conversation)
            case events.PresenceChanged(users, scope, _):
                self.watched = scope == "watched"
                self.people_changed(users)
            case events.ReceiptMoved(conversation, _, _, delivered, read):
                self.receipt(conversation, delivered, read)
            case events.EpochChanged(conversation, epoch, first):
                self.conversation(conversation).drop_from(first)
                self.conversation(conversation).epoch = epoch
            case events.GapSkipped(conversation, _, last, False):
                self.conversation(conversation).sealed.add(last + 1)
            case events.Blocked(user_id, _, block):
                known = self.blocked
                self.blocked_are(known | {user_id} if block else known - {user_id})
            case _:
                pass
        return False

    def logged_in(self, me: User, conversations: Iterable[ConversationState]) -> None:
        """A login succeeded: who one is, and where the conversations stand."""
        self.me = me
        self._mention = _mention_of(me.user_name, self._longer)
        self._looks[looks_like(me.user_name)] = me.user_id
        nothing_known = not self.conversations
        for state in conversations:
            self.state(state)
        if self.open not in self.conversations or self.open == self._makeshift:
            nothing_known = nothing_known and not self.conversations
            self._makeshift = f"@{me.user_id}" if nothing_known else ""
            self.show(self.home)

    def conversation(self, name: str) -> Conversation:
        """The conversation called ``name``, made when it is new."""
        found = self.conversations.get(name)
        return self._made(Conversation(name)) if found is None else found

    def _absent(self, name: str) -> Conversation:
        """A conversation that the user is not known to be in, for what of their own waits there."""
        return self._made(Conversation(name, gone=is_room(name)))

    def _made(self, conversation: Conversation) -> Conversation:
        self.conversations[conversation.name] = conversation
        self.appeared(conversation)
        return conversation

    def state(self, state: ConversationState) -> None:
        """Marks moved, a topic changed, one joined or left: *conv* of the protocol."""
        if state.gone:
            left = self.conversations.pop(state.conversation, None)
            if left is not None and left.waiting:
                kept = self._absent(left.name)
                kept.pending, kept.draft = left.pending, left.draft
                kept.answering = left.answering
                kept.correction = left.correction
            if self.open == state.conversation:
                self.show(self.home)
            return
        known = self.conversation(state.conversation)
        if state.epoch and known.epoch and state.epoch != known.epoch:
            known.drop_from(max(1, state.epoch_first))
        known.gone = False
        known.epoch = state.epoch or known.epoch
        known.partner = state.user_name or known.partner
        known.topic, known.closed = state.topic, state.private
        known.newest = max(known.newest, state.seq)
        known.first = max(known.first, state.first)
        known.mark_read(state.read)
        known.told = max(known.told, state.read)
        if state.last is not None:
            known.active = max(known.active, state.last.time)

    def entry(self, name: str, entry: Entry) -> bool:
        """An entry of ``name`` came, live or late. Return whether a reader has not seen it."""
        known = self.conversation(name)
        self._heard_of(entry.user_name)
        if known.private and entry.user_id != self.me.user_id:
            known.partner = known.partner or entry.user_name
        fresh = self._put(known, entry)
        # Where somebody reads further up, more is kept, or the view would lose its place.
        known.trim(KEPT if name != self.open else KEPT_IN_VIEW)
        return fresh

    def _put(self, known: Conversation, entry: Entry) -> bool:
        shown = entry.user_id not in self.blocked
        return known.put(entry, self.me.user_id, self._mention, shown)

    def blocked_are(self, users: frozenset[int]) -> None:
        """Take over whom the user has blocked: what they say is neither shown nor unread."""
        for each in self.conversations.values():
            each.silence(users - self.blocked)
        self.blocked = users

    def page(self, name: str, entries: Iterable[Entry], first: int) -> None:
        """A page of history came; ``first`` is the lowest number that the server keeps."""
        known = self.conversation(name)
        known.first = max(known.first, first)
        for entry in entries:
            self._put(known, entry)
            mine = entry.user_id == self.me.user_id and not entry.kind
            if mine and known.divider is not None and not known.fetched:
                known.divider = max(known.divider, entry.seq)
        if known.divider is not None and known.divider >= known.newest:
            known.divider = None  # nothing is below it
        known.loading = False
        known.fetched = True

    def recalled(self, name: str, entries: Iterable[Entry]) -> None:
        """Entries come out of the cache; where an entry is held already, that is the newer one."""
        known = self.conversation(name)
        for entry in entries:
            if not known.holds(entry.seq):
                self._put(known, entry)

    def _outgoing(self, message: Outgoing, state: events.MessageState) -> None:
        known = self.conversations.get(message.to) or self._absent(message.to)
        match state:
            case events.Stored() | events.Withdrawn():
                known.pending = [
                    each for each in known.pending if each.message.client_id != message.client_id
                ]
                return
            case events.Failed(_, sentence):
                pending = Pending(message, Fate.FAILED, sentence)
            case events.Queued():
                pending = Pending(message, Fate.QUEUED)
            case _:
                pending = Pending(message)
        for index, each in enumerate(known.pending):
            if each.message.client_id == message.client_id:
                known.pending[index] = pending
                return
        known.pending.append(pending)

    def receipt(self, name: str, delivered: int, read: int) -> None:
        """How far the partner of a private conversation is."""
        known = self.conversation(name)
        known.partner_delivered = max(known.partner_delivered, delivered)
        known.partner_read = max(known.partner_read, read)

    def people_changed(self, users: Iterable[User]) -> None:
        """Some came, went, or became busy."""
        for user in users:
            known = self.people.get(user.user_id)
            if known != user:
                self.people[user.user_id] = user
                self._online = None
                self._heard_of(user.user_name)

    def people_are(self, users: Iterable[User]) -> None:
        """The whole list of who is online: whoever is not in it is offline."""
        self.people = {user.user_id: user for user in users}
        self._listed = True
        self._online = None
        for user in self.people.values():
            self._heard_of(user.user_name)

    def _heard_of(self, name: str) -> None:
        """Note the name of another user.

        If it begins with the user's own name, ``@name`` does not speak to the user, even in
        Chinese, where no space need follow a name. But somebody called ``ann.`` does not take
        ``@ann.`` away from ann: a sentence may end there.
        """
        mine = self.me.user_name
        rest = name[len(mine) :]
        begins = mine and name[: len(mine)].casefold() == mine.casefold()
        longer = begins and any(map(str.isalnum, rest))
        if longer and rest not in self._longer and len(self._longer) < LONGER:
            self._longer.add(rest)
            self._mention = _mention_of(mine, self._longer)

    def notice(self, name: str, text: str, time: int, again: bool = True) -> None:
        """Show a line of the client's own in a conversation.

        :param again: even if the last such line there says the same.
        """
        known = self.conversation(name)
        after = known.entries[-1].seq if known.entries else known.newest
        last = known.notices[-1] if known.notices else None
        if again or last is None or (last.after, last.text) != (after, text):
            known.notices = [*known.notices[1 - NOTICES :], Notice(after, text, time)]

    def show(self, name: str) -> Conversation:
        """Open a conversation; the divider stands where reading stopped."""
        if self.current is not None:
            self.current.divider = None
            self.current.trim()
        if name != self.open:
            self.before = self.open
        self.open = name
        opened = self.conversation(name)
        opened.away = None
        opened.divider = opened.read if opened.unread else None
        return opened
