"""The client's reactor: no OpenSSL until an address wants TLS, timers whatever the clock says."""

import subprocess
import sys
from unittest import TestCase

from tests.patience import PATIENCE
from tests.process import ServerProcess

SCRIPT = """
import sys
from chat.client.network.lean import lean_reactor
from chat.client.network.address import endpoint_for
reactor = lean_reactor()
from chat.client import api
from twisted.internet.protocol import Factory, Protocol

endpoint_for(reactor, "localhost:1")
assert not {"OpenSSL", "ssl", "http.cookiejar", "asyncio"} & set(sys.modules)

class Once(Protocol):
    def connectionMade(self):
        self.transport.write(bytes(4))  # no frame is that short: the server ends the connection

    def connectionLost(self, reason):
        ended(reason)

def follow():
    if not kinds:
        reactor.stop()
        return
    address = f"{kinds[0]}:localhost:" + sys.argv[1]
    endpoint_for(reactor, address).connect(Factory.forProtocol(Once)).addErrback(ended)

def ended(reason):
    print(kinds.pop(0), reason.getErrorMessage())
    follow()

kinds = ["tls", "ssl"]
reactor.callWhenRunning(follow)
reactor.run()
"""


CLOCK = """
import time
real, back = time.time, [0.0]
time.time = lambda: real() - back[0]
from chat.client.network.lean import lean_reactor
reactor = lean_reactor()

def put_back():
    back[0] = 3600.0

reactor.callLater(0.0, put_back)
reactor.callLater(0.1, reactor.stop)
reactor.run()
assert back[0]
"""


NEWER = """
import sys
import chat.client.network.lean as lean
with lean._lean():
    from asyncio import Future, iscoroutine
    assert "asyncio.events" not in sys.modules
    from asyncio import Task
    assert Task.__module__ == "_asyncio", Task
from asyncio import Task, run
async def one():
    return 1
assert run(one()) == 1
"""


class LeanTests(TestCase):
    def test_a_twisted_that_takes_more_of_asyncio_gets_it(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", NEWER], capture_output=True, text=True, timeout=PATIENCE
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_clock_that_is_put_back_by_an_hour_stops_no_timer(self) -> None:
        command = [sys.executable, "-c", CLOCK]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_tls_is_loaded_when_an_address_asks_for_it_and_judges_certificates(self) -> None:
        server = ServerProcess.start_for(self, "--self-signed")
        command = [sys.executable, "-c", SCRIPT, str(server.port)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        said = done.stdout.splitlines()
        self.assertEqual([each.partition(" ")[0] for each in said], ["tls", "ssl"], done.stderr)
        self.assertIn("can't be trusted", said[0])


FIRST = """
import sys
from chat.client.tui.terminal.early import lean_urwid, twisted_loop
lean_urwid()
import chat.client.cli.main, chat.client.tui.running
loaded = {each.partition(".")[0] for each in sys.modules}
print(*sorted(loaded & {"asyncio", "msgspec", "sqlite3", "ssl", "tornado", "twisted", "zope"}))
from twisted.internet import reactor
print(type(twisted_loop(reactor)).__name__, reactor.getDelayedCalls())
"""


class FirstScreenTests(TestCase):
    def test_it_needs_nothing_of_what_networks_need_and_that_can_be_had_afterwards(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", FIRST],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        self.assertEqual(done.stdout.splitlines(), ["", "TwistedLoop []"])
