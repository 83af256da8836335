"""The talkative servers: in our protocol, in IRC, and in as much XMPP as one client needs."""

import re
import sys
import time
from typing import Any, Final

from benchmarks.screen.crowd import BEFORE, SPEAKERS, Crowd, content, speaker
from chat import codec, messages
from chat.messages import Conversation, Entry, Message, User

__all__ = ["CROWDS", "ChatCrowd", "IrcCrowd", "XmppCrowd", "main"]

ROOM: Final = "#lobby"
USERS: Final = tuple(User(100 + each, f"user{each:02}", 0) for each in range(SPEAKERS))
EPOCH: Final = "e1"


class ChatCrowd(Crowd):
    """As our own server."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._reader = codec.FrameReader()
        began = int(time.time() * 1000)
        # Two seconds lie between those that were said before: no flood.
        self._times = [began - 2_000 * (BEFORE - each) for each in range(BEFORE)]

    def greet(self) -> None:
        self._reader = codec.FrameReader()

    def answer(self, data: bytes) -> bytes:
        answers = []
        for body in self._reader.feed(data):
            request, request_id = codec.decode(body, messages.REQUESTS)
            if request_id is not None:
                answer = self._answer(request) or messages.ErrorMes(400)
                answers.append(codec.encode(answer, request_id))
        return b"".join(answers)

    def push(self, seq: int) -> bytes:
        self._times.append(int(time.time() * 1000))
        found = self._entry(seq)
        said = messages.SmsPush(
            **{name: getattr(found, name) for name in messages.SmsPush.__struct_fields__}
        )
        return codec.encode(said)

    def _entry(self, seq: int) -> Entry:
        user = USERS[speaker(seq)]
        return Entry(
            seq, EPOCH, user_id=user.user_id, user_name=user.user_name, content=content(seq),
            time=self._times[seq - 1], conversation=ROOM,
        )  # fmt: skip

    def _answer(self, request: Any) -> Message | None:
        now = int(time.time() * 1000)
        match request:
            case messages.LoginMes() | messages.RegisterMes():
                return self._welcome(request, now)
            case messages.HistoryMes():
                return self._page(request)
            case messages.OnlineMes():
                return messages.OnlineResMes(users=USERS, total=len(USERS))
            case messages.SmsMes():
                self.seq += 1
                self._times.append(now)
                return messages.SmsResMes(
                    200, client_id=request.client_id, conversation=ROOM, epoch=EPOCH,
                    epoch_first=1, seq=self.seq, time=now,
                )  # fmt: skip
            case messages.PingMes():
                return messages.PongMes(now)
        return None

    def _welcome(self, request: messages.LoginMes | messages.RegisterMes, now: int) -> Message:
        if isinstance(request, messages.RegisterMes):
            return messages.RegisterResMes(200, "", 1)
        lobby = Conversation(ROOM, EPOCH, 1, self.seq, 1, self.seq, self.seq)
        return messages.LoginResMes(
            200, user=User(1, "tess", 0), token="token", server_time=now, durability="everysec",
            scope="all", conversations=(lobby,),
        )  # fmt: skip

    def _page(self, request: messages.HistoryMes) -> Message:
        high = min(request.before or self.seq + 1, self.seq + 1)
        low = request.after or 0
        if request.after is not None:
            numbers = range(low + 1, min(high, low + 1 + request.limit))
        else:
            numbers = range(max(1, high - request.limit), high)
        found = tuple(self._entry(seq) for seq in numbers)
        more = bool(found) and (found[-1].seq + 1 < high if request.after is not None else True)
        return messages.HistoryResMes(
            conversation=ROOM, epoch=EPOCH, epoch_first=1, first=1,
            messages=found, more=more,
        )  # fmt: skip


class IrcCrowd(Crowd):
    """As an IRC server with one channel."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._rest = b""
        self._nick = False

    def greet(self) -> None:
        self._rest, self._nick = b"", False

    def answer(self, data: bytes) -> bytes:
        *lines, self._rest = (self._rest + data).split(b"\n")
        said = [each for line in lines for each in self._line(line.decode("utf-8", "replace"))]
        return "".join(f"{each}\r\n" for each in said).encode()

    def push(self, seq: int) -> bytes:
        return f"{self._said(seq)}\r\n".encode()

    @staticmethod
    def _said(seq: int) -> str:
        who = f"user{speaker(seq):02}"
        return f":{who}!{who}@example.org PRIVMSG {ROOM} :{content(seq)}"

    def _line(self, line: str) -> list[str]:
        command, *words = line.strip().split(" ")
        match command.upper():
            case "CAP" if words[:1] == ["LS"]:
                return [":crowd CAP * LS :"]
            case "NICK" if not self._nick:
                self._nick = True
                welcome = [f":crowd 00{each} tess :crowd" for each in (1, 2, 3)]
                return [*welcome, ":crowd 004 tess crowd 1 i n", ":crowd 422 tess :nothing today"]
            case "JOIN":
                names = " ".join(each.user_name for each in USERS)
                return [
                    f":tess!tess@example.org JOIN {ROOM}",
                    f":crowd 353 tess = {ROOM} :tess {names}",
                    f":crowd 366 tess {ROOM} :End of /NAMES list.",
                    self._said(self.seq),
                ]
            case "MODE" if words[:1] == [ROOM]:
                return [f":crowd 324 tess {ROOM} +n"]
            case "WHO":
                return [f":crowd 315 tess {ROOM} :End of /WHO list."]
            case "PING":
                return [f":crowd PONG crowd {' '.join(words)}"]
        return []


