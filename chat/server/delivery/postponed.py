"""What happened to a user that a session is told later: it is logging in, or does not read."""

from chat.store.bus import Event

__all__ = ["Postponed"]


class Postponed:
    """Events, in order; of several that differ in their numbers alone the last one says it all."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: dict[tuple[str, str, int, str], Event] = {}

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, event: Event) -> None:
        """One more."""
        what = event.event, event.cid, event.user_id, event.device
        self._events.pop(what, None)
        self._events[what] = event

    def forget(self, kind: str) -> None:
        """None of this kind is to be told."""
        self._events = {what: each for what, each in self._events.items() if each.event != kind}

    def take(self) -> list[Event]:
        """All of them, which are none of these any more."""
        events, self._events = self._events, {}
        return list(events.values())

    def rooms_left(self) -> list[str]:
        """The rooms that the user left, or was taken out of."""
        return [each.cid for each in self._events.values() if each.event == "left"]
