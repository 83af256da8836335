"""Finds a conversation, a person or a command by a part of its name, and goes there."""

from collections.abc import Callable, Iterator

from chat.client.conversation import Conversation
from chat.client.tui.chat import Chat
from chat.client.tui.commands import table as commands
from chat.client.tui.commands.picked import Stage
from chat.client.tui.desk import Desk
from chat.client.tui.panes.pane import meant
from chat.client.tui.panes.popups import Choice, Popup, in_columns
from chat.client.tui.telling import Telling
from chat.messages import User

__all__ = ["Switcher"]

MOST = 200
"""Rows: nobody scrolls through more, and there may be thousands of people."""

NAME_COLUMNS = 20
"""Of the names, whatever is typed: what is said of them should not move meanwhile."""

COLUMNS = 64
"""For a command and what it does: those are listed only when something is typed."""


Target = Conversation | User | commands.Command


class Switcher:
    """``do_switch`` asks where to go.

    :param open_conversation: called with the name of the conversation that was chosen.
    """

    def __init__(
        self, chat: Chat, desk: Desk, stage: Stage, open_conversation: Callable[[str], None]
    ) -> None:
        self._chat = chat
        self._desk = desk
        self._stage = stage
        self._open = open_conversation

    def do_switch(self) -> None:
        look = self._desk.look
        title = look.words("switch-title")
        self._stage.pop_up(Popup(look, title, self._targets, self._switch_to, COLUMNS))

    def _targets(self, typed: str) -> list[Choice]:
        """Conversations, people, commands: what begins as typed before what has it; and behind
        them the commands that do it."""
        wanted = meant(typed)
        everything = ((name.casefold(), target) for name, target in self._all(not typed))
        matching = [(name, target) for name, target in everything if wanted in name]
        matching.sort(key=lambda each: not each[0].lstrip("#@/").startswith(wanted.lstrip("#@/")))
        named = [target for _, target in matching]
        others = [each for each in self._described(wanted) if each not in named]
        found = [*map(self._row, [*named[:MOST], *others]), *self._further(wanted)]
        return in_columns(found, self._desk.columns, NAME_COLUMNS)

    def _all(self, at_first: bool) -> Iterator[tuple[str, Target]]:
        """Everything that one could go to, by the name by which it is found: first where one was
        before, conversations by recency, and where one is behind them.

        :param at_first: nothing was typed yet; what was put away, and commands, are left out.
        """
        model, look = self._chat.model, self._desk.look
        near = {model.before: -1, model.open: 1}
        found = model.listed() if at_first else model.conversations.values()
        for each in sorted(found, key=lambda each: (near.get(each.name, 0), -each.active)):
            yield f"{'@' if each.private else ''}{look.line(model.title(each))}", each
        talked = {each.name for each in model.privates()}
        for user in model.online():
            if f"@{user.user_id}" not in talked and user.user_id != model.me.user_id:
                yield f"@{look.line(user.user_name)}", user
        for command in () if at_first else commands.COMMANDS:
            yield " ".join(f"/{each}" for each in command.names), command

    def _row(self, target: Target) -> tuple[str, str, object]:
        """What a target is called, what there is to say about it, and what is chosen with it."""
        words = self._desk.look.words
        match target:
            case Conversation():
                telling = Telling(self._chat.model, self._desk.look)
                return telling.title(target), telling.about(target), target.name
            case User():
                name = self._chat.name_of(target.user_id, target.user_name)
                return name, words("switch-person"), f"@{target.user_id}"
        return f"/{target.names[0]}", words(target.help), target

    def _further(self, typed: str) -> Iterator[tuple[str, str, object]]:
        """Rooms that the user is not in and people who are not online, by their whole name."""
        words, name = self._desk.look.words, typed.strip().lstrip("#@")
        if not name or typed.startswith("/"):
            return
        for sign, written, help_key in (
            ("#", f"/join #{name}", "cmd-join"),
            ("@", f"/msg {name}", "cmd-msg"),
        ):
            if typed[0] not in "#@" or typed[0] == sign:
                yield written, words(help_key), written

    def _described(self, wanted: str) -> Iterator[commands.Command]:
        """Commands whose description has a word that begins like this; Chinese has no spaces
        between words."""
        words, begun = self._desk.look.words, f" {wanted}" if wanted.isascii() else wanted
        if wanted.strip():
            for command in commands.COMMANDS:
                if begun in f" {words(command.help).casefold()}":
                    yield command

    def _switch_to(self, value: object) -> None:
        self._stage.pop_up(None)
        if isinstance(value, commands.Command):
            self._desk.write(f"/{value.names[0]} ")
        elif str(value).startswith("/"):
            # What is typed on is what is to be said there, and no part of the name.
            self._desk.write(f"{value} ")
        else:
            self._open(str(value))
