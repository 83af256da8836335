"""Attacks on a live server, each bounded, and what it got, what it cost, what others noticed.

``python -m tests.attacks`` makes them all and prints the table that SECURITY.rst has.
"""

import contextlib
import gzip
import itertools
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.peers import PASSWORD, Closed, enveloped, framed
from tests.process import ServerProcess
from tests.witness import Visitor, Witnesses

__all__ = ["ATTACKS", "Field", "Outcome", "attacked", "table"]

ROOM = 1_000
"""Connections without a login that the server has room for."""

OPTIONS = (
    "--proxy-from", "127.0.0.1", "--strangers", str(ROOM), "--argon2", "2,19456,1",
)  # fmt: skip
"""Everything is as it is by default, but for room for strangers: the attacker has one machine."""

SECONDS = 1.5
"""How long an attack goes on that could go on for ever."""

Attack = Callable[["Field"], str]
ATTACKS: list[Attack] = []

_unique = itertools.count(1)


def attack(made: Attack) -> Attack:
    """One of them; its docstring is its name, what it returns is what the attacker got."""
    ATTACKS.append(made)
    return made


@dataclass(frozen=True)
class Outcome:
    """What came of one attack.

    :ivar got: what the attacker got, in words.
    :ivar cpu: how much of a core the server and its store used, more than before.
    :ivar memory: MiB that the server had at its peak, more than before.
    :ivar p99: how long a message took, of a hundred the slowest, in seconds.
    :ivar ratio: the same against the quiet run.
    """

    name: str
    got: str
    cpu: float
    memory: float
    p99: float
    ratio: float


@dataclass
class Field:
    """A server, and what an attacker needs."""

    server: ServerProcess
    _began: float = field(default_factory=time.monotonic)
    _open: list[Any] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where the server is."""
        return self.server.port

    def seconds(self) -> float:
        """How long the attack has taken so far: what comes back with time has come back."""
        return time.monotonic() - self._began

    def host(self) -> str:
        """An address that nobody came from yet."""
        number = next(_unique)
        return f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}"

    def visitor(self, host: str = "") -> Visitor:
        """A connection, from an address of its own unless ``host`` says from where."""
        visitor = Visitor(self.port, host or self.host())
        self._open.append(visitor)
        return visitor

    def member(self, name: str, host: str = "") -> Visitor:
        """Somebody who is registered and logged in."""
        visitor = Visitor.inside(self.port, host or self.host(), name)
        self._open.append(visitor)
        return visitor

    def device(self, name: str, device: str) -> Visitor:
        """One more device of somebody who is registered."""
        visitor = self.visitor()
        assert visitor.log_in(userName=name, userPwd=PASSWORD, device=device)["code"] == 200
        return visitor

    def crowd(self, size: int, first: bytes, hosts: int = 100) -> list[socket.socket]:
        """So many connections, from so many addresses, that have said ``first``."""
        addresses = [self.host() for _ in range(hosts)]
        made = []
        for number in range(size):
            each = socket.create_connection(("127.0.0.1", self.port))
            head = f"PROXY TCP4 {addresses[number % hosts]} 127.0.0.1 50000 8889\r\n".encode()
            self._open.append(each)
            each.setblocking(False)
            with contextlib.suppress(OSError):
                each.send(head + first)
            made.append(each)
        return made

    def go_away(self) -> None:
        """The attacker's connections end."""
        gone, self._open = self._open, []
        for each in gone:
            each.close()


def is_open(connection: socket.socket) -> bool:
    """Whether the server has not closed a connection of a crowd."""
    try:
        while data := connection.recv(65_536):
            if b"ErrorMes" in data:
                return False
        return bool(data)
    except BlockingIOError:
        return True
    except OSError:
        return False


def all_ask(visitors: list[Visitor], kind: str, /, **data: Any) -> Counter[int]:
    """The codes that all get who ask the same at once; those who were closed are left out."""
    codes: Counter[int] = Counter()
    sent = []
    for each in list(visitors):
        with contextlib.suppress(OSError):
            sent.append((each, each.send(kind, **data)))
    for each, request in sent:
        try:
            codes[each.reply(request).data["code"]] += 1
        except (Closed, OSError):
            visitors.remove(each)
    return codes


def held_places(crowd: list[socket.socket]) -> int:
    """How many of a crowd stay, once the server has come round to sending the others away."""
    end = time.monotonic() + 8
    while (held := sum(map(is_open, crowd))) > ROOM:
        assert time.monotonic() < end, held
        time.sleep(0.1)
    return held


def until(deadline: float) -> Iterator[int]:
    """Numbers, until so many seconds have passed."""
    end = time.monotonic() + deadline
    for number in itertools.count():
        if time.monotonic() >= end:
            return
        yield number


