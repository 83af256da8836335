"""Edits: a message gets another text, and keeps its number."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from chat.store.entries import Author, record
from chat.store.errors import FateUnknown, Forbidden, NotAllowed, Unknown
from chat.store.keys import Keys
from chat.store.link.redis import Redis
from chat.store.replicas import with_replicas
from chat.store.scripts import load
from chat.store.standing import is_open

__all__ = ["Editing"]


class Editing:
    """Edits messages.

    :param redis: the connection on which messages are posted.
    :param replicated: accept nothing that no replica has.
    """

    def __init__(self, redis: Redis, keys: Keys, *, replicated: bool = False) -> None:
        self._redis = redis
        self._keys = keys
        self._replicated = replicated
        self._turns = DeferredLock()

    async def edit(self, author: Author, cid: str, seq: int, content: str) -> None:
        """Give one of the author's messages another text. If it has that text, nothing happens.

        :raises Unknown: there is no such message, or it is deleted.
        :raises NotAllowed: it is somebody else's.
        :raises Forbidden: the author may not write there now.
        :raises StoreUnavailable: the store is away.
        :raises FateUnknown: it did not answer, or no replica has confirmed it where one has to.
        """
        name, middle = self._keys, author.does("edit", content, target=seq)
        keys = [name.generation(), name.meta(cid), name.log(cid)]
        keys += [name.members(cid), name.apart(cid)]
        args: list[bytes | int] = [
            author.user_id, seq, is_open(cid), author.says(content),
            record(middle, author.user_id), *name.audience(cid),
        ]  # fmt: skip
        if self._replicated:
            # One at a time: if no replica answers, many waits would outlast the call's deadline.
            answer, replicas = await self._turns.run(self._call_replicated, keys, args)
            if answer == 200 and not replicas:
                raise FateUnknown("no replica has it")
        else:
            answer = await self._call(keys, args)
        if answer == 404:
            raise Unknown(cid)
        if answer == 403:
            raise NotAllowed(cid)
        if answer != 200:
            code, reason, wait = answer
            raise Forbidden(-code, reason.decode(), wait / 1000)

    def _call(self, keys: Sequence[bytes], args: Sequence[bytes | int]) -> Deferred[Any]:
        return self._redis.script(load("edit"), keys, args)

    def _call_replicated(
        self, keys: Sequence[bytes], args: Sequence[bytes | int]
    ) -> Deferred[list[Any]]:
        return with_replicas(self._redis, self._keys, self._call(keys, args))
