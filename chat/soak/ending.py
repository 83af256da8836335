"""The end of a run: everybody stops talking, everything arrives, and the logs are read."""

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater

from chat.soak import trace
from chat.soak.copies import key_of, revision_of
from chat.soak.device import Device
from chat.soak.link import Refused
from chat.soak.world import World

__all__ = ["finish"]

EMPTY_SECONDS: Final = 60.0
TAIL_SECONDS: Final = 10.0
"""What is last in a conversation arrives within this time, whatever was lost on the way."""

SYNC_SECONDS: Final = 15.0
READ_SECONDS: Final = 30.0
"""A page that nobody gets in this time is not to be had."""

LATE_SECONDS: Final = 1.0
PAGE: Final = 200


async def finish(world: World) -> list[str]:
    """Bring a world to rest and put its logs on record.

    :returns: what did not come to rest, one sentence each.
    """
    problems = []
    world.talk(False)
    if not await world.until(lambda: _silent(world), EMPTY_SECONDS):
        problems.append(f"{world.name}: {_waiting(world)}")
    for _ in range(2):  # a joining of unknown fate may come to light a little later
        for wanderer in world.wanderers:
            await _compare(wanderer.device)  # A loss may have undone that it left.
        if not await world.until(lambda: all(w.resting for w in world.wanderers), READ_SECONDS):
            problems.append(f"{world.name}: somebody can't leave a room")
        await deferLater(world.reactor, LATE_SECONDS)
    try:
        await _settle(world)
        await _say_goodbye(world)
        problems += await _hear_goodbye(world)
        await _synchronise(world)
        for conv in _conversations(world):
            await _read_log(world, conv)
    except NotToBeHad as error:
        problems.append(f"{world.name}: {error}")
    return problems


def _silent(world: World) -> bool:
    return all(device.link and not device.outbox for device in world.devices if device.wanted)


def _waiting(world: World) -> str:
    waiting = {d.name: len(d.outbox) for d in world.devices if d.outbox or not d.link}
    return f"messages still wait, or devices are not connected: {waiting}"


def _conversations(world: World) -> list[str]:
    return sorted({conv for device in world.devices for conv in device.copies.all})


class NotToBeHad(Exception):
    """The history of a conversation can't be read."""


async def _reader(world: World, conv: str) -> Device:
    """A member who is connected.

    :raises NotToBeHad: nobody is, for a long time.
    """
    members = list(world.members(conv))
    if not await world.until(lambda: any(device.link for device in members), READ_SECONDS):
        raise NotToBeHad(f"no member of {conv} is connected")
    return next(device for device in members if device.link)


async def _page(world: World, conv: str, **bounds: Any) -> dict[str, Any]:
    """A page of a conversation from any member, asked for until there is one.

    :raises NotToBeHad: there was none for a long time.
    """
    give_up = world.reactor.seconds() + READ_SECONDS
    while world.reactor.seconds() < give_up:
        device = await _reader(world, conv)
        assert device.link is not None
        try:
            return await device.link.ask(
                "HistoryMes", conversation=device.account.wire_name(conv), **bounds
            )
        except Refused as error:
            if error.code == 404:  # all of it was lost; whoever writes next begins it anew
                return {"epoch": "", "messages": [], "more": False}
            await deferLater(world.reactor, 0.5)
        except ConnectionLost:
            await deferLater(world.reactor, 0.5)
    raise NotToBeHad(f"the history of {conv} can't be read")


async def _settle(world: World) -> None:
    """Record where the logs end, when the devices have had their time."""
    ends = {}
    for conv in _conversations(world):
        page = await _page(world, conv, limit=1)
        if page["messages"]:
            newest = page["messages"][-1]
            ends[conv] = newest.get("epoch", page["epoch"]), newest["seq"]

    def arrived() -> bool:
        return all(
            copy.seq >= seq
            for conv, (_, seq) in ends.items()
            for device in world.members(conv)
            if (copy := device.copies.all.get(conv)) is not None
        )

    await world.until(arrived, TAIL_SECONDS)
    for conv, (epoch, seq) in ends.items():
        world.record(trace.Settled(world.record.now(), conv, epoch, seq))


async def _say_goodbye(world: World) -> None:
    """Send one last message to each conversation, so that whoever has missed an epoch hears of
    it."""
    for conv in _conversations(world):
        device = await _reader(world, conv)
        world.say(device, device.account.wire_name(conv))
    await world.until(lambda: _silent(world), SYNC_SECONDS)


async def _hear_goodbye(world: World) -> list[str]:
    """Whether original clients hear the last message in the lobby, and what else was wrong with
    theirs."""
    page = await _page(world, f"{world.name}:#lobby", limit=1)
    last = key_of(page["messages"][-1])
    await world.until(lambda: all(each.last == last for each in world.originals), TAIL_SECONDS)
    problems = [text for each in world.originals for text in each.complaints[:3]]
    if any(each.last != last for each in world.originals):
        problems.append(f"{world.name}: an original client did not hear the lobby's last message")
    return problems


async def _synchronise(world: World) -> None:
    """Let every device compare its list with the server's, and fetch what it lacks."""
    for device in world.devices:
        await Deferred.fromCoroutine(_compare(device))
    ends = {}
    for conv in _conversations(world):
        page = await _page(world, conv, limit=1)
        ends[conv] = page["messages"][-1]["seq"] if page["messages"] else 0
    await world.until(
        lambda: all(
            device.copies.all[conv].seq == seq
            for conv, seq in ends.items()
            for device in world.members(conv)
            if conv in device.copies.all
        ),
        SYNC_SECONDS,
    )


async def _compare(device: Device) -> None:
    if device.link is None:
        return
    try:
        page = await device.link.ask("ConversationsMes", limit=100)
    except (Refused, ConnectionLost):
        return  # it compares when it is connected again
    device.copies.compare(page["conversations"])


async def _read_log(world: World, conv: str) -> None:
    after = 0
    while True:
        page = await _page(world, conv, after=after, limit=PAGE)
        for entry in page["messages"]:
            after = entry["seq"]
            epoch = entry.get("epoch", "")
            now, key, revision = world.record.now(), key_of(entry), revision_of(entry)
            world.record(trace.Logged(now, conv, epoch, after, key, revision))
        if not page["more"]:
            return
