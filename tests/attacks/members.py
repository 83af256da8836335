"""What somebody with an account can try."""

import contextlib
import time
from collections import Counter

from tests.attacks.field import Field, all_ask, unique
from tests.peers import enveloped, framed

__all__ = ["ATTACKS"]


def message_flood(field: Field) -> str:
    """One user, ten devices, messages as fast as they go"""
    name = unique("flooder")
    devices = [field.member(name)]
    devices += [field.device(name, f"d{number}") for number in range(9)]
    frame = framed(enveloped("SmsMes", {"to": "#lobby", "content": "flood " * 20}, id="f"))
    sent = 0
    for _ in field.goes_on():
        for each in list(devices):
            try:
                each.send_bytes(frame * 20)
                sent += 20
            except OSError:
                devices.remove(each)
        if not devices:
            break
    witness = field.member(unique("counting"))
    page = witness.get("HistoryMes", conversation="#lobby", limit=200)["messages"]
    accepted = sum(entry["userName"] == name for entry in page)
    assert accepted <= 40 + 10 * field.seconds(), (accepted, field.seconds())
    return f"{accepted} of {sent:,} messages; each connection is closed after 100 refusals"


def presence_flood(field: Field) -> str:
    """Coming, going, busy and not busy as fast as it goes"""
    name = unique("flicker")
    watcher = field.member(unique("watcher"))
    flicker = field.member(name)
    token, changes, refused = flicker.welcome["token"], 0, 0
    for _ in field.goes_on():
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


def scraping(field: Field) -> str:
    """One user, ten devices, all history and searches"""
    name = unique("scraper")
    devices = [field.member(name)]
    devices += [field.device(name, f"d{number}") for number in range(9)]
    codes: Counter[int] = Counter()
    for _ in field.goes_on():
        codes += all_ask(devices, "HistoryMes", conversation="#lobby", limit=200)
        codes += all_ask(devices, "SearchMes", text="nothing has this")
    assert codes[200] <= 200 + 20 * field.seconds(), codes
    return f"{codes[200]} pages of {sum(codes.values()):,} asked for, then 20 a second"


def never_reading(field: Field) -> str:
    """Thirty devices that ask for all they can and never read"""
    names = [unique("deaf") for _ in range(3)]
    devices = [field.member(name) for name in names]
    devices += [field.device(name, f"d{number}") for name in names for number in range(9)]
    talker = field.member(unique("loud"))
    for _ in range(20):
        talker.send("SmsMes", to="#lobby", content="x" * 16_000)
    ask = framed(enveloped("HistoryMes", {"conversation": "#lobby", "limit": 200}, id="h"))
    ping = framed(enveloped("PingMes", {}, id="p" * 60))
    for each in devices:
        each.socket.setblocking(False)
    for _ in field.goes_on():
        for each in devices:
            with contextlib.suppress(OSError):
                each.socket.send((ask + ping * 20) * 10)
        time.sleep(0.01)
    return "a send buffer of 256 KiB each; who does not read is not read"


ATTACKS = (message_flood, presence_flood, scraping, never_reading)
