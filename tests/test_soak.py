"""A short soak: servers, stores, load and faults, and no promise broken."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from twisted.internet.task import Clock

from chat.soak.processes import copy_directory
from chat.soak.world import Plan, World

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


class WorldTest(TestCase):
    def test_what_fails_in_the_soak_itself_is_a_problem(self) -> None:
        record: Any = None
        world = World(Clock(), Path("/nowhere"), Plan("wo", 1, 3, 1.0, "external"), record, 1)

        async def broken() -> None:
            raise KeyError("messages")

        world.spawn(broken())
        self.assertEqual(world.problems, ["wo: KeyError('messages') in the soak"])


class CopyTest(TestCase):
    def test_a_directory_whose_files_are_exchanged_meanwhile_is_copied_once_more(self) -> None:
        copytree, copies = shutil.copytree, []

        def copy(source: Path, target: Path, **options: Any) -> None:
            """The first time a file is gone when its turn comes, and another takes its place."""
            copies.append(target)
            if len(copies) == 1:
                (source / "old").rename(source / "new")
                raise shutil.Error([("old", "old", "No such file")])
            copytree(source, target, **options)

        with tempfile.TemporaryDirectory(dir="/tmp") as directory:
            source, target = Path(directory) / "data", Path(directory) / "kept"
            source.mkdir()
            (source / "old").touch()
            with patch("shutil.copytree", copy):
                copy_directory(source, target)
            self.assertEqual([each.name for each in target.iterdir()], ["new"])
            failing = patch("shutil.copytree", side_effect=shutil.Error)
            with failing, self.assertRaises(shutil.Error):
                copy_directory(source, target)
