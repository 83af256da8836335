"""The commands about oneself: busy or not, to be disturbed or not, and on which devices."""

from chat.client.language.durations import read_minutes
from chat.client.language.happenings import span
from chat.client.tui.commands.offering import Offering
from chat.names import canonical_user_name

__all__ = ["OneselfVerbs"]

MOST_MINUTES = 525_600
"""A do not disturb ends after a year at the latest; no calendar goes as far as one may write."""


class OneselfVerbs(Offering):
    """Part of ``Verbs``."""

    async def busy(self, arguments: str) -> None:
        await self._chat.client.set_status(busy=True)
        self._chat.say(self._words("now-busy"))

    async def back(self, arguments: str) -> None:
        await self._chat.client.set_status(busy=False)
        self._chat.say(self._words("now-online"))

    def dnd(self, arguments: str) -> None:
        quiet, now = self._chat.quiet, self._desk.look.moment()
        written = canonical_user_name(arguments.strip())
        if written in ("off", "0") or (not written and quiet.holds(now)):
            quiet.end()
            self._chat.say(self._words("dnd-off"))
        elif not written:
            quiet.begin(now, None)
            self._chat.say(self._words("dnd-on"))
        elif minutes := min(read_minutes(written), MOST_MINUTES):
            quiet.begin(now, minutes)
            self._chat.say(self._words("dnd-for", time=span(self._words, 60 * minutes)))
        else:
            self._usage("dnd")

    async def devices(self, arguments: str) -> None:
        rows, look = [], self._desk.look
        for each in await self._chat.client.sessions():
            here = each.device == self._chat.client.device
            known = "this-device" if here else "state-online" if each.online else "state-offline"
            about = f"{self._words(known)}  {look.when(each.last_seen):%Y-%m-%d %H:%M}"
            rows.append((look.line(each.device), about, f"/revoke {each.device}"))
        self._list(self._hinted("devices-title", "devices-hint"), rows, self._desk.write)

    async def revoke(self, arguments: str) -> None:
        await self._chat.client.revoke(arguments.strip())
        self._chat.say(self._words("revoked", device=arguments.strip()))
