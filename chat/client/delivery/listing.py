"""Reads the list of one's conversations to its end, although the list moves while it is read."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from chat.client.errors import FateUnknown, Refused
from chat.client.network.asker import ASK_AGAIN, READING, Asker, is_final
from chat.messages import Conversation, ConversationsMes, ConversationsResMes, LoginResMes

__all__ = ["Listing"]


class Listing:
    """Reads what did not fit into the reply to a login.

    The newest conversations come first. One in which somebody writes meanwhile moves to the front,
    and may have been in none of the pages. So the front is read once more.

    :param sleep: waits for some seconds.
    :param learn: takes over a conversation.
    :param missing: the known conversations that were in no page since the login.
    """

    def __init__(
        self,
        asker: Asker,
        sleep: Callable[[float], Awaitable[None]],
        learn: Callable[[Conversation], None],
        missing: Callable[[], Collection[str]],
    ) -> None:
        self._asker = asker
        self._sleep = sleep
        self._learn = learn
        self._missing = missing
        self._login = LoginResMes(200)

    async def read(self, login: LoginResMes) -> None:
        """Read the list that begins with the reply to a login, unless the next login comes
        meanwhile.

        :raises ClientError: the server does not give it, or the connection is lost.
        """
        self._login = login
        listed: Sequence[Conversation] = login.conversations
        more = login.more
        while more:
            listed, more = await self._behind(listed, login)
        listed, more, left = (), login.more, len(self._missing())
        while more and left:
            listed, more = await self._behind(listed, login)
            before, left = left, len(self._missing())
            more = more and left < before

    async def _behind(
        self, listed: Sequence[Conversation], login: LoginResMes
    ) -> tuple[Sequence[Conversation], bool]:
        """Read the page behind the last of ``listed``.

        :returns: its conversations, and whether there are more behind it.
        """
        request = ConversationsMes(after=listed[-1].conversation if listed else "")
        while self._login is login:
            try:
                page = await self._asker.ask(request, ConversationsResMes, READING)
            except FateUnknown:
                continue
            except Refused as error:
                if is_final(error):
                    raise
                await self._sleep(ASK_AGAIN)
                continue
            if self._login is login:
                for each in page.conversations:
                    self._learn(each)
                return page.conversations, page.more and bool(page.conversations)
        return (), False
