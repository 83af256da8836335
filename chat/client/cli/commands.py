"""What ``chatroom send``, ``edit``, ``tail``, ``who``, ``history`` and ``register`` do."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from twisted.internet.defer import TimeoutError as TooLate

from chat.client.api import (
    BadServer,
    ChatClient,
    Closed,
    FateUnknown,
    NotConnected,
    Refused,
    SentMessage,
    Untrusted,
)
from chat.client.cli.certificate import accepted
from chat.client.cli.context import Context, Status, Stop, logged_in, remember_account, within
from chat.client.cli.moderating import block, delete, moderate, report
from chat.client.cli.secret import NoPassword
from chat.client.events import ConnectionChanged, Event, LoggedIn, Sending, Stopped, Waiting
from chat.client.network.address import shown
from chat.client.standard_input import NotText, lines, whole_text
from chat.messages import Entry
from chat.names import BadName, is_room, private_with, room_name

__all__ = ["COMMANDS", "perform"]

PAGE: Final = 200


async def perform(context: Context) -> Status:
    """Run the command that the options name; if it fails, say why in one sentence."""
    options = context.options
    try:
        if options.command == "register" and context.server.startswith("tls:"):
            await _introduce(context)  # before a password is asked for
        status = await COMMANDS[options.command](context)
    except Untrusted as error:
        return await perform(context) if accepted(context, error) else Status.REFUSED
    except _FORESEEN as error:
        sentence, status = _explained(context, error)
        if sentence:
            context.say(sentence)
        return status
    if options.fingerprint and status is Status.DONE:
        context.accept(options.fingerprint)
    return status


_FORESEEN: Final = (
    Stop, NoPassword, NotText, TooLate, Refused, FateUnknown, BadServer, NotConnected
)  # fmt: skip


def _explained(context: Context, error: Exception) -> tuple[str, Status]:
    """The sentence and the exit status for an error with which a command can end."""
    phrases, why = context.phrases, context.why(error)
    match error:
        case Stop(status=status):
            return str(error), status
        case NoPassword():
            return str(error), Status.USAGE
        case NotText():
            return phrases(str(error)), Status.USAGE
        case TooLate():
            return phrases("too-late"), Status.NO_CONNECTION
        case Refused(code=code):
            return phrases("refused", reason=error, code=code), Status.REFUSED
        case FateUnknown() | BadServer():
            came = isinstance(error, BadServer)
            key = "answer-unreadable" if came else "answer-unknown"
            # A command that only reads leaves nothing whose fate could be unknown.
            reads = context.options.command in ("tail", "who", "history")
            status = Status.NO_CONNECTION if reads else Status.FATE_UNKNOWN
            return phrases(key, reason=why), status
        case Closed(code=code):
            return phrases("ended", reason=why), Status.REFUSED if code else Status.NO_CONNECTION
    return phrases("no-server", server=shown(context.server), reason=why), Status.NO_CONNECTION


async def _introduce(context: Context) -> None:
    """Connect to the server, to see its certificate.

    :raises Untrusted: it does not prove that it is the right one.
    """
    client = context.client()
    try:
        await client.connect(timeout=context.left())
    finally:
        await client.close()


# The commands ----------------------------------------------------------------------------------


async def register(context: Context) -> Status:
    """Make an account, log in, and remember both."""
    name = context.options.name or context.user
    if not name:
        raise Stop(Status.USAGE, context.phrases("who-are-you"))
    password = context.secret.read_new(name)
    client = context.client()
    try:
        await client.connect(timeout=context.left())
        options = context.options
        user_id = await client.register(name, password, options.id, options.invitation)
    finally:
        await client.close()
    context.user = name
    slot = context.profile.device(context.server, name)
    if slot is not None:
        await remember_account(context, slot, password)
    said = context.phrases("registered", name=name, user_id=user_id)
    context.printer.value({"userId": user_id, "userName": name}, said)
    return Status.DONE


async def send(context: Context) -> Status:
    """Send a message, or each line of standard input as one."""
    options = context.options
    if private_with(options.to) is None:
        _room(context, options.to)
    if options.lines and (options.text not in (None, "-") or options.client_id):
        raise Stop(Status.USAGE, context.phrases("only-lines"))
    if options.lines:
        async with logged_in(context) as client:
            await _join_first(context, client)
            return await _send_lines(context, client)
    text = options.text if options.text not in (None, "-") else whole_text(context.stdin)
    if not text:
        raise Stop(Status.USAGE, context.phrases("nothing-to-say"))
    async with logged_in(context) as client:
        await _join_first(context, client)
        return await _outcome(context, client, _sent(context, client, text, options.client_id))


async def edit(context: Context) -> Status:
    """Have a message of one's own say something else."""
    options = context.options
    text = options.text if options.text not in (None, "-") else whole_text(context.stdin)
    if not text:
        raise Stop(Status.USAGE, context.phrases("nothing-to-say"))
    async with logged_in(context, acknowledge=False) as client:
        await within(context, client.edit(options.conversation, options.seq, text))
    return Status.DONE


