"""Counts of what has happened, as plain numbers that ``chat.server.watching.metrics`` reads."""

from collections import Counter

from chat.store.timing import Timing

__all__ = ["Tally"]


class Tally:
    """Counted where the code passes anyway, once for a publication or a batch at most.

    :ivar accepted: messages that were stored for somebody who is connected here.
    :ivar deliveries: entries handed to connections; to the sender it is the answer.
    :ivar delay: from handing a message to the store until it is written to its audience here,
        seconds; one message of each turn.
    :ivar gaps: holes in conversations that were read from the log.
    :ivar logins: by outcome: ``accepted``, or why not, as the keys of ``chat.server.phrases``.
    :ivar refusals: by the request's type and the code; type ``""`` is a frame that is none.
    :ivar goodbyes: connections that were ended from here, by reason.
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
