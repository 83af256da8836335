"""A run of another kind than those that costs are taken from: everything at once, everywhere."""

import random
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from benchmarks.costs import FIRST_USER, HERE, THERE, Laboratory
from benchmarks.crowd import Member
from benchmarks.needs import Load
from chat import messages

__all__ = ["Life"]

USERS: Final = 450
ROOMS: Final = 9
SECONDS: Final = 4.0
"""Of each round."""

PER_SECOND: Final = 120.0
"""Things that happen: of twelve, three are said in rooms, five in private; three are read, and once
somebody goes and comes again."""

AWAY_SECONDS: Final = 1.0


class Life:
    """Users on all servers, in rooms across them, who talk, read, go and come.

    :ivar servers, store: seconds of processor time that it took, beside idling.
    """

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory
        self._members: list[Member] = []
        self._said = [USERS // ROOMS] * ROOMS
        self._rounds = self._room_messages = self._private_messages = 0
        self._acks = self._logins = 0
        self.servers = self.store = 0.0

    async def prepare(self) -> None:
        """Let the users come, to all servers in turn."""
        laboratory, ports = self._laboratory, self._laboratory.deployment.ports
        first = FIRST_USER + HERE + THERE
        self._members = await laboratory.crowd.register(first, USERS, ports[0])
        for number, port in enumerate(ports):
            await laboratory.crowd.log_in(self._members[number :: len(ports)], port)
        for room in range(ROOMS):
            await laboratory.room(f"#p{room}", self._members[room::ROOMS])
        for member in self._members:  # the first message makes the contact
            laboratory.say(member, self._partner_of(member))
        await deferLater(laboratory.reactor, 2.0)

    async def round(self) -> None:
        """Live for some seconds."""
        used = await self._laboratory.use(self._live)
        self._rounds += 1
        self.servers += sum(used.servers)
        self.store += used.store

    @property
    def seconds(self) -> float:
        """How long that was, in all."""
        return self._rounds * SECONDS

    @property
    def load(self) -> Load:
        """What happened in a second of it."""
        return Load(
            servers=len(self._laboratory.deployment.servers), accounts=USERS, online=USERS,
            room=USERS / ROOMS, room_messages=self._room_messages / self.seconds,
            private_messages=self._private_messages / self.seconds,
            acks=self._acks / self.seconds, logins=self._logins / self.seconds,
        )  # fmt: skip

    async def _live(self) -> None:
        await self._laboratory.steadily(PER_SECOND, SECONDS, self._act)
        await deferLater(self._laboratory.reactor, AWAY_SECONDS + 1.5)  # until the last is back

    def _act(self, number: int) -> None:
        """The next thing happens."""
        kind, room = number % 12, random.randrange(ROOMS)
        member = random.choice([each for each in self._members[room::ROOMS] if each.port])
        if kind < 3:
            self._laboratory.say(member, f"#p{room}")
            self._said[room] += 1
            self._room_messages += 1
        elif kind < 8:
            self._laboratory.say(member, self._partner_of(member))
            self._private_messages += 1
        elif kind < 11:
            seq = self._said[room]
            member.send(messages.AckMes(conversation=f"#p{room}", read=seq, delivered=seq))
            self._acks += 1
        else:
            self._go_and_come(member)
            self._logins += 1

    def _partner_of(self, member: Member) -> str:
        """With whom somebody talks in private: two of three are on another server."""
        partner = self._members[(self._members.index(member) + USERS // 2) % USERS]
        return f"@{partner.user_id}"

    def _go_and_come(self, member: Member) -> None:
        laboratory = self._laboratory
        member.leave()

        def come() -> None:
            coming = Deferred.fromCoroutine(laboratory.come_again(member, laboratory.crowd.where()))
            coming.addErrback(lambda failure: print("a member did not come:", failure.value))

        laboratory.reactor.callLater(AWAY_SECONDS, come)
