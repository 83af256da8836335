"""What a search found: from this machine at once, from the server as it answers, page by page."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from chat.client.errors import ClientError
from chat.client.text import clip
from chat.client.tui.popups import Choice, Popup, narrowed
from chat.messages import Entry

if TYPE_CHECKING:
    from chat.client.api import SearchPage
    from chat.client.tui.chat import Chat

__all__ = ["MORE", "Found", "SearchPopup"]

PAGE = 50
"""Results asked for at a time, two screens of them."""

SNIPPET_COLUMNS = 60

MORE: Final = "more"
"""The value of the row that asks for older results."""

AskServer = Callable[[int, int], Awaitable["SearchPage"]]
AskCache = Callable[[int, int], Awaitable[Sequence[Entry]]]
"""Results older than a moment in ms, 0 for the newest, without the first so many."""


class Found:
    """The results so far, the newest first, each once.

    :param server: None while there is no connection.
    :param cache: None where nothing is kept on this machine.
    """

    def __init__(self, server: AskServer | None, cache: AskCache | None) -> None:
        self.entries: list[Entry] = []
        self.searching = False
        self._server = server
        self._cache = cache
        self._rest = self._cached = (0, 0)

    @property
    def more(self) -> bool:
        """Whether there may be older ones."""
        return self._server is not None or self._cache is not None

    async def look(self, changed: Callable[[], None]) -> None:
        """Have a page more of each source.

        :raises ClientError: the server gave none; what is here can be asked further.
        """
        if self.searching:
            return
        self.searching = True
        try:
            await self._look_here()
            changed()
            await self._ask_server()
        finally:
            self.searching = False
            changed()

    async def _look_here(self) -> None:
        if self._cache is None:
            return
        before, skip = self._cached
        page = await self._cache(before, skip)
        self._add(page)
        if len(page) < PAGE:
            self._cache = None
        else:
            # Many may be of the same ms.
            last = page[-1].time
            same = sum(each.time == last for each in page)
            self._cached = last + 1, same + (skip if last + 1 == before else 0)

    async def _ask_server(self) -> None:
        if self._server is None:
            return
        asking, self._server = self._server, None
        page = await asking(*self._rest)
        self._add(page.entries)
        if page.more:
            self._server, self._rest = asking, (page.before, page.skip)

    def _add(self, entries: Sequence[Entry]) -> None:
        known = {(each.conversation, each.seq) for each in self.entries}
        self.entries += [e for e in entries if (e.conversation, e.seq) not in known]
        self.entries.sort(key=lambda each: -each.time)


class SearchPopup(Popup):
    """Results to choose from; the last row asks for older ones.

    :param text: what was searched.
    :param title_of: what a conversation is called, None where there is only one.
    :param open_entry: called with what was chosen.
    :param redraw: called when the chat has brought something.
    """

    texts = True

    def __init__(
        self,
        chat: "Chat",
        found: Found,
        text: str,
        title_of: Callable[[str], str] | None,
        open_entry: Callable[[Entry], None],
        redraw: Callable[[], None],
    ) -> None:
        super().__init__(chat.look, "", self._rows, self._chosen)
        self._chat = chat
        self._found = found
        self._text = text
        self._title_of = title_of
        self._open = open_entry
        self._redraw = redraw

    def title(self) -> str:
        words = self.look.words
        if self._found.searching and not self._found.entries:
            return words("searching", text=self.look.line(self._text))
        key = "search-title-more" if self._found.more else "search-title"
        return words(key, n=len(self._found.entries), text=self.look.line(self._text))

    def go_on(self) -> None:
        """Look for a page more."""
        self._chat.spawn(self._go_on())

    async def _go_on(self) -> None:
        try:
            await self._found.look(self._came)
        except ClientError:
            if not self._found.entries:
                raise

    def _came(self) -> None:
        self.renew()
        self._redraw()

    def _rows(self, typed: str) -> Sequence[Choice]:
        rows = narrowed([self._hit(each) for each in self._found.entries], typed)
        if not self._found.more or self._found.searching:
            return rows
        return [*rows, Choice([("hint key", f" {self.look.words('search-older')}")], MORE)]

    def _hit(self, entry: Entry) -> Choice:
        look = self.look
        moment = look.when(entry.time)
        text = clip(look.line(entry.content), SNIPPET_COLUMNS, look.glyphs.ellipsis)
        where = self._title_of(entry.conversation) if self._title_of is not None else ""
        who = self._chat.name_of(entry.user_id, entry.user_name)
        return Choice(
            [
                ("dim", f" {moment:%m-%d %H:%M} "),
                ("dim", f"{where} " if where else ""),
                (look.colour(entry.user_id), f"{who} "),
                (None, text),
            ],
            entry,
        )

    def _chosen(self, value: object) -> None:
        if value == MORE:
            self.go_on()
        elif isinstance(value, Entry):
            self._open(value)
