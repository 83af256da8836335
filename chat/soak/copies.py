"""What a device has of each conversation: each entry once, in order, without gaps."""

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater

from chat.soak import trace
from chat.soak.link import Link, Refused

if TYPE_CHECKING:
    from chat.soak.device import Device

__all__ = ["Copies", "Copy", "answering", "key_of", "revision_of"]

PAGE: Final = 200
REVISED: Final = "~"
"""What a revision begins with."""

RETRY_SECONDS: Final = 0.5
ANSWERS: Final = ">"


class Copy:
    """What a device has of one conversation.

    :ivar seq: it has all entries up to this number.
    :ivar ahead: the keys of entries above a hole, by epoch and number.
    """

    __slots__ = ("ahead", "epoch", "fetching", "seq")

    def __init__(self, epoch: str, seq: int) -> None:
        self.epoch = epoch
        self.seq = seq
        self.ahead: dict[tuple[str, int], str] = {}
        self.fetching = False


class Copies:
    """A device's copies of its conversations, by their names in the trace."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self.all: dict[str, Copy] = {}

    def told(self, link: Link, listed: list[dict[str, Any]]) -> None:
        """A snapshot came: fetch what is missing."""
        record = self._device.host.record
        for each in listed:
            conv = self._device.account.canonical(each["conversation"])
            epoch, first, seq = each["epoch"], each["epochFirst"], each["seq"]
            record(trace.Told(record.now(), link.number, conv, epoch, first, seq))
            if conv not in self.all:
                # A room is heard from here on; of a private conversation everything is wanted.
                self._begin(conv, epoch, 0 if "@" in conv else seq)
        self.compare(listed)

    def compare(self, listed: list[dict[str, Any]]) -> None:
        """Fetch what is missing where the server's list differs from what is here."""
        for each in listed:
            conv = self._device.account.canonical(each["conversation"])
            copy = self.all.get(conv) or self._begin(conv, each["epoch"], 0)
            if copy.epoch != each["epoch"] or copy.seq != each["seq"]:
                self._fetch(conv, copy)

    def left(self, link: Link, conv: str) -> None:
        """The user is no longer in a room."""
        record = self._device.host.record
        if self.all.pop(conv, None) is not None:
            record(trace.Left(record.now(), link.number, self._device.name, conv))

    def _begin(self, conv: str, epoch: str, seq: int) -> Copy:
        record = self._device.host.record
        copy = self.all[conv] = Copy(epoch, seq)
        record(trace.Dropped(record.now(), self._device.name, conv, epoch, seq + 1))
        return copy

    def pushed(self, link: Link, data: dict[str, Any]) -> None:
        """An entry was pushed."""
        record = self._device.host.record
        conv = self._device.account.canonical(data["conversation"])
        key = key_of(data)
        record(trace.Pushed(record.now(), link.number, conv, data["epoch"], data["seq"], key))
        self.entry(conv, data["epoch"], data["seq"], key)

    def entry(self, conv: str, epoch: str, seq: int, key: str) -> None:
        """An entry is known, from a push or as one's own that was accepted."""
        copy = self.all.get(conv)
        if copy is None:
            copy = self._begin(conv, epoch, 0)
        if epoch != copy.epoch or seq > copy.seq + 1:
            copy.ahead[epoch, seq] = key
            self._fetch(conv, copy)
        elif seq == copy.seq + 1:
            self._show(conv, copy, epoch, seq, key)
            self._join(conv, copy)

    def _show(self, conv: str, copy: Copy, epoch: str, seq: int, key: str) -> None:
        record = self._device.host.record
        copy.seq = seq
        record(trace.Shown(record.now(), self._device.name, conv, epoch, seq, key))

    def _join(self, conv: str, copy: Copy) -> None:
        """Show what waited for a hole to be filled."""
        while copy.ahead:
            following = copy.epoch, copy.seq + 1
            key = copy.ahead.pop(following, None)
            if key is None:
                break
            self._show(conv, copy, *following, key)
        copy.ahead = {
            (epoch, seq): key
            for (epoch, seq), key in copy.ahead.items()
            if epoch != copy.epoch or seq > copy.seq
        }

    # Holes -----------------------------------------------------------------------------------

    def interrupted(self) -> None:
        """The connection is lost: what is above holes is fetched after the next login."""
        for copy in self.all.values():
            copy.ahead.clear()

    def _fetch(self, conv: str, copy: Copy) -> None:
        if copy.fetching or self._device.link is None:
            return
        copy.fetching = True
        self._device.host.spawn(self._fill(conv, copy, self._device.link))

    async def _fill(self, conv: str, copy: Copy, link: Link) -> None:
        try:
            while not link.lost:
                try:
                    if not await self._fetch_page(conv, copy, link):
                        return
                except Refused as error:
                    if error.code == 404:
                        self._is_gone(conv, copy)
                        return
                    if error.code == 403 and self._device.roams:
                        return
                    pause = max(error.retry_after, RETRY_SECONDS)
                    await deferLater(self._device.host.reactor, pause)
        except ConnectionLost:
            return
        finally:
            copy.fetching = False

    async def _fetch_page(self, conv: str, copy: Copy, link: Link) -> bool:
        """Fetch the next page.

        :returns: whether there is more to fetch.
        :raises Refused: not now.
        """
        device, asked = self._device, self._device.host.record.now()
        page = await link.ask(
            "HistoryMes", conversation=device.account.wire_name(conv), epoch=copy.epoch,
            after=copy.seq, limit=PAGE,
        )  # fmt: skip
        if page["epoch"] != copy.epoch:
            self._new_epoch(conv, copy, page["epoch"], page["epochFirst"])
            return True
        copy.ahead = {name: key for name, key in copy.ahead.items() if name[0] == copy.epoch}
        for entry in page["messages"]:
            self._fetched(conv, copy, link, entry, asked)
        self._join(conv, copy)
        return bool(page["more"] or copy.ahead)

    def _fetched(
        self, conv: str, copy: Copy, link: Link, entry: dict[str, Any], asked: float
    ) -> None:
        record, key = self._device.host.record, key_of(entry)
        epoch, seq = entry.get("epoch", copy.epoch), entry["seq"]
        revision = revision_of(entry)
        record(trace.Fetched(record.now(), link.number, conv, epoch, seq, key, asked, revision))
        if seq == copy.seq + 1:
            self._show(conv, copy, epoch, seq, key)

    def _new_epoch(self, conv: str, copy: Copy, epoch: str, first: int) -> None:
        """Keep what is below ``first``, drop the rest, as the protocol says of numbers."""
        record = self._device.host.record
        copy.epoch = epoch
        if copy.seq >= first:
            copy.seq = first - 1
            record(trace.Dropped(record.now(), self._device.name, conv, epoch, first))

    def _is_gone(self, conv: str, copy: Copy) -> None:
        """The store has lost the whole conversation: whoever writes next begins it anew."""
        record = self._device.host.record
        copy.epoch, copy.seq = "", 0
        copy.ahead.clear()
        record(trace.Dropped(record.now(), self._device.name, conv, "", 1))


def key_of(entry: dict[str, Any]) -> str:
    """The key of a message, which is the first word of its content; of other entries empty.

    It says what the message answers. Where the entry says otherwise, that is the key of none.
    """
    if entry.get("kind"):
        return ""
    key = str(entry.get("content", "")).partition(" ")[0]
    said = answering(key.partition(ANSWERS)[0], entry.get("reply", 0))
    return key if said == key else f"{key}, an answer to {entry.get('reply', 0)}"


def answering(key: str, reply: int) -> str:
    """The key of a message that answers number ``reply``, 0 for none."""
    return f"{key}{ANSWERS}{reply}" if reply else key


def revision_of(entry: dict[str, Any]) -> int:
    """How often a message had been edited, which is the second word of what it says by then."""
    word = str(entry.get("content", "")).partition(" ")[2].partition(" ")[0]
    return int(word[1:]) if word.startswith(REVISED) else 0
