"""What gets into the log: events from a level on, whatever the observer that twistd chose.

No event carries a password, a token or the text of a message, at any level.
"""

from collections.abc import Callable
from typing import Final

from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    globalLogPublisher,
)

__all__ = ["log_from"]

RETRIES: Final = "twisted.application._client_service.ClientService"
"""Says every two seconds that a store is still away, which was said when it went."""


def log_from(level: str, publisher: LogPublisher = globalLogPublisher) -> Callable[[], None]:
    """Hide events below ``level`` from every observer; return what undoes it.

    twistd has no option for this, and its observers write everything. They are known only to the
    publisher, which is why its list is looked at here.
    """
    predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
    if level != "debug":
        predicate.setLogLevelForNamespace(RETRIES, LogLevel.warn)
    filtered = {
        observer: FilteringLogObserver(observer, [predicate]) for observer in publisher._observers
    }
    for plain, filtering in filtered.items():
        publisher.removeObserver(plain)
        publisher.addObserver(filtering)

    def undo() -> None:
        for plain, filtering in filtered.items():
            publisher.removeObserver(filtering)
            publisher.addObserver(plain)

    return undo
