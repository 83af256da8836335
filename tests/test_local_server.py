"""A server that the client starts: where it listens, and for which addresses it is offered."""

import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from chat.client.tui.entrance.local_server import is_local, start_server
from chat.soak.processes import free_ports
from tests.patience import PATIENCE


class StartedHereTest(SynchronousTestCase):
    def test_a_server_for_which_one_is_started_listens_as_it_is_written(self) -> None:
        home = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        (port,) = free_ports(1)
        try:
            socket.create_server(("::1", port), family=socket.AF_INET6).close()
            host = "[::1]"
        except OSError:  # This machine has no IPv6.
            host = "127.0.0.1"
        with mock.patch.dict(os.environ, XDG_DATA_HOME=str(home)):
            process, log = start_server(f"{host}:{port}", home, "en")
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        give_up = time.monotonic() + PATIENCE
        while "Listening on" not in log.read_text():
            self.assertLess(time.monotonic(), give_up, log.read_text())
            time.sleep(0.02)
        self.assertIn(f"Listening on {host}:{port}", log.read_text())

    def test_what_is_on_this_machine_is_told_by_the_host_alone(self) -> None:
        for written in ("", "localhost", "127.0.0.1:9", r"tcp:\:\:1:9"):
            self.assertTrue(is_local(written), written)
        elsewhere = ("localhost.example.org", "10.127.0.0.1", "[fe80::1]:9", "unix:/127.0.0.1")
        for written in ("tls:localhost", *elsewhere):
            self.assertFalse(is_local(written), written)
