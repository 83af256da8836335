"""Older messages: from the cache at once, from the server where the cache has a gap."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from chat.client.conversation import Conversation
from chat.client.errors import ClientError, Refused
from chat.client.model import Model
from chat.client.network.asker import is_final
from chat.client.tui.found import PAGE as SEARCHED
from chat.client.tui.found import Found
from chat.client.tui.panes.messages import Wish
from chat.messages import Conversation as ConversationState
from chat.messages import Entry

if TYPE_CHECKING:
    from chat.client.api import ChatClient, SearchPage
    from chat.client.files.cache import Cache

__all__ = ["History"]

PAGE = 100
"""Entries asked for at a time: two or three screens, and far below a frame."""

AROUND = 60
"""Entries fetched below one that is looked for; the rest of the page is above it."""

AGAIN = 3.0
"""Seconds after which a page is asked for again that the server could not give for the moment."""

LOOKED_INTO = 20
"""Conversations that are looked into at the first login of a device, of 40 requests at once."""

QUOTED = 1_000
"""Entries of a conversation that are kept only to be quoted; a view has fewer."""

NOTHING_THERE = 404
"""A private conversation exists from its first message on; until then it is merely empty."""


class History:
    """Brings pages of conversations into a ``Model``.

    :param redraw: called when something has come.
    """

    def __init__(
        self,
        clock: IReactorTime,
        client: "ChatClient",
        model: Model,
        cache: "Cache | None",
        redraw: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._client = client
        self._model = model
        self._cache = cache
        self._redraw = redraw
        self._exhausted: dict[str, int] = {}
        self._receipted: set[str] = set()
        self._looking_up = False

    def wanted(self, wish: Wish) -> bool:
        """Whether anything can be done about the history that a drawing lacked."""
        conversation = self._model.conversation(wish.conversation)
        if wish.answered:
            return self._cache is not None and not self._looking_up
        if conversation.loading:
            return False
        if self._model.connected:
            return True
        if self._cache is None:
            return False
        if not wish.before:
            return not conversation.recalled
        return self._exhausted.get(wish.conversation) != wish.before

    async def fetch(self, wish: Wish) -> None:
        """Get the page that a drawing lacked.

        :raises ClientError: the server did not give it.
        """
        conversation = self._model.conversation(wish.conversation)
        if wish.answered:
            await self.look_up(conversation, wish.answered)
            return
        conversation.loading = True
        self._redraw()
        pause = 0.0
        try:
            if wish.after:
                await self._go_on(conversation, wish)
            elif not await self._recall(conversation, wish.before) and self._model.connected:
                await self._ask(conversation, wish.before)
        except ClientError as error:
            pause = 0.0 if is_final(error) else AGAIN
            raise
        finally:
            if pause:
                self._clock.callLater(pause, self._loaded, conversation)
            else:
                self._loaded(conversation)

    def _loaded(self, conversation: Conversation) -> None:
        conversation.loading = False
        self._redraw()

    async def look_into(self, conversations: Iterable[ConversationState]) -> None:
        """On a device that is new to these conversations, see what was said above the read marks,
        and to whom.

        Until then everything counts as unread, also that somebody came or went and what the user
        wrote; and nothing counts as speaking to the user.
        """
        marked = [each.conversation for each in conversations if each.seq > each.read]
        with suppress(ClientError):  # Then these messages count until the conversation is opened.
            for name in marked[:LOOKED_INTO]:
                conversation = self._model.conversations.get(name)
                known = conversation is None or conversation.fetched or conversation.loading
                if conversation is not None and conversation.unread and not known:
                    await self.fetch(Wish(name, 0))
                    if not conversation.unread:
                        # Otherwise each start without a cache would look into it again.
                        self._client.mark_read(name, conversation.newest)

    def logged_in(self) -> None:
        """After a login: ask anew how far partners have read, since nobody told of it meanwhile."""
        self._receipted.clear()

    def lacks_receipt(self, conversation: Conversation) -> bool:
        """Whether to ask how far the partner is. (The reply with the newest page says so, too.)"""
        known = not conversation.private or conversation.name in self._receipted
        return not known and conversation.fetched

    async def ask_receipt(self, conversation: Conversation) -> None:
        """Ask how far the partner is.

        :raises ClientError: the server did not answer.
        """
        self._receipted.add(conversation.name)
        with suppress(Refused):  # Nothing was said there yet.
            await self._client.history(conversation.name, limit=1)

    async def have(self, name: str, seq: int) -> None:
        """Get entry ``seq``, and what is around it."""
        if self._model.conversation(name).holds(seq):
            return
        if self._cache is not None:
            page = await self._cache.page(name, seq + AROUND, PAGE)
            if any(each.seq == seq for each in page):
                self._model.recalled(name, page)
                return
        answer = await self._client.history(name, before=seq + AROUND, limit=PAGE)
        self._came(name, answer.entries, answer.first)

    async def look_up(self, conversation: Conversation, seq: int) -> None:
        """Look up in the cache an entry that is answered, to quote it.

        Only one is looked up at a time: in a flood, the others count as not found.
        """
        if self._cache is None or self._looking_up:
            return
        self._looking_up = True
        if len(conversation.quoted) >= QUOTED:
            conversation.quoted.clear()
        conversation.quoted[seq] = None
        try:
            page = await self._cache.page(conversation.name, seq + 1, 1)
        finally:
            self._looking_up = False
        if seq in conversation.quoted:  # and not deleted meanwhile
            found = (each for each in page if each.seq == seq)
            conversation.quoted[seq] = next(found, None)
            self._redraw()

    def search(self, text: str, conversation: str) -> Found:
        """Begin a search in one conversation, or with an empty name in all."""
        client, cache = self._client, self._cache

        async def ask_server(before: int, skip: int) -> "SearchPage":
            return await client.search(text, conversation, before=before, skip=skip, limit=SEARCHED)

        async def ask_cache(before: int, skip: int) -> Sequence[Entry]:
            assert cache is not None
            return await cache.search(text, conversation, before, SEARCHED, skip)

        return Found(
            ask_server if self._model.connected else None,
            ask_cache if cache is not None else None,
        )

    def cut(self, name: str, last: int, at_end: bool) -> None:
        """So much was missed up to ``last`` that it is not fetched. What is older may have been
        deleted meanwhile: it is dropped, and asked for again, unless somebody is reading it."""
        conversation = self._model.conversation(name)
        conversation.fetched = False
        if name != self._model.open or at_end:
            conversation.forget_below(last + 1)

    async def _recall(self, conversation: Conversation, before: int) -> bool:
        """Look into the cache.

        :returns: whether the server need not be asked.
        """
        name = conversation.name
        if self._cache is None or (not before and conversation.recalled):
            return False
        page = await self._cache.page(name, before, PAGE)
        if not before:
            # Shown at once; what the server says about the newest ones comes on top.
            conversation.recalled = True
            self._model.recalled(name, page)
            self._redraw()
            return False
        run = _ending_at(before - 1, page) if self._model.connected else page
        if not run:
            self._exhausted[name] = before
            return False
        self._model.recalled(name, run)
        return True

    async def _ask(self, conversation: Conversation, before: int) -> None:
        name = conversation.name
        try:
            page = await self._client.history(name, before=before, limit=PAGE)
        except ClientError as error:
            if not is_final(error):
                raise
            # The server would not give it at the next drawing either.
            conversation.fetched = True
            conversation.sealed.add(before)
            if not isinstance(error, Refused) or error.code != NOTHING_THERE:
                raise
            return
        self._came(name, page.entries, page.first)
        if not before:
            self._receipted.add(name)
        numbers = [each.seq for each in page.entries if not before or each.seq < before]
        _seal(conversation, [*(numbers or [0]), before] if before else numbers)

    async def _go_on(self, conversation: Conversation, wish: Wish) -> None:
        """Have the page above ``after``."""
        try:
            page = await self._client.history(conversation.name, after=wish.after, limit=PAGE)
        except ClientError as error:
            if is_final(error):
                conversation.sealed.add(wish.before)
            raise
        self._came(conversation.name, page.entries, page.first)
        above = [each.seq for each in page.entries if each.seq > wish.after]
        between = [seq for seq in above if seq < wish.before]
        # What is held may be older than anything that the server keeps: the page begins above it.
        whole = not above or between != above
        _seal(conversation, [wish.after, *between, *([wish.before] if whole else [])])

    def _came(self, name: str, entries: Sequence[Entry], first: int) -> None:
        self._model.page(name, entries, first)
        if self._cache is not None:
            self._cache.keep(entries)
            self._exhausted.pop(name, None)


def _seal(conversation: Conversation, numbers: Sequence[int]) -> None:
    """Note that the server no longer keeps what a page leaves out between two numbers."""
    for one, next_one in pairwise(sorted(numbers)):
        if next_one > one + 1:
            conversation.sealed.add(next_one)


def _ending_at(seq: int, page: Sequence[Entry]) -> Sequence[Entry]:
    """The end of ``page`` that goes up to ``seq`` without a hole."""
    start = len(page)
    while start and page[start - 1].seq == seq:
        start -= 1
        seq -= 1
    return page[start:]
