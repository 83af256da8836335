"""The end of the reactor's turn, when what came in together goes on together."""

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["at_turn_end"]


def at_turn_end(reactor: Any) -> Callable[[Callable[[], None]], object]:
    """What calls a function once all that this turn brought has been served.

    A reactor that offers it (``chat/server/process/polling.py``) spares a timer, which is made,
    sorted in and taken out in 25 steps of the interpreter.
    """
    return getattr(reactor, "at_turn_end", None) or partial(reactor.callLater, 0)
