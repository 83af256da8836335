"""The main screen: three panes, status line, composer, hints, and which of them has the focus."""

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import urwid

from chat.client import events
from chat.client.language.reasons import reason
from chat.client.text import clip, fold, width
from chat.client.tui.chat import Chat
from chat.client.tui.commands.completing import candidates, is_offered
from chat.client.tui.commands.keys import Key, hints, key_name
from chat.client.tui.look import Look
from chat.client.tui.panes.composer import Composer
from chat.client.tui.panes.draw import Drawn, Row, Run, canvas, joined, stacked
from chat.client.tui.panes.layout import Layout, Pane, arrange
from chat.client.tui.panes.messages import Wish
from chat.client.tui.panes.pane import ListPane
from chat.client.tui.panes.pane import Pane as PaneWidget
from chat.client.tui.panes.people import ConversationsPane, OnlinePane
from chat.client.tui.panes.picking import PickingPane
from chat.client.tui.telling import Telling
from chat.messages import BUSY

__all__ = ["Desk", "StatusLine"]

CONTENT_LIMIT = 16_384
"""Bytes of a message that a server takes as a rule, where it does not say how many."""

COMPLETE = Key("composer", ("tab",), "complete", "hint-complete")
"""What is hinted at while something is written that this may complete."""

LEAST_QUOTED = 16
"""Columns of what one answers that go before how one ends that."""

_SIDES = frozenset({Pane.CONVERSATIONS, Pane.ONLINE})