async def _join_first(context: Context, client: ChatClient) -> None:
    """Join the room that is written to, if that was asked for."""
    if context.options.join and private_with(context.options.to) is None:
        await _resolve(context, client, [context.options.to])


async def _send_lines(context: Context, client: ChatClient) -> Status:
    """Send one line after the other, so that whoever interrupts it knows where. The first failure
    ends it."""
    async for line in lines(context.reactor, context.stdin):
        if line:
            context.begin()
            status = await _outcome(context, client, _sent(context, client, line, ""))
            if status is not Status.DONE:
                return status
    return Status.DONE


def _sent(context: Context, client: ChatClient, text: str, client_id: str) -> SentMessage:
    try:
        return client.send(context.options.to, text, client_id, reply=context.options.reply)
    except BadName:
        raise Stop(Status.USAGE, context.phrases("bad-client-id")) from None


async def _outcome(context: Context, client: ChatClient, sent: SentMessage) -> Status:
    """Wait until the message is stored, as long as the timeout allows."""
    try:
        stored = await within(context, sent.stored())
    except (TooLate, Closed):
        client_id = sent.outgoing.client_id
        if isinstance(sent.state, Sending):
            sentence = context.phrases("fate-unknown", client_id=client_id)
            raise Stop(Status.FATE_UNKNOWN, sentence) from None
        client.withdraw(client_id)
        if isinstance(client.state, Stopped) and client.state.code:
            raise
        raise Stop(Status.NO_CONNECTION, context.phrases("nothing-sent")) from None
    context.printer.value(
        {
            "conversation": stored.conversation,
            "epoch": stored.epoch,
            "seq": stored.seq,
            "time": stored.time,
            "clientId": sent.outgoing.client_id,
        }
    )
    return Status.DONE


async def tail(context: Context) -> Status:
    """Print what is said until interrupted."""
    options = context.options
    async with logged_in(context, missed=options.missed) as client:
        queue = client.messages(own=True, every_kind=True)
        stop = client.listen(_connection_notes(context))
        try:
            wanted = await _resolve(context, client, options.conversations)
            last = await _print_last(context, client, wanted)
            if options.count == 0:
                return Status.DONE
            printed = 0
            async for entry in queue:
                place = entry.conversation
                if (place in wanted or not wanted) and (place, entry.seq) not in last:
                    _print(context, client, entry)
                    printed += 1
                if printed == options.count:
                    break
        finally:
            stop()
    return Status.DONE


def _connection_notes(context: Context) -> Callable[[Event], None]:
    """Tell the person at the terminal, not the script, when the connection is lost and restored."""
    lost = False

    def note(event: Event) -> None:
        nonlocal lost
        if not isinstance(event, ConnectionChanged) or not context.errors.isatty():
            return
        if isinstance(event.state, Waiting) and not lost:
            lost = True
            context.tell("lost", reason=context.why(event.state.reason))
        elif isinstance(event.state, LoggedIn) and lost:
            lost = False
            context.tell("back")

    return note


