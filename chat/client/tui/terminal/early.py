"""urwid without the parts that nobody needs, so that the first screen appears in half the time."""

import importlib
import sys
from types import ModuleType
from typing import Any

__all__ = ["lean_urwid", "twisted_loop"]

_LOOPS = ("Asyncio", "Twisted", "Tornado", "GLib", "Trio", "ZMQ")
"""Loops for which urwid loads whole libraries. Of these one is needed here, and only later."""

_TERMINALS = ("TermCanvas", "TermCharset", "TermModes", "Terminal")
"""A terminal within the terminal."""


def lean_urwid() -> None:
    """Load urwid without these parts, unless it is loaded already."""
    if "urwid" in sys.modules:
        return
    names: dict[str, tuple[str, ...]] = {"urwid.vterm": _TERMINALS}
    for loop in _LOOPS:
        names[f"urwid.event_loop.{loop.lower()}_loop"] = (f"{loop}EventLoop",)
    for name, unneeded in names.items():
        sys.modules[name] = empty = ModuleType(name)
        for each in unneeded:
            setattr(empty, each, None)
    try:
        importlib.import_module("urwid")
    finally:
        for name in names:
            del sys.modules[name]


def twisted_loop(reactor: Any) -> Any:
    """urwid's view of ``reactor``, without the timer by which it finds an idle moment to draw,
    which would wake the program once more for each key."""
    ordinary: Any = importlib.import_module("urwid.event_loop.twisted_loop").TwistedEventLoop

    class TwistedLoop(ordinary):  # type: ignore[misc]  # loaded late
        def _enable_twisted_idle(self) -> None:
            pass

    return TwistedLoop(reactor)
