"""Twisted as the client wants it: TLS only when needed, and timers that ignore the set time."""

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import iscoroutine
from types import ModuleType
from typing import Any

__all__ = ["lean_endpoints", "lean_reactor", "steady_seconds", "with_tls"]

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It goes on while the machine sleeps: the first does on Linux, the second on macOS."""


_ABSENT = ("OpenSSL", "ssl")
"""What Twisted provides for that it isn't there."""


class _Asyncio(ModuleType):
    """All that Deferreds take of asyncio: a question, and two names for those who mix the two.
    Another Twisted may want more: then it gets it."""

    AbstractEventLoop = Future = None
    iscoroutine = staticmethod(iscoroutine)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # The import system asks for submodules.
            raise AttributeError(name)
        sys.modules.pop(self.__name__, None)
        return getattr(importlib.import_module(self.__name__), name)


_INSTEAD = {"asyncio": _Asyncio("asyncio"), "http.cookiejar": ModuleType("http.cookiejar")}
"""Stand-ins for two modules that Twisted imports, and much with them, but hardly uses: of the
second it needs one old name, which nobody asks it for. They take a tenth of the start, and 2 MB."""


@contextmanager
def _lean() -> Iterator[None]:
    """Imports in here find no TLS, no cookies and no asyncio, unless they are loaded already."""
    # None is how Python's import system is told that there is no such module.
    hidden: dict[str, Any] = dict.fromkeys(_ABSENT) | _INSTEAD
    hidden = {name: module for name, module in hidden.items() if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name, module in hidden.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def steady_seconds() -> float:
    """Seconds since some moment, however somebody sets the clock, and asleep or not."""
    return time.clock_gettime(_STEADY)


def lean_reactor() -> Any:
    """Twisted's reactor, without TLS: a fifth less to wait for at the start, and 14 MB. Where an
    address asks for TLS, ``with_tls`` makes up for it.

    Its time is ``steady_seconds``. With Twisted's own, the time of day, a clock that is put back by
    an hour would stop every timer for that hour, the next drawing's among them.
    """
    with _lean():
        from twisted.internet import reactor
    reactor.seconds = steady_seconds  # type: ignore[method-assign]  # its timers look at it
    return reactor


def lean_endpoints() -> Any:
    """``twisted.internet.endpoints``, in which TLS works only after ``with_tls``."""
    with _lean():
        return importlib.import_module("twisted.internet.endpoints")


def with_tls() -> Any:
    """``twisted.internet.endpoints`` with everything in it."""
    from twisted.internet import endpoints, posixbase

    if _lacks_tls(endpoints):
        importlib.reload(endpoints)
    if posixbase.tls is None:
        from twisted.protocols import tls

        posixbase.tls = tls
    return endpoints


def _lacks_tls(endpoints: ModuleType) -> bool:
    return getattr(endpoints, "TLSMemoryBIOFactory", None) is None
