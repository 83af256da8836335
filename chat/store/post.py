"""One message on its way into the store, and whoever is told what became of it."""

import struct
from hashlib import blake2b
from typing import Final, Protocol

from chat.store.entries import Author, record

__all__ = ["Post", "Poster"]

DIGEST_SIZE: Final = 12
"""Bytes of the digest of (sender, clientId): 2^48 messages in one room in two days would collide
once."""

_HEAD: Final = struct.Struct(">HB")


class Poster(Protocol):
    """The sender of a post, who is told what became of it when no publication answers it.

    :ivar closed: the connection has ended; an answer would reach nobody.
    """

    closed: bool

    def post_repeated(
        self, post: "Post", seq: int, time: int, epoch: str, epoch_first: int
    ) -> None:
        """The same message was accepted before, with this number and time."""

    def post_refused(self, post: "Post", code: int, retry_after: float, reason: str = "") -> None:
        """It was not accepted (protocol, Codes). After 504 its publication may still come.

        :param retry_after: seconds, 0 when waiting does not help.
        :param reason: the conversation's rule that is against it: ``muted``, ``banned``,
            ``slow-mode``, ``blocked`` or ``blocking``; empty for anything else.
        """

    def awaits(self, post: "Post") -> bool:
        """Whether the poster is still to be given the publication."""

    def post_overdue(self, post: "Post") -> None:
        """It was accepted as number ``post.seq``, but its publication never came."""


class Post:
    """One message on its way.

    :ivar refusal: the code with which it is refused unless it was accepted before; 0: it may be
        posted.
    :ivar serial: the server's number for it, in its publication as well.
    :ivar seq: its number, 0 while that is unknown.
    """

    __slots__ = (
        "cid", "client_id", "middle", "poster", "refusal", "request_id", "sent", "seq", "serial",
        "user_id",
    )  # fmt: skip

    def __init__(
        self,
        poster: Poster,
        cid: str,
        author: Author,
        content: str,
        client_id: str = "",
        request_id: str | None = None,
        refusal: int = 0,
        reply: int = 0,
    ) -> None:
        self.poster = poster
        self.cid = cid
        self.user_id = author.user_id
        self.middle = author.says(content, reply)
        self.client_id = client_id
        self.request_id = request_id
        self.refusal = refusal
        self.serial = 0
        self.seq = 0
        self.sent = 0.0

    def packed(self, server: int) -> bytes:
        """The post as the script reads it: its code, its digest, and its record.

        The digest is what the idempotency mark is filed under; there is none without a
        ``clientId``.
        """
        client_id = self.client_id.encode()
        entry = record(self.middle, self.user_id, client_id, server, self.serial)
        if not client_id:
            return _HEAD.pack(self.refusal, 0) + entry
        name = b"%d %b" % (self.user_id, client_id)
        digest = blake2b(name, digest_size=DIGEST_SIZE).digest()
        return _HEAD.pack(self.refusal, DIGEST_SIZE) + digest + entry
