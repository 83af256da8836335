"""Sentinels that watch a store of this machine: how they are started, and what they know."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import hiredis

from chat.soak.processes import ask
from chat.store.embedded.valkey import find_program

__all__ = ["Sentinels", "said"]

NAME: Final = "chat"
"""What they call the store."""


class Sentinels:
    """Some Sentinels, of which two must agree. Whoever makes this object starts them.

    :param home: the directory for their files.
    :param ports: where each is to listen.
    :param silence: ms after which one believes that the store is down.
    """

    def __init__(self, home: Path, ports: Sequence[int], silence: int) -> None:
        self._home = home
        self.ports = ports
        self._silence = silence

    @property
    def url(self) -> str:
        """What the server's ``--store`` takes."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{hosts}/{NAME}"

    def commands(self, master: int) -> Iterator[list[str]]:
        """What starts each.

        :param master: the port of the store that is the master now.
        """
        for port in self.ports:
            configuration = self._home / f"sentinel{port}.conf"
            configuration.write_text(
                f"port {port}\nbind 127.0.0.1\nlogfile {configuration.with_suffix('.log')}\n"
                f"dir {self._home}\n"
                f"sentinel monitor {NAME} 127.0.0.1 {master} 2\n"
                f"sentinel down-after-milliseconds {NAME} {self._silence}\n"
                f"sentinel failover-timeout {NAME} 1000\n"
            )
            yield [find_program(), str(configuration), "--sentinel"]

    def hurry(self) -> bool:
        """Let all Sentinels look every 0.1 s. By themselves they would take up to ten seconds.

        :returns: whether all could be told.
        """
        often = [word for name in ("info", "publish", "ask") for word in (f"{name}-period", "100")]
        return all(said(port, "SENTINEL", "DEBUG", *often) == b"OK" for port in self.ports)

    def know_all(self) -> bool:
        """Whether all know the replica, and each other."""
        return all(map(self._knows_all, self.ports))

    def _knows_all(self, port: int) -> bool:
        told = said(port, "SENTINEL", "MASTER", NAME) or []
        known = dict(zip(told[::2], told[1::2], strict=True))
        others = b"%d" % (len(self.ports) - 1)
        return known.get(b"num-slaves") == b"1" and known.get(b"num-other-sentinels") == others

    def master_port(self) -> int:
        """Where the master is, according to the first Sentinel that answers; 0 when none does."""
        for port in self.ports:
            if place := said(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME):
                return int(place[1])
        return 0


def said(where: str | int, *words: str) -> Any:
    """What a store or a Sentinel answers (``processes.ask``), None when it does not."""
    with suppress(OSError, hiredis.ReplyError):
        return ask(where, *words)
    return None
