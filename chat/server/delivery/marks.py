"""How far users have read: collected and written together, each user every two seconds at most."""

from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from chat.store.conversations import Mark
from chat.store.errors import StoreError

if TYPE_CHECKING:
    from chat.server.context import Context
    from chat.server.delivery.registry import Cursor

__all__ = ["Marks"]

WRITE_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.25
BATCH: Final = 200


class Marks:
    """Marks that moved and are not written yet. A crash loses two seconds of them at most."""

    _log = Logger()

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._pending: dict[int, dict[str, Mark]] = {}
        self._written: dict[int, float] = {}
        self._timer: IDelayedCall | None = None

    def move(
        self,
        user_id: int,
        cid: str,
        cursor: "Cursor",
        *,
        delivered: int = 0,
        read: int = 0,
        session: str = "",
    ) -> None:
        """A user has got as far as this in a conversation.

        :param cursor: how far the conversation itself is: a mark goes no further.
        :param delivered, read: numbers; a mark never goes back.
        :param session: the key of the session that said so, which need not be told.
        """
        newest = cursor.position or 0
        delivered, read = min(max(delivered, read), newest), min(read, newest)
        pending = self._pending.setdefault(user_id, {})
        mark = pending.get(cid)
        if mark is None or mark.epoch != cursor.epoch:
            pending[cid] = Mark(cursor.epoch, cursor.epoch_first, delivered, read, session)
        else:
            mark.delivered = max(mark.delivered, delivered)
            mark.read = max(mark.read, read)
            mark.session = _spared(mark.session, session)
        self._look_later()

    def waits(self, user_id: int) -> bool:
        """Whether a user has marks that are not written yet."""
        return user_id in self._pending

    def stop(self) -> None:
        """Write nothing more by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = self._context.clock.callLater(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        Deferred.fromCoroutine(self._write_due()).addErrback(
            lambda failure: self._log.failure("marks could not be written", failure)
        )

    async def _write_due(self) -> None:
        """Write what is due; what the store does not take now is tried again."""
        now = self._context.clock.seconds()
        for user_id, time in list(self._written.items()):
            if now - time >= WRITE_SECONDS:
                del self._written[user_id]
        try:
            await self._write([user for user in self._pending if user not in self._written])
        except StoreError as error:
            self._log.debug("marks wait for the store: {why}", why=error)
        if self._pending:
            self._look_later()

    async def flush(self, user_id: int | None = None) -> None:
        """Write one user's marks now, or everybody's.

        :raises StoreError: nothing is lost, they are still to be written.
        """
        everybody = list(self._pending)
        await self._write(everybody if user_id is None else [u for u in everybody if u == user_id])

    async def _write(self, user_ids: list[int]) -> None:
        for start in range(0, len(user_ids), BATCH):
            part = user_ids[start : start + BATCH]
            taken = {user_id: self._pending.pop(user_id) for user_id in part}
            now = self._context.clock.seconds()
            self._written.update(dict.fromkeys(part, now))
            marks = {
                (u, cid): mark for u, of_user in taken.items() for cid, mark in of_user.items()
            }
            try:
                await self._context.conversations.mark(marks)
            except Exception:
                self._put_back(taken)
                raise

    def _put_back(self, taken: dict[int, dict[str, Mark]]) -> None:
        for user_id, marks in taken.items():
            pending = self._pending.setdefault(user_id, {})
            for cid, mark in marks.items():
                newer = pending.setdefault(cid, mark)
                if newer is not mark and newer.epoch == mark.epoch:
                    newer.delivered = max(newer.delivered, mark.delivered)
                    newer.read = max(newer.read, mark.read)
                    newer.session = _spared(newer.session, mark.session)


def _spared(one: str, other: str) -> str:
    """The session that need not be told: none, when two different ones moved the same marks."""
    return one if one == other else ""
