"""What a connection knows, from nothing but what it was told: conversations, marks, people.

It follows ``docs/protocol.rst`` and nothing else. What contradicts something told before is a
complaint at once; whether all of it is true is seen by comparing it with what the lists say.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.peers import Frame

__all__ = ["Data", "Difference", "Knowledge", "Marks"]

Data = dict[str, Any]

LAST_THINGS = 40
"""What was told last stands below a complaint: about what a second of a busy device brings."""

OFFLINE = 1

NOT_HERE = frozenset({200, 403, 404})
"""Whoever leaves a room and gets one of these is not in it, for whatever reason."""

UNCALLED_FOR = frozenset({429, 503, 504})
"""No limit is set and no store is away."""


@dataclass(frozen=True)
class Difference:
    """Something that was told is not what is listed.

    :ivar about: which conversation, or which list.
    """

    about: str
    what: str
    told: object
    listed: object

    def __str__(self) -> str:
        return f"{self.about}: {self.what} told as {self.told!r}, listed as {self.listed!r}"


@dataclass(frozen=True)
class Nature:
    """How a conversation is."""

    topic: str = ""
    role: str = ""
    private: bool = False
    slow: int = 0

    @classmethod
    def of(cls, told: Data) -> Self:
        """As a *conv* has it; what is absent has its default."""
        members = ("topic", "role", "private", "slow")
        return cls(**{each: told[each] for each in members if each in told})

    def after(self, entry: Data, user_id: int) -> Self:
        """What an entry makes of it, for one user."""
        match entry:
            case {"kind": "topic", "content": topic}:
                return replace(self, topic=topic)
            case {"kind": "slow"}:
                return replace(self, slow=entry.get("seconds", 0))
            case {"kind": "private" | "public" as kind}:
                return replace(self, private=kind == "private")
            case {"kind": "role", "content": role, "target": target} if target == user_id:
                return replace(self, role=role)
        return self


@dataclass(frozen=True)
class Marks:
    """How far a user has got."""

    delivered: int = 0
    read: int = 0

    def moved(self, to: "Marks") -> "Marks":
        """They never go back."""
        return Marks(max(self.delivered, to.delivered), max(self.read, to.read))


@dataclass(frozen=True)
class Said:
    """Who wrote what, and which number that answers."""

    user_id: int
    content: str
    reply: int

    @classmethod
    def of(cls, entry: Data) -> Self:
        """As an *entry* has it."""
        return cls(entry["userId"], entry.get("content", ""), entry.get("reply", 0))


class Conversation:
    """One conversation.

    :ivar newest: the number of its newest entry.
    :ivar complete: none was left out before that.
    :ivar nature, marks: how it is, and how far one has got.
    :ivar entries: what was heard of it.
    """

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self.complete = True
        self.nature = Nature()
        self.marks = Marks()
        self.entries: dict[int, Said] = {}

    def told(self, told: Data) -> None:
        """How it is now; its newest entry may be one that is yet to come."""
        self.nature = Nature.of(told)
        self.marks = self.marks.moved(Marks(told["delivered"], told["read"]))

    def entry(self, entry: Data, user_id: int) -> bool:
        """An entry came; whether it is above all others."""
        seq: int = entry["seq"]
        is_above = seq > self.newest
        self.complete = self.complete and seq == self.newest + 1
        self.newest = max(seq, self.newest)
        self.nature = self.nature.after(entry, user_id)
        if "deleted" not in entry:
            self.entries[seq] = Said.of(entry)
        edited = self.entries.get(entry["target"]) if entry.get("kind") == "edit" else None
        if edited and entry.get("content"):
            self.entries[entry["target"]] = replace(edited, content=entry["content"])
        return is_above

    def differences(self, listed: Data) -> Iterator[Difference]:
        """What a list says otherwise; how it is may have changed with an entry that was left
        out."""
        nature = Nature.of(listed)
        told = (self.newest, self.nature if self.complete else nature, self.marks)
        truth = (listed["seq"], nature, Marks(listed["delivered"], listed["read"]))
        if told != truth:
            yield Difference(listed["conversation"], "newest, nature, marks", told, truth)

    def misheard(self, listed: Data, history: list[Data]) -> Iterator[Difference]:
        """What the history, which has all from ``first`` on, says otherwise."""
        kept = {entry["seq"]: entry for entry in history}
        for seq, said in self.entries.items():
            entry = kept.get(seq)
            if (entry is None and seq < listed["first"]) or (entry and entry.get("deleted")):
                continue
            if entry and entry.get("kind") == "edit" and not entry.get("content"):
                continue  # A newer one has the text, or there is none any more.
            if entry and "edited" in entry and entry["edited"] not in self.entries:
                continue  # That it was edited was left out.
            logged = entry and Said.of(entry)
            if said != logged:
                yield Difference(listed["conversation"], f"number {seq}", said, logged)


class Online:
    """Who is there, and who of them is busy, as far as that was told."""

    def __init__(self) -> None:
        self._statuses: dict[int, int | None] = {}
        self._complete = True

    def welcomed(self, users: list[int]) -> None:
        """The list that comes with a login says nothing of who is busy."""
        self._statuses = dict.fromkeys(users)

    def changed(self, users: list[Data], reset: bool) -> None:
        """Some came, went, or have another status; or only what is told from now on counts."""
        if reset:
            self._statuses, self._complete = {}, False
        self._statuses |= {each["userId"]: each["userStatus"] for each in users}

    def differences(self, users: list[Data]) -> Iterator[Difference]:
        """What a list says otherwise."""
        listed = {each["userId"]: each["userStatus"] for each in users}
        if not self._complete:
            listed = {user: listed[user] for user in listed.keys() & self._statuses.keys()}
        told = {
            user: listed.get(user, 0) if status is None else status
            for user, status in self._statuses.items()
            if status != OFFLINE
        }
        if told != listed:
            yield Difference("online", "users", told, listed)


class Blocks:
    """Whom one has blocked: a list, and what changed before and after it was read."""

    def __init__(self) -> None:
        self._users: set[int] = set()
        self._changes: list[tuple[int, bool]] = []

    def changed(self, user_id: int, block: bool) -> None:
        """A device of one's own blocks somebody, or takes that back."""
        self._changes.append((user_id, block))

    def read(self, users: list[Data]) -> None:
        """The first list came: what was told before it may be in it already, or not yet."""
        self._users = {each["userId"] for each in users}

    def differences(self, users: list[Data]) -> Iterator[Difference]:
        """What a list says otherwise."""
        told = set(self._users)
        for user_id, block in self._changes:
            (told.add if block else told.discard)(user_id)
        if told != (listed := {each["userId"] for each in users}):
            yield Difference("blocks", "users", told, listed)


