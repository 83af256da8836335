"""Before the chat: the menu, the forms, starting a server here, the remembered login."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from chat.client.errors import ClientError, NotConnected, Refused, Untrusted
from chat.client.files.paths import Profile
from chat.client.language.cli_words import Phrases
from chat.client.language.reasons import reason
from chat.client.language.words import LANGUAGES, Words
from chat.client.network.address import server_string, shown
from chat.client.tui.entrance.forms import StartForms
from chat.client.tui.entrance.knocking import Knocking
from chat.client.tui.entrance.local_server import is_local, is_vacant, start_server
from chat.client.tui.entrance.login import Entered, Login, NoDevice
from chat.client.tui.entrance.stage import Entrance
from chat.client.tui.panes.forms import Menu, MenuItem
from chat.client.tui.sentences import (
    INVITATION,
    account_flaw,
    login_flaw,
    password_flaw,
    sentence,
)

__all__ = ["Start"]

PROBE_SECONDS = 10.0
"""How long a server started here may take before we say that it doesn't come."""

PROBE_EVERY = 0.2


class Start:
    """Everything up to the moment somebody is logged in.

    :param server: a Twisted client endpoint string, or ``host:port``.
    :param cached: keep what was said on this machine.
    :ivar user: who was logged in last, empty for nobody.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        around: Entrance,
        profile: Profile,
        server: str,
        user: str,
        ca: Path | None = None,
        cached: bool = True,
    ) -> None:
        self._reactor = reactor
        self._around = around
        self._profile = profile
        self.server = server
        self.user = user
        self._ca = ca
        self._cached = cached
        self._absent = ""
        """Why no server answers; empty while nobody knows that none does."""
        self._doubted: Untrusted | None = None
        self._starting = False
        self._knocking = Knocking(reactor, lambda: self._login().reach(), self._waits, self._opened)
        self.busy = False
        """Whether something is under way."""
        self.menu = Menu(around.look, self._items)
        self.menu.server = shown(server)
        self._forms = StartForms(around, self.menu, self.show_menu)

    @property
    def _words(self) -> Words:
        return self._around.look.words

    # The menu

    def begin(self) -> None:
        """Log in with the remembered token, or see whether a server answers."""
        if self.user:
            self._run(self._resume())
        else:
            self._run(self._probe())

    def show_menu(self, message: str = "", bad: bool = False) -> None:
        """The menu, with a sentence below."""
        self._forms.open = None
        self.menu.look = self._around.look
        self.menu.server = shown(self.server)
        self.menu.say(message, bad)
        self._around.show_menu(self.menu)
        self._around.redraw()
        if self._absent:
            self._knocking.begin()

    def _items(self) -> Sequence[MenuItem]:
        items = [
            MenuItem("menu-login", self.log_in_form),
            MenuItem("menu-register", self.register_form),
            MenuItem("menu-server", self._server_form),
            MenuItem("menu-language", self._other_language),
        ]
        # What comes and goes is behind what stays, whose numbers may be on their way to be pressed.
        if is_vacant(self.server, self._absent) and not self._starting:
            items.append(MenuItem("menu-start-server", self._start_server))
        if self._absent and self.user:
            items.append(MenuItem("menu-offline", self._go_offline))
        if self._doubted is not None and not self._doubted.accepted:
            items.append(MenuItem("menu-trust", self._believe))
        return [*items, MenuItem("menu-leave", self._around.leave)]

    def _other_language(self) -> None:
        here = LANGUAGES.index(self._words.language)
        words = Words(LANGUAGES[(here + 1) % len(LANGUAGES)])
        self._around.restyle(self._around.look.with_words(words))
        self.menu.look = self._around.look
        self.menu.say("")

    # Is there a server?

    async def _probe(self) -> None:
        self.menu.say(self._words("probing"))
        await self._login().reach()
        self._absent = ""
        self.menu.say(self._words("server-answers"))
        self._around.redraw()

    def _waits(self) -> bool | None:
        """Whether somebody is before the menu, which says that no server answers."""
        return None if self.busy else bool(self._absent) and self._forms.open is None

    def _opened(self) -> None:
        """One does by now: go on as at the start."""
        self._absent = ""
        self.begin()

    def _start_server(self) -> None:
        self._run(self._have_server())

    async def _have_server(self) -> None:
        self._starting = True
        self.menu.say(self._words("starting-server"))
        self._around.redraw()
        try:
            process, logfile = start_server(self.server, self._profile.state, self._words.language)
            until = self._reactor.seconds() + PROBE_SECONDS
            while self._reactor.seconds() < until and process.poll() is None:
                with suppress(NotConnected):
                    await self._login().reach()
                    self._absent = ""
                    if self.user:
                        await self._resume()
                        return
                    # Nobody has an account on a new server.
                    self.menu.select("menu-register")
                    self.menu.say(self._words("server-started", pid=process.pid, log=logfile))
                    return
                await deferLater(self._reactor, PROBE_EVERY)
            self.menu.say(self._words("server-failed", log=logfile), bad=True)
        finally:
            self._starting = False
            self._around.redraw()

    # Forms

    def log_in_form(self) -> None:
        """Ask for name and password."""
        self._forms.log_in(self.user, lambda *given: self._run(self._enter(*given)))

    def register_form(self) -> None:
        """Ask for a new name and a password twice."""
        self._forms.register(lambda *given: self._run(self._make(*given)))

    def _server_form(self) -> None:
        self._forms.server(shown(self.server), self._try_server)

    def _try_server(self, server: str) -> None:
        self.server = server or self.server
        self._absent, self._doubted = "", None
        self.show_menu()
        self._run(self._probe())

    def password_form(
        self, change: Callable[[str, str], Awaitable[None]], cancel: Callable[[], None]
    ) -> None:
        """Ask for the old password and twice for a new one, until it is changed."""
        self._forms.password(
            lambda old, new: self._run(self._change_password(change, old, new)), cancel
        )

    async def _change_password(
        self, change: Callable[[str, str], Awaitable[None]], old: str, new: str
    ) -> None:
        try:
            await change(old, new)
        except Refused as error:
            flaw, place = password_flaw(error, new, self._words)
            self._forms.mend(place)
            raise Refused(error.code, flaw) from None
        self._forms.open = None

    # Logging in

    async def _make(self, name: str, password: str, invitation: str) -> None:
        self._forms.say("registering")
        client = self._login().client()
        try:
            await client.register(name, password, invitation=invitation)
        except Refused as error:
            flaw, place = account_flaw(error, name, password, self._words)
            if place == INVITATION:
                self._forms.ask_for_invitation()
            self._forms.mend(place)
            raise Refused(error.code, flaw, error.retry_after) from None
        finally:
            await client.close()
        await self._enter(name, password, fresh=True)

    def _distrust(self, error: Untrusted) -> None:
        """Show what the server showed. To believe it has to be chosen, it is not what Enter does.

        A certificate that changed can't be chosen: who only wants to go on would.
        """
        self._doubted = error
        key = "certificate-changed" if error.accepted else "certificate-unknown"
        why = reason(error.why, self._words)
        values = {"reason": why, "new": error.fingerprint, "old": error.accepted}
        self.show_menu(self._words(key, **values), bad=True)
        self.menu.select("menu-server")

    def _believe(self) -> None:
        if self._doubted is not None:
            server = server_string(self.server)
            try:
                self._profile.known_servers.accept(server, self._doubted.fingerprint)
            except OSError as error:
                self._unwritable(error)
                self._around.redraw()
                return
            self._doubted = None
        self.begin()

    async def _resume(self, offline: bool = False) -> None:
        """Go on by the remembered token. A server elsewhere is not waited for; without one here,
        the menu has something better to offer."""
        if self._login().has_token(self.user):
            await self._enter(self.user, at_once=offline or not is_local(self.server))
        else:
            self.log_in_form()
            if self._profile.logged_in(self.server, self.user):
                self._forms.say("another-window", name=self.user)

    def _go_offline(self) -> None:
        self._run(self._resume(offline=True))

    async def _enter(
        self, name: str, password: str = "", at_once: bool = False, fresh: bool = False
    ) -> None:
        """Log in; without a password, by the device's token. ``fresh``: a new account."""
        self._forms.say("logging-in")
        login = self._login()
        if password:
            entered = await self._logged_in(login, name, password)
        else:
            entered = await login.by_token(name, at_once)
        self.user, self._absent = name, ""
        self._around.enter(entered)
        if fresh:
            self._around.welcome()
        finishing = Deferred.fromCoroutine(login.finish(entered))
        # If the login is refused now, the chat tells it, since the link stops.
        finishing.addErrback(lambda failure: failure.trap(ClientError) and None)
        finishing.addErrback(lambda failure: self.log.failure("the login went wrong", failure))

    async def _logged_in(self, login: Login, name: str, password: str) -> Entered:
        try:
            return await login.by_password(name, password)
        except Refused as error:
            flaw, place = login_flaw(error, self._words)
            self._forms.mend(place)
            raise Refused(error.code, flaw, error.retry_after) from None

    def _login(self) -> Login:
        language = self._words.language
        return Login(self._reactor, self._profile, self.server, self._ca, self._cached, language)

    def _run(self, work: Any) -> None:
        self.busy = True
        self._forms.wait(True)

        def ready(result: Any) -> Any:
            self.busy = False
            self._forms.wait(False)
            return result

        Deferred.fromCoroutine(work).addBoth(ready).addErrback(self._wrong)

    def _wrong(self, failure: Any) -> None:
        if isinstance(failure.value, Untrusted):
            self._distrust(failure.value)
        elif failure.check(NotConnected):
            self._unanswered(str(failure.value))
        elif failure.check(NoDevice):
            self._forms.say("no-device", bad=True)
        elif failure.check(Refused) and self._forms.open is None:
            self.log_in_form()
            self._forms.say("log-in-again", bad=True)
        elif failure.check(ClientError):
            self._forms.tell(sentence(failure.value, self._words), bad=True)
        elif failure.check(ValueError):
            self._forms.say("bad-server-address", bad=True, server=shown(self.server))
        elif failure.check(OSError):
            self._unwritable(failure.value)
        else:
            self.log.failure("the login went wrong", failure)
            self._forms.say("internal-error", bad=True)
        self._around.redraw()

    def _unwritable(self, error: OSError) -> None:
        phrases = Phrases(self._words.language)
        self._forms.tell(phrases.unwritable(error), bad=True)

    def _unanswered(self, why: str) -> None:
        self._absent = why
        if self._forms.open is None:
            self.menu.selected = 0
            self.menu.select("menu-start-server")
            self.show_menu()
            key = "no-server" if is_vacant(self.server, why) else "no-server-far"
        else:
            key = "no-server-form"  # the form keeps what was typed; Esc leads to the menu
        why = reason(why, self._words)
        self._forms.say(key, bad=True, server=shown(self.server), reason=why)
