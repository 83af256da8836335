"""What can go wrong with a request to the store, each as its own exception."""

__all__ = [
    "CannotStart",
    "Disproved",
    "FateUnknown",
    "Forbidden",
    "NameTaken",
    "NotAllowed",
    "NotInvited",
    "NothingToDo",
    "StoreError",
    "StoreUnavailable",
    "TooMany",
    "Unknown",
    "UnknownUser",
]


class StoreError(Exception):
    """Something about the store kept a request from being served."""


class StoreUnavailable(StoreError):
    """The request never reached the store, or the store refused to write: nothing happened (503).

    :ivar retry_after: seconds after which it may be worth trying again.
    """

    def __init__(self, text: str = "", retry_after: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class CannotStart(StoreError):
    """The server, or the store that it needs, can't be started or reached as one was told to; the
    text is a sentence for whoever runs it."""


class FateUnknown(StoreError):
    """The request was sent and never answered: it may have happened (504)."""


class Unknown(StoreError):
    """No such user, conversation or device (404)."""


class UnknownUser(Unknown):
    """Nobody has that name or id."""


class Disproved(StoreError):
    """The password or the token by which somebody was let in has ended since: it is judged anew."""


class NotAllowed(StoreError):
    """The user may not do that here (403)."""


class Forbidden(StoreError):
    """The user may write no message there now.

    :ivar code: 403 or 404.
    :ivar reason: the rule of the conversation that is against it (``chat.store.post``), or empty.
    :ivar retry_after: seconds until it ends, 0 when no end is known.
    """

    def __init__(self, code: int, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.retry_after = retry_after


class NotInvited(StoreError):
    """The invitation to register is unknown, used up or over (506)."""


class NothingToDo(StoreError):
    """What is to be changed is not there: no member, no ban, no such invitation (404)."""


class NameTaken(StoreError):
    """The user id or the user name belongs to somebody (505)."""


class TooMany(StoreError):
    """A limit on a number of things is reached (429).

    :ivar retry_after: seconds until it may work, 0 when waiting does not help.
    """

    def __init__(self, text: str = "", retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after
