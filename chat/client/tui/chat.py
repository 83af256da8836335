"""One logged-in user's chat: applies events to the model, fetches what the view needs."""

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chat.client import events
from chat.client.conversation import Conversation, Fate
from chat.client.errors import ClientError
from chat.client.language.reasons import reason
from chat.client.model import Model
from chat.client.notify import Quiet
from chat.client.text import width
from chat.client.tui.drafts import Drafts, Run
from chat.client.tui.history import History
from chat.client.tui.look import Look
from chat.client.tui.people import People
from chat.client.tui.sentences import sentence
from chat.client.tui.telling import Telling
from chat.client.tui.view import View
from chat.messages import Conversation as ConversationState
from chat.messages import User

if TYPE_CHECKING:
    from chat.client.api import ChatClient
    from chat.client.files.cache import Cache, Known

__all__ = ["Chat"]

NOTE_SECONDS = 8.0
"""How long a sentence stands in the status line."""


class Chat:
    """Ties a ``ChatClient`` to a ``Model``; every change of either goes through here.

    :ivar clock: the clock of ``Waiting.until``.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        client: "ChatClient",
        look: Look,
        view: View,
        drafts: Drafts,
        cache: "Cache | None" = None,
    ) -> None:
        self.client = client
        self.model = Model()
        self.look = look
        self.note = ""
        self.note_bad = False
        self.on_stopped: Callable[[events.Stopped], None] = lambda stopped: None
        self.clock = reactor
        self._view = view
        self.quiet = Quiet()
        self._drafts = drafts
        self.people = People(client, self.model, view, cache, self.spawn)
        self.history = History(reactor, client, self.model, cache, view.redraw)
        self._remembered: set[str] = set()
        self._note_until = 0.0
        self._leaving: set[str] = set()
        self._deaf = client.listen(self.event)

    def start(self, user: User, known: "Known | None" = None) -> None:
        """The first login is done, or is on its way and ``known`` is what the cache says."""
        self.model.link = self.client.state
        listed = self.client.conversations.values()
        remembered = known.conversations if known is not None else ()
        self.model.blocked_are(frozenset(known.blocked if known is not None else ()))
        self._remembered = {each.conversation for each in remembered}
        self._listed(user, listed or remembered)
        for entry in known.unread if known is not None else ():
            if entry.conversation in self.model.conversations:
                self.model.recalled(entry.conversation, [entry])
        if known is None:
            self.spawn(self.history.look_into(listed))
        for sent in self.client.outgoing:
            self.model.apply(events.MessageStateChanged(sent.outgoing, sent.state))

    def stop(self) -> None:
        """Hear nothing more, and keep the drafts."""
        self._deaf()
        self.save_drafts()

    # What happens

    def event(self, event: events.Event) -> None:
        """Take in an event of the client library."""
        lost = self._lost(event)
        fresh = self.model.apply(event)
        if fresh and isinstance(event, events.MessageArrived):
            self._came(event)
        self._react(event)
        if lost is not None:
            self.tell(self._telling().farewell(lost))
        if isinstance(event, events.ConnectionChanged):
            self._view.redraw_now()
        else:
            self._view.redraw()

    def _react(self, event: events.Event) -> None:
        """Do what an event asks for beyond changing the model; most events ask for nothing."""
        match event:
            case events.ConversationsListed():
                if self.client.user is not None:
                    self.history.logged_in()
                    self._forget_gone()
                    self._listed(self.client.user, self.client.conversations.values())
            case events.PresenceChanged(_, _, True):
                self.people.refresh_online()
            case events.GapSkipped(conversation, _, last, True):
                self.history.cut(conversation, last, self._view.at_end())
            case events.Blocked():
                self.people.keep_blocked()
            case events.ErrorArrived(_, sentence, _):
                self.say(sentence, bad=True)
            case events.MessageStateChanged(message, events.Failed(_, error)):
                # An open conversation shows the failed message itself.
                if message.to != self.model.open:
                    self._say_failed(message.to, error)
            case events.Invited(room, user_id, name):
                who = self.name_of(user_id, name)
                room = self._telling().room(room)
                self.tell(self.look.words("invited", who=who, conversation=room))
            case events.ConnectionChanged(events.Stopped() as stopped):
                self.on_stopped(stopped)
            case events.ConnectionChanged(events.LoggedIn()):
                self.unsay(self.look.words("not-connected"))
            case events.ConnectionChanged(events.Waiting()):
                if not self.note_bad:
                    self.note = ""  # A good note no longer matters.
                # Pages that were asked for will not come.
                for each in self.model.conversations.values():
                    each.loading = False
            case _:
                pass

    def _say_failed(self, name: str, error: str) -> None:
        where = self.title_of(self.model.conversation(name))
        error = self.look.line(reason(error, self.look.words))
        self.say(self.look.words("failed-elsewhere", conversation=where, error=error), bad=True)

    def _lost(self, event: events.Event) -> Conversation | None:
        """The conversation that the user is no longer in by ``event``, unless they have left it
        here."""
        if not isinstance(event, events.ConversationChanged) or not event.conversation.gone:
            return None
        name = event.conversation.conversation
        return None if name in self._leaving else self.model.conversations.get(name)

    def _forget_gone(self) -> None:
        """Forget the conversations that the cache knew and the server does not list."""
        for name in self._remembered - self.client.conversations.keys():
            self.model.state(ConversationState(name, gone=True))
        self._remembered = set()

    def _listed(self, user: User, conversations: Iterable[ConversationState]) -> None:
        opened = self.model.open
        self.model.watched = self.client.scope == "watched"
        self.model.logged_in(user, conversations)
        if not opened:
            self._drafts.resume(self.model)
        if self.model.connected:
            self.people.logged_in()

    def _came(self, event: events.MessageArrived) -> None:
        conversation = self.model.conversation(event.entry.conversation)
        seen = conversation.name == self.model.open and self._view.in_view()
        if conversation.name == self.model.open and not seen and conversation.divider is None:
            conversation.divider = conversation.read
        if event.live and not seen:
            came = self._telling().came(conversation, event.entry)
            if came.kind != "message" or not conversation.hushed:
                self._view.attention(came)
        if 0 < event.entry.reply < event.entry.seq and conversation.lacks(event.entry.reply):
            self.spawn(self._look_for_answered(conversation, event))

    async def _look_for_answered(
        self, conversation: Conversation, event: events.MessageArrived
    ) -> None:
        """Find out from the cache whether a message answers one that the user has sent earlier."""
        entry, me = event.entry, self.model.me.user_id
        await self.history.look_up(conversation, entry.reply)
        to_me = conversation.answers(entry, me) and conversation.note_mention(entry.seq)
        if to_me and event.live:
            self._view.attention(self._telling().came(conversation, entry))

    # What the view leads to

    def drawing(self) -> None:
        """Before everything is drawn: mark what is in view as read, so that it is not drawn as
        unread."""
        self._mark_read()

    def drawn(self) -> None:
        """After each drawing: fetch the history that it lacked, and tell the server what was
        read."""
        current = self.model.current
        if current is not None and self._view.at_end():
            current.trim()
        wish = self._view.wish()
        if wish is not None and self.history.wanted(wish):
            self.spawn(self.history.fetch(wish))
        if not self.model.connected:
            return
        if current is not None and self.history.lacks_receipt(current):
            self.spawn(self.history.ask_receipt(current))
        if self._mark_read():
            self._view.redraw()
        self.people.watch_shown()

    def _mark_read(self) -> bool:
        """Mark what is in view as read.

        :returns: whether that changed anything.
        """
        conversation = self.model.current
        if not self.model.connected or conversation is None or not conversation.entries:
            return False
        newest = conversation.entries[-1].seq
        if newest <= conversation.told or not conversation.fetched or not self._view.in_view():
            return False
        self.read(conversation, newest)
        return True

    def read(self, conversation: Conversation, upto: int) -> None:
        """Mark everything up to number ``upto`` as read, on all devices."""
        conversation.mark_read(upto)
        conversation.told = upto
        self.client.mark_read(conversation.name, upto)

    # What the user does

    def open(self, name: str) -> None:
        """Show a conversation."""
        self._drafts.resume_in(self.model.show(name))
        self._view.redraw()

    @property
    def answering(self) -> int:
        """The number of the message that is being answered in the open conversation, 0 for none."""
        return self.model.current.answering if self.model.current is not None else 0

    def answer(self, seq: int) -> None:
        """Let the draft of the open conversation answer message ``seq``; 0 for none."""
        if self.model.current is not None:
            self.model.current.answering = seq
            self._view.redraw()

    def send(self, text: str, reply: int = 0) -> bool:
        """Say ``text`` in the open conversation.

        :param reply: the number of the message that it answers, which is being answered no longer.
        :returns: whether that is on its way. Without room on the disk it is not: it would be lost
            with this program.
        """
        conversation = self.model.current
        if conversation is not None:
            try:
                sent = self.client.send(conversation.name, text, reply=reply)
            except OSError as error:
                self.say(self.look.words("not-kept", error=error.strerror or error), bad=True)
                return False
            known = [each.message.client_id for each in conversation.pending]
            if sent.outgoing.client_id not in known and isinstance(
                sent.state, events.Queued | events.Sending
            ):
                self.model.apply(events.MessageStateChanged(sent.outgoing, sent.state))
            if reply:
                self.answer(0)
            self._view.redraw()
        return True

    async def leave(self, name: str) -> None:
        """Leave a room, if one is still in it, and show another conversation if it was open.

        :raises ClientError: as ``ChatClient.leave`` has it.
        """
        known = self.model.conversations.get(name)
        if known is None or not known.gone:
            self._leaving.add(name)
            try:
                await self.client.leave(name)
            finally:
                self._leaving.discard(name)
        if self.model.open == name:
            self.open(self.model.home)

    def retry(self) -> bool:
        """Send again what failed in the open conversation. Return whether there was something."""
        conversation = self.model.current
        pending = conversation.pending if conversation else []
        failed = [each.message.client_id for each in pending if each.fate is Fate.FAILED]
        for each in failed:
            self.client.retry(each)
        return bool(failed)

    def take_back(self) -> events.Outgoing | None:
        """Withdraw what failed, or has not left yet; the newest of it in the open conversation.

        :returns: what it was, None when there is nothing.
        """
        conversation = self.model.current
        for pending in reversed(conversation.pending if conversation else []):
            if self.client.withdraw(pending.message.client_id):
                return pending.message
        return None

    def keep_draft(self, text: str) -> None:
        """Remember what is written in the composer of the open conversation."""
        if self.model.current is not None:
            self.model.current.draft = text

    @property
    def moved(self) -> bool:
        """Whether another conversation is open than the one that the drafts on disk name."""
        here = self.model.open
        return here != self._drafts.open or self.answering != self._drafts.answering(here)

    def save_drafts(self, run: Run = lambda work: work()) -> None:
        """Put the drafts on disk; ``run``: as ``Drafts.save`` has it."""
        self._drafts.keep(self.model, run)

    # Saying things

    def say(self, text: str, bad: bool = False) -> None:
        """Show a sentence in the status line for a while.

        :param bad: it tells of a failure. Then it is shown among the messages too, if the line is
            too narrow for it.
        """
        if bad and width(text) + 2 > self._view.columns():
            self.tell(text, again=False)
        self.note, self.note_bad = self.look.line(text), bad
        self._note_until = self.clock.seconds() + NOTE_SECONDS
        self.clock.callLater(NOTE_SECONDS, self._unsay)
        self._view.redraw()

    def unsay(self, text: str) -> None:
        """It does not hold any more, if it is what stands in the status line."""
        if self.note == self.look.line(text):
            self.note = ""

    def _unsay(self) -> None:
        if self.note and self.clock.seconds() >= self._note_until:
            self.note = ""
            self._view.redraw()

    def tell(self, text: str, again: bool = True) -> None:
        """Lines of the client itself, in the open conversation; ``again``: as ``Model.notice``."""
        conversation = self.model.current
        if conversation is not None:
            self.model.notice(conversation.name, text, int(self.look.now() * 1000), again)
            self._view.redraw()

    @property
    def disturbed(self) -> bool:
        """Whether the user may be disturbed now."""
        return not self.quiet.holds(self.look.moment())

    def spawn(self, work: Coroutine[Deferred[Any], Any, Any]) -> Deferred[Any]:
        """Let ``work`` go on by itself. Failures are told to the user, and logged when they are
        ours.

        :returns: fires when it is over, well or not.
        """
        return Deferred.fromCoroutine(work).addErrback(self._wrong)

    def _wrong(self, failure: Any) -> None:
        if failure.check(ClientError):
            self.say(sentence(failure.value, self.look.words), bad=True)
            return
        self.log.failure("something went wrong in the background", failure)
        self.say(self.look.words("internal-error"), bad=True)

    def _telling(self) -> Telling:
        return Telling(self.model, self.look)

    def title_of(self, conversation: Conversation) -> str:
        """A conversation's name, safe to show."""
        return self._telling().title(conversation)

    def name_of(self, user_id: int, name: str) -> str:
        """Somebody's name, safe to show, and marked where it imitates another."""
        return self._telling().name(user_id, name)
