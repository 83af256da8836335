"""A user who joins rooms, listens for a while, and leaves them again."""

from typing import TYPE_CHECKING, Final

from twisted.internet.error import ConnectionLost

from chat.soak.device import Device
from chat.soak.link import Link, Refused

if TYPE_CHECKING:
    from chat.soak.world import World

__all__ = ["Wanderer"]

STEP_SECONDS: Final = 1.5


class Wanderer:
    """Moves one device, whose user stays in no room for long."""

    def __init__(self, world: "World", device: Device) -> None:
        self.device = device
        device.roams = True
        self._world = world
        self._moving = False
        self._next = 0.0

    @property
    def rooms(self) -> list[str]:
        """The rooms it is in, by their names in the trace."""
        rooms = [conv for conv in self.device.copies.all if "#" in conv]
        return [conv for conv in rooms if not conv.endswith(":#lobby")]

    @property
    def resting(self) -> bool:
        """Whether it is in no room, and not about to enter one."""
        return not self._moving and not self.rooms

    def tick(self) -> None:
        """Take the next step when it is time: leave a room, or enter one while others talk."""
        world, link = self._world, self.device.link
        now = world.record.now()
        if link is None or link.paused or self._moving or now < self._next:
            return
        self._next = now + world.random.uniform(0.5, 1.5) * STEP_SECONDS
        if self.rooms or world.talking:
            self._moving = True
            world.spawn(self._move(link))

    async def _move(self, link: Link) -> None:
        copies, rooms = self.device.copies, self.rooms
        try:
            if rooms:
                await self._leave(link, rooms[0])
            else:
                room = self._world.random.choice(sorted(self._world.rooms))
                copies.told(link, [await link.ask("JoinMes", conversation=room)])
        except (Refused, ConnectionLost):
            pass  # whether it happened is told by the next login, or by ConversationMes
        finally:
            self._moving = False

    async def _leave(self, link: Link, conv: str) -> None:
        try:
            await link.ask("LeaveMes", conversation=self.device.account.wire_name(conv))
        except Refused as error:
            if error.code not in (403, 404):
                raise
        self.device.copies.left(link, conv)
