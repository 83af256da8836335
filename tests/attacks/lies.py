"""What somebody can claim that is not so."""

import time
from collections import Counter
from typing import Any

from chat.store.moderation import ACTIONS
from tests.attacks.field import Field, unique
from tests.peers import PASSWORD, CurrentPeer

__all__ = ["ATTACKS"]


def forgeries(field: Field) -> str:
    """Forged senders, numbers, epochs, marks, and others' conversations"""
    ann, bob = (field.member(unique(name)) for name in ("ann", "bob"))
    thief = field.member(unique("thief"))
    secret = ann.post(bob.at, "between the two of us")
    forged = {"userId": ann.user_id, "userName": "ann", "seq": 10**9, "epoch": "x", "time": 1}
    thief.post("#lobby", "who am I?", clientId="forged-1", **forged)
    heard = bob.hears("who am I?")
    assert heard["userId"] == thief.user_id
    assert heard["seq"] < 10**9
    for conversation in (f"p:{ann.user_id}:{bob.user_id}", f"@{ann.user_id}:{bob.user_id}"):
        assert thief.ask("HistoryMes", conversation=conversation)["code"] in (400, 404)
    for other in (ann, bob):
        page = thief.ask("HistoryMes", conversation=other.at)
        assert not page.get("messages"), page
        theirs = {"conversation": other.at, "seq": secret["seq"]}
        assert thief.ask("RedactMes", **theirs)["code"] != 200
        assert thief.ask("EditMes", content="mine", **theirs)["code"] != 200
    assert thief.ask("SearchMes", text="between the two")["messages"] == []
    thief.send("AckMes", conversation="#lobby", epoch="x", read=10**15)
    thief.send("AckMes", conversation=ann.at, epoch=secret["epoch"], read=10**15)
    marks = thief.conversation("#lobby")
    assert marks["read"] <= marks["seq"]
    repeated = thief.ask("SmsMes", to=bob.at, content="mine", clientId=secret["clientId"])
    assert (repeated["code"], repeated["duplicate"]) == (200, False)
    return "nothing: what a message says of its sender is not believed"


def replays(field: Field) -> str:
    """Tokens that were revoked, logged out, or ended by a new password, and made up ones"""
    name = unique("token")
    first = field.member(name)
    second, third = field.device(name, "second"), field.device(name, "third")
    tokens = [each.welcome["token"] for each in (first, second, third)]
    first.get("RevokeMes", device="second")
    third.get("LogoutMes")
    new = first.get("PasswordMes", userPwd=PASSWORD, newPwd="sesame-brand-new")["token"]
    thief = field.visitor()
    made_up = [tokens[0][:-1] + "x", "", "x" * 60_000, new.lower(), new + "=", "\0" * 43]
    for token in [*tokens, *made_up]:
        assert thief.log_in(token=token, device="d")["code"] in (403, 500), token[:60]
    assert field.visitor().log_in(token=new, device="d")["code"] == 200
    return "nothing: 403 for each"


def imitations(field: Field) -> str:
    """Names that look like somebody else's"""
    tail = unique("")
    field.member(f"Marguerite{tail}")
    visitor = field.visitor()
    tried = [
        "MARGUERITE", "ｍarguerite", "Marguerite\u200b", "\u2060Marguerite", "Marg\u00aduerite",
        " Marguerite", "Marguerite\u3164", "M\u0430rguerite", "Marguer\u0456te", "\u041carguerite",
        "Marguerite\ufe0f", "\u202eetireugraM", "M\u0251rguerite", "MarguerIte", "Marguer\u0131te",
    ]  # fmt: skip
    codes = {
        each: visitor.register(userName=each + tail, userPwd=PASSWORD)["code"] for each in tried
    }
    got = [each for each, code in codes.items() if code == 200]
    assert len(got) <= 2, got
    assert all(each.isalpha() for each in got), got
    return f"{len(got)} of {len(tried)}: Latin letters that resemble others (\u0251, \u0131)"


def _judged(peer: CurrentPeer, kind: str, data: dict[str, Any]) -> int:
    """The code of a request's reply, once it is not too early for it."""
    while (reply := peer.ask(kind, **data))["code"] == 429:
        time.sleep(reply["retryAfter"])
    code: int = reply["code"]
    return code


def pretenders(field: Field) -> str:
    """A member, and a stranger to the room, who act as moderators"""
    owner, member, stranger = (
        field.member(unique(name)) for name in ("owner", "member", "stranger")
    )
    room = unique("#room")
    owner.get("JoinMes", conversation=room, topic="ours")
    member.get("JoinMes", conversation=room)
    said = owner.post(room, "mine")
    requests: list[tuple[str, dict[str, Any]]] = [
        ("RedactMes", {"conversation": room, "seq": said["seq"]}),
        ("EditMes", {"conversation": room, "seq": said["seq"], "content": "theirs"}),
        ("TopicMes", {"conversation": room, "topic": "mine"}),
        ("SanctionsMes", {"conversation": room}),
        ("ModerateMes", {"conversation": "#lobby", "action": "announce", "reason": "me"}),
    ]
    codes: Counter[int] = Counter()
    for pretender in (member, stranger):
        acts = [
            ("ModerateMes", {"conversation": room, "action": action, "userId": whom.user_id})
            for action in sorted(ACTIONS)
            for whom in (owner, pretender)
        ]
        for kind, data in [*requests, *acts]:
            codes[_judged(pretender, kind, data)] += 1
    assert set(codes) == {403}, codes
    kept = owner.conversation(room)
    assert (kept["role"], kept["topic"], kept["seq"]) == ("owner", "ours", said["seq"])
    return f"nothing: {codes[403]} times 403"


ATTACKS = (forgeries, replays, imitations, pretenders)
