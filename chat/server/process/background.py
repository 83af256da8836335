"""``twistd`` without ``-n``: the command waits until the server serves, or says why it does not."""

import os
import signal
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

from twisted.application.service import MultiService
from twisted.internet.interfaces import IDelayedCall

from chat.server.process.lifecycle import Lifecycle
from chat.server.process.starting import say
from chat.store.errors import CannotStart

__all__ = ["InBackground"]

WAIT_SECONDS: Final = 10.0
"""A store of one's own that is away is waited for without end, and a large one is read for a
minute: what lasts longer than this goes on with nobody watching."""

GONE_SECONDS: Final = 30
"""After these twistd's process in front ends by SIGALRM: the one in the background was killed."""


class InBackground(MultiService):
    """Holds the server, and has twistd's first process wait until the start has succeeded or
    failed.

    By itself twistd waits only until the ports are bound, exits with success whatever comes after
    that, and prints a hundred bytes of an error as Python writes it.

    :param twistd: its own options, which hold the pipe that its first process reads.
    """

    def __init__(self, reactor: Any, server: Lifecycle, twistd: MutableMapping[str, Any]) -> None:
        super().__init__()
        self._reactor = reactor
        self._server = server
        self._twistd = twistd
        self._pipe: int | None = None
        self._patience: IDelayedCall | None = None
        self._terminal = os.dup(2)
        signal.alarm(GONE_SECONDS)  # An alarm does not survive the fork.
        server.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """:raises CannotStart: a port can't be had; that was said."""
        os.dup2(self._terminal, 2)  # In the background now, where it was ``/dev/null``.
        try:
            super().privilegedStartService()
        except CannotStart as error:
            say(str(error))
            self._take_pipe()
            self._tell(False)
            raise

    def startService(self) -> None:
        """Begin, and tell the process in front later instead of now."""
        super().startService()
        self._take_pipe()
        self._patience = self._reactor.callLater(WAIT_SECONDS, self._tell, True)
        self._reactor.callWhenRunning(lambda: self._server.when_started().addCallback(self._tell))

    def _take_pipe(self) -> None:
        self._pipe = self._twistd.pop("statusPipe", None)

    def _tell(self, serves: bool) -> None:
        """Let the first process exit, and from then on leave its terminal alone."""
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 2)
        for descriptor in (null, self._terminal):
            os.close(descriptor)
        with suppress(OSError):  # Nobody waits any more.
            os.write(pipe, b"0" if serves else b"1 see above")
        os.close(pipe)