# Without a login -------------------------------------------------------------------------------


@attack
def slow_loris(field: Field) -> str:
    """3,000 connections that send a byte now and then"""
    crowd = field.crowd(3_000, struct.pack(">I", 4_096))
    for number in until(1.0):
        for each in crowd[number % 10 :: 10]:
            with contextlib.suppress(OSError):
                each.send(b"x")
    held = held_places(crowd)
    began = time.monotonic()
    field.member(f"newcomer-{next(_unique)}")
    waited = time.monotonic() - began
    assert waited < 10, waited
    return f"{held:,} places, each for 10 s at most; a newcomer got in meanwhile"


@attack
def wrong_frames(field: Field) -> str:
    """Frames of every wrong size and content"""
    sizes = [0, 65_537, 2**31 - 1, 2**31, 2**32 - 1]
    for size in sizes:
        visitor = field.visitor()
        visitor.send_bytes(struct.pack(">I", size) + b"x" * 100)
        (told,) = visitor.read_to_the_end()
        assert told.data["code"] == 413, told
    bodies = [
        b"\xff" * 100, b"null", b"[]", b'"x"', b"{", b'{"type":7,"data":"{}"}',
        b'{"type":"SmsMes"}', b'{"type":"SmsMes","data":{}}', b"[" * 65_536,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000, enveloped("NoSuchMes", {}),
        enveloped("LoginMes", {"version": 1e300}),
        enveloped("LoginMes", {"version": 2, "userId": 2**64}),
        b'{"type":"LoginMes","data":"{\\"userName\\":\\"\\\\ud800\\"}"}', b" " * 65_536,
    ]  # fmt: skip
    codes: Counter[int] = Counter()
    visitor = field.visitor()
    for body in bodies:
        visitor.send_bytes(framed(body))
        codes[visitor.read().data["code"]] += 1
    visitor.ping()
    assert set(codes) <= {400, 500, 505}, codes
    return f"{len(sizes)} times 413 and the end, {len(bodies)} times a refusal"


@attack
def guessing(field: Field) -> str:
    """Guessing one password on 100 connections from 20 addresses"""
    owner, home = f"owner-{next(_unique)}", field.host()
    field.member(owner, home)
    hosts = [field.host() for _ in range(20)]
    guessers = [field.visitor(hosts[number % 20]) for number in range(100)]
    codes: Counter[int] = Counter()
    for number in until(SECONDS):
        guess = f"guess-{number}"
        codes += all_ask(guessers, "LoginMes", version=2, userName=owner, userPwd=guess)
    assert codes[403] <= 100 + 20, codes
    assert codes[200] == 0
    asked = sum(codes.values())
    for host in (home, field.host()):
        reply = field.visitor(host).log_in(userName=owner, userPwd=PASSWORD, device="e")
        assert reply["code"] == 200, "the owner gets in, from home and from elsewhere"
    return f"{codes[403]} of {asked:,} guesses were looked at; the owner still got in"


@attack
def registrations(field: Field) -> str:
    """Registering from one address as fast as it can"""
    host = field.host()
    visitors = [field.visitor(host) for _ in range(4)]
    codes: Counter[int] = Counter()
    user = {"userPwd": "let me in all the same"}
    for _ in until(SECONDS):
        codes += all_ask(visitors, "RegisterMes", version=2, user=user)
    assert codes[200] <= 20, codes
    return f"{codes[200]} accounts an hour from an address, of {sum(codes.values()):,} asked for"


@attack
def half_frames(field: Field) -> str:
    """1,500 connections with 60,000 bytes of a frame that is never complete"""
    crowd = field.crowd(1_500, struct.pack(">I", 65_536), hosts=300)
    part = b"x" * 60_000
    for each in crowd:
        with contextlib.suppress(OSError):
            each.send(part)
    for _ in until(SECONDS):
        time.sleep(0.05)
    held = held_places(crowd)
    return f"{held:,} places, 64 MiB together at most"


@attack
def bombs(field: Field) -> str:
    """Passwords of 60,000 characters, and compressed nothing"""
    bomb = gzip.compress(bytes(40_000_000))[:60_000]
    visitors = [field.visitor() for _ in range(20)]
    codes: Counter[int] = Counter()
    for number in until(SECONDS):
        for each in visitors:
            each.send_bytes(framed(bomb))
        user = {"userPwd": "x" * 60_000}
        assert set(all_ask(visitors, "RegisterMes", version=2, user=user)) <= {506}
        if number < 5:
            codes += all_ask(visitors, "LoginMes", version=2, userName="witness-1", **user)
        time.sleep(0.01)
    assert set(codes) <= {403, 429, 503}, codes
    return "400, and 506 before anything is hashed; nothing here unpacks anything"


