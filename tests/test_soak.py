"""A short soak: servers, stores, load and faults, and no promise broken."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PATIENCE = 240
FAULTS = "server-kill,store-kill,bus-cut,rollback,client-cut,failover-late"
WORDS = (
    "--seconds", "12", "--longest", "2", "--back", "30", "--faults", FAULTS, "--seed", "1",
    "--worlds", "embedded,external,replicated", "--users", "9", "--rate", "120",
)  # fmt: skip


def test_a_few_faults_break_no_promise() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        result = Path(directory) / "result.json"
        done = subprocess.run(
            [sys.executable, "-m", "chat.soak.cli", *WORDS, "--result", str(result)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(result.read_bytes())
    assert said["clean"]
    assert said["calmAccepted"] == said["calmMade"]
    assert said["accepted"] > 300
    assert set(said["faults"]) == set(FAULTS.split(","))
