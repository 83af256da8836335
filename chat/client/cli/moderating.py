"""The commands ``chatroom moderate``, ``delete``, ``report`` and ``block``."""

from chat.client.cli.context import Context, Status, Stop, logged_in, within
from chat.client.language.durations import read_duration
from chat.moderation import ON_PEOPLE
from chat.names import id_or_name

__all__ = ["block", "delete", "moderate", "report"]


async def moderate(context: Context) -> Status:
    """Act on a room, or on somebody in it; or list who is banned, muted or invited."""
    options = context.options
    seconds = read_duration(options.time) if options.time else 0
    for_ever = options.time and seconds == 0 and options.action in ON_PEOPLE  # on the wire 0 is
    if seconds is None or for_ever or (options.action in ON_PEOPLE) != bool(options.who):
        raise Stop(Status.USAGE, context.phrases("how-to-moderate"))
    async with logged_in(context, acknowledge=False) as client:
        if options.action == "list":
            for each in await within(context, client.sanctions(options.room)):
                context.printer.sanction(each)
            return Status.DONE
        who = id_or_name(options.who)
        acting = client.moderate(options.room, options.action, who, seconds, options.reason)
        await within(context, acting)
    return Status.DONE


async def delete(context: Context) -> Status:
    """Delete the text of a message, for everybody."""
    options = context.options
    async with logged_in(context, acknowledge=False) as client:
        await within(context, client.redact(options.conversation, options.seq))
    return Status.DONE


async def report(context: Context) -> Status:
    """Report a message to the administrators."""
    options = context.options
    async with logged_in(context, acknowledge=False) as client:
        reporting = client.report(options.conversation, options.seq, options.reason)
        await within(context, reporting)
    return Status.DONE


async def block(context: Context) -> Status:
    """Exchange no private messages with somebody, or do so again; or list who is blocked."""
    options = context.options
    async with logged_in(context, acknowledge=False) as client:
        if not options.who:
            for user in await within(context, client.blocks()):
                value = {"userId": user.user_id, "userName": user.user_name}
                context.printer.value(value, f"{user.user_id} {user.user_name}")
            return Status.DONE
        await within(context, client.block(id_or_name(options.who), not options.undo))
    return Status.DONE
