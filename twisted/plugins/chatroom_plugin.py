"""Lets ``twistd`` find ``twistd chatroom``."""

from twisted.application.service import ServiceMaker

chatroom = ServiceMaker(
    "chatroom", "chat.server.tap", "A chat server that keeps everything in Redis.", "chatroom"
)
