"""A bounded, fair queue: one item from each origin in turn."""

from collections import deque
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

_Item = TypeVar("_Item")


class FairQueue(Generic[_Item]):
    """A queue with items of several origins, in which no origin can keep the others from their
    turn.

    As long as there is room, one origin may fill it. When it is full, an item of an origin that has
    fewer items waiting than another takes the place of the last item of the origin with the most.

    :param most: how many items may wait, 0 for any number.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._origins: dict[str, deque[_Item]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, origin: str, item: _Item) -> _Item | None:
        """Let ``item`` wait.

        :returns: the item that has lost its place, which may be ``item`` itself; None when there
            was room.
        """
        gone: _Item | None = None
        if self._most and self._length >= self._most:
            loudest = max(self._origins, key=lambda each: len(self._origins[each]))
            if len(self._origins.get(origin, ())) + 1 >= len(self._origins[loudest]):
                return item
            gone = self._origins[loudest].pop()
            self._length -= 1
        self._origins.setdefault(origin, deque()).append(item)
        self._length += 1
        return gone

    def take(self) -> _Item:
        """The oldest item of the origin whose turn it is. That origin then goes behind all others.

        :raises IndexError: nothing waits.
        """
        if not self._length:
            raise IndexError("nothing waits")
        origin = next(iter(self._origins))
        waiting = self._origins.pop(origin)
        item = waiting.popleft()
        self._length -= 1
        if waiting:
            self._origins[origin] = waiting
        return item
