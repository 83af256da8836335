"""Runs one scenario with one server: start it, prepare, let the load run, keep what it counted."""

import json
import os
import resource
import subprocess
from contextlib import suppress
from typing import Any, Final

from benchmarks.filling import fill
from benchmarks.machine import LOAD_CORE, Missing, build, pinned
from benchmarks.scenarios import MESSAGE_SIZE, SPARE_FILES, Scenario
from benchmarks.servers import Chatroom, Program

__all__ = ["FIRST_USER", "load", "raise_open_files", "run"]

FIRST_USER: Final = 1000
"""The id of the load's first user."""

LONGEST_SECONDS: Final = 180.0
"""A run that takes longer than this is broken."""


def raise_open_files(wanted: int = 65_536) -> None:
    """Let this process and what it starts open many files: more than usual where that may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(hard, wanted), hard):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return


def run(scenario: Scenario, program: type[Program]) -> dict[str, Any]:
    """What one run brought.

    :raises Missing: the machine lacks something for it.
    """
    users = int(scenario.words["users"]) + int(scenario.words.get("comers", 0))
    if users + SPARE_FILES > resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
        raise Missing(f"{users} connections need more open files than are allowed")
    server = program(scenario.options) if issubclass(program, Chatroom) else program()
    with server:
        words = {"size": MESSAGE_SIZE, "base": FIRST_USER, **program.words, **scenario.words}
        if scenario.filled and isinstance(server, Chatroom):
            name = fill(server, FIRST_USER, scenario.filled, MESSAGE_SIZE)
            words |= {"conversation": name, "top": scenario.filled, "how": "password"}
        result = load(server, scenario.mode, words)
    return {
        "scenario": scenario.name,
        "group": scenario.group,
        "program": program.name,
        "work": words,
        "options": server.options if isinstance(server, Chatroom) else {},
        "load_average": os.getloadavg()[0],
        "result": result,
    }


def load(server: Program, mode: str, words: dict[str, str | float]) -> dict[str, Any]:
    """Let the load generator work on a server; what it counted.

    :raises Missing: it gave up, and why.
    """
    program = str(build("load", "load/*.[ch]"))
    given = {
        **words,
        "port": server.port,
        "pids": ",".join(map(str, server.pids)),
    }
    arguments = [f"{name}={value}" for name, value in given.items()]
    done = subprocess.run(
        pinned(LOAD_CORE, program, mode, *arguments),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise Missing(f"{done.stderr.strip()[-300:]}; it said: {server.said().strip()[-300:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    if done.stderr:
        result["said"] = done.stderr[-2000:]
    return result
