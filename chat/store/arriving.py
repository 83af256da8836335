"""A user logs in: the session is entered and all positions are read, in one step."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from chat.messages import Conversation, User
from chat.store.bus import Event, payload
from chat.store.conversations import Conversations
from chat.store.errors import Disproved, NotAllowed, StoreError, TooMany
from chat.store.keys import Keys
from chat.store.link.redis import Redis, Word
from chat.store.presence import Presence
from chat.store.scripts import load
from chat.store.standing import describe, is_member, position_of

__all__ = ["Arrival", "Arrivals", "Proof"]

REFUSED: Final[Mapping[int, tuple[type[StoreError], str]]] = {
    -1: (NotAllowed, "suspended"),
    -2: (Disproved, "the password, or the token, has ended"),
    -3: (TooMany, "devices"),
}


class Arrival(Struct, frozen=True):
    """What a user who logs in is in.

    :ivar described: the first page of conversations by their ids, as the user sees them.
    :ivar more: there are more than these.
    :ivar rooms: the ids of all rooms that the user is in.
    """

    described: Mapping[str, Conversation]
    more: bool
    rooms: Sequence[str]


class Proof(NamedTuple):
    """What proved who somebody is, and must still be true when the session is entered.

    :ivar password: the PHC string of the account, as it was read then.
    :ivar token: SHA-256 of the token that was shown, or made; empty for none.
    """

    password: str
    token: bytes = b""


class Arrivals:
    """Lets users in.

    The store is asked on the connection on which publications come. So when the answer is here,
    everything that was published before it has been heard, and nothing that comes after it is part
    of it: the snapshot needs no fence, and a subscription made just before needs no confirmation of
    its own.

    :param pipe: that connection.
    :param presence: who is here; it is told of each session.
    """

    def __init__(
        self, pipe: Redis, keys: Keys, conversations: Conversations, presence: Presence
    ) -> None:
        self._pipe = pipe
        self._keys = keys
        self._presence = presence
        self._generation = keys.generation()
        self._places: Sequence[Word] = (
            " ".join(conversations.in_all_lists), keys.conversation_start(), keys.account_start()
        )  # fmt: skip

    async def enter(
        self,
        user: User,
        proof: Proof,
        session: str,
        device: str,
        *,
        instead: str,
        limit: int,
        devices: int,
    ) -> Arrival:
        """Enter a session of ``user``; other sessions on its device are told that it replaces them.

        :param proof: why the session is that user's.
        :param instead: the key of a session of the same user that has left, which need not be
            announced; empty for none.
        :param limit: the most conversations that are described.
        :param devices: how many devices of the user may be online, 0 for any number.
        :raises NotAllowed: the account is suspended; nothing has happened.
        :raises Disproved: the proof is no longer true; nothing has happened.
        :raises TooMany: that many other devices are online; nothing has happened.
        :raises StoreError: the store is away; the session is as good as gone.
        """
        user_id, keys = user.user_id, self._keys
        own_keys = (
            self._generation, keys.user(user_id), keys.conversations(user_id), keys.marks(user_id),
            keys.token(proof.token) if proof.token else keys.user(user_id),
        )  # fmt: skip
        own_args: tuple[Word, ...] = (
            limit, *self._places, proof.password, devices, keys.user_channel(user_id),
            payload(Event("replaced", device=device, session=session)),
        )  # fmt: skip
        answer = await self._presence.enter(
            user, session, device, 0, instead=instead,
            tell=lambda keys, args: self._arrive([*keys, *own_keys], [*args, *own_args]),
        )  # fmt: skip
        return _arrival(answer, user_id)

    async def _arrive(self, keys: Sequence[bytes], args: Sequence[Word]) -> Sequence[Any]:
        """Run the script.

        :raises StoreError: as ``enter`` does.
        """
        answer: Sequence[Any] = await self._pipe.script(load("arrive"), keys, args)
        if answer[0] in REFUSED:
            error, why = REFUSED[answer[0]]
            raise error(why)
        return answer


def _arrival(answer: Sequence[Any], user_id: int) -> Arrival:
    """Decode the answer of ``scripts/arrive.lua``, without its first part, which is for
    ``Presence``."""
    rooms, more, *standing = answer
    described = {}
    for raw, mark, name, where in standing:
        cid = raw.decode()
        position = position_of(where, user_id) if where else None
        if position is not None and is_member(cid, position):
            described[cid] = describe(cid, user_id, position, mark, name.decode())
    heard = [cid for cid in described if cid.startswith("r:")]
    return Arrival(described, bool(more), heard + [raw.decode() for raw in rooms])
