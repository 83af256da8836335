"""What a session is told later, because it is logging in, or does not read."""

from chat.store.bus import Event

__all__ = ["Postponed"]


class Postponed:
    """Events in their order. Of several that differ in their numbers only, the last one is kept."""

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
        """Drop the events of one kind."""
        self._events = {what: each for what, each in self._events.items() if each.event != kind}

    def take(self) -> list[Event]:
        """All of them; none is left."""
        events, self._events = self._events, {}
        return list(events.values())

    def rooms_left(self) -> list[str]:
        """The rooms that the user has left, or was taken out of."""
        return [each.cid for each in self._events.values() if each.event == "left"]
