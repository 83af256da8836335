"""A store that takes messages again writes its file anew: it is asked until it has heard."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chat.store.errors import FateUnknown, StoreUnavailable
from chat.store.link.redis import RedisReplyError
from chat.store.rewriting import AGAIN_SECONDS, Rewriting

BUSY = "ERR Background append only file rewriting already in progress"


class Asked:
    """A store that is asked, and answers when a test says so."""

    def __init__(self) -> None:
        self.answers: list[Deferred[object]] = []

    def call(self, *words: bytes) -> Deferred[object]:
        """Take a command."""
        assert words == (b"BGREWRITEAOF",)
        self.answers.append(Deferred())
        return self.answers[-1]


class RewritingTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.store = Clock(), Asked()
        Rewriting(self.clock, self.store).ask()  # type: ignore[arg-type]

    def test_once_it_has_begun_nobody_asks_again(self) -> None:
        self.store.answers[0].callback(b"Background append only file rewriting started")
        self.clock.advance(10 * AGAIN_SECONDS)
        self.assertEqual(len(self.store.answers), 1)

    def test_it_is_asked_again_while_it_is_away_or_writes_for_another_reason(self) -> None:
        for error in (StoreUnavailable("away"), RedisReplyError(BUSY)):
            self.store.answers[-1].errback(error)
            before = len(self.store.answers)
            self.clock.advance(AGAIN_SECONDS)
            self.assertEqual(len(self.store.answers), before + 1)

    def test_it_is_not_asked_again_when_it_may_have_begun_or_does_not_know_how(self) -> None:
        for error in (FateUnknown("no answer"), RedisReplyError("ERR unknown command")):
            self.store.answers[-1].errback(error)
            self.clock.advance(AGAIN_SECONDS)
            self.assertEqual(len(self.store.answers), 1)
            self.setUp()
