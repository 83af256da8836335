"""What the keys of the main screen do, one method for each action of the key table."""

from collections.abc import Collection
from typing import Protocol

from chat.client.text import is_character
from chat.client.tui.chat import Chat
from chat.client.tui.commands import helptext
from chat.client.tui.commands import table as commands
from chat.client.tui.commands.keys import PREFIXES, WHEEL, action
from chat.client.tui.commands.listing import Listing
from chat.client.tui.commands.picked import Stage as PickedStage
from chat.client.tui.commands.recall import Recall
from chat.client.tui.commands.switcher import Switcher
from chat.client.tui.commands.table import Kind
from chat.client.tui.commands.verbs import Verbs
from chat.client.tui.desk import Desk
from chat.client.tui.panes.layout import Pane
from chat.client.tui.panes.popups import Choice, Popup

__all__ = ["Actions", "Stage"]

PASTE_LINES = 5
"""Lines of a paste above which it is asked whether it is meant."""

WHEEL_ROWS = 3


class Stage(PickedStage, Protocol):
    """What commands and keys need of what is around the main screen."""

    def clear(self) -> None:
        """Paint the whole terminal anew."""

    def leave(self) -> None:
        """End the program."""

    def edit_outside(self, text: str) -> str:
        """Let the user's editor have the terminal; returns what it made of ``text``."""


