"""The names of all keys and channels in the store, and the ids of conversations."""

from functools import lru_cache

from chat.names import LOBBY

__all__ = ["LOBBY_CID", "Keys", "around", "cid_name", "private_cid", "room_cid"]

DEFAULT_PREFIX = "ch:"


def room_cid(name: str) -> str:
    """The conversation id of a room: ``#lobby`` is ``r:lobby``.

    :param name: canonical, with its ``#``.
    """
    return "r:" + name[1:]


LOBBY_CID = room_cid(LOBBY)
"""The conversation id of the room that everybody is in."""


@lru_cache(maxsize=65_536)
def private_cid(one: int, other: int) -> str:
    """The conversation id of two users, the same from either side."""
    return f"p:{min(one, other)}:{max(one, other)}"


@lru_cache(maxsize=65_536)
def cid_name(cid: str, for_user: int) -> str:
    """What ``for_user`` calls the conversation on the wire: ``#name`` or ``@<partner's id>``."""
    if cid.startswith("r:"):
        return "#" + cid[2:]
    _, lower, higher = cid.split(":")
    return "@" + (higher if int(lower) == for_user else lower)


def around(key: bytes) -> tuple[bytes, bytes]:
    """A key with the id 0, as what stands before and after the id."""
    before, _, after = key.rpartition(b"0")
    return before, after