# With an account -------------------------------------------------------------------------------


@attack
def message_flood(field: Field) -> str:
    """One user, ten devices, messages as fast as they go"""
    name = f"flooder-{next(_unique)}"
    devices = [field.member(name)]
    devices += [field.device(name, f"d{number}") for number in range(9)]
    frame = framed(enveloped("SmsMes", {"to": "#lobby", "content": "flood " * 20}, id="f"))
    sent = 0
    for _ in until(SECONDS):
        for each in list(devices):
            try:
                each.send_bytes(frame * 20)
                sent += 20
            except OSError:
                devices.remove(each)
        if not devices:
            break
    witness = field.member(f"counting-{next(_unique)}")
    page = witness.get("HistoryMes", conversation="#lobby", limit=200)["messages"]
    accepted = sum(entry["userName"] == name for entry in page)
    assert accepted <= 40 + 10 * field.seconds(), (accepted, field.seconds())
    return f"{accepted} of {sent:,} messages; each connection is closed after 100 refusals"


@attack
def presence_flood(field: Field) -> str:
    """Coming, going, busy and not busy as fast as it goes"""
    name = f"flicker-{next(_unique)}"
    watcher = field.member(f"watcher-{next(_unique)}")
    flicker = field.member(name)
    token, changes, refused = flicker.welcome["token"], 0, 0
    for _ in until(SECONDS):
        for status in (2, 0):
            changed = flicker.ask("StatusMes", status=status)["code"] == 200
            changes, refused = changes + changed, refused + (not changed)
        if refused > 40:
            flicker.close()
            flicker = field.visitor()
            flicker.log_in(token=token, device="d")
            refused = 0
    watcher.ping()
    told = sum(frame.type == "PresenceMes" for frame in watcher.heard)
    assert told <= 10 * field.seconds() + 10, told
    assert changes <= 200 + 20 * field.seconds(), changes
    return f"{changes:,} changes, of which others were told {told} times"


@attack
def scraping(field: Field) -> str:
    """One user, ten devices, all history and searches"""
    name = f"scraper-{next(_unique)}"
    devices = [field.member(name)]
    devices += [field.device(name, f"d{number}") for number in range(9)]
    codes: Counter[int] = Counter()
    for _ in until(SECONDS):
        codes += all_ask(devices, "HistoryMes", conversation="#lobby", limit=200)
        codes += all_ask(devices, "SearchMes", text="nothing has this")
    assert codes[200] <= 200 + 20 * field.seconds(), codes
    return f"{codes[200]} pages of {sum(codes.values()):,} asked for, then 20 a second"


@attack
def never_reading(field: Field) -> str:
    """Thirty devices that ask for all they can and never read"""
    names = [f"deaf-{next(_unique)}" for _ in range(3)]
    devices = [field.member(name) for name in names]
    devices += [field.device(name, f"d{number}") for name in names for number in range(9)]
    talker = field.member(f"loud-{next(_unique)}")
    for _ in range(20):
        talker.send("SmsMes", to="#lobby", content="x" * 16_000)
    ask = framed(enveloped("HistoryMes", {"conversation": "#lobby", "limit": 200}, id="h"))
    ping = framed(enveloped("PingMes", {}, id="p" * 60))
    for each in devices:
        each.socket.setblocking(False)
    for _ in until(SECONDS):
        for each in devices:
            with contextlib.suppress(OSError):
                each.socket.send((ask + ping * 20) * 10)
        time.sleep(0.01)
    return "a send buffer of 256 KiB each; who does not read is not read"


# Lies ------------------------------------------------------------------------------------------


@attack
def forgeries(field: Field) -> str:
    """Forged senders, numbers, epochs, marks, and others' conversations"""
    ann, bob = (field.member(f"{name}-{next(_unique)}") for name in ("ann", "bob"))
    thief = field.member(f"thief-{next(_unique)}")
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
        assert thief.ask("RedactMes", conversation=other.at, seq=secret["seq"])["code"] != 200
    assert thief.ask("SearchMes", text="between the two")["messages"] == []
    thief.send("AckMes", conversation="#lobby", epoch="x", read=10**15)
    thief.send("AckMes", conversation=ann.at, epoch=secret["epoch"], read=10**15)
    marks = thief.conversation("#lobby")
    assert marks["read"] <= marks["seq"]
    repeated = thief.ask("SmsMes", to=bob.at, content="mine", clientId=secret["clientId"])
    assert (repeated["code"], repeated["duplicate"]) == (200, False)
    return "nothing: what a message says of its sender is not believed"


@attack
def replays(field: Field) -> str:
    """Tokens that were revoked, logged out, or ended by a new password, and made up ones"""
    name = f"token-{next(_unique)}"
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


