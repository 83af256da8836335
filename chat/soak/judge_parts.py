"""Parts of the judge: its knowledge, edited and redacted texts, original clients. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from chat.soak import trace

__all__ = [
    "Conversation",
    "Edits",
    "Line",
    "Link",
    "Message",
    "Originals",
    "Removals",
    "Violation",
]


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and the evidence."""

    at: float
    promise: str
    text: str
    conv: str = ""
    seq: int = 0
    key: str = ""
    link: int = 0


@dataclass(slots=True)
class Message:
    """What is known of one message: how often sent, when last, how often refused, and the
    numbers it was given. ``accepted``: sent and answered when, as which number of which epoch."""

    conv: str
    sent: int = 0
    sent_at: float = 0.0
    refused: int = 0
    numbers: list[tuple[str, int]] = field(default_factory=list)
    accepted: list[tuple[float, float, str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """How far one conversation is on one connection or device."""

    epoch: str
    seq: int
    over: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Conversation:
    """What is known of one conversation by anybody."""

    names: dict[str, dict[int, str]] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    log: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Link:
    """One connection: whose it is, what was known when it was opened, and how far it was told."""

    user: int
    device: str
    known: dict[str, dict[str, int]]
    lines: dict[str, Line] = field(default_factory=dict)
    stalled: bool = False
    left: set[str] = field(default_factory=set)


class Edits:
    """The messages that say something else than at first, each in its newest revision."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int, str], int] = {}
        self._done: defaultdict[tuple[str, int, str], list[tuple[float, int]]] = defaultdict(list)
        self._shown: list[trace.Fetched | trace.Logged] = []

    def editing(self, event: trace.Editing) -> None:
        """From now on the new text may be shown."""
        self._asked[event.conv, event.seq, event.key] = event.revision

    def edited(self, event: trace.Edited) -> None:
        """From now on nobody who asks gets an older one, unless a loss undoes it."""
        self._done[event.conv, event.seq, event.key].append((event.at, event.revision))

    def shown(self, event: trace.Fetched | trace.Logged) -> None:
        """A page was read, or the log at the end: remember it where it has not the text it should
        have had as it was asked for."""
        name = event.conv, event.seq, event.key
        if event.key and (name in self._done or event.revision):
            self._shown.append(event)

    def broken(
        self, lost: Callable[[str, float], bool]
    ) -> Iterator[tuple[trace.Fetched | trace.Logged, int]]:
        """Each page that had another text than it should, and the revision that it lacks.

        :param lost: whether what happened at a moment may have been undone.
        """
        for event in self._shown:
            name = event.conv, event.seq, event.key
            asked = event.asked if isinstance(event, trace.Fetched) else event.at
            done = [n for at, n in self._done[name] if at < asked and not lost(event.conv, at)]
            if event.revision < max(done, default=0) or event.revision > self._asked.get(name, 0):
                yield event, max(done, default=0)


class Removals:
    """The messages whose text was deleted, or may have been."""

    def __init__(self) -> None:
        self._asked: defaultdict[str, set[int]] = defaultdict(set)
        self._done: dict[tuple[str, int], tuple[float, str]] = {}
        self._shown: list[trace.Fetched] = []

    def redacting(self, event: trace.Redacting) -> None:
        """From now on the text may be missing."""
        self._asked[event.conv].add(event.seq)

    def redacted(self, event: trace.Redacted) -> None:
        """From now on nobody who asks gets the text, unless a loss undoes that."""
        self._done[event.conv, event.seq] = event.at, event.key

    def fetched(self, event: trace.Fetched) -> None:
        """A page was read: remember it when it shows what was gone as it was asked for."""
        at, key = self._done.get((event.conv, event.seq), (event.asked, ""))
        if event.key and event.key == key and event.asked > at:
            self._shown.append(event)

    def explains(self, conv: str, seq: int, one: str, other: str) -> bool:
        """Whether a number that is ``one`` message and ``other`` has just lost its text."""
        return "" in (one, other) and seq in self._asked[conv]

    def broken(
        self,
        log: Callable[[str], Mapping[int, tuple[str, str]]],
        lost: Callable[[str, float], bool],
    ) -> Iterator[tuple[str, int, str]]:
        """The conversation, number and key of each text that was shown although it was gone.

        :param log: the end of a conversation's log, epoch and key by number.
        :param lost: whether what happened at a moment may have been undone.
        """
        for event in self._shown:
            at, _ = self._done[event.conv, event.seq]
            if not lost(event.conv, at):
                yield event.conv, event.seq, event.key
        for (conv, seq), (at, key) in self._done.items():
            if log(conv).get(seq, ("", ""))[1] == key and not lost(conv, at):
                yield conv, seq, key


class Originals:
    """What original clients were sent, who can't tell messages apart by numbers.

    :param numbers: the epoch and number of a key, where known.
    """

    def __init__(self, numbers: Callable[[str], list[tuple[str, int]]]) -> None:
        self._numbers = numbers
        self._heard: defaultdict[int, dict[str, None]] = defaultdict(dict)

    def heard(self, event: trace.Heard) -> bool:
        """Somebody was sent a message; whether for the first time."""
        heard = self._heard[event.link]
        known = event.key in heard
        heard[event.key] = None
        return not known

    def lost_something(self) -> None:
        """What was sent before may be undone, and sent again with another number."""
        self._heard.clear()

    def left(self, link: int) -> tuple[str, str] | None:
        """A connection ended: two messages that it was sent in the wrong order, if any were.

        Those that have numbers in several epochs do not count.
        """
        last: tuple[str, str, int] | None = None
        for key in self._heard.pop(link, {}):
            numbers = self._numbers(key)
            if len(numbers) != 1:
                continue
            ((epoch, seq),) = numbers
            if last is not None and last[1] == epoch and seq < last[2]:
                return last[0], key
            last = key, epoch, seq
        return None