async def _resolve(context: Context, client: ChatClient, conversations: Sequence[str]) -> list[str]:
    """The canonical names of the conversations that were asked for; a room is joined first if
    wanted."""
    found = []
    for each in conversations:
        name = await _canonical(context, client, each)
        if is_room(name) and not await _is_in(client, name):
            if not context.options.join:
                raise Stop(Status.REFUSED, context.phrases("not-in-room", room=name))
            await client.join(name)
        found.append(name)
    return found


async def _is_in(client: ChatClient, name: str) -> bool:
    """Whether the user is in a conversation. (A login names the newest hundred; the others
    follow.)"""
    if name in client.conversations:
        return True
    try:
        await client.history(name, limit=1)
    except Refused as error:
        if error.code not in (403, 404):
            raise
        return False
    return True


async def _canonical(context: Context, client: ChatClient, conversation: str) -> str:
    who = private_with(conversation)
    if isinstance(who, str):
        return f"@{(await client.lookup(who)).user_id}"
    return conversation if who is not None else _room(context, conversation)


def _room(context: Context, written: str) -> str:
    """The name of a room as the server writes it.

    :raises Stop: it is not the name of a room.
    """
    try:
        return room_name(written, 0)
    except BadName:
        sentence = context.phrases("bad-conversation", name=written)
        raise Stop(Status.USAGE, sentence) from None


async def _print_last(
    context: Context, client: ChatClient, wanted: Sequence[str]
) -> set[tuple[str, int]]:
    """Print the last messages of each conversation, all together by time.

    :returns: their conversations and numbers, since some may be handed out as well.
    """
    found: list[Entry] = []
    if context.options.last:
        for name in wanted or tuple(await within(context, client.all_conversations())):
            position = client.positions.get(name)
            before = position.seq + 1 if position is not None else 0
            try:
                found += await _newest(client, name, before, context.options.last)
            except Refused as error:
                if error.code not in (403, 404):
                    raise
                # Nobody has talked there yet, or the user is in it no longer.
    for entry in sorted(found, key=lambda entry: entry.time):
        _print(context, client, entry)
    return {(entry.conversation, entry.seq) for entry in found}


def _print(context: Context, client: ChatClient, entry: Entry) -> None:
    known = client.conversations.get(entry.conversation)
    partner = known.user_name if known is not None else ""
    context.printer.entry(entry, f"@{partner}" if partner else entry.conversation)


async def _newest(client: ChatClient, name: str, before: int, number: int) -> list[Entry]:
    found: list[Entry] = []
    while number > len(found):
        limit = min(PAGE, number - len(found))
        page = await client.history(name, before=before, limit=limit)
        found[:0] = page.entries
        if not page.more or not page.entries:
            break
        before = page.entries[0].seq
    return found


async def _oldest(client: ChatClient, name: str, after: int, number: int) -> list[Entry]:
    found: list[Entry] = []
    while number > len(found):
        limit = min(PAGE, number - len(found))
        page = await client.history(name, after=after, limit=limit)
        found += page.entries
        if not page.more or not page.entries:
            break
        after = page.entries[-1].seq
    return found


async def who(context: Context) -> Status:
    """List who is online."""
    async with logged_in(context, acknowledge=False) as client:
        for user in await within(context, client.online()):
            context.printer.user(user)
    return Status.DONE


async def history(context: Context) -> Status:
    """Print a part of a conversation's history."""
    async with logged_in(context, acknowledge=False) as client:
        for entry in await within(context, _asked_for(context, client)):
            _print(context, client, entry)
    return Status.DONE


async def _asked_for(context: Context, client: ChatClient) -> list[Entry]:
    options = context.options
    name = await _canonical(context, client, options.conversation)
    if options.after is None:
        return await _newest(client, name, options.before, options.number)
    found = await _oldest(client, name, options.after, options.number)
    return [each for each in found if not options.before or each.seq < options.before]


COMMANDS: Final[dict[str, Callable[[Context], Awaitable[Status]]]] = {
    "register": register,
    "send": send,
    "tail": tail,
    "who": who,
    "history": history,
    "moderate": moderate,
    "edit": edit,
    "delete": delete,
    "report": report,
    "block": block,
}
