"""The judge: reads a trace and names every promise that was broken. Pure; knows no network.

The promises are those of ``docs/protocol.rst``, seen from outside only:

``order``     on one connection a conversation's numbers never go down and none comes twice
``hole``      on a connection that is read, none is left out; a log has no hole
``identity``  a number of an epoch names one message, on every connection, page and answer
``double``    a message has one number, however often and wherever it was sent
``lost``      what was accepted stays, unless a declared new epoch begins at or below its number
``refused``   what was never answered but with a refusal never appears
``receipt``   nobody is said to be further than one of their devices said
``backwards`` a snapshot is not below what was known before it was asked for (a new epoch is due)
``epoch``     an epoch changes only after something that may lose numbers
``device``    a device ends with exactly what the log has
``tail``      a connected device gets the last entries without asking
``edited``    a page that is asked for after a message was edited has its newest text
``redacted``  a text that was taken away is in no page that is asked for afterwards
``left``      who left a room is pushed nothing of it
``original``  an original client is sent a message once, and in the order of the numbers
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from chat.soak import trace
from chat.soak.judge_parts import (
    Conversation,
    Edits,
    Line,
    Link,
    Message,
    Originals,
    Removals,
    Violation,
)
from chat.soak.trace import Event

__all__ = ["REFUSALS", "Judge", "Violation", "judge"]

REFUSALS: Final = frozenset({400, 401, 403, 404, 413, 429, 503})
EPOCHS_PER_LOSS: Final = 3
"""Servers that notice the same loss at the same time may each begin an epoch."""

UNSETTLED: Final = 5.0
"""Seconds after a loss in which an original client may be sent again what was lost."""


class Judge:
    """Takes a trace event by event.

    :ivar violations: the promises that were broken so far.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self._messages: dict[str, Message] = {}
        self._conversations: defaultdict[str, Conversation] = defaultdict(Conversation)
        self._links: dict[int, Link] = {}
        self._devices: dict[tuple[str, str], Line] = {}
        self._acked: dict[tuple[int, str], tuple[int, int]] = {}
        self._edits = Edits()
        self._removals = Removals()
        self._originals = Originals(lambda key: self._messages[key].numbers)
        self._losses: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._handlers = {
            trace.Opened: self._opened,
            trace.Closed: self._closed,
            trace.Stalled: self._stalled,
            trace.Sent: self._sent,
            trace.Answered: self._answered,
            trace.Pushed: self._pushed,
            trace.Fetched: self._fetched,
            trace.Told: self._told,
            trace.Shown: self._shown,
            trace.Dropped: self._dropped,
            trace.Acked: self._was_acked,
            trace.Receipt: self._receipt,
            trace.Fault: self._fault,
            trace.Settled: self._settled,
            trace.Logged: self._logged,
            trace.Editing: self._edits.editing,
            trace.Edited: self._edits.edited,
            trace.Redacting: self._removals.redacting,
            trace.Redacted: self._removals.redacted,
            trace.Left: self._left,
            trace.Heard: self._heard,
        }

    def take(self, event: Event) -> None:
        """Hear one event."""
        self._handlers[type(event)](event)  # type: ignore[operator]  # one handler for each type

    # Connections -----------------------------------------------------------------------------

    def _opened(self, event: trace.Opened) -> None:
        known = {conv: dict(each.highest) for conv, each in self._conversations.items()}
        self._links[event.link] = Link(event.user, event.device, known)

    def _closed(self, event: trace.Closed) -> None:
        self._links.pop(event.link, None)
        self._check_heard(event.at, event.link)

    def _stalled(self, event: trace.Stalled) -> None:
        self._links[event.link].stalled = True

    def _told(self, event: trace.Told) -> None:
        link = self._links[event.link]
        self._epoch_seen(event.at, event.conv, event.epoch, event.epoch_first)
        known = link.known.get(event.conv, {}).get(event.epoch, 0)
        if event.seq < known:
            self._say(event, "backwards", f"stands at {event.seq}, {known} was given out before")
        link.left.discard(event.conv)
        # Whoever hears it already is still to be pushed what lies between.
        line = link.lines.get(event.conv)
        if line is None or line.epoch != event.epoch:
            link.lines[event.conv] = Line(event.epoch, event.seq)

    def _left(self, event: trace.Left) -> None:
        link = self._links[event.link]
        link.lines.pop(event.conv, None)
        link.left.add(event.conv)
        self._devices.pop((event.device, event.conv), None)

    def _pushed(self, event: trace.Pushed) -> None:
        if event.conv in self._links[event.link].left:
            self._say(event, "left", f"{event.seq} was pushed to somebody who had left")
            return
        self._in_order(event, event.epoch, event.seq)
        self._name(event, event.epoch, event.seq, event.key)

    def _in_order(self, event: trace.Pushed | trace.Answered, epoch: str, seq: int) -> None:
        """Check that an entry comes after the last one of its conversation on a connection."""
        link = self._links[event.link]
        line = link.lines.get(event.conv)
        if line is None:
            line = link.lines[event.conv] = Line(epoch, 0)
        if epoch == line.epoch:
            if seq <= line.seq:
                self._say(event, "order", f"{seq} came after {line.seq}")
            elif seq > line.seq + 1 and not link.stalled:
                self._say(event, "hole", f"{seq} came after {line.seq}")
            line.seq = max(line.seq, seq)
            return
        if epoch in line.over:
            self._say(event, "order", f"epoch {epoch} came back after {line.epoch}")
        line.over.add(line.epoch)
        line.epoch, line.seq = epoch, seq

    def _heard(self, event: trace.Heard) -> None:
        if event.key not in self._messages:
            self._say(event, "refused", f"{event.key!r} was never sent")
            return
        losses = self._losses[_world(event.conv)]
        unsettled = any(event.at < until + UNSETTLED for _, until in losses)
        if not self._originals.heard(event) and not unsettled:
            self._say(event, "original", f"{event.key!r} was sent twice to an original client")

    def _check_heard(self, at: float, link: int) -> None:
        if (wrong := self._originals.left(link)) is not None:
            text = f"an original client was sent {wrong[1]!r} after {wrong[0]!r}"
            self.violations.append(Violation(at, "original", text, key=wrong[1], link=link))

    def _fetched(self, event: trace.Fetched) -> None:
        self._removals.fetched(event)
        self._edits.shown(event)
        self._name(event, event.epoch, event.seq, event.key)

    # Messages --------------------------------------------------------------------------------

    def _sent(self, event: trace.Sent) -> None:
        message = self._messages.get(event.key)
        if message is None:
            message = self._messages[event.key] = Message(event.conv)
        message.sent += 1
        message.sent_at = event.at

    def _answered(self, event: trace.Answered) -> None:
        message = self._messages[event.key]
        if event.code in REFUSALS:
            message.refused += 1
        if event.code != 200:
            return
        message.accepted.append((message.sent_at, event.at, event.epoch, event.seq))
        self._epoch_seen(event.at, event.conv, event.epoch, event.epoch_first)
        if not event.duplicate:
            self._in_order(event, event.epoch, event.seq)
            self._name(event, event.epoch, event.seq, event.key)
        else:
            self._repeated(event, message.numbers)

    def _repeated(self, event: trace.Answered, numbers: list[tuple[str, int]]) -> None:
        """A repetition is told the number that the message has, where that is known already.

        What a rollback undid may have a number of the new epoch that nobody has seen yet; whether
        it really has, is found in the log.
        """
        begun_anew = event.seq >= event.epoch_first and all(e != event.epoch for e, _ in numbers)
        if numbers and not begun_anew and event.seq not in {seq for _, seq in numbers}:
            self._say(event, "double", f"has {numbers}, and {event.seq} when it was sent again")

    def _name(
        self, event: trace.Pushed | trace.Fetched | trace.Answered, epoch: str, seq: int, key: str
    ) -> None:
        """Note that number ``seq`` of an epoch is the message ``key``, and check that it is so for
        everybody."""
        conversation = self._conversations[event.conv]
        self._epoch_seen(event.at, event.conv, epoch, 0)
        names = conversation.names.setdefault(epoch, {})
        known = names.setdefault(seq, key)
        if known != key and not self._removals.explains(event.conv, seq, known, key):
            self._say(event, "identity", f"{epoch}/{seq} is {known!r} and {key!r}")
        if seq > conversation.highest.get(epoch, 0):
            conversation.highest[epoch] = seq
        if key:
            self._number(event, key, epoch, seq)

    def _number(
        self, event: trace.Pushed | trace.Fetched | trace.Answered, key: str, epoch: str, seq: int
    ) -> None:
        message = self._messages.get(key)
        if message is None:
            self._say(event, "refused", f"{key!r} was never sent")
            message = self._messages[key] = Message(event.conv, 1)
        if (epoch, seq) in message.numbers:
            return
        if any(known == epoch for known, _ in message.numbers):
            self._say(event, "double", f"has {message.numbers} and {epoch}/{seq}")
        message.numbers.append((epoch, seq))

    # Epochs ----------------------------------------------------------------------------------

    def _epoch_seen(self, at: float, conv: str, epoch: str, first: int) -> None:
        conversation = self._conversations[conv]
        if first:
            conversation.first[epoch] = first
        if epoch in conversation.names:
            return
        conversation.names[epoch] = {}
        losses = self._losses[_world(conv)]
        if len(conversation.names) > 1 + EPOCHS_PER_LOSS * len(losses):
            text = f"epoch {epoch} began, and nothing can have been lost"
            self.violations.append(Violation(at, "epoch", text, conv))

    def _fault(self, event: trace.Fault) -> None:
        if event.lossy_since >= 0 and event.begins:
            self._losses[event.world].append((event.lossy_since, math.inf))  # until it ends
        elif event.lossy_since >= 0:
            since, _ = self._losses[event.world][-1]
            self._losses[event.world][-1] = (since, event.at)
            self._originals.lost_something()

    # Marks -----------------------------------------------------------------------------------

    def _was_acked(self, event: trace.Acked) -> None:
        delivered, read = self._acked.get((event.user, event.conv), (0, 0))
        now = max(delivered, event.delivered, event.read), max(read, event.read)
        self._acked[event.user, event.conv] = now

    def _receipt(self, event: trace.Receipt) -> None:
        delivered, read = self._acked.get((event.user, event.conv), (0, 0))
        if event.delivered > delivered or event.read > read:
            said = f"{event.delivered}/{event.read}"
            self._say(event, "receipt", f"user {event.user} is said to be at {said}, "
                      f"and said {delivered}/{read}")  # fmt: skip

    # Devices ---------------------------------------------------------------------------------

    def _shown(self, event: trace.Shown) -> None:
        line = self._devices.get((event.device, event.conv))
        if line is None:
            line = self._devices[event.device, event.conv] = Line(event.epoch, event.seq - 1)
        if event.seq != line.seq + 1:
            self._say_device(event, "device", event.seq, f"showed {event.seq} after {line.seq}")
        line.seq, line.epoch = event.seq, event.epoch

    def _dropped(self, event: trace.Dropped) -> None:
        line = self._devices.get((event.device, event.conv))
        if line is None:
            self._devices[event.device, event.conv] = Line(event.epoch, event.first - 1)
        elif line.seq >= event.first:
            line.seq = event.first - 1

    def _settled(self, event: trace.Settled) -> None:
        for (device, conv), line in self._devices.items():
            if conv == event.conv and line.epoch == event.epoch and line.seq < event.seq:
                text = f"{device} stands at {line.seq}, the log at {event.seq}"
                self._say_device(event, "tail", event.seq, text)

    # The end ---------------------------------------------------------------------------------

    def _logged(self, event: trace.Logged) -> None:
        log = self._conversations[event.conv].log
        if event.seq != len(log) + 1:
            self._say_device(event, "hole", event.seq, f"the log has {event.seq} at {len(log) + 1}")
        log[event.seq] = (event.epoch, event.key)
        self._edits.shown(event)

    def finish(self) -> list[Violation]:
        """Compare what was sent with what the logs have, when nothing more comes.

        :returns: all violations, oldest first.
        """
        self._check_logs()
        self._check_removals()
        for shown, revision in self._edits.broken(self._undone):
            text = f"{shown.key!r} has revision {shown.revision}, and should have {revision}"
            self._end("edited", text, shown.conv, shown.seq, shown.key)
        for link in self._links:
            self._check_heard(float("inf"), link)
        for key, message in self._messages.items():
            self._check_message(key, message)
        for (device, conv), line in self._devices.items():
            end = len(self._conversations[conv].log)
            if line.seq != end:
                text = f"{device} ended at {line.seq}, the log has {end}"
                self.violations.append(Violation(float("inf"), "device", text, conv, line.seq))
        self.violations.sort(key=lambda violation: violation.at)
        return self.violations

    def _check_removals(self) -> None:
        broken = self._removals.broken(lambda conv: self._conversations[conv].log, self._undone)
        for conv, seq, key in broken:
            self._end("redacted", f"the text of {key!r} is shown as {seq}", conv, seq, key)

    def _check_logs(self) -> None:
        for conv, conversation in self._conversations.items():
            keys: dict[str, int] = {}
            for seq, (epoch, key) in conversation.log.items():
                if key in keys:
                    text = f"{keys[key]} and {seq} are the same message"
                    self._end("double", text, conv, seq, key)
                if key:
                    keys[key] = seq
                known = conversation.names.get(epoch, {}).get(seq, key)
                if known != key and not self._removals.explains(conv, seq, known, key):
                    text = f"{epoch}/{seq} was {known!r} and is {key!r}"
                    self._end("identity", text, conv, seq, key)

    def _check_message(self, key: str, message: Message) -> None:
        conversation = self._conversations[message.conv]
        if message.refused >= message.sent and not message.accepted:
            found = [seq for seq, (_, other) in conversation.log.items() if other == key]
            if message.numbers or found:
                text = f"was refused {message.refused} times and is {message.numbers or found}"
                self._end("refused", text, message.conv, 0, key)
        for since, at, epoch, seq in message.accepted:
            there = conversation.log.get(seq, ("", "nothing"))[1]
            if there != key and not self._removals.explains(message.conv, seq, key, there):
                self._check_loss(since, at, key, message.conv, epoch, seq)

    def _check_loss(
        self, since: float, at: float, key: str, conv: str, epoch: str, seq: int
    ) -> None:
        """An accepted message is not in the log at its number: only a declared loss explains that.

        It was accepted between its sending and its answer, which may have been read much later.
        """
        declared = self._undone(conv, at, since)
        first = list(self._conversations[conv].first.items())
        order = [name for name, _ in first]
        later = order.index(epoch) + 1 if epoch in order else 0
        begun = any(number <= seq for _, number in first[later:])
        if not (declared and begun):
            text = f"{conv}: {key!r} was accepted as {epoch}/{seq} and is not there"
            self.violations.append(Violation(at, "lost", text, conv, seq, key))

    def _undone(self, conv: str, at: float, begun: float = math.inf) -> bool:
        """Whether what happened at a moment, or at some moment since ``begun``, may be lost."""
        begun = min(begun, at)
        return any(since <= at and begun <= until for since, until in self._losses[_world(conv)])

    # Words -----------------------------------------------------------------------------------

    def _say(
        self,
        event: trace.Told
        | trace.Pushed
        | trace.Answered
        | trace.Fetched
        | trace.Receipt
        | trace.Heard,
        promise: str,
        text: str,
    ) -> None:
        violation = Violation(
            event.at, promise, f"{event.conv}: {text}", event.conv,
            getattr(event, "seq", 0), getattr(event, "key", ""), event.link,
        )  # fmt: skip
        self.violations.append(violation)

    def _say_device(
        self, event: trace.Shown | trace.Settled | trace.Logged, promise: str, seq: int, text: str
    ) -> None:
        violation = Violation(event.at, promise, f"{event.conv}: {text}", event.conv, seq)
        self.violations.append(violation)

    def _end(self, promise: str, text: str, conv: str, seq: int, key: str) -> None:
        violation = Violation(float("inf"), promise, f"{conv}: {text}", conv, seq, key)
        self.violations.append(violation)


def _world(conv: str) -> str:
    return conv.partition(":")[0]


def judge(events: Iterable[Event]) -> list[Violation]:
    """Judge a whole trace; returns the violations, oldest first."""
    court = Judge()
    for event in events:
        court.take(event)
    return court.finish()
