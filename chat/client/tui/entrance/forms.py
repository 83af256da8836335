"""The forms before the chat: logging in, registering, another server, another password."""

from collections.abc import Callable, Sequence

from chat.client.language.words import Words
from chat.client.tui.entrance.stage import Entrance
from chat.client.tui.panes.forms import Field, Form, Menu, asked
from chat.client.tui.sentences import INVITATION

__all__ = ["StartForms"]


class StartForms:
    """Asks for what the start needs; one form at most is open, in the place of the menu.

    The first mistake that is found is told below the form, with the field that is to be mended
    selected. What is submitted without one goes to whoever opened the form.

    :param menu: what is shown while no form is.
    :param back: called when a form is left: the menu is to be shown again.
    :ivar open: the form that is shown, None for none.
    """

    def __init__(self, around: Entrance, menu: Menu, back: Callable[[], None]) -> None:
        self.open: Form | None = None
        self._around = around
        self._menu = menu
        self._back = back

    @property
    def _words(self) -> Words:
        return self._around.look.words

    # What is asked for

    def log_in(self, user: str, submit: Callable[[str, str], None]) -> None:
        """Ask for name and password.

        :param user: the name to begin with.
        """
        fields = asked(self._words, "field-name", "field-password")
        fields[0].editor.load(user)

        def judge(values: Sequence[str]) -> None:
            name, password = values[0].strip(), values[1]
            if name and password:
                submit(name, password)
            else:
                self.say("both-needed", bad=True, again=1 if name else 0)

        self._show("menu-login", fields, judge, self._back)

    def register(self, submit: Callable[[str, str, str], None]) -> None:
        """Ask for a new name and twice for a password; for an invitation when one is needed."""
        fields = asked(self._words, "field-new-name", "field-new-password", "field-repeat")

        def judge(values: Sequence[str]) -> None:
            name, password, again, *invitation = values[0].strip(), *values[1:]
            if not (name and password):
                self.say("both-needed", bad=True, again=1 if name else 0)
            elif password != again:
                self.say("passwords-differ", bad=True, again=1)
            else:
                submit(name, password, "".join(invitation))

        self._show("menu-register", fields, judge, self._back)
        self.say("register-hint")

    def server(self, server: str, submit: Callable[[str], None]) -> None:
        """Ask for another server.

        :param server: the one to begin with.
        """
        fields = asked(self._words, "field-server")
        fields[0].editor.load(server)
        self._show("menu-server", fields, lambda values: submit(values[0].strip()), self._back)

    def password(self, submit: Callable[[str, str], None], cancel: Callable[[], None]) -> None:
        """Ask for the old password and twice for a new one."""
        fields = asked(self._words, "field-old-password", "field-new-password", "field-repeat")

        def judge(values: Sequence[str]) -> None:
            if values[1] != values[2]:
                self.say("passwords-differ", bad=True, again=1)
            elif values[0] and values[1]:
                submit(values[0], values[1])

        self._show("password-title", fields, judge, cancel)

    def _show(
        self,
        title: str,
        fields: Sequence[Field],
        submit: Callable[[Sequence[str]], None],
        cancel: Callable[[], None],
    ) -> None:
        self.open = Form(self._around.look, self._words(title), fields, submit, cancel)
        self._around.show_menu(self.open)
        self._around.redraw()

    def ask_for_invitation(self) -> None:
        """Give the form to register a field for a code: the refusal may be for want of one."""
        form = self.open
        if form is not None and len(form.fields) == INVITATION:
            form.fields = [*form.fields, *asked(self._words, "field-invitation")]

    # What is said about it

    def say(self, key: str, bad: bool = False, again: int | None = None, **values: object) -> None:
        """Say a sentence below the form, or below the menu.

        :param key: the sentence, with ``values`` put in.
        :param again: the place of the field that is to be mended.
        """
        self.tell(self._words(key, **values), bad)
        self.mend(again)
        self._around.redraw()

    def tell(self, text: str, bad: bool) -> None:
        """The same with a sentence that is ready; it is drawn with the next change."""
        (self.open or self._menu).say(text, bad)

    def mend(self, place: int | None) -> None:
        """Select the field that is to be mended, if one is."""
        if self.open is not None and place is not None:
            self.open.again(place)

    def wait(self, busy: bool) -> None:
        """Take nothing more from the open form while what it asked for is under way."""
        if self.open is not None:
            self.open.busy = busy
