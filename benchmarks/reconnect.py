"""The command ``python -m benchmarks.reconnect``: kills a full server, and watches all come back.

Servers with the default cost of passwords on one store; the users of one are told nothing, lose
their connection, and come back to the others with their tokens, as the client library does it.
Everything shares the cores that there are: servers, store, and this process with its clients.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater, react

from benchmarks.__main__ import RESULTS
from benchmarks.crowd import Crowd, Member
from benchmarks.deployment import Deployment
from benchmarks.machine import Missing, describe, on
from benchmarks.runner import raise_open_files
from chat.messages import OnlineMes, PingMes

__all__ = ["FIGURES", "main", "report"]

FIGURES: Final = RESULTS / "reconnect.json"
"""Those that the documentation shows."""

FIRST_USER: Final = 100_000
SETTLE_SECONDS: Final = 3.0
WATCH_SECONDS: Final = 0.1
WITNESSES: Final = 20
"""Users of the other servers who ask for a PongMes ten times a second meanwhile."""

STAYING_AWAY: Final = 50
"""Users of the server that is killed who do not come back."""

MOST_SECONDS: Final = 30.0
MOST_REFUSALS: Final = 2
OFFLINE_SECONDS: Final = 15.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; exit status 1 when somebody was not back in time, or was refused too often."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconnect", description=__doc__)
    parser.add_argument("--users", type=int, default=5_000, help="of the server that is killed")
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    wanted = parser.parse_args(arguments)
    raise_open_files()
    figures: dict[str, Any] = {"users": wanted.users, "servers": wanted.servers}
    machine = describe()
    try:
        with Deployment(1) as deployment:
            react(lambda _: Deferred.fromCoroutine(_storm(deployment, wanted, figures)))
    except SystemExit as end:
        if end.code:
            return 1
    except Missing as error:
        print(f"reconnect: {error}", file=sys.stderr)
        return 1
    result = {"machine": machine, "figures": figures}
    print(report(result))
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n")
    held = (
        figures["last back, s"] <= MOST_SECONDS
        and figures["refusals, most"] <= MOST_REFUSALS
        and figures["others offline after, s"] <= OFFLINE_SECONDS
    )
    return 0 if held else 1


def report(result: Mapping[str, Any]) -> str:
    """What came of it, a line for each figure, and on what."""
    lines = [f"{name:32} {value:>8,}" for name, value in result["figures"].items()]
    return "\n".join([*lines, "", on(result["machine"])])


async def _storm(deployment: Deployment, wanted: Any, figures: dict[str, Any]) -> None:
    crowd = Crowd(reactor, deployment.ports)
    witnesses, lost = await _gather(deployment, wanted, crowd)
    victim, *others = deployment.servers[1:]
    watch = _Watch(deployment, others, witnesses)
    before = [server.memory() for server in others]
    cpu = [process.cpu() for process in (*others, deployment.store)]
    victim.kill()
    killed_at = reactor.seconds()
    await crowd.all_back()
    used = [
        process.cpu() - start
        for process, start in zip((*others, deployment.store), cpu, strict=True)
    ]
    watch.stop()
    offline_after = await _until_online(witnesses[0], len(lost) + WITNESSES) - killed_at
    back = sorted(crowd.returned)
    grown = [server.memory("VmHWM") - was for server, was in zip(others, before, strict=True)]
    refusals = [member.refused for member in lost]
    figures |= {
        "first back, s": round(back[0], 2),
        "half back, s": round(statistics.median(back), 2),
        "last back, s": round(back[-1], 2),
        "others offline after, s": round(offline_after, 1),
        "logins a second": round(len(back) / back[-1]),
        "refusals, most": max(refusals),
        "refusals, in all": sum(refusals),
        "CPU of a login, server, ms": round(sum(used[:-1]) / len(back) * 1000, 2),
        "CPU of a login, store, ms": round(used[-1] / len(back) * 1000, 2),
        "memory of a login at most, KiB": round(sum(grown) / len(back), 1),
        "answer to a ping, worst, s": round(max(watch.answers), 2),
        "answer to a ping, median, s": round(statistics.median(watch.answers), 3),
    }


async def _gather(
    deployment: Deployment, wanted: Any, crowd: Crowd
) -> tuple[list[Member], list[Member]]:
    """Log everybody in with tokens, at servers started anew.

    :returns: the witnesses, and those of the first of these servers who are to come back.
    """
    cheap = deployment.servers[0]
    members = await crowd.register(FIRST_USER, wanted.users + WITNESSES + STAYING_AWAY, cheap.port)
    await crowd.log_in(members)  # with passwords, for the tokens
    for member in members:
        member.leave()
    cheap.kill()
    # From here on passwords cost what they cost: tokens must not need any.
    for _ in range(wanted.servers):
        deployment.add_server({"argon2": "2,19456,1"})
    victim, *others = deployment.servers[1:]
    crowd.members = {member.user_id: member for member in members}
    witnesses, lost = members[:WITNESSES], members[WITNESSES:]
    staying, lost = lost[:STAYING_AWAY], lost[STAYING_AWAY:]
    await crowd.log_in([*staying, *lost], victim.port)
    for member in staying:
        del crowd.members[member.user_id]
    crowd.ports = [server.port for server in others]
    await crowd.log_in(witnesses)
    await deferLater(reactor, SETTLE_SECONDS)
    return witnesses, lost


async def _until_online(witness: Member, count: int) -> float:
    """When no more than ``count`` users were online: nobody is left of the server that died."""
    while True:
        reply = await witness.ask(OnlineMes(limit=1))
        if reply["total"] <= count:
            return float(reactor.seconds())
        await deferLater(reactor, WATCH_SECONDS)


class _Watch:
    """What the users of the other servers notice."""

    def __init__(
        self, deployment: Deployment, others: Sequence[Any], witnesses: Sequence[Member]
    ) -> None:
        self.answers: list[float] = []
        self._witnesses = witnesses
        self._loop = LoopingCall(self._ask_all)
        self._loop.start(WATCH_SECONDS)

    def stop(self) -> None:
        """It is over."""
        self._loop.stop()

    def _ask_all(self) -> None:
        for member in self._witnesses:
            Deferred.fromCoroutine(self._ask(member))

    async def _ask(self, member: Member) -> None:
        begun = reactor.seconds()
        with suppress(ConnectionError):  # it was as long without an answer
            await member.ask(PingMes())
        self.answers.append(reactor.seconds() - begun)


if __name__ == "__main__":
    sys.exit(main())
