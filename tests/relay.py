"""A relay before a server's port that can cut every connection, for clients in other processes."""

import socket
import threading
from contextlib import suppress
from unittest import TestCase

__all__ = ["Relay"]


class Relay:
    """Passes bytes on between ``port``, its own, and ``target``, in threads that end with it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    def start_for(cls, test: TestCase, target: int) -> "Relay":
        """Start one that ends with ``test``."""
        relay = cls(target)
        test.addCleanup(relay.end)
        return relay

    def cut(self) -> None:
        """Break what is connected now; the next connection goes through."""
        for each in tuple(self._open):
            # Closing alone would not wake the thread that reads from it.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Break everything and let nobody in."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                front, _ = self._listening.accept()
                back = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((front, back), (back, front)):
                    self._open.add(source)
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()
