"""Servers for whole-system tests, each judged at its end by what it logged and how it stopped."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.peers import SECRETS
from tests.process import ServerProcess

__all__ = ["GENEROUS", "check_log", "serving"]

GENEROUS = (
    "--offline-grace", "0.2", "--rate", "0", "--request-rate", "0", "--refusals", "0",
    "--registrations-per-address", "0", "--logins-per-address", "0", "--logins-per-account", "0",
    "--logins-in-all", "0", "--login-seconds", "120",
)  # fmt: skip
"""For tests that are about something else than waiting, or doing too much."""


@contextmanager
def serving(*options: str) -> Iterator[ServerProcess]:
    """A server for a ``with`` statement; it has to have kept its secrets, and to end well."""
    server = ServerProcess(*options)
    try:
        server.start()
        yield server
        server.stop()
        assert server.ended_in_order(), server.log
        check_log(server.log)
    finally:
        server.remove()


def check_log(log: str) -> None:
    """Nothing went wrong that nobody foresaw, and no password, token or message is in it.

    :raises AssertionError: something was or is.
    """
    wrong = re.search(r"^.*(Traceback|Unhandled|Error:)(.|\n)*", log, re.MULTILINE)
    assert not wrong, wrong[0][:3_000]
    told = [secret for secret in SECRETS if secret in log]
    assert not told, f"{told[:3]} in the log"