class Knowledge:
    """All that one connection knows.

    :param name: of the connection.
    :param user_id: whose it is.
    :param wrong: told each thing that should not have come, in a sentence, and what came last.
    :param slow_reader: it does not always read what comes; then the newest entry may be all that it
        is told of a conversation, also behind a reply that has its number.
    """

    def __init__(
        self, name: str, user_id: int, wrong: Callable[[str], None], slow_reader: bool
    ) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.online = Online()
        self.blocks = Blocks()
        self.slow_reader = slow_reader
        self._name = name
        self._user_id = user_id
        self._wrong = wrong
        self._last_things: deque[str] = deque(maxlen=LAST_THINGS)
        self._requests: dict[str, Data] = {}

    @property
    def left_out(self) -> bool:
        """Whether it was not told all entries of some conversation."""
        return not all(each.complete for each in self.conversations.values())

    def complain(self, what: object) -> None:
        """Something is wrong."""
        self._wrong("\n    ".join([f"{self._name}: {what}", *self._last_things]))

    # What one does ---------------------------------------------------------------------------

    def asks(self, request_id: str, kind: str, data: Data) -> None:
        """A request is sent: some replies can't be understood without it."""
        self._last_things.append(f"{request_id} > {kind} {data}")
        self._requests[request_id] = data

    def acknowledges(self, name: str, marks: Marks) -> None:
        """One's own marks move; nobody answers."""
        self._last_things.append(f"> {name} {marks}")
        conversation = self.conversations[name]
        conversation.marks = conversation.marks.moved(marks)

    # What one is told ------------------------------------------------------------------------

    def hear(self, frame: Frame) -> None:
        """A frame came."""
        kind, data = frame.type, frame.data
        self._last_things.append(f"{frame.id or ''} < {kind} {data}")
        request = self._requests.pop(frame.id or "", {})
        match kind, data:
            case ("ErrorMes", _):
                self.complain(f"{data} was told")
            case (_, {"code": code}) if code in UNCALLED_FOR and kind != "ByeMes":
                self.complain(f"{request} was answered {kind} {data}")
            case ("LoginResMes", {"code": 200, "UsersId": users, "conversations": listed}):
                self.online.welcomed(users)
                for each in listed:
                    self.conversations[each["conversation"]] = welcomed = Conversation(each["seq"])
                    welcomed.told(each)
            case ("SmsMes", _):
                self._entry(data)
            case ("SmsResMes", {"code": 200}) if not data.get("duplicate"):
                own = {name: request[name] for name in ("content", "reply") if name in request}
                self._entry({**data, **own, "userId": self._user_id})
            case ("JoinResMes", {"code": 200}):
                self._joined(data)
            case ("LeaveResMes", {"code": code}) if code in NOT_HERE:
                self.conversations.pop(request["conversation"], None)
            case ("ConversationMes", {"conversation": name, "gone": True}):
                self.conversations.pop(name, None)
            case ("ConversationMes", _):
                self._told_of(data)
            case ("ConversationsResMes", {"conversations": listed}):
                self._listed(listed)
            case ("PresenceMes", {"users": users}):
                self.online.changed(users, data.get("reset", False))
            case ("BlockedMes", {"userId": user_id}):
                self.blocks.changed(user_id, data.get("block", False))

    def _entry(self, entry: Data) -> None:
        name, seq = entry["conversation"], entry["seq"]
        if name.startswith("@") and (seq == 1 or self.slow_reader):
            # Nobody is told that a private conversation begins.
            self.conversations.setdefault(name, Conversation(0))
        conversation = self.conversations.get(name)
        if conversation is None:
            self.complain(f"{name}: number {seq} came, and it is none of one's conversations")
        elif not (
            conversation.entry(entry, self._user_id) and (conversation.complete or self.slow_reader)
        ):
            self.complain(f"{name}: number {seq} came out of turn")

    def _joined(self, told: Data) -> None:
        """A reply is an exact snapshot: all before its number was pushed before it."""
        self._told_of(told)
        name = told["conversation"]
        newest = self.conversations[name].newest
        if newest > told["seq"] or (newest < told["seq"] and not self.slow_reader):
            self.complain(f"{name}: joined at {told['seq']}, heard until {newest}")

    def _listed(self, listed: list[Data]) -> None:
        for each in listed:
            name = each["conversation"]
            if name not in self.conversations and name.startswith("#"):
                self.complain(f"{name} is listed, and is none of one's conversations")

    def _told_of(self, told: Data) -> None:
        name, known = told["conversation"], self.conversations
        if name.startswith("@") and name not in known:
            # No list had it, so it has begun since.
            self.complain(f"{name} was told of before its first entry")
        known.setdefault(name, Conversation(told["seq"])).told(told)

    # What is true ----------------------------------------------------------------------------

    def differences(self, listed: dict[str, Data]) -> Iterator[Difference]:
        """What a list of one's conversations says otherwise."""
        for name in sorted(listed.keys() ^ self.conversations.keys()):
            yield Difference(name, "membership", name in self.conversations, name in listed)
        for name in listed.keys() & self.conversations.keys():
            yield from self.conversations[name].differences(listed[name])
