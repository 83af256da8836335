"""A short soak: servers, stores, load and faults, and no promise broken."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 12
FAULTS = "server-kill,store-kill,bus-cut,rollback,client-cut"
PATIENCE = 150


def soak(*words: str) -> dict[str, Any]:
    """The result of a short run that has to be clean."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        result = Path(directory) / "result.json"
        done = subprocess.run(
            [sys.executable, "-m", "chat.soak.cli", *words, "--seed", "1", "--result", str(result)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said: dict[str, Any] = json.loads(result.read_bytes())
    assert said["clean"]
    assert said["calmAccepted"] == said["calmMade"]
    return said


def test_a_few_faults_break_no_promise() -> None:
    words = ["--seconds", str(SECONDS), "--longest", "2", "--faults", FAULTS]
    said = soak(*words, "--users", "9", "--rate", "100")
    assert said["accepted"] > 300
    assert set(said["faults"]) == set(FAULTS.split(","))


def test_a_failover_loses_nothing_that_a_replica_had_to_have() -> None:
    fault = "failover-late"
    words = ["--seconds", "4", "--longest", "3", "--faults", fault, "--worlds", "replicated"]
    said = soak(*words, "--servers", "3", "--users", "9", "--rate", "60")
    assert said["accepted"] > 60
    assert set(said["faults"]) == {fault}
