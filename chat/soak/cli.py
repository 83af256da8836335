"""The ``chatroom-soak`` command: what to run, for how long, and how it ended."""

import argparse
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chat.soak.settings import Settings

__all__ = ["main", "settings_from"]


def settings_from(words: Sequence[str] | None = None) -> Settings:
    """Read a command line.

    :raises SystemExit: it is wrong.
    """
    from chat.soak.catalogue import ALL, WORLDS

    known = [fault.name for fault in ALL]
    parser = _parser(known, WORLDS)
    given = parser.parse_args(words)
    names = known if given.faults == "all" else given.faults.split(",")
    names = [] if given.faults == "none" else names
    if unknown := set(names) - set(known):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    worlds = tuple(given.worlds.split(","))
    if unknown := set(worlds) - set(WORLDS):
        parser.error(f"no such world: {', '.join(sorted(unknown))}")
    return Settings(
        seconds=given.seconds,
        seed=secrets.randbelow(1 << 31) if given.seed is None else given.seed,
        faults=frozenset(names),
        users=given.users,
        rate=given.rate,
        servers=given.servers,
        back=given.back,
        longest=given.longest or max(2.0, min(20.0, given.seconds / 15)),
        worlds=worlds,
        result=given.result,
        keep=given.keep,
    )


def _parser(faults: Sequence[str], worlds: Iterable[str]) -> argparse.ArgumentParser:
    from chat.soak.schedule import BACK_SECONDS

    parser = argparse.ArgumentParser(
        prog="chatroom-soak",
        description="Run real servers and a real store under load, break things, judge promises.",
    )
    say = parser.add_argument
    say("--seconds", type=float, default=120.0, help="how long [120]")
    say("--seed", type=int, default=None, help="what chance follows [random]")
    say("--faults", default="all", help=f"all, none, or names with commas: {', '.join(faults)}")
    say("--users", type=int, default=18, help="users in all [18]")
    say("--rate", type=float, default=300.0, help="messages a second in all [300]")
    say("--servers", type=int, default=2, help="servers on one store [2]")
    say("--longest", type=float, default=0.0, help="seconds a fault may last")
    say("--back", type=float, default=BACK_SECONDS, help="seconds till service is back [10]")
    say("--worlds", default="external,embedded", help=f"which of {', '.join(worlds)} [%(default)s]")
    say("--result", type=Path, help="a JSON file for the result")
    say("--keep", type=Path, help="a directory for trace and logs, which stay")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run a soak; exits with 0 when every promise was kept."""
    settings = settings_from(words)
    print(f"chatroom-soak: seed {settings.seed}, {settings.seconds:g} s", flush=True)
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    from chat.soak.run import run

    codes: list[int] = []

    def done(result: Any) -> None:
        if isinstance(result, int):
            codes.append(result)
        else:
            print(result.getTraceback(), file=sys.stderr)
        reactor.stop()

    def begin() -> None:
        Deferred.fromCoroutine(run(reactor, settings)).addBoth(done)

    reactor.callWhenRunning(begin)
    reactor.run()
    return codes[0] if codes else 2


if __name__ == "__main__":
    sys.exit(main())