class Actions:
    """The keys of the main screen. ``press`` is the entry point; ``do_x`` does action ``x``."""

    def __init__(self, chat: Chat, desk: Desk, stage: Stage, verbs: Verbs) -> None:
        self.chat = chat
        self.desk = desk
        self._stage = stage
        self._verbs = verbs
        self._leaving = False
        self._begun = ""
        self._doubt = commands.Doubt()
        others = (
            Switcher(chat, desk, stage, self.open),
            Recall(chat, desk, stage),
            Listing(chat, desk, self.open),
        )
        self._table = {
            name.removeprefix("do_"): getattr(part, name)
            for part in (self, verbs.picked, *others)
            for name in dir(part)
            if name.startswith("do_")
        }

    @property
    def names(self) -> Collection[str]:
        """Everything that ``do`` can do, besides edits and going to a number."""
        return self._table.keys()

    def press(self, key: str) -> bool:
        """Do what ``key`` means where the focus is.

        :returns: whether it means anything there.
        """
        desk = self.desk
        if self._begun:
            key, self._begun = f"{self._begun} {key}", ""
        if key in PREFIXES:
            self._begun = key
            return True
        # Keys may come faster than drawings: a text never lands in the conversation before.
        desk.follow()
        context = desk.context
        key = _meant(context, key)
        found = action(context, key) or action("everywhere", key)
        if key != "ctrl c" and self._leaving:
            self._leaving = False
            self.chat.unsay(self.desk.look.words("again-to-leave"))
            self.desk.status.changed()
        if found != "send":
            self._doubt = commands.Doubt()
        if self._verbs.steer(found, bool(desk.composer.editor.text)):
            return True
        if found is not None:
            return self.do(found)
        if context == "select" or not is_character(key):
            return False
        self._write(key)
        return True

    def _write(self, key: str) -> None:
        """Put a character where it belongs: into the filter of a list, or into the composer."""
        desk = self.desk
        pane = desk.list_pane()
        if self._begins_command(key):
            desk.write(key)
        elif pane is not None:
            pane.type(key)
        else:
            desk.active = Pane.COMPOSER
            desk.composer.type(key)
            desk.echo()

    def before(self, key: str) -> str | None:
        """The text before the cursor where ``key`` would write; None where it does something
        else."""
        desk, context = self.desk, self.desk.context
        key = _meant(context, key)
        if action(context, key) or action("everywhere", key):
            return None
        if self._begins_command(key):
            return ""
        # A letter right after Esc leaves these, and is written here.
        if is_character(key) and (context == "select" or desk.list_pane() is not None):
            return None
        editor = desk.composer.editor
        return editor.text[: editor.cursor]

    def _begins_command(self, key: str) -> bool:
        """Whether ``key`` is a slash in a list that nothing has narrowed: there it begins a command
        as it does everywhere, and not behind what one was writing."""
        pane = self.desk.list_pane()
        return pane is not None and not pane.filter and key in tuple(commands.SLASHES)

    def do(self, name: str) -> bool:
        """Carry out an action by its name."""
        kind, _, rest = name.partition(" ")
        if kind == "edit":
            self.desk.composer.edit(rest)
            self.desk.echo()
            return True
        if kind.startswith("go_"):
            self._go(int(kind.removeprefix("go_")))
            return True
        return self._table[name]() is not False

    def paste(self, text: str) -> None:
        """Take a paste as one edit, and ask first when it is long. Text copied by whole lines ends
        with a newline that nobody means to send."""
        text = text.rstrip("\n") or text
        lines = text.count("\n") + 1
        if lines <= PASTE_LINES:
            self._insert(text)
            return
        words = self.desk.look.words

        def chosen(value: object) -> None:
            self._stage.pop_up(None)
            if value == "whole":
                self._insert(text)
            elif value == "line":
                self._insert(" ".join(text.split()))

        rows = (("paste-whole", "whole"), ("paste-line", "line"), ("paste-not", "not"))
        choices = [Choice([(None, f" {words(key)}")], value) for key, value in rows]
        title = words("paste-title", n=lines)
        self._stage.pop_up(Popup(self.desk.look, title, lambda typed: choices, chosen))

    def _insert(self, text: str) -> None:
        self.desk.active = Pane.COMPOSER
        self.desk.composer.insert(text)
        self.desk.changed()

    def mouse(self, button: int, column: int, row: int) -> bool:
        """A press of a mouse button; 4 and 5 are the wheel."""
        pane, line = self.desk.pane_at(column, row)
        if button in (4, 5):
            step = -WHEEL_ROWS if button == 4 else WHEEL_ROWS
            lists = {Pane.CONVERSATIONS: self.desk.conversations, Pane.ONLINE: self.desk.online}
            if pane in lists:
                lists[pane].move(step)
            else:
                self.desk.messages.scroll(step)
            return True
        if button != 1:
            return False
        hinted = self.desk.hint_at(column, row)
        if hinted:
            return self.press(hinted)
        self.desk.focus_on(pane)
        if pane is Pane.MESSAGES:
            self._click_message(line)
        elif pane is Pane.COMPOSER and line >= 0:
            self.desk.composer.point(column, line)
        chosen = self.desk.list_pane()
        if chosen is not None and line >= 0:
            place = chosen.item_at(line)
            if place < len(chosen.items()):
                chosen.select(place)
                self.do("choose")
        return True

    def _click_message(self, line: int) -> None:
        messages = self.desk.messages
        seq, answer = messages.entry_at(line), messages.answer_at(line)
        if messages.bar_at(line):
            messages.newest()
        elif answer is not None:
            self._verbs.picked.show_answered(answer)
        elif messages.folded(seq):
            messages.fold()
        elif seq:
            messages.pick(seq)

    # Writing

    def do_send(self) -> None:
        parsed = commands.parse(self.desk.composer.editor.text)
        words = self.desk.look.words
        match parsed.kind:
            case Kind.MESSAGE if self._verbs.going:
                # "/msg ben", Enter, a secret, Enter: never into the conversation before.
                self.chat.say(words(self._verbs.one_moment))
            case Kind.MESSAGE if self._verbs.picked.correcting.under_way:
                self._verbs.correct(parsed.text)
            case Kind.COMMAND | Kind.NOTHING if self._verbs.picked.correcting.under_way:
                self.chat.say(words("editing-first"), bad=True)
            case Kind.MESSAGE if meant := self._doubt.meant(parsed.text):
                self.chat.say(words("slash-missing", meant=meant), bad=True)
            case Kind.MESSAGE:
                if self.chat.send(parsed.text, self.chat.answering):
                    self._clear()
                    self.desk.messages.newest()
            case Kind.UNKNOWN | Kind.BEHIND_SPACE:
                self.chat.say(commands.refused(parsed, words), bad=True)
            case Kind.COMMAND if parsed.command is not None:
                if self._verbs.complete(parsed.command, parsed.text):
                    # First, since it may open another conversation, which may have a draft.
                    self._clear()
                    self._verbs.run(parsed.command, parsed.text)
            case _:
                return
        self.desk.changed()

    def _clear(self) -> None:
        """What was written has been taken. A note about the last action no longer matters."""
        self.chat.note = ""
        self.desk.composer.editor.take()
        self.desk.composer.completion = None
        self.chat.keep_draft("")

    def do_complete(self) -> None:
        if not self.desk.composer.complete() and not self.desk.composer.editor.text:
            self.desk.next_pane()
        self.desk.echo()

    def do_complete_back(self) -> None:
        """Go back to the candidate before; where there is nothing to choose, to the next pane."""
        if self.desk.composer.choosing:
            self.desk.composer.complete(-1)
            self.desk.echo()
        else:
            self.desk.next_pane()

    def do_cancel(self) -> None:
        if self.desk.composer.editor.text:
            self.desk.composer.edit("clear")
            self.desk.echo()
        elif self._verbs.picked.correcting.give_up():
            pass
        elif self.chat.answering:
            self._verbs.picked.answer(0)
        elif self._leaving:
            self._stage.leave()
        else:
            self._leaving = True
            self.chat.say(self.desk.look.words("again-to-leave"))

    def do_end(self) -> None:
        if self.desk.composer.editor.text:
            self.do("edit delete")
        else:
            self._stage.leave()

    def do_editor(self) -> None:
        composer = self.desk.composer
        try:
            composer.editor.replace(self._stage.edit_outside(composer.editor.text))
        except OSError as error:  # no such program
            self._no_editor(f"{error.filename}: {error.strerror}")
        except ValueError as error:  # unbalanced quotes
            self._no_editor(str(error))
        self.desk.changed()

    def _no_editor(self, why: str) -> None:
        self.chat.say(self.desk.look.words("no-editor", error=why), bad=True)

    # Going about

    def do_help(self) -> None:
        helptext.show(self.desk, self._stage, self.desk.context)

    def open(self, name: str) -> None:
        """Show a conversation, and put the focus into the composer."""
        self.chat.open(name)
        for pane in (self.desk.conversations, self.desk.online):
            pane.unfilter(all_of_it=True)
        self.desk.focus_on(Pane.COMPOSER)

    def _go(self, number: int) -> None:
        listed = self.chat.model.listed()
        if number <= len(listed):
            self.open(listed[number - 1].name)

    def _step(self, step: int) -> None:
        listed = [each.name for each in self.chat.model.listed()]
        if listed:
            here = listed.index(self.chat.model.open) if self.chat.model.open in listed else 0
            self.open(listed[(here + step) % len(listed)])

    def do_previous(self) -> None:
        self._step(-1)

    def do_next(self) -> None:
        self._step(1)

    def do_next_active(self) -> None:
        found = self.chat.model.next_active()
        if found is None:
            self.chat.say(self.desk.look.words("nothing-unread"))
        else:
            self.open(found.name)

    def do_next_pane(self) -> None:
        self.desk.next_pane()

    def do_back(self) -> None:
        pane = self.desk.list_pane()
        if pane is not None and pane.unfilter(all_of_it=True):
            return
        if self.desk.active is Pane.COMPOSER and self._verbs.picked.correcting.give_up():
            return
        if self.desk.active is Pane.COMPOSER and self.chat.answering:
            self.chat.answer(0)
        elif self.desk.active is Pane.COMPOSER:
            self.desk.messages.newest()
        self.desk.focus_on(Pane.COMPOSER)

    def do_toggle_conversations(self) -> None:
        self.desk.toggle(Pane.CONVERSATIONS)

    def do_toggle_online(self) -> None:
        self.desk.toggle(Pane.ONLINE)

    def do_fold(self) -> None:
        self.desk.messages.fold()

    def do_redraw(self) -> None:
        self.desk.changed()
        self._stage.clear()

    def do_reconnect(self) -> None:
        self.chat.client.reconnect_now()

    def do_quit(self) -> None:
        self._stage.leave()

    # Messages

    def do_page_up(self) -> None:
        self.desk.messages.page(-1)

    def do_page_down(self) -> None:
        self.desk.messages.page(1)

    def do_line_up(self) -> None:
        self.desk.messages.scroll(-1)

    def do_line_down(self) -> None:
        self.desk.messages.scroll(1)

    def do_oldest(self) -> None:
        self.desk.messages.oldest()

    def do_newest(self) -> None:
        self.desk.messages.newest()

    def do_first_unread(self) -> None:
        conversation = self.chat.model.current
        if conversation is not None and conversation.divider is not None:
            self.chat.spawn(self._first_unread(conversation.name, conversation.divider + 1))
        else:
            self.chat.say(self.desk.look.words("nothing-unread"))

    async def _first_unread(self, name: str, seq: int) -> None:
        await self.chat.history.have(name, seq)
        self.desk.messages.go_to(seq)
        self.desk.changed()

    def do_search(self) -> None:
        self.desk.write("/search ")

    def do_retry(self) -> None:
        if not self.chat.retry():
            self.chat.say(self.desk.look.words("nothing-failed"))


def _meant(context: str, key: str) -> str:
    """What a wheel's arrow means: the keyboard's arrow, unless it has a meaning of its own."""
    return key if action(context, key) else key.removeprefix(WHEEL)
