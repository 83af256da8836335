"""One device of a user, behaving as a good client: it reconnects, repeats itself, fills gaps."""

import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater

from chat.soak import trace
from chat.soak.copies import REVISED, Copies
from chat.soak.link import Link, Refused, connect

__all__ = ["Account", "Device", "Host", "Message"]

IN_FLIGHT: Final = 16
"""Messages without an answer on one connection."""

PATIENCE: Final = 15.0
"""Seconds after which a message without an answer is sent again."""

LONGEST: Final = 4096
"""Characters of an edited message."""

GIVE_UP: Final = 0.05
"""How many of the messages that were not accepted at once are given up, to see them not appear."""

RETRY_SECONDS: Final = (0.1, 1.0)
PING_SECONDS: Final = 4.0
SILENCE_SECONDS: Final = 10.0
TROUBLE = (ConnectError, ConnectionDone, ConnectionLost, CancelledError, Refused)


class Host(Protocol):
    """What a device asks of the world it lives in."""

    reactor: Any
    record: trace.Recorder
    random: random.Random

    def port_of(self, turn: int) -> tuple[str, int]:
        """The name and port of a server; another one, perhaps, for another ``turn``."""

    def accepted(self, device: "Device", message: "Message") -> None:
        """A device's message was accepted by the server it is connected to."""

    def given_up(self, message: "Message") -> None:
        """A message that was not accepted at once is not sent again."""

    def spawn(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Let ``work`` go on by itself. If it fails, the run is not clean."""


@dataclass(frozen=True)
class Account:
    """A user, and the conversations they are in."""

    world: str
    user_id: int
    name: str
    password: str

    def canonical(self, conversation: str) -> str:
        """The name in the trace, the same for everybody, of what this user calls
        ``conversation``."""
        if conversation.startswith("#"):
            return f"{self.world}:{conversation}"
        low, high = sorted((self.user_id, int(conversation[1:])))
        return f"{self.world}:@{low}:{high}"

    def wire_name(self, conv: str) -> str:
        """What this user calls a conversation of the trace."""
        name = conv.partition(":")[2]
        if name.startswith("#"):
            return name
        low, high = name[1:].split(":")
        return f"@{high if int(low) == self.user_id else low}"


@dataclass(slots=True)
class Message:
    """A message to be sent, until its fate is known."""

    key: str
    to: str
    conv: str
    content: str
    made: float
    calm: bool
    due: float = 0.0
    sent: float = 0.0
    tries: int = 0
    seq: int = 0
    revision: int = 0
    in_flight: bool = False
    unknown: bool = False
    reply: int = 0


@dataclass(slots=True)
class Tally:
    """What became of a device's messages."""

    made: int = 0
    accepted: int = 0
    given_up: int = 0
    refused: int = 0
    codes: dict[int, int] = field(default_factory=dict)


class Device:
    """One installation of a client.

    :ivar name: unique in the whole run.
    :ivar link: the connection while it is logged in.
    :ivar roams: its user joins rooms and leaves them (``chat.soak.wanderer``).
    :param turn: which server it tries first.
    :param faithful: it tries no other server.
    """

    def __init__(
        self, host: Host, account: Account, name: str, turn: int, faithful: bool = False
    ) -> None:
        self.host = host
        self.account = account
        self.name = name
        self.link: Link | None = None
        self.server = ""
        self.outbox: dict[str, Message] = {}
        self.tally = Tally()
        self.copies = Copies(self)
        self.wanted = True
        self.roams = False
        self.turn = turn
        self._step = 0 if faithful else 1
        self._acked: dict[str, int] = {}
        self._rest_until = 0.0
        self._life: Deferred[None] | None = None
        self._pause: Deferred[None] | None = None

    # Life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and come back after every loss, until ``stop``."""
        self._life = Deferred.fromCoroutine(self._live())

    async def stop(self) -> None:
        """Disconnect for good."""
        self.wanted = False
        if self.link is not None:
            self.link.abort()
        if self._pause is not None:
            self._pause.cancel()
        if self._life is not None:
            await self._life

    async def _live(self) -> None:
        while self.wanted:
            try:
                link = await self._enter()
            except TROUBLE:
                self.turn += self._step
                await self._sleep(self.host.random.uniform(*RETRY_SECONDS))
                continue
            await link.gone
            self._left(link)
            await self._sleep(link.retry_after or self.host.random.uniform(*RETRY_SECONDS))
            self.turn += self._step

    async def _sleep(self, seconds: float) -> None:
        if not self.wanted:
            return
        self._pause = deferLater(self.host.reactor, seconds)
        try:
            await self._pause
        except CancelledError:
            pass
        finally:
            self._pause = None

    async def _enter(self) -> Link:
        """Connect and log in.

        :raises ConnectError, ConnectionLost, Refused: that failed.
        """
        host = self.host
        self.server, port = host.port_of(self.turn)
        link = await connect(host.reactor, port, self._received)
        link.opened(host.record, self.account.user_id, self.name, self.server)
        try:
            welcome = await link.ask(
                "LoginMes", version=2, userName=self.account.name,
                userPwd=self.account.password, device=self.name,
            )  # fmt: skip
        except BaseException:
            link.abort()
            await link.gone
            self._closed(link)
            raise
        self.link = link
        self.copies.told(link, welcome["conversations"])
        if self.roams:
            self._look_where_one_is(link, welcome["conversations"])
        self.pump()
        return link

    def _look_where_one_is(self, link: Link, listed: list[dict[str, Any]]) -> None:
        """What was left without an answer is known now."""
        known = {self.account.canonical(each["conversation"]) for each in listed}
        for conv in [conv for conv in self.copies.all if "#" in conv and conv not in known]:
            self.copies.left(link, conv)

    def _left(self, link: Link) -> None:
        self.link = None
        self.copies.interrupted()
        for message in self.outbox.values():
            if message.in_flight:
                message.in_flight, message.unknown = False, True
                self._answered(link, message, 0, {})
        self._closed(link)

    def _closed(self, link: Link) -> None:
        self.host.record(trace.Closed(self.host.record.now(), link.number))

    # Saying ----------------------------------------------------------------------------------

    def say(self, message: Message) -> None:
        """Put a message into the outbox and send it as soon as possible."""
        self.tally.made += 1
        self.outbox[message.key] = message
        self.pump()

    def pump(self) -> None:
        """Send what is due, in order, as far as the connection takes it."""
        link = self.link
        if link is None or link.paused:
            return
        now = self.host.record.now()
        if now < self._rest_until:
            return
        room = IN_FLIGHT - sum(message.in_flight for message in self.outbox.values())
        for message in self.outbox.values():
            if message.in_flight and now - message.sent > PATIENCE:
                message.in_flight = False
            if room <= 0:
                break
            if not message.in_flight and message.due <= now:
                room -= 1
                self.send(link, message)

    def send(self, link: Link, message: Message) -> None:
        """Send a message, whatever has become of it before."""
        message.in_flight, message.sent = True, self.host.record.now()
        message.tries += 1
        self.repeat(link, message)

    def repeat(self, link: Link, message: Message) -> None:
        """Send a message that this or another device of its user has sent."""
        record = self.host.record
        record(trace.Sent(record.now(), link.number, message.conv, message.key))
        answers = {"reply": message.reply} if message.reply else {}
        link.tell("SmsMes", to=message.to, content=message.content, clientId=message.key, **answers)

    async def edit(self, message: Message) -> bool:
        """Ask once for a message of one's own to say something else. Return False in doubt."""
        record, link = self.host.record, self.link
        if link is None or link.paused:
            return True
        message.revision += 1
        told = message.conv, message.seq, message.key, message.revision
        record(trace.Editing(record.now(), *told))
        content = f"{message.key} {REVISED}{message.revision} {message.content}"[:LONGEST]
        try:
            await link.ask("EditMes", conversation=message.to, seq=message.seq, content=content)
        except (Refused, ConnectionLost):
            return False
        record(trace.Edited(record.now(), *told))
        return True

    async def redact(self, message: Message) -> None:
        """Ask for the text of one of the user's own messages to be deleted, once."""
        record, link = self.host.record, self.link
        if link is None or link.paused:
            return
        record(trace.Redacting(record.now(), message.conv, message.seq, message.key))
        try:
            await link.ask("RedactMes", conversation=message.to, seq=message.seq)
        except (Refused, ConnectionLost):
            return
        record(trace.Redacted(record.now(), message.conv, message.seq, message.key))

    def _answered(self, link: Link, message: Message, code: int, data: dict[str, Any]) -> None:
        now = self.host.record.now()
        self.host.record(
            trace.Answered(
                now, link.number, message.conv, message.key, code,
                data.get("epoch", ""), data.get("epochFirst", 0), data.get("seq", 0),
                data.get("duplicate", False),
            )
        )  # fmt: skip

    def _fate(self, link: Link, data: dict[str, Any]) -> None:
        """An SmsResMes has come."""
        key, code = data["clientId"], data["code"]
        message = self.outbox.get(key) or self._old(key, data)
        self._answered(link, message, code, data)
        self.tally.codes[code] = self.tally.codes.get(code, 0) + 1
        if code == 200 and not data["duplicate"]:
            self.copies.entry(message.conv, data["epoch"], data["seq"], key)
        if key not in self.outbox:
            return
        message.in_flight = False
        if code == 200:
            del self.outbox[key]
            self.tally.accepted += 1
            message.seq = data["seq"]
            self.host.accepted(self, message)
        elif code in (400, 401, 403, 404, 413):
            del self.outbox[key]
            self.tally.refused += 1
        else:
            self._again(message, code, data.get("retryAfter", 0))
        self.pump()

    def _old(self, key: str, data: dict[str, Any]) -> Message:
        """A reply to a message that was done with: given up, or repeated on purpose."""
        conv = self.account.canonical(data["conversation"]) if data.get("conversation") else ""
        return Message(key, "", conv, "", 0.0, False)

    def _again(self, message: Message, code: int, retry_after: float) -> None:
        host = self.host
        message.unknown = message.unknown or code == 504
        pause = max(retry_after, 0.2) * host.random.uniform(1.0, 1.3)
        if code in (429, 503):  # what comes next would fare no better
            self._rest_until = host.record.now() + pause
        if message.tries == 1 and host.random.random() < GIVE_UP:
            del self.outbox[message.key]
            self.tally.given_up += 1
            host.given_up(message)
            return
        message.due = host.record.now() + pause

    # Hearing ---------------------------------------------------------------------------------

    def _received(self, link: Link, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "SmsMes":
                self.copies.pushed(link, data)
            case "SmsResMes":
                self._fate(link, data)
            case "ReceiptMes":
                self.host.record(
                    trace.Receipt(
                        self.host.record.now(), link.number, data["userId"],
                        self.account.canonical(data["conversation"]),
                        data["delivered"], data["read"],
                    )
                )  # fmt: skip
            case "ConversationMes" if self.roams and data["conversation"].startswith("#"):
                conv = self.account.canonical(data["conversation"])
                if data.get("gone"):
                    self.copies.left(link, conv)
                elif conv not in self.copies.all:
                    self.copies.told(link, [data])
            case "ByeMes":
                link.retry_after = data.get("retryAfter", 0.0)
                if data["code"] == 409:
                    self.wanted = False

    # Now and then ----------------------------------------------------------------------------

    def tick(self) -> None:
        """A few times a second: send what is due, acknowledge, and notice silence."""
        link = self.link
        if link is None:
            return
        now = self.host.reactor.seconds()
        if link.paused:
            return
        if now - link.heard > SILENCE_SECONDS:
            link.abort()
        elif now - link.heard > PING_SECONDS and now - link.pinged > PING_SECONDS:
            link.pinged = now
            link.tell("PingMes")
        self.pump()

    def acknowledge(self) -> None:
        """Say how far the user is in private conversations."""
        link = self.link
        if link is None or link.paused:
            return
        for conv, copy in self.copies.all.items():
            if "@" not in conv or self._acked.get(conv) == copy.seq or not copy.seq:
                continue
            self._acked[conv] = copy.seq
            now, user = self.host.record.now(), self.account.user_id
            self.host.record(trace.Acked(now, user, conv, copy.seq, copy.seq))
            link.tell(
                "AckMes", conversation=self.account.wire_name(conv), epoch=copy.epoch,
                delivered=copy.seq, read=copy.seq,
            )  # fmt: skip
