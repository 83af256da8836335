"""One conversation as the screen sees it: its entries in order, what is being sent, the marks."""

import bisect
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

from msgspec.structs import replace

from chat.client.events import Outgoing
from chat.messages import Entry
from chat.names import is_room

__all__ = [
    "KEPT",
    "Conversation",
    "Correction",
    "Fate",
    "Notice",
    "Pending",
    "corrected",
    "emptied",
    "is_erased",
]

KEPT = 4_000
"""Entries of one conversation that are held; the server has the rest, a page up fetches it."""

EDITS_KEPT = 100
"""The newest edits and deletions, which are remembered because a page that was read before one may
come after it."""


class Fate(Enum):
    """How far a message of one's own has come."""

    QUEUED = "queued"
    SENDING = "sending"
    STORED = "stored"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True)
class Pending:
    """A message of one's own that has no number yet."""

    message: Outgoing
    fate: Fate = Fate.SENDING
    error: str = ""


@dataclass(frozen=True)
class Correction:
    """A message of the user's own that is being edited.

    :ivar seq: its number; 0 when a new epoch has taken it away.
    :ivar aside: the draft that was there before.
    :ivar given: its text as it was put into the composer.
    """

    seq: int
    aside: str
    given: str


@dataclass(frozen=True)
class Notice:
    """A line the client itself says in a conversation, after entry ``after``."""

    after: int
    text: str
    time: int


