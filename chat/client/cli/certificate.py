"""Asks on the terminal whether to trust a certificate that no authority vouches for."""

import os
import sys

from chat.client.cli.context import Context
from chat.client.cli.secret import interruptible
from chat.client.errors import Untrusted
from chat.client.network.address import shown

__all__ = ["accepted"]


def accepted(context: Context, error: Untrusted) -> bool:
    """Show the server's certificate, ask whether to trust it, and remember a yes.

    Nobody is asked about a certificate that has changed: who only wants to go on would say yes.
    """
    values = {
        "server": shown(context.server),
        "reason": context.why(error.why),
        "fingerprint": error.fingerprint,
    }
    if error.accepted:
        _say(context, "certificate-changed", accepted=error.accepted, **values)
        return False
    _say(context, "certificate-unknown", **values)
    if _answer(context.phrases("certificate-ask")).strip().lower() not in ("y", "yes"):
        _say(context, "certificate-how", **values)
        return False
    context.accept(error.fingerprint)
    context.begin()
    return True


def _say(context: Context, key: str, **values: str) -> None:
    for line in context.phrases(key, **values).splitlines():
        context.say(line)


def _answer(question: str) -> str:
    """What is typed on the terminal; empty when there is none, or nobody reads there."""
    if not sys.stderr.isatty():
        return ""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return ""
    with os.fdopen(terminal, "r+b", buffering=0) as file, interruptible():
        file.write(question.encode())
        return file.readline().decode(errors="replace")
