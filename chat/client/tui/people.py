"""Who is online, and whom one has blocked: asked of the server for the model, as it is needed."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from chat.client.model import Model
from chat.client.tui.view import View
from chat.messages import User

if TYPE_CHECKING:
    from chat.client.api import ChatClient
    from chat.client.files.cache import Cache

__all__ = ["People"]

MOST_PEOPLE = 5_000
"""Users who are listed as online: nobody scrolls through more."""

Spawn = Callable[[Coroutine[Any, Any, Any]], object]


class People:
    """Keeps what a ``Model`` knows of other people up to date.

    :param cache: keeps whom one has blocked, which has to be known without a server too.
    :param spawn: lets work go on by itself, and tells the user what goes wrong.
    """

    def __init__(
        self, client: "ChatClient", model: Model, view: View, cache: "Cache | None", spawn: Spawn
    ) -> None:
        self._client = client
        self._model = model
        self._view = view
        self._cache = cache
        self._spawn = spawn
        self._watching: list[int] = []
        self._asking_online = False

    def logged_in(self) -> None:
        """There is a connection: what changed meanwhile is asked for."""
        self.refresh_online()
        self._spawn(self.ask_blocks())

    def refresh_online(self) -> None:
        """Ask for the list of who is online, unless that is under way."""
        if not self._asking_online:
            self._asking_online = True
            self._spawn(self.ask_online())

    async def ask_online(self) -> None:
        """Get the whole list of who is online.

        :raises ClientError: the server did not give it.
        """
        try:
            users = await self._client.online(enough=MOST_PEOPLE)
        finally:
            self._asking_online = False
        self._model.people_are(users)
        self._view.redraw()

    def watch_shown(self) -> None:
        """Where the server tells of watched users only, watch those who are on the screen."""
        wanted = self._view.watching() if self._model.watched else self._watching
        if wanted != self._watching:
            self._watching = wanted
            self._spawn(self._watch(wanted))

    async def _watch(self, users: list[int]) -> None:
        self._model.people_changed(await self._client.watch(users))
        self._view.redraw()

    async def ask_blocks(self) -> list[User]:
        """Get the list of those whom one has blocked: what they say in rooms is not shown.

        :raises ClientError: the server did not give it.
        """
        users = await self._client.blocks()
        self._model.blocked_are(frozenset(each.user_id for each in users))
        self.keep_blocked()
        self._view.redraw()
        return users

    def keep_blocked(self) -> None:
        """Have the cache know whom one has blocked."""
        if self._cache is not None:
            self._cache.blocked(self._model.blocked)