@dataclass
class Conversation:
    """One conversation: its entries in order, what is being sent, and the marks.

    :ivar told: the read mark that the server has.
    :ivar divider: the entry below which everything was read when the conversation was opened.
    :ivar sealed: the entries before which the server has nothing more.
    :ivar quoted: entries that are not held and were looked up because others answer them, None for
        those that were not found.
    :ivar fetched: its newest page has come from the server.
    :ivar recalled: the cache was asked for its newest page.
    :ivar closed: it is a room that one joins by invitation.
    :ivar away: the newest entry when the conversation was put away.
    :ivar gone: the user is not in it, or no longer.
    :ivar hushed: only what speaks to the user is to be announced.
    :ivar answering: the number of the message that the ``draft`` answers, 0 for none.
    :ivar correction: which message the ``draft`` corrects; None where it is a new one.
    :ivar rewritten: how often a held entry was changed or removed.
    """

    name: str
    partner: str = ""
    topic: str = ""
    closed: bool = False
    epoch: str = ""
    newest: int = 0
    first: int = 1
    read: int = 0
    told: int = 0
    partner_delivered: int = 0
    partner_read: int = 0
    active: int = 0
    entries: list[Entry] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    divider: int | None = None
    loading: bool = False
    draft: str = ""
    answering: int = 0
    correction: Correction | None = None
    fetched: bool = False
    recalled: bool = False
    away: int | None = None
    gone: bool = False
    hushed: bool = False
    rewritten: int = 0
    sealed: set[int] = field(default_factory=set)
    quoted: dict[int, Entry | None] = field(default_factory=dict)
    mentions: set[int] = field(default_factory=set)
    _silent: set[int] = field(default_factory=set)
    _changes: dict[int, Entry] = field(default_factory=dict)

    @property
    def private(self) -> bool:
        """Whether it is between two people, and not a room."""
        return not is_room(self.name)

    @property
    def unread(self) -> int:
        """Messages of others above the read mark."""
        return max(0, self.newest - self.read - len(self._silent))

    @property
    def calling(self) -> int:
        """The unread messages that are announced outside the conversation, too."""
        return len(self.mentions) if self.hushed else self.unread

    @property
    def hidden(self) -> bool:
        """Whether it is not listed: it was put away and nothing has come since, or the user is not
        in it; and nothing of one's own waits there."""
        old = self.away is not None and self.newest <= self.away and not self.unread
        return (old or self.gone) and not self.waiting

    @property
    def waiting(self) -> bool:
        """Whether a text was begun, is on its way, or was refused: nobody's words are lost."""
        return bool(self.pending or self.draft or self.begun)

    @property
    def begun(self) -> str:
        """The draft that is to be saved. No edit outlives the program: by the next start its number
        may be another message's. But its new text does, above the draft that waits behind it."""
        if self.correction is None:
            return self.draft
        new = self.draft if self.draft != self.correction.given else ""
        return "\n".join(filter(None, (new, self.correction.aside)))

    @property
    def complete(self) -> bool:
        """Whether everything that the server keeps is held, down to the first entry."""
        return bool(self.entries) and self.entries[0].seq <= self.first

    def index(self, seq: int) -> int:
        """The index of the entry with number ``seq``, or where it would be: mostly at the end."""
        if not self.entries or seq > self.entries[-1].seq:
            return len(self.entries)
        return bisect.bisect_left(self.entries, seq, key=_seq)

    def holds(self, seq: int) -> bool:
        """Whether the entry of that number is here."""
        return self.held(seq) is not None

    def held(self, seq: int) -> Entry | None:
        """The entry of that number, where it is here."""
        at = self.index(seq)
        here = at < len(self.entries) and self.entries[at].seq == seq
        return self.entries[at] if here else None

    def answered(self, entry: Entry) -> Entry | None:
        """The entry that ``entry`` answers; None when it is not known. A later entry can't be
        answered."""
        return self.known(entry.reply) if 0 < entry.reply < entry.seq else None

    def known(self, seq: int) -> Entry | None:
        """The entry of that number, where it is held, or was looked up to be quoted."""
        return self.held(seq) or self.quoted.get(seq)

    def lacks(self, seq: int) -> bool:
        """Whether the entry of that number is not held, and was not looked up yet."""
        return seq > 0 and seq not in self.quoted and not self.holds(seq)

    def answers(self, entry: Entry, user_id: int) -> bool:
        """Whether ``entry`` answers a message of that user in a room, as far as that is known.
        (Between two people an answer is nothing special.)"""
        found = self.answered(entry) if entry.reply and not self.private else None
        return found is not None and found.user_id == user_id and not found.kind

    def gap_before(self, index: int) -> int:
        """How many numbers are missing between entry ``index`` and the one before it."""
        if index <= 0:
            return 0
        return self.entries[index].seq - self.entries[index - 1].seq - 1

    def fate(self, entry: Entry) -> Fate:
        """How far an entry of one's own has come."""
        if not self.private:
            return Fate.STORED
        if entry.seq <= self.partner_read:
            return Fate.READ
        return Fate.DELIVERED if entry.seq <= self.partner_delivered else Fate.STORED

    # Changes

    def put(
        self, entry: Entry, me: int, mention: "re.Pattern[str] | None", shown: bool = True
    ) -> bool:
        """Put an entry in its place. One that is not ``shown`` is never unread.

        :returns: whether a reader has not seen it before.
        """
        if entry.kind:
            self._apply(entry, me, mention)
        else:
            entry = corrected(entry, self._changes.get(entry.seq))
        self.quoted.pop(entry.target, None)  # to be looked up again
        fresh = self._place(entry)
        self._forget_pending(entry, me)
        self.active = max(self.active, entry.time)
        self.newest = max(self.newest, entry.seq)
        if entry.seq <= self.read:
            return False
        if entry.kind or entry.deleted or entry.user_id == me or not shown:
            self._silent.add(entry.seq)
            self.mentions.discard(entry.seq)
            if entry.user_id == me and not entry.kind:
                self.mark_read(entry.seq)  # whoever answers has read what came before
            return False
        self._silent.discard(entry.seq)  # It may be from somebody who was blocked.
        if self._speaks_to(entry, me, mention):
            self.mentions.add(entry.seq)
        return fresh

    def _apply(self, entry: Entry, me: int, mention: "re.Pattern[str] | None") -> None:
        """Change other entries as this one says."""
        match entry.kind:
            case "redact":
                self._remember(entry)
                self._redact(entry.target)
            case "erase":
                self._erase(entry)
            case "edit":
                self._correct(entry, me, mention)

    def _place(self, entry: Entry) -> bool:
        """Put an entry in its place.

        :returns: whether it was not held. (Its number does not tell whether it is new: the list of
            conversations may have told that before.)
        """
        at = self.index(entry.seq)
        if self.holds(entry.seq):
            self.entries[at] = entry
            self.rewritten += 1
            return False
        self.entries.insert(at, entry)
        return True

    def _speaks_to(self, entry: Entry, me: int, mention: "re.Pattern[str] | None") -> bool:
        named = mention is not None and mention.search(entry.content) is not None
        return named or self.answers(entry, me)

    def note_mention(self, seq: int) -> bool:
        """Note that message ``seq`` speaks to the user.

        :returns: whether that is new, and the message unread.
        """
        news = seq > self.read and seq not in self.mentions | self._silent
        if news:
            self.mentions.add(seq)
        return news

    def mark_read(self, seq: int) -> None:
        """Move the read mark up to ``seq``; never back."""
        if seq > self.read:
            self.read = seq
            self.mentions = {each for each in self.mentions if each > seq}
            self._silent = {each for each in self._silent if each > seq}

    def silence(self, users: Collection[int]) -> None:
        """No longer show what these people say."""
        found = [
            each.seq for each in self.entries[self.index(self.read + 1) :] if each.user_id in users
        ]
        self._silent.update(found)
        self.mentions.difference_update(found)

    def put_away(self) -> None:
        """Take it off the list until something is said in it, or it is opened."""
        self.mark_read(self.newest)
        self.away = self.newest

    def trim(self, keep: int = KEPT) -> None:
        """Drop the oldest entries, except for the newest ``keep``."""
        if len(self.entries) > keep + keep // 4:
            del self.entries[:-keep]

    def drop_from(self, seq: int) -> None:
        """A new epoch begins at ``seq``: drop the entries from there on."""
        del self.entries[self.index(seq) :]
        # What was corrected from there on says what it never said, as far as the server knows.
        self.entries = [each for each in self.entries if each.edited < seq]
        self._changes = {each.target: each for each in self._changes.values() if each.seq < seq}
        self.rewritten += 1
        self.newest = min(self.newest, seq - 1)
        self.quoted.clear()
        if self.answering >= seq:
            self.answering = 0  # the number is another message's by now
        if self.correction is not None and self.correction.seq >= seq:
            self.correction = Correction(0, self.correction.aside, self.correction.given)
        self.read = min(self.read, seq - 1)
        self.told = min(self.told, seq - 1)
        self.partner_delivered = min(self.partner_delivered, seq - 1)
        self.partner_read = min(self.partner_read, seq - 1)
        self.mentions = {each for each in self.mentions if each < seq}
        self._silent = {each for each in self._silent if each < seq}
        self.sealed = {each for each in self.sealed if each < seq}

    def forget_below(self, seq: int) -> None:
        """Drop the entries below ``seq``."""
        del self.entries[: self.index(seq)]
        self.quoted.clear()
        self.rewritten += 1

    def _redact(self, target: int) -> None:
        held = self.held(target)
        if held is not None:
            self.entries[self.index(target)] = emptied(held)
            self.rewritten += 1
            if target > self.read:
                self._silent.add(target)
                self.mentions.discard(target)

    def _correct(self, edit: Entry, me: int, mention: "re.Pattern[str] | None") -> None:
        """Give a message the text of an edit. (An edit without a text was followed by another
        one.)"""
        target, known = edit.target, self._changes.get(edit.target)
        if not edit.content or (known is not None and known.seq >= edit.seq):
            return
        self._remember(edit)
        held = self.held(target)
        if held is None:
            return
        self.entries[self.index(target)] = now = corrected(held, edit)
        self.rewritten += 1
        if target > self.read and target not in self._silent:
            speaks = self._speaks_to(now, me, mention)
            (self.mentions.add if speaks else self.mentions.discard)(target)

    def _remember(self, change: Entry) -> None:
        self._changes.pop(change.target, None)
        self._changes[change.target] = change
        if len(self._changes) > EDITS_KEPT:
            del self._changes[next(iter(self._changes))]

    def _erase(self, erasure: Entry) -> None:
        """A user was deleted: so are their entries, and those about them."""
        self.quoted.clear()
        for each in self.entries[: self.index(erasure.seq)]:
            if is_erased(each, erasure):
                self._redact(each.seq)

    def _forget_pending(self, entry: Entry, me: int) -> None:
        if entry.client_id and entry.user_id == me:
            self.pending = [
                each for each in self.pending if each.message.client_id != entry.client_id
            ]


def corrected(entry: Entry, edit: Entry | None) -> Entry:
    """A message with the text of ``edit``, if that is newer than the text it has; without any, if
    ``edit`` is a deletion."""
    if edit is None or entry.kind or entry.deleted:
        return entry
    if edit.kind == "redact":
        return emptied(entry)
    if not edit.content or edit.seq <= entry.edited:
        return entry
    return replace(entry, content=edit.content, edited=edit.seq, cut=edit.cut)


def emptied(entry: Entry) -> Entry:
    """What is left of an entry that was deleted."""
    return Entry(entry.seq, time=entry.time, deleted=True, conversation=entry.conversation)


def is_erased(entry: Entry, erasure: Entry) -> bool:
    """Whether ``entry`` is of, or about, the user whom the later entry ``erasure`` deletes."""
    about = entry.target == erasure.target and bool(entry.target_name)
    return entry.user_id == erasure.target or about


def _seq(entry: Entry) -> int:
    return entry.seq
