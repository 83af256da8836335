"""A bot that says back whatever is said to it in private.

Its account comes first: chatroom --profile echo register echo

CHATROOM_PASSWORD=secret python examples/echo_bot.py echo [tcp:127.0.0.1:8889]
"""

import os
import sys

from twisted.internet.task import react

from chat.client.api import DEFAULT_SERVER, ChatClient


async def echo(reactor, name, server=DEFAULT_SERVER):
    async with ChatClient(reactor, server, device="echo bot", missed=True) as client:
        await client.log_in(name, os.environ["CHATROOM_PASSWORD"])
        async for message in client.messages():
            if message.conversation.startswith("@"):
                client.send(message.conversation, message.content)


if __name__ == "__main__":
    react(echo, sys.argv[1:])
