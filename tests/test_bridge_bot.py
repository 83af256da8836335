"""The example of a bot between two servers: killed in between, it carries everything once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.party import Party
from tests.patience import PATIENCE
from tests.peers import PASSWORD, CurrentPeer
from tests.server import GENEROUS, serving

ROOT = Path(__file__).parent.parent
ROOM = "#ferry/渡"


@contextmanager
def bot(directory: Path, *words: str) -> Iterator[None]:
    """The bot; it is killed at the end."""
    program = [sys.executable, str(ROOT / "examples" / "bridge_bot.py"), *words, str(directory)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "CHATROOM_PASSWORD": PASSWORD}
    process = subprocess.Popen(program, env=environ, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        process.kill()
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors == b""


def texts(peer: CurrentPeer, room: str) -> list[str]:
    return [each["content"] for each in peer.whole_history(room) if "kind" not in each]


def test_everything_is_carried_once_over_the_death_of_the_bot(tmp_path: Path) -> None:
    with (
        serving(*GENEROUS) as first,
        serving(*GENEROUS) as second,
        Party(first.port) as here,
        Party(second.port) as there,
    ):
        words = ["bridge", "#Ferry/渡"]
        people = []
        for party in (here, there):
            party.connect().register(userName="bridge", userPwd=PASSWORD)
            people.append(party.current(party.user("passenger")))
            people[-1].get("JoinMes", conversation=ROOM)
            words.append(f"tcp:127.0.0.1:{party.port}")
        one, two = people
        with bot(tmp_path, *words):
            for peer in people:
                peer.expect("SmsMes", kind="join", userName="bridge")
            said = one.post(ROOM, "over 你好")
            two.hears(f"<{one.welcome['user']['userName']}> over 你好")
            two.post(ROOM, "and back")
            one.hears(f"<{two.welcome['user']['userName']}> and back")
            for number in range(30):
                one.post(ROOM, f"{number}")
        one.post(ROOM, "while it was dead")
        # As if it had died before it put down how far it was.
        position = {"epoch": said["epoch"], "seq": said["seq"] - 1}
        (tmp_path / "ferry@渡-one.json").write_text(json.dumps(position))
        with bot(tmp_path, *words):
            two.hears(f"<{one.welcome['user']['userName']}> while it was dead")
            two.post(ROOM, "the end")
            one.hears(f"<{two.welcome['user']['userName']}> the end")
        name = one.welcome["user"]["userName"]
        all_said = ["over 你好", *map(str, range(30)), "while it was dead"]
        carried = [each for each in texts(two, ROOM) if each.startswith("<")]
        assert carried == [f"<{name}> {each}" for each in all_said]
