"""The commands of moderation: kick, mute, invite, block, report."""

from chat.client.conversation import Conversation
from chat.client.language.durations import read_duration
from chat.client.tui.commands.offering import Offering
from chat.messages import Entry
from chat.names import id_or_name, is_room

__all__ = ["ModeratingVerbs"]

ROLES = {
    **{each: each for each in ("owner", "moderator", "member")},
    "房主": "owner", "管理员": "moderator", "成员": "member",
}  # fmt: skip
"""What one may call them, and what the server does."""

ENDS = {"ban": "unban", "mute": "unmute", "invite": "uninvite"}
"""What takes back what was done to somebody."""


class ModeratingVerbs(Offering):
    """Part of ``Verbs``. What they do is seen as an entry of the room, so most say nothing."""

    # To somebody in the open room

    async def kick(self, arguments: str) -> None:
        await self._act("kick", arguments)

    async def ban(self, arguments: str) -> None:
        await self._act("ban", arguments, timed=True)

    async def unban(self, arguments: str) -> None:
        await self._act("unban", arguments)

    async def mute(self, arguments: str) -> None:
        _, whom = self._which(arguments)
        if not whom:  # In other programs this hushes a room.
            self._chat.say(self._words("mute-whom"), bad=True)
            return
        await self._act("mute", arguments, timed=True)

    async def unmute(self, arguments: str) -> None:
        await self._act("unmute", arguments)

    async def invite(self, arguments: str) -> None:
        await self._act("invite", _room_first(arguments))

    async def uninvite(self, arguments: str) -> None:
        _, whom = self._which(_room_first(arguments))
        if await self._act("uninvite", _room_first(arguments)):
            self._chat.say(self._words("uninvited", who=whom.partition(" ")[0]))

    async def role(self, arguments: str) -> None:
        who, _, role = arguments.partition(" ")
        if role.strip() not in ROLES:
            self._chat.say(self._words("roles"), bad=True)
            return
        await self._act(ROLES[role.strip()], who)

    async def _act(self, action: str, arguments: str, timed: bool = False) -> bool:
        """``[#room] name [time] [reason]``, to a member of that room, or of the open one. Return
        whether it was done."""
        conversation, arguments = self._which(arguments)
        who, _, rest = arguments.partition(" ")
        seconds = None
        if timed:
            first, _, after = rest.strip().partition(" ")
            seconds = read_duration(first) if first else None
            rest = rest if seconds is None else after
            # In the protocol no time means for ever, and so would a time that could not be read.
            if first[:1].isdecimal() and not seconds:
                self._chat.say(self._words("no-duration", text=first), bad=True)
                return False
        room = self._room(conversation)
        if room:
            await self._chat.client.moderate(
                room, action, self._somebody(who), seconds or 0, rest.strip()
            )
        return bool(room)

    def _room(self, conversation: Conversation | None = None) -> str:
        """That room, or the open one; empty, and said so, where that is a private conversation."""
        name = conversation.name if conversation else self._chat.model.open
        if is_room(name):
            return name
        self._chat.say(self._words("only-rooms"), bad=True)
        return ""

    def _which(self, arguments: str) -> tuple[Conversation | None, str]:
        """The room of one's own that a command names first, or what is open; and the rest."""
        name, _, rest = arguments.partition(" ")
        named = self._chat.model.conversations.get(name.casefold()) if is_room(name) else None
        return (named, rest.strip()) if named else (self._chat.model.current, arguments)

    @staticmethod
    def _somebody(name: str) -> int | str:
        return id_or_name(name.rstrip(":,"))

    # To the open room

    async def slow(self, arguments: str) -> None:
        written = arguments.strip()
        seconds = 0 if written in ("", "off") else read_duration(written)
        if seconds is None:
            self._chat.say(self._words("no-duration", text=written), bad=True)
        elif room := self._room():
            await self._chat.client.moderate(room, "slow", seconds=seconds)

    async def private(self, arguments: str) -> None:
        if room := self._room():
            await self._chat.client.moderate(room, "private")

    async def public(self, arguments: str) -> None:
        if room := self._room():
            await self._chat.client.moderate(room, "public")

    async def sanctions(self, arguments: str) -> None:
        room = self._room()
        if not room:
            return
        rows = []
        for each in await self._chat.client.sanctions(room):
            if each.action not in ENDS:
                continue  # From a newer server: this client could not end it.
            who = self._chat.name_of(each.user_id, each.user_name)
            text, until = self._words(f"held-{each.action}", who=who), ""
            if each.until:
                time = f"{self._desk.look.when(each.until):%Y-%m-%d %H:%M}"
                until = self._words("held-until", time=time)
            rows.append((text, until, f"/{ENDS[each.action]} {each.user_name or each.user_id}"))
        if rows:
            self._list(self._hinted("sanctions-title", "sanctions-hint"), rows, self._desk.write)
        else:
            self._chat.say(self._words("nothing-found"))

    # In private

    async def block(self, arguments: str) -> None:
        await self._block(arguments, True)

    async def unblock(self, arguments: str) -> None:
        await self._block(arguments, False)

    async def _block(self, arguments: str, yes: bool) -> None:
        name = arguments.strip()
        if not name:
            users = await self._chat.people.ask_blocks()
            if not users:
                self._chat.say(self._words("nobody-blocked"))
                return
            names = self._words("comma").join(
                self._chat.name_of(each.user_id, each.user_name) for each in users
            )
            self._tell(self._words("blocked-list", n=len(users), names=names))
            return
        await self._chat.client.block(self._somebody(name), yes)
        await self._chat.people.ask_blocks()
        self._chat.say(self._words("now-blocked" if yes else "now-unblocked", who=name))

    async def report(self, arguments: str) -> None:
        """Their last message here, with what is wrong with it."""
        name, _, reason = arguments.partition(" ")
        found = self._last_of(self._chat.model.current, name)
        if found is None:
            self._chat.say(self._words("nothing-by", who=name), bad=True)
            return
        await self._chat.client.report(self._chat.model.open, found.seq, reason.strip())
        self._chat.say(
            self._words("reported", who=self._chat.name_of(found.user_id, found.user_name))
        )

    def _last_of(self, conversation: Conversation | None, name: str) -> Entry | None:
        """The last message that somebody wrote in a conversation, as far as it is loaded."""
        who = self._somebody(name)
        for each in reversed(conversation.entries if conversation else []):
            named = who in (each.user_id, each.user_name)
            same = isinstance(who, str) and each.user_name.casefold() == who.casefold()
            if (named or same) and not each.kind and not each.deleted:
                return each
        return None


def _room_first(arguments: str) -> str:
    """``#cats Ben`` for ``Ben #cats``, as invitations are written elsewhere."""
    words = arguments.split(None, 2)
    if len(words) > 1 and is_room(words[1]) and not is_room(words[0]):
        words[:2] = words[1], words[0]
    return " ".join(words)
