"""One of several processes behind the same ports, started by ``crew.py``.

Its supervisor tells it everything: on standard input what to do, first of all the settings; by
inheritance the sockets to listen on. Standard output carries its log, as JSON. When standard input
ends the supervisor is gone, and so is the worker, in order.
"""

import pickle
import re
import socket
import sys
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet import unix
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import connectionDone
from twisted.logger import globalLogBeginner, jsonFileLogObserver
from twisted.protocols.basic import Int32StringReceiver
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from chat.server.kinds import PLAIN
from chat.server.network.listening import Listeners
from chat.server.process.starting import choose_reactor, exit_with_status_1, stop
from chat.server.settings import Settings
from chat.store.errors import CannotStart

__all__ = ["FIRST_SOCKET", "READY", "REPORTS", "Orders", "main"]

REPORTS: Final = 3
"""The descriptor on which a worker tells its supervisor how it is."""

FIRST_SOCKET: Final = 4
"""The descriptor of the first socket to listen on; the others follow it."""

READY: Final = b"ready\n"

SYSTEMDS: Final = re.compile(f"^({PLAIN})?systemd:.*")
"""An endpoint that only the supervisor can look up: it is the process that systemd has named."""


@dataclass(frozen=True)
class Orders:
    """What a worker is told: it starts with the first orders, and goes on with later ones.

    :ivar checked: another process checks that the store keeps what is entrusted to it.
    :ivar owned: the store is the supervisor's.
    :ivar families: of the inherited sockets, such as ``AF_INET``.
    """

    settings: Settings
    checked: bool
    owned: bool = False
    families: tuple[int, ...] = ()


class InheritedPorts:
    """A reactor whose next ports are the inherited ones, whatever address is asked for."""

    def __init__(self, reactor: Any, families: tuple[int, ...]) -> None:
        self._reactor = reactor
        self._sockets = list(enumerate(families, FIRST_SOCKET))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def adoptStreamPort(
        self, descriptor: object, family: object, factory: IProtocolFactory
    ) -> IListeningPort:
        """The next one."""
        descriptor, family = self._sockets.pop(0)
        if family != socket.AF_UNIX:
            adopted: IListeningPort = self._reactor.adoptStreamPort(descriptor, family, factory)
            return adopted
        port: Any = unix.Port._fromListeningDescriptor(self._reactor, descriptor, factory)
        # The supervisor owns the socket's file, and other workers use it too.
        port._bindPath = b"\0"
        port._shouldShutdown = False
        port.startListening()
        return port  # type: ignore[no-any-return]

    def listenTCP(
        self, port: object, factory: IProtocolFactory, *arguments: object, **options: object
    ) -> IListeningPort:
        """The next one."""
        return self.adoptStreamPort(None, None, factory)

    listenUNIX = listenTCP

    def listenSSL(
        self, port: object, factory: Any, context: Any, *arguments: object, **options: object
    ) -> IListeningPort:
        """The next one, with TLS."""
        return self.listenTCP(port, TLSMemoryBIOFactory(context, False, factory))


class _Listeners(Listeners):
    """Tells the supervisor when clients are let in. It logs that once for all."""

    tell: Any

    def announce(self, tls: bool) -> None:
        self.tell(READY)


class _Line(Int32StringReceiver):
    """What the supervisor says, line by line."""

    MAX_LENGTH = 1 << 24

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._service: Any = None
        self._orders: Orders

    def stringReceived(self, string: bytes) -> None:
        self._orders = pickle.loads(string)
        if self._service is None:
            self._start(self._orders)
        else:
            self._service.reloading.reload()

    def _start(self, orders: Orders) -> None:
        from chat.server.service import ChatService, transport_for

        settings = orders.settings
        ports = InheritedPorts(self._reactor, orders.families)
        listen = [SYSTEMDS.sub(r"\1tcp:0", endpoint) for endpoint in settings.listen]
        listeners = _Listeners(ports, listen, transport_for(settings))
        transport: Any = self.transport
        listeners.tell = transport.write
        self._service = service = ChatService(
            self._reactor,
            settings,
            lambda: self._orders.settings,
            listeners=listeners,
            checked=orders.checked,
            owned=orders.owned,
        )
        service.reloading.quiet = True
        try:
            service.privilegedStartService()
        except CannotStart as error:
            exit_with_status_1(str(error))
            stop(self._reactor)
            return
        self._reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        service.startService()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        stop(self._reactor)


def main() -> None:
    """Be a worker until told otherwise."""
    reactor = choose_reactor()
    from twisted.internet import stdio

    log = jsonFileLogObserver(sys.stdout, recordSeparator="")
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    standard_io: Any = stdio.StandardIO
    standard_io(_Line(reactor), stdout=REPORTS)
    reactor.run()


if __name__ == "__main__":
    # Pickled orders name this module, not ``__main__``.
    from chat.server.workers import worker

    worker.main()
