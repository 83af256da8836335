"""Makes a conversation of a million messages: one is sent, and the store copies it.

Copying inside the store knows nothing of an entry but that its number is the stream's id and
stands in its JSON, so whatever format the store has is the format of the copies.
"""

import socket
from typing import Any, Final

import hiredis

from benchmarks.servers import Chatroom
from chat import messages
from chat.codec import FrameReader, encode
from chat.messages import Message
from chat.store.keys import Keys, private_cid
from chat.store.link.connection import Word, pack

__all__ = ["fill"]

AT_ONCE: Final = 20_000
"""Copies in one call: the store does nothing else for some 50 ms."""

COPY: Final = """
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local seq = tonumber(string.match(last[1], '^%d+'))
local fields, old = last[2], '"seq":' .. seq .. ','
for number = seq + 1, seq + tonumber(ARGV[1]) do
  local copied, new = {}, '"seq":' .. number .. ','
  for i, value in ipairs(fields) do
    local from, to = string.find(value, old, 1, true)
    if from then value = string.sub(value, 1, from - 1) .. new .. string.sub(value, to + 1) end
    copied[i] = value
  end
  redis.call('XADD', KEYS[2], number .. '-0', unpack(copied))
end
redis.call('HSET', KEYS[1], 'seq', seq + tonumber(ARGV[1]))
return seq + tonumber(ARGV[1])
"""


def fill(server: Chatroom, user_id: int, count: int, size: int) -> str:
    """Give a new user a conversation with themselves of ``count`` messages; its name.

    :param size: bytes of each message.
    """
    name = f"@{user_id}"
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        account = messages.Account(user_id=user_id, user_pwd="password")
        _ask(connection, messages.RegisterMes(user=account, version=2))
        _ask(connection, messages.LoginMes(version=2, user_id=user_id, user_pwd="password"))
        _ask(connection, messages.SmsMes(to=name, content="x" * size, client_id="first"))
    cid = private_cid(user_id, user_id)
    with socket.socket(socket.AF_UNIX) as store:
        store.connect(server.store_socket)
        seq = 1
        while seq < count:
            words: tuple[Word, ...] = (
                "EVAL",
                COPY,
                2,
                Keys().meta(cid),
                Keys().log(cid),
                min(AT_ONCE, count - seq),
            )
            seq = _call(store, words)
    return name


def _ask(connection: socket.socket, request: Message) -> None:
    """Send a request, and wait for something that is a reply to it."""
    connection.sendall(encode(request, "1"))
    reader = FrameReader()
    while True:
        for frame in reader.feed(connection.recv(65_536)):
            if b'"id":"1"' in frame:
                assert b'"code\\":200' in frame, frame
                return


def _call(store: socket.socket, words: tuple[Word, ...]) -> int:
    store.sendall(pack(words))
    reader = hiredis.Reader()
    answer: Any = False
    while answer is False:
        reader.feed(store.recv(65_536))
        answer = reader.gets()
    assert isinstance(answer, int), answer
    return answer