@attack
def imitations(field: Field) -> str:
    """Names that look like somebody else's"""
    name = "Marguerite"
    field.member(name)
    visitor = field.visitor()
    tried = [
        name.upper(), "ｍarguerite", "Marguerite\u200b", "\u2060Marguerite", "Marg\u00aduerite",
        " Marguerite", "Marguerite\u3164", "M\u0430rguerite", "Marguer\u0456te", "\u041carguerite",
        "Marguerite\ufe0f", "\u202eetireugraM", "M\u0251rguerite", "MarguerIte", "Marguer\u0131te",
    ]  # fmt: skip
    codes = {each: visitor.register(userName=each, userPwd=PASSWORD)["code"] for each in tried}
    got = [each for each, code in codes.items() if code == 200]
    assert len(got) <= 2, got
    assert all(each.isalpha() for each in got), got
    return f"{len(got)} of {len(tried)}: Latin letters that resemble others (\u0251, \u0131)"


@attack
def pretenders(field: Field) -> str:
    """A member, and a stranger to the room, who act as moderators"""
    owner, member, stranger = (
        field.member(f"{name}-{next(_unique)}") for name in ("owner", "member", "stranger")
    )
    room = f"#room-{next(_unique)}"
    owner.get("JoinMes", conversation=room, topic="ours")
    member.get("JoinMes", conversation=room)
    said = owner.post(room, "mine")
    requests: list[tuple[str, dict[str, Any]]] = [
        ("RedactMes", {"conversation": room, "seq": said["seq"]}),
        *(
            ("ModerateMes", {"conversation": room, "userId": owner.user_id, "action": action,
                             "role": "owner"})
            for action in ("kick", "ban", "mute", "role", "unban")
        ),
        ("SanctionsMes", {"conversation": room}),
        ("RevokeMes", {"device": "somebody's"}),
    ]  # fmt: skip
    codes: Counter[int] = Counter()
    for pretender in (member, stranger):
        for kind, data in requests:
            codes[pretender.ask(kind, **data)["code"]] += 1
    assert codes[200] == 0, codes
    assert owner.conversation(room)["seq"] >= said["seq"]
    return f"nothing: {codes[403]} times 403, else 400 or 404"


# What it cost ----------------------------------------------------------------------------------


class Meter:
    """What a server and its store use: processor time, and the server's memory at its peak."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server.process.pid
        self._store = int((server.home / "data" / "store.pid").read_text())
        self._peak = 0.0
        self._stop = threading.Event()

    def __enter__(self) -> "Meter":
        self._began, self._cpu = time.monotonic(), self._seconds()
        self._before = self._peak = self._memory()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.cpu = (self._seconds() - self._cpu) / (time.monotonic() - self._began)
        self.memory = self._peak - self._before

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self._peak = max(self._peak, self._memory())

    def _memory(self) -> float:
        fields = Path(f"/proc/{self._server}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _seconds(self) -> float:
        total = 0
        for pid in (self._server, self._store):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


def p99(latencies: list[float]) -> float:
    """Of a hundred the slowest, in seconds."""
    return sorted(latencies)[int(len(latencies) * 0.99)]


def attacked(quiet_seconds: float = 3.0) -> Iterator[Outcome]:
    """Start a server, let a few people talk on it, and attack it in every way."""
    server = ServerProcess(*OPTIONS)
    try:
        server.start()
        witnesses = Witnesses(server.port)
        witnesses.latencies()
        with Meter(server) as meter:
            time.sleep(quiet_seconds)  # what is measured is a time in which nothing else happens
        quiet, idle = p99(witnesses.latencies()), meter.cpu
        yield Outcome("Nobody", "", idle, meter.memory, quiet, 1.0)
        for each in ATTACKS:
            attacker = Field(server)
            with Meter(server) as meter:
                got = each(attacker)
            noticed = p99(witnesses.latencies())
            attacker.go_away()
            name = (each.__doc__ or "").strip()
            yield Outcome(name, got, meter.cpu - idle, meter.memory, noticed, noticed / quiet)
        witnesses.end()
        server.stop()
        assert server.ended_in_order(), server.log
    finally:
        server.remove()


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 38 10 10 12", ""]
    rows = [("Attack", "What the attacker got", "CPU", "Memory", "Others' p99")]
    rows += [
        (each.name, each.got, f"{each.cpu:+.0%}", f"{each.memory:+.0f} MiB",
         f"{each.p99 * 1000:.0f} ms" + (f", x {each.ratio:.1f}" if each.got else ""))
        for each in outcomes
    ]  # fmt: skip
    for first, *others in rows:
        lines += [f"   * - {first}", *(f"     - {each}".rstrip() for each in others)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(list(attacked())))
