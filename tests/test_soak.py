"""A short soak: servers, stores, load and faults, and no promise broken."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 12
FAULTS = "server-kill,store-kill,bus-cut,rollback,client-cut"
PATIENCE = 150


def test_a_few_faults_break_no_promise() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        result = Path(directory) / "result.json"
        words = ["--seconds", str(SECONDS), "--longest", "2", "--faults", FAULTS]
        words += ["--users", "9", "--rate", "100", "--seed", "1", "--result", str(result)]
        done = subprocess.run(
            [sys.executable, "-m", "chat.soak.cli", *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(result.read_bytes())
    assert said["clean"]
    assert said["accepted"] > 300
    assert set(said["faults"]) == set(FAULTS.split(","))
    assert said["calmAccepted"] == said["calmMade"]