class Keys:
    """Every key, with one hash tag for each conversation and each user.

    A room's name may hold a brace. Keys stay unambiguous all the same, since nothing after a
    tag's closing brace has one, and a conversation's keys still share one (shorter) tag.

    :param database: which of the store's. Its keys are its own, but channels are the store's: what
        is published in one is heard in all of them.
    """

    def __init__(self, prefix: str = DEFAULT_PREFIX, database: int = 0) -> None:
        self._prefix = prefix
        self._bus = f"bus:{database}:" if database else "bus:"

    def _key(self, rest: str) -> bytes:
        return (self._prefix + rest).encode()

    # Users

    def name(self, canonical: str) -> bytes:
        """String: the id of the user with that canonical name."""
        return self._key(f"name:{canonical}")

    def ids(self) -> bytes:
        """Counter: the last user id that the store picked."""
        return self._key("ids")

    def token(self, digest: bytes) -> bytes:
        """Hash: ``user`` and ``device`` of the token that has that SHA-256."""
        return self._key(f"tok:{digest.hex()}")

    def invitation(self, digest: bytes) -> bytes:
        """Hash: how many may still register (``left``) with the code that has that SHA-256."""
        return self._key(f"inv:{digest.hex()}")

    def invitations(self) -> bytes:
        """Set: the digests of all invitations, in hexadecimal."""
        return self._key("invs")

    def user(self, user_id: int) -> bytes:
        """Hash: name, password (a PHC string), sex, created, lastSeen; admin, suspended."""
        return self._key(f"u:{{{user_id}}}")

    def known(self, user_id: int) -> bytes:
        """Hash: address -> when the user last logged in well from it."""
        return self._key(f"u:{{{user_id}}}:known")

    def devices(self, user_id: int) -> bytes:
        """Hash: device -> ``since:last seen:SHA-256 of its token``, empty when that was ended."""
        return self._key(f"u:{{{user_id}}}:devices")

    def sessions(self, user_id: int) -> bytes:
        """Hash: ``node#incarnation/session`` -> its status, one digit, and its device."""
        return self._key(f"u:{{{user_id}}}:sess")

    def marks(self, user_id: int) -> bytes:
        """Hash: conversation id -> ``epoch:delivered:read``."""
        return self._key(f"u:{{{user_id}}}:marks")

    def conversations(self, user_id: int) -> bytes:
        """Sorted set: ids of the user's conversations; private ones by the time of their last
        message in ms, rooms all by 0."""
        return self._key(f"u:{{{user_id}}}:convs")

    def blocks(self, user_id: int) -> bytes:
        """Hash: id of a user whose private messages are refused -> since when, in ms."""
        return self._key(f"u:{{{user_id}}}:blocks")

    def invited(self, user_id: int) -> bytes:
        """Hash: id of a room that the user may join though it is private -> ``id:name`` of who
        invited."""
        return self._key(f"u:{{{user_id}}}:invited")

    # What scripts need to make keys that are known only inside them

    def token_start(self) -> bytes:
        """What the key of every token starts with; its SHA-256 in hexadecimal follows."""
        return self.token(b"")

    def account_start(self) -> bytes:
        """What the key of every account starts with; the id and ``}`` follow."""
        return around(self.user(0))[0]

    def conversation_start(self) -> bytes:
        """What every key of a conversation starts with; the id, ``}:`` and the rest follow."""
        return around(self.meta("0"))[0]

    def around_user(self) -> tuple[bytes, bytes]:
        """What stands before and after the id in the key of a user's sessions."""
        return around(self.sessions(0))

    def around_node(self) -> tuple[bytes, bytes]:
        """What stands before and after the node in the key of its sessions."""
        return around(self.node_sessions("0"))

    # Conversations

    def meta(self, cid: str) -> bytes:
        """Hash: epoch, epochFirst, epochs, seq, first, time (``conversation.lua``); days
        (``post.lua``); topic; rules and what is set for single users (``rules.lua``)."""
        return self._key(f"c:{{{cid}}}:meta")

    def log(self, cid: str) -> bytes:
        """Stream: blocks of entries, each ``<its first seq>-0`` (``log.lua``; ``entries.py`` says
        what an entry holds)."""
        return self._key(f"c:{{{cid}}}:log")

    def members(self, cid: str) -> bytes:
        """Hash: user id -> ``role:number of the entry of joining:name``; of the lobby, which
        everybody is in, moderators only."""
        return self._key(f"c:{{{cid}}}:members")

    def apart(self, cid: str) -> bytes:
        """Sorted set: what is left of blocks from which an entry was taken away, by number."""
        return self._key(f"c:{{{cid}}}:apart")

    def rooms(self) -> bytes:
        """Sorted set, all scores 0: the rooms' names."""
        return self._key("rooms")

    def generation(self) -> bytes:
        """String: ``<count>.<random>``, raised whenever numbers may have been lost."""
        return self._key("gen")

    def layout(self) -> bytes:
        """String: which layout all these keys have (``layout.py``)."""
        return self._key("layout")

    def tide(self) -> bytes:
        """Counter that only rises; a server that sees it fall knows that the store went back."""
        return self._key("tide")

    def trial(self) -> bytes:
        """What commands are tried on, key and channel: there for a moment, and heard by nobody."""
        return self._key("trial")

    def audit(self) -> bytes:
        """Stream: what administrators did."""
        return self._key("audit")

    def audit_of_rooms(self) -> bytes:
        """Stream: what owners and moderators did in their rooms."""
        return self._key("audit:rooms")

    def reports(self) -> bytes:
        """Stream: what users reported to the administrators, until that is dealt with."""
        return self._key("reports")

    def master(self) -> bytes:
        """String: which store the generation belongs to: its replication id, its run id, and
        which start of its machine it was, where that is known."""
        return self._key("master")

    def replicated(self) -> bytes:
        """String: written before each wait for a replica; holds nothing."""
        return self._key("replicated")

    # Presence

    def nodes(self) -> bytes:
        """Sorted set: node#incarnation by the end of its lease, in ms of the store's clock."""
        return self._key("nodes")

    def node_sessions(self, node: str) -> bytes:
        """Set: ``<user id>/<session>`` living on a node#incarnation."""
        return self._key(f"n:{node}:sessions")

    def online(self) -> bytes:
        """Sorted set: the ids of the users online, by id."""
        return self._key("online")

    def statuses(self) -> bytes:
        """Hash: user id -> ``status:name`` of the users online."""
        return self._key("online:users")

    # Limits

    def limit(self, purpose: str, who: str) -> bytes:
        """Counter of what ``who`` spent of a budget; of passwords a hash (``guess_try.lua``)."""
        return self._key(f"limit:{purpose}:{who}")

    # Channels

    def room_channel(self, cid: str) -> bytes:
        """Everything new in a room."""
        return self._key(f"{self._bus}c:{cid}")

    def user_channel(self, user_id: int) -> bytes:
        """Everything new for one user alone."""
        return self._key(f"{self._bus}u:{user_id}")

    def audience(self, cid: str) -> tuple[bytes, bytes]:
        """The channel of a room and nothing, or both channels of a private conversation."""
        if cid.startswith("r:"):
            return self.room_channel(cid), b""
        one, other = (int(part) for part in cid.split(":")[1:])
        return self.user_channel(one), b"" if one == other else self.user_channel(other)

    def presence_channel(self) -> bytes:
        """Every change of anybody's best status."""
        return self._key(f"{self._bus}presence")
