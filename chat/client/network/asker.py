"""Requests on whichever connection there is, repeated while the server is only busy."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from chat.client.errors import BadServer, ClientError, Closed, NotConnected, Refused
from chat.client.events import LoggedIn, Stopped
from chat.client.network.link import Link
from chat.client.network.wire import Wire
from chat.messages import Message, RegisterResMes, Request, SmsMes, SmsResMes

__all__ = ["ASK_AGAIN", "READING", "Asker", "closed", "granted", "is_final"]

PATIENCE = 30.0
"""Seconds for which a request that the server refuses for the moment is made again."""

ASK_AGAIN = 1.0
"""Seconds before whoever needs a page of something asks for it again, after an answer that was of
no use or a refusal that outlasted ``PATIENCE``."""

FOR_THE_MOMENT = frozenset({429, 503})
READING = frozenset({429, 503, 504})
"""Codes after which a request is made again; reading may also be repeated when in doubt."""

_Answer = TypeVar("_Answer", bound=Message)
_Item = TypeVar("_Item")


class Asker:
    """Sends the requests of one logged-in user.

    :param sleep: waits for some seconds; raises ``Closed`` when the client stops meanwhile.
    """

    def __init__(
        self, clock: IReactorTime, link: Link, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._clock = clock
        self._link = link
        self._sleep = sleep

    async def ask(
        self,
        request: Request,
        answer: type[_Answer],
        again: frozenset[int] = FOR_THE_MOMENT,
    ) -> _Answer:
        """Make a request, and repeat it while the server refuses it for the moment.

        :param again: the codes after which it is repeated.
        :raises Refused: the reply's code is not 200.
        :raises NotConnected, FateUnknown: as ``Wire.ask`` does.
        """
        patience = self._clock.seconds() + PATIENCE
        pause = 0.25
        while True:
            try:
                return granted(await self._wire().ask(request, answer))
            except Refused as error:
                wait = max(error.retry_after, pause)
                if error.code not in again or self._clock.seconds() + wait > patience:
                    raise
            pause *= 2
            await self._sleep(wait)

    async def every(
        self,
        after: Callable[[_Item | None], Request],
        answer: type[_Answer],
        listed: Callable[[_Answer], tuple[Sequence[_Item], bool]],
        enough: int = 0,
    ) -> list[_Item]:
        """Read a list to its end, page by page.

        :param after: makes the request for the page behind an item; behind None for the first page.
        :param listed: the items of a page, and whether there are more.
        :param enough: ask for no further page once there are so many items; 0 for all.
        :raises Refused, NotConnected, FateUnknown: as ``ask`` does.
        """
        found: list[_Item] = []
        more = True
        while more:
            reply = await self.ask(after(found[-1] if found else None), answer, READING)
            part, more = listed(reply)
            found += part
            more = more and bool(part) and not 0 < enough <= len(found)
        return found

    async def post(self, message: SmsMes) -> SmsResMes:
        """Send a message once; sending it again is up to the caller.

        :raises NotConnected, FateUnknown: as ``Wire.ask`` does.
        """
        return await self._wire().ask(message, SmsResMes)

    def tell(self, message: Request) -> None:
        """Send something that has no reply, if there is a connection."""
        if self._link.wire is not None:
            self._link.wire.tell(message)

    def _wire(self) -> Wire:
        """The connection on which somebody is logged in.

        :raises NotConnected: there is none.
        """
        state, wire = self._link.state, self._link.wire
        if isinstance(state, LoggedIn) and wire is not None:
            return wire
        if isinstance(state, Stopped):
            raise closed(state)
        raise NotConnected("there is no connection at the moment")


def is_final(error: ClientError) -> bool:
    """Whether reading the same again would fail again: the server refuses to give it, or gives
    something that can't be read."""
    if isinstance(error, Refused):
        return error.code not in READING
    return isinstance(error, BadServer)


def closed(state: Stopped) -> Closed:
    """Why nothing can be asked any more."""
    return Closed(state.reason or "the client is closed", state.code)


def granted(reply: _Answer) -> _Answer:
    """The reply, when its code is 200.

    :raises Refused: it is another.
    """
    code = getattr(reply, "code", 200)
    if code != 200:
        invitation = reply.invitation if isinstance(reply, RegisterResMes) else None
        wait = getattr(reply, "retry_after", 0.0)
        raise Refused(code, getattr(reply, "error", ""), wait, invitation)
    return reply
