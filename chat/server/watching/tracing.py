"""One connection's trace in the log: every line has its id, and most are for debugging.

Nothing is even formatted unless the log's level asks for it.
"""

from typing import TYPE_CHECKING, Final

from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = [
    "closed",
    "failed",
    "flooding",
    "logged_in",
    "opened",
    "refused",
    "sent_away",
    "too_large",
]

_log = Logger()

GUESSES: Final = frozenset({"wrong-password", "no-such-user"})
"""Why a login is refused that may be somebody's guess; budgets keep their number low. Tokens are no
guesses, and not counted: of those that are made up, one address could write 20 GB a day here."""


def opened(session: "Session") -> None:
    """A client connected."""
    if _wanted(session):
        text = "connection {connection} from {address}"
        _log.debug(text, connection=session.key, address=session.connection.address)


def logged_in(session: "Session") -> None:
    """The client is somebody now."""
    session.context.tally.logins["accepted"] += 1
    if _wanted(session):
        text = "connection {connection}: user {user_id} is logged in"
        _log.debug(text, connection=session.key, user_id=session.user_id)


def refused(session: "Session", request: str, code: int, reason: str) -> None:
    """A request was refused; a type of ``""`` is a malformed frame."""
    session.context.tally.refused(request, code, reason)
    if request == "LoginMes" and reason in GUESSES:
        text = "connection {connection}: a login from {address} was refused ({reason})"
        _log.info(text, connection=session.key, address=session.connection.address, reason=reason)
    elif _wanted(session):
        text = "connection {connection}: {request} is refused with {code} ({reason})"
        known = request or "a frame"
        _log.debug(text, connection=session.key, request=known, code=code, reason=reason)


def too_large(session: "Session", size: int) -> None:
    """A frame's length was 0 or above the limit."""
    session.context.tally.refused("", 413, "too-large")
    text = "connection {connection}: a frame of {size} bytes from {address}"
    _log.info(text, connection=session.key, size=size, address=session.connection.address)


def flooding(session: "Session") -> None:
    """The client was refused too often, and is sent away."""
    text = "connection {connection}: flooding from {address}"
    _log.info(text, connection=session.key, address=session.connection.address)


def sent_away(session: "Session", why: Exception) -> None:
    """A client that did not read is disconnected, because what it missed can't be read from the
    store."""
    text = "connection {connection} was behind and is sent away: {why}"
    _log.info(text, connection=session.key, why=why)


def failed(session: "Session", what: str, failure: Failure) -> None:
    """Something failed that nobody foresaw."""
    text = "connection {connection}: {what} failed"
    _log.failure(text, failure, connection=session.key, what=what)


def closed(session: "Session") -> None:
    """The client is gone."""
    if _wanted(session):
        _log.debug("connection {connection} is closed", connection=session.key)


def _wanted(session: "Session") -> bool:
    return session.context.settings.log_level == "debug"
