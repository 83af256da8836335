"""More that people do with the screen, in a pseudo-terminal: search, catch up, sleep, doctor."""

import itertools
import os
import random
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chat.messages import OFFLINE
from tests.party import Party
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register
from tests.server import serving

_numbers = itertools.count(1)


class Home:
    """Where somebody's client keeps its things; ``start`` starts it."""

    def __init__(self, stack: ExitStack, directory: Path, port: int) -> None:
        self.directory = directory
        self.user = f"person{next(_numbers)}"
        self._stack = stack
        self._port = port

    def start(self, language: str = "en_US.UTF-8") -> PtyScreen:
        environ = client_environ(self.directory, language)
        screen = PtyScreen(client_command(f"127.0.0.1:{self._port}"), environ, 80, 24)
        return self._stack.enter_context(screen)

    def enter(self, room: str = "") -> PtyScreen:
        """Registered, and in a room if need be."""
        screen = self.start()
        register(screen, self.user)
        if room:
            screen.enter(f"/join {room}")
            screen.wait_for(f"Write to {room}")
        return screen


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def directory(stack: ExitStack) -> Path:
    found = Path(tempfile.mkdtemp(prefix="flow", dir="/tmp"))
    stack.callback(shutil.rmtree, found, ignore_errors=True)
    return found


@pytest.fixture
def home(stack: ExitStack, directory: Path, server: ServerProcess) -> Home:
    return Home(stack, directory, server.port)


def test_a_search_opens_what_it_found_among_what_stands_around_it(home: Home, party: Party) -> None:
    room, ben = party.room(), party.current()
    anna = home.enter(room)
    ben.get("JoinMes", conversation=room)
    for number in range(150):
        needle = " 丢了钥匙" if number in (7, 80) else ""
        ben.post(room, f"line-{number}.{needle}")
    anna.wait_for("line-149.")
    anna.enter("/search 钥匙")
    anna.wait_for("2 found: 钥匙")
    anna.press("down", "enter")
    anna.wait_for("Alt-End newest")
    for around in ("line-5.", "line-7. 丢了钥匙", "line-10."):
        assert around in anna.text()
    anna.press("meta end")
    anna.wait_for("line-149.")
    anna.enter("/searchall line-80.")
    anna.wait_for("found: line-80.")
    assert room in anna.text()
    anna.press("esc")
    anna.wait_gone("found:")
    anna.enter("/search nobody-said-that")
    anna.wait_for("Nothing found")


def test_an_edit_is_seen_by_who_was_here_and_who_comes_later(home: Home, party: Party) -> None:
    room, ben = party.room(), party.current()
    anna = home.enter(room)
    ben.get("JoinMes", conversation=room)
    seq = ben.post(room, "the meating is at ten")["seq"]
    anna.wait_for("the meating is at ten")
    ben.get("EditMes", conversation=room, seq=seq, content="the meeting is at ten")
    anna.wait_for("the meeting is at ten (edited)")
    assert "meating" not in anna.text()
    anna.enter("I will not bee there")
    ben.hears("I will not bee there")
    anna.type("begun")
    anna.type("\x1bv")
    anna.wait_for("d delete")
    anna.type("e")
    anna.wait_for("Editing (Enter sends")
    anna.type("\x15")
    anna.enter("I will be there")
    anna.wait_for("I will be there (edited)")
    anna.wait_gone("Editing")
    assert "› begun" in anna.text()
    told = ben.expect("SmsMes", conversation=room, kind="edit", content="I will be there")
    ben.get("EditMes", conversation=room, seq=seq, content="the meeting is at eleven")
    anna.wait_for("at eleven (edited)")
    anna.type("\x15")
    anna.press("ctrl q")
    assert anna.wait_ended() == 0
    ben.get("EditMes", conversation=room, seq=seq, content="the meeting is at twelve")
    anna = home.start()
    anna.wait_for("the meeting is at twelve (edited)")
    assert "I will be there (edited)" in anna.text()
    anna.enter("/inspect")
    anna.wait_for(f"by entry {told['seq']}")


def test_what_was_missed_goes_by_and_keys_hold_it(home: Home, party: Party) -> None:
    room, dan = party.room(), party.current()
    cora = home.enter(room)
    cora.enter("/go lobby")
    cora.wait_for("Write to #lobby")
    cora.press("ctrl q")
    assert cora.wait_ended() == 0
    dan.get("JoinMes", conversation=room)
    for number in range(60):
        dan.post(room, f"missed-{number}.")
    cora = home.start()
    cora.wait_for("Write to #lobby")
    cora.wait_for(room)
    cora.enter(f"/go {room}")
    cora.wait_for("missed-59.")
    cora.enter("/catchup")
    cora.wait_for("Catching up")
    cora.wait_gone("missed-59.")
    cora.wait_for("new messages")
    cora.wait_for("missed-1.")
    cora.press("enter")
    cora.wait_for("Paused")
    cora.press("meta end")
    cora.wait_for("missed-59.")
    cora.enter("/catchup")
    cora.wait_for("Catching up")
    cora.enter("meanwhile I write")
    cora.wait_for("✓")


