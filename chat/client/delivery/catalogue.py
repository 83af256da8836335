"""The user's conversations and their marks, combined from the server's list and the log."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from chat.client.events import ConversationChanged
from chat.messages import Conversation, Entry

__all__ = ["Catalogue"]


class Catalogue:
    """All conversations by name. Every change is emitted, except those that an arriving message
    makes."""

    def __init__(self, emit: Callable[[ConversationChanged], None]) -> None:
        self.conversations: dict[str, Conversation] = {}
        self._emit = emit
        self._listed: set[str] = set()

    def begin(self) -> None:
        """A login: the whole list follows."""
        self._listed.clear()

    def unlisted(self) -> Iterable[str]:
        """The conversations that were not listed since ``begin``: the user is no longer in them."""
        return [name for name in self.conversations if name not in self._listed]

    def learn(self, found: Conversation) -> None:
        """The server says how a conversation stands."""
        self._listed.add(found.conversation)
        self._set(_merged(self.conversations.get(found.conversation), found))

    def gone(self, name: str) -> None:
        """The user is no longer in it."""
        if self.conversations.pop(name, None) is not None:
            self._emit(ConversationChanged(Conversation(name, gone=True)))

    def read(self, name: str, seq: int) -> bool:
        """The user has read up to ``seq``.

        :returns: whether the mark has moved.
        """
        known = self.conversations.get(name)
        if known is None or seq <= known.read:
            return False
        self._set(replace(known, read=seq))
        return True

    def entry(self, entry: Entry, mine: bool, me: int) -> None:
        """An entry is handed out. A conversation that is new here is added."""
        name = entry.conversation
        self._listed.add(name)
        if name not in self.conversations:
            partner = entry.user_name if name.startswith("@") and not mine else ""
            self._set(Conversation(name, entry.epoch, 1, entry.seq, 1, user_name=partner))
        known = self.conversations[name]
        moved = replace(known, seq=max(known.seq, entry.seq), last=entry)
        self.conversations[name] = moved
        match entry.kind:
            case "topic":
                self._set(replace(moved, topic=entry.content))
            case "slow":
                self._set(replace(moved, slow=entry.seconds))
            case "private" | "public":
                self._set(replace(moved, private=entry.kind == "private"))
            case "role" if entry.target == me:
                self._set(replace(moved, role=entry.content))

    def epoch(self, name: str, epoch: str, first: int) -> None:
        """A new epoch: marks of the old one count as at most the number before its first."""
        known = self.conversations.get(name)
        if known is not None:
            delivered, read = min(known.delivered, first - 1), min(known.read, first - 1)
            self._set(
                replace(known, epoch=epoch, epoch_first=first, delivered=delivered, read=read)
            )

    def _set(self, found: Conversation) -> None:
        if self.conversations.get(found.conversation) != found:
            self.conversations[found.conversation] = found
            self._emit(ConversationChanged(found))


def _merged(known: Conversation | None, found: Conversation) -> Conversation:
    """What the server says now, except that no mark goes back: it may not know yet what was read
    here."""
    values = {name: getattr(found, name) for name in Conversation.__struct_fields__}
    if known is not None:
        values["last"] = found.last or known.last
        values["user_name"] = found.user_name or known.user_name
        if known.epoch == found.epoch:
            for mark in ("seq", "first", "delivered", "read"):
                values[mark] = max(values[mark], getattr(known, mark))
    return Conversation(**values)
