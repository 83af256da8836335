"""A client of the first generation in the lobby: no numbers, no answers, and small frames only."""

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from chat.soak import trace
from chat.soak.device import TROUBLE, Account, Host
from chat.soak.link import Link, connect

__all__ = ["Original"]

BUFFER: Final = 8_000
"""Bytes: some of the Go clients read a frame into no more."""

RETRY_SECONDS: Final = 0.5
LOGIN_SECONDS: Final = 10.0
KINDS: Final = frozenset(
    {"RegisterResMes", "LoginResMes", "NotifyUserStatusMes", "SmsMes"}
)  # fmt: skip
PRIVATE, SYSTEM = "[私聊] ", "[系统] "


class Original:
    """Connects, hears the lobby, says something now and then, and comes back after every loss.

    :ivar complaints: what would have ended a Go client, one sentence each.
    :ivar last: the key of the last message that it heard in the lobby.
    """

    def __init__(self, host: Host, account: Account, turn: int) -> None:
        self._host = host
        self._account = account
        self._turn = turn
        self.link: Link | None = None
        self.complaints: list[str] = []
        self.last = ""
        self._wanted = True
        self._welcomed: Deferred[bool] = Deferred()
        self._life: Deferred[None] | None = None

    def start(self) -> None:
        """Connect, and come back, until ``stop``."""
        self._life = Deferred.fromCoroutine(self._live())

    async def stop(self) -> None:
        """Go away for good."""
        self._wanted = False
        if self.link is not None:
            self.link.abort()
        if self._life is not None:
            await self._life

    def say(self, key: str) -> None:
        """Say something in the lobby; nobody will answer."""
        link = self.link
        if link is None:
            return
        conv = self._account.canonical("#lobby")
        self._host.record(trace.Sent(self._host.record.now(), link.number, conv, key))
        link.tell("SmsMes", content=f"{key} as ever", userId=self._account.user_id,
                  userPwd="", userName="", userStatus=0, sex="")  # fmt: skip

    async def _live(self) -> None:
        while self._wanted:
            try:
                await self._visit()
            except TROUBLE:
                self._turn += 1
            await deferLater(self._host.reactor, RETRY_SECONDS)

    async def _visit(self) -> None:
        """One connection, from its beginning to its end."""
        host, account = self._host, self._account
        server, port = host.port_of(self._turn)
        link = await connect(host.reactor, port, self._received)
        name = f"{account.name}-original"
        link.opened(host.record, account.user_id, name, server)
        self._welcomed = Deferred()
        impatience = host.reactor.callLater(LOGIN_SECONDS, link.abort)
        link.gone.addCallback(lambda _: self._over())
        link.tell("LoginMes", userId=account.user_id, userPwd=account.password, userName="")
        if await self._welcomed:
            self.link = link
        else:
            link.abort()
        if impatience.active():
            impatience.cancel()
        if not link.lost:
            gone: Deferred[None] = Deferred()
            link.gone.addCallback(gone.callback)
            await gone
        self.link = None
        host.record(trace.Closed(host.record.now(), link.number))

    def _over(self) -> None:
        if not self._welcomed.called:
            self._welcomed.callback(False)

    def _received(self, link: Link, kind: str, data: dict[str, Any]) -> None:
        if kind not in KINDS:
            self.complaints.append(f"an original client was sent {kind}")
        if link.largest > BUFFER:
            self.complaints.append(f"an original client was sent a frame of {link.largest} bytes")
        if not self._welcomed.called:
            if kind != "LoginResMes":
                self.complaints.append(f"an original client's login was answered by {kind}")
            self._welcomed.callback(data.get("code") == 200)
        elif kind == "SmsMes":
            self._heard(link, data["content"])

    def _heard(self, link: Link, content: str) -> None:
        if content.startswith((PRIVATE, SYSTEM)):
            return
        conv, key = self._account.canonical("#lobby"), content.partition(" ")[0]
        self.last = key
        self._host.record(trace.Heard(self._host.record.now(), link.number, conv, key))
