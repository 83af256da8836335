"""What somebody without an account can try."""

import contextlib
import gzip
import struct
import time
from collections import Counter

from tests.attacks.field import Field, all_ask, held_places, unique
from tests.peers import PASSWORD, enveloped, framed

__all__ = ["ATTACKS"]


def newcomer_waits(field: Field) -> float:
    """Seconds that somebody needs to register and log in, fewer than ten."""
    began = time.monotonic()
    field.member(unique("newcomer"))
    waited = time.monotonic() - began
    assert waited < 10, waited
    return waited


def slow_loris(field: Field) -> str:
    """3,000 connections that send a byte now and then"""
    crowd = field.crowd(3_000, lambda number: struct.pack(">I", 4_096))
    for number in field.goes_on():
        for each in crowd[number % 10 :: 10]:
            with contextlib.suppress(OSError):
                each.send(b"x")
    held = held_places(crowd)
    newcomer_waits(field)
    return f"{held:,} places, each for 10 s at most; a newcomer got in meanwhile"


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


def guessing(field: Field) -> str:
    """Guessing one password on 100 connections from 20 addresses"""
    owner, home = unique("owner"), field.host()
    field.member(owner, home)
    hosts = [field.host() for _ in range(20)]
    guessers = [field.visitor(hosts[number % 20]) for number in range(100)]
    codes: Counter[int] = Counter()
    for number in field.goes_on():
        guess = f"guess-{number}"
        codes += all_ask(guessers, "LoginMes", version=2, userName=owner, userPwd=guess)
    assert codes[403] <= 100 + 20, codes
    assert codes[200] == 0
    asked = sum(codes.values())
    for host in (home, field.host()):
        reply = field.visitor(host).log_in(userName=owner, userPwd=PASSWORD, device="e")
        assert reply["code"] == 200, "the owner gets in, from home and from elsewhere"
    return f"{codes[403]} of {asked:,} guesses were looked at; the owner still got in"


def hashing(field: Field) -> str:
    """600 passwords for nobody at once on 300 connections from ten addresses, and gone again"""

    def login(number: int) -> bytes:
        login = {"version": 2, "userId": 10**9 + number, "userPwd": "guessed"}
        return framed(enveloped("LoginMes", login)) * 2

    field.crowd(300, login, hosts=10)
    waited = newcomer_waits(field)
    return f"256 that wait, and addresses take turns; a newcomer was in after {waited:.2f} s"


def registrations(field: Field) -> str:
    """Registering from one address as fast as it can"""
    host = field.host()
    visitors = [field.visitor(host) for _ in range(4)]
    codes: Counter[int] = Counter()
    user = {"userPwd": "let me in all the same"}
    for _ in field.goes_on():
        codes += all_ask(visitors, "RegisterMes", version=2, user=user)
    assert codes[200] <= 20, codes
    return f"{codes[200]} accounts an hour from an address, of {sum(codes.values()):,} asked for"


def half_frames(field: Field) -> str:
    """1,500 connections with 60,000 bytes of a frame that is never complete"""
    crowd = field.crowd(1_500, lambda number: struct.pack(">I", 65_536), hosts=300)
    part = b"x" * 60_000
    for each in crowd:
        with contextlib.suppress(OSError):
            each.send(part)
    for _ in field.goes_on():
        time.sleep(0.05)
    held = held_places(crowd)
    return f"{held:,} places, 64 MiB together at most"


def bursts(field: Field) -> str:
    """200 connections of one address that each say a thousand things at once"""
    kinds = [
        framed(enveloped("PingMes", {})), framed(enveloped("SmsMes", {"content": "x"})),
        framed(enveloped("NoSuchMes", {})), framed(enveloped("RegisterMes", {"user": {}})),
    ]  # fmt: skip
    crowd = field.crowd(200, lambda number: kinds[number % len(kinds)] * 1_000, hosts=1)
    waited = newcomer_waits(field)
    for _ in field.goes_on():
        time.sleep(0.05)
    return (
        f"8 of all their frames in a turn, each at its rate; {held_places(crowd)} were not sent"
        f" away; a newcomer was in after {waited:.2f} s"
    )


def bombs(field: Field) -> str:
    """Passwords of 60,000 characters, names of 20,000 accents, and compressed nothing"""
    bomb = gzip.compress(bytes(40_000_000))[:60_000]
    visitors = [field.visitor() for _ in range(20)]
    codes: Counter[int] = Counter()
    heap = "a" + "\u0f71\u0f72\u0f74" * 6_600
    assert set(all_ask(visitors, "LoginMes", version=2, userName=heap, userPwd="x")) <= {500, 503}
    named = {"userName": heap, "userPwd": PASSWORD}
    assert set(all_ask(visitors, "RegisterMes", version=2, user=named)) == {506}
    for number in field.goes_on():
        for each in visitors:
            each.send_bytes(framed(bomb))
        user = {"userPwd": "x" * 60_000}
        assert set(all_ask(visitors, "RegisterMes", version=2, user=user)) <= {506}
        if number < 5:
            codes += all_ask(visitors, "LoginMes", version=2, userName="witness-1", **user)
        time.sleep(0.01)
    assert set(codes) <= {403, 429, 503}, codes
    return "400, and 506 before anything is hashed or put into order; nothing is unpacked"


ATTACKS = (slow_loris, wrong_frames, guessing, hashing, registrations, half_frames, bursts, bombs)
