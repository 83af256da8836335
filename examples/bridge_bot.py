"""A bot that carries what is said in a room to a room of the same name on another server, and back.

Its accounts come first, with one name and password on both, and so does the room:
chatroom --profile one --server HOST register bridge; chatroom --profile one send --join '#room' hi

CHATROOM_PASSWORD=secret python examples/bridge_bot.py bridge '#room' tcp:one:8889 tcp:two:8889

How far it got stands in two small files. Killed at any moment, it goes on there: what it carried
last it may carry again, under the same clientId, and the server knows that it has it already.
"""

import json
import os
import sys
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from chat.client.api import ChatClient, Position, Refused
from chat.names import room_name


def read_position(path):
    return Position(**json.loads(path.read_text())) if path.exists() else None


def write_position(path, position):
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"epoch": position.epoch, "seq": position.seq}))
    os.replace(new, path)


async def carry(messages, target, room, path):
    async for message in messages:
        if message.conversation != room:
            continue
        text = f"<{message.user_name}> {message.content}"
        client_id = f"{message.epoch}-{message.seq}"  # ASCII, whatever the room is called
        try:
            await target.send(room, text, client_id).stored()
        except Refused as refusal:
            print(f"{message.seq} of {path.stem} is not carried: {refusal}", file=sys.stderr)
        write_position(path, Position(message.epoch, message.seq))


async def bridge(reactor, name, room, one, two, directory="."):
    room = room_name(room)
    file = room[1:].replace("/", "@")  # which no room has in its name
    paths = [Path(directory, f"{file}-{side}.json") for side in ("one", "two")]
    clients, streams = [], []
    for server, path in zip((one, two), paths, strict=True):
        position = read_position(path)
        client = ChatClient(
            reactor,
            server,
            device="bridge bot",
            positions={room: position} if position else {},
            # Before it has a position it starts where it joined, and its marks stay there.
            missed=position is None,
            acknowledge=False,
        )
        clients.append(client)
        streams.append(client.messages())
    for client in clients:
        await client.log_in(name, os.environ["CHATROOM_PASSWORD"])
        await client.join(room)
    ways = zip(streams, reversed(clients), paths, strict=True)
    await gatherResults(
        [Deferred.fromCoroutine(carry(stream, to, room, path)) for stream, to, path in ways],
        consumeErrors=True,
    )


if __name__ == "__main__":
    react(bridge, sys.argv[1:])
