"""What gets into the log, and how: events from a level on, as text or as JSON.

No event carries a password, a token or the text of a message, at any level.
"""

import datetime
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from twisted.application.service import IService, MultiService
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    formatEvent,
    globalLogPublisher,
)
from twisted.scripts._twistd_unix import UnixAppLogger

from chat.server.process.events import NAMES, name_of

__all__ = ["JsonLogs", "json_line", "log_from"]

RETRIES: Final = "twisted.application._client_service.ClientService"
"""Says every two seconds that a store is still away, which was said when it went."""


def log_from(level: str, publisher: LogPublisher = globalLogPublisher) -> Callable[[], None]:
    """Hide events below ``level`` from every observer.

    twistd has no option for this, and its observers write everything. Only the publisher knows
    them, which is why its list is changed here.

    :returns: a function that undoes it.
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


class JsonLogs(MultiService):
    """Holds the server, and lets twistd log in JSON from its first line on.

    :param twistd: twistd's own options, which say to which file.
    """

    def __init__(self, server: IService, twistd: Mapping[str, Any]) -> None:
        super().__init__()
        self._twistd = twistd
        server.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Tell twistd's application, which it asks before it logs anything."""
        super().setServiceParent(parent)
        observer: FileLogObserver = UnixAppLogger(self._twistd)._getLogObserver()
        observer.formatEvent = json_line
        parent.setComponent(ILogObserver, observer)


def json_line(event: LogEvent) -> str:
    """An event as one line: the values that its sentence is made of, and about the event itself

    - ``time`` (ISO 8601, UTC), ``level``, ``event`` (its name, see ``chat.server.process.events``);
    - ``message``, the sentence; ``traceback``, if something failed;
    - ``logger``, the part of the program that says it; ``pid``, the process that writes it down;
      ``worker``, the number of the process that it is about, where there are several.
    """
    time = datetime.datetime.fromtimestamp(event.get("log_time", 0.0), datetime.UTC)
    line: dict[str, Any] = {
        "time": time.isoformat(timespec="milliseconds"),
        "level": getattr(event.get("log_level"), "name", "info"),
        "event": name_of(event),
        "message": _plain(formatEvent(event)),
        "logger": event.get("log_namespace", ""),
        "pid": os.getpid(),
    }
    if "log_failure" in event:
        line["traceback"] = _plain(event["log_failure"].getTraceback())
    if event.get("log_format") in NAMES:
        line = {key: _value(event, key) for key in event if not key.startswith("log_")} | line
    return msgspec.json.encode(line).decode() + "\n"


def _value(event: LogEvent, key: str) -> object:
    """A value of an event; what came from another process may be there as text only."""
    value = event[key]
    if value == {"unpersistable": True}:
        value = event.get("log_flattened", {}).get(f"{key}!s:")
    return _plain(value)


def _plain(value: object) -> object:
    """A value as JSON has it, or as text that can be encoded."""
    if isinstance(value, bool | int | float | None):
        return value
    return str(value).encode(errors="backslashreplace").decode()
