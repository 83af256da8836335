"""A flood into the open room of the real screen: each message once, in order; keys are heard."""

import re
import shutil
import tempfile
import threading
import time
from pathlib import Path
from unittest import TestCase

from tests.party import Party
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register
from tests.relay import Relay

RATE = 2_000
"""Messages a second."""

COUNT = 4_000
"""Messages at least: it lasts until keys were heard in it, and no more than ten times as long."""

TURN = 0.01
"""Seconds between two bursts of one of the two that speak."""

_SAID = re.compile(r"said-\d-\d{5}")


class Speaker(threading.Thread):
    """Says its share of the flood until it is enough, and hears what became of it."""

    def __init__(self, number: int, peer: CurrentPeer, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self._number, self._peer, self._enough = number, peer, enough
        self.said = 0

    def run(self) -> None:
        start, asked = time.monotonic(), []
        while self.said < COUNT // 2 or not self._enough.is_set():
            due = int((time.monotonic() - start) * RATE / 2) + 1
            while self.said < due:
                content = f"said-{self._number}-{self.said:05}"
                asked.append(self._peer.send("SmsMes", to="#lobby", content=content))
                self.said += 1
            time.sleep(TURN)
        for each in asked:
            assert self._peer.reply(each).data["code"] == 200


class FloodTests(TestCase):
    def setUp(self) -> None:
        self.server = ServerProcess.start_for(self, "--rate", "0")
        self.relay = Relay.start_for(self, self.server.port)
        self.home = Path(tempfile.mkdtemp(prefix="flood", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.party = Party(self.server.port)
        self.addCleanup(self.party.close)
        self.typed = ""

    def screen(self) -> PtyScreen:
        """Somebody in the lobby before a high window, so that few pages show all."""
        environ = client_environ(self.home, "en_US.UTF-8")
        screen = PtyScreen(client_command(f"127.0.0.1:{self.relay.port}"), environ, 80, 200)
        self.addCleanup(screen.__exit__)
        register(screen, "anna")
        return screen

    def test_catching_up_with_a_flood_skips_and_doubles_nothing_and_keys_are_heard(self) -> None:
        anna, enough = self.screen(), threading.Event()
        self.addCleanup(enough.set)
        speakers = [Speaker(each, self.party.current(), enough) for each in range(2)]
        for each in speakers:
            each.start()
        echoed, cut = 0, False
        while any(each.is_alive() for each in speakers):
            self.type_a_letter(anna)
            echoed += any(each.is_alive() for each in speakers)
            if not cut and sum(each.said for each in speakers) > COUNT // 4:
                self.relay.cut()
                cut = True
            if cut and echoed > 2:
                enough.set()
        said = self.said()
        self.assertEqual(len(said), sum(each.said for each in speakers))
        self.assertLess(len(said), 10 * COUNT, "keys are heard while it lasts")
        anna.wait_for(said[-1])
        self.assertEqual(self.shown(anna), said)

    def said(self) -> list[str]:
        """What the server has, in its order."""
        reader, found, after = self.party.current(), [], 0
        while True:
            page = reader.ask("HistoryMes", conversation="#lobby", after=after, limit=200)
            found += [each["content"] for each in page["messages"] if not each.get("kind")]
            if not page["more"]:
                return found
            after = page["messages"][-1]["seq"]

    def type_a_letter(self, screen: PtyScreen) -> None:
        """And wait for its echo: what the keys before it have led to is drawn then, too."""
        if len(self.typed) == 40:
            screen.type("\x15")  # Ctrl-U
            screen.wait_for("Write to #lobby")
            self.typed = ""
        self.typed += "abcdefghij"[len(self.typed) % 10]
        screen.type(self.typed[-1])
        screen.wait_for(f"› {self.typed}")

    def shown(self, screen: PtyScreen) -> list[str]:
        """What the screen has, read from its end to its beginning as a person would."""
        screen.press("f4")
        self.type_a_letter(screen)
        found = _SAID.findall(screen.text())
        while "conversation begins" not in screen.text():
            screen.press("page up")
            self.type_a_letter(screen)
            page = _SAID.findall(screen.text())
            # Pages overlap; where they don't, something is missing and the lists will differ.
            found[:0] = page[: page.index(found[0])] if found[0] in page else page
        return found
