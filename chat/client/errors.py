"""What can go wrong for users of the client library, each as its own exception."""

__all__ = [
    "BadAddress",
    "BadServer",
    "ClientError",
    "Closed",
    "FateUnknown",
    "NotConnected",
    "Refused",
    "Untrusted",
]


class ClientError(Exception):
    """Everything that the client library raises on purpose. ``str()`` is a sentence."""


class BadAddress(ValueError):
    """That is no address of a server.

    :ivar key: the sentence of ``cli_words`` that says so in the reader's language.
    :ivar server: what was written.
    """

    def __init__(self, key: str, server: str, why: str) -> None:
        super().__init__(f"{server!r} is no server address: {why}")
        self.key = key
        self.server = server


class NotConnected(ClientError):
    """There is no connection, or nobody is logged in on it; nothing was sent."""


class Closed(NotConnected):
    """The client was closed, or the server said that coming back is no use.

    :ivar code: 409 the same device logged in elsewhere, 403 the password or token no longer
        holds, 500 no such user any more, 0 closed by this side.
    """

    def __init__(self, sentence: str, code: int = 0) -> None:
        super().__init__(sentence)
        self.code = code


class FateUnknown(ClientError):
    """A request was sent and not answered: the server may have done it or not."""


class Refused(ClientError):
    """The server said no.

    :ivar code: as in the protocol: 400, 401, 403, 404, 413, 429, 500, 503, 504, 505, 506.
    :ivar sentence: the server's words for a person; text from the network, not yet sanitised.
    :ivar retry_after: seconds after which it may work, 0 when waiting does not help.
    :ivar invitation: whether a registration might go well with a code; None where nobody says.
    """

    def __init__(
        self,
        code: int,
        sentence: str = "",
        retry_after: float = 0.0,
        invitation: bool | None = None,
    ) -> None:
        super().__init__(sentence or f"refused with code {code}")
        self.code = code
        self.sentence = sentence
        # A server may say anything, and a timer takes no less than 0.
        self.retry_after = max(0.0, retry_after)
        self.invitation = invitation


class BadServer(ClientError):
    """What answers there does not speak this protocol."""


class Untrusted(NotConnected):
    """The server's certificate proves nothing about it; nothing was said to it.

    :ivar fingerprint: its SHA-256, to be compared with what the server's owner says.
    :ivar accepted: that of the certificate which was accepted before, "" when none was.
    :ivar why: why nobody vouches for it.
    """

    def __init__(self, fingerprint: str, accepted: str, why: str) -> None:
        super().__init__(
            f"the server shows another certificate than before: SHA-256 {fingerprint}, "
            f"it was {accepted}"
            if accepted
            else f"the server's certificate can't be trusted: {why}; SHA-256 {fingerprint}"
        )
        self.fingerprint = fingerprint
        self.accepted = accepted
        self.why = why
