"""What a later version has written is left alone: by the server, and by ``chatroom admin``."""

import subprocess
import sys
from pathlib import Path

from chat.store.keys import Keys
from chat.store.layout import LAYOUT
from tests.patience import PATIENCE
from tests.process import twistd
from tests.server import serving
from tests.valkey import running

KEY = Keys().layout()


def admin(url: str) -> subprocess.CompletedProcess[str]:
    """Have ``chatroom admin`` list the users of a store."""
    command = [sys.executable, "-m", "chat.admin.cli", "users", "--store", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_a_store_says_its_layout_and_a_server_of_the_same_takes_it() -> None:
    with running("--appendonly", "yes") as store:
        for _ in ("new", "known"):
            with serving("--store", store.url):
                assert int(store.ask("GET", KEY)) == LAYOUT
            assert admin(store.url).returncode == 0


def test_the_store_of_an_earlier_version_is_taken_over_and_says_so() -> None:
    with running("--appendonly", "yes") as store:
        store.ask("SET", KEY, LAYOUT - 1)
        assert admin(store.url).returncode == 0
        with serving("--store", store.url):
            assert int(store.ask("GET", KEY)) == LAYOUT


def test_the_store_of_a_later_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with running("--appendonly", "yes") as store:
        store.ask("SET", KEY, LAYOUT + 1)
        words = ("--nodaemon", "--pidfile=", "chatroom", "--listen", "tcp:0", "--store", store.url)
        done = twistd(*words, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "later version" in done.stderr
        asked = admin(store.url)
        assert (asked.returncode, asked.stdout) == (1, "")
        assert "later version" in asked.stderr
        assert int(store.ask("GET", KEY)) == LAYOUT + 1