def test_the_doctor_looks_at_terminal_server_and_log(home: Home) -> None:
    ella = home.enter()
    ella.enter("/doctor")
    text = ella.wait_for("The log of this program")
    for said in ("80 by 24", "xterm-256color", "utf-8", "The server answers in", "everysec"):
        assert said in text
    assert "· ✗" not in text


def let_silence_last(server: ServerProcess, settings: Path, seconds: int) -> None:
    """Change how long a client may say nothing."""
    settings.write_text(f"silence-seconds = {seconds}\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log(rf"silence-seconds is {seconds}(\.0)? from now on")


def test_a_laptop_that_was_asleep_comes_back_with_what_it_missed_and_was_writing(
    stack: ExitStack, directory: Path
) -> None:
    settings = directory / "chatroom.toml"
    settings.write_text("")
    server = stack.enter_context(serving("--config", str(settings), "--offline-grace", "0"))
    party = stack.enter_context(Party(server.port))
    room = party.room()
    finn = Home(stack, directory, server.port).enter(room)
    finn.type("half a sent")
    finn.wait_for("half a sent")
    watcher = party.original()

    # Asleep for longer than the server's patience, which only current clients can exhaust.
    finn.process.send_signal(signal.SIGSTOP)
    let_silence_last(server, settings, 1)
    while watcher.read().data.get("status") != OFFLINE:
        pass
    let_silence_last(server, settings, 150)
    gus = stack.enter_context(Party(server.port)).current()  # the others were silent as well
    gus.get("JoinMes", conversation=room)
    for number in range(3):
        gus.post(room, f"while-you-slept-{number}.")

    finn.process.send_signal(signal.SIGCONT)
    finn.wait_for("while-you-slept-2.")
    finn.wait_for(" online ")
    finn.enter("ence")
    finn.wait_for("✓")
    assert "half a sentence" in finn.text()
    for number in range(3):
        assert finn.text().count(f"while-you-slept-{number}.") == 1


def test_killed_at_any_moment_it_loses_and_doubles_nothing_and_shows_nobody_anything(
    home: Home, party: Party, stack: ExitStack
) -> None:
    """A message that stood on the screen was in the outbox before, or is stored."""
    stack.callback(os.umask, os.umask(0))
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    room, shown = party.room(), list[str]()
    screen = home.enter(room)
    for life in range(2):
        for number in range(4):
            screen.enter(f"said-{life}-{number}.")
        screen.type(f"draft-{life}")
        enough = len(screen.raw) + chance.randrange(1, 600)
        screen.wait_until(lambda _, raw=screen.raw, n=enough: len(raw) >= n, "output")
        screen.process.kill()
        screen.wait_ended()
        messages = screen.text().rpartition("›")[0]
        shown += re.findall(rf"said-{life}-\d\.", messages)
        screen = home.start()
        screen.wait_for(room)
        screen.enter(f"/go {room}")
        screen.wait_for("room-")
        screen.type("\x15")  # what is left of a draft
        screen.wait_for(f"Write to {room}")
    screen.enter("the end.")
    screen.wait_until(lambda text: "the end." in text and "◌" not in text, "all of it sent")
    reader = party.current()
    reader.get("JoinMes", conversation=room)
    log = [each["content"] for each in reader.whole_history(room) if not each.get("kind")]
    said = [each for each in log if each.startswith("said-")]
    assert len(said) == len(set(said)), f"seed {seed}: twice: {log}"
    assert set(shown) <= set(said), f"seed {seed}: lost: {set(shown) - set(said)}"
    assert said == sorted(said), f"seed {seed}: out of order: {said}"
    for top in (".local", ".cache"):
        for each in (home.directory / top).rglob("*"):
            wanted = 0o700 if each.is_dir() else 0o600
            assert stat.S_IMODE(each.stat().st_mode) == wanted, each


def test_an_answer_is_begun_kept_and_sent_and_leads_to_what_it_answers(
    home: Home, party: Party
) -> None:
    room, ben = party.room(), party.current()
    anna = home.enter(room)
    ben.get("JoinMes", conversation=room)
    asked = ben.post(room, "谁有钥匙？")["seq"]
    for number in range(60):
        ben.post(room, f"line-{number}.")
    ben.post(room, "again: who?", reply=asked)
    anna.wait_for("again: who?")
    assert re.search(r"┌ user-\S+: 谁有钥匙？", anna.text())
    anna.type("\x1bva")
    anna.wait_for("line-0.")
    anna.type("r")
    anna.wait_for("Answer to user-")
    anna.type("I h")
    anna.press("ctrl q")
    assert anna.wait_ended() == 0
    anna = home.start()
    anna.wait_for("› I h")
    anna.wait_for("Answer to user-")
    anna.enter("ave it")
    heard = ben.hears("I have it")
    assert heard["reply"] == asked
    anna.wait_gone("Answer to user-")
    anna.wait_for("✓")
    assert anna.wait_for("again: who?").count("┌ user-") == 2
    anna.type("/reply ")
    anna.enter(f"{heard['seq']} 给你")
    assert ben.hears("给你")["reply"] == heard["seq"]
    ben.get("RedactMes", conversation=room, seq=asked)
    anna.wait_for("┌ This message was deleted.")
    assert "谁有钥匙" not in anna.text()
