"""The example session of the protocol's page, played to a server: frame by frame what it shows."""

import json
import re
from typing import Any

from tests.party import Party
from tests.peers import framed
from tests.server import GENEROUS, serving
from tests.test_docs import EXAMPLE, PROTOCOL

BEFORE = 41
"""Entries that the example's lobby has when it begins."""

OPAQUE = ("token", "epoch", "time", "serverTime")
BOB, ALICE = 3, 7
"""Their ids on the page."""


class Stage:
    """Puts what this server made up for what the page has, and holds the rest against it.

    :ivar alice: the connection that plays ``C``.
    :ivar real: opaque values and Alice's id, as this server gave them, by what the page has.
    """

    def __init__(self, party: Party) -> None:
        self.party = party
        self.bob = party.connect()
        self.bob.register(userId=BOB, userName="bob", userPwd="sesame for bob")
        self.bob.log_in(userName="bob", userPwd="sesame for bob", device="his")
        for number in range(BEFORE):
            self.bob.post("#lobby", f"before {number}")
        self.alice = party.connect()
        self.real: dict[Any, Any] = {}

    def play(self, scene: list[tuple[str, str]]) -> None:
        for side, body in scene:
            shown = json.loads(body)
            data = json.loads(shown["data"])
            if side == "C":
                data |= {name: self.real[data[name]] for name in OPAQUE if name in data}
                body = json.dumps({**shown, "data": json.dumps(data)})
                self.alice.send_bytes(framed(body.encode()))
                continue
            if shown["type"] == "SmsMes":
                self.bob.post(data["conversation"], data["content"])
            came = self.next_frame(shown["type"])
            assert came.id == shown.get("id")
            self.compare(data, came.data)

    def next_frame(self, kind: str) -> Any:
        """The next one but those that the page leaves out: who came or went, and marks."""
        while (frame := self.alice.read()).type in ("PresenceMes", "ConversationMes", "ReceiptMes"):
            pass
        assert frame.type == kind, frame
        return frame

    def compare(self, shown: Any, came: Any, member: str = "") -> None:
        """Whether it is what the page shows; it may have more members."""
        if isinstance(shown, dict):
            for name, value in shown.items():
                assert name in came, (name, came)
                self.compare(value, came[name], name)
        elif isinstance(shown, list):
            assert len(shown) == len(came), (member, came)
            for one, other in zip(shown, came, strict=True):
                self.compare(one, other, member)
        elif member in OPAQUE or (shown == ALICE and member in ("userId", "UsersId")):
            assert type(shown) is type(came)
            assert member in ("time", "serverTime") or self.real.setdefault(shown, came) == came
        else:
            assert shown == came, (member, shown, came)


def scenes() -> list[list[tuple[str, str]]]:
    section = PROTOCOL[PROTOCOL.index("\nAn example session\n---") :]
    section = section[: section.index("\nFrames\n---")]
    return [EXAMPLE.findall(part) for part in re.split(r"::\n\n", section)[1:]]


def test_the_example_session_is_what_a_client_meets() -> None:
    first, second = scenes()
    with serving(*GENEROUS) as server, Party(server.port) as party:
        stage = Stage(party)
        stage.play(first)
        tablet = party.connect()
        tablet.log_in(userName="alice", userPwd="correct horse", device="tablet")
        # Her AckMes is noticed where it counts, before she goes.
        if tablet.conversation("#lobby")["read"] < BEFORE + 2:
            tablet.expect("ConversationMes", conversation="#lobby", read=BEFORE + 2)
        tablet.close()
        stage.alice.post("#lobby", "anyone for tea?", clientId="laptop-5f2c-2")
        stage.alice.close()
        stage.bob.post("#lobby", "yes, please")
        stage.bob.post("#lobby", "where are you?")
        stage.bob.post("@alice", "no sugar for me")
        stage.alice = party.connect()
        stage.play(second)
