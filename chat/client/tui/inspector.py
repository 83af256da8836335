"""All that is known about one message: who, when, its number, how far it has got."""

from collections.abc import Iterator

from chat.client.conversation import Conversation, Fate
from chat.client.links import find_links
from chat.client.model import Model
from chat.client.tui.look import Look
from chat.client.tui.telling import Telling
from chat.messages import Entry

__all__ = ["inspected"]


def inspected(
    model: Model, conversation: Conversation, entry: Entry, look: Look
) -> Iterator[tuple[str, str]]:
    """What is known of a message: pairs of a label's key and a text that is safe to show."""
    words = look.words
    name = look.line(entry.user_name)
    yield "inspect-who", f"{name}  #{entry.user_id}"
    if model.imitates(entry.user_id, entry.user_name):
        yield "inspect-warning", words("inspect-imitates", name=name)
    moment = look.when(entry.time)
    yield "inspect-when", f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {moment:%z}".rstrip()
    yield "inspect-where", look.line(model.title(conversation))
    epoch = look.line(entry.epoch or conversation.epoch)
    yield "inspect-number", words("inspect-number-is", n=entry.seq, epoch=epoch)
    if entry.reply:
        whom, what = Telling(model, look).quoted(conversation.answered(entry))
        said = f"{whom}: {what}" if whom else what
        yield "inspect-answers", words("inspect-answers-is", n=entry.reply, what=said)
    size = len(entry.content.encode())
    yield "inspect-size", words("inspect-size-is", n=len(entry.content), bytes=size)
    if entry.edited:
        edit = conversation.held(entry.edited)
        when = f"{look.when(edit.time):%Y-%m-%d %H:%M:%S}  " if edit is not None else ""
        yield "inspect-edited", when + words("inspect-edited-is", n=entry.edited)
    hidden = _hidden(entry.content, look)
    if hidden:
        yield "inspect-warning", words("inspect-hidden", n=hidden)
    for link in find_links(look.text(entry.content)):
        yield "inspect-link", link.target
    if entry.user_id == model.me.user_id:
        yield "inspect-fate", words(_FATES[conversation.fate(entry)])
        if entry.client_id:
            yield "inspect-client-id", look.line(entry.client_id)
    elif entry.seq > conversation.read:
        yield "inspect-fate", words("inspect-unread")


_FATES = {
    Fate.STORED: "fate-stored",
    Fate.DELIVERED: "fate-delivered",
    Fate.READ: "fate-read",
}


def _hidden(text: str, look: Look) -> int:
    """How many characters are not shown, or not as they are."""
    shown = look.text(text).replace("\ufffd", "")
    for written, drawn in (("\r\n", "\n"), ("\t", "    "), ("\u3000", "  ")):
        text = text.replace(written, drawn)
    return max(0, len(text) - len(shown))
