"""Counts of what has happened, as plain numbers that ``chat.server.watching.metrics`` reads."""

from collections import Counter

from chat.store.timing import Timing

__all__ = ["Tally"]


class Tally:
    """Counts that are kept where the code passes anyway, once for a publication or a batch at most.

    :ivar accepted: messages that were stored for somebody who is connected here.
    :ivar deliveries: entries handed to connections; to the sender it is the answer.
    :ivar delay: seconds from handing a message to the store until it is written to its audience
        here, for one message of each turn.
    :ivar gaps: holes in conversations that were read from the log.
    :ivar logins: by outcome: ``accepted``, or the reason, as a key of ``chat.server.phrases``.
    :ivar refusals: by the type of the request and the code; the type ``""`` is a malformed frame.
    :ivar goodbyes: connections that this server has ended, by reason.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.deliveries = 0
        self.delay = Timing()
        self.gaps = 0
        self.logins: Counter[str] = Counter()
        self.refusals: Counter[tuple[str, int]] = Counter()
        self.goodbyes: Counter[str] = Counter()

    def refused(self, request: str, code: int, key: str) -> None:
        """A request was not served."""
        self.refusals[request, code] += 1
        if request == "LoginMes":
            self.logins[key] += 1
