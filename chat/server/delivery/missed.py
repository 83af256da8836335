"""What a session missed while it was behind: read from the log, and sent before it goes live."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from chat.server.delivery.registry import Cursor
from chat.store.entries import LoggedEntry
from chat.store.keys import cid_name
from chat.store.post import Post

if TYPE_CHECKING:
    from chat.server.session import Session

__all__ = ["Held", "Missed"]

CATCH_UP: Final = 200
"""Entries of one conversation that are sent to a client that was behind. A client that missed more
than these gets only the newest one, and fetches the others itself."""


class Held(NamedTuple):
    """An entry that is held back, as the frame to be sent.

    :ivar answered: the session's own post to which the frame is the answer, if it is one.
    """

    cid: str
    seq: int
    frame: bytes
    answered: Post | None


class Missed:
    """What one session has missed.

    :param cursors: the conversations that it hears, by their ids.
    :param seen: the last number that the client was given of each conversation.
    :param epochs: the epochs of these numbers.
    :param entered: the rooms that it has entered since.
    :param owed: answers to the session's own posts that could not be sent yet, by
        conversation id and number. Those that are sent are taken out.
    """

    def __init__(
        self,
        session: "Session",
        cursors: Callable[[], Mapping[str, Cursor]],
        seen: Mapping[str, int],
        epochs: Mapping[str, str],
        entered: Collection[str],
        owed: dict[tuple[str, int], Held],
    ) -> None:
        self._session = session
        self._cursors = cursors
        self._seen = seen
        self._epochs = epochs
        self._entered = entered
        self._owed = owed
        self._room = session.context.settings.send_buffer or math.inf
        """Bytes that may still be sent to a current client."""

    async def send(self) -> dict[str, int]:
        """Send it, one conversation after the other.

        :returns: up to which number the client has each conversation now.
        :raises StoreError: the log can't be read.
        """
        told: dict[str, int] = {}
        for cid, cursor in self._cursors().items():
            newest = cursor.position or 0
            told[cid] = self._still_known(cid, cursor)
            if newest > told[cid]:
                entries = await self._read(cid, told[cid], newest)
                if self._was_left(cid):
                    continue
                self._send(cid, entries)
                self._room -= sum(len(entry.json) for entry in entries)
                told[cid] = entries[-1].seq if entries else told[cid]
        self._answer_where_left()
        return told

    def _was_left(self, cid: str) -> bool:
        """Whether it is a room that the session has left since, perhaps to enter it again."""
        again = cid in self._entered or cid == self._session.untold
        return cid.startswith("r:") and (again or cid not in self._session.rooms)

    def _still_known(self, cid: str, cursor: Cursor) -> int:
        """Up to which number the client has what the conversation holds now.

        That is less than it was given where a new epoch has given numbers out anew.
        """
        seen, newest = self._seen.get(cid, 0), cursor.position or 0
        if newest < seen or self._epochs.get(cid, cursor.epoch) != cursor.epoch:
            return min(seen, newest, cursor.epoch_first - 1)
        return seen

    async def _read(self, cid: str, known: int, newest: int) -> Sequence[LoggedEntry]:
        """The missed entries of a conversation that are to be sent, at least one.

        A current client gets as many as there is room for, and fetches the others when somebody
        wants to see them. An original one can't fetch, and gets all that were read.
        """
        conversations = self._session.context.conversations
        page = await conversations.read(cid, after=self._after(known, newest), limit=CATCH_UP)
        # What is above ``newest`` is delivered as it is published.
        entries = [entry for entry in page.entries if entry.seq <= newest]
        first = len(entries) - 1 if self._session.dialect.is_current else 0
        room = self._room
        while first > 0 and room >= len(entries[first].json) + len(entries[first - 1].json):
            room -= len(entries[first].json)
            first -= 1
        return entries[max(first, 0) :]

    def _after(self, known: int, newest: int) -> int:
        """The number above which missed entries are read.

        Of more than ``CATCH_UP`` a current client gets the newest one. An original one gets as many
        as ``--replay`` says.
        """
        session = self._session
        if session.dialect.is_current:
            return known if newest - known <= CATCH_UP else newest - 1
        return max(known, newest - session.context.settings.replay)

    def _send(self, cid: str, entries: Sequence[LoggedEntry]) -> None:
        """Send entries, and the answers that are owed, in the order of their numbers."""
        session, conversation = self._session, cid_name(cid, self._session.user_id)
        sent = {entry.seq for entry in entries}
        for key in sorted(key for key in self._owed if key[0] == cid and key[1] not in sent):
            session.queue_frame(self._owed.pop(key).frame, key)
        for entry in entries:
            status = session.context.online.status_of(entry.sender)
            missed = session.dialect.missed(entry, session.user_id, conversation, status)
            owed = self._owed.pop((cid, entry.seq), None)
            if frame := owed.frame if owed else missed:
                session.queue_frame(frame, (cid, entry.seq))

    def _answer_where_left(self) -> None:
        """Send the answers that are owed in rooms that were left meanwhile."""
        heard = self._cursors()
        for key in sorted(key for key in self._owed if key[0] not in heard):
            self._session.queue_frame(self._owed.pop(key).frame, key)
