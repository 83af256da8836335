"""Before the chat: the menu, the forms, a server of one's own, the remembered login."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chat.client.errors import ClientError, NotConnected, Refused
from chat.client.outbox import Outbox, OutboxBusy
from chat.client.paths import DeviceSlot, Profile
from chat.client.tui.editor import Editor
from chat.client.tui.forms import Field, Form, Menu, MenuItem
from chat.client.tui.look import Look
from chat.messages import User

if TYPE_CHECKING:
    from chat.client.api import ChatClient

__all__ = ["Entrance", "Start", "start_server"]

PROBE_SECONDS = 10.0
"""How long a server started here may take before we say that it doesn't come."""

PROBE_EVERY = 0.2


class Entrance(Protocol):
    """What the start needs of what is around it."""

    look: Look

    def show_menu(self, widget: Menu | Form) -> None:
        """Have it on the screen."""

    def redraw(self) -> None:
        """Something changed; draw soon."""

    def enter(self, client: "ChatClient", user: User, slot: DeviceSlot, directory: Path) -> None:
        """Somebody is logged in: the chat begins."""

    def leave(self) -> None:
        """End the program."""

    def restyle(self, look: Look) -> None:
        """Another language from now on."""


class Start:
    """Everything up to the moment somebody is logged in.

    :param server: a Twisted client endpoint string, or ``host:port``.
    :param local: where a server started here listens; empty when there is none to be started.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, around: Entrance, profile: Profile, server: str, user: str
    ) -> None:
        self._reactor = reactor
        self._around = around
        self._profile = profile
        self.server = server
        self._user = user
        self._answers: bool | None = None
        self._starting = False
        self.menu = Menu(around.look, self._items)
        self.menu.server = server
        self._form: Form | None = None

    # The menu

    def begin(self) -> None:
        """Log in with the remembered token, or see whether a server answers."""
        if self._user:
            self._run(self._resume())
        else:
            self._run(self._probe())

    def show_menu(self, message: str = "", bad: bool = False) -> None:
        """The menu, with a sentence below."""
        self._form = None
        self.menu.look = self._around.look
        self.menu.server = self.server
        self.menu.say(message, bad)
        self._around.show_menu(self.menu)
        self._around.redraw()

    def _items(self) -> Sequence[MenuItem]:
        items = [
            MenuItem("menu-login", self.log_in_form),
            MenuItem("menu-register", self.register_form),
        ]
        if self._answers is False and not self._starting and _is_local(self.server):
            items.insert(0, MenuItem("menu-start-server", self._start_server))
        return [
            *items,
            MenuItem("menu-server", self._server_form),
            MenuItem("menu-language", self._other_language),
            MenuItem("menu-leave", self._around.leave),
        ]

    def _other_language(self) -> None:
        from chat.client.words import LANGUAGES, Words

        here = LANGUAGES.index(self._around.look.words.language)
        words = Words(LANGUAGES[(here + 1) % len(LANGUAGES)])
        self._around.restyle(self._around.look.with_words(words))
        self.menu.look = self._around.look
        self.menu.say("")

    # Is there a server?

    async def _probe(self) -> None:
        words = self._around.look.words
        self.menu.say(words("probing"))
        self._answers = await self._reachable()
        if self._answers:
            self.menu.say(words("server-answers"))
        else:
            self.menu.selected = 0
            self.menu.say(words("no-server", server=self.server), bad=True)
        self._around.redraw()

    async def _reachable(self) -> bool:
        try:
            client = self._client()
        except ValueError:
            return False
        try:
            await client.connect(timeout=0)
        except ClientError:
            return False
        finally:
            await client.close()
        return True

    def _start_server(self) -> None:
        self._run(self._have_server())

    async def _have_server(self) -> None:
        words = self._around.look.words
        self._starting = True
        self.menu.say(words("starting-server"))
        self._around.redraw()
        try:
            process, logfile = start_server(self.server, self._profile.state)
            until = self._reactor.seconds() + PROBE_SECONDS
            while self._reactor.seconds() < until and process.poll() is None:
                if await self._reachable():
                    self._answers = True
                    # Nobody has an account on a new server.
                    self.menu.select("menu-register")
                    self.menu.say(words("server-started", pid=process.pid, log=logfile))
                    return
                await _pause(self._reactor, PROBE_EVERY)
            self.menu.say(words("server-failed", log=logfile), bad=True)
        finally:
            self._starting = False
            self._around.redraw()

    # Forms

    def _show(self, form: Form) -> None:
        self._form = form
        self._around.show_menu(form)
        self._around.redraw()

    def log_in_form(self) -> None:
        """Ask for name and password."""
        words = self._around.look.words
        fields = [
            Field(words("field-name"), _editor(self._user)),
            Field(words("field-password"), Editor(raw=True), hidden=True),
        ]
        self._show(Form(self._around.look, words("menu-login"), fields, self._log_in, self._back))

    def register_form(self) -> None:
        """Ask for a new name and a password twice."""
        words = self._around.look.words
        fields = [
            Field(words("field-new-name")),
            Field(words("field-new-password"), Editor(raw=True), hidden=True),
            Field(words("field-repeat"), Editor(raw=True), hidden=True),
        ]
        form = Form(self._around.look, words("menu-register"), fields, self._register, self._back)
        self._show(form)

    def _server_form(self) -> None:
        words = self._around.look.words
        fields = [Field(words("field-server"), _editor(self.server))]

        def submit(values: Sequence[str]) -> None:
            self.server = values[0].strip() or self.server
            self._answers = None
            self.show_menu()
            self._run(self._probe())

        self._show(Form(self._around.look, words("menu-server"), fields, submit, self._back))

    def password_form(self, change: Callable[[str, str], None], cancel: Callable[[], None]) -> None:
        """Ask for the old password and twice for a new one."""
        words = self._around.look.words
        fields = [
            Field(words(key), Editor(raw=True), hidden=True)
            for key in ("field-old-password", "field-new-password", "field-repeat")
        ]

        def submit(values: Sequence[str]) -> None:
            if values[1] != values[2]:
                self._say("passwords-differ", bad=True)
            elif values[0] and values[1]:
                self._form = None
                change(values[0], values[1])

        self._show(Form(self._around.look, words("cmd-password"), fields, submit, cancel))

    def _back(self) -> None:
        self.show_menu()

    def _log_in(self, values: Sequence[str]) -> None:
        name, password = values[0].strip(), values[1]
        if name and password:
            self._run(self._enter(name, password))
        else:
            self._say("both-needed", bad=True)

    def _register(self, values: Sequence[str]) -> None:
        name, password, again = values[0].strip(), values[1], values[2]
        if not (name and password):
            self._say("both-needed", bad=True)
        elif password != again:
            self._say("passwords-differ", bad=True)
        else:
            self._run(self._make(name, password))

    def _say(self, key: str, bad: bool = False, **values: object) -> None:
        shown = self._form or self.menu
        shown.say(self._around.look.words(key, **values), bad)
        self._around.redraw()

    # Logging in

    async def _make(self, name: str, password: str) -> None:
        self._say("registering")
        client = self._client()
        try:
            await client.register(name, password)
        finally:
            await client.close()
        await self._enter(name, password)

    async def _resume(self) -> None:
        slot = self._profile.device(self.server, self._user)
        token = slot.token if slot is not None else ""
        if slot is not None:
            slot.close()
        if token:
            await self._enter(self._user, "")
        else:
            self.log_in_form()

    async def _enter(self, name: str, password: str) -> None:
        """Log in; an empty password: by the device's token."""
        slot = self._profile.device(self.server, name)
        if slot is None:
            self._say("no-device", bad=True)
            return
        directory = self._profile.account(self.server, name)
        self._say("logging-in")
        client = None
        try:
            client = self._client(device=slot.device, outbox=_outbox(directory))
            if password:
                user = await client.log_in(name, password, timeout=0)
            else:
                user = await client.log_in(name, token=slot.token, timeout=0)
        except BaseException:
            if client is not None:
                await client.close()
            slot.close()
            raise
        slot.keep(client.token)
        self._profile.remember(self.server, name)
        self._user = name
        self._around.enter(client, user, slot, directory)

    def _client(self, **more: Any) -> "ChatClient":
        # Imported only now: TLS and endpoints take as long as everything else before the menu.
        from chat.client.api import ChatClient

        return ChatClient(self._reactor, self.server, **more)

    def _run(self, work: Any) -> None:
        if self._form is not None:
            self._form.busy = True

        def ready(result: Any) -> Any:
            if self._form is not None:
                self._form.busy = False
            return result

        Deferred.fromCoroutine(work).addBoth(ready).addErrback(self._wrong)

    def _wrong(self, failure: Any) -> None:
        words = self._around.look.words
        if failure.check(NotConnected):
            self._answers = False
            self.show_menu(words("no-server", server=self.server), bad=True)
        elif failure.check(Refused) and self._form is None:
            self.log_in_form()
            self._say("log-in-again", bad=True)
        elif failure.check(ClientError, ValueError):
            (self._form or self.menu).say(str(failure.value), bad=True)
        else:
            self.log.failure("the login went wrong", failure)
            (self._form or self.menu).say(words("internal-error"), bad=True)
        self._around.redraw()


def _editor(text: str) -> Editor:
    editor = Editor()
    editor.load(text)
    return editor


def _outbox(directory: Path) -> Outbox:
    """The account's outbox; one of our own, in memory, while another program has that open."""
    try:
        return Outbox(directory / "outbox")
    except OutboxBusy:
        return Outbox()


def _is_local(server: str) -> bool:
    return any(each in server for each in ("127.0.0.1", "localhost", "::1"))


def _pause(reactor: Any, seconds: float) -> Deferred[None]:
    waiting: Deferred[None] = Deferred()
    reactor.callLater(seconds, waiting.callback, None)
    return waiting


def start_server(server: str, state: Path) -> tuple["subprocess.Popen[bytes]", Path]:
    """Start a server in the background where ``server`` says; it goes on when the client ends.

    :param state: where its log file is put.
    :returns: the process and its log file.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    logfile = state / "server.log"
    port = server.rpartition(":")[2]
    twistd = "from twisted.scripts.twistd import run; run()"
    command = [sys.executable, "-c", twistd, "-n", "--pidfile=", "chatroom"]
    command += ["--listen", f"tcp:{port if port.isdigit() else 8889}:interface=127.0.0.1"]
    with open(os.open(logfile, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, logfile