class XmppCrowd(Crowd):
    """As an XMPP server: a login in plain text, an empty roster, one room."""

    HOST: Final = "localhost"
    _STANZA: Final = re.compile(
        r"<stream:stream[^>]*>|<auth\b[^>]*>|<(iq|presence)\b([^>]*?)(?:/>|>(.*?)</\1>)", re.DOTALL
    )

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._rest = ""
        self._known = False

    def greet(self) -> None:
        self._rest, self._known = "", False

    def answer(self, data: bytes) -> bytes:
        self._rest += data.decode("utf-8", "replace")
        said, end = [], 0
        for found in self._STANZA.finditer(self._rest):
            said.append(self._stanza(found))
            end = found.end()
        self._rest = self._rest[end:]
        return "".join(said).encode()

    def push(self, seq: int) -> bytes:
        return self._said(seq).encode()

    @property
    def _room(self) -> str:
        return f"lobby@rooms.{self.HOST}"

    def _said(self, seq: int) -> str:
        return (
            f"<message type='groupchat' from='{self._room}/user{speaker(seq):02}'"
            f" to='tess@{self.HOST}/screen' id='m{seq}'><body>{content(seq)}</body></message>"
        )

    def _stanza(self, found: "re.Match[str]") -> str:
        text = found[0]
        if text.startswith("<stream"):
            return self._features()
        if text.startswith("<auth"):
            self._known = True
            return "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
        if found[1] == "presence":
            return self._joined() if f"{self._room}/" in found[2] else ""
        return self._result(found[2], found[3] or "")

    def _features(self) -> str:
        plain = "<mechanism>PLAIN</mechanism>"
        plain = f"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{plain}</mechanisms>"
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
        return (
            f"<?xml version='1.0'?><stream:stream id='s' from='{self.HOST}' version='1.0'"
            " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
            f"<stream:features>{bind if self._known else plain}</stream:features>"
        )

    def _result(self, attributes: str, inside: str) -> str:
        number = re.search(r"""\bid=["']([^"']*)""", attributes)
        start = f"<iq id='{number[1] if number else ''}' from='{self.HOST}' type="
        if "xmpp-bind" in inside:
            jid = f"<jid>tess@{self.HOST}/screen</jid>"
            bound = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{jid}</bind>"
            return f"{start}'result'>{bound}</iq>"
        if "jabber:iq:roster" in inside:
            return f"{start}'result'><query xmlns='jabber:iq:roster'/></iq>"
        no = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        return f"{start}'error'><error type='cancel'>{no}</error></iq>"

    def _joined(self) -> str:
        item = "<item affiliation='member' role='participant'/>"
        muc = "xmlns='http://jabber.org/protocol/muc#user'"
        names = [*(each.user_name for each in USERS), "tess"]
        there = [
            f"<presence from='{self._room}/{name}' to='tess@{self.HOST}/screen'><x {muc}>{item}"
            f"{'<status code=' + repr('110') + '/>' if name == 'tess' else ''}</x></presence>"
            for name in names
        ]
        return "".join(there) + self._said(self.seq)


CROWDS: Final[dict[str, type[Crowd]]] = {"chat": ChatCrowd, "irc": IrcCrowd, "xmpp": XmppCrowd}


def main() -> None:
    """Listen as the command line says."""
    CROWDS[sys.argv[1]](int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