class StatusLine(PaneWidget):
    """The connection, what is unread, who the user is; and for a while a sentence."""

    def __init__(self, look: Look, chat: Chat, composer: Composer) -> None:
        super().__init__(look)
        self._chat = chat
        self._composer = composer
        self.count_online = False
        self._shown_counter = "status", ""

    def rows_of(self, columns: int, height: int, focus: bool) -> list[Row]:
        model, words = self._chat.model, self.look.words
        self._shown_counter = self._counter()
        bad = not model.connected
        role = "status bad" if bad else "status"
        left, note = f" {self._connection(columns - 1)}", self._chat.note
        me = model.people.get(model.me.user_id)
        busy = words("status-busy") if me and me.user_status == BUSY else ""
        busy += "" if self._chat.disturbed else words("status-quiet")
        name = f"{self.look.line(model.me.user_name)}{busy} "
        # A failure, or what was just said, needs the room more than what is shown elsewhere, too.
        if note:
            glyphs = self.look.glyphs
            left = f"{left} {glyphs.bar} {note}"
            if width(left + name) >= columns:
                left = f" {glyphs.failed} {note}" if bad else f" {note}"
        if (bad or note) and width(left + name) >= columns:
            name = ""
        wanted = width(left) if bad or note else min(width(left), columns // 2)
        counts = "" if note else self._counts(columns - wanted - width(name) - 1)
        left = clip(left, max(0, columns - min(width(counts + name), columns // 2)))
        right = clip(counts + name, columns - width(left))
        gap = " " * (columns - width(left) - width(right))
        if note and not bad:
            noted = "status bad" if self._chat.note_bad else "status note"
        else:
            noted = role
        return [[(noted, left), *self._right(gap, right, role)]]

    def _right(self, gap: str, right: str, role: str) -> list[Run]:
        """The right end of the line. The length of a long text, which comes first, has its own
        colour."""
        counter = self._shown_counter[1]
        if not counter or not right.startswith(counter):
            return [(role, gap + right)]
        return [(role, gap), self._shown_counter, (role, right.removeprefix(counter))]

    def _counts(self, columns: int) -> str:
        """The counts for which there are columns; the number of people online is left out first."""
        model, words = self._chat.model, self.look.words
        unread, mentions = model.unread()
        key = "status-mentions" if mentions else "status-unread"
        here = words("status-online", n=len(model.online())) if self.count_online else ""
        news = words(key, n=unread, mentions=mentions) if unread else ""
        found = [f"{each}  " if each else "" for each in (self._shown_counter[1], here, news)]
        bare = f"({unread})  " if unread else ""
        for less_needed, instead in ((1, ""), (2, bare), (2, ""), (0, "")):
            if width("".join(found)) > columns:
                found[less_needed] = instead
        return "".join(found)

    def _connection(self, columns: int) -> str:
        words, link = self.look.words, self._chat.model.link
        match link:
            case events.LoggedIn():
                return words("link-online")
            case events.Connecting() | events.Connected():
                return words("link-connecting")
            case events.Waiting(_, until, why):
                left = max(0, math.ceil(until - self._chat.clock.seconds()))
                if width(words("link-waiting", n=left, reason="").rstrip(" :：")) > columns:
                    return words("link-waiting-short", n=left)
                return words("link-waiting", n=left, reason=self.look.line(reason(why, words)))
            case events.Stopped(why, code):
                key = f"link-stopped-{code}"
                why = self.look.line(reason(why, words))
                return words(key if key in words else "link-stopped", reason=why)

    def counted(self) -> None:
        """The text in the composer has changed: draw anew if it is so long that its length is
        shown."""
        if self._counter() != self._shown_counter:
            self.changed()

    def _counter(self) -> tuple[str, str]:
        """How long the text is, from nine tenths of the length that the server accepts."""
        used = len(self._composer.editor.text.encode())
        limit = self._chat.client.content_limit or CONTENT_LIMIT
        if used > limit:
            return "status bad", self.look.words("too-long", n=used - limit)
        return "status", f"{used}/{limit}" if used > limit * 9 // 10 else ""


class Desk(urwid.Widget):
    """Arranges the panes of a chat by ``layout.arrange`` and draws them side by side."""

    _sizing = frozenset([urwid.BOX])
    _selectable = True

    def __init__(self, look: Look, chat: Chat) -> None:
        super().__init__()
        self.look = look
        self.chat = chat
        self.active = Pane.COMPOSER
        self.hidden: frozenset[Pane] = frozenset()
        self.covered = False
        """Whether keys go to a popup."""
        self.composer = Composer(look, self._candidates)
        self.messages = PickingPane(look, chat.model)
        self.conversations = ConversationsPane(look, chat.model)
        self.online = OnlinePane(look, chat.model)
        self.status = StatusLine(look, chat, self.composer)
        self.layout = arrange(1, 1, self.active)
        self._panes = self._hints_row = Drawn([], 0)
        self._hints_of: tuple[object, ...] = ()
        self._rows = 0
        self._open = ""

    def all_panes(self) -> Iterator[PaneWidget]:
        """Everything on the screen that draws itself."""
        yield from (self.composer, self.messages, self.conversations, self.online, self.status)

    def restyle(self, look: Look) -> None:
        """Use another theme or language from now on."""
        self.look = look
        for pane in self.all_panes():
            pane.look = look
        self.messages.renew(look)
        self.changed()

    def changed(self) -> None:
        """The model changed: every pane draws anew."""
        for pane in self.all_panes():
            pane.changed()
        self._invalidate()

    def echo(self) -> None:
        """Only the text in the composer has changed."""
        self.composer.changed()
        self.status.counted()
        self._invalidate()

    # Drawing

    def render(self, size: tuple[int, int], focus: bool = False) -> Drawn:  # type: ignore[override]  # always a box
        columns, rows = size
        self._rows = rows
        self.follow()
        if not self.composer.editor.text:
            self.composer.hint = self._hint()
        self.composer.above = self._editing() or self._answering(columns)
        wanted = self.composer.wanted_rows(columns)
        hidden = _SIDES if self.messages.picking else self.hidden
        self.layout = layout = arrange(columns, rows, self.active, wanted, hidden)
        if layout.too_small:
            lines = fold(self.look.words("too-small"), columns, rows)
            return canvas([[(None, line)] for line in lines], columns, rows)
        if self.status.count_online != (layout.right == 0):
            self.status.count_online = layout.right == 0
            self.status.changed()
        parts = [
            self._side_by_side(layout),
            self.status.render((columns, 1)),
            self.composer.render((columns, layout.composer), self._writing),
        ]
        if layout.hints:
            parts.append(self._hints(columns))
        return stacked(parts)

    @property
    def _writing(self) -> bool:
        return self.active is Pane.COMPOSER

    def follow(self) -> None:
        """If another conversation is open now, put its draft into the composer."""
        model = self.chat.model
        if self._open != model.open:
            former = model.conversations.get(self._open)
            if former is not None:
                former.draft = self.composer.editor.text
            else:
                # The user is no longer in there. The draft fits nowhere else, but is not lost.
                self.composer.editor.take()
            self._open = model.open
            self.composer.editor.load(model.current.draft if model.current else "")
            self.composer.completion = None

    def _answering(self, columns: int) -> str:
        """Whom and what one answers, as it stands above the composer; empty where one does not."""
        current, seq = self.chat.model.current, self.chat.answering
        if current is None or not seq:
            return ""
        telling = Telling(self.chat.model, self.look)
        name, text = telling.quoted(current.known(seq))
        name = clip(name, max(4, columns // 3), self.look.glyphs.ellipsis)
        key = "answering" if name else "answering-it"
        lead = f"{self.look.glyphs.answer} {self.look.words(key, who=name)}"
        ends = self.look.words("answering-ends")
        room = columns - width(lead) - width(ends)
        if room < min(LEAST_QUOTED, width(text)):
            return lead + text
        return f"{lead}{clip(text, room, self.look.glyphs.ellipsis)}{ends}"

    def _hint(self) -> str:
        """The hint in an empty composer."""
        current = self.chat.model.current
        title = self.chat.title_of(current) if current else ""
        return self.look.words("composer-hint", conversation=title)

    def _editing(self) -> str:
        """The row above the composer that says which message is being edited; empty for none."""
        current = self.chat.model.current
        if current is None or current.correction is None:
            return ""
        entry = current.held(current.correction.seq)
        _, said = Telling(self.chat.model, self.look).quoted(entry)
        return f" {self.look.words('editing', text=said)}"

    def _side_by_side(self, layout: Layout) -> Drawn:
        shown: list[tuple[PaneWidget, Pane, int]] = [
            (self.conversations, Pane.CONVERSATIONS, layout.left),
            (self.messages, Pane.MESSAGES, layout.centre),
            (self.online, Pane.ONLINE, layout.right),
        ]
        parts: list[Drawn] = []
        for widget, pane, columns in shown:
            if columns <= 0:
                continue
            if parts:
                parts.append(_bar(self.look.glyphs.bar, layout.panes))
            parts.append(widget.render((columns, layout.panes), self.active is pane))
        if tuple(parts) != self._panes.parts:
            self._panes = joined(parts)
        return self._panes

    def _hints(self, columns: int) -> Drawn:
        """The last row, which is made anew only when it changes, since it is drawn at every key."""
        choices = self.composer.choices(columns - 1)
        shown = (columns, choices, self._hinted, self._completable, self.look)
        if shown != self._hints_of:
            runs: list[Run] = [("hint key", f" {choices}")] if choices else []
            for _, key, text, _ in () if choices else self._hint_list(columns):
                runs += [("hint key", key), ("hint", text)]
            self._hints_of, self._hints_row = shown, canvas([runs], columns, 1)
        return self._hints_row

    def _hint_list(self, columns: int) -> Iterator[tuple[str, str, str, int]]:
        """The keys for which the last row has room: each with its name, its help, and where it
        ends."""
        used = 0
        first = [COMPLETE] if self._completable else []
        for each in [*first, *(key for context in self._hinted for key in hints(context))]:
            key, text = f" {key_name(each.keys[0])}", f" {self.look.words(each.help)} "
            used += width(key) + width(text)
            if used > columns:
                return
            yield each.keys[0], key, text, used

    @property
    def _completable(self) -> bool:
        return self._writing and not self.covered and is_offered(*self.composer.begun())

    @property
    def _hinted(self) -> tuple[str, ...]:
        """The contexts whose keys the last row shows, in the order in which they get room."""
        if self.covered:
            return ("popup",)
        return ("select",) if self.context == "select" else (self.context, "everywhere")

    # What is where

    @property
    def context(self) -> str:
        """The context whose keys come before those that hold everywhere."""
        picking = self.active is Pane.MESSAGES and self.messages.picking
        return "select" if picking else self.active.value

    def list_pane(self) -> ListPane | None:
        """The list that has the focus, None when none has."""
        lists = {Pane.CONVERSATIONS: self.conversations, Pane.ONLINE: self.online}
        return lists.get(self.active)

    def focus_on(self, pane: Pane) -> None:
        """Give the focus to ``pane``."""
        if pane is not Pane.MESSAGES:
            self.messages.unpick()
        self.active = pane
        self.changed()

    def write(self, command: str) -> None:
        """Put a command into the composer, to be run by Enter. What was being written there is
        kept."""
        self.composer.editor.put_aside(command)
        self.focus_on(Pane.COMPOSER)

    def next_pane(self) -> None:
        """Give the focus to the next pane, the composer last."""
        order = [Pane.CONVERSATIONS, Pane.MESSAGES, Pane.ONLINE, Pane.COMPOSER]
        self.focus_on(order[(order.index(self.active) + 1) % len(order)])

    def toggle(self, pane: Pane) -> None:
        """Hide a pane, or show it. One that has room only while it has the focus gets the focus."""
        active = Pane.COMPOSER if self.active is pane else self.active
        if self._shows(pane, self.active, self.hidden):
            if self._shows(pane, active, self.hidden):
                self.hidden |= {pane}
            self.focus_on(active)
        else:
            self.hidden -= {pane}
            self.focus_on(active if self._shows(pane, active, self.hidden) else pane)

    def _shows(self, pane: Pane, active: Pane, hidden: frozenset[Pane]) -> bool:
        """Whether a side pane is visible on a screen of this size."""
        layout = arrange(self.columns, self._rows, active, hidden=hidden)
        return bool(layout.left if pane is Pane.CONVERSATIONS else layout.right)

    def pane_at(self, column: int, row: int) -> tuple[Pane, int]:
        """The pane at a place on the screen, and which of its rows below the title is there."""
        layout = self.layout
        if row >= layout.panes:
            return Pane.COMPOSER, row - layout.panes - 1
        left_end = layout.left + 1 if layout.left else 0
        if layout.left and column < left_end:
            return Pane.CONVERSATIONS, row - 1
        if layout.right and column >= left_end + layout.centre:
            return Pane.ONLINE, row - 1
        return Pane.MESSAGES, row - 1

    def hint_at(self, column: int, row: int) -> str:
        """The key whose hint is at a place on the screen; empty for none."""
        layout = self.layout
        hints = layout.panes + 1 + layout.composer
        if not layout.hints or row != hints or self.composer.completion is not None:
            return ""
        hints_shown = self._hint_list(self.columns)
        return next((key for key, _, _, end in hints_shown if column < end), "")

    @property
    def columns(self) -> int:
        """How wide the screen is."""
        shown = (self.layout.left, self.layout.centre, self.layout.right)
        return sum(each + 1 for each in shown if each) - 1

    @property
    def messages_shown(self) -> bool:
        """Whether the layout has room for messages now."""
        return self.layout.centre > 0 and self.layout.panes > 2

    def wish(self) -> Wish | None:
        """The history that the last drawing lacked."""
        return self.messages.wish if self.messages_shown else None

    def _candidates(self, before: str, word: str) -> Iterable[str]:
        return candidates(self.chat.model, self.look, before, word)


@lru_cache(maxsize=8)
def _bar(glyph: str, rows: int) -> Drawn:
    """What separates two panes; kept, since it is drawn at every key."""
    return canvas([[("rule", glyph)]] * rows, 1, rows)
