"""Waits until replicas of the store have what a call wrote (``--durability replicated``)."""

from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from chat.store.keys import Keys
from chat.store.link.redis import Redis

__all__ = ["with_replicas"]

REPLICA_SECONDS: Final = 1.0
"""How long a replica has to confirm a call. After that nobody knows what becomes of it (504)."""


def with_replicas(redis: Redis, keys: Keys, call: Deferred[Any]) -> Deferred[list[Any]]:
    """What a call answers, and how many replicas have confirmed what it wrote.

    WAIT speaks of the last write on its connection, which would be an old one if the call had found
    everything done already. So something is written in any case.

    :param redis: the connection of the call. WAIT holds up everything behind it there.
    """
    redis.call(b"SET", keys.replicated(), 1).addErrback(lambda _: None)
    waited = redis.call(b"WAIT", 1, int(REPLICA_SECONDS * 1000))
    both = gatherResults([call, _behind(call, waited)], consumeErrors=True)

    def the_failure(first: Failure) -> Failure:
        found: Any = first.value
        why: Failure = found.subFailure
        return why

    return both.addErrback(the_failure)


def _behind(call: Deferred[Any], waited: Deferred[Any]) -> Deferred[Any]:
    """How many replicas WAIT has counted; 0 when ``call`` had no answer by then: the store had
    forgotten the script, and it was sent again, in full, behind the WAIT."""
    answered: list[bool] = []

    def note(answers: Any) -> Any:
        answered.append(True)
        return answers

    call.addCallback(note)
    return waited.addCallback(lambda replicas: replicas if answered else 0)
