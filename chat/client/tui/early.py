"""urwid without the event loops it brings: so the first screen is there in half the time."""

import importlib
import sys
from types import ModuleType
from typing import Any

__all__ = ["lean_urwid", "twisted_loop"]

_LOOPS = ("Asyncio", "Twisted", "Tornado", "GLib", "Trio", "ZMQ")
"""Loops for which urwid loads whole libraries. Of these one is needed here, and only later."""


def lean_urwid() -> None:
    """Load urwid, if that was not done yet, with nothing in the place of those loops."""
    if "urwid" in sys.modules:
        return
    names = {f"urwid.event_loop.{loop.lower()}_loop": f"{loop}EventLoop" for loop in _LOOPS}
    for name, loop in names.items():
        sys.modules[name] = empty = ModuleType(name)
        setattr(empty, loop, None)
    try:
        importlib.import_module("urwid")
    finally:
        for name in names:
            del sys.modules[name]


def twisted_loop(reactor: Any) -> Any:
    """urwid's view of ``reactor``."""
    return importlib.import_module("urwid.event_loop.twisted_loop").TwistedEventLoop(reactor)
